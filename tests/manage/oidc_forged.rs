//! A provider that misbehaves, and tokens and answers that are nobody's.
use crate::support::forger::{Begun, Forger, Key, signed_with_secret, unsigned};
use crate::support::http::{Answer, Api, send};
use crate::support::provider::SECRET;
use crate::support::world::World;
use serde_json::{Value, json};

const GROUPS: (&str, &str) = ("GARRISON_OIDC_GROUPS", "admins=default:admin");

/// A token that is made for the nonce of a login.
type Forgery<'a> = &'a dyn Fn(&str) -> String;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn claims(forger: &Forger, nonce: &str) -> Value {
    json!({"iss": forger.issuer, "aud": "garrison", "sub": "ada-1", "nonce": nonce, "iat": now(), "exp": now() + 300,
        "email": "ada@example.org", "email_verified": true, "groups": ["admins"]})
}

/// Logs in with the token that is made for the login.
async fn login(world: &World, forger: &Forger, token: impl FnOnce(&str) -> String) -> Answer {
    let url = world.server().url();
    let begun = Begun::at(&url).await;
    let answer = json!({"id_token": token(&begun.nonce), "access_token": "a", "token_type": "Bearer"});
    forger.said().tokens.insert("c".into(), (200, answer.to_string()));
    begun.finish(&url, "c").await
}

