//! Allowlists in the database.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{
    Added, Covering, ENTRY_LIMIT, Entry, LIFTS_TOLD, LIST_LIMIT, Lift, List, NewEntry, NewList, from, probes,
    remember, remember_gone,
};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::fleet::decision::{self, Record, Source, Subject};
use crate::kernel::net::Block;

/// The scenario under which changes are listed.
const SCENARIO: &str = "garrison/allowlist";
/// Entries of one statement.
const PORTION: usize = 5000;

fn read_list(row: &Row) -> List {
    List {
        id: row.get("id"),
        name: row.get("name"),
        description: row.get("description"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        entries: row.get("entries"),
    }
}

/// All lists of a tenant, by name.
///
/// # Errors
/// As the statement fails.
pub async fn list(db: &Db, tenant: Tenant) -> Result<Vec<List>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("allowlist/list"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(read_list).collect())
}

/// The list of this name.
///
/// # Errors
/// As the statement fails.
pub async fn get(tx: &TenantTx<'_>, name: &str) -> Result<Option<List>, DbError> {
    let row = tx
        .query_opt(sql!("allowlist/get"), &[&tx.tenant().id(), &name])
        .await?;
    Ok(row.as_ref().map(read_list))
}

/// The list of this name, and its entries after the one of this number; none when there is no such list.
///
/// # Errors
/// As the statements fail.
pub async fn list_entries(
    db: &Db,
    tenant: Tenant,
    name: &str,
    after: i64,
    limit: i64,
) -> Result<Option<(List, Vec<Entry>)>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let Some(list) = get(&tx, name).await? else {
        return Ok(None);
    };
    let rows = tx
        .query(
            sql!("allowlist/list_entries"),
            &[&tenant.id(), &list.id, &after, &limit],
        )
        .await?;
    tx.commit().await?;
    let entry = |row: &Row| Entry {
        id: row.get("id"),
        value: row.get("value"),
        reason: row.get("reason"),
        actor: row.get("actor"),
        expires_at: row.get("expires_at"),
        created_at: row.get("created_at"),
    };
    Ok(Some((list, rows.iter().map(entry).collect())))
}

/// Why a list was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The tenant has one of this name.
    #[error("there is an allowlist of this name already")]
    Taken,
    /// The tenant has no list of this name.
    #[error("Allowlist not found")]
    Absent,
    /// The tenant has as many lists as it may.
    #[error("a tenant may have {LIST_LIMIT} allowlists")]
    ManyLists,
    /// The tenant would have more entries than it may.
    #[error("a tenant may have {ENTRY_LIMIT} entries in all its allowlists")]
    ManyEntries,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How many lists the tenant has, and how many entries that have not expired.
async fn count(tx: &TenantTx<'_>) -> Result<(i64, i64), DbError> {
    let row = tx
        .query_opt(sql!("allowlist/count"), &[&tx.tenant().id()])
        .await?;
    Ok(row
        .map(|row| (row.get("lists"), row.get("entries")))
        .unwrap_or_default())
}

/// Makes a list. From the first one on, the tenant's set is kept up.
///
/// # Errors
/// [`Refused`] says why not.
pub async fn insert(db: &Db, tenant: Tenant, name: &str, description: &str) -> Result<List, Refused> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    // One at a time, for the limit.
    decision::claim(&tx).await?;
    if get(&tx, name).await?.is_some() {
        return Err(Refused::Taken);
    }
    if count(&tx).await?.0 >= LIST_LIMIT {
        return Err(Refused::ManyLists);
    }
    let rows = tx
        .query(sql!("allowlist/insert"), &[&tenant.id(), &name, &description])
        .await?;
    let made = rows.first().map(read_list).ok_or(Refused::Taken)?;
    decision::enable(&tx).await?;
    tx.record("allowlist.create", name, json!({})).await?;
    tx.commit().await?;
    Ok(made)
}

