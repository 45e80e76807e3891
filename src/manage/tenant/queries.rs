//! Tenants in the database.

mod import;

pub use import::{
    Imported, Move, get_move, insert_import, record_export, release_import, renew_import, update_imported,
};

use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::json;
use uuid::Uuid;

use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::http::limits::OwnLimits;
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};

/// The tenant of a number that a row gave just now.
fn of_row(id: i32) -> Tenant {
    Tenant::proven(id)
}

/// A tenant just made; the key is shown once.
#[derive(Debug)]
pub struct NewTenant {
    /// Its number.
    pub id: i32,
    /// What `cscli console enroll` takes to bring a machine in.
    pub enrolment_key: String,
}

/// A tenant as it is listed.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct TenantRow {
    pub id: i32,
    pub name: String,
    pub forward_enabled: bool,
    pub created_at: Timestamp,
    pub suspended_at: Option<Timestamp>,
    /// Once it was deleted.
    pub erasure: Option<Erasing>,
}

/// How far the erasure of a deleted tenant is.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Erasing {
    pub asked_at: Timestamp,
    pub done_at: Option<Timestamp>,
    pub rows: i64,
}

impl TenantRow {
    fn from_row(row: &tokio_postgres::Row) -> Self {
        Self {
            id: row.get("id"),
            name: row.get("name"),
            forward_enabled: row.get("forward_enabled"),
            created_at: row.get("created_at"),
            suspended_at: row.get("suspended_at"),
            erasure: row.get::<_, Option<_>>("asked_at").map(|asked_at| Erasing {
                asked_at,
                done_at: row.get("done_at"),
                rows: row.get::<_, Option<i64>>("gone").unwrap_or_default(),
            }),
        }
    }
}

/// Makes a tenant, its enrolment key and whatever `fill` adds, all in one transaction; none when the name is taken.
///
/// # Errors
/// As the statements fail.
pub async fn insert(
    db: &Db,
    ring: &Keyring,
    name: &str,
    forward_enabled: bool,
    fill: impl AsyncFnOnce(&TenantTx<'_>) -> Result<(), DbError>,
) -> Result<Option<NewTenant>, DbError> {
    let mut dedupe_key = vec![0u8; 32];
    rand::rng().fill(&mut dedupe_key[..]);
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("tenant/insert"), &[&name, &dedupe_key, &forward_enabled])
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id: i32 = row.get("id");
    let enrolment_key = secret::generate(Kind::EnrolmentKey);
    let hash = ring.token_hash(&enrolment_key);
    tx.execute(
        sql!("platform/upsert_credential"),
        &[&hash, &3i16, &Some(id), &0i64, &None::<Timestamp>],
    )
    .await?;
    let tx = tx.into_tenant(of_row(id)).await?;
    fill(&tx).await?;
    tx.record("tenant.create", name, json!({ "forwards": forward_enabled }))
        .await?;
    tx.commit().await?;
    Ok(Some(NewTenant { id, enrolment_key }))
}

/// All tenants.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db) -> Result<Vec<TenantRow>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("tenant/list"), &[]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(TenantRow::from_row).collect())
}

/// The tenant of this number, also one that was deleted.
///
/// # Errors
/// As the statement fails.
pub async fn get(db: &Db, id: i32) -> Result<Option<TenantRow>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("tenant/get_by_id"), &[&id]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(TenantRow::from_row))
}

/// What changes of a tenant.
#[derive(Debug, Default)]
pub struct Change<'a> {
    /// Another name.
    pub name: Option<&'a str>,
    /// Whether its alerts may leave to CAPI.
    pub forward_enabled: Option<bool>,
    /// Whether its people and programs are shut out. Its engines are served all along.
    pub suspended: Option<bool>,
}

/// Changes a tenant; a conflict when the name is taken.
///
/// # Errors
/// As the statements fail; then nothing is changed.
pub async fn update(db: &Db, tenant: i32, change: &Change<'_>) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let mut done = serde_json::Map::new();
    if let Some(name) = change.name {
        tx.execute(sql!("tenant/update_name"), &[&tenant, &name]).await?;
        done.insert("name".to_owned(), name.into());
    }
    if let Some(on) = change.forward_enabled {
        tx.execute(sql!("tenant/update_forward"), &[&tenant, &on]).await?;
        done.insert("forwards".to_owned(), on.into());
    }
    if let Some(on) = change.suspended {
        tx.execute(sql!("tenant/update_suspended"), &[&tenant, &on])
            .await?;
        done.insert("suspended".to_owned(), on.into());
    }
    let tx = tx.into_tenant(of_row(tenant)).await?;
    if !done.is_empty() {
        tx.record("tenant.change", "", done.into()).await?;
    }
    tx.commit().await
}

/// The limits that a tenant has of its own.
///
/// # Errors
/// As the statement fails.
pub async fn get_limits(db: &Db, tenant: Tenant) -> Result<OwnLimits, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("platform/get_limits"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(OwnLimits::from_row).unwrap_or_default())
}

