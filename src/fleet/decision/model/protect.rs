use std::sync::LazyLock;

use crate::kernel::net::{Block, parse_block};

/// Shortest prefixes that may be named by hand.
const SHORTEST: (u8, u8) = (8, 19);

/// Networks that no attacker from elsewhere is in, and whose ban hits one's own.
const OWN: &[(&str, &str)] = &[
    ("0.0.0.0/8", "addresses that nobody has"),
    ("127.0.0.0/8", "loopback addresses"),
    ("10.0.0.0/8", "private addresses"),
    ("172.16.0.0/12", "private addresses"),
    ("192.168.0.0/16", "private addresses"),
    ("100.64.0.0/10", "addresses behind a provider's NAT"),
    ("169.254.0.0/16", "link-local addresses"),
    ("224.0.0.0/4", "multicast addresses"),
    ("240.0.0.0/4", "reserved addresses"),
    ("::/127", "loopback addresses"),
    ("fc00::/7", "private addresses"),
    ("fe80::/10", "link-local addresses"),
    ("ff00::/8", "multicast addresses"),
];

/// The shortest prefix of the family, where the block's is shorter: it names more than anybody means.
#[must_use]
pub fn too_wide(block: &Block) -> Option<u8> {
    let shortest = if block.lo().is_ipv4() {
        SHORTEST.0
    } else {
        SHORTEST.1
    };
    (block.prefix_len() < shortest).then_some(shortest)
}

/// Why this must not be banned by hand, if so. `ours` are the addresses that Garrison itself has.
#[must_use]
pub fn protected(block: &Block, ours: &[Block]) -> Option<String> {
    static BLOCKS: LazyLock<Vec<(Block, &str)>> = LazyLock::new(|| {
        let row = |(text, why): &(&str, &'static str)| parse_block(text).map(|block| (block, *why));
        OWN.iter().filter_map(row).collect()
    });
    if let Some(shortest) = too_wide(block) {
        return Some(format!("a range wider than /{shortest} must not be banned"));
    }
    let meets = |other: &Block| other.contains_block(block) || block.contains_block(other);
    if ours.iter().any(meets) {
        return Some("Garrison's own address must not be banned".to_owned());
    }
    let own = BLOCKS.iter().find(|(other, _)| meets(other));
    own.map(|(_, why)| format!("{why} must not be banned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_or_too_wide_is_protected() {
        let ours = [parse_block("198.51.100.9").unwrap()];
        for (text, word) in [
            ("0.0.0.0/0", Some("/8")),
            ("::/0", Some("/19")),
            ("9.0.0.0/7", Some("/8")),
            ("2a00::/18", Some("/19")),
            ("9.0.0.0/8", None),
            ("2a00::/19", None),
            ("0.0.0.0", Some("nobody")),
            ("127.0.0.1", Some("loopback")),
            ("::1", Some("loopback")),
            ("::", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("10.1.2.3", Some("private")),
            ("10.0.0.0/8", Some("private")),
            ("172.31.0.0/16", Some("private")),
            ("172.0.0.0/8", Some("private")),
            ("172.32.0.0/16", None),
            ("192.168.1.1", Some("private")),
            ("192.0.0.0/8", Some("private")),
            ("100.64.0.1", Some("NAT")),
            ("169.254.169.254", Some("link-local")),
            ("fd00::1", Some("private")),
            ("fe80::1", Some("link-local")),
            ("224.0.0.1", Some("multicast")),
            ("255.255.255.255", Some("reserved")),
            ("198.51.100.9", Some("own")),
            ("198.51.100.0/24", Some("own")),
            ("198.51.100.8", None),
            ("192.0.2.7", None),
            ("192.0.2.0/24", None),
            ("2001:db8::1", None),
        ] {
            let why = protected(&parse_block(text).unwrap(), &ours);
            let fits = match (&why, word) {
                (Some(why), Some(word)) => why.contains(word),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{text}: {why:?}");
        }
    }
}
