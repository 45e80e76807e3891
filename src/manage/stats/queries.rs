//! Statistics in the database: one statement, one look at the rows, for each set of charts.

mod heatmap;
mod usage;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::model::views::{
    Bounds, Bucket, CountryCount, Decisions, Distribution, DurationCount, Map, MapCell, MapCountry,
    NamedCountry, Range, ScenarioCount, Summary, Timeline,
};
use super::model::{self, Question, Unit};
use crate::db::{Db, DbError, Tenant, sql};
use crate::kernel::time::rfc3339_millis;
use crate::manage::alert::{self, Window};

pub use heatmap::heatmap;
pub use usage::list_usage;

/// Scenarios of a chart.
const SCENARIOS: usize = 10;
/// Countries of a chart.
const COUNTRIES: usize = 15;
/// Countries of the summary.
const TOP_COUNTRIES: usize = 10;
/// Rows of one kind on the map.
const PLACES: i64 = 5000;
/// The whole pieces of time that counts are kept by, beside days; those of pairs, which are many more.
const PIECE: SignedDuration = SignedDuration::from_hours(1);
const PAIR_PIECE: SignedDuration = SignedDuration::from_hours(6);
const CATEGORIES: [&str; 4] = ["<1h", "1-24h", "1-7d", ">7d"];

/// Runs a statement whose first eleven parameters are the alert list's conditions, and whose last are the scenarios.
async fn ask(
    db: &Db,
    tenant: Tenant,
    sql: &str,
    question: &Question,
    more: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let asked = alert::ask(&tx, &question.filter).await?;
    let tenant_id = tenant.id();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant_id];
    params.extend(asked.params());
    params.extend(more);
    params.push(&asked.names);
    let rows = tx.query(sql, &params).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Runs a statement on the counts: tenant, the instants of a window, and more.
async fn ask_rolled(
    db: &Db,
    tenant: Tenant,
    sql: &str,
    times: &[Timestamp],
    more: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, DbError> {
    let tenant_id = tenant.id();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant_id];
    params.extend(times.iter().map(|at| at as &(dyn ToSql + Sync)));
    params.extend(more);
    run(db, tenant, sql, &params).await
}

async fn run(
    db: &Db,
    tenant: Tenant,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned_once(&mut connection, tenant).await?;
    let rows = tx.query(sql, params).await?;
    tx.commit().await?;
    Ok(rows)
}

/// The rows of a set of charts, by chart.
struct Charts(BTreeMap<i32, Vec<Row>>);

impl Charts {
    fn of(rows: Vec<Row>) -> Self {
        let mut charts: BTreeMap<i32, Vec<Row>> = BTreeMap::new();
        for row in rows {
            charts.entry(row.get("chart")).or_default().push(row);
        }
        Self(charts)
    }

    fn rows(&self, chart: i32) -> impl Iterator<Item = &Row> {
        self.0.get(&chart).into_iter().flatten()
    }

    fn by_label(&self, chart: i32) -> BTreeMap<String, i64> {
        let pair = |row: &Row| (row.get("label"), row.get("n"));
        self.rows(chart).map(pair).collect()
    }

    /// By a label that is a small number.
    fn by_number(&self, chart: i32) -> BTreeMap<i8, i64> {
        let labels = self.by_label(chart).into_iter();
        labels
            .filter_map(|(label, n)| Some((label.parse().ok()?, n)))
            .collect()
    }

    fn scenarios(&self) -> Vec<ScenarioCount> {
        let count = |row: &Row| ScenarioCount {
            scenario: row.get("label"),
            count: row.get("n"),
        };
        self.rows(4).take(SCENARIOS).map(count).collect()
    }

    fn countries(&self) -> Vec<NamedCountry> {
        let count = |row: &Row| {
            let code: String = row.get("label");
            let name: Option<String> = row.get("name");
            NamedCountry {
                country_name: name
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| code.clone()),
                country_code: code,
                count: row.get("n"),
            }
        };
        self.rows(5).take(COUNTRIES).map(count).collect()
    }

    fn total(&self) -> i64 {
        self.rows(0).next().map_or(0, |row| row.get("n"))
    }

    /// When the first and the last were received.
    fn bounds(&self) -> Option<(Timestamp, Timestamp)> {
        let row = self.rows(0).next()?;
        Some((
            row.get::<_, Option<_>>("first")?,
            row.get::<_, Option<_>>("last")?,
        ))
    }
}

