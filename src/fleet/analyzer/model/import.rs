//! `CrowdSieve`'s files: rules that refer to sources of the main file.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::rule::Rule;

/// The part of `CrowdSieve`'s main file that is about analyzers.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether it ran them at all; what is imported runs either way, as far as the rules are enabled.
    pub enabled: bool,
    /// Where the rules were.
    pub config_dir: Option<String>,
    /// For rules that say no interval.
    pub default_interval: Option<String>,
    /// For rules that say no lookback.
    pub default_lookback: Option<String>,
    /// For rules that say no targets.
    pub default_targets: Option<Vec<String>>,
    /// Addresses and networks that are never banned.
    pub whitelist: Vec<String>,
    /// By name.
    pub sources: Map<String, Value>,
}

/// A rule file's content as a rule: its source's reference resolved, defaults put in.
///
/// # Errors
/// What is wrong with it, in words.
pub fn adopt(mut file: Value, settings: &Settings) -> Result<Rule, String> {
    let Some(rule) = file.as_object_mut() else {
        return Err("a rule is a section with keys".to_owned());
    };
    let defaults = [
        ("interval", &settings.default_interval),
        ("lookback", &settings.default_lookback),
    ];
    for (key, default) in defaults {
        let schedule = rule
            .entry("schedule")
            .or_insert_with(|| Value::Object(Map::new()));
        if let (Some(schedule), Some(default)) = (schedule.as_object_mut(), default) {
            schedule.entry(key).or_insert_with(|| default.clone().into());
        }
    }
    if let Some(targets) = &settings.default_targets {
        rule.entry("targets").or_insert_with(|| targets.clone().into());
    }
    if let Some(source) = rule.get_mut("source").and_then(Value::as_object_mut) {
        resolve(source, settings)?;
    }
    serde_json::from_value(file).map_err(|e| e.to_string())
}

fn resolve(source: &mut Map<String, Value>, settings: &Settings) -> Result<(), String> {
    if source.contains_key("url") {
        return Ok(());
    }
    let Some(name) = source.get("ref").and_then(Value::as_str) else {
        return Err("source: needs a ref, or a type and a url".to_owned());
    };
    let known = settings.sources.get(name).and_then(Value::as_object);
    let known = known.ok_or_else(|| {
        format!("source.ref: {name} is not among analyzers.sources of the main file (--sources FILE)")
    })?;
    for (key, value) in known {
        let (key, value) = match key.as_str() {
            // Its only type is a Loki behind Grafana.
            "type" if known.contains_key("grafana_url") => ("type", Value::from("grafana")),
            "grafana_url" => ("url", value.clone()),
            key => (key, value.clone()),
        };
        source.entry(key).or_insert(value);
    }
    if known.contains_key("grafana_url") {
        source.insert("type".to_owned(), "grafana".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::analyzer::model::SourceKind;
    use serde_json::json;

    fn settings() -> Settings {
        serde_json::from_value(json!({
            "enabled": true, "config_dir": "./config/analyzers.d", "default_interval": "30m", "default_targets": ["paris"],
            "whitelist": ["192.0.2.0/24"],
            "sources": {"main": {"type": "loki", "grafana_url": "https://grafana.example.org", "token": "t", "datasource_uid": "P1"}},
        }))
        .unwrap()
    }

    fn file(source: &Value) -> Value {
        json!({"id": "sso", "name": "SSO", "version": "1.2.0", "source": source,
            "schedule": {"lookback": "1h"},
            "extraction": {"format": "json", "fields": {"ip": "ip"}},
            "detection": {"groupby": "ip", "threshold": 5, "operator": ">"},
            "decision": {"type": "ban", "duration": "1d", "scope": "ip", "scenario": "x/y", "reason": "too many"}})
    }

    #[test]
    fn a_reference_is_resolved_and_defaults_count() {
        let rule = adopt(
            file(&json!({"ref": "main", "query": "{a=\"b\"}", "max_lines": 100})),
            &settings(),
        )
        .ok()
        .unwrap();
        assert_eq!(rule.source.kind, SourceKind::Grafana);
        assert_eq!(rule.source.url, "https://grafana.example.org");
        assert_eq!(
            (rule.source.token.as_deref(), rule.source.max_lines),
            (Some("t"), 100)
        );
        assert_eq!((rule.interval(), rule.lookback()), (1800, 3600));
        assert_eq!(rule.targets, ["paris"]);
        let own = json!({"type": "loki", "url": "https://loki.example.org", "query": "{a=\"b\"}"});
        let rule = adopt(file(&own), &Settings::default()).ok().unwrap();
        assert_eq!((rule.source.kind, rule.interval()), (SourceKind::Loki, 10_800));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = json!({"ref": "main", "query": "{}"});
        let spoiled = |key: &str, value: Value| {
            let mut file = file(&good);
            file[key] = value;
            file
        };
        for (file, word) in [
            (json!([]), "section"),
            (file(&json!({"query": "{}"})), "ref"),
            (file(&json!({"ref": "other", "query": "{}"})), "other"),
            (file(&json!({"ref": "main"})), "query"),
            (spoiled("typo", json!(1)), "typo"),
            (
                spoiled("detection", json!({"groupby": "ip", "threshold": "5"})),
                "invalid type",
            ),
            (spoiled("schedule", json!("1h")), "invalid type"),
        ] {
            let error = adopt(file, &settings()).err().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }
}
