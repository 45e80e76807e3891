//! What a feed holds, and how it is asked for.

mod aggregate;
mod ask;
mod definition;
mod format;

use std::net::IpAddr;

use jiff::Timestamp;

use aggregate::aggregate;
pub use ask::Ask;
pub use definition::{Draft, FEED_LIMIT, Feed, TOKEN_LIMIT};
pub use format::{Format, Script, write};

use crate::kernel::net::Block;

/// Addresses of one family that share a prefix. Not a [`Block`]: that would read parts of IPv6 as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Net {
    /// IPv6 comes after IPv4.
    pub v6: bool,
    /// First address.
    pub lo: u128,
    /// Length of the prefix.
    pub len: u8,
}

impl Net {
    /// From the first and the last address; none where they are of two families or share no prefix exactly.
    #[must_use]
    pub fn between(lo: IpAddr, hi: IpAddr) -> Option<Self> {
        let (v6, lo, hi) = match (lo, hi) {
            (IpAddr::V4(lo), IpAddr::V4(hi)) => (false, u128::from(lo.to_bits()), u128::from(hi.to_bits())),
            (IpAddr::V6(lo), IpAddr::V6(hi)) => (true, lo.to_bits(), hi.to_bits()),
            _ => return None,
        };
        let spread = lo ^ hi;
        let free = u8::try_from(128 - spread.leading_zeros()).ok()?;
        let whole = (spread & spread.wrapping_add(1)) == 0 && lo & spread == 0;
        whole.then_some(Self {
            v6,
            lo,
            len: Self::width(v6) - free,
        })
    }

    /// Bits of an address.
    #[must_use]
    pub const fn width(v6: bool) -> u8 {
        if v6 { 128 } else { 32 }
    }

    /// Last address.
    #[must_use]
    pub fn hi(self) -> u128 {
        let free = u32::from(Self::width(self.v6) - self.len);
        self.lo | u128::MAX.checked_shr(128 - free).unwrap_or(0)
    }

    /// Whether it is a single address.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.len == Self::width(self.v6)
    }

    /// The first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        if self.v6 {
            IpAddr::V6(self.lo.into())
        } else {
            IpAddr::V4(u32::try_from(self.lo).unwrap_or(0).into())
        }
    }
}

impl From<Block> for Net {
    fn from(block: Block) -> Self {
        let (v6, lo) = match block.lo() {
            IpAddr::V4(lo) => (false, u128::from(lo.to_bits())),
            IpAddr::V6(lo) => (true, lo.to_bits()),
        };
        let len = block.prefix_len();
        Self { v6, lo, len }
    }
}

/// An address alone, a range with its prefix.
impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.address())?;
        if self.is_host() {
            return Ok(());
        }
        write!(f, "/{}", self.len)
    }
}

/// One line of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which addresses.
    pub net: Net,
    /// The latest end that anybody gives it.
    pub until: Timestamp,
    /// When it was first said last: the newest are kept where there are too many.
    pub since: Timestamp,
    /// Why.
    pub scenario: String,
}

/// From what is said to what is listed: each value once, nothing that an allowlist touches, aggregated if wished, the
/// newest where there are too many, in the order of addresses or of time.
#[must_use]
pub fn prepare(mut entries: Vec<Entry>, allowed: &[Net], ask: &Ask) -> Vec<Entry> {
    let allowed = spans(allowed);
    entries.retain(|entry| !touches(&allowed, entry.net));
    entries.sort_by(|a, b| (a.net, b.until, &a.scenario).cmp(&(b.net, a.until, &b.scenario)));
    entries.dedup_by(|next, kept| {
        let same = next.net == kept.net;
        if same {
            kept.since = kept.since.max(next.since);
        }
        same
    });
    if ask.aggregate {
        entries = aggregate(entries);
    }
    if ask.most.is_some_and(|most| entries.len() > most) {
        entries.sort_by(|a, b| b.since.cmp(&a.since).then(a.net.cmp(&b.net)));
        entries.truncate(ask.most.unwrap_or(usize::MAX));
        entries.sort_by_key(|entry| entry.net);
    }
    if !ask.sorted {
        entries.sort_by(|a, b| a.since.cmp(&b.since).then(a.net.cmp(&b.net)));
    }
    entries
}

