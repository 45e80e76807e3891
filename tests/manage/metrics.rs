//! `GET /api/bouncer-metrics`, its names, and how long rows live (gate-api.md 1.13).
use crate::support::http::{Answer, Api, send};
use crate::support::machine::Machine;
use crate::support::wait;
use crate::support::world::{World, next_link};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LIST: &str = "/api/bouncer-metrics";

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A window of a bouncer that ended then.
async fn push(world: &World, machine: &Machine, name: &str, at: i64, dropped: i64) -> Answer {
    let item = json!({"name": "dropped", "value": dropped, "unit": "request"});
    let meta = json!({"utc_now_timestamp": at, "window_size_seconds": 1800});
    let body = json!({"remediation_components": [{"name": name, "type": "nginx", "version": "v1", "metrics": [{"items": [item], "meta": meta}]}]});
    let call = machine.call(world.server().address, "POST", "/v3/usage-metrics");
    send(call.json(&body)).await.expect(200)
}

async fn drops(api: &Api, query: &str) -> Vec<i64> {
    let list = api.get(&format!("{LIST}?{query}")).await.expect(200).json();
    let rows = list.as_array().expect("a bare array");
    rows.iter()
        .map(|r| r["droppedItems"].as_i64().expect("a number"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_as_the_contract_says() {
    let world = World::start().await;
    let api = world.api();
    assert_eq!(api.get(LIST).await.expect(200).json(), json!([]));
    let none = api.get(&format!("{LIST}/names")).await.expect(200).json();
    assert_eq!(none, json!({"bouncers": []}));

    let (one, two) = (world.machine("default").await, world.machine("default").await);
    let start = now() - 10_000;
    for (n, (machine, name)) in [
        (&one, "edge"),
        (&two, "edge"),
        (&one, "shop front"),
        (&one, "edge"),
        (&two, "zoo"),
    ]
    .into_iter()
    .enumerate()
    {
        let n = i64::try_from(n).expect("small");
        push(&world, machine, name, start + n * 100, n).await;
    }
    let list = api.get(LIST).await.expect(200);
    assert!(list.header("link").is_none(), "one page");
    let row = &list.json()[0];
    let keys: BTreeSet<&str> = row
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = "activeDecisions bouncerName bouncerType bytesProcessed collectedAt componentKind droppedItems id lapiServerName \
        metricsJson osName osVersion processedItems version";
    assert_eq!(keys, expected.split_whitespace().collect());
    assert!(row["id"].is_i64() && row["collectedAt"].is_i64());
    assert_eq!(
        row["metricsJson"],
        r#"[{"name":"dropped","value":4,"unit":"request"}]"#
    );
    assert_eq!(
        (&row["componentKind"], &row["osName"]),
        (&json!("remediation"), &Value::Null)
    );

    let ms = |n: i64| (start + n * 100) * 1000;
    for (query, expected) in [
        (String::new(), &[4, 3, 2, 1, 0][..]),
        (format!("machine={}", two.login), &[4, 1]),
        ("bouncer=edge".to_owned(), &[3, 1, 0]),
        ("bouncer=shop%20front".to_owned(), &[2]),
        ("bouncer=Edge".to_owned(), &[]),
        ("machine=nobody".to_owned(), &[]),
        (format!("machine={}&bouncer=edge", one.login), &[3, 0]),
        (format!("since={}&until={}", ms(1), ms(3)), &[3, 2, 1]),
        (format!("since={}&until={}", ms(1) + 1, ms(3) - 1), &[2]),
        (format!("since={}", ms(4) + 1), &[]),
        ("until=-99999999999999".to_owned(), &[]),
        ("limit=2".to_owned(), &[4, 3]),
        ("unknown=dropped".to_owned(), &[4, 3, 2, 1, 0]),
    ] {
        assert_eq!(drops(&api, &query).await, expected, "{query}");
    }
    let long = format!("bouncer={}", "x".repeat(201));
    for wrong in [
        "machine=",
        "machine=a.b",
        "machine=a%20b",
        "bouncer=",
        &long,
        "bouncer=%00",
        "since=x",
        "since=2026-11-22T00:00:00Z",
        "until=1.5",
        "until=99999999999999999999",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
    ] {
        let answer = api.get(&format!("{LIST}?{wrong}")).await.expect(400);
        let name = wrong.split('=').next().expect("a name");
        assert!(answer.text().contains(name), "{wrong}: {}", answer.text());
    }
    let names = api.get(&format!("{LIST}/names")).await.expect(200).json();
    let pair = |m: &Machine, name: &str| json!({"lapiServerName": m.login, "bouncerName": name, "bouncerType": "nginx"});
    let mut expected = vec![
        pair(&one, "edge"),
        pair(&one, "shop front"),
        pair(&two, "edge"),
        pair(&two, "zoo"),
    ];
    expected.sort_by_key(|p| (p["lapiServerName"].to_string(), p["bouncerName"].to_string()));
    assert_eq!(names, json!({"bouncers": expected}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_reached_page_by_page() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    push(&world, &machine, "edge", now() - 60, 1).await;
    // Many of the same instant, and details that are too large for one page.
    let fill = "INSERT INTO usage_metric (tenant_id, machine_id, key, kind, name, collected_at, dropped_items, items)
        SELECT tenant_id, machine_id, gen_random_uuid(), 1, 'edge', date_trunc('minute', now()) - (n / 7) * interval '1 minute', n,
               '[' || repeat(' ', CASE WHEN n > 2500 THEN 200000 ELSE 0 END) || ']'
        FROM usage_metric, generate_series(2, 2700) n";
    world.db.client().await.batch_execute(fill).await.expect("fill");
    let api = world.api();
    let mut seen = Vec::new();
    let mut path = LIST.to_owned();
    let mut pages = 0;
    loop {
        let page = api.get(&path).await.expect(200);
        let rows = page.json();
        let rows = rows.as_array().expect("an array");
        assert!(!rows.is_empty() && rows.len() <= 1000);
        assert!(page.body.len() < 40 << 20, "{} bytes", page.body.len());
        seen.extend(rows.iter().map(|r| (r["collectedAt"].as_i64(), r["id"].as_i64())));
        pages += 1;
        match next_link(page.header("link").as_deref()) {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 2700);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, each once");
    assert!(pages > 3, "{pages} pages");
    // A cursor is of one question.
    let first = api.get(&format!("{LIST}?limit=1")).await.expect(200);
    let next = next_link(first.header("link").as_deref()).expect("more");
    let cursor = next.split("cursor=").nth(1).expect("a cursor");
    api.get(&format!("{LIST}?bouncer=edge&cursor={cursor}"))
        .await
        .expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_is_called_as_the_server_that_it_is() {
    let world = World::start().await;
    let api = world.api();
    let (known, other) = (world.machine("default").await, world.machine("default").await);
    let url = format!("http://127.0.0.1:{}/", crate::support::free_port());
    let server = json!({"name": "paris", "url": url, "apiKey": "k", "machineId": "m", "password": "p",
        "sourceMachineIds": [known.login, "lab-agent"]});
    api.post("/api/lapi-servers", &server).await.expect(201);
    push(&world, &known, "edge", now() - 60, 1).await;
    push(&world, &other, "edge", now() - 60, 2).await;
    assert_eq!(drops(&api, "machine=paris").await, [1]);
    assert_eq!(drops(&api, &format!("machine={}", other.login)).await, [2]);
    assert!(drops(&api, &format!("machine={}", known.login)).await.is_empty());
    let names = api.get(&format!("{LIST}/names")).await.expect(200).json();
    let servers: Vec<_> = names["bouncers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|b| b["lapiServerName"].as_str().unwrap_or("?"))
        .collect();
    assert_eq!(servers.len(), 2);
    assert!(servers.contains(&"paris") && servers.contains(&other.login.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_sees_its_own_only() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (mine, theirs) = (world.machine("default").await, world.machine("acme").await);
    let at = now() - 60;
    push(&world, &mine, "edge", at, 1).await;
    push(&world, &theirs, "edge", at, 10).await;
    for (api, n, stranger) in [(world.api(), 1, &theirs), (world.api_of(&acme), 10, &mine)] {
        assert_eq!(drops(&api, "").await, [n]);
        assert!(
            drops(&api, &format!("machine={}", stranger.login))
                .await
                .is_empty()
        );
        let names = api.get(&format!("{LIST}/names")).await.expect(200).text();
        assert!(!names.contains(&stranger.login), "{names}");
        let stats = api.get("/api/stats").await.expect(200).json();
        assert_eq!(stats["blockedRequests"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_requests_are_of_30_days_and_rows_live_for_90() {
    let mut world = World::start().await;
    let machine = world.machine("default").await;
    let day = 86_400;
    for (ago, n) in [(60, 1), (29 * day, 10), (31 * day, 100), (89 * day, 1000)] {
        push(&world, &machine, "edge", now() - ago, n).await;
    }
    let api = world.api();
    let stats = api.get("/api/stats").await.expect(200).json();
    assert_eq!(stats["blockedRequests"], 11);
    let stats = api.get("/api/stats?period=7d").await.expect(200).json();
    assert_eq!(stats["blockedRequests"], 11, "whatever is asked for");
    assert_eq!(drops(&api, "").await, [1, 10, 100, 1000]);
    // Two days later, and far more than one transaction deletes.
    let client = world.db.client().await;
    let age = "UPDATE usage_metric SET collected_at = collected_at - interval '2 days';
        INSERT INTO usage_metric (tenant_id, machine_id, key, kind, name, collected_at, dropped_items, items)
          SELECT m.tenant_id, m.machine_id, gen_random_uuid(), 1, 'edge', now() - interval '100 days', 1, '[]'
          FROM usage_metric m, generate_series(1, 3000) n;
        INSERT INTO usage_component (tenant_id, machine_id, kind, name, last_seen_at)
          SELECT tenant_id, machine_id, 1, 'gone', now() - interval '91 days' FROM usage_component";
    client.batch_execute(age).await.expect("age");
    world.servers.clear();
    world.add_server().await;
    let api = world.server().api(Some(world.admin_token()));
    wait::until_true("the old are gone", wait::secs(20), || async {
        drops(&api, "").await == [1, 10, 100]
    })
    .await;
    let left = client.query_one("SELECT count(*) FROM usage_metric", &[]).await;
    assert_eq!(left.expect("rows").get::<_, i64>(0), 3);
    let names = api.get(&format!("{LIST}/names")).await.expect(200).json();
    assert_eq!(names["bouncers"].as_array().map(Vec::len), Some(1), "{names}");
}
