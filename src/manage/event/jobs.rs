//! Who looks at the log for all streams of a replica, and who forgets what is old.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::queries;
use crate::app::App;
use crate::db::{Db, Tenant};

/// The pause between two looks while something happens (SHORT), and while nothing does (LONG).
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_millis(500);

/// How far a tenant's log can be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head {
    /// Nothing will appear below it any more.
    pub horizon: u64,
    /// The last row below it.
    pub last: Option<(u64, i64)>,
}

/// Who listens in this process; the looks are one statement for all tenants, whatever the number of streams.
static HEARD: LazyLock<Heard> = LazyLock::new(Heard::default);

#[derive(Default)]
struct Heard {
    tenants: Mutex<Tenants>,
    wake: Notify,
}

#[derive(Default)]
struct Tenants {
    heads: HashMap<i32, watch::Sender<Head>>,
    is_looking: bool,
}

impl Heard {
    fn tenants(&self) -> MutexGuard<'_, Tenants> {
        // Every change is one insertion or removal: a panic cannot leave half of one behind.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a tenant's log can be read, from now on and as long as the receiver is kept.
pub fn listen(app: &App, tenant: Tenant) -> watch::Receiver<Head> {
    let mut tenants = HEARD.tenants();
    let head = tenants.heads.entry(tenant.id()).or_default().subscribe();
    if !tenants.is_looking {
        tenants.is_looking = true;
        tokio::spawn(look(app.clone()));
    }
    HEARD.wake.notify_one();
    head
}

/// Looks for as long as anybody listens.
async fn look(app: App) {
    let mut pause = SHORT;
    let mut timeline: Option<String> = None;
    loop {
        let listened: Vec<i32> = {
            let mut tenants = HEARD.tenants();
            tenants.heads.retain(|_, head| head.receiver_count() > 0);
            if app.stopping.is_cancelled() {
                tenants.heads.clear();
            }
            if tenants.heads.is_empty() {
                tenants.is_looking = false;
                return;
            }
            tenants.heads.keys().copied().collect()
        };
        match queries::list_event_heads(&app.db, &listened).await {
            Ok(heads) => {
                pause = if tell(&heads) {
                    SHORT
                } else {
                    (pause * 2).min(LONG)
                };
                // A standby took over: numbers may be given anew, and whoever comes again is told so.
                let before = timeline.replace(heads.timeline);
                if before.is_some() && before != timeline {
                    HEARD.tenants().heads.clear();
                }
            }
            Err(e) => {
                tracing::warn!(cause = %e, "no look at the log of events");
                pause = LONG;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = HEARD.wake.notified() => {}
            () = app.stopping.cancelled() => {}
        }
    }
}

/// Tells the streams what is new to them; whether anything is.
fn tell(heads: &queries::Heads) -> bool {
    let mut moved = false;
    for (tenant, head) in &HEARD.tenants().heads {
        let last = heads.last.get(tenant).copied();
        moved |= head.send_if_modified(|known| {
            // Somebody who came since we looked was not asked for.
            let grew = last.is_some() && known.last != last;
            *known = Head {
                horizon: if heads.asked.contains(tenant) {
                    heads.horizon
                } else {
                    known.horizon
                },
                last: last.or(known.last),
            };
            grew
        });
    }
    moved
}

/// Forgets what is older than `keep`, in small parts; which replica does it does not matter.
pub async fn forget(db: Db, keep: Duration, stop: CancellationToken) {
    let every = (keep / 4).min(Duration::from_mins(1));
    loop {
        let pause = match queries::delete_events(&db, keep).await {
            Ok(true) => Duration::from_millis(20),
            Ok(false) => every.mul_f64(rand::rng().random_range(0.5..1.0)),
            Err(e) => {
                tracing::warn!(cause = %e, "old events were not deleted");
                every
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
