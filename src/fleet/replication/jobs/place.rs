//! The hand that writes to one server, under one lease.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Stop, TERM};
use crate::app::App;
use crate::db::TenantTx;
use crate::fleet::decision::{Fact, OUR_ORIGIN};
use crate::fleet::replication::model::{
    PORTION, Placing, View, alert, is_about_content, is_believed, portion,
};
use crate::fleet::replication::queries;
use crate::jobs::{Lease, hold};
use crate::outbound::lapi::{LapiError, Target};

/// How long a lease that was ours still is, with an exchange with the server to come: it lasts 20 seconds, an exchange 10.
const SURE: Duration = Duration::from_secs(8);
/// Ends and lifts that are noted together.
const NOTED: usize = 50;
/// After which no further request is begun in a turn, however many are left: a server that is slow, or that says it has
/// a million decisions of ours, keeps one of the few places for lanes no longer.
const LONG: Duration = Duration::from_secs(45);

/// Writes to one server and notes what came of it.
pub struct Writer<'a> {
    pub app: &'a App,
    pub lease: Lease,
    pub server: i64,
    pub target: Target,
    /// Whether the server replicates, and which engine it is.
    pub view_of: (bool, Option<i64>),
    /// The server's clock minus ours, as known; and as told in this turn.
    skew: SignedDuration,
    pub skew_told: Option<SignedDuration>,
    /// Something that was replaced is still there.
    pub untidy: bool,
    begun: Instant,
    open: bool,
    /// When the lease was last known to be ours.
    held: Instant,
    took: bool,
    portion: usize,
    gone: Vec<Uuid>,
    lifted: Vec<Uuid>,
}

impl<'a> Writer<'a> {
    pub fn new(
        app: &'a App,
        lease: Lease,
        server: i64,
        target: Target,
        view_of: (bool, Option<i64>),
        skew: SignedDuration,
    ) -> Self {
        let portion = portion(lease.failures);
        Self {
            app,
            lease,
            server,
            target,
            view_of,
            skew,
            skew_told: None,
            untidy: false,
            begun: Instant::now(),
            open: false,
            held: Instant::now(),
            took: false,
            portion,
            gone: Vec::new(),
            lifted: Vec::new(),
        }
    }

    /// Before the first word: whoever finds the conversation open compares everything. And before every later one when
    /// the lease was not looked at for a while: a process that slept must not say what it meant to say before.
    pub async fn open(&mut self) -> Result<(), Stop> {
        if self.open && self.held.elapsed() < SURE {
            return Ok(());
        }
        let asked = Instant::now();
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
        if !hold(&tx, &self.lease, TERM).await? {
            return Err(Stop::Lost);
        }
        if !self.open {
            queries::update_written(&tx, self.server, true, false, None).await?;
        }
        tx.commit().await?;
        self.open = true;
        self.held = asked;
        Ok(())
    }

    /// Everything was compared and mended.
    pub async fn compared(&mut self) -> Result<(), Stop> {
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
        self.settle(&tx).await?;
        if !hold(&tx, &self.lease, TERM).await? {
            return Err(Stop::Lost);
        }
        queries::update_written(&tx, self.server, true, true, self.skew_told).await?;
        tx.commit().await?;
        self.settled();
        Ok(())
    }

    /// Writes down what was ended and lifted so far, in the caller's transaction.
    pub async fn settle(&self, tx: &TenantTx<'_>) -> Result<(), Stop> {
        queries::delete_copies(tx, self.server, &self.gone).await?;
        queries::update_lifted(tx, self.server, &self.lifted).await?;
        Ok(())
    }

    /// The caller's transaction was committed.
    pub fn settled(&mut self) {
        self.gone.clear();
        self.lifted.clear();
    }

    /// Our notes of these go.
    pub fn forget(&mut self, keys: Vec<Uuid>) {
        self.gone.extend(keys);
    }

