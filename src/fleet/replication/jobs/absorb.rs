//! One turn of taking up what engines signalled, and of clearing what ended.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Stop, TERM, ended};
use crate::app::App;
use crate::db::TenantTx;
use crate::fleet::decision::{self, Claim, Fact, Source, announce, is_local, protected};
use crate::fleet::replication::queries::{self, Origin, Signalled};
use crate::jobs::{LaneWork, Lease, Outcome, finish, hold};
use crate::kernel::net::Block;

/// How often what ended is cleared.
const EVERY: Duration = Duration::from_mins(1);
/// Longest turn before other lanes get theirs.
const TURN: Duration = Duration::from_secs(5);
/// Rows of the log that are taken up together.
const ROWS: i64 = 20;
/// Decisions that are taken up together: a signal has at most 25,000, and fifty signals are a row of the log.
const MOST: usize = 25_000;
/// Alerts that are taken up together when the set begins.
const ALERTS: i64 = 1000;

/// Brings the decisions of signals into the set.
pub struct Absorb {
    /// The replica's state.
    pub app: App,
}

impl LaneWork for Absorb {
    fn topic(&self) -> i16 {
        4
    }

    fn work<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.turn(lease.clone()).await {
                Ok(outcome) => outcome,
                Err(stop) => ended(lease, stop),
            }
        })
    }
}

impl Absorb {
    async fn turn(&self, mut lease: Lease) -> Result<Outcome, Stop> {
        let begun = Instant::now();
        let db = &self.app.db;
        while queries::delete_expired(db, lease.tenant).await? > 0 {
            if begun.elapsed() > TURN {
                break;
            }
        }
        self.begin(&lease).await?;
        let mut portion = if lease.failures > 0 { 1 } else { ROWS };
        loop {
            let entries = queries::list(db, &lease, portion).await?;
            let Some((last, _)) = entries.last() else { break };
            let last = last.clone();
            let alerts: Vec<Uuid> = entries.into_iter().flat_map(|(_, keys)| keys).collect();
            let mut connection = db.connection().await?;
            let tx = db.planned(&mut connection, lease.tenant).await?;
            if !take_up(&tx, &alerts, &self.app.settings.own_addresses, portion == 1).await? {
                // Nothing is committed.
                portion = 1;
                continue;
            }
            // Last: whoever wakes the lanes of all tenants waits for this row.
            if !finish(&tx, &lease, &last).await? {
                return Err(Stop::Lost);
            }
            tx.commit().await?;
            self.app.outbox.notify_one();
            lease.cursor = last;
            if begun.elapsed() > TURN {
                return Ok(Outcome::More);
            }
        }
        Ok(Outcome::Rest {
            drained: true,
            pause: EVERY,
        })
    }

    /// What was signalled before the set was kept.
    async fn begin(&self, lease: &Lease) -> Result<(), Stop> {
        let db = &self.app.db;
        let mut after = Uuid::nil();
        let mut most = if lease.failures > 0 { 1 } else { ALERTS };
        loop {
            let mut connection = db.connection().await?;
            let tx = db.planned(&mut connection, lease.tenant).await?;
            if after.is_nil() && queries::is_complete(&tx).await? {
                return Ok(tx.commit().await?);
            }
            let alerts = queries::list_signalled_after(&tx, after, most).await?;
            match alerts.last() {
                Some(last) => {
                    if !take_up(&tx, &alerts, &self.app.settings.own_addresses, most == 1).await? {
                        most = 1;
                        continue;
                    }
                    after = *last;
                    most = ALERTS;
                }
                None => queries::update_complete(&tx).await?,
            }
            if !hold(&tx, lease, TERM).await? {
                return Err(Stop::Lost);
            }
            tx.commit().await?;
            if alerts.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Takes up the decisions of these alerts. Where they are too many for one go, those of half of the alerts at a time
/// when `split`, else nothing at all: false.
async fn take_up(tx: &TenantTx<'_>, alerts: &[Uuid], ours: &[Block], split: bool) -> Result<bool, Stop> {
    let mut known = None;
    let mut parts = vec![alerts];
    while let Some(part) = parts.pop() {
        let signalled = queries::list_signalled(tx, part, MOST + 1).await?;
        if signalled.len() > MOST && part.len() > 1 {
            if !split {
                return Ok(false);
            }
            let (one, other) = part.split_at(part.len() / 2);
            parts.extend([one, other]);
            continue;
        }
        if signalled.is_empty() {
            continue;
        }
        if known.is_none() {
            known = Some(Known::of(queries::list_sources(tx).await?));
        }
        let claims: Vec<Claim> = signalled
            .into_iter()
            .filter_map(|s| claim(s, known.as_ref()?, ours))
            .collect();
        let changed = decision::upsert(tx, &claims).await?;
        announce(tx, &changed, false).await?;
    }
    Ok(true)
}

/// Which engine and which agent stand for which server.
struct Known {
    servers: Vec<Origin>,
    by_engine: HashMap<i64, usize>,
    by_agent: HashMap<String, usize>,
}

impl Known {
    fn of(servers: Vec<Origin>) -> Self {
        let (mut by_engine, mut by_agent) = (HashMap::new(), HashMap::new());
        for (n, server) in servers.iter().enumerate() {
            by_engine.extend(server.engine.map(|engine| (engine, n)));
            by_agent.extend(server.agents.iter().map(|agent| (agent.clone(), n)));
        }
        Self {
            servers,
            by_engine,
            by_agent,
        }
    }

    /// The server that a signal comes from: by the engine that was authenticated, else by its agent's name.
    fn server(&self, machine: i64, agent: Option<&str>) -> Option<&Origin> {
        if let Some(n) = self.by_engine.get(&machine) {
            return self.servers.get(*n);
        }
        // Any engine can name any agent: of a server that is known to be another engine it says nothing.
        let named = self.servers.get(*self.by_agent.get(agent?)?)?;
        named.engine.is_none().then_some(named)
    }

    /// Whether it was Garrison itself that made the server raise it: under our own login there.
    fn is_ours(&self, machine: i64, agent: Option<&str>) -> bool {
        let fits = |server: &Origin| {
            server.login.as_deref() == agent && server.engine.is_none_or(|engine| engine == machine)
        };
        agent.is_some() && self.servers.iter().any(fits)
    }
}

/// What a signalled decision says for the set; none when it is nobody's own, is told by a stream that is read, or may
/// not be banned.
fn claim(signalled: Signalled, known: &Known, ours: &[Block]) -> Option<Claim> {
    let agent = signalled.agent.as_deref();
    let origin = signalled.origin.unwrap_or_default();
    if !is_local(&origin) || known.is_ours(signalled.machine, agent) {
        return None;
    }
    let source = match known.server(signalled.machine, agent) {
        Some(server) if server.is_read => return None,
        Some(server) => Source::Server(server.server),
        None => Source::Signal(signalled.machine),
    };
    let fact = Fact::read(&signalled.scope, &signalled.value, &signalled.kind)?;
    if fact.block.is_some_and(|block| protected(&block, ours).is_some()) {
        metrics::counter!("garrison_decisions_protected_total").increment(1);
        return None;
    }
    Some(Claim {
        fact,
        source,
        origin,
        scenario: signalled.scenario,
        until: signalled.until,
        uuid: signalled.uuid,
    })
}

#[cfg(test)]
mod tests;
