//! One row of a file: held to its table's columns, its numbers exchanged for those that were handed out.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use super::{Of, Part, Ref};

/// Columns that hold a document.
const DOCUMENTS: [&str; 4] = ["expression", "rule", "results", "pushes"];

fn is_time(column: &str) -> bool {
    let others = ["at", "until", "since", "takes_back_until", "counts_from", "month"];
    column.ends_with("_at") || others.contains(&column)
}

/// A row as it stands in a file.
#[derive(Debug)]
pub struct Row<'a>(BTreeMap<String, Cow<'a, RawValue>>);

impl<'a> Row<'a> {
    /// A row of this table, or why it is none.
    ///
    /// # Errors
    /// When it is no object or has a column that the table has not.
    pub fn read(part: &Part, text: &'a RawValue) -> Result<Self, String> {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text.get())
            .map_err(|e| format!("no row of {}: {}", part.table, short(&e.to_string())))?;
        if let Some(name) = fields.keys().find(|name| !part.has(name)) {
            return Err(format!("{} has no column {}", part.table, short(name)));
        }
        let own = fields
            .into_iter()
            .map(|(name, value)| (name, Cow::Borrowed(value)));
        Ok(Self(own.collect()))
    }

    /// What stands in a column; none when that is nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn get<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, String> {
        match self.0.get(column) {
            None => Ok(None),
            Some(value) => {
                serde_json::from_str(value.get()).map_err(|e| format!("{column}: {}", short(&e.to_string())))
            }
        }
    }

    /// The same of a column that has to have something.
    ///
    /// # Errors
    /// When it has not.
    pub fn need<T: DeserializeOwned>(&self, column: &str) -> Result<T, String> {
        self.get(column)?.ok_or_else(|| format!("{column} is missing"))
    }

    /// Puts something else there.
    pub fn set(&mut self, column: &str, value: &impl Serialize) {
        // Numbers and texts of ours, which always are JSON.
        if let Ok(raw) = to_raw_value(value) {
            self.0.insert(column.to_owned(), Cow::Owned(raw));
        }
    }

    /// Whether the values can be read back by who takes a column for what it is: times that a calendar has, lists without
    /// gaps.
    ///
    /// # Errors
    /// When one cannot.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in &self.0 {
            let text = value.get();
            if text.starts_with('[') && !DOCUMENTS.contains(&name.as_str()) {
                let items: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|e| format!("{name}: {}", short(&e.to_string())))?;
                let plain = |item: &&RawValue| {
                    item.get().starts_with(['"', '-']) || item.get().as_bytes()[0].is_ascii_digit()
                };
                if !items.iter().all(plain) {
                    return Err(format!("{name} holds something else than texts or numbers"));
                }
            }
            if text != "null" && is_time(name) {
                let said: String = serde_json::from_str(text).map_err(|_| format!("{name} is no time"))?;
                let good = match name.as_str() {
                    "month" => said.parse::<jiff::civil::Date>().is_ok(),
                    // From the beginning on; Postgres writes years before ours so.
                    _ if said == "-infinity" => name == "counts_from",
                    _ if said.ends_with(" BC") => true,
                    _ => said.parse::<jiff::Timestamp>().is_ok(),
                };
                if !good {
                    return Err(format!("{name} is no time"));
                }
            }
        }
        Ok(())
    }

    /// Exchanges the numbers of what was there for the numbers of what is here.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn renumber(&mut self, part: &Part, numbers: &Numbers) -> Result<(), String> {
        for (column, by) in part.refs {
            match by {
                Ref::One(of) => {
                    if let Some(old) = self.get::<i64>(column)? {
                        self.set(column, &numbers.of(*of, old));
                    }
                }
                Ref::Many(of) => {
                    if let Some(old) = self.get::<Vec<i64>>(column)? {
                        let new: Vec<i64> = old.into_iter().map(|old| numbers.of(*of, old)).collect();
                        self.set(column, &new);
                    }
                }
                Ref::Said => {
                    let old: i64 = self.need(column)?;
                    let new = match self.need::<i16>("source")? {
                        1 => numbers.of(Of::Machine, old),
                        2 => numbers.of(Of::Server, old),
                        4 => numbers.of(Of::Analyzer, old),
                        // A hand is nobody's number.
                        3 => 0,
                        other => return Err(format!("source {other} is not known")),
                    };
                    self.set(column, &new);
                }
            }
        }
        Ok(())
    }

    /// It as JSON.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Adds it to an array of rows, as JSON.
    pub fn write(&self, to: &mut Vec<u8>) {
        to.push(if to.is_empty() { b'[' } else { b',' });
        self.put(to);
    }

    fn put(&self, to: &mut Vec<u8>) {
        // A map of texts onto a vector: neither can fail.
        let _ = serde_json::to_writer(to, &self.0);
    }
}

