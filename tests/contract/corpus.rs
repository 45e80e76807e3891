//! The bad inputs of `tests/corpus`, byte by byte over a socket: each is answered with what its file says, in time, in the
//! shape of its routes, without a word about our insides; and the service goes on.
//!
//! A case begins with `=== NAME: STATUS...`. A status may be `4xx`; `close` is an end without an answer. `rejects` says
//! that the first item of a push is refused and the second taken, `takes` that both are taken. Then comes either a request as it
//! goes over the wire (its first line ends in `HTTP/...`; lines end in CRLF), or, shorter, `METHOD /path [credential]`,
//! headers, an empty line and a body: what such a request needs is added.
//! In both `<<...>>` stands for something else:
//!   machine, admin, read      a token
//!   hex 00 ff                 bytes
//!   times 1000 TEXT           a text many times
//!   gzip TEXT                 gzip of a text; the marker ends with the line
//!   signal PATH=JSON          a good signal with another value somewhere; without PATH a good one
use crate::support::http::{Answer, gzip, raw};
use crate::support::machine::signal;
use crate::support::wait;
use crate::support::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;

struct Case {
    row: String,
    name: String,
    expected: Vec<String>,
    text: String,
}

fn cases(section: &str) -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(format!("tests/corpus/{section}"))
        .expect("the section")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let row = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("the file");
        for block in format!("\n{text}").split("\n=== ").skip(1) {
            let (head, text) = block.split_once('\n').unwrap_or((block, ""));
            let (name, expected) = head.rsplit_once(": ").expect("=== NAME: STATUS...");
            all.push(Case {
                row: row.clone(),
                name: name.into(),
                expected: expected.split(' ').map(Into::into).collect(),
                text: text.trim_end_matches('\n').into(),
            });
        }
    }
    assert!(!all.is_empty(), "{section} has no case");
    all
}

