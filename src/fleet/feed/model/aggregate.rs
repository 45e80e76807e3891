//! Fewer lines for the same addresses.

use super::{Entry, Net};

/// What stands for several scenarios.
const SEVERAL: &str = "several";

/// A run of addresses without a gap.
struct Run {
    v6: bool,
    lo: u128,
    hi: u128,
    /// What it is made of: end, age and reason of all of it.
    whole: Entry,
}

/// The fewest networks that hold exactly the same addresses: what overlaps or touches becomes one. It ends with the last
/// of its parts.
#[must_use]
pub fn aggregate(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|entry| entry.net);
    let mut runs: Vec<Run> = Vec::new();
    for entry in entries {
        let net = entry.net;
        match runs.last_mut() {
            Some(run) if run.v6 == net.v6 && (net.lo <= run.hi || net.lo - run.hi == 1) => {
                run.hi = run.hi.max(net.hi());
                run.whole.until = run.whole.until.max(entry.until);
                run.whole.since = run.whole.since.max(entry.since);
                if run.whole.scenario != entry.scenario {
                    SEVERAL.clone_into(&mut run.whole.scenario);
                }
            }
            _ => runs.push(Run {
                v6: net.v6,
                lo: net.lo,
                hi: net.hi(),
                whole: entry,
            }),
        }
    }
    let mut out = Vec::new();
    for run in runs {
        split(&run, &mut out);
    }
    out
}

/// The largest networks that fit, from the first address on.
fn split(run: &Run, out: &mut Vec<Entry>) {
    let width = Net::width(run.v6);
    let mut lo = run.lo;
    loop {
        // As wide as its first address allows, and as what is left does.
        let aligned = u8::try_from(lo.trailing_zeros()).unwrap_or(u8::MAX).min(width);
        let left = run.hi - lo;
        let fits = match left.checked_add(1) {
            Some(count) => u8::try_from(count.ilog2()).unwrap_or(0),
            None => 128,
        };
        let net = Net {
            v6: run.v6,
            lo,
            len: width - aligned.min(fits),
        };
        out.push(Entry {
            net,
            ..run.whole.clone()
        });
        if net.hi() >= run.hi {
            return;
        }
        lo = net.hi() + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fleet::feed::model::tests::{entry, net};

    fn shown(values: &[&str]) -> Vec<String> {
        let entries = values.iter().map(|value| entry(value, 0)).collect();
        let out = aggregate(entries);
        out.iter().map(|entry| entry.net.to_string()).collect()
    }

    #[test]
    fn what_touches_becomes_one() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["192.0.2.7"], &["192.0.2.7"]),
            (&["192.0.2.6", "192.0.2.7"], &["192.0.2.6/31"]),
            (&["192.0.2.7", "192.0.2.8"], &["192.0.2.7", "192.0.2.8"]),
            (
                &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
                &["192.0.2.1", "192.0.2.2/31"],
            ),
            (
                &["192.0.2.0/25", "192.0.2.128/25", "192.0.3.0/24"],
                &["192.0.2.0/23"],
            ),
            (&["10.0.0.0/8", "10.1.2.3", "10.9.0.0/16"], &["10.0.0.0/8"]),
            (&["0.0.0.0/1", "128.0.0.0/1"], &["0.0.0.0/0"]),
            (
                &["255.255.255.255", "255.255.255.254", "::"],
                &["255.255.255.254/31", "::"],
            ),
            (&["::/1", "8000::/1"], &["::/0"]),
            (&["2001:db8::/33", "2001:db8:8000::/33"], &["2001:db8::/32"]),
            (
                &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
                &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
            ),
            (&["0.0.0.1", "::2"], &["0.0.0.1", "::2"]),
        ] {
            assert_eq!(shown(values), expected, "{values:?}");
        }
    }

    #[test]
    fn it_ends_with_the_last_of_its_parts() {
        let out = aggregate(vec![entry("192.0.2.6", 3), entry("192.0.2.7", 8)]);
        assert_eq!(
            (out.len(), out[0].until, out[0].since),
            (1, entry("::", 8).until, entry("::", 8).since)
        );
        assert_eq!(out[0].scenario, SEVERAL);
    }

    /// Networks in the last 256 addresses of a family, where sums overflow.
    fn nets() -> impl Strategy<Value = Vec<(bool, u8, u8)>> {
        prop::collection::vec((any::<bool>(), any::<u8>(), 0u8..=8), 0..40)
    }

    fn at(v6: bool, byte: u8, bits: u8) -> Entry {
        let base = if v6 {
            u128::MAX - 255
        } else {
            u128::from(u32::MAX) - 255
        };
        let mask = u8::MAX.checked_shl(u32::from(bits)).unwrap_or(0);
        Entry {
            net: Net {
                v6,
                lo: base | u128::from(byte & mask),
                len: Net::width(v6) - bits,
            },
            ..entry("192.0.2.1", 0)
        }
    }

    fn holds(entries: &[Entry], v6: bool, byte: u8) -> bool {
        let address = at(v6, byte, 0).net.lo;
        entries
            .iter()
            .any(|entry| entry.net.v6 == v6 && entry.net.lo <= address && address <= entry.net.hi())
    }

    proptest! {
        #[test]
        fn the_same_addresses_in_the_fewest_networks(nets in nets()) {
            let before: Vec<Entry> = nets.iter().map(|(v6, byte, bits)| at(*v6, *byte, *bits)).collect();
            let after = aggregate(before.clone());
            for v6 in [false, true] {
                for byte in 0..=u8::MAX {
                    prop_assert_eq!(holds(&before, v6, byte), holds(&after, v6, byte));
                }
            }
            // Brute force: the fewest are those blocks that are full and whose parent is not.
            let mut fewest = 0;
            for v6 in [false, true] {
                let full = |byte: u8, bits: u8| (0..1u16 << bits).all(|n| holds(&before, v6, byte | u8::try_from(n).unwrap()));
                for bits in 0..=8u8 {
                    for n in 0..256u16 >> bits {
                        let byte = u8::try_from(n << bits).unwrap();
                        let parent = bits < 8 && full(u8::try_from((n << bits) & !(1 << bits)).unwrap(), bits + 1);
                        fewest += usize::from(full(byte, bits) && !parent);
                    }
                }
            }
            prop_assert_eq!(after.len(), fewest);
            prop_assert!(after.is_sorted_by(|a, b| (a.net.v6, a.net.hi()) < (b.net.v6, b.net.lo)));
        }
    }

    #[test]
    fn a_network_knows_its_end() {
        assert_eq!(net("10.0.0.0/8").hi(), net("10.255.255.255").lo);
        assert_eq!(net("::/0").hi(), u128::MAX);
    }
}
