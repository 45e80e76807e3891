//! Turns at work that takes much memory: few at a time, and of one tenant fewer, so that nobody takes all of them.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns of one kind of work.
#[derive(Debug, Clone)]
pub struct Turns {
    all: Arc<Semaphore>,
    each: usize,
    of: Cache<i32, Arc<Semaphore>>,
}

/// The right to do it, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _of_the_tenant: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Turns {
    /// So many at a time, and so many of each tenant.
    #[must_use]
    pub fn new(all: usize, each: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            each,
            of: Cache::builder().max_capacity(100_000).build(),
        }
    }

    /// A turn for a tenant; none when it does not come in time. A crowd of one tenant's waits where nobody else does.
    pub async fn take(&self, tenant: i32, within: Duration) -> Option<Turn> {
        let each = self.each;
        let turn = async {
            let own = self.of.get_with(tenant, async { Arc::new(Semaphore::new(each)) });
            Some(Turn {
                _of_the_tenant: own.await.acquire_owned().await.ok()?,
                _of_all: self.all.clone().acquire_owned().await.ok()?,
            })
        };
        tokio::time::timeout(within, turn).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_tenant_does_not_take_all() {
        let turns = Turns::new(3, 1);
        let soon = Duration::from_millis(20);
        let mut held = Vec::new();
        for (tenant, expected) in [
            (1, true),
            (1, false),
            (1, false),
            (2, true),
            (3, true),
            (4, false),
        ] {
            let turn = turns.take(tenant, soon).await;
            assert_eq!(turn.is_some(), expected, "{tenant}");
            held.extend(turn);
        }
        held.remove(0);
        assert!(turns.take(4, soon).await.is_some());
    }
}
