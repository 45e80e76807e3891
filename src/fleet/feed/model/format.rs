//! The formats of crowdsec-blocklist-mirror. Scenarios come from engines, and a router runs what it fetches: of a
//! scenario's name only plain characters are written.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::Entry;

/// Longest comment.
const COMMENT: usize = 100;
/// The longest time a router takes for an address.
const LONGEST: SignedDuration = SignedDuration::from_hours(35 * 7 * 24);

/// How a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A value a line.
    PlainText,
    /// A script for `RouterOS`.
    Mikrotik,
    /// An IP intelligence feed list: address, mask, `bl`, category.
    F5,
}

impl Format {
    /// By the mirror's name for it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "plain_text" => Some(Self::PlainText),
            "mikrotik" => Some(Self::Mikrotik),
            "f5" => Some(Self::F5),
            _ => None,
        }
    }

    /// Whether the same list is another text a second later.
    #[must_use]
    pub const fn tells_time(self) -> bool {
        matches!(self, Self::Mikrotik)
    }
}

/// What a router's script says beside its entries.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// The address list that it fills.
    pub list: &'a str,
    /// 4, 6 or both: the list of another family is left alone.
    pub family: Option<i16>,
    /// What the times left are counted from.
    pub now: Timestamp,
}

/// Writes the list.
#[must_use]
pub fn write(entries: &[Entry], format: Format, script: Script<'_>) -> String {
    let mut out = String::with_capacity(entries.len() * 24);
    if format == Format::Mikrotik {
        for (family, menu) in [(4, "/ip"), (6, "/ipv6")] {
            if script.family.is_none_or(|only| only == family) {
                let list = script.list;
                let _ = writeln!(
                    out,
                    "{menu} firewall address-list remove [find where list=\"{list}\"]"
                );
            }
        }
    }
    for entry in entries {
        // Writing to a text does not fail.
        let _ = match format {
            Format::PlainText => writeln!(out, "{}", entry.net),
            Format::F5 => {
                let category = entry.scenario.split('/').nth(1).unwrap_or(&entry.scenario);
                let (address, len) = (entry.net.address(), entry.net.len);
                writeln!(out, "{address},{len},bl,{}", plain(category))
            }
            Format::Mikrotik => {
                let menu = if entry.net.v6 { "/ipv6" } else { "/ip" };
                writeln!(
                    out,
                    ":do {{ {menu} firewall address-list add list=\"{}\" address={} comment=\"{}\" timeout={} }} on-error={{}}",
                    script.list,
                    entry.net,
                    plain(&entry.scenario),
                    left(entry.until, script.now),
                )
            }
        };
    }
    out
}

/// Letters, digits and a few signs that mean nothing anywhere; `_` for the rest.
fn plain(text: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "._/:@+-".contains(c) {
            c
        } else {
            '_'
        }
    };
    text.chars().take(COMMENT).map(safe).collect()
}

/// What is left of it, at least a second, as a router writes it.
fn left(until: Timestamp, now: Timestamp) -> String {
    let seconds = until.duration_since(now).min(LONGEST).as_secs().max(1);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let parts = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (seconds % 60, 's')];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    parts.fold(String::new(), |mut text, (n, unit)| {
        let _ = write!(text, "{n}{unit}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::feed::model::tests::entry;

    #[test]
    fn the_mirrors_formats() {
        let mut entries = vec![
            entry("192.0.2.7", 90),
            entry("198.51.100.0/24", 3700),
            entry("2001:db8::1", 1),
        ];
        entries[1].scenario = "a/b\"] ; /system reset-configuration,\n$(x)\\".to_owned();
        entries[2].scenario = "manual".to_owned();
        let script = |family| Script {
            list: "CrowdSec",
            family,
            now: Timestamp::from_second(1_800_000_000).unwrap(),
        };
        let plain = write(&entries, Format::PlainText, script(None));
        assert_eq!(plain, "192.0.2.7\n198.51.100.0/24\n2001:db8::1\n");
        let f5 = write(&entries, Format::F5, script(None));
        assert_eq!(
            f5,
            "192.0.2.7,32,bl,s90\n198.51.100.0,24,bl,b_____\n2001:db8::1,128,bl,manual\n"
        );
        let routed = write(&entries, Format::Mikrotik, script(None));
        assert_eq!(
            routed.lines().collect::<Vec<_>>(),
            [
                r#"/ip firewall address-list remove [find where list="CrowdSec"]"#,
                r#"/ipv6 firewall address-list remove [find where list="CrowdSec"]"#,
                r#":do { /ip firewall address-list add list="CrowdSec" address=192.0.2.7 comment="crowdsecurity/s90" timeout=1m30s } on-error={}"#,
                r#":do { /ip firewall address-list add list="CrowdSec" address=198.51.100.0/24 comment="a/b_____/system_reset-configuration____x__" timeout=1h1m40s } on-error={}"#,
                r#":do { /ipv6 firewall address-list add list="CrowdSec" address=2001:db8::1 comment="manual" timeout=1s } on-error={}"#,
            ]
        );
        let four = write(&entries[..1], Format::Mikrotik, script(Some(4)));
        assert!(!four.contains("/ipv6"), "{four}");
        let six = write(&[], Format::Mikrotik, script(Some(6)));
        assert_eq!(
            six,
            "/ipv6 firewall address-list remove [find where list=\"CrowdSec\"]\n"
        );
        assert_eq!(write(&[], Format::PlainText, script(None)), "");
    }

    #[test]
    fn times_that_a_router_reads() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (seconds, text) in [
            (-5, "1s"),
            (0, "1s"),
            (59, "59s"),
            (60, "1m"),
            (3600, "1h"),
            (86_400 + 61, "1d1m1s"),
            (400 * 86_400, "245d"),
        ] {
            let until = now + SignedDuration::from_secs(seconds);
            assert_eq!(left(until, now), text, "{seconds}");
        }
    }
}
