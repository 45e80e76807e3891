//! A recording stand-in of CrowdSec's Central API, in this process, on a runtime of its own.
//!
//! It speaks hyper, not axum: resets and cut-off answers need the connection itself.
use super::capi_rule::{Act, Rule};
use super::capi_state::State;
pub use super::capi_state::{Seen, key};
use super::http::gunzip;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

type Shared = Arc<Mutex<State>>;

pub struct Capi {
    pub address: SocketAddr,
    state: Shared,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Capi {
    pub async fn start() -> Self {
        let state = Shared::default();
        state.lock().unwrap().token_ttl = 3600;
        let mut capi = Self {
            address: "127.0.0.1:0".parse().unwrap(),
            state,
            stop: None,
            thread: None,
        };
        capi.open();
        capi
    }

    /// The base URL, with the slash that engines need.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Listens (again), on the same port.
    pub fn open(&mut self) {
        let listener = std::net::TcpListener::bind(self.address).expect("the mock CAPI's port");
        listener.set_nonblocking(true).expect("nonblocking");
        self.address = listener.local_addr().expect("address");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let state = self.state.clone();
        self.thread = Some(std::thread::spawn(move || {
            let rt = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime");
            rt.block_on(async move {
                tokio::select! {
                    () = accept(listener, state) => {}
                    _ = stopped => {}
                }
            });
        }));
        self.stop = Some(stop);
    }

    /// Closes the port and every connection: from now on it refuses.
    pub fn close(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Replaces the rules.
    pub fn rules(&self, rules: Vec<Rule>) {
        self.state().rules = rules;
    }

    /// From now on an unknown login is refused (the default takes anyone, as the lab's stub does).
    pub fn strict(&self) {
        self.state().strict = true;
    }

    pub fn know(&self, login: &str, password: &str) {
        self.state().watchers.insert(login.into(), password.into());
    }

    /// Every token given out so far is worth nothing from now on.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    pub fn token_ttl(&self, seconds: i64) {
        self.state().token_ttl = seconds;
    }

    /// More claims in the tokens to come (a console-enrolled engine reads some).
    pub fn claims(&self, claims: Value) {
        self.state().claims = claims;
    }

    /// What `decisions/stream` answers.
    pub fn stream(&self, body: Value) {
        self.state().stream = Some(body);
    }

    /// A batch with this word in a message is a 400.
    pub fn poison(&self, word: &str) {
        self.state().poison = Some(word.into());
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    pub fn count(&self, what: impl Fn(&Seen) -> bool) -> usize {
        self.state().seen.iter().filter(|s| what(s)).count()
    }

    /// The requests whose path ends so.
    pub fn at(&self, path: &str) -> Vec<Seen> {
        self.state()
            .seen
            .iter()
            .filter(|s| s.path.trim_end_matches('/').ends_with(path))
            .cloned()
            .collect()
    }

    /// How often each signal was accepted, by uuid, or by its whole text where it has none.
    pub fn delivered(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.state().seen.iter().filter(|s| s.is_signals() && s.accepted) {
            for item in seen.items() {
                *counts.entry(key(item)).or_default() += 1;
            }
        }
        counts
    }

    /// Every signal ever sent here, accepted or not, by the same keys.
    pub fn attempted(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.state().seen.iter().filter(|s| s.is_signals()) {
            for item in seen.items() {
                *counts.entry(key(item)).or_default() += 1;
            }
        }
        counts
    }

    /// The accepted signals themselves, in order.
    pub fn delivered_items(&self) -> Vec<Value> {
        let state = self.state();
        state
            .seen
            .iter()
            .filter(|s| s.is_signals() && s.accepted)
            .flat_map(|s| s.items().to_vec())
            .collect()
    }

    pub fn largest_batch(&self) -> usize {
        self.state()
            .seen
            .iter()
            .filter(|s| s.is_signals())
            .map(|s| s.items().len())
            .max()
            .unwrap_or(0)
    }
}

impl Drop for Capi {
    fn drop(&mut self) {
        self.close();
    }
}

async fn accept(listener: std::net::TcpListener, state: Shared) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let state = state.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |req| handle(req, state.clone()));
            let io = hyper_util::rt::TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .await;
        });
    }
}

type Reply = Response<BoxBody<Bytes, io::Error>>;

async fn handle(req: Request<Incoming>, state: Shared) -> io::Result<Reply> {
    let at = Instant::now();
    let (head, body) = req.into_parts();
    let raw = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let plain = match find("content-encoding").as_deref() {
        Some("gzip") => gunzip(&raw)?,
        _ => raw.to_vec(),
    };
    let body: Value = serde_json::from_slice(&plain).unwrap_or_else(|_| {
        if plain.is_empty() {
            Value::Null
        } else {
            String::from_utf8_lossy(&plain).into()
        }
    });
    let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
    let (act, delay, login) = {
        let mut state = state.lock().unwrap();
        let token = find("authorization").unwrap_or_default();
        let login = state
            .tokens
            .get(token.trim_start_matches("Bearer ").trim())
            .cloned();
        let hit = state
            .rules
            .iter_mut()
            .find(|r| r.matches(&method, &path))
            .map(|rule| {
                rule.times = rule.times.map(|n| n - 1);
                let act = rule.acts[rand::random_range(0..rule.acts.len())].clone();
                (act, rule.delay)
            });
        let (act, delay) = hit.map_or((None, Duration::ZERO), |(a, d)| (Some(a), d));
        (act, delay, login)
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut seen = Seen {
        at,
        method,
        target: head.uri.to_string(),
        path,
        headers,
        raw,
        body,
        login,
        status: None,
        accepted: false,
    };
    let answer = match act {
        None | Some(Act::Slow) => {
            let (status, reply) = state.lock().unwrap().answer(&seen);
            seen.status = Some(status);
            seen.accepted = (200..300).contains(&status);
            Ok(respond(status, &[], reply.to_string().into_bytes()))
        }
        Some(Act::Reply {
            status,
            headers,
            body,
        }) => {
            seen.status = Some(status);
            seen.accepted = (200..300).contains(&status);
            Ok(respond(status, &headers, body))
        }
        Some(Act::AcceptThenReset) => {
            let (status, _) = state.lock().unwrap().answer(&seen);
            seen.accepted = (200..300).contains(&status);
            Err(io::Error::other("reset"))
        }
        Some(Act::Reset) => Err(io::Error::other("reset")),
        Some(Act::Truncate) => {
            let (status, _) = state.lock().unwrap().answer(&seen);
            seen.accepted = (200..300).contains(&status);
            Ok(truncated(status))
        }
        Some(Act::Hang) => Err(io::Error::other("hang")),
    };
    let hang = matches!(act_of(&answer), Some("hang"));
    state.lock().unwrap().seen.push(seen);
    if hang {
        tokio::time::sleep(Duration::from_secs(120)).await;
    }
    answer
}

fn act_of(answer: &io::Result<Reply>) -> Option<&'static str> {
    match answer {
        Err(e) if e.to_string() == "hang" => Some("hang"),
        _ => None,
    }
}

fn respond(status: u16, headers: &[(String, String)], body: Vec<u8>) -> Reply {
    let mut builder = Response::builder().status(status);
    if !headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case("content-type"))
    {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from(body))
        .map_err(|never| match never {})
        .boxed();
    builder.body(body).expect("answer")
}

fn truncated(status: u16) -> Reply {
    let frames = [
        Ok(Frame::data(Bytes::from_static(b"{\"mess\""))),
        Err(io::Error::other("cut")),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("content-length", "100")
        .body(BodyExt::boxed(body))
        .expect("answer")
}
