//! What can be done, from the narrowest to the widest.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::fleet::decision::Subject;
use crate::kernel::net::{Block, parse_block};

/// The list that an entry goes to where the tenant has none.
const NEW_LIST: &str = "exceptions";
/// How long a fix keeps an address from being banned.
const A_DAY: &str = "24h";
/// The reason that a request carries: whoever sends it may write a better one.
const REASON: &str = "a false positive";

/// Something that can be done about it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Fix {
    /// `unban`, `ask`, `lift`, `allow` or `allow-range`.
    pub action: &'static str,
    /// What it does, in words.
    pub text: String,
    /// What to send first, where something that it needs is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<FixRequest>,
    /// What to send.
    pub request: FixRequest,
}

/// A request to this API.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FixRequest {
    pub method: &'static str,
    pub path: String,
    /// Its JSON, if it has one.
    pub body: Option<Value>,
}

/// Something that blocks the address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Held {
    pub value: String,
    pub kind: String,
    /// The server and the number that it has there; none for a row of the set.
    pub at: Option<(String, i64)>,
    /// From CAPI or a list, which bring it back.
    pub elsewhere: bool,
    /// Whether that server can be written to.
    pub writes: bool,
}

impl Held {
    /// A row of the set.
    #[must_use]
    pub fn here(value: &str, kind: &str) -> Self {
        Self {
            value: value.to_owned(),
            kind: kind.to_owned(),
            at: None,
            elsewhere: false,
            writes: false,
        }
    }
}

/// What the choice depends on.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Situation {
    pub block: Block,
    pub held: Vec<Held>,
    /// Whether an allowlist covers all of it.
    pub allowed: bool,
    /// Whether the servers were asked.
    pub asked: bool,
    /// How many LAPI servers the tenant has.
    pub servers: usize,
    pub allowlist: Option<String>,
}

fn request(method: &'static str, path: String, body: Option<Value>) -> FixRequest {
    FixRequest { method, path, body }
}

/// What applies, the narrowest first: one decision at one server; everywhere; the address for a day; the range.
#[must_use]
pub fn fixes(situation: &Situation) -> Vec<Fix> {
    let subject = Subject(situation.block).value();
    let mut out = Vec::new();
    for held in situation.held.iter().filter(|held| held.writes) {
        let Some((server, id)) = &held.at else { continue };
        let back = if held.elsewhere {
            "; it comes from CAPI or a list, which may bring it back"
        } else {
            ""
        };
        out.push(Fix {
            action: "unban",
            text: format!("lift the {} of {} on {server} alone{back}", held.kind, held.value),
            before: None,
            request: request(
                "DELETE",
                format!("/api/decisions/{id}?server={server}"),
                Some(json!({ "ip": held.value, "reason": REASON })),
            ),
        });
    }
    if !situation.asked && situation.servers > 0 {
        out.push(Fix {
            action: "ask",
            text: "ask the LAPI servers themselves: what they have from CAPI and lists, and the numbers to lift one \
                   decision alone"
                .to_owned(),
            before: None,
            request: request(
                "GET",
                format!("/api/ips/{}/explain?live=true", subject.replace('/', "%2F")),
                None,
            ),
        });
    }
    // The smallest first: what is about the address alone, then ranges from the narrow to the wide.
    let width = |value: &str| parse_block(value).map_or(0, |block| block.prefix_len());
    let mut values: Vec<&str> = situation
        .held
        .iter()
        .filter(|held| !held.elsewhere)
        .map(|held| held.value.as_str())
        .collect();
    values.sort_by_key(|value| (std::cmp::Reverse(width(value)), *value));
    values.dedup();
    for value in values {
        out.push(Fix {
            action: "lift",
            text: format!("lift what holds for {value}, on every server"),
            before: None,
            request: request(
                "POST",
                "/api/decisions/unban".to_owned(),
                Some(json!({ "ip": value, "reason": REASON })),
            ),
        });
    }
    if !situation.held.is_empty() && !situation.allowed {
        let text = format!("lift it everywhere and let nothing ban {subject} for 24 hours");
        out.push(allow("allow", text, &subject, situation));
        let wider: BTreeSet<Block> = situation
            .held
            .iter()
            .filter_map(|held| parse_block(&held.value))
            .filter(|block| *block != situation.block)
            .collect();
        let mut wider: Vec<Block> = wider.into_iter().collect();
        wider.sort_by_key(|block| std::cmp::Reverse(block.prefix_len()));
        for block in wider {
            let text = format!("lift it everywhere and let nothing ban any address of {block} for 24 hours");
            out.push(allow("allow-range", text, &block.to_string(), situation));
        }
    }
    out
}

