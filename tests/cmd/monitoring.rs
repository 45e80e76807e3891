//! What watches the service: alert rules, dashboards, the health check of a container.
use crate::contract::source::{files, root};
use crate::support::capi_rule::Rule;
use crate::support::garrison::Cli;
use crate::support::machine::{Machine, signal};
use crate::support::world::World;
use crate::support::{Scratch, free_port, wait};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What Prometheus itself puts on a series.
const FROM_PROMETHEUS: [&str; 3] = ["instance", "job", "le"];

type Series = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Prometheus text: the labels of every series, by name.
fn series(text: &str) -> Series {
    let line = Regex::new(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ").unwrap();
    let mut all = Series::new();
    for line in text.lines().filter_map(|l| line.captures(l)) {
        let labels = matchers(line.get(2).map_or("", |m| m.as_str()));
        let labels = labels.into_iter().map(|(name, _, value)| (name, value));
        all.entry(line[1].to_owned()).or_default().push(labels.collect());
    }
    all
}

/// `a="b",c=~"d"` as (name, operator, value).
fn matchers(text: &str) -> Vec<(String, String, String)> {
    let one = Regex::new(r#"(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)""#).unwrap();
    one.captures_iter(text)
        .map(|m| (m[1].to_owned(), m[2].to_owned(), m[3].to_owned()))
        .collect()
}

fn meets(labels: &BTreeMap<String, String>, (name, operator, value): &(String, String, String)) -> bool {
    let Some(have) = labels.get(name) else {
        return false;
    };
    let matches = || Regex::new(&format!("^(?:{value})$")).unwrap().is_match(have);
    match operator.as_str() {
        "=" => have == value,
        "!=" => have != value,
        "=~" => matches(),
        _ => !matches(),
    }
}

/// What of an expression is not in the scrape: metrics, labels, values.
fn missing(expression: &str, seen: &Series) -> Vec<String> {
    let selector = Regex::new(r"\b((?:garrison|process|up)_?[a-z_]*)(?:\{([^}]*)\})?").unwrap();
    let grouping = Regex::new(r"\b(?:by|without) \(([^)]*)\)").unwrap();
    let mut wrong = Vec::new();
    let mut labels = BTreeSet::new();
    let mut found = 0;
    for hit in selector.captures_iter(expression) {
        found += 1;
        let wanted = matchers(hit.get(2).map_or("", |m| m.as_str()));
        let rows = seen.get(&hit[1]).cloned().unwrap_or_default();
        if !rows.iter().any(|row| wanted.iter().all(|one| meets(row, one))) {
            wrong.push(format!("no series meets {} in {expression}", &hit[0]));
        }
        labels.extend(rows.into_iter().flat_map(BTreeMap::into_keys));
    }
    if found == 0 {
        wrong.push(format!("names no metric: {expression}"));
    }
    for by in grouping.captures_iter(expression) {
        for label in by[1].split(',').map(str::trim) {
            if !labels.contains(label) && !FROM_PROMETHEUS.contains(&label) {
                wrong.push(format!("no series has the label {label} in {expression}"));
            }
        }
    }
    wrong
}

/// The alert rules: name, expression, runbook. The file is ours and plain, so that lines tell.
fn rules() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(root().join("deploy/prometheus/rules.yaml")).expect("rules");
    let field = |rule: &str, name: &str| {
        let pattern = format!(r"(?m)^\s*{name}: (?:>-\n\s*)?(.*)$");
        let hit = Regex::new(&pattern).unwrap().captures(rule);
        hit.unwrap_or_else(|| panic!("no {name} in {rule}"))[1].to_owned()
    };
    text.split("- alert: ")
        .skip(1)
        .map(|rule| {
            let name = rule.lines().next().unwrap_or_default().to_owned();
            (name, field(rule, "expr"), field(rule, "runbook"))
        })
        .collect()
}

fn panels() -> Vec<String> {
    let mut found = Vec::new();
    for text in files("deploy/grafana", "json").into_values() {
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().expect("targets") {
                found.push(target["expr"].as_str().expect("expr").to_owned());
            }
        }
    }
    found
}

