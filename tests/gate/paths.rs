//! Path games and credentials that are not.
use crate::support::http::{raw, raw_request, send};
use crate::support::machine::{Machine, signal};
use crate::support::wait;
use crate::support::world::World;
use base64::Engine as _;
use serde_json::json;

const GAMES: [&str; 26] = [
    "/v3/signals/",
    "/v3/signals//",
    "/v3/signal%73",
    "/v3/%73ignals",
    "/%76%33/signals",
    "//v3/signals",
    "/v3//signals",
    "/v3/./signals",
    "/v3/x/../signals",
    "/v3/%2e/signals",
    "/v3/x/%2e%2e/signals",
    "/../v3/signals",
    "/V3/signals",
    "/v3/SIGNALS",
    "/v3/Signals",
    "/v3/signals;a=1",
    "/v3/signals%00",
    "/v3/signals%2f",
    "/v3/signals%20",
    "/v3%2fsignals",
    "/v3\\signals",
    "/v3/signals/../metrics",
    "/v3/signals%3f",
    "/v4/signals",
    "/signals",
    "/v3/signals%c0%af",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_path_goes_round_a_route() {
    let world = World::start().await;
    let mut machine = Machine::stranger();
    machine.login(world.server()).await;
    let body = json!([signal("192.0.2.1")]).to_string();
    let before = world.capi.seen().len();
    for path in GAMES {
        for token in [Some(machine.token.as_str()), None] {
            let bytes = raw_request("POST", path, token, body.as_bytes());
            let Some(answer) = raw(world.server().address, &bytes).await else {
                continue;
            };
            assert!(
                matches!(answer.status, 400 | 401 | 404 | 405),
                "{path}: {} {}",
                answer.status,
                answer.text()
            );
            assert!(answer.took < wait::secs(5), "{path}: {:?}", answer.took);
        }
    }
    for (method, path) in [
        ("GET", "/v3/signals"),
        ("PUT", "/v3/signals"),
        ("post", "/v3/signals"),
        ("TRACE", "/v3/signals"),
        ("BREW", "/v3/metrics"),
    ] {
        let bytes = raw_request(method, path, Some(&machine.token), body.as_bytes());
        let Some(answer) = raw(world.server().address, &bytes).await else {
            continue;
        };
        assert!(
            matches!(answer.status, 400 | 404 | 405),
            "{method} {path}: {}",
            answer.status
        );
    }
    let seen: Vec<String> = world
        .capi
        .seen()
        .iter()
        .skip(before)
        .map(|s| s.target.clone())
        .collect();
    assert!(seen.is_empty(), "reached CAPI: {seen:?}");
    assert!(world.alerts(&world.api(), "").await.is_empty());
    // the same without credentials against the API
    let doors = [
        "/api/alerts/",
        "/api//alerts",
        "//api/alerts",
        "/API/alerts",
        "/api/%61lerts",
        "/api/alerts%2f",
        "/healthz/../api/alerts",
        "/health/..%2fapi/alerts",
        "/docs/../api/alerts",
        "/api/./alerts",
        "/api/alerts;/health",
        "/v3/../api/alerts",
    ];
    for path in doors {
        let Some(answer) = raw(world.server().address, &raw_request("GET", path, None, b"")).await else {
            continue;
        };
        assert!(
            matches!(answer.status, 400 | 401 | 404),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_are_none_are_401() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let b64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = machine.token.split('.').nth(1).unwrap_or("e30").to_owned();
    let forged = |head: &str| format!("Bearer {}.{claims}.", b64.encode(head));
    let mut flipped = machine.token.clone().into_bytes();
    let last = flipped.len() - 4;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let other_claims =
        b64.encode(json!({"id": machine.login, "sub": machine.login, "exp": 4_102_444_800_u64}).to_string());
    let cases = [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer  ".into(),
        "bearer".into(),
        "Basic dXNlcjpwYXNz".into(),
        "Bearer null".into(),
        "Bearer undefined".into(),
        format!("Bearer {}", machine.password),
        format!("Bearer {}", machine.login),
        format!("Bearer {} {}", machine.token, machine.token),
        format!("Digest {}", machine.token),
        format!("Bearer {}", String::from_utf8(flipped).expect("text")),
        format!("Bearer {}.", machine.token),
        format!("Bearer x.{}", machine.token),
        forged(r#"{"alg":"none"}"#),
        forged(r#"{"alg":"nOnE","typ":"JWT"}"#),
        forged(r#"{"alg":"HS256","kid":"../../dev/null"}"#),
        format!(
            "Bearer {}.{other_claims}.{}",
            b64.encode(r#"{"alg":"HS256"}"#),
            b64.encode([0; 32])
        ),
        format!("Bearer {}", "a".repeat(6000)),
        format!("Bearer {}", world.admin_token()),
    ];
    let body = json!([signal("192.0.2.1")]);
    for header in &cases {
        let call = machine.call(world.server().address, "POST", "/v3/signals");
        let (client, request) = call.json(&body).build_split();
        let mut request = request.expect("request");
        request
            .headers_mut()
            .insert("authorization", header.parse().expect("header"));
        let answer = send(reqwest::RequestBuilder::from_parts(client, request)).await;
        let shown: String = header.chars().take(60).collect();
        assert!(
            matches!(answer.status, 401 | 431),
            "`{shown}`: {} {}",
            answer.status,
            answer.text()
        );
        assert!(
            answer.status == 431 || answer.json()["message"].is_string(),
            "`{shown}`: {}",
            answer.text()
        );
        assert!(
            !answer
                .text()
                .contains(header.trim_start_matches("Bearer ").trim())
                || header.len() < 12,
            "echoed"
        );
    }
    // never across: a machine's token is no operator's, and a token in the query is nobody's
    world
        .api()
        .with(Some(&machine.token))
        .get("/api/alerts")
        .await
        .expect(401);
    let admin = world.admin_token();
    for path in [
        "/api/alerts?token=",
        "/api/alerts?api_key=",
        "/api/alerts?access_token=",
    ] {
        world
            .api()
            .with(None)
            .get(&format!("{path}{admin}"))
            .await
            .expect(401);
    }
    for token in [
        "",
        " ",
        "x",
        &admin[..admin.len() - 1],
        &format!("{admin}x"),
        &"g".repeat(5000),
    ] {
        world.api().with(Some(token)).get("/api/alerts").await.expect(401);
        send(
            world
                .api()
                .with(None)
                .request("GET", "/api/alerts")
                .header("x-api-key", token),
        )
        .await
        .expect(401);
    }
    send(
        world
            .api()
            .with(None)
            .request("GET", "/api/alerts")
            .header("x-api-key", admin),
    )
    .await
    .expect(200);
    assert!(world.alerts(&world.api(), "").await.is_empty());
    assert!(world.capi.at("/signals").is_empty());

    // two Authorization headers: not a choice
    let mut bytes = raw_request("POST", "/v3/signals", Some("x"), b"[]");
    let extra = format!("Authorization: Bearer {}\r\n", machine.token);
    let at = bytes.windows(2).position(|w| w == b"\r\n").expect("a line") + 2;
    bytes.splice(at..at, extra.into_bytes());
    let answer = raw(world.server().address, &bytes).await.expect("an answer");
    assert!(
        matches!(answer.status, 400 | 401),
        "two credentials: {}",
        answer.status
    );

    // a removed machine is a stranger within 5 s
    machine.push_ok(world.server(), &[signal("192.0.2.2")]).await;
    world
        .cli
        .run(&["machine", "remove", "--tenant", "default", &machine.login])
        .await
        .expect_ok();
    wait::until_true("a removed machine's token dies", wait::secs(6), || async {
        machine.push(world.server(), &[]).await.status == 401
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_http_is_refused_or_closed() {
    let world = World::start().await;
    let at = world.server().address;
    let long = "a".repeat(40_000);
    let many: String = (0..300).map(|n| format!("X-H{n}: v\r\n")).collect();
    let cases: Vec<(&str, String)> = vec![
        (
            "two lengths",
            "POST /v3/signals HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]".into(),
        ),
        (
            "negative length",
            "POST /v3/signals HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n".into(),
        ),
        (
            "huge length",
            "POST /v3/signals HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n".into(),
        ),
        (
            "space before colon",
            "GET /health HTTP/1.1\r\nHost : a\r\n\r\n".into(),
        ),
        (
            "a 40 KB header",
            format!("GET /api/alerts HTTP/1.1\r\nHost: a\r\nX-A: {long}\r\n\r\n"),
        ),
        (
            "a 40 KB path",
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        ),
        (
            "300 headers",
            format!("GET /api/alerts HTTP/1.1\r\nHost: a\r\n{many}Connection: close\r\n\r\n"),
        ),
        (
            "TLS on the plain port",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".into(),
        ),
        ("an SSH banner", "SSH-2.0-OpenSSH_9.2\r\n\r\n".into()),
        ("HTTP/0.9", "GET /\r\n\r\n".into()),
    ];
    // a half request is only given up after the time for a head: all at once
    futures_util::future::join_all(cases.iter().map(async |(name, bytes)| {
        if let Some(answer) = raw(at, bytes.as_bytes()).await {
            assert!(
                (400..500).contains(&answer.status),
                "{name}: {} {}",
                answer.status,
                answer.text()
            );
        }
    }))
    .await;
    world.api().get("/health").await.expect(200);
}
