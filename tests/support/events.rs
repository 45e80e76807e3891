//! A reader of Server-Sent Events, as a browser is one.
use super::http::Api;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: String,
    pub name: String,
    pub data: Value,
}

#[derive(Debug)]
pub enum Next {
    Event(Event),
    /// The server ended it.
    Ended,
    /// Nothing came in time.
    Silence,
}

pub struct Events {
    response: reqwest::Response,
    buffer: Vec<u8>,
    early: VecDeque<Event>,
    /// What a browser would send as `Last-Event-ID`.
    pub last: Option<String>,
    /// Lines that are for keeping the connection only.
    pub comments: usize,
}

impl Events {
    /// Opens a stream; the answer's status when it is not 200.
    pub async fn try_open(api: &Api, query: &str, last: Option<&str>) -> Result<Self, u16> {
        let mut call = api.request("GET", &format!("/api/events?{query}"));
        if let Some(last) = last {
            call = call.header("last-event-id", last);
        }
        let sent = call.timeout(Duration::from_secs(600)).send().await;
        let response = sent.map_err(|_| 0_u16)?;
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        let kind = response.headers()["content-type"].to_str().expect("text");
        assert_eq!(kind, "text/event-stream");
        Ok(Self {
            response,
            buffer: Vec::new(),
            early: VecDeque::new(),
            last: last.map(str::to_owned),
            comments: 0,
        })
    }

    pub async fn open(api: &Api, query: &str, last: Option<&str>) -> Self {
        let opened = Self::try_open(api, query, last).await;
        let mut events = opened.unwrap_or_else(|status| panic!("no stream: {status}"));
        if last.is_none() {
            // What it begins with is a place, or a reset.
            while events.last.is_none() {
                match events.next(Duration::from_millis(50)).await {
                    Next::Event(event) => events.early.push_back(event),
                    Next::Silence => {}
                    Next::Ended => panic!("ended at once"),
                }
            }
        }
        events
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next event, if it comes in time.
    pub async fn next(&mut self, within: Duration) -> Next {
        if let Some(event) = self.early.pop_front() {
            return Next::Event(event);
        }
        let end = tokio::time::Instant::now() + within;
        loop {
            while let Some(block) = self.block() {
                if let Some(event) = self.read(&block) {
                    return Next::Event(event);
                }
            }
            match tokio::time::timeout_at(end, self.response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.buffer.extend_from_slice(&bytes),
                Ok(Ok(None) | Err(_)) => return Next::Ended,
                Err(_) => return Next::Silence,
            }
        }
    }

    fn block(&mut self) -> Option<String> {
        let end = self.buffer.windows(2).position(|w| w == b"\n\n")?;
        let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
        Some(String::from_utf8(block).expect("UTF-8"))
    }

    fn read(&mut self, block: &str) -> Option<Event> {
        let (mut name, mut data) = (String::new(), None);
        for line in block.lines() {
            let (field, value) = line.split_once(": ").unwrap_or((line, ""));
            match field {
                "id" => self.last = Some(value.to_owned()),
                "event" => name = value.to_owned(),
                "data" => data = Some(serde_json::from_str(value).expect("JSON in one line")),
                "retry" => assert!(value.parse::<u64>().is_ok()),
                "" => self.comments += usize::from(line.starts_with(':')),
                other => panic!("a line `{other}`"),
            }
        }
        Some(Event {
            id: self.last.clone()?,
            name,
            data: data?,
        })
    }

    /// The next `n` events. A long transaction of a test beside this one holds back the logs of the whole cluster, so it
    /// takes as long as it takes.
    pub async fn take(&mut self, n: usize) -> Vec<Event> {
        let mut all = Vec::new();
        while all.len() < n {
            match self.next(Duration::from_secs(120)).await {
                Next::Event(event) => all.push(event),
                other => panic!("{other:?} after {} of {n}: {all:?}", all.len()),
            }
        }
        all
    }

    /// Nothing for so long.
    pub async fn silent(&mut self, millis: u64) {
        let next = self.next(Duration::from_millis(millis)).await;
        assert!(matches!(next, Next::Silence), "{next:?}");
    }

    /// Whether the server ends it in time, whatever it says before.
    pub async fn ends(&mut self, seconds: u64) -> bool {
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            match self.next(left).await {
                Next::Event(_) => {}
                Next::Ended => return true,
                Next::Silence => return false,
            }
        }
    }
}

/// `xid`, `seq` and part of an id, in their order.
pub fn place(id: &str) -> (u64, u64, u64) {
    let parts: Vec<u64> = id
        .split('-')
        .skip(1)
        .map(|n| n.parse().expect("a number"))
        .collect();
    (parts[0], parts[1], parts.get(2).copied().unwrap_or(u64::MAX))
}
