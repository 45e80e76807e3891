//! Items that are odd or broken.
use crate::support::machine::{new_uuid, signal};
use serde_json::{Value, json};

/// `base` with the value at the dotted path replaced; `None` takes the key away.
pub fn with(path: &str, value: Option<Value>) -> String {
    let mut item = signal("192.0.2.66");
    let mut at = &mut item;
    let (parents, last) = path.rsplit_once('.').map_or(("", path), |(p, l)| (p, l));
    for step in parents.split('.').filter(|s| !s.is_empty()) {
        at = match step.parse::<usize>() {
            Ok(n) => &mut at[n],
            Err(_) => &mut at[step],
        };
    }
    match value {
        Some(value) => at[last] = value,
        None => drop(at.as_object_mut().expect("object").remove(last)),
    }
    item.to_string()
}

/// Items that are odd or broken; each may be accepted or rejected alone, never more than that.
pub fn odd_items() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let fields = [
        "message",
        "scenario",
        "scenario_hash",
        "scenario_version",
        "scenario_trust",
        "machine_id",
        "kind",
        "uuid",
        "context",
        "decisions",
        "source",
        "source.scope",
        "source.value",
        "source.ip",
        "start_at",
        "stop_at",
        "decisions.0.duration",
        "decisions.0.type",
        "decisions.0.value",
        "decisions.0.origin",
        "decisions.0.scope",
    ];
    let wrong = [
        json!(null),
        json!(7),
        json!(-1),
        json!(1e300),
        json!(true),
        json!([]),
        json!([[1]]),
        json!({}),
        json!({"a": {}}),
        json!(""),
        json!(" "),
        json!("\u{202e}\u{fffe}\u{2028}"),
        json!("é".repeat(3000)),
        json!("a".repeat(70_000)),
        json!("<script>alert(1)</script>"),
        json!("'; DROP TABLE alert; --"),
        json!("../../../etc/passwd\n\r\t"),
    ];
    for field in fields {
        all.push((format!("{field} missing"), with(field, None)));
        for (n, value) in wrong.iter().enumerate() {
            all.push((format!("{field} wrong {n}"), with(field, Some(value.clone()))));
        }
    }
    let times = [
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1999-12-31T23:59:60Z",
        "2019-12-31T00:00:00Z",
        "2038-01-19T03:14:08Z",
        "2262-04-12T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999999999+14:00",
        "10000-01-01T00:00:00Z",
        "294277-01-09T04:00:54Z",
        "-0044-03-15T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T10:00:00",
        "2026-11-21T10:00:00+25:00",
        "2026-11-21 10:00:00",
        "2026-11-21",
        "yesterday",
        "1795290551",
        "2026-11-21T10:00:00.1234567890123Z",
        "2026-11-21T10:00:00+0000",
        "infinity",
        "-infinity",
        "now()",
    ];
    for time in times {
        for field in ["start_at", "stop_at", "created_at"] {
            all.push((format!("{field} {time}"), with(field, Some(json!(time)))));
        }
    }
    let addresses = [
        "999.1.1.1",
        "1.2.3",
        "0x7f.1",
        "010.0.0.1",
        "1.2.3.4/33",
        "::ffff:1.2.3.4",
        "fe80::1%eth0",
        "::",
        "0.0.0.0",
        "10.0.0.1/8",
        "::1/129",
        "localhost",
        "1.2.3.4\u{0}",
        "1.2.3.4, 5.6.7.8",
        "255.255.255.255",
    ];
    for address in addresses {
        for (field, scope) in [
            ("source.ip", "Ip"),
            ("source.value", "Ip"),
            ("source.value", "Range"),
            ("source.range", "ip"),
        ] {
            let mut item: Value = serde_json::from_str(&with(field, Some(json!(address)))).expect("JSON");
            item["source"]["scope"] = json!(scope);
            all.push((format!("{field} {scope} {address}"), item.to_string()));
        }
    }
    for duration in [
        "-4h",
        "4",
        "P1D",
        "1e9h",
        "1000000h",
        "99999999999999999999h",
        "4h3m2.5s",
        "0s",
        "1d",
        "µs",
        "h",
    ] {
        all.push((
            format!("duration {duration}"),
            with("decisions.0.duration", Some(json!(duration))),
        ));
    }
    for uuid in [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "not-a-uuid",
        "{D6701502-57EE-4142-9A64-6546343E4AB4}",
        "d670150257ee41429a646546343e4ab4",
    ] {
        all.push((format!("uuid {uuid}"), with("uuid", Some(json!(uuid)))));
    }
    for (field, value) in [
        ("source.latitude", json!(999)),
        ("source.longitude", json!("x")),
        ("source.as_number", json!(64500)),
        ("source.as_number", json!("99999999999999")),
        ("source.cn", json!("ZZZ")),
        ("source.cn", json!(1)),
        ("events_count", json!(-1)),
        ("events_count", json!(4_294_967_296_u64)),
        ("events_count", json!(1.5)),
        ("capacity", json!(i64::MAX)),
        ("simulated", json!("true")),
        ("remediation", json!(3)),
        (
            "context",
            Value::Array(vec![json!({"key": "k", "value": "v"}); 10_000]),
        ),
        (
            "decisions",
            Value::Array(vec![signal("192.0.2.66")["decisions"][0].clone(); 2_000]),
        ),
        (
            "events",
            Value::Array(vec![json!({"meta": [{"key": "actor", "value": "x"}]}); 5_000]),
        ),
    ] {
        all.push((format!("{field} special"), with(field, Some(value))));
    }
    // what `Value` cannot hold is written by hand
    let text = |name: &str, json: &str| {
        (
            name.to_owned(),
            signal("192.0.2.66")
                .to_string()
                .replacen("\"kind\"", &format!("{json},\"kind\""), 1),
        )
    };
    all.extend([
        text("NUL in a new key", r#""a\u0000b":"\u0000""#),
        text("NUL in the message", r#""message":"a\u0000b""#),
        text("lone surrogate", r#""x":"\ud800""#),
        text("lone surrogate in the message", r#""message":"\udc00\ud800""#),
        text("duplicate key", r#""scenario":"a/a","scenario":"b/b""#),
        text("duplicate uuid", &format!(r#""uuid":"{}""#, new_uuid())),
        text("1e999", r#""x":1e999"#),
        text("a number of 400 digits", &format!(r#""x":{}"#, "9".repeat(400))),
        text(
            "an item 120 deep",
            &format!(r#""x":{}{}"#, "[".repeat(120), "]".repeat(120)),
        ),
        text(
            "an item 5,000 deep",
            &format!(r#""x":{}{}"#, "[".repeat(5000), "]".repeat(5000)),
        ),
        text(
            "20,000 keys",
            &(0..20_000)
                .map(|n| format!(r#""k{n}":{n}"#))
                .collect::<Vec<_>>()
                .join(","),
        ),
        ("null item".into(), "null".into()),
        ("number item".into(), "0".into()),
        ("string item".into(), "\"x\"".into()),
        ("array item".into(), "[]".into()),
        ("empty item".into(), "{}".into()),
    ]);
    all
}
