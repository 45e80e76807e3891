//! Filters: which signals leave to CAPI. Pure decisions; the expression language is `CrowdSieve`'s, with exact semantics,
//! and beyond it `any`/`all` over arrays, geo fields, and budgets.

mod defaults;
mod expr;
mod glob;
mod operator;
mod parse;
mod path;
mod pattern;
mod reason;
mod rulefile;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use defaults::default_rules;
pub use expr::{Expr, ExprError};
pub use glob::GlobError;
pub use parse::Problem;
pub use pattern::PatternError;
pub use rulefile::{RuleFile, RuleFileError, parse_rule_file, read_yaml};

/// What a match means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Filtered if at least one rule matches: without rules everything leaves.
    #[default]
    Block,
    /// Filtered if no rule matches: without rules nothing leaves.
    Allow,
}

impl Mode {
    /// The name in configuration, API and database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Allow => "allow",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "block" => Ok(Self::Block),
            "allow" => Ok(Self::Allow),
            _ => Err(UnknownMode),
        }
    }
}

/// The text names no filter mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter mode must be \"block\" or \"allow\"")]
pub struct UnknownMode;

/// Where the source of a signal is, as far as it is known. Rules name these fields `geoCountryCode`, `geoCity` and so on;
/// what is unknown counts as missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Geo {
    /// ISO 3166 alpha-2 code.
    pub country_code: Option<String>,
    /// English name of the country.
    pub country_name: Option<String>,
    /// City.
    pub city: Option<String>,
    /// First-level subdivision.
    pub region: Option<String>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// IANA time zone.
    pub timezone: Option<String>,
    /// Internet provider.
    pub isp: Option<String>,
    /// Organisation.
    pub org: Option<String>,
}

/// An enabled rule, compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The rule's id within its tenant.
    pub id: i64,
    /// The rule's name; need not be unique.
    pub name: String,
    /// Its condition.
    pub expr: Expr,
}

/// The enabled rules of a tenant, in their order.
#[derive(Clone, Debug)]
pub struct Ruleset {
    /// What a match means.
    pub mode: Mode,
    /// Grows with every change of the tenant's rules.
    pub version: i64,
    /// Enabled rules only.
    pub rules: Vec<Rule>,
}

impl Ruleset {
    /// A set of enabled rules.
    #[must_use]
    pub fn new(mode: Mode, version: i64, rules: Vec<Rule>) -> Self {
        Self { mode, version, rules }
    }
}

/// What the rules say about a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the signal stays here: kept and shown, not sent to CAPI.
    pub filtered: bool,
    /// Every rule that matched, in order.
    pub rule_ids: Vec<i64>,
    /// Why each of them matched; as many as `rule_ids`.
    pub reasons: Vec<String>,
}

/// Judges a signal by all rules: there is no short cut, so that every reason is recorded. Never panics.
#[must_use]
pub fn judge(signal: &Value, geo: &Geo, rules: &Ruleset) -> Verdict {
    let mut verdict = Verdict::default();
    for rule in rules.rules.iter().filter(|rule| rule.expr.matches(signal, geo)) {
        verdict.rule_ids.push(rule.id);
        verdict.reasons.push(rule.expr.reason(signal, geo));
    }
    verdict.filtered = match rules.mode {
        Mode::Block => !verdict.rule_ids.is_empty(),
        Mode::Allow => verdict.rule_ids.is_empty(),
    };
    verdict
}
