use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::NOT_FOUND;
use crate::app::App;
use crate::fleet::feed::model::{Ask, Script, prepare, write};
use crate::fleet::feed::queries;
use crate::http::{ApiError, FeedReader, Problem, QueryOf, Turns};

/// Lists that are made at the same time, and of one tenant: each may take a core and much memory.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(4, 2));
/// How long a turn is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The list itself, for a firewall: with a token of the feed (`Authorization: Bearer`, `X-Api-Key`, or Basic with any user
/// name and the token as the password), or with an API token. The parameters are crowdsec-blocklist-mirror's and narrow
/// what the feed is defined as. Every value is there once, nothing that an allowlist touches; when it cannot be told
/// what holds the answer is an error, and never an empty list.
#[utoipa::path(get, path = "/api/feeds/{name}", tag = "Feeds", operation_id = "read_feed",
    security(("token" = []), ("key" = []), ("basic" = [])),
    params(("name" = String, Path),
        ("format" = Option<String>, Query, description = "`plain_text` (default), `mikrotik` or `f5`"),
        ("ipv4only" = Option<String>, Query, description = "IPv4 only; counts when it is there, unless `false`. So do `ipv6only`, `nosort` and `aggregate`"),
        ("ipv6only" = Option<String>, Query, description = "IPv6 only"),
        ("nosort" = Option<String>, Query, description = "by time, not by address"),
        ("origin" = Option<String>, Query, description = "of these origins only, with commas"),
        ("supported_decisions_types" = Option<String>, Query, description = "of these types only, with commas"),
        ("aggregate" = Option<String>, Query, description = "as few networks as hold the same addresses"),
        ("max" = Option<i32>, Query, description = "at most so many lines: the newest are kept"),
        ("listname" = Option<String>, Query, description = "for `mikrotik`: the address list; `CrowdSec` by default")),
    responses((status = 200, body = String, content_type = "text/plain", headers(("etag" = String), ("last-modified" = String))),
        (status = 304, description = "as it was"), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub async fn read(
    State(app): State<App>,
    reader: FeedReader,
    Path(name): Path<String>,
    headers: HeaderMap,
    QueryOf(pairs): QueryOf<Vec<(String, String)>>,
) -> Result<Response<Body>, ApiError> {
    let found = if name.contains('\0') {
        None
    } else {
        queries::get(&app.db, reader.tenant, &name).await?
    };
    // A token of another feed finds what a stranger finds.
    let feed = found
        .filter(|feed| reader.feed.is_none_or(|only| only == feed.id))
        .ok_or(NOT_FOUND)?;
    let ask = Ask::read(&pairs, &feed).map_err(ApiError::Invalid)?;
    let Some(_turn) = TURNS.take(reader.tenant.id(), PATIENCE).await else {
        return Err(ApiError::Unavailable(2));
    };
    let content = queries::content(&app.db, reader.tenant, &feed, &ask).await?;
    if content.too_many {
        let most = queries::MOST_ROWS;
        let text =
            format!("the feed holds more than {most} decisions: narrow it by origins, types or scenarios");
        return Err(ApiError::TooLarge(text));
    }
    let (now, asked) = (Timestamp::now(), ask.clone());
    let text = tokio::task::spawn_blocking(move || {
        let entries = prepare(content.entries, &content.allowed, &asked);
        let script = Script {
            list: &asked.list,
            family: asked.family,
            now,
        };
        write(&entries, asked.format, script)
    });
    let text = text
        .await
        .map_err(|e| ApiError::Internal(format!("a feed was not written: {e}")))?;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let changed = if ask.format.tells_time() {
        now
    } else {
        queries::changed_at(&app.db, reader.tenant, feed.id, slot(&ask), hash.as_ref()).await?
    };
    let etag = format!("\"{}\"", hex(&hash.as_ref()[..16]));
    let mut response = if is_known(&headers, &etag, changed) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(text));
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    };
    let given = response.headers_mut();
    given.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        given.insert(header::ETAG, etag);
    }
    if let Some(date) = http_date(changed).and_then(|date| HeaderValue::from_str(&date).ok()) {
        given.insert(header::LAST_MODIFIED, date);
    }
    Ok(response)
}

/// Where it is kept when this way to ask last gave another text.
fn slot(ask: &Ask) -> i16 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{ask:?}").as_bytes());
    i16::from(digest.as_ref().first().copied().unwrap_or(0) % 64)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As HTTP writes it, in whole seconds.
fn http_date(at: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

/// Whether the caller has this very text (RFC 9110, 13.1): by its tag, or by its time where there is no tag.
fn is_known(headers: &HeaderMap, etag: &str, changed: Timestamp) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == etag || tag == "*");
    }
    headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| jiff::fmt::rfc2822::parse(text).ok())
        .is_some_and(|since| changed.as_second() <= since.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_has() {
        let changed: Timestamp = "2026-11-22T01:02:03.9Z".parse().unwrap();
        assert_eq!(
            http_date(changed).as_deref(),
            Some("Sun, 22 Nov 2026 01:02:03 GMT")
        );
        let tag = "\"ab\"";
        for (name, value, expected) in [
            ("if-none-match", "\"ab\"", true),
            ("if-none-match", "W/\"ab\"", true),
            ("if-none-match", "\"x\", \"ab\"", true),
            ("if-none-match", "*", true),
            ("if-none-match", "\"a\"", false),
            ("if-none-match", "", false),
            ("if-modified-since", "Sun, 22 Nov 2026 01:02:03 GMT", true),
            ("if-modified-since", "Sun, 22 Nov 2026 01:02:04 GMT", true),
            ("if-modified-since", "Sun, 22 Nov 2026 01:02:02 GMT", false),
            ("if-modified-since", "yesterday", false),
            ("x-other", "1", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(is_known(&headers, tag, changed), expected, "{name}: {value}");
        }
        let mut both = HeaderMap::new();
        both.insert("if-none-match", "\"old\"".parse().unwrap());
        both.insert(
            "if-modified-since",
            "Sun, 22 Nov 2026 01:02:03 GMT".parse().unwrap(),
        );
        assert!(!is_known(&both, tag, changed), "the tag decides");
    }
}
