//! A LAPI that keeps what it is told, by a clock of its own, and fails as LAPIs do.
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::lapi_store::{Decision, Store};

/// How it behaves; as a good one at first.
#[derive(Clone, Debug)]
pub struct Mood {
    /// Its clock minus ours, seconds.
    pub clock: i64,
    /// What everything but `/health` and a login takes. What was asked is done all the same, asked for or not by then.
    pub slow: Duration,
    pub login: bool,
    /// 500 on an alert that holds this value; what stood before it in the request stays, as in 1.4.6.
    pub poison: Option<String>,
    /// An alert that holds this value is left out without a word, as from 1.6 on.
    pub dropped: Option<String>,
}

struct Inner {
    port: u16,
    mood: Mutex<Mood>,
    store: Mutex<Store>,
    serving: Mutex<Option<JoinHandle<()>>>,
    counts: Mutex<BTreeMap<String, usize>>,
    /// Writes under way.
    writing: Mutex<usize>,
    wrong: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub struct Lapi(Arc<Inner>);

/// A write under way: two at a time are wrong.
struct Turn(Arc<Inner>);

impl Turn {
    fn begin(lapi: &Lapi, line: &str) -> Self {
        let mut writing = lapi.0.writing.lock().unwrap();
        *writing += 1;
        if *writing > 1 {
            lapi.wrong(format!("{line} while another write is under way"));
        }
        Self(lapi.0.clone())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.writing.lock().unwrap() -= 1;
    }
}

impl Lapi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let lapi = Self(Arc::new(Inner {
            port: listener.local_addr().expect("address").port(),
            mood: Mutex::new(Mood {
                clock: 0,
                slow: Duration::ZERO,
                login: true,
                poison: None,
                dropped: None,
            }),
            store: Mutex::default(),
            serving: Mutex::default(),
            counts: Mutex::default(),
            writing: Mutex::default(),
            wrong: Mutex::default(),
        }));
        lapi.serve(listener);
        lapi
    }

    fn serve(&self, listener: TcpListener) {
        let router = Router::new().fallback(answer).with_state(self.clone());
        let serving = tokio::spawn(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let serve = hyper::server::conn::http1::Builder::new();
                connections.spawn(serve.serve_connection(TokioIo::new(stream), service));
                while connections.try_join_next().is_some() {}
            }
        });
        *self.0.serving.lock().unwrap() = Some(serving);
    }

    /// Refuses connections, and breaks those there are.
    pub async fn down(&self) {
        let serving = self.0.serving.lock().unwrap().take();
        if let Some(serving) = serving {
            serving.abort();
            let _ = serving.await;
        }
    }

    pub async fn up(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.0.port)).await;
        self.serve(listener.expect("the port it had"));
    }

    pub fn mood(&self) -> Mood {
        self.0.mood.lock().unwrap().clone()
    }

    pub fn set(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.0.mood.lock().unwrap());
    }

    /// What it keeps, to be read and tampered with.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap()
    }

    /// By its own clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.mood().clock)
    }

    /// A restart: its sessions are gone.
    pub fn restart(&self) {
        self.store().sessions.clear();
    }

    /// The database is lost.
    pub fn reset(&self) {
        *self.store() = Store::default();
    }

    /// A server that replicates, for `POST /api/lapi-servers`.
    pub fn member(&self, name: &str) -> Value {
        json!({"name": name, "url": format!("http://127.0.0.1:{}/", self.0.port), "apiKey": "key", "machineId": "garrison",
            "password": "password", "replicateDecisions": true})
    }

    /// The active decisions of an origin, by value.
    pub fn active(&self, origin: &str) -> Vec<Decision> {
        let now = self.now();
        let store = self.store();
        let mut found: Vec<Decision> = store
            .decisions
            .iter()
            .filter(|d| d.until > now)
            .cloned()
            .collect();
        found.retain(|d| d.origin == origin);
        found.sort_by(|a, b| a.value.cmp(&b.value));
        found
    }

    /// The values of Garrison's copies, sorted.
    pub fn copies(&self) -> Vec<String> {
        self.active("garrison").into_iter().map(|d| d.value).collect()
    }

    /// How many requests came to this route, as `POST /v1/alerts`.
    pub fn count(&self, route: &str) -> usize {
        self.0.counts.lock().unwrap().get(route).copied().unwrap_or(0)
    }

    pub fn logins(&self) -> usize {
        self.count("POST /v1/watchers/login")
    }

    fn wrong(&self, what: String) {
        self.0.wrong.lock().unwrap().push(what);
    }

    /// Asserts that it was spoken to as one should: one write at a time among other things.
    #[track_caller]
    pub fn assert_civil(&self) {
        let wrong = self.0.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

async fn answer(State(lapi): State<Lapi>, request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let mut route = format!("{method} {path}");
    for (begins, is) in [("/v1/decisions/", "{id}"), ("/v1/alerts/", "{id}")] {
        if path.starts_with(begins) && path[begins.len()..].bytes().all(|b| b.is_ascii_digit()) {
            route = format!("{method} {begins}{is}");
        }
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let counted = if route == "GET /v1/decisions" && query.contains("origins=") {
        "GET /v1/decisions?origins"
    } else {
        &route
    };
    *lapi
        .0
        .counts
        .lock()
        .unwrap()
        .entry(counted.to_owned())
        .or_default() += 1;
    let _turn = (route == "POST /v1/alerts" || method == "DELETE").then(|| Turn::begin(&lapi, &route));
    let [agent, key, bearer] = ["user-agent", "x-api-key", "authorization"].map(|name| {
        let value = request.headers().get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    });
    if agent.matches('/').count() != 1 {
        lapi.wrong(format!("a LAPI wants exactly one slash: {agent}"));
    }
    let body = axum::body::to_bytes(request.into_body(), 64 << 20).await;
    let body = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or(Value::Null);
    let slow = lapi.mood().slow;
    let fast = slow.is_zero() || path == "/health" || path.ends_with("/login");
    let work = {
        let (lapi, route) = (lapi.clone(), route.clone());
        async move {
            if !fast {
                tokio::time::sleep(slow).await;
            }
            let asked = Asked {
                route: &route,
                id: path
                    .rsplit('/')
                    .next()
                    .and_then(|id| id.parse().ok())
                    .unwrap_or(0),
                query: &query,
                body: &body,
            };
            lapi.serve_one(&asked, &key, &bearer)
        }
    };
    // A LAPI does what it has begun, whether or not somebody still waits for the answer.
    let (status, value) = tokio::spawn(work).await.expect("an answer");
    let status = StatusCode::from_u16(status).expect("status");
    let date = lapi.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = [("date", date), ("content-type", "application/json".to_owned())];
    (status, headers, Body::from(value.to_string())).into_response()
}

struct Asked<'a> {
    route: &'a str,
    id: i64,
    query: &'a str,
    body: &'a Value,
}

impl Asked<'_> {
    fn param(&self, name: &str) -> Option<String> {
        let pairs = reqwest::Url::parse(&format!("http://a/?{}", self.query)).expect("a query");
        let found = pairs.query_pairs().find(|(n, _)| n == name);
        found.map(|(_, value)| value.into_owned())
    }
}

