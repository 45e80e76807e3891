use serde_json::json;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_network_is_told_as_whois_does() {
    let answer = json!({
        "rdapConformance": ["rdap_level_0", "cidr0"],
        "objectClassName": "ip network",
        "handle": "NET-8-8-8-0-2",
        "startAddress": "8.8.8.0", "endAddress": "8.8.8.255", "ipVersion": "v4",
        "name": "GOGL", "country": "us",
        "cidr0_cidrs": [{"v4prefix": "8.8.8.0", "length": 24}],
        "remarks": [
            {"title": "Registration Comments", "description": ["no"]},
            {"description": ["Public\u{7} DNS", "second line"]}
        ],
        "entities": [{
            "objectClassName": "entity", "handle": "GOGL", "roles": ["registrant"],
            "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Google LLC"], ["adr", {"label": "x"}, "text", ["", ""]]]],
            "entities": [{
                "roles": ["abuse"],
                "vcardArray": ["vcard", [["fn", {}, "text", "Abuse"], ["email", {}, "text", "network-abuse@google.com"]]]
            }]
        }]
    });
    let told = parse(answer.to_string().as_bytes(), ip("8.8.8.8")).unwrap();
    let field = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        Registration {
            net_name: field("GOGL"),
            net_range: field("8.8.8.0 - 8.8.8.255"),
            cidr: field("8.8.8.0/24"),
            organization: field("Google LLC"),
            country: field("US"),
            descr: field("Public DNS"),
            abuse: field("network-abuse@google.com"),
        }
    );
    assert_eq!(
        parse(answer.to_string().as_bytes(), ip("8.8.9.8")),
        None,
        "about another one"
    );
    assert_eq!(parse(answer.to_string().as_bytes(), ip("::8.8.8.8")), None);
}

#[test]
fn what_is_no_network_tells_nothing() {
    let six = json!({"objectClassName": "ip network", "startAddress": "2001:67c:2e8::", "endAddress": "2001:67c:2e8:ffff:ffff:ffff:ffff:ffff"});
    let told = parse(six.to_string().as_bytes(), ip("2001:67c:2e8::1")).unwrap();
    assert_eq!(told.cidr.as_deref(), Some("2001:67c:2e8::/48"));
    let lacnic = json!({"objectClassName": "ip network", "startAddress": "200.3.12.0/22", "endAddress": "200.3.15.255/22"});
    assert!(parse(lacnic.to_string().as_bytes(), ip("200.3.14.10")).is_some());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for text in [
        "",
        "[]",
        "null",
        "<html>",
        &deep,
        r#"{"objectClassName": "domain", "startAddress": "8.8.8.0", "endAddress": "8.8.8.255"}"#,
        r#"{"objectClassName": "ip network", "startAddress": "8.8.8.0", "endAddress": "::"}"#,
        r#"{"objectClassName": "ip network", "startAddress": "x", "endAddress": "8.8.8.255"}"#,
        r#"{"objectClassName": "ip network"}"#,
        r#"{"objectClassName": "ip network", "startAddress": "8.8.8.0", "endAddress": "8.8.8.255", "entities": 1}"#,
    ] {
        assert_eq!(
            parse(text.as_bytes(), ip("8.8.8.8")),
            None,
            "{}",
            &text[..text.len().min(100)]
        );
    }
    let odd = json!({"objectClassName": "ip network", "startAddress": "8.8.8.0", "endAddress": "8.8.8.255",
        "cidr0_cidrs": [{"v4prefix": "8.8.8.0", "length": 99}, {"length": 1}],
        "entities": [{"roles": ["registrant", "abuse"], "vcardArray": [1, [["fn"], ["email", {}, "text", ["x"]], "fn", {}]]}, {}]});
    let told = parse(odd.to_string().as_bytes(), ip("8.8.8.8")).unwrap();
    assert_eq!(
        (told.organization, told.abuse, told.cidr.as_deref()),
        (None, None, Some("8.8.8.0/24"))
    );
}

#[test]
fn the_list_names_the_server_of_the_longest_prefix() {
    let list = json!({"version": "1.0", "publication": "2026-01-01T00:00:00Z", "services": [
        [["193.0.0.0/8", "2.0.0.0/8"], ["http://rdap.ripe.example/", "https://rdap.ripe.example/"]],
        [["193.5.0.0/16"], ["https://rdap.other.example/registry/"]],
        [["9.0.0.0/8"], ["http://plain.example/"]],
        [["10.0.0.0/8", "nonsense"], ["https://no-slash.example", "nonsense"]]
    ]});
    let text = list.to_string();
    let sure = services(text.as_bytes(), "https").unwrap();
    for (address, expected) in [
        ("193.0.6.139", Some("https://rdap.ripe.example/")),
        ("193.5.6.139", Some("https://rdap.other.example/registry/")),
        ("9.9.9.9", None),
        ("10.0.0.1", None),
        ("1.1.1.1", None),
        ("2001::1", None),
    ] {
        assert_eq!(sure.of(ip(address)).map(Url::as_str), expected, "{address}");
    }
    let plain = services(text.as_bytes(), "http").unwrap();
    assert_eq!(
        plain.of(ip("9.9.9.9")).map(Url::as_str),
        Some("http://plain.example/")
    );
    assert!(services(b"{}", "https").is_none());
}
