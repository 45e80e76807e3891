//! The array of a push, split into items without reading them.

use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Most signals of one push: what CrowdSieve allows; engines send 50, the SDK 250.
pub const ITEM_LIMIT: usize = 1000;

/// Why a push cannot be read at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Not the JSON array it should be.
    #[error("body: an array of signals is expected: {0}")]
    Unreadable(String),
    /// More than [`ITEM_LIMIT`] items.
    #[error("Batch too large: maximum {ITEM_LIMIT} alerts per request")]
    TooMany,
}

/// One item, as text, and where it stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its JSON.
    pub text: &'a str,
    /// Bytes before it.
    pub offset: usize,
}

/// Splits a body into its items.
///
/// # Errors
/// When it is no JSON array or holds too many items.
pub fn split(body: &[u8]) -> Result<Vec<Item<'_>>, BatchError> {
    let mut too_many = false;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let raw = reader
        .deserialize_seq(Items {
            too_many: &mut too_many,
        })
        .and_then(|items| reader.end().map(|()| items));
    if too_many {
        return Err(BatchError::TooMany);
    }
    let raw = raw.map_err(|e| BatchError::Unreadable(e.to_string()))?;
    let start = body.as_ptr() as usize;
    Ok(raw
        .into_iter()
        .map(|text| Item {
            text,
            offset: text.as_ptr() as usize - start,
        })
        .collect())
}

struct Items<'a> {
    too_many: &'a mut bool,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(raw) = seq.next_element::<&'de RawValue>()? {
            if items.len() == ITEM_LIMIT {
                // What follows is not even looked at.
                *self.too_many = true;
                return Err(serde::de::Error::custom("too many items"));
            }
            items.push(raw.get());
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_very_bytes() {
        let body = br#" [ {"a":1.50,"b":null} , 7,"x"]  "#;
        let items = split(body).unwrap();
        let texts: Vec<_> = items.iter().map(|i| i.text).collect();
        assert_eq!(texts, [r#"{"a":1.50,"b":null}"#, "7", "\"x\""]);
        for item in items {
            assert_eq!(
                &body[item.offset..item.offset + item.text.len()],
                item.text.as_bytes()
            );
        }
        assert_eq!(split(b"[]"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in [
            "",
            "null",
            "{}",
            "[",
            "[1,]",
            "[1] x",
            "\"x\"",
            "[NaN]",
            deep.as_str(),
        ] {
            assert!(
                matches!(split(bad.as_bytes()), Err(BatchError::Unreadable(_))),
                "{bad:.20}"
            );
        }
        assert!(matches!(split(b"[\"\xff\"]"), Err(BatchError::Unreadable(_))));
    }

    #[test]
    fn a_thousand_is_the_limit() {
        let body = |n: usize| format!("[{}]", vec!["{}"; n].join(","));
        assert_eq!(split(body(1000).as_bytes()).map(|i| i.len()), Ok(1000));
        assert_eq!(split(body(1001).as_bytes()), Err(BatchError::TooMany));
        assert_eq!(split(body(1_000_000).as_bytes()), Err(BatchError::TooMany));
    }
}
