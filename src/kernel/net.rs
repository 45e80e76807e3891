//! Addresses and blocks: one strict reading for the whole service.
//!
//! What libraries disagree on is refused or settled here: octets with leading zeros, octal, hex and short forms are no
//! addresses; `::ffff:a.b.c.d` *is* the IPv4 address; host bits of a block are cleared; the families never mix.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use cidr::IpCidr;

/// Longest text looked at, in bytes: the longest address with a prefix is 49, the rest is room for a zone id.
const MAX_TEXT: usize = 64;

/// Bits of an IPv4-mapped IPv6 address (`::ffff:0:0/96`) before the IPv4 part begins.
const MAPPED_BITS: u8 = 96;

/// Reads one address, strictly.
///
/// Surrounding white space is trimmed, an IPv6 zone id (`fe80::1%eth0`) is ignored, an IPv4-mapped IPv6 address becomes
/// the IPv4 address. Anything else that is not the full dotted or RFC 4291 form is `None`, as is a text over 64 bytes.
#[must_use]
pub fn parse_address(text: &str) -> Option<IpAddr> {
    raw_address(bounded(text)?).map(fold)
}

/// Reads an address (a block of one) or an address with a prefix length: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`.
///
/// Host bits are cleared (`10.0.0.1/8` is `10.0.0.0/8`); a prefix length has no sign, space or leading zero. IPv4-mapped
/// blocks of 96 bits or more become the IPv4 block. `None` for everything else.
#[must_use]
pub fn parse_block(text: &str) -> Option<Block> {
    let text = bounded(text)?;
    match text.split_once('/') {
        None => raw_address(text).map(Block::host),
        Some((address, length)) => Block::new(raw_address(address)?, prefix_length(length)?),
    }
}

fn bounded(text: &str) -> Option<&str> {
    let text = text.trim();
    (text.len() <= MAX_TEXT).then_some(text)
}

/// The address as written: std's parsers already refuse leading zeros, hex and short forms.
fn raw_address(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let address = match text.split_once('%') {
        None => text,
        Some((_, zone)) if zone.is_empty() || !zone.chars().all(is_zone_char) => return None,
        Some((address, _)) => address,
    };
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn is_zone_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~')
}

fn prefix_length(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn fold(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// A block of addresses in canonical form: the network address and the prefix length in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block {
    lo: IpAddr,
    prefix_len: u8,
}

impl Block {
    /// The block of `prefix_len` bits round `address`, host bits cleared and IPv4-mapped forms folded; `None` if the
    /// prefix is longer than the address.
    #[must_use]
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        if let IpAddr::V6(v6) = address
            && let Some(v4) = v6.to_ipv4_mapped()
            && (MAPPED_BITS..=128).contains(&prefix_len)
        {
            return Self::new(IpAddr::V4(v4), prefix_len - MAPPED_BITS);
        }
        match address {
            IpAddr::V4(v4) if prefix_len <= 32 => {
                let lo = IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask4(prefix_len)));
                Some(Self { lo, prefix_len })
            }
            IpAddr::V6(v6) if prefix_len <= 128 => {
                let lo = IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask6(prefix_len)));
                Some(Self { lo, prefix_len })
            }
            _ => None,
        }
    }

    /// The block that holds this address alone.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        let lo = fold(address);
        let prefix_len = if lo.is_ipv4() { 32 } else { 128 };
        Self { lo, prefix_len }
    }

    /// First address: the network address.
    #[must_use]
    pub fn lo(&self) -> IpAddr {
        self.lo
    }

    /// Last address: the broadcast address of an IPv4 network.
    #[must_use]
    pub fn hi(&self) -> IpAddr {
        match self.lo {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | !mask4(self.prefix_len))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | !mask6(self.prefix_len))),
        }
    }

    /// Length of the prefix in bits: 0 to 32, or to 128 for IPv6.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// Whether the block is a single address.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.prefix_len == if self.lo.is_ipv4() { 32 } else { 128 }
    }

    /// Whether the address lies within. IPv4 and IPv6 never match each other; a mapped address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.lo, fold(address)) {
            (IpAddr::V4(lo), IpAddr::V4(a)) => a.to_bits() & mask4(self.prefix_len) == lo.to_bits(),
            (IpAddr::V6(lo), IpAddr::V6(a)) => a.to_bits() & mask6(self.prefix_len) == lo.to_bits(),
            _ => false,
        }
    }

    /// Whether the whole other block lies within this one (a block contains itself).
    #[must_use]
    pub fn contains_block(&self, other: &Self) -> bool {
        other.prefix_len >= self.prefix_len && self.contains(other.lo)
    }
}

/// Canonical text: always with the prefix length, IPv6 as RFC 5952 writes it.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.lo, self.prefix_len)
    }
}

/// The reading of [`parse_block`], as an error instead of `None`.
impl FromStr for Block {
    type Err = NotABlock;

    fn from_str(text: &str) -> Result<Self, NotABlock> {
        parse_block(text).ok_or(NotABlock)
    }
}

