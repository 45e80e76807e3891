//! Usage metrics in the database.

use tokio_postgres::Row;

use super::model::{Known, MetricsView, Question, Servers, kind};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::kernel::page::Position;

/// Bytes of details that one page holds: the page after goes on with the rest.
const DETAILS: i64 = 16 << 20;

async fn list_servers(tx: &TenantTx<'_>) -> Result<Servers, DbError> {
    let rows = tx
        .query(sql!("metrics/list_servers"), &[&tx.tenant().id()])
        .await?;
    Ok(Servers(
        rows.iter().map(|row| (row.get("id"), row.get("name"))).collect(),
    ))
}

fn view(row: &Row, servers: &Servers) -> Option<MetricsView> {
    let at: jiff::Timestamp = row.get("collected_at");
    Some(MetricsView {
        id: row.get("id"),
        lapi_server_name: servers.name(row.get("machine_id")),
        component_kind: kind(row.get("kind")),
        bouncer_name: row.get("name"),
        bouncer_type: row.get("type"),
        os_name: row.get("os_name"),
        os_version: row.get("os_version"),
        version: row.get("version"),
        active_decisions: row.get("active_decisions"),
        processed_items: row.get("processed_items"),
        dropped_items: row.get("dropped_items"),
        bytes_processed: row.get("processed_bytes"),
        collected_at: at.as_millisecond(),
        metrics_json: row.get::<_, Option<String>>("items")?,
    })
}

/// A page, and its last row where another follows.
///
/// # Errors
/// As the statements fail.
pub async fn list(
    db: &Db,
    tenant: Tenant,
    question: &Question,
) -> Result<(Vec<MetricsView>, Option<Position>), DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let servers = list_servers(&tx).await?;
    let machines = question.server.as_deref().map(|name| servers.machines(name));
    if machines.as_ref().is_some_and(Vec::is_empty) {
        return Ok((Vec::new(), None));
    }
    let after = question
        .after
        .and_then(|p| Some((jiff::Timestamp::from_microsecond(p.at).ok()?, p.id)));
    let rows = tx
        .query(
            sql!("metrics/list"),
            &[
                &tenant.id(),
                &machines,
                &question.name,
                &question.since,
                &question.until,
                &after.map(|(at, _)| at),
                &after.map(|(_, id)| id),
                &(question.limit + 1),
                &DETAILS,
            ],
        )
        .await?;
    tx.commit().await?;
    let most = usize::try_from(question.limit).unwrap_or(usize::MAX);
    let shown: Vec<_> = rows
        .iter()
        .take(most)
        .map_while(|row| view(row, &servers))
        .collect();
    let last = (shown.len() < rows.len())
        .then(|| shown.len().checked_sub(1))
        .flatten()
        .and_then(|last| rows.get(last));
    let position = last.map(|row| Position {
        at: row.get::<_, jiff::Timestamp>("collected_at").as_microsecond(),
        id: row.get("id"),
    });
    Ok((shown, position))
}

/// What can be asked for: every component that is known.
///
/// # Errors
/// As the statements fail.
pub async fn list_names(db: &Db, tenant: Tenant) -> Result<(Servers, Vec<Known>), DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let servers = list_servers(&tx).await?;
    let rows = tx.query(sql!("metrics/list_names"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let known = |row: &Row| Known {
        machine: row.get("machine_id"),
        kind: row.get("kind"),
        name: row.get("name"),
        sort: row.get("type"),
    };
    Ok((servers, rows.iter().map(known).collect()))
}
