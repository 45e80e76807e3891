//! Token buckets: what somebody may do in a minute, and how much of it at once.

use std::time::Duration;

/// So much a minute, of which what `burst` brings may come at once. Nothing is no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// A minute; 0 for no limit.
    pub per_minute: u64,
    /// How long a silence is saved up for.
    pub burst: Duration,
}

impl Quota {
    /// Whether there is a limit at all.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        self.per_minute > 0
    }

    #[allow(clippy::cast_precision_loss)] // Far below 2^52.
    fn per_second(&self) -> f64 {
        self.per_minute as f64 / 60.0
    }

    /// What a full bucket holds: at least one.
    #[must_use]
    pub fn most(&self) -> f64 {
        (self.per_second() * self.burst.as_secs_f64()).max(1.0)
    }
}

/// What somebody has left. May be in debt: how much a request takes is known when it was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    level: f64,
    /// When that was so, since the clock's start.
    at: Duration,
}

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Whole ones that are left.
    pub left: u64,
    /// Until the bucket is full.
    pub full_in: Duration,
    /// Until one is there; none when one is.
    pub wait: Option<Duration>,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(quota: &Quota, now: Duration) -> Self {
        Self {
            level: quota.most(),
            at: now,
        }
    }

    fn refill(&mut self, quota: &Quota, now: Duration) {
        let gone = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + gone * quota.per_second()).min(quota.most());
        self.at = self.at.max(now);
    }

    /// How it stands, without taking anything.
    #[must_use]
    pub fn standing(&mut self, quota: &Quota, now: Duration) -> Standing {
        self.refill(quota, now);
        let until = |level: f64| {
            let missing = ((level - self.level) / quota.per_second()).clamp(0.0, 86_400.0);
            Duration::from_secs_f64(missing)
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and a quota.
        let left = self.level.max(0.0).floor() as u64;
        Standing {
            left,
            full_in: until(quota.most()),
            wait: (self.level < 1.0).then(|| until(1.0)),
        }
    }

    /// Takes so much, into debt if need be: down to what ten minutes bring back, so that one batch does not close for ever.
    #[allow(clippy::cast_precision_loss)]
    pub fn take(&mut self, quota: &Quota, now: Duration, n: u64) {
        self.refill(quota, now);
        let deepest = -600.0 * quota.per_second();
        self.level = (self.level - n as f64).max(deepest.min(self.level));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_bucket_by_a_clock_of_its_own() {
        // 60 a minute, ten seconds' worth at once.
        let quota = Quota {
            per_minute: 60,
            burst: Duration::from_secs(10),
        };
        let mut bucket = Bucket::full(&quota, at(0));
        // Time, what is taken there, and then: left, milliseconds until full, until one is there.
        for (now, taken, left, full, wait) in [
            (0, 0, 10, 0, None),
            (0, 1, 9, 1_000, None),
            (0, 9, 0, 10_000, Some(1_000)),
            (500, 0, 0, 9_500, Some(500)),
            (1_000, 0, 1, 9_000, None),
            (1_000, 1, 0, 10_000, Some(1_000)),
            (11_000, 0, 10, 0, None),
            // Longer silence saves up no more.
            (100_000, 0, 10, 0, None),
            // A batch of thirty: twenty of debt.
            (100_000, 30, 0, 30_000, Some(21_000)),
            (121_000, 0, 1, 9_000, None),
            // A clock that goes back gives nothing.
            (120_000, 0, 1, 9_000, None),
            (121_500, 1, 0, 9_500, Some(500)),
            // No debt is deeper than ten minutes.
            (121_500, 1_000_000, 0, 610_000, Some(601_000)),
            (121_500, 1_000_000, 0, 610_000, Some(601_000)),
        ] {
            bucket.take(&quota, at(now), taken);
            let standing = bucket.standing(&quota, at(now));
            let millis = |d: Duration| (d.as_secs_f64() * 1000.0).round();
            assert_eq!(
                (standing.left, millis(standing.full_in), standing.wait.map(millis)),
                (left, f64::from(full), wait.map(f64::from)),
                "{now} after {taken}"
            );
        }
    }

    #[test]
    fn a_small_quota_still_lets_one_through() {
        let quota = Quota {
            per_minute: 1,
            burst: Duration::from_secs(1),
        };
        let mut bucket = Bucket::full(&quota, at(0));
        assert_eq!(bucket.standing(&quota, at(0)).wait, None);
        bucket.take(&quota, at(0), 1);
        assert_eq!(bucket.standing(&quota, at(0)).wait, Some(Duration::from_mins(1)));
        let none = Quota {
            per_minute: 0,
            ..quota
        };
        assert!(!none.is_set() && quota.is_set());
    }
}
