//! LAPI servers in the database.

use std::collections::HashMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio_postgres::Row;

use super::model::{Draft, Server, Standing, place};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::fleet::decision::{self, Source};
use crate::kernel::keyring::Keyring;
use crate::outbound::lapi::{Check, Lapis};

/// How often a free slot is looked for while others take the one that was found.
const TRIES: usize = 20;

fn server(row: &Row) -> Server {
    let at: Option<jiff::Timestamp> = row.get("checked_at");
    let version: Option<String> = row.get("check_version");
    Server {
        id: row.get("id"),
        name: row.get("name"),
        url: row.get("url"),
        bouncer_key: row.get("bouncer_key"),
        machine_id: row.get("machine_id"),
        machine_password: row.get("machine_password"),
        replicate_decisions: row.get("replicate_decisions"),
        source_machine_ids: row.get("source_machine_ids"),
        tags: row.get("tags"),
        version: row.get("version"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        checked: at.map(|at| {
            let check = Check {
                reachable: row.get::<_, Option<bool>>("check_reachable").unwrap_or(false),
                key: row.get("check_key"),
                login: row.get("check_login"),
                version: version.map(Into::into),
                error: row.get("check_error"),
            };
            (at, check)
        }),
    }
}

/// All servers of a tenant, by name.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Vec<Server>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("lapi/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(server).collect())
}

/// How replication stands with all servers, or one, by their numbers.
///
/// # Errors
/// As the statement fails.
pub async fn list_state(
    db: &Db,
    tenant: Tenant,
    server: Option<i64>,
) -> Result<HashMap<i64, Standing>, DbError> {
    // It counts all that the tenant wants: what people look at must not keep engines from storing.
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(sql!("lapi/list_state"), &[&tenant.id(), &server])
        .await?;
    tx.commit().await?;
    let standing = |row: &Row| Standing {
        wanted: row.get("wanted"),
        delivered: row.get("delivered"),
        present: row.get("present"),
        refused: row.get("refused"),
        compared_at: row.get("compared_at"),
        waiting: row.get("waiting"),
        waiting_since: row.get("waiting_since"),
        failures: row.get::<_, Option<i32>>("out_failures").unwrap_or_default(),
        busy: row.get::<_, Option<bool>>("out_busy").unwrap_or_default(),
        ok_at: row.get("out_ok"),
        error: row.get("out_error"),
        // Minus infinity is no time: it is tried whenever there is something.
        next_try_at: row.try_get("out_next").ok().flatten(),
        read_at: row.get("read_at"),
        read_ok_at: row.get("in_ok"),
        read_error: row.get("in_error"),
        skew_ms: row.get::<_, Option<i64>>("skew_ms").unwrap_or_default(),
    };
    Ok(rows.iter().map(|row| (row.get("id"), standing(row))).collect())
}

/// The server of this name.
///
/// # Errors
/// As the statement fails.
pub async fn get(db: &Db, tenant: Tenant, name: &str) -> Result<Option<Server>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("lapi/get"), &[&tenant.id(), &name]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(server))
}

/// The server of this number.
///
/// # Errors
/// As the statement fails.
pub async fn get_by_id(db: &Db, tenant: Tenant, id: i64) -> Result<Option<Server>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("lapi/get_by_id"), &[&tenant.id(), &id]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(server))
}

/// Why a server was not stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The tenant has one of this name.
    #[error("there is a LAPI server of this name already")]
    Taken,
    /// The tenant has as many as it may: so many.
    #[error("the tenant may have {0} LAPI servers")]
    Full(i32),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

fn seal(ring: &Keyring, column: &str, tenant: Tenant, draft: &Draft, secret: &SecretString) -> Vec<u8> {
    let place = place(column, tenant.id(), &draft.name, &draft.url);
    ring.seal(&place, secret.expose_secret().as_bytes())
}

