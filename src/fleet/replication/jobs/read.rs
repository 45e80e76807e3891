//! One turn of reading a LAPI server's own decisions.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Stop, TERM, ended};
use crate::app::App;
use crate::db::DbError;
use crate::fleet::decision::{
    self, Claim, Fact, Source, announce, delete_said, delete_unsaid, is_local, protected,
};
use crate::fleet::lapi;
use crate::fleet::replication::queries::{self, Sync};
use crate::jobs::{LaneWork, Lease, Outcome, hold, hurry};
use crate::kernel::net::Block;
use crate::outbound::lapi::{Held, LapiError, Streamed};

/// How often a stream is read. Well below a minute: a search with the same key moves the server's mark of what it told us
/// only when the last look is a minute old (crowdsec-protocol.md 2.4).
const EVERY: Duration = Duration::from_secs(10);
/// Seconds after which the mark cannot be trusted any more.
const TRUSTED: f64 = 45.0;
/// Seconds after which everything is read anew.
const WHOLE: f64 = 900.0;
/// Seconds between signs of life.
const ALIVE: f64 = 30.0;

/// Brings the servers' own decisions into the set.
pub struct Read {
    /// The replica's state.
    pub app: App,
}

impl LaneWork for Read {
    fn topic(&self) -> i16 {
        3
    }

    fn work<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.turn(lease).await {
                Ok(outcome) => outcome,
                Err(stop) => ended(lease, stop),
            }
        })
    }
}

/// Whether everything has to be read: what was told since the last look that was taken over may be lost.
fn is_whole(sync: &Sync, failures: i32, fresh: bool) -> bool {
    let old = |age: Option<f64>, most: f64| age.is_none_or(|age| age > most);
    fresh || failures > 0 || sync.read_open || old(sync.read, TRUSTED) || old(sync.full, WHOLE)
}

impl Read {
    async fn turn(&self, lease: &Lease) -> Result<Outcome, Stop> {
        let (app, tenant) = (&self.app, lease.tenant);
        let server = lapi::get_by_id(&app.db, tenant, lease.subject).await?;
        let sync = queries::get_sync(&app.db, tenant, lease.subject).await?;
        let (Some(server), Some(sync)) = (server, sync) else {
            return Ok(Outcome::Drained);
        };
        let target = server
            .target(&app.ring, tenant.id())
            .map_err(|e| DbError::Internal(format!("LAPI server {}: {e}", server.id)))?;
        let (mut lives, mut refused) = (false, None);
        if target.machine.is_some() && sync.session.is_none_or(|age| age > ALIVE) {
            match app.lapis.heartbeat(&target).await {
                Ok(()) => lives = true,
                // The key may be good all the same.
                Err(e @ (LapiError::LoginRefused | LapiError::Status(_))) => refused = Some(e),
                Err(e) => return Err(e.into()),
            }
        }
        // Told to whoever asks first: here or after writing.
        let fresh = app.lapis.has_begun(&target).await;
        self.open(lease).await?;
        let mut whole = is_whole(&sync, lease.failures, fresh);
        let mut told = app.lapis.stream(&target, whole).await?;
        if !whole && self.is_surprising(lease, &told).await? {
            // Something ended before its time: lifted, or only one of several. All that holds tells which.
            whole = true;
            told = app.lapis.stream(&target, true).await?;
        }
        let trouble = fresh || lease.failures > 0;
        self.take_over(lease, &told, whole, lives, trouble).await?;
        match refused {
            Some(e) => Err(e.into()),
            None => Ok(Outcome::Rest {
                drained: true,
                pause: EVERY,
            }),
        }
    }

