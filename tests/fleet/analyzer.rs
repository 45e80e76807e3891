//! Analyzers: what they find in logs is decided about, once, where it may be.
use super::analyzer_store::{Mood, Store, now_ns};
use crate::support::http::Api;
use crate::support::lapi::Lapi;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

/// Runs an analyzer and gives what it did.
pub async fn run(api: &Api, id: &str) -> Value {
    let path = format!("/api/analyzers/{id}/run");
    let start = std::time::Instant::now();
    loop {
        let answer = api.post(&path, &Value::Null).await;
        // The first run, which comes by itself, may be under way.
        if answer.status != 409 || start.elapsed() > wait::secs(30) {
            let done = answer.expect(200).json();
            assert_eq!(done["success"], done["result"]["status"] == "success", "{done}");
            return done["result"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Waits for the run that comes by itself.
pub async fn first_run(api: &Api, id: &str) -> Value {
    let path = format!("/api/analyzers/{id}/runs");
    wait::until("the first run", wait::secs(20), || async {
        let runs = api.get(&path).await.expect(200).json();
        runs["runs"].as_array().expect("runs").last().cloned()
    })
    .await
}

fn of<'a>(run: &'a Value, value: &str) -> &'a Value {
    let results = run["results"].as_array().expect("results");
    let found = results.iter().find(|r| r["groupValue"] == value);
    found.unwrap_or_else(|| panic!("{value} is not in {run}"))
}

async fn fleet(api: &Api, names: &[&str]) -> Vec<Lapi> {
    let mut all = Vec::new();
    for name in names {
        let lapi = Lapi::start().await;
        api.post("/api/lapi-servers", &lapi.member(name))
            .await
            .expect(201);
        all.push(lapi);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_is_banned_once_and_only_where_it_may_be() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let lapis = fleet(&api, &["paris"]).await;
    let paris = &lapis[0];
    api.post("/api/allowlists", &json!({"name": "office"}))
        .await
        .expect(201);
    let entry = json!({"entries": [{"value": "203.0.113.0/28", "reason": "ours"}]});
    api.post("/api/allowlists/office/entries", &entry)
        .await
        .expect(200);
    store.attempts("198.51.100.7", 4);
    store.attempts("::ffff:198.51.100.8", 3);
    store.attempts("198.51.100.9", 2);
    store.attempts("10.0.0.5", 5);
    store.attempts("203.0.113.5", 3);
    store.attempts("'; DROP TABLE decision; --", 3);
    store.log("no JSON at all");

    let made = api
        .post("/api/analyzers", &store.rule("sso"))
        .await
        .expect(201)
        .json();
    assert_eq!(made["analyzer"]["decision"]["scope"], "ip");
    assert!(!made.to_string().contains("s3cret"), "{made}");
    let first = first_run(&api, "sso").await;
    let asked = store.last();
    assert_eq!(asked.line, "GET /loki/api/v1/query_range");
    assert_eq!(asked.param("query"), "{app=\"sso\"} |= \"ok\"");
    assert_eq!(
        (asked.param("limit"), asked.authorization.as_str()),
        ("5000", "Bearer s3cret")
    );

    let counts = json!([
        first["status"],
        first["trigger"],
        first["logsFetched"],
        first["linesSkipped"],
        first["alertsGenerated"],
        first["decisionsPushed"],
        first["refused"],
        first["truncated"]
    ]);
    assert_eq!(
        counts,
        json!(["success", "schedule", 21, 1, 5, 2, 3, false]),
        "{first}"
    );
    let seven = of(&first, "198.51.100.7");
    assert_eq!(
        (&seven["distinctCount"], &seven["totalCount"]),
        (&json!(4), &json!(4))
    );
    let mut users: Vec<&str> = seven["distinctValues"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    users.sort_unstable();
    assert_eq!(users, ["user0", "user1", "user2", "user3"]);
    for (value, outcome, why) in [
        ("198.51.100.7", "decided", ""),
        ("198.51.100.8", "decided", ""),
        ("10.0.0.5", "refused", "private"),
        ("203.0.113.5", "refused", "allowlist office"),
        ("'; DROP TABLE decision; --", "refused", "not an address"),
    ] {
        let found = of(&first, value);
        assert_eq!(found["outcome"], outcome, "{found}");
        assert!(
            found["reason"].as_str().unwrap_or_default().contains(why),
            "{found}"
        );
    }
    let pushed = json!([{"server": "paris", "success": true, "decisionsPushed": 2}]);
    assert_eq!(first["pushResults"], pushed);
    let both = ["198.51.100.7", "198.51.100.8"];
    wait::until_true("they are on the server", wait::secs(30), || async {
        paris.copies() == both
    })
    .await;
    let shown = api.get("/api/decisions?ip=198.51.100.7").await.expect(200).text();
    assert!(shown.contains("custom/sso-bf"), "{shown}");
    let explained = api.get("/api/ips/198.51.100.7/explain").await.expect(200).text();
    assert!(explained.contains("analyzer sso"), "{explained}");
    let covered = api
        .get("/api/decisions/coverage?ip=198.51.100.7")
        .await
        .expect(200)
        .text();
    assert!(covered.contains("paris"), "{covered}");

    // A window that overlaps the one before bans nobody anew, not even who was lifted meanwhile.
    let lift = json!({"reason": "a mistake", "ip": "198.51.100.7"});
    api.post("/api/decisions/unban", &lift).await.expect(200);
    wait::until_true("it is lifted", wait::secs(30), || async {
        paris.copies() == ["198.51.100.8"]
    })
    .await;
    let again = run(&api, "sso").await;
    assert_eq!(
        (&again["decisionsPushed"], &again["logsFetched"]),
        (&json!(0), &json!(21)),
        "{again}"
    );
    assert_eq!(again["trigger"], "manual");
    assert_eq!(paris.copies(), ["198.51.100.8"]);
    // New lines count; those of before do not help them over the threshold.
    store.attempts("198.51.100.7", 2);
    assert_eq!(run(&api, "sso").await["decisionsPushed"], 0);
    store.attempts("198.51.100.7", 3);
    assert_eq!(run(&api, "sso").await["decisionsPushed"], 1);
    wait::until_true("it is back", wait::secs(30), || async { paris.copies() == both }).await;
    paris.assert_civil();

    let list = api.get("/api/analyzers").await.expect(200).json();
    let one = &list["analyzers"][0];
    assert_eq!(
        (&list["enabled"], &one["id"], &one["intervalMs"]),
        (&json!(true), &json!("sso"), &json!(3_600_000))
    );
    assert_eq!(one["lastRun"]["decisionsPushed"], 1, "{list}");
    assert!(
        one["nextRun"].as_str().is_some_and(|next| next.len() == 24),
        "{list}"
    );
    let runs = api
        .get("/api/analyzers/sso/runs?limit=2")
        .await
        .expect(200)
        .json();
    let pushed: Vec<&Value> = runs["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|r| &r["decisionsPushed"])
        .collect();
    assert_eq!(pushed, [&json!(1), &json!(0)], "newest first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_layouts_of_grafana_are_read() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    for (n, mood) in [Mood::Good, Mood::Older].into_iter().enumerate() {
        store.set(mood);
        let ip = format!("198.51.100.{n}");
        store.attempts(&ip, 3);
        let id = format!("g{n}");
        let mut rule = store.rule(&id);
        rule["source"]["type"] = json!("grafana");
        rule["source"]["url"] = json!(format!("{}grafana", store.url));
        rule["source"]["datasource_uid"] = json!("P8E80F9AEF21F6940");
        rule["source"]["org_id"] = json!("acme");
        api.post("/api/analyzers", &rule).await.expect(201);
        let first = first_run(&api, &id).await;
        assert_eq!(of(&first, &ip)["outcome"], "decided", "{first}");
        let asked = store.last();
        assert_eq!(
            (asked.authorization.as_str(), asked.org.as_str()),
            ("Bearer s3cret", "acme")
        );
        let query = &asked.body["queries"][0];
        assert_eq!(
            query["datasource"],
            json!({"type": "loki", "uid": "P8E80F9AEF21F6940"})
        );
        assert_eq!((&query["refId"], &query["maxLines"]), (&json!("A"), &json!(5000)));
        // To the nanosecond: what was acted upon does not count again.
        assert_eq!(run(&api, &id).await["alertsGenerated"], 0);
    }
    // Labels that the query's own parsers made are fields, too.
    store.set(Mood::Good);
    let mut rule = store.rule("labels");
    rule["extraction"] = json!({"format": "labels", "fields": {"ip": "app"}});
    rule["detection"] = json!({"groupby": "ip", "threshold": 2});
    api.post("/api/analyzers", &rule).await.expect(201);
    let first = first_run(&api, "labels").await;
    assert_eq!(of(&first, "sso")["reason"], "is not an address");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_go_where_the_rule_says() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let lapis = fleet(&api, &["paris", "lyon"]).await;
    for name in ["paris", "lyon"] {
        let mut body = lapis[usize::from(name == "lyon")].member(name);
        body["replicateDecisions"] = json!(false);
        api.put(&format!("/api/lapi-servers/{name}"), &body)
            .await
            .expect(200);
    }
    let mut rule = store.rule("one");
    rule["targets"] = json!(["lyon", "nowhere"]);
    rule["decision"]["type"] = json!("captcha");
    rule["decision"]["scope"] = json!("range");
    store.attempts("198.51.100.0/24", 3);
    store.attempts("8.0.0.0/6", 3);
    api.post("/api/analyzers", &rule).await.expect(201);
    let first = first_run(&api, "one").await;
    let expected = json!([
        {"server": "lyon", "success": true, "decisionsPushed": 1},
        {"server": "nowhere", "success": false, "decisionsPushed": 0, "error": "LAPI server not found"}]);
    assert_eq!(first["pushResults"], expected, "{first}");
    assert!(
        of(&first, "8.0.0.0/6")["reason"]
            .as_str()
            .expect("why")
            .contains("wider")
    );
    wait::until_true("it is on lyon", wait::secs(30), || async {
        lapis[1].copies() == ["198.51.100.0/24"]
    })
    .await;
    assert!(lapis[0].copies().is_empty());
    let kind = lapis[1].active("garrison")[0].kind.clone();
    assert_eq!(kind, "captcha");
    // Nobody to tell is a failure, and nothing is decided.
    rule["id"] = json!("none");
    rule["targets"] = json!(["nowhere"]);
    api.post("/api/analyzers", &rule).await.expect(201);
    let failed = first_run(&api, "none").await;
    assert_eq!(
        (&failed["status"], &failed["decisionsPushed"]),
        (&json!("error"), &json!(0))
    );
    assert_eq!(failed["errorMessage"], "none of the targets is a LAPI server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_cut_and_says_so_and_the_rest_comes_next() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let begin = now_ns() - 60_000_000_000;
    for n in 0..2600_i64 {
        let ip = format!("198.{}.{}.{}", 20 + n / 65_536, n / 256 % 256, n % 256);
        store.log_at(begin + n, &json!({"client": {"ip": ip}, "user": "x"}).to_string());
    }
    let mut rule = store.rule("flood");
    rule["enabled"] = json!(false);
    rule["detection"]["threshold"] = json!(1);
    rule["source"]["max_lines"] = json!(2500);
    api.post("/api/analyzers", &rule).await.expect(201);
    for (pushed, found) in [(1000, 2500), (1000, 1500), (500, 500), (0, 0)] {
        let run = run(&api, "flood").await;
        let counts = (
            &run["logsFetched"],
            &run["alertsGenerated"],
            &run["decisionsPushed"],
            &run["truncated"],
        );
        assert_eq!(
            counts,
            (&json!(2500), &json!(found), &json!(pushed), &json!(true)),
            "{}",
            run["truncation"]
        );
        let told = run["truncation"].to_string();
        assert!(told.contains("as many lines as may be (2500)"), "{told}");
        assert_eq!(told.contains("left to the next run"), found > 1000, "{told}");
        assert_eq!(run["results"].as_array().expect("results").len(), found.min(100));
    }
    let client = world.db.client().await;
    let sql = "SELECT count(*) FROM decision WHERE source = 4 AND origin = 'garrison-analyzer' AND actor = 'analyzer flood'";
    let rows: i64 = client.query_one(sql, &[]).await.expect("a count").get(0);
    assert_eq!(rows, 2500);
}
