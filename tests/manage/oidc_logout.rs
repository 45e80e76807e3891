//! Logout tokens: the provider's own, replayed, and forged.
use crate::support::forger::{Begun, Forger, Key, signed_with_secret, unsigned};
use crate::support::http::{Answer, Api, send};
use crate::support::provider::Provider;
use crate::support::visitor::Visitor;
use crate::support::world::World;
use crate::support::{free_port, wait};
use serde_json::{Value, json};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

async fn tell(url: &str, token: &str) -> Answer {
    let request = Api::new(url, None).request("POST", "/api/auth/backchannel-logout");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    send(request.body(format!("logout_token={token}"))).await
}

/// Logs in as somebody within a session of the provider's, and gives the cookie.
async fn login(world: &World, forger: &Forger, key: &Key, sub: &str, sid: Option<&str>) -> String {
    let url = world.server().url();
    let begun = Begun::at(&url).await;
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({"iss": forger.issuer, "aud": "garrison", "sub": sub, "nonce": begun.nonce, "iat": now,
        "exp": now + 300, "email": format!("{sub}@example.org"), "email_verified": true, "groups": ["admins"]});
    if let Some(sid) = sid {
        claims["sid"] = json!(sid);
    }
    let answer = json!({"id_token": key.signs(&claims)});
    forger.said().tokens.insert("c".into(), (200, answer.to_string()));
    let answer = begun.finish(&url, "c").await.expect(200);
    let mut all = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|set| set.to_str().ok());
    let set = all.find(|set| set.starts_with("csm_auth=")).expect("a session");
    set.split(';').next().expect("a cookie").to_owned()
}

async fn is_in(url: &str, cookie: &str) -> bool {
    let request = Api::new(url, None)
        .request("GET", "/api/me")
        .header("cookie", cookie);
    send(request).await.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_tokens_end_what_they_name_and_nothing_else() {
    let forger = Forger::start().await;
    let (key, other) = (Key::new("k"), Key::new("k"));
    forger.shows(&[&key]);
    let groups = ("GARRISON_OIDC_GROUPS", "admins=default:admin");
    let world = forger.world(2, &[groups]).await;
    let (a, b) = (world.servers[0].url(), world.servers[1].url());
    let ada_1 = login(&world, &forger, &key, "ada", Some("s1")).await;
    let ada_2 = login(&world, &forger, &key, "ada", Some("s2")).await;
    let bob = login(&world, &forger, &key, "bob", None).await;
    let now = jiff::Timestamp::now().as_second();
    let claims = |change: Value| {
        let mut claims = json!({"iss": forger.issuer, "aud": "garrison", "iat": now, "exp": now + 120,
            "jti": "j1", "sid": "s1", "events": {EVENT: {}}});
        for (name, value) in change.as_object().expect("an object") {
            if value.is_null() {
                claims.as_object_mut().expect("an object").remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    };
    let forged = [
        key.signs(&claims(json!({"iss": "https://evil.example"}))),
        key.signs(&claims(json!({"aud": "somebody-else"}))),
        key.signs(&claims(json!({"exp": now - 120}))),
        key.signs(&claims(json!({"iat": now - 3600}))),
        key.signs(&claims(json!({"events": null}))),
        key.signs(&claims(json!({"events": {"x": {}}}))),
        key.signs(&claims(json!({"nonce": "n"}))),
        key.signs(&claims(json!({"jti": null}))),
        key.signs(&claims(json!({"sid": null}))),
        other.signs(&claims(json!({}))),
        unsigned(&json!({"alg": "none"}), &claims(json!({}))),
        signed_with_secret("k", key.jwk.to_string().as_bytes(), &claims(json!({}))),
        "x".to_owned(),
        String::new(),
    ];
    for token in &forged {
        let answer = tell(&a, token).await;
        assert_eq!(answer.status, 400, "{token}: {}", answer.text());
        assert_eq!(answer.json(), json!({"error": "invalid_request"}));
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    }
    let twice = Api::new(&*a, None).request("POST", "/api/auth/backchannel-logout");
    send(twice.body("logout_token=x&logout_token=y"))
        .await
        .expect(400);
    for cookie in [&ada_1, &ada_2, &bob] {
        assert!(is_in(&a, cookie).await && is_in(&b, cookie).await);
    }
    // one session of the provider's
    let token = key.signs(&claims(json!({})));
    let answer = tell(&a, &token).await.expect(200);
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    for url in [&a, &b] {
        let over = || async { !is_in(url, &ada_1).await };
        wait::until_true("the session is over on every replica", wait::secs(5), over).await;
        assert!(is_in(url, &ada_2).await && is_in(url, &bob).await);
    }
    // once, on whichever replica
    tell(&b, &token).await.expect(400);
    tell(&a, &token).await.expect(400);
    // everything of a subject, also what has no session of the provider's
    tell(
        &b,
        &key.signs(&claims(json!({"jti": "j2", "sid": null, "sub": "ada"}))),
    )
    .await
    .expect(200);
    tell(
        &b,
        &key.signs(&claims(json!({"jti": "j3", "sid": "s9", "sub": "bob"}))),
    )
    .await
    .expect(200);
    for cookie in [&ada_2, &bob] {
        for url in [&a, &b] {
            let over = || async { !is_in(url, cookie).await };
            wait::until_true("the session is over on every replica", wait::secs(5), over).await;
        }
    }
    // and nobody is kept out: what comes after is new
    let ada_3 = login(&world, &forger, &key, "ada", Some("s3")).await;
    assert!(is_in(&a, &ada_3).await && is_in(&b, &ada_3).await);
    tell(
        &a,
        &key.signs(&claims(json!({"jti": "j4", "sid": "s3", "sub": "bob"}))),
    )
    .await
    .expect(200);
    assert!(is_in(&b, &ada_3).await, "another's session of this name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_providers_token_is_good_once() {
    let recorder = Forger::start().await;
    let gate = format!("http://127.0.0.1:{}", free_port());
    let provider = Provider::telling(&gate, &format!("{}/logouts", recorder.issuer)).await;
    let world = provider.serve("admins=default:admin").await;
    let claims = json!({"email": "ada@example.org", "email_verified": true, "groups": ["admins"]});
    provider.person("ada-1", claims).await;
    let mut visitor = Visitor::default();
    visitor.login(&gate, "ada-1").await.expect(200);
    let cookie = format!("csm_auth={}", visitor.cookie("csm_auth").expect("a session"));
    let out = Api::new(&*gate, None)
        .request("GET", "/api/auth/session")
        .header("cookie", &cookie);
    let out = send(out).await.expect(200).json();
    visitor
        .log_out_there(out["logoutUrl"].as_str().expect("a way out"))
        .await;
    let told = || async { recorder.said().logouts.len() == 1 };
    wait::until_true("the provider tells", wait::secs(10), told).await;
    let token = recorder.said().logouts[0].clone();
    assert!(is_in(&world.server().url(), &cookie).await, "nobody told us yet");
    tell(&gate, &token).await.expect(200);
    assert!(!is_in(&world.server().url(), &cookie).await);
    tell(&gate, &token).await.expect(400);
}
