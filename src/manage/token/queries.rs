//! Tokens in the database.

use cidr::IpCidr;
use jiff::Timestamp;
use serde_json::json;

use super::model::Draft;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::http::{Permissions, Scope};
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};

/// A token as it is listed; the text itself is not kept.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct TokenRow {
    pub id: i64,
    pub name: String,
    pub last4: String,
    /// Names of permissions and of the two seed scopes.
    pub scopes: Vec<String>,
    pub networks: Vec<IpCidr>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// The token that this one is in place of.
    pub rotated_from: Option<i64>,
}

impl TokenRow {
    fn from_row(row: &tokio_postgres::Row) -> Self {
        let scope = Scope::from_code(row.get("scope"));
        let scopes: Option<Vec<String>> = row.get("scopes");
        Self {
            id: row.get("id"),
            name: row.get("name"),
            last4: row.get("last4"),
            scopes: scopes.unwrap_or_else(|| vec![scope.name().to_owned()]),
            networks: row.get("networks"),
            created_by: row.get("created_by"),
            created_at: row.get("created_at"),
            expires_at: row.get("expires_at"),
            last_used_at: row.get("last_used_at"),
            revoked_at: row.get("revoked_at"),
            rotated_from: row.get("rotated_from"),
        }
    }

    /// What it opens.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        let names = self.scopes.iter().map(String::as_str);
        names
            .filter_map(|name| Permissions::from_scopes([name]).ok())
            .fold(Permissions::NONE, Permissions::and)
    }

    /// Whether it opens anything.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

/// A token just made; the text is shown once.
#[derive(Debug)]
pub struct Made {
    /// Its number.
    pub id: i64,
    /// Its text.
    pub text: String,
}

/// Makes a token: of this text, where one was announced elsewhere.
///
/// # Errors
/// As the statements fail.
pub async fn insert(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    draft: &Draft,
    created_by: &str,
    text: Option<String>,
) -> Result<Made, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let text = text.unwrap_or_else(|| secret::generate(Kind::ApiToken));
    let made = add(&tx, ring, draft, created_by, None, text).await?;
    tx.commit().await?;
    Ok(made)
}

async fn add(
    tx: &TenantTx<'_>,
    ring: &Keyring,
    draft: &Draft,
    created_by: &str,
    rotated_from: Option<i64>,
    text: String,
) -> Result<Made, DbError> {
    let tenant = tx.tenant().id();
    let hash = ring.token_hash(&text);
    let last4 = &text[text.len().saturating_sub(4)..];
    let created_by: String = created_by.chars().take(200).collect();
    let row = tx
        .query_opt(
            sql!("token/insert"),
            &[
                &tenant,
                &draft.name,
                &hash,
                &last4,
                &draft.scope().code(),
                &draft.expires_at,
                &draft.scopes,
                &draft.networks,
                &created_by,
                &rotated_from,
            ],
        )
        .await?;
    let id: i64 = row
        .ok_or_else(|| DbError::Internal("an insert returned no row".to_owned()))?
        .get("id");
    let kind = if draft.is_plain() { 1i16 } else { 6 };
    tx.platform(
        sql!("platform/upsert_credential"),
        &[&hash, &kind, &Some(tenant), &id, &draft.expires_at],
    )
    .await?;
    let (action, from) = match rotated_from {
        Some(old) => ("token.rotate", Some(old)),
        None => ("token.create", None),
    };
    let details = json!({ "name": draft.name, "scopes": draft.permissions().names().collect::<Vec<_>>(), "last4": last4, "from": from });
    tx.record(action, &id.to_string(), details).await?;
    Ok(Made { id, text })
}

/// Makes a token in place of another, which is good for some seconds more; none when there is none to end.
///
/// # Errors
/// As the statements fail.
pub async fn rotate(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    old: i64,
    draft: &Draft,
    created_by: &str,
    overlap: f64,
) -> Result<Option<Made>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let ended = tx
        .execute(sql!("token/update_expiry"), &[&tenant.id(), &old, &overlap])
        .await?;
    if ended == 0 {
        return Ok(None);
    }
    let text = secret::generate(Kind::ApiToken);
    let made = add(&tx, ring, draft, created_by, Some(old), text).await?;
    tx.commit().await?;
    Ok(Some(made))
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
    Ok(rows.iter().map(TokenRow::from_row).collect())
}

/// One token.
///
/// # Errors
/// As the statement fails.
pub async fn get(db: &Db, tenant: Tenant, id: i64) -> Result<Option<TokenRow>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("token/get"), &[&tenant.id(), &id]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(TokenRow::from_row))
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
        sql!("platform/delete_token_credentials"),
        &[&Some(tenant.id()), &id],
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
