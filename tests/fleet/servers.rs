//! Servers: stored, tried, searched.
use super::mock::{Mock, Mood};
use crate::support::engine::Engine;
use crate::support::free_port;
use crate::support::world::World;
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_is_added_tried_replaced_and_removed() {
    let (world, lapi) = (World::start().await, Engine::alone().await);
    let api = world.api();
    let made = api
        .post("/api/lapi-servers", &lapi.server("paris"))
        .await
        .expect(201);
    let secrets = ["lab-watcher-password", "lab-bouncer-key"];
    assert!(
        !secrets.iter().any(|s| made.text().contains(s)),
        "{}",
        made.text()
    );
    let made = made.json();
    assert_eq!(
        (&made["name"], &made["url"], &made["canBan"]),
        (&json!("paris"), &json!(lapi.url()), &json!(true))
    );
    let check = |server: &Value| {
        let check = server["check"].clone();
        (
            check["reachable"].clone(),
            check["key"].clone(),
            check["login"].clone(),
            check["version"].clone(),
        )
    };
    assert_eq!(
        check(&made),
        (json!(true), json!(true), json!(true), json!("older than 1.6.8")),
        "{made}"
    );
    assert_eq!(made["check"]["error"], Value::Null);
    api.post("/api/lapi-servers", &lapi.server("paris"))
        .await
        .expect(409);

    // What is wrong is said, and the server kept.
    let spoilt = |field: &str, value: &str| {
        let mut body = lapi.server(field);
        body[field] = json!(value);
        body["name"] = json!(format!("wrong-{field}"));
        body
    };
    let key = api
        .post("/api/lapi-servers", &spoilt("apiKey", "wrong"))
        .await
        .expect(201)
        .json();
    assert_eq!(
        check(&key),
        (json!(true), json!(false), json!(true), json!("older than 1.6.8")),
        "{key}"
    );
    assert!(
        key["check"]["error"].as_str().is_some_and(|e| e.contains("key")),
        "{key}"
    );
    let login = api
        .post("/api/lapi-servers", &spoilt("password", "wrong"))
        .await
        .expect(201)
        .json();
    assert_eq!(
        check(&login),
        (json!(true), json!(true), json!(false), Value::Null),
        "{login}"
    );
    let mut down = spoilt("url", &format!("http://127.0.0.1:{}", free_port()));
    down["name"] = json!("down");
    let down = api.post("/api/lapi-servers", &down).await.expect(201).json();
    assert_eq!(
        check(&down),
        (json!(false), Value::Null, Value::Null, Value::Null),
        "{down}"
    );
    assert_eq!(down["check"]["error"], "the server cannot be reached");

    // A replacement keeps secrets that it does not name, unless they would go elsewhere.
    let bare = json!({"url": lapi.url(), "machineId": "lab-watcher", "tags": ["b", "a"]});
    let kept = api.put("/api/lapi-servers/paris", &bare).await.expect(200).json();
    assert_eq!(
        (&kept["check"]["login"], &kept["tags"]),
        (&json!(true), &json!(["a", "b"])),
        "{kept}"
    );
    let moved = json!({"url": "https://elsewhere.example/", "machineId": "lab-watcher"});
    let said = api
        .put("/api/lapi-servers/paris", &moved)
        .await
        .expect(400)
        .text();
    assert!(said.contains("apiKey") && said.contains("password"), "{said}");
    let read_only = api
        .put("/api/lapi-servers/paris", &json!({"url": lapi.url()}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&read_only["canBan"], &read_only["check"]["login"]),
        (&json!(false), &Value::Null)
    );
    api.put("/api/lapi-servers/nowhere", &lapi.server("nowhere"))
        .await
        .expect(404);

    let list = api.get("/api/lapi-servers").await.expect(200).json();
    let names: Vec<_> = list
        .as_array()
        .expect("array")
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    assert_eq!(names, ["down", "paris", "wrong-apiKey", "wrong-password"]);
    api.delete("/api/lapi-servers/paris").await.expect(204);
    api.delete("/api/lapi-servers/paris").await.expect(404);
    // In the database, the secrets are sealed.
    let sql = "SELECT string_agg(l::text, ' ') FROM lapi_server l";
    let rows: String = world
        .db
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("rows")
        .get(0);
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    assert!(
        !secrets.iter().any(|s| rows.contains(s) || rows.contains(&hex(s))),
        "{rows}"
    );
    assert!(!world.server().log().contains("lab-bouncer-key"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_servers_are_400_and_the_field_is_named() {
    let world = World::start().await;
    let api = world.api();
    let good = json!({"name": "a", "url": "http://127.0.0.1:9999/", "apiKey": "k"});
    let cases = [
        ("name", json!("a b")),
        ("name", json!("")),
        ("name", json!("x".repeat(65))),
        ("name", json!("é")),
        ("url", json!("ftp://h/")),
        ("url", json!("http://169.254.169.254/")),
        ("url", json!("http://10.0.0.1/")),
        ("url", json!("http://u:p@h/")),
        ("url", json!("http://h:22/")),
        ("url", json!(format!("{}/", world.server().url()))),
        ("apiKey", json!("a\r\nx: y")),
        ("apiKey", json!("")),
        ("apiKey", json!("k".repeat(10_000))),
        ("password", json!("p\u{e9}")),
        ("machineId", json!("\n")),
        ("tags", json!(["\u{0}"])),
        ("sourceMachineIds", json!([""])),
        ("replicateDecisions", json!(true)),
        ("id", json!(1)),
        ("tenant_id", json!(2)),
    ];
    for (field, value) in cases {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = api.post("/api/lapi-servers", &body).await;
        assert_eq!(answer.status, 400, "{field}={value}: {}", answer.text());
        assert!(
            answer.text().contains(field),
            "{field}={value}: {}",
            answer.text()
        );
    }
    for field in ["name", "url", "apiKey"] {
        let mut body = good.clone();
        body.as_object_mut().expect("object").remove(field);
        api.post("/api/lapi-servers", &body).await.expect(400);
    }
    assert_eq!(api.get("/api/lapi-servers").await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_100_servers_and_never_one_more() {
    let world = World::start().await;
    let (api, mock) = (world.api(), Mock::start(Mood::Writes(200)).await);
    let add = |n: usize| {
        let (api, body) = (api.clone(), mock.server(&format!("s{n}")));
        async move { api.post("/api/lapi-servers", &body).await.status }
    };
    for part in 0..9 {
        let made = join_all((0..11).map(|n| add(part * 11 + n))).await;
        assert!(made.iter().all(|status| *status == 201), "{made:?}");
    }
    let last = join_all((0..8).map(|n| add(200 + n))).await;
    let won = last.iter().filter(|status| **status == 201).count();
    assert!(
        won == 1 && last.iter().all(|s| matches!(s, 201 | 409)),
        "{last:?}"
    );
    let same = join_all((0..4).map(|_| add(0))).await;
    assert_eq!(same, [409; 4]);
    assert_eq!(
        api.get("/api/lapi-servers")
            .await
            .json()
            .as_array()
            .expect("array")
            .len(),
        100
    );
}
