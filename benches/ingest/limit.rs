//! The limit: the same rows by bare SQL, the way one would load them who need not ask who sends what.
//!
//! One transaction a batch, in one round trip: BEGIN, a multi-row INSERT of the alerts, one of their decisions, the
//! batch with its packed body, COMMIT, all prepared and pipelined, as the tables' owner. Keys and uuids are new
//! each time; everything else is sent as the service stored it, ready in Postgres' own binary form. So it does *not*
//! speak HTTP, unpack, parse, judge, hash, compress or log in, has no row-level security, finds no duplicates and
//! counts nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::future::join5;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::load::Worker;
use crate::rows::{self, ALERT, DECISION, Rows};
use crate::service::Place;
use crate::signals::uuid_text;

struct Loader {
    client: Client,
    alert: Statement,
    decision: Statement,
    batch: Statement,
    rows: Arc<Vec<Rows>>,
    next: usize,
}

/// A connection to Postgres for each.
pub async fn workers(
    place: &Place,
    connections: usize,
    rows: &Arc<Vec<Rows>>,
) -> anyhow::Result<Vec<impl Worker + use<>>> {
    let mut workers = Vec::new();
    for next in 0..connections {
        let client = rows::connect(place).await?;
        workers.push(Loader {
            alert: client.prepare(&insert_alerts()).await?,
            decision: client.prepare(&insert_decisions()).await?,
            batch: client.prepare(INSERT_BATCH).await?,
            client,
            rows: rows.clone(),
            next,
        });
    }
    Ok(workers)
}

const INSERT_BATCH: &str = "INSERT INTO signal_batch (tenant_id, id, machine_id, api_version, received, stored, duplicate, rejected, filtered, body) \
     VALUES ($1, $2, $3, $4, $5, $5, 0, 0, $6, $7)";

fn insert_alerts() -> String {
    let (names, values, arrays) = parts(&ALERT, 6);
    format!(
        "INSERT INTO alert (tenant_id, machine_id, batch_id, key, uuid, {names}) \
         SELECT $1, $2, $3, s.key, s.uuid, {values} \
         FROM unnest($4::uuid[], $5::text[], {arrays}) AS s(key, uuid, {names})"
    )
}

fn insert_decisions() -> String {
    let (names, values, arrays) = parts(&DECISION, 3);
    format!(
        "INSERT INTO alert_decision (tenant_id, alert_key, {names}) \
         SELECT $1, s.alert_key, {values} FROM unnest($2::uuid[], {arrays}) AS s(alert_key, {names})"
    )
}

/// The columns' names, their values, and their arrays, whose parameters begin with number `first`.
fn parts(columns: &[(&str, &str)], first: usize) -> (String, String, String) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values = names.iter().map(|name| match *name {
        "filter_rules" => "s.filter_rules::bigint[]".to_owned(),
        name => format!("s.{name}"),
    });
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(n, (_, kind))| format!("${}::{kind}[]", first + n));
    (
        names.join(", "),
        values.collect::<Vec<_>>().join(", "),
        arrays.collect::<Vec<_>>().join(", "),
    )
}

type Params<'a> = Vec<&'a (dyn ToSql + Sync)>;

impl Worker for Loader {
    async fn once(&mut self) -> anyhow::Result<(usize, Duration)> {
        let rows = &self.rows[self.next % self.rows.len()];
        self.next += 1;
        let id = Uuid::now_v7();
        let keys: Vec<Uuid> = rows.keys.iter().map(|key| fresh(*key)).collect();
        let uuids: Vec<String> = keys.iter().map(|_| uuid_text()).collect();
        let owners: Vec<Uuid> = rows.owners.iter().map(|owner| keys[*owner]).collect();
        let count = i32::try_from(keys.len())?;

        let mut alert: Params<'_> = vec![&rows.tenant, &rows.machine, &id, &keys, &uuids];
        alert.extend(rows.alert.iter().map(|raw| raw as &(dyn ToSql + Sync)));
        let mut decision: Params<'_> = vec![&rows.tenant, &owners];
        decision.extend(rows.decision.iter().map(|raw| raw as &(dyn ToSql + Sync)));
        let batch: Params<'_> = vec![
            &rows.tenant,
            &id,
            &rows.machine,
            &rows.version,
            &count,
            &rows.filtered,
            &rows.body,
        ];
        let decide = async {
            if owners.is_empty() {
                return Ok(0);
            }
            self.client.execute(&self.decision, &decision).await
        };

        let begun = Instant::now();
        // The driver sends in the order of first polls, and this polls in order.
        let (opened, alerts, decisions, receipt, commit) = join5(
            self.client.batch_execute("BEGIN"),
            self.client.execute(&self.alert, &alert),
            decide,
            self.client.execute(&self.batch, &batch),
            self.client.batch_execute("COMMIT"),
        )
        .await;
        let took = begun.elapsed();
        opened?;
        ensure!(
            (alerts?, decisions?, receipt?) == (keys.len() as u64, owners.len() as u64, 1),
            "not all rows were stored"
        );
        commit?;
        Ok((keys.len(), took))
    }
}

/// The same instant, another alert: the form of the service's own keys.
fn fresh(key: Uuid) -> Uuid {
    let mut bytes: [u8; 16] = rand::random();
    bytes[..6].copy_from_slice(&key.as_bytes()[..6]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Uuid::from_bytes(bytes)
}
