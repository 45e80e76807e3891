//! Lanes in the database.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::lane::Lease;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};

/// Wakes the lanes whose logs grew.
pub async fn dispatch(db: &Db) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("lane/dispatch"), &[]).await?;
    tx.commit().await
}

/// Leases due lanes.
pub async fn claim(
    db: &Db,
    most: i64,
    most_of_a_tenant: i64,
    term: Duration,
    owner: Uuid,
) -> Result<Vec<Lease>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx
        .query(
            sql!("lane/claim"),
            &[&most, &most_of_a_tenant, &term.as_secs_f64(), &owner],
        )
        .await?;
    tx.commit().await?;
    Ok(rows
        .iter()
        .map(|row| lease(Tenant::proven(row.get("tenant_id")), row))
        .collect())
}

fn lease(tenant: Tenant, row: &Row) -> Lease {
    Lease {
        tenant,
        topic: row.get("topic"),
        subject: row.get("subject_id"),
        fence: row.get("fence"),
        failures: row.get("failures"),
        cursor: (row.get("cursor_xid"), row.get("cursor_seq")),
        horizon: row.get("horizon"),
    }
}

/// Leases one lane for a request that has to act itself; none while somebody else has it, or there is none.
///
/// # Errors
/// As the statement fails.
pub async fn claim_one(
    db: &Db,
    tenant: Tenant,
    topic: i16,
    subject: i64,
    term: Duration,
) -> Result<Option<Lease>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("lane/claim_one"),
            &[
                &tenant.id(),
                &topic,
                &subject,
                &term.as_secs_f64(),
                &Uuid::now_v7(),
            ],
        )
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| lease(tenant, &row)))
}

/// Gives back what [`claim_one`] took, as it was; `hurry` makes the lane due at once.
///
/// # Errors
/// As the statements fail.
pub async fn give_back(db: &Db, lease: &Lease, hurry: bool) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    release_in(&tx, lease, false, hurry.then_some(Duration::ZERO)).await?;
    tx.commit().await
}

/// Makes a lane due at once, whatever it waits for.
///
/// # Errors
/// As the statement fails.
pub async fn hurry(tx: &TenantTx<'_>, topic: i16, subject: i64) -> Result<(), DbError> {
    tx.execute(sql!("lane/update_due"), &[&tx.tenant().id(), &topic, &subject])
        .await?;
    Ok(())
}

/// Whether the lease still stands, and for a term more: what a transaction that acts on it asks first.
///
/// # Errors
/// As the statement fails.
pub async fn hold(tx: &TenantTx<'_>, lease: &Lease, term: Duration) -> Result<bool, DbError> {
    let n = tx
        .execute(
            sql!("lane/renew"),
            &[
                &lease.tenant.id(),
                &lease.topic,
                &lease.subject,
                &lease.fence,
                &term.as_secs_f64(),
            ],
        )
        .await?;
    Ok(n == 1)
}

/// Prolongs a lease; false when it is lost.
pub async fn renew(db: &Db, lease: &Lease, term: Duration) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    let held = hold(&tx, lease, term).await?;
    tx.commit().await?;
    Ok(held)
}

/// Gives a lease back; the next turn is due after the pause, if one is named.
pub async fn release(db: &Db, lease: &Lease, drained: bool, pause: Option<Duration>) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    release_in(&tx, lease, drained, pause).await?;
    tx.commit().await
}

async fn release_in(
    tx: &TenantTx<'_>,
    lease: &Lease,
    drained: bool,
    pause: Option<Duration>,
) -> Result<(), DbError> {
    let upto = drained.then_some(&lease.horizon);
    let pause = pause.map(|pause| pause.as_secs_f64());
    tx.execute(
        sql!("lane/release"),
        &[
            &lease.tenant.id(),
            &lease.topic,
            &lease.subject,
            &lease.fence,
            &upto,
            &pause,
        ],
    )
    .await?;
    Ok(())
}

/// Gives a lease back after a failure of the target.
pub async fn fail(db: &Db, lease: &Lease, error: &str, pause: Duration) -> Result<(), DbError> {
    let error: String = error.chars().filter(|c| *c != '\0').take(500).collect();
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    tx.execute(
        sql!("lane/fail"),
        &[
            &lease.tenant.id(),
            &lease.topic,
            &lease.subject,
            &lease.fence,
            &pause.as_secs_f64(),
            &error,
        ],
    )
    .await?;
    tx.commit().await
}

/// Moves the lane over delivered rows and deletes them, in the caller's transaction; false when the lease is lost,
/// and then the caller rolls back.
///
/// # Errors
/// As the statements fail.
pub async fn finish(tx: &TenantTx<'_>, lease: &Lease, upto: &(String, i64)) -> Result<bool, DbError> {
    let (tenant, topic, subject) = (lease.tenant.id(), lease.topic, lease.subject);
    let moved = tx
        .execute(
            sql!("lane/update_delivered"),
            &[&tenant, &topic, &subject, &lease.fence, &upto.0, &upto.1],
        )
        .await?;
    if moved == 0 {
        return Ok(false);
    }
    tx.execute(
        sql!("lane/delete_sent"),
        &[
            &tenant,
            &topic,
            &subject,
            &lease.cursor.0,
            &lease.cursor.1,
            &upto.0,
            &upto.1,
        ],
    )
    .await?;
    Ok(true)
}

/// What waits and what fails of one topic, over all tenants.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// 1 to CAPI, 2 to LAPI servers, 3 from them, 4 to the tenants' sets.
    pub topic: i16,
    /// Rows of the outbox: up to 50 alerts or decisions each.
    pub rows: i64,
    /// Age of the oldest, seconds.
    pub oldest: f64,
    /// Lanes whose last try failed.
    pub failing: i64,
    /// Logins sent to CAPI in the last 50 minutes, where they are counted; the same for every topic.
    pub logins: i64,
}

/// Reads the backlog, topic by topic.
///
/// # Errors
/// As the statement fails.
pub async fn backlog(db: &Db) -> Result<Vec<Backlog>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("lane/get_backlog"), &[]).await?;
    tx.commit().await?;
    let backlog = |row: &Row| Backlog {
        topic: row.get("topic"),
        rows: row.get("rows"),
        oldest: row.get("oldest"),
        failing: row.get("failing"),
        logins: row.get("logins"),
    };
    Ok(rows.iter().map(backlog).collect())
}

/// Starts every lane's reading over, after a restore into another cluster. As the owner of the tables.
///
/// # Errors
/// As the statement fails.
pub async fn reset_cursors(db: &Db) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("lane/reset"), &[]).await?;
    tx.commit().await
}
