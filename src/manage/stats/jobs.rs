use std::time::Duration;

use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use super::queries;
use crate::db::{Db, DbError, Tenant};

/// A chart reads what is not folded row by row; this keeps it short.
const PAUSE: Duration = Duration::from_secs(3);
/// Changes folded in one transaction, at most: fewer after one that took too long, because a batch may hold a thousand
/// alerts of as many kinds.
const PORTION: i64 = 1000;

/// Folds changes into the counts, of one tenant after the other, until `stop`. Every replica looks; which one folds does
/// not matter.
pub async fn fold(db: Db, stop: CancellationToken) {
    loop {
        match queries::list_unfolded(&db).await {
            Ok(tenants) => {
                for tenant in tenants {
                    // One tenant's trouble is not the others'.
                    if let Err(e) = fold_tenant(&db, tenant, &stop).await {
                        tracing::warn!(tenant = tenant.id(), cause = %e, "counts were not folded and will be later");
                    }
                }
            }
            Err(e) => tracing::warn!(cause = %e, "counts were not folded and will be later"),
        }
        let pause = PAUSE.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whether a tenant's changes are folded; not when another process is at it.
async fn fold_tenant(db: &Db, tenant: Tenant, stop: &CancellationToken) -> Result<bool, DbError> {
    let mut portion = PORTION;
    while !stop.is_cancelled() {
        match queries::fold(db, tenant, portion).await {
            Ok(None) => return Ok(false),
            Ok(Some(folded)) if folded < portion => return Ok(true),
            Ok(Some(_)) => portion = (portion * 2).min(PORTION),
            Err(e) if e.is_passing() && portion > 1 => portion = (portion / 8).max(1),
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

/// Folds all that a tenant's changes left, so that no text of theirs waits in them.
///
/// # Errors
/// As the statements fail.
pub async fn settle(db: &Db, tenant: Tenant) -> Result<(), DbError> {
    while !fold_tenant(db, tenant, &CancellationToken::new()).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
