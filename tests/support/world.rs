//! One test's world: a database, a recording CAPI, and one or more replicas of the service.
use super::capi::Capi;
use super::garrison::{Cli, Server, text};
use super::http::Api;
use super::machine::Machine;
use super::postgres::Database;
use super::{Scratch, wait};
use serde_json::{Value, json};

pub struct World {
    pub servers: Vec<Server>,
    pub capi: Capi,
    pub cli: Cli,
    pub db: Database,
    pub dir: Scratch,
    admin: String,
}

/// A tenant made for a test, with an admin token.
#[derive(Clone)]
pub struct Tenant {
    pub name: String,
    pub id: String,
    pub enrollment_key: String,
    pub token: String,
}

impl World {
    pub async fn start() -> Self {
        Self::with(1, &[]).await
    }

    /// `replicas` processes on one database, with more environment variables.
    pub async fn with(replicas: usize, env: &[(&str, &str)]) -> Self {
        Self::build(Database::migrated().await, replicas, env).await
    }

    /// On an empty database of the test's own cluster.
    pub async fn on(db: Database, replicas: usize) -> Self {
        Self::on_with(db, replicas, &[]).await
    }

    /// The same, with more environment variables.
    pub async fn on_with(db: Database, replicas: usize, env: &[(&str, &str)]) -> Self {
        let dir = Scratch::new("migrate");
        Cli::new(&db.url, &dir.0).run(&["migrate"]).await.expect_ok();
        Self::build(db, replicas, env).await
    }

    async fn build(db: Database, replicas: usize, env: &[(&str, &str)]) -> Self {
        let capi = Capi::start().await;
        let dir = Scratch::new("world");
        let data = dir.join("data");
        std::fs::create_dir_all(&data).expect("data directory");
        let mut cli = Cli::new(&db.url, &data);
        cli.set("GARRISON_LISTEN", "127.0.0.1:0")
            .set("GARRISON_CAPI_URL", capi.url());
        for (name, value) in env {
            cli.set(name, *value);
        }
        let mut world = Self {
            servers: Vec::new(),
            capi,
            cli,
            db,
            dir,
            admin: String::new(),
        };
        for _ in 0..replicas {
            world.add_server().await;
        }
        world.admin = world.read_admin_token();
        world
    }

    pub async fn add_server(&mut self) -> usize {
        self.servers.push(Server::spawn(&self.cli, &["serve"]).await);
        self.servers.len() - 1
    }

    /// What the first start left in the data directory.
    pub fn read_admin_token(&self) -> String {
        let file = self.dir.join("data").join("admin-token");
        let token = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        token.trim().to_owned()
    }

    pub fn server(&self) -> &Server {
        &self.servers[0]
    }

    /// What goes into an engine's `online_api_credentials.yaml`: with the slash.
    pub fn gate_url(&self) -> String {
        format!("{}/", self.server().url())
    }

    /// The default tenant's API, with the first admin token.
    pub fn api(&self) -> Api {
        self.server().api(Some(&self.admin))
    }

    pub fn admin_token(&self) -> &str {
        &self.admin
    }

    pub fn api_of(&self, tenant: &Tenant) -> Api {
        self.server().api(Some(&tenant.token))
    }

    pub async fn tenant(&self, name: &str) -> Tenant {
        let made = self.cli.json(&["tenant", "add", name]).await;
        let token = self
            .cli
            .json(&["token", "add", "--tenant", name, "--scope", "admin"])
            .await;
        Tenant {
            name: name.into(),
            id: text(&made, "id"),
            enrollment_key: text(&made, "enrollment_key"),
            token: text(&token, "token"),
        }
    }

    /// A machine issued by `machine add` and logged in at the first server.
    pub async fn machine(&self, tenant: &str) -> Machine {
        let made = self.cli.json(&["machine", "add", "--tenant", tenant]).await;
        let mut machine = Machine::new(&text(&made, "login"), &text(&made, "password"));
        machine.login(self.server()).await;
        machine
    }

    /// Takes every filter rule away and puts `rules` (as `POST /api/filters` takes them) in their place.
    pub async fn set_rules(&self, api: &Api, rules: &[Value]) {
        for id in rule_ids(&api.get("/api/filters").await.expect(200).json()) {
            let gone = api.delete(&format!("/api/filters/{id}")).await;
            assert!((200..300).contains(&gone.status), "DELETE rule: {}", gone.text());
        }
        for rule in rules {
            let made = api.post("/api/filters", rule).await;
            assert!((200..300).contains(&made.status), "POST rule: {}", made.text());
        }
    }

    /// The time in which a change of rules or tokens must be known on every replica.
    pub async fn settle(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(5200)).await;
    }

    /// All stored alerts of the credential's tenant, by pages of 1000 at most.
    pub async fn alerts(&self, api: &Api, query: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut path = format!("/api/alerts?limit=1000&{query}");
        loop {
            let page = api.get(&path).await.expect(200);
            let rows = page.json();
            all.extend(rows.as_array().expect("a bare array").iter().cloned());
            match next_link(page.header("link").as_deref()) {
                Some(next) => path = next,
                None => return all,
            }
        }
    }

    /// Waits until the tenant has `n` alerts for `query`, and returns them.
    pub async fn wait_alerts(&self, api: &Api, query: &str, n: usize, seconds: u64) -> Vec<Value> {
        let what = format!("{n} alerts for `{query}`");
        let start = std::time::Instant::now();
        loop {
            let rows = self.alerts(api, query).await;
            if rows.len() == n {
                return rows;
            }
            let last = rows.len();
            assert!(
                start.elapsed() < wait::patient(wait::secs(seconds)),
                "not within {seconds} s: {what}; there are {last}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

/// The path and query of `Link: <...>; rel="next"`.
pub fn next_link(header: Option<&str>) -> Option<String> {
    let part = header?.split(',').find(|p| p.contains("rel=\"next\""))?;
    let url = part.split_once('<')?.1.split_once('>')?.0;
    let path = url.find("/api/").map_or(url, |at| &url[at..]);
    Some(path.to_owned())
}

/// The ids in the answer of `GET /api/filters`, whatever its envelope.
pub fn rule_ids(answer: &Value) -> Vec<String> {
    rule_list(answer).iter().map(|r| text(r, "id")).collect()
}

pub fn rule_list(answer: &Value) -> Vec<Value> {
    let list = answer
        .as_array()
        .or_else(|| answer.as_object()?.values().find_map(Value::as_array));
    list.unwrap_or_else(|| panic!("no list of rules in {answer}"))
        .clone()
}

/// A rule that filters what `field op value` says.
pub fn rule(name: &str, field: &str, op: &str, value: Value) -> Value {
    json!({"name": name, "enabled": true, "filter": {"field": field, "op": op, "value": value}})
}
