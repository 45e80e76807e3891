//! The acceptance tests of the contract that the known system fails (gate-api, at its end).
//! Numbers 3, 8 and 9 concern replication, statistics and analyzers, which are other slices.
use crate::support::capi_rule::{Act, Rule};
use crate::support::http::send;
use crate::support::machine::{Machine, address, signal, undecided, uuid_of};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// 1. Two overlapping batches, one all filtered, one all passing: the flags of each row are right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a01_overlapping_batches_keep_each_rows_own_flags() {
    let world = World::with(2, &[]).await;
    world
        .capi
        .rules(vec![Rule::slow("/signals", Duration::from_millis(30))]);
    let (one, two) = (world.machine("default").await, world.machine("default").await);
    let mut expected = 0;
    let mut pushes = tokio::task::JoinSet::new();
    for round in 0..12u32 {
        for (machine, passing) in [(&one, true), (&two, false), (&one, false), (&two, true)] {
            let make = |i: u32| {
                let ip = address(round * 1000 + i);
                if passing { signal(&ip) } else { undecided(&ip) }
            };
            let items: Vec<Value> = (0..20).map(make).collect();
            let at = world.servers[(round % 2) as usize].address;
            expected += items.len();
            let machine = machine.clone();
            pushes.spawn(async move { push_until_taken(&machine, at, &items).await });
        }
    }
    while let Some(done) = pushes.join_next().await {
        done.expect("a push");
    }
    let api = world.api();
    world.wait_alerts(&api, "", expected, 10).await;
    let sent = world
        .wait_alerts(&api, "forwardedToCapi=true", expected / 2, 40)
        .await;
    let kept = world
        .wait_alerts(&api, "forwardedToCapi=false", expected / 2, 5)
        .await;
    assert!(
        sent.iter()
            .all(|a| a["hasDecisions"] == true && a["filtered"] == false && a["forwardedAt"].is_string())
    );
    assert!(
        kept.iter()
            .all(|a| a["hasDecisions"] == false && a["filtered"] == true && a["forwardedAt"].is_null())
    );
    assert!(
        kept.iter()
            .all(|a| a["filterReasons"].as_str().is_some_and(|r| r.starts_with('[')))
    );
    let delivered: BTreeSet<String> = world.capi.delivered().into_keys().collect();
    assert_eq!(delivered, sent.iter().map(uuid_of).collect::<BTreeSet<_>>());
}

/// 48 batches at once are more than a busy build machine stores within an engine's patience: 503 says "not stored, send
/// again", which is what this does.
async fn push_until_taken(machine: &Machine, at: std::net::SocketAddr, items: &[Value]) {
    for _ in 0..5 {
        let answer = machine.push_to(at, "/v3/signals", items).await;
        if answer.status != 503 {
            answer.expect(200);
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("a batch was refused five times");
}

/// 2. CAPI answers 500: the row is not marked forwarded; it is delivered later, exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a02_a_capi_error_marks_nothing_and_is_made_good_later_once() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    world.capi.rules(vec![Rule::status("/signals", 500)]);
    let items: Vec<Value> = (1..=5).map(|n| signal(&address(n))).collect();
    let answer = machine.push_ok(world.server(), &items).await;
    assert!(
        answer.took < wait::secs(2),
        "acknowledged at once: {:?}",
        answer.took
    );
    wait::until_true("a try at CAPI", wait::secs(15), || async {
        !world.capi.at("/signals").is_empty()
    })
    .await;
    let unmarked = || async { world.alerts(&world.api(), "forwardedToCapi=false").await.len() == 5 };
    wait::holds("nothing is marked by a 500", wait::secs(1), unmarked).await;

    world.capi.rules(Vec::new());
    let sent = world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 5, 40)
        .await;
    for alert in &sent {
        let at = alert["forwardedAt"]
            .as_str()
            .expect("forwardedAt")
            .parse::<jiff::Timestamp>()
            .expect("a time");
        assert!(
            at >= alert["receivedAt"]
                .as_str()
                .expect("receivedAt")
                .parse()
                .expect("a time")
        );
    }
    let once =
        || async { world.capi.delivered().len() == 5 && world.capi.delivered().values().all(|n| *n == 1) };
    wait::holds("delivered exactly once", wait::secs(1), once).await;
}

