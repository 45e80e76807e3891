//! Who acted, the rows that remember it, and the desired set.

mod coverage;
mod set;

pub use coverage::{list_copies, list_places};
pub use set::{
    Claim, Said, Source, announce, around, delete_said, delete_unsaid, lift, list_by_address, upsert,
};

use uuid::Uuid;

use super::model::Audit;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::fleet::decision::model::{Fact, HAND_ORIGIN};

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

/// A ban by hand, in the set.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Hand<'a> {
    pub fact: &'a Fact,
    pub scenario: &'a str,
    pub until: jiff::Timestamp,
    /// Where; none is everywhere.
    pub servers: Option<Vec<i64>>,
    pub reason: &'a str,
    pub actor: &'a str,
}

/// Puts a ban by hand into the set; the caller announces it to all.
///
/// # Errors
/// As the statement fails.
pub async fn insert_hand(tx: &TenantTx<'_>, hand: &Hand<'_>) -> Result<(), DbError> {
    let (lo, hi) = hand.fact.bounds();
    tx.execute(
        sql!("decision/insert_hand"),
        &[
            &tx.tenant().id(),
            &hand.fact.key(),
            &HAND_ORIGIN,
            &hand.fact.scope,
            &hand.fact.value,
            &hand.fact.kind,
            &hand.scenario,
            &lo,
            &hi,
            &hand.until,
            &hand.servers,
            &hand.reason,
            &hand.actor,
        ],
    )
    .await?;
    Ok(())
}

/// From now on the tenant's set is kept up. Doing it again does nothing.
///
/// # Errors
/// As the statements fail.
pub async fn enable(tx: &TenantTx<'_>) -> Result<(), DbError> {
    let tenant = tx.tenant().id();
    tx.platform(sql!("tenant/update_keeps_decisions"), &[&tenant])
        .await?;
    tx.execute(sql!("decision/enable"), &[&tenant]).await?;
    Ok(())
}
