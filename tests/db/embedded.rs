//! `garrison serve` without a database URL: its own cluster, from the first start on.
use super::home::{Home, has, listens, paste};
use crate::support::Scratch;
use crate::support::garrison::{Server, text};
use crate::support::http::Api;
use crate::support::machine::{Machine, signal, uuid_of};
use regex::Regex;
use serde_json::{Value, json};

/// The lines to paste.
fn next_lines(server: &Server) -> Vec<String> {
    let log = server.log();
    let (_, after) = log.split_once("Next:").expect("`Next:`");
    let lines: Vec<String> = after
        .lines()
        .filter(|l| l.starts_with("  "))
        .map(|l| l.trim().to_owned())
        .collect();
    assert_eq!(lines.len(), 3, "three lines that a person needs next: {log}");
    lines
}

/// A curl line through the shell, or, where there is no curl, what it asks for.
async fn fetch(line: &str, token: &str) -> String {
    if has("curl") {
        return paste(line).await;
    }
    let url = Regex::new(r"http://\S+").unwrap();
    let url = url.find(line).expect("a URL").as_str();
    let token = line.contains("Bearer").then_some(token);
    Api::new(url, token).get("").await.expect(200).text()
}

/// `name: value` in a YAML file of single lines.
fn yaml(text: &str, name: &str) -> String {
    let found = text
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
    found
        .unwrap_or_else(|| panic!("no `{name}` in {text}"))
        .trim()
        .to_owned()
}

/// With full durability, as a person has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_makes_everything_and_its_lines_work_when_pasted() {
    let dir = Scratch::new("home");
    let data = dir.join("data");
    let home = Home::at(dir, data).await;
    let server = home.serve().await;
    let token = home.admin_token();
    assert_eq!(home.mode("admin-token"), 0o600, "the token is its owner's only");
    assert_eq!(home.mode("secret.key"), 0o600, "so is the key");
    assert_eq!(home.mode("postgres"), 0o700, "so is the cluster");
    assert_eq!(home.mode("postgres/password"), 0o600, "so is its password");
    assert!(server.log().contains(&token), "shown once");
    server.api(None).get("/api/alerts").await.expect(401);
    let api = server.api(Some(&token));
    assert_eq!(api.get("/api/alerts").await.expect(200).json(), json!([]));
    let tenants = home.cli.json(&["tenant", "list"]).await;
    assert_eq!(names(&tenants), ["default"]);
    let rules = api.get("/api/filters").await.expect(200).text();
    assert!(rules.contains("\"id\""), "the default rules are there: {rules}");

    let [add, alerts, openapi] = <[String; 3]>::try_from(next_lines(&server)).unwrap();
    let made = paste(&add).await;
    assert_eq!(
        yaml(&made, "url"),
        format!("{}/", server.url()),
        "where the service is"
    );
    let mut machine = Machine::new(&yaml(&made, "login"), &yaml(&made, "password"));
    machine.login(&server).await;
    let sent = signal("192.0.2.1");
    machine.push_ok(&server, std::slice::from_ref(&sent)).await;
    let told: Value = serde_json::from_str(&fetch(&alerts, &token).await).expect("JSON");
    assert_eq!(told.as_array().expect("an array").len(), 1, "{told}");
    assert_eq!(uuid_of(&told[0]), uuid_of(&sent));
    let told: Value = serde_json::from_str(&fetch(&openapi, &token).await).expect("JSON");
    assert!(
        told["openapi"].as_str().is_some_and(|v| v.starts_with("3.1")),
        "{}",
        told["openapi"]
    );
    let docs = Regex::new(r"http://\S+/docs/").unwrap();
    let docs = docs.find(&openapi).expect("the page's address").as_str();
    let page = Api::new(docs, None).get("").await.expect(200).text();
    assert!(page.contains("<html") || page.contains("<!DOCTYPE"), "{page}");

    let settings = home
        .client()
        .await
        .query_one(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('data_checksums')",
            &[],
        )
        .await
        .expect("settings");
    for n in 0..3 {
        assert_eq!(
            settings.get::<_, &str>(n),
            "on",
            "setting {n}: nothing acknowledged may be lost"
        );
    }
    home.stop(server).await;

    // the second start finds everything and makes nothing
    let server = home.serve().await;
    assert!(
        !server.log().contains(&token) && !server.log().contains("shown this once"),
        "the token is shown once: {}",
        server.log()
    );
    assert_eq!(home.admin_token(), token);
    let api = server.api(Some(&token));
    let kept = api.get("/api/alerts").await.expect(200).json();
    assert_eq!(uuid_of(&kept[0]), uuid_of(&sent));
    assert_eq!(names(&home.cli.json(&["tenant", "list"]).await), ["default"]);
    assert_eq!(
        home.cli
            .json(&["token", "list", "--tenant", "default"])
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
    machine.push_ok(&server, &[signal("192.0.2.2")]).await;
    assert_eq!(next_lines(&server).len(), 3);
    home.stop(server).await;
}

