//! Limits and fairness: how much somebody may ask, and how much of it at a time, so that nobody takes the service from the
//! others. Buckets are in memory, a replica's own.

mod bucket;
mod class;
mod headers;
mod layer;
mod own;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use bucket::{Bucket, Quota, Standing};
pub use class::Class;
pub use layer::{Meter, limit};
pub use own::OwnLimits;

/// Requests of one class in work at a time: on this replica, and of one tenant. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct InFlight {
    pub all: usize,
    pub tenant: usize,
}

/// What the operator of the installation set.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Settings {
    pub token_requests: Quota,
    pub tenant_requests: Quota,
    pub tenant_items: Quota,
    pub tenant_bytes: Quota,
    pub machine_items: Quota,
    pub machine_bytes: Quota,
    pub ingest: InFlight,
    pub read: InFlight,
    pub heavy: InFlight,
    pub change: InFlight,
    /// How long a statement may take, by class.
    pub read_timeout: Duration,
    pub heavy_timeout: Duration,
    pub change_timeout: Duration,
}

impl Settings {
    const fn in_flight(&self, class: Class) -> InFlight {
        match class {
            // Engines wait for CAPI in these: a limit would keep those of a large tenant from starting.
            Class::Open | Class::Engine => InFlight { all: 0, tenant: 0 },
            Class::Ingest => self.ingest,
            Class::Read => self.read,
            Class::Heavy => self.heavy,
            Class::Change => self.change,
        }
    }
}

/// The tenant, and the token or machine; 0 for the tenant itself.
type Key = (i32, i64);

/// Buckets of one kind, a bucket for each of those whom it limits. Who was not seen for an hour begins anew: by then any
/// bucket is full.
#[derive(Debug, Clone)]
struct Buckets {
    name: &'static str,
    all: Cache<Key, Arc<Mutex<Bucket>>>,
}

impl Buckets {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            all: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
        }
    }

    fn with<T>(
        &self,
        key: Key,
        quota: &Quota,
        now: Duration,
        work: impl FnOnce(&mut Bucket) -> T,
    ) -> Option<T> {
        if !quota.is_set() {
            return None;
        }
        let bucket = self
            .all
            .get_with(key, || Arc::new(Mutex::new(Bucket::full(quota, now))));
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut bucket))
    }

    /// How it stands; none where there is no limit.
    fn standing(&self, key: Key, quota: &Quota, now: Duration) -> Option<Standing> {
        self.with(key, quota, now, |bucket| bucket.standing(quota, now))
    }

    fn take(&self, key: Key, quota: &Quota, now: Duration, n: u64) {
        if n > 0 {
            self.with(key, quota, now, |bucket| bucket.take(quota, now, n));
        }
    }
}

/// Places in work, by class and, within that, by tenant.
#[derive(Debug, Clone)]
struct Places {
    all: Option<Arc<Semaphore>>,
    /// By the tenant and how many places it has: with another number it begins anew.
    of: Cache<(i32, usize), Arc<Semaphore>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _of_the_tenant: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Places {
    fn new(limit: InFlight) -> Self {
        Self {
            all: (limit.all > 0).then(|| Arc::new(Semaphore::new(limit.all))),
            of: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
        }
    }

    /// A place, first of the tenant's, so that its crowd waits where nobody else does. Who of the two had none says the
    /// error: the tenant itself, or all together.
    async fn take(&self, tenant: Option<i32>, each: usize, within: Duration) -> Result<Place, Full> {
        let begun = Instant::now();
        let own = match tenant.filter(|_| each > 0) {
            Some(tenant) => {
                let own = self
                    .of
                    .get_with((tenant, each), || Arc::new(Semaphore::new(each)));
                let turn = tokio::time::timeout(within, own.acquire_owned()).await;
                Some(turn.ok().and_then(Result::ok).ok_or(Full::Tenant)?)
            }
            None => None,
        };
        let all = match &self.all {
            Some(all) => {
                let left = within.saturating_sub(begun.elapsed());
                let turn = tokio::time::timeout(left, Arc::clone(all).acquire_owned()).await;
                Some(turn.ok().and_then(Result::ok).ok_or(Full::All)?)
            }
            None => None,
        };
        Ok(Place {
            _of_the_tenant: own,
            _of_all: all,
        })
    }
}

/// Who has no place left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The tenant, because of itself.
    Tenant,
    /// Everybody.
    All,
}

