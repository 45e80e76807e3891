//! Logins, tokens, and what passes through to CAPI.
use crate::support::capi_rule::{Act, Rule};
use crate::support::http::send;
use crate::support::machine::{Machine, address, new_uuid, signal, uuid_of};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_login_hands_back_capis_own_token_untouched() {
    let world = World::start().await;
    world
        .capi
        .claims(json!({"organization_id": "org-1", "subscription_type": "ENTERPRISE"}));
    let mut machine = Machine::stranger();
    machine.login(world.server()).await;
    // a console-enrolled engine reads the claims of this very token; CAPI knows it
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    let answer = send(machine.call(world.server().address, "GET", "/v3/decisions/stream?startup=true")).await;
    assert_eq!(answer.expect(200).json()["links"], json!({"blocklists": []}));
    let seen = world.capi.at("/decisions/stream").pop().expect("relayed");
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {}", machine.token).as_str())
    );
    assert_eq!(
        seen.login.as_deref(),
        Some(machine.login.as_str()),
        "CAPI gave this token"
    );
    assert_eq!(
        world.wait_alerts(&world.api(), "", 1, 5).await.len(),
        1,
        "it landed in the default tenant"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_capi_refuses_is_refused_and_nothing_it_sends_is_heard() {
    let world = World::start().await;
    world.capi.strict();
    let mut machine = Machine::stranger();
    let answer = machine.try_login(world.server().address).await;
    assert!(
        matches!(answer.status, 401 | 403),
        "CAPI's refusal is passed on: {}",
        answer.text()
    );
    assert!(
        answer.json()["message"].is_string(),
        "with a message: {}",
        answer.text()
    );
    for token in ["", "x", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", machine.login.as_str()] {
        machine.token = token.into();
        let answer = machine
            .push(world.server(), &[signal("192.0.2.1")])
            .await
            .expect(401);
        assert!(
            answer.json()["message"].is_string(),
            "401 with a message: {}",
            answer.text()
        );
    }
    assert!(world.alerts(&world.api(), "").await.is_empty());
    assert!(world.capi.at("/signals").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_capi_is_away_strangers_get_503_and_known_machines_our_own_token() {
    let mut world = World::start().await;
    let mut known = Machine::stranger();
    known.login(world.server()).await;
    let upstream = known.token.clone();
    world.capi.close();

    let answer = Machine::stranger()
        .try_login(world.server().address)
        .await
        .expect(503);
    assert!(
        answer.json()["message"].is_string(),
        "503 with a message: {}",
        answer.text()
    );
    let mut wrong = Machine::new(&known.login, "not its password");
    let answer = wrong.try_login(world.server().address).await;
    assert!(
        matches!(answer.status, 401 | 403 | 503),
        "a wrong password: {} {}",
        answer.status,
        answer.text()
    );

    // the password that CAPI accepted before is enough; both tokens are heard
    known.login(world.server()).await;
    assert_ne!(known.token, upstream, "CAPI is away: the token can only be ours");
    known.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    known.token = upstream;
    known.push_ok(world.server(), &[signal("192.0.2.2")]).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=false", 2, 5)
        .await;

    // and delivery resumes by itself
    world.capi.open();
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 2, 40)
        .await;
    assert!(world.capi.delivered().values().all(|n| *n == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issued_machine_needs_no_capi_and_is_registered_there_for_delivery() {
    let mut world = World::start().await;
    world.capi.strict();
    world.capi.close();
    let machine = world.machine("default").await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world.capi.open();
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 1, 40)
        .await;
    let register = world.capi.at("/watchers");
    assert!(!register.is_empty(), "it was registered at CAPI first");
    let logins = world.capi.at("/watchers/login");
    assert!(logins.iter().any(|l| l.status == Some(200)), "and logged in");
    assert!(logins.len() <= 3, "within the login budget: {}", logins.len());
    assert!(
        world
            .capi
            .at("/signals")
            .iter()
            .all(|s| s.header("authorization") != Some(&machine.token))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_capi_forgot_is_renewed_by_the_forwarder_within_the_login_budget() {
    let world = World::start().await;
    let mut machine = Machine::stranger();
    machine.login(world.server()).await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 1, 20)
        .await;
    world.capi.expire_tokens();
    for n in 2..8 {
        machine.push_ok(world.server(), &[signal(&address(n))]).await;
    }
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 7, 40)
        .await;
    let logins = world.capi.at("/watchers/login").len();
    assert!(logins <= 3, "one login of its own, and one renewal: {logins}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_is_served_stale_with_its_age_while_capi_is_down() {
    let mut world = World::start().await;
    let body = json!({"new": [{"scenario": "lists:x", "scope": "ip",
        "decisions": [{"value": "192.0.2.9", "duration": "24h"}]}], "deleted": [], "links": {"blocklists": []}});
    world.capi.stream(body.clone());
    let mut machine = Machine::stranger();
    machine.login(world.server()).await;
    let at = world.server().address;
    let pull = || send(machine.call(at, "GET", "/v3/decisions/stream?startup=true"));
    let fresh = pull().await.expect(200);
    assert_eq!(fresh.json(), body);
    world.capi.close();
    let stale = wait::until("a stale answer", wait::secs(15), || async {
        let answer = pull().await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(stale.json(), body);
    assert!(
        stale.header("age").is_some_and(|a| a.parse::<u64>().is_ok()),
        "Age: {:?}",
        stale.headers
    );
    world.capi.open();
    world
        .capi
        .stream(json!({"new": [], "deleted": [], "links": {"blocklists": []}}));
    wait::until_true("fresh again by itself", wait::secs(20), || async {
        pull().await.json()["new"] == json!([])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_allowed_headers_reach_capi_and_unknown_routes_are_404() {
    let world = World::start().await;
    let mut machine = Machine::stranger();
    machine.login(world.server()).await;
    let at = world.server().address;
    let call = machine
        .call(at, "POST", "/v3/metrics/")
        .header("cookie", "csm_auth=secret");
    let call = call
        .header("x-api-key", "secret")
        .header("x-forwarded-for", "192.0.2.1")
        .json(&json!({"a": 1}));
    send(call).await.expect(200);
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 1, 20)
        .await;
    for seen in world.capi.seen() {
        for name in ["cookie", "x-api-key", "x-forwarded-for", "proxy-authorization"] {
            assert_eq!(seen.header(name), None, "{name} at {}", seen.target);
        }
        assert!(!format!("{:?}", seen.headers).contains("secret"));
    }
    // other CAPI routes that clients use
    let other = [
        (
            "POST",
            "/v3/usage-metrics",
            json!({"remediation_components": [], "log_processors": []}),
        ),
        ("POST", "/v3/decisions/delete", json!([new_uuid()])),
        ("POST", "/v3/decisions/sync", json!([])),
        (
            "POST",
            "/v3/watchers/enroll",
            json!({"attachment_key": "clabkey0123456789", "name": "x", "tags": []}),
        ),
    ];
    for (method, path, body) in other {
        let answer = send(machine.call(at, method, path).json(&body)).await;
        assert!(
            (200..300).contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        let seen = world
            .capi
            .at(path)
            .pop()
            .unwrap_or_else(|| panic!("{path} is not relayed"));
        assert_eq!((seen.body, seen.method.as_str()), (body, method), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capis_refusals_and_outages_are_never_relayed_on_signals() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    for status in [400, 401, 403, 404, 413, 422, 429, 500, 503] {
        world.capi.rules(vec![Rule::status("/signals", status)]);
        machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    }
    world.capi.rules(vec![Rule::on("/signals", Act::Reset)]);
    let last = signal("192.0.2.2");
    machine.push_ok(world.server(), std::slice::from_ref(&last)).await;
    let stored = world.wait_alerts(&world.api(), "", 10, 5).await;
    assert!(stored.iter().any(|a| uuid_of(a) == uuid_of(&last)));
    assert!(
        stored
            .iter()
            .all(|a| a["forwardedToCapi"] == json!(false) && a["forwardedAt"] == Value::Null)
    );
}
