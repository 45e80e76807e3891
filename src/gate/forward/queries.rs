//! What waits, and that it no longer does.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{Entry, Waiting};
use crate::db::{Db, DbError, Tenant, sql};
use crate::jobs::{Lease, finish};

/// Rows of the log that are read at a time.
const ROWS: i64 = 50;

/// The next rows of the lane's log below the lease's horizon, with the signals in them that still wait.
pub async fn list(db: &Db, lease: &Lease) -> Result<Vec<Entry>, DbError> {
    let tenant = lease.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    let rows = tx
        .query(
            sql!("forward/list"),
            &[
                &tenant,
                &lease.subject,
                &lease.cursor.0,
                &lease.cursor.1,
                &lease.horizon,
                &ROWS,
            ],
        )
        .await?;
    let batches: BTreeSet<Uuid> = rows
        .iter()
        .filter_map(|row| row.get::<_, Option<Uuid>>("batch_id"))
        .collect();
    let batches: Vec<Uuid> = batches.into_iter().collect();
    let bodies = tx
        .query(sql!("forward/list_bodies"), &[&tenant, &batches])
        .await?;
    tx.commit().await?;
    drop(connection);
    let mut unpacked: HashMap<Uuid, (u8, Vec<u8>)> = HashMap::with_capacity(bodies.len());
    for row in bodies {
        let body = zstd::decode_all(row.get::<_, &[u8]>("body"))
            .map_err(|e| DbError::Internal(format!("a stored batch does not unpack: {e}")))?;
        let version = if row.get::<_, i16>("api_version") == 2 {
            2
        } else {
            3
        };
        unpacked.insert(row.get("id"), (version, body));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        let at = (row.get("at_xid"), row.get("at_seq"));
        if entries.last().is_none_or(|last| last.at != at) {
            entries.push(Entry {
                at,
                signals: Vec::new(),
            });
        }
        if let (Some(waiting), Some(entry)) = (waiting(&row, &unpacked), entries.last_mut()) {
            entry.signals.push(waiting);
        }
    }
    Ok(entries)
}

fn waiting(row: &Row, unpacked: &HashMap<Uuid, (u8, Vec<u8>)>) -> Option<Waiting> {
    let key = row.get::<_, Option<Uuid>>("key")?;
    let (version, body) = unpacked.get(&row.get::<_, Option<Uuid>>("batch_id")?)?;
    let from = usize::try_from(row.get::<_, Option<i32>>("raw_offset")?).ok()?;
    let length = usize::try_from(row.get::<_, Option<i32>>("raw_length")?).ok()?;
    let raw = body.get(from..from.checked_add(length)?)?.to_vec();
    Some(Waiting {
        key,
        version: *version,
        raw,
    })
}

/// Marks what CAPI took and moves the lane, together; false when the lease is lost. What it took stays marked then,
/// too: that is the truth.
pub async fn settle(
    db: &Db,
    lease: &Lease,
    delivered: &[Uuid],
    upto: &(String, i64),
) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    if !delivered.is_empty() {
        tx.execute(
            sql!("forward/update_delivered"),
            &[&lease.tenant.id(), &delivered],
        )
        .await?;
    }
    let ours = finish(&tx, lease, upto).await?;
    tx.commit().await?;
    Ok(ours)
}

/// Marks what CAPI took of a portion that is not settled yet.
pub async fn update_delivered(db: &Db, lease: &Lease, delivered: &[Uuid]) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    tx.execute(
        sql!("forward/update_delivered"),
        &[&lease.tenant.id(), &delivered],
    )
    .await?;
    tx.commit().await
}

/// Marks a signal that CAPI refuses for good.
pub async fn update_refused(db: &Db, lease: &Lease, key: Uuid, error: &str) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, lease.tenant).await?;
    tx.execute(
        sql!("forward/update_refused"),
        &[&lease.tenant.id(), &key, &error],
    )
    .await?;
    tx.commit().await
}

/// Whether the tenant lets anything leave to CAPI, and is still there.
pub async fn may_leave(db: &Db, tenant: Tenant) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("tenant/get_forward"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(row.is_some_and(|row| row.get("forward_enabled")))
}