/// What the database driver takes for `cidr` columns.
impl From<Block> for IpCidr {
    fn from(block: Block) -> Self {
        // Host bits are cleared and the length fits by construction, so the fallback is never taken.
        IpCidr::new(block.lo, block.prefix_len).unwrap_or_else(|_| IpCidr::new_host(block.lo))
    }
}

/// The text is neither an address nor an address with a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or prefix")]
pub struct NotABlock;

fn mask4(prefix_len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0)
}

fn mask6(prefix_len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix_len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_strictly() {
        let table: &[(&str, Option<&str>)] = &[
            ("192.0.2.7", Some("192.0.2.7")),
            ("  192.0.2.7\n", Some("192.0.2.7")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("::", Some("::")),
            ("2001:DB8::0:1", Some("2001:db8::1")),
            ("::ffff:10.1.2.3", Some("10.1.2.3")),
            ("::ffff:a01:203", Some("10.1.2.3")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("1:2:3:4:5:6:1.2.3.4", Some("1:2:3:4:5:6:102:304")),
            ("010.0.0.1", None),
            ("0x7f.1", None),
            ("0x7f.0.0.1", None),
            ("1.2.3", None),
            ("2130706433", None),
            ("999.1.1.1", None),
            ("1.2.3.4/32", None),
            ("1.2.3.4%eth0", None),
            ("fe80::1%", None),
            ("fe80::1%e th", None),
            ("[::1]", None),
            ("1.2.3.4:80", None),
            ("localhost", None),
            ("", None),
            ("1:2:3:4:5:6:7:8:9", None),
            (
                "::1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                None,
            ),
        ];
        for (text, expected) in table {
            assert_eq!(
                parse_address(text).map(|a| a.to_string()).as_deref(),
                *expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn blocks_are_canonical() {
        let table: &[(&str, Option<&str>)] = &[
            ("10.0.0.1/8", Some("10.0.0.0/8")),
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("192.0.2.7", Some("192.0.2.7/32")),
            (" 192.0.2.7/32 ", Some("192.0.2.7/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("2001:db8::1/32", Some("2001:db8::/32")),
            ("::1", Some("::1/128")),
            ("::ffff:10.9.9.9/104", Some("10.0.0.0/8")),
            ("::ffff:0:0/96", Some("0.0.0.0/0")),
            ("::ffff:10.9.9.9", Some("10.9.9.9/32")),
            ("::ffff:0:0/95", Some("::fffe:0:0/95")),
            ("fe80::1%eth0/64", Some("fe80::/64")),
            ("1.2.3.4/33", None),
            ("::/129", None),
            ("1.2.3.4/", None),
            ("1.2.3.4/08", None),
            ("1.2.3.4/+8", None),
            ("1.2.3.4/ 8", None),
            ("1.2.3.4/8/8", None),
            ("1.2.3.4/255.0.0.0", None),
            ("10/8", None),
            ("/8", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                parse_block(text).map(|b| b.to_string()).as_deref(),
                *expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn containment() {
        let table: &[(&str, &str, bool)] = &[
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "1.2.3.4", false),
            ("::/0", "::ffff:1.2.3.4", false),
            ("::/0", "2001:db8::1", true),
            ("fc00::/7", "fdff::1", true),
            ("fc00::/7", "fe80::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("::/0", "0.0.0.0/0", false),
        ];
        for (outer, inner, expected) in table {
            let outer = parse_block(outer).unwrap();
            let inner = parse_block(inner).unwrap();
            assert_eq!(outer.contains_block(&inner), *expected, "{outer} {inner}");
            if inner.is_host() {
                assert_eq!(outer.contains(inner.lo()), *expected, "{outer} {inner}");
            }
        }
    }

    #[test]
    fn edges_and_driver_type() {
        let block = parse_block("10.1.0.0/15").unwrap();
        assert_eq!(
            (block.lo().to_string(), block.hi().to_string()),
            ("10.0.0.0".into(), "10.1.255.255".into())
        );
        assert_eq!(
            parse_block("::/0").unwrap().hi().to_string(),
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        );
        assert_eq!(IpCidr::from(block).to_string(), "10.0.0.0/15");
    }

    proptest! {
        #[test]
        fn any_block_reads_back(bits: u128, v4: bool, length in 0u8..=128) {
            #[allow(clippy::cast_possible_truncation)]
            let (address, length) = if v4 {
                (IpAddr::V4(Ipv4Addr::from_bits(bits as u32)), length % 33)
            } else {
                (IpAddr::V6(Ipv6Addr::from_bits(bits)), length)
            };
            let block = Block::new(address, length).unwrap();
            prop_assert_eq!(parse_block(&block.to_string()), Some(block));
            prop_assert!(block.contains(address) && block.contains(block.lo()) && block.contains(block.hi()));
            prop_assert!(block.lo() <= block.hi());
        }

        #[test]
        fn no_text_panics(text in ".{0,70}") {
            let _ = (parse_address(&text), parse_block(&text));
        }
    }
}
