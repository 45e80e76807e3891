use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model::{self, Class, Own};
use super::queries::{self, Place, Portion, Sweep};
use crate::app::App;
use crate::db::{By, DbError, Tenant};

/// How often a tenant's rows are swept, over all replicas; each process does it once more when it starts.
const EVERY: Duration = Duration::from_hours(1);
/// How often it is looked whether one is due: what a killed process left is taken up so soon after its lease.
const LOOK: Duration = Duration::from_secs(20);
/// Alerts or batches of one transaction.
const PORTION: i64 = 500;
/// At least so long between two portions, and at least as long as a portion took: engines come first.
const PAUSE: Duration = Duration::from_millis(40);

/// Ends what lived for long enough, of one tenant after the other, until `stop`.
pub async fn sweep(app: App, stop: CancellationToken) {
    let (begun, owner) = (Instant::now(), Uuid::now_v7());
    while !stop.is_cancelled() {
        // Since this process began, or for an hour.
        let due = begun.elapsed().min(EVERY).as_secs_f64();
        match queries::list_unswept(&app.db, due).await {
            Ok(tenants) => {
                for tenant in tenants {
                    // One tenant's trouble is not the others'.
                    if let Err(e) = sweep_tenant(&app, tenant, owner, &stop).await {
                        tracing::warn!(tenant = tenant.id(), cause = %e, "old rows were not swept and will be later");
                    }
                }
            }
            Err(e) => tracing::warn!(cause = %e, "old rows were not swept and will be later"),
        }
        let pause = LOOK.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn sweep_tenant(
    app: &App,
    tenant: Tenant,
    owner: Uuid,
    stop: &CancellationToken,
) -> Result<(), DbError> {
    if stop.is_cancelled() {
        return Ok(());
    }
    let Some(sweep) = queries::claim(&app.db, tenant, owner).await? else {
        return Ok(());
    };
    let mut gone = BTreeMap::new();
    let done = Sweeper { app, sweep, stop }.run(&mut gone).await;
    let db = app.db.by(By::auto("retention"));
    queries::release(&db, &sweep, matches!(done, Ok(true)), &gone).await?;
    done.map(|_| ())
}

/// What goes, one after the other: alerts before the batches that they point into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Alerts,
    Audit,
    GivenUp,
    Batches,
    Bodies,
    Metrics,
}

/// All of them. A class more has a step here.
const STEPS: [(Step, &Class, &str); 6] = [
    (Step::Alerts, model::ALERTS, "alert"),
    (Step::Audit, model::AUDIT, "audit"),
    (Step::GivenUp, model::WAITING, "waiting"),
    (Step::Batches, model::ALERTS, "batch"),
    (Step::Bodies, model::BODIES, "body"),
    (Step::Metrics, model::METRICS, "metric"),
];

struct Sweeper<'a> {
    app: &'a App,
    sweep: Sweep,
    stop: &'a CancellationToken,
}

impl Sweeper<'_> {
    /// Whether it came to its end; what went is added to `all`.
    async fn run(&self, all: &mut BTreeMap<&'static str, u64>) -> Result<bool, DbError> {
        let tenant = self.sweep.tenant;
        let own = queries::list(&self.app.db, tenant).await?;
        for (step, class, what) in STEPS {
            let days = model::in_force(class, &self.app.settings.lifetimes, &own);
            if step == Step::Bodies && days >= self.days_of_alerts(&own) {
                // They go with their batches.
                continue;
            }
            let Some(gone) = self.step(step, days).await? else {
                return Ok(false);
            };
            if gone == 0 {
                continue;
            }
            *all.entry(what).or_insert(0) += gone;
            metrics::counter!("garrison_retention_deleted_total", "what" => what).increment(gone);
            tracing::info!(tenant = tenant.id(), what, gone, days, "old rows went");
            if step == Step::GivenUp {
                metrics::counter!("garrison_alerts_given_up_total").increment(gone);
                tracing::error!(
                    tenant = tenant.id(),
                    gone,
                    days,
                    "alerts went that CAPI had not taken"
                );
            }
        }
        let waiting = model::in_force(model::WAITING, &self.app.settings.lifetimes, &own);
        queries::delete_leftovers(&self.app.db, &self.sweep, waiting).await?;
        Ok(true)
    }

    fn days_of_alerts(&self, own: &Own) -> i32 {
        model::in_force(model::ALERTS, &self.app.settings.lifetimes, own)
    }

    /// How many went; none when it was broken off.
    async fn step(&self, step: Step, days: i32) -> Result<Option<u64>, DbError> {
        let (mut gone, mut limit) = (0, PORTION);
        let mut from = match step {
            Step::Bodies => Place::after(self.sweep.bodies_upto),
            _ => Place::START,
        };
        loop {
            let begun = Instant::now();
            match self.portion(step, days, from, limit).await {
                Ok(Some(portion)) => {
                    gone += portion.gone;
                    match portion.next {
                        Some(next) => from = next,
                        None => return Ok(Some(gone)),
                    }
                }
                Ok(None) => return Ok(None),
                // Alerts with very many decisions: a statement has ten seconds.
                Err(e) if e.is_passing() && limit > 1 => {
                    tracing::debug!(cause = %e, limit, "a portion was too much, or the database is busy");
                    limit = (limit / 5).max(1);
                }
                Err(e) => return Err(e),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE.max(begun.elapsed())) => {}
                () = self.stop.cancelled() => return Ok(None),
            }
        }
    }

    async fn portion(
        &self,
        step: Step,
        days: i32,
        from: Place,
        limit: i64,
    ) -> Result<Option<Portion>, DbError> {
        let (db, sweep) = (&self.app.db, &self.sweep);
        match step {
            Step::Alerts => queries::delete_alerts(db, sweep, days, (false, false), from, limit).await,
            Step::Audit => queries::delete_alerts(db, sweep, days, (true, false), from, limit).await,
            Step::GivenUp => queries::delete_alerts(db, sweep, days, (false, true), from, limit).await,
            Step::Batches => queries::delete_batches(db, sweep, days, from, limit).await,
            Step::Bodies => queries::delete_bodies(db, sweep, days, from, limit).await,
            Step::Metrics => queries::delete_metrics(db, sweep, days, limit).await,
        }
    }
}
