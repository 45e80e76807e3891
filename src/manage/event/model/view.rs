//! How an event is written.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::slot::{Said, Slot, What};
use crate::kernel::net::parse_block;
use crate::kernel::time::rfc3339_millis;
use crate::manage::alert::{AlertView, Filter};

/// A decision that was put on a LAPI server.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Copied {
    pub server: String,
    pub scope: String,
    pub value: String,
    pub kind: String,
    pub until: Timestamp,
}

/// `event: filter`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VerdictView<'a> {
    alert_id: i64,
    uuid: Option<&'a str>,
    machine_id: Option<&'a str>,
    scenario: &'a str,
    filtered: bool,
    reasons: Value,
    at: String,
}

/// `event: delivery`, of an alert.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentView<'a> {
    to: &'static str,
    outcome: &'static str,
    error: Option<&'a str>,
    alert_id: i64,
    uuid: Option<&'a str>,
    machine_id: Option<&'a str>,
    scenario: &'a str,
    at: String,
}

/// `event: delivery`, of a decision.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacedView<'a> {
    to: &'static str,
    outcome: &'static str,
    error: Option<&'a str>,
    server: &'a str,
    scope: &'a str,
    value: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    until: String,
    at: String,
}

/// `event: decision`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecidedView<'a> {
    action: &'static str,
    scope: &'a str,
    value: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    origin: &'a str,
    scenario: &'a str,
    until: String,
    source: &'static str,
    source_id: i64,
    at: String,
}

/// Name and data of an event; none for what is gone meanwhile, or does not meet the conditions.
#[must_use]
pub fn event(
    slot: &Slot,
    filter: &Filter,
    alerts: &HashMap<Uuid, AlertView>,
    copies: &HashMap<(i64, Uuid), Copied>,
) -> Option<(&'static str, String)> {
    let at = rfc3339_millis(slot.at);
    let outcome = |error: &Option<String>| if error.is_some() { "refused" } else { "delivered" };
    match &slot.what {
        What::Alert(key) => Some(("alert", text(alerts.get(key)?))),
        What::Verdict(key) => {
            let alert = alerts.get(key)?;
            let reasons = alert.filter_reasons.as_deref();
            let view = VerdictView {
                alert_id: alert.id,
                uuid: alert.uuid.as_deref(),
                machine_id: alert.machine_id.as_deref(),
                scenario: &alert.scenario,
                filtered: alert.filtered,
                reasons: reasons
                    .and_then(|r| serde_json::from_str(r).ok())
                    .unwrap_or_default(),
                at,
            };
            // A record of our own was not judged.
            (!alert.local_audit).then(|| ("filter", text(&view)))
        }
        What::Sent(key, error) => {
            let alert = alerts.get(key)?;
            let view = SentView {
                to: "capi",
                outcome: outcome(error),
                error: error.as_deref(),
                alert_id: alert.id,
                uuid: alert.uuid.as_deref(),
                machine_id: alert.machine_id.as_deref(),
                scenario: &alert.scenario,
                at,
            };
            Some(("delivery", text(&view)))
        }
        What::Placed(server, key, error) => {
            let copy = copies.get(&(*server, *key))?;
            let view = PlacedView {
                to: "lapi",
                outcome: outcome(error),
                error: error.as_deref(),
                server: &copy.server,
                scope: &copy.scope,
                value: &copy.value,
                kind: &copy.kind,
                until: rfc3339_millis(copy.until),
                at,
            };
            meets(filter, None, &copy.value).then(|| ("delivery", text(&view)))
        }
        What::Decided(action, said) => {
            let view = DecidedView {
                action,
                scope: &said.scope,
                value: &said.value,
                kind: &said.kind,
                origin: &said.origin,
                scenario: &said.scenario,
                until: rfc3339_millis(said.until),
                source: source(said),
                source_id: said.source_id,
                at,
            };
            meets(filter, Some(&said.scenario), &said.value).then(|| ("decision", text(&view)))
        }
    }
}

const fn source(said: &Said) -> &'static str {
    match said.source {
        1 => "signal",
        2 => "server",
        _ => "hand",
    }
}

/// Whether something about a decision meets the conditions: what it does not have does not.
fn meets(filter: &Filter, scenario: Option<&str>, value: &str) -> bool {
    let of_alerts = filter.filtered.is_some() || filter.country.is_some() || filter.agent.is_some();
    let named = filter
        .scenario
        .as_deref()
        .is_none_or(|part| scenario.is_some_and(|name| name.contains(part)));
    let within = filter
        .ip
        .is_none_or(|block| parse_block(value).is_some_and(|value| block.contains_block(&value)));
    !of_alerts && named && within
}

fn text(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

/// An event on the wire. JSON has no line break of its own.
#[must_use]
pub fn frame(id: &str, name: &str, data: &str) -> String {
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_meet_the_conditions_that_they_can() {
        let ip = |text: &str| Filter {
            ip: parse_block(text),
            ..Filter::default()
        };
        let named = |text: &str| Filter {
            scenario: Some(text.to_owned()),
            ..Filter::default()
        };
        let country = Filter {
            country: Some("FR".to_owned()),
            ..Filter::default()
        };
        for (filter, scenario, value, expected) in [
            (Filter::default(), None, "FR", true),
            (ip("192.0.2.0/24"), None, "192.0.2.7", true),
            (ip("192.0.2.0/24"), None, "192.0.2.0/25", true),
            (ip("192.0.2.7"), None, "192.0.2.0/24", false),
            (ip("192.0.2.0/24"), None, "FR", false),
            (named("ssh"), Some("crowdsecurity/ssh-bf"), "192.0.2.7", true),
            (named("http"), Some("crowdsecurity/ssh-bf"), "192.0.2.7", false),
            (named("ssh"), None, "192.0.2.7", false),
            (country, Some("x"), "192.0.2.7", false),
        ] {
            assert_eq!(
                meets(&filter, scenario, value),
                expected,
                "{filter:?} {scenario:?} {value}"
            );
        }
    }

    #[test]
    fn a_frame_is_four_lines() {
        let hostile = serde_json::json!({"message": "a\n\ndata: b\r\nid: 7\u{2028}"}).to_string();
        let frame = frame("x-1-2", "alert", &hostile);
        assert_eq!(frame.matches(['\n', '\r']).count(), 4, "{frame}");
    }
}
