//! Analyzers, their runs and what they acted upon, in the database.

mod run;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio_postgres::Row;

pub use run::{Turn, finish, list_last, list_marks, list_runs};

use super::model::{ANALYZER_LIMIT, Analyzer, Checked, Rule, Token, place};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::fleet::decision;
use crate::kernel::keyring::Keyring;

fn analyzer(row: &Row) -> Result<Analyzer, DbError> {
    let (slug, url): (String, String) = (row.get("slug"), row.get("url"));
    let broken = |e: &dyn std::fmt::Display| DbError::Internal(format!("analyzer {slug}: {e}"));
    let rule: Value = row.get("rule");
    let rule: Rule = serde_json::from_value(rule).map_err(|e| broken(&e))?;
    Ok(Analyzer {
        id: row.get("id"),
        rule,
        url,
        token: row.get("token"),
        enabled: row.get("enabled"),
        counts_from: row.get("counts_from"),
        version: row.get("version"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        next_at: row.get("next_at"),
        slug,
    })
}

/// All analyzers of a tenant, by id.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Vec<Analyzer>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("analyzer/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    rows.iter().map(analyzer).collect()
}

/// The analyzer of this id.
///
/// # Errors
/// As the statement fails.
pub async fn get(db: &Db, tenant: Tenant, slug: &str) -> Result<Option<Analyzer>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("analyzer/get"), &[&tenant.id(), &slug]).await?;
    tx.commit().await?;
    row.as_ref().map(analyzer).transpose()
}

/// The analyzer of this number.
///
/// # Errors
/// As the statement fails.
pub async fn get_by_id(db: &Db, tenant: Tenant, id: i64) -> Result<Option<Analyzer>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("analyzer/get_by_id"), &[&tenant.id(), &id])
        .await?;
    tx.commit().await?;
    row.as_ref().map(analyzer).transpose()
}

/// Why an analyzer was not stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The tenant has one of this id.
    #[error("there is an analyzer of this id already")]
    Taken,
    /// The tenant has as many as it may.
    #[error("a tenant may have {ANALYZER_LIMIT} analyzers")]
    Full,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

fn seal(ring: &Keyring, tenant: Tenant, checked: &Checked, before: Option<&Analyzer>) -> Option<Vec<u8>> {
    let rule = &checked.rule;
    match &checked.token {
        Token::None => None,
        Token::Kept => before.and_then(|before| before.token.clone()),
        Token::New(text) => {
            let place = place(tenant.id(), &rule.id, &rule.source.url);
            Some(ring.seal(&place, text.expose_secret().as_bytes()))
        }
    }
}

fn document(rule: &Rule) -> Result<Value, DbError> {
    serde_json::to_value(rule).map_err(|e| DbError::Internal(e.to_string()))
}

/// Stores a rule that was checked; it is due at once.
///
/// # Errors
/// [`Refused`] says why not.
pub async fn insert(db: &Db, ring: &Keyring, tenant: Tenant, checked: &Checked) -> Result<(), Refused> {
    let rule = &checked.rule;
    let sealed = seal(ring, tenant, checked, None);
    let document = document(rule)?;
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let stored = tx
        .query_opt(
            sql!("analyzer/insert"),
            &[
                &tenant.id(),
                &ANALYZER_LIMIT,
                &rule.id,
                &document,
                &rule.source.url,
                &sealed,
                &rule.enabled,
            ],
        )
        .await;
    let row = match stored {
        Ok(Some(row)) => row,
        Ok(None) => return Err(Refused::Full),
        Err(DbError::Conflict(_)) => return Err(Refused::Taken),
        Err(e) => return Err(e.into()),
    };
    upsert_lane(&tx, row.get("id"), rule.enabled).await?;
    decision::enable(&tx).await?;
    record(&tx, "analyzer.create", rule).await?;
    Ok(tx.commit().await?)
}

/// Replaces the version that was read; false when it is not there any more, or changed meanwhile.
///
/// # Errors
/// As the statements fail.
pub async fn update(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    before: &Analyzer,
    checked: &Checked,
) -> Result<bool, DbError> {
    let rule = &checked.rule;
    let sealed = seal(ring, tenant, checked, Some(before));
    let document = document(rule)?;
    let lookback = f64::from(i32::try_from(before.rule.lookback()).unwrap_or(i32::MAX));
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let changed = tx
        .execute(
            sql!("analyzer/update"),
            &[
                &tenant.id(),
                &before.id,
                &before.version,
                &document,
                &rule.source.url,
                &sealed,
                &rule.enabled,
                &lookback,
            ],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    upsert_lane(&tx, before.id, rule.enabled).await?;
    record(&tx, "analyzer.replace", rule).await?;
    tx.commit().await?;
    Ok(true)
}

async fn record(tx: &TenantTx<'_>, action: &'static str, rule: &Rule) -> Result<(), DbError> {
    let details = json!({ "enabled": rule.enabled, "url": rule.source.url });
    tx.record(action, &rule.id, details).await
}

async fn upsert_lane(tx: &TenantTx<'_>, id: i64, enabled: bool) -> Result<(), DbError> {
    tx.execute(sql!("analyzer/upsert_lane"), &[&tx.tenant().id(), &id, &enabled])
        .await?;
    Ok(())
}

/// Deletes an analyzer with its runs; false when it is not there. What it decided holds until it ends.
///
/// # Errors
/// As the statements fail.
pub async fn delete(db: &Db, tenant: Tenant, slug: &str) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("analyzer/delete"), &[&tenant.id(), &slug])
        .await?;
    let Some(row) = row else { return Ok(false) };
    let id: i64 = row.get("id");
    tx.execute(sql!("analyzer/delete_lane"), &[&tenant.id(), &id])
        .await?;
    tx.record("analyzer.delete", slug, json!({})).await?;
    tx.commit().await?;
    Ok(true)
}
