//! An analyzer, and what its runs find.

mod detect;
mod import;
mod rule;

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use detect::{Detected, Group, detect, values};
pub use import::{Settings, adopt};
pub use rule::{Checked, Rule, SourceKind, Token, place};

use crate::fleet::decision::{Fact, protected};
use crate::kernel::keyring::{Keyring, SealError};
use crate::kernel::net::{Block, parse_block};
use crate::kernel::time::rfc3339_millis;
use crate::outbound::logs::{Kind, Store};

/// Most analyzers of one tenant.
pub const ANALYZER_LIMIT: i64 = 50;
/// Most decisions of one run; what is left over is taken up by the next one.
pub const DECISION_LIMIT: usize = 1000;
/// Most findings of one run that are kept one by one.
pub const RESULT_LIMIT: usize = 100;
/// Runs of an analyzer that are kept, and for how many days.
pub const RUNS_KEPT: i64 = 100;
/// For how many days.
pub const DAYS_KEPT: i32 = 30;

/// An analyzer as it is stored; its secret is sealed.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Analyzer {
    pub id: i64,
    pub slug: String,
    pub rule: Rule,
    pub url: String,
    pub token: Option<Vec<u8>>,
    pub enabled: bool,
    /// Log lines before are not looked at.
    pub counts_from: Option<Timestamp>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When it is due, if it runs by itself.
    pub next_at: Option<Timestamp>,
}

impl Analyzer {
    /// What its source is spoken to with.
    ///
    /// # Errors
    /// When the secret does not open: another key, or a row that was altered.
    pub fn store(&self, ring: &Keyring, tenant: i32) -> Result<Store, SealError> {
        let source = &self.rule.source;
        let token = match &self.token {
            None => None,
            Some(sealed) => {
                let plain = ring.open(&place(tenant, &self.slug, &self.url), sealed)?;
                Some(SecretString::from(String::from_utf8_lossy(&plain).into_owned()))
            }
        };
        Ok(Store {
            tenant,
            kind: match source.kind {
                SourceKind::Loki => Kind::Loki,
                SourceKind::Grafana => Kind::Grafana,
            },
            // The seal is bound to the text, and only what parses was stored.
            url: self.url.parse().map_err(|_| SealError::Refused)?,
            token,
            username: source.username.clone(),
            org_id: source.org_id.clone(),
            datasource_uid: source.datasource_uid.clone(),
        })
    }

    /// The time that a run now looks at.
    #[must_use]
    pub fn window(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let back = SignedDuration::from_secs(self.rule.lookback());
        let from = now.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH);
        (
            self.counts_from.map_or(from, |least| least.max(from)).min(now),
            now,
        )
    }

    /// The pause until its next tick. Ticks stand on a grid that began when it was made, so that they do not drift; one that
    /// is nearer than a quarter of the interval to the tick that was served is that tick by another clock.
    #[must_use]
    pub fn pause(&self, now: Timestamp) -> std::time::Duration {
        let interval = self.rule.interval().max(1).saturating_mul(1000);
        let ms = Timestamp::as_millisecond;
        let served = self.next_at.map_or(ms(now), |due| ms(due).max(ms(now)));
        let made = ms(self.created_at);
        let least = served + interval / 4 - made;
        let next = made + least + (interval - least.rem_euclid(interval)) % interval;
        std::time::Duration::from_millis(u64::try_from(next - ms(now)).unwrap_or(1000))
    }
}

/// What became of a value that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AnalyzerOutcome)]
pub enum Outcome {
    /// It is decided about.
    Decided,
    /// It must not be decided about; `reason` says why.
    Refused,
    /// There were too many; the next run takes it up.
    Later,
}

/// A value that was found, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AnalyzerFinding)]
pub struct Finding {
    /// The value in one spelling.
    pub group_value: String,
    /// Distinct values of the other field; without one the lines.
    pub distinct_count: usize,
    /// Lines.
    pub total_count: usize,
    /// The first line's time.
    pub first_seen: String,
    /// The last line's time.
    pub last_seen: String,
    /// Some of the distinct values.
    #[schema(max_items = 20)]
    pub distinct_values: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of the decisions on one LAPI server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AnalyzerPush)]
