//! `garrison allowlist`.
use crate::support::world::World;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_added_listed_and_removed() {
    let world = World::start().await;
    world.tenant("acme").await;
    let cli = &world.cli;
    let add = |value: &'static str, expires: &'static str| {
        let args = [
            "allowlist",
            "add",
            "office",
            value,
            "--tenant",
            "acme",
            "--expires",
            expires,
        ];
        async move { cli.run(&args).await }
    };
    for (value, expires, word) in [
        ("nonsense", "1h", "value"),
        ("0.0.0.0/0", "1h", "/8"),
        ("192.0.2.7", "soon", "--expires"),
    ] {
        let said = add(value, expires).await.expect_refused().stderr;
        assert!(said.contains(word), "{said}");
    }
    let list = ["allowlist", "list", "--tenant", "acme"];
    assert_eq!(cli.json(&list).await, json!([]));
    add("::ffff:192.0.2.7", "24h").await.expect_ok();
    let again = [
        "allowlist",
        "add",
        "office",
        "192.0.2.7",
        "--tenant",
        "acme",
        "--reason",
        "why",
    ];
    let done = cli.json(&again).await;
    assert_eq!(
        done,
        json!({"list": "office", "added": 0, "replaced": 1, "lifted": 0})
    );
    let lists = cli.json(&list).await;
    assert_eq!(
        (&lists[0]["name"], &lists[0]["entries"]),
        (&json!("office"), &json!(1))
    );
    assert_eq!(
        world.api().get("/api/allowlists").await.json(),
        json!([]),
        "another tenant's"
    );

    let remove = |value: &'static [&'static str]| {
        let args = [&["allowlist", "remove", "office", "--tenant", "acme"], value].concat();
        async move { cli.run(&args).await }
    };
    remove(&["192.0.2.7/32"]).await.expect_ok();
    for value in [&["192.0.2.7"][..], &["nonsense"]] {
        remove(value).await.expect_refused();
    }
    remove(&[]).await.expect_ok();
    assert!(remove(&[]).await.expect_refused().stderr.contains("office"));
    assert_eq!(cli.json(&list).await, json!([]));
}
