//! Statistics in the database: one statement, one look at the rows, for each set of charts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::model::views::{
    Bounds, Bucket, CountryCount, Decisions, Distribution, DurationCount, Heatmap, Map, MapCell, MapCountry,
    NamedCountry, Range, ScenarioCount, Summary, Timeline,
};
use super::model::{self, Question, Unit};
use crate::db::{Db, DbError, Tenant, sql};
use crate::kernel::time::rfc3339_millis;

/// Scenarios of a chart.
const SCENARIOS: usize = 10;
/// Countries of a chart.
const COUNTRIES: usize = 15;
/// Countries of the summary.
const TOP_COUNTRIES: usize = 10;
/// Rows of one kind on the map.
const PLACES: i64 = 5000;
const CATEGORIES: [&str; 4] = ["<1h", "1-24h", "1-7d", ">7d"];

/// Runs a statement whose first eleven parameters are the alert list's conditions.
async fn ask(
    db: &Db,
    tenant: Tenant,
    sql: &str,
    question: &Question,
    more: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, DbError> {
    let filter = &question.filter;
    let (lo, hi) = (filter.ip.map(|b| b.lo()), filter.ip.map(|b| b.hi()));
    let single = filter.ip.filter(|b| b.lo() == b.hi()).map(|b| b.lo().to_string());
    let tenant_id = tenant.id();
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![
        &tenant_id,
        &filter.filtered,
        &filter.forwarded,
        &filter.scenario,
        &filter.country,
        &filter.agent,
        &lo,
        &hi,
        &single,
        &filter.since,
        &filter.until,
    ];
    params.extend(more);
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx.query(sql, &params).await?;
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
    let rows = ask(
        db,
        tenant,
        sql!("stats/list_alerts"),
        question,
        &[&question.zone, &most],
    )
    .await?;
    Ok(Charts::of(rows))
}

/// Everything in a few numbers.
pub async fn summary(db: &Db, tenant: Tenant, question: &Question) -> Result<Summary, DbError> {
    let charts = list_alerts(db, tenant, question).await?;
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let all = tx.query(sql!("stats/list_scenarios"), &[&tenant.id()]).await?;
    tx.commit().await?;
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
    let statement = sql!("stats/list_decisions");
    let rows = ask(db, tenant, statement, question, &[&question.zone, &most]).await?;
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

/// Alerts by weekday and hour.
pub async fn heatmap(db: &Db, tenant: Tenant, question: &Question) -> Result<Heatmap, DbError> {
    let rows = ask(
        db,
        tenant,
        sql!("stats/list_heatmap"),
        question,
        &[&question.zone],
    )
    .await?;
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

/// Where alerts come from.
pub async fn map(db: &Db, tenant: Tenant, question: &Question) -> Result<Map, DbError> {
    let rows = ask(db, tenant, sql!("stats/list_places"), question, &[&PLACES]).await?;
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
        None => list_alerts(db, tenant, question)
            .await?
            .bounds()
            .map(|(first, _)| first),
    };
    let first = first.unwrap_or(last).min(last);
    let unit = Unit::of(last.duration_since(first));
    let statement = sql!("stats/list_buckets");
    let rows = ask(db, tenant, statement, question, &[&question.zone, &unit.as_str()]).await?;
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
