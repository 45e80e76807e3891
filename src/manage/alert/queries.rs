//! Alerts in the database.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::model::{AlertView, Filter, Page};
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::kernel::page::Position;
use crate::kernel::time::rfc3339_millis;

/// A page of alerts, and where the last of them stands.
pub async fn list(
    db: &Db,
    tenant: Tenant,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<AlertView>, Option<Position>), DbError> {
    let mut connection = db.connection().await?;
    let mut tx = db.tenant(&mut connection, tenant).await?;
    tx.plan_for_parameters();
    if let Some(than) = filter.newer_than {
        let row = tx
            .query_opt(sql!("alert/exists_newer"), &[&tenant.id(), &than])
            .await?;
        if !row.is_some_and(|row| row.get("newer")) {
            return Ok((Vec::new(), None));
        }
    }
    let (lo, hi) = (filter.ip.map(|b| b.lo()), filter.ip.map(|b| b.hi()));
    let single = filter.ip.filter(|b| b.lo() == b.hi()).map(|b| b.lo().to_string());
    let after = page.after.map(|p| (Timestamp::from_microsecond(p.at), p.id));
    let (at, id) = match after {
        Some((Ok(at), id)) => (Some(at), Some(id)),
        _ => (None, None),
    };
    let rows = tx
        .query(
            sql!("alert/list"),
            &[
                &tenant.id(),
                &filter.filtered,
                &filter.forwarded,
                &filter.scenario,
                &filter.country,
                &filter.agent,
                &lo,
                &hi,
                &single,
                &filter.since,
                &filter.until,
                &at,
                &id,
                &page.limit,
                &page.offset,
            ],
        )
        .await?;
    let bodies = if page.raw {
        Some(bodies(&tx, &rows).await?)
    } else {
        None
    };
    tx.commit().await?;
    drop(connection);
    let last = rows.last().map(|row| Position {
        at: row.get::<_, Timestamp>("received_at").as_microsecond(),
        id: row.get("id"),
    });
    Ok((rows.iter().map(|row| view(row, bodies.as_ref())).collect(), last))
}

/// One alert.
pub async fn get(db: &Db, tenant: Tenant, id: i64) -> Result<Option<AlertView>, DbError> {
    let mut connection = db.connection().await?;
    let mut tx = db.tenant(&mut connection, tenant).await?;
    tx.plan_for_parameters();
    let rows = tx.query(sql!("alert/get"), &[&tenant.id(), &id]).await?;
    let bodies = bodies(&tx, &rows).await?;
    tx.commit().await?;
    Ok(rows.first().map(|row| view(row, Some(&bodies))))
}

/// The bodies that these alerts point into, unpacked.
async fn bodies(tx: &TenantTx<'_>, rows: &[Row]) -> Result<HashMap<Uuid, Vec<u8>>, DbError> {
    let ids: BTreeSet<Uuid> = rows
        .iter()
        .filter_map(|row| row.get::<_, Option<Uuid>>("batch_id"))
        .collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let packed = tx
        .query(sql!("alert/list_bodies"), &[&tx.tenant().id(), &ids])
        .await?;
    let mut out = HashMap::with_capacity(packed.len());
    for row in packed {
        let body = zstd::decode_all(row.get::<_, &[u8]>("body"))
            .map_err(|e| DbError::Internal(format!("a stored batch does not unpack: {e}")))?;
        out.insert(row.get("id"), body);
    }
    Ok(out)
}

fn raw(row: &Row, bodies: &HashMap<Uuid, Vec<u8>>) -> Option<String> {
    // Rows of our own say it themselves.
    if let Some(own) = row.get("raw_json") {
        return Some(own);
    }
    let body = bodies.get(&row.get::<_, Option<Uuid>>("batch_id")?)?;
    let from = usize::try_from(row.get::<_, Option<i32>>("raw_offset")?).ok()?;
    let length = usize::try_from(row.get::<_, Option<i32>>("raw_length")?).ok()?;
    Some(String::from_utf8_lossy(body.get(from..from.checked_add(length)?)?).into_owned())
}

fn view(row: &Row, bodies: Option<&HashMap<Uuid, Vec<u8>>>) -> AlertView {
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
        raw_json: bodies.and_then(|bodies| raw(row, bodies)),
    }
}
