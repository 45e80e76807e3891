use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::queries;
use crate::app::App;
use crate::db::{Db, DbError, Tenant};
use crate::kernel::keyring::Keyring;
use crate::manage::erase::{self, Counts, Kind};

/// How often it is looked whether a tenant was deleted.
const LOOK: Duration = Duration::from_secs(3);
/// How often it is noted how far an erasure is.
const NOTE: Duration = Duration::from_secs(2);

/// Erases tenants that were deleted, one after the other, until `stop`. Every replica looks; what one leaves another takes up.
pub async fn erase(app: App, stop: CancellationToken) {
    let owner = Uuid::now_v7();
    loop {
        match queries::list_erasing(&app.db).await {
            Ok(tenants) => {
                for tenant in tenants {
                    // One tenant's trouble is not the others'.
                    if let Err(e) = erase_tenant((&app.db, &app.ring), tenant, owner, &stop).await {
                        tracing::warn!(tenant = tenant.id(), cause = %e, "a tenant was not erased to the end and will be later");
                    }
                }
            }
            Err(e) => tracing::warn!(cause = %e, "tenants were not erased and will be later"),
        }
        let pause = LOOK.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Erases one that nobody erases, at once.
///
/// # Errors
/// As the statements fail: then it is done later by who serves.
pub async fn erase_now(db: &Db, ring: &Keyring, tenant: Tenant) -> Result<(), DbError> {
    erase_tenant((db, ring), tenant, Uuid::now_v7(), &CancellationToken::new()).await
}

async fn erase_tenant(
    (db, ring): (&Db, &Keyring),
    tenant: Tenant,
    owner: Uuid,
    stop: &CancellationToken,
) -> Result<(), DbError> {
    let Some(actor) = queries::claim_erasure(db, tenant, owner).await? else {
        return Ok(());
    };
    let mut counts = Counts::default();
    let (mut limit, mut fresh, mut noted) = (erase::TEXTS, 0, Instant::now());
    while let Some(gone) = erase::portion(db, tenant, &mut limit, &mut counts).await? {
        fresh += gone;
        if noted.elapsed() > NOTE {
            if stop.is_cancelled() || !queries::update_erasure(db, tenant, owner, fresh, false).await? {
                return Ok(());
            }
            (fresh, noted) = (0, Instant::now());
        }
    }
    queries::forget(db, tenant).await?;
    // As the command line proves it.
    let digest = ring.token_hash(&format!("erasure/{}/everything", tenant.id()));
    erase::insert(db, tenant, Kind::Tenant, &actor, &digest, true, &counts).await?;
    queries::update_erasure(db, tenant, owner, fresh, true).await?;
    tracing::info!(tenant = tenant.id(), rows = counts.total(), "a tenant was erased");
    Ok(())
}