pub struct Push {
    /// Its name.
    pub server: String,
    /// Whether it can be written to: delivery itself goes on until it has them.
    pub success: bool,
    /// How many were put on their way to it.
    pub decisions_pushed: usize,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a run found, before it is acted upon.
pub struct Found {
    /// Log lines that came.
    pub lines: usize,
    /// Those that could not be read or do not have the fields.
    pub skipped: usize,
    /// What may be decided about, the most distinct first: with the last line's time.
    pub wanted: Vec<(Finding, Fact, i64)>,
    /// What may not.
    pub refused: Vec<Finding>,
    /// What was cut off.
    pub truncated: Vec<String>,
}

/// Judges what was found: addresses only, and none that must not be banned.
#[must_use]
pub fn judge(rule: &Rule, detected: Detected, ours: &[Block]) -> (Vec<(Finding, Fact, i64)>, Vec<Finding>) {
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for group in detected.groups {
        let block = if rule.decision.is_range() {
            parse_block(&group.value)
        } else {
            parse_block(&group.value).filter(Block::is_host)
        };
        let last = group.last;
        let outcome = match block {
            None if rule.decision.is_range() => Err("is not an address or a range".to_owned()),
            None => Err("is not an address".to_owned()),
            Some(block) => match protected(&block, ours) {
                Some(why) => Err(why),
                None => Ok(block),
            },
        };
        match outcome {
            Ok(block) => {
                let fact = Fact::about(block, rule.decision.kind.clone());
                wanted.push((finding(group, Outcome::Decided, None), fact, last));
            }
            Err(why) => refused.push(finding(group, Outcome::Refused, Some(why))),
        }
    }
    (wanted, refused)
}

fn finding(group: Group, outcome: Outcome, reason: Option<String>) -> Finding {
    let at = |ns: i64| rfc3339_millis(Timestamp::from_nanosecond(ns.into()).unwrap_or(Timestamp::UNIX_EPOCH));
    Finding {
        group_value: group.value,
        distinct_count: group.distinct,
        total_count: group.total,
        first_seen: at(group.first),
        last_seen: at(group.last),
        distinct_values: group.samples,
        outcome,
        reason,
    }
}

/// A value in one spelling: an address or a range as such, anything else as it is, cut.
#[must_use]
pub fn canonical(text: &str) -> String {
    match parse_block(text) {
        Some(block) if block.is_host() => host(block.lo()),
        Some(block) => block.to_string(),
        None => text.chars().filter(|c| !c.is_control()).take(64).collect(),
    }
}

fn host(address: IpAddr) -> String {
    address.to_string()
}

/// A run as it is kept.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Run {
    pub id: i64,
    pub analyzer: i64,
    pub by_hand: bool,
    pub started_at: Timestamp,
    pub completed_at: Timestamp,
    pub error: Option<String>,
    pub lines: i32,
    pub skipped: i32,
    pub detections: i32,
    pub decisions: i32,
    pub refused: i32,
    pub truncated: Vec<String>,
    /// As they were stored; none where they are not asked for.
    pub results: Option<Value>,
    pub pushes: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(scope: &str) -> Rule {
        let mut rule = rule::tests::rule();
        scope.clone_into(&mut rule.decision.scope);
        rule
    }

    fn group(value: &str) -> Group {
        Group {
            value: value.to_owned(),
            distinct: 3,
            total: 4,
            first: 1_700_000_000_000_000_000,
            last: 1_700_000_001_000_000_000,
            samples: Vec::new(),
        }
    }

