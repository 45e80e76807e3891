//! What is erased, a portion a transaction.

mod recent;
mod small;

pub use recent::{delete_trail, erase_recent};
pub use small::{
    count, count_copies, delete_alerts, delete_batches, delete_rest, delete_standing, erase_small,
    list_copies, list_given, list_settings, update_withdrawn,
};

use std::net::IpAddr;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::kernel::net::Block;
use crate::manage::erase::model::{self, Counts};

/// What an erasure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An address or a range.
    Address = 1,
    /// The tenant.
    Tenant = 2,
}

/// A proof that is kept.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Erasure {
    pub tenant: i32,
    pub name: String,
    pub id: i64,
    pub at: Timestamp,
    pub kind: Kind,
    pub actor: String,
    pub digest: String,
    pub complete: bool,
    /// A JSON object.
    pub counts: String,
}

/// Keeps a proof; its number, its time, and the digest as text.
///
/// # Errors
/// As the statement fails.
pub async fn insert(
    db: &Db,
    tenant: Tenant,
    kind: Kind,
    actor: &str,
    digest: &[u8],
    complete: bool,
    counts: &Counts,
) -> Result<(i64, Timestamp, String), DbError> {
    let counts = serde_json::json!(counts).to_string();
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx
        .query_opt(
            sql!("erase/insert"),
            &[&tenant.id(), &(kind as i16), &actor, &digest, &complete, &counts],
        )
        .await?;
    // The trail of a tenant that was erased went with it; this proof is what stays.
    if let (Kind::Address, Some(row)) = (kind, &row) {
        let target = row.get::<_, i64>("id").to_string();
        let details = serde_json::json!({ "complete": complete });
        tx.record("erase.address", &target, details).await?;
    }
    tx.commit().await?;
    row.map(|row| (row.get("id"), row.get("at"), row.get("digest")))
        .ok_or_else(|| DbError::Internal("no proof was kept".to_owned()))
}

/// All proofs of all tenants, the oldest first.
///
/// # Errors
/// As the statement fails.
pub async fn list_erasures(db: &Db) -> Result<Vec<Erasure>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_erasures"), &[]).await?;
    tx.commit().await?;
    let erasure = |row: &Row| Erasure {
        tenant: row.get("tenant_id"),
        name: row.get("name"),
        id: row.get("id"),
        at: row.get("at"),
        kind: if row.get::<_, i16>("kind") == 1 {
            Kind::Address
        } else {
            Kind::Tenant
        },
        actor: row.get("actor"),
        digest: row.get("digest"),
        complete: row.get("complete"),
        counts: row.get("counts"),
    };
    Ok(rows.iter().map(erasure).collect())
}

/// What is to be done to which tenant, or only counted.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// Whose rows.
    pub tenant: Tenant,
    /// The addresses.
    pub block: Block,
    /// Whether it is done, not only counted.
    pub apply: bool,
}

impl Task {
    fn bounds(&self) -> (i32, IpAddr, IpAddr) {
        (self.tenant.id(), self.block.lo(), self.block.hi())
    }
}

