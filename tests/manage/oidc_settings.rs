//! What the operator says of the provider, and an installation without one.
use crate::support::forger::{Begun, Forger, Key};
use crate::support::http::{Api, send};
use crate::support::provider::SECRET;
use crate::support::world::World;
use serde_json::{Value, json};

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_provider_there_is_no_way_through_one() {
    let world = World::start().await;
    let nobody = Api::new(world.server().url(), None);
    for path in [
        "/api/auth/login",
        "/api/auth/callback?code=c&state=s",
        "/api/auth/callback/oidc",
    ] {
        let problem = nobody.get(path).await.expect(404).json();
        assert_eq!(problem["type"], "/problems/not-found", "{path}: {problem}");
    }
    let request = nobody.request("POST", "/api/auth/backchannel-logout");
    send(request.body("logout_token=x")).await.expect(404);
    let session = nobody.get("/api/auth/session").await.expect(200).json();
    assert_eq!(
        (&session["authenticated"], &session["loginUrl"]),
        (&json!(false), &Value::Null)
    );
    // any text in the cookie is none
    for cookie in ["csm_auth=x", "csm_auth=ey.ey.x", "csm_auth="] {
        let request = nobody
            .request("GET", "/api/auth/session")
            .header("cookie", cookie);
        assert_eq!(
            send(request).await.expect(200).json()["authenticated"],
            false,
            "{cookie}"
        );
    }
    let session = world.api().get("/api/auth/session").await.expect(200).json();
    assert_eq!(
        (&session["authenticated"], &session["expiresAt"]),
        (&json!(true), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_says_of_the_provider_counts() {
    let forger = Forger::start().await;
    let key = Key::new("k");
    forger.shows(&[&key]);
    forger.said().metadata = json!({"authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["client_secret_post"]});
    let more = [
        ("GARRISON_OIDC_GROUPS", "one=default:viewer, two=default:admin"),
        ("GARRISON_OIDC_GROUPS_CLAIM", "realm_access.roles"),
        ("GARRISON_OIDC_SUBJECT_CLAIM", "oid"),
        ("GARRISON_OIDC_REDIRECT_PATH", "/api/auth/callback/oidc"),
        ("GARRISON_OIDC_REQUIRE_VERIFIED_EMAIL", "false"),
        ("GARRISON_OIDC_FOLLOW_GROUPS", "false"),
        ("GARRISON_OIDC_SCOPES", "email"),
    ];
    let world = forger.world(1, &more).await;
    let url = world.server().url();
    let log_in = async |oid: &str, email: &str, roles: Value, iss: &str| {
        let begun = Begun::at(&url).await;
        assert!(begun.location.contains("callback%2Foidc") && begun.location.contains("scope=openid+email"));
        let claims = json!({"iss": forger.issuer, "aud": "garrison", "sub": "pairwise", "oid": oid, "nonce": begun.nonce,
            "iat": now(), "exp": now() + 300, "email": email, "realm_access": {"roles": roles}});
        let answer = json!({"id_token": key.signs(&claims)});
        forger.said().tokens.insert("c".into(), (200, answer.to_string()));
        let query = format!("code=c&state={}{iss}", begun.state);
        let request = Api::new(&*url, None).request("GET", &format!("/api/auth/callback/oidc?{query}"));
        send(request.header("cookie", &begun.cookie)).await
    };
    let iss = format!("&iss={}", forger.issuer);
    // a provider that says who it is says so always
    log_in("1", "ada@example.org", json!(["one"]), "")
        .await
        .expect(502);
    log_in("1", "ada@example.org", json!(["one"]), &iss)
        .await
        .expect(200);
    let form = forger.said().last_form.clone();
    assert_eq!(
        (form["client_id"].as_str(), form["client_secret"].as_str()),
        ("garrison", SECRET)
    );
    assert!(
        form["redirect_uri"].ends_with("/api/auth/callback/oidc"),
        "{form:?}"
    );
    assert_eq!(form["code_verifier"].len(), 64);
    let users = async || world.api().get("/api/users").await.expect(200).json();
    let role = async || users().await[0]["role"].clone();
    assert_eq!(role().await, "viewer");
    // groups counted the first time; what was given stays
    log_in("1", "ada@example.org", json!(["two"]), &iss)
        .await
        .expect(200);
    log_in("1", "ada@example.org", json!([]), &iss).await.expect(200);
    assert_eq!(role().await, "viewer");
    log_in("2", "bob@example.org", json!(["two"]), &iss)
        .await
        .expect(200);
    assert_eq!(
        users().await.as_array().map(Vec::len),
        Some(2),
        "two people of one `sub`"
    );
}
