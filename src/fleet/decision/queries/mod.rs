//! Who acted, the rows that remember it, and the desired set.

mod coverage;
mod set;

pub use coverage::{list_copies, list_places};
pub use set::{
    Claim, Said, Source, announce, around, claim, claim_shared, delete_said, delete_source, delete_unsaid,
    lift, list_by_address, update_told, upsert,
};

use uuid::Uuid;

use super::model::{Act, Audit, Record, Subject};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::fleet::decision::model::{Fact, HAND_ORIGIN};
use crate::kernel::geo::Place;

/// Remembers what was done, among the alerts, together with the deed, and where that is.
pub async fn insert_audit(tx: &TenantTx<'_>, audit: &Audit<'_>, place: Option<Place>) -> Result<(), DbError> {
    insert(tx, &audit.record(), &place.unwrap_or_default()).await?;
    let action = match audit.kind {
        Act::Ban { .. } => "decision.ban",
        Act::Unban { .. } => "decision.unban",
    };
    tx.record(action, &audit.subject.value(), audit.details()).await
}

/// The same, of whatever was done.
///
/// # Errors
/// As the statement fails.
pub async fn insert_record(tx: &TenantTx<'_>, record: &Record<'_>) -> Result<(), DbError> {
    insert(tx, record, &Place::default()).await
}

async fn insert(tx: &TenantTx<'_>, record: &Record<'_>, place: &Place) -> Result<(), DbError> {
    let value = record.subject.map(Subject::value);
    let host = record.subject.is_some_and(|subject| subject.0.is_host());
    let (ip, range) = if host {
        (value.as_ref(), None)
    } else {
        (None, value.as_ref())
    };
    tx.execute(
        sql!("decision/insert_audit"),
        &[
            &tx.tenant().id(),
            // Its time leads, as in every alert's key.
            &Uuid::now_v7(),
            &record.subject.map(|subject| subject.0.lo()),
            &record.subject.map(|subject| subject.0.hi()),
            &record.scenario,
            &env!("CARGO_PKG_VERSION"),
            &record.message,
            &record.subject.map(|subject| subject.scope().to_lowercase()),
            &value,
            &ip,
            &range,
            &record.actor,
            &record.raw,
            &place.as_number.map(|n| n.to_string()),
            &place.as_name,
            &place.country_code,
            &place.country_name,
            &place.city,
            &place.region,
            &place.latitude,
            &place.longitude,
            &place.timezone,
            &place.isp,
            &place.org,
        ],
    )
    .await?;
    Ok(())
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
            &hand.reason,
            &hand.servers,
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
    tx.execute(sql!("decision/insert_lane"), &[&tenant]).await?;
    Ok(())
}

/// How far a server is with a ban.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Delivered {
    pub server: i64,
    pub name: String,
    pub writable: bool,
    pub is_there: bool,
    /// Why it will not have it.
    pub refused: Option<String>,
    /// What went wrong last with that server.
    pub error: Option<String>,
}

/// How far all servers are with a ban that ends then.
pub async fn list_delivered(
    db: &Db,
    tenant: Tenant,
    key: Uuid,
    until: jiff::Timestamp,
) -> Result<Vec<Delivered>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(sql!("decision/list_delivered"), &[&tenant.id(), &key, &until])
        .await?;
    tx.commit().await?;
    let delivered = |row: &tokio_postgres::Row| Delivered {
        server: row.get("id"),
        name: row.get("name"),
        writable: row.get("writable"),
        is_there: row.get("delivered"),
        refused: row.get("refused"),
        error: row.get("error"),
    };
    Ok(rows.iter().map(delivered).collect())
}

/// A server on which something still stands.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Standing {
    pub name: String,
    pub writable: bool,
    /// What went wrong last with that server.
    pub error: Option<String>,
}

/// The servers on which something of these keys still stands.
pub async fn list_lifting(db: &Db, tenant: Tenant, keys: &[Uuid]) -> Result<Vec<Standing>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(sql!("decision/list_lifting"), &[&tenant.id(), &keys])
        .await?;
    tx.commit().await?;
    let standing = |row: &tokio_postgres::Row| Standing {
        name: row.get("name"),
        writable: row.get("writable"),
        error: row.get("error"),
    };
    Ok(rows.iter().map(standing).collect())
}

/// An answer that is kept for a key.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Kept {
    pub request: Vec<u8>,
    /// None while the first request is worked on.
    pub answer: Option<(u16, String)>,
}

/// Takes a key for a request; false when it is taken.
pub async fn claim_answer(db: &Db, tenant: Tenant, key: &str, request: &[u8]) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("decision/claim_answer"), &[&tenant.id(), &key, &request])
        .await?;
    tx.commit().await?;
    Ok(row.is_some())
}

/// What is kept for a key.
pub async fn get_answer(db: &Db, tenant: Tenant, key: &str) -> Result<Option<Kept>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("decision/get_answer"), &[&tenant.id(), &key])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| {
        let status: Option<i16> = row.get("status");
        let body: Option<String> = row.get("body");
        Kept {
            request: row.get("request"),
            answer: status.and_then(|s| u16::try_from(s).ok()).zip(body),
        }
    }))
}

/// Keeps an answer.
pub async fn update_answer(
    db: &Db,
    tenant: Tenant,
    key: &str,
    status: u16,
    body: &str,
) -> Result<(), DbError> {
    let status = i16::try_from(status).unwrap_or(500);
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.execute(
        sql!("decision/update_answer"),
        &[&tenant.id(), &key, &status, &body],
    )
    .await?;
    tx.commit().await
}

/// Frees a key whose request failed.
pub async fn delete_answer(db: &Db, tenant: Tenant, key: &str) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.execute(sql!("decision/delete_answer"), &[&tenant.id(), &key])
        .await?;
    tx.commit().await
}
