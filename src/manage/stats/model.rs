//! What may be asked of statistics, and how counts become charts.

pub mod views;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::Deserialize;
use utoipa::IntoParams;

use views::{Bucket, Day, Hour, Weekday};

use crate::http::{ApiError, FieldError};
use crate::manage::alert::{Conditions, Filter};

/// Sunday first, as the contract counts.
const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
/// Days of a chart that are filled up with zeros, at most: 30 years.
const MOST_DAYS: usize = 11_000;
/// Buckets of a time line, at most.
const MOST_BUCKETS: usize = 1_500;

/// Which alerts are counted, and how their times are read. Every condition of the alert list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct StatsQuery {
    /// The last seven or thirty days, to the millisecond, or everything. Without it: everything where `since` or `until`
    /// says when; else thirty days, and everything in `/api/stats`.
    #[param(pattern = "^(7d|30d|all)$")]
    period: Option<String>,
    /// IANA name of the time zone that days, weekdays and hours are read in.
    #[param(default = "UTC", max_length = 64)]
    tz: Option<String>,
    /// The verdict of the filters.
    #[param(value_type = Option<bool>)]
    filtered: Option<String>,
    /// Whether CAPI has it.
    #[param(value_type = Option<bool>)]
    forwarded_to_capi: Option<String>,
    /// Part of the scenario's name.
    #[param(max_length = 200)]
    scenario: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    #[param(pattern = "^[A-Z]{2}$")]
    country: Option<String>,
    /// The agent's name.
    #[param(max_length = 255, pattern = r"^[a-zA-Z0-9_\-.:]+$")]
    machine_id: Option<String>,
    /// An address, or a network in which the source lies.
    ip: Option<String>,
    /// Stored at or after; within the period.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Stored at or before.
    #[param(format = DateTime)]
    until: Option<String>,
}

/// A checked question.
#[derive(Debug)]
pub struct Question {
    /// The alerts.
    pub filter: Filter,
    /// The time zone's name, which Postgres knows, too.
    pub zone: String,
    /// The time zone.
    pub tz: TimeZone,
    /// Now.
    pub now: Timestamp,
}

impl StatsQuery {
    /// Checks every parameter and says all that is wrong. `default` is the period when nothing says when.
    ///
    /// # Errors
    /// 400 with every wrong parameter.
    pub fn check(self, now: Timestamp, default: &str) -> Result<Question, ApiError> {
        let mut wrong = Vec::new();
        let mut error = |field: &str, reason: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason: reason.to_owned(),
            });
        };
        let bounded = self.since.is_some() || self.until.is_some();
        let default = if bounded { "all" } else { default };
        let days = match self.period.as_deref().unwrap_or(default) {
            "7d" => Some(7),
            "30d" => Some(30),
            "all" => None,
            _ => {
                error("period", "must be equal to one of 7d, 30d, all");
                None
            }
        };
        let zone = self.tz.unwrap_or_else(|| "UTC".to_owned());
        let tz = time_zone(&zone).unwrap_or_else(|| {
            error("tz", "must be the IANA name of a time zone");
            TimeZone::UTC
        });
        let conditions = Conditions {
            filtered: self.filtered,
            forwarded_to_capi: self.forwarded_to_capi,
            scenario: self.scenario,
            country: self.country,
            machine_id: self.machine_id,
            ip: self.ip,
            since: self.since,
            until: self.until,
        };
        let mut filter = conditions.check(now, &mut wrong);
        let begins = days.and_then(|days| now.checked_sub(SignedDuration::from_hours(24 * days)).ok());
        filter.since = filter.since.max(begins);
        if wrong.is_empty() {
            Ok(Question {
                filter,
                zone,
                tz,
                now,
            })
        } else {
            Err(ApiError::Invalid(wrong))
        }
    }
}

/// A zone of the IANA database. Names of places only: Postgres reads much else as a zone of its own making, and `CET` as an
/// offset that knows no summer.
fn time_zone(name: &str) -> Option<TimeZone> {
    let odd = |c: char| !c.is_ascii_alphanumeric() && !"_+-/".contains(c);
    let place = name.contains('/') && !name.starts_with("posix/") && !name.starts_with("right/");
    if name.len() > 64 || name.contains(odd) || !place && name != "UTC" {
        return None;
    }
    TimeZone::get(name).ok().filter(|tz| !tz.is_unknown())
}

