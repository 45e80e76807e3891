//! What is refused when a rule is read: wrong shapes with their place, and bombs within their time.

use std::time::Duration;

use super::spent;

use super::*;

fn error(expression: &Value) -> String {
    match Expr::parse(expression) {
        Ok(_) => panic!("accepted: {expression}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn wrong_shapes_are_named_with_their_place() {
    let field = json!({"field": "a", "op": "empty"});
    let table = [
        (json!(null), "must be an object with \"op\""),
        (json!([]), "must be an object with \"op\""),
        (json!({}), "\"op\" is required"),
        (json!({"op": 1}), "op: must be a string"),
        (
            json!({"op": "matches", "field": "a"}),
            "op: unknown operator \"matches\"",
        ),
        (json!({"op": "EQ", "field": "a"}), "op: unknown operator \"EQ\""),
        (json!({"op": "eq", "value": 1}), "\"field\" is required"),
        (json!({"op": "eq", "field": ["a"]}), "field: must be a string"),
        (
            json!({"op": "eq", "field": "a", "value": 1, "flags": "i"}),
            "unknown key \"flags\"",
        ),
        (json!({"op": "and"}), "\"conditions\" is required"),
        (
            json!({"op": "and", "conditions": []}),
            "conditions: at least one condition is required",
        ),
        (
            json!({"op": "and", "conditions": {}}),
            "conditions: must be an array of conditions",
        ),
        (
            json!({"op": "and", "conditions": [field], "field": "a"}),
            "unknown key \"field\"",
        ),
        (
            json!({"op": "not", "conditions": [field]}),
            "unknown key \"conditions\"",
        ),
        (json!({"op": "not"}), "\"condition\" is required"),
        (json!({"op": "any", "condition": field}), "\"field\" is required"),
        (
            json!({"op": "all", "field": "a", "condition": field, "value": 1}),
            "unknown key \"value\"",
        ),
        (
            json!({"op": "and", "conditions": [field, {"op": "not", "condition": {"op": "nope"}}]}),
            "conditions[1].condition.op: unknown operator \"nope\"",
        ),
        (
            json!({"op": "or", "conditions": [field, field, {"field": "a", "op": "regex", "value": "(?=a)"}]}),
            "conditions[2].value: look-around is not supported: linear-time patterns only",
        ),
        (
            json!({"field": "a", "op": "regex", "value": ["ok", r"(a)\1"]}),
            "value[1]: back-references are not supported: linear-time patterns only",
        ),
        (
            json!({"field": "a", "op": "regex", "value": "a)"}),
            "value: invalid pattern at character 2: unmatched )",
        ),
        (
            json!({"field": "a", "op": "eq", "value": {"a": 1}}),
            "value: must be a string, number, boolean or null, or an array of strings, numbers and booleans",
        ),
        (
            json!({"field": "a", "op": "in", "value": [1, null]}),
            "value[1]: must be a string, number or boolean",
        ),
        (
            json!({"field": "a", "op": "in", "value": [[1]]}),
            "value[0]: must be a string, number or boolean",
        ),
        (
            json!({"field": "a".repeat(257), "op": "empty"}),
            "field: field path is too long",
        ),
        (
            json!({"field": ".".repeat(40), "op": "empty"}),
            "field: field path is too long",
        ),
    ];
    for (expression, expected) in table {
        assert_eq!(error(&expression), expected, "{expression}");
    }
}

#[test]
fn conditions_that_can_never_be_met_are_warned_about() {
    let expr = Expr::parse(&json!({"op": "or", "conditions": [
        {"field": "a", "op": "gt", "value": "5"},
        {"field": "a", "op": "in", "value": "x"},
        {"field": "a", "op": "cidr", "value": ["10.0.0.0/8", "10.0.0/8"]},
        {"field": "a", "op": "eq", "value": 1}
    ]}));
    assert_eq!(
        expr.unwrap().warnings(),
        [
            "conditions[0].value: no number, so the condition is never met",
            "conditions[1].value: no array, so the condition is never met",
            "conditions[2].value[1]: no address or prefix, so it never matches",
        ]
    );
}

fn nested(depth: usize) -> Value {
    (1..depth).fold(
        json!({"field": "a", "op": "empty"}),
        |inner, _| json!({"op": "not", "condition": inner}),
    )
}

fn wide(count: usize) -> Value {
    json!({"op": "and", "conditions": vec![json!({"field": "a", "op": "empty"}); count]})
}

fn patterns(op: &str, count: usize, pattern: &str) -> Value {
    json!({"field": "a", "op": op, "value": vec![pattern; count]})
}

#[test]
fn budgets_hold_to_the_number() {
    assert!(Expr::parse(&nested(16)).is_ok());
    assert!(error(&nested(17)).ends_with(": nested deeper than 16 conditions"));
    assert!(Expr::parse(&wide(255)).is_ok());
    assert_eq!(
        error(&wide(256)),
        "conditions[255]: more than 256 conditions in one expression"
    );
    assert!(Expr::parse(&patterns("in", 1000, "a")).is_ok());
    assert_eq!(
        error(&patterns("in", 1001, "a")),
        "value: more than 1000 values in one array"
    );
    assert!(Expr::parse(&patterns("regex", 64, "a")).is_ok());
    assert_eq!(
        error(&patterns("regex", 65, "a")),
        "value[64]: more than 64 patterns in one expression"
    );
    assert_eq!(
        error(&patterns("glob", 65, "a")),
        "value[64]: more than 64 patterns in one expression"
    );
    let both = json!({"op": "and", "conditions": [patterns("regex", 40, "a"), patterns("glob", 25, "a")]});
    assert_eq!(
        error(&both),
        "conditions[1].value[24]: more than 64 patterns in one expression"
    );
}

#[test]
fn bombs_are_refused_quickly() {
    let open = "(".repeat(500);
    let groups = format!("{}a{}", "(".repeat(200), ")".repeat(200));
    let counts = format!("{}a{}", "(".repeat(30), "{9})".repeat(30));
    let braces = "{a,b}".repeat(100);
    let nested_braces = format!("{}a{}", "{a,".repeat(120), "}".repeat(120));
    let open_braces = "{a,".repeat(166);
    let unexpanded = "{a}".repeat(160) + ",b}";
    let groups_of_globs = "@(*|a)".repeat(80);
    let optional = "?(*|a|b)".repeat(55);
    let open_groups = "+(a".repeat(160);
    let classes = "[[:alpha:]]".repeat(45);
    let spaces = r"\S{200}".repeat(60);
    let stars = "(a*)*".repeat(100);
    let wide_class = format!("[{}]{{100}}", "\u{101}\u{103}\u{105}".repeat(150));
    let bombs: Vec<(&str, Value)> = vec![
        ("repeat of repeat", patterns("regex", 1, r"(\w{100}){50}")),
        ("large repeat", patterns("regex", 1, ".{1,32000}")),
        ("nested repeats", patterns("regex", 1, &counts)),
        ("open groups", patterns("regex", 1, &open)),
        ("nested groups", patterns("regex", 1, &groups)),
        ("large classes", patterns("regex", 1, &spaces)),
        ("class with many ranges", patterns("regex", 1, &wide_class)),
        ("many middling patterns", patterns("regex", 64, r"(\S{9}){9}")),
        ("10 KB", patterns("regex", 1, &"a".repeat(10_000))),
        ("braces", patterns("glob", 1, &braces)),
        ("groups of globs", patterns("glob", 1, &groups_of_globs)),
        ("optional groups", patterns("glob", 1, &optional)),
        ("open glob groups", patterns("glob", 1, &open_groups)),
        ("large glob classes", patterns("glob", 1, &classes)),
        ("sequence", patterns("glob", 1, "{1..999999999}")),
        ("deep", nested(100)),
        ("wide", wide(100_000)),
        ("long array", patterns("in", 100_000, "a")),
    ];
    for (what, bomb) in bombs {
        let started = spent();
        assert!(Expr::parse(&bomb).is_err(), "{what}");
        within(20, started, what);
    }
    // These are harmless as they are; they only must not take long either.
    for (what, bomb) in [
        ("nested braces", patterns("glob", 1, &nested_braces)),
        ("open braces", patterns("glob", 20, &open_braces)),
        ("braces that do not expand", patterns("glob", 1, &unexpanded)),
        ("stars", patterns("regex", 8, &stars)),
    ] {
        let started = spent();
        let _ = Expr::parse(&bomb);
        within(60, started, what);
    }
}

/// Code that is not optimised is given twenty times as long. What counts is this thread's own time on a core.
fn within(milliseconds: u64, started: Duration, what: &str) {
    let spent = spent().saturating_sub(started);
    println!("{what}: {spent:?}");
    let limit = Duration::from_millis(milliseconds) * if cfg!(debug_assertions) { 20 } else { 1 };
    assert!(spent < limit, "{what}: {spent:?}");
}

#[test]
fn matching_is_linear_in_the_text() {
    let text = "a".repeat(200_000) + "!";
    for (op, pattern) in [
        ("regex", "(a+)+$"),
        ("regex", "(a|a)*b"),
        ("glob", "*a*a*a*b"),
        ("glob", "+(a|aa)b"),
    ] {
        let expr = Expr::parse(&json!({"field": "f", "op": op, "value": pattern})).unwrap();
        let signal = json!({"f": text});
        let started = spent();
        assert!(!expr.matches(&signal, &Geo::default()), "{pattern}");
        within(100, started, pattern);
    }
}
