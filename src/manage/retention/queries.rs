//! Rows that lived for long enough, a portion a transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::model::{self, Own};
use crate::app::App;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};

/// A tenant's own wishes.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Own, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("retention/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("class"), row.get("days")))
        .collect())
}

/// Puts these wishes in place of those before.
///
/// # Errors
/// As the statements fail.
pub async fn replace(db: &Db, tenant: Tenant, own: &Own) -> Result<(), DbError> {
    let classes: Vec<i16> = own.keys().copied().collect();
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.execute(sql!("retention/delete"), &[&tenant.id(), &classes])
        .await?;
    insert(&tx, own).await?;
    let own = model::named(own);
    tx.record("retention.replace", "", serde_json::json!(own)).await?;
    tx.commit().await
}

/// Adds wishes, in the caller's transaction.
///
/// # Errors
/// As the statement fails.
pub async fn insert(tx: &TenantTx<'_>, own: &Own) -> Result<(), DbError> {
    let classes: Vec<i16> = own.keys().copied().collect();
    let days: Vec<i32> = own.values().copied().collect();
    tx.execute(sql!("retention/upsert"), &[&tx.tenant().id(), &classes, &days])
        .await?;
    Ok(())
}

/// The longest that alerts of any tenant are kept.
///
/// # Errors
/// As the statement fails.
pub async fn longest_of_alerts(app: &App) -> Result<i32, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/get_longest_retention"), &[&model::ALERTS.code])
        .await?;
    tx.commit().await?;
    let own: Option<i32> = row.and_then(|row| row.get("days"));
    let default = model::in_force(model::ALERTS, &app.settings.lifetimes, &Own::new());
    Ok(own.unwrap_or(0).max(default))
}

/// Whose rows nobody sweeps and nobody swept to the end for so many seconds.
pub async fn list_unswept(db: &Db, seconds: f64) -> Result<Vec<Tenant>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_unswept"), &[&seconds]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| Tenant::proven(row.get("id"))).collect())
}

/// A tenant's sweep that is ours until somebody else takes it.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// Whose rows.
    pub tenant: Tenant,
    /// Who sweeps.
    pub owner: Uuid,
    /// No older batch has a body that could go.
    pub bodies_upto: Uuid,
    /// Whether counts of zero are to go.
    pub zeros_due: bool,
}

/// Takes a tenant's sweep; none when somebody else has it.
pub async fn claim(db: &Db, tenant: Tenant, owner: Uuid) -> Result<Option<Sweep>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("retention/claim"), &[&tenant.id(), &owner])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| Sweep {
        tenant,
        owner,
        bodies_upto: row.get("bodies_upto"),
        zeros_due: row.get("zeros_due"),
    }))
}

/// Gives it back; `done` when it came to its end.
pub async fn release(db: &Db, sweep: &Sweep, done: bool, gone: &BTreeMap<&str, u64>) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, sweep.tenant).await?;
    tx.execute(
        sql!("retention/release"),
        &[
            &sweep.tenant.id(),
            &sweep.owner,
            &done,
            &(done && sweep.zeros_due),
        ],
    )
    .await?;
    if !gone.is_empty() {
        tx.record("retention.sweep", "", serde_json::json!(gone)).await?;
    }
    tx.commit().await
}

/// Where a step goes on.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    at: Timestamp,
    id: i64,
    batch: Uuid,
    /// A batch was passed by whose body has to wait.
    passed: bool,
}

impl Place {
    /// From the oldest row on.
    pub const START: Self = Self {
        at: Timestamp::UNIX_EPOCH,
        id: i64::MIN,
        batch: Uuid::nil(),
        passed: false,
    };

    /// Behind a batch.
    pub const fn after(batch: Uuid) -> Self {
        Self { batch, ..Self::START }
    }
}

/// What a portion did.
#[derive(Debug)]
pub struct Portion {
    /// Rows that went: the alerts, or the batches.
    pub gone: u64,
    /// Where the next one goes on; none at the end.
    pub next: Option<Place>,
}

/// Whether the sweep is still ours; then it is, until the transaction ends.
async fn is_ours(tx: &TenantTx<'_>, sweep: &Sweep) -> Result<bool, DbError> {
    let ours = tx
        .execute(sql!("retention/renew"), &[&sweep.tenant.id(), &sweep.owner])
        .await?;
    Ok(ours == 1)
}

/// Ends the next alerts, their decisions first, in one transaction; none when somebody else has the sweep.
pub async fn delete_alerts(
    db: &Db,
    sweep: &Sweep,
    days: i32,
    (audit, waiting): (bool, bool),
    from: Place,
    limit: i64,
) -> Result<Option<Portion>, DbError> {
    let tenant = sweep.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, sweep.tenant).await?;
    if !is_ours(&tx, sweep).await? {
        return Ok(None);
    }
    let rows = tx
        .query(
            sql!("retention/list_alerts"),
            &[&tenant, &days, &audit, &waiting, &from.at, &from.id, &limit],
        )
        .await?;
    let mut keys: Vec<Uuid> = rows.iter().map(|row| row.get("key")).collect();
    keys.sort_unstable();
    if !keys.is_empty() {
        tx.execute(sql!("retention/delete_decisions"), &[&tenant, &keys])
            .await?;
        tx.execute(sql!("retention/delete_alerts"), &[&tenant, &keys])
            .await?;
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(Some(Portion {
        gone: rows.len() as u64,
        next: rows.last().filter(|_| full).map(|row| Place {
            at: row.get("received_at"),
            id: row.get("id"),
            ..from
        }),
    }))
}

