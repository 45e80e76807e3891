//! What was refused, on record: once at once, and then once a minute with the number of times, so that a flood of refusals
//! does not fill the audit trail.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::{Auth, Shown, Trace};
use crate::db::{By, Db, DbError, Entry, Tenant, patiently};

/// How often the same refusal is written at most.
const EVERY: Duration = Duration::from_mins(1);
/// How many different ones are counted at a time; more are a metric only.
const MOST: usize = 10_000;
/// How long one is tried to be written while the database has no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who was refused what: the numbers of the tenant and the actor, and the action.
type Key = (i32, u8, Option<i64>, &'static str);

/// What was refused a moment ago, and how often since it was last written.
#[derive(Debug, Default)]
struct Counts(HashMap<Key, u64>);

impl Counts {
    /// Whether this one is to be written at once; otherwise it is counted.
    fn is_new(&mut self, key: Key) -> bool {
        if let Some(count) = self.0.get_mut(&key) {
            *count += 1;
            return false;
        }
        if self.0.len() >= MOST {
            return false;
        }
        self.0.insert(key, 0);
        true
    }

    /// How often it came again; none, and forgotten, when it did not.
    fn again(&mut self, key: &Key) -> Option<u64> {
        match self.0.get_mut(key) {
            Some(count) if *count > 0 => Some(std::mem::take(count)),
            _ => {
                self.0.remove(key);
                None
            }
        }
    }
}

/// The refusals of one replica.
#[derive(Debug, Clone)]
pub struct Refusals {
    db: Db,
    counts: Arc<Mutex<Counts>>,
}

impl Refusals {
    /// None so far.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db,
            counts: Arc::default(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a refusal on record, or counts it where there was one a moment ago.
    pub fn note(&self, tenant: Tenant, by: By, action: &'static str, target: String) {
        metrics::counter!("garrison_refused_total", "action" => action).increment(1);
        let key = (tenant.id(), by.kind as u8, by.id, action);
        if !self.counts().is_new(key) {
            return;
        }
        let refusals = self.clone();
        tokio::spawn(async move {
            refusals.write(tenant, &by, action, &target, 1).await;
            loop {
                tokio::time::sleep(EVERY).await;
                let count = refusals.counts().again(&key);
                let Some(count) = count else { return };
                refusals.write(tenant, &by, action, &target, count).await;
            }
        });
    }

    async fn write(&self, tenant: Tenant, by: &By, action: &'static str, target: &str, times: u64) {
        let once = || self.try_write(tenant, by, action, target, times);
        if let Err(e) = patiently(PATIENCE, once).await {
            tracing::warn!(tenant = tenant.id(), action, times, cause = %e, "a refusal was not put on record");
        }
    }

    async fn try_write(
        &self,
        tenant: Tenant,
        by: &By,
        action: &'static str,
        target: &str,
        times: u64,
    ) -> Result<(), DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.tenant(&mut connection, tenant).await?;
        let entry = Entry {
            refused: true,
            ..Entry::done(action, target, json!({ "times": times }))
        };
        tx.record_by(by, entry).await?;
        tx.commit().await
    }
}

/// Puts on record who was known and asked for more than they may.
pub async fn watch(
    State((auth, refusals)): State<(Auth, Refusals)>,
    request: Request,
    next: Next,
) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let kept = parts.clone();
    let response = next.run(Request::from_parts(parts, body)).await;
    if response.status() == StatusCode::FORBIDDEN
        && let Ok(shown) = Shown::of(&kept.headers, &kept.extensions)
        && let Ok(operator) = auth.authenticate(&shown).await.and_then(|known| known.operator())
    {
        let by = Trace::of(&kept).by(&operator.actor());
        let path = kept.extensions.get::<MatchedPath>();
        let path = path.map_or("", MatchedPath::as_str);
        let target = format!("{} {path}", kept.method);
        refusals.note(operator.tenant, by, "access", target);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_counted_and_then_forgotten() {
        let mut counts = Counts::default();
        let key = |id| (1, 1, Some(id), "access");
        assert!(counts.is_new(key(7)), "written at once");
        for _ in 0..4 {
            assert!(!counts.is_new(key(7)));
        }
        assert!(counts.is_new(key(8)));
        assert_eq!((counts.again(&key(7)), counts.again(&key(8))), (Some(4), None));
        assert_eq!(counts.again(&key(7)), None);
        assert!(counts.0.is_empty());
        for n in 0..i64::try_from(MOST).unwrap() {
            assert!(counts.is_new(key(n)));
        }
        assert!(
            !counts.is_new(key(-1)),
            "a flood of different ones does not fill the memory"
        );
    }
}