/// The bodies of these batches, changed where `change` says so, and how many it changed.
async fn rewrite<F>(tx: &TenantTx<'_>, batches: &[Uuid], apply: bool, change: F) -> Result<u64, DbError>
where
    F: Fn(Uuid, &mut [u8]) -> bool + Clone + Send + 'static,
{
    let tenant = tx.tenant().id();
    let mut changed = 0;
    for row in tx.query(sql!("erase/list_bodies"), &[&tenant, &batches]).await? {
        let (id, packed): (Uuid, Vec<u8>) = (row.get("id"), row.get("body"));
        let change = change.clone();
        let work = tokio::task::spawn_blocking(move || {
            let mut body = zstd::decode_all(packed.as_slice())?;
            let news = change(id, &mut body);
            // Level 1, as it was.
            news.then(|| zstd::bulk::compress(&body, 1)).transpose()
        });
        let done = work.await.map_err(|e| DbError::Internal(e.to_string()))?;
        let packed = done.map_err(|e| DbError::Internal(format!("a stored batch does not unpack: {e}")))?;
        if let Some(packed) = packed {
            changed += 1;
            if apply {
                tx.execute(sql!("erase/update_body"), &[&tenant, &id, &packed])
                    .await?;
            }
        }
    }
    Ok(changed)
}

/// Alerts about the addresses, with their decisions and their bytes; where to go on, none at the end.
pub async fn erase_alerts(
    db: &Db,
    task: &Task,
    after: Uuid,
    limit: i64,
    counts: &mut Counts,
) -> Result<Option<Uuid>, DbError> {
    let (tenant, lo, hi) = task.bounds();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, task.tenant).await?;
    let rows = tx
        .query(sql!("erase/list_alerts"), &[&tenant, &lo, &hi, &after, &limit])
        .await?;
    let keys: Vec<Uuid> = rows.iter().map(|row| row.get("key")).collect();
    let number = |row: &Row, column| {
        let n: Option<i32> = row.get(column);
        n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    let places: Vec<(Uuid, usize, usize)> = rows
        .iter()
        .filter_map(|row| {
            Some((
                row.get::<_, Option<Uuid>>("batch_id")?,
                number(row, "raw_offset"),
                number(row, "raw_length"),
            ))
        })
        .collect();
    counts.add("alert", keys.len() as u64);
    let waits = rows.iter().filter(|row| row.get("waits")).count();
    counts.add("alert that CAPI had not taken", waits as u64);
    if task.apply && !keys.is_empty() {
        let mut batches: Vec<Uuid> = places.iter().map(|place| place.0).collect();
        batches.sort_unstable();
        batches.dedup();
        let changed = rewrite(&tx, &batches, true, move |id, body| {
            for (_, offset, length) in places.iter().filter(|place| place.0 == id) {
                model::blank(body, *offset, *length);
            }
            true
        });
        counts.add("body rewritten", changed.await?);
        let gone = tx
            .execute(sql!("retention/delete_decisions"), &[&tenant, &keys])
            .await?;
        counts.add("alert_decision", gone);
        tx.execute(sql!("retention/delete_alerts"), &[&tenant, &keys])
            .await?;
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(keys.last().copied().filter(|_| full))
}

/// Mentions in the bodies of the next batches.
pub async fn mask_bodies(
    db: &Db,
    task: &Task,
    after: Uuid,
    limit: i64,
    counts: &mut Counts,
) -> Result<Option<Uuid>, DbError> {
    let (tenant, block) = (task.tenant.id(), task.block);
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, task.tenant).await?;
    let rows = tx
        .query(sql!("erase/list_batches"), &[&tenant, &after, &limit])
        .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    let changed = rewrite(&tx, &ids, task.apply, move |_, body| {
        model::mask(body, &block) > 0
    });
    counts.add("body rewritten", changed.await?);
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(ids.last().copied().filter(|_| full))
}

/// Mentions in what alerts say, and the sources of what was done here.
pub async fn mask_texts(
    db: &Db,
    task: &Task,
    after: Uuid,
    limit: i64,
    counts: &mut Counts,
) -> Result<Option<Uuid>, DbError> {
    let (tenant, lo, hi) = task.bounds();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, task.tenant).await?;
    let rows = tx
        .query(sql!("erase/list_texts"), &[&tenant, &after, &limit, &lo, &hi])
        .await?;
    for row in &rows {
        let key: Uuid = row.get("key");
        let texts: Vec<Option<String>> = row.get("texts");
        let masked = |text: &Option<String>| {
            let text = text.as_deref()?;
            Some(model::masked(text, &task.block).unwrap_or_else(|| text.to_owned()))
        };
        let clean: Vec<Option<String>> = texts.iter().map(masked).collect();
        let is_source = model::is_within(row.get("source_lo"), row.get("source_hi"), &task.block);
        if clean == texts && !is_source {
            continue;
        }
        counts.add("alert that mentions it", 1);
        if task.apply {
            tx.execute(sql!("erase/update_texts"), &[&tenant, &key, &clean, &is_source])
                .await?;
        }
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(rows.last().filter(|_| full).map(|row| row.get("key")))
}

/// Decisions that other alerts carried.
pub async fn erase_decisions(
    db: &Db,
    task: &Task,
    after: (Uuid, i32),
    limit: i64,
    counts: &mut Counts,
) -> Result<Option<(Uuid, i32)>, DbError> {
    let tenant = task.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, task.tenant).await?;
    let rows = tx
        .query(
            sql!("erase/list_decisions"),
            &[&tenant, &after.0, &after.1, &limit],
        )
        .await?;
    let place = |row: &Row| (row.get::<_, Uuid>("alert_key"), row.get::<_, i32>("item"));
    let found = rows
        .iter()
        .filter(|row| model::mentions(row.get("text"), &task.block));
    let (keys, items): (Vec<Uuid>, Vec<i32>) = found.map(place).unzip();
    counts.add("alert_decision", keys.len() as u64);
    if task.apply && !keys.is_empty() {
        tx.execute(sql!("erase/delete_decisions"), &[&tenant, &keys, &items])
            .await?;
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(rows.last().filter(|_| full).map(place))
}

/// Reasons of rejected items.
pub async fn mask_rejected(
    db: &Db,
    task: &Task,
    after: (Uuid, i32),
    limit: i64,
    counts: &mut Counts,
) -> Result<Option<(Uuid, i32)>, DbError> {
    let tenant = task.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, task.tenant).await?;
    let rows = tx
        .query(
            sql!("erase/list_rejected"),
            &[&tenant, &after.0, &after.1, &limit],
        )
        .await?;
    let place = |row: &Row| (row.get::<_, Uuid>("batch_id"), row.get::<_, i32>("item"));
    for row in &rows {
        let Some(reason) = model::masked(row.get("reason"), &task.block) else {
            continue;
        };
        counts.add("rejected_signal", 1);
        if task.apply {
            let (batch, item) = place(row);
            tx.execute(sql!("erase/update_rejected"), &[&tenant, &batch, &item, &reason])
                .await?;
        }
    }
    tx.commit().await?;
    let full = i64::try_from(rows.len()).is_ok_and(|n| n == limit);
    Ok(rows.last().filter(|_| full).map(place))
}

/// The keys of what the set says about the addresses, and how many of them are not lifted yet.
///
/// # Errors
/// As the statement fails.
pub async fn list_said(tx: &TenantTx<'_>, block: &Block) -> Result<(Vec<Uuid>, usize), DbError> {
    let rows = tx
        .query(
            sql!("erase/list_said"),
            &[&tx.tenant().id(), &block.lo(), &block.hi()],
        )
        .await?;
    let standing = rows.iter().filter(|row| !row.get::<_, bool>("lifted")).count();
    Ok((rows.iter().map(|row| row.get("key")).collect(), standing))
}
