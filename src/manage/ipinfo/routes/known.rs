//! One look-up an address, whoever asks for it: in this process by the cache, among replicas by a claim on its row.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::Expiry;
use moka::future::Cache;

use super::super::model::{Known, good_for};
use super::super::queries;
use crate::app::App;
use crate::db::Tenant;
use crate::http::{ApiError, Turns};

/// Answers that a process keeps in memory; one is 40 KB in the worst case, and half a kilobyte in most.
const MOST: u64 = 2000;
/// Look-ups that wait for others at once, and those of one tenant.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(16, 4));
/// How long one waits for its turn. With what follows it stays below the 30 s that a request has.
const TURN: Duration = Duration::from_secs(5);
/// How long it waits for another replica that asks already.
const OTHERS: Duration = Duration::from_secs(8);
/// How often it looks whether that one is done.
const LOOK: Duration = Duration::from_millis(150);

static KNOWN: LazyLock<Cache<IpAddr, Arc<Known>>> = LazyLock::new(|| {
    let cache = Cache::builder().max_capacity(MOST);
    cache.expire_after(AsLongAsGood).build()
});

struct AsLongAsGood;

impl Expiry<IpAddr, Arc<Known>> for AsLongAsGood {
    fn expire_after_create(&self, _: &IpAddr, known: &Arc<Known>, _: Instant) -> Option<Duration> {
        Some(known.left)
    }
}

/// A tenant whose look-ups all wait already.
#[derive(Debug)]
struct Crowd(Tenant);

/// What is known of an address, looked up where it is not.
///
/// # Errors
/// When the tenant has too many look-ups under way.
pub async fn find(app: &App, tenant: Tenant, ip: IpAddr) -> Result<Arc<Known>, ApiError> {
    // Another tenant's crowd is not ours: then the look-up begins anew, for us.
    for _ in 0..3 {
        let app = app.clone();
        // In a task of its own: others wait for it, too, and who asked first may hang up.
        let found = tokio::spawn(async move {
            let look_up = Box::pin(look_up(app, tenant, ip));
            KNOWN.try_get_with(ip, look_up).await
        });
        match found.await {
            Ok(Ok(known)) => return Ok(known),
            Ok(Err(crowd)) if crowd.0 == tenant => break,
            Ok(Err(_)) => {}
            Err(e) => return Err(ApiError::Internal(format!("a look-up: {e}"))),
        }
    }
    Err(ApiError::TooMany("too many addresses are being looked up", 5))
}

/// The answer that the replicas share, else a new one. Without a database there is still an answer.
async fn look_up(app: App, tenant: Tenant, ip: IpAddr) -> Result<Arc<Known>, Crowd> {
    if let Some(known) = shared(&app, ip).await {
        return Ok(known);
    }
    let turn = TURNS.take(tenant.id(), TURN).await;
    let _turn = turn.ok_or(Crowd(tenant))?;
    let begun = Instant::now();
    while matches!(queries::claim(&app.db, ip).await, Ok(false)) {
        if let Some(known) = shared(&app, ip).await {
            return Ok(known);
        }
        // Whoever has the claim may be dead.
        if begun.elapsed() > OTHERS {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let told = app.directory.look_up(ip).await;
    let keep = &app.settings.ip_info;
    let left = good_for(&told, keep.answers, keep.failures);
    let known = match queries::upsert(&app.db, ip, told.clone(), left).await {
        Ok(known) => known,
        Err(e) => {
            tracing::warn!(cause = %e, "what was looked up is not shared");
            let fetched_at = Timestamp::now();
            Known {
                told,
                fetched_at,
                left,
            }
        }
    };
    Ok(Arc::new(known))
}

async fn shared(app: &App, ip: IpAddr) -> Option<Arc<Known>> {
    match queries::get(&app.db, ip).await {
        Ok(known) => known.map(Arc::new),
        Err(e) => {
            tracing::warn!(cause = %e, "what others looked up cannot be read");
            None
        }
    }
}
