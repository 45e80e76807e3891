//! What is known of an address.

use std::collections::HashMap;

use super::model::{AlertSeen, Entry, Known};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::fleet::decision::{Fact, Said, Source, around, list_by_address, list_copies, list_places};
use crate::kernel::net::Block;

/// Types whose copies are looked for although nobody says them any more.
const COMMON: [&str; 2] = ["ban", "captcha"];

/// Reads all that the tenant's rows say of a block.
///
/// # Errors
/// As the statements fail.
pub async fn known(db: &Db, tenant: Tenant, block: &Block) -> Result<Known, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned_once(&mut connection, tenant).await?;
    let said = list_by_address(&tx, block).await?;
    // What a server still holds of a decision that is gone from the set is found by the keys that it can have.
    let mut keys: Vec<_> = said.iter().map(|row| row.key).collect();
    for wider in (0..=block.prefix_len()).filter_map(|length| Block::new(block.lo(), length)) {
        keys.extend(COMMON.map(|kind| Fact::about(wider, kind.to_owned()).key()));
    }
    keys.sort_unstable();
    keys.dedup();
    let known = Known {
        copies: list_copies(&tx, &keys).await?,
        places: list_places(&tx).await?,
        allowed: list_allowed(&tx, block).await?,
        allowlist: get_allowlist(&tx).await?,
        alerts: list_alerts(&tx, block).await?,
        machines: list_machines(&tx, &said).await?,
        said,
    };
    tx.commit().await?;
    Ok(known)
}

async fn list_allowed(tx: &TenantTx<'_>, block: &Block) -> Result<Vec<Entry>, DbError> {
    let rows = tx
        .query(
            sql!("explain/list_allowed"),
            &[&tx.tenant().id(), &block.lo(), &block.hi(), &around(block)],
        )
        .await?;
    let entry = |row: &tokio_postgres::Row| Entry {
        list: row.get("name"),
        value: row.get("value"),
        reason: row.get("reason"),
        actor: row.get("actor"),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
    };
    Ok(rows.iter().map(entry).collect())
}

async fn get_allowlist(tx: &TenantTx<'_>) -> Result<Option<String>, DbError> {
    let row = tx
        .query_opt(sql!("explain/get_allowlist"), &[&tx.tenant().id()])
        .await?;
    Ok(row.map(|row| row.get("name")))
}

async fn list_alerts(tx: &TenantTx<'_>, block: &Block) -> Result<Vec<AlertSeen>, DbError> {
    let single = block.is_host().then(|| block.lo().to_string());
    let rows = tx
        .query(
            sql!("explain/list_alerts"),
            &[&tx.tenant().id(), &block.lo(), &block.hi(), &single],
        )
        .await?;
    let alert = |row: &tokio_postgres::Row| {
        let name: Option<String> = row.get("machine_name");
        let reasons: Option<String> = row.get("filter_reasons");
        AlertSeen {
            id: row.get("id"),
            at: row.get("received_at"),
            scenario: row.get("scenario"),
            message: row.get("message"),
            source: row.get("source_value"),
            agent: row.get("agent"),
            machine: name
                .filter(|name| !name.is_empty())
                .or_else(|| row.get::<_, Option<String>>("login")),
            filtered: row.get("filtered"),
            reasons: reasons
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
            forwarded_at: row.get("forwarded_at"),
            forward_error: row.get("forward_error"),
            has_decisions: row.get("has_decisions"),
            ours: row.get("local_audit"),
            actor: row.get("actor"),
        }
    };
    Ok(rows.iter().map(alert).collect())
}

async fn list_machines(tx: &TenantTx<'_>, said: &[Said]) -> Result<HashMap<i64, String>, DbError> {
    let ids: Vec<i64> = said
        .iter()
        .filter_map(|row| match row.source {
            Source::Signal(id) => Some(id),
            _ => None,
        })
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx
        .query(sql!("explain/list_machines"), &[&tx.tenant().id(), &ids])
        .await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("name"))).collect())
}
