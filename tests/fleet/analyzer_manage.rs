//! Analyzers by the API and the command line: what may be said of them, what is kept of them.
use super::analyzer::{first_run, run};
use super::analyzer_store::Store;
use crate::support::Scratch;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn analyzers_are_made_changed_and_deleted() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let empty = api.get("/api/analyzers").await.expect(200).json();
    assert_eq!(empty, json!({"enabled": true, "analyzers": []}));
    api.post("/api/analyzers", &store.rule("sso")).await.expect(201);
    api.post("/api/analyzers", &store.rule("sso")).await.expect(409);
    first_run(&api, "sso").await;
    let shown = api.get("/api/analyzers/sso").await.expect(200).json();
    assert_eq!(shown["analyzer"]["source"]["max_lines"], 5000);
    assert_eq!(shown["status"]["lastRun"]["status"], "success", "{shown}");
    assert!(!shown.to_string().contains("s3cret"), "{shown}");

    // What is shown can be sent back: the token stays, and is not stored in the clear.
    let mut rule = shown["analyzer"].clone();
    rule["enabled"] = json!(false);
    rule["name"] = json!("Changed");
    let changed = api.put("/api/analyzers/sso", &rule).await.expect(200).json();
    assert_eq!(changed["analyzer"]["name"], "Changed");
    assert_eq!(changed["status"]["nextRun"], Value::Null, "{changed}");
    run(&api, "sso").await;
    assert_eq!(store.last().authorization, "Bearer s3cret");
    let client = world.db.client().await;
    let sql = "SELECT rule::text || encode(token, 'escape') FROM analyzer";
    let stored: String = client.query_one(sql, &[]).await.expect("a row").get(0);
    assert!(!stored.contains("s3cret"), "{stored}");

    let listed = api.get("/api/analyzers").await.expect(200).json();
    assert_eq!(
        listed["analyzers"],
        json!([]),
        "those that are off are not listed"
    );
    let all = api.get("/api/analyzers?all=true").await.expect(200).json();
    assert_eq!(all["analyzers"][0]["enabled"], false);

    rule["id"] = json!("other");
    let refused = api.put("/api/analyzers/sso", &rule).await.expect(400).json();
    assert_eq!(refused["errors"][0]["field"], "id");
    for (path, limit) in [
        ("?limit=0", 400),
        ("?limit=101", 400),
        ("?limit=x", 400),
        ("?limit=100", 200),
    ] {
        api.get(&format!("/api/analyzers/sso/runs{path}"))
            .await
            .expect(limit);
    }
    api.delete("/api/analyzers/sso").await.expect(204);
    api.delete("/api/analyzers/sso").await.expect(404);
    let gone = api.get("/api/analyzers/sso").await.expect(404).json();
    assert_eq!(gone["error"], "Analyzer not found");
    let lanes = client
        .query_one("SELECT count(*) FROM lane WHERE topic = 5", &[])
        .await;
    assert_eq!(lanes.expect("a count").get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_rules_are_refused_and_every_field_named() {
    let world = World::with(1, &[("GARRISON_OUTBOUND_ALLOW_PRIVATE", "none")]).await;
    let (api, store) = (world.api(), Store::start().await);
    let mut rule = store.rule("sso");
    rule["source"]["type"] = json!("grafana");
    rule["detection"]["groupby"] = json!("nobody");
    rule["decision"]["duration"] = json!("forever");
    let refused = api.post("/api/analyzers", &rule).await.expect(400).json();
    let mut fields: Vec<&str> = refused["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|e| e["field"].as_str())
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "decision.duration",
            "detection.groupby",
            "source.datasource_uid",
            "source.url"
        ]
    );
    for url in [
        "http://169.254.169.254/",
        "http://localhost:3100/",
        "ftp://logs.example.org/",
        "http://10.0.0.1:5432/",
    ] {
        let mut rule = store.rule("sso");
        rule["source"]["url"] = json!(url);
        let refused = api.post("/api/analyzers", &rule).await.expect(400).json();
        assert_eq!(refused["errors"][0]["field"], "source.url", "{refused}");
    }
    for (key, value) in [
        ("typo", json!(1)),
        ("source", json!("x")),
        ("decision", json!({"duration": "1h"})),
    ] {
        let mut rule = store.rule("sso");
        rule[key] = value;
        api.post("/api/analyzers", &rule).await.expect(400);
    }
    assert_eq!(store.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_bounded() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let mut rule = store.rule("sso");
    rule["enabled"] = json!(false);
    api.post("/api/analyzers", &rule).await.expect(201);
    let client = world.db.client().await;
    let runs = "INSERT INTO analyzer_run (tenant_id, analyzer_id, by_hand, started_at, lines, skipped, detections, decisions, refused,
                  truncated, results, pushes)
                SELECT tenant_id, id, false, now() - n * interval '1 hour' - CASE WHEN n > 140 THEN interval '40 days' ELSE interval '0' END,
                  n, 0, 0, 0, 0, '{}', '[]', '[]' FROM analyzer, generate_series(150, 1, -1) AS n";
    client.execute(runs, &[]).await.expect("runs");
    run(&api, "sso").await;
    let kept: i64 = client
        .query_one("SELECT count(*) FROM analyzer_run", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(kept, 100);
    let shown = api
        .get("/api/analyzers/sso/runs?limit=100")
        .await
        .expect(200)
        .json();
    let shown = shown["runs"].as_array().expect("runs");
    assert_eq!(
        (shown.len(), &shown[0]["trigger"], &shown[1]["logsFetched"]),
        (100, &json!("manual"), &json!(1))
    );
    // Those that are too old go, too, and are not shown until then.
    let age = "UPDATE analyzer_run SET started_at = now() - interval '31 days' WHERE lines BETWEEN 10 AND 59";
    client.execute(age, &[]).await.expect("age");
    let shown = api
        .get("/api/analyzers/sso/runs?limit=100")
        .await
        .expect(200)
        .json();
    assert_eq!(shown["runs"].as_array().expect("runs").len(), 50);
    run(&api, "sso").await;
    let kept: i64 = client
        .query_one("SELECT count(*) FROM analyzer_run", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(
        kept, 50,
        "the oldest of a hundred and one, and those that were too old"
    );
}

const RULE: &str = "id: sso-bf
name: SSO brute force
version: 1.2.0
schedule: {interval: 15m, lookback: 1h}
source:
  ref: main
  query: '{app=\"sso\"} |= \"${WORD}\"'
  max_lines: 1000
extraction:
  format: json
  fields: {ip: client.ip, user: user}
detection: {groupby: ip, distinct: user, threshold: 3, operator: '>='}
decision: {type: ban, duration: 4h, scope: ip, scenario: custom/sso-bf, reason: failed logins}
targets: [all]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowdsieves_files_are_imported() {
    let mut world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let dir = Scratch::new("analyzers");
    let rules = dir.join("analyzers.d");
    std::fs::create_dir_all(&rules).expect("a directory");
    let file = |name: &str, text: &str| std::fs::write(rules.join(name), text).expect("a file");
    file("10-sso.yaml", RULE);
    file("_20-off.yaml", "not: [read");
    file("readme.md", "not read");
    let main = dir.join("config.yaml");
    let settings = |enabled: bool, whitelist: &str| {
        format!(
            "proxy: {{listen_port: 8080}}\nanalyzers:\n  enabled: {enabled}\n  default_interval: 3h\n  whitelist: [{whitelist}]\n  \
             sources:\n    main: {{type: loki, grafana_url: '{}grafana', token: '${{TOKEN}}', datasource_uid: P1}}\n",
            store.url
        )
    };
    std::fs::write(&main, settings(true, "198.51.100.7, 203.0.113.0/24")).expect("a file");
    world.cli.set("TOKEN", "fr0m-env").set("WORD", "failed");
    let (dir_arg, main_arg) = (rules.display().to_string(), main.display().to_string());
    let args = ["analyzer", "import", &dir_arg, "--sources", &main_arg];
    store.attempts("198.51.100.7", 3);
    store.attempts("198.51.100.8", 3);
    let done = world.cli.json(&args).await;
    assert_eq!(
        done,
        json!({"imported": 1, "new": 1, "analyzers": ["sso-bf"], "allowlisted": 2})
    );
    let first = first_run(&api, "sso-bf").await;
    assert_eq!(
        (&first["decisionsPushed"], &first["refused"]),
        (&json!(1), &json!(1)),
        "{first}"
    );
    let asked = store.last();
    assert_eq!(
        (asked.line.as_str(), asked.authorization.as_str()),
        ("POST /grafana/api/ds/query", "Bearer fr0m-env")
    );
    assert_eq!(asked.body["queries"][0]["expr"], "{app=\"sso\"} |= \"failed\"");
    let shown = api.get("/api/analyzers/sso-bf").await.expect(200).json();
    assert_eq!(shown["analyzer"]["source"]["ref"], "main", "{shown}");
    assert_eq!(
        shown["analyzer"]["schedule"],
        json!({"interval": "15m", "lookback": "1h"})
    );

    // Again: replaced, and nothing that was acted upon counts again.
    let done = world.cli.json(&args).await;
    assert_eq!((&done["imported"], &done["new"]), (&json!(1), &json!(0)));
    store.attempts("198.51.100.9", 3);
    let tried = world.cli.json(&["analyzer", "test", "sso-bf"]).await;
    let found: Vec<&Value> = tried["found"]
        .as_array()
        .expect("found")
        .iter()
        .map(|f| &f["groupValue"])
        .collect();
    assert!(
        found.contains(&&json!("198.51.100.7")) && !found.contains(&&json!("198.51.100.8")),
        "{tried}"
    );
    let listed = world.cli.run(&["analyzer", "list"]).await.expect_ok().stdout;
    assert!(listed.contains("sso-bf") && listed.contains("15m"), "{listed}");

    // What did not run does not begin to; what is wrong is said, and nothing of it stored.
    std::fs::write(&main, settings(false, "")).expect("a file");
    world.cli.run(&args).await.expect_ok();
    let all = api.get("/api/analyzers?all=true").await.expect(200).json();
    assert_eq!(all["analyzers"][0]["enabled"], false, "{all}");
    for (text, word) in [
        (RULE.replace("ref: main", "ref: other"), "other"),
        (RULE.replace("threshold: 3", "threshold: 3, typo: 1"), "typo"),
        (RULE.replace("${WORD}", "${NOT_SET}"), "NOT_SET"),
        (
            RULE.replace("groupby: ip", "groupby: nobody"),
            "detection.groupby",
        ),
        (RULE.to_owned(), "two files"),
        ("a: &a [*a]".to_owned(), ""),
    ] {
        file(
            "30-bad.yaml",
            &text.replace("name: SSO brute force", "name: Second"),
        );
        let refused = world.cli.run(&args).await.expect_refused().stderr;
        assert!(
            refused.contains(word) && !refused.contains("fr0m-env"),
            "{refused}"
        );
    }
    let all = api.get("/api/analyzers?all=true").await.expect(200).json();
    assert_eq!(all["analyzers"].as_array().expect("a list").len(), 1);
    world
        .cli
        .run(&["analyzer", "test", "nobody"])
        .await
        .expect_refused();
}
