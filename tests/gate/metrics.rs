//! Metrics of engines: stored once, passed on as they came, whatever they are.
use crate::support::capi_rule::{Act, Rule};
use crate::support::cluster::Cluster;
use crate::support::fixtures::{self, Recorded};
use crate::support::http::{Answer, Api, gzip, send, try_send};
use crate::support::machine::Machine;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::net::SocketAddr;

const PATH: &str = "/v3/usage-metrics";

/// The body in the layout of 1.7.8, as if its last window had just ended.
fn usage() -> Value {
    let mut body = fixtures::json("usage-metrics/lapi-1.7.8.json");
    let shift = jiff::Timestamp::now().as_second() - 1_795_334_400;
    fn moved(value: &mut Value, shift: i64) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|v| moved(v, shift)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_i64() {
                        Some(at) if at > 1_700_000_000 && name != "value" => *value = json!(at + shift),
                        _ => moved(value, shift),
                    }
                }
            }
            _ => {}
        }
    }
    moved(&mut body, shift);
    body
}

/// A body with one bouncer and one window that ended so many seconds ago.
fn dropped(name: &str, ago: i64, n: u64) -> Value {
    let at = jiff::Timestamp::now().as_second() - ago;
    json!({"remediation_components": [{"name": name, "type": "nginx", "version": "1", "metrics": [window(at, n)]}],
        "log_processors": []})
}

fn window(at: i64, n: u64) -> Value {
    json!({"items": [{"name": "dropped", "value": n, "unit": "request", "labels": {"origin": "CAPI"}}],
        "meta": {"utc_now_timestamp": at, "window_size_seconds": 1800}})
}

async fn push(machine: &Machine, at: SocketAddr, body: &Value) -> Answer {
    push_bytes(machine, at, body.to_string().into_bytes(), false).await
}

async fn push_bytes(machine: &Machine, at: SocketAddr, body: Vec<u8>, zipped: bool) -> Answer {
    let call = machine
        .call(at, "POST", PATH)
        .header("content-type", "application/json");
    let call = if zipped {
        call.header("content-encoding", "gzip")
    } else {
        call
    };
    send(call.body(body)).await
}

async fn listed(api: &Api) -> Vec<Value> {
    let list = api.get("/api/bouncer-metrics").await.expect(200).json();
    list.as_array().expect("a bare array").clone()
}

