//! The tables, seen by their owner: emptied between cells, counted after them, and read to learn the very rows that
//! the service makes of a batch.

use anyhow::{Context as _, ensure};
use bytes::BytesMut;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

use crate::service::Place;

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// Columns of `alert` with the type of their values on the wire, without those that are new in every batch (`key`,
/// `uuid`, `batch_id`) and those that the table fills in by itself.
pub const ALERT: [(&str, &str); 35] = [
    ("raw_offset", "int"),
    ("raw_length", "int"),
    ("start_at", "timestamptz"),
    ("stop_at", "timestamptz"),
    ("events_count", "int"),
    ("capacity", "int"),
    ("forward_state", "smallint"),
    ("filtered", "boolean"),
    ("simulated", "boolean"),
    ("remediation", "boolean"),
    ("has_decisions", "boolean"),
    ("geo_latitude", "float8"),
    ("geo_longitude", "float8"),
    ("source_lo", "inet"),
    ("source_hi", "inet"),
    ("agent", "text"),
    ("scenario", "text"),
    ("scenario_hash", "text"),
    ("scenario_version", "text"),
    ("message", "text"),
    ("leakspeed", "text"),
    ("start_text", "text"),
    ("stop_text", "text"),
    ("created_text", "text"),
    ("source_scope", "text"),
    ("source_value", "text"),
    ("source_ip", "text"),
    ("source_range", "text"),
    ("source_as_number", "text"),
    ("source_as_name", "text"),
    ("source_cn", "text"),
    ("geo_country_code", "text"),
    // An array itself: it travels as text, as unnest would open it.
    ("filter_rules", "text"),
    ("filter_reasons", "text"),
    ("actor", "text"),
];

/// Columns of `alert_decision`, without the key.
pub const DECISION: [(&str, &str); 11] = [
    ("item", "int"),
    ("simulated", "boolean"),
    ("duration_ms", "bigint"),
    ("until", "timestamptz"),
    ("uuid", "text"),
    ("origin", "text"),
    ("type", "text"),
    ("scope", "text"),
    ("value", "text"),
    ("duration", "text"),
    ("scenario", "text"),
];

/// A value as Postgres sent it, to be sent back as it is.
#[derive(Debug)]
pub struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// What one batch became.
pub struct Rows {
    pub tenant: i32,
    pub machine: i64,
    pub version: i16,
    pub filtered: i32,
    pub body: Vec<u8>,
    /// In order, as the service inserts them.
    pub keys: Vec<Uuid>,
    pub alert: Vec<Raw>,
    /// For each decision, whose it is.
    pub owners: Vec<usize>,
    /// Empty when there are none.
    pub decision: Vec<Raw>,
}

/// A connection of the tables' owner, whom row-level security does not bind.
pub struct Store(Client);

/// Connects as the owner.
pub async fn connect(place: &Place) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(&place.database_url()?, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Store {
    pub async fn open(place: &Place) -> anyhow::Result<Self> {
        let store = Self(connect(place).await?);
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let row = store
                .0
                .query_one("SELECT current_setting($1)", &[&setting])
                .await?;
            ensure!(
                row.get::<_, String>(0) == "on",
                "{setting} is off: nothing to compare with"
            );
        }
        Ok(store)
    }

    pub async fn version(&self) -> anyhow::Result<String> {
        let row = self
            .0
            .query_one("SELECT current_setting('server_version')", &[])
            .await?;
        Ok(row.get(0))
    }

    /// Both sides start with empty tables and a finished checkpoint.
    pub async fn clear(&self) -> anyhow::Result<()> {
        let clear = "TRUNCATE alert, alert_decision, signal_batch, rejected_signal, outbox, decision, lapi_copy, \
             stat_delta, stat_total, stat_count, event";
        // A worker may be looking at the tables in another order: whoever loses the deadlock tries again.
        let mut left = 5;
        while let Err(e) = self.0.batch_execute(clear).await {
            left -= 1;
            ensure!(left > 0 && e.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED), e);
        }
        Ok(self.0.batch_execute("CHECKPOINT").await?)
    }

    /// Stored alerts and batches.
    pub async fn count(&self) -> anyhow::Result<(u64, u64)> {
        let sql = "SELECT (SELECT count(*) FROM alert), (SELECT count(*) FROM signal_batch)";
        let row = self.0.query_one(sql, &[]).await?;
        Ok((row.get::<_, i64>(0).try_into()?, row.get::<_, i64>(1).try_into()?))
    }

    /// The only batch that is stored.
    pub async fn read(&self) -> anyhow::Result<Rows> {
        let sql = "SELECT tenant_id, machine_id, api_version, filtered, body FROM signal_batch";
        let batch = self.0.query_one(sql, &[]).await?;
        let alert = self.columns("alert", &ALERT, "key").await?;
        let decision = self
            .columns("alert_decision", &DECISION, "alert_key, item")
            .await?;
        let keys: Vec<Uuid> = alert.get(0);
        let owners: Option<Vec<Uuid>> = decision.get(0);
        let owners: Option<Vec<usize>> = owners
            .unwrap_or_default()
            .iter()
            .map(|owner| keys.iter().position(|key| key == owner))
            .collect();
        let owners = owners.context("a decision without its alert")?;
        let all = |row: &Row, n: usize| (1..=n).map(|i| row.get(i)).collect();
        Ok(Rows {
            tenant: batch.get(0),
            machine: batch.get(1),
            version: batch.get(2),
            filtered: batch.get(3),
            body: batch.get(4),
            alert: all(&alert, ALERT.len()),
            decision: if owners.is_empty() {
                Vec::new()
            } else {
                all(&decision, DECISION.len())
            },
            keys,
            owners,
        })
    }

    /// A table's columns, each as one array; the key first.
    async fn columns(&self, table: &str, columns: &[(&str, &str)], order: &str) -> anyhow::Result<Row> {
        let key = order.split(',').next().unwrap_or(order);
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| format!("array_agg({name}::{kind} ORDER BY {order})"))
            .collect();
        let sql = format!(
            "SELECT array_agg({key} ORDER BY {order}), {} FROM {table}",
            columns.join(", ")
        );
        Ok(self.0.query_one(&sql, &[]).await?)
    }
}
