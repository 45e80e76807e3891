//! Filter rules that would hurt: refused when saved, by name, at once.
use crate::support::Scratch;
use crate::support::machine::signal;
use crate::support::wait;
use crate::support::world::{World, rule, rule_list};
use serde_json::{Value, json};

fn field(op: &str, value: Value) -> Value {
    json!({"field": "message", "op": op, "value": value})
}

fn nested(depth: usize, kind: &str) -> Value {
    (0..depth).fold(field("eq", json!("x")), |inner, _| match kind {
        "not" => json!({"op": "not", "condition": inner}),
        op => json!({"op": op, "conditions": [inner]}),
    })
}

/// Name, filter, and words of which one must be in the refusal.
fn bombs() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let wide: Vec<Value> = (0..20_000).map(|n| field("eq", json!(n))).collect();
    let small = vec![json!({"field": "a", "op": "empty"}); 2_000];
    let values: Vec<Value> = (0..200_000).map(|n| json!(n)).collect();
    let patterns: Vec<Value> = (0..5_000).map(|n| json!(format!("a{n}.*b{n}"))).collect();
    vec![
        (
            "counted repetition",
            field("regex", json!("(a{1000}){1000}")),
            &["value", "regex", "pattern"],
        ),
        (
            "Unicode classes repeated",
            field("regex", json!(r"(\p{L}{100}){100}\w{1000}")),
            &["value", "regex", "pattern"],
        ),
        (
            "a pattern of 501 characters",
            field("regex", json!("a".repeat(501))),
            &["value", "regex", "pattern"],
        ),
        (
            "200 groups deep",
            field("regex", json!(format!("{}a{}", "(".repeat(240), ")".repeat(240)))),
            &["value", "regex", "pattern"],
        ),
        (
            "backreference",
            field("regex", json!(r"(a)\1")),
            &["value", "regex", "pattern"],
        ),
        (
            "lookahead",
            field("regex", json!("(?=a)b")),
            &["value", "regex", "pattern"],
        ),
        (
            "open group",
            field("regex", json!("(a")),
            &["value", "regex", "pattern"],
        ),
        (
            "5,000 patterns",
            field("regex", Value::Array(patterns)),
            &["value", "regex", "pattern"],
        ),
        (
            "glob alternatives",
            field("glob", json!("{a,b}".repeat(80))),
            &["value", "glob", "pattern"],
        ),
        (
            "a long glob",
            field("glob", json!("*a".repeat(5_000))),
            &["value", "glob", "pattern"],
        ),
        ("200,000 values", field("in", Value::Array(values)), &["value"]),
        ("an object as a value", field("eq", json!({"a": 1})), &["value"]),
        (
            "20,000 conditions",
            json!({"op": "or", "conditions": wide}),
            &["conditions", "filter"],
        ),
        (
            "no conditions",
            json!({"op": "and", "conditions": []}),
            &["conditions"],
        ),
        (
            "100 deep",
            nested(100, "and"),
            &["filter", "deep", "depth", "nest", "recursion"],
        ),
        (
            "20 deep",
            nested(20, "or"),
            &["filter", "deep", "depth", "nest", "recursion"],
        ),
        (
            "2,000 small conditions",
            json!({"op": "or", "conditions": small}),
            &["conditions", "filter"],
        ),
        (
            "not not not",
            nested(120, "not"),
            &["filter", "deep", "depth", "nest", "recursion"],
        ),
        ("unknown operator", field("explode", json!("x")), &["op"]),
        ("no field", json!({"op": "eq", "value": 1}), &["field"]),
        (
            "a field of 10,000 dots",
            json!({"field": "a.".repeat(10_000), "op": "eq", "value": 1}),
            &["field"],
        ),
        ("no filter", Value::Null, &["filter"]),
        ("a string", json!("true"), &["filter"]),
        ("a list", json!([field("eq", json!(1))]), &["filter"]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_bomb_is_refused_when_saved_and_named() {
    let world = World::start().await;
    let api = world.api();
    let before = rule_list(&api.get("/api/filters").await.expect(200).json());
    for (name, filter, words) in bombs() {
        let answer = api
            .post(
                "/api/filters",
                &json!({"name": name, "enabled": true, "filter": filter}),
            )
            .await;
        assert!(
            (400..500).contains(&answer.status),
            "{name}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(answer.took < wait::secs(1), "{name}: took {:?}", answer.took);
        answer.json();
        if answer.status == 413 {
            continue; // too large to be read at all
        }
        let said = answer.text().to_lowercase();
        assert!(
            words.iter().any(|w| said.contains(w)),
            "{name}: none of {words:?} in {said}"
        );
    }
    let raw = [
        (
            "50,000 deep",
            format!(
                r#"{{"name":"x","filter":{}"#,
                r#"{"op":"not","condition":"#.repeat(50_000)
            ),
        ),
        ("not JSON", "{".into()),
        (
            "duplicate key",
            r#"{"name":"a","name":"b","filter":{"field":"a","op":"empty"}}"#.into(),
        ),
        (
            "NUL in the name",
            r#"{"name":"a\u0000","filter":{"field":"a","op":"empty"}}"#.into(),
        ),
        (
            "lone surrogate",
            r#"{"name":"\ud800","filter":{"field":"a","op":"empty"}}"#.into(),
        ),
        ("no name", r#"{"filter":{"field":"a","op":"empty"}}"#.into()),
        (
            "empty name",
            r#"{"name":"","filter":{"field":"a","op":"empty"}}"#.into(),
        ),
        (
            "a name of 100 KB",
            format!(
                r#"{{"name":"{}","filter":{{"field":"a","op":"empty"}}}}"#,
                "n".repeat(100_000)
            ),
        ),
        (
            "enabled is text",
            r#"{"name":"x","enabled":"yes","filter":{"field":"a","op":"empty"}}"#.into(),
        ),
        ("an array", "[]".into()),
        ("null", "null".into()),
    ];
    for (name, body) in raw {
        let answer = api.post_bytes("/api/filters", &[], body.into_bytes()).await;
        assert!(
            (400..500).contains(&answer.status),
            "{name}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(answer.took < wait::secs(1), "{name}: took {:?}", answer.took);
        answer.json();
    }
    let after = rule_list(&api.get("/api/filters").await.expect(200).json());
    assert_eq!(before.len(), after.len(), "nothing of it was saved");
    let good = api
        .post(
            "/api/filters",
            &rule("good", "scenario", "starts_with", json!("x")),
        )
        .await;
    assert!(
        (200..300).contains(&good.status),
        "and a good one is saved: {}",
        good.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_that_kills_backtrackers_judges_in_no_time() {
    let world = World::start().await;
    let api = world.api();
    let evil = [r"^(a+)+$", r"^(a|aa)+$", r"(x+x+)+y", r"^([a-zA-Z]+)*$"];
    let rules: Vec<Value> = evil
        .iter()
        .map(|p| rule(p, "message", "regex", json!(p)))
        .collect();
    world.set_rules(&api, &rules).await;
    let machine = world.machine("default").await;
    let items: Vec<Value> = (0..50)
        .map(|n| {
            let mut item = signal("192.0.2.1");
            item["message"] = json!(format!("{}!{n}", "a".repeat(3_000)));
            item
        })
        .collect();
    let answer = machine.push_ok(world.server(), &items).await;
    assert!(answer.took < wait::secs(2), "judged in {:?}", answer.took);
    let stored = world.wait_alerts(&api, "", 50, 5).await;
    assert!(
        stored.iter().all(|a| a["filtered"] == false),
        "`!` ends no such pattern"
    );
}

/// Refused as a whole, or skipped with a warning: but named, at once, and never stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_import_survives_yaml_bombs_and_names_the_file() {
    let world = World::start().await;
    let good = "name: good\nfilter:\n  field: scenario\n  op: glob\n  value: 'crowdsecurity/*'\n";
    let mut laughs = String::from("a0: &a0 [lol, lol]\n");
    for n in 1..40 {
        laughs.push_str(&format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
    }
    laughs.push_str("name: bomb\nfilter: *a39\n");
    let deep = format!(
        "name: bomb\nfilter: {}{}\n",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let blocks: String = (0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let bombs = [
        ("laughs", laughs),
        ("deep", deep),
        ("blocks", blocks),
        (
            "regex",
            "name: bomb\nfilter:\n  field: message\n  op: regex\n  value: '(a{1000}){1000}'\n".into(),
        ),
        (
            "self",
            "name: &n bomb\nfilter: &f\n  op: not\n  condition: *f\n".into(),
        ),
        (
            "large",
            format!(
                "name: bomb\ndescription: {}\nfilter: {{field: a, op: empty}}\n",
                "x".repeat(20 << 20)
            ),
        ),
        (
            "latin",
            "name: bomb\nfilter: {field: a, op: empty}\n# \u{0}".into(),
        ),
        ("none", "name: bomb\n".into()),
        ("empty", String::new()),
    ];
    let listed = async || {
        world
            .cli
            .json(&["filter", "list", "--tenant", "default"])
            .await
            .to_string()
    };
    let before = listed().await;
    for (name, text) in bombs {
        let dir = Scratch::new("filters");
        std::fs::write(dir.join("10-good.yaml"), good).expect("rule file");
        std::fs::write(dir.join(&format!("20-{name}.yaml")), text).expect("rule file");
        let start = std::time::Instant::now();
        let path = dir.0.display().to_string();
        let out = world
            .cli
            .run(&["filter", "import", &path, "--tenant", "default"])
            .await;
        assert!(
            start.elapsed() < wait::secs(10),
            "{name}: took {:?}",
            start.elapsed()
        );
        assert!(
            out.code.is_some_and(|c| c != 101),
            "{name}: a crash: {}",
            out.stderr
        );
        let said = format!("{}{}", out.stdout, out.stderr);
        assert!(
            said.contains(&format!("20-{name}.yaml")),
            "{name} is not named: {said}"
        );
        assert!(said.len() < 20_000, "{name}: {} bytes of words", said.len());
        let after = listed().await;
        assert!(!after.contains("\"bomb\""), "{name} is stored: {after}");
        assert!(
            out.code == Some(0) || after == before,
            "{name}: refused, and yet something is stored"
        );
    }
    // what is no rule file by its name is not even looked at
    let dir = Scratch::new("filters");
    let other = "name: ignored\nfilter: {field: a, op: empty}\n";
    for (file, text) in [
        ("10-good.yaml", good),
        ("_20.yaml", other),
        (".30.yaml", other),
        ("40.txt", other),
        ("50.yaml~", other),
    ] {
        std::fs::write(dir.join(file), text).expect("rule file");
    }
    let path = dir.0.display().to_string();
    world
        .cli
        .run(&["filter", "import", &path, "--tenant", "default"])
        .await
        .expect_ok();
    let after = listed().await;
    assert!(
        after.contains("\"good\"") && !after.contains("\"ignored\""),
        "{after}"
    );
}
