//! Logging in through a real identity provider.
use super::audit::trail;
use crate::support::browser::{Browser, PASSWORD};
use crate::support::http::{Answer, Api, send};
use crate::support::provider::Provider;
use crate::support::visitor::{Page, Visitor};
use crate::support::world::World;
use crate::support::{free_port, wait};
use serde_json::{Value, json};

const GROUPS: &str =
    "acme-ops=acme:operator, acme-view=acme:viewer, msp=*:platform-admin, admins=default:admin";

async fn start() -> (Provider, World, String) {
    let port = free_port();
    let (provider, world) = Provider::world(port, GROUPS).await;
    (provider, world, format!("http://127.0.0.1:{port}"))
}

fn ada(groups: &[&str]) -> Value {
    json!({"email": "Ada@Example.org", "email_verified": true, "name": "Ada", "groups": groups})
}

/// As the browser that logged in.
async fn get(world: &World, visitor: &Visitor, path: &str) -> Answer {
    let request = Api::new(world.server().url(), None).request("GET", path);
    let cookie = format!("csm_auth={}", visitor.cookie("csm_auth").expect("a session"));
    send(request.header("cookie", cookie)).await
}

async fn me(world: &World, visitor: &Visitor) -> Value {
    get(world, visitor, "/api/me").await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_of_the_provider_lands_logged_in() {
    let (provider, world, gate) = start().await;
    let acme = world.tenant("acme").await;
    provider.person("ada-1", ada(&["acme-ops", "others"])).await;
    let mut visitor = Visitor::default();
    let page = visitor.login(&gate, "ada-1").await.expect(200);
    assert_eq!(page.url.path(), "/api/auth/callback");
    assert!(visitor.cookie("csm_login").is_none(), "used up");
    // The provider sent the browser here: what it stored now it sends from our own page on.
    let home = visitor.refreshed(&page).await;
    assert_eq!(home.url.path(), "/");
    let found = me(&world, &visitor).await;
    assert_eq!(
        (&found["kind"], &found["name"]),
        (&json!("user"), &json!("ada@example.org"))
    );
    assert_eq!(
        (&found["tenant"], &found["role"]),
        (&json!("acme"), &json!("operator"))
    );
    assert_eq!(found["platformAdmin"], false);
    let session = get(&world, &visitor, "/api/auth/session")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&session["authenticated"], &session["user"]),
        (&json!(true), &json!("ada@example.org"))
    );
    assert_eq!(session["csrfToken"], found["csrfToken"]);
    assert!(session["expiresAt"].is_string(), "{session}");
    let out = session["logoutUrl"].as_str().expect("a way out");
    assert!(
        out.starts_with(&format!("{}/session/end?", provider.issuer)),
        "{out}"
    );
    // on record where it counts
    let api = world.api_of(&acme);
    for (action, details) in [
        ("user.join", json!({"by": "groups", "role": "operator"})),
        ("user.login", json!({"by": "oidc"})),
    ] {
        let entry = &trail(&api, &format!("action={action}")).await[0];
        assert_eq!(
            (&entry["actor"]["name"], &entry["details"]),
            (&json!("ada@example.org"), &details),
            "{entry}"
        );
    }
    let users = api.get("/api/users").await.expect(200).json();
    assert_eq!(
        (&users[0]["byGroups"], &users[0]["name"]),
        (&json!(true), &json!("Ada"))
    );
    // again: nobody new, and nothing to change
    let id = found["id"].clone();
    let mut other = Visitor::default();
    other.login(&gate, "ada-1").await.expect(200);
    assert_eq!(me(&world, &other).await["id"], id);
    assert_eq!(trail(&api, "action=user.join").await.len(), 1);
    assert_eq!(trail(&api, "action=user.login").await.len(), 2);
    // what has no session is told how to get one
    let nobody = Api::new(world.server().url(), None);
    let session = nobody.get("/api/auth/session").await.expect(200).json();
    assert_eq!(
        session,
        json!({"authenticated": false, "user": null, "expiresAt": null, "logoutUrl": null, "csrfToken": null,
            "loginUrl": "/api/auth/login"})
    );
    // the way back counts once
    let callback = &page.url[..];
    let again = visitor.open(callback).await.expect(400);
    assert!(
        again.answer.text().contains("begin again"),
        "{}",
        again.answer.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_groups_gave_goes_with_them() {
    let (provider, world, gate) = start().await;
    let acme = world.tenant("acme").await;
    let api = world.api_of(&acme);
    provider
        .person("ada-1", ada(&["acme-view", "acme-ops", "msp"]))
        .await;
    let mut visitor = Visitor::default();
    visitor.login(&gate, "ada-1").await.expect(200);
    let found = me(&world, &visitor).await;
    assert_eq!(
        (&found["role"], &found["platformAdmin"]),
        (&json!("operator"), &json!(true))
    );
    provider.person("ada-1", ada(&["acme-view"])).await;
    visitor.login(&gate, "ada-1").await.expect(200);
    wait::until_true("the role is the group's", wait::secs(5), || async {
        let found = me(&world, &visitor).await;
        found["role"] == "viewer" && found["platformAdmin"] == false
    })
    .await;
    let change = &trail(&api, "action=user.change").await[0];
    assert_eq!(
        change["details"],
        json!({"by": "groups", "role": "viewer"}),
        "{change}"
    );
    // no group any more: not in, and the session that is still there opens nothing
    provider.person("ada-1", ada(&[])).await;
    let mut again = Visitor::default();
    let out = again.login(&gate, "ada-1").await.expect(403);
    assert!(
        out.answer.text().contains("none of your groups"),
        "{}",
        out.answer.text()
    );
    assert!(again.cookie("csm_auth").is_none());
    let closed = || async { get(&world, &visitor, "/api/alerts").await.status == 403 };
    wait::until_true("nothing is open", wait::secs(5), closed).await;
    assert_eq!(
        trail(&api, "action=user.remove").await[0]["details"],
        json!({"by": "groups"})
    );
    // what is given by hand stays, whatever groups say
    world
        .cli
        .run(&[
            "user",
            "add",
            "ada@example.org",
            "--tenant",
            "acme",
            "--role",
            "helpdesk",
        ])
        .await
        .expect_ok();
    for groups in [&["acme-ops"][..], &[]] {
        provider.person("ada-1", ada(groups)).await;
        let mut visitor = Visitor::default();
        visitor.login(&gate, "ada-1").await.expect(200);
        assert_eq!(me(&world, &visitor).await["role"], "helpdesk");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_found_by_a_verified_address_once() {
    let (provider, world, gate) = start().await;
    let password = Browser::member(&world, "ada@example.org", "default", "viewer").await;
    let id = password.get("/api/me").await.expect(200).json()["id"].clone();
    let unverified = json!({"email": "ada@example.org", "email_verified": false, "groups": ["admins"]});
    provider.person("eve", unverified).await;
    provider.person("nobody", json!({"groups": ["admins"]})).await;
    provider
        .person(
            "stranger",
            json!({"email": "s@example.org", "email_verified": true, "groups": ["none"]}),
        )
        .await;
    provider.person("ada-1", ada(&["admins"])).await;
    provider.person("ada-2", ada(&["admins"])).await;
    let refused = async |who: &str, why: &str| {
        let mut visitor = Visitor::default();
        let page: Page = visitor.login(&gate, who).await.expect(403);
        assert!(page.answer.text().contains(why), "{who}: {}", page.answer.text());
        assert!(visitor.cookie("csm_auth").is_none(), "{who}");
    };
    refused("eve", "no verified address").await;
    refused("nobody", "no verified address").await;
    refused("stranger", "none of your groups").await;
    let mut visitor = Visitor::default();
    visitor.login(&gate, "ada-1").await.expect(200);
    let found = me(&world, &visitor).await;
    // the same person, with the role that was given by hand
    assert_eq!((&found["id"], &found["role"]), (&id, &json!("viewer")));
    refused("ada-2", "somebody else").await;
    // an account that was made anew at the provider: the operator forgets the old one
    let unlinked = world.cli.json(&["user", "unlink", "ada@example.org"]).await;
    assert_eq!(unlinked["identities"], 1);
    Visitor::default().login(&gate, "ada-2").await.expect(200);
    refused("ada-1", "somebody else").await;
    world
        .cli
        .run(&["user", "unlink", "ada@example.org"])
        .await
        .expect_ok();
    Visitor::default().login(&gate, "ada-1").await.expect(200);
    // the address may change there: the subject is who they are
    provider
        .person(
            "ada-1",
            json!({"email": "x@example.org", "email_verified": false, "groups": []}),
        )
        .await;
    let mut renamed = Visitor::default();
    renamed.login(&gate, "ada-1").await.expect(200);
    assert_eq!(me(&world, &renamed).await["id"], id);
    // who is shut out is out, also with what is open now
    world
        .cli
        .run(&["user", "disable", "ada@example.org"])
        .await
        .expect_ok();
    refused("ada-1", "shut out").await;
    let gone = || async { get(&world, &visitor, "/api/me").await.status == 401 };
    wait::until_true("the sessions are over", wait::secs(5), gone).await;
    let on_record = || async {
        !trail(&world.api(), "action=user.login&outcome=refused")
            .await
            .is_empty()
    };
    wait::until_true("the refusal is on record", wait::secs(10), on_record).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_of_a_provider_is_read() {
    for algorithm in ["PS256", "ES256", "EdDSA"] {
        let gate = format!("http://127.0.0.1:{}", free_port());
        let provider = Provider::signing(&gate, algorithm).await;
        let world = provider.serve(GROUPS).await;
        provider.person("ada-1", ada(&["admins"])).await;
        let mut visitor = Visitor::default();
        visitor.login(&gate, "ada-1").await.expect(200);
        assert_eq!(me(&world, &visitor).await["role"], "admin", "{algorithm}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_keys_are_found_and_a_provider_that_is_away_keeps_nobody_else_out() {
    let (provider, world, gate) = start().await;
    provider.person("ada-1", ada(&["admins"])).await;
    Visitor::default().login(&gate, "ada-1").await.expect(200);
    let mut provider = provider.restart().await;
    provider.person("ada-1", ada(&["admins"])).await;
    let mut visitor = Visitor::default();
    visitor.login(&gate, "ada-1").await.expect(200);
    // Away: a page for people, a problem for programs, and passwords work.
    provider.stop();
    let mut cli = world.cli.clone();
    cli.set("GARRISON_LISTEN", "127.0.0.1:0");
    let fresh = crate::support::garrison::Server::spawn(&cli, &["serve"]).await;
    let problem = fresh.api(None).get("/api/auth/login").await.expect(503);
    assert_eq!(problem.json()["type"], "/problems/upstream", "{}", problem.text());
    assert!(problem.text().contains("password"), "{}", problem.text());
    let page = Visitor::default()
        .open(&format!("{}/api/auth/login", fresh.url()))
        .await
        .expect(503);
    assert!(page.answer.text().contains("<p>"), "{}", page.answer.text());
    let bob = Browser::member(&world, "bob@example.org", "default", "viewer").await;
    let body = json!({"email": "bob@example.org", "password": PASSWORD});
    fresh.api(None).post("/login", &body).await.expect(200);
    // who is in stays in, and their way out there is left out
    let session = get(&world, &visitor, "/api/auth/session")
        .await
        .expect(200)
        .json();
    assert_eq!(session["authenticated"], true);
    let session = bob.get("/api/auth/session").await.expect(200).json();
    assert_eq!(session["logoutUrl"], Value::Null);
    fresh.api(None).get("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_here_and_out_there() {
    let (provider, mut world, gate) = start().await;
    world.cli.set("GARRISON_LISTEN", "127.0.0.1:0");
    let second = world.add_server().await;
    provider.person("ada-1", ada(&["admins"])).await;
    let (mut one, mut two) = (Visitor::default(), Visitor::default());
    one.login(&gate, "ada-1").await.expect(200);
    two.login(&gate, "ada-1").await.expect(200);
    let session = get(&world, &one, "/api/auth/session").await.expect(200).json();
    // by oneself: it needs what belongs to the session
    let cookie = format!("csm_auth={}", one.cookie("csm_auth").expect("a session"));
    let post = |csrf: Option<&str>| {
        let request = Api::new(world.server().url(), None).request("POST", "/api/auth/logout");
        let request = request.header("cookie", &cookie);
        send(match csrf {
            Some(csrf) => request.header("x-csrf-token", csrf),
            None => request,
        })
    };
    post(None).await.expect(403);
    let answer = post(session["csrfToken"].as_str()).await.expect(200);
    assert!(
        answer
            .header("set-cookie")
            .is_some_and(|set| set.contains("Max-Age=0"))
    );
    assert_eq!(answer.json()["logoutUrl"], session["logoutUrl"]);
    get(&world, &one, "/api/me").await.expect(401);
    // there: the provider asks, and tells us of the other's session, on every replica
    let there = |n: usize, visitor: &Visitor| {
        let cookie = format!("csm_auth={}", visitor.cookie("csm_auth").expect("a session"));
        let request = Api::new(world.servers[n].url(), None).request("GET", "/api/me");
        send(request.header("cookie", cookie))
    };
    there(second, &two).await.expect(200);
    let session = get(&world, &two, "/api/auth/session").await.expect(200).json();
    let back = two
        .log_out_there(session["logoutUrl"].as_str().expect("a way out"))
        .await;
    assert_eq!(back.url.as_str(), format!("{gate}/"), "sent back here");
    for n in [0, second] {
        let gone = || async { there(n, &two).await.status == 401 };
        wait::until_true("the session is over on every replica", wait::secs(5), gone).await;
    }
    // nobody is kept out for ever
    two.login(&gate, "ada-1").await.expect(200);
    let mut again = Visitor::default();
    again.login(&gate, "ada-1").await.expect(200);
    there(0, &again).await.expect(200);
}
