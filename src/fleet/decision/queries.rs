//! Who acted, and the rows that remember it.

use uuid::Uuid;

use super::model::Audit;
use crate::db::{Db, DbError, Tenant, sql};

/// The name of a token and its number: who acts.
pub async fn get_actor(db: &Db, tenant: Tenant, token: i64) -> Result<String, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("decision/get_actor"), &[&tenant.id(), &token])
        .await?;
    tx.commit().await?;
    let name: String = row.map(|row| row.get("name")).unwrap_or_default();
    Ok(if name.is_empty() {
        format!("token {token}")
    } else {
        format!("{name} (token {token})")
    })
}

/// Remembers what was done, among the alerts.
pub async fn insert_audit(db: &Db, tenant: Tenant, audit: &Audit<'_>) -> Result<(), DbError> {
    let block = audit.subject.0;
    let value = audit.subject.value();
    let (ip, range) = if block.is_host() {
        (Some(&value), None)
    } else {
        (None, Some(&value))
    };
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.execute(
        sql!("decision/insert_audit"),
        &[
            &tenant.id(),
            // Its time leads, as in every alert's key.
            &Uuid::now_v7(),
            &block.lo(),
            &block.hi(),
            &audit.scenario(),
            &env!("CARGO_PKG_VERSION"),
            &audit.reason,
            &audit.subject.scope().to_lowercase(),
            &value,
            &ip,
            &range,
            &audit.actor,
            &audit.raw(),
        ],
    )
    .await?;
    tx.commit().await
}