impl Lapi {
    fn serve_one(&self, asked: &Asked<'_>, key: &str, bearer: &str) -> (u16, Value) {
        let (now, mood) = (self.now(), self.mood());
        let mut store = self.store();
        let unknown = || (401, json!({"code": 401, "message": "signature is invalid"}));
        match asked.route {
            "GET /health" => return (200, json!({"status": "up"})),
            "POST /v1/watchers/login" if !mood.login => {
                return (
                    401,
                    json!({"code": 401, "message": "incorrect Username or Password"}),
                );
            }
            "POST /v1/watchers/login" => {
                let token = format!("t{}", rand::random::<u64>());
                store.sessions.insert(token.clone());
                return (
                    200,
                    json!({"code": 200, "expire": "2000-01-01T00:00:00Z", "token": token}),
                );
            }
            "GET /v1/decisions" | "GET /v1/decisions/stream" if key != "key" => {
                return (403, json!({"message": "access forbidden"}));
            }
            "GET /v1/decisions" => {
                let (ip, origins) = (asked.param("ip"), asked.param("origins"));
                return (200, store.told(now, ip.as_deref(), origins.as_deref()));
            }
            "GET /v1/decisions/stream" => {
                let whole = asked.param("startup").as_deref() == Some("true");
                return (200, store.stream(now, whole));
            }
            _ if !store.sessions.contains(bearer.trim_start_matches("Bearer ")) => return unknown(),
            _ => {}
        }
        match asked.route {
            "GET /v1/heartbeat" => (200, Value::Null),
            "GET /v1/allowlists" => (200, json!([])),
            "POST /v1/alerts" => store.post(now, &mood, asked.body),
            "GET /v1/alerts/{id}" => store.alert(asked.id),
            "DELETE /v1/decisions" => {
                let [scope, value, kind, origin] =
                    ["scopes", "value", "type", "origin"].map(|name| asked.param(name));
                if asked.param("scope").is_some() {
                    return (500, json!({"message": "'scope' doesn't exist: invalid filter"}));
                }
                let fits = |d: &Decision| {
                    let is = |asked: &Option<String>, has: &str| asked.as_deref().is_none_or(|a| a == has);
                    is(&scope, &d.scope)
                        && is(&value, &d.value)
                        && is(&kind, &d.kind)
                        && is(&origin, &d.origin)
                };
                let n = store.end(now, fits);
                (200, json!({"nbDeleted": n.to_string()}))
            }
            "DELETE /v1/decisions/{id}" if !store.decisions.iter().any(|d| d.id == asked.id) => {
                let text = format!("decision with id '{}' doesn't exist: unable to delete", asked.id);
                (500, json!({"message": text}))
            }
            "DELETE /v1/decisions/{id}" => {
                store.end(now, |d| d.id == asked.id);
                (200, json!({"nbDeleted": "1"}))
            }
            _ => (404, Value::Null),
        }
    }
}
