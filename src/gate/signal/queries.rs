//! One statement stores a whole batch.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::model::{Decision, Forward, OwnLogin, Rejection, Signal};
use crate::db::{Db, DbError, Tenant, sql};
use crate::gate::filter::model::{Geo, Verdict};
use crate::http::Machine;

/// How long the tenant's own logins are believed.
const BELIEVED: Duration = Duration::from_secs(3);

/// What is to be stored of a batch, column by column: the statement takes arrays.
#[derive(Default)]
pub struct Columns {
    key: Vec<Uuid>,
    raw_offset: Vec<i32>,
    raw_length: Vec<i32>,
    start_at: Vec<Option<Timestamp>>,
    stop_at: Vec<Option<Timestamp>>,
    events_count: Vec<Option<i32>>,
    capacity: Vec<Option<i32>>,
    forward_state: Vec<i16>,
    filtered: Vec<bool>,
    simulated: Vec<Option<bool>>,
    remediation: Vec<Option<bool>>,
    has_decisions: Vec<bool>,
    latitude: Vec<Option<f64>>,
    longitude: Vec<Option<f64>>,
    lo: Vec<Option<IpAddr>>,
    hi: Vec<Option<IpAddr>>,
    uuid: Vec<Option<String>>,
    agent: Vec<Option<String>>,
    scenario: Vec<String>,
    scenario_hash: Vec<Option<String>>,
    scenario_version: Vec<Option<String>>,
    message: Vec<Option<String>>,
    leakspeed: Vec<Option<String>>,
    start_text: Vec<Option<String>>,
    stop_text: Vec<Option<String>>,
    created_text: Vec<Option<String>>,
    scope: Vec<String>,
    value: Vec<String>,
    ip: Vec<Option<String>>,
    range: Vec<Option<String>>,
    as_number: Vec<Option<String>>,
    as_name: Vec<Option<String>>,
    cn: Vec<Option<String>>,
    country: Vec<Option<String>>,
    rules: Vec<Option<String>>,
    reasons: Vec<Option<String>>,
    actor: Vec<Option<String>>,
    places: Places,
    decided: Decided,
    unread: Unread,
}

/// What files told. Without one nothing is in here, and these columns are not even sent.
#[derive(Default)]
struct Places {
    country_name: Vec<Option<String>>,
    city: Vec<Option<String>>,
    region: Vec<Option<String>>,
    timezone: Vec<Option<String>>,
    isp: Vec<Option<String>>,
    org: Vec<Option<String>>,
}

#[derive(Default)]
struct Decided {
    key: Vec<Uuid>,
    item: Vec<i32>,
    simulated: Vec<Option<bool>>,
    duration_ms: Vec<Option<i64>>,
    until: Vec<Option<Timestamp>>,
    uuid: Vec<Option<String>>,
    origin: Vec<Option<String>>,
    kind: Vec<String>,
    scope: Vec<String>,
    value: Vec<String>,
    duration: Vec<Option<String>>,
    scenario: Vec<Option<String>>,
}

#[derive(Default)]
struct Unread {
    item: Vec<i32>,
    field: Vec<String>,
    reason: Vec<String>,
    raw_offset: Vec<i32>,
    raw_length: Vec<i32>,
}

/// Offsets and lengths inside a body, which is far smaller than two gigabytes.
fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl Columns {
    /// Adds an alert.
    pub fn push(
        &mut self,
        key: Uuid,
        (offset, length): (usize, usize),
        mut signal: Signal,
        verdict: &Verdict,
        forward: Forward,
    ) {
        self.has_decisions.push(!signal.decisions.is_empty());
        for (item, decision) in signal.decisions.into_iter().enumerate() {
            self.decided.push(key, int(item), decision);
        }
        self.key.push(key);
        self.raw_offset.push(int(offset));
        self.raw_length.push(int(length));
        self.start_at.push(signal.start_at);
        self.stop_at.push(signal.stop_at);
        self.events_count.push(signal.events_count);
        self.capacity.push(signal.capacity);
        self.forward_state.push(forward.code());
        self.filtered.push(verdict.filtered);
        self.simulated.push(signal.simulated);
        self.remediation.push(signal.remediation);
        self.latitude.push(signal.geo.latitude);
        self.longitude.push(signal.geo.longitude);
        self.country.push(signal.geo.country_code.take());
        self.lo.push(signal.lo);
        self.hi.push(signal.hi);
        self.uuid.push(signal.uuid);
        self.agent.push(signal.agent);
        self.scenario.push(signal.scenario);
        self.scenario_hash.push(signal.scenario_hash);
        self.scenario_version.push(signal.scenario_version);
        self.message.push(signal.message);
        self.leakspeed.push(signal.leakspeed);
        self.start_text.push(signal.start_text);
        self.stop_text.push(signal.stop_text);
        self.created_text.push(signal.created_text);
        self.scope.push(signal.scope);
        self.value.push(signal.value);
        self.ip.push(signal.ip);
        self.range.push(signal.range);
        self.as_number.push(signal.as_number);
        self.as_name.push(signal.as_name);
        self.cn.push(signal.cn);
        let at = self.key.len() - 1;
        self.places.push(at, signal.geo);
        self.actor.push(signal.actor);
        let matched = !verdict.rule_ids.is_empty();
        let rules: Vec<_> = verdict.rule_ids.iter().map(i64::to_string).collect();
        self.rules
            .push(matched.then(|| format!("{{{}}}", rules.join(","))));
        self.reasons.push(matched.then(|| {
            serde_json::json!(verdict.reasons)
                .to_string()
                .replace("\\u0000", "")
        }));
    }

    /// Adds an item that is no alert.
    pub fn reject(&mut self, item: usize, (offset, length): (usize, usize), rejection: &Rejection) {
        let unread = &mut self.unread;
        unread.item.push(int(item));
        unread.field.push(rejection.field.replace('\0', ""));
        unread.reason.push(rejection.reason.replace('\0', ""));
        unread.raw_offset.push(int(offset));
        unread.raw_length.push(int(length));
    }
}

