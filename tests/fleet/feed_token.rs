//! Who may fetch a feed, and that nobody gets an empty one because something is down.
use super::rows::fill;
use crate::support::cluster::Cluster;
use crate::support::http::{Answer, Api, send};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

async fn fetch(api: &Api, path: &str, name: &str, value: &str) -> Answer {
    send(api.with(None).request("GET", path).header(name, value)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_token_opens_its_feed_and_nothing_else() {
    let world = World::with(2, &[]).await;
    let api = world.api();
    fill(&world).await;
    for name in ["edge", "other"] {
        api.post("/api/feeds", &json!({"name": name})).await.expect(201);
    }
    let made = api
        .post("/api/feeds/edge/tokens", &Value::Null)
        .await
        .expect(201)
        .json();
    let token = made["token"].as_str().expect("token").to_owned();
    assert!(token.starts_with("grf_"), "{token}");
    api.post("/api/feeds/absent/tokens", &Value::Null)
        .await
        .expect(404);
    let basic = |user: &str, password: &str| {
        use base64::Engine as _;
        let pair = format!("{user}:{password}");
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let admin = world.admin_token();
    let ways = [
        ("authorization", format!("Bearer {token}")),
        ("x-api-key", token.clone()),
        ("authorization", basic("any", &token)),
        ("authorization", basic("", &token)),
        ("authorization", format!("Bearer {admin}")),
        ("x-api-key", admin.to_owned()),
    ];
    for (name, value) in &ways {
        let got = fetch(&api, "/api/feeds/edge", name, value).await.expect(200);
        assert!(got.text().starts_with("192.0.2.6\n"), "{}", got.text());
    }
    for (name, value) in &ways[..4] {
        fetch(&api, "/api/feeds/other", name, value).await.expect(404);
        fetch(&api, "/api/feeds/absent", name, value).await.expect(404);
        for path in [
            "/api/feeds",
            "/api/alerts",
            "/api/decisions?ip=192.0.2.7",
            "/api/ips/192.0.2.7/explain",
            "/v3/decisions/stream",
            "/v2/metrics/",
        ] {
            let status = fetch(&api, path, name, value).await.status;
            assert!(matches!(status, 401 | 403 | 404 | 405), "{path}: {status}");
        }
        let delete = api
            .with(None)
            .request("DELETE", "/api/feeds/edge")
            .header(*name, value);
        send(delete).await.expect(401);
    }
    fetch(&api, "/api/alerts", "authorization", &format!("Bearer {token}"))
        .await
        .expect(401);
    let last = if token.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &token[..token.len() - 1]);
    for (name, value) in [
        ("authorization", basic("any", &wrong)),
        ("x-api-key", wrong.clone()),
        ("authorization", "Basic x".to_owned()),
    ] {
        let refused = fetch(&api, "/api/feeds/edge", name, &value).await.expect(401);
        let asks = refused
            .headers
            .get_all("www-authenticate")
            .iter()
            .any(|v| v.as_bytes().starts_with(b"Basic"));
        assert!(asks, "a firewall is asked for its password");
    }
    api.with(None)
        .get(&format!("/api/feeds/edge?token={token}"))
        .await
        .expect(401);
    // Its text is nowhere, and its use is seen.
    let rows = "SELECT (SELECT string_agg(t::text, ' ') FROM feed_token t) || (SELECT string_agg(c::text, ' ') FROM credential c)";
    let rows: String = world
        .db
        .client()
        .await
        .query_one(rows, &[])
        .await
        .expect("rows")
        .get(0);
    assert!(!rows.contains(&token) && !world.server().log().contains(&token));
    wait::until_true("its last use is known", wait::secs(5), || async {
        let list = api.get("/api/feeds").await.expect(200).json();
        list[0]["tokens"][0]["lastUsedAt"].is_string()
    })
    .await;

    // Revoked, or its feed deleted: worthless on both replicas within 5 seconds.
    let apis: Vec<Api> = world.servers.iter().map(|s| s.api(Some(&token))).collect();
    for one in &apis {
        one.get("/api/feeds/edge").await.expect(200);
    }
    api.delete(&format!("/api/feeds/other/tokens/{}", made["id"]))
        .await
        .expect(404);
    api.delete(&format!("/api/feeds/edge/tokens/{}", made["id"]))
        .await
        .expect(204);
    for one in &apis {
        wait::until_true("revoked", wait::secs(5), || async {
            one.get("/api/feeds/edge").await.status == 401
        })
        .await;
    }
    let second = api
        .post("/api/feeds/edge/tokens", &Value::Null)
        .await
        .expect(201)
        .json();
    let apis: Vec<Api> = world
        .servers
        .iter()
        .map(|s| s.api(second["token"].as_str()))
        .collect();
    for one in &apis {
        one.get("/api/feeds/edge").await.expect(200);
    }
    api.delete("/api/feeds/edge").await.expect(204);
    for one in &apis {
        wait::until_true("gone", wait::secs(5), || async {
            one.get("/api/feeds/edge").await.status == 401
        })
        .await;
    }
    let left = "SELECT count(*) FROM credential WHERE kind = 5";
    assert_eq!(
        world
            .db
            .client()
            .await
            .query_one(left, &[])
            .await
            .expect("rows")
            .get::<_, i64>(0),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_it_is_503_and_never_empty() {
    let cluster = Cluster::start().await;
    let world = World::on(cluster.database().await, 1).await;
    let api = world.api();
    fill(&world).await;
    api.post("/api/feeds", &json!({"name": "edge"})).await.expect(201);
    api.get("/api/feeds/edge").await.expect(200);
    cluster.kill9().await;
    let start = std::time::Instant::now();
    while start.elapsed() < wait::secs(4) {
        let answer = api.get("/api/feeds/edge").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    cluster.launch().await;
    wait::until_true("it is back", wait::secs(20), || async {
        let answer = api.get("/api/feeds/edge").await;
        answer.status == 200 && answer.text().contains("192.0.2.6")
    })
    .await;
}
