//! One turn of a machine's lane.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rand::RngExt as _;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::model::{self, Entry, Loaded, Meaning, Waiting};
use super::queries;
use crate::app::App;
use crate::db::DbError;
use crate::gate::upstream::{self, NoToken};
use crate::jobs::{LaneWork, Lease, Outcome, backoff};
use crate::outbound::capi::{Down, retry_after};

/// Longest turn before other lanes get theirs.
const TURN: Duration = Duration::from_secs(5);

/// Bodies that are unpacked at a time.
static UNPACKING: Semaphore = Semaphore::const_new(4);

/// Brings machines' logs to CAPI.
pub struct Forward {
    /// The replica's state.
    pub app: App,
}

/// Why a turn ended early.
enum Stop {
    Db(DbError),
    Down(Down),
    NoToken(NoToken),
    Lost,
}

impl From<DbError> for Stop {
    fn from(e: DbError) -> Self {
        Self::Db(e)
    }
}

impl LaneWork for Forward {
    fn topic(&self) -> i16 {
        1
    }

    fn work<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let jitter: f64 = rand::rng().random_range(0.0..1.0);
            let failed = |error: String, asked| Outcome::Failed {
                error,
                pause: backoff(lease.failures, asked, jitter),
            };
            match self.turn(lease.clone()).await {
                Ok(outcome) => outcome,
                Err(Stop::Lost) => Outcome::Lost,
                Err(Stop::Db(e)) => failed(e.to_string(), None),
                Err(Stop::Down(down) | Stop::NoToken(NoToken::Down(down))) => {
                    failed(down.to_string(), down.retry_after)
                }
                // A refused login or a spent budget is not mended by haste, least of all where logins are counted.
                Err(Stop::NoToken(e)) => {
                    let counted = self.app.settings.login_budget.is_some();
                    failed(e.to_string(), Some(model::after_refusal(lease.failures, counted)))
                }
            }
        })
    }
}

