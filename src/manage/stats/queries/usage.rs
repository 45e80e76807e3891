use jiff::Timestamp;
use tokio_postgres::Row;

use super::run;
use crate::db::{Db, DbError, Tenant, sql};
use crate::manage::stats::model::views::{self, Usage};

/// What was used in the last months, this one first.
///
/// # Errors
/// As the statement fails.
pub async fn list_usage(db: &Db, tenant: Tenant, months: i32) -> Result<Vec<Usage>, DbError> {
    let rows = run(db, tenant, sql!("stats/list_usage"), &[&tenant.id(), &months]).await?;
    let usage = |row: &Row| Usage {
        month: row.get("month"),
        received: row.get("received"),
        stored: row.get("stored"),
        filtered: row.get("filtered"),
        forwarded: row.get("forwarded"),
        decisions: row.get("decisions"),
        bytes: row.get("bytes"),
        machines: row.get("machines"),
    };
    let used = rows.iter().map(usage).collect();
    Ok(views::every_month(used, Timestamp::now(), months))
}
