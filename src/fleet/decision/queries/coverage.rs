//! What should be where, and what is.

use uuid::Uuid;

use crate::db::{DbError, TenantTx, sql};
use crate::fleet::decision::model::{Copy, Place};

/// The tenant's servers, by name.
///
/// # Errors
/// As the statement fails.
pub async fn list_places(tx: &TenantTx<'_>) -> Result<Vec<Place>, DbError> {
    let rows = tx
        .query(sql!("decision/list_places"), &[&tx.tenant().id()])
        .await?;
    let place = |row: &tokio_postgres::Row| Place {
        id: row.get("id"),
        name: row.get("name"),
        can_write: row.get("can_write"),
        replicates: row.get("replicate_decisions"),
        engine: row.get("engine"),
        compared_at: row.get("compared_at"),
        read_at: row.get("read_at"),
    };
    Ok(rows.iter().map(place).collect())
}

/// What was put on the servers under these keys.
///
/// # Errors
/// As the statement fails.
pub async fn list_copies(tx: &TenantTx<'_>, keys: &[Uuid]) -> Result<Vec<Copy>, DbError> {
    let rows = tx
        .query(sql!("decision/list_copies"), &[&tx.tenant().id(), &keys])
        .await?;
    let copy = |row: &tokio_postgres::Row| Copy {
        server: row.get("server_id"),
        key: row.get("key"),
        value: row.get("value"),
        kind: row.get("type"),
        until: row.get("until"),
        refused: row.get::<_, i16>("state") == 2,
        error: row.get("error"),
        placed_at: row.get("placed_at"),
        checked_at: row.get("checked_at"),
    };
    Ok(rows.iter().map(copy).collect())
}
