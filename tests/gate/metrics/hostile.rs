//! Whatever they are, and while Postgres is away.
use super::{PATH, blocked, dropped, listed, push, push_bytes};
use crate::support::cluster::Cluster;
use crate::support::http::{Api, gzip, send, try_send};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

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
    for body in [
        "",
        "[]",
        "not JSON",
        "{\"bouncers\":5}",
        "{\"bouncers\":[5,{\"custom_name\":{}}]}",
        "{\"machines\":[null,{\"name\":\"\\u0000\"}]}",
    ] {
        let call = machine.call(at, "POST", "/v3/metrics/");
        send(call.body(body)).await.expect(200);
        assert_eq!(
            world.capi.at("/metrics").pop().expect("passed on").raw,
            body.as_bytes()
        );
    }
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
