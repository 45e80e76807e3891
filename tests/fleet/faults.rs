//! Replication when servers, their data, their passwords and Garrison itself fail: Debian's real LAPIs.
use super::replication::{joined, overflow, wait_on};
use crate::support::engine::Engine;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What stands on a server by origin: address to how many.
async fn standing(engine: &Engine, origin: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for decision in engine.decisions(&format!("origins={origin}")).await {
        *all.entry(decision["value"].as_str().expect("value").to_owned())
            .or_default() += 1;
    }
    all
}

/// Both have what the other decided: each once, and nothing else of ours.
async fn wait_level(one: &Engine, other: &Engine, seconds: u64) {
    let seen = std::sync::Mutex::new(String::new());
    let level = || async {
        let mut good = true;
        let mut text = String::new();
        for (from, to) in [(one, other), (other, one)] {
            let own: Vec<String> = standing(from, "crowdsec").await.into_keys().collect();
            let copies = standing(to, "garrison").await;
            good &= copies.keys().eq(own.iter()) && copies.values().all(|n| *n == 1);
            text += &format!("{own:?} / {copies:?}\n");
        }
        *seen.lock().unwrap() = text;
        good
    };
    let begun = std::time::Instant::now();
    while !level().await {
        assert!(
            begun.elapsed() < wait::patient(wait::secs(seconds)),
            "not level: {}",
            seen.lock().unwrap()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn decide(engine: &Engine, addresses: std::ops::Range<u32>) {
    let alerts: Vec<Value> = addresses
        .map(|n| overflow(&crate::support::machine::address(n), "4h"))
        .collect();
    engine.post_alerts(&alerts).await;
}

async fn lift(engine: &Engine, n: u32) {
    let ip = crate::support::machine::address(n);
    let (good, said) = engine.cscli(&["decisions", "delete", "--ip", &ip]).await;
    assert!(good, "{said}");
}

/// Seconds for which a server is away; more by hand.
fn away() -> u64 {
    let asked = crate::support::env("GARRISON_TEST_AWAY_SECONDS");
    asked.and_then(|text| text.parse().ok()).unwrap_or(20)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_or_lost_everything_is_level_within_a_minute() {
    let world = World::with(2, &[]).await;
    let (paris, mut lyon) = tokio::join!(Engine::alone(), Engine::alone());
    joined(&world, &paris, "paris").await;
    joined(&world, &lyon, "lyon").await;
    decide(&paris, 0..5).await;
    wait_level(&paris, &lyon, 60).await;
    // Away while one more is decided and one is lifted.
    lyon.stop();
    decide(&paris, 5..6).await;
    lift(&paris, 0).await;
    tokio::time::sleep(Duration::from_secs(away())).await;
    let state = world.api().get("/api/lapi-servers/lyon").await.expect(200).json()["replication"].clone();
    assert!(state["failures"].as_i64().expect("failures") > 0, "{state}");
    assert_eq!(state["lastError"], "the server cannot be reached");
    lyon.start_again().await;
    wait_level(&paris, &lyon, 60).await;
    // Its disk is lost.
    lyon.wipe().await;
    wait_level(&paris, &lyon, 60).await;
    decide(&lyon, 100..102).await;
    wait_level(&paris, &lyon, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_pauses_is_told_and_is_felt_when_it_is_right_again() {
    let world = World::with(2, &[]).await;
    let api = world.api();
    let (paris, lyon) = tokio::join!(Engine::alone(), Engine::alone());
    joined(&world, &paris, "paris").await;
    joined(&world, &lyon, "lyon").await;
    lyon.set_password("another").await;
    // A running LAPI's sessions outlive the password: only a new one is refused.
    let mut lyon = lyon;
    lyon.restart().await;
    decide(&paris, 0..2).await;
    wait::until_true("the refusal is told", wait::secs(60), || async {
        let state = api.get("/api/lapi-servers/lyon").await.json()["replication"].clone();
        state["lastError"] == "the server refuses the machine's login"
    })
    .await;
    assert_eq!(
        wait_on(&lyon, &crate::support::machine::address(0), 0, 1).await,
        Vec::<Value>::new()
    );
    let mut server = lyon.server("lyon");
    (server["apiKey"], server["machineId"]) = (json!("garrison-key"), json!("garrison"));
    (server["password"], server["replicateDecisions"]) = (json!("another"), json!(true));
    api.put("/api/lapi-servers/lyon", &server).await.expect(200);
    wait_level(&paris, &lyon, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tampered_with_is_mended_and_others_are_left_alone() {
    let world = World::start().await;
    let api = world.api();
    let (paris, lyon) = tokio::join!(Engine::alone(), Engine::alone());
    joined(&world, &paris, "paris").await;
    joined(&world, &lyon, "lyon").await;
    decide(&paris, 0..3).await;
    wait_level(&paris, &lyon, 60).await;
    // One of ours is gone, one has our mark and is not ours, one is doubled, one is somebody else's.
    lift(&lyon, 1).await;
    let mut strange = overflow("192.0.2.200", "4h");
    strange["decisions"][0]["origin"] = json!("garrison");
    let mut double = overflow(&crate::support::machine::address(2), "4h");
    double["decisions"][0]["origin"] = json!("garrison");
    let mut foreign = overflow("192.0.2.201", "4h");
    foreign["decisions"][0]["origin"] = json!("lists");
    lyon.post_alerts(&[strange, double, foreign]).await;
    let mut server = lyon.member_again("lyon");
    server["tags"] = json!(["looked at"]);
    api.put("/api/lapi-servers/lyon", &server).await.expect(200);
    wait_level(&paris, &lyon, 60).await;
    assert_eq!(standing(&lyon, "lists").await.len(), 1);
    assert!(standing(&paris, "garrison").await.is_empty());
}

/// Two replicas, one of which dies twenty times while decisions come and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_deaths_leave_both_servers_level() {
    let mut world = World::with(2, &[]).await;
    let (paris, lyon) = tokio::join!(Engine::alone(), Engine::alone());
    joined(&world, &paris, "paris").await;
    joined(&world, &lyon, "lyon").await;
    for round in 0..20u32 {
        decide(&paris, 10 * round..10 * round + 10).await;
        if round % 4 == 3 {
            lift(&paris, 10 * round - 7).await;
            decide(&lyon, 5000 + round..5001 + round).await;
        }
        tokio::time::sleep(Duration::from_millis(u64::from(round * 37 % 900))).await;
        let mut dead = world.servers.remove(0);
        dead.kill9();
        world.add_server().await;
    }
    wait_level(&paris, &lyon, 90).await;
}