fn allow(action: &'static str, text: String, value: &str, situation: &Situation) -> Fix {
    let before = situation.allowlist.is_none().then(|| {
        request(
            "POST",
            "/api/allowlists".to_owned(),
            Some(json!({ "name": NEW_LIST })),
        )
    });
    let list = situation.allowlist.as_deref().unwrap_or(NEW_LIST);
    let entry = json!({ "value": value, "duration": A_DAY, "reason": REASON });
    Fix {
        action,
        text,
        before,
        request: request(
            "POST",
            format!("/api/allowlists/{list}/entries"),
            Some(json!({ "entries": [entry] })),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(value: &str, server: &str, elsewhere: bool, writes: bool) -> Held {
        Held {
            at: Some((server.to_owned(), 7)),
            elsewhere,
            writes,
            ..Held::here(value, "ban")
        }
    }

    fn situation(ip: &str, held: Vec<Held>) -> Situation {
        Situation {
            block: parse_block(ip).unwrap(),
            held,
            allowed: false,
            asked: true,
            servers: 2,
            allowlist: Some("office".to_owned()),
        }
    }

    fn told(situation: &Situation) -> Vec<String> {
        let line = |fix: &Fix| {
            let body = fix.request.body.as_ref();
            let value = body.map_or(Value::Null, |b| match &b["entries"][0]["value"] {
                Value::Null => b["ip"].clone(),
                value => value.clone(),
            });
            let value = value.as_str().unwrap_or("-").to_owned();
            format!(
                "{} {value} {} {}",
                fix.action, fix.request.method, fix.request.path
            )
        };
        fixes(situation).iter().map(line).collect()
    }

    #[test]
    fn only_what_applies_the_narrowest_first() {
        let ip = "192.0.2.7";
        let set = |value| Held::here(value, "ban");
        let unban = "unban 192.0.2.7 DELETE /api/decisions/7?server=paris";
        let lift = "lift 192.0.2.7 POST /api/decisions/unban";
        let lift_range = "lift 192.0.2.0/24 POST /api/decisions/unban";
        let allow = "allow 192.0.2.7 POST /api/allowlists/office/entries";
        let range = "allow-range 192.0.2.0/24 POST /api/allowlists/office/entries";
        for (name, held, expected) in [
            ("nothing", vec![], vec![]),
            ("in the set", vec![set(ip)], vec![lift, allow]),
            ("said twice", vec![set(ip), set(ip)], vec![lift, allow]),
            (
                "with its number",
                vec![live(ip, "paris", false, true), set(ip)],
                vec![unban, lift, allow],
            ),
            (
                "on a server that only reads",
                vec![live(ip, "paris", false, false)],
                vec![lift, allow],
            ),
            (
                "a range, and itself",
                vec![set("192.0.2.0/24"), set(ip)],
                vec![lift, lift_range, allow, range],
            ),
            (
                "from CAPI",
                vec![live(ip, "paris", true, true)],
                vec![unban, allow],
            ),
            (
                "from a list of ranges",
                vec![live("192.0.2.0/24", "paris", true, true)],
                vec![
                    "unban 192.0.2.0/24 DELETE /api/decisions/7?server=paris",
                    allow,
                    range,
                ],
            ),
        ] {
            assert_eq!(told(&situation(ip, held)), expected, "{name}");
        }
    }

    #[test]
    fn what_is_allowed_or_not_asked() {
        let held = vec![Held::here("192.0.2.7", "ban")];
        let mut allowed = situation("192.0.2.7", held.clone());
        allowed.allowed = true;
        assert_eq!(told(&allowed), ["lift 192.0.2.7 POST /api/decisions/unban"]);
        let mut unasked = situation("192.0.2.0/24", Vec::new());
        unasked.asked = false;
        assert_eq!(
            told(&unasked),
            ["ask - GET /api/ips/192.0.2.0%2F24/explain?live=true"]
        );
        unasked.servers = 0;
        assert!(told(&unasked).is_empty());
        let mut none = situation("192.0.2.7", held);
        assert_eq!(fixes(&none)[1].before, None);
        none.allowlist = None;
        let made = &fixes(&none)[1];
        assert_eq!(
            made.before.as_ref().unwrap().body,
            Some(json!({ "name": NEW_LIST }))
        );
        assert_eq!(made.request.path, format!("/api/allowlists/{NEW_LIST}/entries"));
    }
}