/// The limits of one replica.
#[derive(Debug, Clone)]
pub struct Limiter {
    begun: Instant,
    settings: Settings,
    token_requests: Buckets,
    tenant_requests: Buckets,
    tenant_items: Buckets,
    tenant_bytes: Buckets,
    machine_items: Buckets,
    machine_bytes: Buckets,
    engine: Places,
    ingest: Places,
    read: Places,
    heavy: Places,
    change: Places,
}

impl Limiter {
    /// With every bucket full.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            begun: Instant::now(),
            token_requests: Buckets::new("token"),
            tenant_requests: Buckets::new("tenant"),
            tenant_items: Buckets::new("tenant-items"),
            tenant_bytes: Buckets::new("tenant-bytes"),
            machine_items: Buckets::new("machine-items"),
            machine_bytes: Buckets::new("machine-bytes"),
            engine: Places::new(settings.in_flight(Class::Engine)),
            ingest: Places::new(settings.in_flight(Class::Ingest)),
            read: Places::new(settings.in_flight(Class::Read)),
            heavy: Places::new(settings.in_flight(Class::Heavy)),
            change: Places::new(settings.in_flight(Class::Change)),
            settings,
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    const fn places(&self, class: Class) -> Option<&Places> {
        match class {
            Class::Open => None,
            Class::Engine => Some(&self.engine),
            Class::Ingest => Some(&self.ingest),
            Class::Read => Some(&self.read),
            Class::Heavy => Some(&self.heavy),
            Class::Change => Some(&self.change),
        }
    }

    /// The limits that hold for who has these of its own.
    #[must_use]
    pub fn of(&self, own: &OwnLimits) -> Settings {
        own.over(&self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_tenant_does_not_take_every_place() {
        let places = Places::new(InFlight { all: 3, tenant: 0 });
        let soon = Duration::from_millis(20);
        let mut held = Vec::new();
        for (tenant, expected) in [
            (Some(1), None),
            (Some(1), None),
            (Some(1), Some(Full::Tenant)),
            (Some(2), None),
            (Some(3), Some(Full::All)),
            (None, Some(Full::All)),
        ] {
            let place = places.take(tenant, 2, soon).await;
            assert_eq!(place.as_ref().err().copied(), expected, "{tenant:?}");
            held.extend(place);
        }
        held.remove(0);
        assert!(places.take(Some(1), 2, soon).await.is_ok());
        let open = Places::new(InFlight { all: 0, tenant: 0 });
        for _ in 0..50 {
            std::mem::forget(open.take(Some(1), 0, soon).await.expect("no limit"));
        }
    }

    #[test]
    fn each_has_a_bucket_of_its_own() {
        let quota = Quota {
            per_minute: 60,
            burst: Duration::from_secs(2),
        };
        let buckets = Buckets::new("tenant");
        let now = Duration::from_secs(5);
        buckets.take((1, 0), &quota, now, 5);
        assert_eq!(buckets.standing((1, 0), &quota, now).expect("a limit").left, 0);
        assert_eq!(buckets.standing((2, 0), &quota, now).expect("a limit").left, 2);
        // A smaller one is felt at once, a larger one as time brings it.
        let (small, large) = (
            Quota {
                per_minute: 30,
                ..quota
            },
            Quota {
                per_minute: 120,
                ..quota
            },
        );
        assert_eq!(buckets.standing((2, 0), &small, now).expect("a limit").left, 1);
        let later = now + Duration::from_secs(1);
        assert_eq!(buckets.standing((2, 0), &large, later).expect("a limit").left, 3);
        let none = Quota {
            per_minute: 0,
            ..quota
        };
        buckets.take((1, 0), &none, now, 5);
        assert_eq!(buckets.standing((1, 0), &none, now), None);
    }
}
