//! What the stand-in LAPI keeps.
use super::lapi::Mood;
use garrison::kernel::duration::parse_duration_ms;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

#[derive(Clone, Debug)]
pub struct Decision {
    pub id: i64,
    pub scope: String,
    pub value: String,
    pub kind: String,
    pub origin: String,
    pub scenario: String,
    /// By the server's clock.
    pub until: Timestamp,
    made: Timestamp,
    /// When it came, by the clock on the wall.
    pub at: Instant,
}

#[derive(Default)]
pub struct Store {
    pub decisions: Vec<Decision>,
    pub sessions: HashSet<String>,
    alerts: HashMap<i64, Vec<i64>>,
    last: i64,
    /// When the stream was last read.
    pulled: Option<Timestamp>,
}

impl Store {
    fn number(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// By hand, as `cscli decisions add` does; its number.
    pub fn add(&mut self, now: Timestamp, value: &str, origin: &str, seconds: i64) -> i64 {
        let id = self.number();
        self.decisions.push(Decision {
            id,
            scope: "Ip".to_owned(),
            value: value.to_owned(),
            kind: "ban".to_owned(),
            origin: origin.to_owned(),
            scenario: "by hand".to_owned(),
            until: now + SignedDuration::from_secs(seconds),
            made: now,
            at: Instant::now(),
        });
        id
    }

    /// Ends what fits and holds; how many.
    pub fn end(&mut self, now: Timestamp, fits: impl Fn(&Decision) -> bool) -> usize {
        let ending = self.decisions.iter_mut().filter(|d| d.until > now && fits(d));
        ending.map(|d| d.until = now).count()
    }

    /// `POST /v1/alerts`.
    pub fn post(&mut self, now: Timestamp, mood: &Mood, alerts: &Value) -> (u16, Value) {
        let alerts = alerts.as_array().cloned().unwrap_or_default();
        let mut made: Vec<Vec<i64>> = Vec::new();
        for alert in alerts {
            let holds = |value: &Option<String>| {
                let value = value.as_deref();
                value.is_some() && alert["source"]["value"].as_str() == value
            };
            if holds(&mood.poison) {
                // What came before stays, without an alert.
                return (500, json!({"message": "bad value: invalid ip address"}));
            }
            if holds(&mood.dropped) {
                continue;
            }
            let stop: Timestamp = alert["stop_at"]
                .as_str()
                .and_then(|t| t.parse().ok())
                .unwrap_or(now);
            let mut ids = Vec::new();
            for decision in alert["decisions"].as_array().into_iter().flatten() {
                let text = |name: &str| decision[name].as_str().unwrap_or_default().to_owned();
                let Some(length) = parse_duration_ms(&text("duration")) else {
                    return (500, json!({"message": "time: invalid duration"}));
                };
                let id = self.number();
                self.decisions.push(Decision {
                    id,
                    scope: text("scope"),
                    value: text("value"),
                    kind: text("type"),
                    origin: text("origin"),
                    scenario: text("scenario"),
                    until: stop + SignedDuration::from_millis(length),
                    made: now,
                    at: Instant::now(),
                });
                ids.push(id);
            }
            made.push(ids);
        }
        let mut numbers = Vec::new();
        for ids in made {
            let number = self.number();
            self.alerts.insert(number, ids);
            numbers.push(number.to_string());
        }
        (201, json!(numbers))
    }

    /// `GET /v1/alerts/{id}`.
    pub fn alert(&self, number: i64) -> (u16, Value) {
        match self.alerts.get(&number) {
            Some(ids) => {
                let decisions: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
                (200, json!({"id": number, "decisions": decisions}))
            }
            None => (404, json!({"message": "object not found"})),
        }
    }

    /// `GET /v1/decisions`: every one that holds.
    pub fn told(&self, now: Timestamp, ip: Option<&str>, origins: Option<&str>) -> Value {
        let fits = |d: &&Decision| {
            let of = |origins: &str| origins.split(',').any(|o| o == d.origin);
            d.until > now && ip.is_none_or(|ip| d.value == ip) && origins.is_none_or(of)
        };
        let found: Vec<Value> = self.decisions.iter().filter(fits).map(|d| d.tell(now)).collect();
        if found.is_empty() {
            Value::Null
        } else {
            json!(found)
        }
    }

    /// `GET /v1/decisions/stream`: the longest of each, and what ended since it was last read.
    pub fn stream(&mut self, now: Timestamp, whole: bool) -> Value {
        let since = self.pulled.filter(|_| !whole);
        self.pulled = Some(now);
        let mut longest: HashMap<(&str, &str, &str), &Decision> = HashMap::new();
        let fresh = |d: &&Decision| d.until > now && since.is_none_or(|since| d.made > since);
        for decision in self.decisions.iter().filter(fresh) {
            let what = (
                decision.scope.as_str(),
                decision.value.as_str(),
                decision.kind.as_str(),
            );
            let kept = longest.entry(what).or_insert(decision);
            if kept.until < decision.until {
                *kept = decision;
            }
        }
        let ended = |d: &&Decision| d.until <= now && since.is_none_or(|since| d.until > since);
        let deleted: Vec<Value> = self.decisions.iter().filter(ended).map(|d| d.tell(now)).collect();
        let new: Vec<Value> = longest.values().map(|d| d.tell(now)).collect();
        json!({"new": new, "deleted": deleted})
    }
}

impl Decision {
    fn tell(&self, now: Timestamp) -> Value {
        let left = self.until.duration_since(now).as_millis();
        json!({"id": self.id, "origin": self.origin, "scenario": self.scenario, "scope": self.scope, "type": self.kind,
            "value": self.value, "duration": format!("{left}ms")})
    }
}
