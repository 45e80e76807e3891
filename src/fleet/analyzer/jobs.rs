//! Runs, when they are due: one at a time of an analyzer, whatever the number of replicas.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rand::RngExt as _;

use super::model::{Analyzer, Detected, Found, Run, detect, judge, values};
use super::queries::{self, Turn};
use crate::app::App;
use crate::db::{Db, DbError, Tenant};
use crate::jobs::{LaneWork, Lease, Outcome, backoff};
use crate::kernel::keyring::Keyring;
use crate::kernel::net::Block;
use crate::outbound::lapi::Try;
use crate::outbound::logs::{Ask, Logs};

/// The topic of an analyzer's lane.
pub const TOPIC: i16 = 5;
/// How long a run waits for its turn before others go first, and the pause then.
const PATIENCE: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_secs(2);
/// Until one that is off is looked at again, unless it is changed before.
const OFF: Duration = Duration::from_hours(24 * 365);

/// Runs analyzers.
pub struct Analyze {
    /// The replica's state.
    pub app: App,
}

impl LaneWork for Analyze {
    fn topic(&self) -> i16 {
        TOPIC
    }

    fn work<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.turn(lease).await {
                Ok(outcome) => outcome,
                Err(e) => Outcome::Failed {
                    error: e.to_string(),
                    pause: backoff(lease.failures, None, rand::rng().random_range(0.0..1.0)),
                },
            }
        })
    }
}

impl Analyze {
    async fn turn(&self, lease: &Lease) -> Result<Outcome, DbError> {
        let rest = |pause| Outcome::Rest { drained: true, pause };
        let analyzer = queries::get_by_id(&self.app.db, lease.tenant, lease.subject).await?;
        let Some(analyzer) = analyzer.filter(|analyzer| analyzer.enabled) else {
            return Ok(rest(OFF));
        };
        let Some(_turn) = self.app.logs.turn(lease.tenant.id(), PATIENCE).await else {
            return Ok(rest(AGAIN));
        };
        let begun = match self.app.logs.begin(lease.tenant.id()).await {
            Ok(begun) => begun,
            Err(seconds) => return Ok(rest(Duration::from_secs(seconds.into()))),
        };
        // A run that failed is on record; it is the next tick that tries again.
        match run(&self.app, lease, &analyzer, begun, false).await? {
            Some(_) => Ok(rest(analyzer.pause(Timestamp::now()))),
            None => Ok(Outcome::Lost),
        }
    }
}

/// One run under a lease: looks, acts, remembers. None when the lease was lost.
pub async fn run(
    app: &App,
    lease: &Lease,
    analyzer: &Analyzer,
    begun: Try,
    by_hand: bool,
) -> Result<Option<Run>, DbError> {
    let started = Timestamp::now();
    let eye = Eye {
        db: &app.db,
        ring: &app.ring,
        logs: &app.logs,
        ours: &app.settings.own_addresses,
    };
    let looked = eye.look(lease.tenant, analyzer, started).await?;
    begun
        .end(looked.as_ref().err().is_none_or(|blind| blind.answered))
        .await;
    let found = looked.map_err(|blind| {
        let (tenant, slug) = (lease.tenant.id(), &analyzer.slug);
        tracing::info!(
            tenant,
            analyzer = slug,
            error = blind.why,
            "an analyzer's run failed"
        );
        blind.why
    });
    let turn = Turn {
        lease,
        analyzer,
        by_hand,
        started,
    };
    let run = queries::finish(&app.db, &turn, found).await?;
    let outcome = match &run {
        Some(Run { error: None, .. }) => "success",
        Some(_) => "error",
        None => "lost",
    };
    metrics::counter!("garrison_analyzer_runs_total", "outcome" => outcome).increment(1);
    app.outbox.notify_one();
    Ok(run)
}

/// Why nothing was seen.
#[derive(Debug)]
pub struct Blind {
    /// In words for who asked.
    pub why: String,
    /// Whether a store of logs said it.
    pub answered: bool,
}

/// What looking needs.
pub struct Eye<'a> {
    /// Postgres.
    pub db: &'a Db,
    /// The installation's keys.
    pub ring: &'a Keyring,
    /// The way to log stores.
    pub logs: &'a Logs,
    /// Addresses that nobody bans.
    pub ours: &'a [Block],
}

impl Eye<'_> {
    /// What a run now would find; or why there is nothing.
    ///
    /// # Errors
    /// As the statements fail, or the secret does not open.
    pub async fn look(
        &self,
        tenant: Tenant,
        analyzer: &Analyzer,
        now: Timestamp,
    ) -> Result<Result<Found, Blind>, DbError> {
        let store = analyzer
            .store(self.ring, tenant.id())
            .map_err(|e| DbError::Internal(format!("analyzer {}: {e}", analyzer.id)))?;
        let (from, to) = analyzer.window(now);
        let most = usize::try_from(analyzer.rule.source.max_lines).unwrap_or(1);
        let ask = Ask {
            query: analyzer.rule.source.query.clone(),
            from,
            to,
            most,
        };
        let fetched = match self.logs.fetch(&store, &ask).await {
            Ok(fetched) => fetched,
            Err(e) => {
                tracing::debug!(tenant = tenant.id(), analyzer = analyzer.id, cause = ?e, "a log source was asked in vain");
                return Ok(Err(Blind {
                    why: e.to_string(),
                    answered: e.is_answer(),
                }));
            }
        };
        let (lines, broken) = (fetched.lines.len() + fetched.broken, fetched.broken);
        let ns = |at: Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
        let (rule, window) = (analyzer.rule.clone(), (ns(from), ns(to)));
        // Thousands of lines of JSON are no work for a thread that others wait for.
        let read = tokio::task::spawn_blocking(move || values(&rule, &fetched.lines, window)).await;
        let (seen, skipped) = read.map_err(|e| DbError::Internal(format!("reading log lines: {e}")))?;
        let distinct: HashSet<&str> = seen.iter().map(|line| line.value.as_str()).collect();
        let distinct: Vec<&str> = distinct.into_iter().collect();
        let marks = queries::list_marks(self.db, tenant, analyzer.id, &distinct).await?;
        let detected: Detected = detect(&analyzer.rule, seen, skipped + broken, &marks);
        let skipped = detected.skipped;
        let (wanted, refused) = judge(&analyzer.rule, detected, self.ours);
        let full = (lines >= most).then(|| {
            format!(
                "the source gave as many lines as may be ({most}): older ones of this time were not looked at"
            )
        });
        Ok(Ok(Found {
            lines,
            skipped,
            wanted,
            refused,
            truncated: full.into_iter().collect(),
        }))
    }
}
