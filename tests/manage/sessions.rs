//! Sessions: the cookie, what belongs to it, its beginning and its end.
use crate::support::browser::{Browser, PASSWORD};
use crate::support::garrison::text;
use crate::support::http::{Api, send};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_gives_a_cookie_that_scripts_do_not_see() {
    let world = World::start().await;
    let ada = Browser::member(&world, "ada@example.org", "default", "admin").await;
    assert_eq!(
        (&ada.answer["tenant"], &ada.answer["user"]),
        (&json!("default"), &json!("ada@example.org"))
    );
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(ada.set_cookie.contains(flag), "{flag}: {}", ada.set_cookie);
    }
    assert!(
        !ada.set_cookie.contains("Secure"),
        "this machine, and no TLS: {}",
        ada.set_cookie
    );
    let nobody = Api::new(world.server().url(), None);
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    for (name, value) in [
        ("host", "garrison.example"),
        ("x-forwarded-proto", "https"),
        ("via", "1.1 proxy"),
    ] {
        let through = nobody.request("POST", "/login").header(name, value).json(&body);
        let set = send(through)
            .await
            .expect(200)
            .header("set-cookie")
            .expect("a cookie");
        assert!(set.contains("; Secure"), "{name}: {set}");
    }
    // a form is answered as a form
    let form = |text: &str| {
        let request = nobody.request("POST", "/login");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        send(request.body(text.to_owned()))
    };
    let right = form("email=ada%40example.org&password=correct+horse+battery")
        .await
        .expect(303);
    assert_eq!(right.header("location").as_deref(), Some("/"));
    Browser::of(world.server(), &right)
        .get("/api/alerts")
        .await
        .expect(200);
    let wrong = form("email=ada%40example.org&password=wrong").await.expect(401);
    assert!(
        wrong.header("set-cookie").is_none() && wrong.text().contains("<form"),
        "{}",
        wrong.text()
    );
    let text_plain = nobody
        .request("POST", "/login")
        .header("content-type", "text/plain");
    send(text_plain.body(body.to_string())).await.expect(415);
    for wrong in [
        json!({}),
        json!({"email": "a@b.org"}),
        json!({"email": "a@b.org", "password": "x".repeat(1025)}),
    ] {
        nobody.post("/login", &wrong).await.expect(400);
    }
    // whoever may do much in one tenant may say in which they act
    let me = ada.get("/api/me").await.expect(200).json();
    assert_eq!(
        (&me["kind"], &me["csrfToken"]),
        (&json!("user"), &ada.answer["csrfToken"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_two_lines_work() {
    let world = World::start().await;
    let nobody = Api::new(world.server().url(), None);
    world.api().get("/api/alerts").await.expect(200);
    let cookie = format!("csm_auth={}", world.admin_token());
    let get = nobody.request("GET", "/api/alerts").header("cookie", &cookie);
    send(get).await.expect(200);
    let post = |csrf: Option<String>| {
        let request = nobody
            .request("POST", "/api/allowlists")
            .header("cookie", &cookie);
        let request = request.json(&json!({"name": "office"}));
        send(match csrf {
            Some(csrf) => request.header("x-csrf-token", csrf),
            None => request,
        })
    };
    post(None).await.expect(403);
    let me = send(nobody.request("GET", "/api/me").header("cookie", &cookie))
        .await
        .expect(200)
        .json();
    post(Some(text(&me, "csrfToken"))).await.expect(201);
    // a login with the token gives a session, which ends with the token
    let made = world.cli.json(&["token", "add", "--scope", "admin"]).await;
    let answer = nobody
        .post("/login", &json!({"token": text(&made, "token")}))
        .await
        .expect(200);
    let browser = Browser::of(world.server(), &answer);
    assert!(!browser.cookie.contains("grn_"));
    browser.get("/api/alerts").await.expect(200);
    browser
        .post("/api/allowlists", &json!({"name": "home"}))
        .await
        .expect(201);
    nobody
        .post("/login", &json!({"token": "grn_nobodys"}))
        .await
        .expect(401);
    world
        .cli
        .run(&["token", "revoke", &text(&made, "id")])
        .await
        .expect_ok();
    let gone = || async { browser.get("/api/alerts").await.status == 401 };
    wait::until_true("the session ends with its token", wait::secs(5), gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_something_shows_what_belongs_to_the_session() {
    let world = World::start().await;
    let ada = Browser::member(&world, "ada@example.org", "default", "admin").await;
    let bob = Browser::member(&world, "bob@example.org", "default", "admin").await;
    let mut n = 0;
    let mut tries = |name: &'static str, value: Option<String>, status: u16| {
        n += 1;
        let mut browser = ada.clone();
        browser.csrf = None;
        let mut request = browser
            .request("POST", "/api/allowlists")
            .json(&json!({"name": format!("list-{n}")}));
        if let Some(value) = value.clone() {
            request = request.header(name, value);
        }
        async move {
            let answer = send(request).await;
            assert_eq!(answer.status, status, "{name}: {value:?}: {}", answer.text());
        }
    };
    let own = ada.csrf.clone();
    tries("x-csrf-token", None, 403).await;
    tries("x-csrf-token", Some(String::new()), 403).await;
    tries("x-csrf-token", bob.csrf.clone(), 403).await;
    tries("x-csrf-token", Some("0".repeat(32)), 403).await;
    tries("x-csrf-token", own.clone(), 201).await;
    tries("x-xsrf-token", own.clone(), 403).await;
    let with = |name: &'static str, value: &str| {
        let request = ada.request("POST", "/api/allowlists").header(name, value);
        send(request.json(&json!({"name": format!("with-{}", value.len())})))
    };
    let here = world.server().url();
    with("origin", here.trim_end_matches('/')).await.expect(201);
    with("sec-fetch-site", "same-origin").await.expect(201);
    for (name, foreign) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        with(name, foreign).await.expect(403);
        // nor is anybody logged in by another site
        let body = json!({"email": "ada@example.org", "password": PASSWORD});
        let login = ada
            .http
            .request("POST", "/login")
            .header(name, foreign)
            .json(&body);
        send(login).await.expect(403);
    }
    let query = format!("/api/allowlists?csrf_token={}", own.clone().expect("a token"));
    let mut bare = ada.clone();
    bare.csrf = None;
    bare.post(&query, &json!({"name": "q"})).await.expect(403);
    // a program's own credential counts alone, and needs nothing beside it
    let both = bare
        .request("POST", "/api/allowlists")
        .json(&json!({"name": "both"}));
    send(both.header("authorization", format!("Bearer {}", world.admin_token())))
        .await
        .expect(201);
    let reader = world.cli.json(&["token", "add", "--scope", "read"]).await;
    let both = ada
        .request("POST", "/api/allowlists")
        .json(&json!({"name": "weak"}));
    send(both.header("x-api-key", text(&reader, "token")))
        .await
        .expect(403);
    let wrong = ada
        .request("GET", "/api/alerts")
        .header("authorization", "Bearer x");
    send(wrong).await.expect(401);
    // two cookies, of which one may be another site's
    let two = ada.http.request("GET", "/api/alerts");
    send(two.header(
        "cookie",
        format!("csm_auth={}; csm_auth={}", ada.cookie, bob.cookie),
    ))
    .await
    .expect(401);
    // a form's field counts as the header does
    let form = bare
        .request("POST", "/logout")
        .header("content-type", "application/x-www-form-urlencoded");
    send(form.try_clone().expect("a copy").body("csrf_token=1"))
        .await
        .expect(403);
    send(form.body(format!("csrf_token={}", own.expect("a token"))))
        .await
        .expect(204);
    // GET changes nothing, and needs nothing
    bob.get("/logout").await.expect(405);
    bob.get("/api/alerts").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_new_at_each_login_and_ends_everywhere() {
    let world = World::with(2, &[]).await;
    let first = Browser::member(&world, "ada@example.org", "default", "admin").await;
    let there = first.at(&world.servers[1]);
    there.get("/api/alerts").await.expect(200);
    // what was there before is not taken over, and does not live on
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    let again = send(first.request("POST", "/login").json(&body))
        .await
        .expect(200);
    let second = Browser::of(world.server(), &again);
    assert!(second.cookie != first.cookie && second.csrf != first.csrf);
    first.get("/api/alerts").await.expect(401);
    let gone = || async { there.get("/api/alerts").await.status == 401 };
    wait::until_true("the old one ends on the other replica", wait::secs(5), gone).await;
    let planted = Browser {
        cookie: "planted".to_owned(),
        ..second.clone()
    };
    let answer = send(planted.request("POST", "/login").json(&body))
        .await
        .expect(200);
    assert_ne!(Browser::of(world.server(), &answer).cookie, "planted");
    // logging out
    let there = second.at(&world.servers[1]);
    there.get("/api/alerts").await.expect(200);
    let out = second.post("/logout", &json!({})).await.expect(204);
    assert!(
        out.header("set-cookie")
            .expect("taken away")
            .contains("Max-Age=0")
    );
    let refused = second.get("/api/alerts").await.expect(401);
    assert!(
        refused
            .header("set-cookie")
            .expect("taken away")
            .contains("Max-Age=0")
    );
    let gone = || async { there.get("/api/alerts").await.status == 401 };
    wait::until_true("replayed at the other replica", wait::secs(5), gone).await;
    // a role counts within seconds, and who is shut out is out
    let third = Browser::login(world.server(), "ada@example.org").await;
    let there = third.at(&world.servers[1]);
    let boss = Browser::member(&world, "boss@example.org", "default", "admin").await;
    there.get("/api/tokens").await.expect(200);
    world
        .cli
        .run(&["user", "role", "ada@example.org", "--tenant", "default", "viewer"])
        .await
        .expect_ok();
    let less = || async { there.get("/api/tokens").await.status == 403 };
    wait::until_true("the new role", wait::secs(5), less).await;
    there.get("/api/alerts").await.expect(200);
    world
        .cli
        .run(&["user", "disable", "ada@example.org"])
        .await
        .expect_ok();
    for browser in [&third, &there] {
        let out = || async { browser.get("/api/alerts").await.status == 401 };
        wait::until_true("shut out", wait::secs(5), out).await;
    }
    // a new key: sessions live on, unless they are to end
    world.cli.run(&["session", "rotate-key"]).await.expect_ok();
    world.settle().await;
    boss.get("/api/alerts").await.expect(200);
    let later = Browser::login(world.server(), "boss@example.org").await;
    later.at(&world.servers[1]).get("/api/alerts").await.expect(200);
    world
        .cli
        .run(&["session", "rotate-key", "--end-all"])
        .await
        .expect_ok();
    for browser in [&boss, &later, &boss.at(&world.servers[1])] {
        let out = || async { browser.get("/api/alerts").await.status == 401 };
        wait::until_true("all ended", wait::secs(5), out).await;
    }
    Browser::login(&world.servers[1], "boss@example.org")
        .await
        .at(world.server())
        .get("/api/alerts")
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_of_several_tenants_says_where() {
    let world = World::start().await;
    world.tenant("acme").await;
    let ada = Browser::member(&world, "ada@example.org", "default", "viewer").await;
    world
        .cli
        .run(&[
            "user",
            "add",
            "ada@example.org",
            "--tenant",
            "acme",
            "--role",
            "admin",
        ])
        .await
        .expect_ok();
    let both = || async { ada.get("/api/alerts").await.status == 403 };
    wait::until_true("one of two has to be named", wait::secs(5), both).await;
    let me = ada.get("/api/me").await.expect(200).json();
    assert_eq!(
        (&me["tenant"], me["tenants"].as_array().map(Vec::len)),
        (&Value::Null, Some(2))
    );
    let named = |name: &'static str, path: &'static str| {
        send(ada.request("GET", path).header("x-garrison-tenant", name))
    };
    named("acme", "/api/tokens").await.expect(200);
    named("default", "/api/tokens").await.expect(403);
    named("default", "/api/alerts").await.expect(200);
    named("nobody", "/api/alerts").await.expect(404);
    let nobody = Api::new(world.server().url(), None);
    let body = |tenant: &str| json!({"email": "ada@example.org", "password": PASSWORD, "tenant": tenant});
    let answer = nobody.post("/login", &body("acme")).await.expect(200);
    let chosen = Browser::of(world.server(), &answer);
    assert_eq!(chosen.answer["tenant"], "acme");
    chosen.get("/api/tokens").await.expect(200);
    nobody.post("/login", &body("nobody")).await.expect(400);
}