/// 4. `/v3/signals/` and `/v3/signal%73` get the same treatment as `/v3/signals`, or none at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a04_another_spelling_of_the_path_is_no_way_round_the_filters() {
    let world = World::start().await;
    let mut machine = Machine::stranger();
    machine.login(world.server()).await;
    let paths = [
        "/v3/signals/",
        "/v3/signal%73",
        "/v3//signals",
        "/V3/signals",
        "/v3/Signals",
        "/v2/signals/",
    ];
    for (n, path) in (1u32..).zip(paths) {
        let items = [signal(&address(n)), undecided(&address(n))];
        let answer = machine.push_to(world.server().address, path, &items).await;
        let stored = world.alerts(&world.api(), &format!("ip={}", address(n))).await;
        match answer.status {
            404 => assert!(stored.is_empty(), "{path}: 404, yet stored"),
            200 => assert_eq!(
                stored.iter().filter(|a| a["filtered"] == true).count(),
                1,
                "{path}: unfiltered"
            ),
            other => panic!("{path}: {other} {}", answer.text()),
        }
    }
    let first = signal("192.0.2.250");
    machine
        .push_ok(world.server(), &[first, undecided("192.0.2.251")])
        .await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true&ip=192.0.2.250", 1, 20)
        .await;
    for seen in world.capi.seen() {
        assert!(
            !seen.path.contains("ignal") || seen.path == "/v3/signals",
            "went round: {}",
            seen.target
        );
        assert!(
            seen.items().iter().all(|i| i["decisions"].is_array()),
            "a filtered one reached CAPI"
        );
    }
}

/// 5. A batch with one broken alert: the others are accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_one_broken_alert_leaves_the_others_alone() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let mut broken = signal("192.0.2.2");
    broken.as_object_mut().expect("object").remove("source");
    let items = [signal("192.0.2.1"), broken, signal("192.0.2.3")];
    let answer = machine.push(world.server(), &items).await.expect(200).json();
    assert_eq!(answer["message"], "OK");
    let rejected = answer["rejected"].as_array().expect("rejected");
    assert_eq!(
        (rejected.len(), &rejected[0]["index"]),
        (1, &json!(1)),
        "{answer}"
    );
    assert!(
        rejected[0]["field"]
            .as_str()
            .is_some_and(|f| f.contains("source")),
        "names the field: {answer}"
    );
    assert!(
        rejected[0]["reason"].as_str().is_some_and(|r| !r.is_empty()),
        "gives the reason: {answer}"
    );
    let stored = world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 2, 20)
        .await;
    let uuids: BTreeSet<String> = stored.iter().map(uuid_of).collect();
    assert_eq!(uuids, BTreeSet::from([uuid_of(&items[0]), uuid_of(&items[2])]));

    // every item broken: 422, and nothing stored
    let answer = machine
        .push(world.server(), &[json!({}), json!(7), json!("x"), Value::Null])
        .await
        .expect(422)
        .json();
    assert!(
        answer["message"].is_string() && answer["rejected"].as_array().is_some_and(|r| r.len() == 4),
        "{answer}"
    );
    assert_eq!(world.alerts(&world.api(), "").await.len(), 2);
}

/// 6. The same uuid from two tenants: two rows. Twice in one tenant: one row, one delivery.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_a_uuid_is_one_alert_a_tenant() {
    let world = World::with(2, &[]).await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let (a, b) = (world.machine("acme").await, world.machine("umbrella").await);
    let item = signal("192.0.2.1");
    // in one batch, in two batches, at two replicas at once, and from the other tenant
    let doubled = [item.clone(), item.clone()];
    let (at0, at1) = (world.servers[0].address, world.servers[1].address);
    let one = std::slice::from_ref(&item);
    let answers = tokio::join!(
        a.push_to(at0, "/v3/signals", &doubled),
        a.push_to(at1, "/v3/signals", one),
        a.push_to(at0, "/v3/signals", one),
        b.push_to(at1, "/v3/signals", one),
    );
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.expect(200).json(), json!({"message": "OK"}));
    }
    for tenant in [&acme, &umbrella] {
        let rows = world
            .wait_alerts(&world.api_of(tenant), "forwardedToCapi=true", 1, 30)
            .await;
        assert_eq!(uuid_of(&rows[0]), uuid_of(&item), "{}", tenant.name);
        assert_eq!(
            world.alerts(&world.api_of(tenant), "").await.len(),
            1,
            "{}",
            tenant.name
        );
    }
    a.push_ok(world.server(), one).await;
    let twice = || async { world.capi.delivered().values().sum::<usize>() == 2 };
    wait::holds("one delivery a tenant", wait::secs(2), twice).await;
}

