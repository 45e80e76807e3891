//! One word and one sentence.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Known, covers};
use crate::fleet::decision::{Said, ServerResult, Subject};
use crate::kernel::net::Block;
use crate::kernel::time::rfc3339_millis;

/// What is the matter with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A ban holds for it.
    Banned,
    /// Another decision does: a captcha, say.
    Restricted,
    /// Nothing should hold for it any more, but a server may still have something.
    Lifting,
    /// Something holds for a part of it.
    Partly,
    /// An allowlist covers it.
    Allowed,
    /// Nothing is known against it.
    Clear,
}

/// A decision that holds, wherever it is known from.
struct Holding {
    kind: String,
    value: String,
    scenario: String,
    who: String,
    until: Option<Timestamp>,
}

fn holding(known: &Known, live: &[ServerResult], block: &Block) -> Vec<Holding> {
    let said = known.said.iter().filter(|said| said.lifted_at.is_none());
    let mut found: Vec<Holding> = said
        .filter(|said| covers(&said.value, block))
        .map(|said| Holding {
            kind: said.kind.clone(),
            value: said.value.clone(),
            scenario: said.scenario.clone(),
            who: known.who(said),
            until: Some(said.until),
        })
        .collect();
    for result in live {
        for decision in result.decisions.iter().filter(|d| covers(&d.value, block)) {
            found.push(Holding {
                kind: decision.kind.clone(),
                value: decision.value.clone(),
                scenario: decision.scenario.clone(),
                who: format!("{} on LAPI server {}", decision.origin, result.server),
                until: None,
            });
        }
    }
    found
}

