//! How long a stream lives, how many there are, and whose.
use crate::support::events::{Events, Next};
use crate::support::garrison::text;
use crate::support::http::Api;
use crate::support::machine::{address, undecided};
use crate::support::wait;
use crate::support::world::World;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_ends_its_streams_within_5_s_and_no_other() {
    let world = World::with(2, &[]).await;
    let made = world
        .cli
        .json(&["token", "add", "--tenant", "default", "--scope", "read"])
        .await;
    let (id, token) = (text(&made, "id"), text(&made, "token"));
    let mut streams = Vec::new();
    for server in &world.servers {
        streams.push(Events::open(&server.api(Some(&token)), "", None).await);
    }
    let mut other = Events::open(&world.api(), "", None).await;
    // By X-Api-Key, too.
    let key = world.server().api(None).request("GET", "/api/events");
    let key = key.header("x-api-key", &token).send().await.expect("an answer");
    assert_eq!(key.status(), 200);
    world.cli.run(&["token", "revoke", &id]).await.expect_ok();
    let revoked = Instant::now();
    for stream in &mut streams {
        assert!(stream.ends(6).await, "it goes on");
    }
    assert!(
        revoked.elapsed() < Duration::from_millis(5500),
        "{:?}",
        revoked.elapsed()
    );
    other.silent(500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_streams_at_once_and_they_go_on_elsewhere() {
    let mut world = World::with(2, &[]).await;
    let machine = world.machine("default").await;
    let api = world.api();
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(Events::open(&api, "types=alert", None).await);
    }
    machine.push_ok(world.server(), &[undecided(&address(1))]).await;
    for stream in &mut streams {
        stream.take(1).await;
    }
    let stop = Instant::now();
    world.server().terminate();
    for stream in &mut streams {
        assert!(stream.ends(3).await, "it goes on");
    }
    assert_eq!(world.servers[0].ended(wait::secs(10)).await, Some(0));
    assert!(stop.elapsed() < wait::secs(8), "{:?}", stop.elapsed());
    machine
        .push_ok(&world.servers[1], &[undecided(&address(2))])
        .await;
    let there = world.servers[1].api(Some(world.admin_token()));
    for stream in &streams {
        let mut on = Events::open(&there, "types=alert", stream.last.as_deref()).await;
        let told = on.take(1).await;
        assert_eq!(told[0].data["sourceIp"], address(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_counted_kept_alive_and_of_one_tenant() {
    let world = World::start().await;
    let umbrella = world.tenant("umbrella").await;
    let (machine, theirs) = (world.machine("default").await, world.machine("umbrella").await);
    let api = world.api();
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(Events::open(&api, "", None).await);
    }
    let refused = api.get("/api/events").await.expect(429);
    assert!(refused.header("retry-after").is_some());
    // Another tenant has places of its own, and a place that is given back is free.
    let mut other = Events::open(&world.api_of(&umbrella), "", None).await;
    drop(streams.pop());
    let api = &api;
    wait::until_true("a place is free", wait::secs(20), || async move {
        Events::try_open(api, "", None).await.is_ok()
    })
    .await;
    // Fifteen seconds of silence, then a sign of life with a place to go on from.
    let before = other.last.clone();
    other.silent(17_000).await;
    assert!(other.comments >= 1, "no sign of life");
    assert!(other.last.is_some() && streams[0].last.is_some());
    machine.push_ok(world.server(), &[undecided("192.0.2.1")]).await;
    let told = streams[0].take(2).await;
    assert_eq!(told[0].data["sourceIp"], "192.0.2.1");
    other.silent(1000).await;
    theirs.push_ok(world.server(), &[undecided("192.0.2.2")]).await;
    let told = other.take(2).await;
    assert_eq!(told[0].data["sourceIp"], "192.0.2.2");
    // By what they read of a tenant with much: nothing of the others', whatever place is asked for.
    let stranger = world.api_of(&umbrella);
    for last in ["0", before.as_deref().expect("a place")] {
        let mut events = Events::open(&stranger, "types=alert", Some(last)).await;
        let told = events.take(1).await;
        assert_eq!(told[0].data["sourceIp"], "192.0.2.2");
        events.silent(300).await;
    }
}

/// Takes the head of the answer and nothing more.
async fn sit(api: &Api) -> reqwest::Response {
    let call = api.request("GET", "/api/events?types=alert&lastEventId=0");
    let response = call.timeout(wait::secs(300)).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_cut_and_costs_no_memory() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let api = world.api();
    let long = "x".repeat(20_000);
    for part in 0..12 {
        let items: Vec<_> = (0..100)
            .map(|n| {
                let mut item = undecided(&address(part * 100 + n));
                item["message"] = long.clone().into();
                item
            })
            .collect();
        machine.push_ok(world.server(), &items).await;
    }
    let mut reader = Events::open(&api, "types=alert", Some("0")).await;
    assert_eq!(reader.take(1200).await.len(), 1200, "24 MB to who reads");
    let before = world.server().resident();
    let mut sitters = Vec::new();
    for _ in 0..4 {
        sitters.push(sit(&api).await);
    }
    tokio::time::sleep(wait::secs(3)).await;
    let grown = world.server().resident().saturating_sub(before);
    assert!(grown < 40 << 20, "{} MiB for who does not read", grown >> 20);
    // After half a minute without progress its connection goes, and its place with it.
    let two_are_free = || async {
        let mut free = 0;
        for _ in 0..2 {
            let events = Events::try_open(&api, "types=decision", None).await;
            free += usize::from(events.is_ok());
        }
        free == 2
    };
    let mut quiet = Vec::new();
    for _ in 0..15 {
        quiet.push(Events::open(&api, "types=decision", None).await);
    }
    api.get("/api/events").await.expect(429);
    wait::until_true("places are free again", wait::secs(120), two_are_free).await;
    drop(sitters);
    let next = reader.next(Duration::from_millis(300)).await;
    assert!(!matches!(next, Next::Ended), "who reads is not cut");
}
