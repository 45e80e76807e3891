//! A fleet of stand-in LAPIs in this process, and a stream of decisions through the gate to them.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{sleep, sleep_until};
use uuid::Uuid;

use crate::lapi::Lapi;
use crate::push::{Connection, acknowledged};
use crate::service::{Machine, Place, Service};

/// Signals of one push, as engines send them.
const BATCH: u32 = 50;
/// Engines that push side by side.
const ENGINES: usize = 4;

/// The next address that was not given out yet, to whatever fleet: the tenant knows them all.
static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct Fleet<'a> {
    service: &'a Service,
    token: String,
    machines: Vec<Machine>,
    pub lapis: Vec<Lapi>,
}

/// What became of one stream: when each decision was acknowledged.
pub struct Stream {
    acknowledged: HashMap<String, Instant>,
    begun: Instant,
    ended: Instant,
}

/// How the decisions of a stream came to some servers.
pub struct Arrival {
    /// 50th and 99th percentile from the acknowledgement to a server, in milliseconds.
    pub ms: [f64; 2],
    /// Decisions a second, from the first push to the last arrival.
    pub per_second: f64,
}

impl Stream {
    pub fn len(&self) -> usize {
        self.acknowledged.len()
    }

    /// Decisions a second that were pushed.
    pub fn per_second(&self) -> f64 {
        self.len() as f64 / (self.ended - self.begun).as_secs_f64()
    }
}

