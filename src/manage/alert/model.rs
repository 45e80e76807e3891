//! An alert as the API shows it, and what may be asked of the list.

mod conditions;
pub mod csv;
mod window;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use conditions::{Conditions, Filter};
use conditions::{date, error, flag};
pub use window::Window;

use crate::http::{ApiError, FieldError};
use crate::kernel::page::Position;

/// An alert. Every property is always there (gate-api.md 1.2).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, clippy::struct_excessive_bools)] // the contract has them
pub struct AlertView {
    pub id: i64,
    pub uuid: Option<String>,
    /// The agent's name within its engine.
    pub machine_id: Option<String>,
    pub scenario: String,
    pub scenario_hash: Option<String>,
    pub scenario_version: Option<String>,
    pub message: Option<String>,
    pub events_count: Option<i32>,
    pub capacity: Option<i32>,
    pub leakspeed: Option<String>,
    /// As the engine wrote it, like the next two.
    pub start_at: Option<String>,
    pub stop_at: Option<String>,
    pub created_at: Option<String>,
    /// When it was stored here.
    pub received_at: String,
    pub simulated: Option<bool>,
    pub remediation: Option<bool>,
    pub has_decisions: bool,
    pub replicated: bool,
    pub source_scope: Option<String>,
    pub source_value: Option<String>,
    pub source_ip: Option<String>,
    pub source_range: Option<String>,
    pub source_as_number: Option<String>,
    pub source_as_name: Option<String>,
    pub source_cn: Option<String>,
    pub geo_country_code: Option<String>,
    pub geo_country_name: Option<String>,
    pub geo_city: Option<String>,
    pub geo_region: Option<String>,
    pub geo_latitude: Option<f64>,
    pub geo_longitude: Option<f64>,
    pub geo_timezone: Option<String>,
    pub geo_isp: Option<String>,
    pub geo_org: Option<String>,
    /// Not to be sent to CAPI.
    pub filtered: bool,
    /// JSON array, as text, of the sentences of the rules that matched.
    pub filter_reasons: Option<String>,
    /// CAPI answered its delivery with a 2xx.
    pub forwarded_to_capi: bool,
    pub forwarded_at: Option<String>,
    pub local_audit: bool,
    pub actor: Option<String>,
    /// The signal as received, as text; in lists only with `raw=true`.
    pub raw_json: Option<String>,
}

/// The parameters of the list, as text: what is wrong with one is said by name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct ListQuery {
    /// Page size, 1 to 1000.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
    /// Rows to skip. At depth `cursor` is faster.
    #[param(value_type = Option<i64>, minimum = 0, default = 0)]
    offset: Option<String>,
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
    /// Stored at or after.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Stored at or before.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Answers `[]` at once when nothing at all was stored after this time; otherwise it changes nothing.
    #[param(format = DateTime)]
    newer_than: Option<String>,
    /// Where the next page begins: taken from the `Link` header of the page before.
    cursor: Option<String>,
    /// Whether `rawJson` is filled.
    #[param(value_type = Option<bool>, default = false)]
    raw: Option<String>,
    /// Tells in `X-Total-Count` how many alerts the whole list has: `exact` counts them, `estimate` counts up to five
    /// thousand and goes on from there by how many there are in all. `X-Total-Count-Is` tells which of both it is.
    #[param(pattern = "^(estimate|exact)$")]
    count: Option<String>,
}

/// How a list is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// As far as it costs little.
    Estimate,
    /// Every alert.
    Exact,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Page {
    pub limit: i64,
    pub offset: i64,
    pub after: Option<Position>,
    pub raw: bool,
    pub count: Option<Counting>,
}

