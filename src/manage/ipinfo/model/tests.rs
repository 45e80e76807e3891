use super::*;
use crate::outbound::registration::Registration;

#[test]
fn every_row_is_a_block() {
    for (text, _) in TABLE {
        assert!(parse_block(text).is_some(), "{text}");
    }
}

#[test]
#[rustfmt::skip]
fn addresses_have_their_scope() {
    let table: &[(Scope, &[&str])] = &[
        (Scope::Global, &[
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
            "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "198.17.255.255", "203.0.114.0",
            "223.255.255.255", "168.63.129.16", "2606:4700::1111", "2a00::1", "2001:200::1", "::ffff:1.1.1.1",
        ]),
        (Scope::Private, &["10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1", "fec0::1", "::ffff:10.0.0.1"]),
        (Scope::Loopback, &["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"]),
        (Scope::LinkLocal, &["169.254.169.254", "fe80::1", "fe80::1%eth0", "febf::1"]),
        (Scope::Shared, &["100.64.0.1", "100.127.255.255"]),
        (Scope::Documentation, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff:fff::1"]),
        (Scope::Multicast, &["224.0.0.1", "239.255.255.255", "ff02::1"]),
        (Scope::Reserved, &[
            "0.0.0.0", "0.1.2.3", "192.0.0.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "240.0.0.1",
            "255.255.255.255", "::", "::127.0.0.1", "64:ff9b::1.2.3.4", "100::1", "2001::1", "2001:20::1",
            "2002:7f00:1::", "5f00::1", "4000::1",
        ]),
    ];
    for (scope, addresses) in table {
        for text in *addresses {
            let address = subject(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(Scope::of(address), *scope, "{text}");
            assert_eq!(scope.silence().is_none(), *scope == Scope::Global);
        }
    }
}

#[test]
fn the_subject_is_one_address_in_one_spelling() {
    for (text, expected) in [
        ("8.8.8.8", Some("8.8.8.8")),
        (" 8.8.8.8 ", Some("8.8.8.8")),
        ("8.8.8.8/24", Some("8.8.8.0")),
        ("8.8.8.8/0", Some("0.0.0.0")),
        ("::FFFF:8.8.8.8", Some("8.8.8.8")),
        ("::ffff:808:808", Some("8.8.8.8")),
        ("2A00:0:0::1", Some("2a00::1")),
        ("2a00::1/32", Some("2a00::")),
        ("8.8.8.8/33", None),
        ("8.8.8", None),
        ("08.8.8.8", None),
        ("0x8.8.8.8", None),
        ("8.8.8.8\r\nn + 1.1.1.1", None),
        ("example.org", None),
        ("", None),
    ] {
        assert_eq!(
            subject(text).map(|ip| ip.to_string()).as_deref(),
            expected,
            "{text}"
        );
    }
    assert_eq!(subject(&format!("8.8.8.8{}", " ".repeat(64))), None);
}

#[test]
fn failures_are_kept_briefly() {
    let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
    let told = |known: bool, failures: usize| Told {
        registration: known.then(Registration::default),
        failures: vec![String::new(); failures],
        ..Told::default()
    };
    for (known, failures, keep, expected) in [
        (true, 0, hour, hour),
        (true, 1, hour, INCOMPLETE),
        (true, 1, minute, minute),
        (false, 0, hour, minute),
        (false, 2, hour, minute),
        (false, 2, minute / 2, minute / 2),
    ] {
        assert_eq!(
            good_for(&told(known, failures), keep, minute),
            expected,
            "{known} {failures} {keep:?}"
        );
    }
}
