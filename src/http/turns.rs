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
    /// By the tenant and how many it may have: with another number it begins anew.
    of: Cache<(i32, usize), Arc<Semaphore>>,
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
        self.take_of(tenant, self.each, within).await
    }

    /// The same for a tenant that has another number of them.
    pub async fn take_of(&self, tenant: i32, each: usize, within: Duration) -> Option<Turn> {
        let turn = async {
            let own = self
                .of
                .get_with((tenant, each), async { Arc::new(Semaphore::new(each)) });
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
        let turns = Turns::new(3, 1);
        let held = (turns.take_of(1, 2, soon).await, turns.take_of(1, 2, soon).await);
        assert!(held.0.is_some() && held.1.is_some() && turns.take_of(1, 2, soon).await.is_none());
        assert!(turns.take_of(2, 0, soon).await.is_none());
    }
}