/// 7. Forwarding disabled, by the file alone or by the environment: nothing at all is sent to CAPI.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_forwarding_disabled_in_the_file_only_sends_nothing() {
    // our own key, and the one that CrowdSieve's files have
    for key in ["capi", "proxy"] {
        let dir = crate::support::Scratch::new("config");
        let file = dir.join("garrison.yaml");
        std::fs::write(&file, format!("{key}:\n  forward_enabled: false\n")).expect("config file");
        let world = World::with(1, &[("GARRISON_CONFIG", &file.display().to_string())]).await;
        assert_nothing_is_sent(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_forwarding_disabled_in_the_environment_sends_nothing() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    assert_nothing_is_sent(&world).await;
}

async fn assert_nothing_is_sent(world: &World) {
    let machine = world.machine("default").await;
    let answer = machine
        .push(world.server(), &[signal("192.0.2.1"), undecided("192.0.2.2")])
        .await
        .expect(200);
    assert!(
        answer.json()["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("OK")),
        "{}",
        answer.text()
    );
    let at = world.server().address;
    for (method, path) in [
        ("GET", "/v3/decisions/stream?startup=true"),
        ("POST", "/v3/metrics/"),
        ("POST", "/v3/usage-metrics"),
        ("POST", "/v3/decisions/delete"),
    ] {
        let body = if path.ends_with("delete") {
            json!([])
        } else {
            json!({})
        };
        let call = machine.call(at, method, path);
        let answer = send(if method == "POST" { call.json(&body) } else { call }).await;
        assert!(
            (200..300).contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    // a login that only CAPI could judge
    let answer = Machine::stranger().try_login(at).await;
    assert!(
        answer.status == 503 || answer.status == 401,
        "stranger: {} {}",
        answer.status,
        answer.text()
    );
    let stored = world.wait_alerts(&world.api(), "", 2, 5).await;
    assert!(stored.iter().all(|a| a["forwardedToCapi"] == json!(false)));
    let silent = || async { world.capi.seen().is_empty() };
    wait::holds("nothing at CAPI", wait::secs(3), silent).await;
}

/// 10. A forged session cookie is worth nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_a_forged_cookie_is_401() {
    let world = World::start().await;
    let api = world.api().with(None);
    for cookie in [
        "csm_auth=x",
        "crowdsieve-session=x",
        "csm_auth=",
        "csm_auth=eyJhbGciOiJub25lIn0.e30.",
    ] {
        send(api.request("GET", "/api/alerts").header("cookie", cookie))
            .await
            .expect(401);
        let call = api
            .request("POST", "/api/filters")
            .header("cookie", cookie)
            .json(&json!({}));
        send(call).await.expect(401);
    }
}

/// An answer lost after CAPI took the batch: it is sent again with the same uuids, and marked once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_lost_on_the_way_is_repeated_with_the_same_uuids() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    world
        .capi
        .rules(vec![Rule::on("/signals", Act::AcceptThenReset).times(1)]);
    let items: Vec<Value> = (1..=3).map(|n| signal(&address(n))).collect();
    machine.push_ok(world.server(), &items).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 3, 40)
        .await;
    let delivered = world.capi.delivered();
    assert_eq!(
        delivered.keys().cloned().collect::<BTreeSet<_>>(),
        items.iter().map(uuid_of).collect()
    );
    assert!(
        delivered.values().all(|n| *n == 2),
        "at least once, the same key on every delivery: {delivered:?}"
    );
}
