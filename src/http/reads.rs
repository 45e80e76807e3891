//! Which requests may be answered by a standby, and what they are told.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use crate::db::{Db, Reading};

/// Who answered: `primary`, or `replica; lag=0.41`.
const X_GARRISON_READ: HeaderName = HeaderName::from_static("x-garrison-read");
/// Lists and statistics: what people look at, and what reads much.
const LATE: [&str; 3] = ["/api/alerts", "/api/stats", "/api/bouncer-metrics"];

/// Lets lists and statistics be read from the standby, where there is one. Who changes something sees it: for a while the
/// same credential reads from the primary. What fails at the standby is asked of the primary.
pub async fn late(State(db): State<Db>, request: Request, next: Next) -> Response {
    let Some(replica) = db.replica() else {
        return next.run(request).await;
    };
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let who = credential(request.headers());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        // Before, because the client may leave; after, because it may take long.
        replica.changed(who);
        let response = next.run(request).await;
        replica.changed(who);
        return response;
    }
    if !is_late(request.uri().path()) {
        return next.run(request).await;
    }
    let (parts, _) = request.into_parts();
    if replica.may_be_late(who) {
        let reading = Reading::default();
        let asked = Request::from_parts(parts.clone(), Body::empty());
        let response = reading.scope(next.clone().run(asked)).await;
        match reading.lag() {
            None => return told(response, "primary", "primary"),
            Some(lag) if !response.status().is_server_error() => {
                let said = format!("replica; lag={:.2}", lag.as_secs_f64());
                return told(response, "replica", &said);
            }
            Some(_) => metrics::counter!("garrison_reads_total", "by" => "failed").increment(1),
        }
    }
    let response = next.run(Request::from_parts(parts, Body::empty())).await;
    told(response, "primary", "primary")
}

fn is_late(path: &str) -> bool {
    LATE.iter().any(|route| {
        path.strip_prefix(route)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn told(mut response: Response, by: &'static str, said: &str) -> Response {
    metrics::counter!("garrison_reads_total", "by" => by).increment(1);
    if let Ok(value) = HeaderValue::from_str(said) {
        response.headers_mut().insert(X_GARRISON_READ, value);
    }
    response
}

/// Who asks, as far as headers tell: the same text is the same one.
fn credential(headers: &HeaderMap) -> u64 {
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let given = [AUTHORIZATION, HeaderName::from_static("x-api-key"), COOKIE];
    let given = given.map(|name| headers.get(name).map(HeaderValue::as_bytes));
    HASHER.hash_one(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_statistics_may_be_late() {
        for (path, late) in [
            ("/api/alerts", true),
            ("/api/alerts/7", true),
            ("/api/alerts/export", true),
            ("/api/stats/map", true),
            ("/api/bouncer-metrics/names", true),
            ("/api/alertsome", false),
            ("/api/decisions", false),
            ("/api/events", false),
            ("/v3/signals", false),
        ] {
            assert_eq!(is_late(path), late, "{path}");
        }
    }

    #[test]
    fn a_credential_is_what_was_presented() {
        let of = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            credential(&headers)
        };
        assert_eq!(of("x-api-key", "a"), of("x-api-key", "a"));
        assert_ne!(of("x-api-key", "a"), of("x-api-key", "b"));
        assert_ne!(of("x-api-key", "a"), of("authorization", "a"));
    }
}
