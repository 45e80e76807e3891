//! What the stand-in CAPI knows, and what it would say.
use super::capi_rule::Rule;
use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

const B64: base64::engine::GeneralPurpose = base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    /// Path and query as written.
    pub target: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub raw: Bytes,
    /// The body unzipped and decoded.
    pub body: Value,
    /// The login its credential belongs to.
    pub login: Option<String>,
    /// What was answered; `None` for a reset, a hang, a cut.
    pub status: Option<u16>,
    /// CAPI took it: a 2xx, or a 2xx that got lost on the way.
    pub accepted: bool,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    pub fn is_signals(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/signals")
    }

    pub fn items(&self) -> &[Value] {
        self.body.as_array().map_or(&[], Vec::as_slice)
    }
}

#[derive(Default)]
pub struct State {
    pub seen: Vec<Seen>,
    pub rules: Vec<Rule>,
    pub watchers: HashMap<String, String>,
    pub tokens: HashMap<String, String>,
    pub strict: bool,
    pub token_ttl: i64,
    pub claims: Value,
    pub stream: Option<Value>,
    pub poison: Option<String>,
}

impl State {
    /// What CAPI would say.
    pub fn answer(&mut self, seen: &Seen) -> (u16, Value) {
        let ok = || (200, json!({"message": "OK"}));
        let path = seen.path.trim_end_matches('/');
        let Some(rest) = path.strip_prefix("/v2").or_else(|| path.strip_prefix("/v3")) else {
            return (404, json!({"message": "no such route"}));
        };
        match (seen.method.as_str(), rest) {
            ("POST", "/watchers") => self.register(&seen.body),
            ("POST", "/watchers/login") => self.login(&seen.body),
            _ if seen.login.is_none() => (401, json!({"message": "Unauthorized"})),
            ("POST", "/signals") if self.is_poisonous(seen) => (400, json!({"message": "bad signal"})),
            ("POST", "/signals") if !seen.body.is_array() => (400, json!({"message": "not an array"})),
            ("POST", "/signals" | "/metrics" | "/usage-metrics" | "/watchers/enroll" | "/watchers/reset")
            | ("POST", "/decisions/delete" | "/decisions/sync")
            | ("DELETE", "/watchers/self") => ok(),
            ("GET", "/decisions/stream") => {
                let v3 = json!({"new": [], "deleted": [], "links": {"blocklists": []}});
                (200, self.stream.clone().unwrap_or(v3))
            }
            _ => (404, json!({"message": "no such route"})),
        }
    }

    fn is_poisonous(&self, seen: &Seen) -> bool {
        let Some(word) = &self.poison else { return false };
        seen.items()
            .iter()
            .any(|i| i["message"].as_str().is_some_and(|m| m.contains(word)))
    }

    fn register(&mut self, body: &Value) -> (u16, Value) {
        let (Some(login), Some(password)) = (body["machine_id"].as_str(), body["password"].as_str()) else {
            return (400, json!({"message": "bad register"}));
        };
        if self.watchers.contains_key(login) {
            return (500, json!({"message": "User already registered"}));
        }
        self.watchers.insert(login.into(), password.into());
        (200, json!({"message": "OK"}))
    }

    fn login(&mut self, body: &Value) -> (u16, Value) {
        let (login, password) = (body["machine_id"].as_str(), body["password"].as_str());
        let Some((login, password)) = login.zip(password) else {
            return (400, json!({"message": "bad login"}));
        };
        let good = self
            .watchers
            .get(login)
            .map_or(!self.strict, |known| known == password);
        if !good {
            return (403, json!({"message": "The machine_id or password is incorrect"}));
        }
        let now = jiff::Timestamp::now().as_second();
        let exp = now + self.token_ttl;
        let mut claims =
            json!({"id": login, "iat": now, "exp": exp, "jti": rand::random::<u64>().to_string()});
        if let (Some(all), Some(more)) = (claims.as_object_mut(), self.claims.as_object()) {
            all.extend(more.clone());
        }
        let head = B64.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let token = format!(
            "{head}.{}.{}",
            B64.encode(claims.to_string()),
            B64.encode(rand::random::<[u8; 32]>())
        );
        self.tokens.insert(token.clone(), login.into());
        let expire = jiff::Timestamp::from_second(exp)
            .expect("time")
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        (200, json!({"code": 200, "expire": expire, "token": token}))
    }
}

/// What a signal is known by: its uuid, else its text with sorted keys.
pub fn key(item: &Value) -> String {
    item["uuid"]
        .as_str()
        .map_or_else(|| sorted(item).to_string(), str::to_owned)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let tree: BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            Value::Object(tree.into_iter().collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
