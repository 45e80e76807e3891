use std::fmt;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{LapiError, Lapis, Target, accept_json, join, success};
use crate::kernel::duration::parse_duration_ms;
use crate::kernel::time::LATEST;
use crate::outbound::client::Limits;

/// What a whole stream may be: every decision of CAPI and its lists besides the server's own.
const STREAM: Limits = Limits {
    answer: 64 << 20,
    exchange: Duration::from_mins(1),
    tenant: 0,
};
/// Most decisions that are taken of one list. They take several times the room of their text, and of the shortest there
/// are millions in an answer.
const MOST: usize = 250_000;

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
    /// Scope, value and type of what holds there, or does no more, because CAPI or a list says so.
    pub of_all: Vec<(String, String, String)>,
}

/// Decisions that are the server's own. Of what every server has from CAPI and its lists only what it is about is kept:
/// of several about the same a stream tells the longest one alone.
#[derive(Default)]
struct Own {
    told: Vec<Told>,
    of_all: Vec<(String, String, String)>,
    /// There were more than are taken.
    more: bool,
}

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
                let mut own = Own::default();
                while let Some(told) = seq.next_element::<Told>()? {
                    let of_all = ["capi", "lists"]
                        .iter()
                        .any(|o| told.origin.eq_ignore_ascii_case(o));
                    if told.value.is_empty() || told.duration.is_empty() {
                        continue;
                    }
                    if of_all {
                        if own.of_all.len() < MOST {
                            own.of_all.push((told.scope, told.value, told.kind));
                        }
                        continue;
                    }
                    if own.told.len() == MOST {
                        own.more = true;
                    } else {
                        own.told.push(told);
                    }
                }
                Ok(own)
            }
        }
        deserializer.deserialize_any(Seq)
    }
}

/// Most decisions about one address that are taken.
const FEW: usize = 1000;

/// Decisions about one address, with all that the server tells of each.
#[derive(Default)]
pub(super) struct Few {
    pub kept: Vec<Map<String, Value>>,
    /// There were more.
    pub more: bool,
}

