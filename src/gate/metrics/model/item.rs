//! One counted thing, and the sums that the API shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json::{number, text, whole};

/// Longest name and unit.
const NAME: usize = 100;
/// Labels of one item: engines send five.
const LABELS: usize = 32;
/// Longest name and value of a label. A value may be a path, or a query of a journal.
const LABEL: (usize, usize) = (100, 1000);
/// The largest sum: what a JSON number holds exactly.
const MOST: i64 = 9_007_199_254_740_991;

/// An element of a list of metrics: an item, or a block that holds some.
#[derive(Deserialize)]
pub struct Element<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    unit: Option<&'a RawValue>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    /// A block's items.
    #[serde(borrow)]
    pub items: Option<&'a RawValue>,
    /// A block's window.
    #[serde(borrow)]
    pub meta: Option<&'a RawValue>,
}

impl Element<'_> {
    /// Whether it has a name: an item, then.
    pub const fn is_item(&self) -> bool {
        self.name.is_some()
    }
}

/// One counted thing, as it is kept.
#[derive(Debug, PartialEq, Serialize)]
pub struct Item {
    pub name: String,
    #[serde(serialize_with = "plain")]
    pub value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A whole number is written without a point.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it so
fn plain<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match whole(*value) {
        Some(whole) if value.fract() == 0.0 => serializer.serialize_i64(whole),
        _ => serializer.serialize_f64(*value),
    }
}

impl Item {
    /// Reads an item; none when it is no item, or says what nobody counts.
    pub fn read(raw: &RawValue) -> Option<Self> {
        let element: Element<'_> = serde_json::from_str(raw.get()).ok()?;
        let short = |text: &String| text.chars().count() <= NAME;
        let unit = match element.unit {
            None => None,
            // Empty is none; anything else must be a unit.
            Some(raw) if raw.get() == "\"\"" => None,
            some => Some(text(some).filter(short)?),
        };
        let labels: BTreeMap<String, String> = match element.labels {
            None => BTreeMap::new(),
            Some(labels) => serde_json::from_str(labels.get()).ok()?,
        };
        let good = |(name, value): (&String, &String)| {
            name.chars().count() <= LABEL.0
                && value.chars().count() <= LABEL.1
                && !name.contains('\0')
                && !value.contains('\0')
        };
        if labels.len() > LABELS || !labels.iter().all(good) {
            return None;
        }
        Some(Self {
            name: text(element.name).filter(short)?,
            value: number(element.value)?,
            unit,
            labels,
        })
    }

    fn is_bytes(&self) -> bool {
        let unit = self.unit.as_deref().unwrap_or_default();
        unit.eq_ignore_ascii_case("byte") || unit.eq_ignore_ascii_case("bytes")
    }
}

/// Sums over the labels; none where nothing was told of it. Each is of one window, not since the start.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    pub active: Option<i64>,
    pub processed: Option<i64>,
    pub dropped: Option<i64>,
    /// Bytes processed. Those dropped are among the items only: most bouncers count them among the processed ones.
    pub bytes: Option<i64>,
}

impl Counters {
    /// Nothing, and told so.
    pub const ZERO: Self = Self {
        active: Some(0),
        processed: Some(0),
        dropped: Some(0),
        bytes: Some(0),
    };

    /// Adds an item where it belongs.
    pub fn add(&mut self, item: &Item) {
        let sum = match (item.name.as_str(), item.is_bytes()) {
            ("active_decisions", _) => &mut self.active,
            ("processed", true) | ("bytes", _) => &mut self.bytes,
            ("processed", false) => &mut self.processed,
            ("dropped", false) => &mut self.dropped,
            _ => return,
        };
        let more = whole(item.value).unwrap_or_default();
        *sum = Some(sum.unwrap_or_default().saturating_add(more).min(MOST));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &serde_json::Value) -> Option<Item> {
        let raw: Box<RawValue> = serde_json::from_str(&value.to_string()).unwrap();
        Item::read(&raw)
    }

    #[test]
    fn an_item_is_kept_as_it_is() {
        let item = json!({"labels": {"ip_type": "ipv4", "origin": "CAPI"}, "name": "dropped", "unit": "packet", "value": 7});
        let read = read(&item).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), item);
        let short = json!({"name": "x", "value": 0.5, "more": {"a": []}});
        let kept = super::Item::read(&serde_json::from_str::<Box<RawValue>>(&short.to_string()).unwrap());
        assert_eq!(
            serde_json::to_string(&kept.unwrap()).unwrap(),
            r#"{"name":"x","value":0.5}"#
        );
    }

    #[test]
    fn what_is_no_item_is_none() {
        let many: BTreeMap<String, &str> = (0..33).map(|n| (n.to_string(), "x")).collect();
        for bad in [
            json!(null),
            json!(5),
            json!("dropped"),
            json!([]),
            json!({}),
            json!({"name": "dropped"}),
            json!({"value": 5}),
            json!({"name": "", "value": 5}),
            json!({"name": 5, "value": 5}),
            json!({"name": "dropped", "value": -5}),
            json!({"name": "dropped", "value": 1e308}),
            json!({"name": "dropped", "value": "NaN"}),
            json!({"name": "dropped", "value": null}),
            json!({"name": "dropped", "value": 5, "unit": 5}),
            json!({"name": "dropped", "value": 5, "labels": []}),
            json!({"name": "dropped", "value": 5, "labels": {"a": {"b": {"c": "d"}}}}),
            json!({"name": "dropped", "value": 5, "labels": {"a": "x\u{0}"}}),
            json!({"name": "dropped", "value": 5, "labels": many}),
            json!({"name": "dropped", "value": 5, "labels": {"a": "x".repeat(1001)}}),
            json!({"name": "x".repeat(101), "value": 5}),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
        let deep = format!(
            r#"{{"name": "dropped", "value": 5, "labels": {}{}}}"#,
            "{\"a\":".repeat(100),
            "1".to_owned() + &"}".repeat(100)
        );
        let raw: Box<RawValue> = serde_json::from_str(&deep).unwrap();
        assert_eq!(Item::read(&raw), None);
    }

    #[test]
    fn counters_are_sums_over_labels_and_bytes_are_apart() {
        let mut counters = Counters::default();
        for (name, unit, value) in [
            ("active_decisions", "ip", json!(3)),
            ("active_decisions", "ip", json!("4")),
            ("processed", "packet", json!(100)),
            ("processed", "byte", json!(5000)),
            ("dropped", "packet", json!(10)),
            ("dropped", "request", json!(1.6)),
            ("dropped", "byte", json!(600)),
            ("dropped", "Bytes", json!(600)),
            ("dropped", "", json!(1)),
            ("read", "line", json!(9)),
        ] {
            counters.add(&read(&json!({"name": name, "unit": unit, "value": value})).unwrap());
        }
        let expected = Counters {
            active: Some(7),
            processed: Some(100),
            dropped: Some(13),
            bytes: Some(5000),
        };
        assert_eq!(counters, expected);
        let most = read(&json!({"name": "dropped", "value": 1e15})).unwrap();
        for _ in 0..100 {
            counters.add(&most);
        }
        assert_eq!(counters.dropped, Some(MOST));
    }
}