impl Places {
    /// An array that ends early is filled up with nulls by `unnest`, so one begins with the first value that it has.
    fn push(&mut self, at: usize, geo: Geo) {
        let columns = [
            (&mut self.country_name, geo.country_name),
            (&mut self.city, geo.city),
            (&mut self.region, geo.region),
            (&mut self.timezone, geo.timezone),
            (&mut self.isp, geo.isp),
            (&mut self.org, geo.org),
        ];
        for (column, value) in columns {
            if value.is_some() {
                column.resize(at, None);
                column.push(value);
            }
        }
    }
}

impl Decided {
    fn push(&mut self, key: Uuid, item: i32, decision: Decision) {
        self.key.push(key);
        self.item.push(item);
        self.simulated.push(decision.simulated);
        self.duration_ms.push(decision.duration_ms);
        self.until.push(decision.until);
        self.uuid.push(decision.uuid);
        self.origin.push(decision.origin);
        self.kind.push(decision.kind);
        self.scope.push(decision.scope);
        self.value.push(decision.value);
        self.duration.push(decision.duration);
        self.scenario.push(decision.scenario);
    }
}

/// A batch as it came.
pub struct Batch {
    /// Our number for it: the time of its receipt leads.
    pub id: Uuid,
    /// 2 or 3.
    pub version: u8,
    /// Items it held.
    pub received: usize,
    /// Items that are no alerts.
    pub rejected: usize,
    /// Bytes of its body, unpacked.
    pub bytes: usize,
    /// Its body, zstd.
    pub body: Vec<u8>,
    /// What is to be stored of it.
    pub columns: Columns,
}

/// What became of the items that could be read.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    pub stored: i32,
    pub duplicate: i32,
    pub filtered: i32,
}

/// Stores a batch in one transaction of three round trips: begin; tenant and statement; commit.
pub async fn insert(db: &Db, machine: &Machine, batch: &Batch) -> Result<Receipt, DbError> {
    let tenant = machine.tenant.id();
    let (version, received, rejected) = (i16::from(batch.version), int(batch.received), int(batch.rejected));
    let (c, d, u) = (&batch.columns, &batch.columns.decided, &batch.columns.unread);
    let p = &c.places;
    let bytes = i64::try_from(batch.bytes).unwrap_or(i64::MAX);
    let params: [&(dyn ToSql + Sync); 69] = [
        &tenant,
        &machine.id,
        &batch.id,
        &version,
        &received,
        &rejected,
        &batch.body,
        &c.key,
        &c.raw_offset,
        &c.raw_length,
        &c.start_at,
        &c.stop_at,
        &c.events_count,
        &c.capacity,
        &c.forward_state,
        &c.filtered,
        &c.simulated,
        &c.remediation,
        &c.has_decisions,
        &c.latitude,
        &c.longitude,
        &c.lo,
        &c.hi,
        &c.uuid,
        &c.agent,
        &c.scenario,
        &c.scenario_hash,
        &c.scenario_version,
        &c.message,
        &c.leakspeed,
        &c.start_text,
        &c.stop_text,
        &c.created_text,
        &c.scope,
        &c.value,
        &c.ip,
        &c.range,
        &c.as_number,
        &c.as_name,
        &c.cn,
        &c.country,
        &c.rules,
        &c.reasons,
        &c.actor,
        &d.key,
        &d.item,
        &d.simulated,
        &d.duration_ms,
        &d.until,
        &d.uuid,
        &d.origin,
        &d.kind,
        &d.scope,
        &d.value,
        &d.duration,
        &d.scenario,
        &u.item,
        &u.field,
        &u.reason,
        &u.raw_offset,
        &u.raw_length,
        &machine.keeps_decisions,
        &p.country_name,
        &p.city,
        &p.region,
        &p.timezone,
        &p.isp,
        &p.org,
        &bytes,
    ];
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, machine.tenant).await?;
    let row = tx.query_opt(sql!("signal/insert"), &params).await?;
    let row = row.ok_or_else(|| DbError::Internal("a batch left no receipt".to_owned()))?;
    let receipt = Receipt {
        stored: row.get("stored"),
        duplicate: row.get("duplicate"),
        filtered: row.get("filtered"),
    };
    tx.commit().await?;
    Ok(receipt)
}

/// What Garrison is called on the tenants' LAPI servers, believed for three seconds.
#[derive(Clone)]
pub struct OwnLogins(Cache<Tenant, Arc<[OwnLogin]>>);

impl Default for OwnLogins {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(10_000).time_to_live(BELIEVED);
        Self(cache.build())
    }
}

impl OwnLogins {
    /// This tenant's.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn of(&self, db: &Db, tenant: Tenant) -> Result<Arc<[OwnLogin]>, DbError> {
        let found = self.0.try_get_with(tenant, list_own_logins(db, tenant)).await;
        found.map_err(|e| match &*e {
            DbError::Internal(cause) => DbError::Internal(cause.clone()),
            other => DbError::Unavailable(other.to_string()),
        })
    }
}

async fn list_own_logins(db: &Db, tenant: Tenant) -> Result<Arc<[OwnLogin]>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx.query(sql!("signal/list_own_logins"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let own = rows.iter().map(|row| OwnLogin {
        login: row.get("login"),
        engine: row.get("engine"),
    });
    Ok(own.collect())
}
