//! The shape of an alert: 41 properties, always all of them.
use serde_json::Value;
use std::collections::BTreeSet;

/// Name, JSON type, whether it may be null.
const FIELDS: [(&str, char, bool); 41] = [
    ("id", 'i', false),
    ("uuid", 's', true),
    ("machineId", 's', true),
    ("scenario", 's', false),
    ("scenarioHash", 's', true),
    ("scenarioVersion", 's', true),
    ("message", 's', true),
    ("eventsCount", 'i', true),
    ("capacity", 'i', true),
    ("leakspeed", 's', true),
    ("startAt", 's', true),
    ("stopAt", 's', true),
    ("createdAt", 's', true),
    ("receivedAt", 's', false),
    ("simulated", 'b', true),
    ("remediation", 'b', true),
    ("hasDecisions", 'b', true),
    ("replicated", 'b', true),
    ("sourceScope", 's', true),
    ("sourceValue", 's', true),
    ("sourceIp", 's', true),
    ("sourceRange", 's', true),
    ("sourceAsNumber", 's', true),
    ("sourceAsName", 's', true),
    ("sourceCn", 's', true),
    ("geoCountryCode", 's', true),
    ("geoCountryName", 's', true),
    ("geoCity", 's', true),
    ("geoRegion", 's', true),
    ("geoLatitude", 'n', true),
    ("geoLongitude", 'n', true),
    ("geoTimezone", 's', true),
    ("geoIsp", 's', true),
    ("geoOrg", 's', true),
    ("filtered", 'b', true),
    ("filterReasons", 's', true),
    ("forwardedToCapi", 'b', true),
    ("forwardedAt", 's', true),
    ("localAudit", 'b', true),
    ("actor", 's', true),
    ("rawJson", 's', true),
];

pub fn assert_shape(alert: &Value) {
    let object = alert.as_object().expect("an object");
    let names: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        FIELDS.iter().map(|f| f.0).collect(),
        "the properties, all of them and no other"
    );
    for (name, kind, nullable) in FIELDS {
        let value = &object[name];
        let fits = match kind {
            'i' => value.is_i64() || value.is_u64(),
            'n' => value.is_number(),
            'b' => value.is_boolean(),
            _ => value.is_string(),
        };
        assert!(fits || (nullable && value.is_null()), "{name}: {value}");
    }
    let at = alert["receivedAt"].as_str().expect("receivedAt");
    assert!(
        at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(),
        "receivedAt {at}"
    );
}
