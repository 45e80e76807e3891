//! Which alerts: what the list and every statistic may be asked for.

use jiff::Timestamp;

use crate::http::FieldError;
use crate::kernel::net::{Block, parse_block};
use crate::kernel::time::parse_timestamp;

/// The conditions as they are written in a URL.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Conditions {
    pub filtered: Option<String>,
    pub forwarded_to_capi: Option<String>,
    pub scenario: Option<String>,
    pub country: Option<String>,
    pub machine_id: Option<String>,
    pub ip: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
}

/// The conditions of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Filter {
    pub filtered: Option<bool>,
    pub forwarded: Option<bool>,
    pub scenario: Option<String>,
    pub country: Option<String>,
    pub agent: Option<String>,
    pub ip: Option<Block>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub newer_than: Option<Timestamp>,
}

impl Filter {
    /// What a cursor is bound to.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        let Self {
            filtered,
            forwarded,
            scenario,
            country,
            agent,
            ip,
            since,
            until,
            newer_than: _,
        } = self;
        let ip = ip.map(|b| b.to_string());
        format!(
            "{:?}",
            (filtered, forwarded, scenario, country, agent, ip, since, until)
        )
        .into_bytes()
    }
}

impl Conditions {
    /// Reads them; every wrong one is added to `wrong`.
    pub fn check(self, now: Timestamp, wrong: &mut Vec<FieldError>) -> Filter {
        Filter {
            filtered: flag("filtered", self.filtered.as_deref(), wrong),
            forwarded: flag("forwardedToCapi", self.forwarded_to_capi.as_deref(), wrong),
            scenario: checked(
                "scenario",
                self.scenario,
                "must NOT have more than 200 characters",
                wrong,
                |s| s.chars().count() <= 200 && !s.contains('\0'),
            ),
            country: checked(
                "country",
                self.country,
                "must match pattern \"^[A-Z]{2}$\"",
                wrong,
                |s| s.len() == 2 && s.bytes().all(|b| b.is_ascii_uppercase()),
            ),
            agent: checked(
                "machineId",
                self.machine_id,
                "must match pattern \"^[a-zA-Z0-9_\\-.:]+$\" and have at most 255 characters",
                wrong,
                |s| {
                    (1..=255).contains(&s.len())
                        && s.bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
                },
            ),
            ip: self.ip.and_then(|text| {
                let block = parse_block(&text);
                if block.is_none() {
                    wrong.push(error("ip", "Invalid IP address format"));
                }
                block
            }),
            since: date("since", "Since date", self.since, now, wrong),
            until: date("until", "Until date", self.until, now, wrong),
            newer_than: None,
        }
    }
}

pub fn error(field: &str, reason: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        reason: reason.into(),
    }
}

pub fn flag(name: &str, text: Option<&str>, wrong: &mut Vec<FieldError>) -> Option<bool> {
    match text {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => {
            wrong.push(error(name, "must be boolean"));
            None
        }
    }
}

fn checked(
    name: &str,
    text: Option<String>,
    reason: &str,
    wrong: &mut Vec<FieldError>,
    good: impl Fn(&str) -> bool,
) -> Option<String> {
    let text = text?;
    if good(&text) {
        return Some(text);
    }
    wrong.push(error(name, reason));
    None
}

/// A time between 2020 and a day ahead.
pub fn date(
    name: &str,
    label: &str,
    text: Option<String>,
    now: Timestamp,
    wrong: &mut Vec<FieldError>,
) -> Option<Timestamp> {
    const EARLIEST: i64 = 1_577_836_800; // 2020-01-01
    let text = text?;
    match parse_timestamp(&text) {
        None => wrong.push(error(name, "must match format \"date-time\"")),
        Some(at) if at.as_second() < EARLIEST || at.as_second() > now.as_second() + 86_400 => {
            wrong.push(error(name, format!("{label} out of acceptable range")));
        }
        Some(at) => return Some(at),
    }
    None
}
