//! Batches of signals, written once; only the uuids change from push to push.

use std::path::Path;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use serde_json::Value;

/// How many different batches of a size there are at most.
const MOST: usize = 48;

/// A body, and where the uuids stand in it.
pub struct Template {
    body: Vec<u8>,
    uuids: Vec<usize>,
}

/// The signals that a 1.7 engine sent, as recorded for the tests.
pub fn fixtures() -> anyhow::Result<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signals-v3-all.json");
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}

/// Bodies of `size` signals each, all signals taking turns, dated within the last ten minutes.
pub fn templates(signals: &[Value], size: usize) -> anyhow::Result<Vec<Template>> {
    let count = (signals.len() / size).clamp(1, MOST);
    let mut all = signals.iter().cycle();
    (0..count)
        .map(|_| template(all.by_ref().take(size).cloned().collect()))
        .collect()
}

fn template(mut signals: Vec<Value>) -> anyhow::Result<Template> {
    let mut marks = Vec::new();
    for signal in &mut signals {
        let mark = uuid_text();
        signal["uuid"] = Value::from(mark.as_str());
        marks.push(mark);
        let age = SignedDuration::from_millis(rand::rng().random_range(0..600_000));
        let start: Timestamp = signal["start_at"].as_str().context("start_at")?.parse()?;
        let shift = Timestamp::now().duration_since(start) - age;
        for field in ["start_at", "stop_at", "created_at"] {
            // Texts in another form stay as they are.
            if let Some(time) = signal[field].as_str().and_then(|t| t.parse::<Timestamp>().ok()) {
                signal[field] = Value::from(time.checked_add(shift)?.to_string());
            }
        }
    }
    let body = serde_json::to_string(&signals)?;
    let uuids: Option<Vec<usize>> = marks.iter().map(|mark| body.find(mark.as_str())).collect();
    Ok(Template {
        body: body.into_bytes(),
        uuids: uuids.context("a uuid is lost")?,
    })
}

impl Template {
    /// How many signals it holds.
    pub fn len(&self) -> usize {
        self.uuids.len()
    }

    /// The body with uuids never seen before.
    pub fn fresh(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        for at in &self.uuids {
            body[*at..*at + 36].copy_from_slice(uuid_text().as_bytes());
        }
        body
    }
}

/// A random uuid as text.
pub fn uuid_text() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}
