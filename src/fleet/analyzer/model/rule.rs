//! What an analyzer does, as `CrowdSieve`'s rule files say it.

mod check;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use check::{is_printable, say};

use super::Analyzer;
use crate::http::FieldError;
use crate::outbound::client::Policy;

/// Shortest and longest interval and lookback, in seconds.
const SPAN: (i64, i64) = (10, 30 * 86_400);
/// Longest decision, in seconds.
const LONGEST: i64 = 5 * 366 * 86_400;
/// Most extracted fields and most targets.
const LIST_LIMIT: usize = 50;

/// An analyzer's rule. The keys are those of `CrowdSieve`'s rule files; the source stands in it whole.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnalyzerRule)]
pub struct Rule {
    /// Letters, digits, `_` and `-`, at most 64; in a replacement it may only repeat the id.
    #[serde(default)]
    #[schema(pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    pub id: String,
    /// For people.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Whether it runs by itself.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Of the rule, for people.
    #[serde(default = "first_version")]
    #[schema(max_length = 50)]
    pub version: String,
    /// For people.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub description: String,
    /// When it runs.
    #[serde(default)]
    pub schedule: Schedule,
    /// Where the logs are.
    pub source: RuleSource,
    /// What is read out of a line.
    #[serde(default)]
    pub extraction: Extraction,
    /// What is too much.
    pub detection: Detection,
    /// What then holds.
    pub decision: Verdict,
    /// Names of LAPI servers, or `all`.
    #[serde(default = "everywhere")]
    pub targets: Vec<String>,
}

/// When it runs, and how far it looks back: `90s`, `15m`, `3h`, `1d`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AnalyzerSchedule)]
pub struct Schedule {
    /// 10 seconds to 30 days.
    #[schema(pattern = r"^\d+[smhd]$")]
    pub interval: String,
    /// 10 seconds to 30 days.
    #[schema(pattern = r"^\d+[smhd]$")]
    pub lookback: String,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            interval: "3h".to_owned(),
            lookback: "3h".to_owned(),
        }
    }
}

/// What kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AnalyzerSourceKind)]
pub enum SourceKind {
    /// Loki's own API.
    Loki,
    /// A Loki behind Grafana.
    Grafana,
}

/// Where the logs are.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnalyzerSource)]
pub struct RuleSource {
    /// What the source was called in the file it comes from.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "type")]
    pub kind: SourceKind,
    /// http or https, without user, query and fragment.
    pub url: String,
    /// Sent as a bearer token, or as the password of `username`; never shown. In a replacement it may be left out as long
    /// as the URL stays; an empty text takes it away.
    #[serde(default, skip_serializing)]
    #[schema(write_only)]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Loki's tenant: `X-Scope-OrgID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// Grafana's data source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datasource_uid: Option<String>,
    /// `LogQL` that gives log lines.
    #[schema(min_length = 1, max_length = 5000)]
    pub query: String,
    #[serde(default = "most_lines")]
    #[schema(minimum = 1, maximum = 50_000)]
    pub max_lines: i64,
}

/// What is read out of a line.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AnalyzerExtraction)]
pub struct Extraction {
    /// `json`: the line is an object, and paths lead into it; `labels`: what the query's parsers made of the line.
    #[schema(pattern = "^(json|labels)$")]
    pub format: String,
    /// From a field's name to its path (`client.ip`) or label.
    pub fields: BTreeMap<String, String>,
}

impl Default for Extraction {
    fn default() -> Self {
        Self {
            format: "json".to_owned(),
            fields: BTreeMap::new(),
        }
    }
}

/// What is too much.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnalyzerDetection)]
pub struct Detection {
    /// The field that holds the address.
    pub groupby: String,
    /// The field whose distinct values count; without it lines do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
    #[schema(minimum = 1)]
    pub threshold: i64,
    /// `>`, `>=`, `<`, `<=` or `==`.
    #[serde(default = "at_least")]
    pub operator: String,
}

/// What then holds.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnalyzerVerdict)]
pub struct Verdict {
    /// `ban` or `captcha`.
    #[serde(rename = "type", default = "ban")]
    #[schema(pattern = "^(ban|captcha)$")]
    pub kind: String,
    /// From the run on; at most five years.
    #[schema(pattern = r"^\d+[smhd]$")]
    pub duration: String,
    /// `ip`, or `range` where values are networks.
    #[serde(default = "ip")]
    #[schema(pattern = "^(ip|range)$")]
    pub scope: String,
    #[schema(min_length = 1, max_length = 255)]
    pub scenario: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

impl Verdict {
    /// How long it holds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        span(&self.duration).unwrap_or(0)
    }

    /// Whether values are networks.
    #[must_use]
    pub fn is_range(&self) -> bool {
        self.scope == "range"
    }
}

fn yes() -> bool {
    true
}
fn first_version() -> String {
    "1.0.0".to_owned()
}
fn everywhere() -> Vec<String> {
    vec!["all".to_owned()]
}
fn most_lines() -> i64 {
    5000
}
fn at_least() -> String {
    ">=".to_owned()
}
fn ban() -> String {
    "ban".to_owned()
}
fn ip() -> String {
    "ip".to_owned()
}

/// Where a sealed token stands, which the seal is bound to: it is sent to no other place than the one it was given for.
#[must_use]
pub fn place(tenant: i32, slug: &str, url: &str) -> String {
    format!("analyzer.token/{tenant}/{slug}/{url}")
}

/// The seconds of a duration as rule files have it.
#[must_use]
pub fn span(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// What becomes of the token.
#[derive(Debug, Clone)]
pub enum Token {
    /// There is none.
    None,
    /// The one before.
    Kept,
    /// This one.
    New(SecretString),
}

/// A rule that may be stored, and its token apart from it.
pub struct Checked {
    /// Without its token.
    pub rule: Rule,
    /// What becomes of the token.
    pub token: Token,
}

impl Rule {
    /// The seconds between two runs.
    #[must_use]
    pub fn interval(&self) -> i64 {
        span(&self.schedule.interval).unwrap_or(SPAN.1)
    }

    /// The seconds that a run looks back.
    #[must_use]
    pub fn lookback(&self) -> i64 {
        span(&self.schedule.lookback).unwrap_or(SPAN.0)
    }

    /// Whether the decisions are for every server.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.targets.iter().any(|name| name == "all")
    }

    /// Checks everything and says all that is wrong; the URL becomes canonical. `before` is what it replaces.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn check(mut self, policy: &Policy, before: Option<&Analyzer>) -> Result<Checked, Vec<FieldError>> {
        let mut wrong = Vec::new();
        self.check_texts(&mut wrong);
        self.check_detection(&mut wrong);
        match policy.url(&self.source.url) {
            Ok(url) => self.source.url = url.into(),
            Err(e) => say(&mut wrong, "source.url", &e.to_string()),
        }
        let had = before.filter(|before| before.token.is_some());
        let token = match (self.source.token.take(), had) {
            (Some(text), _) if text.is_empty() => Token::None,
            (Some(text), _) => {
                if !is_printable(&text, 4096) {
                    say(
                        &mut wrong,
                        "source.token",
                        "must have 1 to 4096 printable ASCII characters",
                    );
                }
                Token::New(text.into())
            }
            (None, None) => Token::None,
            (None, Some(before)) if before.url == self.source.url => Token::Kept,
            (None, Some(_)) => {
                say(
                    &mut wrong,
                    "source.token",
                    "is needed again where the url changes",
                );
                Token::None
            }
        };
        if wrong.is_empty() {
            Ok(Checked { rule: self, token })
        } else {
            Err(wrong)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