/// Stores a new server that was checked, if the tenant has fewer than `most`.
///
/// # Errors
/// [`Refused`] says why not.
pub async fn insert(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    draft: &Draft,
    most: i32,
) -> Result<Server, Refused> {
    let key = draft
        .bouncer_key
        .as_ref()
        .map(|key| seal(ring, "bouncer_key", tenant, draft, key));
    let password = draft
        .machine_password
        .as_ref()
        .map(|password| seal(ring, "machine_password", tenant, draft, password));
    let mut connection = db.connection().await?;
    for _ in 0..TRIES {
        let tx = db.tenant(&mut connection, tenant).await?;
        let taken = tx
            .query_opt(sql!("lapi/get"), &[&tenant.id(), &draft.name])
            .await?;
        if taken.is_some() {
            return Err(Refused::Taken);
        }
        let row = tx
            .query_opt(
                sql!("lapi/insert"),
                &[
                    &tenant.id(),
                    &most,
                    &draft.name,
                    &draft.url,
                    &key,
                    &draft.machine_id,
                    &password,
                    &draft.replicate_decisions,
                    &draft.source_machine_ids,
                    &draft.tags,
                ],
            )
            .await;
        match row {
            Ok(Some(row)) => {
                let new = server(&row);
                tx.execute(sql!("lapi/insert_sync"), &[&tenant.id(), &new.id])
                    .await?;
                decision::enable(&tx).await?;
                record(&tx, "lapi.create", draft).await?;
                tx.commit().await?;
                return Ok(new);
            }
            Ok(None) => return Err(Refused::Full(most)),
            // Somebody took the slot, or the name, in the same instant.
            Err(DbError::Conflict(_)) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(Refused::Db(DbError::Contention(
        "no free slot was kept".to_owned(),
    )))
}

/// Replaces the version of a server that was read; none when it is not there any more, or changed meanwhile.
///
/// # Errors
/// As the statement fails.
pub async fn update(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    before: &Server,
    draft: &Draft,
) -> Result<Option<Server>, DbError> {
    let key = match &draft.bouncer_key {
        Some(key) => seal(ring, "bouncer_key", tenant, draft, key),
        None => before.bouncer_key.clone(),
    };
    let password = match (&draft.machine_id, &draft.machine_password) {
        (Some(_), Some(password)) => Some(seal(ring, "machine_password", tenant, draft, password)),
        (Some(_), None) => before.machine_password.clone(),
        (None, _) => None,
    };
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("lapi/update"),
            &[
                &tenant.id(),
                &before.id,
                &before.version,
                &draft.url,
                &key,
                &draft.machine_id,
                &password,
                &draft.replicate_decisions,
                &draft.source_machine_ids,
                &draft.tags,
            ],
        )
        .await?;
    if row.is_some() {
        let is_another = before.url != draft.url;
        tx.execute(
            sql!("lapi/update_changed"),
            &[&tenant.id(), &before.id, &is_another],
        )
        .await?;
        record(&tx, "lapi.replace", draft).await?;
    }
    tx.commit().await?;
    Ok(row.as_ref().map(server))
}

/// Deletes a server, and what it said from the set; false when it is not there. What is on it stays there.
///
/// # Errors
/// As the statement fails.
pub async fn delete(db: &Db, tenant: Tenant, name: &str) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let Some(row) = tx.query_opt(sql!("lapi/delete"), &[&tenant.id(), &name]).await? else {
        return Ok(false);
    };
    let id: i64 = row.get("id");
    tx.execute(sql!("lapi/delete_lanes"), &[&tenant.id(), &id])
        .await?;
    let unsaid = decision::delete_source(&tx, Source::Server(id)).await?;
    decision::announce(&tx, &unsaid, false).await?;
    tx.record("lapi.delete", name, json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

async fn record(tx: &TenantTx<'_>, action: &'static str, draft: &Draft) -> Result<(), DbError> {
    let details = json!({ "url": draft.url, "replicates": draft.replicate_decisions });
    tx.record(action, &draft.name, details).await
}

/// Tries a server and keeps what was found; no connection to the database is held meanwhile. The server as it was
/// when it changed or went in between; and whether it answered.
///
/// # Errors
/// As the statement fails, or the secrets do not open.
pub async fn check(
    db: &Db,
    ring: &Keyring,
    lapis: &Lapis,
    tenant: Tenant,
    before: Server,
) -> Result<(Server, bool), DbError> {
    let target = before
        .target(ring, tenant.id())
        .map_err(|e| DbError::Internal(format!("LAPI server {}: {e}", before.id)))?;
    let found = lapis.check(&target).await;
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("lapi/update_check"),
            &[
                &tenant.id(),
                &before.id,
                &before.version,
                &found.reachable,
                &found.key,
                &found.login,
                &found.version,
                &found.error,
            ],
        )
        .await?;
    tx.commit().await?;
    Ok((row.as_ref().map_or(before, server), found.reachable))
}