impl ListQuery {
    /// Checks every parameter and says all that is wrong. The cursor stays text: who owns it is the caller's to say.
    ///
    /// # Errors
    /// 400 with every wrong parameter.
    pub fn check(self, now: Timestamp) -> Result<(Filter, Page, Option<String>), ApiError> {
        let mut wrong = Vec::new();
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
        filter.newer_than = date("newerThan", "newerThan", self.newer_than, now, &mut wrong);
        let page = Page {
            limit: number("limit", self.limit, 100, 1, 1000, &mut wrong),
            offset: number("offset", self.offset, 0, 0, i64::MAX, &mut wrong),
            after: None,
            raw: flag("raw", self.raw.as_deref(), &mut wrong).unwrap_or(false),
            count: match self.count.as_deref() {
                None => None,
                Some("estimate") => Some(Counting::Estimate),
                Some("exact") => Some(Counting::Exact),
                Some(_) => {
                    wrong.push(error("count", "must be equal to one of estimate, exact"));
                    None
                }
            },
        };
        if self.cursor.is_some() && page.offset != 0 {
            wrong.push(error("offset", "does not go with cursor"));
        }
        if wrong.is_empty() {
            Ok((filter, page, self.cursor))
        } else {
            Err(ApiError::Invalid(wrong))
        }
    }
}

fn number(
    name: &str,
    text: Option<String>,
    default: i64,
    least: i64,
    most: i64,
    wrong: &mut Vec<FieldError>,
) -> i64 {
    let Some(text) = text else { return default };
    match text.parse::<i64>() {
        Ok(n) if n < least => wrong.push(error(name, format!("must be >= {least}"))),
        Ok(n) if n > most => wrong.push(error(name, format!("must be <= {most}"))),
        Ok(n) => return n,
        Err(_) => wrong.push(error(name, "must be integer")),
    }
    default
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Result<(Filter, Page, Option<String>), Vec<String>> {
        let map: serde_json::Map<_, _> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).into()))
            .collect();
        let query: ListQuery = serde_json::from_value(map.into()).unwrap();
        query
            .check("2026-11-21T20:00:00Z".parse().unwrap())
            .map_err(|e| match e {
                ApiError::Invalid(fields) => fields.into_iter().map(|f| f.field).collect(),
                other => panic!("{other:?}"),
            })
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for (name, values) in [
            (
                "limit",
                &["0", "1001", "-1", "x", "", "1.5", "99999999999999999999"][..],
            ),
            ("offset", &["-1", "x"]),
            ("filtered", &["1", "TRUE", "yes", ""]),
            ("forwardedToCapi", &["0"]),
            ("country", &["fr", "FRA", "F", "", "é"]),
            ("machineId", &["a b", "", "ü"]),
            (
                "ip",
                &[
                    "999.1.1.1",
                    "1.2.3",
                    "010.0.0.1",
                    "",
                    "host",
                    "1.2.3.4/33",
                    "::1/129",
                ],
            ),
            (
                "since",
                &[
                    "yesterday",
                    "2019-12-31T23:59:59Z",
                    "2026-11-23T00:00:00Z",
                    "9999-01-01T00:00:00Z",
                    "",
                ],
            ),
            ("until", &["1970-01-01T00:00:00Z"]),
            ("newerThan", &["x"]),
            ("raw", &["x"]),
            ("count", &["", "all"]),
        ] {
            for value in values {
                assert_eq!(check(&[(name, value)]).unwrap_err(), [name], "{name}={value}");
            }
        }
        let long = "x".repeat(201);
        assert_eq!(
            check(&[("scenario", &long), ("limit", "0")]).unwrap_err(),
            ["scenario", "limit"]
        );
        assert_eq!(
            check(&[("cursor", "x"), ("offset", "1")]).unwrap_err(),
            ["offset"]
        );
    }

    #[test]
    fn good_ones_are_understood() {
        let (filter, page, cursor) = check(&[
            ("limit", "1000"),
            ("offset", "5"),
            ("filtered", "true"),
            ("ip", "::ffff:192.0.2.7"),
            ("country", "FR"),
            ("since", "2026-11-20T10:00:00+02:00"),
            ("unknown", "dropped"),
        ])
        .unwrap();
        assert_eq!(
            (page.limit, page.offset, page.raw, cursor),
            (1000, 5, false, None)
        );
        assert_eq!(filter.filtered, Some(true));
        assert_eq!(filter.ip.unwrap().lo().to_string(), "192.0.2.7");
        assert_eq!(filter.since.unwrap().to_string(), "2026-11-20T08:00:00Z");
        let other = check(&[("filtered", "false")]).unwrap().0;
        assert_ne!(filter.identity(), other.identity());
    }
}
