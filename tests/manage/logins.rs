//! Logins that are wrong, too many, or of nobody; codes of an authenticator; new passwords.
use crate::support::browser::{Browser, PASSWORD};
use crate::support::http::{Answer, Api};
use crate::support::wait;
use crate::support::world::World;
use garrison::kernel::totp::{code_of, step_of};
use serde_json::{Value, json};

async fn login(api: &Api, email: &str, password: &str) -> Answer {
    api.post("/login", &json!({"email": email, "password": password}))
        .await
}

/// Time goes on for what is counted.
async fn later(world: &World, seconds: i32) {
    let sql = "UPDATE login_throttle SET at = at - make_interval(secs => $1)";
    world
        .db
        .client()
        .await
        .execute(sql, &[&f64::from(seconds)])
        .await
        .expect("later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_wrong_passwords_have_to_wait_on_every_replica_and_nobody_is_locked_out() {
    let world = World::with(2, &[]).await;
    let ada = Browser::member(&world, "ada@example.org", "default", "viewer").await;
    let apis: Vec<Api> = world
        .servers
        .iter()
        .map(|server| Api::new(server.url(), None))
        .collect();
    for n in 0..10 {
        assert_eq!(
            login(&apis[n % 2], "ada@example.org", "wrong wrong wrong")
                .await
                .status,
            401,
            "{n}"
        );
    }
    for api in &apis {
        let refused = login(api, "ada@example.org", PASSWORD).await.expect(429);
        assert_eq!(refused.header("retry-after").as_deref(), Some("90"));
    }
    // others go on, and so does who is in
    ada.get("/api/alerts").await.expect(200);
    assert_eq!(login(&apis[0], "bob@example.org", PASSWORD).await.status, 401);
    later(&world, 91).await;
    login(&apis[1], "ada@example.org", PASSWORD).await.expect(200);
    // what is known to be theirs is not kept out by what others try from elsewhere: the account's bucket is full
    let full = "UPDATE login_throttle SET level = 10, at = now() WHERE level < 10 AND good_at IS NULL";
    world.db.client().await.execute(full, &[]).await.expect("full");
    login(&apis[0], "ada@example.org", PASSWORD).await.expect(200);
    // many accounts from one network
    later(&world, 100_000).await;
    let mut refused = 0;
    for n in 0..75 {
        let answer = login(
            &apis[n % 2],
            &format!("nobody{n}@example.org"),
            "wrong wrong wrong",
        )
        .await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 0, "a network that tries one account after the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_an_account_is_told_neither_by_words_nor_by_time() {
    let world = World::start().await;
    Browser::member(&world, "ada@example.org", "default", "viewer").await;
    Browser::member(&world, "out@example.org", "default", "viewer").await;
    world
        .cli
        .run(&["user", "disable", "out@example.org"])
        .await
        .expect_ok();
    world
        .cli
        .run(&["user", "add", "new@example.org", "--tenant", "default"])
        .await
        .expect_ok();
    let api = Api::new(world.server().url(), None);
    let known = login(&api, "ada@example.org", "wrong wrong wrong")
        .await
        .expect(401);
    let strip = |answer: &Answer| {
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        (answer.body.clone(), names)
    };
    for (email, password) in [
        ("nobody@example.org", "wrong wrong wrong"),
        ("out@example.org", PASSWORD),
        ("out@example.org", "wrong wrong wrong"),
        ("new@example.org", "wrong wrong wrong"),
        ("no address", "wrong wrong wrong"),
    ] {
        let answer = login(&api, email, password).await.expect(401);
        assert_eq!(strip(&answer), strip(&known), "{email}");
    }
    // In random order, so that whatever else this machine does weighs on both; the quickest quarter tells the work, the
    // rest tells of the neighbours. The more there are the less is left to luck.
    let client = world.db.client().await;
    let (mut yes, mut no, mut ratio) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..5 {
        for _ in 0..60 {
            let sql = "UPDATE login_throttle SET at = at - interval '1 day'";
            client.execute(sql, &[]).await.expect("later");
            let known_first: bool = rand::random();
            for is_known in [known_first, !known_first] {
                let email = if is_known {
                    "ada@example.org"
                } else {
                    "nobody@example.org"
                };
                let answer = login(&api, email, "wrong wrong wrong").await.expect(401);
                let times = if is_known { &mut yes } else { &mut no };
                times.push(answer.took.as_secs_f64());
            }
        }
        let typical = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 4]
        };
        ratio = typical(&mut yes) / typical(&mut no);
        if (ratio - 1.0f64).abs() <= 0.05 {
            return;
        }
    }
    panic!("known to unknown: {ratio}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_are_asked_for_and_good_once_on_every_replica() {
    let world = World::with(2, &[]).await;
    let ada = Browser::member(&world, "ada@example.org", "default", "viewer").await;
    let other = Browser::login(world.server(), "ada@example.org").await;
    ada.post("/api/me/totp", &json!({"password": "wrong wrong wrong"}))
        .await
        .expect(403);
    ada.post("/api/me/totp/confirm", &json!({"code": "123456"}))
        .await
        .expect(409);
    let made = ada
        .post("/api/me/totp", &json!({"password": PASSWORD}))
        .await
        .expect(201)
        .json();
    let secret = unbase32(made["secret"].as_str().expect("a secret"));
    assert!(
        made["url"]
            .as_str()
            .expect("a URL")
            .starts_with("otpauth://totp/Garrison:ada@example.org?secret=")
    );
    let step = || step_of(now());
    ada.post(
        "/api/me/totp/confirm",
        &json!({"code": code_of(&secret, step() - 5)}),
    )
    .await
    .expect(400);
    // not asked for before it was confirmed
    Browser::login(world.server(), "ada@example.org").await;
    let first = step();
    ada.post("/api/me/totp/confirm", &json!({"code": code_of(&secret, first)}))
        .await
        .expect(204);
    let ended = || async { other.get("/api/me").await.status == 401 };
    wait::until_true("other sessions end", wait::secs(5), ended).await;
    ada.get("/api/me").await.expect(200);
    let apis: Vec<Api> = world
        .servers
        .iter()
        .map(|server| Api::new(server.url(), None))
        .collect();
    let body = |code: Option<String>| json!({"email": "ada@example.org", "password": PASSWORD, "totp": code});
    let missing = apis[0].post("/login", &body(None)).await.expect(401).json();
    assert_eq!(missing["type"], "/problems/code-needed");
    let wrong = json!({"email": "ada@example.org", "password": "wrong wrong wrong"});
    let told: Value = apis[0].post("/login", &wrong).await.expect(401).json();
    assert_eq!(
        told["type"], "/problems/unauthorized",
        "who has not the password is not told of codes"
    );
    apis[0]
        .post("/login", &body(Some(code_of(&secret, first))))
        .await
        .expect(401);
    let next = body(Some(code_of(&secret, first + 1)));
    let both = futures_util::future::join_all(apis.iter().map(|api| api.post("/login", &next))).await;
    let mut statuses: Vec<u16> = both.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "one code, two replicas");
    apis[1]
        .post("/login", &body(Some("000000 ".repeat(100))))
        .await
        .expect(401);
    let sealed: Vec<u8> = {
        let sql = "SELECT totp FROM person WHERE email = 'ada@example.org'";
        world
            .db
            .client()
            .await
            .query_one(sql, &[])
            .await
            .expect("a row")
            .get(0)
    };
    assert!(!sealed.windows(secret.len()).any(|part| part == secret), "sealed");
    ada.post("/api/me/totp/disable", &json!({"password": PASSWORD}))
        .await
        .expect(204);
    Browser::login(world.server(), "ada@example.org").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_the_other_sessions() {
    let world = World::start().await;
    let ada = Browser::member(&world, "ada@example.org", "default", "viewer").await;
    let other = Browser::login(world.server(), "ada@example.org").await;
    let body = |current: &str, new: &str| json!({"current": current, "new": new});
    ada.post("/api/me/password", &body("wrong wrong wrong", "a wholly new one"))
        .await
        .expect(403);
    ada.post("/api/me/password", &body(PASSWORD, "short"))
        .await
        .expect(400);
    ada.post("/api/me/password", &body(PASSWORD, "a wholly new one"))
        .await
        .expect(204);
    let ended = || async { other.get("/api/me").await.status == 401 };
    wait::until_true("the other session ends", wait::secs(5), ended).await;
    ada.get("/api/me").await.expect(200);
    let api = Api::new(world.server().url(), None);
    login(&api, "ada@example.org", PASSWORD).await.expect(401);
    login(&api, "ada@example.org", "a wholly new one")
        .await
        .expect(200);
    // a token has no password
    world
        .api()
        .post("/api/me/password", &body(PASSWORD, "a wholly new one"))
        .await
        .expect(403);
    world
        .cli
        .run(&["user", "reset-password", "ada@example.org"])
        .await
        .expect_ok();
    login(&api, "ada@example.org", "a wholly new one")
        .await
        .expect(401);
    let ended = || async { ada.get("/api/me").await.status == 401 };
    wait::until_true("every session ends with a reset", wait::secs(5), ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_is_turned_away_quickly() {
    let world = World::start().await;
    let api = Api::new(world.server().url(), None);
    let flood = (0..60).map(|n| {
        let api = api.clone();
        async move { login(&api, &format!("n{n}@example.org"), "wrong wrong wrong").await }
    });
    let flood = futures_util::future::join_all(flood);
    let probe = async {
        let mut slowest = 0.0f64;
        for _ in 0..20 {
            let answer = world.api().get("/api/alerts?limit=1").await.expect(200);
            slowest = slowest.max(answer.took.as_secs_f64());
        }
        slowest
    };
    let (answers, slowest) = tokio::join!(flood, probe);
    let busy = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)));
    assert!(busy > 20, "only {busy} of 60 were turned away");
    assert!(
        answers
            .iter()
            .filter(|a| a.status == 429)
            .all(|a| a.header("retry-after").is_some())
    );
    assert!(slowest < 5.0, "others waited for {slowest} s");
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn unbase32(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut out, mut word, mut bits) = (Vec::new(), 0u32, 0);
    for byte in text.bytes() {
        let value = LETTERS.iter().position(|b| *b == byte).expect("base 32");
        word = (word << 5) | u32::try_from(value).expect("small");
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((word >> bits) & 255).expect("a byte"));
        }
    }
    out
}
