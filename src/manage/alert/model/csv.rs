//! Alerts as lines of CSV (RFC 4180) that no spreadsheet mistakes for formulas.

use serde_json::Value;

use super::AlertView;
use crate::kernel::csv::cell;

/// The columns, named and ordered as the API's properties.
const COLUMNS: [&str; 40] = [
    "id",
    "uuid",
    "machineId",
    "scenario",
    "scenarioHash",
    "scenarioVersion",
    "message",
    "eventsCount",
    "capacity",
    "leakspeed",
    "startAt",
    "stopAt",
    "createdAt",
    "receivedAt",
    "simulated",
    "remediation",
    "hasDecisions",
    "replicated",
    "sourceScope",
    "sourceValue",
    "sourceIp",
    "sourceRange",
    "sourceAsNumber",
    "sourceAsName",
    "sourceCn",
    "geoCountryCode",
    "geoCountryName",
    "geoCity",
    "geoRegion",
    "geoLatitude",
    "geoLongitude",
    "geoTimezone",
    "geoIsp",
    "geoOrg",
    "filtered",
    "filterReasons",
    "forwardedToCapi",
    "forwardedAt",
    "localAudit",
    "actor",
];

/// The line of names.
#[must_use]
pub fn head() -> String {
    let mut line = COLUMNS.join(",");
    line.push_str("\r\n");
    line
}

/// The line of an alert.
#[must_use]
pub fn line(alert: &AlertView) -> String {
    let alert = serde_json::to_value(alert).unwrap_or_default();
    let mut line = String::new();
    for (n, name) in COLUMNS.iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        push(&mut line, &alert[name]);
    }
    line.push_str("\r\n");
    line
}

fn push(line: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => cell(line, text),
        other => line.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_a_formula_and_nothing_breaks_a_line() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(true), "true"),
            (json!(-1.5), "-1.5"),
            (json!(7), "7"),
            (json!(""), ""),
            (json!("plain"), "plain"),
            (json!("a,b"), "\"a,b\""),
            (json!("say \"hi\""), "\"say \"\"hi\"\"\""),
            (json!("two\r\nlines"), "\"two\r\nlines\""),
            (json!("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\""),
            (json!("+1"), "\"'+1\""),
            (json!("-1"), "\"'-1\""),
            (json!("@SUM(A1)"), "\"'@SUM(A1)\""),
            (json!("\t=1"), "\"\t'=1\""),
            (json!("\r=1"), "\"\r'=1\""),
            (json!("x;=1+1"), "\"x;'=1+1\""),
            (json!("＝1"), "\"'＝1\""),
            (json!("a-b"), "a-b"),
            (json!("ünï"), "ünï"),
        ] {
            let mut line = String::new();
            push(&mut line, &value);
            assert_eq!(line, expected, "{value}");
        }
    }
}
