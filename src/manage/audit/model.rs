//! What of a trail is asked for and shown, and what a proof expects.

use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::db::ActorKind;
use crate::http::FieldError;
use crate::kernel::audit::Fault;
use crate::kernel::csv::cell;
use crate::kernel::time::{parse_timestamp, rfc3339_millis};

/// The conditions as they are written in a URL.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Conditions {
    /// `token`, `user`, `machine`, `cli` or `auto`, with `:` and a number or without; or a name.
    #[param(min_length = 1, max_length = 256)]
    pub actor: Option<String>,
    /// What was done, exactly: `decision.ban`.
    #[param(min_length = 1, max_length = 256)]
    pub action: Option<String>,
    /// To what, exactly.
    #[param(min_length = 1, max_length = 256)]
    pub target: Option<String>,
    /// `done` or `refused`.
    #[param(pattern = "^(done|refused)$")]
    pub outcome: Option<String>,
    /// At or after.
    #[param(format = DateTime)]
    pub since: Option<String>,
    /// At or before.
    #[param(format = DateTime)]
    pub until: Option<String>,
}

/// The conditions of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Filter {
    pub kind: Option<i16>,
    pub id: Option<i64>,
    pub name: Option<String>,
    pub action: Option<String>,
    pub target: Option<String>,
    pub outcome: Option<i16>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Filter {
    /// What a cursor is bound to.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        format!("audit {self:?}").into_bytes()
    }
}

impl Conditions {
    /// Reads them.
    ///
    /// # Errors
    /// Every wrong one.
    pub fn check(self) -> Result<Filter, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut error = |field: &str, reason: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason: reason.to_owned(),
            });
        };
        let mut filter = Filter::default();
        if let Some(actor) = self.actor {
            match who(&actor) {
                _ if !is_text(&actor) => error("actor", TEXT),
                Some((kind, id)) => (filter.kind, filter.id) = (Some(kind as i16), id),
                None => filter.name = Some(actor),
            }
        }
        for (name, given, kept) in [
            ("action", self.action, &mut filter.action),
            ("target", self.target, &mut filter.target),
        ] {
            match given {
                Some(text) if !is_text(&text) => error(name, TEXT),
                given => *kept = given,
            }
        }
        filter.outcome = match self.outcome.as_deref() {
            None => None,
            Some("done") => Some(1),
            Some("refused") => Some(2),
            Some(_) => {
                error("outcome", "must be equal to one of done, refused");
                None
            }
        };
        for (name, given, kept) in [
            ("since", self.since, &mut filter.since),
            ("until", self.until, &mut filter.until),
        ] {
            *kept = given.as_deref().and_then(parse_timestamp);
            if given.is_some() && kept.is_none() {
                error(name, "must be a time as in RFC 3339");
            }
        }
        if wrong.is_empty() { Ok(filter) } else { Err(wrong) }
    }
}

const TEXT: &str = "must have 1 to 256 characters and no NUL";

fn is_text(text: &str) -> bool {
    (1..=256).contains(&text.chars().count()) && !text.contains('\0')
}

/// `token:5`, `cli`: a kind, and a number where there is one. Anything else is a name.
fn who(text: &str) -> Option<(ActorKind, Option<i64>)> {
    let (kind, id) = match text.split_once(':') {
        Some((kind, id)) => (kind, Some(id.parse().ok()?)),
        None => (text, None),
    };
    let found = ActorKind::NAMES.iter().find(|(_, name)| *name == kind);
    found.map(|(found, _)| (*found, id))
}

/// Who acted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActorView {
    /// `token`, `user`, `machine`, `cli` or `auto`, which is Garrison itself.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its number, where it has one.
    pub id: Option<i64>,
    /// Its name; none where it was erased.
    pub name: Option<String>,
}

/// An entry of the trail.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// Its number, from 1 without a gap.
    pub seq: i64,
    /// When, by the database's clock.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who.
    pub actor: ActorView,
    /// What was done, as `thing.verb`.
    pub action: String,
    /// To what; none where it was erased.
    pub target: Option<String>,
    /// More of it.
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
    /// `done`, or `refused`.
    pub outcome: &'static str,
    /// The address that asked, where one did.
    #[schema(value_type = Option<String>)]
    pub source_ip: Option<IpAddr>,
    /// The id of the request, as its answer had it.
    pub request_id: Option<String>,
    /// The seal of this entry, which is over all entries before it, too.
    pub hash: String,
}

