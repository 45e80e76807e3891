//! What a registry tells of the network that an address is in. Everything in it was written by somebody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::kernel::net::{parse_address, parse_block};

/// Longest text that is kept of one field, in characters.
const LONGEST: usize = 1000;
/// Most blocks that a range is written as.
const MOST_BLOCKS: usize = 16;

/// A network's registration; what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Registration {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_name: Option<String>,
    /// Its first and last address, as the registry writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_range: Option<String>,
    /// The same in prefixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What they say about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descr: Option<String>,
    /// The mail address for complaints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abuse: Option<String>,
}

impl Registration {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A text without what does not belong into a line, and not too long; `None` when nothing is left.
#[must_use]
pub fn clean(text: &str) -> Option<String> {
    let text: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !turns_text(*c))
        .collect();
    let text: String = text.trim().chars().take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

/// Whether a character is invisible or turns the direction of what follows.
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Two letters, as ISO 3166 has them, in capitals.
#[must_use]
pub fn country(text: &str) -> Option<String> {
    let word = text.split([' ', '\t', '#']).next().unwrap_or_default();
    let good = word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    good.then(|| word.to_ascii_uppercase())
}

/// The first mail address in a text.
#[must_use]
pub fn mail(text: &str) -> Option<String> {
    let part = |c: char| c.is_alphanumeric() || "@.!#$%&*+-/=?^_`{|}~".contains(c);
    text.split(|c| !part(c))
        .map(|word| word.trim_matches(['.', '-', '\'', '/', '=']))
        .filter(|word| word.len() <= 254)
        .find(|word| {
            let sides = word.split_once('@');
            sides.is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
        })
        .and_then(clean)
}

/// A range in one of the ways registries write it: `a - b`, a prefix, `LACNIC`'s short prefix (`200.3.12/22`).
#[must_use]
pub fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((lo, hi)) = text.split_once(" - ").or_else(|| text.split_once('-')) {
        let (lo, hi) = (parse_address(lo)?, parse_address(hi)?);
        return (lo.is_ipv4() == hi.is_ipv4() && lo <= hi).then_some((lo, hi));
    }
    let block = parse_block(text).or_else(|| {
        let (address, length) = text.trim().split_once('/')?;
        let missing = 3_usize.checked_sub(address.matches('.').count())?;
        let whole = format!("{address}{}/{length}", ".0".repeat(missing));
        (!address.contains(':')).then(|| parse_block(&whole))?
    })?;
    Some((block.lo(), block.hi()))
}

/// The prefixes that a range is made of, as one text; `None` when they are too many.
#[must_use]
pub fn prefixes(lo: IpAddr, hi: IpAddr) -> Option<String> {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let width: u32 = if lo.is_ipv4() { 32 } else { 128 };
    let (mut at, end) = (bits(lo), bits(hi));
    let mut blocks = Vec::new();
    while at <= end {
        // The largest block that begins here and does not reach past the end.
        let aligned = at.trailing_zeros().min(width);
        let size = (0..=aligned)
            .rev()
            .find(|size| last(at, *size).is_some_and(|last| last <= end))?;
        let address = if lo.is_ipv4() {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(at).ok()?))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(at))
        };
        let length = u8::try_from(width - size).ok()?;
        blocks.push(format!("{address}/{length}"));
        if blocks.len() > MOST_BLOCKS {
            return None;
        }
        let Some(next) = last(at, size)?.checked_add(1) else {
            break;
        };
        at = next;
    }
    Some(blocks.join(", "))
}

/// The last address of the block of so many bits that begins at `at`.
fn last(at: u128, size: u32) -> Option<u128> {
    let rest = if size == 128 {
        u128::MAX
    } else {
        (1_u128 << size) - 1
    };
    at.checked_add(rest)
}

/// How many addresses a range has, less one.
#[must_use]
pub fn size(lo: IpAddr, hi: IpAddr) -> u128 {
    match (lo, hi) {
        (IpAddr::V4(lo), IpAddr::V4(hi)) => u128::from(hi.to_bits().saturating_sub(lo.to_bits())),
        (IpAddr::V6(lo), IpAddr::V6(hi)) => hi.to_bits().saturating_sub(lo.to_bits()),
        _ => u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::net::Block;

    #[test]
    fn ranges_become_prefixes() {
        for (text, expected) in [
            ("8.8.8.0 - 8.8.8.255", Some("8.8.8.0/24")),
            ("8.0.0.0-8.127.255.255", Some("8.0.0.0/9")),
            ("193.0.0.0/21", Some("193.0.0.0/21")),
            ("200.3.12/22", Some("200.3.12.0/22")),
            ("200/8", Some("200.0.0.0/8")),
            ("1.2.3.4", Some("1.2.3.4/32")),
            (
                "10.0.0.1 - 10.0.0.4",
                Some("10.0.0.1/32, 10.0.0.2/31, 10.0.0.4/32"),
            ),
            ("0.0.0.0 - 255.255.255.255", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            (
                "2001:db8:: - 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:db8::/32"),
            ),
            ("2001:67c:2e8::/48", Some("2001:67c:2e8::/48")),
            ("8.8.8.255 - 8.8.8.0", None),
            ("8.8.8.0 - ::1", None),
            ("1.2.3.4.5/8", None),
            ("whatever", None),
            ("-", None),
            ("", None),
            // Too many to be shown.
            ("0.0.0.1 - 255.255.255.254", None),
        ] {
            let got = range(text).and_then(|(lo, hi)| prefixes(lo, hi));
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_lines_of_bounded_length() {
        assert_eq!(
            clean(" a\0b\x1b[31m\t\u{202e}c\r\n "),
            Some("ab[31m c".to_owned())
        );
        assert_eq!(clean("\u{200b}\x07 "), None);
        assert_eq!(
            clean(&"ä".repeat(5000)).map(|text| text.chars().count()),
            Some(LONGEST)
        );
    }

    #[test]
    fn mail_addresses_are_found() {
        for (text, expected) in [
            ("abuse@ripe.net", Some("abuse@ripe.net")),
            (
                "% Abuse contact for '193.0.0.0 - 193.0.7.255' is 'abuse@ripe.net'",
                Some("abuse@ripe.net"),
            ),
            ("mailto:a.b+c@x.example.", Some("a.b+c@x.example")),
            ("<script>alert(1)</script>@x", None),
            ("@x.example", None),
            ("a@@x.example", None),
            ("nobody at example", None),
        ] {
            assert_eq!(mail(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        for (text, expected) in [
            ("nl", Some("NL")),
            ("EU # Country is really world wide", Some("EU")),
            ("US", Some("US")),
            ("Netherlands", None),
            ("", None),
            ("4X", None),
        ] {
            assert_eq!(country(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn prefixes_of_a_block_are_the_block(bits: u128, length in 0u8..=128) {
            let block = Block::new(IpAddr::V6(Ipv6Addr::from_bits(bits)), length).unwrap();
            prop_assume!(block.lo().is_ipv6());
            prop_assert_eq!(prefixes(block.lo(), block.hi()), Some(format!("{}/{length}", block.lo())));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = range(&text).map(|(lo, hi)| prefixes(lo, hi));
            let _ = (clean(&text), mail(&text), country(&text));
        }
    }
}
