//! One signal, read leniently: real senders differ in case, zone, nulls and keys (crowdsec-protocol.md 1.4, 5).

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use super::field::Fields;
use crate::gate::filter::model::Geo;
use crate::kernel::duration::parse_duration_ms;
use crate::kernel::net::{parse_address, parse_block};

/// Largest signal, in bytes of JSON. An import of 20,000 decisions in one alert has 3.6 MB.
const SIZE_LIMIT: usize = 4 << 20;
/// Most decisions of one signal.
pub const DECISION_LIMIT: usize = 25_000;
/// Longest message.
const MESSAGE_LIMIT: usize = 65_536;

/// Why one item is no alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The field, as a path inside the item.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A remediation that a signal carries.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the names are CrowdSec's own
pub struct Decision {
    pub uuid: Option<String>,
    pub origin: Option<String>,
    pub kind: String,
    pub scope: String,
    pub value: String,
    pub duration: Option<String>,
    pub scenario: Option<String>,
    pub simulated: Option<bool>,
    /// Milliseconds; none when the text is no Go duration.
    pub duration_ms: Option<i64>,
    /// End: as sent, otherwise stop + duration as a LAPI computes it.
    pub until: Option<Timestamp>,
}

/// A signal that can be stored.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the names are CrowdSec's own
pub struct Signal {
    pub uuid: Option<String>,
    /// `machine_id`: the agent within its engine.
    pub agent: Option<String>,
    pub scenario: String,
    pub scenario_hash: Option<String>,
    pub scenario_version: Option<String>,
    pub message: Option<String>,
    pub leakspeed: Option<String>,
    pub events_count: Option<i32>,
    pub capacity: Option<i32>,
    pub simulated: Option<bool>,
    pub remediation: Option<bool>,
    pub start_text: Option<String>,
    pub start_at: Option<Timestamp>,
    pub stop_text: Option<String>,
    pub stop_at: Option<Timestamp>,
    pub created_text: Option<String>,
    pub scope: String,
    pub value: String,
    pub ip: Option<String>,
    pub range: Option<String>,
    pub as_number: Option<String>,
    pub as_name: Option<String>,
    pub cn: Option<String>,
    /// First and last address of the source; none for sources that are no addresses.
    pub lo: Option<IpAddr>,
    pub hi: Option<IpAddr>,
    pub geo: Geo,
    pub actor: Option<String>,
    pub decisions: Vec<Decision>,
}

/// Reads one item. The value is given back for the filters, which may look at anything in it.
///
/// # Errors
/// A [`Rejection`] that names the field.
pub fn parse(text: &str) -> Result<(Signal, Value), Rejection> {
    if text.len() > SIZE_LIMIT {
        return Err(Rejection {
            field: widest(text),
            reason: format!("makes the signal larger than {SIZE_LIMIT} bytes"),
        });
    }
    let value: Value = serde_json::from_str(text).map_err(|e| Rejection {
        field: "signal".to_owned(),
        reason: format!("cannot be read: {e}"),
    })?;
    let Value::Object(map) = &value else {
        return Err(Rejection {
            field: "signal".to_owned(),
            reason: "is not an object".to_owned(),
        });
    };
    let signal = read(&Fields {
        map,
        path: String::new(),
    })?;
    Ok((signal, value))
}

/// The key whose value takes most of an oversized item.
fn widest(text: &str) -> String {
    let parts: Result<std::collections::HashMap<String, &serde_json::value::RawValue>, _> =
        serde_json::from_str(text);
    let widest = parts
        .ok()
        .and_then(|p| p.into_iter().max_by_key(|(_, v)| v.get().len()));
    widest.map_or_else(|| "signal".to_owned(), |(key, _)| key.chars().take(100).collect())
}