impl<'de> Deserialize<'de> for Few {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seq;
        impl<'de> Visitor<'de> for Seq {
            type Value = Few;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of decisions or null")
            }
            fn visit_unit<E>(self) -> Result<Few, E> {
                Ok(Few::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few, A::Error> {
                let mut few = Few::default();
                while few.kept.len() < FEW {
                    let Some(one) = seq.next_element()? else {
                        return Ok(few);
                    };
                    few.kept.push(one);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    few.more = true;
                }
                Ok(few)
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
        let until = said.checked_add(left).ok()?.min(LATEST);
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
        let (mut body, took): (Body, _) = self.read(target, url).await?;
        if whole {
            // Of a whole answer only what holds counts; what a server remembers of the past can be very long.
            body.deleted = Own::default();
        }
        if body.new.more || body.deleted.more {
            return Err(LapiError::TooMany);
        }
        let now = Timestamp::now();
        let mut of_all = body.new.of_all;
        of_all.extend(body.deleted.of_all);
        Ok(Streamed {
            new: ends(body.new.told, now, took),
            deleted: ends(body.deleted.told, now, took),
            of_all,
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
        if own.more {
            return Err(LapiError::TooMany);
        }
        let mut own = own.told;
        own.retain(|told| told.origin == origin);
        Ok(ends(own, Timestamp::now(), took))
    }

    /// Reads a list that may be large, beside the threads that answer requests.
    async fn read<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        target: &Target,
        url: reqwest::Url,
    ) -> Result<(T, Duration), LapiError> {
        let begun = Instant::now();
        let headers = keyed(target)?;
        let limits = Limits {
            tenant: target.key.0,
            ..STREAM
        };
        let sent = self
            .client
            .send_within(limits, Method::GET, url, headers, Vec::new());
        let reply = sent.await?;
        let took = begun.elapsed();
        let read = tokio::task::spawn_blocking(move || success(&reply));
        Ok((read.await.map_err(|_| LapiError::Garbage)??, took))
    }

    /// A sign of life of our machine there.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn heartbeat(&self, target: &Target) -> Result<(), LapiError> {
        let reply = self
            .as_machine(target, Method::GET, "v1/heartbeat", Vec::new())
            .await?;
        if reply.status.is_success() {
            Ok(())
        } else {
            Err(LapiError::Status(reply.status.as_u16()))
        }
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
        assert_eq!(body.new.told.len(), 2);
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let held = ends(body.new.told, now, Duration::from_secs(2));
        assert_eq!(held.len(), 1, "what has no readable end is left out");
        assert_eq!(held[0].until, "2026-11-21T15:59:58.2Z".parse().unwrap());
        assert_eq!(
            body.new.of_all.len(),
            2,
            "what CAPI's decisions are about is known"
        );
        assert!(body.deleted.told.is_empty());
        for nothing in ["{}", r#"{"new":[]}"#, r#"{"message":"OK"}"#] {
            assert!(serde_json::from_str::<Body>(nothing).is_err(), "{nothing}");
        }
        let both = r#"{"new":null,"deleted":[]}"#;
        assert!(serde_json::from_str::<Body>(both).unwrap().new.told.is_empty());
        assert!(serde_json::from_str::<Body>(r#"{"new":3}"#).is_err());
        assert!(serde_json::from_str::<Own>("null").unwrap().told.is_empty());
    }

    #[test]
    fn what_is_kept_of_a_list_is_bounded() {
        let list = |item: &str, n: usize| -> Own {
            serde_json::from_str(&format!("[{}]", vec![item; n].join(","))).unwrap()
        };
        let good = r#"{"value":"192.0.2.7","duration":"1h"}"#;
        for (item, n, kept, more) in [
            // Of three bytes each there are 22 million in 64 MiB, and each would take 180.
            ("{}", MOST * 2, 0, false),
            (r#"{"value":"192.0.2.7"}"#, 3, 0, false),
            (good, MOST, MOST, false),
            (good, MOST + 1, MOST, true),
        ] {
            let own = list(item, n);
            assert_eq!((own.told.len(), own.more), (kept, more), "{n} of {item}");
        }
    }

    #[test]
    fn of_one_address_few_are_kept() {
        for (text, kept, more) in [
            ("null".to_owned(), 0, false),
            ("[]".to_owned(), 0, false),
            (format!("[{}]", vec![r#"{"a":1}"#; FEW].join(",")), FEW, false),
            (format!("[{}]", vec![r#"{"a":1}"#; 3 * FEW].join(",")), FEW, true),
        ] {
            let few: Few = serde_json::from_str(&text).unwrap();
            assert_eq!((few.kept.len(), few.more), (kept, more));
        }
        for odd in ["[3]", "{}", "3", "[{}"] {
            assert!(serde_json::from_str::<Few>(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn no_end_is_too_far_to_reckon_with() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        // Some milliseconds before the last moment there is, as only malice tells it.
        let edge = Timestamp::MAX.duration_since(now).as_millis() - 1000;
        for (duration, expected) in [
            ("1h".to_owned(), Some("2026-11-21T13:00:00Z".parse().unwrap())),
            ("-1h".to_owned(), Some("2026-11-21T11:00:00Z".parse().unwrap())),
            (format!("{edge}ms"), Some(LATEST)),
            ("2562047h".to_owned(), Some(LATEST)),
            (format!("{}ms", i64::MAX), None),
            (format!("-{}ms", i64::MAX), None),
        ] {
            let told = format!(r#"{{"value":"192.0.2.7","duration":"{duration}"}}"#);
            let told = serde_json::from_str(&told).unwrap();
            let held = ends(vec![told], now, Duration::ZERO);
            assert_eq!(held.first().map(|held| held.until), expected, "{duration}");
        }
    }
}