    /// Writes down what was seen on the server, and what is not there.
    pub async fn note(&mut self, seen: &[Placing], gone: &[Uuid]) -> Result<(), Stop> {
        if !seen.is_empty() || !gone.is_empty() {
            let mut connection = self.app.db.connection().await?;
            let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
            if !hold(&tx, &self.lease, TERM).await? {
                return Err(Stop::Lost);
            }
            queries::upsert_copies(&tx, self.server, seen, true, None).await?;
            queries::delete_copies(&tx, self.server, gone).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn note_some(&mut self) -> Result<(), Stop> {
        self.note_from(NOTED).await
    }

    /// Ends the turn when it has taken long enough. What it did is written down, and that the conversation is open makes
    /// the next turn compare.
    async fn pause(&mut self) -> Result<(), Stop> {
        self.open().await?;
        if self.begun.elapsed() < LONG {
            return Ok(());
        }
        self.note_from(1).await?;
        Err(Stop::Enough)
    }

    async fn note_from(&mut self, least: usize) -> Result<(), Stop> {
        if self.gone.len() + self.lifted.len() >= least {
            let mut connection = self.app.db.connection().await?;
            let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
            self.settle(&tx).await?;
            if !hold(&tx, &self.lease, TERM).await? {
                return Err(Stop::Lost);
            }
            tx.commit().await?;
            self.settled();
        }
        Ok(())
    }

    /// Ends there what was lifted here.
    pub async fn lift(&mut self, view: &View) -> Result<(), Stop> {
        if view.lifts.is_empty() {
            return Ok(());
        }
        for origin in &view.lifts {
            self.pause().await?;
            let what = (view.scope.as_str(), view.value.as_str(), view.kind.as_str());
            if self.app.lapis.end(&self.target, what, origin).await? == 0 {
                self.lift_as_spelled(view, origin).await?;
            }
        }
        self.lifted.push(view.key);
        self.note_some().await
    }

    /// The server may have it in another spelling (`ip`, `192.0.2.9/24`): by number, then.
    async fn lift_as_spelled(&mut self, view: &View, origin: &str) -> Result<(), Stop> {
        for held in self.app.lapis.of_origin(&self.target, origin).await? {
            let told = held.told;
            let fact = Fact::read(&told.scope, &told.value, &told.kind);
            if fact.is_some_and(|fact| fact.key() == view.key) {
                self.end(told.id).await?;
            }
        }
        Ok(())
    }

    /// Ends our copy there.
    pub async fn withdraw(&mut self, view: &View) -> Result<(), Stop> {
        self.pause().await?;
        let what = (view.scope.as_str(), view.value.as_str(), view.kind.as_str());
        self.app.lapis.end(&self.target, what, OUR_ORIGIN).await?;
        metrics::counter!("garrison_copies_withdrawn_total").increment(1);
        self.gone.push(view.key);
        self.note_some().await
    }

    /// Ends one decision by its number there; that it is gone already is as good.
    pub async fn end(&mut self, id: i64) -> Result<(), Stop> {
        self.pause().await?;
        match self.app.lapis.delete_decision(&self.target, id).await {
            Ok(()) | Err(LapiError::NoDecision) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Puts copies there. What the server refuses for its content is tried in ever smaller parts, turn by turn, because
    /// 1.4.6 keeps a part of what it refuses, and only a comparison tells which; alone it is given up.
    pub async fn place(&mut self, copies: Vec<Placing>) -> Result<(), Stop> {
        let mut rest = copies.as_slice();
        let mut refused: Vec<(Placing, String)> = Vec::new();
        while !rest.is_empty() {
            self.pause().await?;
            let (now, later) = rest.split_at(self.portion.min(rest.len()));
            rest = later;
            let at = Timestamp::now();
            let alerts: Vec<_> = now.iter().map(|copy| alert(copy, at, self.skew)).collect();
            match self.app.lapis.place(&self.target, &alerts).await {
                Ok((stored, skew)) if stored == now.len() => {
                    self.learn(skew);
                    self.took = true;
                    self.placed(now).await?;
                    // Small parts are for what a server refuses; after an outage they would make a backlog crawl.
                    self.portion = (self.portion * 2).min(PORTION);
                }
                Ok((stored, _)) if now.len() > 1 => {
                    let error = format!("the server stored {stored} of {}", now.len());
                    return Err(Stop::Failed(error));
                }
                Ok(_) => refused.push((now[0].clone(), "the server stored nothing".to_owned())),
                Err(LapiError::Status(status)) if now.len() == 1 && is_about_content(status) => {
                    refused.push((now[0].clone(), format!("the server answered {status}")));
                }
                Err(e) => return Err(e.into()),
            }
            if refused.len() > 1 && !is_believed(self.took, self.lease.failures) {
                break;
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        if !is_believed(self.took, self.lease.failures) {
            let error = refused.pop().map_or_else(String::new, |(_, error)| error);
            return Err(Stop::Failed(error));
        }
        self.give_up(&refused).await
    }

    /// A clock that is off by less than two seconds is the wire's; one that is off by as much as before is known.
    fn learn(&mut self, skew: Option<SignedDuration>) {
        const WIRE: SignedDuration = SignedDuration::from_secs(2);
        let Some(skew) = skew else { return };
        if (skew - self.skew).abs() > WIRE {
            self.skew = if skew.abs() > WIRE {
                skew
            } else {
                SignedDuration::ZERO
            };
            // What was just put there ends too early or too late.
            self.untidy = true;
        }
        self.skew_told = Some(self.skew);
    }

    async fn placed(&mut self, copies: &[Placing]) -> Result<(), Stop> {
        metrics::counter!("garrison_copies_placed_total").increment(copies.len() as u64);
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
        queries::upsert_copies(&tx, self.server, copies, false, None).await?;
        self.settle(&tx).await?;
        if !hold(&tx, &self.lease, TERM).await? {
            return Err(Stop::Lost);
        }
        tx.commit().await?;
        self.settled();
        Ok(())
    }

    async fn give_up(&mut self, refused: &[(Placing, String)]) -> Result<(), Stop> {
        metrics::counter!("garrison_copies_refused_total").increment(refused.len() as u64);
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
        if !hold(&tx, &self.lease, TERM).await? {
            return Err(Stop::Lost);
        }
        for (copy, error) in refused {
            tracing::warn!(
                server = self.server,
                value = copy.value,
                error,
                "a server refuses a decision, for good"
            );
            queries::upsert_copies(&tx, self.server, std::slice::from_ref(copy), false, Some(error)).await?;
        }
        tx.commit().await?;
        // Part of what was refused may be there all the same.
        self.untidy = true;
        Ok(())
    }
}
