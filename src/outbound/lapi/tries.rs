//! How often, and how fast, a tenant learns that a server does not answer: who may name servers would otherwise find out
//! here which ports of the world are open (reliability.md S11).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;
use rand::RngExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tries in vain of one tenant, by this replica, in a [`WINDOW`].
const MOST: usize = 10;
/// The minute that begins with the first of them.
const WINDOW: Duration = Duration::from_mins(1);
/// How long a try in vain takes at least: a refused connection tells as little as a hanging one of that time. Up to as
/// much again is added at random.
const LEAST: Duration = Duration::from_secs(1);

/// How long a try waits for those of the same tenant that are under way: it has 30 s itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// When another one makes sense after that, in seconds.
const SOON: u32 = 5;

/// Tries in vain, by tenant.
#[derive(Clone)]
pub struct Tries(Cache<i32, Arc<Left>>);

/// What is left of a minute's tries.
struct Left {
    free: Arc<Semaphore>,
    in_vain: AtomicUsize,
}

/// One try. Whoever hangs up while it is under way does not learn more by it: it counts as one in vain.
pub struct Try {
    begun: Instant,
    left: Arc<Left>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Default for Tries {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(100_000).time_to_live(WINDOW);
        Self(cache.build())
    }
}

impl Tries {
    /// Another try of this tenant, as soon as fewer than [`MOST`] are under way.
    ///
    /// # Errors
    /// The seconds to wait, when there were too many in vain, or too many are under way.
    pub async fn begin(&self, tenant: i32) -> Result<Try, u32> {
        let fresh = async {
            Arc::new(Left {
                free: Arc::new(Semaphore::new(MOST)),
                in_vain: AtomicUsize::new(0),
            })
        };
        let left = self.0.get_with(tenant, fresh).await;
        let permit = if left.in_vain.load(Ordering::Relaxed) < MOST {
            let free = left.free.clone().acquire_owned();
            tokio::time::timeout(PATIENCE, free)
                .await
                .ok()
                .and_then(Result::ok)
        } else {
            None
        };
        match permit {
            Some(permit) => Ok(Try {
                begun: Instant::now(),
                left,
                permit: Some(permit),
            }),
            None if left.in_vain.load(Ordering::Relaxed) < MOST => Err(SOON),
            None => Err(u32::try_from(WINDOW.as_secs()).unwrap_or(u32::MAX)),
        }
    }
}

impl Try {
    /// Nothing was tried after all, or it was reached.
    pub fn forgive(mut self) {
        self.permit = None;
    }

    /// What came of it. One in vain is told no sooner than any other.
    pub async fn end(self, reached: bool) {
        if reached {
            self.forgive();
        } else {
            let least = LEAST.mul_f64(rand::rng().random_range(1.0..2.0));
            tokio::time::sleep(least.saturating_sub(self.begun.elapsed())).await;
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
            // The last one lets those that wait for a place know that none will come.
            if self.left.in_vain.fetch_add(1, Ordering::Relaxed) + 1 >= MOST {
                self.left.free.close();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ten_in_vain_are_enough_and_good_ones_do_not_count() {
        let tries = Tries::default();
        for _ in 0..100 {
            tries.begin(1).await.ok().unwrap().end(true).await;
        }
        let begun = Instant::now();
        futures_util::future::join_all((0..10).map(async |_| {
            tries.begin(1).await.ok().unwrap().end(false).await;
        }))
        .await;
        assert!(begun.elapsed() >= LEAST);
        assert_eq!(tries.begin(1).await.err(), Some(60));
        assert!(tries.begin(2).await.is_ok(), "another tenant");
    }

    #[tokio::test]
    async fn many_at_once_wait_for_one_another_and_are_no_way_around() {
        let tries = Tries::default();
        let mut held = Vec::new();
        for _ in 0..10 {
            held.push(tries.begin(1).await.ok().unwrap());
        }
        let soon = Duration::from_millis(20);
        let waits = tokio::time::timeout(soon, tries.begin(1)).await;
        assert!(waits.is_err(), "an eleventh at once");
        held.pop().unwrap().forgive();
        let eleventh = tries.begin(1).await.ok().unwrap();
        // Those who hang up count.
        let (refused, ()) = tokio::join!(tries.begin(1), async {
            held.clear();
            drop(eleventh);
        });
        assert!(refused.is_err());
    }
}
