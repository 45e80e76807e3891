//! Usage metrics: what components counted (gate-api.md 2.7).

use aws_lc_rs::digest::{Context, SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::{Builder, Uuid};

use super::item::{Element, Item};
use super::json::{each, number, short_text, text, time, whole};
use super::{COMPONENTS, Component, Counters, Kind, MetricSet, Told, Unreadable, WORD};

/// Items of a set that are kept, and how many bytes of them; all of them are in the sums.
const ITEMS: (usize, usize) = (2000, 256 * 1024);
/// Bytes of items that are kept of a body.
const TEXT: usize = 16 << 20;
/// A window that ended longer ago, or so much later than now, was told by a clock that is wrong.
const OLDEST: SignedDuration = SignedDuration::from_hours(90 * 24);
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// What the engine's Local API is called, which has no name.
const LOCAL_API: &str = "lapi";

#[derive(Deserialize)]
struct UsageBody<'a> {
    #[serde(borrow)]
    remediation_components: Option<&'a RawValue>,
    #[serde(borrow)]
    log_processors: Option<&'a RawValue>,
    #[serde(borrow)]
    lapi: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ComponentBody<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    sort: Option<&'a RawValue>,
    #[serde(borrow)]
    os: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    last_pull: Option<&'a RawValue>,
    #[serde(borrow)]
    last_push: Option<&'a RawValue>,
    #[serde(borrow)]
    metrics: Option<&'a RawValue>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Os<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
}

#[derive(Default, Clone, Copy, Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    utc_now_timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    window_size_seconds: Option<&'a RawValue>,
}

/// Reads usage metrics (gate-api.md 2.7).
///
/// # Errors
/// When the body is no object at all.
pub fn read_usage(body: &[u8], now: Timestamp) -> Result<Told, Unreadable> {
    let usage: UsageBody<'_> = serde_json::from_slice(body).map_err(|_| Unreadable)?;
    let mut reader = Reader {
        told: Told::default(),
        now: Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now),
        body: digest(&SHA256, body).as_ref().to_vec(),
        text: 0,
    };
    for (kind, list) in [
        (Kind::Remediation, usage.remediation_components),
        (Kind::LogProcessor, usage.log_processors),
    ] {
        let Some(list) = list else { continue };
        if !each(list, |raw| reader.component(kind, raw)) {
            reader.told.skipped += 1;
        }
    }
    if let Some(lapi) = usage.lapi {
        reader.component(Kind::LocalApi, lapi);
    }
    Ok(reader.told)
}

struct Reader {
    told: Told,
    now: Timestamp,
    body: Vec<u8>,
    /// Bytes of items kept so far.
    text: usize,
}

/// Whose set is read.
struct Owner<'a> {
    kind: Kind,
    /// As it was told.
    raw_name: &'a str,
    name: &'a str,
}

impl Reader {
    fn component(&mut self, kind: Kind, raw: &RawValue) {
        if self.try_component(kind, raw).is_none() {
            self.told.skipped += 1;
        }
    }

    fn try_component(&mut self, kind: Kind, raw: &RawValue) -> Option<()> {
        let body: ComponentBody<'_> = serde_json::from_str(raw.get()).ok()?;
        let raw_name = match kind {
            Kind::LocalApi => LOCAL_API.to_owned(),
            _ => text(body.name)?,
        };
        let os: Option<Os<'_>> = body.os.and_then(|os| serde_json::from_str(os.get()).ok());
        let component = Component {
            sort: short_text(body.sort, WORD),
            os_name: short_text(os.as_ref().and_then(|os| os.name), WORD),
            os_version: short_text(os.as_ref().and_then(|os| os.version), WORD),
            version: short_text(body.version, WORD),
            active_at: time(body.last_pull).or_else(|| time(body.last_push)),
        };
        let name = self.told.register(kind, &raw_name, component)?;
        let owner = Owner {
            kind,
            raw_name: &raw_name,
            name: &name,
        };
        let before = self.told.sets.len();
        let mut flat = Vec::new();
        if let Some(metrics) = body.metrics {
            let listed = each(metrics, |raw| self.element(&owner, raw, &mut flat));
            if !listed {
                // One block alone.
                self.element(&owner, metrics, &mut flat);
            }
        }
        if let Some(items) = body.items {
            self.told.skipped += usize::from(!each(items, |raw| flat.push(raw)));
        }
        if !flat.is_empty() {
            self.set(&owner, meta(body.meta), |take| flat.into_iter().for_each(take));
        }
        // Known, though it counted nothing: once.
        if self.told.sets.len() == before && kind != Kind::LocalApi {
            self.keep(MetricSet {
                key: key(&mut hash(&[
                    b"known",
                    &kind.code().to_be_bytes(),
                    name.as_bytes(),
                ])),
                kind,
                name: name.clone(),
                collected_at: self.now,
                window_seconds: None,
                counters: Counters::ZERO,
                skipped: 0,
                items: "[]".to_owned(),
            });
        }
        Some(())
    }

