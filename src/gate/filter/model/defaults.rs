//! The rules a new tenant starts with: `CrowdSieve`'s shipped ones, with the IPv6 and link-local ranges it lacks.

use serde_json::{Value, json};

use super::rulefile::RuleFile;

/// The shipped rules in their order: three in force, then examples that are switched off.
#[must_use]
pub fn default_rules() -> Vec<RuleFile> {
    vec![
        rule(
            true,
            "no-decision",
            "Alerts that led to no decision say little to the community.",
            json!({"field": "decisions", "op": "empty"}),
        ),
        rule(
            true,
            "simulated",
            "Scenarios in simulation. Engines do not send these; other clients may.",
            json!({"field": "simulated", "op": "eq", "value": true}),
        ),
        rule(
            true,
            "internal-ips",
            "Sources within private, loopback and link-local ranges.",
            json!({"field": "source.ip", "op": "cidr", "value": [
                "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
                "::1/128", "fc00::/7", "fe80::/10"
            ]}),
        ),
        rule(
            false,
            "example-scenario",
            "Example: keep the alerts of whole families of scenarios here.",
            json!({"field": "scenario", "op": "glob", "value": ["crowdsecurity/http-*", "custom/**"]}),
        ),
        rule(
            false,
            "example-country",
            "Example: keep alerts from some countries here.",
            json!({"field": "source.cn", "op": "in", "value": ["FR", "BE", "CH"]}),
        ),
        rule(
            false,
            "example-combination",
            "Example: bans by own scenarios, unless they come from one trusted range.",
            json!({"op": "and", "conditions": [
                {"field": "scenario_trust", "op": "eq", "value": "custom"},
                {"op": "any", "field": "decisions", "condition": {"field": "type", "op": "eq", "value": "ban"}},
                {"op": "not", "condition": {"field": "source.ip", "op": "cidr", "value": "192.0.2.0/24"}}
            ]}),
        ),
    ]
}

fn rule(enabled: bool, name: &str, description: &str, filter: Value) -> RuleFile {
    RuleFile {
        name: name.to_owned(),
        enabled,
        description: Some(description.to_owned()),
        filter,
    }
}