/// Gives a new tenant its lists, inside the transaction that makes the tenant: nothing stands yet that they could lift.
///
/// # Errors
/// As the statements fail.
pub async fn insert_all(tx: &TenantTx<'_>, lists: &[NewList], actor: &str) -> Result<(), DbError> {
    let tenant = tx.tenant().id();
    for list in lists {
        let row = tx
            .query_opt(
                sql!("allowlist/insert"),
                &[&tenant, &list.name, &list.description],
            )
            .await?;
        let made = row.as_ref().map(read_list);
        let made = made.ok_or_else(|| DbError::Internal("an insert returned no row".to_owned()))?;
        for portion in list.entries.chunks(PORTION) {
            upsert_entries(tx, made.id, portion, actor).await?;
        }
    }
    if !lists.is_empty() {
        decision::enable(tx).await?;
    }
    Ok(())
}

/// Deletes a list and its entries; false when it is not there. What they lifted stays lifted.
///
/// # Errors
/// As the statements fail.
pub async fn delete(db: &Db, tenant: Tenant, name: &str, actor: &str) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    // Nobody is adding to it.
    decision::claim(&tx).await?;
    let gone = tx
        .execute(sql!("allowlist/delete"), &[&tenant.id(), &name])
        .await?;
    if gone == 0 {
        return Ok(false);
    }
    record_gone(&tx, name, None, actor).await?;
    tx.record("allowlist.delete", name, json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes one entry out; false when it is not there, or has expired. What it lifted stays lifted.
///
/// # Errors
/// As the statements fail.
pub async fn delete_entry(
    db: &Db,
    tenant: Tenant,
    name: &str,
    block: Block,
    actor: &str,
) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    // Nobody is deleting the list.
    decision::claim_shared(&tx).await?;
    let row = tx
        .query_opt(
            sql!("allowlist/delete_entry"),
            &[&tenant.id(), &name, &Subject(block).value()],
        )
        .await?;
    let Some(list) = row.map(|row| row.get::<_, i64>("allowlist_id")) else {
        return Ok(false);
    };
    touch(&tx, list).await?;
    record_gone(&tx, name, Some(block), actor).await?;
    let details = json!({ "value": Subject(block).value() });
    tx.record("allowlist.remove", name, details).await?;
    tx.commit().await?;
    Ok(true)
}

async fn record_gone(
    tx: &TenantTx<'_>,
    list: &str,
    block: Option<Block>,
    actor: &str,
) -> Result<(), DbError> {
    let (message, raw) = remember_gone(list, block, actor);
    let record = Record {
        scenario: SCENARIO,
        message: &message,
        subject: block.map(Subject),
        actor,
        raw: raw.to_string(),
    };
    decision::insert_record(tx, &record).await
}

async fn touch(tx: &TenantTx<'_>, list: i64) -> Result<(), DbError> {
    tx.execute(sql!("allowlist/touch"), &[&tx.tenant().id(), &list])
        .await?;
    Ok(())
}

/// Adds entries to a list and lifts what they overlap, at once or not at all; with `preview` it only says what that
/// would do.
///
/// # Errors
/// [`Refused`] says why not.
pub async fn add(
    db: &Db,
    tenant: Tenant,
    name: &str,
    entries: &[NewEntry],
    actor: &str,
    preview: bool,
) -> Result<Added, Refused> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    // Whoever takes decisions up has either committed them, so that they are lifted below, or begins after this is
    // committed, and sees the entries.
    if preview {
        decision::claim_shared(&tx).await?;
    } else {
        decision::claim(&tx).await?;
    }
    let list = get(&tx, name).await?.ok_or(Refused::Absent)?;
    tx.execute(sql!("allowlist/delete_expired"), &[&tenant.id()])
        .await?;
    let added = upsert_entries(&tx, list.id, entries, actor).await?;
    if count(&tx).await?.1 > ENTRY_LIMIT {
        return Err(Refused::ManyEntries);
    }
    let (keys, lift_count, lifts) = list_lifts(&tx, entries).await?;
    let done = Added {
        list,
        added,
        replaced: entries.len() - added,
        lifts,
        lift_count,
    };
    if preview {
        // Dropped, it is rolled back: what was found out is what would happen.
        return Ok(done);
    }
    touch(&tx, done.list.id).await?;
    decision::lift(&tx, &keys).await?;
    decision::announce(&tx, &keys, true).await?;
    let (message, raw, subject) = remember(&done, entries, actor);
    let record = Record {
        scenario: SCENARIO,
        message: &message,
        subject,
        actor,
        raw: raw.to_string(),
    };
    decision::insert_record(&tx, &record).await?;
    let values: Vec<_> = entries.iter().take(20).map(|e| e.subject.value()).collect();
    let details = json!({ "added": done.added, "replaced": done.replaced, "lifted": done.lift_count, "values": values });
    tx.record("allowlist.add", name, details).await?;
    tx.commit().await?;
    Ok(done)
}