/// Gives a tenant limits of its own, which were checked; those that it had are gone.
///
/// # Errors
/// As the statements fail.
pub async fn update_limits(db: &Db, tenant: Tenant, own: &OwnLimits) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(
        sql!("tenant/upsert_limits"),
        &[
            &tenant.id(),
            &own.token_requests,
            &own.tenant_requests,
            &own.tenant_items,
            &own.tenant_bytes,
            &own.machine_items,
            &own.machine_bytes,
            &own.pushes,
            &own.reads,
            &own.heavy,
            &own.changes,
            &own.streams,
            &own.rules,
            &own.lapi_servers,
        ],
    )
    .await?;
    let tx = tx.into_tenant(tenant).await?;
    tx.record("tenant.limits", "", json!(own)).await?;
    tx.commit().await
}

/// The tenant of this name.
///
/// # Errors
/// As the statement fails.
pub async fn find(db: &Db, name: &str) -> Result<Option<Tenant>, DbError> {
    Ok(look_up(db, sql!("tenant/get"), name).await?.map(|found| found.0))
}

/// The same, or the last of this name that was removed; and whether it was.
///
/// # Errors
/// As the statement fails.
pub async fn find_any(db: &Db, name: &str) -> Result<Option<(Tenant, bool)>, DbError> {
    let found = look_up(db, sql!("tenant/get_any"), name).await?;
    Ok(found.map(|(tenant, row)| (tenant, row.get("removed"))))
}

async fn look_up(db: &Db, sql: &str, name: &str) -> Result<Option<(Tenant, tokio_postgres::Row)>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql, &[&name]).await?;
    tx.commit().await?;
    Ok(row.map(|row| (of_row(row.get("id")), row)))
}

/// Forgets who a removed tenant was. Its number stays, and is never used again.
///
/// # Errors
/// As the statement fails.
pub async fn forget(db: &Db, tenant: Tenant) -> Result<(), DbError> {
    let mut dedupe_key = vec![0u8; 32];
    rand::rng().fill(&mut dedupe_key[..]);
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("tenant/update_erased"), &[&tenant.id(), &dedupe_key])
        .await?;
    tx.commit().await
}

/// Makes a new enrolment key in place of the one before.
///
/// # Errors
/// As the statements fail.
pub async fn renew_key(db: &Db, ring: &Keyring, tenant: Tenant) -> Result<String, DbError> {
    let key = secret::generate(Kind::EnrolmentKey);
    let hash = ring.token_hash(&key);
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(
        sql!("platform/delete_credentials"),
        &[&Some(tenant.id()), &3i16, &0i64],
    )
    .await?;
    tx.execute(
        sql!("platform/upsert_credential"),
        &[&hash, &3i16, &Some(tenant.id()), &0i64, &None::<Timestamp>],
    )
    .await?;
    let tx = tx.into_tenant(tenant).await?;
    tx.record("tenant.key", "", json!({})).await?;
    tx.commit().await?;
    Ok(key)
}

/// Takes a tenant out of service: its credentials open nothing any more. Its rows stay.
///
/// # Errors
/// As the statements fail.
pub async fn remove(db: &Db, tenant: Tenant) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("tenant/update_removed"), &[&tenant.id()]).await?;
    tx.execute(sql!("platform/delete_tenant_credentials"), &[&tenant.id()])
        .await?;
    let tx = tx.into_tenant(tenant).await?;
    tx.record("tenant.remove", "", json!({})).await?;
    tx.commit().await
}

/// Takes a tenant out of service, and leaves its rows to whoever erases next.
///
/// # Errors
/// As the statements fail.
pub async fn delete(db: &Db, tenant: Tenant, actor: &str) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("tenant/update_removed"), &[&tenant.id()]).await?;
    tx.execute(sql!("platform/delete_tenant_credentials"), &[&tenant.id()])
        .await?;
    tx.execute(sql!("tenant/insert_erasure"), &[&tenant.id(), &actor])
        .await?;
    let tx = tx.into_tenant(tenant).await?;
    tx.record("tenant.delete", "", json!({})).await?;
    tx.commit().await
}

/// Deleted tenants that nobody erases.
///
/// # Errors
/// As the statement fails.
pub async fn list_erasing(db: &Db) -> Result<Vec<Tenant>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("tenant/list_erasing"), &[]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| of_row(row.get("tenant_id"))).collect())
}

/// Takes an erasure and says who asked for it; none when somebody else has it.
///
/// # Errors
/// As the statement fails.
pub async fn claim_erasure(db: &Db, tenant: Tenant, owner: Uuid) -> Result<Option<String>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("tenant/claim_erasure"), &[&tenant.id(), &owner])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| row.get("actor")))
}

/// Notes that rows went; false when somebody else has it by now.
///
/// # Errors
/// As the statement fails.
pub async fn update_erasure(
    db: &Db,
    tenant: Tenant,
    owner: Uuid,
    gone: u64,
    done: bool,
) -> Result<bool, DbError> {
    let gone = i64::try_from(gone).unwrap_or(i64::MAX);
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let held = tx
        .execute(
            sql!("tenant/update_erasure"),
            &[&tenant.id(), &owner, &gone, &done],
        )
        .await?;
    tx.commit().await?;
    Ok(held > 0)
}
