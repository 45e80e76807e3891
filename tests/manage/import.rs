//! A `filters.d` of CrowdSieve, read as it is, judges real signals as CrowdSieve's language says (gate-api.md 3).
use crate::support::fixtures;
use crate::support::machine::uuid_of;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the rules of tests/fixtures/filters.d say, written down a second time by hand.
fn expected(signal: &Value) -> BTreeSet<&'static str> {
    let text = |pointer: &str| {
        signal
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut names = BTreeSet::new();
    if signal["decisions"].as_array().is_none_or(Vec::is_empty) {
        names.insert("no-decision");
    }
    let octets: Vec<u8> = text("/source/ip")
        .split('.')
        .filter_map(|o| o.parse().ok())
        .collect();
    let internal = match octets[..] {
        [10 | 127, _, _, _] | [192, 168, _, _] => true,
        [172, b, _, _] => (16..32).contains(&b),
        [198, 18, 21, d] => d < 128,
        _ => false,
    };
    if internal {
        names.insert("internal-ips");
    }
    let scenario = text("/scenario");
    if scenario
        .strip_prefix("crowdsecurity/http-")
        .is_some_and(|rest| !rest.contains('/'))
    {
        names.insert("http-scenarios");
    }
    if text("/source/scope") == "Range" && !["FR", "DE"].contains(&text("/source/cn").as_str()) {
        names.insert("ranges-from-elsewhere");
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_rules_judge_real_signals_as_the_contract_says() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let api = world.api_of(&acme);
    world.set_rules(&api, &[]).await;
    let dir = fixtures::path("filters.d").display().to_string();
    world
        .cli
        .run(&["filter", "import", &dir, "--tenant", "acme"])
        .await
        .expect_ok();
    world.settle().await;
    let machine = world.machine("acme").await;
    let (v2, v3) = (
        fixtures::list("signals-v2-all.json"),
        fixtures::list("signals-v3-all.json"),
    );
    for (path, signals) in [("/v2/signals", &v2), ("/v3/signals", &v3)] {
        machine
            .push_to(world.server().address, path, signals)
            .await
            .expect(200);
    }
    let rules = api.get("/api/filters").await.expect(200).json();
    let rules: BTreeMap<i64, String> = rules["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["id"].as_i64().unwrap(), r["name"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(rules.len(), 6, "a name that begins with _ is not read: {rules:?}");

    let alerts = world.wait_alerts(&api, "", v2.len() + v3.len(), 20).await;
    let by_uuid: BTreeMap<String, &Value> = alerts
        .iter()
        .filter(|a| a["uuid"].is_string())
        .map(|a| (uuid_of(a), a))
        .collect();
    let mut verdicts = BTreeMap::from([(true, 0), (false, 0)]);
    for signal in &v3 {
        let alert = by_uuid[&uuid_of(signal)];
        let names = expected(signal);
        assert_eq!(alert["filtered"], !names.is_empty(), "{signal}");
        *verdicts.get_mut(&!names.is_empty()).unwrap() += 1;
        let reasons: Option<Vec<String>> = alert["filterReasons"]
            .as_str()
            .map(|r| serde_json::from_str(r).unwrap());
        assert_eq!(
            reasons.map_or(0, |r| r.len()),
            names.len(),
            "a reason for each rule: {alert}"
        );
    }
    println!("v3 fixtures: {verdicts:?} (filtered, count)");
    assert!(
        verdicts.values().all(|n| *n > 20),
        "both verdicts are exercised: {verdicts:?}"
    );
    let plain = alerts.iter().filter(|a| a["uuid"].is_null());
    assert!(plain.clone().count() == v2.len() && plain.clone().all(|a| a["filtered"] == true));

    // The trial says the same of a signal as the push did, with the rules' names.
    let tried = api
        .post("/api/filters/test", &json!({ "signals": v3 }))
        .await
        .expect(200)
        .json();
    for (signal, judged) in v3.iter().zip(tried["signals"].as_array().unwrap()) {
        let names: BTreeSet<&str> = judged["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(names, expected(signal), "{signal}");
    }
}