/// Stores entries; how many are new.
async fn upsert_entries(
    tx: &TenantTx<'_>,
    list: i64,
    entries: &[NewEntry],
    actor: &str,
) -> Result<usize, DbError> {
    let rows = tx
        .query(
            sql!("allowlist/upsert_entries"),
            &[
                &tx.tenant().id(),
                &list,
                &entries.iter().map(|e| e.subject.value()).collect::<Vec<_>>(),
                &entries.iter().map(|e| e.subject.0.lo()).collect::<Vec<_>>(),
                &entries.iter().map(|e| e.subject.0.hi()).collect::<Vec<_>>(),
                &entries.iter().map(|e| e.reason.as_str()).collect::<Vec<_>>(),
                &entries
                    .iter()
                    .map(|e| e.expires_at)
                    .collect::<Vec<Option<Timestamp>>>(),
                &actor,
            ],
        )
        .await?;
    Ok(rows.iter().filter(|row| row.get("is_new")).count())
}

/// What of the set the entries overlap: the keys, how many sayings they are, and the newest of these.
async fn list_lifts(
    tx: &TenantTx<'_>,
    entries: &[NewEntry],
) -> Result<(Vec<Uuid>, usize, Vec<Lift>), DbError> {
    let (starts, firsts): (Vec<IpAddr>, Vec<IpAddr>) = probes(entries).into_iter().unzip();
    let rows = tx
        .query(
            sql!("allowlist/list_lifts"),
            &[
                &tx.tenant().id(),
                &entries.iter().map(|e| e.subject.0.lo()).collect::<Vec<_>>(),
                &entries.iter().map(|e| e.subject.0.hi()).collect::<Vec<_>>(),
                &starts,
                &firsts,
                &LIFTS_TOLD,
            ],
        )
        .await?;
    let mut keys: Vec<Uuid> = rows.iter().map(|row| row.get("key")).collect();
    keys.sort_unstable();
    keys.dedup();
    let lift = |row: &Row| Lift {
        value: row.get("value"),
        scope: row.get("scope"),
        kind: row.get("type"),
        origin: row.get("origin"),
        scenario: row.get("scenario"),
        until: row.get("until"),
        from: from(
            Source::from_codes(row.get("source"), row.get("source_id")),
            row.get("server"),
            row.get("machine"),
        ),
    };
    let told = rows.iter().filter(|row| row.get("is_told"));
    Ok((keys, rows.len(), told.map(lift).collect()))
}

/// The narrowest entry that overlaps a block, in whichever list. No allowlist grows until the transaction ends, so what
/// is put into the set on this answer is not missed by an entry that comes at the same time: ask before the first
/// change of the set.
///
/// # Errors
/// As the statements fail.
pub async fn covering(tx: &TenantTx<'_>, block: &Block) -> Result<Option<Covering>, DbError> {
    decision::claim_shared(tx).await?;
    let row = tx
        .query_opt(
            sql!("allowlist/get_covering"),
            &[
                &tx.tenant().id(),
                &block.lo(),
                &block.hi(),
                &decision::around(block),
            ],
        )
        .await?;
    Ok(row.map(|row| Covering {
        list: row.get("list"),
        value: row.get("value"),
        reason: row.get("reason"),
    }))
}
