//! The heatmap, which few conditions keep from the counts.

use jiff::SignedDuration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{PIECE, ask, ask_rolled};
use crate::db::{Db, DbError, Tenant, sql};
use crate::manage::alert::{self, Filter, Window};
use crate::manage::stats::model::views::Heatmap;
use crate::manage::stats::model::{Question, whole_hours};

/// Scenarios that are looked up hour by hour; for more the rows are read.
const MOST_NAMES: usize = 10;
/// What is counted apart (`stat_count`).
const BY_SCENARIO: i16 = 1;
const BY_COUNTRY: i16 = 2;
const CENTURY: SignedDuration = SignedDuration::from_hours(100 * 366 * 24);

/// Alerts by weekday and hour.
pub async fn heatmap(db: &Db, tenant: Tenant, question: &Question) -> Result<Heatmap, DbError> {
    let rows = list(db, tenant, question).await?;
    let mut map = Heatmap {
        matrix: vec![vec![0; 24]; 7],
        ..Heatmap::default()
    };
    for row in rows {
        let at = |name: &str| usize::try_from(row.get::<_, i32>(name)).unwrap_or(usize::MAX);
        let n: i64 = row.get("n");
        let cell = map
            .matrix
            .get_mut(at("weekday"))
            .and_then(|day| day.get_mut(at("hour")));
        if let Some(cell) = cell {
            *cell = n;
        }
        map.max = map.max.max(n);
        map.total += n;
    }
    Ok(map)
}

async fn list(db: &Db, tenant: Tenant, question: &Question) -> Result<Vec<Row>, DbError> {
    let filter = &question.filter;
    if let Some(window) = Window::of(filter, PIECE) {
        let statement = sql!("stats/list_rolled_heatmap");
        return ask_rolled(db, tenant, statement, &window.bounds(), &[&question.zone]).await;
    }
    if let Some(rows) = list_of(db, tenant, question).await? {
        return Ok(rows);
    }
    let statement = sql!("stats/list_heatmap");
    ask(db, tenant, statement, question, &[&question.zone]).await
}

/// From the counts, where a scenario or a country is the only condition beside when.
async fn list_of(db: &Db, tenant: Tenant, question: &Question) -> Result<Option<Vec<Row>>, DbError> {
    let filter = &question.filter;
    let (dim, part) = match (&filter.scenario, &filter.country) {
        (Some(part), None) => (BY_SCENARIO, part),
        (None, Some(code)) => (BY_COUNTRY, code),
        _ => return Ok(None),
    };
    let any = Filter {
        scenario: None,
        country: None,
        ..filter.clone()
    };
    let Some(window) = Window::of(&any, PIECE) else {
        return Ok(None);
    };
    // Nothing is received later, however wrong a clock was.
    let last = question.now.saturating_add(CENTURY).unwrap_or(window.to);
    if !whole_hours(&question.tz, window.from, window.to.min(last)) {
        return Ok(None);
    }
    let keys = if dim == BY_SCENARIO {
        match alert::scenarios(db, tenant, part).await? {
            Some(names) if names.len() <= MOST_NAMES => names,
            _ => return Ok(None),
        }
    } else {
        vec![part.clone()]
    };
    let more: [&(dyn ToSql + Sync); 3] = [&question.zone, &dim, &keys];
    let statement = sql!("stats/list_rolled_heatmap_of");
    let rows = ask_rolled(db, tenant, statement, &window.bounds(), &more).await?;
    Ok(Some(rows))
}