/// Ends the next batches into which no alert points, with their rejected items.
pub async fn delete_batches(
    db: &Db,
    sweep: &Sweep,
    days: i32,
    from: Place,
    limit: i64,
) -> Result<Option<Portion>, DbError> {
    let tenant = sweep.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, sweep.tenant).await?;
    if !is_ours(&tx, sweep).await? {
        return Ok(None);
    }
    let rows = tx
        .query(
            sql!("retention/list_batches"),
            &[&tenant, &days, &from.batch, &limit],
        )
        .await?;
    let unused = rows.iter().filter(|row| !row.get::<_, bool>("used"));
    let ids: Vec<Uuid> = unused.map(|row| row.get("id")).collect();
    if !ids.is_empty() {
        tx.execute(sql!("retention/delete_rejected"), &[&tenant, &ids])
            .await?;
        tx.execute(sql!("retention/delete_batches"), &[&tenant, &ids])
            .await?;
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(Some(Portion {
        gone: ids.len() as u64,
        next: rows
            .last()
            .filter(|_| full)
            .map(|row| Place::after(row.get("id"))),
    }))
}

/// Ends the next bodies out of which nothing has to leave any more. How far that came is remembered, because receipts may
/// stand for long without theirs.
pub async fn delete_bodies(
    db: &Db,
    sweep: &Sweep,
    days: i32,
    from: Place,
    limit: i64,
) -> Result<Option<Portion>, DbError> {
    let tenant = sweep.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, sweep.tenant).await?;
    if !is_ours(&tx, sweep).await? {
        return Ok(None);
    }
    let rows = tx
        .query(
            sql!("retention/list_bodies"),
            &[&tenant, &days, &from.batch, &limit],
        )
        .await?;
    let waits = |row: &&tokio_postgres::Row| row.get::<_, bool>("waits");
    let ids: Vec<Uuid> = rows
        .iter()
        .filter(|row| row.get("full") && !waits(row))
        .map(|row| row.get("id"))
        .collect();
    if !ids.is_empty() {
        tx.execute(sql!("retention/update_bodies"), &[&tenant, &ids])
            .await?;
    }
    // The next sweep begins before the first that waits, unless an earlier portion met one already.
    let clear: Vec<Uuid> = rows
        .iter()
        .take_while(|row| !waits(row))
        .map(|row| row.get("id"))
        .collect();
    if let Some(upto) = clear.last().filter(|_| !from.passed) {
        tx.execute(
            sql!("retention/update_bodies_upto"),
            &[&tenant, &sweep.owner, &upto],
        )
        .await?;
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    let passed = clear.len() < rows.len() || from.passed;
    Ok(Some(Portion {
        gone: ids.len() as u64,
        next: rows.last().filter(|_| full).map(|row| Place {
            passed,
            ..Place::after(row.get("id"))
        }),
    }))
}

/// Ends the oldest usage metrics, and components that were not told of since.
pub async fn delete_metrics(
    db: &Db,
    sweep: &Sweep,
    days: i32,
    limit: i64,
) -> Result<Option<Portion>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, sweep.tenant).await?;
    if !is_ours(&tx, sweep).await? {
        return Ok(None);
    }
    let gone = tx
        .execute(
            sql!("retention/delete_metrics"),
            &[&sweep.tenant.id(), &days, &limit],
        )
        .await?;
    tx.commit().await?;
    Ok(Some(Portion {
        gone,
        next: (gone == limit.unsigned_abs()).then_some(Place::START),
    }))
}

/// Takes out counts of zero, where nobody folds just now, and what nobody asks for any more.
pub async fn delete_leftovers(db: &Db, sweep: &Sweep, waiting: i32) -> Result<(), DbError> {
    let tenant = sweep.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, sweep.tenant).await?;
    tx.execute(sql!("retention/delete_leftovers"), &[&tenant, &waiting])
        .await?;
    tx.commit().await?;
    drop(connection);
    while sweep.zeros_due && delete_zeros(db, sweep.tenant).await?.unwrap_or(0) > 0 {}
    Ok(())
}

/// Counts of zero; none when somebody folds.
///
/// # Errors
/// As the statements fail.
pub async fn delete_zeros(db: &Db, tenant: Tenant) -> Result<Option<i64>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("stats/claim"), &[&tenant.id()]).await?;
    if !row.is_some_and(|row| row.get("claimed")) {
        return Ok(None);
    }
    let gone = tx
        .query_opt(sql!("retention/delete_zeros"), &[&tenant.id()])
        .await?;
    tx.commit().await?;
    Ok(Some(gone.map_or(0, |row| row.get("gone"))))
}
