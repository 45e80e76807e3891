//! Polling with a deadline: no test sleeps where it can look.
use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What is in time, `limit` being for a test that runs alone: `dev/test.sh` runs several on few cores, and
/// GARRISON_TEST_PATIENCE says how many times as long they may take. Less than ten seconds is a promise, and stays.
pub fn patient(limit: Duration) -> Duration {
    static TIMES: LazyLock<u32> = LazyLock::new(|| {
        let times = std::env::var("GARRISON_TEST_PATIENCE").unwrap_or_else(|_| "1".to_owned());
        times.parse().expect("GARRISON_TEST_PATIENCE: a number")
    });
    if limit < secs(10) { limit } else { limit * *TIMES }
}

/// Polls until `probe` gives `Some`; panics with `what` after `limit`.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    let limit = patient(limit);
    let mut pause = Duration::from_millis(20);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}

/// Polls until `probe` is true; panics with `what` after `limit`.
pub async fn until_true<F, Fut>(what: &str, limit: Duration, mut probe: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    until(what, limit, || {
        let look = probe();
        async move { look.await.then_some(()) }
    })
    .await;
}

/// Asserts that `probe` stays true for `span`: for things that must not happen.
pub async fn holds<F, Fut>(what: &str, span: Duration, mut probe: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let start = Instant::now();
    while start.elapsed() < span {
        assert!(probe().await, "did not hold: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
