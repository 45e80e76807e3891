use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::ToSql;

use super::ask;
use crate::db::{Db, DbError, Tenant, TenantTx, sql};
use crate::manage::alert::model::{Counting, Filter, Window};

/// Alerts that an estimate counts one by one.
const COUNTED: i64 = 5_000;
/// The pieces of time that are counted already.
const PIECE: SignedDuration = SignedDuration::from_mins(15);

/// How many alerts a list has, and whether that is exact.
///
/// # Errors
/// As the database fails.
pub async fn count(
    db: &Db,
    tenant: Tenant,
    filter: &Filter,
    how: Counting,
) -> Result<(i64, Counting), DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let timed = Filter {
        newer_than: None,
        ..filter.clone()
    };
    if let Some(window) = Window::of(&timed, PIECE) {
        let n = count_rolled(&tx, &window).await?;
        tx.commit().await?;
        return Ok((n, Counting::Exact));
    }
    let asked = ask(&tx, filter).await?;
    let tenant_id = tenant.id();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant_id];
    params.extend(asked.params());
    params.push(&asked.names);
    if how == Counting::Exact {
        let row = tx.query_opt(sql!("alert/count"), &params).await?;
        tx.commit().await?;
        return Ok((row.map_or(0, |row| row.get("n")), Counting::Exact));
    }
    let most = COUNTED + 1;
    params.push(&most);
    let row = tx.query_opt(sql!("alert/count_newest"), &params).await?;
    let n = row.as_ref().map_or(0, |row| row.get("n"));
    let oldest = row.and_then(|row| row.get::<_, Option<Timestamp>>("oldest"));
    let all = match oldest.filter(|_| n > COUNTED) {
        None => return Ok((n, Counting::Exact)),
        Some(oldest) => estimate(&tx, filter, n, oldest).await?,
    };
    tx.commit().await?;
    Ok((all, Counting::Estimate))
}

/// The newest `n` lie after `oldest`: as many of all alerts as there, everywhere.
async fn estimate(tx: &TenantTx<'_>, filter: &Filter, n: i64, oldest: Timestamp) -> Result<i64, DbError> {
    let of = |since| Filter {
        since,
        until: filter.until,
        ..Filter::default()
    };
    let (Some(whole), Some(seen)) = (
        Window::of(&of(filter.since), PIECE),
        Window::of(&of(Some(oldest)), PIECE),
    ) else {
        // All within a quarter of an hour.
        return Ok(n);
    };
    let (whole, seen) = (count_rolled(tx, &whole).await?, count_rolled(tx, &seen).await?);
    let all = i128::from(n) * i128::from(whole) / i128::from(seen.max(1));
    Ok(i64::try_from(all).unwrap_or(i64::MAX).max(n))
}

async fn count_rolled(tx: &TenantTx<'_>, window: &Window) -> Result<i64, DbError> {
    let tenant = tx.tenant().id();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant];
    let bounds = window.bounds();
    params.extend(bounds.iter().map(|at| at as &(dyn ToSql + Sync)));
    let row = tx.query_opt(sql!("alert/count_rolled"), &params).await?;
    Ok(row.map_or(0, |row| row.get("n")))
}
