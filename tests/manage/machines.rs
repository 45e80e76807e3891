//! `GET /api/machines`, health, and what operating needs.
use crate::support::http::Api;
use crate::support::machine::{signal, undecided};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_show_login_version_count_and_last_seen() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (mine, theirs) = (world.machine("default").await, world.machine("acme").await);
    mine.push_ok(
        world.server(),
        &[signal("192.0.2.1"), undecided("192.0.2.2"), signal("192.0.2.3")],
    )
    .await;
    theirs.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    for (api, machine, n) in [(world.api(), &mine, 3), (world.api_of(&acme), &theirs, 1)] {
        let what = format!("the machine with its {n} alerts, 1.7.8, seen just now");
        wait::until_true(&what, wait::secs(10), || async {
            let all = api.get("/api/machines").await.expect(200).json();
            let all = all.as_array().cloned().expect("an array");
            assert_eq!(all.len(), 1, "one's own and no other: {all:?}");
            assert_eq!(all[0]["login"], *machine.login);
            assert!(!all[0].to_string().contains(&machine.password), "no secrets");
            let seen = all[0]["lastSeenAt"]
                .as_str()
                .and_then(|t| t.parse::<jiff::Timestamp>().ok());
            let recent = seen.is_some_and(|t| (jiff::Timestamp::now() - t).get_seconds().abs() < 120);
            let version = all[0]["version"].as_str().is_some_and(|v| v.contains("1.7.8"));
            recent && version && all[0]["lastDay"]["stored"] == json!(n)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_readiness_metrics_and_documents_need_no_credential() {
    let world = World::start().await;
    let api = Api::new(world.server().url(), None);
    let health = api.get("/health").await.expect(200).json();
    assert_eq!(health["status"], "ok");
    health["timestamp"]
        .as_str()
        .expect("timestamp")
        .parse::<jiff::Timestamp>()
        .expect("ISO 8601");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        api.get(path).await.expect(200);
    }
    let docs = api.get("/docs").await;
    let docs = if docs.status == 200 {
        docs
    } else {
        api.get(&docs.header("location").expect("a redirect"))
            .await
            .expect(200)
    };
    let html = docs.text();
    let outside = regex::Regex::new(r#"(src|href)\s*=\s*["']?(https?:)?//"#).expect("pattern");
    assert!(!outside.is_match(&html), "the page loads from elsewhere: {html}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_item_ends_in_exactly_one_outcome_in_the_metrics() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let kept = [signal("192.0.2.1"), undecided("192.0.2.2")];
    machine.push_ok(world.server(), &kept).await;
    machine.push_ok(world.server(), &kept).await;
    machine
        .push(world.server(), &[signal("192.0.2.3"), json!({}), json!(7)])
        .await
        .expect(200);
    let metrics = Api::new(world.server().url(), None)
        .get("/metrics")
        .await
        .expect(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let sum = |word: &str| -> f64 {
        let label = format!("outcome=\"{word}\"");
        let family = |l: &&str| l.starts_with("garrison_signals_total{") && l.contains(&label);
        let lines = metrics.lines().filter(family);
        lines
            .filter_map(|l| l.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    };
    let received = metrics
        .lines()
        .find(|l| l.starts_with("garrison_signals_received_total"))
        .unwrap_or_default();
    assert!(received.ends_with(" 7"), "received: {received}");
    // received = stored + duplicate + rejected
    assert_eq!(
        (sum("stored"), sum("duplicate"), sum("rejected")),
        (3.0, 2.0, 2.0),
        "{metrics}"
    );
    assert!(!metrics.contains(&machine.login), "no tenant's text in labels");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_and_ends_with_zero() {
    let mut world = World::start().await;
    let machine = world.machine("default").await;
    let mut pushes = tokio::task::JoinSet::new();
    let at = world.server().address;
    for _ in 0..20 {
        let machine = machine.clone();
        let items: Vec<Value> = (0..50).map(|_| signal("192.0.2.1")).collect();
        pushes.spawn(async move { machine.push_to(at, "/v3/signals", &items).await.status });
    }
    // the first answer is there: the others are on their way
    let first = pushes.join_next().await.expect("one").expect("answered");
    world.server().terminate();
    let mut acknowledged = usize::from(first == 200) * 50;
    while let Some(done) = pushes.join_next().await {
        // a request that came too late may find the door shut, one that was heard is answered
        acknowledged += usize::from(done.is_ok_and(|s| s == 200)) * 50;
    }
    let code = world.servers[0].ended(wait::secs(30)).await;
    assert_eq!(code, Some(0), "exit code after SIGTERM");
    world.servers.clear();
    world.add_server().await;
    let api = world.server().api(Some(&world.read_admin_token()));
    let stored = world.alerts(&api, "").await.len();
    assert!(
        stored >= acknowledged,
        "{acknowledged} acknowledged, {stored} stored"
    );
    world.wait_alerts(&api, "forwardedToCapi=true", stored, 30).await;
}
