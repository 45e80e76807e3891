//! A tenant that comes in from a file: out of service until all of it is there.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::of_row;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};

/// What a tenant takes along beside its rows.
#[derive(Debug, Clone)]
pub struct Move {
    /// Whether its alerts may leave to CAPI.
    pub forwards: bool,
    /// Whether its set of decisions is kept up, and whether all is in it that was reported before.
    pub keeps_decisions: bool,
    /// See there.
    pub decisions_complete: bool,
    /// Keys the alerts' keys.
    pub dedupe_key: Vec<u8>,
}

/// What a tenant that is in service takes along.
///
/// # Errors
/// As the statement fails.
pub async fn get_move(db: &Db, tenant: Tenant) -> Result<Option<Move>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("tenant/get_move"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(row.map(|row| Move {
        forwards: row.get("forward_enabled"),
        keeps_decisions: row.get("keeps_decisions"),
        decisions_complete: row.get("decisions_complete"),
        dedupe_key: row.get("dedupe_key"),
    }))
}

/// Puts on record that a tenant is written to a file.
///
/// # Errors
/// As the statements fail.
pub async fn record_export(db: &Db, tenant: Tenant, details: Value) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.record("tenant.export", "", details).await?;
    tx.commit().await
}

/// Makes the tenant that an import fills, under the lease of `owner`. The first entry of its trail says what comes.
///
/// # Errors
/// As the statements fail.
pub async fn insert_import(
    db: &Db,
    owner: Uuid,
    name: &str,
    moved: &Move,
    details: Value,
) -> Result<Tenant, DbError> {
    let actor = db.hands().name.to_string();
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    // Under this name nobody finds it.
    let until_then = format!("importing {owner}");
    let row = tx
        .query_opt(
            sql!("tenant/insert_import"),
            &[
                &until_then,
                &moved.dedupe_key,
                &moved.forwards,
                &moved.keeps_decisions,
                &moved.decisions_complete,
                &actor,
                &owner,
            ],
        )
        .await?;
    let row = row.ok_or_else(|| DbError::Internal("no tenant was made".to_owned()))?;
    let tenant = of_row(row.get("id"));
    let tx = tx.into_tenant(tenant).await?;
    tx.record("tenant.import", name, details).await?;
    tx.commit().await?;
    Ok(tenant)
}

/// Whether the import is still ours, and for two minutes more.
///
/// # Errors
/// As the statement fails.
pub async fn renew_import(tx: &TenantTx<'_>, owner: Uuid) -> Result<bool, DbError> {
    let held = tx
        .platform(sql!("tenant/renew_import"), &[&tx.tenant().id(), &owner])
        .await?;
    Ok(!held.is_empty())
}

/// A tenant that is in service now.
#[derive(Debug)]
pub struct Imported {
    /// Its enrolment key, shown once.
    pub enrolment_key: String,
    /// Logins of its engines that others have: those engines stay where they are.
    pub elsewhere: Vec<String>,
}

/// Takes an imported tenant into service, with whatever `fill` adds, all in one transaction. None when it is not ours any
/// more; a conflict when its name was taken meanwhile.
///
/// # Errors
/// As the statements fail.
pub async fn update_imported(
    db: &Db,
    ring: &Keyring,
    (tenant, owner): (Tenant, Uuid),
    name: &str,
    fill: impl AsyncFnOnce(&TenantTx<'_>) -> Result<(), DbError>,
) -> Result<Option<Imported>, DbError> {
    let id = tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let ours = tx.query_opt(sql!("tenant/delete_import"), &[&id, &owner]).await?;
    if ours.is_none() {
        return Ok(None);
    }
    tx.execute(sql!("tenant/update_imported"), &[&id, &name]).await?;
    tx.execute(sql!("platform/insert_machine_logins"), &[&id]).await?;
    let gone = tx
        .query(sql!("platform/update_machines_elsewhere"), &[&id])
        .await?;
    let enrolment_key = secret::generate(Kind::EnrolmentKey);
    tx.execute(
        sql!("platform/upsert_credential"),
        &[
            &ring.token_hash(&enrolment_key),
            &3i16,
            &Some(id),
            &0i64,
            &None::<Timestamp>,
        ],
    )
    .await?;
    let tx = tx.into_tenant(tenant).await?;
    fill(&tx).await?;
    tx.commit().await?;
    Ok(Some(Imported {
        enrolment_key,
        elsewhere: gone.iter().map(|row| row.get("login")).collect(),
    }))
}

/// Gives an import up: what is there of it is erased as a deleted tenant is.
///
/// # Errors
/// As the statement fails.
pub async fn release_import(db: &Db, tenant: Tenant, owner: Uuid) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("tenant/release_import"), &[&tenant.id(), &owner])
        .await?;
    tx.commit().await
}
