use super::queries;
use crate::db::{Db, DbError};
use crate::manage::tenant;

/// How long rows live, days: the window of `blockedRequests` three times.
const DAYS: i32 = 90;
/// Rows deleted in one transaction, which takes a fraction of a second.
const PORTION: i64 = 5000;

/// Deletes what is too old, of one tenant after the other, a few rows at a time.
///
/// # Errors
/// The last that a statement failed with: one tenant's trouble is not the others'.
pub async fn expire(db: &Db) -> Result<(), DbError> {
    let mut done = Ok(());
    for row in tenant::list(db).await? {
        if let Err(e) = expire_tenant(db, &row.name).await {
            done = Err(e);
        }
    }
    done
}

async fn expire_tenant(db: &Db, name: &str) -> Result<(), DbError> {
    let Some(tenant) = tenant::find(db, name).await? else {
        return Ok(());
    };
    while queries::delete_old(db, tenant, DAYS, PORTION).await? == PORTION.unsigned_abs() {}
    Ok(())
}
