//! The stream of a machine that gets its tenant's set in it: CAPI's answer read whole, and our part put in.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};

use super::{Whole, content_type, given, stale, tee};
use crate::app::App;
use crate::db::DbError;
use crate::gate::link::{self, Asked, Part};
use crate::gate::relay::{self, Relayed};
use crate::gate::stream::model::{self, Copy};
use crate::gate::stream::queries;
use crate::http::{Caller, EngineError, Machine};

/// Largest answer that is read whole. The whole community list is some megabytes.
const LIMIT: usize = 64 << 20;
/// How long reading it may take: within what a request may, the wait for its beginning included.
const WITHIN: Duration = Duration::from_secs(12);

/// How CAPI's answer was read.
enum Read {
    Whole(Bytes),
    /// It is too large or too slow: what is there of it, and the rest.
    More(Vec<Bytes>, reqwest::Response),
    Broken(reqwest::Error),
}

/// CAPI's answer with our part: the fresh one, else the kept one, else one of ours alone. An engine asks every two hours
/// only, so that ours shall not wait for CAPI to come back; if it asked for everything, CAPI is asked for that at the
/// next pull, because the engine itself asks for it once.
pub(super) async fn pull(
    app: &App,
    version: u8,
    machine: Machine,
    query: Option<String>,
    mut headers: HeaderMap,
) -> Result<Response, EngineError> {
    let asked = Asked::new(app, version, &headers);
    // CAPI's «not modified» would be about its own part only.
    headers.remove(header::IF_MODIFIED_SINCE);
    headers.remove(header::IF_NONE_MATCH);
    let owed = link::startup_is_owed(app, &machine).await;
    let query = if owed {
        Some(model::from_start(query.as_deref()))
    } else {
        query
    };
    let is_startup = model::is_startup(query.as_deref());
    let target = model::target(version, query.as_deref());
    let given = given(version, query, headers);
    let fresh = match relay::send(app, &Caller::Machine(machine.clone()), given).await? {
        Relayed::Answer(response) if response.status() == StatusCode::OK => {
            let head = response.headers().clone();
            match read(response).await {
                Read::Whole(body) => Some((head, body)),
                Read::More(begun, rest) => {
                    tracing::warn!("a decisions stream is too large or too slow to be added to");
                    return Ok(tee(app.clone(), machine, target, begun, rest));
                }
                Read::Broken(e) => {
                    tracing::warn!(cause = %e.without_url(), "the decisions stream broke off");
                    None
                }
            }
        }
        Relayed::Answer(response) => {
            tracing::warn!(
                status = response.status().as_u16(),
                "CAPI refuses a machine the decisions stream"
            );
            None
        }
        Relayed::Off => None,
        Relayed::Down(down) => {
            tracing::warn!(cause = down.cause, "the decisions stream cannot be relayed");
            None
        }
    };
    let theirs = match fresh {
        Some((head, body)) => {
            if owed {
                link::update_startup_owed(app, &machine, false).await;
            }
            if let Some(target) = &target {
                keep(app, &machine, target, &content_type(&head), body.clone()).await;
            }
            let kind = HeaderValue::from_str(&content_type(&head));
            let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
            Some(Whole {
                headers: [(header::CONTENT_TYPE, kind)].into_iter().collect(),
                body,
            })
        }
        None => stale(app, &machine, target.as_deref()).await?,
    };
    let part = link::part(app, &machine, &asked).await;
    match (theirs, part) {
        (Some(theirs), Ok(part)) => Ok(merged(theirs, part).await.into_response()),
        (Some(theirs), Err(e)) => {
            tracing::warn!(cause = %e, "a decisions stream is handed on without our part");
            Ok(theirs.into_response())
        }
        (None, Ok(part)) => {
            if is_startup && !owed {
                link::update_startup_owed(app, &machine, true).await;
            }
            let kind = HeaderValue::from_static("application/json");
            let ours = Whole {
                headers: [(header::CONTENT_TYPE, kind)].into_iter().collect(),
                body: Bytes::from_static(model::empty(version).as_bytes()),
            };
            Ok(merged(ours, part).await.into_response())
        }
        (None, Err(e)) => Err(e.into()),
    }
}

async fn read(mut response: reqwest::Response) -> Read {
    let (mut chunks, mut length) = (Vec::new(), 0);
    let until = tokio::time::Instant::now() + WITHIN;
    loop {
        match tokio::time::timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                length += chunk.len();
                chunks.push(chunk);
                if length > LIMIT {
                    return Read::More(chunks, response);
                }
            }
            Ok(Ok(None)) => break,
            Ok(Err(e)) => return Read::Broken(e),
            Err(_) => return Read::More(chunks, response),
        }
    }
    let mut whole = BytesMut::with_capacity(length);
    for chunk in chunks {
        whole.extend_from_slice(&chunk);
    }
    Read::Whole(whole.freeze())
}

/// Keeps CAPI's own answer, without our part.
async fn keep(app: &App, machine: &Machine, target: &str, content_type: &str, body: Bytes) {
    let packed = tokio::task::spawn_blocking(move || {
        let mut copy = Copy::new();
        copy.add(&body);
        copy.finish()
    });
    let kept = match packed.await {
        Ok(Some(packed)) => queries::upsert(app, machine, target, content_type, &packed).await,
        Ok(None) => Ok(()),
        Err(e) => Err(DbError::Internal(e.to_string())),
    };
    if let Err(e) = kept {
        tracing::warn!(cause = %e, "an answer of CAPI's was not kept");
    }
}

async fn merged(mut theirs: Whole, part: Part) -> Whole {
    let body = theirs.body.clone();
    match tokio::task::spawn_blocking(move || part.merged(&body)).await {
        Ok(Some(body)) => theirs.body = body.into(),
        _ => tracing::warn!("a decisions stream is not as we know it, and is handed on without our part"),
    }
    theirs
}
