//! A store of logs that answers as Loki and as Grafana do, or as it is told.
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    /// As such stores do; Grafana in its current layout.
    Good,
    /// Grafana in its older layout.
    Older,
    /// Nothing but a status.
    Status(u16),
    /// Every request with this text.
    Says(&'static str),
    /// Elsewhere.
    Redirects,
    /// A gigabyte.
    Floods,
    Hangs,
}

/// What came: method and path, query or body, credentials.
#[derive(Clone, Debug)]
pub struct Asked {
    pub line: String,
    pub query: Vec<(String, String)>,
    pub body: Value,
    pub authorization: String,
    pub org: String,
}

impl Asked {
    pub fn param(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value)
    }
}

#[derive(Clone)]
pub struct Store {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    lines: Arc<Mutex<Vec<(i64, String)>>>,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

pub fn now_ns() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).expect("a time")
}

impl Store {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let store = Self {
            url: format!("http://{}/", listener.local_addr().expect("address")),
            mood: Arc::new(Mutex::new(Mood::Good)),
            lines: Arc::default(),
            asked: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(store.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        store
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// A log line of now.
    pub fn log(&self, text: &str) {
        self.log_at(now_ns(), text);
    }

    pub fn log_at(&self, ns: i64, text: &str) {
        self.lines.lock().unwrap().push((ns, text.to_owned()));
    }

    /// Failed logins of so many users from an address.
    pub fn attempts(&self, ip: &str, users: usize) {
        for n in 0..users {
            let line = json!({"client": {"ip": ip}, "user": format!("user{n}"), "ok": false});
            self.log(&line.to_string());
        }
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub fn last(&self) -> Asked {
        let asked = self.asked.lock().unwrap();
        asked.last().expect("a request").clone()
    }

    /// A rule about three users and more from one address, asked of Loki.
    pub fn rule(&self, id: &str) -> Value {
        json!({
            "id": id, "name": "Logins", "schedule": {"interval": "1h", "lookback": "1h"},
            "source": {"type": "loki", "url": self.url, "query": "{app=\"sso\"} |= \"ok\"", "token": "s3cret"},
            "extraction": {"format": "json", "fields": {"ip": "client.ip", "user": "user"}},
            "detection": {"groupby": "ip", "distinct": "user", "threshold": 3},
            "decision": {"duration": "4h", "scenario": "custom/sso-bf", "reason": "failed logins"},
        })
    }

    fn newest(&self, from: i64, to: i64, most: usize) -> Vec<(i64, String)> {
        let mut found: Vec<_> = self.lines.lock().unwrap().clone();
        found.retain(|(ns, _)| (from..to).contains(ns));
        found.sort_by_key(|(ns, _)| std::cmp::Reverse(*ns));
        found.truncate(most);
        found
    }

    fn loki(&self, asked: &Asked) -> Value {
        let number = |name: &str| asked.param(name).parse().expect("a number");
        let most = asked.param("limit").parse().expect("a limit");
        let lines = self.newest(number("start"), number("end"), most);
        let values: Vec<Value> = lines
            .iter()
            .map(|(ns, line)| json!([ns.to_string(), line]))
            .collect();
        json!({"status": "success", "data": {"resultType": "streams",
            "result": [{"stream": {"app": "sso", "detected_level": "info"}, "values": values}],
            "stats": {"summary": {"totalLinesProcessed": 5}}}})
    }

    fn grafana(&self, asked: &Asked, older: bool) -> Value {
        let number = |name: &str| -> i64 {
            asked.body[name]
                .as_str()
                .expect("a text")
                .parse()
                .expect("a number")
        };
        let most = asked.body["queries"][0]["maxLines"].as_u64().expect("a number");
        let to = number("to") * 1_000_000 + 999_999;
        let lines = self.newest(number("from") * 1_000_000, to, most as usize);
        let millis: Vec<i64> = lines.iter().map(|(ns, _)| ns / 1_000_000).collect();
        let nanos: Vec<String> = lines.iter().map(|(ns, _)| ns.to_string()).collect();
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        let labels: Vec<Value> = lines.iter().map(|_| json!({"app": "sso"})).collect();
        let ids: Vec<String> = nanos.iter().map(|ns| format!("{ns}_9b025d35")).collect();
        let field = |name: &str, kind: &str, frame: &str| json!({"name": name, "type": kind, "typeInfo": {"frame": frame}});
        let frame = if older {
            let mut line = field("Line", "string", "string");
            line["labels"] = json!({"app": "sso"});
            json!({"schema": {"refId": "A", "fields": [field("Time", "time", "time.Time"), line, field("id", "string", "string"),
                field("tsNs", "string", "string")]}, "data": {"values": [millis, texts, ids, nanos]}})
        } else {
            json!({"schema": {"refId": "A",
                "meta": {"typeVersion": [0, 0], "custom": {"frameType": "LabeledTimeValues"}, "executedQueryString": "Expr: x"},
                "fields": [field("labels", "other", "json.RawMessage"), field("Time", "time", "time.Time"),
                    field("Line", "string", "string"), field("tsNs", "string", "string"), field("id", "string", "string")]},
                "data": {"values": [labels, millis, texts, nanos, ids]}})
        };
        json!({"results": {"A": {"status": 200, "frames": [frame]}}})
    }
}

async fn answer(State(store): State<Store>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    let url = reqwest::Url::parse(&format!("http://a{}", request.uri())).expect("a URL");
    let (authorization, org) = {
        let header = |name: &str| {
            let value = request.headers().get(name).and_then(|v| v.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        (header("authorization"), header("x-scope-orgid"))
    };
    let body = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .expect("body");
    let asked = Asked {
        line,
        query: url.query_pairs().into_owned().collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        authorization,
        org,
    };
    store.asked.lock().unwrap().push(asked.clone());
    let mood = *store.mood.lock().unwrap();
    match mood {
        Mood::Good | Mood::Older => {}
        Mood::Status(status) => return StatusCode::from_u16(status).expect("status").into_response(),
        Mood::Says(text) => return text.into_response(),
        Mood::Redirects => {
            let to = [("location", "http://127.0.0.1:1/")];
            return (StatusCode::FOUND, to).into_response();
        }
        Mood::Floods => {
            let chunk = Ok::<_, std::convert::Infallible>(bytes::Bytes::from(vec![b' '; 1 << 20]));
            let chunks = futures_util::stream::iter(std::iter::repeat_n(chunk, 1024));
            return Body::from_stream(chunks).into_response();
        }
        Mood::Hangs => std::future::pending().await,
    }
    let value = match asked.line.as_str() {
        "GET /loki/api/v1/query_range" => store.loki(&asked),
        "POST /grafana/api/ds/query" => store.grafana(&asked, mood == Mood::Older),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    axum::Json(value).into_response()
}