/// Whether every hour between two instants begins with an hour of UTC.
#[must_use]
pub fn whole_hours(tz: &TimeZone, from: Timestamp, to: Timestamp) -> bool {
    let whole = |offset: Offset| offset.seconds() % 3600 == 0;
    let mut changes = tz.following(from).take_while(|change| change.timestamp() < to);
    whole(tz.to_offset(from)) && changes.all(|change| whole(change.offset()))
}

/// All seven days of the week, Sunday first.
#[must_use]
pub fn weekdays(counts: &BTreeMap<i8, i64>) -> Vec<Weekday> {
    let day = |(day, name): (i8, &&'static str)| Weekday {
        day,
        day_name: name,
        count: counts.get(&day).copied().unwrap_or(0),
    };
    (0..7).zip(&NAMES).map(day).collect()
}

/// All hours of a day.
#[must_use]
pub fn hours(counts: &BTreeMap<i8, i64>) -> Vec<Hour> {
    let hour = |hour| Hour {
        hour,
        count: counts.get(&hour).copied().unwrap_or(0),
    };
    (0..24).map(hour).collect()
}

/// Every day from the first to the last.
#[must_use]
pub fn days(counts: &BTreeMap<String, i64>, first: Date, last: Date) -> Vec<Day> {
    let every = first.series(1.day()).take_while(|day| *day <= last);
    let mut all: BTreeMap<String, i64> = every.take(MOST_DAYS).map(|day| (day.to_string(), 0)).collect();
    all.extend(counts.iter().map(|(day, n)| (day.clone(), *n)));
    all.into_iter().map(|(date, count)| Day { date, count }).collect()
}

/// How long the buckets of a time line are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Up to three hours.
    Minute,
    /// Up to nine days.
    Hour,
    /// Up to 400 days.
    Day,
    /// Longer.
    Week,
}

impl Unit {
    /// The one that shows a range well.
    #[must_use]
    pub fn of(range: SignedDuration) -> Self {
        match range.as_hours() {
            hours if hours < 3 => Self::Minute,
            hours if hours < 216 => Self::Hour,
            hours if hours < 9600 => Self::Day,
            _ => Self::Week,
        }
    }

    /// As Postgres and the answer call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The beginning of the bucket that an instant lies in; weeks begin on Monday.
    fn floor(self, at: Timestamp, tz: &TimeZone) -> Option<Timestamp> {
        let local = at.to_zoned(tz.clone());
        let civil = local.datetime();
        let date = civil.date();
        let begins = match self {
            Self::Minute | Self::Hour => {
                // By the clock on the wall, on this side of any change of the offset.
                let over = if self == Self::Hour {
                    i64::from(civil.minute()) * 60
                } else {
                    0
                };
                let over = SignedDuration::new(over + i64::from(civil.second()), civil.subsec_nanosecond());
                return at.checked_sub(over).ok();
            }
            Self::Day => date,
            Self::Week => date
                .checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days())
                .ok()?,
        };
        midnight(begins, tz)
    }

    fn next(self, at: Timestamp, tz: &TimeZone) -> Option<Timestamp> {
        let days = match self {
            Self::Minute => return at.checked_add(SignedDuration::from_mins(1)).ok(),
            // A clock that moves by half an hour moves the hours.
            Self::Hour => return self.floor(at.checked_add(SignedDuration::from_hours(1)).ok()?, tz),
            Self::Day => 1,
            Self::Week => 7,
        };
        midnight(at.to_zoned(tz.clone()).date().checked_add(days.days()).ok()?, tz)
    }
}

/// The beginning of a day. Where the clock passes midnight twice it is the second, where it leaps over it what comes then:
/// so does Postgres.
fn midnight(date: Date, tz: &TimeZone) -> Option<Timestamp> {
    let local = date.at(0, 0, 0, 0);
    Some(tz.to_ambiguous_zoned(local).later().ok()?.timestamp())
}

/// Every bucket from the first instant to the last. What was counted is never left out, whatever the zone's clock did.
#[must_use]
pub fn buckets(
    counted: Vec<(Timestamp, Bucket)>,
    unit: Unit,
    (first, last): (Timestamp, Timestamp),
    tz: &TimeZone,
) -> Vec<Bucket> {
    let mut all = BTreeMap::new();
    let mut at = unit.floor(first, tz);
    while let Some(begins) = at.filter(|begins| *begins <= last && all.len() < MOST_BUCKETS) {
        all.insert(begins, Bucket::empty(begins));
        at = unit.next(begins, tz);
    }
    all.extend(counted);
    all.into_values().collect()
}

#[cfg(test)]
mod tests;
