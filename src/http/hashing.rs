//! Passwords of people are hashed one at a time, with few that wait: a flood of logins leaves the rest a core.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::ApiError;
use crate::kernel::password::{hash_password, verify_if_known};

static TURN: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(1));
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Most that wait for their turn.
const MOST: usize = 16;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(2);

const BUSY: ApiError = ApiError::TooMany("too many logins at once", 2);

/// One who waits.
struct Waiting;

impl Waiting {
    fn begin() -> Option<Self> {
        let before = WAITING.fetch_add(1, Ordering::Relaxed);
        let this = Self;
        (before < MOST).then_some(this)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let waiting = Waiting::begin().ok_or(BUSY)?;
    let turn = tokio::time::timeout(PATIENCE, TURN.acquire()).await;
    let turn = turn
        .map_err(|_| BUSY)?
        .map_err(|e| ApiError::Internal(e.to_string()))?;
    drop(waiting);
    let done = tokio::task::spawn_blocking(work).await;
    drop(turn);
    done.map_err(|e| ApiError::Internal(format!("hashing: {e}")))
}

/// Whether a password is a person's. Without a hash to compare with it takes as long.
///
/// # Errors
/// 429 when too many wait.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, ApiError> {
    in_turn(move || verify_if_known(&password, hash.as_deref())).await
}

/// The hash of a new password.
///
/// # Errors
/// 429 when too many wait.
pub async fn hash(password: String) -> Result<String, ApiError> {
    let hash = in_turn(move || hash_password(&password)).await?;
    hash.map_err(|e| ApiError::Internal(format!("hashing: {e}")))
}
