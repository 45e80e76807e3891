//! What waits, and that it no longer does.

use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{Entry, Loaded, Waiting};
use crate::db::{Db, DbError, Tenant, sql};
use crate::jobs::{Lease, finish};

/// Rows of the log that are read at a time.
const ROWS: i64 = 50;

/// The next rows of the lane's log below the lease's horizon, with the signals in them that still wait.
pub async fn list(db: &Db, lease: &Lease) -> Result<Vec<Entry>, DbError> {
    let tenant = lease.tenant.id();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, lease.tenant).await?;
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
    tx.commit().await?;
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        let at = (row.get("at_xid"), row.get("at_seq"));
        if entries.last().is_none_or(|last| last.at != at) {
            entries.push(Entry {
                at,
                signals: Vec::new(),
            });
        }
        if let (Some(waiting), Some(entry)) = (waiting(&row), entries.last_mut()) {
            entry.signals.push(waiting);
        }
    }
    Ok(entries)
}

/// None for an alert that does not wait any more. One whose place is damaged waits with a place that holds nothing.
fn waiting(row: &Row) -> Option<Waiting> {
    let place = |column: &str| {
        row.get::<_, Option<i32>>(column)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0)
    };
    Some(Waiting {
        key: row.get::<_, Option<Uuid>>("key")?,
        version: if row.get::<_, Option<i16>>("api_version") == Some(2) {
            2
        } else {
            3
        },
        batch: row.get::<_, Option<Uuid>>("batch_id").unwrap_or_default(),
        offset: place("raw_offset"),
        length: place("raw_length"),
    })
}

/// The bytes of some signals, one batch unpacked at a time; and the keys of those that cannot be read any more.
pub async fn load(db: &Db, tenant: Tenant, signals: &[Waiting]) -> Result<(Vec<Loaded>, Vec<Uuid>), DbError> {
    let (mut loaded, mut lost) = (Vec::with_capacity(signals.len()), Vec::new());
    let mut open: Option<(Uuid, Vec<u8>)> = None;
    for signal in signals {
        if open.as_ref().is_none_or(|(batch, _)| *batch != signal.batch) {
            open = Some((signal.batch, body_of(db, tenant, signal.batch).await?));
        }
        let body = open.as_ref().map_or(&[][..], |(_, body)| body);
        let end = signal.offset.saturating_add(signal.length);
        match body.get(signal.offset..end).filter(|raw| !raw.is_empty()) {
            Some(raw) => loaded.push(Loaded {
                key: signal.key,
                raw: raw.to_vec(),
            }),
            None => lost.push(signal.key),
        }
    }
    Ok((loaded, lost))
}

/// A batch's body, unpacked; empty when it is gone or damaged.
async fn body_of(db: &Db, tenant: Tenant, batch: Uuid) -> Result<Vec<u8>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("forward/get_body"), &[&tenant.id(), &batch])
        .await?;
    tx.commit().await?;
    Ok(row.map_or_else(Vec::new, |row| {
        zstd::decode_all(row.get::<_, &[u8]>("body")).unwrap_or_else(|e| {
            tracing::error!(tenant = tenant.id(), %batch, cause = %e, "a stored batch does not unpack");
            Vec::new()
        })
    }))
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
    let tx = db.planned(&mut connection, lease.tenant).await?;
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
    let tx = db.planned(&mut connection, lease.tenant).await?;
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
