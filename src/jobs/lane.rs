//! Leases and what comes of them.

use std::time::Duration;

use crate::db::Tenant;

/// The right to work on one lane, until it ends or somebody claims the lane anew.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Whose lane it is; the lease is the proof.
    pub tenant: Tenant,
    /// What kind of log: 1 signals for CAPI, 2 decisions for a LAPI server, 3 decisions from one, 4 the tenant's set.
    pub topic: i16,
    /// Which target: for topic 1 the machine, for 2 and 3 the server, for 4 none.
    pub subject: i64,
    /// The claim's number.
    pub fence: i64,
    /// Failures in a row before this claim.
    pub failures: i32,
    /// The last row delivered: transaction and number within it.
    pub cursor: (String, i64),
    /// Rows of transactions below this one may be read: no earlier one can still appear.
    pub horizon: String,
}

/// How a turn on a lane ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing is left below the horizon.
    Drained,
    /// The turn is over, more is waiting: others first.
    More,
    /// The turn is over; the next one is due after the pause, or when the log grows.
    Rest {
        /// Whether nothing is left below the horizon.
        drained: bool,
        /// Until the next turn.
        pause: Duration,
    },
    /// The target failed; try again after the pause.
    Failed {
        /// For operators; never a secret.
        error: String,
        /// Seconds until the next try.
        pause: Duration,
    },
    /// Another worker has the lane.
    Lost,
}

/// The pause before the next try: 100 ms, doubled with every failure in a row up to a minute, at least what the
/// target asked for. `jitter` from 0 to 1 takes away up to half, so that lanes that failed together do not come back
/// together.
#[must_use]
pub fn backoff(failures: i32, asked: Option<Duration>, jitter: f64) -> Duration {
    const CAP: Duration = Duration::from_mins(1);
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    let full = Duration::from_millis(100).saturating_mul(1 << doublings).min(CAP);
    let own = full.mul_f64(1.0 - 0.5 * jitter.clamp(0.0, 1.0));
    // A target that asks for a pause gets it, spread a little, so that not all come at its very end.
    asked.map_or(own, |asked| {
        own.max(asked.mul_f64(1.0 + 0.1 * jitter.clamp(0.0, 1.0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_respect_what_was_asked() {
        let ms = |failures, asked: Option<u64>, jitter| {
            backoff(failures, asked.map(Duration::from_secs), jitter).as_millis()
        };
        assert_eq!(ms(0, None, 0.0), 100);
        assert_eq!(ms(0, None, 1.0), 50);
        assert_eq!(ms(3, None, 0.0), 800);
        assert_eq!(ms(9, None, 0.0), 51_200);
        assert_eq!(ms(10, None, 0.0), 60_000);
        assert_eq!(ms(i32::MAX, None, 0.0), 60_000);
        assert_eq!(ms(0, Some(7), 0.0), 7000);
        assert_eq!(ms(0, Some(7), 1.0), 7700);
        assert_eq!(ms(15, Some(7), 0.0), 60_000);
    }
}
