//! Rules in the database.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{Expr, Mode, Rule, RuleFile, Ruleset, default_rules};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};

/// A rule as it is stored.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct StoredRule {
    pub id: i64,
    pub name: String,
    pub enabled: bool,
    pub description: Option<String>,
    pub expression: Value,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl StoredRule {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            name: row.get("name"),
            enabled: row.get("enabled"),
            description: row.get("description"),
            expression: row.get("expression"),
            version: row.get("version"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
        }
    }
}

/// What a rule says, before it is stored.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Draft {
    pub name: String,
    pub enabled: bool,
    pub description: Option<String>,
    pub expression: Value,
}

/// A tenant's rules and how they are read.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Set {
    pub mode: Mode,
    pub version: i64,
    pub rules: Vec<StoredRule>,
}

pub fn mode_code(mode: Mode) -> i16 {
    match mode {
        Mode::Block => 1,
        Mode::Allow => 2,
    }
}

fn mode_from(code: i16) -> Mode {
    if code == 2 { Mode::Allow } else { Mode::Block }
}

/// The enabled rules, compiled; none when the version is the one known already.
pub async fn load(db: &Db, tenant: Tenant, known: Option<i64>) -> Result<Option<Ruleset>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let Some(set) = tx.query_opt(sql!("filter/get_set"), &[&tenant.id()]).await? else {
        return Ok(Some(Ruleset::new(Mode::Block, 0, Vec::new())));
    };
    let version: i64 = set.get("version");
    if known == Some(version) {
        tx.commit().await?;
        return Ok(None);
    }
    let rows = tx.query(sql!("filter/list_enabled"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let mut rules = Vec::with_capacity(rows.len());
    for row in rows {
        let id: i64 = row.get("id");
        // Only what parses is ever stored, so this is damage or a newer release's rule. Judging without it would let
        // out what the tenant wanted kept.
        let expr = Expr::parse(&row.get::<_, Value>("expression")).map_err(|e| {
            DbError::Internal(format!("stored filter rule {id} of tenant {}: {e}", tenant.id()))
        })?;
        rules.push(Rule {
            id,
            name: row.get("name"),
            expr,
        });
    }
    Ok(Some(Ruleset::new(mode_from(set.get("mode")), version, rules)))
}

/// All rules of a tenant.
///
/// # Errors
/// As the statements fail.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Set, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let set = tx.query_opt(sql!("filter/get_set"), &[&tenant.id()]).await?;
    let rows = tx.query(sql!("filter/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let (mode, version) = set.map_or((Mode::Block, 0), |row| {
        (mode_from(row.get("mode")), row.get("version"))
    });
    Ok(Set {
        mode,
        version,
        rules: rows.iter().map(StoredRule::from_row).collect(),
    })
}

/// One rule.
pub async fn get(db: &Db, tenant: Tenant, id: i64) -> Result<Option<StoredRule>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("filter/get"), &[&tenant.id(), &id]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(StoredRule::from_row))
}

/// Takes the next version; the row lock makes changes of one tenant take turns.
async fn next_version(tx: &TenantTx<'_>, mode: Option<Mode>) -> Result<i64, DbError> {
    let tenant = tx.tenant().id();
    tx.execute(sql!("filter/insert_set"), &[&tenant, &1i16]).await?;
    let row = tx
        .query_opt(sql!("filter/update_set"), &[&tenant, &mode.map(mode_code)])
        .await?;
    Ok(row.map_or(1, |row| row.get("version")))
}

/// Most characters of all conditions of a tenant together.
pub const SIZE_LIMIT: i64 = 262_144;

/// Why a rule was not stored.
pub enum Refused {
    /// The tenant has as many as it may: so many.
    Many(i64),
    /// All of them together are longer than they may be.
    Long,
    Db(DbError),
}

impl From<DbError> for Refused {
    fn from(e: DbError) -> Self {
        Self::Db(e)
    }
}

/// Every signal is judged by all rules, so all of them together have a limit.
async fn check_size(tx: &TenantTx<'_>) -> Result<(), Refused> {
    let count = tx.query_opt(sql!("filter/count"), &[&tx.tenant().id()]).await?;
    let fits = count.is_some_and(|row| row.get::<_, i64>("size") <= SIZE_LIMIT);
    if fits { Ok(()) } else { Err(Refused::Long) }
}

/// Stores a new rule, if the tenant has fewer than `most`.
pub async fn insert(db: &Db, tenant: Tenant, draft: &Draft, most: i64) -> Result<StoredRule, Refused> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let version = next_version(&tx, None).await?;
    let count = tx.query_opt(sql!("filter/count"), &[&tenant.id()]).await?;
    if count.is_some_and(|row| row.get::<_, i64>("rules") >= most) {
        return Err(Refused::Many(most));
    }
    let rule = insert_draft(&tx, draft, version).await?;
    check_size(&tx).await?;
    record(&tx, "filter.create", rule.id, draft).await?;
    tx.commit().await?;
    Ok(rule)
}

async fn insert_draft(tx: &TenantTx<'_>, draft: &Draft, version: i64) -> Result<StoredRule, DbError> {
    let row = tx
        .query_opt(
            sql!("filter/insert"),
            &[
                &tx.tenant().id(),
                &draft.name,
                &draft.enabled,
                &draft.description,
                &draft.expression,
                &version,
            ],
        )
        .await?;
    let row = row.ok_or_else(|| DbError::Internal("an insert returned no row".to_owned()))?;
    Ok(StoredRule::from_row(&row))
}

