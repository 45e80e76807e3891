//! Tables that are read whole: copies, answers, lists.

use tokio_postgres::Row;
use uuid::Uuid;

use super::Task;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::kernel::net::Block;
use crate::manage::erase::model::{self, Counts};

/// Rows read at a time.
const PAGE: i64 = 5000;

/// Allowlist entries, kept answers and cached streams.
pub async fn erase_small(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    let (tenant, lo, hi) = task.bounds();
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, task.tenant).await?;
    let rows = tx.query(sql!("erase/list_entries"), &[&tenant, &lo, &hi]).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect();
    counts.add("allowlist_entry", ids.len() as u64);
    if task.apply && !ids.is_empty() {
        tx.execute(sql!("erase/delete_entries"), &[&tenant, &ids]).await?;
    }
    let mut after = String::new();
    loop {
        let rows = tx
            .query(sql!("erase/list_answers"), &[&tenant, &after, &500_i64])
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.get("key");
        let body = |row: &Row| row.get::<_, Option<String>>("body").unwrap_or_default();
        let named = |row: &&Row| {
            model::mentions(&body(row), &task.block) || model::mentions(row.get("key"), &task.block)
        };
        let keys: Vec<String> = rows.iter().filter(named).map(|row| row.get("key")).collect();
        counts.add("idempotent_answer", keys.len() as u64);
        if task.apply && !keys.is_empty() {
            tx.execute(sql!("erase/delete_answers"), &[&tenant, &keys])
                .await?;
        }
    }
    tx.commit().await?;
    drop(connection);
    erase_cached(db, task, counts).await
}

/// Answers of CAPI that name it: they are fetched again.
async fn erase_cached(db: &Db, task: &Task, counts: &mut Counts) -> Result<(), DbError> {
    let (tenant, block) = (task.tenant.id(), task.block);
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, task.tenant).await?;
    for row in tx.query(sql!("erase/list_cached"), &[&tenant]).await? {
        let (machine, target): (i64, String) = (row.get("machine_id"), row.get("target"));
        let found = tx
            .query_opt(sql!("erase/get_cached"), &[&tenant, &machine, &target])
            .await?;
        let Some(packed) = found.map(|row| row.get::<_, Vec<u8>>("body")) else {
            continue;
        };
        let work = tokio::task::spawn_blocking(move || {
            zstd::decode_all(packed.as_slice()).is_ok_and(|mut body| model::mask(&mut body, &block) > 0)
        });
        if work.await.map_err(|e| DbError::Internal(e.to_string()))? {
            counts.add("stream_cache", 1);
            if task.apply {
                tx.execute(sql!("erase/delete_cached"), &[&tenant, &machine, &target])
                    .await?;
            }
        }
    }
    tx.commit().await
}

/// What was put on LAPI servers about the addresses.
pub async fn list_copies(tx: &TenantTx<'_>, block: &Block) -> Result<Vec<(i64, Uuid)>, DbError> {
    let mut after = (i64::MIN, Uuid::nil());
    let mut found = Vec::new();
    loop {
        let rows = tx
            .query(
                sql!("erase/list_copies"),
                &[&tx.tenant().id(), &after.0, &after.1, &PAGE],
            )
            .await?;
        let place = |row: &Row| (row.get::<_, i64>("server_id"), row.get::<_, Uuid>("key"));
        let named = rows.iter().filter(|row| model::is_of(row.get("value"), block));
        found.extend(named.map(place));
        match rows.last() {
            Some(last) => after = place(last),
            None => return Ok(found),
        }
    }
}

/// What machines before 1.5 were given about them.
pub async fn list_given(tx: &TenantTx<'_>, block: &Block) -> Result<Vec<(i64, String)>, DbError> {
    let mut after = (i64::MIN, String::new());
    let mut found = Vec::new();
    loop {
        let rows = tx
            .query(
                sql!("erase/list_given"),
                &[&tx.tenant().id(), &after.0, &after.1, &PAGE],
            )
            .await?;
        let place = |row: &Row| (row.get::<_, i64>("machine_id"), row.get::<_, String>("value"));
        let named = rows.iter().filter(|row| model::is_of(row.get("value"), block));
        found.extend(named.map(place));
        match rows.last() {
            Some(last) => after = place(last),
            None => return Ok(found),
        }
    }
}

