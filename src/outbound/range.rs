//! What an address is to a request that a stranger asked for.

use std::net::IpAddr;
use std::sync::LazyLock;

use crate::kernel::net::{Block, parse_block};

/// How far an address may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By anyone.
    Public,
    /// Somebody's own network: where the operator of this installation says so.
    Private,
    /// By nobody: metadata services, addresses that stand for others, addresses that no server has.
    Never,
}

/// The first row that holds an address decides.
const TABLE: &[(&str, Kind)] = &[
    // Metadata services of clouds, some of them within ranges that an operator may allow.
    ("169.254.0.0/16", Kind::Never),
    ("100.100.100.200", Kind::Never),
    ("168.63.129.16", Kind::Never),
    ("fd00:ec2::/32", Kind::Never),
    ("fd20:ce::/32", Kind::Never),
    // Networks that an operator may allow.
    ("127.0.0.0/8", Kind::Private),
    ("10.0.0.0/8", Kind::Private),
    ("172.16.0.0/12", Kind::Private),
    ("192.168.0.0/16", Kind::Private),
    ("100.64.0.0/10", Kind::Private),
    ("::1", Kind::Private),
    ("fc00::/7", Kind::Private),
    // This network, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved, broadcast.
    ("0.0.0.0/8", Kind::Never),
    ("192.0.0.0/24", Kind::Never),
    ("192.0.2.0/24", Kind::Never),
    ("192.88.99.0/24", Kind::Never),
    ("198.18.0.0/15", Kind::Never),
    ("198.51.100.0/24", Kind::Never),
    ("203.0.113.0/24", Kind::Never),
    ("224.0.0.0/4", Kind::Never),
    ("240.0.0.0/4", Kind::Never),
    ("0.0.0.0/0", Kind::Public),
    // Within what is routed: protocol assignments with Teredo and ORCHID, documentation, 6to4.
    ("2001::/23", Kind::Never),
    ("2001:db8::/32", Kind::Never),
    ("2002::/16", Kind::Never),
    ("3fff::/20", Kind::Never),
    ("2000::/3", Kind::Public),
    // Everything else of IPv6: unspecified, IPv4-compatible, NAT64, discard, SRv6, link-local, site-local, multicast.
    ("::/0", Kind::Never),
];

/// What this address is.
#[must_use]
pub fn classify(address: IpAddr) -> Kind {
    static BLOCKS: LazyLock<Vec<(Block, Kind)>> = LazyLock::new(|| {
        let row = |(text, kind): &(&str, Kind)| parse_block(text).map(|block| (block, *kind));
        TABLE.iter().filter_map(row).collect()
    });
    let found = BLOCKS.iter().find(|(block, _)| block.contains(address));
    found.map_or(Kind::Never, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::net::parse_address;

    #[test]
    fn every_row_is_a_block() {
        for (text, _) in TABLE {
            assert!(parse_block(text).is_some(), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn addresses_have_their_kind() {
        let table: &[(Kind, &[&str])] = &[
            (
                Kind::Public,
                &[
                "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
                "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
                "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
                "198.20.0.0", "203.0.114.0", "223.255.255.255", "2606:4700::1111", "2a00::1",
                "2001:200::1", "2001:db9::1", "::ffff:1.1.1.1", "3ffe::1",
            ],
            ),
            (
                Kind::Private,
                &[
                "127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.1",
                "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "::1", "fc00::1",
                "fdff::1", "::ffff:10.0.0.1", "::ffff:7f00:1",
            ],
            ),
            (
                Kind::Never,
                &[
                "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16",
                "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "192.0.0.1", "192.0.0.192",
                "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
                "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::127.0.0.1",
                "::10.0.0.1", "64:ff9b::1.2.3.4", "64:ff9b:1::1", "100::1", "2001::1", "2001:10::1",
                "2001:20::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fe80::1", "fec0::1",
                "ff02::1", "4000::1", "::fffe:1.2.3.4",
            ],
            ),
        ];
        for (kind, addresses) in table {
            for text in *addresses {
                let address = parse_address(text).unwrap_or_else(|| panic!("{text}"));
                assert_eq!(classify(address), *kind, "{text}");
            }
        }
    }
}
