//! Bans by hand: on all servers, on one that is away, lifted everywhere; asked twice, done once.
use super::mock::{Mock, Mood};
use super::replication::{joined, overflow, wait_on};
use crate::support::engine::Engine;
use crate::support::free_port;
use crate::support::http::send;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

fn ban(server: &str, ip: &str) -> Value {
    json!({"server": server, "ip": ip, "duration": "4h", "reason": "too loud"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_on_all_comes_to_all_and_one_lifting_frees_it_everywhere() {
    let world = World::start().await;
    let api = world.api();
    let (paris, mut lyon) = tokio::join!(Engine::alone(), Engine::alone());
    joined(&world, &paris, "paris").await;
    joined(&world, &lyon, "lyon").await;
    let reader = json!({"name": "reader", "url": paris.url(), "apiKey": "x"});
    api.post("/api/lapi-servers", &reader).await.expect(201);

    let done = api
        .post("/api/decisions/ban", &ban("all", "192.0.2.7"))
        .await
        .expect(200)
        .json();
    assert_eq!((&done["success"], &done["server"]), (&json!(true), &json!("all")));
    let results = json!([
        {"server": "lyon", "status": "delivered"}, {"server": "paris", "status": "delivered"},
        {"server": "reader", "status": "notWritable"}]);
    assert_eq!(done["results"], results, "{done}");
    for engine in [&paris, &lyon] {
        assert_eq!(engine.decisions("ip=192.0.2.7").await.len(), 1);
    }

    // One is away: the other has it at once, and it gets it later.
    lyon.stop();
    let body = json!({"servers": ["lyon", "paris"], "ip": "192.0.2.8", "duration": "1h", "reason": "x"});
    let done = api.post("/api/decisions/ban", &body).await.expect(202).json();
    assert_eq!(
        (&done["queued"], &done["server"]),
        (&json!(true), &json!("lyon,paris"))
    );
    assert_eq!(done["results"][0]["status"], "queued", "{done}");
    assert_eq!(
        done["results"][1],
        json!({"server": "paris", "status": "delivered"})
    );
    let done = api
        .post("/api/decisions/ban", &ban("lyon", "198.51.100.0/24"))
        .await
        .expect(202)
        .json();
    assert_eq!(
        done["message"],
        "198.51.100.0/24 banned for 4h once lyon can be reached"
    );
    lyon.start_again().await;
    wait_on(&lyon, "192.0.2.8", 1, 60).await;
    wait_on(&lyon, "198.51.100.5", 1, 60).await;
    // A ban on one server is the fleet's, too, where servers replicate.
    wait_on(&paris, "198.51.100.5", 1, 60).await;

    let why = |ip: &str| json!({"reason": "over", "ip": ip});
    let done = api
        .post("/api/decisions/unban", &why("192.0.2.7"))
        .await
        .expect(200)
        .json();
    assert_eq!(done["message"], "192.0.2.7 is free", "{done}");
    for engine in [&paris, &lyon] {
        assert!(engine.decisions("ip=192.0.2.7").await.is_empty());
    }
    // What a server decided by itself is lifted there.
    paris.post_alerts(&[overflow("192.0.2.9", "4h")]).await;
    wait_on(&lyon, "192.0.2.9", 1, 60).await;
    api.post("/api/decisions/unban", &why("192.0.2.9"))
        .await
        .expect(200);
    for engine in [&paris, &lyon] {
        assert!(engine.decisions("ip=192.0.2.9").await.is_empty());
    }
    let again = api.post("/api/decisions/unban", &why("192.0.2.9")).await;
    assert_eq!(again.expect(404).json()["status"], 404);
    // It does not come back from the stream, and a new decision is a new one.
    tokio::time::sleep(std::time::Duration::from_secs(15)).await;
    assert!(paris.decisions("ip=192.0.2.9").await.is_empty());
    paris.post_alerts(&[overflow("192.0.2.9", "5h")]).await;
    wait_on(&lyon, "192.0.2.9", 1, 60).await;
    // A copy that is lifted on its server by its number is lifted where it came from.
    let copy = lyon.decisions("ip=192.0.2.9").await[0]["id"].clone();
    let call = api.request("DELETE", &format!("/api/decisions/{copy}?server=lyon"));
    send(call.json(&why("192.0.2.9"))).await.expect(200);
    wait_on(&paris, "192.0.2.9", 0, 60).await;

    let records: Vec<Value> = world.alerts(&api, "raw=true").await;
    let records = records.iter().filter(|a| a["localAudit"] == true);
    let raws: Vec<Value> = records
        .map(|a| serde_json::from_str(a["rawJson"].as_str().expect("raw")).expect("JSON"))
        .collect();
    assert_eq!(raws.len(), 6, "{raws:?}");
    assert!(raws.iter().any(|r| r["queued"] == true && r["server"] == "lyon"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_a_key_is_done_once() {
    let world = World::with(2, &[]).await;
    let api = world.api();
    let mock = Mock::start(Mood::Writes(200)).await;
    api.post("/api/lapi-servers", &mock.server("a")).await.expect(201);
    let ask = |key: &'static str, body: Value, replica: usize| {
        let call = world.servers[replica].api(Some(world.admin_token()));
        let call = call
            .request("POST", "/api/decisions/ban")
            .header("idempotency-key", key);
        send(call.json(&body))
    };
    let body = ban("a", "192.0.2.7");
    let first = ask("k1", body.clone(), 0).await.expect(200);
    let again = ask("k1", body.clone(), 1).await.expect(200);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(mock.count("POST /v1/alerts"), 1);
    let other = ask("k1", ban("a", "192.0.2.8"), 0).await.expect(409).json();
    assert_eq!(
        other["error"],
        "this Idempotency-Key was used for another request"
    );
    // What was refused may be asked again with the same key.
    mock.set(Mood::Writes(403));
    ask("k2", body.clone(), 0).await.expect(403);
    mock.set(Mood::Writes(200));
    ask("k2", body.clone(), 0).await.expect(200);
    // Both at once: one does it, the other is told to wait or is given the answer.
    let (one, two) = tokio::join!(ask("k3", body.clone(), 0), ask("k3", body.clone(), 1));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses == [200, 200] || statuses == [200, 409], "{statuses:?}");
    assert_eq!(
        mock.count("POST /v1/alerts"),
        4,
        "once for each key, and the refused one"
    );
    for key in ["", "é", &*"k".repeat(256)] {
        let call = api
            .request("POST", "/api/decisions/ban")
            .header("idempotency-key", key);
        let answer = send(call.json(&body)).await;
        assert_eq!(answer.status, 400, "{key}: {}", answer.text());
    }
    // Another tenant's key is another key.
    let tenant = world.tenant("other").await;
    let theirs = world.api_of(&tenant);
    theirs
        .post("/api/lapi-servers", &mock.server("a"))
        .await
        .expect(201);
    let call = theirs
        .request("POST", "/api/decisions/ban")
        .header("idempotency-key", "k1");
    let answer = send(call.json(&body)).await.expect(200);
    assert_eq!(answer.header("idempotency-replayed"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wishes_that_cannot_be_are_refused_and_named() {
    let world = World::start().await;
    let api = world.api();
    let down = json!({"name": "down", "url": format!("http://127.0.0.1:{}/", free_port()), "apiKey": "k"});
    api.post("/api/lapi-servers", &down).await.expect(201);
    for (body, status, says) in [
        (
            json!({"servers": ["nowhere"], "ip": "192.0.2.7", "duration": "1h", "reason": "x"}),
            404,
            "not found",
        ),
        (
            json!({"servers": ["down"], "ip": "192.0.2.7", "duration": "1h", "reason": "x"}),
            400,
            "credentials",
        ),
        (
            json!({"server": "down", "servers": ["down"], "ip": "192.0.2.7", "duration": "1h", "reason": "x"}),
            400,
            "servers",
        ),
        (
            json!({"servers": [], "ip": "192.0.2.7", "duration": "1h", "reason": "x"}),
            400,
            "server",
        ),
        (ban("all", "10.0.0.1"), 400, "private"),
        (ban("all", "0.0.0.0/0"), 400, "/8"),
        (ban("all", "nonsense"), 400, "Invalid IP"),
    ] {
        let answer = api.post("/api/decisions/ban", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().contains(says), "{body}: {}", answer.text());
    }
    for body in [
        json!({"ip": "192.0.2.7"}),
        json!({"reason": "x"}),
        json!({"reason": " ", "ip": "192.0.2.7"}),
        json!({"reason": "x", "ip": "z"}),
    ] {
        api.post("/api/decisions/unban", &body).await.expect(400);
    }
    // Nobody has a LAPI server to write to: it is kept for those that come, and for engines that are given lists.
    let done = api
        .post("/api/decisions/ban", &ban("all", "192.0.2.7"))
        .await
        .expect(200)
        .json();
    assert_eq!(done["results"][0]["status"], "notWritable");
    let engine = Engine::alone().await;
    joined(&world, &engine, "paris").await;
    wait_on(&engine, "192.0.2.7", 1, 60).await;
    wait::until_true("it is shown as there", wait::secs(10), || async {
        let state = api.get("/api/lapi-servers/paris").await.json()["replication"].clone();
        state["wanted"] == 1 && state["delivered"] == 1
    })
    .await;
}