async fn list_alerts(db: &Db, tenant: Tenant, question: &Question) -> Result<Charts, DbError> {
    let most = i64::try_from(COUNTRIES).unwrap_or(i64::MAX);
    let more: [&(dyn ToSql + Sync); 2] = [&question.zone, &most];
    let rows = match Window::of(&question.filter, PIECE) {
        Some(window) => {
            let statement = sql!("stats/list_rolled_alerts");
            let more: [&(dyn ToSql + Sync); 3] = [&question.zone, &most, &window.everything];
            ask_rolled(db, tenant, statement, &window.with_days(), &more).await?
        }
        None => ask(db, tenant, sql!("stats/list_alerts"), question, &more).await?,
    };
    Ok(Charts::of(rows))
}

/// Everything in a few numbers.
pub async fn summary(db: &Db, tenant: Tenant, question: &Question) -> Result<Summary, DbError> {
    let charts = list_alerts(db, tenant, question).await?;
    let all = run(db, tenant, sql!("stats/list_scenarios"), &[&tenant.id()]).await?;
    let blocked = run(db, tenant, sql!("stats/get_blocked"), &[&tenant.id()]).await?;
    let bounds = charts.bounds();
    let total = charts.rows(0).next();
    let count = |name: &str| total.map_or(0, |row| row.get(name));
    Ok(Summary {
        total: count("n"),
        filtered: count("filtered"),
        forwarded: count("forwarded"),
        top_scenarios: charts.scenarios(),
        all_scenarios: all
            .iter()
            .map(|row| ScenarioCount {
                scenario: row.get("scenario"),
                count: row.get("n"),
            })
            .collect(),
        top_countries: charts
            .countries()
            .into_iter()
            .take(TOP_COUNTRIES)
            .map(|c| CountryCount {
                country: c.country_code,
                count: c.count,
            })
            .collect(),
        time_bounds: Bounds {
            min: bounds.map(|(first, _)| rfc3339_millis(first)),
            max: bounds.map(|(_, last)| rfc3339_millis(last)),
        },
        blocked_requests: blocked.first().map_or(0, |row| row.get("blocked")),
    })
}

/// When, where and what.
pub async fn distribution(db: &Db, tenant: Tenant, question: &Question) -> Result<Distribution, DbError> {
    let charts = list_alerts(db, tenant, question).await?;
    let bounds = charts.bounds();
    let date = |at: Timestamp| at.to_zoned(question.tz.clone()).date();
    let until = question.filter.until.unwrap_or(question.now).min(question.now);
    let first = question.filter.since.or(bounds.map(|(first, _)| first));
    let daily_trend = match first {
        Some(first) => model::days(&charts.by_label(3), date(first), date(until)),
        None => Vec::new(),
    };
    Ok(Distribution {
        by_day_of_week: model::weekdays(&charts.by_number(1)),
        by_hour_of_day: model::hours(&charts.by_number(2)),
        by_country: charts.countries(),
        by_scenario: charts.scenarios(),
        daily_trend,
        total_alerts: charts.total(),
        date_range: Range {
            from: bounds.map(|(first, _)| rfc3339_millis(first)),
            to: bounds.map(|(_, last)| rfc3339_millis(last)),
        },
    })
}

/// The decisions that alerts carried.
pub async fn decisions(db: &Db, tenant: Tenant, question: &Question) -> Result<Decisions, DbError> {
    let most = i64::try_from(COUNTRIES).unwrap_or(i64::MAX);
    let more: [&(dyn ToSql + Sync); 2] = [&question.zone, &most];
    let rows = match Window::of(&question.filter, PIECE) {
        Some(window) => {
            let statement = sql!("stats/list_rolled_decisions");
            let more: [&(dyn ToSql + Sync); 3] = [&question.zone, &most, &window.everything];
            ask_rolled(db, tenant, statement, &window.with_days(), &more).await?
        }
        None => ask(db, tenant, sql!("stats/list_decisions"), question, &more).await?,
    };
    let charts = Charts::of(rows);
    let category = |row: &Row| {
        let label: String = row.get("label");
        let category = CATEGORIES.get(label.parse::<usize>().ok()?)?;
        Some(DurationCount {
            category,
            count: row.get("n"),
        })
    };
    Ok(Decisions {
        total: charts.total(),
        by_day_of_week: model::weekdays(&charts.by_number(1)),
        by_hour_of_day: model::hours(&charts.by_number(2)),
        by_duration_category: charts.rows(3).filter_map(category).collect(),
        top_scenarios: charts.scenarios(),
        by_country: charts.countries(),
    })
}

