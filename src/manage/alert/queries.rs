//! Alerts in the database.

mod count;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

pub use count::count;

use super::model::{AlertView, Filter, Page};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::kernel::page::Position;
use crate::kernel::time::rfc3339_millis;

/// Most bytes of signals on one page.
const RAW_LIMIT: usize = 8 << 20;

/// Scenarios that are looked for by name; more are looked for letter by letter.
const MOST_NAMES: i64 = 2000;
/// Scenarios of which each is looked up by itself, in every week's partition: some fifty microseconds. With more of them, one
/// of the next rows is of one.
const FEW_NAMES: usize = 300;
/// Most rows that they may have together, were each to fill the page: a half of it at worst is read.
const FEW_ROWS: usize = 30_000;

/// The conditions as statements take them.
pub struct Asked<'a> {
    filter: &'a Filter,
    part: Option<&'a str>,
    lo: Option<IpAddr>,
    hi: Option<IpAddr>,
    single: Option<String>,
    /// The scenarios that are meant, where a part of a name was given and they are few: what an index finds.
    pub names: Option<Vec<String>>,
}

impl Asked<'_> {
    /// The second to the eleventh parameter.
    #[must_use]
    pub fn params(&self) -> [&(dyn ToSql + Sync); 10] {
        [
            &self.filter.filtered,
            &self.filter.forwarded,
            &self.part,
            &self.filter.country,
            &self.filter.agent,
            &self.lo,
            &self.hi,
            &self.single,
            &self.filter.since,
            &self.filter.until,
        ]
    }

    /// The scenarios, where each is looked up by itself: by conditions that the index on them has, and for a page that they
    /// may fill several times over.
    fn few_names(&self, page: &Page) -> Option<&Vec<String>> {
        let filter = self.filter;
        let other = filter.filtered.is_some()
            || filter.forwarded.is_some()
            || filter.agent.is_some()
            || filter.ip.is_some();
        let rows = usize::try_from(page.limit.saturating_add(page.offset)).unwrap_or(usize::MAX);
        let few = |names: &&Vec<String>| {
            (1..=FEW_NAMES).contains(&names.len()) && rows.saturating_mul(names.len()) <= FEW_ROWS
        };
        self.names.as_ref().filter(|_| !other).filter(few)
    }
}

/// Gets the conditions ready.
///
/// # Errors
/// As the database fails.
pub async fn ask<'a>(tx: &TenantTx<'_>, filter: &'a Filter) -> Result<Asked<'a>, DbError> {
    let names = match &filter.scenario {
        Some(part) => names(tx, part).await?,
        None => None,
    };
    Ok(Asked {
        filter,
        part: filter.scenario.as_deref().filter(|_| names.is_none()),
        lo: filter.ip.map(|b| b.lo()),
        hi: filter.ip.map(|b| b.hi()),
        single: filter.ip.filter(|b| b.lo() == b.hi()).map(|b| b.lo().to_string()),
        names,
    })
}

/// The scenarios whose name has a part; none when they are too many to look for by name.
async fn names(tx: &TenantTx<'_>, part: &str) -> Result<Option<Vec<String>>, DbError> {
    let statement = sql!("alert/list_scenarios");
    let most = MOST_NAMES + 1;
    let rows = tx.query(statement, &[&tx.tenant().id(), &part, &most]).await?;
    let few = i64::try_from(rows.len()).is_ok_and(|n| n <= MOST_NAMES);
    Ok(few.then(|| rows.iter().map(|row| row.get("scenario")).collect()))
}

/// The same, in a transaction of its own.
///
/// # Errors
/// As the database fails.
pub async fn scenarios(db: &Db, tenant: Tenant, part: &str) -> Result<Option<Vec<String>>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let names = names(&tx, part).await?;
    tx.commit().await?;
    Ok(names)
}

