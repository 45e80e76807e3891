//! Which decisions a machine gets, on which list, and how lists are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::kernel::net::{Block, parse_block};
use crate::kernel::time::rfc3339_millis;

/// The name of our lists on engines.
pub const NAME: &str = "garrison";
/// The origin that engines give to what lists bring.
const ORIGIN: &str = "lists";

/// A blocklist: engines read scope and type from the link, so there is one for each pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct List {
    /// `ban`, `captcha` …
    pub kind: String,
    /// Of ranges, not of addresses.
    pub ranges: bool,
}

impl List {
    /// As bouncers know it.
    pub const fn scope(&self) -> &'static str {
        if self.ranges { "Range" } else { "Ip" }
    }

    /// `garrison`, `garrison-range`, `garrison-captcha` …
    pub fn name(&self) -> String {
        let mut name = NAME.to_owned();
        if self.kind != "ban" {
            name.push('-');
            let plain = |c: char| {
                if c.is_ascii_alphanumeric() || c == '_' {
                    c
                } else {
                    '-'
                }
            };
            name.extend(self.kind.chars().map(plain));
        }
        if self.ranges {
            name.push_str("-range");
        }
        name
    }
}

/// One decision of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub block: Block,
    pub kind: String,
    pub until: Timestamp,
}

impl Wanted {
    /// From a row; none for what is no address and no range, which engines would refuse the whole list for.
    pub fn read(value: &str, kind: String, until: Timestamp) -> Option<Self> {
        let block = parse_block(value)?;
        Some(Self { block, kind, until })
    }

    /// The list it is on.
    pub fn list(&self) -> List {
        List {
            kind: self.kind.clone(),
            ranges: !self.block.is_host(),
        }
    }

    /// An address, or a range with its length.
    pub fn value(&self) -> String {
        if self.block.is_host() {
            self.block.lo().to_string()
        } else {
            self.block.to_string()
        }
    }
}

/// Addresses that nobody is to ban: ranges that do not touch one another, in order.
#[derive(Debug, Default)]
pub struct Spared(Vec<(IpAddr, IpAddr)>);

impl Spared {
    /// From the entries of allowlists.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<_> = values
            .into_iter()
            .filter_map(parse_block)
            .map(|block| (block.lo(), block.hi()))
            .collect();
        all.sort_unstable();
        let mut merged: Vec<(IpAddr, IpAddr)> = Vec::with_capacity(all.len());
        for (lo, hi) in all {
            // Every IPv4 address is below every IPv6 address, so the families never run together.
            match merged.last_mut() {
                Some(last) if lo <= last.1 => last.1 = last.1.max(hi),
                _ => merged.push((lo, hi)),
            }
        }
        Self(merged)
    }

    /// Whether any of them is in the block.
    pub fn touches(&self, block: &Block) -> bool {
        let at = self.0.partition_point(|(_, hi)| *hi < block.lo());
        self.0.get(at).is_some_and(|(lo, _)| *lo <= block.hi())
    }
}

/// What a machine is to have: nothing that an allowlist touches, and one decision an address, because of two lists with
/// the same address the engine keeps the later one only. A ban wins.
pub fn choose(all: Vec<Wanted>, spared: &Spared) -> Vec<Wanted> {
    let mut chosen: BTreeMap<(IpAddr, IpAddr), Wanted> = BTreeMap::new();
    let rank = |w: &Wanted| (w.kind != "ban", w.kind.clone());
    for wanted in all {
        if spared.touches(&wanted.block) {
            continue;
        }
        let place = (wanted.block.lo(), wanted.block.hi());
        let is_better = chosen.get(&place).is_none_or(|other| rank(&wanted) < rank(other));
        if is_better {
            chosen.insert(place, wanted);
        }
    }
    chosen.into_values().collect()
}

/// The lists that hold something.
pub fn lists(chosen: &[Wanted]) -> BTreeSet<List> {
    chosen.iter().map(Wanted::list).collect()
}

/// A blocklist as engines read it: one value a line.
pub fn blocklist(chosen: &[Wanted], list: &List) -> String {
    let mut text = String::new();
    for wanted in chosen.iter().filter(|w| w.list() == *list) {
        text.push_str(&wanted.value());
        text.push('\n');
    }
    text
}

