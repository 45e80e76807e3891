use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-22T08:00:00.123456Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn usage(body: &Value) -> Told {
    read_usage(body.to_string().as_bytes(), now()).unwrap()
}

/// A bouncer with these lists of metrics.
fn bouncer(name: &str, metrics: &Value) -> Value {
    json!({"remediation_components": [{"name": name, "type": "nginx", "version": "v1.2", "metrics": metrics,
        "os": {"name": "debian", "version": "12"}, "feature_flags": [""], "last_pull": 1_795_334_000}]})
}

fn block(at: i64, dropped: i64) -> Value {
    json!({"items": [{"name": "dropped", "value": dropped, "unit": "request", "labels": {"origin": "CAPI"}}],
        "meta": {"utc_now_timestamp": at, "window_size_seconds": 1800}})
}

#[test]
fn blocks_and_flat_items_are_sets() {
    let item = json!({"name": "dropped", "value": 4, "unit": "request"});
    let meta = json!({"utc_now_timestamp": 1_795_334_100, "window_size_seconds": 1800});
    for (case, metrics, dropped) in [
        (
            "blocks",
            json!([block(1_795_334_100, 4), block(1_795_330_500, 5)]),
            &[4, 5][..],
        ),
        ("one block", block(1_795_334_100, 4), &[4]),
        ("items by themselves", json!([item, item]), &[8]),
        ("both", json!([item, block(1_795_330_500, 5)]), &[5, 4]),
        (
            "an empty one between",
            json!([{"items": [], "meta": meta}, block(1_795_330_500, 5)]),
            &[5],
        ),
    ] {
        let told = usage(&bouncer("edge", &metrics));
        let found: Vec<_> = told.sets.iter().map(|s| s.counters.dropped.unwrap()).collect();
        assert_eq!((found.as_slice(), told.skipped), (dropped, 0), "{case}");
    }
    let body =
        json!({"log_processors": [{"name": "agent", "items": [{"name": "read", "value": 1}], "meta": meta}]});
    let told = usage(&body);
    assert_eq!(told.sets[0].counters, Counters::default());
    assert_eq!(told.sets[0].kind, Kind::LogProcessor);
    assert_eq!(told.sets[0].items, r#"[{"name":"read","value":1}]"#);
    assert_eq!(told.sets[0].collected_at.as_second(), 1_795_334_100);
    assert_eq!(told.sets[0].window_seconds, Some(1800));
}

#[test]
fn a_component_that_counted_nothing_is_known_once() {
    let idle = bouncer("edge", &json!([]));
    let (one, two) = (usage(&idle), usage(&bouncer("edge", &json!(null))));
    assert_eq!(one.sets.len(), 1);
    assert_eq!(one.sets[0].items, "[]");
    assert_eq!(one.sets[0].counters, Counters::ZERO);
    assert_eq!(one.sets[0].key, two.sets[0].key, "whenever it comes");
    assert_eq!(one.sets[0].collected_at.to_string(), "2026-11-22T08:00:00.123Z");
    let component = &one.components[&(Kind::Remediation, "edge".to_owned())];
    assert_eq!(component.sort.as_deref(), Some("nginx"));
    assert_eq!(component.os_version.as_deref(), Some("12"));
    assert_eq!(component.active_at.unwrap().as_second(), 1_795_334_000);
    let lapi = json!({"lapi": {"version": "v1.7.8", "os": {"name": "", "version": ""}, "metrics": [{"items": [],
        "meta": {"utc_now_timestamp": 1_795_334_100, "window_size_seconds": 1800}}]}});
    let told = usage(&lapi);
    assert!(told.sets.is_empty() && told.skipped == 0);
    let component = &told.components[&(Kind::LocalApi, "lapi".to_owned())];
    assert_eq!(component.version.as_deref(), Some("v1.7.8"));
    assert_eq!(component.os_name, None, "empty is none");
}

#[test]
fn a_set_is_recognised_wherever_it_comes_again() {
    let first = usage(&bouncer("edge", &json!([block(1_795_334_100, 4)])));
    let key = first.sets[0].key;
    // Among others, with fields in another order, with another version of the bouncer.
    let mut more = bouncer("edge", &json!([block(1_795_330_500, 5), block(1_795_334_100, 4)]));
    more["remediation_components"][0]["version"] = json!("v1.3");
    let text = more
        .to_string()
        .replace(r#""unit":"request","value":4"#, r#""value":4.0,"unit":"request""#);
    assert!(text.contains("4.0"));
    let again = read_usage(text.as_bytes(), now()).unwrap();
    assert_eq!(again.sets[1].key, key);
    for (case, body) in [
        (
            "another name",
            bouncer("other", &json!([block(1_795_334_100, 4)])),
        ),
        (
            "from another address",
            bouncer("edge@192.0.2.1", &json!([block(1_795_334_100, 4)])),
        ),
        (
            "another window",
            bouncer("edge", &json!([block(1_795_334_101, 4)])),
        ),
        (
            "another count",
            bouncer("edge", &json!([block(1_795_334_100, 5)])),
        ),
    ] {
        assert_ne!(usage(&body).sets[0].key, key, "{case}");
    }
    let processor = json!({"log_processors": [{"name": "edge", "metrics": [block(1_795_334_100, 4)]}]});
    assert_ne!(usage(&processor).sets[0].key, key, "another kind");
    // Without a time: the same in the same body only.
    let timeless = |n: i64| {
        let block = json!({"items": [{"name": "dropped", "value": 4}]});
        let mut body = bouncer("edge", &json!([block, block]));
        body["n"] = json!(n);
        let told = usage(&body);
        assert_eq!(told.sets[0].collected_at.as_second(), now().as_second());
        (told.sets[0].key, told.sets[1].key)
    };
    assert_eq!(timeless(1), timeless(1));
    assert_ne!(timeless(1).0, timeless(1).1);
    assert_ne!(timeless(1).0, timeless(2).0);
}

#[test]
fn clocks_that_are_wrong_are_not_believed() {
    for (at, believed) in [
        (json!(1_795_334_100), true),
        (json!("1795334100"), true),
        (json!(1_787_700_000), true), // 88 days ago
        (json!(1_787_400_000), false),
        (json!(1_795_400_000), true),
        (json!(1_795_500_000), false),
        (json!(0), false),
        (json!(1e300), false),
        (json!(-5), false),
        (json!({}), false),
    ] {
        let mut body = bouncer("edge", &json!([block(0, 4)]));
        body["remediation_components"][0]["metrics"][0]["meta"]["utc_now_timestamp"] = at.clone();
        let told = usage(&body);
        let received = told.sets[0].collected_at.as_second() == now().as_second();
        assert_eq!(received, !believed, "{at}");
    }
}

#[test]
fn names_lose_the_address_and_the_latest_wins() {
    for (given, expected) in [
        ("edge", "edge"),
        (" edge ", "edge"),
        ("edge@ipv4", "edge"),
        ("edge@ipv6", "edge"),
        ("edge@192.0.2.7", "edge"),
        ("edge@2001:db8::7", "edge"),
        ("edge@home", "edge@home"),
        ("@192.0.2.7", "@192.0.2.7"),
        ("a@b@192.0.2.7", "a@b"),
    ] {
        assert_eq!(
            usage(&bouncer(given, &json!([]))).sets[0].name,
            expected,
            "{given}"
        );
    }
    let told = usage(&json!({"remediation_components": [
        {"name": "edge@192.0.2.7", "version": "old", "last_pull": 1_795_334_000},
        {"name": "edge", "version": "new", "last_pull": 1_795_334_001},
        {"name": "edge@192.0.2.8", "version": "idle"}]}));
    assert_eq!(told.components.len(), 1);
    let component = told.components.values().next().unwrap();
    assert_eq!(component.version.as_deref(), Some("new"));
}

#[test]
fn what_is_broken_is_left_out_alone_and_counted() {
    let good = json!({"name": "dropped", "value": 4});
    let mut body = bouncer(
        "edge",
        &json!([
            {"items": [good, {"name": "dropped", "value": -1}, {"name": "dropped", "value": 1e308}, null, [], good],
             "meta": {"utc_now_timestamp": 1_795_334_100}},
            {"items": "x"}, 5, null, {}, []]),
    );
    let components = body["remediation_components"].as_array_mut().unwrap();
    components.extend([
        json!(null),
        json!({}),
        json!({"name": ""}),
        json!({"name": "x".repeat(201)}),
        json!({"name": "a\u{0}b"}),
        json!([[[[]]]]),
    ]);
    let told = usage(&body);
    assert_eq!(told.sets.len(), 1);
    assert_eq!(told.sets[0].counters.dropped, Some(8));
    assert_eq!(told.sets[0].skipped, 4);
    assert_eq!(told.skipped, 4 + 5 + 6);
    assert_eq!(
        usage(&json!({"remediation_components": {}, "lapi": 5})).skipped,
        2
    );
    for none in ["", "[", "[]", "5", "\"x\"", "{\"lapi\":", "\u{0}"] {
        assert_eq!(
            read_usage(none.as_bytes(), now()).map(|told| told.sets),
            Err(Unreadable),
            "{none}"
        );
    }
    assert_eq!(
        read_usage(b"{\"lapi\": \"\xff\"}", now()).map(|told| told.sets),
        Err(Unreadable)
    );
}

#[test]
fn crowds_are_summed_and_their_details_bounded() {
    let item = json!({"name": "dropped", "value": 1, "labels": {"origin": "x".repeat(50)}});
    let block = json!({"items": vec![item; 100_000], "meta": {"utc_now_timestamp": 1_795_334_100}});
    let told = usage(&bouncer("edge", &json!([block])));
    assert_eq!(told.sets[0].counters.dropped, Some(100_000));
    assert!(told.sets[0].items.len() <= 256 * 1024);
    let kept: Vec<Value> = serde_json::from_str(&told.sets[0].items).unwrap();
    assert!(kept.len() <= 2000 && kept.len() > 500, "{}", kept.len());
    let crowd: Vec<_> = (0..COMPONENTS + 7)
        .map(|n| json!({"name": format!("c{n}")}))
        .collect();
    let told = usage(&json!({"remediation_components": crowd}));
    assert_eq!((told.sets.len(), told.skipped), (COMPONENTS, 7));
}

#[test]
fn metrics_of_old_and_new_engines_tell_who_is_there() {
    let old = json!({"apil_version": "v1.4.6", "bouncers": [{"custom_name": "lab-bouncer", "name": "fw", "version": "v0.0.28",
            "last_pull": "2026-11-21 19:49:10.923274403 +0000 UTC"}, {"name": "nameless"}, 5],
        "machines": [{"last_push": "2026-11-21T20:04:09Z", "last_update": "x", "name": "lab-agent", "version": "v1.4.6"}]});
    let told = read_plain(old.to_string().as_bytes()).unwrap();
    assert_eq!((told.components.len(), told.skipped), (2, 2));
    let bouncer = &told.components[&(Kind::Remediation, "lab-bouncer".to_owned())];
    assert_eq!(
        (bouncer.sort.as_deref(), bouncer.version.as_deref()),
        (Some("fw"), Some("v0.0.28"))
    );
    assert_eq!(bouncer.active_at.unwrap().as_second(), 1_795_290_550);
    let agent = &told.components[&(Kind::LogProcessor, "lab-agent".to_owned())];
    assert_eq!(agent.active_at.unwrap().to_string(), "2026-11-21T20:04:09Z");
    assert!(read_plain(b"[]").is_err());
}
