use std::time::Duration;

use super::Auth;
use crate::db::{DbError, sql};
use crate::http::limits::OwnLimits;

/// How long they are looked up while Postgres does not answer.
const PATIENCE: Duration = Duration::from_millis(300);

impl Auth {
    /// The limits that a tenant has of its own; none of them for most. Believed for three seconds; while Postgres is away,
    /// what was known last.
    pub async fn own_limits(&self, tenant: i32) -> OwnLimits {
        self.limits
            .get_with(tenant, async {
                // An engine waits for seconds only, and the handler waits, too.
                let read = tokio::time::timeout(PATIENCE, self.read_limits(tenant)).await;
                if let Ok(Ok(own)) = read {
                    self.limits_before.insert(tenant, own).await;
                    return own;
                }
                self.limits_before.get(&tenant).await.unwrap_or_default()
            })
            .await
    }

    async fn read_limits(&self, tenant: i32) -> Result<OwnLimits, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx.query_opt(sql!("platform/get_limits"), &[&tenant]).await?;
        tx.commit().await?;
        Ok(row.as_ref().map(OwnLimits::from_row).unwrap_or_default())
    }

    /// Forgets what is believed, so that this replica keeps the limits that were just set.
    pub async fn forget_limits(&self, tenant: i32) {
        self.limits.invalidate(&tenant).await;
    }
}
