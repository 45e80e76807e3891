//! Passes over the alerts, a portion a transaction.

use jiff::Timestamp;
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::model::Row;
use crate::db::{Db, DbError, PlatformTx, Tenant, TenantTx, sql};
use crate::kernel::geo::{Place, address};
use crate::outbound::geoip::Files;

/// Alerts of one transaction.
const PORTION: i64 = 500;
/// What the files knew that every stored alert was looked up in, under this name.
const KNOWN: &str = "geoip";

/// Asks for a pass over a tenant's alerts.
///
/// # Errors
/// As the statement fails.
pub async fn request(
    db: &Db,
    tenant: Tenant,
    everything: bool,
    since: Option<Timestamp>,
) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    tx.execute(sql!("geoip/upsert"), &[&tenant.id(), &everything, &since])
        .await?;
    tx.commit().await
}

/// The same for every tenant.
///
/// # Errors
/// As the statement fails.
pub async fn request_all(db: &Db, everything: bool, since: Option<Timestamp>) -> Result<u64, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let tenants = tx
        .execute(sql!("platform/upsert_geo_passes"), &[&everything, &since])
        .await?;
    tx.commit().await?;
    Ok(tenants)
}

/// What every stored alert was looked up for, as [`set_known`] wrote it.
pub async fn get_known(db: &Db) -> Result<String, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("platform/get_fact"), &[&KNOWN]).await?;
    tx.commit().await?;
    Ok(row.map_or_else(String::new, |row| {
        String::from_utf8_lossy(row.get("value")).into_owned()
    }))
}

/// Writes that down; with a pass for every tenant where there is more than before, in one transaction.
pub async fn set_known(db: &Db, known: &str, more: bool) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    if more {
        tx.execute(sql!("platform/upsert_geo_passes"), &[&false, &None::<Timestamp>])
            .await?;
    }
    set(&tx, known.as_bytes()).await?;
    tx.commit().await
}

async fn set(tx: &PlatformTx<'_>, value: &[u8]) -> Result<(), DbError> {
    tx.execute(sql!("platform/insert_fact"), &[&KNOWN, &value])
        .await?;
    tx.execute(sql!("platform/update_fact"), &[&KNOWN, &value])
        .await?;
    Ok(())
}

/// Tenants with a pass under way.
pub async fn list_passes(db: &Db) -> Result<Vec<Tenant>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_geo_passes"), &[]).await?;
    tx.commit().await?;
    Ok(rows
        .iter()
        .map(|row| Tenant::proven(row.get("tenant_id")))
        .collect())
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more.
    More,
    /// That was the last one: alerts looked at, and changed.
    Last(i64, i64),
    /// Somebody else is at it, or nothing is to be done.
    Nothing,
}

/// The next portion of a tenant's pass, in one transaction with where it ends.
pub async fn step(db: &Db, tenant: Tenant, files: &Files) -> Result<Step, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let claimed = tx.query_opt(sql!("geoip/claim"), &[&tenant.id()]).await?;
    if !claimed.is_some_and(|row| row.get("claimed")) {
        return Ok(Step::Nothing);
    }
    let Some(pass) = tx.query_opt(sql!("geoip/get"), &[&tenant.id()]).await? else {
        return Ok(Step::Nothing);
    };
    let everything: bool = pass.get("everything");
    let since: Option<Timestamp> = pass.get("since");
    let before: (Timestamp, i64) = (pass.get("before_at"), pass.get("before_id"));
    let rows = tx
        .query(
            sql!("geoip/list"),
            &[&tenant.id(), &before.0, &before.1, &since, &PORTION],
        )
        .await?;
    let new: Vec<Row> = rows
        .iter()
        .map(row)
        .filter_map(|row| {
            let at = address(row.ip.as_deref(), row.value.as_deref())?;
            row.anew(&files.place(at)?, everything)
        })
        .collect();
    let changed = if new.is_empty() {
        0
    } else {
        update_places(&tx, new).await?
    };
    let next = rows
        .last()
        .map_or(before, |last| (last.get("received_at"), last.get("id")));
    let examined = i64::try_from(rows.len()).unwrap_or(PORTION);
    let last = examined < PORTION;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&tenant.id(), &next.0, &next.1, &examined, &changed, &last];
    let done = tx.query_opt(sql!("geoip/update_cursor"), &params).await?;
    tx.commit().await?;
    Ok(match done {
        Some(done) if last => Step::Last(done.get("examined"), done.get("changed")),
        Some(_) => Step::More,
        None => Step::Nothing,
    })
}

fn row(row: &SqlRow) -> Row {
    Row {
        key: row.get("key"),
        ip: row.get("source_ip"),
        value: row.get("source_value"),
        cn: row.get("source_cn"),
        as_number: row.get("source_as_number"),
        as_name: row.get("source_as_name"),
        known: Place {
            country_code: row.get("geo_country_code"),
            country_name: row.get("geo_country_name"),
            city: row.get("geo_city"),
            region: row.get("geo_region"),
            latitude: row.get("geo_latitude"),
            longitude: row.get("geo_longitude"),
            timezone: row.get("geo_timezone"),
            isp: row.get("geo_isp"),
            org: row.get("geo_org"),
            as_number: None,
            as_name: None,
        },
    }
}

/// The new columns of the rows, column by column: the statement takes arrays.
#[derive(Default)]
struct Columns {
    key: Vec<Uuid>,
    as_number: Vec<Option<String>>,
    as_name: Vec<Option<String>>,
    country_code: Vec<Option<String>>,
    country_name: Vec<Option<String>>,
    city: Vec<Option<String>>,
    region: Vec<Option<String>>,
    latitude: Vec<Option<f64>>,
    longitude: Vec<Option<f64>>,
    timezone: Vec<Option<String>>,
    isp: Vec<Option<String>>,
    org: Vec<Option<String>>,
}

async fn update_places(tx: &TenantTx<'_>, rows: Vec<Row>) -> Result<i64, DbError> {
    let mut c = Columns::default();
    for row in rows {
        c.key.push(row.key);
        c.as_number.push(row.as_number);
        c.as_name.push(row.as_name);
        c.country_code.push(row.known.country_code);
        c.country_name.push(row.known.country_name);
        c.city.push(row.known.city);
        c.region.push(row.known.region);
        c.latitude.push(row.known.latitude);
        c.longitude.push(row.known.longitude);
        c.timezone.push(row.known.timezone);
        c.isp.push(row.known.isp);
        c.org.push(row.known.org);
    }
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 13] = [
        &tx.tenant().id(),
        &c.key,
        &c.as_number,
        &c.as_name,
        &c.country_code,
        &c.country_name,
        &c.city,
        &c.region,
        &c.latitude,
        &c.longitude,
        &c.timezone,
        &c.isp,
        &c.org,
    ];
    let changed = tx.execute(sql!("geoip/update_places"), &params).await?;
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}
