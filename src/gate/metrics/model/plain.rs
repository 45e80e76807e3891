//! The metrics of every engine: which bouncers and agents it knows.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{each, short_text, text, time};
use super::{Component, Kind, Told, Unreadable, WORD};

#[derive(Deserialize)]
struct PlainBody<'a> {
    #[serde(borrow)]
    bouncers: Option<&'a RawValue>,
    #[serde(borrow)]
    machines: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct PlainComponent<'a> {
    #[serde(borrow)]
    custom_name: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    last_pull: Option<&'a RawValue>,
    #[serde(borrow)]
    last_push: Option<&'a RawValue>,
}

/// Reads the metrics that every engine sends: which bouncers and agents it knows.
///
/// # Errors
/// When the body is no object at all.
pub fn read_plain(body: &[u8]) -> Result<Told, Unreadable> {
    let plain: PlainBody<'_> = serde_json::from_slice(body).map_err(|_| Unreadable)?;
    let mut told = Told::default();
    for (kind, list) in [
        (Kind::Remediation, plain.bouncers),
        (Kind::LogProcessor, plain.machines),
    ] {
        let Some(list) = list else { continue };
        each(list, |raw| {
            let known = serde_json::from_str::<PlainComponent<'_>>(raw.get()).ok();
            let found = known.and_then(|c| {
                // A bouncer's `name` is what sort it is.
                let (name, sort) = match kind {
                    Kind::Remediation => (text(c.custom_name)?, short_text(c.name, WORD)),
                    _ => (text(c.name)?, None),
                };
                let component = Component {
                    sort,
                    version: short_text(c.version, WORD),
                    active_at: time(c.last_pull).or_else(|| time(c.last_push)),
                    ..Component::default()
                };
                told.register(kind, &name, component)
            });
            told.skipped += usize::from(found.is_none());
        });
    }
    Ok(told)
}