/// Where alerts come from.
pub async fn map(db: &Db, tenant: Tenant, question: &Question) -> Result<Map, DbError> {
    let rows = match Window::of(&question.filter, PAIR_PIECE) {
        Some(window) => {
            let statement = sql!("stats/list_rolled_places");
            let more: [&(dyn ToSql + Sync); 2] = [&window.everything, &PLACES];
            ask_rolled(db, tenant, statement, &window.with_days(), &more).await?
        }
        None => ask(db, tenant, sql!("stats/list_places"), question, &[&PLACES]).await?,
    };
    let mut map = Map::default();
    for row in rows {
        let (count, top_scenario) = (row.get("n"), row.get("scenario"));
        if row.get("of_country") {
            let code: String = row.get("code");
            let name: Option<String> = row.get("name");
            map.countries.push(MapCountry {
                country_name: name
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| code.clone()),
                country_code: code,
                count,
                top_scenario,
            });
        } else {
            map.cells.push(MapCell {
                latitude: row.get("latitude"),
                longitude: row.get("longitude"),
                count,
                top_scenario,
            });
        }
    }
    Ok(map)
}

/// Alerts over time.
pub async fn timeline(db: &Db, tenant: Tenant, question: &Question) -> Result<Timeline, DbError> {
    let last = question.filter.until.unwrap_or(question.now).min(question.now);
    let first = match question.filter.since {
        Some(first) => Some(first),
        None => first(db, tenant, question).await?,
    };
    let first = first.unwrap_or(last).min(last);
    let unit = Unit::of(last.duration_since(first));
    let name = unit.as_str();
    let more: [&(dyn ToSql + Sync); 2] = [&question.zone, &name];
    let rows = match Window::of(&question.filter, PIECE).filter(|_| unit != Unit::Minute) {
        Some(window) => {
            let statement = sql!("stats/list_rolled_buckets");
            ask_rolled(db, tenant, statement, &window.bounds(), &more).await?
        }
        None => ask(db, tenant, sql!("stats/list_buckets"), question, &more).await?,
    };
    let bucket = |row: &Row| {
        let at: Timestamp = row.get("at");
        let bucket = Bucket {
            at: rfc3339_millis(at),
            count: row.get("n"),
            filtered: row.get("filtered"),
            forwarded: row.get("forwarded"),
        };
        (at, bucket)
    };
    let counted = rows.iter().map(bucket).collect();
    Ok(Timeline {
        unit: unit.as_str(),
        buckets: model::buckets(counted, unit, (first, last), &question.tz),
    })
}

/// When the first alert was received.
async fn first(db: &Db, tenant: Tenant, question: &Question) -> Result<Option<Timestamp>, DbError> {
    let Some(window) = Window::of(&question.filter, PIECE) else {
        // By a condition an order of times helps nothing: all that meet it are read, as for the charts.
        let charts = list_alerts(db, tenant, question).await?;
        return Ok(charts.bounds().map(|(first, _)| first));
    };
    let times = [window.since, window.until];
    let rows = ask_rolled(db, tenant, sql!("stats/get_first"), &times, &[]).await?;
    Ok(rows.first().and_then(|row| row.get("first")))
}

/// Tenants with changes that are not in the counts yet.
pub async fn list_unfolded(db: &Db) -> Result<Vec<Tenant>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("platform/list_unfolded"), &[]).await?;
    tx.commit().await?;
    Ok(rows
        .iter()
        .map(|row| Tenant::proven(row.get("tenant_id")))
        .collect())
}

/// Folds the oldest changes of a tenant into its counts; how many they were. None when another replica is at it.
pub async fn fold(db: &Db, tenant: Tenant, most: i64) -> Result<Option<i64>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let claimed = tx.query_opt(sql!("stats/claim"), &[&tenant.id()]).await?;
    if !claimed.is_some_and(|row| row.get("claimed")) {
        return Ok(None);
    }
    let folded = tx.query_opt(sql!("stats/upsert"), &[&tenant.id(), &most]).await?;
    tx.commit().await?;
    Ok(folded.map(|row| row.get("folded")))
}
