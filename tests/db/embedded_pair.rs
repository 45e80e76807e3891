//! Two services on one data directory: the second adopts the first one's cluster, or fails; neither does damage.
use super::embedded::names;
use super::home::{Home, parent};
use crate::support::garrison::Server;
use crate::support::machine::signal;
use crate::support::wait;

async fn ready(server: &Server) -> bool {
    let call = server.api(None).request("GET", "/readyz");
    crate::support::http::try_send(call)
        .await
        .is_ok_and(|answer| answer.status == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_started_at_once_none_does_damage() {
    let home = Home::new().await;
    let both = tokio::join!(
        Server::try_spawn(&home.cli, &["serve"], wait::secs(60)),
        Server::try_spawn(&home.cli, &["serve"], wait::secs(60)),
    );
    let mut servers = Vec::new();
    for one in [both.0, both.1] {
        match one {
            Ok(server) => servers.push(server),
            Err(why) => println!("one of the two refused: {why}"),
        }
    }
    assert!(!servers.is_empty(), "one of them serves");
    let token = home.admin_token();
    for server in &servers {
        let api = server.api(Some(&token));
        api.get("/api/alerts").await.expect(200);
    }
    assert_eq!(names(&home.cli.json(&["tenant", "list"]).await), ["default"]);
    let owner = parent(home.postmaster());
    servers.sort_by_key(|s| i32::try_from(s.pid).ok() == owner);
    let owner = servers.pop().expect("the one that runs the cluster");
    for mut server in servers {
        let before = home.family();
        server.terminate();
        assert_eq!(server.ended(wait::secs(25)).await, Some(0));
        assert!(
            home.family().contains(&before[0]),
            "the other's cluster is not ours to stop"
        );
    }
    owner.api(None).get("/readyz").await.expect(200);
    home.stop(owner).await;
    let server = home.serve().await;
    let api = server.api(Some(&token));
    api.get("/api/alerts").await.expect(200);
    home.stop(server).await;
}

/// As when a command-line call made the cluster and ends: who adopted it has to notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_adopted_a_cluster_does_not_stay_up_without_it() {
    let home = Home::new().await;
    let owner = home.serve().await;
    let mut other = Server::spawn(&home.cli, &["serve"]).await;
    assert!(ready(&other).await, "it adopted the cluster");
    let token = home.admin_token();
    home.stop(owner).await;
    let start = std::time::Instant::now();
    loop {
        if !other.is_alive() {
            let code = other.ended(wait::secs(1)).await;
            assert!(code.is_some_and(|c| c != 0 && c != 101), "an error: {code:?}");
            break;
        }
        if ready(&other).await {
            home.stop(other).await;
            break;
        }
        assert!(
            start.elapsed() < wait::secs(20),
            "it stays up without a database:\n{}",
            other.log()
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let server = home.serve().await;
    let api = server.api(Some(&token));
    api.get("/api/alerts").await.expect(200);
    home.stop(server).await;
}

/// The second one's machines are the first one's: it is one installation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_service_shares_the_first_ones_cluster() {
    let home = Home::new().await;
    let owner = home.serve().await;
    let mut second = Server::spawn(&home.cli, &["serve"]).await;
    let made = home.cli.json(&["machine", "add", "--tenant", "default"]).await;
    let mut machine = crate::support::machine::Machine::new(
        made["login"].as_str().expect("login"),
        made["password"].as_str().expect("password"),
    );
    machine.login(&owner).await;
    machine.push_ok(&second, &[signal("192.0.2.1")]).await;
    second.terminate();
    assert_eq!(second.ended(wait::secs(25)).await, Some(0));
    let api = owner.api(Some(&home.admin_token()));
    let rows = api.get("/api/alerts").await.expect(200).json();
    assert_eq!(rows.as_array().expect("an array").len(), 1, "{rows}");
    home.stop(owner).await;
}
