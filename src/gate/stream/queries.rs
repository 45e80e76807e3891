//! The kept answers.

use crate::app::App;
use crate::db::{DbError, sql};
use crate::http::Machine;

/// An answer of CAPI's, as it was.
pub struct Kept {
    pub content_type: String,
    /// zstd.
    pub body: Vec<u8>,
    /// Seconds since it was fetched.
    pub age: i64,
}

/// Keeps an answer in place of the one before.
pub async fn upsert(
    app: &App,
    machine: &Machine,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(), DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    tx.execute(
        sql!("stream/upsert"),
        &[&machine.tenant.id(), &machine.id, &target, &content_type, &body],
    )
    .await?;
    tx.commit().await
}

/// The last good answer to this question.
pub async fn get(app: &App, machine: &Machine, target: &str) -> Result<Option<Kept>, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    let row = tx
        .query_opt(sql!("stream/get"), &[&machine.tenant.id(), &machine.id, &target])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| Kept {
        content_type: row.get("content_type"),
        body: row.get("body"),
        age: row.get("age"),
    }))
}