/// Forgets what stands elsewhere.
pub async fn delete_standing(
    tx: &TenantTx<'_>,
    block: &Block,
    copies: &[(i64, Uuid)],
    given: &[(i64, String)],
) -> Result<(), DbError> {
    let tenant = tx.tenant().id();
    tx.execute(sql!("erase/delete_said"), &[&tenant, &block.lo(), &block.hi()])
        .await?;
    let (servers, keys): (Vec<i64>, Vec<Uuid>) = copies.iter().copied().unzip();
    tx.execute(sql!("erase/delete_copies"), &[&tenant, &servers, &keys])
        .await?;
    let (machines, values): (Vec<i64>, Vec<String>) = given.iter().cloned().unzip();
    tx.execute(sql!("erase/delete_given"), &[&tenant, &machines, &values])
        .await?;
    Ok(())
}

/// What operators wrote themselves and that names one of the addresses.
pub async fn list_settings(db: &Db, task: &Task) -> Result<Vec<String>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, task.tenant).await?;
    let rows = tx
        .query(sql!("erase/list_settings"), &[&task.tenant.id()])
        .await?;
    tx.commit().await?;
    let named = rows.iter().filter(|row| {
        row.get::<_, Option<&str>>("text")
            .is_some_and(|text| model::mentions(text, &task.block))
    });
    let what = |row: &Row| {
        let what: String = row.get("what");
        model::masked(&what, &task.block).unwrap_or(what)
    };
    Ok(named.map(what).collect())
}

/// Takes everything of a tenant's back from its LAPI servers: their lanes do it.
pub async fn update_withdrawn(db: &Db, tenant: Tenant) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.execute(sql!("erase/update_withdrawn"), &[&tenant.id()])
        .await?;
    tx.commit().await
}

/// How much of a tenant's stands on its LAPI servers.
///
/// # Errors
/// As the statement fails.
pub async fn count_copies(db: &Db, tenant: Tenant) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let row = tx.query_opt(sql!("erase/count_copies"), &[&tenant.id()]).await?;
    tx.commit().await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>("n").unsigned_abs()))
}

/// The next alerts of a tenant, with their decisions; how many.
pub async fn delete_alerts(db: &Db, tenant: Tenant, limit: i64, counts: &mut Counts) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx.query(sql!("erase/list_keys"), &[&tenant.id(), &limit]).await?;
    let keys: Vec<Uuid> = rows.iter().map(|row| row.get("key")).collect();
    let gone = tx
        .execute(sql!("retention/delete_decisions"), &[&tenant.id(), &keys])
        .await?;
    tx.execute(sql!("retention/delete_alerts"), &[&tenant.id(), &keys])
        .await?;
    tx.commit().await?;
    counts.add("alert_decision", gone);
    counts.add("alert", keys.len() as u64);
    Ok(keys.len() as u64)
}

/// The next batches, with their rejected items; how many.
pub async fn delete_batches(
    db: &Db,
    tenant: Tenant,
    limit: i64,
    counts: &mut Counts,
) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx
        .query(sql!("erase/list_batches"), &[&tenant.id(), &Uuid::nil(), &limit])
        .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    let gone = tx
        .execute(sql!("retention/delete_rejected"), &[&tenant.id(), &ids])
        .await?;
    tx.execute(sql!("retention/delete_batches"), &[&tenant.id(), &ids])
        .await?;
    tx.commit().await?;
    counts.add("rejected_signal", gone);
    counts.add("signal_batch", ids.len() as u64);
    Ok(ids.len() as u64)
}

/// A part of all other tables; how much went.
pub async fn delete_rest(db: &Db, tenant: Tenant, counts: &mut Counts) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx.query(sql!("erase/delete_rest"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let mut gone = 0;
    for row in &rows {
        let n = row.get::<_, i64>("n").unsigned_abs();
        counts.add(row.get("name"), n);
        gone += n;
    }
    Ok(gone)
}

/// What a tenant has, by the tables that a person would name.
///
/// # Errors
/// As the statement fails.
pub async fn count(db: &Db, tenant: Tenant) -> Result<Counts, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("erase/count"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let mut counts = Counts::default();
    for row in &rows {
        for (n, column) in row.columns().iter().enumerate() {
            counts.add(column.name(), row.get::<_, i64>(n).unsigned_abs());
        }
    }
    Ok(counts)
}
