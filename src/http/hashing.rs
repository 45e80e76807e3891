//! Passwords of people are hashed one at a time, behind all else that wants a core, with few that wait and a rest after each:
//! a flood of logins gets a quarter of a core that is free, and what is too much of it touches nothing.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use super::ApiError;
use crate::kernel::password::{hash_password, verify_if_known};

static TURN: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(1));
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Most that wait for their turn.
const MOST: usize = 16;
/// How long one waits: all of them, where a hash and its rest take an eighth of a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// Times as long as the hash took. A hash is memory, fast, from end to end: cores that share their caches, or are two threads
/// of one, are slowed by half of one as if it were whole.
const REST: u32 = 3;
/// Longest rest: what took longer waited for the machine, which is no reason to keep the next one waiting.
const LONGEST: Duration = Duration::from_millis(250);

/// How much a hash steps back (`nice(2)`): where engines' requests want the core, too, it gets a tenth of it.
const NICE: i32 = 10;

const BUSY: ApiError = ApiError::TooMany("too many logins at once", 2);

/// A place among those who wait; given back when its turn comes, or when it is dropped.
pub struct Place(());

impl Place {
    /// Takes a place, before anything else is done for a login.
    ///
    /// # Errors
    /// 429 when too many wait.
    pub fn take() -> Result<Self, ApiError> {
        let before = WAITING.fetch_add(1, Ordering::Relaxed);
        // Counted first, so that dropping it counts back.
        let this = Self(());
        if before < MOST { Ok(this) } else { Err(BUSY) }
    }

    async fn turn<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
        let turn = tokio::time::timeout(PATIENCE, TURN.acquire()).await;
        let turn = turn
            .map_err(|_| BUSY)?
            .map_err(|e| ApiError::Internal(e.to_string()))?;
        drop(self);
        let (tell, told) = oneshot::channel();
        // The turn is the thread's: who hangs up does not let the next one in beside a hash that goes on.
        let hashing = thread::Builder::new().name("hashing".to_owned());
        let hashing = hashing.spawn(move || {
            // Linux has it of the thread alone. Where it may not, a hash counts as much as all else.
            let _ = rustix::process::nice(NICE);
            let begun = Instant::now();
            let _ = tell.send(work());
            thread::sleep((begun.elapsed() * REST).min(LONGEST));
            drop(turn);
        });
        hashing.map_err(|e| ApiError::Internal(format!("hashing: {e}")))?;
        told.await
            .map_err(|e| ApiError::Internal(format!("hashing: {e}")))
    }

    /// Whether a password is a person's. Without a hash to compare with it takes as long.
    ///
    /// # Errors
    /// 429 when the turn does not come.
    pub async fn verify(self, password: String, hash: Option<String>) -> Result<bool, ApiError> {
        self.turn(move || verify_if_known(&password, hash.as_deref()))
            .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a password is a person's, who is logged in.
///
/// # Errors
/// 429 when too many wait.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, ApiError> {
    Place::take()?.verify(password, hash).await
}

/// The hash of a new password.
///
/// # Errors
/// 429 when too many wait.
pub async fn hash(password: String) -> Result<String, ApiError> {
    let hash = Place::take()?.turn(move || hash_password(&password)).await?;
    hash.map_err(|e| ApiError::Internal(format!("hashing: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_hangs_up_lets_nobody_in_beside_a_hash_that_goes_on() {
        static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
        static MOST_AT_ONCE: AtomicUsize = AtomicUsize::new(0);
        let work = || {
            let n = AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1;
            MOST_AT_ONCE.fetch_max(n, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(30));
            AT_ONCE.fetch_sub(1, Ordering::SeqCst);
        };
        for _ in 0..4 {
            let turn = Place::take().unwrap().turn(work);
            assert!(
                tokio::time::timeout(Duration::from_millis(5), turn)
                    .await
                    .is_err()
            );
        }
        Place::take().unwrap().turn(work).await.unwrap();
        assert_eq!(MOST_AT_ONCE.load(Ordering::SeqCst), 1);
        assert_eq!(WAITING.load(Ordering::SeqCst), 0);
    }
}