/// A page of alerts, and where the next one begins, if there may be one.
pub async fn list(
    db: &Db,
    tenant: Tenant,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<AlertView>, Option<Position>), DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    if let Some(than) = filter.newer_than {
        let row = tx
            .query_opt(sql!("alert/exists_newer"), &[&tenant.id(), &than])
            .await?;
        if !row.is_some_and(|row| row.get("newer")) {
            return Ok((Vec::new(), None));
        }
    }
    let asked = ask(&tx, filter).await?;
    let after = page.after.map(|p| (Timestamp::from_microsecond(p.at), p.id));
    let (at, id) = match after {
        Some((Ok(at), id)) => (Some(at), Some(id)),
        _ => (None, None),
    };
    let place: [&(dyn ToSql + Sync); 4] = [&at, &id, &page.limit, &page.offset];
    let rows = rows(&tx, &asked, asked.few_names(page), place).await?;
    tx.commit().await?;
    // What follows may need another one: nobody waits for a place while holding one.
    drop(connection);
    // With the signals themselves a page ends early rather than fill the memory.
    let shown = if page.raw {
        within(&rows, RAW_LIMIT)
    } else {
        rows.len()
    };
    let more = shown < rows.len() || i64::try_from(rows.len()).is_ok_and(|n| n == page.limit);
    let rows = &rows[..shown];
    let raw = if page.raw {
        raw_of(db, tenant, rows).await?
    } else {
        HashMap::new()
    };
    let last = rows.last().filter(|_| more).map(|row| Position {
        at: row.get::<_, Timestamp>("received_at").as_microsecond(),
        id: row.get("id"),
    });
    Ok((rows.iter().map(|row| view(row, &raw)).collect(), last))
}

/// The rows of a page: after a time and an id, so many, from this one on.
async fn rows(
    tx: &TenantTx<'_>,
    asked: &Asked<'_>,
    few_names: Option<&Vec<String>>,
    place: [&(dyn ToSql + Sync); 4],
) -> Result<Vec<Row>, DbError> {
    let tenant_id = tx.tenant().id();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant_id];
    let filter = asked.filter;
    if let Some(names) = few_names {
        let conditions: [&(dyn ToSql + Sync); 4] = [names, &filter.country, &filter.since, &filter.until];
        params.extend(conditions);
        params.extend(place);
        return tx.query(sql!("alert/list_of_scenarios"), &params).await;
    }
    params.extend(asked.params());
    params.extend(place);
    params.push(&asked.names);
    tx.query(sql!("alert/list"), &params).await
}

/// Those of some alerts that meet the conditions, as the list shows them.
///
/// # Errors
/// As the statement fails.
pub async fn list_by_key(
    tx: &TenantTx<'_>,
    filter: &Filter,
    keys: &[Uuid],
) -> Result<HashMap<Uuid, AlertView>, DbError> {
    let (lo, hi) = (filter.ip.map(|b| b.lo()), filter.ip.map(|b| b.hi()));
    let single = filter.ip.filter(|b| b.lo() == b.hi()).map(|b| b.lo().to_string());
    let rows = tx
        .query(
            sql!("alert/list_by_key"),
            &[
                &tx.tenant().id(),
                &keys,
                &filter.filtered,
                &filter.forwarded,
                &filter.scenario,
                &filter.country,
                &filter.agent,
                &lo,
                &hi,
                &single,
            ],
        )
        .await?;
    let none = HashMap::new();
    Ok(rows
        .iter()
        .map(|row| (row.get("key"), view(row, &none)))
        .collect())
}

/// How many of the first rows have signals of at most `limit` bytes together; at least one.
fn within(rows: &[Row], limit: usize) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take_while(|row| {
        bytes += row
            .get::<_, Option<i32>>("raw_length")
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        bytes <= limit
    });
    fits.count().max(1).min(rows.len())
}

/// One alert.
pub async fn get(db: &Db, tenant: Tenant, id: i64) -> Result<Option<AlertView>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx.query(sql!("alert/get"), &[&tenant.id(), &id]).await?;
    tx.commit().await?;
    drop(connection);
    let raw = raw_of(db, tenant, &rows).await?;
    Ok(rows.first().map(|row| view(row, &raw)))
}