/// Puts what the markers stand for in their place.
fn fill(text: &str, tokens: &BTreeMap<&str, String>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        out.extend_from_slice(before.as_bytes());
        let (marker, after) = after.split_once(">>").expect("a marker's end");
        rest = after;
        let (word, what) = marker.split_once(' ').unwrap_or((marker, ""));
        match word {
            "hex" => out.extend(
                what.split(' ')
                    .map(|byte| u8::from_str_radix(byte, 16).expect("hex")),
            ),
            "times" => {
                let (n, what) = what.split_once(' ').expect("times N TEXT");
                out.extend(what.repeat(n.parse().expect("a number")).bytes());
            }
            "gzip" => out.extend(gzip(what.as_bytes())),
            "signal" => out.extend(changed(what).to_string().bytes()),
            token => out.extend(tokens.get(token).expect("a known marker").bytes()),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// A good signal with another value at a path; `-` takes it away.
fn changed(what: &str) -> Value {
    let mut whole = signal("192.0.2.77");
    let Some((path, value)) = what.split_once('=') else {
        return whole;
    };
    let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = format!("/{}", parent.replace('.', "/"));
    let parent = parent.trim_end_matches('/');
    let holder = whole.pointer_mut(parent).expect("a path of a signal");
    let value: Option<Value> = (value != "-").then(|| serde_json::from_str(value).expect("JSON"));
    match (holder, value) {
        (Value::Object(object), Some(value)) => {
            object.insert(last.into(), value);
        }
        (Value::Object(object), None) => {
            object.remove(last);
        }
        (Value::Array(array), Some(value)) => array[last.parse::<usize>().expect("a place")] = value,
        _ => panic!("{what}: nothing to change"),
    }
    whole
}

/// The bytes of a case.
fn wire(case: &Case, tokens: &BTreeMap<&str, String>) -> Vec<u8> {
    let (head, body) = case.text.split_once("\n\n").unwrap_or((&case.text, ""));
    let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
    if first
        .split(' ')
        .next_back()
        .is_some_and(|last| last.starts_with("HTTP/"))
    {
        let mut out = fill(&head.replace('\n', "\r\n"), tokens);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend(fill(body, tokens));
        return out;
    }
    let (method, path) = first.split_once(' ').expect("a method and a path");
    let named = path.rsplit_once(' ').filter(|(_, who)| tokens.contains_key(who));
    let (path, credential) = named.map_or((path, None), |(path, who)| (path, Some(who)));
    let body = fill(body, tokens);
    let mut lines = vec![
        format!("{method} {path} HTTP/1.1"),
        "Host: garrison.test".into(),
        "Connection: close".into(),
    ];
    lines.extend(credential.map(|who| format!("Authorization: Bearer <<{who}>>")));
    lines.extend(headers.lines().map(Into::into));
    let has = |name: &str| {
        headers
            .lines()
            .any(|line| line.to_ascii_lowercase().starts_with(name))
    };
    if method != "GET" && !has("content-length") {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    if method != "GET" && !has("content-type") {
        lines.push("Content-Type: application/json".into());
    }
    let mut out = fill(&lines.join("\r\n"), tokens);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend(body);
    out
}

/// What is wrong with an answer.
fn judge(case: &Case, answer: Option<&Answer>, path: &str) -> Option<String> {
    let Some(answer) = answer else {
        let may = case.expected.iter().any(|e| e == "close");
        return (!may).then(|| "closed without an answer".into());
    };
    let (status, text) = (answer.status.to_string(), answer.text());
    let fits = |e: &String| *e == status || (e == "4xx" && status.starts_with('4'));
    if !case.expected.iter().any(fits) {
        return Some(format!("{status} {text}"));
    }
    if answer.took > wait::secs(10) {
        return Some(format!("took {:?}", answer.took));
    }
    if answer.status >= 400 && !answer.body.is_empty() {
        let kind = answer.header("content-type").unwrap_or_default();
        let engines = path.starts_with("/v");
        let known = if engines {
            "application/json"
        } else {
            "application/problem+json"
        };
        if kind != known {
            return Some(format!("{status} is {kind:?}: {text}"));
        }
        for inside in ["SELECT ", "panicked", ".rs:", "tokio", "postgres", "<script"] {
            if text.contains(inside) {
                return Some(format!("tells of {inside:?}: {text}"));
            }
        }
    }
    let expects = |word: &str| case.expected.iter().any(|e| e == word);
    if expects("rejects") || expects("takes") {
        let refused: Vec<_> = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|reply| reply["rejected"].as_array().cloned())
            .unwrap_or_default()
            .iter()
            .map(|refusal| refusal["index"].clone())
            .collect();
        let right = if expects("rejects") {
            vec![Value::from(0)]
        } else {
            vec![]
        };
        if refused != right {
            return Some(format!("{refused:?} are rejected: {text}"));
        }
    }
    None
}

async fn is_well(address: SocketAddr) -> bool {
    let probe = b"GET /healthz HTTP/1.1\r\nHost: garrison.test\r\nConnection: close\r\n\r\n";
    // The machine may be busy with other tests.
    for _ in 0..5 {
        if let Ok(Some(answer)) = tokio::time::timeout(wait::secs(1), raw(address, probe)).await
            && answer.status == 200
        {
            return true;
        }
    }
    false
}

async fn replay(section: &str) {
    let limits = [
        ("GARRISON_LIMITS_TOKEN_REQUESTS", "0"),
        ("GARRISON_LIMITS_TENANT_REQUESTS", "0"),
    ];
    let world = World::with(1, &limits).await;
    let reader = world.cli.json(&["token", "add", "--scope", "read"]).await;
    let tokens = BTreeMap::from([
        ("machine", world.machine("default").await.token),
        ("admin", world.admin_token().to_owned()),
        ("read", reader["token"].as_str().expect("a token").to_owned()),
    ]);
    let address = world.server().address;
    let mut wrong = Vec::new();
    let mut before = world.alerts(&world.api(), "").await.len();
    for case in cases(section) {
        let path = case.text.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = raw(address, &wire(&case, &tokens)).await;
        let mut complain = |what: String| wrong.push(format!("{} {}: {what}", case.row, case.name));
        if let Some(what) = judge(&case, answer.as_ref(), &path) {
            complain(what);
        }
        if !is_well(address).await {
            complain("/healthz does not answer afterwards".into());
        }
        // What was refused as a whole left nothing.
        let refused = answer.is_none_or(|answer| answer.status >= 400);
        if path.ends_with("/signals") {
            let now = world.alerts(&world.api(), "").await.len();
            if refused && now != before {
                complain(format!("refused, and {} stored", now - before));
            }
            before = now;
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_at_any_endpoint() {
    replay("http").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_credentials() {
    replay("credentials").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_signals() {
    replay("ingest").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_questions_to_lists_and_decisions() {
    replay("lists").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_exports() {
    replay("exports").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_endpoints() {
    replay("operations").await;
}
