//! The commands: JSON for programs, words for people, exit codes for scripts.
use crate::support::Scratch;
use crate::support::garrison::{Cli, Server, text};
use crate::support::http::Api;
use crate::support::machine::{Machine, signal};
use crate::support::postgres::Database;
use crate::support::wait;
use crate::support::world::{World, rule_list};
use serde_json::{Value, json};

/// That field of each entry of a list, whatever its envelope.
fn names(list: &Value, field: &str) -> Vec<String> {
    rule_list(list).iter().map(|x| text(x, field)).collect()
}

async fn bare() -> (Database, Scratch, Cli) {
    let db = Database::migrated().await;
    let dir = Scratch::new("cli");
    let cli = Cli::new(&db.url, &dir.0);
    (db, dir, cli)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_added_listed_and_removed() {
    let (_db, _dir, cli) = bare().await;
    let made = cli.json(&["tenant", "add", "acme"]).await;
    assert_eq!(made["name"], "acme");
    assert!(
        !text(&made, "id").is_empty() && text(&made, "enrollment_key").len() >= 16,
        "{made}"
    );
    assert_eq!(
        made.as_object().expect("object").len(),
        3,
        "id, name, enrollment_key: {made}"
    );
    let other = cli.json(&["tenant", "add", "umbrella"]).await;
    assert_ne!(text(&made, "enrollment_key"), text(&other, "enrollment_key"));
    let listed = names(&cli.json(&["tenant", "list"]).await, "name");
    assert!(
        listed.contains(&"acme".into()) && listed.contains(&"umbrella".into()),
        "{listed:?}"
    );
    cli.run(&["tenant", "add", "acme"]).await.expect_refused();
    for bad in ["", " ", "a\nb", &"n".repeat(300)] {
        cli.run(&["tenant", "add", bad]).await.expect_refused();
    }
    let human = cli.run(&["tenant", "list"]).await.expect_ok().stdout;
    assert!(
        human.contains("acme") && serde_json::from_str::<Value>(&human).is_err(),
        "words for people: {human}"
    );
    let gone = cli.run(&["tenant", "remove", "acme"]).await;
    let gone = if gone.code == Some(0) {
        gone
    } else {
        cli.run(&["tenant", "remove", "acme", "--yes"]).await
    };
    gone.expect_ok();
    assert!(!names(&cli.json(&["tenant", "list"]).await, "name").contains(&"acme".into()));
    assert!(
        cli.run(&["tenant", "remove", "acme"])
            .await
            .expect_refused()
            .stderr
            .contains("acme")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_tenant_is_refused_and_named() {
    let (_db, dir, cli) = bare().await;
    let path = dir.0.display().to_string();
    let commands: [&[&str]; 7] = [
        &["machine", "add", "--tenant", "nobody"],
        &["machine", "list", "--tenant", "nobody"],
        &["token", "add", "--tenant", "nobody", "--scope", "read"],
        &["token", "list", "--tenant", "nobody"],
        &["filter", "import", &path, "--tenant", "nobody"],
        &["filter", "list", "--tenant", "nobody"],
        &["tenant", "remove", "nobody"],
    ];
    for args in commands {
        let out = cli.run(args).await.expect_refused();
        assert!(out.stderr.contains("nobody"), "{args:?}: {}", out.stderr);
        assert!(out.stdout.trim().is_empty(), "{args:?} printed {}", out.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_usage_is_refused_with_words() {
    let (_db, _dir, cli) = bare().await;
    let commands: [&[&str]; 9] = [
        &["nonsense"],
        &["tenant"],
        &["tenant", "add"],
        &["machine", "remove"],
        &["token", "revoke"],
        &["token", "add", "--tenant", "default", "--scope", "god"],
        &["token", "revoke", "no-such-id"],
        &["filter", "import", "/nonexistent", "--tenant", "default"],
        &["serve", "--no-such-flag"],
    ];
    for args in commands {
        cli.run(args).await.expect_refused();
    }
    for args in [["--help"], ["--version"]] {
        assert!(!cli.run(&args).await.expect_ok().stdout.is_empty());
    }
    let mut lost = cli.clone();
    lost.set(
        "GARRISON_DATABASE_URL",
        "postgres://nobody:secret-word@127.0.0.1:1/none",
    );
    let out = lost.run(&["tenant", "list"]).await.expect_refused();
    assert!(
        !out.stderr.contains("secret-word"),
        "the password is printed: {}",
        out.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_and_tokens_work_on_a_running_services_database() {
    let world = World::start().await;
    let cli = &world.cli;
    let tenant = world.tenant("acme").await;
    let made = cli
        .json(&["machine", "add", "--tenant", "acme", "--login", "web1machine"])
        .await;
    assert_eq!(made["login"], "web1machine");
    assert!(text(&made, "password").len() >= 16, "{made}");
    assert!(
        text(&made, "url").starts_with("http") && text(&made, "url").ends_with('/'),
        "engines need the slash: {made}"
    );
    let random = cli.json(&["machine", "add", "--tenant", "acme"]).await;
    let login = text(&random, "login");
    assert!(
        login.len() == 48 && login.bytes().all(|b| b.is_ascii_alphanumeric()),
        "as cscli makes them: {login}"
    );
    cli.run(&["machine", "add", "--tenant", "acme", "--login", "web1machine"])
        .await
        .expect_refused();
    let yaml = cli
        .run(&["machine", "add", "--tenant", "acme", "--login", "web2machine"])
        .await
        .expect_ok()
        .stdout;
    for key in ["url:", "login: web2machine", "password:"] {
        assert!(yaml.contains(key), "no online_api_credentials.yaml: {yaml}");
    }
    let listed = names(&cli.json(&["machine", "list", "--tenant", "acme"]).await, "login");
    assert_eq!(listed.len(), 3, "{listed:?}");

    let mut machine = Machine::new("web1machine", &text(&made, "password"));
    machine.login(world.server()).await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    world.wait_alerts(&world.api_of(&tenant), "", 1, 5).await;
    assert!(world.alerts(&world.api(), "").await.is_empty());

    let reader = cli
        .json(&["token", "add", "--tenant", "acme", "--scope", "read"])
        .await;
    assert_eq!(
        reader.as_object().expect("object").len(),
        2,
        "id, token: {reader}"
    );
    let (id, token) = (text(&reader, "id"), text(&reader, "token"));
    let list = cli.json(&["token", "list", "--tenant", "acme"]).await;
    assert!(names(&list, "id").contains(&id), "{list}");
    assert!(!list.to_string().contains(&token), "the token is shown once");
    world
        .server()
        .api(Some(&token))
        .get("/api/alerts")
        .await
        .expect(200);

    cli.run(&["machine", "remove", "--tenant", "acme", "web1machine"])
        .await
        .expect_ok();
    assert!(
        !names(&cli.json(&["machine", "list", "--tenant", "acme"]).await, "login")
            .contains(&"web1machine".into())
    );
    cli.run(&["token", "revoke", &id]).await.expect_ok();
    let reader = world.server().api(Some(&token));
    wait::until_true("revoked", wait::secs(5), || async {
        reader.get("/api/alerts").await.status == 401
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_import_and_list() {
    let world = World::start().await;
    let dir = Scratch::new("filters.d");
    std::fs::write(dir.join("10-a.yaml"), "name: a\ndescription: first\nfilter:\n  op: and\n  conditions:\n    - {field: source.cn, op: in, value: [FR, DE]}\n    - op: not\n      condition: {field: scenario, op: glob, value: 'crowdsecurity/*'}\n").expect("file");
    std::fs::write(
        dir.join("20-b.yml"),
        "name: b\nenabled: false\nfilter: {field: decisions, op: empty}\n",
    )
    .expect("file");
    let path = dir.0.display().to_string();
    let before = names(
        &world.cli.json(&["filter", "list", "--tenant", "default"]).await,
        "name",
    )
    .len();
    world
        .cli
        .run(&["filter", "import", &path, "--tenant", "default"])
        .await
        .expect_ok();
    let listed = names(
        &world.cli.json(&["filter", "list", "--tenant", "default"]).await,
        "name",
    );
    assert!(
        listed.contains(&"a".into()) && listed.contains(&"b".into()),
        "{listed:?}"
    );
    let api = rule_list(&world.api().get("/api/filters").await.expect(200).json());
    let a = api
        .iter()
        .find(|r| r["name"] == "a")
        .expect("rule a over the API");
    assert_eq!(
        (&a["enabled"], &a["filter"]["conditions"][1]["op"]),
        (&json!(true), &json!("not"))
    );
    assert_eq!(
        api.iter().find(|r| r["name"] == "b").expect("rule b")["enabled"],
        false
    );
    // the same folder again brings no second copy
    world
        .cli
        .run(&["filter", "import", &path, "--tenant", "default"])
        .await
        .expect_ok();
    assert_eq!(
        names(
            &world.cli.json(&["filter", "list", "--tenant", "default"]).await,
            "name"
        )
        .len(),
        before + 2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrate_twice_and_by_four_at_once() {
    let db = Database::empty().await;
    let dir = Scratch::new("migrate");
    let cli = Cli::new(&db.url, &dir.0);
    let runs = tokio::join!(
        cli.run(&["migrate"]),
        cli.run(&["migrate"]),
        cli.run(&["migrate"]),
        cli.run(&["migrate"])
    );
    for run in [runs.0, runs.1, runs.2, runs.3] {
        run.expect_ok();
    }
    cli.run(&["migrate"]).await.expect_ok();
    cli.json(&["tenant", "add", "acme"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_makes_the_tenant_and_the_token_and_says_so() {
    let world = World::start().await;
    let file = world.dir.join("data").join("admin-token");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("file").permissions());
    assert_eq!(mode & 0o777, 0o600, "the token is its owner's alone");
    world.api().get("/api/alerts").await.expect(200);
    assert!(names(&world.cli.json(&["tenant", "list"]).await, "name").contains(&"default".into()));
    // a second start keeps it
    let again = Server::spawn(&world.cli, &["serve"]).await;
    assert_eq!(world.read_admin_token(), world.admin_token());
    again
        .api(Some(world.admin_token()))
        .get("/api/alerts")
        .await
        .expect(200);
    assert!(!again.log().contains(world.admin_token()), "shown once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openapi_prints_what_the_service_serves() {
    let world = World::start().await;
    let printed: Value =
        serde_json::from_str(&world.cli.run(&["openapi"]).await.expect_ok().stdout).expect("JSON");
    let served = Api::new(world.server().url(), None)
        .get("/openapi.json")
        .await
        .expect(200)
        .json();
    assert_eq!(printed, served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_that_is_wrong_is_named() {
    let (_db, dir, cli) = bare().await;
    let file = dir.join("garrison.yaml");
    let cases = [
        ("no_such_key: 1\n", "no_such_key"),
        ("server:\n  listen: [1, 2]\n", "listen"),
        ("a: b: c\n", "line 1"),
    ];
    for (yaml, word) in cases {
        std::fs::write(&file, yaml).expect("file");
        let mut cli = cli.clone();
        cli.set("GARRISON_CONFIG", file.display().to_string());
        let out = cli.run(&["serve"]).await.expect_refused();
        assert!(out.stderr.contains(word), "`{word}` is not named: {}", out.stderr);
    }
    for (name, value) in [
        ("GARRISON_LISTEN", "nowhere"),
        ("GARRISON_FORWARD_ENABLED", "perhaps"),
        ("GARRISON_CAPI_URL", "not a url"),
    ] {
        let mut cli = cli.clone();
        cli.set(name, value);
        let out = cli.run(&["serve"]).await.expect_refused();
        let said = out.stderr.to_lowercase().replace('.', "_");
        let short = name.trim_start_matches("GARRISON_").to_lowercase();
        assert!(said.contains(&short), "{name} is not named: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
