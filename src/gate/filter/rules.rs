//! Compiled rules, kept per tenant and compiled once a version.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::model::{Mode, Ruleset};
use super::queries;
use crate::db::{Db, DbError, Tenant};

/// How long a version is believed: a change is felt on every replica within this time.
const BELIEVED: Duration = Duration::from_secs(3);

/// The cache of one replica.
#[derive(Clone)]
pub struct Rules {
    current: Cache<Tenant, Arc<Ruleset>>,
    compiled: Cache<Tenant, Arc<Ruleset>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            current: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(BELIEVED)
                .build(),
            compiled: Cache::builder()
                .max_capacity(10_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
        }
    }
}

impl Rules {
    /// The rules a tenant's signals are judged by.
    ///
    /// # Errors
    /// When they cannot be read: a signal is never judged without them.
    pub async fn of(&self, db: &Db, tenant: Tenant) -> Result<Arc<Ruleset>, DbError> {
        self.current
            .try_get_with(tenant, self.load(db, tenant))
            .await
            .map_err(|e| match &*e {
                DbError::Internal(cause) => DbError::Internal(cause.clone()),
                other => DbError::Unavailable(other.to_string()),
            })
    }

    async fn load(&self, db: &Db, tenant: Tenant) -> Result<Arc<Ruleset>, DbError> {
        let known = self.compiled.get(&tenant).await;
        let fresh = queries::load(db, tenant, known.as_ref().map(|rules| rules.version)).await?;
        let rules = match (fresh, known) {
            (Some(rules), _) => Arc::new(rules),
            (None, Some(known)) => known,
            (None, None) => Arc::new(Ruleset::new(Mode::Block, 0, Vec::new())),
        };
        self.compiled.insert(tenant, rules.clone()).await;
        Ok(rules)
    }

    /// Forgets what is believed, so that this replica reads the change it just wrote.
    pub async fn forget(&self, tenant: Tenant) {
        self.current.invalidate(&tenant).await;
    }
}