/// An entry of an allowlist.
#[derive(Debug)]
pub struct Entry {
    pub value: String,
    pub reason: String,
    pub expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Line<'a> {
    value: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

/// An allowlist as engines read it: one JSON object a line.
pub fn allowlist(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let line = Line {
            value: &entry.value,
            description: &entry.reason,
            expiration: entry.expires_at.map(rfc3339_millis),
        };
        // Strings have no form that JSON cannot write.
        if let Ok(line) = serde_json::to_string(&line) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// A decision of the stream that engines before 1.5 read. They unify the case of a scope in what is new, but look for
/// what is deleted by the scope as written.
#[derive(Serialize)]
struct Flat<'a> {
    duration: String,
    origin: &'static str,
    scenario: &'static str,
    scope: &'static str,
    #[serde(rename = "type")]
    kind: &'a str,
    value: String,
}

/// What is new, with the time that is left; nothing that ends this second.
pub fn new_decision(wanted: &Wanted, now: Timestamp) -> Option<String> {
    let left = wanted.until.as_second() - now.as_second();
    (left > 0).then(|| flat(&wanted.block, &wanted.kind, format!("{left}s")))
}

/// What is to be deleted.
pub fn deleted_decision(value: &str, kind: &str) -> Option<String> {
    Some(flat(&parse_block(value)?, kind, "0s".to_owned()))
}

fn flat(block: &Block, kind: &str, duration: String) -> String {
    let wanted = Wanted {
        block: *block,
        kind: String::new(),
        until: Timestamp::UNIX_EPOCH,
    };
    let flat = Flat {
        duration,
        origin: ORIGIN,
        scenario: NAME,
        scope: wanted.list().scope(),
        kind,
        value: wanted.value(),
    };
    serde_json::to_string(&flat).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(value: &str, kind: &str) -> Wanted {
        Wanted::read(value, kind.to_owned(), Timestamp::from_second(1000).unwrap()).unwrap()
    }

    #[test]
    fn lists_have_names_of_their_own() {
        for (kind, ranges, name) in [
            ("ban", false, "garrison"),
            ("ban", true, "garrison-range"),
            ("captcha", false, "garrison-captcha"),
            ("captcha", true, "garrison-captcha-range"),
            ("slow down:\u{e9}", false, "garrison-slow-down--"),
        ] {
            let kind = kind.to_owned();
            assert_eq!(List { kind, ranges }.name(), name);
        }
    }

    #[test]
    fn what_an_allowlist_touches_is_spared() {
        let spared = Spared::new([
            "192.0.2.8/29",
            "192.0.2.10",
            "198.51.100.0/24",
            "198.51.0.0/16",
            "2001:db8::/32",
            "nonsense",
        ]);
        for (value, expected) in [
            ("192.0.2.7", false),
            ("192.0.2.8", true),
            ("192.0.2.15", true),
            ("192.0.2.16", false),
            ("192.0.2.0/24", true),
            ("192.0.2.0/29", false),
            ("198.51.255.255", true),
            ("198.52.0.0", false),
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(spared.touches(&parse_block(value).unwrap()), expected, "{value}");
        }
        assert!(!Spared::default().touches(&parse_block("0.0.0.0/0").unwrap()));
    }

    #[test]
    fn an_address_is_on_one_list_and_a_ban_wins() {
        let all = vec![
            wanted("192.0.2.2", "throttle"),
            wanted("192.0.2.1", "captcha"),
            wanted("192.0.2.1", "ban"),
            wanted("192.0.2.2", "captcha"),
            wanted("192.0.2.0/24", "ban"),
            wanted("203.0.113.1", "ban"),
        ];
        let chosen = choose(all, &Spared::new(["203.0.113.0/24"]));
        let list = |kind: &str, ranges| {
            let kind = kind.to_owned();
            blocklist(&chosen, &List { kind, ranges })
        };
        assert_eq!(list("ban", false), "192.0.2.1\n");
        assert_eq!(list("ban", true), "192.0.2.0/24\n");
        assert_eq!(list("captcha", false), "192.0.2.2\n");
        assert_eq!(list("throttle", false), "");
        assert_eq!(lists(&chosen).len(), 3);
        assert!(Wanted::read("192.0.2.1\n192.0.2.2", "ban".into(), Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn lines_and_decisions_are_as_engines_read_them() {
        let entry = |expires_at| Entry {
            value: "192.0.2.0/24".into(),
            reason: "the \"office\"\nand more".into(),
            expires_at,
        };
        let text = allowlist(&[entry(None), entry(Some(Timestamp::UNIX_EPOCH))]);
        let expected = "{\"value\":\"192.0.2.0/24\",\"description\":\"the \\\"office\\\"\\nand more\"}\n\
            {\"value\":\"192.0.2.0/24\",\"description\":\"the \\\"office\\\"\\nand more\",\"expiration\":\"1970-01-01T00:00:00.000Z\"}\n";
        assert_eq!(text, expected);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(
            new_decision(&wanted("192.0.2.1", "ban"), at(100)).unwrap(),
            r#"{"duration":"900s","origin":"lists","scenario":"garrison","scope":"Ip","type":"ban","value":"192.0.2.1"}"#
        );
        assert_eq!(new_decision(&wanted("192.0.2.1", "ban"), at(1000)), None);
        assert_eq!(
            deleted_decision("192.0.2.0/24", "captcha").unwrap(),
            r#"{"duration":"0s","origin":"lists","scenario":"garrison","scope":"Range","type":"captcha","value":"192.0.2.0/24"}"#
        );
    }
}
