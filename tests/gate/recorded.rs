//! The recorded requests of real engines, byte for byte, with their headers.
use crate::support::capi::key;
use crate::support::fixtures::{self, Recorded, default_rules_filter};
use crate::support::http::{Answer, gunzip, send};
use crate::support::machine::uuid_of;
use crate::support::wait;
use crate::support::world::{World, rule};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Sends the recorded login and gives the token of the answer.
async fn log_in(world: &World, file: &str) -> String {
    let recorded = Recorded::load(file);
    let answer = send(recorded.call(&world.server().url(), None)).await.expect(200);
    answer.json()["token"].as_str().expect("token").to_owned()
}

fn assert_ok(answer: Answer) {
    assert_eq!(answer.clone().expect(200).json(), json!({"message": "OK"}));
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/json"), "content type {kind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_v3_bodies_of_1_7_8_gzip_byte_for_byte() {
    let world = World::start().await;
    let base = world.server().url();
    let token = log_in(&world, "v3-lapi-1.7.8/login-01.json").await;
    let mut sent: BTreeMap<String, Value> = BTreeMap::new();
    let files = Recorded::folder("v3-lapi-1.7.8", "signals-");
    assert!(
        files.iter().any(|f| f.gzip) && files.iter().any(|f| !f.gzip),
        "both kinds are recorded"
    );
    for file in &files {
        assert_ok(send(file.call(&base, Some(&token))).await);
        sent.extend(file.items().into_iter().map(|i| (uuid_of(&i), i)));
    }
    let zipped = files.iter().find(|f| f.gzip).expect("a gzip one");
    for n in 1..=3 {
        let wire = fixtures::bytes(&format!("v3-lapi-1.7.8/raw-signals-0{n}.json.gz"));
        let items: Vec<Value> = serde_json::from_slice(&gunzip(&wire).expect("gzip")).expect("JSON");
        assert_ok(send(zipped.call_with(&base, Some(&token), wire)).await);
        sent.extend(items.into_iter().map(|i| (uuid_of(&i), i)));
    }
    assert_eq!(sent.len(), 494, "344 recorded, and 150 raw");

    let api = world.api();
    let stored = world.wait_alerts(&api, "raw=true", sent.len(), 20).await;
    for alert in &stored {
        let signal = &sent[&uuid_of(alert)];
        assert_stored(alert, signal);
    }
    let passing = sent.values().filter(|s| !default_rules_filter(s)).count();
    assert!(
        passing > 400 && passing < sent.len(),
        "both verdicts occur: {passing}"
    );
    world.wait_alerts(&api, "forwardedToCapi=true", passing, 40).await;
    let delivered = world.capi.delivered_items();
    assert_eq!(delivered.len(), passing, "each passing one once");
    for item in delivered {
        let signal = &sent[&uuid_of(&item)];
        assert!(!default_rules_filter(signal), "filtered, yet sent: {item}");
        assert_eq!(&item, signal, "the engine's own JSON values");
    }
    assert!(world.capi.largest_batch() <= 50);

    // sent again, gzip and all: the same answer, and nothing changes
    for file in &files {
        assert_ok(send(file.call(&base, Some(&token))).await);
    }
    let again = || async {
        world.alerts(&api, "").await.len() == sent.len() && world.capi.delivered().len() == passing
    };
    wait::holds("nothing doubled", wait::secs(1), again).await;
}

fn assert_stored(alert: &Value, signal: &Value) {
    let uuid = uuid_of(alert);
    let source = &signal["source"];
    let same = |ours: &str, theirs: &Value| {
        let theirs = if theirs == "" { &Value::Null } else { theirs };
        let ours_value = if alert[ours] == "" {
            &Value::Null
        } else {
            &alert[ours]
        };
        assert_eq!(ours_value, theirs, "{ours} of {uuid}");
    };
    same("machineId", &signal["machine_id"]);
    same("scenario", &signal["scenario"]);
    same("scenarioHash", &signal["scenario_hash"]);
    same("scenarioVersion", &signal["scenario_version"]);
    same("message", &signal["message"]);
    same("sourceScope", &source["scope"]);
    same("sourceValue", &source["value"]);
    same("sourceAsNumber", &source["as_number"]);
    same("sourceAsName", &source["as_name"]);
    same("sourceCn", &source["cn"]);
    // `source.ip` can be garbage (a range, `CN`): only an address is compared, as an address
    let address = |v: &Value| v.as_str().and_then(|ip| ip.parse::<std::net::IpAddr>().ok());
    if let Some(ip) = address(&source["ip"]) {
        assert_eq!(address(&alert["sourceIp"]), Some(ip), "sourceIp of {uuid}");
    }
    assert_eq!(
        alert["hasDecisions"],
        signal["decisions"].as_array().is_some_and(|d| !d.is_empty()),
        "{uuid}"
    );
    assert_eq!(
        alert["filtered"],
        default_rules_filter(signal),
        "verdict of {signal}"
    );
    let instant = |v: &Value| {
        v.as_str()
            .expect("a time")
            .parse::<jiff::Timestamp>()
            .expect("RFC 3339")
            .as_microsecond()
    };
    assert_eq!(
        instant(&alert["startAt"]),
        instant(&signal["start_at"]),
        "startAt of {uuid}"
    );
    assert_eq!(
        instant(&alert["stopAt"]),
        instant(&signal["stop_at"]),
        "stopAt of {uuid}"
    );
    let raw: Value = serde_json::from_str(alert["rawJson"].as_str().expect("rawJson")).expect("JSON text");
    assert_eq!(&raw, signal, "the raw signal as received");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_v2_bodies_of_1_4_6_twice_store_once_by_content() {
    let world = World::start().await;
    let api = world.api();
    world
        .set_rules(
            &api,
            &[rule("agents only", "machine_id", "ne", json!("lab-agent"))],
        )
        .await;
    let base = world.server().url();
    let token = log_in(&world, "v2-lapi-1.4.6/login-01.json").await;
    let files = Recorded::folder("v2-lapi-1.4.6", "signals-");
    let items: Vec<Value> = files.iter().flat_map(Recorded::items).collect();
    for _ in 0..2 {
        for file in &files {
            assert_ok(send(file.call(&base, Some(&token))).await);
        }
    }
    let stored = world.wait_alerts(&api, "", items.len(), 20).await;
    assert!(
        stored
            .iter()
            .all(|a| a["uuid"].is_null() || a["uuid"].is_string())
    );
    let mut expected: Vec<String> = items
        .iter()
        .filter(|i| i["machine_id"] == "lab-agent")
        .map(key)
        .collect();
    expected.sort();
    world
        .wait_alerts(&api, "forwardedToCapi=true", expected.len(), 40)
        .await;
    let delivered = world.capi.delivered();
    assert!(
        delivered.values().all(|n| *n == 1),
        "once each, though pushed twice"
    );
    assert_eq!(
        delivered.keys().collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    for seen in world.capi.at("/signals") {
        assert_eq!(seen.path, "/v2/signals", "v2 signals go to CAPI's v2");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_login_metrics_and_stream_are_relayed_as_they_came() {
    let world = World::start().await;
    let base = world.server().url();
    let stream = json!({"new": [{"scenario": "crowdsecurity/ssh-bf", "scope": "ip",
        "decisions": [{"value": "192.0.2.1", "duration": "24h"}]}], "deleted": [], "links": {"blocklists": []}});
    world.capi.stream(stream.clone());
    for folder in ["v3-lapi-1.7.8", "v3-cscapi-0.7.0", "v2-lapi-1.4.6"] {
        let login = Recorded::load(&format!("{folder}/login-01.json"));
        let answer = send(login.call(&base, None)).await.expect(200).json();
        let token = answer["token"].as_str().expect("token").to_owned();
        let seen = world
            .capi
            .at("/watchers/login")
            .pop()
            .expect("the login is relayed");
        assert_eq!(
            (&seen.target, &seen.body),
            (&login.target, &login.body),
            "{folder}: the login as sent"
        );

        let metrics = Recorded::load(&format!("{folder}/metrics-01.json"));
        let answer = send(metrics.call(&base, Some(&token))).await.expect(200);
        assert_eq!(answer.json(), json!({"message": "OK"}), "{folder}: CAPI's answer");
        let seen = world.capi.at("/metrics").pop().expect("the metrics are relayed");
        let (to, from) = (
            seen.target.trim_end_matches('/'),
            metrics.target.trim_end_matches('/'),
        );
        assert_eq!(to, from, "{folder}: the same route, with or without the slash");
        assert_eq!((seen.body, seen.status), (metrics.body, Some(200)), "{folder}");

        let pull = Recorded::load(&format!("{folder}/decisions-stream-01.json"));
        let answer = send(pull.call(&base, Some(&token))).await.expect(200);
        assert_eq!(answer.json(), stream, "{folder}");
        let seen = world
            .capi
            .at("/decisions/stream")
            .pop()
            .expect("the pull is relayed");
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let (was_path, was_query) = pull.target.split_once('?').unwrap_or((&pull.target, ""));
        assert_eq!(
            (path, query),
            (was_path, was_query),
            "{folder}: the query string verbatim"
        );
    }
}
