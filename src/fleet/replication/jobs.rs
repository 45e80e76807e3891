//! What replication does later: one writer and one reader a server, and one that takes up signals.

mod absorb;
mod place;
mod read;
mod write;

use std::time::Duration;

pub use absorb::Absorb;
pub use read::Read;
pub use write::Write;

use rand::RngExt as _;

use crate::db::DbError;
use crate::jobs::{Lease, Outcome, backoff};
use crate::outbound::lapi::LapiError;

/// How long a lease is prolonged by each transaction that acts on it.
const TERM: Duration = Duration::from_secs(20);

/// Why a turn ended early.
#[derive(Debug)]
enum Stop {
    Db(DbError),
    Lapi(LapiError),
    /// In words.
    Failed(String),
    Lost,
    /// It took long enough; what is left comes in the next turn.
    Enough,
}

impl From<DbError> for Stop {
    fn from(e: DbError) -> Self {
        Self::Db(e)
    }
}

impl From<LapiError> for Stop {
    fn from(e: LapiError) -> Self {
        Self::Lapi(e)
    }
}

/// The pause after a login that was refused: a wrong password is not mended by haste, and a mended one should be felt
/// within a minute.
const REFUSED: Duration = Duration::from_secs(30);
/// The longest pause after other failures: a server that is back is level within a minute.
const LONGEST: Duration = Duration::from_secs(20);

/// How a turn that ended early is given back.
fn ended(lease: &Lease, stop: Stop) -> Outcome {
    let jitter: f64 = rand::rng().random_range(0.0..1.0);
    let usual = || backoff(lease.failures, None, jitter).min(LONGEST.mul_f64(1.0 - 0.3 * jitter));
    let (error, pause) = match stop {
        Stop::Lost => return Outcome::Lost,
        Stop::Enough => return Outcome::More,
        Stop::Db(e) => (e.to_string(), usual()),
        Stop::Lapi(e @ LapiError::LoginRefused) => (e.to_string(), REFUSED.mul_f64(0.8 + 0.2 * jitter)),
        Stop::Lapi(LapiError::Status(status @ (401 | 403))) => (
            format!("the server refuses the key ({status})"),
            REFUSED.mul_f64(0.8 + 0.2 * jitter),
        ),
        Stop::Lapi(e) => {
            tracing::debug!(lane = lease.subject, cause = ?e, "a LAPI server was spoken to in vain");
            (e.to_string(), usual())
        }
        Stop::Failed(error) => (error, usual()),
    };
    Outcome::Failed { error, pause }
}
