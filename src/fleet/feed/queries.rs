//! Feeds, their tokens and what they hold, in the database.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::model::{Ask, Entry, FEED_LIMIT, Feed, Net, TOKEN_LIMIT};
use crate::db::{Db, DbError, Tenant, sql};
use crate::fleet::decision;
use crate::kernel::keyring::Keyring;

/// The kind of a feed's token in `credential`.
const CREDENTIAL: i16 = 5;
/// Most rows of the set that one list is made of: what is left of the memory is for engines.
pub const MOST_ROWS: usize = 300_000;

fn feed(row: &Row) -> Feed {
    Feed {
        id: row.get("id"),
        name: row.get("name"),
        description: row.get("description"),
        origins: row.get("origins"),
        types: row.get("types"),
        scenarios: row.get("scenarios"),
        family: row.get("family"),
        aggregate: row.get("aggregate"),
        max_entries: row.get("max_entries"),
        created_at: row.get("created_at"),
    }
}

/// A token as it is listed; its text is not kept.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct TokenRow {
    pub id: i64,
    pub feed: i64,
    pub last4: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// All feeds of a tenant by name, and all their tokens.
///
/// # Errors
/// As the statements fail.
pub async fn list(db: &Db, tenant: Tenant) -> Result<(Vec<Feed>, Vec<TokenRow>), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let feeds = tx.query(sql!("feed/list"), &[&tenant.id()]).await?;
    let tokens = tx.query(sql!("feed/list_tokens"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let token = |row: &Row| TokenRow {
        id: row.get("id"),
        feed: row.get("feed_id"),
        last4: row.get("last4"),
        created_at: row.get("created_at"),
        last_used_at: row.get("last_used_at"),
    };
    Ok((
        feeds.iter().map(feed).collect(),
        tokens.iter().map(token).collect(),
    ))
}

/// The feed of this name.
///
/// # Errors
/// As the statement fails.
pub async fn get(db: &Db, tenant: Tenant, name: &str) -> Result<Option<Feed>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("feed/get"), &[&tenant.id(), &name]).await?;
    tx.commit().await?;
    Ok(row.as_ref().map(feed))
}

/// Stores a feed that was checked; from then on the tenant's set is kept up. None when there are too many.
///
/// # Errors
/// As the statements fail: [`DbError::Conflict`] where the name is taken.
pub async fn insert(db: &Db, tenant: Tenant, draft: &Feed) -> Result<Option<Feed>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("feed/insert"),
            &[
                &tenant.id(),
                &FEED_LIMIT,
                &draft.name,
                &draft.description,
                &draft.origins,
                &draft.types,
                &draft.scenarios,
                &draft.family,
                &draft.aggregate,
                &draft.max_entries,
            ],
        )
        .await?;
    if row.is_some() {
        decision::enable(&tx).await?;
        tx.record("feed.create", &draft.name, json!({})).await?;
    }
    tx.commit().await?;
    Ok(row.as_ref().map(feed))
}

/// Deletes a feed with its tokens; false when it is not there.
///
/// # Errors
/// As the statements fail.
pub async fn delete(db: &Db, tenant: Tenant, name: &str) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let Some(row) = tx.query_opt(sql!("feed/get"), &[&tenant.id(), &name]).await? else {
        return Ok(false);
    };
    let id: i64 = row.get("id");
    let tokens = tx.query(sql!("feed/list_tokens"), &[&tenant.id()]).await?;
    let gone = tx.execute(sql!("feed/delete"), &[&tenant.id(), &id]).await?;
    for token in tokens.iter().filter(|row| row.get::<_, i64>("feed_id") == id) {
        let token: i64 = token.get("id");
        tx.platform(
            sql!("platform/delete_credentials"),
            &[&Some(tenant.id()), &CREDENTIAL, &token],
        )
        .await?;
    }
    if gone == 1 {
        tx.record("feed.delete", name, json!({})).await?;
    }
    tx.commit().await?;
    Ok(gone == 1)
}