async fn blocked(api: &Api) -> i64 {
    let stats = api.get("/api/stats").await.expect(200).json();
    stats["blockedRequests"].as_i64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_metrics_are_stored_and_passed_on_as_they_came() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let body = usage();
    let wire = gzip(body.to_string().as_bytes());
    push_bytes(&machine, world.server().address, wire.clone(), true)
        .await
        .expect(200);
    let seen = world.capi.at(PATH).pop().expect("passed on");
    assert_eq!(seen.raw, wire, "byte for byte");
    assert_eq!(seen.header("content-encoding"), Some("gzip"));

    let api = world.api();
    let rows = listed(&api).await;
    let short = |row: &Value| {
        let number = |name: &str| row[name].as_i64();
        (
            row["bouncerName"].as_str().unwrap_or("?").to_owned(),
            row["componentKind"].as_str().unwrap_or("?").to_owned(),
            [
                number("activeDecisions"),
                number("processedItems"),
                number("droppedItems"),
                number("bytesProcessed"),
            ],
        )
    };
    let mut found: Vec<_> = rows.iter().map(short).collect();
    found.sort();
    let row = |name: &str, kind: &str, counts| (name.to_owned(), kind.to_owned(), counts);
    let expected = [
        row("fw-edge", "remediation", [None, None, Some(50), None]),
        row("fw-edge", "remediation", [Some(14010), None, Some(7), None]),
        row(
            "fw-edge",
            "remediation",
            [Some(14107), Some(6_000_000), Some(1543), Some(5_000_000_000)],
        ),
        row("lab-agent", "log_processor", [None; 4]),
        row("never-used", "remediation", [Some(0); 4]),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        blocked(&api).await,
        50 + 7 + 1543,
        "bytes and log processors do not count"
    );
    let first = rows
        .iter()
        .find(|r| r["processedItems"] == 6_000_000)
        .expect("the first window");
    assert_eq!(first["bouncerType"], "crowdsec-firewall-bouncer");
    assert_eq!(
        (&first["osName"], &first["osVersion"], &first["version"]),
        (
            &json!("debian"),
            &json!("12"),
            &json!("v0.0.34-debian-pragmatic-amd64")
        ),
        "of the one that pulled last"
    );
    let told = &body["remediation_components"][0]["metrics"][0];
    assert_eq!(
        first["collectedAt"].as_i64(),
        told["meta"]["utc_now_timestamp"].as_i64().map(|s| s * 1000)
    );
    let kept: Value = serde_json::from_str(first["metricsJson"].as_str().expect("text")).expect("JSON");
    assert_eq!(kept, told["items"]);
    let idle = rows
        .iter()
        .find(|r| r["bouncerName"] == "never-used")
        .expect("the idle one");
    assert_eq!(
        (&idle["metricsJson"], &idle["bouncerType"], &idle["osName"]),
        (&json!("[]"), &Value::Null, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_metrics_of_1_4_6_1_7_8_and_the_sdk_tell_who_is_there() {
    let world = World::start().await;
    let base = world.server().url();
    let mut expected = Vec::new();
    for (folder, names) in [
        ("v2-lapi-1.4.6", &["lab-agent", "lab-bouncer", "lab-watcher"][..]),
        ("v3-lapi-1.7.8", &["lab-agent", "lab-bouncer", "lab-watcher"]),
        (
            "v3-cscapi-0.7.0",
            &["lab8cf83add5464aaf86cc296274ae95d35f7270f850f7d1"],
        ),
    ] {
        let mut machine = Machine::stranger();
        machine.login(world.server()).await;
        for file in Recorded::folder(folder, "metrics-") {
            send(file.call(&base, Some(&machine.token))).await.expect(200);
            assert_eq!(
                world.capi.at("/metrics").pop().expect("passed on").body,
                file.body
            );
        }
        expected.extend(
            names
                .iter()
                .map(|name| (machine.login.clone(), (*name).to_owned())),
        );
    }
    expected.sort();
    let names = world
        .api()
        .get("/api/bouncer-metrics/names")
        .await
        .expect(200)
        .json();
    let text = |value: &Value, name: &str| value[name].as_str().expect("text").to_owned();
    let found: Vec<_> = names["bouncers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|b| (text(b, "lapiServerName"), text(b, "bouncerName")))
        .collect();
    assert_eq!(found, expected, "by server, then by name");
    assert!(listed(&world.api()).await.is_empty(), "they counted nothing");
    let sql = "SELECT count(*), max(active_at)::text FROM usage_component WHERE name = 'lab-bouncer'";
    let row = world
        .db
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("components");
    assert_eq!(row.get::<_, i64>(0), 2);
    assert!(
        row.get::<_, String>(1).starts_with("2026-11-21 "),
        "the time as Go writes it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_engine_repeats_is_counted_once() {
    let mut world = World::with(2, &[]).await;
    let machine = world.machine("default").await;
    let api = world.api();
    let (one, two) = (world.servers[0].address, world.servers[1].address);
    let now = jiff::Timestamp::now().as_second();
    let body = |windows: &[Value]| json!({"remediation_components": [{"name": "edge", "type": "nginx", "metrics": windows}], "log_processors": []});
    let (first, second) = (window(now - 3600, 100), window(now - 1800, 10));

    // CAPI is away, then refuses, then takes it and does not say so: the engine comes again each time.
    world.capi.close();
    push(&machine, one, &body(std::slice::from_ref(&first)))
        .await
        .expect(503);
    assert_eq!(blocked(&api).await, 100, "stored, though not acknowledged");
    world.capi.open();
    for (status, told) in [(500, 503), (429, 503), (400, 400), (422, 422)] {
        world.capi.rules(vec![Rule::status(PATH, status)]);
        push(&machine, two, &body(std::slice::from_ref(&first)))
            .await
            .expect(told);
    }
    world.capi.rules(vec![Rule::on(PATH, Act::AcceptThenReset)]);
    push(&machine, one, &body(&[first.clone(), second.clone()]))
        .await
        .expect(503);
    world.capi.rules(Vec::new());
    assert_eq!(blocked(&api).await, 110);
    // Both replicas, at once.
    let whole = body(&[first, second, window(now, 1)]);
    let mut pushes = tokio::task::JoinSet::new();
    for n in 0..10 {
        let (machine, whole) = (machine.clone(), whole.clone());
        let at = if n % 2 == 0 { one } else { two };
        pushes.spawn(async move { push(&machine, at, &whole).await.status });
    }
    while let Some(status) = pushes.join_next().await {
        assert_eq!(status.expect("an answer"), 200);
    }
    assert_eq!(blocked(&api).await, 111);
    assert_eq!(listed(&api).await.len(), 3);
    // Somebody else's are others.
    let other = world.machine("default").await;
    push(&other, one, &whole).await.expect(200);
    assert_eq!(blocked(&api).await, 222);
    let idle = json!({"remediation_components": [{"name": "idle", "metrics": []}]});
    for _ in 0..3 {
        push(&machine, one, &idle).await.expect(200);
    }
    let rows = listed(&api).await;
    assert_eq!(rows.iter().filter(|r| r["bouncerName"] == "idle").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bodies_pass_as_before_and_cost_only_themselves() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let (at, api) = (world.server().address, world.api());
    let component = |name: &str, items: Value| {
        let meta =
            json!({"utc_now_timestamp": jiff::Timestamp::now().as_second() - 60, "window_size_seconds": -5});
        json!({"remediation_components": [{"name": name, "type": {"a": []}, "metrics": [{"items": items, "meta": meta}]}]})
    };
    let item = |value: Value| json!({"name": "dropped", "unit": "request", "value": value});
    let mixed = json!([
        item(json!(5)), item(json!(-1)), item(json!("NaN")), item(json!("1e308")), item(json!("inf")), item(json!(null)),
        item(json!(1e15)), {"name": "dropped", "value": 1, "labels": {"a": {"b": [{"c": "d"}]}}},
        {"name": "dropped", "value": 1, "labels": {"a": "x".repeat(5000)}}, {"name": "a\u{0}b", "value": 1}, 7, null, "x", [[]]
    ]);
    let deep = format!(
        "{{\"remediation_components\":{}{},\"log_processors\":[{{\"name\":\"deep\",\"metrics\":{}{}}}]}}",
        "[".repeat(100_000),
        "]".repeat(100_000),
        "{\"items\":[".repeat(50_000),
        "]}".repeat(50_000)
    );
    let huge = format!(
        "{{\"remediation_components\":[{{\"name\":\"huge\",\"metrics\":[{{\"items\":[{}{{\"name\":\"dropped\",\"value\":1e308}}]}}]}}]}}",
        "{\"name\":\"dropped\",\"value\":1,\"unit\":\"request\"},".repeat(100_000)
    );
    let clock = json!({"remediation_components": [{"name": "clock", "metrics": [{"items": [item(json!(1))],
        "meta": {"utc_now_timestamp": 9_223_372_036_854_775_807_i64, "window_size_seconds": 1e300}}]}]});
    for (name, body) in [
        ("mixed", component("mixed", mixed).to_string()),
        ("deep", deep),
        ("huge", huge),
        ("clock", clock.to_string()),
        (
            "long name",
            component(&"x".repeat(300), json!([item(json!(5))])).to_string(),
        ),
        (
            "nul name",
            component("a\u{0}b", json!([item(json!(5))])).to_string(),
        ),
        (
            "surrogate",
            r#"{"remediation_components":[{"name":"\ud800","metrics":[]}]}"#.to_owned(),
        ),
        ("twice", r#"{"lapi":{},"lapi":{}}"#.to_owned()),
        (
            "wrong types",
            r#"{"remediation_components":{"a":1},"log_processors":"x","lapi":[]}"#.to_owned(),
        ),
        ("array", "[1,2,3]".to_owned()),
        ("text", "not JSON".to_owned()),
        ("empty", String::new()),
    ] {
        let before = world.capi.at(PATH).len();
        let answer = push_bytes(&machine, at, body.clone().into_bytes(), false).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let seen = world.capi.at(PATH);
        assert_eq!(seen.len(), before + 1, "{name} is passed on");
        assert!(seen[before].raw == body.as_bytes(), "{name}: byte for byte");
    }
    // Packed: a bomb, what is no gzip, and an encoding that nobody speaks here.
    let bomb = gzip(&vec![b' '; 80 << 20]);
    assert!(bomb.len() < 1 << 20);
    let latin = b"{\"lapi\":\"\xff\xfe\"}".to_vec();
    for (name, body, encoding) in [
        ("bomb", bomb, Some("gzip")),
        ("cut", gzip(b"{}")[..12].to_vec(), None),
        ("brotli", b"{}".to_vec(), Some("br")),
        ("no UTF-8", latin, None),
    ] {
        let mut call = machine
            .call(at, "POST", PATH)
            .header("content-type", "application/json");
        if let Some(encoding) = encoding {
            call = call.header("content-encoding", encoding);
        }
        let answer = send(call.body(body)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    let rows = listed(&api).await;
    let of = |name: &str| {
        let row = rows.iter().find(|r| r["bouncerName"] == name);
        row.unwrap_or_else(|| panic!("no {name}: {rows:?}"))
    };
    assert_eq!(of("mixed")["droppedItems"], 1_000_000_000_000_005_i64);
    assert_eq!(of("huge")["droppedItems"], 100_000);
    let kept = of("huge")["metricsJson"].as_str().expect("text");
    assert!(kept.len() < 300_000, "{} bytes", kept.len());
    let late = of("clock")["collectedAt"].as_i64().expect("a time");
    assert!((jiff::Timestamp::now().as_millisecond() - late).abs() < 120_000);
    assert_eq!(blocked(&api).await, 1_000_000_000_000_005 + 100_000 + 1);
    let metrics = Api::new(world.server().url(), None)
        .get("/metrics")
        .await
        .expect(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let skipped = metrics
        .lines()
        .find_map(|l| l.strip_prefix("garrison_usage_metrics_total{outcome=\"skipped\"} "));
    let skipped: f64 = skipped.expect("counted").parse().expect("a number");
    assert!(skipped >= 12.0, "{skipped}");
    assert!(metrics.contains("garrison_metrics_unreadable_total"));
    // Far too many for one are too many, as before.
    let answer = try_send(machine.call(at, "POST", PATH).body(vec![b' '; (32 << 20) + 1])).await;
    assert!(answer.is_err() || answer.is_ok_and(|a| a.status == 413));
    assert_eq!(blocked(&api).await, 1_000_000_000_000_005 + 100_000 + 1);
}

/// Not stored is not acknowledged, and CAPI has not heard of it either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_nothing_is_acknowledged() {
    let cluster = Cluster::start().await;
    let world = World::on(cluster.database().await, 1).await;
    let machine = world.machine("default").await;
    let at = world.server().address;
    push(&machine, at, &dropped("edge", 3600, 1)).await.expect(200);
    let body = dropped("edge", 60, 10);
    // Stored nowhere, though the machine is still known.
    let lock = world.db.client().await;
    lock.batch_execute("BEGIN; LOCK TABLE usage_metric IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("lock");
    let answer = push(&machine, at, &body).await.expect(503);
    assert!(answer.json()["message"].is_string() && answer.header("retry-after").is_some());
    let known = json!({"bouncers": [{"custom_name": "edge"}], "machines": []});
    send(machine.call(at, "POST", "/v3/metrics/").json(&known))
        .await
        .expect(200);
    lock.batch_execute("ROLLBACK").await.expect("unlock");
    assert_eq!(world.capi.at(PATH).len(), 1, "not passed on either");
    cluster.kill9().await;
    push(&machine, at, &body).await.expect(503);
    cluster.launch().await;
    wait::until_true("ready again", wait::secs(20), || async {
        world.api().get("/readyz").await.status == 200
    })
    .await;
    assert_eq!(blocked(&world.api()).await, 1);
    push(&machine, at, &body).await.expect(200);
    assert_eq!(blocked(&world.api()).await, 11);
    assert_eq!(world.capi.at(PATH).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_route_below_v1_is_the_same_and_needs_a_machine() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let at = world.server().address;
    let call = machine.call(at, "POST", "/v1/usage-metrics");
    send(call.json(&dropped("edge", 60, 3))).await.expect(200);
    assert_eq!(world.capi.at("/v3/usage-metrics").len(), 1, "CAPI knows no v1");
    assert_eq!(blocked(&world.api()).await, 3);
    let nobody = Api::new(world.server().url(), None);
    for path in ["/v1/usage-metrics", "/v3/usage-metrics"] {
        let answer = nobody.post(path, &dropped("edge", 60, 3)).await.expect(401);
        assert!(answer.json()["message"].is_string(), "{}", answer.text());
    }
    nobody.get("/v1/usage-metrics").await.expect(405);
    nobody.post("/v1/metrics", &json!({})).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_forwarding_off_they_stay_here() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let machine = world.machine("default").await;
    push(&machine, world.server().address, &dropped("edge", 60, 3))
        .await
        .expect(200);
    assert_eq!(blocked(&world.api()).await, 3);
    assert!(world.capi.at("/usage-metrics").is_empty());
}
