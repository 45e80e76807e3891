//! Machines with their last day.

use jiff::Timestamp;

use crate::db::{Db, DbError, Tenant, sql};

/// A machine as it is listed.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct MachineRow {
    pub id: i64,
    pub login: String,
    /// Whether its credentials are ours.
    pub issued: bool,
    pub name: String,
    pub user_agent: Option<String>,
    pub created_at: Timestamp,
    pub last_seen_at: Option<Timestamp>,
    /// Whether the tenant's bans and allowlists ride on its stream.
    pub delivers: bool,
    /// Items of the last 24 hours.
    pub received: i64,
    pub stored: i64,
    pub duplicate: i64,
    pub rejected: i64,
    pub filtered: i64,
    /// Alerts that wait to be forwarded, and since when the oldest does.
    pub waiting: i64,
    pub oldest: Option<Timestamp>,
    pub failures: i32,
    pub last_error: Option<String>,
    pub next_try_at: Option<Timestamp>,
    pub last_ok_at: Option<Timestamp>,
}

/// All machines of a tenant.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Vec<MachineRow>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("machine/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let machine = |row: &tokio_postgres::Row| MachineRow {
        id: row.get("id"),
        login: row.get("login"),
        issued: row.get::<_, i16>("kind") == 1,
        name: row.get("name"),
        user_agent: row.get("user_agent"),
        created_at: row.get("created_at"),
        last_seen_at: row.get("last_seen_at"),
        delivers: row.get("delivers"),
        received: row.get("received"),
        stored: row.get("stored"),
        duplicate: row.get("duplicate"),
        rejected: row.get("rejected"),
        filtered: row.get("filtered"),
        waiting: row.get("waiting"),
        oldest: row.get("oldest"),
        failures: row.get::<_, Option<i32>>("failures").unwrap_or(0),
        last_error: row.get("last_error"),
        next_try_at: row.get("next_try_at"),
        last_ok_at: row.get("last_ok_at"),
    };
    Ok(rows.iter().map(machine).collect())
}

/// Whether the tenant's bans and allowlists ride on a machine's stream from now on; false when there is no such machine.
/// Where they do, the tenant's set is kept up.
///
/// # Errors
/// As the statements fail.
pub async fn update_delivers(db: &Db, tenant: Tenant, machine: i64, delivers: bool) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let found = tx
        .execute(
            sql!("machine/update_delivers"),
            &[&tenant.id(), &machine, &delivers],
        )
        .await?;
    if found == 1 && delivers {
        tx.platform(sql!("tenant/update_keeps_decisions"), &[&tenant.id()])
            .await?;
        tx.execute(sql!("decision/insert_lane"), &[&tenant.id()]).await?;
    }
    if found == 1 {
        let details = serde_json::json!({ "deliver": delivers });
        tx.record("machine.change", &machine.to_string(), details).await?;
    }
    tx.commit().await?;
    Ok(found == 1)
}
