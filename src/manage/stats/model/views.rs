//! Statistics as the API shows them (gate-api.md 1.4 to 1.6, 5).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::time::rfc3339_millis;

/// What was used in a month of UTC. It stays when rows age.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Usage {
    /// As in `2026-11`.
    pub month: String,
    /// Items of pushes.
    pub received: i64,
    /// Of these new alerts.
    pub stored: i64,
    /// Of these kept from CAPI by the rules, when they came.
    pub filtered: i64,
    /// Of these taken by CAPI since.
    pub forwarded: i64,
    /// Decisions that new alerts carried.
    pub decisions: i64,
    /// Bytes of pushes, unpacked.
    pub bytes: i64,
    /// Machines that pushed.
    pub machines: i64,
}

/// This month and those before it, also those in which nothing was used.
#[must_use]
pub fn every_month(used: Vec<Usage>, now: Timestamp, months: i32) -> Vec<Usage> {
    let mut known: BTreeMap<String, Usage> = used.into_iter().map(|u| (u.month.clone(), u)).collect();
    let today = now.to_zoned(TimeZone::UTC).date();
    let month = i32::from(today.year()) * 12 + i32::from(today.month()) - 1;
    let mut all = Vec::new();
    for n in 0..months {
        let name = format!(
            "{:04}-{:02}",
            (month - n).div_euclid(12),
            (month - n).rem_euclid(12) + 1
        );
        let nothing = || Usage {
            month: name.clone(),
            ..Usage::default()
        };
        all.push(known.remove(&name).unwrap_or_else(nothing));
    }
    all
}

/// A scenario and how many.
#[derive(Debug, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct ScenarioCount {
    pub scenario: String,
    pub count: i64,
}

/// A country and how many.
#[derive(Debug, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct CountryCount {
    pub country: String,
    pub count: i64,
}

/// A country with its name, and how many.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedCountry {
    /// ISO 3166-1 alpha-2; `Unknown` where a sender wrote nothing.
    pub country_code: String,
    /// The code where no name is known.
    pub country_name: String,
    /// How many.
    pub count: i64,
}

/// The first and the last time of receipt.
#[derive(Debug, Default, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct Bounds {
    pub min: Option<String>,
    pub max: Option<String>,
}

/// The same, as distributions call it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct Range {
    pub from: Option<String>,
    pub to: Option<String>,
}

/// Everything in a few numbers.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Alerts.
    pub total: i64,
    /// Those that stay here.
    pub filtered: i64,
    /// Those that CAPI took.
    pub forwarded: i64,
    /// The ten most frequent.
    pub top_scenarios: Vec<ScenarioCount>,
    /// Up to 500, rows of our own included.
    pub all_scenarios: Vec<ScenarioCount>,
    /// The ten most frequent.
    pub top_countries: Vec<CountryCount>,
    /// When the first and the last were received.
    pub time_bounds: Bounds,
    /// What bouncers reported to have dropped in the last 30 days, packets and requests alike, whatever is asked for.
    pub blocked_requests: i64,
}

/// A day of the week.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Weekday {
    /// 0 is Sunday.
    pub day: i8,
    /// `Sun` to `Sat`.
    pub day_name: &'static str,
    /// How many.
    pub count: i64,
}

/// An hour of the day.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hour {
    /// 0 to 23.
    pub hour: i8,
    /// How many.
    pub count: i64,
}

/// A day.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Day {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// How many.
    pub count: i64,
}

/// When, where and what.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// All seven.
    pub by_day_of_week: Vec<Weekday>,
    /// All 24.
    pub by_hour_of_day: Vec<Hour>,
    /// The 15 most frequent.
    pub by_country: Vec<NamedCountry>,
    /// The ten most frequent.
    pub by_scenario: Vec<ScenarioCount>,
    /// Every day from the first to the last.
    pub daily_trend: Vec<Day>,
    /// Alerts.
    pub total_alerts: i64,
    /// When the first and the last of them were received.
    pub date_range: Range,
}

/// How long decisions were meant to hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct DurationCount {
    /// `<1h`, `1-24h`, `1-7d` or `>7d`: less than an hour, a day, a week; or more.
    pub category: &'static str,
    /// How many.
    pub count: i64,
}

/// The decisions that alerts carried.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decisions {
    /// Decisions.
    #[serde(rename = "totalDecisions")]
    pub total: i64,
    /// All seven, by their alert's time of receipt.
    pub by_day_of_week: Vec<Weekday>,
    /// All 24.
    pub by_hour_of_day: Vec<Hour>,
    /// The most frequent first; without those whose duration cannot be read.
    pub by_duration_category: Vec<DurationCount>,
    /// The ten most frequent of the decisions' own scenarios.
    pub top_scenarios: Vec<ScenarioCount>,
    /// The 15 most frequent countries of their alerts.
    pub by_country: Vec<NamedCountry>,
}

/// Alerts by weekday and hour.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Heatmap {
    /// Seven rows, Sunday first, of 24 hours.
    pub matrix: Vec<Vec<i64>>,
    /// The largest of the counts.
    pub max: i64,
    /// All of them together.
    pub total: i64,
}

/// A country on the map.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct MapCountry {
    pub country_code: String,
    pub country_name: String,
    pub count: i64,
    /// The most frequent scenario there.
    pub top_scenario: String,
}

/// A cell of one degree on the map.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct MapCell {
    /// Its southern edge, in whole degrees.
    pub latitude: i32,
    /// Its western edge.
    pub longitude: i32,
    pub count: i64,
    /// The most frequent scenario there.
    pub top_scenario: String,
}

/// Where alerts come from. Those of which nothing is known are in neither list.
#[derive(Debug, Default, Serialize, ToSchema)]
#[allow(missing_docs)]
pub struct Map {
    pub countries: Vec<MapCountry>,
    /// The 5,000 largest.
    pub cells: Vec<MapCell>,
}

/// A piece of a time line.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Bucket {
    /// Where it begins.
    pub at: String,
    /// Alerts.
    pub count: i64,
    /// Those that stay here.
    pub filtered: i64,
    /// Those that CAPI took.
    pub forwarded: i64,
}

impl Bucket {
    /// Nothing happened in it.
    #[must_use]
    pub fn empty(at: Timestamp) -> Self {
        Self {
            at: rfc3339_millis(at),
            count: 0,
            filtered: 0,
            forwarded: 0,
        }
    }
}

/// Alerts over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// `minute`, `hour`, `day` or `week` (from Monday): chosen by the range.
    pub unit: &'static str,
    /// Every one from the beginning of the range to its end.
    pub buckets: Vec<Bucket>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_one_another() {
        let used = |month: &str| Usage {
            month: month.to_owned(),
            received: 7,
            ..Usage::default()
        };
        let now = "2026-02-28T23:59:59Z".parse().unwrap();
        let all = every_month(vec![used("2025-12"), used("2026-02")], now, 4);
        let shown: Vec<_> = all.iter().map(|u| (u.month.as_str(), u.received)).collect();
        assert_eq!(
            shown,
            [("2026-02", 7), ("2026-01", 0), ("2025-12", 7), ("2025-11", 0)]
        );
    }
}
