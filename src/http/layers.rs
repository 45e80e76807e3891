//! What every request passes, whatever its route. One function holds the order.

pub mod measure;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::sensitive_headers::{SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer};
use tracing::Instrument as _;

use super::edge::Limits;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a probe asks must be answered under any load, or the orchestrator kills what is merely busy.
const PROBES: &[&str] = &["/health", "/healthz", "/live", "/livez", "/ready", "/readyz"];

/// The id of a request, among its extensions: the client's own where it is well-formed, else a new one.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// Puts every layer that all routes share round `router`. To be called last: routes and fallbacks added afterwards
/// would be outside. Limits on bodies and their decompression belong to the routes.
pub fn wrap(router: Router, limits: &Limits) -> Router {
    // From the outside in.
    router.layer(
        ServiceBuilder::new()
            .layer(SetSensitiveRequestHeadersLayer::new([
                AUTHORIZATION,
                X_API_KEY,
                COOKIE,
            ]))
            .layer(SetSensitiveResponseHeadersLayer::new([SET_COOKIE]))
            .layer(from_fn(observe))
            .layer(from_fn(secure))
            .layer(from_fn(catch_panic))
            .layer(from_fn_with_state(limits.headers, canonical))
            .layer(from_fn_with_state(
                Arc::new(Semaphore::new(limits.in_flight)),
                shed,
            ))
            .layer(from_fn_with_state(limits.request, timeout)),
    )
}

/// Request id, span and the one log line.
async fn observe(mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // The text is letters, digits, `_` and `-`, so it is always a header.
    let header = HeaderValue::from_str(&id).ok();
    let id: Arc<str> = id.into();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    // The route's pattern and not the path: a path holds addresses, and a stranger's text.
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        method = method_name(request.method()),
        path,
        request_id = &*id
    );
    let line = Line {
        begun: Instant::now(),
        class: measure::class(path),
        span: span.clone(),
        written: false,
    };
    let mut response = next.run(request).instrument(span).await;
    if let Some(header) = header {
        response.headers_mut().insert(X_REQUEST_ID, header);
    }
    line.answered(response.status());
    response
}

/// The log line of one request, written even when the client leaves before the answer.
struct Line {
    begun: Instant,
    class: &'static str,
    span: tracing::Span,
    written: bool,
}

impl Line {
    fn answered(mut self, status: StatusCode) {
        self.written = true;
        measure::answered(self.class, status, self.begun.elapsed());
        let (status, latency_ms) = (status.as_u16(), self.latency_ms());
        self.span.in_scope(|| {
            if status >= 500 {
                tracing::error!(status, latency_ms, "request");
            } else {
                tracing::info!(status, latency_ms, "request");
            }
        });
    }

    fn latency_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.written {
            measure::given_up(self.class);
            let latency_ms = self.latency_ms();
            self.span
                .in_scope(|| tracing::info!(latency_ms, "request given up by the client"));
        }
    }
}

/// A method as a log shows it; a stranger may make up any word.
fn method_name(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// The client's id where it sent exactly one of 1 to 64 letters, digits, `_` and `-`; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let mut sent = headers.get_all(&X_REQUEST_ID).iter();
    let (first, second) = (sent.next(), sent.next());
    first
        .filter(|_| second.is_none())
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        })
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// Headers that keep browsers from guessing, telling and storing.
async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn catch_panic(request: Request, next: Next) -> Response {
    let accent = Accent::of(request.uri().path());
    // Nothing of the request survives the panic, so nothing half-changed can be seen.
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let cause = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!(cause, "a handler panicked");
            accent.refuse(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// Refuses every spelling of a path but one, and a request with too many headers (hyper counts them on HTTP/1 only).
async fn canonical(State(headers): State<usize>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !normalised(path) {
        return Accent::of(path).refuse(StatusCode::NOT_FOUND);
    }
    if request.headers().len() > headers {
        return Accent::of(path).refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    next.run(request).await
}

/// Refuses at once what is above the cap: a queue would only make everybody wait past their own timeouts.
async fn shed(State(slots): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(_slot) = slots.try_acquire() else {
        measure::shed();
        let mut response = Accent::of(request.uri().path()).refuse(StatusCode::SERVICE_UNAVAILABLE);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    };
    next.run(request).await
}

async fn timeout(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let accent = Accent::of(request.uri().path());
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => accent.refuse(StatusCode::REQUEST_TIMEOUT),
    }
}

/// How an error is worded.
#[derive(Debug, Clone, Copy)]
enum Accent {
    /// `{"message": …}`, as `CrowdSec`'s clients read it.
    CrowdSec,
    /// RFC 9457.
    Problem,
}

impl Accent {
    fn of(path: &str) -> Self {
        if ["/v1/", "/v2/", "/v3/"]
            .iter()
            .any(|version| path.starts_with(version))
        {
            Self::CrowdSec
        } else {
            Self::Problem
        }
    }

    fn refuse(self, status: StatusCode) -> Response {
        let (problem, text) = match status {
            StatusCode::NOT_FOUND => ("/problems/not-found", "there is no such route"),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                ("/problems/too-large", "there are too many headers")
            }
            StatusCode::REQUEST_TIMEOUT => ("/problems/timeout", "the request took too long"),
            StatusCode::SERVICE_UNAVAILABLE => {
                ("/problems/unavailable", "the service cannot answer right now")
            }
            _ => (
                "/problems/internal",
                "internal error; the log has it under this answer's request id",
            ),
        };
        let title = status.canonical_reason().unwrap_or("Error");
        let (kind, body) = match self {
            Self::CrowdSec => ("application/json", format!(r#"{{"message":"{title}"}}"#)),
            Self::Problem => (
                "application/problem+json",
                // No text of these needs an escape.
                format!(
                    r#"{{"type":"{problem}","title":"{title}","status":{},"detail":"{text}","error":"{text}"}}"#,
                    status.as_u16()
                ),
            ),
        };
        (status, [(CONTENT_TYPE, kind)], body).into_response()
    }
}

/// Whether a path is spelt in the one way that routes know, so that no other spelling gets round a rule.
#[must_use]
pub fn normalised(path: &str) -> bool {
    let encoding = path.starts_with("/api/") || path.starts_with("/docs/");
    let slash_at_end = ["/", "/docs/", "/v2/metrics/", "/v3/metrics/"];
    path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b";\\".contains(&byte))
        && !path.contains("//")
        && !path.split('/').any(|segment| segment == "." || segment == "..")
        && (!path.ends_with('/') || slash_at_end.contains(&path))
        && (!path.contains('%') || (encoding && encoded_well(path) && decodes(path)))
}

/// Whether a path or a query is text once its escapes are read; what reads them later would guess, or refuse in its own
/// words.
#[must_use]
pub fn decodes(text: &str) -> bool {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            // No escape, but a percent sign.
            _ => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Whether every `%` begins an escape that is needed: no escaped letter, digit, dot or control character, which would
/// make a second spelling of a plain path.
fn encoded_well(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let byte = rest
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| {
            !byte.is_ascii_alphanumeric() && !byte.is_ascii_control() && !b"-._".contains(&byte)
        })
    })
}
