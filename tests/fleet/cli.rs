//! `garrison lapi`.
use super::mock::{Mock, Mood};
use crate::support::free_port;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_added_tried_listed_imported_and_removed() {
    let (world, mock) = (World::start().await, Mock::start(Mood::Writes(200)).await);
    let cli = &world.cli;
    let add = ["lapi", "add", "a", "--url", &mock.url, "--api-key", "key-secret"];
    let made = cli.json(&add).await;
    assert_eq!(
        (&made["name"], &made["can_ban"], &made["check"]["key"]),
        (&json!("a"), &json!(false), &json!(true))
    );
    assert_eq!(
        made["check"]["version"],
        Value::Null,
        "nothing tells without a machine"
    );
    let again = cli.run(&add).await.expect_refused();
    assert!(
        again.stderr.contains("already") && !again.stderr.contains("key-secret"),
        "{}",
        again.stderr
    );
    let inside = [
        "lapi",
        "add",
        "b",
        "--url",
        "http://169.254.169.254/",
        "--api-key",
        "k",
    ];
    assert!(cli.run(&inside).await.expect_refused().stderr.contains("url"));

    let file = world.dir.join("crowdsieve.yaml");
    let text = format!(
        "proxy: {{listen_port: 8080}}\nstorage: {{type: sqlite, path: ./x.db}}\nlapi_servers:\n  - {{name: a, url: '{}', api_key: '${{LAPI_TEST_KEY}}', machine_id: m, password: p, replicate_decisions: true}}\n  - {{name: down, url: 'http://127.0.0.1:{}', api_key: k, source_machine_ids: [agent-1]}}\n",
        mock.url,
        free_port()
    );
    std::fs::write(&file, text).expect("file");
    let path = file.display().to_string();
    let unset = cli.run(&["lapi", "import", &path]).await.expect_refused();
    assert!(unset.stderr.contains("LAPI_TEST_KEY"), "{}", unset.stderr);
    let mut with = cli.clone();
    with.set("LAPI_TEST_KEY", "key-secret");
    for _ in 0..2 {
        let stored = with.json(&["lapi", "import", &path]).await;
        assert_eq!(stored[0]["check"]["login"], true, "{stored}");
        assert_eq!(stored[0]["check"]["version"], "1.6.8 or newer");
        assert_eq!(
            (&stored[1]["check"]["reachable"], &stored[1]["source_machine_ids"]),
            (&json!(false), &json!(["agent-1"]))
        );
    }
    let listed = cli.run(&["lapi", "list"]).await.expect_ok().stdout;
    assert!(
        listed.contains("down") && !listed.contains("key-secret"),
        "{listed}"
    );
    cli.run(&["lapi", "test", "a"]).await.expect_ok();
    cli.run(&["lapi", "test", "down"]).await.expect_refused();
    cli.run(&["lapi", "test", "nobody"]).await.expect_refused();
    cli.run(&["lapi", "remove", "down"]).await.expect_ok();
    cli.run(&["lapi", "remove", "down"]).await.expect_refused();
    cli.run(&["lapi", "list", "--tenant", "nobody"])
        .await
        .expect_refused();
    let over = world.api().get("/api/lapi-servers").await.expect(200).json();
    assert_eq!(
        (over.as_array().map(Vec::len), &over[0]["canBan"]),
        (Some(1), &json!(true))
    );
    for bad in [
        "lapi_servers: [{name: 'a b', url: 'http://h/', api_key: k}]",
        "proxy: {}",
        "lapi_servers: 7",
        "{",
    ] {
        std::fs::write(&file, bad).expect("file");
        cli.run(&["lapi", "import", &path]).await.expect_refused();
    }
}