/// Stores the hash of a new token; its number, or none when the feed has too many.
///
/// # Errors
/// As the statements fail.
pub async fn insert_token(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    feed: i64,
    text: &str,
) -> Result<Option<i64>, DbError> {
    let last4 = &text[text.len().saturating_sub(4)..];
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("feed/insert_token"),
            &[&tenant.id(), &feed, &TOKEN_LIMIT, &last4],
        )
        .await?;
    let Some(id) = row.map(|row| row.get::<_, i64>("id")) else {
        return Ok(None);
    };
    let never: Option<Timestamp> = None;
    tx.platform(
        sql!("platform/upsert_credential"),
        &[
            &ring.token_hash(text),
            &CREDENTIAL,
            &Some(tenant.id()),
            &id,
            &never,
        ],
    )
    .await?;
    let target = format!("feed {feed}, token {id}");
    tx.record("feed.token.create", &target, json!({ "last4": last4 }))
        .await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// Revokes a token: it opens nothing within seconds, on every replica. False when it is not there.
///
/// # Errors
/// As the statements fail.
pub async fn delete_token(db: &Db, tenant: Tenant, name: &str, id: i64) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let gone = tx
        .execute(sql!("feed/delete_token"), &[&tenant.id(), &name, &id])
        .await?;
    if gone == 1 {
        tx.platform(
            sql!("platform/delete_credentials"),
            &[&Some(tenant.id()), &CREDENTIAL, &id],
        )
        .await?;
        let target = format!("feed {name}, token {id}");
        tx.record("feed.token.delete", &target, json!({})).await?;
    }
    tx.commit().await?;
    Ok(gone == 1)
}

/// What a feed holds, before it is put in order.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Content {
    pub entries: Vec<Entry>,
    pub allowed: Vec<Net>,
    /// There are more rows than a list is made of.
    pub too_many: bool,
}

/// Reads what a feed holds for this way to ask.
///
/// # Errors
/// As the statements fail.
pub async fn content(db: &Db, tenant: Tenant, feed: &Feed, ask: &Ask) -> Result<Content, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX) + 1;
    let rows = tx
        .query(
            sql!("feed/list_entries"),
            &[
                &tenant.id(),
                &feed.origins,
                &ask.origins,
                &feed.types,
                &ask.types,
                &feed.scenarios,
                &ask.family,
                &most,
            ],
        )
        .await?;
    let allowed = tx.query(sql!("feed/list_allowed"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let net = |row: &Row| Net::between(row.get::<_, IpAddr>("lo"), row.get::<_, IpAddr>("hi"));
    let entry = |row: &Row| {
        Some(Entry {
            net: net(row)?,
            until: row.get("until"),
            since: row.get("since"),
            scenario: row.get("scenario"),
        })
    };
    Ok(Content {
        too_many: rows.len() > MOST_ROWS,
        entries: rows.iter().filter_map(entry).collect(),
        allowed: allowed.iter().filter_map(net).collect(),
    })
}

/// When the content became what it is, as far as anybody saw.
///
/// # Errors
/// As the statements fail.
pub async fn changed_at(
    db: &Db,
    tenant: Tenant,
    feed: i64,
    slot: i16,
    hash: &[u8],
) -> Result<Timestamp, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("feed/get_content"), &[&tenant.id(), &feed, &slot])
        .await?;
    if let Some(row) = row.filter(|row| row.get::<_, Vec<u8>>("hash") == hash) {
        tx.commit().await?;
        return Ok(row.get("changed_at"));
    }
    let row = tx
        .query_opt(sql!("feed/upsert_content"), &[&tenant.id(), &feed, &slot, &hash])
        .await?;
    tx.commit().await?;
    row.map(|row| row.get("changed_at"))
        .ok_or_else(|| DbError::Internal("an upsert returned no row".to_owned()))
}
