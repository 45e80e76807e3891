//! Replication in the database.

mod signalled;

pub use signalled::{Origin, Signalled, list_signalled, list_signalled_after, list_sources};

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{Placing, View};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::jobs::Lease;

/// How far a server is read and written.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Sync {
    pub read_open: bool,
    pub write_open: bool,
    /// The server's clock minus ours.
    pub skew: SignedDuration,
    /// Which of the tenant's engines it is.
    pub engine: Option<i64>,
    /// Seconds since each, none when never.
    pub read: Option<f64>,
    pub full: Option<f64>,
    pub session: Option<f64>,
    pub compared: Option<f64>,
}

/// How far this server is.
pub async fn get_sync(db: &Db, tenant: Tenant, server: i64) -> Result<Option<Sync>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("replication/get_sync"), &[&tenant.id(), &server])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| {
        let now: Timestamp = row.get("at");
        let age = |column: &str| {
            let at: Option<Timestamp> = row.get(column);
            at.map(|at| now.duration_since(at).as_secs_f64())
        };
        Sync {
            read_open: row.get("read_open"),
            write_open: row.get("write_open"),
            skew: SignedDuration::from_millis(row.get("skew_ms")),
            engine: row.get("machine_id"),
            read: age("read_at"),
            full: age("full_at"),
            session: age("session_at"),
            compared: age("compared_at"),
        }
    }))
}

/// A server's clock minus ours, as last told.
///
/// # Errors
/// As the statement fails.
pub async fn skew(db: &Db, tenant: Tenant, server: i64) -> Result<SignedDuration, DbError> {
    let sync = get_sync(db, tenant, server).await?;
    Ok(sync.map_or(SignedDuration::ZERO, |sync| sync.skew))
}

/// Has all that a server decided read anew, at once: something was changed there that its stream may not tell.
///
/// # Errors
/// As the statements fail.
pub async fn read_anew(tx: &TenantTx<'_>, server: i64) -> Result<(), DbError> {
    crate::jobs::hurry(tx, 3, server).await?;
    update_read_open(tx, server).await
}

/// The log's next rows: where each stands, and its keys.
pub async fn list(db: &Db, lease: &Lease, most: i64) -> Result<Vec<((String, i64), Vec<Uuid>)>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    let rows = tx
        .query(
            sql!("replication/list"),
            &[
                &lease.tenant.id(),
                &lease.topic,
                &lease.subject,
                &lease.cursor.0,
                &lease.cursor.1,
                &lease.horizon,
                &most,
            ],
        )
        .await?;
    tx.commit().await?;
    let entry = |row: &Row| ((row.get("at_xid"), row.get("seq")), row.get("keys"));
    Ok(rows.iter().map(entry).collect())
}

/// What is known of these keys at a server.
pub async fn list_views(
    db: &Db,
    tenant: Tenant,
    server: i64,
    keys: &[Uuid],
    (replicates, engine): (bool, Option<i64>),
) -> Result<Vec<View>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx
        .query(
            sql!("replication/list_views"),
            &[&tenant.id(), &server, &keys, &replicates, &engine],
        )
        .await?;
    tx.commit().await?;
    let view = |row: &Row| View {
        key: row.get("key"),
        scope: row.get("scope"),
        value: row.get("value"),
        kind: row.get("type"),
        scenario: row.get::<_, Option<String>>("scenario").unwrap_or_default(),
        wanted: row.get("wanted"),
        own: row.get("own"),
        copy: row
            .get::<_, Option<Timestamp>>("copy")
            .map(|until| (until, row.get::<_, i16>("copy_state") == 2)),
        lifts: row.get::<_, Option<Vec<String>>>("lifts").unwrap_or_default(),
    };
    Ok(rows.iter().map(view).collect())
}

/// The next keys after one, of all that anything is known of.
pub async fn list_keys(
    db: &Db,
    tenant: Tenant,
    server: i64,
    after: Uuid,
    most: i64,
) -> Result<Vec<Uuid>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx
        .query(
            sql!("replication/list_keys"),
            &[&tenant.id(), &server, &after, &most],
        )
        .await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| row.get("key")).collect())
}

/// Notes what is on a server: put there (`seen` false), seen there, or refused for `error`.
pub async fn upsert_copies(
    tx: &TenantTx<'_>,
    server: i64,
    copies: &[Placing],
    seen: bool,
    error: Option<&str>,
) -> Result<(), DbError> {
    if copies.is_empty() {
        return Ok(());
    }
    let text = |get: fn(&Placing) -> &str| copies.iter().map(get).collect::<Vec<_>>();
    tx.execute(
        sql!("replication/upsert_copies"),
        &[
            &tx.tenant().id(),
            &server,
            &copies.iter().map(|c| c.key).collect::<Vec<_>>(),
            &text(|c| &c.scope),
            &text(|c| &c.value),
            &text(|c| &c.kind),
            &copies.iter().map(|c| c.until).collect::<Vec<_>>(),
            &seen,
            &error,
        ],
    )
    .await?;
    Ok(())
}