impl<'a> Fleet<'a> {
    pub async fn of(service: &'a Service, place: &Place) -> anyhow::Result<Self> {
        Ok(Self {
            service,
            token: place.admin_token()?,
            machines: service.machines(ENGINES).await?,
            lapis: Vec::new(),
        })
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let mut connection = Connection::open(self.service.address).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.service.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let (status, body) = connection.call(request).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// As many servers, all good ones, named by their number.
    pub async fn join(&mut self, count: usize) -> anyhow::Result<()> {
        for n in self.lapis.len()..count {
            let lapi = Lapi::start().await;
            let (status, body) = self
                .call("POST", "/api/lapi-servers", &lapi.member(&format!("lapi{n}")))
                .await?;
            ensure!(status == 201, "a server is not taken: {status} {body}");
            self.lapis.push(lapi);
        }
        Ok(())
    }

    /// Takes all servers away again.
    pub async fn leave(&mut self) -> anyhow::Result<()> {
        for n in 0..self.lapis.len() {
            let path = format!("/api/lapi-servers/lapi{n}");
            let (status, body) = self.call("DELETE", &path, &Value::Null).await?;
            ensure!(status == 204, "a server does not go: {status} {body}");
        }
        self.lapis.clear();
        Ok(())
    }

    /// Has a server tried at once, whatever it waits for.
    pub async fn hurry(&self, n: usize) -> anyhow::Result<()> {
        let path = format!("/api/lapi-servers/lapi{n}");
        let name = format!("lapi{n}");
        let (status, body) = self.call("PUT", &path, &self.lapis[n].member(&name)).await?;
        ensure!(status == 200, "a server does not change: {status} {body}");
        Ok(())
    }

    /// Pushes `count` new decisions, at most `rate` a second.
    pub async fn push(&self, count: u32, rate: u32) -> anyhow::Result<Stream> {
        let first = NEXT.fetch_add(count.div_ceil(BATCH) * BATCH, Ordering::Relaxed);
        let batches: Vec<u32> = (0..count.div_ceil(BATCH)).map(|n| first + n * BATCH).collect();
        let begun = Instant::now();
        let pause = Duration::from_secs_f64(f64::from(BATCH) / f64::from(rate));
        let mut engines = Vec::new();
        for (turn, machine) in self.machines.iter().enumerate() {
            let mine: Vec<(usize, u32)> = batches
                .iter()
                .copied()
                .enumerate()
                .skip(turn)
                .step_by(ENGINES)
                .collect();
            let (address, token) = (self.service.address, format!("Bearer {}", machine.token));
            engines.push(tokio::spawn(async move {
                let mut connection = Connection::open(address).await?;
                let mut done = Vec::new();
                for (n, first) in mine {
                    // By the clock, whatever the last answer took.
                    sleep_until((begun + pause * u32::try_from(n)?).into()).await;
                    let request = Request::post("/v3/signals")
                        .header("host", address.to_string())
                        .header("user-agent", "crowdsec/v1.7.8-linux")
                        .header("authorization", &token)
                        .header("content-type", "application/json")
                        .body(Full::new(Bytes::from(signals(first))))?;
                    let (status, body) = connection.call(request).await?;
                    acknowledged(status, &body)?;
                    done.push((first, Instant::now()));
                }
                anyhow::Ok(done)
            }));
        }
        let mut acknowledged = HashMap::new();
        for engine in engines {
            for (first, at) in engine.await?? {
                acknowledged.extend((first..first + BATCH).map(|n| (value(n), at)));
            }
        }
        Ok(Stream {
            acknowledged,
            begun,
            ended: Instant::now(),
        })
    }

    /// Waits until all of a stream is on each of these servers.
    pub async fn arrival(&self, stream: &Stream, servers: &[usize]) -> anyhow::Result<Arrival> {
        let patience = Instant::now() + Duration::from_mins(5);
        let (mut lags, mut last) = (Vec::new(), stream.begun);
        for &n in servers {
            loop {
                let found = self.lapis[n].store().decisions.len();
                // Cheap first; what is there is looked at only when it can be enough.
                if found >= stream.len() {
                    let store = self.lapis[n].store();
                    let mut seen = HashSet::new();
                    let mut mine = Vec::new();
                    for decision in &store.decisions {
                        if let Some(at) = stream.acknowledged.get(&decision.value)
                            && seen.insert(&decision.value)
                        {
                            mine.push(decision.at.saturating_duration_since(*at));
                            last = last.max(decision.at);
                        }
                    }
                    if mine.len() == stream.len() {
                        lags.extend(mine);
                        break;
                    }
                }
                ensure!(Instant::now() < patience, "server {n} does not get everything");
                sleep(Duration::from_millis(200)).await;
            }
        }
        lags.sort_unstable();
        let rank = |percent: usize| {
            let lag = lags.get((lags.len() * percent).div_ceil(100).max(1) - 1);
            lag.map(|lag| lag.as_secs_f64() * 1000.0).context("nothing came")
        };
        Ok(Arrival {
            ms: [rank(50)?, rank(99)?],
            per_second: stream.len() as f64 / (last - stream.begun).as_secs_f64(),
        })
    }
}

/// A public address of its own for each.
fn value(n: u32) -> String {
    Ipv4Addr::from((11 << 24) + n).to_string()
}

fn signals(first: u32) -> String {
    let now = Timestamp::now();
    let then = (now - SignedDuration::from_secs(5)).to_string();
    let signal = |n: u32| {
        let value = value(n);
        json!({
            "context": null, "kind": "crowdsec", "machine_id": "bench", "message": format!("Ip {value} performed 'crowdsecurity/ssh-bf'"),
            "scenario": "crowdsecurity/ssh-bf", "scenario_hash": "4441", "scenario_trust": "certified", "scenario_version": "0.1",
            "source": {"ip": value, "scope": "Ip", "value": value}, "start_at": then, "stop_at": now.to_string(),
            "uuid": Uuid::now_v7().to_string(),
            "decisions": [{"duration": "4h", "id": 0, "origin": "crowdsec", "scenario": "crowdsecurity/ssh-bf", "scope": "Ip",
                "type": "ban", "uuid": Uuid::now_v7().to_string(), "value": value}],
        })
    };
    Value::from((first..first + BATCH).map(signal).collect::<Vec<_>>()).to_string()
}
