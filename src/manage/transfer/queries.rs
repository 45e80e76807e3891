//! A tenant's rows, out of the database and into it.

use super::model::Part;
use super::model::file::Again;
use crate::db::{DbError, TenantTx, sql};

/// Rows that are read together: few where each may be large.
fn portion(table: &str) -> u16 {
    if table == "signal_batch" { 10 } else { 500 }
}

/// Hands over all rows of a table, each as JSON.
///
/// # Errors
/// As the statement fails, and as `take` does.
pub async fn list<E: From<DbError>>(
    tx: &TenantTx<'_>,
    table: &str,
    mut take: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let statement = match table {
        "retention" => sql!("transfer/list_retention"),
        "filter_set" => sql!("transfer/list_filter_set"),
        "filter_rule" => sql!("transfer/list_filter_rule"),
        "machine" => sql!("transfer/list_machine"),
        "allowlist" => sql!("transfer/list_allowlist"),
        "allowlist_entry" => sql!("transfer/list_allowlist_entry"),
        "lapi_server" => sql!("transfer/list_lapi_server"),
        "analyzer" => sql!("transfer/list_analyzer"),
        "analyzer_run" => sql!("transfer/list_analyzer_run"),
        "analyzer_mark" => sql!("transfer/list_analyzer_mark"),
        "feed" => sql!("transfer/list_feed"),
        "signal_batch" => sql!("transfer/list_signal_batch"),
        "rejected_signal" => sql!("transfer/list_rejected_signal"),
        "alert" => sql!("transfer/list_alert"),
        "alert_decision" => sql!("transfer/list_alert_decision"),
        "decision" => sql!("transfer/list_decision"),
        "outbox" => sql!("transfer/list_outbox"),
        "link_given" => sql!("transfer/list_link_given"),
        "usage_component" => sql!("transfer/list_usage_component"),
        "usage_metric" => sql!("transfer/list_usage_metric"),
        "stat_usage" => sql!("transfer/list_stat_usage"),
        "stat_usage_machine" => sql!("transfer/list_stat_usage_machine"),
        "audit" => sql!("transfer/list_audit"),
        other => return Err(unknown(other).into()),
    };
    let take = |row: &tokio_postgres::Row| take(row.get("row"));
    tx.each(statement, &[&tx.tenant().id()], portion(table), take)
        .await
}

fn unknown(table: &str) -> DbError {
    DbError::Internal(format!("no statement for the table {table}"))
}

fn inserting(table: &str) -> Result<&'static str, DbError> {
    Ok(match table {
        "retention" => sql!("transfer/insert_retention"),
        "filter_set" => sql!("transfer/insert_filter_set"),
        "filter_rule" => sql!("transfer/insert_filter_rule"),
        "machine" => sql!("transfer/insert_machine"),
        "allowlist" => sql!("transfer/insert_allowlist"),
        "allowlist_entry" => sql!("transfer/insert_allowlist_entry"),
        "lapi_server" => sql!("transfer/insert_lapi_server"),
        "analyzer" => sql!("transfer/insert_analyzer"),
        "analyzer_run" => sql!("transfer/insert_analyzer_run"),
        "analyzer_mark" => sql!("transfer/insert_analyzer_mark"),
        "feed" => sql!("transfer/insert_feed"),
        "signal_batch" => sql!("transfer/insert_signal_batch"),
        "rejected_signal" => sql!("transfer/insert_rejected_signal"),
        "alert" => sql!("transfer/insert_alert"),
        "alert_decision" => sql!("transfer/insert_alert_decision"),
        "decision" => sql!("transfer/insert_decision"),
        "outbox" => sql!("transfer/insert_outbox"),
        "link_given" => sql!("transfer/insert_link_given"),
        "usage_component" => sql!("transfer/insert_usage_component"),
        "usage_metric" => sql!("transfer/insert_usage_metric"),
        "stat_usage" => sql!("transfer/insert_stat_usage"),
        "stat_usage_machine" => sql!("transfer/insert_stat_usage_machine"),
        other => return Err(unknown(other)),
    })
}

/// Adds rows, a JSON array of them; how many there are now.
///
/// # Errors
/// As the statement fails.
pub async fn insert(tx: &TenantTx<'_>, part: &Part, rows: &str) -> Result<u64, DbError> {
    let (statement, tenant) = (inserting(part.table)?, tx.tenant().id());
    if !matches!(part.table, "alert" | "alert_decision") {
        return tx.execute(statement, &[&tenant, &rows]).await;
    }
    let row = tx.query_opt(statement, &[&tenant, &rows]).await?;
    let n: i64 = row.map_or(0, |row| row.get("n"));
    Ok(u64::try_from(n).unwrap_or_default())
}

/// Adds a row that others name, and says its number.
///
/// # Errors
/// As the statement fails.
pub async fn insert_numbered(tx: &TenantTx<'_>, part: &Part, row: &str) -> Result<i64, DbError> {
    let statement = inserting(part.table)?;
    let made = tx.query_opt(statement, &[&tx.tenant().id(), &row]).await?;
    made.map(|row| row.get("id"))
        .ok_or_else(|| DbError::Internal(format!("no row was added to {}", part.table)))
}

/// What has to be made again elsewhere.
///
/// # Errors
/// As the statement fails.
pub async fn list_again(tx: &TenantTx<'_>) -> Result<Vec<Again>, DbError> {
    let rows = tx
        .query(sql!("transfer/list_again"), &[&tx.tenant().id()])
        .await?;
    let again = |row: &tokio_postgres::Row| Again {
        what: row.get("what"),
        name: row.get("name"),
    };
    Ok(rows.iter().map(again).collect())
}

/// Adds what works for a tenant from now on.
///
/// # Errors
/// As the statement fails.
pub async fn insert_lanes(tx: &TenantTx<'_>, keeps_decisions: bool) -> Result<(), DbError> {
    tx.execute(
        sql!("transfer/insert_lanes"),
        &[&tx.tenant().id(), &keeps_decisions],
    )
    .await
    .map(drop)
}
