//! Addresses in texts, and how they are made unreadable without moving anything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::kernel::net::{Block, parse_address};

/// How many rows went or lost the address, by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds some.
    pub fn add(&mut self, what: &str, n: u64) {
        if n > 0 {
            *self.0.entry(what.to_owned()).or_default() += n;
        }
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        for (what, n) in &other.0 {
            self.add(what, *n);
        }
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, n)| (what.as_str(), *n))
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Overwrites a part of a body with spaces, so that all other parts stay where they are.
pub fn blank(body: &mut [u8], offset: usize, length: usize) {
    let end = offset.saturating_add(length).min(body.len());
    if let Some(part) = body.get_mut(offset..end) {
        part.fill(b' ');
    }
}

/// Overwrites every address of the block with asterisks, however it is written; how many. Lengths stay as they are.
pub fn mask(bytes: &mut [u8], block: &Block) -> usize {
    let mut found = 0;
    let mut at = 0;
    while at < bytes.len() {
        let end = at + bytes[at..].iter().take_while(|b| is_part(**b)).count();
        if end == at {
            at += 1;
            continue;
        }
        found += mask_run(bytes, at, end, block);
        at = end;
    }
    found
}

/// The text without the block's addresses; none when there is none in it.
pub fn masked(text: &str, block: &Block) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let found = mask(&mut bytes, block);
    // ASCII was put in place of ASCII.
    (found > 0).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the text names an address of the block.
pub fn mentions(text: &str, block: &Block) -> bool {
    masked(text, block).is_some()
}

const fn is_part(b: u8) -> bool {
    b.is_ascii_hexdigit() || b == b'.' || b == b':'
}

/// Looks for addresses in a run of digits, dots and colons.
fn mask_run(bytes: &mut [u8], start: usize, end: usize, block: &Block) -> usize {
    // The whole, as an IPv6 address; the dot or a colon of the sentence may hang on either side.
    let mut colons = bytes[start..end].iter().filter(|b| **b == b':');
    if colons.nth(1).is_some() {
        let dots = |b: &&u8| **b == b'.';
        let first = start + bytes[start..end].iter().take_while(dots).count();
        let last = end - bytes[first..end].iter().rev().take_while(dots).count();
        let begins = usize::from(bytes.get(first) == Some(&b':'));
        let ends = usize::from(last > first && bytes[last - 1] == b':');
        for (from, to) in [
            (first, last),
            (first, last - ends),
            (first + begins, last),
            (first + begins, last - ends),
        ] {
            if from < to && hit(bytes, from, to, block) {
                bytes[from..to].fill(b'*');
                return 1;
            }
        }
    }
    // Its parts, as IPv4 addresses: `192.0.2.7:443`.
    let (mut found, mut at) = (0, start);
    while at < end {
        let stop = at
            + bytes[at..end]
                .iter()
                .take_while(|b| b.is_ascii_digit() || **b == b'.')
                .count();
        let from = at + bytes[at..stop].iter().take_while(|b| **b == b'.').count();
        let to = stop - bytes[from..stop].iter().rev().take_while(|b| **b == b'.').count();
        if from < to && hit(bytes, from, to, block) {
            bytes[from..to].fill(b'*');
            found += 1;
        }
        at = stop.max(at + 1);
    }
    found
}

/// Whether these bytes are an address of the block. Where a prefix length follows, a range is meant, unless it lies in the
/// block, or the address is not its first.
fn hit(bytes: &[u8], from: usize, to: usize, block: &Block) -> bool {
    let Some(address) = std::str::from_utf8(&bytes[from..to]).ok().and_then(parse_address) else {
        return false;
    };
    if !block.contains(address) {
        return false;
    }
    let mut rest = &bytes[to..];
    rest = rest.strip_prefix(b"\\").unwrap_or(rest);
    let Some(rest) = rest.strip_prefix(b"/") else {
        return true;
    };
    let digits: String = rest
        .iter()
        .take(3)
        .take_while(|b| b.is_ascii_digit())
        .map(|b| char::from(*b))
        .collect();
    let range = digits
        .parse()
        .ok()
        .and_then(|length: u8| Block::new(address, length));
    range.is_none_or(|range| block.contains_block(&range) || range.lo() != address)
}