    async fn open(&self, lease: &Lease) -> Result<(), Stop> {
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, lease.tenant).await?;
        if !hold(&tx, lease, TERM.max(Duration::from_secs(70))).await? {
            return Err(Stop::Lost);
        }
        queries::update_read_open(&tx, lease.subject).await?;
        Ok(tx.commit().await?)
    }

    async fn is_surprising(&self, lease: &Lease, told: &Streamed) -> Result<bool, Stop> {
        let mut ended: Vec<Uuid> = keys(&told.deleted).into_iter().map(|(key, _)| key).collect();
        ended.extend(of_all(told));
        if ended.is_empty() {
            return Ok(false);
        }
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, lease.tenant).await?;
        let early = queries::count_early(&tx, lease.subject, &ended).await?;
        tx.commit().await?;
        Ok(early > 0)
    }

    async fn take_over(
        &self,
        lease: &Lease,
        told: &Streamed,
        whole: bool,
        lives: bool,
        trouble: bool,
    ) -> Result<(), Stop> {
        let source = Source::Server(lease.subject);
        let claims = claims(source, &told.new, &self.app.settings.own_addresses);
        let named: Vec<(Uuid, String)> = claims
            .iter()
            .filter_map(|c| Some((c.fact.key(), c.uuid.clone().filter(|uuid| is_name(uuid))?)))
            .collect();
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, lease.tenant).await?;
        let mut changed = if whole {
            let said: Vec<(Uuid, String)> = claims.iter().map(|c| (c.fact.key(), c.origin.clone())).collect();
            let foreign = told.new.iter().filter(|held| !is_local(&held.told.origin));
            let foreign: Vec<Held> = foreign.cloned().collect();
            let mut hidden: Vec<Uuid> = keys(&foreign).into_iter().map(|(key, _)| key).collect();
            hidden.extend(of_all(told));
            delete_unsaid(&tx, source, &said, &hidden).await?
        } else {
            delete_said(&tx, source, &keys(&told.deleted)).await?
        };
        changed.extend(decision::upsert(&tx, &claims).await?);
        changed.extend(queries::update_machine(&tx, lease.subject, &named).await?);
        announce(&tx, &changed, false).await?;
        if !changed.is_empty() {
            // What an allowlist covers is to be lifted where it was decided, whether that server replicates or not.
            hurry_own(&tx, lease, &changed).await?;
        }
        // Decisions, then lanes, then the flags, as the writer does: locks in one order do not wait for each other in a
        // circle. And a writer that is about to close its turn must see that its lane was made due.
        if trouble {
            hurry(&tx, 2, lease.subject).await?;
        }
        if !hold(&tx, lease, TERM).await? {
            return Err(Stop::Lost);
        }
        queries::update_read(&tx, lease.subject, whole, lives, trouble).await?;
        tx.commit().await?;
        if !changed.is_empty() {
            self.app.outbox.notify_one();
        }
        Ok(())
    }
}

/// Whether it can tell one decision from all others: what is empty or made up cannot tell which engine a server is.
fn is_name(uuid: &str) -> bool {
    Uuid::try_parse(uuid).is_ok_and(|uuid| !uuid.is_nil() && !uuid.is_max())
}

async fn hurry_own(tx: &crate::db::TenantTx<'_>, lease: &Lease, changed: &[Uuid]) -> Result<(), Stop> {
    if queries::count_lifts(tx, lease.subject, changed).await? > 0 {
        announce(tx, changed, true).await?;
    }
    Ok(())
}

/// The facts and origins that are told of.
fn keys(told: &[Held]) -> Vec<(Uuid, String)> {
    let key = |held: &Held| {
        let told = &held.told;
        let fact = Fact::read(&told.scope, &told.value, &told.kind)?;
        Some((fact.key(), told.origin.clone()))
    };
    told.iter().filter_map(key).collect()
}

/// What CAPI and lists speak of.
fn of_all(told: &Streamed) -> Vec<Uuid> {
    let key = |(scope, value, kind): &(String, String, String)| Some(Fact::read(scope, value, kind)?.key());
    told.of_all.iter().filter_map(key).collect()
}

/// What of a stream is the server's own, concerns others, and may be banned at all.
fn claims(source: Source, told: &[Held], ours: &[Block]) -> Vec<Claim> {
    let soon = Timestamp::now() + SignedDuration::from_secs(1);
    let claim = |held: &Held| {
        let told = &held.told;
        if !is_local(&told.origin) || told.simulated == Some(true) || held.until < soon {
            return None;
        }
        let fact = Fact::read(&told.scope, &told.value, &told.kind)?;
        if let Some(why) = fact.block.and_then(|block| protected(&block, ours)) {
            metrics::counter!("garrison_decisions_protected_total").increment(1);
            tracing::debug!(value = fact.value, why, "a server's decision stays its own");
            return None;
        }
        Some(Claim {
            fact,
            source,
            origin: told.origin.clone(),
            scenario: told.scenario.clone(),
            until: held.until,
            uuid: told.uuid.clone(),
        })
    };
    told.iter().filter_map(claim).collect()
}
