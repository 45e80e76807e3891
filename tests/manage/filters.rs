//! Rules over the API: hot on every replica, versioned by tenant, tried before they count.
use crate::support::garrison::text;
use crate::support::machine::{address, signal, undecided};
use crate::support::wait;
use crate::support::world::{World, rule, rule_ids, rule_list};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_made_read_changed_and_removed() {
    let world = World::start().await;
    let api = world.api();
    let shipped = rule_list(&api.get("/api/filters").await.expect(200).json());
    assert!(
        shipped.iter().filter(|r| r["enabled"] == true).count() >= 2,
        "the shipped rules: {shipped:?}"
    );
    let made = api
        .post("/api/filters", &rule("mine", "scenario", "eq", json!("acme/x")))
        .await;
    assert!(matches!(made.status, 200 | 201), "{}", made.text());
    let id = text(&made.json(), "id");
    let path = format!("/api/filters/{id}");
    let got = api.get(&path).await.expect(200).json();
    assert_eq!((&got["name"], &got["enabled"]), (&json!("mine"), &json!(true)));
    assert_eq!(
        got["filter"],
        json!({"field": "scenario", "op": "eq", "value": "acme/x"})
    );
    let mut changed = rule("mine too", "scenario", "glob", json!("acme/*"));
    changed["enabled"] = json!(false);
    let put = api.put(&path, &changed).await;
    assert!((200..300).contains(&put.status), "PUT: {}", put.text());
    let got = api.get(&path).await.expect(200).json();
    assert_eq!(
        (&got["name"], &got["enabled"], &got["filter"]["op"]),
        (&json!("mine too"), &json!(false), &json!("glob"))
    );
    let bad = api
        .put(&path, &rule("mine", "scenario", "regex", json!("(")))
        .await;
    assert!((400..500).contains(&bad.status), "a bad change: {}", bad.text());
    assert_eq!(
        api.get(&path).await.json()["name"],
        "mine too",
        "a refused change changes nothing"
    );
    let gone = api.delete(&path).await;
    assert!((200..300).contains(&gone.status), "DELETE: {}", gone.text());
    api.get(&path).await.expect(404);
    api.delete(&path).await.expect(404);
    assert_eq!(
        rule_ids(&api.get("/api/filters").await.json()).len(),
        shipped.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_hot_on_every_replica_within_5_s_and_only_for_its_tenant() {
    let world = World::with(2, &[]).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let (a, b) = (world.machine("acme").await, world.machine("umbrella").await);
    let api = world.api_of(&acme);
    let mut n = 0;
    let mut verdict = async |replica: usize| {
        n += 1;
        let ip = address(n);
        let at = world.servers[replica].address;
        a.push_to(at, "/v3/signals", &[signal(&ip)]).await.expect(200);
        world.wait_alerts(&api, &format!("ip={ip}"), 1, 5).await[0]["filtered"] == true
    };
    // both replicas have judged once, and know the rules
    assert!(!verdict(0).await && !verdict(1).await);
    let made = api
        .post(
            "/api/filters",
            &rule("all ssh", "scenario", "contains", json!("ssh")),
        )
        .await;
    assert!((200..300).contains(&made.status), "{}", made.text());
    for (step, expected) in [("a new rule", true), ("allow mode turns it round", false)] {
        if !expected {
            let put = api.put("/api/filters", &json!({"mode": "allow"})).await;
            assert!((200..300).contains(&put.status), "{}", put.text());
        }
        let start = std::time::Instant::now();
        for replica in [1, 0] {
            while verdict(replica).await != expected {
                assert!(
                    start.elapsed() < wait::secs(6),
                    "{step}: not hot on replica {replica} within 5 s"
                );
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
    }
    b.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    let theirs = world.wait_alerts(&world.api_of(&umbrella), "", 1, 5).await;
    assert_eq!(
        theirs[0]["filtered"], false,
        "another tenant's rules and mode are untouched"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_judges_and_changes_nothing() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    machine
        .push_ok(world.server(), &[signal("192.0.2.1"), undecided("192.0.2.2")])
        .await;
    let api = world.api();
    let before = world.wait_alerts(&api, "forwardedToCapi=true", 1, 20).await;
    let body = json!({"signals": [signal("192.0.2.3"), undecided("192.0.2.4"), signal("10.0.0.1")]});
    let answer = api.post("/api/filters/test", &body).await.expect(200).json();
    let list = answer
        .as_array()
        .or_else(|| answer.as_object()?.values().find_map(Value::as_array))
        .expect("verdicts");
    let verdicts: Vec<_> = list.iter().map(|v| v["filtered"].clone()).collect();
    assert_eq!(verdicts, [json!(false), json!(true), json!(true)], "{answer}");
    for body in [
        json!({}),
        json!({"signals": 7}),
        json!([]),
        json!({"signals": [], "days": -1}),
        json!({"days": "x"}),
    ] {
        let answer = api.post("/api/filters/test", &body).await;
        assert!(answer.status < 500, "{body}: {} {}", answer.status, answer.text());
    }
    assert_eq!(world.alerts(&api, "").await.len(), 2, "a trial stores nothing");
    assert_eq!(world.alerts(&api, "forwardedToCapi=true").await, before);
}

/// As in CrowdSieve, a value of a type that its operator never meets is allowed and matches nothing; the answer says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_that_can_never_match_is_stored_with_a_warning() {
    let world = World::start().await;
    let api = world.api();
    for (op, value) in [
        ("regex", json!(7)),
        ("gt", json!("7")),
        ("cidr", json!("nonsense")),
    ] {
        let made = api.post("/api/filters", &rule(op, "message", op, value)).await;
        let made = made.expect(201);
        let warnings = made.json()["warnings"].as_array().unwrap().len();
        assert!(warnings > 0, "{op}: {}", made.text());
    }
    let good = api
        .post("/api/filters", &rule("good", "message", "regex", json!("a+")))
        .await
        .expect(201);
    assert_eq!(good.json()["warnings"], json!([]));
}