/// The verdict and its sentence.
#[must_use]
pub fn verdict(known: &Known, live: &[ServerResult], block: &Block) -> (Verdict, String) {
    let ip = Subject(*block).value();
    let found = holding(known, live, block);
    let is_ban = |held: &&Holding| held.kind == "ban";
    if let Some(first) = found.iter().find(is_ban).or(found.first()) {
        let (verdict, word) = match first.kind.as_str() {
            "ban" => (Verdict::Banned, "banned".to_owned()),
            other => (Verdict::Restricted, format!("under a decision of type {other}")),
        };
        let end = found.iter().filter_map(|held| held.until).max();
        let until = end.map_or_else(String::new, |end| format!(" until {}", rfc3339_millis(end)));
        let range = if first.value == ip {
            String::new()
        } else {
            format!(" as part of {}", first.value)
        };
        let more = match found.len() - 1 {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        let text = format!(
            "{ip} is {word}{until}{range}: {}, by {}{more}.",
            first.scenario, first.who
        );
        return (verdict, text);
    }
    let unlifted = |said: &&Said| said.lifted_at.is_some() && covers(&said.value, block);
    let copy = known
        .copies
        .iter()
        .find(|c| !c.refused && covers(&c.value, block));
    if let Some(copy) = copy {
        let server = known.server(copy.server);
        let text = format!(
            "{ip} should be free, but LAPI server {server} may still have the {}.",
            copy.kind
        );
        return (Verdict::Lifting, text);
    }
    if let Some(said) = known.said.iter().find(unlifted) {
        let text = format!("{ip} was freed; {} may not have let go yet.", known.who(said));
        return (Verdict::Lifting, text);
    }
    if let Some(entry) = known.allowed.iter().find(|entry| covers(&entry.value, block)) {
        let end = entry
            .expires_at
            .map_or_else(String::new, |end| format!(" until {}", rfc3339_millis(end)));
        return (
            Verdict::Allowed,
            format!("{ip} is on the allowlist {}{end}.", entry.list),
        );
    }
    let parts = known.said.iter().filter(|said| said.lifted_at.is_none()).count()
        + live.iter().map(|result| result.decisions.len()).sum::<usize>();
    if parts > 0 {
        return (
            Verdict::Partly,
            format!("Parts of {ip} are under {parts} decisions."),
        );
    }
    (
        Verdict::Clear,
        format!("Nothing holds for {ip} that Garrison knows of."),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::decision::{Copy, Fact, Place, Source};
    use crate::fleet::explain::model::Entry;
    use crate::kernel::net::parse_block;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn said(source: Source, value: &str, kind: &str) -> Said {
        let fact = Fact::read("Ip", value, kind).unwrap();
        Said {
            key: fact.key(),
            source,
            origin: "crowdsec".to_owned(),
            scope: fact.scope.to_owned(),
            value: fact.value,
            kind: fact.kind,
            scenario: "ssh".to_owned(),
            until: at(60),
            uuid: None,
            servers: None,
            reason: None,
            actor: Some("jane".to_owned()),
            since: at(0),
            lifted_at: None,
        }
    }

    fn known(rows: Vec<Said>) -> Known {
        let place = Place {
            id: 3,
            name: "paris".to_owned(),
            can_write: true,
            replicates: true,
            engine: None,
            compared_at: None,
            read_at: None,
        };
        Known {
            said: rows,
            places: vec![place],
            machines: [(9, "web-1".to_owned())].into(),
            ..Known::default()
        }
    }

    fn copy(refused: bool) -> Copy {
        Copy {
            server: 3,
            key: Fact::read("Ip", "192.0.2.7", "ban").unwrap().key(),
            value: "192.0.2.7".to_owned(),
            kind: "ban".to_owned(),
            until: at(60),
            refused,
            error: None,
            placed_at: at(0),
            checked_at: None,
        }
    }

    #[test]
    fn a_word_and_a_sentence() {
        let row = said(Source::Server(3), "192.0.2.7", "ban");
        let lifted = Said {
            lifted_at: Some(at(1)),
            ..row.clone()
        };
        let allowed = Known {
            allowed: vec![Entry {
                list: "office".to_owned(),
                value: "192.0.2.0/24".to_owned(),
                reason: String::new(),
                actor: String::new(),
                created_at: at(0),
                expires_at: None,
            }],
            ..known(vec![])
        };
        let left = |refused| Known {
            copies: vec![copy(refused)],
            ..known(vec![])
        };
        let captcha = said(Source::Hand, "192.0.2.7", "captcha");
        let range = said(Source::Signal(9), "192.0.2.0/24", "ban");
        for (known, ip, expected, word) in [
            (
                known(vec![row.clone()]),
                "192.0.2.7",
                Verdict::Banned,
                "by LAPI server paris.",
            ),
            (
                known(vec![captcha.clone(), row]),
                "192.0.2.7",
                Verdict::Banned,
                "and 1 more.",
            ),
            (
                known(vec![range.clone()]),
                "192.0.2.7",
                Verdict::Banned,
                "part of 192.0.2.0/24: ssh, by machine web-1",
            ),
            (
                known(vec![captcha]),
                "192.0.2.7",
                Verdict::Restricted,
                "type captcha until 2027-01-15T08:01:00.000Z: ssh, by jane",
            ),
            (
                known(vec![lifted]),
                "192.0.2.7",
                Verdict::Lifting,
                "LAPI server paris may not",
            ),
            (left(false), "192.0.2.7", Verdict::Lifting, "paris may still"),
            (left(true), "192.0.2.7", Verdict::Clear, "Nothing"),
            (
                allowed.clone(),
                "192.0.2.7",
                Verdict::Allowed,
                "allowlist office.",
            ),
            (allowed, "192.0.0.0/16", Verdict::Clear, "Nothing"),
            (known(vec![range]), "192.0.0.0/16", Verdict::Partly, "1 decisions"),
            (known(vec![]), "2001:db8::1", Verdict::Clear, "2001:db8::1"),
        ] {
            let (verdict, text) = verdict(&known, &[], &parse_block(ip).unwrap());
            assert_eq!(verdict, expected, "{text}");
            assert!(text.contains(word), "{text} has no {word}");
        }
    }

    #[test]
    fn a_list_on_a_server_bans_too() {
        let decision = json!({ "id": 1, "origin": "lists:firehol", "type": "ban", "scope": "Range",
            "value": "192.0.2.0/24", "duration": "1h", "scenario": "firehol_level1" });
        let live = [ServerResult {
            server: "paris".to_owned(),
            decisions: vec![serde_json::from_value(decision).unwrap()],
            error: None,
        }];
        let (found, text) = verdict(&known(vec![]), &live, &parse_block("192.0.2.7").unwrap());
        assert_eq!(found, Verdict::Banned);
        assert!(text.contains("lists:firehol on LAPI server paris"), "{text}");
    }
}
