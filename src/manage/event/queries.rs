//! The log of events in the database.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{Copied, Entry, Kinds, Log, Place, Slot, What, slots};
use crate::db::{Db, DbError, Tenant, sql};
use crate::manage::alert::{self, AlertView, Filter};

/// Rows of the log that are read at a time: one tells of up to a thousand alerts, or of a hundred rows of the set.
const ROWS: i64 = 20;
/// Rows that are deleted at a time.
const PART: i64 = 5000;

/// How far the logs of tenants can be read.
#[derive(Debug, Default)]
pub struct Heads {
    /// Of whom it was asked.
    pub asked: Vec<i32>,
    /// How often a standby of the cluster took over.
    pub timeline: String,
    /// Nothing will appear below it any more.
    pub horizon: u64,
    /// The last row below it, by tenant.
    pub last: HashMap<i32, (u64, i64)>,
}

/// How far the logs of these tenants can be read.
pub async fn list_event_heads(db: &Db, tenants: &[i32]) -> Result<Heads, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_event_heads"), &[&tenants]).await?;
    tx.commit().await?;
    let mut heads = Heads {
        asked: tenants.to_vec(),
        ..Heads::default()
    };
    for row in &rows {
        heads.horizon = number(row, "horizon")?;
        heads.timeline = row.get("timeline");
        if row.get::<_, Option<&str>>("at_xid").is_some() {
            let last = (number(row, "at_xid")?, row.get("at_seq"));
            heads.last.insert(row.get("tenant_id"), last);
        }
    }
    Ok(heads)
}

/// Which log this is and where it stands.
pub async fn get_event_log(db: &Db) -> Result<Log, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("platform/get_event_log"), &[]).await?;
    tx.commit().await?;
    log(row.as_ref())
}

fn log(row: Option<&Row>) -> Result<Log, DbError> {
    let row = row.ok_or_else(|| DbError::Internal("the log of events has no floor".to_owned()))?;
    let mut origin: Vec<u8> = row.get::<_, Option<Vec<u8>>>("cluster").unwrap_or_default();
    origin.push(b'/');
    origin.extend_from_slice(row.get::<_, &str>("timeline").as_bytes());
    Ok(Log {
        floor: number(row, "floor")?,
        horizon: number(row, "horizon")?,
        origin,
    })
}

fn number(row: &Row, column: &str) -> Result<u64, DbError> {
    let text: &str = row.get(column);
    let parsed = text.parse();
    parsed.map_err(|_| DbError::Internal(format!("{column} is no transaction number")))
}

/// When the oldest thing was written that a stream can still tell.
pub async fn get_oldest(db: &Db, tenant: Tenant, floor: u64) -> Result<Option<Timestamp>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let row = tx
        .query_opt(sql!("event/get_oldest"), &[&tenant.id(), &floor.to_string()])
        .await?;
    tx.commit().await?;
    Ok(row.map(|row| row.get("at")))
}

/// A part of the log, with what it is about.
pub struct Page {
    /// Its events, in order.
    pub slots: Vec<Slot>,
    /// Behind the last of them, or behind all that was read.
    pub end: Place,
    /// Alerts that meet the conditions.
    pub alerts: HashMap<Uuid, AlertView>,
    /// Decisions on servers.
    pub copies: HashMap<(i64, Uuid), Copied>,
    /// The log, looked at after its rows: what was gone before they were read is below its floor.
    pub log: Log,
}

/// The next events behind a place, up to the last row that all readers see; at most so many.
pub async fn list(
    db: &Db,
    tenant: Tenant,
    (kinds, filter): (Kinds, &Filter),
    (after, upto, most): (Place, (u64, i64), usize),
) -> Result<Page, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let (from, to) = (after.xid.to_string(), upto.0.to_string());
    let rows = tx
        .query(
            sql!("event/list"),
            &[
                &tenant.id(),
                &from,
                &after.seq,
                &to,
                &upto.1,
                &kinds.codes(),
                &ROWS,
            ],
        )
        .await?;
    let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    let (slots, more) = slots(&entries, after, kinds, most);
    let end = match (entries.last(), slots.last()) {
        (_, Some(last)) if more => last.place,
        (Some(last), _) if i64::try_from(entries.len()).is_ok_and(|n| n >= ROWS) => {
            Place::behind(last.xid, last.seq)
        }
        _ => Place::behind(upto.0, upto.1),
    };
    let (mut keys, mut placed) = (Vec::new(), HashMap::<i64, Vec<Uuid>>::new());
    for slot in &slots {
        match slot.what {
            What::Alert(key) | What::Verdict(key) | What::Sent(key, _) => keys.push(key),
            What::Placed(server, key, _) => placed.entry(server).or_default().push(key),
            What::Decided(..) => {}
        }
    }
    // An alert and its verdict stand side by side.
    keys.dedup();
    let alerts = if keys.is_empty() {
        HashMap::new()
    } else {
        alert::list_by_key(&tx, filter, &keys).await?
    };
    let mut copies = HashMap::new();
    for (server, keys) in placed {
        let rows = tx
            .query(sql!("event/list_copies"), &[&tenant.id(), &server, &keys])
            .await?;
        copies.extend(rows.iter().map(|row| ((server, row.get("key")), copied(row))));
    }
    let seen = tx.platform(sql!("platform/get_event_log"), &[]).await?;
    tx.commit().await?;
    Ok(Page {
        slots,
        end,
        alerts,
        copies,
        log: log(seen.first())?,
    })
}

fn entry(row: &Row) -> Result<Entry, DbError> {
    Ok(Entry {
        xid: number(row, "at_xid")?,
        seq: row.get("at_seq"),
        at: row.get("at"),
        kind: row.get("kind"),
        keys: row.get::<_, Option<Vec<Uuid>>>("keys").unwrap_or_default(),
        detail: row.get::<_, Option<Value>>("detail").unwrap_or_default(),
    })
}

fn copied(row: &Row) -> Copied {
    Copied {
        server: row.get("server"),
        scope: row.get("scope"),
        value: row.get("value"),
        kind: row.get("type"),
        until: row.get("until"),
    }
}

/// Deletes a part of what is older than `keep`; whether there may be more.
pub async fn delete_events(db: &Db, keep: Duration) -> Result<bool, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx
        .query_opt(sql!("platform/delete_events"), &[&keep.as_secs_f64(), &PART])
        .await?;
    tx.commit().await?;
    Ok(row.is_some_and(|row| row.get::<_, i64>("deleted") >= PART))
}
