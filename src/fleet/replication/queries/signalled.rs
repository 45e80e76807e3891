//! Decisions of signals in the database, and whom they come from.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{DbError, TenantTx, sql};

/// A decision of a signal.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Signalled {
    pub machine: i64,
    pub agent: Option<String>,
    pub origin: Option<String>,
    pub kind: String,
    pub scope: String,
    pub value: String,
    pub scenario: String,
    pub until: Timestamp,
    pub uuid: Option<String>,
}

/// The decisions of these alerts that still hold, `most` of them.
pub async fn list_signalled(
    tx: &TenantTx<'_>,
    alerts: &[Uuid],
    most: usize,
) -> Result<Vec<Signalled>, DbError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = tx
        .query(
            sql!("replication/list_signalled"),
            &[&tx.tenant().id(), &alerts, &most],
        )
        .await?;
    let signalled = |row: &Row| Signalled {
        machine: row.get("machine_id"),
        agent: row.get("agent"),
        origin: row.get("origin"),
        kind: row.get("type"),
        scope: row.get("scope"),
        value: row.get("value"),
        scenario: row.get("scenario"),
        until: row.get("until"),
        uuid: row.get("uuid"),
    };
    Ok(rows.iter().map(signalled).collect())
}

/// The next alerts whose decisions still hold.
pub async fn list_signalled_after(tx: &TenantTx<'_>, after: Uuid, most: i64) -> Result<Vec<Uuid>, DbError> {
    let rows = tx
        .query(
            sql!("replication/list_signalled_after"),
            &[&tx.tenant().id(), &after, &most],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get("alert_key")).collect())
}

/// A server as a source.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Origin {
    pub server: i64,
    /// The engine it is, if known.
    pub engine: Option<i64>,
    /// Agents behind it.
    pub agents: Vec<String>,
    /// What Garrison is called there.
    pub login: Option<String>,
    /// Whether its stream was read within the last minute.
    pub is_read: bool,
}

/// The tenant's servers as sources.
pub async fn list_sources(tx: &TenantTx<'_>) -> Result<Vec<Origin>, DbError> {
    let rows = tx
        .query(sql!("replication/list_sources"), &[&tx.tenant().id()])
        .await?;
    let origin = |row: &Row| Origin {
        server: row.get("id"),
        engine: row.get("engine"),
        agents: row.get("source_machine_ids"),
        login: row.get("login"),
        is_read: row.get("read"),
    };
    Ok(rows.iter().map(origin).collect())
}
