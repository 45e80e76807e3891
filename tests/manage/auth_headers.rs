//! Persons whom a reverse proxy names: by who holds the connection, and by nothing that a header says.
use super::audit::trail;
use crate::support::browser::{Browser, PASSWORD};
use crate::support::garrison::text;
use crate::support::http::{Answer, Api, send};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

const GROUPS: (&str, &str) = (
    "GARRISON_OIDC_GROUPS",
    "acme-ops=acme:operator, acme-view=acme:viewer, admins=default:admin",
);
const HERE: (&str, &str) = ("GARRISON_AUTH_HEADERS_PROXIES", "127.0.0.1, ::1");

/// What the proxy sends.
async fn asks(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let mut request = Api::new(world.server().url(), None).request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

const ADA: [(&str, &str); 3] = [
    ("auth-sub", "ada"),
    ("auth-email", "Ada@Example.org"),
    ("auth-groups", "people; acme-ops"),
];

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    asks(world, "GET", path, headers, None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_proxy_of_ours_names_is_in() {
    let world = World::with(1, &[GROUPS, HERE]).await;
    let acme = world.tenant("acme").await;
    let me = get(&world, "/api/me", &ADA).await.expect(200).json();
    assert_eq!(
        (&me["kind"], &me["name"]),
        (&json!("user"), &json!("ada@example.org"))
    );
    assert_eq!((&me["tenant"], &me["role"]), (&json!("acme"), &json!("operator")));
    let session = get(&world, "/api/auth/session", &ADA).await.expect(200).json();
    assert_eq!(
        (&session["authenticated"], &session["csrfToken"]),
        (&json!(true), &me["csrfToken"])
    );
    assert_eq!(
        (&session["expiresAt"], &session["logoutUrl"]),
        (&Value::Null, &Value::Null)
    );
    // what they do is theirs
    let csrf = text(&me, "csrfToken");
    let with = |more: &[(&'static str, &str)]| {
        let all: Vec<(&str, &str)> = ADA.iter().copied().chain(more.iter().copied()).collect();
        all.into_iter()
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect::<Vec<_>>()
    };
    let post = async |name: &str, more: &[(&'static str, &str)]| {
        let all = with(more);
        let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        asks(
            &world,
            "POST",
            "/api/allowlists",
            &all,
            Some(json!({"name": name})),
        )
        .await
    };
    post("office", &[("x-csrf-token", &csrf)]).await.expect(201);
    let api = world.api_of(&acme);
    let made = &trail(&api, "action=allowlist.create").await[0];
    assert_eq!(
        (&made["actor"]["type"], &made["actor"]["name"]),
        (&json!("user"), &json!("ada@example.org"))
    );
    assert_eq!(
        trail(&api, "action=user.join").await[0]["details"],
        json!({"by": "groups", "role": "operator"})
    );
    // a browser behind the proxy sends whatever another site tells it to: it lacks the text, or says where it is from
    post("a", &[]).await.expect(403);
    post("b", &[("x-csrf-token", "0123456789abcdef0123456789abcdef")])
        .await
        .expect(403);
    for (name, foreign) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        post("c", &[("x-csrf-token", &csrf), (name, foreign)])
            .await
            .expect(403);
    }
    let form = Api::new(world.server().url(), None).request("POST", "/api/allowlists");
    let form = ADA
        .iter()
        .fold(form, |form, (name, value)| form.header(*name, *value));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    send(form.body("name=d")).await.expect(403);
    let eve = [
        ("auth-sub", "eve"),
        ("auth-email", "eve@example.org"),
        ("auth-groups", "acme-ops"),
        ("x-csrf-token", &*csrf),
    ];
    asks(
        &world,
        "POST",
        "/api/allowlists",
        &eve,
        Some(json!({"name": "e"})),
    )
    .await
    .expect(403);
    let lists = api.get("/api/allowlists").await.expect(200).json();
    assert_eq!(lists.as_array().map(Vec::len), Some(1), "{lists}");
    // their roles are the groups'; without groups there is nothing
    let viewer = [ADA[0], ADA[1], ("auth-groups", "acme-view")];
    assert_eq!(
        get(&world, "/api/me", &viewer).await.expect(200).json()["role"],
        "viewer"
    );
    let refused = get(&world, "/api/me", &ADA[..2]).await.expect(403);
    assert!(
        refused.text().contains("none of your groups"),
        "{}",
        refused.text()
    );
    get(&world, "/api/auth/session", &ADA[..2]).await.expect(403);
    // a program through the same proxy shows its own, which counts alone
    let token = format!("Bearer {}", world.admin_token());
    let both = [ADA[0], ADA[1], ADA[2], ("authorization", &*token)];
    assert_eq!(
        get(&world, "/api/me", &both).await.expect(200).json()["kind"],
        "token"
    );
    // whom the proxy names counts, and not who logged in before
    let bob = Browser::member(&world, "bob@example.org", "default", "admin").await;
    let cookie = format!("csm_auth={}", bob.cookie);
    let over = [ADA[0], ADA[1], ADA[2], ("cookie", &*cookie)];
    assert_eq!(
        get(&world, "/api/me", &over).await.expect(200).json()["name"],
        "ada@example.org"
    );
    assert_eq!(
        get(&world, "/api/me", &over[3..]).await.expect(200).json()["name"],
        "bob@example.org"
    );
    get(&world, "/api/me", &[]).await.expect(401);
    get(&world, "/api/me", &ADA[1..]).await.expect(401);
    // shut out is out
    world
        .cli
        .run(&["user", "disable", "ada@example.org"])
        .await
        .expect_ok();
    let out = || async { get(&world, "/api/me", &ADA).await.status == 403 };
    wait::until_true("they are out", wait::secs(5), out).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_proxy_of_ours_sends_is_refused() {
    let world = World::with(1, &[GROUPS, HERE]).await;
    world.tenant("acme").await;
    let long = "a".repeat(1025);
    for headers in [
        &[ADA[0], ("auth-sub", "eve")][..],
        &[("auth-sub", &long)],
        &[("auth-sub", "ada\teve")],
        &[ADA[0], ADA[1], ("auth-email", "eve@example.org")],
        &[ADA[0], ("auth-groups", "a"), ("auth-groups", "b")],
        &[ADA[0], ("auth-groups", &long)],
    ] {
        get(&world, "/api/me", headers).await.expect(400);
    }
    // an address that is somebody's who is named otherwise
    get(&world, "/api/me", &ADA).await.expect(200);
    let taken = [("auth-sub", "ada-2"), ADA[1], ADA[2]];
    let refused = get(&world, "/api/me", &taken).await.expect(403);
    assert!(refused.text().contains("somebody else"), "{}", refused.text());
    let nobody = [("auth-sub", "no-address"), ADA[2]];
    get(&world, "/api/me", &nobody).await.expect(403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_anybody_else_the_headers_are_not_there() {
    // The proxy that says where requests come from is believed in that, and in nothing else.
    let elsewhere = ("GARRISON_AUTH_HEADERS_PROXIES", "10.0.0.0/8");
    let world = World::with(1, &[GROUPS, elsewhere, ("GARRISON_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let acme = world.tenant("acme").await;
    let spoofs: [&[(&str, &str)]; 6] = [
        &[],
        &[("x-forwarded-for", "10.0.0.1")],
        &[("x-forwarded-for", "10.0.0.1, 127.0.0.1")],
        &[("forwarded", "for=10.0.0.1")],
        &[("x-real-ip", "10.0.0.1")],
        &[("auth-sub", "eve"), ("x-forwarded-for", "10.0.0.1")],
    ];
    for more in spoofs {
        let all: Vec<(&str, &str)> = ADA.iter().chain(more).copied().collect();
        get(&world, "/api/me", &all).await.expect(401);
        get(&world, "/api/alerts", &all).await.expect(401);
        asks(
            &world,
            "POST",
            "/api/allowlists",
            &all,
            Some(json!({"name": "x"})),
        )
        .await
        .expect(401);
        let session = get(&world, "/api/auth/session", &all).await.expect(200).json();
        assert_eq!(session["authenticated"], false, "{more:?}");
    }
    // who shows something good is who that is, whatever else they say
    let bob = Browser::member(&world, "bob@example.org", "default", "viewer").await;
    let cookie = format!("csm_auth={}", bob.cookie);
    let both = [ADA[0], ADA[1], ADA[2], ("cookie", &*cookie)];
    assert_eq!(
        get(&world, "/api/me", &both).await.expect(200).json()["name"],
        "bob@example.org"
    );
    let nobody = Api::new(world.server().url(), None);
    let body = json!({"email": "bob@example.org", "password": PASSWORD});
    nobody.post("/login", &body).await.expect(200);
    let users = world.api_of(&acme).get("/api/users").await.expect(200).json();
    assert_eq!(users, json!([]), "nobody was made");
    assert!(trail(&world.api_of(&acme), "action=user.join").await.is_empty());
    // off is off
    let world = World::with(1, &[GROUPS]).await;
    get(&world, "/api/me", &ADA).await.expect(401);
}
