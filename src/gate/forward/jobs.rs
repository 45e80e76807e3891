//! One turn of a machine's lane.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rand::RngExt as _;
use secrecy::SecretString;
use uuid::Uuid;

use super::model::{self, Entry, Meaning, Waiting};
use super::queries;
use crate::app::App;
use crate::db::DbError;
use crate::gate::upstream::{self, NoToken};
use crate::jobs::{LaneWork, Lease, Outcome, backoff};
use crate::outbound::capi::{Down, retry_after};

/// Longest turn before other lanes get theirs.
const TURN: Duration = Duration::from_secs(5);

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
                // A refused login or a spent budget is not mended by haste.
                Err(Stop::NoToken(e @ (NoToken::Refused(_) | NoToken::Budget))) => {
                    failed(e.to_string(), Some(Duration::from_secs(5)))
                }
                Err(Stop::NoToken(e)) => failed(e.to_string(), Some(Duration::from_secs(5))),
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
                let (now, later) = rest.split_at(model::portion(rest).max(1));
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
        let signals: Vec<Waiting> = entries.iter().flat_map(|e| e.signals.iter().cloned()).collect();
        let delivered = self.send(lease, &signals).await?;
        if !queries::settle(&self.app.db, lease, &delivered, &last.at).await? {
            return Err(Stop::Lost);
        }
        lease.cursor.clone_from(&last.at);
        lease.failures = 0;
        Ok(())
    }

    /// Sends signals; what CAPI finds unacceptable is halved until the culprit stands alone, which is marked and left
    /// out. Returns the keys still to be marked as delivered.
    async fn send(&self, lease: &Lease, signals: &[Waiting]) -> Result<Vec<Uuid>, Stop> {
        let keys = |signals: &[Waiting]| signals.iter().map(|s| s.key).collect::<Vec<_>>();
        let mut heap = vec![signals];
        while let Some(part) = heap.pop() {
            if part.is_empty() {
                continue;
            }
            let (answer, error) = self.post(lease, part).await?;
            match answer {
                Meaning::Delivered => {
                    metrics::counter!("garrison_forwarded_total").increment(part.len() as u64);
                    if part.len() == signals.len() {
                        return Ok(keys(part));
                    }
                    queries::update_delivered(&self.app.db, lease, &keys(part)).await?;
                }
                _ if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    heap.push(second);
                    heap.push(first);
                }
                _ => {
                    metrics::counter!("garrison_forward_refused_total").increment(1);
                    tracing::warn!(tenant = lease.tenant.id(), machine = lease.subject, key = %part[0].key, error, "CAPI refuses a signal for good");
                    queries::update_refused(&self.app.db, lease, part[0].key, &error).await?;
                }
            }
        }
        Ok(Vec::new())
    }

    /// One request, with a new login when the token is stale: delivered or poison, anything else ends the turn.
    async fn post(&self, lease: &Lease, part: &[Waiting]) -> Result<(Meaning, String), Stop> {
        let version = part.first().map_or(3, |s| s.version);
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
