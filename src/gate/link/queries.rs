//! The set and the allowlists as a machine is to have them, and what it was given.

use jiff::Timestamp;

use super::model::feed::{Entry, Spared, Wanted};
use crate::app::App;
use crate::db::{DbError, TenantTx, sql};
use crate::http::Machine;

/// An allowlist, without what is in it.
pub struct Allowlist {
    pub id: i64,
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An allowlist that a machine was told of.
pub struct Told {
    pub id: i64,
    pub name: String,
    /// When last, while it was there.
    pub at: Timestamp,
}

/// The tenant's set for this machine; what an allowlist covers is still in it.
pub async fn list_decisions(tx: &TenantTx<'_>, machine: i64) -> Result<Vec<Wanted>, DbError> {
    let rows = tx
        .query(sql!("link/list_decisions"), &[&tx.tenant().id(), &machine])
        .await?;
    let wanted =
        |row: &tokio_postgres::Row| Wanted::read(row.get("value"), row.get("type"), row.get("until"));
    Ok(rows.iter().filter_map(wanted).collect())
}

/// What the tenant's allowlists cover.
pub async fn list_allowed(tx: &TenantTx<'_>) -> Result<Spared, DbError> {
    let rows = tx.query(sql!("link/list_allowed"), &[&tx.tenant().id()]).await?;
    Ok(Spared::new(rows.iter().map(|row| row.get::<_, &str>("value"))))
}

/// The tenant's allowlists.
pub async fn list_allowlists(tx: &TenantTx<'_>) -> Result<Vec<Allowlist>, DbError> {
    let rows = tx
        .query(sql!("link/list_allowlists"), &[&tx.tenant().id()])
        .await?;
    let list = |row: &tokio_postgres::Row| Allowlist {
        id: row.get("id"),
        name: row.get("name"),
        description: row.get("description"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    };
    Ok(rows.iter().map(list).collect())
}

/// What is in an allowlist; nothing when it is gone.
pub async fn list_entries(tx: &TenantTx<'_>, id: i64) -> Result<Vec<Entry>, DbError> {
    let rows = tx
        .query(sql!("link/list_entries"), &[&tx.tenant().id(), &id])
        .await?;
    let entry = |row: &tokio_postgres::Row| Entry {
        value: row.get("value"),
        reason: row.get("reason"),
        expires_at: row.get("expires_at"),
    };
    Ok(rows.iter().map(entry).collect())
}

/// The allowlists that a machine was told of.
pub async fn list_told(tx: &TenantTx<'_>, machine: i64) -> Result<Vec<Told>, DbError> {
    let rows = tx
        .query(sql!("link/list_told"), &[&tx.tenant().id(), &machine])
        .await?;
    let told = |row: &tokio_postgres::Row| {
        Some(Told {
            id: row.get::<_, &str>("list").parse().ok()?,
            name: row.get("name"),
            at: row.get("told_at"),
        })
    };
    Ok(rows.iter().filter_map(told).collect())
}

/// Remembers which allowlists a machine is told of.
pub async fn upsert_told(tx: &TenantTx<'_>, machine: i64, lists: &[Allowlist]) -> Result<(), DbError> {
    let ids: Vec<String> = lists.iter().map(|list| list.id.to_string()).collect();
    let names: Vec<&str> = lists.iter().map(|list| list.name.as_str()).collect();
    tx.execute(
        sql!("link/upsert_told"),
        &[&tx.tenant().id(), &machine, &ids, &names],
    )
    .await?;
    Ok(())
}

/// Forgets lists that are long gone.
pub async fn delete_told(tx: &TenantTx<'_>, machine: i64) -> Result<(), DbError> {
    tx.execute(sql!("link/delete_told"), &[&tx.tenant().id(), &machine])
        .await?;
    Ok(())
}

/// Remembers what a list holds as it is fetched; since when it has held that.
pub async fn upsert_digest(
    tx: &TenantTx<'_>,
    machine: i64,
    kind: i16,
    list: &str,
    digest: &[u8],
) -> Result<Timestamp, DbError> {
    let row = tx
        .query_opt(
            sql!("link/upsert_digest"),
            &[&tx.tenant().id(), &machine, &kind, &list, &digest],
        )
        .await?
        .ok_or_else(|| DbError::Internal("an upsert returned no row".to_owned()))?;
    Ok(row.get("changed_at"))
}

/// Remembers the decisions that a machine is given.
pub async fn upsert_given(tx: &TenantTx<'_>, machine: i64, given: &[Wanted]) -> Result<(), DbError> {
    if given.is_empty() {
        return Ok(());
    }
    tx.execute(
        sql!("link/upsert_given"),
        &[
            &tx.tenant().id(),
            &machine,
            &given.iter().map(Wanted::value).collect::<Vec<_>>(),
            &given.iter().map(|w| w.kind.as_str()).collect::<Vec<_>>(),
            &given.iter().map(|w| w.until).collect::<Vec<_>>(),
        ],
    )
    .await?;
    Ok(())
}

/// Value and type of what a machine was given and is no longer to have.
pub async fn update_gone(
    tx: &TenantTx<'_>,
    machine: i64,
    given: &[Wanted],
) -> Result<Vec<(String, String)>, DbError> {
    let rows = tx
        .query(
            sql!("link/update_gone"),
            &[
                &tx.tenant().id(),
                &machine,
                &given.iter().map(Wanted::value).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("value"), row.get("type")))
        .collect())
}

/// Forgets what has ended.
pub async fn delete_given(tx: &TenantTx<'_>, machine: i64) -> Result<(), DbError> {
    tx.execute(sql!("link/delete_given"), &[&tx.tenant().id(), &machine])
        .await?;
    Ok(())
}

/// Whether a machine asked for everything and got our part only.
pub async fn get_startup_owed(app: &App, machine: &Machine) -> Result<bool, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    let row = tx
        .query_opt(
            sql!("link/get_startup_owed"),
            &[&machine.tenant.id(), &machine.id],
        )
        .await?;
    tx.commit().await?;
    Ok(row.is_some_and(|row| row.get("startup_owed")))
}

/// Remembers it, or forgets it.
pub async fn update_startup_owed(app: &App, machine: &Machine, owed: bool) -> Result<(), DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    tx.execute(
        sql!("link/update_startup_owed"),
        &[&machine.tenant.id(), &machine.id, &owed],
    )
    .await?;
    tx.commit().await
}
