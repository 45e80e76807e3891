//! What a decision is about, which may be made by hand, and how the servers' answers become one.

mod coverage;
mod fact;
mod group;
mod protect;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

pub use coverage::{Copy, Place, holding, standing};
pub use fact::{ANALYZER_ORIGIN, Fact, HAND_ORIGIN, OUR_ORIGIN, is_local, kept};
pub use group::{ServerResult, group};
pub use protect::{protected, too_wide};

use crate::kernel::net::Block;
use crate::kernel::time::rfc3339_millis;

/// The scenario of a ban by hand, as programs written against the first API know it, and its SHA-256.
pub const SCENARIO: &str = "crowdsieve/manual";
const SCENARIO_HASH: &str = "5da12efb42e5eb2ee0181e6c189f0af0f3812056443ce572860116c74d972530";
/// Longest ban by hand: a longer one is a slip, and outlives whoever remembers why.
const LONGEST: i64 = 5 * 366 * 86_400;

/// A decision as a server tells it, unknown properties included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Its number on that server.
    pub id: i64,
    /// Who decided: `crowdsec`, `cscli`, `CAPI`, `lists` …
    pub origin: String,
    /// `ban`, `captcha` …
    #[serde(rename = "type")]
    pub kind: String,
    /// `Ip`, `Range` …
    pub scope: String,
    /// The address, the range …
    pub value: String,
    /// How much of it is left, as Go writes it.
    pub duration: String,
    /// Why.
    pub scenario: String,
    /// Its end, where the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whatever else the server says of it.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a ban is about, as servers write it: a single address, or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject(pub Block);

impl Subject {
    /// With a capital: 1.4.6 keeps it as it comes, and no bouncer sees `ip`.
    #[must_use]
    pub fn scope(self) -> &'static str {
        if self.0.is_host() { "Ip" } else { "Range" }
    }

    /// The canonical text.
    #[must_use]
    pub fn value(self) -> String {
        if self.0.is_host() {
            self.0.lo().to_string()
        } else {
            self.0.to_string()
        }
    }
}

/// Seconds of a duration `<number>(s|m|h)`; none for another form, nothing at all, or more than five years.
#[must_use]
pub fn seconds(duration: &str) -> Option<i64> {
    let (number, unit) = duration.split_at_checked(duration.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (1..=LONGEST).contains(&seconds).then_some(seconds)
}

/// A ban by hand.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Ban<'a> {
    pub subject: Subject,
    pub duration: &'a str,
    pub reason: &'a str,
    pub actor: &'a str,
}

/// The alert that makes a server ban. It ends `duration` after `now`.
#[must_use]
pub fn alert(ban: &Ban<'_>, now: Timestamp) -> Value {
    let (scope, value, now) = (ban.subject.scope(), ban.subject.value(), rfc3339_millis(now));
    let mut source = json!({ "scope": scope, "value": value });
    source[if scope == "Ip" { "ip" } else { "range" }] = json!(value);
    json!({
        "scenario": SCENARIO, "scenario_hash": SCENARIO_HASH, "scenario_version": env!("CARGO_PKG_VERSION"),
        "message": ban.reason, "events_count": 1, "capacity": 1, "leakspeed": "1s", "start_at": now, "stop_at": now,
        "simulated": false, "remediation": true, "source": source,
        "events": [{ "timestamp": now, "meta": [
            { "key": "source", "value": "garrison" },
            { "key": "reason", "value": ban.reason },
            { "key": "actor", "value": ban.actor },
        ] }],
        "decisions": [{ "duration": ban.duration, "type": "ban", "scope": scope, "value": value, "origin": "crowdsieve",
            "scenario": SCENARIO }],
    })
}

/// What an operator did, for the row that remembers it.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Audit<'a> {
    pub kind: Act<'a>,
    pub server: &'a str,
    pub subject: Subject,
    pub decision_id: Option<i64>,
    pub reason: &'a str,
    /// Who was authenticated.
    pub actor: &'a str,
    /// Who the caller says it was for.
    pub note: Option<&'a str>,
    /// Whether it is left to the servers' writers.
    pub queued: bool,
}

/// A row that remembers what an operator did, as it is stored.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Record<'a> {
    pub scenario: &'a str,
    pub message: &'a str,
    /// The addresses it is listed by; none where it is about several.
    pub subject: Option<Subject>,
    pub actor: &'a str,
    /// All of it, as JSON.
    pub raw: String,
}