fn cookies(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all("set-cookie").iter();
    all.map(|value| value.to_str().expect("text").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_open_nothing() {
    let forger = Forger::start().await;
    let (key, other) = (Key::new("k"), Key::new("k"));
    forger.shows(&[&key]);
    let world = forger.world(1, &[GROUPS]).await;
    let changed = |name: &'static str, value: Value| {
        let (key, forger) = (&key, &forger);
        move |nonce: &str| {
            let mut claims = claims(forger, nonce);
            claims[name] = value;
            key.signs(&claims)
        }
    };
    let mut tried = 0;
    let mut refused = async |what: String, answer: Answer| {
        assert_eq!(answer.status, 502, "{what}: {}", answer.text());
        assert!(
            !cookies(&answer).iter().any(|set| set.starts_with("csm_auth=")),
            "{what}"
        );
        assert!(
            !answer.text().contains("nonce"),
            "the cause is for the log: {}",
            answer.text()
        );
        tried += 1;
    };
    for (name, value) in [
        ("nonce", json!("another login's")),
        ("nonce", Value::Null),
        ("iss", json!("https://evil.example")),
        ("iss", json!(format!("{}/", forger.issuer))),
        ("aud", json!("somebody-else")),
        ("aud", json!(["garrison", "somebody-else"])),
        ("azp", json!("somebody-else")),
        ("exp", json!(now() - 120)),
        ("exp", json!("never")),
        ("iat", json!(now() - 3600)),
        ("iat", json!(now() + 3600)),
        ("nbf", json!(now() + 3600)),
        ("sub", json!("")),
        ("sub", json!(["ada-1"])),
    ] {
        let what = format!("{name} {value}");
        refused(what, login(&world, &forger, changed(name, value)).await).await;
    }
    let public = key.jwk.clone();
    let forge = |nonce: &str| claims(&forger, nonce);
    let forgeries: [(&str, Forgery<'_>); 9] = [
        ("alg none", &|n| unsigned(&json!({"alg": "none"}), &forge(n))),
        ("alg none with a key", &|n| {
            unsigned(&json!({"alg": "none", "kid": "k"}), &forge(n))
        }),
        ("the public key as a secret", &|n| {
            signed_with_secret("k", public.to_string().as_bytes(), &forge(n))
        }),
        ("half of it", &|n| {
            signed_with_secret("k", public["x"].as_str().expect("x").as_bytes(), &forge(n))
        }),
        ("our own secret", &|n| {
            signed_with_secret("k", SECRET.as_bytes(), &forge(n))
        }),
        ("another's key of the same name", &|n| other.signs(&forge(n))),
        ("a key that is not there", &|n| key.signs_as("unknown", &forge(n))),
        ("no signature", &|n| {
            unsigned(&json!({"alg": "ES256", "kid": "k"}), &forge(n))
        }),
        ("no token", &|_| "x".to_owned()),
    ];
    for (what, token) in forgeries {
        refused(what.to_owned(), login(&world, &forger, token).await).await;
    }
    assert_eq!(tried, 23);
    let users = world.api().get("/api/users").await.expect(200).text();
    assert!(!users.contains("ada@example.org"), "{users}");
    // and the one that is right is in
    let right = login(&world, &forger, |nonce| key.signs(&claims(&forger, nonce)))
        .await
        .expect(200);
    assert!(cookies(&right).iter().any(|set| set.starts_with("csm_auth=ey")));
    assert!(
        right
            .header("content-security-policy")
            .is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    assert_eq!(right.header("cache-control").as_deref(), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_ends_once_and_in_the_browser_that_began_it() {
    let forger = Forger::start().await;
    let key = Key::new("k");
    forger.shows(&[&key]);
    let world = forger.world(2, &[GROUPS]).await;
    let (a, b) = (world.servers[0].url(), world.servers[1].url());
    let ready = |begun: &Begun, code: &str| {
        let answer = json!({"id_token": key.signs(&claims(&forger, &begun.nonce))});
        forger
            .said()
            .tokens
            .insert(code.into(), (200, answer.to_string()));
    };
    let (mine, theirs) = (Begun::at(&a).await, Begun::at(&a).await);
    assert!(!mine.location.contains("code_verifier") && mine.state != theirs.state);
    let crossed = Begun {
        cookie: theirs.cookie.clone(),
        ..mine.clone()
    };
    let none = Begun {
        cookie: "other=1".into(),
        ..mine.clone()
    };
    let twice = Begun {
        cookie: format!("{}; {}", mine.cookie, theirs.cookie),
        ..mine.clone()
    };
    for (what, begun) in [("another browser's", &crossed), ("none", &none), ("two", &twice)] {
        let answer = begun.finish(&a, "c").await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    }
    let state = &mine.state;
    for query in [
        "code=c".to_owned(),
        "code=c&state=".to_owned(),
        format!("code=c&state={state}x"),
        format!("state={state}"),
        format!("code=c&code=d&state={state}"),
        format!("code=c&state={state}&state={state}"),
        format!("code=c&state={state}&x={}", "y".repeat(9000)),
    ] {
        let answer = mine.with(&a, &query).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
    assert_eq!(forger.asked("token"), 0, "nothing of that came to the provider");
    mine.with(&a, &format!("error=access_denied&state={state}"))
        .await
        .expect(403);
    mine.with(&a, &format!("code=c&state={state}&iss=https://evil.example"))
        .await
        .expect(502);
    // begun at one replica and finished at the other, by one of two that come at once
    ready(&mine, "c");
    let (one, two) = tokio::join!(mine.finish(&a, "c"), mine.finish(&b, "c"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{} {}", one.text(), two.text());
    ready(&mine, "c");
    mine.finish(&b, "c").await.expect(400);
    // a code that the provider does not know
    theirs.finish(&b, "unknown").await.expect(400);
    // both first logins of a new person at once are one person
    let begun = [Begun::at(&a).await, Begun::at(&b).await];
    for (n, begun) in begun.iter().enumerate() {
        let mut claims = claims(&forger, &begun.nonce);
        claims["sub"] = json!("bob-1");
        claims["email"] = json!("bob@example.org");
        let answer = json!({"id_token": key.signs(&claims)});
        forger
            .said()
            .tokens
            .insert(format!("b{n}"), (200, answer.to_string()));
    }
    let (one, two) = tokio::join!(begun[0].finish(&a, "b0"), begun[1].finish(&b, "b1"));
    assert_eq!(
        (one.status, two.status),
        (200, 200),
        "{} {}",
        one.text(),
        two.text()
    );
    let users = world.api().get("/api/users").await.expect(200).json();
    assert_eq!(users.as_array().map(Vec::len), Some(2), "{users}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_provider_are_bounded_and_lead_nowhere() {
    let forger = Forger::start().await;
    let key = Key::new("k");
    forger.shows(&[&key]);
    let world = forger.world(1, &[GROUPS]).await;
    let url = world.server().url();
    let with = async |status: u16, text: String| {
        let begun = Begun::at(&url).await;
        forger
            .said()
            .tokens
            .insert("c".into(), (status, text.replace("NONCE", &begun.nonce)));
        begun.finish(&url, "c").await
    };
    with(200, "x".repeat(300_000)).await.expect(503);
    with(200, "{}".into()).await.expect(502);
    with(302, String::new()).await.expect(503);
    with(307, String::new()).await.expect(503);
    with(401, r#"{"error":"invalid_client"}"#.into())
        .await
        .expect(503);
    with(500, "oops".into()).await.expect(503);
    assert_eq!(forger.asked("elsewhere"), 0, "nothing is followed");
    // what a strict provider tells apart has to be about the same person
    let bare = |nonce: &str| {
        let mut claims = claims(&forger, nonce);
        for name in ["email", "email_verified", "groups"] {
            claims.as_object_mut().expect("an object").remove(name);
        }
        key.signs(&claims)
    };
    forger.said().userinfo =
        json!({"sub": "eve", "email": "ada@example.org", "email_verified": true, "groups": ["admins"]});
    login(&world, &forger, bare).await.expect(502);
    forger.said().userinfo["sub"] = json!("ada-1");
    login(&world, &forger, bare).await.expect(200);
    // what stands in the signed token is not overruled
    forger.said().userinfo = json!({"sub": "bob-1", "email_verified": true, "groups": ["admins"]});
    let unverified = |nonce: &str| {
        let mut claims = claims(&forger, nonce);
        claims["sub"] = json!("bob-1");
        claims["email_verified"] = json!(false);
        claims.as_object_mut().expect("an object").remove("groups");
        key.signs(&claims)
    };
    login(&world, &forger, unverified).await.expect(403);
    // a provider that is another, or not safe, is none
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("issuer", json!(format!("{}/", forger.issuer))),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("authorization_endpoint", json!("/relative")),
        ("token_endpoint", Value::Null),
    ] {
        forger.said().metadata = json!({ name: value });
        let mut cli = world.cli.clone();
        cli.set("GARRISON_LISTEN", "127.0.0.1:0");
        let fresh = crate::support::garrison::Server::spawn(&cli, &["serve"]).await;
        let answer = fresh.api(None).get("/api/auth/login").await;
        assert_eq!(answer.status, 503, "{name} {value}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invented_keys_do_not_make_us_ask_and_new_ones_are_found() {
    let forger = Forger::start().await;
    let (old, new) = (Key::new("old"), Key::new("new"));
    forger.shows(&[&old]);
    let world = forger.world(1, &[GROUPS]).await;
    let right = |key: &Key, nonce: &str| key.signs(&claims(&forger, nonce));
    login(&world, &forger, |nonce| right(&old, nonce))
        .await
        .expect(200);
    forger.shows(&[&new]);
    login(&world, &forger, |nonce| right(&new, nonce))
        .await
        .expect(200);
    assert_eq!(forger.asked("jwks"), 2);
    // taken back by the provider
    login(&world, &forger, |nonce| right(&old, nonce))
        .await
        .expect(502);
    for n in 0..20 {
        let token = new.signs_as(&format!("invented-{n}"), &json!({"iss": forger.issuer}));
        let request = Api::new(world.server().url(), None).request("POST", "/api/auth/backchannel-logout");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        send(request.body(format!("logout_token={token}")))
            .await
            .expect(400);
    }
    assert!(forger.asked("jwks") <= 4, "{} times", forger.asked("jwks"));
    assert_eq!(forger.asked("discovery"), 1);
}
