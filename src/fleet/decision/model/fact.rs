//! What a decision is about, in one spelling: two servers that mean the same must say the same.

use std::net::IpAddr;

use uuid::Uuid;

use crate::kernel::net::{Block, parse_block};

/// The origin of what Garrison writes to a LAPI server. Reserved: what carries it is ours, or goes.
pub const OUR_ORIGIN: &str = "garrison";
/// The origin of a ban by hand, as programs written against the first API know it.
pub const HAND_ORIGIN: &str = "crowdsieve";
/// The origin of what an analyzer decided, in the set; on a LAPI server it is a copy as any other.
pub const ANALYZER_ORIGIN: &str = "garrison-analyzer";
/// Longest type, scenario and origin that is kept.
const TEXT_LIMIT: usize = 255;

/// A scope, a value and a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// `Ip`, `Range`, `Country` or `AS`: as bouncers ask for them.
    pub scope: &'static str,
    /// The canonical value: an address, a range that is none, a country's two letters, an AS number.
    pub value: String,
    /// `ban`, `captcha` …
    pub kind: String,
    /// The addresses it is about.
    pub block: Option<Block>,
}

impl Fact {
    /// Reads one, whatever its letters' case; none for a scope that means something within one engine only, and for
    /// a value that its scope does not have.
    #[must_use]
    pub fn read(scope: &str, value: &str, kind: &str) -> Option<Self> {
        let kind = kind.trim();
        if kind.is_empty() || kind.len() > TEXT_LIMIT || kind.contains(char::is_control) {
            return None;
        }
        let kind = kind.to_owned();
        match scope.trim().to_ascii_lowercase().as_str() {
            // A range comes with the scope of an address, too, and the other way round.
            "ip" | "range" => parse_block(value).map(|block| Self::about(block, kind)),
            "country" => {
                let code = value.trim().to_ascii_uppercase();
                let good = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
                good.then_some(Self {
                    scope: "Country",
                    value: code,
                    kind,
                    block: None,
                })
            }
            "as" => {
                let text = value.trim();
                let digits = match text.get(..2) {
                    Some(two) if two.eq_ignore_ascii_case("as") => &text[2..],
                    _ => text,
                };
                let number: u32 = digits.parse().ok().filter(|_| !digits.starts_with('+'))?;
                Some(Self {
                    scope: "AS",
                    value: number.to_string(),
                    kind,
                    block: None,
                })
            }
            _ => None,
        }
    }

    /// One about addresses.
    #[must_use]
    pub fn about(block: Block, kind: String) -> Self {
        let subject = super::Subject(block);
        Self {
            scope: subject.scope(),
            value: subject.value(),
            kind,
            block: Some(block),
        }
    }

    /// The key under which a server holds it: a hash, so that it has one size.
    #[must_use]
    pub fn key(&self) -> Uuid {
        let text = format!("{}\n{}\n{}", self.scope, self.kind, self.value);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.as_ref()[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// Its first and last address.
    #[must_use]
    pub fn bounds(&self) -> (Option<IpAddr>, Option<IpAddr>) {
        (
            self.block.map(|block| block.lo()),
            self.block.map(|block| block.hi()),
        )
    }
}

/// Whether a decision of this origin was made where it stands. What comes from CAPI, a list or another console reaches
/// every server by itself, and copies are nobody's own.
#[must_use]
pub fn is_local(origin: &str) -> bool {
    let origin = origin.trim().to_ascii_lowercase();
    !(origin.is_empty()
        || origin == "capi"
        || origin == "lists"
        || origin.starts_with("lists:")
        || origin == "remediation_sync"
        || origin.starts_with("crowdsieve-replication")
        || origin == OUR_ORIGIN
        || origin == ANALYZER_ORIGIN)
}

/// A text cut to what is kept, without what Postgres cannot hold.
#[must_use]
pub fn kept(text: &str) -> String {
    let mut text: String = text.chars().filter(|c| *c != '\0').collect();
    while text.len() > TEXT_LIMIT {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (scope, value, expected) in [
            ("Ip", "192.0.2.7", Some(("Ip", "192.0.2.7"))),
            ("ip", " ::ffff:192.0.2.7", Some(("Ip", "192.0.2.7"))),
            ("IP", "2001:DB8::1", Some(("Ip", "2001:db8::1"))),
            ("Ip", "192.0.2.0/24", Some(("Range", "192.0.2.0/24"))),
            ("range", "192.0.2.9/24", Some(("Range", "192.0.2.0/24"))),
            ("Range", "192.0.2.9/32", Some(("Ip", "192.0.2.9"))),
            ("Country", "fr", Some(("Country", "FR"))),
            ("country", "FRA", None),
            ("AS", "64500", Some(("AS", "64500"))),
            ("as", "AS064500", Some(("AS", "64500"))),
            ("AS", "+5", None),
            ("AS", "é4", None),
            ("AS", "4294967296", None),
            ("username", "root", None),
            ("Ip", "010.0.0.1", None),
            ("", "192.0.2.7", None),
        ] {
            let fact = Fact::read(scope, value, "ban");
            assert_eq!(
                fact.as_ref().map(|f| (f.scope, f.value.as_str())),
                expected,
                "{scope} {value}"
            );
        }
        for kind in ["", " ", "b\0n", &"x".repeat(256)] {
            assert!(Fact::read("Ip", "192.0.2.7", kind).is_none());
        }
    }

    #[test]
    fn keys_tell_facts_apart() {
        let key = |scope, value, kind| Fact::read(scope, value, kind).unwrap().key();
        let one = key("Ip", "192.0.2.7", "ban");
        assert_eq!(one, key("range", "192.0.2.7/32", " ban "));
        assert_ne!(one, key("Ip", "192.0.2.7", "captcha"));
        assert_ne!(one, key("Ip", "192.0.2.8", "ban"));
    }

    #[test]
    fn what_is_local() {
        for (origin, expected) in [
            ("crowdsec", true),
            ("cscli", true),
            ("cscli-import", true),
            ("console", true),
            ("appsec", true),
            ("crowdsieve", true),
            ("my-script", true),
            ("CAPI", false),
            ("capi", false),
            ("lists", false),
            ("lists:firehol", false),
            ("garrison", false),
            ("Garrison", false),
            ("garrison-analyzer", false),
            ("crowdsieve-replication", false),
            ("remediation_sync", false),
            ("", false),
        ] {
            assert_eq!(is_local(origin), expected, "{origin}");
        }
    }
}
