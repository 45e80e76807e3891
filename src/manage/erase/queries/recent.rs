//! What is kept for a while: live events, what analyzers remember, and the words of the audit trail.

use std::net::IpAddr;

use serde_json::json;
use tokio_postgres::Row;

use super::Task;
use crate::db::{Db, DbError, Entry, Tenant, sql};
use crate::kernel::audit::ranges;
use crate::manage::erase::model::{self, Counts};

/// Rows read at a time.
const PAGE: i64 = 2000;

/// Events, marks and runs that name the addresses go whole: a stream that resumes misses the first, an analyzer looks at
/// old lines again without the second.
pub async fn erase_recent(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    erase_events(db, task, counts).await?;
    erase_marks(db, task, counts).await?;
    erase_runs(db, task, counts).await?;
    erase_words(db, task, counts).await
}

async fn erase_events(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    let tenant = task.tenant.id();
    let (mut xid, mut seq) = ("0".to_owned(), i64::MIN);
    let mut connection = db.connection().await?;
    loop {
        let tx = db.planned(&mut connection, task.tenant).await?;
        let rows = tx
            .query(sql!("erase/list_events"), &[&tenant, &xid, &seq, &PAGE])
            .await?;
        let Some(last) = rows.last() else {
            return tx.commit().await;
        };
        (xid, seq) = (last.get("at_xid"), last.get("seq"));
        let named = |row: &&Row| model::mentions(row.get("detail"), &task.block);
        let found: Vec<&Row> = rows.iter().filter(named).collect();
        counts.add("event", found.len() as u64);
        if task.apply && !found.is_empty() {
            let xids: Vec<String> = found.iter().map(|row| row.get("at_xid")).collect();
            let seqs: Vec<i64> = found.iter().map(|row| row.get("seq")).collect();
            tx.execute(sql!("erase/delete_events"), &[&tenant, &xids, &seqs])
                .await?;
        }
        tx.commit().await?;
    }
}

async fn erase_marks(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    let tenant = task.tenant.id();
    let mut after = (i64::MIN, String::new());
    let mut connection = db.connection().await?;
    loop {
        let tx = db.planned(&mut connection, task.tenant).await?;
        let rows = tx
            .query(sql!("erase/list_marks"), &[&tenant, &after.0, &after.1, &PAGE])
            .await?;
        let place = |row: &Row| (row.get::<_, i64>("analyzer_id"), row.get::<_, String>("value"));
        let Some(last) = rows.last() else {
            return tx.commit().await;
        };
        after = place(last);
        let named = rows
            .iter()
            .filter(|row| model::is_of(row.get("value"), &task.block));
        let (analyzers, values): (Vec<i64>, Vec<String>) = named.map(place).unzip();
        counts.add("analyzer_mark", values.len() as u64);
        if task.apply && !values.is_empty() {
            tx.execute(sql!("erase/delete_marks"), &[&tenant, &analyzers, &values])
                .await?;
        }
        tx.commit().await?;
    }
}

async fn erase_runs(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    let tenant = task.tenant.id();
    let mut after = i64::MIN;
    let mut connection = db.connection().await?;
    loop {
        let tx = db.planned(&mut connection, task.tenant).await?;
        let rows = tx
            .query(sql!("erase/list_runs"), &[&tenant, &after, &200_i64])
            .await?;
        let Some(last) = rows.last() else {
            return tx.commit().await;
        };
        after = last.get("id");
        let named = rows
            .iter()
            .filter(|row| model::mentions(row.get("text"), &task.block));
        let ids: Vec<i64> = named.map(|row| row.get("id")).collect();
        counts.add("analyzer_run", ids.len() as u64);
        if task.apply && !ids.is_empty() {
            tx.execute(sql!("erase/delete_runs"), &[&tenant, &ids]).await?;
        }
        tx.commit().await?;
    }
}

/// The words of entries that name the addresses. The chain holds without them, and an entry says whose words went.
async fn erase_words(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    let tenant = task.tenant.id();
    let mut after = 0_i64;
    let mut connection = db.connection().await?;
    loop {
        let tx = db.planned(&mut connection, task.tenant).await?;
        let rows = tx
            .query(sql!("erase/list_audit"), &[&tenant, &after, &PAGE])
            .await?;
        let Some(last) = rows.last() else {
            return tx.commit().await;
        };
        after = last.get("seq");
        let named = rows.iter().filter(|row| {
            let source: Option<IpAddr> = row.get("source");
            model::is_within(source, source, &task.block) || model::mentions(row.get("text"), &task.block)
        });
        let seqs: Vec<i64> = named.map(|row| row.get("seq")).collect();
        counts.add("audit_text", seqs.len() as u64);
        if task.apply && !seqs.is_empty() {
            tx.execute(sql!("erase/delete_audit"), &[&tenant, &seqs]).await?;
            let entry = Entry {
                erased: ranges(&seqs),
                ..Entry::done("erase.words", "", json!({ "entries": seqs.len() }))
            };
            tx.record_entry(entry).await?;
        }
        tx.commit().await?;
    }
}

/// A part of the trail of a tenant that was removed; how much went.
pub async fn delete_trail(db: &Db, tenant: Tenant, counts: &mut Counts) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("tenant/delete_audit"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let gone = |name| {
        row.as_ref()
            .map_or(0, |row| row.get::<_, i64>(name).unsigned_abs())
    };
    let (entries, heads) = (gone("entries"), gone("heads"));
    counts.add("audit_entry", entries);
    counts.add("audit_head", heads);
    Ok(entries + heads)
}