/// A service that did a little of everything.
async fn lived() -> World {
    // A standby that is none: what is told of one is there all the same.
    let none = "postgres://nobody@127.0.0.1:1/none";
    let settings = [
        ("GARRISON_CAPI_LOGIN_BUDGET", "20"),
        ("GARRISON_DATABASE_READ_URL", none),
    ];
    let world = World::with(1, &settings).await;
    let machine = world.machine("default").await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world.api().get("/api/alerts").await.expect(200);
    world.capi.rules(vec![Rule::status("", 500)]);
    let answer = Machine::stranger().try_login(world.server().address).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_expression_of_rules_and_dashboards_is_about_something_that_is_scraped() {
    let world = lived().await;
    let text = world.server().api(None).get("/metrics").await.expect(200).body;
    let seen = series(std::str::from_utf8(&text).expect("text"));
    let (rules, panels) = (rules(), panels());
    assert!(
        rules.len() > 15 && panels.len() > 30,
        "{} rules, {} panels",
        rules.len(),
        panels.len()
    );
    let expressions = rules.iter().map(|(_, e, _)| e).chain(&panels);
    let wrong: Vec<String> = expressions.flat_map(|e| missing(e, &seen)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // the list in README is whole
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README");
    let family = |name: &str| {
        let end = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|e| name.strip_suffix(e));
        end.unwrap_or(name).to_owned()
    };
    let short = |name: &str| readme.contains(&format!("`…{}", name.trim_start_matches("garrison_copies")));
    for name in seen
        .keys()
        .filter(|n| n.starts_with("garrison_"))
        .map(|n| family(n))
    {
        assert!(
            readme.contains(&format!("`{name}")) || short(&name),
            "README does not tell of {name}"
        );
    }
}

#[test]
fn the_check_of_expressions_sees_what_is_wrong() {
    let seen = series("garrison_a_total{outcome=\"x\"} 1\ngarrison_b 2\n");
    for (expression, complaints) in [
        (
            "sum by (outcome) (rate(garrison_a_total{outcome=\"x\"}[5m])) > garrison_b",
            0,
        ),
        ("garrison_a_total{outcome=~\"x|y\"}", 0),
        ("garrison_a_total{outcome=\"y\"}", 1),
        ("garrison_a_total{kind=\"x\"}", 1),
        ("garrison_c", 1),
        ("sum by (topic) (garrison_b)", 1),
        ("max by (instance) (garrison_b)", 0),
        ("1 + 1", 1),
    ] {
        assert_eq!(missing(expression, &seen).len(), complaints, "{expression}");
    }
}

#[test]
fn every_alert_has_its_runbook_and_the_chart_has_the_same_files() {
    let manual = std::fs::read_to_string(root().join("docs/operations.md")).expect("docs/operations.md");
    for (name, _, runbook) in rules() {
        assert_eq!(
            runbook,
            format!("docs/operations.md#{}", name.to_lowercase()),
            "{name}"
        );
        assert!(
            manual.contains(&format!("\n### {name}\n")),
            "docs/operations.md has no section {name}"
        );
    }
    for (here, there) in [
        ("deploy/prometheus/rules.yaml", "helm/garrison/files/rules.yaml"),
        (
            "deploy/grafana/overview.json",
            "helm/garrison/files/dashboards/overview.json",
        ),
        (
            "deploy/grafana/service.json",
            "helm/garrison/files/dashboards/service.json",
        ),
    ] {
        let read = |path: &str| std::fs::read(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(read(here) == read(there), "{here} differs from {there}");
    }
    assert_eq!(
        files("helm/garrison/files/dashboards", "json").len(),
        files("deploy/grafana", "json").len()
    );
    let chart = std::fs::read_to_string(root().join("helm/garrison/Chart.yaml")).expect("Chart.yaml");
    let version = format!("appVersion: \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(chart.contains(&version), "Chart.yaml: {version}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_check_tells_a_container_how_its_service_is() {
    let world = World::start().await;
    let mut cli = world.cli.clone();
    cli.set("GARRISON_LISTEN", world.server().address.to_string());
    let ready = cli.run(&["health"]).await.expect_ok();
    assert_eq!(ready.stdout.trim(), "ready");
    let name = &world.db.name;
    let client = crate::support::postgres::connect(&crate::support::postgres::server_url())
        .await
        .expect("connect");
    client
        .batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        .await
        .expect("close the database");
    world.db.terminate_backends().await;
    wait::until_true("not ready without Postgres", wait::secs(20), || async {
        cli.run(&["health"]).await.code == Some(1)
    })
    .await;
    let alive = cli.run(&["health", "--live"]).await.expect_ok();
    assert_eq!(alive.stdout.trim(), "ok");
    // nobody listens
    let dir = Scratch::new("health");
    let mut nobody = Cli::new("postgres://nobody@127.0.0.1:1/nothing", &dir.0);
    nobody.set("GARRISON_LISTEN", format!("127.0.0.1:{}", free_port()));
    nobody.run(&["health"]).await.expect_refused();
}