impl Forward {
    async fn turn(&self, mut lease: Lease) -> Result<Outcome, Stop> {
        if !(self.app.settings.forward_enabled && queries::may_leave(&self.app.db, lease.tenant).await?) {
            // Switched off since these were put in the log: they wait, and nothing leaves.
            return Ok(Outcome::Failed {
                error: "forwarding is disabled".to_owned(),
                pause: Duration::from_mins(1),
            });
        }
        let begun = Instant::now();
        loop {
            let entries = queries::list(&self.app.db, &lease).await?;
            if entries.is_empty() {
                return Ok(Outcome::Drained);
            }
            let mut rest = entries.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(model::portion(rest));
                self.deliver(&mut lease, now).await?;
                if begun.elapsed() > TURN {
                    return Ok(Outcome::More);
                }
                rest = later;
            }
        }
    }

    /// Brings some rows to CAPI and moves the lane over them.
    async fn deliver(&self, lease: &mut Lease, entries: &[Entry]) -> Result<(), Stop> {
        let Some(last) = entries.last() else { return Ok(()) };
        let signals: Vec<Waiting> = entries.iter().flat_map(|e| e.signals.iter().copied()).collect();
        let mut rest = signals.as_slice();
        let mut delivered = Vec::new();
        while !rest.is_empty() {
            // What an earlier request brought is marked before the next one; only the last rides with the lane.
            if !delivered.is_empty() {
                queries::update_delivered(&self.app.db, lease, &delivered).await?;
            }
            let (now, later) = rest.split_at(model::request(rest));
            delivered = self.send(lease, now).await?;
            rest = later;
        }
        if !queries::settle(&self.app.db, lease, &delivered, &last.at).await? {
            return Err(Stop::Lost);
        }
        lease.cursor.clone_from(&last.at);
        lease.failures = 0;
        Ok(())
    }

    /// Sends signals; what CAPI finds unacceptable is halved until the culprit stands alone. Returns the keys still to be
    /// marked as delivered.
    async fn send(&self, lease: &Lease, signals: &[Waiting]) -> Result<Vec<Uuid>, Stop> {
        let version = signals.first().map_or(3, |s| s.version);
        let (loaded, lost) = {
            // A few at a time over all lanes: each body may unpack to megabytes.
            let _turn = UNPACKING.acquire().await;
            queries::load(&self.app.db, lease.tenant, signals).await?
        };
        for key in lost {
            self.give_up(lease, key, "the stored signal cannot be read any more")
                .await?;
        }
        let keys = |part: &[Loaded]| part.iter().map(|s| s.key).collect::<Vec<_>>();
        let mut heap = vec![loaded.as_slice()];
        let mut refused: Vec<(Uuid, String)> = Vec::new();
        let mut taken = false;
        while let Some(part) = heap.pop() {
            if part.is_empty() {
                continue;
            }
            let (answer, error) = self.post(lease, version, part).await?;
            if answer == Meaning::Delivered {
                taken = true;
                metrics::counter!("garrison_forwarded_total").increment(part.len() as u64);
                if part.len() == loaded.len() {
                    return Ok(keys(part));
                }
                queries::update_delivered(&self.app.db, lease, &keys(part)).await?;
            } else if let [single] = part {
                refused.push((single.key, error));
                // Two refused and none taken: this speaks of the way, not of the signals.
                if refused.len() > 1 && !model::is_believed(taken, lease.failures) {
                    break;
                }
            } else {
                let (first, second) = part.split_at(part.len() / 2);
                heap.push(second);
                heap.push(first);
            }
        }
        if !refused.is_empty() && !model::is_believed(taken, lease.failures) {
            let cause = refused.pop().map_or_else(String::new, |(_, error)| error);
            return Err(Stop::Down(Down {
                cause,
                retry_after: None,
            }));
        }
        for (key, error) in refused {
            self.give_up(lease, key, &error).await?;
        }
        Ok(Vec::new())
    }

    async fn give_up(&self, lease: &Lease, key: Uuid, error: &str) -> Result<(), Stop> {
        metrics::counter!("garrison_forward_refused_total").increment(1);
        tracing::warn!(tenant = lease.tenant.id(), machine = lease.subject, %key, error, "a signal is not forwarded, for good");
        Ok(queries::update_refused(&self.app.db, lease, key, error).await?)
    }

    /// One request, with a new login when the token is stale: delivered or poison, anything else ends the turn.
    async fn post(&self, lease: &Lease, version: u8, part: &[Loaded]) -> Result<(Meaning, String), Stop> {
        let body = bytes::Bytes::from(model::body(part));
        let mut last = None;
        for _ in 0..2 {
            let (token, agent) = self.token(lease, version).await?;
            let answer = self
                .app
                .capi
                .signals(version, &token, agent.as_deref(), body.clone())
                .await
                .map_err(Stop::Down)?;
            let meaning = model::meaning(answer.status);
            let text = format!("CAPI answered {}", answer.status.as_u16());
            match meaning {
                Meaning::Delivered | Meaning::Poison => return Ok((meaning, text)),
                Meaning::Later => {
                    return Err(Stop::Down(Down {
                        cause: text,
                        retry_after: retry_after(&answer.headers),
                    }));
                }
                Meaning::Stale => {
                    upstream::token_refused(&self.app, lease.tenant, lease.subject, &token)
                        .await
                        .map_err(Stop::NoToken)?;
                    last = Some(answer.status.as_u16());
                }
            }
        }
        Err(Stop::NoToken(NoToken::Refused(last.unwrap_or(401))))
    }

    async fn token(&self, lease: &Lease, version: u8) -> Result<(SecretString, Option<String>), Stop> {
        upstream::token(&self.app, lease.tenant, lease.subject, version)
            .await
            .map_err(Stop::NoToken)
    }
}
