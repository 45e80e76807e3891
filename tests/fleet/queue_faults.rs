//! Servers with wrong clocks, wrong passwords, lost databases and busy hands.
use super::queue::{SOON, join, push, standing, values, wait_copies};
use crate::support::lapi::Lapi;
use crate::support::machine::{signal, time};
use crate::support::wait;
use crate::support::world::World;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;

/// When a server's only copy ends, on the wall's clock; what ended at once has no end.
fn end(lapi: &Lapi) -> Option<Timestamp> {
    let copies = lapi.active("garrison");
    let one = (copies.len() == 1).then(|| copies[0].until)?;
    Some(one - SignedDuration::from_secs(lapi.mood().clock))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_ends_when_the_original_does_whatever_the_servers_clock_says() {
    let world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let (ahead, behind) = (join(&api, "ahead").await, join(&api, "behind").await);
    ahead.set(|mood| mood.clock = 600);
    behind.set(|mood| mood.clock = -600);
    let mut short = signal("198.18.0.1");
    short["stop_at"] = json!(time(0));
    short["decisions"][0]["duration"] = json!("5m");
    let wanted = Timestamp::now() + SignedDuration::from_mins(5);
    machine.push_ok(world.server(), &[short]).await;
    let right = |lapi: &Lapi| end(lapi).is_some_and(|end| (end - wanted).get_seconds().abs() <= 5);
    wait::until_true("both end in five minutes", wait::secs(30), || async {
        right(&ahead) && right(&behind)
    })
    .await;
    wait::holds("and stay so", wait::secs(7), || async {
        right(&ahead) && right(&behind)
    })
    .await;
    for (lapi, name, skew) in [(&ahead, "ahead", 600_000), (&behind, "behind", -600_000)] {
        let writes = lapi.count("POST /v1/alerts");
        assert!(writes <= 2, "one repair at most: {writes} writes");
        let told = standing(&api, name).await["clockSkewMs"]
            .as_i64()
            .expect("a number");
        assert!((told - skew).abs() < 3000, "{told}");
        lapi.assert_civil();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_pauses_a_server_and_a_right_one_brings_it_back() {
    let world = World::with(2, &[]).await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    push(&world, &machine, &values(0, 5)).await;
    wait_copies(&lapi, &values(0, 5), SOON).await;
    lapi.set(|mood| mood.login = false);
    lapi.restart();
    let before = lapi.logins();
    push(&world, &machine, &values(5, 5)).await;
    wait::until_true("it is reported", wait::secs(20), || async {
        standing(&api, "paris").await["lastError"] == "the server refuses the machine's login"
    })
    .await;
    tokio::time::sleep(wait::secs(30)).await;
    let tried = lapi.logins() - before;
    assert!(tried <= 5, "{tried} logins in 30 s");
    assert_eq!(lapi.copies(), values(0, 5), "nothing came");
    lapi.set(|mood| mood.login = true);
    wait_copies(&lapi, &values(0, 10), SOON).await;
    lapi.assert_civil();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_its_database_gets_everything_again() {
    let world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    // One of them is written to before the next sign of life.
    let (idle, busy) = (join(&api, "idle").await, join(&api, "busy").await);
    push(&world, &machine, &values(0, 5)).await;
    for lapi in [&idle, &busy] {
        wait_copies(lapi, &values(0, 5), SOON).await;
        lapi.reset();
    }
    let ban = json!({"server": "busy", "ip": "198.18.200.1", "duration": "1h", "reason": "loud"});
    api.post("/api/decisions/ban", &ban).await.expect(200);
    wait_copies(&busy, &values(0, 5), SOON).await;
    // And what was decided on the other one meanwhile.
    let mut all = values(0, 5);
    all.push("198.18.200.1".to_owned());
    wait_copies(&idle, &all, SOON).await;
    busy.assert_civil();
    idle.assert_civil();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_carries_our_mark_and_nobody_wants_goes_and_the_rest_stays() {
    let world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    push(&world, &machine, &values(0, 5)).await;
    wait_copies(&lapi, &values(0, 5), SOON).await;
    let others = [
        ("198.18.100.1", "cscli"),
        ("198.18.100.2", "CAPI"),
        ("198.18.0.1", "cscli"),
    ];
    for (value, origin) in others.into_iter().chain([("198.18.100.3", "garrison")]) {
        lapi.store().add(Timestamp::now(), value, origin, 3600);
    }
    // A second one of ours about the same, too.
    lapi.store().add(Timestamp::now(), "198.18.0.2", "garrison", 3600);
    api.put("/api/lapi-servers/paris", &lapi.member("paris"))
        .await
        .expect(200);
    wait_copies(&lapi, &values(0, 5), SOON).await;
    assert_eq!(lapi.active("cscli").len(), 2);
    assert_eq!(lapi.active("CAPI").len(), 1);
    lapi.assert_civil();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_deleted_by_hand_comes_back() {
    let world = World::start().await;
    let (api, machine) = (world.api(), world.machine("default").await);
    let lapi = join(&api, "paris").await;
    push(&world, &machine, &values(0, 5)).await;
    wait_copies(&lapi, &values(0, 5), SOON).await;
    let kept: Vec<i64> = lapi.active("garrison")[1..].iter().map(|d| d.id).collect();
    let gone = &values(0, 5)[0];
    assert_eq!(lapi.store().end(Timestamp::now(), |d| d.value == *gone), 1);
    // A turn that is under way when the comparison is asked for does not swallow it.
    let writes = lapi.count("POST /v1/alerts");
    lapi.set(|mood| mood.slow = Duration::from_millis(1500));
    push(&world, &machine, &values(5, 1)).await;
    wait::until_true("a write is under way", wait::secs(20), || async {
        lapi.count("POST /v1/alerts") > writes
    })
    .await;
    let body = lapi.member("paris");
    let asked = api.put("/api/lapi-servers/paris", &body);
    let calm = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        lapi.set(|mood| mood.slow = Duration::ZERO);
    };
    tokio::join!(asked, calm).0.expect(200);
    wait_copies(&lapi, &values(0, 6), SOON).await;
    let now = lapi.active("garrison");
    let untouched = |id: &i64| now.iter().any(|d| d.id == *id);
    assert!(kept.iter().all(untouched), "the others are not touched");
    lapi.assert_civil();
}
