//! A template is read wholly before anything is made, and all that is wrong with it is told by its place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::app::Lifetimes;
use crate::db::{Db, DbError, Tenant, TenantTx};
use crate::fleet::allowlist::{self, ENTRY_LIMIT, EntryDraft, LIST_LIMIT, NewList};
use crate::fleet::lapi::is_name;
use crate::gate::filter::model::{Mode, RuleFile, read_yaml};
use crate::gate::filter::{self, RULE_LIMIT, SIZE_LIMIT};
use crate::http::FieldError;
use crate::kernel::time::rfc3339_millis;
use crate::manage::retention::{self, Own, Refused, changed};

/// Largest template, in bytes.
pub const SIZE: usize = 16 << 20;
/// Most nodes of one that is YAML: fifty thousand entries of four fields.
const NODES: usize = 600_000;
/// Longest condition of one rule, as JSON.
const CONDITION: usize = 60_000;

/// What a tenant begins with; what is not said is as for every new tenant.
#[derive(Debug, Default)]
pub struct Template {
    /// Whether its alerts may leave to CAPI.
    pub forward_enabled: Option<bool>,
    rules: Option<(Mode, Vec<RuleFile>)>,
    retention: Own,
    lists: Vec<NewList>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(default)]
    forward_enabled: Option<bool>,
    #[serde(default)]
    filters: Option<Value>,
    #[serde(default)]
    retention: Option<Value>,
    #[serde(default)]
    allowlists: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    #[serde(default)]
    mode: Mode,
    rules: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    entries: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    value: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    duration: Option<String>,
}

/// Reads a template out of a file: YAML, or JSON, which is YAML, too.
///
/// # Errors
/// Why it is neither.
pub fn parse(text: &str) -> Result<Value, String> {
    if text.len() > SIZE {
        return Err(format!("is larger than {SIZE} bytes"));
    }
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|e| e.to_string());
    }
    read_yaml(text, NODES).map_err(|e| e.to_string())
}

/// What is wrong, by its place.
struct Wrong(Vec<FieldError>);

impl Wrong {
    fn say(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        let (field, reason) = (field.into(), reason.into());
        self.0.push(FieldError { field, reason });
    }

    fn piece<T: DeserializeOwned>(&mut self, field: &str, value: Value) -> Option<T> {
        // A list would be taken for the members in their order.
        if value.is_array() {
            self.say(field, "must be an object");
            return None;
        }
        serde_json::from_value(value)
            .map_err(|e| self.say(field, e.to_string()))
            .ok()
    }
}

impl Template {
    /// Reads one. With `defaults` it is not the command line that asks, which alone may shorten what is guarded.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(value: Value, defaults: Option<&Lifetimes>, now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Wrong(Vec::new());
        let Some(document) = wrong.piece::<Document>("template", value) else {
            return Err(wrong.0);
        };
        let rules = document.filters.and_then(|value| rules(value, &mut wrong));
        let retention = document.retention;
        let own = retention.map_or_else(Own::new, |value| wishes(value, defaults, &mut wrong));
        let lists = lists(document.allowlists.unwrap_or_default(), now, &mut wrong);
        if wrong.0.is_empty() {
            Ok(Self {
                forward_enabled: document.forward_enabled,
                rules,
                retention: own,
                lists,
            })
        } else {
            // A hostile one may be wrong in every line.
            wrong.0.truncate(100);
            Err(wrong.0)
        }
    }

    /// Puts it into the transaction that makes the tenant.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn fill(self, tx: &TenantTx<'_>, actor: &str) -> Result<(), DbError> {
        match self.rules {
            Some((mode, rules)) => filter::insert_all(tx, mode, rules).await?,
            None => filter::insert_defaults(tx).await?,
        }
        retention::insert(tx, &self.retention).await?;
        allowlist::insert_all(tx, &self.lists, actor).await
    }
}

