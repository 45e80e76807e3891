//! Metrics in the database: one transaction a body.

use super::model::{Component, Kind, MetricSet, Told};
use crate::db::{Db, DbError, TenantTx, sql};
use crate::http::Machine;

/// Rows of one statement.
const ROWS: usize = 500;

/// Stores what a machine told; how many of the sets are new. `whole`: it told all that is known of the components.
///
/// # Errors
/// As the statements fail: then nothing is stored.
pub async fn insert(db: &Db, machine: &Machine, told: &Told, whole: bool) -> Result<u64, DbError> {
    if told.components.is_empty() {
        return Ok(0);
    }
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, machine.tenant).await?;
    let components: Vec<_> = told.components.iter().collect();
    for part in components.chunks(ROWS) {
        upsert_components(&tx, machine, part, whole).await?;
    }
    let mut stored = 0;
    for part in told.sets.chunks(ROWS) {
        stored += insert_sets(&tx, machine, part).await?;
    }
    tx.commit().await?;
    Ok(stored)
}

async fn upsert_components(
    tx: &TenantTx<'_>,
    machine: &Machine,
    part: &[(&(Kind, String), &Component)],
    whole: bool,
) -> Result<u64, DbError> {
    let kinds: Vec<_> = part.iter().map(|((kind, _), _)| kind.code()).collect();
    let names: Vec<_> = part.iter().map(|((_, name), _)| name).collect();
    let texts = |of: fn(&Component) -> Option<&str>| part.iter().map(|(_, c)| of(c)).collect::<Vec<_>>();
    let active: Vec<_> = part.iter().map(|(_, c)| c.active_at).collect();
    tx.execute(
        sql!("metrics/upsert_components"),
        &[
            &machine.tenant.id(),
            &machine.id,
            &kinds,
            &names,
            &texts(|c| c.sort.as_deref()),
            &texts(|c| c.os_name.as_deref()),
            &texts(|c| c.os_version.as_deref()),
            &texts(|c| c.version.as_deref()),
            &active,
            &whole,
        ],
    )
    .await
}

async fn insert_sets(tx: &TenantTx<'_>, machine: &Machine, part: &[MetricSet]) -> Result<u64, DbError> {
    let keys: Vec<_> = part.iter().map(|s| s.key).collect();
    let kinds: Vec<_> = part.iter().map(|s| s.kind.code()).collect();
    let names: Vec<_> = part.iter().map(|s| &s.name).collect();
    let collected: Vec<_> = part.iter().map(|s| s.collected_at).collect();
    let windows: Vec<_> = part.iter().map(|s| s.window_seconds).collect();
    let active: Vec<_> = part.iter().map(|s| s.counters.active).collect();
    let processed: Vec<_> = part.iter().map(|s| s.counters.processed).collect();
    let dropped: Vec<_> = part.iter().map(|s| s.counters.dropped).collect();
    let bytes: Vec<_> = part.iter().map(|s| s.counters.bytes).collect();
    let skipped: Vec<_> = part
        .iter()
        .map(|s| i32::try_from(s.skipped).unwrap_or(i32::MAX))
        .collect();
    let items: Vec<_> = part.iter().map(|s| &s.items).collect();
    tx.execute(
        sql!("metrics/insert"),
        &[
            &machine.tenant.id(),
            &machine.id,
            &keys,
            &kinds,
            &names,
            &collected,
            &windows,
            &active,
            &processed,
            &dropped,
            &bytes,
            &skipped,
            &items,
        ],
    )
    .await
}