/// Whether a value, an address or a range, lies in the block.
pub fn is_of(value: &str, block: &Block) -> bool {
    crate::kernel::net::parse_block(value).is_some_and(|other| block.contains_block(&other))
}

/// Whether all of these addresses lie in the block.
pub fn is_within(lo: Option<IpAddr>, hi: Option<IpAddr>, block: &Block) -> bool {
    lo.zip(hi)
        .is_some_and(|(lo, hi)| block.contains(lo) && block.contains(hi))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::net::parse_block;

    #[test]
    fn addresses_are_found_in_any_text_and_nothing_moves() {
        let (four, six, range) = ("192.0.2.7", "2001:db8::7", "192.0.2.0/24");
        for (block, text, expected) in [
            (four, "Ip 192.0.2.7 performed", "Ip ********* performed"),
            (
                four,
                "192.0.2.77 192.0.2.7.1 1192.0.2.7",
                "192.0.2.77 192.0.2.7.1 1192.0.2.7",
            ),
            (
                four,
                r#"{"ip":"192.0.2.7","x":"192.0.2.7:443"}"#,
                r#"{"ip":"*********","x":"*********:443"}"#,
            ),
            (
                four,
                "from 192.0.2.7. Then 192.0.2.7",
                "from *********. Then *********",
            ),
            (four, "::ffff:192.0.2.7", "****************"),
            (
                four,
                "192.0.2.7/32 192.0.2.7/24 192.0.2.0/24",
                "*********/32 *********/24 192.0.2.0/24",
            ),
            (four, r"http:\/\/192.0.2.7\/x", r"http:\/\/*********\/x"),
            (four, "https://192.0.2.7/", "https://*********/"),
            (four, "a192.0.2.7b", "a*********b"),
            (four, "é 192.0.2.7 é", "é ********* é"),
            (six, "2001:db8::7", "***********"),
            (
                six,
                "from 2001:0DB8:0:0:0:0:0:7: x",
                "from *********************: x",
            ),
            (
                six,
                "[2001:db8::7]:443 2001:db8::77",
                "[***********]:443 2001:db8::77",
            ),
            (six, "10:20:30 12:34 :: : ::: ...", "10:20:30 12:34 :: : ::: ..."),
            (
                six,
                "2001:db8::7. x 2001:db8::7: y :2001:db8::7",
                "***********. x ***********: y :***********",
            ),
            (
                range,
                "192.0.2.1 192.0.3.1 192.0.2.0/24",
                "********* 192.0.3.1 *********/24",
            ),
            ("192.0.2.0", "192.0.2.0/24 192.0.2.0", "192.0.2.0/24 *********"),
            (four, "", ""),
        ] {
            let block = parse_block(block).unwrap();
            let mut bytes = text.as_bytes().to_vec();
            let found = mask(&mut bytes, &block);
            let done = String::from_utf8(bytes).unwrap();
            assert_eq!(done, expected, "{text}");
            assert_eq!(found > 0, text != expected, "{text}");
            assert_eq!(mentions(text, &block), text != expected);
        }
    }

    #[test]
    fn a_part_is_blanked_and_no_more() {
        let mut body = b"[{\"a\":1},{\"b\":2}]".to_vec();
        blank(&mut body, 1, 7);
        assert_eq!(body, b"[       ,{\"b\":2}]");
        blank(&mut body, 15, 100);
        blank(&mut body, 200, 5);
        assert_eq!(body, b"[       ,{\"b\":2  ");
    }

    #[test]
    fn counts_add_up() {
        let mut counts = Counts::default();
        counts.add("alert", 2);
        counts.add("body", 0);
        let mut more = Counts::default();
        more.add("alert", 3);
        counts.extend(&more);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("alert", 5)]);
        assert_eq!(counts.total(), 5);
    }
}
