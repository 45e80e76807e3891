#![allow(clippy::unwrap_used, reason = "a test may stop on the first surprise")]

use axum::body::Body;
use axum::routing::get;
use tower::ServiceExt as _;

use super::*;

fn app(limits: &Limits) -> Router {
    let router =
        Router::new()
            .route(
                "/api/alerts/{id}",
                get(|| async { ([(CACHE_CONTROL, "max-age=5")], "found") }),
            )
            .route("/v3/signals", get(|| async { "ok" }))
            .route("/v3/panic", get(|| async { panic!("the handler") as () }))
            .route("/v3/slow", get(std::future::pending::<()>))
            .route("/health", get(|| async { "ok" }))
            .route(
                "/id",
                get(|request: Request| async move {
                    request.extensions().get::<RequestId>().unwrap().0.to_string()
                }),
            )
            .route(
                "/sensitive",
                get(|headers: HeaderMap| async move {
                    let all = [AUTHORIZATION, X_API_KEY, COOKIE]
                        .iter()
                        .all(|name| headers[name].is_sensitive());
                    all.to_string()
                }),
            );
    wrap(router, limits)
}

async fn ask(app: Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 4096).await.unwrap();
    (
        parts.status,
        parts.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[test]
fn paths() {
    let good = [
        "/",
        "/v3/signals",
        "/v2/metrics/",
        "/v3/metrics/",
        "/docs/",
        "/docs",
        "/docs/a.js",
        "/api/decisions/1.2.3.0%2F24",
        "/api/x/a%20b",
        "/api/x/caf%C3%A9",
        "/a/b.c",
        "/a/...",
        "/api/x/2001:db8::1",
    ];
    let bad = [
        "",
        "*",
        "v3",
        "/v3/signals/",
        "//",
        "//v3",
        "/v3//signals",
        "/v3/signal%73",
        "/v3/a%2Fb",
        "/.",
        "/..",
        "/a/../b",
        "/a/./b",
        "/a;b",
        "/a\\b",
        "/a b",
        "/caf\u{e9}",
        "/a\u{7f}",
        "/api/",
        "/api/x/%2e%2e",
        "/api/x/%2E",
        "/api/%61lerts",
        "/api/x/%00",
        "/api/x/%0d%0a",
        "/api/x/%",
        "/api/x/%4",
        "/api/x/%zz",
        "/api/x/%+1",
        "/v1/metrics/",
        "/docsx/%20",
    ];
    for path in good {
        assert!(normalised(path), "{path}");
    }
    for path in bad {
        assert!(!normalised(path), "{path}");
    }
}

#[tokio::test]
async fn only_one_spelling_reaches_a_route() {
    let app = app(&Limits::default());
    for (path, status) in [
        ("/v3/signals", 200),
        ("/v3/signals?x=%2e%2e;//", 200),
        ("/v3/signals/", 404),
        ("/v3/signal%73", 404),
        ("/api/alerts/1.2.3.0%2F24", 200),
        ("/api/alerts/%2e%2e", 404),
        ("/api/alerts/a;b", 404),
        ("/nowhere", 404),
    ] {
        assert_eq!(ask(app.clone(), path, &[]).await.0.as_u16(), status, "{path}");
    }
    let (_, headers, body) = ask(app.clone(), "/v3/x/", &[]).await;
    assert_eq!(
        (&headers[CONTENT_TYPE], body.as_str()),
        (
            &HeaderValue::from_static("application/json"),
            r#"{"message":"Not Found"}"#
        )
    );
    let (_, headers, body) = ask(app, "/api/x/", &[]).await;
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    let text = "there is no such route";
    assert_eq!(
        body,
        format!(
            r#"{{"type":"/problems/not-found","title":"Not Found","status":404,"detail":"{text}","error":"{text}"}}"#
        )
    );
}

#[tokio::test]
async fn request_ids() {
    let app = app(&Limits::default());
    let long = "x".repeat(65);
    for (sent, kept) in [
        ("abc_DEF-123", true),
        (&long[..64], true),
        (&long, false),
        ("", false),
        ("a b", false),
        ("a.b", false),
        ("\u{e9}", false),
    ] {
        let (_, headers, body) = ask(app.clone(), "/id", &[("x-request-id", sent)]).await;
        assert_eq!(headers[X_REQUEST_ID], body.as_str());
        assert_eq!(body == sent, kept, "{sent}");
        assert!(kept || uuid::Uuid::parse_str(&body).unwrap().get_version_num() == 7);
    }
    let (_, _, body) = ask(app, "/id", &[("x-request-id", "a"), ("x-request-id", "b")]).await;
    assert!(body.len() == 36);
}

#[tokio::test]
async fn headers() {
    let app = app(&Limits::default());
    for path in ["/id", "/nowhere", "/v3/x/", "/v3/panic"] {
        let (_, headers, _) = ask(app.clone(), path, &[]).await;
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[REFERRER_POLICY], "no-referrer", "{path}");
        assert_eq!(headers[CACHE_CONTROL], "no-store", "{path}");
        assert!(headers.contains_key(X_REQUEST_ID), "{path}");
    }
    assert_eq!(
        ask(app.clone(), "/api/alerts/1", &[]).await.1[CACHE_CONTROL],
        "max-age=5"
    );
    let secrets = [("authorization", "a"), ("x-api-key", "b"), ("cookie", "c")];
    assert_eq!(ask(app, "/sensitive", &secrets).await.2, "true");
    let few = Limits {
        headers: 2,
        ..Limits::default()
    };
    assert_eq!(
        ask(self::app(&few), "/sensitive", &secrets).await.0,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
}

#[tokio::test]
async fn panic_timeout_and_overload() {
    let limits = Limits {
        request: Duration::from_millis(300),
        in_flight: 1,
        ..Limits::default()
    };
    let app = app(&limits);
    let (status, _, body) = ask(app.clone(), "/v3/panic", &[]).await;
    assert_eq!(
        (status.as_u16(), body.as_str()),
        (500, r#"{"message":"Internal Server Error"}"#)
    );
    let slow = tokio::spawn(ask(app.clone(), "/v3/slow", &[]));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (status, headers, _) = ask(app.clone(), "/v3/signals", &[]).await;
    assert_eq!(
        (status.as_u16(), &headers[RETRY_AFTER]),
        (503, &HeaderValue::from_static("1"))
    );
    assert_eq!(ask(app.clone(), "/health", &[]).await.0, StatusCode::OK);
    let (status, _, body) = slow.await.unwrap();
    assert_eq!(
        (status.as_u16(), body.as_str()),
        (408, r#"{"message":"Request Timeout"}"#)
    );
    assert_eq!(ask(app, "/v3/signals", &[]).await.0, StatusCode::OK);
}

#[test]
fn escapes_are_text() {
    for (text, is_text) in [
        ("", true),
        ("/a/%c3%a4", true),
        ("a=%25%00", true),
        ("100%", true),
        ("%zz%e", true),
        ("%\u{e4}\u{e4}", true),
        ("/a/%ff", false),
        ("%c0%af", false),
        ("%ed%a0%80", false),
        ("%c3=a", false),
    ] {
        assert_eq!(decodes(text), is_text, "{text}");
    }
}
