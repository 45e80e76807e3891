//! Table tests of the expression language; contracts section 3.

mod bombs;
mod combinators;
mod files;
mod operators;

use serde_json::{Value, json};

use super::*;

/// A signal as an engine sends it, with a few odd fields.
fn signal() -> Value {
    json!({
        "scenario": "crowdsecurity/ssh-bf",
        "scenario_trust": "certified",
        "message": "Ip 192.0.2.77 performed 'crowdsecurity/ssh-bf' (6 events)",
        "uuid": null,
        "empty": "",
        "none": [],
        "object": {},
        "zero": 0,
        "six": 6,
        "half": 6.5,
        "one": 1.0,
        "yes": true,
        "no": false,
        "number_text": "6",
        "tags": ["a", "b", 7, true, null],
        "list_of_lists": [[1], [2]],
        "source": {"ip": "192.0.2.77", "range": "192.0.2.0/24", "v6": "2001:db8::1", "cn": "FR",
            "mapped": "::ffff:192.0.2.77", "zoned": "fe80::1%eth0", "padded": " 192.0.2.77 ", "octal": "0300.0.2.77",
            "scope": "Ip"},
        "decisions": [
            {"type": "ban", "origin": "crowdsec", "duration": "4h", "scope": "Ip"},
            {"type": "captcha", "origin": "cscli", "duration": "1h", "scope": "Ip"}
        ]
    })
}

fn verdict(expression: &Value) -> bool {
    let expr = Expr::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let geo = Geo {
        country_code: Some("FR".to_owned()),
        latitude: Some(48.8),
        ..Geo::default()
    };
    let matched = expr.matches(&signal(), &geo);
    let reason = expr.reason(&signal(), &geo);
    assert_eq!(matched, !reason.is_empty(), "{expression}: {reason}");
    matched
}

/// Each row: field, value (`"<omitted>"` for none), verdict.
fn check(op: &str, rows: &[(&str, Value, bool)]) {
    for (field, value, expected) in rows {
        let mut expression = json!({"field": field, "op": op, "value": value});
        if *value == json!("<omitted>") {
            expression = json!({"field": field, "op": op});
        }
        assert_eq!(verdict(&expression), *expected, "{expression}");
    }
}

/// The time this thread has had on a core: what else the machine does, does not count.
fn spent() -> std::time::Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
