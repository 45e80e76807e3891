//! The books of a run: every alert that was ever made up, and what became of it.
use crate::support::capi::Capi;
use crate::support::machine::{address, signal, undecided};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Passes the shipped rules: must reach CAPI.
    Passing,
    /// The same without a uuid: known by its content.
    Nameless,
    /// The shipped rules filter it: must never reach CAPI.
    Filtered,
    /// No source: rejected alone.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Sent,
    Acknowledged,
    Rejected,
}

/// One alert; its message is its name in these books.
pub struct Entry {
    pub tenant: usize,
    pub kind: Kind,
    pub fate: Fate,
    pub item: Value,
}

#[derive(Default)]
pub struct Book {
    pub entries: HashMap<String, Entry>,
    pub batches: usize,
    pub unknown: usize,
    pub repeats: usize,
    pub strange: Vec<String>,
}

impl Book {
    /// A new batch of `n` alerts of every kind, written down as sent.
    pub fn batch(&mut self, tenant: usize, n: usize) -> Vec<Value> {
        self.batches += 1;
        (0..n).map(|_| self.alert(tenant)).collect()
    }

    fn alert(&mut self, tenant: usize) -> Value {
        let name = format!("acct-{}", self.entries.len());
        let kind = match rand::random_range(0..20) {
            0..=10 => Kind::Passing,
            11..=13 => Kind::Nameless,
            14..=18 => Kind::Filtered,
            _ => Kind::Broken,
        };
        let ip = address(rand::random());
        let mut item = if kind == Kind::Filtered {
            undecided(&ip)
        } else {
            signal(&ip)
        };
        item["message"] = json!(name);
        let object = item.as_object_mut().expect("object");
        match kind {
            Kind::Nameless => drop(object.remove("uuid")),
            Kind::Broken => drop(object.remove("source")),
            _ => {}
        }
        let entry = Entry {
            tenant,
            kind,
            fate: Fate::Sent,
            item: item.clone(),
        };
        self.entries.insert(name, entry);
        item
    }

    /// Writes an answer down: a 200 with its rejections, or a 422.
    pub fn answered(&mut self, items: &[Value], status: u16, reply: &Value) {
        let rejected: BTreeSet<usize> = reply["rejected"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|r| usize::try_from(r["index"].as_u64()?).ok())
            .collect();
        for (index, item) in items.iter().enumerate() {
            let entry = self.entries.get_mut(name(item)).expect("written down");
            entry.fate = if status == 422 || rejected.contains(&index) {
                Fate::Rejected
            } else {
                Fate::Acknowledged
            };
            let right = (entry.fate == Fate::Rejected) == (entry.kind == Kind::Broken);
            if !right {
                self.strange
                    .push(format!("{status} {:?} {:?}: {reply}", entry.kind, entry.fate));
            }
        }
    }

    pub fn expected(&self, tenant: usize, kinds: &[Kind]) -> BTreeSet<&str> {
        let of = |e: &Entry| e.tenant == tenant && kinds.contains(&e.kind) && e.fate == Fate::Acknowledged;
        self.entries
            .iter()
            .filter(|(_, e)| of(e))
            .map(|(n, _)| n.as_str())
            .collect()
    }

    pub fn count(&self, fate: Fate) -> usize {
        self.entries.values().filter(|e| e.fate == fate).count()
    }

    /// I1 to I3 for one tenant's stored alerts, and their flags.
    pub fn audit_stored(&self, tenant: usize, stored: &[Value]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for alert in stored {
            let name = name(alert);
            *seen.entry(name).or_default() += 1;
            let Some(entry) = self.entries.get(name) else {
                wrong.push(format!("I3: {name} comes from nowhere"));
                continue;
            };
            if entry.tenant != tenant {
                wrong.push(format!("I7: {name} is of another tenant"));
            }
            if entry.kind == Kind::Broken {
                wrong.push(format!("I2: {name} was rejected, yet stored"));
            }
            let filtered = entry.kind == Kind::Filtered;
            if alert["filtered"] != filtered {
                wrong.push(format!("verdict of {name}: {}", alert["filtered"]));
            }
            if alert["forwardedToCapi"] == filtered || alert["forwardedAt"].is_null() != filtered {
                wrong.push(format!(
                    "I5: flags of {name}, filtered {filtered}: {}",
                    alert["forwardedToCapi"]
                ));
            }
        }
        for name in self.expected(tenant, &[Kind::Passing, Kind::Nameless, Kind::Filtered]) {
            match seen.get(name) {
                Some(1) => {}
                Some(n) => wrong.push(format!("I1: {name} is stored {n} times")),
                None => wrong.push(format!("I1: {name} was acknowledged and is lost")),
            }
        }
        wrong.extend(
            seen.iter()
                .filter(|(_, n)| **n > 1)
                .map(|(name, n)| format!("I1: {name} is stored {n} times")),
        );
        wrong
    }

    /// I5 at CAPI: everything eligible at least once, nothing filtered, each as it was sent.
    pub fn audit_delivered(&self, capi: &Capi) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut times: HashMap<String, usize> = HashMap::new();
        for item in capi.delivered_items() {
            let name = name(&item).to_owned();
            match self.entries.get(&name) {
                None => wrong.push(format!("I3: CAPI got {name} from nowhere")),
                Some(e) if e.item != item => wrong.push(format!("I5: {name} was changed on its way: {item}")),
                Some(_) => *times.entry(name).or_default() += 1,
            }
        }
        for seen in capi.at("/signals") {
            for item in seen.items() {
                let kind = self.entries.get(name(item)).map(|e| e.kind);
                if matches!(kind, Some(Kind::Filtered | Kind::Broken)) {
                    wrong.push(format!("I5: {kind:?} {} was sent to CAPI", name(item)));
                }
            }
        }
        let eligible =
            |e: &Entry| matches!(e.kind, Kind::Passing | Kind::Nameless) && e.fate == Fate::Acknowledged;
        let missing = self
            .entries
            .iter()
            .filter(|(n, e)| eligible(e) && !times.contains_key(*n));
        wrong.extend(missing.map(|(n, _)| format!("I5: {n} never reached CAPI")));
        wrong
    }
}

pub fn name(item: &Value) -> &str {
    item["message"].as_str().unwrap_or("?")
}
