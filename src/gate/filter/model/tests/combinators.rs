//! Groups, `any`/`all`, geo fields, reasons and verdicts.

use super::*;

fn cn(code: &str) -> Value {
    json!({"field": "source.cn", "op": "eq", "value": code})
}

#[test]
fn groups() {
    let (yes, no) = (cn("FR"), cn("DE"));
    let table = [
        (json!({"op": "and", "conditions": [yes]}), true),
        (json!({"op": "and", "conditions": [yes, yes]}), true),
        (json!({"op": "and", "conditions": [yes, no]}), false),
        (json!({"op": "or", "conditions": [no, yes]}), true),
        (json!({"op": "or", "conditions": [no, no]}), false),
        (json!({"op": "not", "condition": no}), true),
        (json!({"op": "not", "condition": yes}), false),
        (
            json!({"op": "not", "condition": {"op": "and", "conditions": [yes, {"op": "or", "conditions": [no]}]}}),
            true,
        ),
    ];
    for (expression, expected) in table {
        assert_eq!(verdict(&expression), expected, "{expression}");
    }
}

#[test]
fn any_and_all() {
    let origin = |value: &str| json!({"field": "origin", "op": "eq", "value": value});
    let scope = json!({"field": "scope", "op": "eq", "value": "Ip"});
    let itself = |value: Value| json!({"field": ".", "op": "eq", "value": value});
    let table = [
        (
            json!({"op": "any", "field": "decisions", "condition": origin("cscli")}),
            true,
        ),
        (
            json!({"op": "any", "field": "decisions", "condition": origin("lists")}),
            false,
        ),
        (
            json!({"op": "all", "field": "decisions", "condition": scope}),
            true,
        ),
        (
            json!({"op": "all", "field": "decisions", "condition": origin("cscli")}),
            false,
        ),
        (json!({"op": "any", "field": "none", "condition": scope}), false),
        (json!({"op": "all", "field": "none", "condition": scope}), true),
        (json!({"op": "any", "field": "absent", "condition": scope}), false),
        (json!({"op": "all", "field": "absent", "condition": scope}), false),
        (json!({"op": "any", "field": "source", "condition": scope}), false),
        (json!({"op": "all", "field": "source", "condition": scope}), false),
        (json!({"op": "all", "field": "uuid", "condition": scope}), false),
        (
            json!({"op": "any", "field": "tags", "condition": itself(json!("b"))}),
            true,
        ),
        (
            json!({"op": "any", "field": "tags", "condition": itself(json!(null))}),
            true,
        ),
        (
            json!({"op": "any", "field": "tags", "condition": itself(json!("c"))}),
            false,
        ),
        (
            json!({"op": "any", "field": "list_of_lists", "condition":
            {"op": "all", "field": ".", "condition": itself(json!(2))}}),
            true,
        ),
        (
            json!({"op": "any", "field": "decisions", "condition": {"op": "and", "conditions":
            [origin("cscli"), {"field": "type", "op": "eq", "value": "ban"}]}}),
            false,
        ),
        // The root within is the element: the signal is out of reach, the place is not.
        (
            json!({"op": "any", "field": "decisions", "condition": cn("FR")}),
            false,
        ),
        (
            json!({"op": "any", "field": "decisions", "condition":
            {"field": "geoCountryCode", "op": "eq", "value": "FR"}}),
            true,
        ),
    ];
    for (expression, expected) in table {
        assert_eq!(verdict(&expression), expected, "{expression}");
    }
}

#[test]
fn geo_fields_stand_in_for_absent_keys() {
    check(
        "eq",
        &[
            ("geoCountryCode", json!("FR"), true),
            ("geoCountryCode", json!("DE"), false),
            ("geoCity", json!("<omitted>"), true),
            ("geoCountryCode.length", json!("<omitted>"), true),
            ("geoUnknown", json!("<omitted>"), true),
        ],
    );
    check(
        "gt",
        &[
            ("geoLatitude", json!(48), true),
            ("geoLongitude", json!(-180), false),
        ],
    );
    let geo = Geo {
        country_code: Some("a".into()),
        country_name: Some("b".into()),
        city: Some("c".into()),
        region: Some("d".into()),
        latitude: Some(1.5),
        longitude: Some(-2.0),
        timezone: Some("e".into()),
        isp: Some("f".into()),
        org: Some("g".into()),
    };
    let table = [
        ("geoCountryCode", json!("a")),
        ("geoCountryName", json!("b")),
        ("geoCity", json!("c")),
        ("geoRegion", json!("d")),
        ("geoLatitude", json!(1.5)),
        ("geoLongitude", json!(-2)),
        ("geoTimezone", json!("e")),
        ("geoIsp", json!("f")),
        ("geoOrg", json!("g")),
    ];
    for (field, value) in table {
        let expr = Expr::parse(&json!({"field": field, "op": "eq", "value": value})).unwrap();
        assert!(expr.matches(&json!({}), &geo), "{field}");
        assert!(!expr.matches(&json!({}), &Geo::default()), "{field}");
        assert!(
            !expr.matches(&json!({field: "own"}), &geo),
            "the signal's own {field} comes first"
        );
    }
}

