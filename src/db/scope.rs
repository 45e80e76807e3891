use std::time::Duration;

tokio::task_local! {
    static SCOPE: Scope;
}

/// Within what the work of a request stays that is not an engine's. Work in a task of its own is outside: what is done to
/// its end although nobody waits has the time that engines have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// How long a statement may take.
    pub timeout: Duration,
    /// Whose request it is: a tenant's crowd waits for connections where nobody else does.
    pub tenant: Option<i32>,
}

/// How long a statement may take where nobody says so.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs work within a scope.
pub async fn within<T>(scope: Scope, work: impl Future<Output = T>) -> T {
    SCOPE.scope(scope, work).await
}

/// The scope of the work at hand: it has to leave connections to engines. None for engines' and workers'.
pub(super) fn here() -> Option<Scope> {
    SCOPE.try_with(|scope| *scope).ok()
}

/// How long a statement of the work at hand may take, in milliseconds.
pub(super) fn timeout_millis() -> u128 {
    SCOPE
        .try_with(|scope| scope.timeout)
        .unwrap_or(TIMEOUT)
        .as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scope_holds_for_the_work_and_no_longer() {
        let timeout = Duration::from_millis(1234);
        let scope = Scope {
            timeout,
            tenant: Some(7),
        };
        assert_eq!((here(), timeout_millis()), (None, 10_000));
        let inside = within(scope, async {
            let own = tokio::spawn(async { here() }).await;
            (here(), timeout_millis(), own.expect("a task"))
        });
        assert_eq!(inside.await, (Some(scope), 1234, None));
        assert_eq!(here(), None);
    }
}
