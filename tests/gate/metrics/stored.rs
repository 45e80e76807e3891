//! Stored once, passed on as they came.
use super::{PATH, blocked, dropped, listed, push, push_bytes, usage, window};
use crate::support::capi_rule::{Act, Rule};
use crate::support::fixtures::Recorded;
use crate::support::http::{Api, gzip, send};
use crate::support::machine::Machine;
use crate::support::world::World;
use serde_json::{Value, json};

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
