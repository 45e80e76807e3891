//! Sessions that nobody was given.
use crate::support::browser::Browser;
use crate::support::machine::Machine;
use crate::support::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use garrison::kernel::keyring::Keyring;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

fn b64(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn parts(token: &str) -> [String; 3] {
    let all: Vec<String> = token.split('.').map(str::to_owned).collect();
    all.try_into().expect("three parts")
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("claims").remove(name);
    claims
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_session_is_let_in() {
    let world = World::start().await;
    let ada = Browser::member(&world, "ada@example.org", "default", "admin").await;
    let bob = Browser::member(&world, "bob@example.org", "default", "viewer").await;
    let row = world
        .db
        .client()
        .await
        .query_one("SELECT kid, salt FROM session_key", &[])
        .await
        .expect("a key");
    let (kid, salt): (i32, Vec<u8>) = (row.get(0), row.get(1));
    // where nobody configured a secret, replicas share a row
    let sql = "SELECT value FROM platform_fact WHERE name = 'secret_key'";
    let secret: Vec<u8> = world
        .db
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("a secret")
        .get(0);
    let ring = Keyring::new(&secret);
    let right = ring.login_key(&salt);
    let [head, body, signature] = parts(&ada.cookie);
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64");
    let claims: Value = serde_json::from_slice(&read(&body)).expect("claims");
    let now = claims["iat"].as_i64().expect("a time");
    let header = |alg: Algorithm, kid: Option<String>| {
        let mut header = Header::new(alg);
        header.kid = kid;
        header
    };
    let own = header(Algorithm::HS256, Some(kid.to_string()));
    let sign = |claims: &Value| encode(&own, claims, &EncodingKey::from_secret(&right)).expect("signed");
    let signed_as = |header: &Header, secret: &[u8]| {
        encode(header, &claims, &EncodingKey::from_secret(secret)).expect("signed")
    };
    // a head of one's own, signed with the right key
    let headed = |head: Value| {
        let message = format!("{}.{body}", b64(&head));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &right);
        let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    let plain = json!({"typ": "JWT", "alg": "HS256", "kid": kid.to_string()});
    let more = |name: &str, value: Value| headed(with(&plain, name, value));
    let unsigned = |alg: &str| {
        format!(
            "{}.{body}.",
            b64(&json!({"typ": "JWT", "alg": alg, "kid": kid.to_string()}))
        )
    };
    let jwk = json!({"kty": "oct", "k": "AAAA"});
    let mut flipped = signature.clone().into_bytes();
    flipped[5] = if flipped[5] == b'A' { b'B' } else { b'A' };
    let machine: Machine = world.machine("default").await;
    let claims_of_machine = json!({"iss": "garrison", "aud": "garrison-machine", "sub": "user:1", "iat": now, "exp": now + 600, "tid": 1, "mid": 1});
    let bobs: Value = serde_json::from_slice(&read(&parts(&bob.cookie)[1])).expect("claims");
    let forged: Vec<(&str, String)> = vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg nOnE", unsigned("nOnE")),
        ("empty alg", unsigned("")),
        ("signature cut off", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{}.x", ada.cookie)),
        ("five parts", format!("{head}.{body}.{signature}.x.y")),
        (
            "HS384",
            signed_as(&header(Algorithm::HS384, Some(kid.to_string())), &right),
        ),
        (
            "HS512",
            signed_as(&header(Algorithm::HS512, Some(kid.to_string())), &right),
        ),
        ("RS256 in the head", more("alg", json!("RS256"))),
        (
            "another key",
            signed_as(&own, b"another key of thirty-two bytes ..."),
        ),
        ("an empty key", signed_as(&own, b"")),
        ("the machines' key", signed_as(&own, ring.session_key())),
        ("no kid", signed_as(&header(Algorithm::HS256, None), &right)),
        (
            "unknown kid",
            signed_as(&header(Algorithm::HS256, Some("4711".into())), &right),
        ),
        (
            "kid as a path",
            signed_as(&header(Algorithm::HS256, Some("../../dev/null".into())), b""),
        ),
        (
            "kid as SQL",
            signed_as(&header(Algorithm::HS256, Some("1' OR '1'='1".into())), &right),
        ),
        (
            "kid of 10 KB",
            signed_as(&header(Algorithm::HS256, Some("1".repeat(10_000))), &right),
        ),
        ("jku", more("jku", json!("http://127.0.0.1:1/keys"))),
        ("jwk", more("jwk", jwk)),
        ("x5u", more("x5u", json!("http://127.0.0.1:1/cert"))),
        ("crit", more("crit", json!(["exp"]))),
        ("zip", more("zip", json!("DEF"))),
        ("other typ", more("typ", json!("at+jwt"))),
        (
            "other order in the head",
            headed(json!({"kid": kid.to_string(), "alg": "HS256", "typ": "JWT", "x": 1})),
        ),
        (
            "another audience",
            sign(&with(&claims, "aud", json!("garrison-machine"))),
        ),
        (
            "audiences",
            sign(&with(&claims, "aud", json!(["garrison-session", "other"]))),
        ),
        ("no audience", sign(&without(&claims, "aud"))),
        ("another issuer", sign(&with(&claims, "iss", json!("evil")))),
        ("no issuer", sign(&without(&claims, "iss"))),
        ("expired", sign(&with(&claims, "exp", json!(now - 120)))),
        ("no end", sign(&without(&claims, "exp"))),
        ("an end in words", sign(&with(&claims, "exp", json!("never")))),
        ("an end beyond all", sign(&with(&claims, "exp", json!(1e30)))),
        ("not yet", sign(&with(&claims, "nbf", json!(now + 600)))),
        ("no beginning", sign(&without(&claims, "nbf"))),
        ("no session", sign(&without(&claims, "sid"))),
        (
            "a session that is not there",
            sign(&with(
                &claims,
                "sid",
                json!("00000000-0000-0000-0000-000000000001"),
            )),
        ),
        (
            "another's session",
            sign(&with(&claims, "sid", bobs["sid"].clone())),
        ),
        ("another's name", sign(&with(&bobs, "sub", claims["sub"].clone()))),
        ("a token's name", sign(&with(&claims, "sub", json!("token:1")))),
        ("a tenant of one's own", sign(&with(&claims, "tid", json!(2)))),
        ("a machine's claims", sign(&claims_of_machine)),
        (
            "a flipped bit",
            format!("{head}.{body}.{}", String::from_utf8(flipped).expect("text")),
        ),
        (
            "another's claims",
            format!("{head}.{}.{signature}", parts(&bob.cookie)[1]),
        ),
        (
            "changed claims",
            format!(
                "{head}.{}.{signature}",
                b64(&with(&claims, "sub", json!("user:2")))
            ),
        ),
        ("padding", format!("{}==", ada.cookie)),
        (
            "the other alphabet",
            format!("{head}.{}.{signature}", STANDARD.encode(read(&body))),
        ),
        ("a space", format!("{head}. {body}.{signature}")),
        ("nested", sign(&json!({"jwt": ada.cookie}))),
        ("twice", format!("{}.{}", ada.cookie, ada.cookie)),
        (
            "a megabyte of nothing",
            format!("{head}.{}.{signature}", "A".repeat(30_000)),
        ),
        ("nothing", ".".to_owned()),
        ("dots", "..".to_owned()),
        ("a machine's token", machine.token.clone()),
    ];
    assert!(forged.len() >= 25);
    let mut shown = ada.clone();
    shown.cookie = sign(&claims);
    shown.get("/api/alerts").await.expect(200);
    for (what, cookie) in &forged {
        shown.cookie.clone_from(cookie);
        let answer = shown.get("/api/alerts").await;
        assert!(
            matches!(answer.status, 401 | 431),
            "{what}: {} {}",
            answer.status,
            answer.text()
        );
        let bearer = ada.http.with(Some(cookie)).get("/api/alerts").await;
        assert!(
            matches!(bearer.status, 401 | 431),
            "{what} as a bearer: {}",
            bearer.status
        );
    }
    // a session is no program's credential and no machine's, either
    for path in ["/api/alerts", "/v3/decisions/stream"] {
        ada.http.with(Some(&ada.cookie)).get(path).await.expect(401);
    }
    let pushed = ada
        .http
        .with(Some(&ada.cookie))
        .post("/v3/signals", &json!([]))
        .await;
    assert_eq!(pushed.status, 401);
    let by_cookie = ada.request("POST", "/v3/signals").json(&json!([]));
    assert_eq!(crate::support::http::send(by_cookie).await.status, 401);
    ada.get("/api/alerts").await.expect(200);
}
