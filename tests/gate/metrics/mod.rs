//! Metrics of engines: stored once, passed on as they came, whatever they are.
mod hostile;
mod stored;

use crate::support::fixtures;
use crate::support::http::{Answer, Api, send};
use crate::support::machine::Machine;
use serde_json::{Value, json};
use std::net::SocketAddr;

const PATH: &str = "/v3/usage-metrics";

/// The body in the layout of 1.7.8, as if its last window had just ended.
fn usage() -> Value {
    let mut body = fixtures::json("usage-metrics/lapi-1.7.8.json");
    let shift = jiff::Timestamp::now().as_second() - 1_795_334_400;
    fn moved(value: &mut Value, shift: i64) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|v| moved(v, shift)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_i64() {
                        Some(at) if at > 1_700_000_000 && name != "value" => *value = json!(at + shift),
                        _ => moved(value, shift),
                    }
                }
            }
            _ => {}
        }
    }
    moved(&mut body, shift);
    body
}

/// A body with one bouncer and one window that ended so many seconds ago.
fn dropped(name: &str, ago: i64, n: u64) -> Value {
    let at = jiff::Timestamp::now().as_second() - ago;
    json!({"remediation_components": [{"name": name, "type": "nginx", "version": "1", "metrics": [window(at, n)]}],
        "log_processors": []})
}

fn window(at: i64, n: u64) -> Value {
    json!({"items": [{"name": "dropped", "value": n, "unit": "request", "labels": {"origin": "CAPI"}}],
        "meta": {"utc_now_timestamp": at, "window_size_seconds": 1800}})
}

async fn push(machine: &Machine, at: SocketAddr, body: &Value) -> Answer {
    push_bytes(machine, at, body.to_string().into_bytes(), false).await
}

async fn push_bytes(machine: &Machine, at: SocketAddr, body: Vec<u8>, zipped: bool) -> Answer {
    let call = machine
        .call(at, "POST", PATH)
        .header("content-type", "application/json");
    let call = if zipped {
        call.header("content-encoding", "gzip")
    } else {
        call
    };
    send(call.body(body)).await
}

async fn listed(api: &Api) -> Vec<Value> {
    let list = api.get("/api/bouncer-metrics").await.expect(200).json();
    list.as_array().expect("a bare array").clone()
}

async fn blocked(api: &Api) -> i64 {
    let stats = api.get("/api/stats").await.expect(200).json();
    stats["blockedRequests"].as_i64().expect("a number")
}