/// Networks as spans that do not meet, in order.
fn spans(nets: &[Net]) -> Vec<(bool, u128, u128)> {
    let mut nets = nets.to_vec();
    nets.sort_unstable();
    let mut out: Vec<(bool, u128, u128)> = Vec::new();
    for net in nets {
        match out.last_mut() {
            Some(last) if last.0 == net.v6 && net.lo <= last.2 => last.2 = last.2.max(net.hi()),
            _ => out.push((net.v6, net.lo, net.hi())),
        }
    }
    out
}

/// Whether a network and the spans have an address in common.
fn touches(spans: &[(bool, u128, u128)], net: Net) -> bool {
    // The first span that does not end before the network begins.
    let at = spans.partition_point(|(v6, _, hi)| (*v6, *hi) < (net.v6, net.lo));
    spans
        .get(at)
        .is_some_and(|(v6, lo, _)| *v6 == net.v6 && *lo <= net.hi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::net::parse_block;

    pub fn net(text: &str) -> Net {
        parse_block(text).unwrap().into()
    }

    pub fn entry(text: &str, second: i64) -> Entry {
        Entry {
            net: net(text),
            until: Timestamp::from_second(1_800_000_000 + second).unwrap(),
            since: Timestamp::from_second(1_700_000_000 + second).unwrap(),
            scenario: format!("crowdsecurity/s{second}"),
        }
    }

    fn shown(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(|entry| entry.net.to_string()).collect()
    }

    #[test]
    fn networks_are_read_from_their_bounds() {
        for (text, host) in [
            ("192.0.2.7", true),
            ("0.0.0.0/0", false),
            ("10.0.0.0/8", false),
            ("2001:db8::1", true),
            ("::/0", false),
            ("2001:db8::/33", false),
        ] {
            let block = parse_block(text).unwrap();
            let read = Net::between(block.lo(), block.hi()).unwrap();
            assert_eq!(read, Net::from(block), "{text}");
            assert_eq!((read.to_string(), read.is_host()), (text.to_owned(), host));
            assert_eq!(Net::between(read.address(), block.hi()), Some(read));
        }
        for (lo, hi) in [
            ("10.0.0.1", "10.0.0.2"),
            ("10.0.0.1", "2001::"),
            ("10.0.0.2", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.4"),
        ] {
            assert_eq!(
                Net::between(lo.parse().unwrap(), hi.parse().unwrap()),
                None,
                "{lo} {hi}"
            );
        }
    }

    #[test]
    fn each_value_once_nothing_allowed_the_newest_first() {
        let entries = || {
            vec![
                entry("2001:db8::1", 5),
                entry("192.0.2.7", 9),
                entry("192.0.2.7", 1),
                entry("192.0.2.0/24", 2),
                entry("198.51.100.0/24", 3),
                entry("203.0.113.9", 4),
            ]
        };
        let ask = |most, sorted| Ask {
            sorted,
            most,
            ..Ask::default()
        };
        let all = prepare(entries(), &[], &ask(None, true));
        assert_eq!(
            shown(&all),
            [
                "192.0.2.0/24",
                "192.0.2.7",
                "198.51.100.0/24",
                "203.0.113.9",
                "2001:db8::1"
            ]
        );
        assert_eq!(
            (all[1].scenario.as_str(), all[1].since),
            ("crowdsecurity/s9", entry("::", 9).since)
        );
        let two = prepare(entries(), &[], &ask(Some(2), true));
        assert_eq!(shown(&two), ["192.0.2.7", "2001:db8::1"]);
        let unsorted = prepare(entries(), &[], &ask(Some(3), false));
        assert_eq!(shown(&unsorted), ["203.0.113.9", "2001:db8::1", "192.0.2.7"]);
        for (allowed, gone) in [
            ("192.0.2.7", &["192.0.2.0/24", "192.0.2.7"][..]),
            ("192.0.2.8", &["192.0.2.0/24"]),
            ("198.51.100.128/25", &["198.51.100.0/24"]),
            ("203.0.0.0/8", &["203.0.113.9"]),
            ("::/0", &["2001:db8::1"]),
            ("203.0.113.8", &[]),
            ("203.0.113.10", &[]),
        ] {
            let left = shown(&prepare(
                entries(),
                &[net(allowed), net("9.9.9.9"), net("2a00::1")],
                &ask(None, true),
            ));
            let expected: Vec<String> = shown(&all)
                .into_iter()
                .filter(|v| !gone.contains(&v.as_str()))
                .collect();
            assert_eq!(left, expected, "{allowed}");
        }
    }
}
