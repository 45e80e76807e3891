//! Rule files and the shipped rules; contract 3.1 and 3.4, reliability U1 to U4.

use std::time::Duration;

use super::spent;

use super::*;

#[test]
fn a_rule_file_is_read() {
    let file = parse_rule_file(
        "# by the night shift\nname: no-decision\nenabled: false\ndescription: why\nfilter:\n  op: and\n  conditions:\n    - field: decisions\n      op: empty\n    - {field: source.cn, op: in, value: [NO, 'FR']}\n",
    )
    .unwrap();
    assert_eq!(
        (file.name.as_str(), file.enabled, file.description.as_deref()),
        ("no-decision", false, Some("why"))
    );
    // `NO` is Norway, not false.
    assert_eq!(file.filter["conditions"][1]["value"], json!(["NO", "FR"]));
    let short = parse_rule_file("name: x\nfilter: {field: a, op: eq, value: 1.5}").unwrap();
    assert_eq!((short.enabled, short.description), (true, None));
    assert_eq!(short.filter, json!({"field": "a", "op": "eq", "value": 1.5}));
    let shared = "name: x\nfilter:\n  op: or\n  conditions:\n    - &a {field: a, op: empty}\n    - {op: not, condition: *a}\n";
    assert!(parse_rule_file(shared).is_ok());
}

#[test]
fn what_is_no_rule_is_refused_with_its_reason() {
    let filter = "filter: {field: a, op: empty}";
    let table = [
        (String::new(), ""),
        (format!("name: x\n{filter}\nmode: block"), "mode"),
        (format!("name: x\nnmae: y\n{filter}"), "nmae"),
        ("name: x".to_owned(), "filter"),
        (filter.to_owned(), "name"),
        (
            format!("name: ' '\n{filter}"),
            "name: must have 1 to 200 characters",
        ),
        (
            format!("name: {}\n{filter}", "a".repeat(201)),
            "name: must have 1 to 200 characters",
        ),
        (
            format!("name: x\ndescription: {}\n{filter}", "a".repeat(2001)),
            "description: must have at most 2000",
        ),
        (
            "name: x\nfilter: {field: a, op: nope}".to_owned(),
            "filter: op: unknown operator \"nope\"",
        ),
        (
            "name: x\nfilter: {op: and, conditions: [{field: a, op: regex, value: '('}]}".to_owned(),
            "filter: conditions[0].value: invalid pattern",
        ),
        (format!("name: x\nname: y\n{filter}"), "name"),
        ("name: x\nfilter: {field: a, op: eq, op: ne}".to_owned(), "op"),
        (format!("name: x\n{filter}\n---\nname: y\n{filter}\n"), ""),
        (format!("name: !!str x\n{filter}"), "tags are not allowed"),
        (
            format!("name: !!python/object:os.system x\n{filter}"),
            "tags are not allowed",
        ),
        (
            "name: x\nfilter: !custom {field: a, op: empty}".to_owned(),
            "tags are not allowed",
        ),
        (
            "name: x\nfilter:\n  <<: {field: a}\n  op: empty".to_owned(),
            "merge",
        ),
        (format!("name: x\nenabled: yes\n{filter}"), "bool"),
        (format!("name: x\nenabled: 1\n{filter}"), "bool"),
        (format!("name: [x]\n{filter}"), ""),
        ("name: x\nfilter:\n\t- a".to_owned(), ""),
        ("- name".to_owned(), ""),
        ("name: x\nfilter: {field: a, op: gt, value: 1e400}".to_owned(), ""),
        ("name: x\nfilter: {field: a, op: gt, value: .nan}".to_owned(), ""),
        ("name: x\nfilter: &a {op: not, condition: *a}".to_owned(), ""),
    ];
    for (yaml, expected) in table {
        match parse_rule_file(&yaml) {
            Ok(file) => panic!("accepted: {yaml}\n{file:?}"),
            Err(error) => assert!(error.to_string().contains(expected), "{yaml}\n{error}"),
        }
    }
}

#[test]
fn yaml_bombs_are_refused_quickly() {
    let mut laughs = "name: x\nfilter:\n  a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (from, to) in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"]
        .iter()
        .map(|pair| pair.split_at(1))
    {
        let nine = vec![format!("*{from}"); 9].join(",");
        laughs.extend(["  ", to, ": &", to, " [", &nine, "]\n"]);
    }
    let table = [
        ("billion laughs", laughs),
        (
            "depth",
            format!("name: x\nfilter: {}{}", "[".repeat(20_000), "]".repeat(20_000)),
        ),
        (
            "many keys",
            (0..20_000).fold(String::new(), |text, i| text + &format!("k{i}: 1\n")),
        ),
        (
            "aliases",
            format!("name: &a x\nfilter: [{}]", "*a,".repeat(5_000)),
        ),
        ("large", format!("name: x\nfilter: {}", "a".repeat(300_000))),
        ("nodes", format!("name: x\nfilter: [{}]", "a,".repeat(100_000))),
    ];
    for (what, yaml) in table {
        let started = spent();
        let error = parse_rule_file(&yaml).expect_err(what);
        let spent = spent().saturating_sub(started);
        println!("{what}: {spent:?}: {error}");
        let limit = Duration::from_millis(50) * if cfg!(debug_assertions) { 20 } else { 1 };
        assert!(spent < limit, "{what}: {spent:?}");
    }
}

#[test]
fn shipped_rules_are_valid_and_do_what_they_say() {
    let rules = default_rules();
    let enabled: Vec<_> = rules
        .iter()
        .filter(|r| r.enabled)
        .map(|r| r.name.as_str())
        .collect();
    assert_eq!(enabled, ["no-decision", "simulated", "internal-ips"]);
    assert!(rules.iter().any(|r| !r.enabled));
    for rule in &rules {
        let expr = Expr::parse(&rule.filter).unwrap_or_else(|error| panic!("{}: {error}", rule.name));
        assert!(expr.warnings().is_empty(), "{}", rule.name);
    }
    let internal = Expr::parse(&rules[2].filter).unwrap();
    for (ip, expected) in [
        ("10.1.2.3", true),
        ("172.31.0.1", true),
        ("172.32.0.1", false),
        ("192.168.1.1", true),
        ("127.0.0.1", true),
        ("169.254.1.1", true),
        ("::1", true),
        ("fd00::1", true),
        ("fe80::1%eth0", true),
        ("::ffff:10.1.2.3", true),
        ("192.0.2.1", false),
        ("2001:db8::1", false),
        ("10.0.0.0/9", true),
        ("CN", false),
    ] {
        assert_eq!(
            internal.matches(&json!({"source": {"ip": ip}}), &Geo::default()),
            expected,
            "{ip}"
        );
    }
    let undecided = Expr::parse(&rules[0].filter).unwrap();
    for (signal, expected) in [
        (json!({}), true),
        (json!({"decisions": []}), true),
        (json!({"decisions": null}), true),
        (signal(), false),
    ] {
        assert_eq!(undecided.matches(&signal, &Geo::default()), expected);
    }
}