fn rules(value: Value, wrong: &mut Wrong) -> Option<(Mode, Vec<RuleFile>)> {
    let filters: Filters = wrong.piece("template.filters", value)?;
    if i64::try_from(filters.rules.len()).unwrap_or(i64::MAX) > RULE_LIMIT {
        wrong.say(
            "template.filters.rules",
            format!("must have at most {RULE_LIMIT} items"),
        );
        return None;
    }
    let (mut rules, mut size) = (Vec::new(), 0);
    for (n, value) in filters.rules.into_iter().enumerate() {
        let at = format!("template.filters.rules[{n}]");
        let Some(mut rule) = wrong.piece::<RuleFile>(&at, value) else {
            continue;
        };
        rule.name = String::from(rule.name.trim());
        let condition = rule.filter.to_string();
        size += condition.len();
        if let Err(e) = rule.check() {
            // Its text begins with the key.
            let text = e.to_string();
            let (key, why) = text.split_once(": ").unwrap_or(("filter", &text));
            wrong.say(format!("{at}.{key}"), why);
        } else if condition.len() > CONDITION || condition.contains("\\u0000") {
            let why = format!("must have at most {CONDITION} bytes and hold no NUL");
            wrong.say(format!("{at}.filter"), why);
        } else {
            rules.push(rule);
        }
    }
    if i64::try_from(size).unwrap_or(i64::MAX) > SIZE_LIMIT {
        let why = format!("must have at most {SIZE_LIMIT} characters of conditions together");
        wrong.say("template.filters.rules", why);
    }
    Some((filters.mode, rules))
}

fn wishes(value: Value, defaults: Option<&Lifetimes>, wrong: &mut Wrong) -> Own {
    let Some(days) = wrong.piece::<BTreeMap<String, i64>>("template.retention", value) else {
        return Own::new();
    };
    let days = days.iter().map(|(class, days)| (class.as_str(), Some(*days)));
    changed(&Own::new(), days, defaults).unwrap_or_else(|e| {
        let why = match &e {
            Refused::Unknown(_) => format!("{e}"),
            _ => format!("{} {e}", e.class()),
        };
        wrong.say(format!("template.retention.{}", e.class()), why);
        Own::new()
    })
}

fn lists(values: Vec<Value>, now: Timestamp, wrong: &mut Wrong) -> Vec<NewList> {
    if i64::try_from(values.len()).unwrap_or(i64::MAX) > LIST_LIMIT {
        wrong.say(
            "template.allowlists",
            format!("must have at most {LIST_LIMIT} items"),
        );
        return Vec::new();
    }
    let (mut lists, mut names, mut count) = (Vec::new(), BTreeSet::new(), 0);
    for (n, value) in values.into_iter().enumerate() {
        let at = format!("template.allowlists[{n}]");
        let Some(list) = wrong.piece::<List>(&at, value) else {
            continue;
        };
        if !is_name(&list.name) {
            let why = "must match pattern \"^[a-zA-Z0-9_-]{1,64}$\"";
            wrong.say(format!("{at}.name"), why);
        } else if !names.insert(list.name.clone()) {
            wrong.say(format!("{at}.name"), "is the name of a list before it");
        }
        let description = list.description.trim().to_owned();
        if let Some(why) = allowlist::wrong_text(&description) {
            wrong.say(format!("{at}.description"), why);
        }
        count += list.entries.len();
        let mut drafts = Vec::with_capacity(list.entries.len());
        for (n, value) in list.entries.into_iter().enumerate() {
            if let Some(entry) = wrong.piece::<Entry>(&format!("{at}.entries[{n}]"), value) {
                drafts.push(EntryDraft {
                    value: entry.value,
                    reason: entry.reason,
                    expires_at: entry.expires_at,
                    duration: entry.duration,
                });
            }
        }
        match allowlist::read(drafts, &format!("{at}."), now) {
            Ok(entries) => lists.push(NewList {
                name: list.name,
                description,
                entries,
            }),
            Err(more) => wrong.0.extend(more),
        }
    }
    if i64::try_from(count).unwrap_or(i64::MAX) > ENTRY_LIMIT {
        wrong.say(
            "template.allowlists",
            format!("must have at most {ENTRY_LIMIT} entries together"),
        );
    }
    lists
}

