//! How the service ends, and how it is split in two.
use super::process::Process;
use crate::support::capi_rule::{Act, Rule};
use crate::support::garrison::{Cli, Server};
use crate::support::http::Api;
use crate::support::machine::{signal, uuid_of};
use crate::support::postgres::Database;
use crate::support::world::World;
use crate::support::{Scratch, capi::Capi, wait};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Reads until the answer holds `words`, or to the end.
async fn read_until(stream: &mut TcpStream, words: &str) -> String {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    let reading = async {
        while !String::from_utf8_lossy(&got).contains(words) {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(n) => got.extend_from_slice(&chunk[..n]),
            }
        }
    };
    tokio::time::timeout(wait::secs(20), reading)
        .await
        .unwrap_or_else(|_| panic!("`{words}` does not come"));
    String::from_utf8_lossy(&got).into_owned()
}

/// A push of which everything is sent but the last byte, and known to be in work.
async fn push_but_one_byte(address: SocketAddr, token: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let head = format!(
        "POST /v3/signals HTTP/1.1\r\nHost: garrison.test\r\nAuthorization: Bearer {token}\r\n\
         User-Agent: crowdsec/v1.7.8-linux\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let go_on = read_until(&mut stream, "\r\n\r\n").await;
    assert!(go_on.starts_with("HTTP/1.1 100 "), "{go_on}");
    stream.write_all(&body[..body.len() - 1]).await.unwrap();
    stream
}

async fn refuses(address: SocketAddr) -> bool {
    match TcpStream::connect(address).await {
        Ok(_) => false,
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionRefused,
    }
}

async fn alerts_in(db: &Database) -> i64 {
    let sql = "SELECT count(*) FROM alert";
    db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_request_in_work_finish_and_takes_no_other() {
    let mut world = World::start().await;
    let machine = world.machine("default").await;
    let address = world.server().address;
    let body = serde_json::to_vec(&[signal("192.0.2.1")]).unwrap();
    let mut pushing = push_but_one_byte(address, &machine.token, &body).await;
    // a connection that idles between requests, as a probe's or an engine's does
    let mut idle = TcpStream::connect(address).await.unwrap();
    let probe = b"GET /readyz HTTP/1.1\r\nHost: garrison.test\r\n\r\n";
    idle.write_all(probe).await.unwrap();
    let ready = read_until(&mut idle, "ready\n").await;
    assert!(ready.starts_with("HTTP/1.1 200 "), "{ready}");

    let told = Instant::now();
    world.server().terminate();
    wait::until_true("new connections are refused", wait::secs(1), || refuses(address)).await;
    let _ = idle.write_all(probe).await;
    let answer = read_until(&mut idle, "\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 503 "),
        "not ready, or not there: {answer}"
    );
    wait::holds("it waits for the request", Duration::from_millis(700), || {
        let there = world.servers[0].is_alive();
        async move { there }
    })
    .await;
    assert_eq!(alerts_in(&world.db).await, 0, "not stored yet");
    pushing.write_all(&body[body.len() - 1..]).await.unwrap();
    let answer = read_until(&mut pushing, "no such words").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.ends_with(r#"{"message":"OK"}"#),
        "the whole answer: {answer}"
    );
    assert_eq!(world.servers[0].ended(wait::secs(25)).await, Some(0));
    assert!(told.elapsed() < wait::secs(25));
    assert_eq!(alerts_in(&world.db).await, 1, "what was acknowledged is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_never_ends_is_cut_when_the_drain_is_over() {
    let mut world = World::with(1, &[("GARRISON_DRAIN_TIMEOUT", "2s")]).await;
    let machine = world.machine("default").await;
    let body = serde_json::to_vec(&[signal("192.0.2.1")]).unwrap();
    let mut pushing = push_but_one_byte(world.server().address, &machine.token, &body).await;
    let told = Instant::now();
    world.server().terminate();
    assert_eq!(world.servers[0].ended(wait::secs(10)).await, Some(0));
    let took = told.elapsed();
    assert!(
        took > Duration::from_millis(1900) && took < wait::secs(7),
        "ended after {took:?}"
    );
    let answer = read_until(&mut pushing, "no such words").await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!(alerts_in(&world.db).await, 0, "nothing half sent is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_free_when_the_service_has_ended() {
    let mut world = World::start().await;
    let machine = world.machine("default").await;
    world.capi.rules(vec![Rule::on("/signals", Act::Hang)]);
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    let client = world.db.client().await;
    let held = async || -> i64 {
        let sql = "SELECT count(*) FROM lane WHERE lease_until > clock_timestamp()";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    wait::until_true("a lane is leased and in work", wait::secs(10), || async {
        held().await == 1 && !world.capi.at("/signals").is_empty()
    })
    .await;
    world.server().terminate();
    assert_eq!(world.servers[0].ended(wait::secs(25)).await, Some(0));
    wait::until_true("no lease is left", wait::secs(1), || async { held().await == 0 }).await;
    world.capi.rules(Vec::new());
    world.servers[0] = Server::spawn(&world.cli, &["serve"]).await;
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", 1, 8)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_serves_and_another_forwards() {
    let mut world = World::start().await;
    world.server().terminate();
    assert_eq!(world.servers[0].ended(wait::secs(25)).await, Some(0));
    world.servers[0] = Server::spawn(&world.cli, &["serve", "--no-worker"]).await;
    let machine = world.machine("default").await;
    let first = [signal("192.0.2.1"), signal("192.0.2.2")];
    machine.push_ok(world.server(), &first).await;
    wait::holds("nobody forwards", wait::secs(3), || async {
        world.capi.attempted().is_empty()
    })
    .await;
    let mut worker = Process::spawn(&world.cli, &["worker", "--listen", "127.0.0.1:0"]);
    worker.says("working").await;
    let log = worker.log();
    let said = log
        .lines()
        .find(|line| line.contains("probes and metrics"))
        .expect("a line");
    let said: serde_json::Value = serde_json::from_str(said).expect("JSON");
    let address = said["fields"]["address"].as_str().expect("an address");
    let probes = Api::new(format!("http://{address}"), None);
    for path in ["/healthz", "/readyz", "/metrics"] {
        probes.get(path).await.expect(200);
    }
    for path in ["/api/alerts", "/openapi.json", "/v3/signals", "/login"] {
        probes.with(Some(world.admin_token())).get(path).await.expect(404);
    }
    let api = world.api();
    world.wait_alerts(&api, "forwardedToCapi=true", 2, 10).await;
    // another process stores, so only looking tells the worker
    let second = signal("192.0.2.3");
    machine
        .push_ok(world.server(), std::slice::from_ref(&second))
        .await;
    world.wait_alerts(&api, "forwardedToCapi=true", 3, 10).await;
    let delivered = world.capi.delivered();
    assert!(delivered.values().all(|n| *n == 1), "once each: {delivered:?}");
    assert!(delivered.contains_key(&uuid_of(&second)));
    worker.terminate();
    assert_eq!(worker.ended(wait::secs(25)).await, Some(0));
    world.api().get("/readyz").await.expect(200);
}

/// 64 hexadecimal digits.
fn key() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_with_another_key_does_not_start_and_shows_none() {
    let (db, capi, dir) = (Database::empty().await, Capi::start().await, Scratch::new("keys"));
    let mut cli = Cli::new(&db.url, &dir.join("data"));
    let (one, other) = (key(), key());
    cli.set("GARRISON_LISTEN", "127.0.0.1:0")
        .set("GARRISON_CAPI_URL", capi.url())
        .set("GARRISON_LOG_LEVEL", "debug")
        .set("GARRISON_SECRET_KEY", &one);
    let first = Server::spawn(&cli, &["serve"]).await;
    let second = Server::spawn(&cli, &["serve"]).await;
    let mut wrong = cli.clone();
    wrong.set("GARRISON_SECRET_KEY", &other);
    let mut none = cli.clone();
    none.env.remove("GARRISON_SECRET_KEY");
    for (cli, args) in [
        (&wrong, &["serve"][..]),
        (&wrong, &["worker"]),
        (&wrong, &["machine", "add", "--tenant", "default"]),
        (&none, &["serve"]),
    ] {
        let said = cli.run(args).await.expect_refused();
        assert!(
            said.stderr.contains("GARRISON_SECRET_KEY"),
            "{args:?} names the variable: {}",
            said.stderr
        );
        for text in [&said.stderr, &said.stdout] {
            assert!(
                !text.contains(&one) && !text.contains(&other),
                "{args:?} prints a key: {text}"
            );
        }
    }
    for server in [&first, &second] {
        server.api(None).get("/readyz").await.expect(200);
        assert!(!server.log().contains(&one), "the log shows the key");
    }
    // those with the right key are not disturbed
    cli.run(&["machine", "add", "--tenant", "default"])
        .await
        .expect_ok();
}