    #[test]
    fn only_what_may_be_banned_is_wanted() {
        let ours = [parse_block("198.51.100.9").unwrap()];
        for (scope, value, expected) in [
            ("ip", "203.0.113.7", Ok(("Ip", "203.0.113.7"))),
            ("ip", "2001:db8::1", Ok(("Ip", "2001:db8::1"))),
            ("ip", "203.0.113.0/24", Err("not an address")),
            ("range", "203.0.113.0/24", Ok(("Range", "203.0.113.0/24"))),
            ("range", "203.0.113.7", Ok(("Ip", "203.0.113.7"))),
            ("range", "0.0.0.0/0", Err("wider")),
            ("range", "nonsense", Err("not an address or a range")),
            ("ip", "10.1.2.3", Err("private")),
            ("ip", "127.0.0.1", Err("loopback")),
            ("ip", "198.51.100.9", Err("own address")),
            ("ip", "203.0.113.7, 10.0.0.1", Err("not an address")),
            ("ip", "$(reboot)", Err("not an address")),
        ] {
            let detected = Detected {
                groups: vec![group(value)],
                skipped: 0,
            };
            let (wanted, refused) = judge(&rule(scope), detected, &ours);
            match expected {
                Ok((scope, value)) => {
                    let (finding, fact, last) = &wanted[0];
                    assert_eq!((fact.scope, fact.value.as_str()), (scope, value));
                    assert_eq!((*last, finding.outcome), (group(value).last, Outcome::Decided));
                }
                Err(word) => {
                    let why = refused[0].reason.as_deref().unwrap_or_default();
                    assert!(wanted.is_empty() && why.contains(word), "{value}: {why}");
                }
            }
        }
    }

    #[test]
    fn one_spelling_of_a_value() {
        for (text, expected) in [
            ("::ffff:203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7 ", "203.0.113.7"),
            ("2001:DB8::0:1", "2001:db8::1"),
            ("203.0.113.9/24", "203.0.113.0/24"),
            ("203.0.113.9/32", "203.0.113.9"),
            ("a\0b\nc", "abc"),
        ] {
            assert_eq!(canonical(text), expected);
        }
        assert_eq!(canonical(&"é".repeat(500)).chars().count(), 64);
    }

    fn analyzer() -> Analyzer {
        Analyzer {
            id: 1,
            slug: "sso".to_owned(),
            rule: rule("ip"),
            url: "https://logs.example.org/".to_owned(),
            token: None,
            enabled: true,
            counts_from: None,
            version: 1,
            created_at: Timestamp::from_second(1000).unwrap(),
            updated_at: Timestamp::from_second(1000).unwrap(),
            next_at: None,
        }
    }

    #[test]
    fn ticks_stand_on_a_grid() {
        let mut analyzer = analyzer();
        analyzer.rule.schedule.interval = "60s".to_owned();
        for (due_ms, now_ms, expected_ms) in [
            (None, 1_000_000, 60_000),
            (None, 1_000_001, 59_999),
            (None, 1_044_999, 15_001),
            (None, 1_045_001, 74_999),
            // Served a little late, a little early by a clock that is behind, and long after it was due.
            (Some(1_060_000), 1_060_200, 59_800),
            (Some(1_060_000), 1_059_800, 60_200),
            (Some(1_060_000), 1_060_000, 60_000),
            (Some(1_060_000), 9_060_000, 40_000),
            (None, 999_000, 61_000),
        ] {
            analyzer.next_at = due_ms.map(|ms| Timestamp::from_millisecond(ms).unwrap());
            let now = Timestamp::from_millisecond(now_ms).unwrap();
            assert_eq!(
                analyzer.pause(now).as_millis(),
                expected_ms,
                "{due_ms:?} {now_ms}"
            );
        }
    }

    #[test]
    fn a_window_reaches_back_no_further_than_it_counts() {
        let mut analyzer = analyzer();
        analyzer.rule.schedule.lookback = "3h".to_owned();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(analyzer.window(at(100_000)), (at(100_000 - 10_800), at(100_000)));
        analyzer.counts_from = Some(at(99_000));
        assert_eq!(analyzer.window(at(100_000)), (at(99_000), at(100_000)));
        analyzer.counts_from = Some(at(200_000));
        assert_eq!(analyzer.window(at(100_000)), (at(100_000), at(100_000)));
    }

    #[test]
    fn a_token_opens_for_its_place_only() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let mut analyzer = analyzer();
        analyzer.token = Some(ring.seal(&place(7, "sso", "https://logs.example.org/"), b"t"));
        assert!(analyzer.store(&ring, 7).is_ok());
        assert!(analyzer.store(&ring, 8).is_err());
        "https://evil.example.org/".clone_into(&mut analyzer.url);
        assert!(analyzer.store(&ring, 7).is_err());
    }
}