    /// A block is a set; items that stand by themselves are gathered.
    fn element<'a>(&mut self, owner: &Owner<'_>, raw: &'a RawValue, flat: &mut Vec<&'a RawValue>) {
        match serde_json::from_str::<Element<'_>>(raw.get()) {
            Ok(Element {
                items: Some(items),
                meta: window,
                ..
            }) => {
                let mut listed = true;
                self.set(owner, meta(window), |take| listed = each(items, take));
                self.told.skipped += usize::from(!listed);
            }
            Ok(element) if element.is_item() => flat.push(raw),
            // A block without items says nothing.
            Ok(element) if element.meta.is_some() => {}
            _ => self.told.skipped += 1,
        }
    }

    /// Reads a set; one without a single good item is none.
    fn set<'a>(
        &mut self,
        owner: &Owner<'_>,
        meta: Meta<'_>,
        items: impl FnOnce(&mut dyn FnMut(&'a RawValue)),
    ) {
        let at = time(meta.utc_now_timestamp);
        let window = number(meta.window_size_seconds).and_then(whole);
        let window = window.and_then(|seconds| i32::try_from(seconds).ok());
        let mut hash = hash(&[
            b"set",
            &owner.kind.code().to_be_bytes(),
            owner.raw_name.as_bytes(),
            &window.unwrap_or(-1).to_be_bytes(),
        ]);
        // A set that does not say when is the same in the same body only.
        match at {
            Some(at) => put(&mut hash, &at.as_second().to_be_bytes()),
            None => {
                put(&mut hash, &self.body);
                put(&mut hash, &self.told.sets.len().to_be_bytes());
            }
        }
        let (mut counters, mut skipped, mut good, mut kept) = (Counters::default(), 0, 0, String::from("["));
        let room = ITEMS.1.min(TEXT.saturating_sub(self.text));
        items(&mut |raw| {
            let Some(item) = Item::read(raw) else {
                skipped += 1;
                return;
            };
            let text = serde_json::to_string(&item).unwrap_or_default();
            put(&mut hash, text.as_bytes());
            counters.add(&item);
            good += 1;
            if good <= ITEMS.0 && kept.len() + text.len() < room {
                if kept.len() > 1 {
                    kept.push(',');
                }
                kept += &text;
            }
        });
        kept.push(']');
        self.told.skipped += skipped;
        if good == 0 {
            return;
        }
        let plausible = |at: &Timestamp| *at >= self.now - OLDEST && *at <= self.now + AHEAD;
        self.keep(MetricSet {
            key: key(&mut hash),
            kind: owner.kind,
            name: owner.name.to_owned(),
            collected_at: at.filter(plausible).unwrap_or(self.now),
            window_seconds: window,
            counters,
            skipped,
            items: kept,
        });
    }

    fn keep(&mut self, set: MetricSet) {
        if self.told.sets.len() < COMPONENTS {
            self.text += set.items.len();
            self.told.sets.push(set);
        } else {
            self.told.skipped += 1;
        }
    }
}

fn meta(raw: Option<&RawValue>) -> Meta<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

fn hash(parts: &[&[u8]]) -> Context {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        put(&mut hash, part);
    }
    hash
}

/// Its length first, so that no two lists of parts read the same.
fn put(hash: &mut Context, part: &[u8]) {
    hash.update(&(part.len() as u64).to_be_bytes());
    hash.update(part);
}

fn key(hash: &mut Context) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.clone().finish().as_ref()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}
