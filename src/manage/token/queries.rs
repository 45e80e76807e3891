//! Tokens in the database.

use jiff::Timestamp;
use serde_json::json;

use crate::db::{Db, DbError, Tenant, sql};
use crate::http::Scope;
use crate::kernel::keyring::Keyring;
use crate::kernel::secret;

/// A token as it is listed; the text itself is not kept.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct TokenRow {
    pub id: i64,
    pub name: String,
    pub last4: String,
    pub scope: Scope,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its text, which is shown once.
    pub text: &'a str,
    /// What people know it by.
    pub name: &'a str,
    /// What it may do.
    pub scope: Scope,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// Stores a token's hash and what it opens; returns its number.
///
/// # Errors
/// As the statements fail.
pub async fn insert(db: &Db, ring: &Keyring, tenant: Tenant, token: &NewToken<'_>) -> Result<i64, DbError> {
    debug_assert!(secret::is_well_formed(secret::Kind::ApiToken, token.text));
    let hash = ring.token_hash(token.text);
    let last4 = &token.text[token.text.len().saturating_sub(4)..];
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("token/insert"),
            &[
                &tenant.id(),
                &token.name,
                &hash,
                &last4,
                &token.scope.code(),
                &token.expires_at,
            ],
        )
        .await?;
    let id: i64 = row
        .ok_or_else(|| DbError::Internal("an insert returned no row".to_owned()))?
        .get("id");
    tx.platform(
        sql!("platform/upsert_credential"),
        &[&hash, &1i16, &Some(tenant.id()), &id, &token.expires_at],
    )
    .await?;
    let details = json!({ "name": token.name, "admin": token.scope == Scope::Admin, "last4": last4 });
    tx.record("token.create", &id.to_string(), details).await?;
    tx.commit().await?;
    Ok(id)
}

/// How many tokens a tenant ever had.
///
/// # Errors
/// As the statement fails.
pub async fn count(db: &Db, tenant: Tenant) -> Result<i64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("token/count"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(row.map_or(0, |row| row.get("tokens")))
}

/// All tokens of a tenant, revoked ones too.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Vec<TokenRow>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("token/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let token = |row: &tokio_postgres::Row| TokenRow {
        id: row.get("id"),
        name: row.get("name"),
        last4: row.get("last4"),
        scope: Scope::from_code(row.get("scope")),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
        last_used_at: row.get("last_used_at"),
        revoked_at: row.get("revoked_at"),
    };
    Ok(rows.iter().map(token).collect())
}

/// Revokes a token: it opens nothing within seconds, on every replica. False when there is none to revoke.
///
/// # Errors
/// As the statements fail.
pub async fn revoke(db: &Db, tenant: Tenant, id: i64) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let revoked = tx
        .execute(sql!("token/update_revoked"), &[&tenant.id(), &id])
        .await?;
    tx.platform(
        sql!("platform/delete_credentials"),
        &[&Some(tenant.id()), &1i16, &id],
    )
    .await?;
    if revoked == 1 {
        tx.record("token.revoke", &id.to_string(), json!({})).await?;
    }
    tx.commit().await?;
    Ok(revoked == 1)
}

/// The tenant a live token belongs to, for the command line.
///
/// # Errors
/// As the statement fails.
pub async fn tenant_of(db: &Db, id: i64) -> Result<Option<Tenant>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("platform/get_token_tenant"), &[&id]).await?;
    tx.commit().await?;
    Ok(row.map(|row| Tenant::proven(row.get("tenant_id"))))
}