/// Which of the two.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Act<'a> {
    Ban {
        duration: &'a str,
    },
    /// Whether the server confirmed that the decision is about the subject.
    Unban {
        confirmed: bool,
    },
}

impl Audit<'_> {
    /// The name it is listed by.
    #[must_use]
    pub const fn scenario(&self) -> &'static str {
        match self.kind {
            Act::Ban { .. } => "crowdsieve/manual-audit",
            Act::Unban { .. } => "crowdsieve/unban",
        }
    }

    /// The row.
    #[must_use]
    pub fn record(&self) -> Record<'_> {
        Record {
            scenario: self.scenario(),
            message: self.reason,
            subject: Some(self.subject),
            actor: self.actor,
            raw: self.raw(),
        }
    }

    /// What the audit trail keeps beside the address.
    #[must_use]
    pub fn details(&self) -> Value {
        let mut details = json!({ "server": self.server, "reason": self.reason });
        if let Act::Ban { duration } = self.kind {
            details["duration"] = json!(duration);
        }
        if let Some(id) = self.decision_id {
            details["decision"] = json!(id);
        }
        if let Some(note) = self.note {
            details["note"] = json!(note);
        }
        details
    }

    /// All of it.
    #[must_use]
    pub fn raw(&self) -> String {
        let (kind, duration, confirmed) = match self.kind {
            Act::Ban { duration } => ("manual-ban", Some(duration), None),
            Act::Unban { confirmed } => ("unban", None, Some(confirmed)),
        };
        let mut raw = json!({
            "kind": kind, "server": self.server, "decisionId": self.decision_id, "duration": duration,
            "comment": self.reason, "ip": self.subject.value(), "scope": self.subject.scope().to_lowercase(),
            "actor": self.actor,
        });
        if self.queued {
            raw["queued"] = json!(true);
        }
        if let Some(note) = self.note {
            raw["note"] = json!(note);
        }
        if let Some(confirmed) = confirmed {
            raw["confirmed"] = json!(confirmed);
        }
        raw.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::net::parse_block;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, expected) in [
            ("1s", Some(1)),
            ("90m", Some(5400)),
            ("4h", Some(14_400)),
            ("0004h", Some(14_400)),
            ("43920h", Some(158_112_000)),
            ("43921h", None),
            ("0s", None),
            ("0h", None),
            ("1d", None),
            ("1.5h", None),
            ("-1h", None),
            ("+1h", None),
            ("h", None),
            ("", None),
            ("4", None),
            ("4 h", None),
            ("4h ", None),
            ("4H", None),
            ("4é", None),
            ("9999999999999999999h", None),
            ("9223372036854775807h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_scenario() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, SCENARIO.as_bytes());
        let bytes = |at: usize| u8::from_str_radix(&SCENARIO_HASH[2 * at..2 * at + 2], 16).unwrap();
        assert_eq!(digest.as_ref(), (0..32).map(bytes).collect::<Vec<_>>());
    }

    #[test]
    fn an_alert_bans_what_was_said_until_then() {
        let now: Timestamp = "2026-11-21T20:00:00.5Z".parse().unwrap();
        for (text, scope, value, field) in [
            ("192.0.2.7", "Ip", "192.0.2.7", "ip"),
            ("192.0.2.7/32", "Ip", "192.0.2.7", "ip"),
            ("::ffff:192.0.2.7", "Ip", "192.0.2.7", "ip"),
            ("192.0.2.9/24", "Range", "192.0.2.0/24", "range"),
            ("2001:DB8::/48", "Range", "2001:db8::/48", "range"),
        ] {
            let ban = Ban {
                subject: Subject(parse_block(text).unwrap()),
                duration: "4h",
                reason: "why",
                actor: "ops (token 3)",
            };
            let alert = alert(&ban, now);
            assert_eq!(
                (&alert["stop_at"], &alert["start_at"]),
                (&json!("2026-11-21T20:00:00.500Z"), &alert["stop_at"])
            );
            for part in [&alert["source"], &alert["decisions"][0]] {
                assert_eq!(
                    (&part["scope"], &part["value"]),
                    (&json!(scope), &json!(value)),
                    "{text}"
                );
            }
            assert_eq!(alert["source"][field], value);
            assert_eq!(alert["events"][0]["meta"][2]["value"], "ops (token 3)");
        }
    }
}
