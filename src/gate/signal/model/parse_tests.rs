use serde_json::json;

use super::*;

fn base() -> Value {
    json!({"scenario": "a/b", "scenario_hash": "", "scenario_version": "", "message": "m",
        "start_at": "2026-11-21T19:30:10Z", "stop_at": "2026-11-21T19:30:15.5+02:00",
        "source": {"scope": "Ip", "value": "192.0.2.7"}})
}

fn with(path: &str, value: Value) -> Value {
    let mut signal = base();
    *signal.pointer_mut(path).unwrap_or(&mut Value::Null) = value.clone();
    if signal.pointer(path).is_none() {
        let (parent, key) = path.rsplit_once('/').unwrap();
        signal.pointer_mut(parent).unwrap()[key] = value;
    }
    signal
}

#[test]
fn real_senders_are_read() {
    for text in [
        include_str!("../../../../tests/fixtures/signals-v2-all.json"),
        include_str!("../../../../tests/fixtures/signals-v3-all.json"),
    ] {
        let all: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(text).unwrap();
        assert!(all.len() > 300);
        for one in all {
            parse(one.get()).unwrap_or_else(|e| panic!("{e:?}: {one}"));
        }
    }
}

#[test]
fn leniency() {
    let read = |v: Value| parse(&v.to_string()).unwrap().0;
    assert_eq!(read(with("/source/scope", json!("ip"))).scope, "Ip");
    assert_eq!(
        read(with("/source/value", json!("::ffff:192.0.2.7"))).lo,
        read(base()).lo
    );
    let range = with(
        "/source",
        json!({"scope": "range", "value": "192.0.2.9/24", "ip": "garbage"}),
    );
    assert_eq!(read(range.clone()).lo.unwrap().to_string(), "192.0.2.0");
    assert_eq!(read(range).hi.unwrap().to_string(), "192.0.2.255");
    let country = read(with(
        "/source",
        json!({"scope": "Country", "value": "CN", "ip": "CN"}),
    ));
    assert_eq!((country.lo, country.value.as_str()), (None, "CN"));
    let user = read(with(
        "/source",
        json!({"scope": "username", "value": "root", "ip": "192.0.2.1"}),
    ));
    assert_eq!(user.lo.unwrap().to_string(), "192.0.2.1");
    let sdk = read(with("/start_at", json!("2026-11-21T10:00:02+0000")));
    assert_eq!(sdk.start_at.unwrap().to_string(), "2026-11-21T10:00:02Z");
    assert_eq!(read(with("/start_at", json!("yesterday"))).start_at, None);
    assert_eq!(read(with("/start_at", Value::Null)).start_at, None);
    assert_eq!(read(with("/decisions", Value::Null)).decisions.len(), 0);
    assert_eq!(read(with("/events_count", json!(6.0))).events_count, Some(6));
    assert_eq!(read(with("/source/latitude", json!(999))).geo.latitude, None);
    let decided = read(with(
        "/decisions",
        json!([{"type": "ban", "scope": "ip", "value": "192.0.2.7", "duration": "4h", "origin": "crowdsec"}]),
    ));
    assert_eq!(
        decided.decisions[0].until.unwrap().to_string(),
        "2026-11-21T21:30:15.5Z"
    );
}

#[test]
fn a_bad_field_is_named() {
    for (path, value, field) in [
        ("/scenario", Value::Null, "scenario"),
        ("/scenario", json!(7), "scenario"),
        ("/scenario", json!("x".repeat(600)), "scenario"),
        ("/scenario", json!("a\0b"), "scenario"),
        ("/source", Value::Null, "source"),
        ("/source", json!([]), "source"),
        ("/source/value", json!(""), "source.value"),
        ("/source/value", json!("999.1.1.1"), "source.value"),
        ("/source/value", json!("010.0.0.1"), "source.value"),
        ("/source/value", json!("1.2.3.4/33"), "source.value"),
        ("/message", json!("x".repeat(70_000)), "message"),
        ("/message", json!("x".repeat(5 << 20)), "message"),
        ("/start_at", json!(1_700_000_000), "start_at"),
        ("/events_count", json!(-1), "events_count"),
        ("/events_count", json!(1e20), "events_count"),
        ("/simulated", json!("no"), "simulated"),
        ("/uuid", json!("x".repeat(1000)), "uuid"),
        ("/decisions", json!({}), "decisions"),
        ("/decisions", json!([7]), "decisions[0]"),
        (
            "/decisions",
            json!([{"type": "ban", "scope": "Ip"}]),
            "decisions[0].value",
        ),
    ] {
        let error = parse(&with(path, value).to_string()).unwrap_err();
        assert_eq!(error.field, field, "{path}: {error:?}");
    }
    for text in ["7", "null", "\"\\ud800\"", r#"{"scenario":"\ud800"}"#] {
        assert_eq!(parse(text).unwrap_err().field, "signal");
    }
    let deep = format!("{{\"context\":{}{}}}", "[".repeat(500), "]".repeat(500));
    assert_eq!(parse(&deep).unwrap_err().field, "signal");
}
