//! The loop that looks for due lanes and works on them, in every replica that has workers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rand::RngExt as _;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::lane::{Lease, Outcome, backoff};
use super::queries;
use crate::db::{Db, DbError, patiently};

/// How long a lease lasts unless it is renewed: what a lane waits after its worker died.
const TERM: Duration = Duration::from_secs(20);
/// How often it is renewed.
const HEARTBEAT: Duration = Duration::from_secs(6);
/// Lanes that one replica works on at a time.
const AT_ONCE: usize = 32;
/// Lanes of one tenant that are worked on at a time, over all replicas; of those that failed last, half as many, so that
/// targets that hang do not take the turns of those that answer.
const OF_A_TENANT: i64 = 8;
/// The pause between two looks while there is work (SHORT), and the longest while there is none (LONG).
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(1);

/// What to do with a lane of one topic.
pub trait LaneWork: Send + Sync {
    /// The topic.
    fn topic(&self) -> i16;
    /// One turn.
    fn work<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Outcome>;
}

/// The worker of one process.
pub struct Worker {
    /// Postgres.
    pub db: Db,
    /// Rung by this process when it put something into the outbox.
    pub wake: Arc<Notify>,
    /// One for each topic.
    pub work: Vec<Arc<dyn LaneWork>>,
}

/// A turn that panicked; the panic's own words are in the log.
fn broken_off(lease: &Lease) -> Outcome {
    Outcome::Failed {
        error: "the turn broke off: this is a defect of Garrison".to_owned(),
        pause: backoff(lease.failures, None, rand::rng().random_range(0.0..1.0)),
    }
}

impl Worker {
    /// Works until told to stop; then finishes what it holds, or gives it back.
    pub async fn run(self, stop: CancellationToken) {
        let owner = Uuid::now_v7();
        let free = Arc::new(Semaphore::new(AT_ONCE));
        let tasks = TaskTracker::new();
        let this = Arc::new(self);
        let mut pause = SHORT;
        while !stop.is_cancelled() {
            let room = i64::try_from(free.available_permits()).unwrap_or(0);
            let leases = if room == 0 {
                Vec::new()
            } else {
                this.look(room, owner).await
            };
            if leases.is_empty() {
                // Half of it at random: replicas must not look in step.
                let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.0));
                tokio::select! {
                    () = tokio::time::sleep(jittered) => pause = (pause * 2).min(LONG),
                    () = this.wake.notified() => {
                        // Batches come in crowds; a short wait lets one pass serve many of them.
                        pause = SHORT;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    () = stop.cancelled() => break,
                }
                continue;
            }
            pause = SHORT;
            for lease in leases {
                // One permit for each: no more were claimed than were free.
                let permit = free.clone().acquire_owned().await;
                let (this, stop) = (this.clone(), stop.clone());
                tasks.spawn(async move {
                    this.turn(lease, stop).await;
                    drop(permit);
                    this.wake.notify_one();
                });
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn look(&self, room: i64, owner: Uuid) -> Vec<Lease> {
        let found = async {
            queries::dispatch(&self.db).await?;
            queries::claim(&self.db, room, OF_A_TENANT, TERM, owner).await
        };
        match tokio::time::timeout(Duration::from_secs(20), found).await {
            Ok(Ok(leases)) => leases,
            Ok(Err(e)) => {
                tracing::warn!(cause = %e, "no look at the lanes");
                tokio::time::sleep(Duration::from_millis(500)).await;
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("a look at the lanes takes too long");
                Vec::new()
            }
        }
    }

    async fn turn(&self, lease: Lease, stop: CancellationToken) {
        let Some(work) = self.work.iter().find(|w| w.topic() == lease.topic) else {
            // A lane of a newer release: leave it to the replicas that know it.
            let _ = queries::fail(&self.db, &lease, "no worker here knows this topic", LONG).await;
            return;
        };
        let outcome = tokio::select! {
            // What panics would leave its lane to the end of the lease, and try again without any pause.
            outcome = AssertUnwindSafe(work.work(&lease)).catch_unwind() => outcome.unwrap_or_else(|_| broken_off(&lease)),
            () = self.keep(&lease) => Outcome::Lost,
            () = stop.cancelled() => {
                // What CAPI may have taken meanwhile is sent again: at least once.
                Outcome::More
            }
        };
        if let Outcome::Failed { error, .. } = &outcome {
            tracing::info!(
                lane = lease.subject,
                error,
                "a delivery failed and is tried again"
            );
        }
        // While Postgres is away the lane cannot be given back; once it answers, the lane should not have to wait for
        // the lease to end. The fence makes a late giving back harmless.
        let given_back = patiently(TERM, || self.give_back(&lease, &outcome));
        if let Err(e) = given_back.await {
            tracing::warn!(cause = %e, "a lane was not given back; its lease will end");
        }
    }

    async fn give_back(&self, lease: &Lease, outcome: &Outcome) -> Result<(), DbError> {
        match outcome {
            Outcome::Drained => queries::release(&self.db, lease, true, None).await,
            Outcome::More => queries::release(&self.db, lease, false, None).await,
            Outcome::Rest { drained, pause } => {
                queries::release(&self.db, lease, *drained, Some(*pause)).await
            }
            Outcome::Failed { error, pause } => queries::fail(&self.db, lease, error, *pause).await,
            Outcome::Lost => {
                metrics::counter!("garrison_leases_lost_total").increment(1);
                Ok(())
            }
        }
    }

    /// Renews the lease for as long as it is ours; returns when it is lost.
    async fn keep(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            match queries::renew(&self.db, lease, TERM).await {
                Ok(true) => {}
                Ok(false) => return,
                // The fence protects what happens when it cannot be renewed.
                Err(e) => tracing::debug!(cause = %e, "a lease was not renewed"),
            }
        }
    }
}
