use std::time::{Duration, Instant};

use super::DbError;

/// Does something again while Postgres is away for a moment, until the limit: for callers who do not come back, such
/// as an engine, which sends a batch once. Only for what may be done twice.
///
/// # Errors
/// The last failure, or that it took too long.
pub async fn patiently<T, F>(limit: Duration, op: impl Fn() -> F) -> Result<T, DbError>
where
    F: Future<Output = Result<T, DbError>>,
{
    let begun = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, op()).await {
            Ok(Err(e)) if e.is_passing() && begun.elapsed() + pause < limit => {
                tracing::debug!(cause = %e, "tried again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            Ok(result) => return result,
            Err(_) => return Err(DbError::Unavailable("not done in time".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_passing_failure_is_outlived_and_a_lasting_one_is_not() {
        let tries = Cell::new(0);
        let after = |good: u32| {
            let tries = &tries;
            move || {
                tries.set(tries.get() + 1);
                let good = tries.get() >= good;
                async move {
                    if good {
                        Ok(())
                    } else {
                        Err(DbError::Unavailable(String::new()))
                    }
                }
            }
        };
        assert!(patiently(Duration::from_secs(2), after(3)).await.is_ok());
        assert_eq!(tries.replace(0), 3);
        let begun = Instant::now();
        assert!(
            patiently(Duration::from_millis(100), after(u32::MAX))
                .await
                .is_err()
        );
        assert!(begun.elapsed() < Duration::from_secs(1));
        let bug = async || Err::<(), _>(DbError::Internal(String::new()));
        assert!(matches!(
            patiently(Duration::from_secs(2), bug).await,
            Err(DbError::Internal(_))
        ));
        let never = async || std::future::pending::<Result<(), DbError>>().await;
        assert!(patiently(Duration::from_millis(50), never).await.is_err());
    }
}