/// Notes what is not on a server any more.
pub async fn delete_copies(tx: &TenantTx<'_>, server: i64, keys: &[Uuid]) -> Result<(), DbError> {
    if !keys.is_empty() {
        tx.execute(
            sql!("replication/delete_copies"),
            &[&tx.tenant().id(), &server, &keys],
        )
        .await?;
    }
    Ok(())
}

/// Notes that the server's own decisions of these keys are lifted there.
pub async fn update_lifted(tx: &TenantTx<'_>, server: i64, keys: &[Uuid]) -> Result<(), DbError> {
    if !keys.is_empty() {
        tx.execute(
            sql!("replication/update_lifted"),
            &[&tx.tenant().id(), &server, &keys],
        )
        .await?;
    }
    Ok(())
}

/// Notes whether a conversation of writing is open, whether all was compared just now, and the server's clock.
pub async fn update_written(
    tx: &TenantTx<'_>,
    server: i64,
    open: bool,
    compared: bool,
    skew: Option<SignedDuration>,
) -> Result<(), DbError> {
    let skew = skew.and_then(|skew| i64::try_from(skew.as_millis()).ok());
    tx.execute(
        sql!("replication/update_written"),
        &[&tx.tenant().id(), &server, &open, &compared, &skew],
    )
    .await?;
    Ok(())
}

/// Forgets what of the log a comparison makes superfluous. The conversation has to be noted as open before.
pub async fn delete_log(db: &Db, lease: &Lease) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    tx.execute(
        sql!("replication/delete_log"),
        &[&lease.tenant.id(), &lease.subject, &lease.horizon],
    )
    .await?;
    tx.commit().await
}

/// Notes that the stream is being asked.
pub async fn update_read_open(tx: &TenantTx<'_>, server: i64) -> Result<(), DbError> {
    tx.execute(
        sql!("replication/update_read_open"),
        &[&tx.tenant().id(), &server],
    )
    .await?;
    Ok(())
}

/// Notes that the stream's answer is taken over.
pub async fn update_read(
    tx: &TenantTx<'_>,
    server: i64,
    whole: bool,
    lives: bool,
    compare: bool,
) -> Result<(), DbError> {
    tx.execute(
        sql!("replication/update_read"),
        &[&tx.tenant().id(), &server, &whole, &lives, &compare],
    )
    .await?;
    Ok(())
}

/// Recognises the server as one of the tenant's engines, by the names of decisions; the keys of what was the engine's.
pub async fn update_machine(
    tx: &TenantTx<'_>,
    server: i64,
    named: &[(Uuid, String)],
) -> Result<Vec<Uuid>, DbError> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .query(
            sql!("replication/update_machine"),
            &[
                &tx.tenant().id(),
                &server,
                &named.iter().map(|n| n.0).collect::<Vec<_>>(),
                &named.iter().map(|n| n.1.as_str()).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get("key")).collect())
}

/// Forgets a part of what ended; how many decisions.
pub async fn delete_expired(db: &Db, tenant: Tenant) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let gone = tx
        .execute(sql!("replication/delete_expired"), &[&tenant.id()])
        .await?;
    tx.commit().await?;
    Ok(gone)
}

/// Whether what engines reported before the set was kept is in it.
pub async fn is_complete(tx: &TenantTx<'_>) -> Result<bool, DbError> {
    let rows = tx
        .platform(sql!("tenant/get_decisions_complete"), &[&tx.tenant().id()])
        .await?;
    Ok(rows.first().is_none_or(|row| row.get("decisions_complete")))
}

/// Notes that it is.
pub async fn update_complete(tx: &TenantTx<'_>) -> Result<(), DbError> {
    tx.platform(sql!("tenant/update_decisions_complete"), &[&tx.tenant().id()])
        .await?;
    Ok(())
}

/// How many of what ended on a server should have held for longer.
pub async fn count_early(tx: &TenantTx<'_>, server: i64, ended: &[Uuid]) -> Result<i64, DbError> {
    let row = tx
        .query_opt(
            sql!("replication/count_early"),
            &[&tx.tenant().id(), &server, &ended],
        )
        .await?;
    Ok(row.map_or(0, |row| row.get("n")))
}

/// How many of these are lifted here and not yet there.
pub async fn count_lifts(tx: &TenantTx<'_>, server: i64, keys: &[Uuid]) -> Result<i64, DbError> {
    let row = tx
        .query_opt(
            sql!("replication/count_lifts"),
            &[&tx.tenant().id(), &server, &keys],
        )
        .await?;
    Ok(row.map_or(0, |row| row.get("n")))
}