fn read(fields: &Fields<'_>) -> Result<Signal, Rejection> {
    let source = fields.object("source")?;
    let ip = source.text("ip", 64)?.filter(|t| !t.is_empty());
    let scope = source.text("scope", 64)?.filter(|t| !t.is_empty());
    let scope = scope.map_or_else(|| "Ip".to_owned(), |s| canonical_scope(&s));
    let value = match source.text("value", 255)?.filter(|t| !t.is_empty()) {
        Some(value) => value,
        None if scope == "Ip" && ip.is_some() => ip.clone().unwrap_or_default(),
        None => {
            return Err(source
                .required("value", 255)
                .err()
                .unwrap_or_else(|| missing("source.value")));
        }
    };
    let (lo, hi) = addresses(&scope, &value, ip.as_deref())?;
    let (start_text, start_at) = fields.time("start_at")?;
    let (stop_text, stop_at) = fields.time("stop_at")?;
    let cn = source.text("cn", 64)?;
    let geo = Geo {
        country_code: cn
            .as_deref()
            .filter(|c| c.len() == 2 && c.bytes().all(|b| b.is_ascii_alphabetic()))
            .map(str::to_ascii_uppercase),
        latitude: source.degrees("latitude", 90.0),
        longitude: source.degrees("longitude", 180.0),
        ..Geo::default()
    };
    let decisions = fields.list("decisions")?;
    if decisions.len() > DECISION_LIMIT {
        let reason = format!("holds more than {DECISION_LIMIT} decisions");
        return Err(Rejection {
            field: "decisions".to_owned(),
            reason,
        });
    }
    let decisions: Result<Vec<_>, _> = decisions
        .iter()
        .enumerate()
        .map(|(n, d)| decision(n, d, stop_at, &fields.path))
        .collect();
    Ok(Signal {
        uuid: fields.text("uuid", 64)?.filter(|t| !t.is_empty()),
        agent: fields.text("machine_id", 255)?,
        scenario: fields.required("scenario", 512)?,
        scenario_hash: fields.text("scenario_hash", 256)?,
        scenario_version: fields.text_or_number("scenario_version", 128)?,
        message: fields.text("message", MESSAGE_LIMIT)?,
        leakspeed: fields.text("leakspeed", 64)?,
        events_count: fields.count("events_count")?,
        capacity: fields
            .map
            .get("capacity")
            .and_then(Value::as_i64)
            .and_then(|n| i32::try_from(n).ok()),
        simulated: fields.flag("simulated")?,
        remediation: fields.flag("remediation")?,
        start_text,
        start_at,
        stop_text,
        stop_at,
        created_text: fields.time("created_at")?.0,
        scope,
        value,
        ip,
        range: source.text("range", 64)?,
        as_number: source.text_or_number("as_number", 32)?,
        as_name: source.text("as_name", 512)?,
        cn,
        lo,
        hi,
        geo,
        actor: actor(fields),
        decisions: decisions?,
    })
}

fn missing(field: &str) -> Rejection {
    Rejection {
        field: field.to_owned(),
        reason: "is missing".to_owned(),
    }
}

/// The addresses a source covers. Only scope and value count: `source.ip` holds a range or a country code at times.
fn addresses(
    scope: &str,
    value: &str,
    ip: Option<&str>,
) -> Result<(Option<IpAddr>, Option<IpAddr>), Rejection> {
    if scope == "Ip" || scope == "Range" {
        let block = parse_block(value).ok_or_else(|| Rejection {
            field: "source.value".to_owned(),
            reason: format!("is not an address, though the scope is {scope}"),
        })?;
        return Ok((Some(block.lo()), Some(block.hi())));
    }
    let single = ip.and_then(parse_address);
    Ok((single, single))
}

/// CrowdSec's spelling of the scopes that have one; others stay as they are.
fn canonical_scope(scope: &str) -> String {
    ["Ip", "Range", "Country", "AS"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(scope))
        .map_or_else(|| scope.to_owned(), str::to_owned)
}

fn decision(n: usize, value: &Value, stop_at: Option<Timestamp>, path: &str) -> Result<Decision, Rejection> {
    let path = format!("{path}decisions[{n}].");
    let Value::Object(map) = value else {
        return Err(Rejection {
            field: format!("decisions[{n}]"),
            reason: "is not an object".to_owned(),
        });
    };
    let fields = Fields { map, path };
    let duration = fields.text("duration", 64)?;
    let duration_ms = duration.as_deref().and_then(parse_duration_ms);
    let (_, until) = fields.time("until")?;
    let computed = || {
        stop_at?
            .checked_add(jiff::SignedDuration::from_millis(duration_ms?))
            .ok()
    };
    Ok(Decision {
        uuid: fields.text("uuid", 64)?,
        origin: fields.text("origin", 255)?,
        kind: fields.required("type", 64)?,
        scope: canonical_scope(&fields.required("scope", 64)?),
        value: fields.required("value", 255)?,
        scenario: fields.text("scenario", 512)?,
        simulated: fields.flag("simulated")?,
        until: until.or_else(computed),
        duration,
        duration_ms,
    })
}

/// The person who acted, where a sender says so: the first `events[].meta[]` entry with the key `actor`.
fn actor(fields: &Fields<'_>) -> Option<String> {
    let events = fields.map.get("events")?.as_array()?;
    let entries = events.iter().filter_map(|e| e.get("meta")?.as_array()).flatten();
    let mut found = entries.filter(|m| m.get("key").and_then(Value::as_str) == Some("actor"));
    let text = found.next()?.get("value")?.as_str()?.trim();
    let text: String = text.chars().filter(|c| *c != '\0').take(256).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