/// The signals of these alerts as they were received, by the alerts' ids; one batch is unpacked at a time.
async fn raw_of(db: &Db, tenant: Tenant, rows: &[Row]) -> Result<HashMap<i64, String>, DbError> {
    let mut places: BTreeMap<Uuid, Vec<(i64, usize, usize)>> = BTreeMap::new();
    for row in rows {
        let number = |column: &str| {
            row.get::<_, Option<i32>>(column)
                .and_then(|n| usize::try_from(n).ok())
        };
        if let (Some(batch), Some(offset), Some(length)) = (
            row.get::<_, Option<Uuid>>("batch_id"),
            number("raw_offset"),
            number("raw_length"),
        ) {
            places
                .entry(batch)
                .or_default()
                .push((row.get("id"), offset, length));
        }
    }
    // Rows of our own say it themselves.
    let own = |row: &Row| Some((row.get("id"), row.get::<_, Option<String>>("raw_json")?));
    let mut out: HashMap<i64, String> = rows.iter().filter_map(own).collect();
    if places.is_empty() {
        return Ok(out);
    }
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    for (batch, alerts) in places {
        let Some(row) = tx
            .query_opt(sql!("alert/get_body"), &[&tenant.id(), &batch])
            .await?
        else {
            continue;
        };
        let packed: Vec<u8> = row.get("body");
        let work = tokio::task::spawn_blocking(move || {
            let body = zstd::decode_all(packed.as_slice())?;
            let text = |from: usize, length: usize| {
                let slice = body.get(from..from.saturating_add(length))?;
                Some(String::from_utf8_lossy(slice).into_owned())
            };
            Ok::<_, std::io::Error>(
                alerts
                    .into_iter()
                    .filter_map(|(id, at, n)| Some((id, text(at, n)?)))
                    .collect::<Vec<_>>(),
            )
        });
        let found = work.await.map_err(|e| DbError::Internal(e.to_string()))?;
        out.extend(found.map_err(|e| DbError::Internal(format!("a stored batch does not unpack: {e}")))?);
    }
    tx.commit().await?;
    Ok(out)
}

fn view(row: &Row, raw: &HashMap<i64, String>) -> AlertView {
    let forwarded_at: Option<Timestamp> = row.get("forwarded_at");
    AlertView {
        id: row.get("id"),
        uuid: row.get("uuid"),
        machine_id: row.get("agent"),
        scenario: row.get("scenario"),
        scenario_hash: row.get("scenario_hash"),
        scenario_version: row.get("scenario_version"),
        message: row.get("message"),
        events_count: row.get("events_count"),
        capacity: row.get("capacity"),
        leakspeed: row.get("leakspeed"),
        start_at: row.get("start_text"),
        stop_at: row.get("stop_text"),
        created_at: row.get("created_text"),
        received_at: rfc3339_millis(row.get("received_at")),
        simulated: row.get("simulated"),
        remediation: row.get("remediation"),
        has_decisions: row.get("has_decisions"),
        replicated: row.get("replicated"),
        source_scope: row.get("source_scope"),
        source_value: row.get("source_value"),
        source_ip: row.get("source_ip"),
        source_range: row.get("source_range"),
        source_as_number: row.get("source_as_number"),
        source_as_name: row.get("source_as_name"),
        source_cn: row.get("source_cn"),
        geo_country_code: row.get("geo_country_code"),
        geo_country_name: row.get("geo_country_name"),
        geo_city: row.get("geo_city"),
        geo_region: row.get("geo_region"),
        geo_latitude: row.get("geo_latitude"),
        geo_longitude: row.get("geo_longitude"),
        geo_timezone: row.get("geo_timezone"),
        geo_isp: row.get("geo_isp"),
        geo_org: row.get("geo_org"),
        filtered: row.get("filtered"),
        filter_reasons: row.get("filter_reasons"),
        forwarded_to_capi: forwarded_at.is_some(),
        forwarded_at: forwarded_at.map(rfc3339_millis),
        local_audit: row.get("local_audit"),
        actor: row.get("actor"),
        raw_json: raw.get(&row.get::<_, i64>("id")).cloned(),
    }
}
