use std::fmt;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::{LapiError, Lapis, Target, accept_json, join, success};
use crate::kernel::duration::parse_duration_ms;
use crate::outbound::client::Limits;

/// What a whole stream may be: every decision of CAPI and its lists besides the server's own.
const STREAM: Limits = Limits {
    answer: 64 << 20,
    exchange: Duration::from_mins(1),
};

/// A decision as a server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct Told {
    #[serde(default)]
    pub id: i64,
    #[serde(default)]
    pub origin: String,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub value: String,
    /// What is left of it, as Go writes durations.
    #[serde(default)]
    pub duration: String,
    #[serde(default)]
    pub scenario: String,
    #[serde(default)]
    pub uuid: Option<String>,
    #[serde(default)]
    pub simulated: Option<bool>,
}

/// A decision and its end, by our clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// As it was told.
    pub told: Told,
    /// When it ends.
    pub until: Timestamp,
}

/// What a server's stream says.
#[derive(Debug, Default)]
pub struct Streamed {
    /// What holds, or holds since the last look.
    pub new: Vec<Held>,
    /// What holds no more.
    pub deleted: Vec<Held>,
}

/// Decisions that are the server's own: what every server has from CAPI and its lists is not even kept while reading.
#[derive(Default)]
struct Own(Vec<Told>);

impl<'de> Deserialize<'de> for Own {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seq;
        impl<'de> Visitor<'de> for Seq {
            type Value = Own;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of decisions or null")
            }
            fn visit_unit<E>(self) -> Result<Own, E> {
                Ok(Own::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Own, A::Error> {
                let mut own = Vec::new();
                while let Some(told) = seq.next_element::<Told>()? {
                    let origin = told.origin.to_ascii_lowercase();
                    if origin != "capi" && origin != "lists" {
                        own.push(told);
                    }
                }
                Ok(Own(own))
            }
        }
        deserializer.deserialize_any(Seq)
    }
}

/// Every LAPI tells both, if only as null: what tells neither is none, and says nothing of what was lifted.
#[derive(Deserialize)]
struct Body {
    new: Own,
    deleted: Own,
}

/// The end of each, as far as what is left of it can be read. Half of the exchange lies between the server's saying so
/// and our hearing it.
fn ends(told: Vec<Told>, now: Timestamp, took: Duration) -> Vec<Held> {
    let said = now - SignedDuration::try_from(took / 2).unwrap_or_default();
    let end = |told: Told| {
        let left = SignedDuration::from_millis(parse_duration_ms(&told.duration)?);
        let until = said.checked_add(left).ok()?;
        Some(Held { told, until })
    };
    told.into_iter().filter_map(end).collect()
}

impl Lapis {
    /// The server's own decisions: all that hold, or what changed since the last time this was asked with the same key.
    /// What came from CAPI and its lists is left out.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn stream(&self, target: &Target, whole: bool) -> Result<Streamed, LapiError> {
        let mut url = join(target, "v1/decisions/stream")?;
        url.query_pairs_mut()
            .append_pair("startup", if whole { "true" } else { "false" })
            .append_pair("scopes", "Ip,Range,Country,AS");
        let (body, took): (Body, _) = self.read(target, url).await?;
        let now = Timestamp::now();
        Ok(Streamed {
            new: ends(body.new.0, now, took),
            deleted: ends(body.deleted.0, now, took),
        })
    }

    /// The active decisions of one origin, each of them.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn of_origin(&self, target: &Target, origin: &str) -> Result<Vec<Held>, LapiError> {
        let mut url = join(target, "v1/decisions")?;
        url.query_pairs_mut().append_pair("origins", origin);
        let (own, took): (Own, _) = self.read(target, url).await?;
        let mut own = own.0;
        own.retain(|told| told.origin == origin);
        Ok(ends(own, Timestamp::now(), took))
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        target: &Target,
        url: reqwest::Url,
    ) -> Result<(T, Duration), LapiError> {
        let begun = Instant::now();
        let headers = keyed(target)?;
        let sent = self
            .client
            .send_within(STREAM, Method::GET, url, headers, Vec::new());
        let reply = sent.await?;
        Ok((success(&reply)?, begun.elapsed()))
    }

    /// A sign of life of our machine there; whether it had to log in anew, which says that the server was started, or
    /// is not what it was.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn heartbeat(&self, target: &Target) -> Result<bool, LapiError> {
        let before = self.sessions.get(&target.key).await;
        let reply = self
            .as_machine(target, Method::GET, "v1/heartbeat", Vec::new())
            .await?;
        if !reply.status.is_success() {
            return Err(LapiError::Status(reply.status.as_u16()));
        }
        let after = self.sessions.get(&target.key).await;
        Ok(match (before, after) {
            (Some(before), Some(after)) => !before.is(&after),
            (None, _) => false,
            (Some(_), None) => true,
        })
    }
}

/// What opens reading.
pub(super) fn keyed(target: &Target) -> Result<HeaderMap, LapiError> {
    let mut key =
        HeaderValue::from_str(target.bouncer_key.expose_secret()).map_err(|_| LapiError::Garbage)?;
    key.set_sensitive(true);
    let mut headers = accept_json();
    headers.insert("x-api-key", key);
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_without_what_all_have() {
        let text = r#"{"new":[
            {"duration":"3h59m59.2s","id":30,"origin":"crowdsec","scenario":"s","scope":"Ip","type":"ban","value":"192.0.2.7","uuid":"u"},
            {"duration":"24h","id":1,"origin":"CAPI","scenario":"s","scope":"Ip","type":"ban","value":"192.0.2.8"},
            {"duration":"24h","id":2,"origin":"lists","scenario":"s","scope":"Ip","type":"ban","value":"192.0.2.9"},
            {"duration":"soon","id":3,"origin":"cscli","scenario":"s","scope":"Ip","type":"ban","value":"192.0.2.9"}],
            "deleted":null}"#;
        let body: Body = serde_json::from_str(text).unwrap();
        assert_eq!(body.new.0.len(), 2);
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let held = ends(body.new.0, now, Duration::from_secs(2));
        assert_eq!(held.len(), 1, "what has no readable end is left out");
        assert_eq!(held[0].until, "2026-11-21T15:59:58.2Z".parse().unwrap());
        assert!(body.deleted.0.is_empty());
        for nothing in ["{}", r#"{"new":[]}"#, r#"{"message":"OK"}"#] {
            assert!(serde_json::from_str::<Body>(nothing).is_err(), "{nothing}");
        }
        let both = r#"{"new":null,"deleted":[]}"#;
        assert!(serde_json::from_str::<Body>(both).unwrap().new.0.is_empty());
        assert!(serde_json::from_str::<Body>(r#"{"new":3}"#).is_err());
        assert!(serde_json::from_str::<Own>("null").unwrap().0.is_empty());
    }
}
