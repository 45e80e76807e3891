//! What registries really answer, in the form that each of them has.

use proptest::prelude::*;

use super::*;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/whois/",
            $name,
            ".txt"
        ))
        .as_slice()
    };
}

const RIPE: &str = "Reseaux IP Europeens Network Coordination Centre (RIPE NCC)";

/// netName, netRange, cidr, organization, country, descr, abuse; empty for what is absent.
type Fields = [&'static str; 7];

#[rustfmt::skip] // one registry a row
const TABLE: &[(&str, &[u8], Fields)] = &[
    ("6.1.1.1", sample!("iana-own"),
        ["", "6.0.0.0 - 6.255.255.255", "6.0.0.0/8", "Army Information Systems Center", "", "", ""]),
    ("193.0.6.139", sample!("ripe"),
        ["RIPE-NCC", "193.0.0.0 - 193.0.7.255", "193.0.0.0/21", RIPE, "NL", "RIPE Network Coordination Centre", "abuse@ripe.net"]),
    ("2001:67c:2e8::1", sample!("ripe6"),
        ["RIPE-NCC-IPv6", "2001:67c:2e8::/48", "2001:67c:2e8::/48", RIPE, "NL", "", "abuse@ripe.net"]),
    ("8.8.8.8", sample!("ripe-nobodys"), [""; 7]),
    // Of several records the smallest that the address is in.
    ("8.8.8.8", sample!("arin"),
        ["GOGL", "8.8.8.0 - 8.8.8.255", "8.8.8.0/24", "Google LLC", "US", "", "network-abuse@google.com"]),
    ("8.9.1.1", sample!("arin"),
        ["LVLT-ORG-8-8", "8.0.0.0 - 8.127.255.255", "8.0.0.0/9", "Level 3 Parent, LLC", "US", "", "abuse@level3.com"]),
    // About another address: nothing.
    ("9.9.9.9", sample!("arin"), [""; 7]),
    ("2001:4860:4860::8888", sample!("arin6"),
        ["GOOGLE-IPV6", "2001:4860:: - 2001:4860:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF", "2001:4860::/32", "Google LLC", "US", "", "network-abuse@google.com"]),
    ("206.71.50.230", sample!("arin-customer"),
        ["SMALL-SHOP-50-224", "206.71.50.224 - 206.71.50.239", "206.71.50.224/28", "The Small Shop", "US", "", "abuse@hoster.example"]),
    ("1.1.1.1", sample!("apnic"),
        ["APNIC-LABS", "1.1.1.0 - 1.1.1.255", "1.1.1.0/24", "APNIC Research and Development", "AU", "APNIC and Cloudflare DNS Resolver project", "helpdesk@apnic.net"]),
    ("200.3.14.10", sample!("lacnic"),
        ["", "200.3.12/22", "200.3.12.0/22", "LACNIC - Latin American and Caribbean IP Address Regional Registry España", "UY", "", "security@lacnic.net"]),
    ("196.216.2.6", sample!("afrinic"),
        ["AFRINIC", "196.216.2.0 - 196.216.3.255", "196.216.2.0/23", "African Network Information Center - ( AfriNIC ) Ltd", "MU", "AfriNIC - www.afrinic.net", "abuse@afrinic.net"]),
    // Keys in capitals, no network, what is not a country.
    ("192.0.2.1", b"NETNAME: X\r\nCountry: Nowhere\r\nCOUNTRY: de\r\nCIDR: 192.0.2.0/24\r\n",
        ["X", "", "192.0.2.0/24", "", "DE", "", ""]),
    // Nothing at all.
    ("192.0.2.1", b"% Query rate limit exceeded. Reduced information.\n", [""; 7]),
    ("192.0.2.1", b"No match found for n + 192.0.2.1.\n", [""; 7]),
    ("192.0.2.1", b"", [""; 7]),
];

#[test]
fn every_registry_is_understood() {
    for (ip, answer, expected) in TABLE {
        let told = parse(&decode(answer.to_vec()), ip.parse().unwrap());
        let got = [
            &told.net_name,
            &told.net_range,
            &told.cidr,
            &told.organization,
            &told.country,
            &told.descr,
            &told.abuse,
        ];
        assert_eq!(
            got.map(|field| field.as_deref().unwrap_or_default()),
            *expected,
            "{ip}"
        );
    }
}

#[test]
fn referrals_are_names_without_port_or_path() {
    for (text, expected) in [
        (
            String::from_utf8_lossy(sample!("iana")).into_owned(),
            vec!["whois.ripe.net", "whois.ripe.net"],
        ),
        (
            String::from_utf8_lossy(sample!("arin-transferred")).into_owned(),
            vec!["whois.ripe.net"],
        ),
        ("refer: Whois.ARIN.net.".to_owned(), vec!["whois.arin.net"]),
        (
            "ReferralServer: whois://whois.apnic.net:43/".to_owned(),
            vec!["whois.apnic.net"],
        ),
        // Left in, so that they are names of nobody's.
        (
            "ReferralServer: whois://whois.apnic.net:6379".to_owned(),
            vec!["whois.apnic.net:6379"],
        ),
        (
            "ReferralServer: rwhois://whois.apnic.net:4321/".to_owned(),
            vec!["rwhois://whois.apnic.net:4321"],
        ),
        (
            "refer: 127.0.0.1\nrefer: a\r\nremarks: refer: b".to_owned(),
            vec!["127.0.0.1", "a"],
        ),
        ("% refer: whois.ripe.net\n  refer: x\nrefer:\n".to_owned(), vec![]),
    ] {
        assert_eq!(referrals(&text).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn refusals_are_told_from_finding_nothing() {
    for (text, expected) in [
        (
            "%ERROR:201: access denied for 192.0.2.1\n%\n% Sorry, access from your host has been permanently\n",
            true,
        ),
        (
            "% This is the RIPE Database query service.\n\n%ERROR:205: too many connections\n",
            true,
        ),
        ("% Query rate limit exceeded. Reduced information.\n", true),
        ("#\n# Query rate limit exceeded.\n", true),
        (
            "%ERROR:101: no entries found\n%\n% No entries found in source RIPE.\n",
            false,
        ),
        ("No match found for n + 192.0.2.1.\n", false),
        ("descr: Rate limit exceeded\n", false),
        ("", false),
    ] {
        assert_eq!(is_refusal(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_utf8_is_latin1_and_what_was_cut_off_is_whole_lines() {
    assert_eq!(decode(b"owner: Espa\xf1a\n".to_vec()), "owner: España\n");
    assert_eq!(
        decode("owner: España\nowner: Espa\u{f1}".bytes().take(27).collect()),
        "owner: España\n"
    );
    let noise: Vec<u8> = (0..=255).chain(*b"\n").collect();
    assert_eq!(decode(noise).chars().count(), 257);
}

#[test]
fn fields_are_short_and_without_control_characters() {
    let text = format!("netname: \x1b[2J{}\nnetname: b\n", "\u{202e}x\0".repeat(40_000));
    let name = parse(&text, IpAddr::from([192, 0, 2, 1])).net_name.unwrap();
    assert_eq!(name.len(), 1000);
    assert!(name.starts_with("[2Jxxx") && !name.contains(char::is_control));
}

proptest! {
    #[test]
    fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), key in "(inetnum|netrange|abuse-c|nic-hdl|refer)") {
        let mut text = format!("{key}: ").into_bytes();
        text.extend(bytes);
        let text = decode(text);
        let _ = (parse(&text, IpAddr::from([192, 0, 2, 1])), referrals(&text).count());
    }
}
