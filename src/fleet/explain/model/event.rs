//! What happened, one event a row.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Known, covers};
use crate::fleet::decision::{ServerResult, Source, Subject};
use crate::kernel::net::Block;
use crate::kernel::time::rfc3339_millis;

/// Something that is said of the address.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    /// When; null for what always holds.
    at: Option<String>,
    /// In words.
    text: String,
    #[serde(flatten)]
    what: What,
}

/// What it is, by `kind`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum What {
    /// Somebody says that it should be so: a row of the set.
    #[serde(rename_all = "camelCase")] // here, because the description reads it here only
    Decision {
        #[serde(rename = "type")]
        decision_type: String,
        scope: String,
        value: String,
        /// Whether it is about all that was asked for, and not about a part.
        covers: bool,
        /// Whether it is about exactly that, and not about a range around it.
        exact: bool,
        origin: String,
        scenario: String,
        /// `server`, `machine`, `hand` or `analyzer`.
        from: &'static str,
        /// Its name.
        name: String,
        uuid: Option<String>,
        reason: Option<String>,
        /// Where it was put by hand; null for everywhere.
        servers: Option<Vec<String>>,
        until: String,
        lifted_at: Option<String>,
    },
    /// What Garrison put on a server.
    #[serde(rename_all = "camelCase")] // here, because the description reads it here only
    Copy {
        server: String,
        value: String,
        #[serde(rename = "type")]
        decision_type: String,
        until: String,
        /// When it was last seen there.
        checked_at: Option<String>,
        refused: bool,
        error: Option<String>,
    },
    /// An alert about it.
    #[serde(rename_all = "camelCase")] // here, because the description reads it here only
    Alert {
        id: i64,
        scenario: String,
        message: Option<String>,
        source: Option<String>,
        /// The engine that sent it.
        machine: Option<String>,
        /// The agent's name within that engine.
        agent: Option<String>,
        /// Kept from CAPI by a rule.
        filtered: bool,
        /// Why.
        reasons: Vec<String>,
        forwarded_at: Option<String>,
        forward_error: Option<String>,
        has_decisions: bool,
        /// What an operator did through Garrison, and who.
        local_audit: bool,
        actor: Option<String>,
    },
    /// An entry of an allowlist.
    #[serde(rename_all = "camelCase")] // here, because the description reads it here only
    Allowlist {
        list: String,
        value: String,
        covers: bool,
        reason: String,
        actor: String,
        expires_at: Option<String>,
    },
    /// It lies in a range that nobody may ban by hand.
    Protected { reason: String },
    /// What a server has, when it was asked.
    #[serde(rename_all = "camelCase")] // here, because the description reads it here only
    Live {
        server: String,
        /// Its number there.
        id: i64,
        #[serde(rename = "type")]
        decision_type: String,
        scope: String,
        value: String,
        origin: String,
        scenario: String,
        /// How much of it is left.
        duration: String,
    },
    /// A server that could not be asked.
    Unreachable { server: String, error: String },
}

/// Everything, in the order of time; `now` is when the servers were asked.
#[must_use]
pub fn events(
    known: &Known,
    protected: Option<String>,
    live: &[ServerResult],
    block: &Block,
    now: Timestamp,
) -> Vec<Event> {
    let subject = Subject(*block).value();
    let mut all: Vec<(Option<Timestamp>, String, What)> = Vec::new();
    if let Some(reason) = protected {
        all.push((None, reason.clone(), What::Protected { reason }));
    }
    decisions(known, &subject, block, &mut all);
    copies(known, &mut all);
    alerts(known, &mut all);
    for entry in &known.allowed {
        let text = format!("{} was put on the allowlist {}", entry.value, entry.list);
        let what = What::Allowlist {
            list: entry.list.clone(),
            value: entry.value.clone(),
            covers: covers(&entry.value, block),
            reason: entry.reason.clone(),
            actor: entry.actor.clone(),
            expires_at: entry.expires_at.map(rfc3339_millis),
        };
        all.push((Some(entry.created_at), text, what));
    }
    for result in live {
        answers(result, now, &mut all);
    }
    all.sort_by_key(|(at, _, _)| *at);
    let event = |(at, text, what): (Option<Timestamp>, String, What)| Event {
        at: at.map(rfc3339_millis),
        text,
        what,
    };
    all.into_iter().map(event).collect()
}

type All = Vec<(Option<Timestamp>, String, What)>;

