//! The tenant's bans and allowlists on the stream that engines pull.
mod engine;
mod fetch;
mod stream;

use crate::support::capi_rule::{Act, Rule};
use crate::support::http::{Answer, Api, send};
use crate::support::machine::Machine;
use crate::support::wait;
use crate::support::world::World;
use serde::Deserialize;
use serde_json::json;

/// The number of the tenant's machine with this login.
pub async fn number(api: &Api, login: &str) -> i64 {
    let all = api.get("/api/machines").await.expect(200).json();
    let all = all.as_array().expect("a list").clone();
    let mine = all.iter().find(|m| m["login"] == *login);
    mine.and_then(|m| m["id"].as_i64())
        .expect("the machine is listed")
}

pub async fn deliver(api: &Api, machine: i64, on: bool) -> Answer {
    let call = api.request("PATCH", &format!("/api/machines/{machine}"));
    let answer = send(call.json(&json!({"deliver": on}))).await;
    // What is known of a machine is believed for three seconds.
    tokio::time::sleep(wait::secs(4)).await;
    answer
}

/// Puts a decision into tenant 1's set.
pub async fn put(world: &World, value: &str, kind: &str, source: (i16, i64), servers: Option<i64>) {
    let (scope, block) = if value.contains('/') {
        ("Range", value.to_owned())
    } else {
        ("Ip", value.to_owned())
    };
    let sql = format!(
        "INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until, servers)
         VALUES (1, md5('{scope}{kind}{value}')::uuid, {}, {}, 'cscli', '{scope}', '{value}', '{kind}', 'test',
           host(network('{block}'))::inet, host(broadcast('{block}'))::inet, now() + interval '4 hours', {})",
        source.0,
        source.1,
        servers.map_or("NULL".to_owned(), |id| format!("ARRAY[{id}]::bigint[]")),
    );
    run(world, &sql).await;
}

/// A ban by hand, everywhere.
pub async fn ban(world: &World, value: &str) {
    put(world, value, "ban", (3, 0), None).await;
}

pub async fn run(world: &World, sql: &str) {
    let client = world.db.client().await;
    client
        .batch_execute(sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {:?}", e.as_db_error()));
}

pub async fn allowlist(world: &World, name: &str, entries: &[(&str, &str, &str)]) {
    run(
        world,
        &format!("INSERT INTO allowlist (tenant_id, name, description) VALUES (1, '{name}', 'why')"),
    )
    .await;
    for (value, reason, expires) in entries {
        let sql = format!(
            "INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, reason, expires_at)
             SELECT 1, id, '{value}', host(network('{value}'))::inet, host(broadcast('{value}'))::inet, '{reason}', {expires}
             FROM allowlist WHERE tenant_id = 1 AND name = '{name}'"
        );
        run(world, &sql).await;
    }
}

/// What engines from 1.5 on read of the answer; a field that is missing is one that they would stumble over.
#[derive(Deserialize, Debug)]
pub struct Stream {
    pub links: Links,
}

#[derive(Deserialize, Debug)]
pub struct Links {
    #[serde(default)]
    pub blocklists: Vec<BlockLink>,
    #[serde(default)]
    pub allowlists: Vec<AllowLink>,
}

#[derive(Deserialize, Debug)]
pub struct BlockLink {
    pub name: String,
    pub url: String,
    pub remediation: String,
    pub scope: String,
    pub duration: String,
}

#[derive(Deserialize, Debug)]
pub struct AllowLink {
    pub id: String,
    pub name: String,
    pub description: String,
    pub url: String,
    pub created_at: String,
    pub updated_at: String,
}

impl Stream {
    pub fn of(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.text()))
    }

    pub fn url(&self, name: &str) -> String {
        let block = self.links.blocklists.iter().map(|l| (&l.name, &l.url));
        let allow = self.links.allowlists.iter().map(|l| (&l.name, &l.url));
        let hit = block.chain(allow).find(|(n, _)| *n == name);
        hit.unwrap_or_else(|| panic!("no list {name}: {self:?}"))
            .1
            .clone()
    }

    pub fn names(&self) -> Vec<&str> {
        self.links.blocklists.iter().map(|l| l.name.as_str()).collect()
    }
}

/// As an engine fetches a link: a plain client, without credentials.
pub async fn fetch(url: &str, since: Option<&str>) -> Answer {
    let call = Api::new("", None).request("GET", url);
    let call = call
        .header("user-agent", "Go-http-client/1.1")
        .header("accept-encoding", "gzip");
    let call = match since {
        Some(since) => call.header("if-modified-since", since),
        None => call,
    };
    send(call).await
}

pub async fn pull(world: &World, machine: &Machine, target: &str) -> Answer {
    send(machine.call(world.server().address, "GET", target)).await
}

pub fn reply(body: &str) -> Rule {
    let act = Act::Reply {
        status: 200,
        headers: vec![("etag".into(), "\"theirs\"".into())],
        body: body.as_bytes().to_vec(),
    };
    Rule::on("/decisions/stream", act)
}

/// A delivering machine of the default tenant.
pub async fn delivering(world: &World) -> (Machine, i64) {
    let machine = world.machine("default").await;
    let id = number(&world.api(), &machine.login).await;
    let shown = deliver(&world.api(), id, true).await.expect(200).json();
    assert_eq!(shown["deliver"], true, "{shown}");
    (machine, id)
}
