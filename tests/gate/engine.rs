//! Debian's own CrowdSec 1.4.6 against the gate, in front of a recording CAPI.
use crate::support::capi::{Capi, key};
use crate::support::engine::Engine;
use crate::support::machine::Machine;
use crate::support::world::{World, rule};
use crate::support::{fixtures, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the test's own rule filters: 1.4.6 sends no decisions, so the shipped rules would filter all.
fn is_filtered(scenario: &str) -> bool {
    scenario.contains("http")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debian_engine_logs_in_pulls_pushes_and_only_the_unfiltered_reach_capi_once() {
    let world = World::start().await;
    let api = world.api();
    world
        .set_rules(
            &api,
            &[rule("no web noise", "scenario", "contains", json!("http"))],
        )
        .await;
    let engine = Engine::start(&world.gate_url(), &Machine::stranger()).await;
    let alerts = fixtures::list("alerts-driven.json");
    let pushed = alerts.iter().filter(|a| a["simulated"] != true).count();
    assert!(pushed > 100, "enough for three batches");
    engine.post_alerts(&alerts).await;

    // the push timer: 15 to 45 s after the start
    let stored = world.wait_alerts(&api, "", pushed, 80).await;
    let own: Vec<Value> = engine
        .alerts()
        .await
        .into_iter()
        .filter(|a| a["simulated"] != true)
        .collect();
    assert_same_alerts(&own, &stored);
    for alert in &stored {
        let scenario = alert["scenario"].as_str().expect("scenario");
        assert_eq!(alert["filtered"], is_filtered(scenario), "verdict of {scenario}");
        assert_eq!(
            alert["filterReasons"].is_string(),
            is_filtered(scenario),
            "reasons of {scenario}"
        );
        assert_eq!(alert["hasDecisions"], false, "1.4.6 sends no decisions");
        assert_eq!(
            alert["machineId"], "lab-watcher",
            "the agent's name within the engine"
        );
    }
    assert_seen_by_capi(&world.capi, &engine).await;
    assert_listed(&world, &engine.login, pushed).await;

    // exactly the unfiltered, once each, and nothing more afterwards
    let passing = stored.iter().filter(|a| a["filtered"] == false).count();
    assert!(
        passing > 20 && passing < pushed,
        "both verdicts occur: {passing} of {pushed}"
    );
    world.wait_alerts(&api, "forwardedToCapi=true", passing, 30).await;
    let once = || async {
        let delivered = world.capi.delivered();
        delivered.len() == passing && delivered.values().all(|n| *n == 1)
    };
    wait::holds("exactly the unfiltered at CAPI, once", wait::secs(2), once).await;
    for item in world.capi.delivered_items() {
        assert!(
            !is_filtered(item["scenario"].as_str().expect("scenario")),
            "filtered, yet sent: {item}"
        );
    }
    for alert in world.alerts(&api, "filtered=true").await {
        assert_eq!(
            (&alert["forwardedToCapi"], &alert["forwardedAt"]),
            (&json!(false), &Value::Null)
        );
    }
    assert!(world.capi.largest_batch() <= 50, "CAPI takes 50 a request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cscli_console_enroll_with_our_key_moves_the_engine_to_the_tenant() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let engine = Engine::start(&world.gate_url(), &Machine::stranger()).await;
    let (ok, said) = engine.cscli(&["capi", "status"]).await;
    assert!(ok && said.contains("successfully"), "cscli capi status: {said}");

    let key = &tenant.enrollment_key;
    let (ok, said) = engine
        .cscli(&["console", "enroll", key, "--name", "web-1", "--tags", "lab"])
        .await;
    assert!(ok, "cscli console enroll: {said}");
    let machines = world
        .cli
        .json(&["machine", "list", "--tenant", "acme"])
        .await
        .to_string();
    assert!(
        machines.contains(&engine.login),
        "not in the tenant after enrolment: {machines}"
    );
    let default = world
        .cli
        .json(&["machine", "list", "--tenant", "default"])
        .await
        .to_string();
    assert!(
        !default.contains(&engine.login),
        "still in the default tenant too: {default}"
    );
    let seen = world.capi.seen();
    assert!(
        !seen.iter().any(|s| s.body.to_string().contains(key)),
        "our key went to CAPI"
    );

    // what it pushes from now on is the tenant's
    let alerts: Vec<Value> = fixtures::list("alerts-driven.json")
        .into_iter()
        .take(20)
        .collect();
    engine.post_alerts(&alerts).await;
    world
        .wait_alerts(&world.api_of(&tenant), "", alerts.len(), 80)
        .await;
    assert!(
        world.alerts(&world.api(), "").await.is_empty(),
        "the default tenant sees them"
    );
}

/// Every alert of the engine's own list is stored with the same fields, and nothing else is.
fn assert_same_alerts(own: &[Value], stored: &[Value]) {
    let index = |list: &[BTreeMap<&'static str, String>]| {
        let mut sorted = list.to_vec();
        sorted.sort();
        sorted
    };
    let own: Vec<_> = own
        .iter()
        .map(|a| {
            facts(
                a,
                &a["source"],
                "scenario_hash",
                "scenario_version",
                "start_at",
                "stop_at",
            )
        })
        .collect();
    let ours: Vec<_> = stored
        .iter()
        .map(|a| {
            let source = json!({"scope": a["sourceScope"], "value": a["sourceValue"], "ip": a["sourceIp"],
                "range": a["sourceRange"], "as_number": a["sourceAsNumber"], "as_name": a["sourceAsName"],
                "cn": a["sourceCn"]});
            facts(a, &source, "scenarioHash", "scenarioVersion", "startAt", "stopAt")
        })
        .collect();
    for (engine, gate) in index(&own).iter().zip(index(&ours).iter()) {
        assert_eq!(engine, gate, "the engine's own alert, and ours");
    }
    assert_eq!(own.len(), ours.len());
}

fn facts(
    alert: &Value,
    source: &Value,
    hash: &str,
    version: &str,
    start: &str,
    stop: &str,
) -> BTreeMap<&'static str, String> {
    let said = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut facts = BTreeMap::new();
    facts.insert("a message", said(&alert["message"]));
    facts.insert("b scenario", said(&alert["scenario"]));
    facts.insert("hash", said(&alert[hash]));
    facts.insert("version", said(&alert[version]));
    facts.insert("start", instant(&alert[start]));
    facts.insert("stop", instant(&alert[stop]));
    for name in ["scope", "range", "as_number", "as_name", "cn"] {
        facts.insert(name, said(&source[name]));
    }
    // sourceValue as sent; sourceIp is an address or nothing
    facts.insert("value", said(&source["value"]));
    let ip = said(&source["ip"]);
    facts.insert(
        "ip",
        ip.parse::<std::net::IpAddr>()
            .map(|a| a.to_string())
            .unwrap_or_default(),
    );
    facts
}

/// 1.4.6 prints `2026-11-21 20:08:42 +0000 UTC`, we RFC 3339: the same second.
fn instant(value: &Value) -> String {
    let said = value.as_str().unwrap_or_default();
    if let Ok(at) = said.parse::<jiff::Timestamp>() {
        return at.as_second().to_string();
    }
    let go = said.trim_end_matches(" UTC");
    let at = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S%.f %z", go).and_then(|t| t.to_timestamp());
    at.unwrap_or_else(|e| panic!("time `{said}`: {e}"))
        .as_second()
        .to_string()
}

async fn assert_seen_by_capi(capi: &Capi, engine: &Engine) {
    let logins = capi.at("/watchers/login");
    let first = logins.first().expect("a login is relayed");
    assert_eq!(
        (first.path.as_str(), &first.body["machine_id"]),
        ("/v2/watchers/login", &json!(engine.login))
    );
    let agent = first.header("user-agent").unwrap_or_default();
    assert!(
        agent.starts_with("crowdsec/v1.4.6"),
        "User-Agent at CAPI: {agent}"
    );
    wait::until_true("the pull reaches CAPI", wait::secs(30), || async {
        capi.at("/decisions/stream")
            .iter()
            .any(|s| s.status == Some(200) && s.target.contains("startup=true"))
    })
    .await;
    let metrics = capi.at("/metrics");
    assert!(
        metrics.iter().any(|s| s.status == Some(200)),
        "the metrics reach CAPI: {}",
        metrics.len()
    );
    for seen in capi.seen() {
        let login = seen.login.clone();
        assert!(
            login.is_none_or(|l| l == engine.login),
            "another machine's token at CAPI: {}",
            seen.target
        );
    }
    assert_eq!(
        capi.delivered_items()
            .iter()
            .filter(|i| key(i).is_empty())
            .count(),
        0
    );
}

/// `GET /api/machines` shows the engine by its CAPI login, with its version and the count.
async fn assert_listed(world: &World, login: &str, pushed: usize) {
    let all = world.api().get("/api/machines").await.expect(200).json();
    let all = all
        .as_array()
        .cloned()
        .unwrap_or_else(|| panic!("no list: {all}"));
    let mine: Vec<_> = all.iter().filter(|m| m["login"] == *login).collect();
    assert_eq!(mine.len(), 1, "the engine is listed once: {all:?}");
    let version = mine[0]["version"].as_str().unwrap_or_default();
    assert!(version.contains("1.4.6"), "with its version: {}", mine[0]);
    assert_eq!(
        mine[0]["lastDay"]["stored"],
        json!(pushed),
        "with its alerts: {}",
        mine[0]
    );
}