/// A tenant as a template.
///
/// # Errors
/// As the statements fail.
pub async fn show(db: &Db, tenant: Tenant, forward_enabled: bool) -> Result<Value, DbError> {
    let set = filter::list(db, tenant).await?;
    let rule = |rule: &filter::StoredRule| {
        let mut shown = json!({ "name": rule.name, "enabled": rule.enabled, "filter": rule.expression });
        if let Some(text) = &rule.description {
            shown["description"] = json!(text);
        }
        shown
    };
    let own = retention::list(db, tenant).await?;
    let mut lists = Vec::new();
    for list in allowlist::list(db, tenant).await? {
        let found = allowlist::list_entries(db, tenant, &list.name, 0, ENTRY_LIMIT + 1).await?;
        let entry = |entry: &allowlist::Entry| {
            let mut shown = json!({ "value": entry.value });
            if !entry.reason.is_empty() {
                shown["reason"] = json!(entry.reason);
            }
            if let Some(at) = entry.expires_at {
                shown["expiresAt"] = json!(rfc3339_millis(at));
            }
            shown
        };
        let entries: Vec<Value> = found.iter().flat_map(|(_, all)| all.iter().map(entry)).collect();
        lists.push(json!({ "name": list.name, "description": list.description, "entries": entries }));
    }
    Ok(json!({
        "forwardEnabled": forward_enabled,
        "filters": { "mode": set.mode.as_str(), "rules": set.rules.iter().map(rule).collect::<Vec<_>>() },
        "retention": retention::named(&own),
        "allowlists": lists,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Lifetimes = Lifetimes {
        alerts: 30,
        bodies: None,
        audit: 365,
        waiting: 90,
        metrics: 90,
    };

    fn fields(value: Value) -> Vec<String> {
        let now = "2026-11-21T20:00:00Z".parse().unwrap();
        match Template::read(value, Some(&DEFAULTS), now) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.into_iter().map(|e| e.field).collect(),
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let good = json!({"field": "scenario", "op": "eq", "value": "x"});
        for (value, wrong) in [
            (json!({}), &[][..]),
            (json!({"filters": {"rules": []}}), &[]),
            (json!([]), &["template"]),
            (json!({"filter": {}}), &["template"]),
            (
                json!({"filters": {"mode": "x", "rules": []}}),
                &["template.filters"],
            ),
            (
                json!({"filters": {"rules": [{"name": "a", "filter": good}, {"name": "", "filter": good}, {"filter": good},
                    {"name": "b", "filter": {"op": "no"}}, {"name": "c\0", "filter": good}, {"name": "c", "filter": good, "x": 1}]}}),
                &[
                    "template.filters.rules[1].name",
                    "template.filters.rules[2]",
                    "template.filters.rules[3].filter",
                    "template.filters.rules[4].name",
                    "template.filters.rules[5]",
                ],
            ),
            (
                json!({"retention": {"alerts": 0}}),
                &["template.retention.alerts"],
            ),
            (json!({"retention": {"audit": 10}}), &["template.retention.audit"]),
            (json!({"retention": {"x": 10}}), &["template.retention.x"]),
            (
                json!({"allowlists": [{"name": "a"}, {"name": "a"}, {"name": "a b", "entries": [{"value": "192.0.2.1"}, {"value": "x"}]},
                    {"name": "c", "entries": [{"value": "10.0.0.0/7"}, {"value": 7}], "description": "\n"}]}),
                &[
                    "template.allowlists[1].name",
                    "template.allowlists[2].name",
                    "template.allowlists[2].entries[1].value",
                    "template.allowlists[3].entries[1]",
                    "template.allowlists[3].entries[0].value",
                ],
            ),
        ] {
            assert_eq!(fields(value.clone()), wrong, "{value}");
        }
    }

    #[test]
    fn files_are_yaml_or_json() {
        let yaml = "filters:\n  mode: allow\n  rules: []\nretention: {alerts: 7}\n";
        let value = json!({"filters": {"mode": "allow", "rules": []}, "retention": {"alerts": 7}});
        assert_eq!(parse(yaml).unwrap(), value);
        assert_eq!(parse(&value.to_string()).unwrap(), value);
        for bad in ["a: !!binary x", "a: 1\na: 2", "{", "&a [*a]"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
