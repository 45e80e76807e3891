//! Limits: what answers say of them, how refusals look, and that one tenant's crowd costs the others nothing.
use crate::support::garrison::text;
use crate::support::http::{Answer, Api};
use crate::support::machine::signal;
use crate::support::world::World;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn header(answer: &Answer, name: &str) -> String {
    answer
        .header(name)
        .unwrap_or_else(|| panic!("no {name} in an answer {}", answer.status))
}

fn seconds(answer: &Answer) -> u64 {
    header(answer, "retry-after").parse().expect("seconds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_says_what_is_left_and_a_refusal_when_to_come_again() {
    let quotas = [
        ("GARRISON_LIMITS_TOKEN_REQUESTS", "60"),
        ("GARRISON_LIMITS_TENANT_REQUESTS", "0"),
        ("GARRISON_LIMITS_BURST", "10s"),
    ];
    let world = World::with(1, &quotas).await;
    let api = world.api();
    let first = api.get("/api/machines").await.expect(200);
    assert_eq!(header(&first, "ratelimit-policy"), "\"token\";q=10;w=10");
    assert_eq!(header(&first, "ratelimit"), "\"token\";r=9;t=1");
    assert_eq!(header(&first, "ratelimit-limit"), "10");
    assert_eq!(header(&first, "ratelimit-remaining"), "9");
    assert_eq!(header(&first, "ratelimit-reset"), "1");
    // A request that is wrong is one, too; whoever is nobody, and what is nobody's, has no limit of this kind.
    let wrong = api.get("/api/alerts?limit=x").await.expect(400);
    assert_eq!(header(&wrong, "ratelimit-limit"), "10");
    let nobody = Api::new(world.server().url(), None);
    let stranger = nobody.get("/api/machines").await.expect(401);
    assert!(stranger.header("ratelimit").is_none());
    for _ in 0..30 {
        assert!(api.get("/health").await.expect(200).header("ratelimit").is_none());
    }
    let mut refused = api.get("/api/machines").await;
    for _ in 0..40 {
        if refused.status == 429 {
            break;
        }
        refused = api.get("/api/machines").await;
    }
    let problem = refused.expect(429);
    assert_eq!(header(&problem, "content-type"), "application/problem+json");
    assert_eq!(problem.json()["type"], "/problems/too-many-requests");
    assert_eq!(header(&problem, "ratelimit-remaining"), "0");
    let after = seconds(&problem);
    assert!((1..=2).contains(&after), "{after}");
    // Another token of the tenant is not concerned.
    let made = world
        .cli
        .json(&["token", "add", "--tenant", "default", "--scope", "read"])
        .await;
    let other = world.server().api(Some(&text(&made, "token")));
    other.get("/api/machines").await.expect(200);
    tokio::time::sleep(Duration::from_secs(after)).await;
    api.get("/api/machines").await.expect(200);
    let metrics = nobody.get("/metrics").await.expect(200).text();
    let counted = metrics.lines().any(|line| {
        line.starts_with("garrison_limited_total") && line.contains("read") && line.contains("quota")
    });
    assert!(counted, "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_wait_for_their_quota_before_they_are_refused() {
    let quotas = [
        ("GARRISON_FORWARD_ENABLED", "false"),
        ("GARRISON_LIMITS_MACHINE_ITEMS", "600"),
        ("GARRISON_LIMITS_BURST", "1s"),
    ];
    let world = World::with(1, &quotas).await;
    let (machine, other) = (world.machine("default").await, world.machine("default").await);
    let signals = |n: usize| (0..n).map(|_| signal("192.0.2.1")).collect::<Vec<Value>>();
    // A batch goes through as a whole: what it holds is known when it was read.
    let answer = machine.push(world.server(), &signals(25)).await.expect(200);
    assert!(header(&answer, "ratelimit").starts_with("\"machine-items\";r=0;"));
    let begun = Instant::now();
    machine.push(world.server(), &signals(100)).await.expect(200);
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(1000), "{waited:?}");
    // Ten seconds of debt are more than an engine waits.
    let begun = Instant::now();
    let refused = machine.push(world.server(), &signals(1)).await.expect(429);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(
        refused.json()["message"].is_string(),
        "CrowdSec's shape: {}",
        refused.text()
    );
    assert!((7..=11).contains(&seconds(&refused)), "{}", seconds(&refused));
    other.push(world.server(), &signals(5)).await.expect(200);
    // Its login is no signal.
    let mut again = machine;
    again.login(world.server()).await;
    assert_eq!(world.alerts(&world.api(), "").await.len(), 130);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_count_as_they_come() {
    let quotas = [
        ("GARRISON_FORWARD_ENABLED", "false"),
        ("GARRISON_LIMITS_TENANT_BYTES", "600000"),
        ("GARRISON_LIMITS_BURST", "1s"),
    ];
    let world = World::with(1, &quotas).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let large = json!({"name": "l", "description": "x".repeat(150_000)});
    world
        .api_of(&acme)
        .post("/api/allowlists", &large)
        .await
        .expect(400);
    let refused = world.api_of(&acme).get("/api/allowlists").await.expect(429);
    assert!((12..=16).contains(&seconds(&refused)), "{}", seconds(&refused));
    world.api_of(&umbrella).get("/api/allowlists").await.expect(200);
}

/// Whoever asks for LAPI servers waits, until this is dropped.
async fn locked(world: &World) -> tokio_postgres::Client {
    let client = world.db.client().await;
    client
        .batch_execute("BEGIN; LOCK TABLE lapi_server IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("locked");
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_one_tenant_waits_alone() {
    let places = [
        ("GARRISON_FORWARD_ENABLED", "false"),
        ("GARRISON_LIMITS_READS", "4"),
        ("GARRISON_LIMITS_READS_PER_TENANT", "2"),
    ];
    let world = World::with(1, &places).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let machine = world.machine("acme").await;
    let client = locked(&world).await;
    let (api, others) = (world.api_of(&acme), world.api_of(&umbrella));
    let stuck: Vec<_> = (0..2)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.get("/api/lapi-servers").await.status })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    let refused = api.get("/api/machines").await.expect(429);
    assert!(
        begun.elapsed() < Duration::from_millis(2500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(seconds(&refused), 1);
    others.get("/api/machines").await.expect(200);
    // What engines bring has places of its own, and so has what changes.
    machine
        .push(world.server(), &[signal("192.0.2.1")])
        .await
        .expect(200);
    api.post("/api/allowlists", &json!({"name": "l"}))
        .await
        .expect(201);
    drop(client);
    for answer in stuck {
        assert!(matches!(answer.await.expect("an answer"), 200 | 503));
    }
    api.get("/api/machines").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_has_the_time_of_its_class() {
    let few = [
        ("GARRISON_LIMITS_READ_TIMEOUT", "300ms"),
        ("GARRISON_DATABASE_POOL_SIZE", "2"),
    ];
    let world = World::with(1, &few).await;
    // Every connection knows the statement: to get to know it waits for the lock, too.
    for _ in 0..30 {
        world.api().get("/api/lapi-servers").await.expect(200);
        world.api().delete("/api/lapi-servers/x").await.expect(404);
    }
    let client = locked(&world).await;
    let begun = Instant::now();
    let answer = world.api().get("/api/lapi-servers").await.expect(503);
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?}");
    assert!(seconds(&answer) >= 1);
    // A change waits for a lock as long as ever.
    let begun = Instant::now();
    world.api().delete("/api/lapi-servers/x").await.expect(503);
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarter_of_the_connections_is_left_to_engines() {
    let pool = [
        ("GARRISON_DATABASE_POOL_SIZE", "4"),
        ("GARRISON_FORWARD_ENABLED", "false"),
    ];
    let world = World::with(1, &pool).await;
    let machine = world.machine("default").await;
    machine
        .push(world.server(), &[signal("192.0.2.1")])
        .await
        .expect(200);
    let client = locked(&world).await;
    // More than the pool has, and all of them wait for a lock.
    let stuck: Vec<_> = (0..12)
        .map(|_| {
            let api = world.api();
            tokio::spawn(async move { api.get("/api/lapi-servers/x").await.status })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..5 {
        let begun = Instant::now();
        machine
            .push(world.server(), &[signal("192.0.2.2")])
            .await
            .expect(200);
        assert!(
            begun.elapsed() < Duration::from_millis(1900),
            "{:?}",
            begun.elapsed()
        );
    }
    drop(client);
    for answer in stuck {
        answer.await.expect("an answer");
    }
}
