//! The private cluster when processes die, directories are closed, files are gone.
use super::home::{Home, is_postgres};
use crate::cmd::process::Process;
use crate::support::garrison::text;
use crate::support::machine::{Machine, signal};
use crate::support::{Scratch, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

async fn machine(home: &Home) -> Machine {
    let made = home.cli.json(&["machine", "add", "--tenant", "default"]).await;
    Machine::new(&text(&made, "login"), &text(&made, "password"))
}

async fn stored(home: &Home, server: &crate::support::garrison::Server) -> usize {
    let api = server.api(Some(&home.admin_token()));
    let rows = api.get("/api/alerts").await.expect(200).json();
    rows.as_array().expect("an array").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_service_leaves_no_postgres_and_starts_again_with_its_data() {
    let mut home = Home::new().await;
    home.cli
        .set("GARRISON_SECRET_KEY", "kq3VbT0cXw9Zr7Lm2Ns8Pd4Hf6Jg1Ya5");
    let mut server = home.serve().await;
    let mut machine = machine(&home).await;
    machine.login(&server).await;
    machine.push_ok(&server, &[signal("192.0.2.1")]).await;
    let postmaster = home.postmaster();
    let environment = std::fs::read(format!("/proc/{postmaster}/environ")).unwrap_or_default();
    assert!(
        !String::from_utf8_lossy(&environment).contains("GARRISON"),
        "the service's secrets are not the server's business"
    );
    let before = home.family();
    assert!(before.contains(&postmaster) && before.len() > 1, "{before:?}");
    server.kill9();
    home.vacant(&before, wait::secs(20)).await;

    let mut server = home.serve().await;
    assert_eq!(stored(&home, &server).await, 1, "what was acknowledged is there");
    machine.push_ok(&server, &[signal("192.0.2.2")]).await;
    // and at once, while the former server is still on its way out
    let before = home.family();
    server.kill9();
    let server = home.serve().await;
    assert!(!before.contains(&home.postmaster()), "a server of its own");
    assert!(!before.iter().any(|pid| is_postgres(*pid)), "none beside it");
    assert_eq!(stored(&home, &server).await, 2);
    home.stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postmaster_ends_the_service_and_the_next_start_recovers() {
    let home = Home::new().await;
    let mut server = home.serve().await;
    let mut machine = machine(&home).await;
    machine.login(&server).await;
    machine.push_ok(&server, &[signal("192.0.2.1")]).await;
    let before = home.family();
    kill(Pid::from_raw(home.postmaster()), Signal::SIGKILL).unwrap();
    let code = server.ended(wait::secs(30)).await;
    assert!(
        code.is_some_and(|c| c != 0 && c != 101),
        "it does not run on, and says so: {code:?}"
    );
    let log = server.log();
    assert!(
        log.contains("garrison: ") && log.contains("Postgres ended"),
        "{log}"
    );
    assert!(
        home.cluster().join("postmaster.pid").exists(),
        "a crash leaves its file behind"
    );
    home.vacant(&before, wait::secs(20)).await;

    // the dead server's number meanwhile belongs to somebody else
    let file = home.cluster().join("postmaster.pid");
    let old = std::fs::read_to_string(&file).unwrap();
    let (_, rest) = old.split_once('\n').unwrap();
    std::fs::write(&file, format!("{}\n{rest}", std::process::id())).unwrap();
    let server = home.serve().await;
    assert_eq!(stored(&home, &server).await, 1, "what was acknowledged is there");
    machine.push_ok(&server, &[signal("192.0.2.2")]).await;
    home.stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_the_cluster_is_made_leaves_nothing_half_made() {
    let home = Home::new().await;
    let unfinished = home.data.join("postgres/cluster.new");
    for stage in ["", "PG_VERSION", "global/pg_control"] {
        let mut process = Process::spawn(&home.cli, &["serve"]);
        // closely, because the whole takes a second or two
        let start = Instant::now();
        while !unfinished.join(stage).exists() {
            assert!(
                start.elapsed() < wait::secs(30) && process.is_alive(),
                "initdb does not get to `{stage}`"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        process.kill9();
        assert!(!home.cluster().exists(), "half made, and under its final name");
    }
    let server = home.serve().await;
    assert!(!unfinished.exists());
    assert_eq!(stored(&home, &server).await, 0);
    home.stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_below_a_closed_one_works_for_root() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root may own a directory that the server's user cannot enter");
        return;
    }
    let dir = Scratch::new("home");
    let closed = dir.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut home = Home::at(dir, closed.join("data")).await;
    home.cli.set("GARRISON_TEST_PG_FAST", "1");
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mut server = home.serve().await;
    let uid = std::fs::read_to_string(format!("/proc/{}/status", home.postmaster())).unwrap();
    let uid = uid.lines().find(|l| l.starts_with("Uid:")).unwrap();
    assert!(
        !uid.split_whitespace().any(|n| n == "0"),
        "Postgres never is root: {uid}"
    );
    assert_eq!(
        std::fs::read_to_string("/proc/self/mounts").unwrap(),
        mounts,
        "nothing is mounted for others to see"
    );
    home.cli.run(&["tenant", "add", "acme"]).await.expect_ok();
    let before = home.family();
    assert!(before.len() > 1, "{before:?}");
    server.kill9();
    home.vacant(&before, wait::secs(20)).await;
    let server = home.serve().await;
    let tenants = home.cli.run(&["tenant", "list"]).await.expect_ok().stdout;
    assert!(tenants.contains("acme"), "{tenants}");
    home.stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_cannot_run_it_refuses_with_words() {
    let home = Home::new().await;
    home.cli.run(&["migrate"]).await.expect_ok();
    let base = home.data.join("postgres");
    let refused = async |words: &str| {
        let said = home.cli.run(&["serve"]).await.expect_refused().stderr;
        assert!(said.contains(words), "`{words}` is not in: {said}");
        assert_eq!(home.family(), [0; 0], "nothing stays behind");
    };
    std::fs::rename(base.join("password"), base.join("kept")).unwrap();
    refused("password").await;
    std::fs::rename(base.join("kept"), base.join("password")).unwrap();

    let extra = base.join("cluster/postgresql.auto.conf");
    let before = std::fs::read(&extra).unwrap();
    std::fs::write(&extra, "no_such_setting = 1\n").unwrap();
    refused("no_such_setting").await;
    std::fs::write(&extra, before).unwrap();

    let version = base.join("cluster/PG_VERSION");
    let before = std::fs::read(&version).unwrap();
    std::fs::write(&version, "9\n").unwrap();
    refused("postgresql-9").await;
    std::fs::remove_file(&version).unwrap();
    refused("PG_VERSION").await;
    std::fs::write(&version, before).unwrap();

    // a port that is taken is an error of the start, and takes the cluster down with it
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut cli = home.cli.clone();
    let address = taken.local_addr().unwrap().to_string();
    cli.set("GARRISON_LISTEN", &address);
    let said = cli.run(&["serve"]).await.expect_refused().stderr;
    assert!(said.contains(&address), "{said}");
    assert_eq!(home.family(), [0; 0], "nothing stays behind");

    let server = home.serve().await;
    home.stop(server).await;
}