fn decisions(known: &Known, subject: &str, block: &Block, all: &mut All) {
    for said in &known.said {
        let (from, name) = match said.source {
            Source::Server(id) => ("server", known.server(id)),
            Source::Signal(id) => {
                let name = known.machines.get(&id).cloned();
                ("machine", name.unwrap_or_else(|| id.to_string()))
            }
            Source::Analyzer(_) => ("analyzer", said.actor.clone().unwrap_or_default()),
            Source::Hand => ("hand", said.actor.clone().unwrap_or_default()),
        };
        let lifted = said.lifted_at.map_or("", |_| "; lifted since");
        let text = format!(
            "{} of {} by {}: {}{lifted}",
            said.kind,
            said.value,
            known.who(said),
            said.scenario
        );
        let servers = said.servers.as_ref();
        let what = What::Decision {
            decision_type: said.kind.clone(),
            scope: said.scope.clone(),
            covers: covers(&said.value, block),
            exact: said.value == subject,
            value: said.value.clone(),
            origin: said.origin.clone(),
            scenario: said.scenario.clone(),
            from,
            name,
            uuid: said.uuid.clone(),
            reason: said.reason.clone(),
            servers: servers.map(|ids| ids.iter().map(|id| known.server(*id)).collect()),
            until: rfc3339_millis(said.until),
            lifted_at: said.lifted_at.map(rfc3339_millis),
        };
        all.push((Some(said.since), text, what));
    }
}

fn copies(known: &Known, all: &mut All) {
    for copy in &known.copies {
        let server = known.server(copy.server);
        let text = if copy.refused {
            let why = copy.error.as_deref().unwrap_or("it does not say why");
            format!(
                "LAPI server {server} refused the {} of {}: {why}",
                copy.kind, copy.value
            )
        } else {
            format!(
                "Garrison put the {} of {} on LAPI server {server}",
                copy.kind, copy.value
            )
        };
        let what = What::Copy {
            server,
            value: copy.value.clone(),
            decision_type: copy.kind.clone(),
            until: rfc3339_millis(copy.until),
            checked_at: copy.checked_at.map(rfc3339_millis),
            refused: copy.refused,
            error: copy.error.clone(),
        };
        all.push((Some(copy.placed_at), text, what));
    }
}

fn alerts(known: &Known, all: &mut All) {
    for alert in &known.alerts {
        let who = match (&alert.actor, &alert.machine) {
            (Some(actor), _) if alert.ours => actor.clone(),
            (_, Some(machine)) => format!("machine {machine}"),
            _ => "an unknown machine".to_owned(),
        };
        let fate = if alert.ours {
            ""
        } else if alert.filtered {
            "; kept from CAPI by a rule"
        } else if alert.forwarded_at.is_some() {
            "; forwarded to CAPI"
        } else {
            "; not forwarded to CAPI"
        };
        let text = format!("{} by {who}{fate}", alert.scenario);
        let what = What::Alert {
            id: alert.id,
            scenario: alert.scenario.clone(),
            message: alert.message.clone(),
            source: alert.source.clone(),
            machine: alert.machine.clone(),
            agent: alert.agent.clone(),
            filtered: alert.filtered,
            reasons: alert.reasons.clone(),
            forwarded_at: alert.forwarded_at.map(rfc3339_millis),
            forward_error: alert.forward_error.clone(),
            has_decisions: alert.has_decisions,
            local_audit: alert.ours,
            actor: alert.actor.clone(),
        };
        all.push((Some(alert.at), text, what));
    }
}

fn answers(result: &ServerResult, now: Timestamp, all: &mut All) {
    if let Some(error) = &result.error {
        let text = format!("LAPI server {} could not be asked: {error}", result.server);
        let what = What::Unreachable {
            server: result.server.clone(),
            error: error.clone(),
        };
        all.push((Some(now), text, what));
    }
    for decision in &result.decisions {
        let text = format!(
            "LAPI server {} has a {} of {} from {}: {}",
            result.server, decision.kind, decision.value, decision.origin, decision.scenario
        );
        let what = What::Live {
            server: result.server.clone(),
            id: decision.id,
            decision_type: decision.kind.clone(),
            scope: decision.scope.clone(),
            value: decision.value.clone(),
            origin: decision.origin.clone(),
            scenario: decision.scenario.clone(),
            duration: decision.duration.clone(),
        };
        all.push((Some(now), text, what));
    }
}