/// An entry as the first host API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostEntryView {
    #[schema(format = DateTime)]
    timestamp: String,
    action: String,
    target: String,
    /// JSON, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    source_ip: Option<IpAddr>,
    /// Who it was.
    actor: String,
}

impl From<EntryView> for HostEntryView {
    fn from(entry: EntryView) -> Self {
        let has_any = |details: &Value| details.as_object().is_some_and(|members| !members.is_empty());
        Self {
            actor: entry.actor.name.unwrap_or_else(|| entry.actor.kind.to_owned()),
            timestamp: entry.at,
            action: entry.action,
            target: entry.target.unwrap_or_default(),
            details: entry.details.filter(has_any).map(|details| details.to_string()),
            source_ip: entry.source_ip,
        }
    }
}

/// An entry as it is read.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Row {
    pub seq: i64,
    pub at: Timestamp,
    pub kind: i16,
    pub id: Option<i64>,
    pub name: Option<String>,
    pub action: String,
    pub target: Option<String>,
    pub details: Option<String>,
    pub refused: bool,
    pub source: Option<IpAddr>,
    pub request: Option<String>,
    pub hash: String,
}

impl From<Row> for EntryView {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: rfc3339_millis(row.at),
            actor: ActorView {
                kind: ActorKind::from_code(row.kind).name(),
                id: row.id,
                name: row.name,
            },
            action: row.action,
            target: row.target,
            details: row.details.and_then(|text| serde_json::from_str(&text).ok()),
            outcome: if row.refused { "refused" } else { "done" },
            source_ip: row.source,
            request_id: row.request,
            hash: row.hash,
        }
    }
}

/// The line of names of an export as CSV.
pub const CSV_HEAD: &str =
    "seq,at,actorType,actorId,actorName,action,target,details,outcome,sourceIp,requestId,hash\r\n";

/// The line of an entry.
#[must_use]
pub fn csv_line(entry: &EntryView) -> String {
    let text = |value: Option<String>| value.unwrap_or_default();
    let cells = [
        entry.seq.to_string(),
        entry.at.clone(),
        entry.actor.kind.to_owned(),
        text(entry.actor.id.map(|id| id.to_string())),
        text(entry.actor.name.clone()),
        entry.action.clone(),
        text(entry.target.clone()),
        text(entry.details.as_ref().map(ToString::to_string)),
        entry.outcome.to_owned(),
        text(entry.source_ip.map(|ip| ip.to_string())),
        text(entry.request_id.clone()),
        entry.hash.clone(),
    ];
    let mut line = String::new();
    for (n, text) in cells.iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        cell(&mut line, text);
    }
    line.push_str("\r\n");
    line
}

/// An end of a chain as somebody kept it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The number of the entry.
    pub seq: i64,
    /// Its seal.
    pub hash: Vec<u8>,
}

/// What is expected of a tenant's chain: `acme=12:ab01…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The tenant, by its name.
    pub tenant: String,
    /// The end that it had.
    pub anchor: Anchor,
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is TENANT=NUMBER:SEAL, as `garrison audit verify` prints it".to_owned();
        let (tenant, end) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (seq, hash) = end.split_once(':').ok_or_else(wrong)?;
        let seq: i64 = seq.parse().ok().filter(|seq| *seq > 0).ok_or_else(wrong)?;
        let hash = hash.trim();
        if hash.len() != 64 || !hash.is_ascii() || tenant.is_empty() {
            return Err(wrong());
        }
        let byte = |at| u8::from_str_radix(&hash[at..at + 2], 16).map_err(|_| wrong());
        let hash = (0..64)
            .step_by(2)
            .map(byte)
            .collect::<Result<Vec<u8>, String>>()?;
        Ok(Self {
            tenant: tenant.to_owned(),
            anchor: Anchor { seq, hash },
        })
    }
}

/// What became of a proof.
#[derive(Debug)]
pub struct Verdict {
    /// The end of the chain as its head says; none when there is no head.
    pub head: Option<Anchor>,
    /// When it begins and with what, as far as that is there.
    pub begins: Option<(Timestamp, String)>,
    /// All that is wrong.
    pub faults: Vec<Fault>,
}

#[cfg(test)]
mod tests;
