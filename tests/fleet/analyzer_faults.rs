//! Log sources that fail, and replicas that die.
use super::analyzer::{first_run, run};
use super::analyzer_store::{Mood, Store};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

/// Makes every analyzer's tick be now.
async fn tick(world: &World) {
    let client = world.db.client().await;
    let sql = "UPDATE lane SET due_at = clock_timestamp() WHERE topic = 5";
    client.execute(sql, &[]).await.expect("a tick");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_fails_is_on_record_and_tried_at_the_next_tick() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    store.attempts("198.51.100.7", 3);
    store.set(Mood::Status(503));
    api.post("/api/analyzers", &store.rule("sso")).await.expect(201);
    let failed = first_run(&api, "sso").await;
    let expected = (&json!("error"), &json!("the log source answers with status 503"));
    assert_eq!((&failed["status"], &failed["errorMessage"]), expected);
    let asked = store.count();
    wait::holds("not before its tick", wait::secs(2), || async {
        store.count() == asked
    })
    .await;
    store.set(Mood::Good);
    tick(&world).await;
    wait::until_true("the next one succeeds", wait::secs(20), || async {
        let runs = api.get("/api/analyzers/sso/runs").await.expect(200).json();
        runs["runs"][0]["status"] == "success" && runs["runs"][0]["decisionsPushed"] == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_answers_end_in_a_failed_run() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    store.attempts("198.51.100.7", 3);
    let mut rule = store.rule("sso");
    rule["enabled"] = json!(false);
    api.post("/api/analyzers", &rule).await.expect(201);
    for (mood, says) in [
        (Mood::Says(""), "does not answer as Loki does"),
        (Mood::Says("<html>"), "does not answer as Loki does"),
        (Mood::Says("[[[[[[[[[[[[[[["), "does not answer as Loki does"),
        (
            Mood::Says(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
            "numbers, not log lines",
        ),
        (
            Mood::Says(
                r#"{"status":"success","data":{"resultType":"streams","result":[{"values":[["1","x"]]}]}}"#,
            ),
            "",
        ),
        (Mood::Redirects, "status 302"),
        (Mood::Status(401), "refuses the credentials (401)"),
        (Mood::Status(400), "refuses the query (400)"),
        (Mood::Floods, "too large"),
        (Mood::Hangs, "cannot be reached"),
    ] {
        store.set(mood);
        let run = run(&api, "sso").await;
        let told = run["errorMessage"].as_str().unwrap_or_default();
        assert!(told.contains(says), "{mood:?}: {run}");
        assert_eq!(run["status"] == "error", !says.is_empty(), "{run}");
        assert_eq!(run["decisionsPushed"], 0);
    }
    // Nobody is there at all, and the secret is not sent elsewhere.
    let mut moved = store.rule("sso");
    moved["source"]["url"] = json!(format!("http://127.0.0.1:{}/", crate::support::free_port()));
    moved["source"].as_object_mut().expect("object").remove("token");
    let refused = api.put("/api/analyzers/sso", &moved).await.expect(400).json();
    assert_eq!(refused["errors"][0]["field"], "source.token", "{refused}");
    moved["source"]["token"] = json!("");
    moved["enabled"] = json!(false);
    api.put("/api/analyzers/sso", &moved).await.expect(200);
    let gone = run(&api, "sso").await;
    assert_eq!(
        gone["errorMessage"],
        "the log source did not answer: the server cannot be reached"
    );
    store.set(Mood::Good);
    api.put("/api/analyzers/sso", &rule).await.expect(200);
    assert_eq!(run(&api, "sso").await["decisionsPushed"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_run_at_a_time_and_a_dead_replica_is_replaced() {
    let mut world = World::start().await;
    let store = Store::start().await;
    store.attempts("198.51.100.7", 3);
    store.set(Mood::Hangs);
    world
        .api()
        .post("/api/analyzers", &store.rule("sso"))
        .await
        .expect(201);
    wait::until_true("it runs", wait::secs(20), || async { store.count() == 1 }).await;
    // While it runs at one replica nobody else runs it, asked or not.
    world.add_server().await;
    let api = world.servers[1].api(Some(world.admin_token()));
    let busy = api.post("/api/analyzers/sso/run", &Value::Null).await;
    assert_eq!(busy.expect(409).json()["error"], "the analyzer runs already");
    // The replica dies in the middle of it: nothing is decided, and the other takes over when its lease has ended.
    world.servers[0].kill9();
    store.set(Mood::Good);
    let runs = api.get("/api/analyzers/sso/runs").await.expect(200).json();
    assert_eq!((&runs["runs"], store.count()), (&json!([]), 1));
    wait::until_true("the other one runs it", wait::secs(60), || async {
        let runs = api.get("/api/analyzers/sso/runs").await.expect(200).json();
        runs["runs"][0]["decisionsPushed"] == 1
    })
    .await;
    assert_eq!(store.count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_run_once_a_tick() {
    let world = World::with(2, &[]).await;
    let (api, store) = (world.api(), Store::start().await);
    let mut rule = store.rule("sso");
    rule["schedule"] = json!({"interval": "10s", "lookback": "1h"});
    store.attempts("198.51.100.7", 3);
    api.post("/api/analyzers", &rule).await.expect(201);
    first_run(&api, "sso").await;
    tick(&world).await;
    wait::until_true("the tick by hand", wait::secs(20), || async {
        store.count() == 2
    })
    .await;
    wait::until_true("three more by the clock", wait::secs(60), || async {
        store.count() >= 5
    })
    .await;
    let runs = api
        .get("/api/analyzers/sso/runs?limit=100")
        .await
        .expect(200)
        .json();
    let runs = runs["runs"].as_array().expect("runs").clone();
    let mut starts: Vec<jiff::Timestamp> = runs
        .iter()
        .map(|r| r["startedAt"].as_str().expect("a time").parse().expect("a time"))
        .collect();
    starts.sort_unstable();
    let decided: i64 = runs.iter().filter_map(|r| r["decisionsPushed"].as_i64()).sum();
    assert_eq!(decided, 1, "one ban, however many runs");
    // The first one and the tick that was made by hand aside, ticks are ten seconds apart.
    let apart: Vec<f64> = starts[2..]
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]).as_secs_f64())
        .collect();
    assert!(!apart.is_empty() && apart.iter().all(|s| *s > 7.0), "{apart:?}");
}

/// Who may name sources does not find out what answers where by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_sources_in_vain_are_enough_for_a_minute() {
    let world = World::start().await;
    let (api, store) = (world.api(), Store::start().await);
    let mut rule = store.rule("scan");
    rule["enabled"] = json!(false);
    api.post("/api/analyzers", &rule).await.expect(201);
    // A closed port takes as long as an open one of something else.
    for n in 0..10 {
        store.set(Mood::Status(404));
        if n % 2 == 0 {
            rule["source"]["url"] = json!(format!("http://127.0.0.1:{}/", crate::support::free_port()));
        } else {
            rule["source"]["url"] = json!(store.url);
        }
        api.put("/api/analyzers/scan", &rule).await.expect(200);
        let answer = api.post("/api/analyzers/scan/run", &Value::Null).await;
        assert!(
            answer.took >= std::time::Duration::from_secs(1),
            "{:?}",
            answer.took
        );
        assert_eq!(answer.expect(200).json()["success"], false);
    }
    let refused = api
        .post("/api/analyzers/scan/run", &Value::Null)
        .await
        .expect(429);
    assert_eq!(refused.header("retry-after").as_deref(), Some("60"));
    // Nor by runs that come by themselves: they wait.
    rule["enabled"] = json!(true);
    store.set(Mood::Good);
    rule["source"]["url"] = json!(store.url);
    api.put("/api/analyzers/scan", &rule).await.expect(200);
    let asked = store.count();
    wait::holds("nobody is asked", wait::secs(3), || async {
        store.count() == asked
    })
    .await;
}