/// A clone below `my projects/` is nothing unusual.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_work_with_a_space_in_the_path() {
    let dir = Scratch::new("home");
    let data = dir.join("my data");
    let mut home = Home::at(dir, data).await;
    home.cli.set("GARRISON_TEST_PG_FAST", "1");
    let server = home.serve().await;
    let [add, alerts, _] = <[String; 3]>::try_from(next_lines(&server)).unwrap();
    let made = paste(&add).await;
    Machine::new(&yaml(&made, "login"), &yaml(&made, "password"))
        .login(&server)
        .await;
    assert_eq!(fetch(&alerts, &home.admin_token()).await.trim(), "[]");
    home.stop(server).await;
}

pub fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("not an array: {list}"));
    list.iter().map(|t| text(t, "name")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_the_service_listens_on_tcp() {
    let home = Home::new().await;
    let server = home.serve().await;
    if home.data.as_os_str().len() > 80 {
        eprintln!("SKIPPED: the path of target/ is too long for a socket");
        home.stop(server).await;
        return;
    }
    let me = i32::try_from(server.pid).unwrap();
    let own = format!("0100007F:{:04X}", server.address.port());
    assert_eq!(listens(me), [own], "the service itself, on its one address");
    let family = home.family();
    assert!(family.len() > 1, "{family:?}");
    for pid in family {
        assert_eq!(listens(pid), [""; 0], "a Postgres process");
    }
    let (socket, address) = (home.pid_file(4).unwrap(), home.pid_file(5).unwrap());
    assert!(!socket.is_empty() && address.is_empty(), "{socket} {address}");
    let client = home.client().await;
    let told = client.query_one("SHOW listen_addresses", &[]).await.unwrap();
    assert_eq!(told.get::<_, &str>(0), "");
    home.stop(server).await;
}

/// A socket's path has at most 107 bytes; beyond that the cluster listens on loopback, with its password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_too_long_for_a_socket_means_loopback() {
    let dir = Scratch::new("home");
    let data = dir.join(&"d".repeat(100));
    let mut home = Home::at(dir, data).await;
    home.cli.set("GARRISON_TEST_PG_FAST", "1");
    let server = home.serve().await;
    let (socket, address) = (home.pid_file(4).unwrap(), home.pid_file(5).unwrap());
    assert_eq!((socket.as_str(), address.as_str()), ("", "127.0.0.1"));
    let port = home.pid_file(3).unwrap();
    let open = format!("postgres://postgres@127.0.0.1:{port}/garrison");
    let open = tokio_postgres::connect(&open, tokio_postgres::NoTls).await;
    assert!(open.is_err(), "not without the password");
    home.cli.run(&["tenant", "add", "acme"]).await.expect_ok();
    let api = server.api(Some(&home.admin_token()));
    api.get("/api/alerts").await.expect(200);
    home.stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_works_without_a_service_and_beside_one() {
    let home = Home::new().await;
    let call = async |args: &[&str]| {
        let made = home.cli.json(args).await;
        assert_eq!(home.family(), [0; 0], "after `garrison {}`", args.join(" "));
        made
    };
    // the very first call makes the cluster
    call(&["tenant", "add", "acme"]).await;
    let server = home.serve().await;
    let postmaster = home.postmaster();
    let beside = home.cli.json(&["machine", "add", "--tenant", "acme"]).await;
    assert_eq!(
        text(&beside, "url"),
        format!("{}/", server.url()),
        "the running service's address"
    );
    Machine::new(&text(&beside, "login"), &text(&beside, "password"))
        .login(&server)
        .await;
    let token = home
        .cli
        .json(&["token", "add", "--tenant", "acme", "--scope", "read"])
        .await;
    let acme = server.api(Some(&text(&token, "token")));
    acme.get("/api/alerts").await.expect(200);
    let tenants = home.cli.json(&["tenant", "list"]).await;
    assert!(names(&tenants).contains(&"acme".to_owned()), "{tenants}");
    assert_eq!(home.postmaster(), postmaster, "the calls leave the server alone");
    server.api(None).get("/readyz").await.expect(200);
    home.stop(server).await;

    let made = call(&["machine", "add", "--tenant", "acme", "--login", "cold"]).await;
    let token = call(&["token", "add", "--tenant", "acme", "--scope", "admin"]).await;
    assert_eq!(
        names(&call(&["tenant", "list"]).await).len(),
        names(&tenants).len()
    );
    let server = home.serve().await;
    let mut machine = Machine::new("cold", &text(&made, "password"));
    machine.login(&server).await;
    machine.push_ok(&server, &[signal("192.0.2.1")]).await;
    let acme = server.api(Some(&text(&token, "token")));
    let seen = acme.get("/api/alerts").await.expect(200).json();
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen}");
    home.stop(server).await;
}

/// `tenant add` on an empty directory must not keep the service from its first start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_made_before_the_first_start_does_not_cost_the_admin_token() {
    let home = Home::new().await;
    home.cli.run(&["migrate"]).await.expect_ok();
    home.cli.run(&["tenant", "add", "acme"]).await.expect_ok();
    let server = home.serve().await;
    let api = server.api(Some(&home.admin_token()));
    api.get("/api/alerts").await.expect(200);
    assert!(names(&home.cli.json(&["tenant", "list"]).await).contains(&"default".to_owned()));
    home.stop(server).await;
}