/// Replaces a rule; none when it is not there.
pub async fn update(db: &Db, tenant: Tenant, id: i64, draft: &Draft) -> Result<Option<StoredRule>, Refused> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let version = next_version(&tx, None).await?;
    let row = tx
        .query_opt(
            sql!("filter/update"),
            &[
                &tenant.id(),
                &id,
                &draft.name,
                &draft.enabled,
                &draft.description,
                &draft.expression,
                &version,
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    check_size(&tx).await?;
    record(&tx, "filter.replace", id, draft).await?;
    tx.commit().await?;
    Ok(Some(StoredRule::from_row(&row)))
}

/// Deletes a rule; false when it is not there.
pub async fn delete(db: &Db, tenant: Tenant, id: i64) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    next_version(&tx, None).await?;
    if tx.execute(sql!("filter/delete"), &[&tenant.id(), &id]).await? == 0 {
        return Ok(false);
    }
    tx.record("filter.delete", &id.to_string(), json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

async fn record(tx: &TenantTx<'_>, action: &'static str, id: i64, draft: &Draft) -> Result<(), DbError> {
    let details = json!({ "name": draft.name, "enabled": draft.enabled });
    tx.record(action, &id.to_string(), details).await
}

/// Sets how the rules are read.
pub async fn update_mode(db: &Db, tenant: Tenant, mode: Mode) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    next_version(&tx, Some(mode)).await?;
    tx.record("filter.mode", "", json!({ "mode": mode.as_str() }))
        .await?;
    tx.commit().await
}

/// Gives a new tenant its set and the rules that come with Garrison, inside the transaction that makes the tenant.
///
/// # Errors
/// As the statements fail.
pub async fn insert_defaults(tx: &TenantTx<'_>) -> Result<(), DbError> {
    insert_all(tx, Mode::Block, default_rules()).await
}

/// The same with rules of its own, which were checked.
///
/// # Errors
/// As the statements fail.
pub async fn insert_all(tx: &TenantTx<'_>, mode: Mode, rules: Vec<RuleFile>) -> Result<(), DbError> {
    tx.execute(sql!("filter/insert_set"), &[&tx.tenant().id(), &mode_code(mode)])
        .await?;
    for rule in rules {
        insert_draft(tx, &draft_of(rule), 1).await?;
    }
    Ok(())
}

fn draft_of(rule: RuleFile) -> Draft {
    Draft {
        name: rule.name,
        enabled: rule.enabled,
        description: rule.description,
        expression: rule.filter,
    }
}

/// What an import does.
#[derive(Debug)]
pub struct Import {
    /// Rules to store; one of the same name is replaced.
    pub rules: Vec<RuleFile>,
    /// How rules are read from now on; as before when none.
    pub mode: Option<Mode>,
}

/// Stores imported rules in one transaction; rules of the same name are replaced. Returns how many were new.
///
/// # Errors
/// As the statements fail.
pub async fn import(db: &Db, tenant: Tenant, import: &Import) -> Result<usize, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let new = import_into(&tx, import).await?;
    let details = json!({ "rules": import.rules.len(), "new": new });
    tx.record("filter.import", "", details).await?;
    tx.commit().await?;
    Ok(new)
}

/// As [`import`], in the caller's transaction.
///
/// # Errors
/// As the statements fail.
pub async fn import_into(tx: &TenantTx<'_>, import: &Import) -> Result<usize, DbError> {
    let tenant = tx.tenant();
    let version = next_version(tx, import.mode).await?;
    let rows = tx.query(sql!("filter/list"), &[&tenant.id()]).await?;
    let mut known: Vec<StoredRule> = rows.iter().map(StoredRule::from_row).collect();
    let mut new = 0;
    for rule in import.rules.iter().cloned() {
        let draft = draft_of(rule);
        match known.iter().position(|k| k.name == draft.name) {
            Some(at) => {
                let id = known.swap_remove(at).id;
                tx.execute(
                    sql!("filter/update"),
                    &[
                        &tenant.id(),
                        &id,
                        &draft.name,
                        &draft.enabled,
                        &draft.description,
                        &draft.expression,
                        &version,
                    ],
                )
                .await?;
            }
            None => {
                insert_draft(tx, &draft, version).await?;
                new += 1;
            }
        }
    }
    Ok(new)
}

/// A stored batch and where its alerts stand in it.
pub struct StoredBatch {
    pub id: Uuid,
    /// zstd.
    pub body: Vec<u8>,
    /// Alert id, offset, length, and whether it was filtered.
    pub alerts: Vec<(i64, i32, i32, bool)>,
}

/// Batches of the last days below `before`, newest first.
pub async fn list_batches(
    db: &Db,
    tenant: Tenant,
    before: Uuid,
    days: i32,
    limit: i64,
) -> Result<Vec<StoredBatch>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(
            sql!("filter/list_batches"),
            &[&tenant.id(), &before, &days, &limit],
        )
        .await?;
    tx.commit().await?;
    let batch = |row: &Row| {
        let ids: Vec<i64> = row.get("ids");
        let places = row
            .get::<_, Vec<i32>>("offsets")
            .into_iter()
            .zip(row.get::<_, Vec<i32>>("lengths"));
        let verdicts: Vec<bool> = row.get("verdicts");
        let alerts = ids
            .into_iter()
            .zip(places)
            .zip(verdicts)
            .map(|((id, (at, len)), filtered)| (id, at, len, filtered));
        StoredBatch {
            id: row.get("id"),
            body: row.get("body"),
            alerts: alerts.collect(),
        }
    };
    Ok(rows.iter().map(batch).collect())
}