/// Which number each row got that others name.
#[derive(Debug, Default)]
pub struct Numbers([HashMap<i64, i64>; 5]);

impl Numbers {
    /// Notes one; false when there is another row of the old number.
    #[must_use]
    pub fn note(&mut self, of: Of, old: i64, new: i64) -> bool {
        self.0[of as usize].insert(old, new).is_none()
    }

    /// The new number. What is named and gone has one that nothing will ever have: below zero.
    #[must_use]
    pub fn of(&self, of: Of, old: i64) -> i64 {
        let known = self.0[of as usize].get(&old).copied();
        known.unwrap_or(if old > 0 { -old } else { old })
    }
}

/// As much of somebody else's text as an error may hold.
#[must_use]
pub fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::super::part;
    use super::*;

    fn renumbered(table: &str, text: &str) -> Result<String, String> {
        let mut numbers = Numbers::default();
        assert!(numbers.note(Of::Machine, 7, 70) && numbers.note(Of::Rule, 1, 10));
        assert!(numbers.note(Of::Server, 7, 71) && !numbers.note(Of::Server, 7, 72));
        let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
        let (_, part) = part(table).unwrap();
        let mut row = Row::read(part, &raw)?;
        row.renumber(part, &numbers)?;
        let mut out = Vec::new();
        row.write(&mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_are_what_their_columns_hold() {
        for (table, text, good) in [
            (
                "alert",
                r#"{"received_at":"2026-11-22T15:00:00.123456+00:00","message":"infinity"}"#,
                true,
            ),
            (
                "alert",
                r#"{"start_at":"0002-01-01T00:00:00+00:00 BC","stop_at":null}"#,
                true,
            ),
            ("alert", r#"{"received_at":"infinity"}"#, false),
            ("alert", r#"{"received_at":"20260-11-22T15:00:00+00:00"}"#, false),
            ("alert", r#"{"received_at":5}"#, false),
            ("decision", r#"{"until":"-infinity"}"#, false),
            (
                "analyzer",
                r#"{"counts_from":"-infinity","rule":[null,[]]}"#,
                true,
            ),
            ("stat_usage", r#"{"month":"2026-11-01"}"#, true),
            ("stat_usage", r#"{"month":"infinity"}"#, false),
            ("machine", r#"{"scenarios":["a","b"]}"#, true),
            ("machine", r#"{"scenarios":["a",null]}"#, false),
            ("outbox", r#"{"keys":[["a"]]}"#, false),
            ("alert", r#"{"filter_rules":[-1,2]}"#, true),
        ] {
            let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
            let row = Row::read(part(table).unwrap().1, &raw).unwrap();
            assert_eq!(row.check().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn rows_are_held_to_their_table_and_renumbered() {
        for (table, text, expected) in [
            (
                "retention",
                r#"{"class":1,"days":5}"#,
                Ok(r#"[{"class":1,"days":5}"#),
            ),
            (
                "alert",
                r#"{"machine_id":7,"filter_rules":[1,2],"geo_latitude":1.50}"#,
                Ok(r#"[{"filter_rules":[10,-2],"geo_latitude":1.50,"machine_id":70}"#),
            ),
            ("alert", r#"{"machine_id":null}"#, Ok(r#"[{"machine_id":null}"#)),
            (
                "decision",
                r#"{"source":2,"source_id":7,"servers":[7]}"#,
                Ok(r#"[{"servers":[72],"source":2,"source_id":72}"#),
            ),
            (
                "decision",
                r#"{"source":3,"source_id":7}"#,
                Ok(r#"[{"source":3,"source_id":0}"#),
            ),
            (
                "decision",
                r#"{"source":9,"source_id":7}"#,
                Err("source 9 is not known"),
            ),
            ("decision", r#"{"source":1}"#, Err("source_id is missing")),
            (
                "alert",
                r#"{"tenant_id":2}"#,
                Err("alert has no column tenant_id"),
            ),
            ("alert", r#"{"id":2}"#, Err("alert has no column id")),
            ("retention", "[]", Err("no row of retention")),
            ("alert", r#"{"machine_id":"7"}"#, Err("machine_id: invalid type")),
        ] {
            match (renumbered(table, text), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{text}: {found}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }
}
