//! Decisions about upstream logins.

use std::time::Duration;

use crate::outbound::capi::Down;

/// Why there is no token of CAPI's to speak with.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// CAPI did not decide, or another replica is still asking it.
    #[error(transparent)]
    Down(#[from] Down),
    /// CAPI refused the machine's credentials.
    #[error("CAPI refused the machine's login with status {0}")]
    Refused(u16),
    /// The login budget of the last 50 minutes is used up.
    #[error("the login budget of the last 50 minutes is used up")]
    Budget,
    /// Our side failed.
    #[error(transparent)]
    Db(#[from] crate::db::DbError),
    /// The secret key of this installation does not open what is stored.
    #[error(transparent)]
    Sealed(#[from] crate::kernel::keyring::SealError),
}

/// Shortest rest of a token's life with which a delivery is begun.
const MARGIN: i64 = 60;

/// Whether a stored token may still be used.
#[must_use]
pub fn is_fresh(expires: Option<jiff::Timestamp>, now: jiff::Timestamp) -> bool {
    expires.is_some_and(|end| end.as_second() - now.as_second() > MARGIN)
}

/// For whom a login is sent to CAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An engine whose password CAPI accepted before.
    Known,
    /// A login that nothing is known of: anybody may send such.
    Stranger,
    /// A delivery of ours.
    Delivery,
}

/// Whether one more login fits. Known engines may use the budget whole, because one that cannot log in does not start;
/// deliveries leave a fifth of it to them, and strangers may use half.
#[must_use]
pub const fn fits(budget: Option<u32>, used: i64, purpose: Purpose) -> bool {
    let Some(budget) = budget else { return true };
    let budget = budget as i64;
    used < match purpose {
        Purpose::Known => budget,
        Purpose::Stranger => budget - budget / 2,
        Purpose::Delivery => budget - budget / 5,
    }
}

/// Where a machine's sealed value stands, which the seal is bound to.
#[must_use]
pub fn place(column: &str, tenant: i32, login: &str) -> String {
    format!("machine.{column}/{tenant}/{login}")
}

/// How long to wait before looking again whether the replica that logs in has a token.
pub const LOOK_AGAIN: Duration = Duration::from_millis(150);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_leave_engines_a_part_of_the_budget() {
        for (budget, used, purpose, expected) in [
            (None, 1_000_000, Purpose::Delivery, true),
            (Some(20), 15, Purpose::Delivery, true),
            (Some(20), 16, Purpose::Delivery, false),
            (Some(20), 16, Purpose::Known, true),
            (Some(20), 19, Purpose::Known, true),
            (Some(20), 20, Purpose::Known, false),
            (Some(0), 0, Purpose::Known, false),
            (Some(20), 9, Purpose::Stranger, true),
            (Some(20), 10, Purpose::Stranger, false),
            (Some(1), 0, Purpose::Stranger, true),
        ] {
            assert_eq!(
                fits(budget, used, purpose),
                expected,
                "{budget:?} {used} {purpose:?}"
            );
        }
    }

    #[test]
    fn a_token_is_fresh_until_a_minute_before_its_end() {
        let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let at = |s: i64| jiff::Timestamp::from_second(1_800_000_000 + s).ok();
        assert!(is_fresh(at(61), now));
        assert!(!is_fresh(at(60), now));
        assert!(!is_fresh(at(-5), now));
        assert!(!is_fresh(None, now));
    }
}