#[test]
fn reasons_are_sentences() {
    let table = [
        (cn("FR"), "source.cn is \"FR\""),
        (
            json!({"field": "decisions", "op": "not_empty"}),
            "decisions is not empty",
        ),
        (json!({"field": "absent", "op": "eq"}), "absent is missing"),
        (json!({"field": "six", "op": "gte", "value": 6}), "six >= 6"),
        (
            json!({"field": "six", "op": "in", "value": [1, 6, "x"]}),
            "six is one of [1, 6, \"x\"]",
        ),
        (
            json!({"field": "scenario", "op": "glob", "value": ["x", "*/ssh-*"]}),
            "scenario matches glob \"*/ssh-*\"",
        ),
        (
            json!({"field": "source.ip", "op": "cidr", "value": ["10.0.0.0/8", "192.0.2.0/24"]}),
            "source.ip is within \"192.0.2.0/24\"",
        ),
        (
            json!({"op": "and", "conditions": [cn("FR"), {"field": "yes", "op": "eq", "value": true}]}),
            "source.cn is \"FR\" AND yes is true",
        ),
        (
            json!({"op": "or", "conditions": [cn("DE"), cn("FR"), {"field": "yes", "op": "eq", "value": true}]}),
            "source.cn is \"FR\"",
        ),
        (
            json!({"op": "not", "condition": cn("DE")}),
            "NOT(source.cn is \"DE\")",
        ),
        (
            json!({"op": "not", "condition": {"op": "or", "conditions": [cn("DE"), cn("IT")]}}),
            "NOT((source.cn is \"DE\" OR source.cn is \"IT\"))",
        ),
        (
            json!({"op": "any", "field": "decisions", "condition": {"field": "origin", "op": "eq", "value": "cscli"}}),
            "decisions[1]: origin is \"cscli\"",
        ),
        (
            json!({"op": "all", "field": "decisions", "condition": {"field": "scope", "op": "eq", "value": "Ip"}}),
            "every decisions: scope is \"Ip\"",
        ),
        (cn("DE"), ""),
    ];
    for (expression, expected) in table {
        let expr = Expr::parse(&expression).unwrap();
        assert_eq!(expr.reason(&signal(), &Geo::default()), expected, "{expression}");
    }
    let long = json!({"field": "source.cn", "op": "ne", "value": "é".repeat(3000)});
    assert_eq!(
        Expr::parse(&long)
            .unwrap()
            .reason(&signal(), &Geo::default())
            .chars()
            .count(),
        500
    );
}

#[test]
fn verdicts_by_mode() {
    let rule = |id, expression: &Value| Rule {
        id,
        name: format!("r{id}"),
        expr: Expr::parse(expression).unwrap(),
    };
    let (yes, no) = (cn("FR"), cn("DE"));
    let table = [
        (Mode::Block, vec![], false, vec![]),
        (Mode::Allow, vec![], true, vec![]),
        (Mode::Block, vec![rule(1, &no)], false, vec![]),
        (Mode::Allow, vec![rule(1, &no)], true, vec![]),
        (
            Mode::Block,
            vec![rule(1, &yes), rule(2, &no), rule(3, &yes)],
            true,
            vec![1, 3],
        ),
        (
            Mode::Allow,
            vec![rule(1, &yes), rule(2, &no), rule(3, &yes)],
            false,
            vec![1, 3],
        ),
    ];
    for (mode, rules, filtered, ids) in table {
        let verdict = judge(&signal(), &Geo::default(), &Ruleset::new(mode, 1, rules));
        assert_eq!((verdict.filtered, &verdict.rule_ids), (filtered, &ids), "{mode}");
        assert_eq!(verdict.reasons.len(), ids.len());
    }
    for mode in [Mode::Block, Mode::Allow] {
        assert_eq!(mode.as_str().parse(), Ok(mode));
        assert_eq!(serde_json::to_value(mode).unwrap(), json!(mode.as_str()));
    }
    assert_eq!("Block".parse::<Mode>(), Err(UnknownMode));
}

#[test]
fn odd_signals_are_judged_without_panic() {
    let rules: Vec<Rule> = default_rules()
        .into_iter()
        .zip(1..)
        .map(|(file, i)| Rule {
            id: i,
            name: file.name,
            expr: Expr::parse(&file.filter).unwrap(),
        })
        .collect();
    let rules = Ruleset::new(Mode::Block, 1, rules);
    for signal in [
        json!(null),
        json!([]),
        json!("x"),
        json!(1),
        json!({}),
        json!({"source": null, "decisions": 7}),
    ] {
        let _ = judge(&signal, &Geo::default(), &rules);
    }
}
