//! A tenant as a file: what comes out elsewhere is what went in.
use super::transfer_fill::{Filled, filled, spread};
use crate::fleet::analyzer_store::Store;
use crate::support::http::Api;
use crate::support::lapi::Lapi;
use crate::support::machine::{signal, undecided};
use crate::support::wait;
use crate::support::world::{Tenant, World};
use serde_json::{Value, json};
use tokio_postgres::Client;

pub const PASSPHRASE: &str = "correct horse battery staple";

/// A document without the numbers and times that are another installation's.
fn stripped(mut value: Value, names: &[&str]) -> Value {
    match &mut value {
        Value::Array(items) => {
            for item in items {
                *item = stripped(item.take(), names);
            }
        }
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            for field in fields.values_mut() {
                *field = stripped(field.take(), names);
            }
        }
        _ => {}
    }
    value
}

/// All that the API shows of a tenant.
async fn shown(world: &World, api: &Api) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for query in ["raw=true", "filtered=true", "forwardedToCapi=true"] {
        let rows = world.alerts(api, query).await;
        assert!(!rows.is_empty(), "{query}");
        all.push((query.to_owned(), stripped(Value::Array(rows), &["id"])));
    }
    let paths = [
        "/api/stats?period=all",
        "/api/stats?period=30d&tz=Asia/Kathmandu",
        "/api/stats?period=all&filtered=true",
        "/api/stats/distribution?period=all&tz=America/St_Johns",
        "/api/stats/heatmap?period=all",
        "/api/stats/timeline?period=all",
        "/api/stats/map?period=all",
        "/api/stats/decisions?period=all",
        "/api/usage",
        "/api/filters",
        "/api/allowlists",
        "/api/allowlists/mine",
        "/api/retention",
        "/api/feeds",
        "/api/analyzers?all=true",
        "/api/analyzers/sso/runs?limit=1",
    ];
    // What an analyzer does next is the new one's.
    let own = [
        "id",
        "version",
        "updatedAt",
        "nextRun",
        "lastRun",
        "status",
        "runId",
        "entries24h",
    ];
    for path in paths {
        let said = api.get(path).await.expect(200).json();
        all.push((path.to_owned(), stripped(said, &own)));
    }
    all
}

/// What stands in the tables themselves and no route shows.
async fn stored(client: &Client, tenant: &str) -> Vec<String> {
    let parts = [
        "SELECT concat_ws(' ', key, source, origin, scope, value, type, scenario, until, uuid, reason, since, lifted_at) FROM decision
         WHERE tenant_id = $1::text::int AND source <> 2",
        "SELECT concat_ws(' ', id, api_version, received_at, received, stored, duplicate, rejected, filtered, md5(body)) FROM signal_batch
         WHERE tenant_id = $1::text::int",
        "SELECT concat_ws(' ', batch_id, item, field, reason) FROM rejected_signal WHERE tenant_id = $1::text::int",
        "SELECT d::text FROM (SELECT alert_key, item, duration_ms, until, origin, type, value FROM alert_decision WHERE tenant_id = $1::text::int) d",
        "SELECT concat_ws(' ', analyzer.slug, m.value, acted_ns) FROM analyzer_mark m JOIN analyzer USING (tenant_id)
         WHERE tenant_id = $1::text::int AND analyzer.id = analyzer_id",
        "SELECT concat_ws(' ', a.key, m.login) FROM alert a JOIN machine m ON m.tenant_id = a.tenant_id AND m.id = a.machine_id
         WHERE a.tenant_id = $1::text::int",
    ];
    let mut all = Vec::new();
    for sql in parts {
        let rows = client.query(sql, &[&tenant]).await.expect(sql);
        all.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    all.sort();
    all
}

/// A token of a tenant that came in.
async fn opened(world: &World, name: &str, made: &Value) -> Tenant {
    let args = ["token", "add", "--tenant", name, "--scope", "admin"];
    let token = world.cli.json(&args).await;
    Tenant {
        name: name.to_owned(),
        id: made["id"].to_string(),
        enrollment_key: made["enrollment_key"].as_str().expect("a key").to_owned(),
        token: token["token"].as_str().expect("a token").to_owned(),
    }
}

fn names(list: &Value, what: &str) -> Vec<String> {
    let of = |one: &&Value| one["what"].as_str().is_some_and(|text| text.starts_with(what));
    let all = list.as_array().expect("a list").iter().filter(of);
    all.map(|one| one["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_goes_elsewhere_with_all_that_it_has() {
    let env = [("GARRISON_FORWARD_ENABLED", "false")];
    let (here, there) = tokio::join!(World::with(1, &env), World::start());
    let (near, logs) = tokio::join!(Lapi::start(), Store::start());
    let Filled {
        tenant,
        mut machine,
        signals,
    } = filled(&here, &near, &logs).await;
    let client = here.db.client().await;
    wait::until_true("the set is kept up", wait::secs(60), || async {
        let sql =
            "SELECT (SELECT count(*) FROM decision) >= 2 AND NOT EXISTS (SELECT FROM outbox WHERE topic = 4)";
        client.query_one(sql, &[]).await.expect("set").get(0)
    })
    .await;
    spread(&client, &tenant.id).await;
    // The engine is away for good, so that nothing changes any more.
    near.down().await;
    let api = here.api_of(&tenant);
    let run = api.get("/api/analyzers/sso").await.expect(200).json();
    let mut quiet = run["analyzer"].clone();
    quiet["enabled"] = json!(false);
    api.put("/api/analyzers/sso", &quiet).await.expect(200);
    let phrase = here.dir.join("phrase");
    std::fs::write(&phrase, format!("{PASSPHRASE}\n")).expect("a file");
    let (phrase, file) = (phrase.display().to_string(), here.dir.join("acme.garrison"));
    let file = file.display().to_string();
    let before = (shown(&here, &api).await, stored(&client, &tenant.id).await);
    let args = [
        "tenant",
        "export",
        "--tenant",
        "acme",
        "--out",
        &file,
        "--passphrase-file",
        &phrase,
    ];
    let written = here.cli.json(&args).await;
    assert_eq!(
        written["counts"]["alert"],
        before.0[0].1.as_array().expect("rows").len()
    );
    assert_eq!(names(&written["again"], "API token").len(), 1, "{written}");
    let packed = std::fs::read(&file).expect("the file");
    let text = String::from_utf8(zstd::decode_all(packed.as_slice()).expect("zstd")).expect("UTF-8");
    for secret in ["s3cret", &machine.password, &tenant.token, &tenant.enrollment_key] {
        assert!(!text.contains(secret), "a secret in the clear");
    }
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).expect("the file"));
    assert_eq!(mode & 0o777, 0o600);

    // Elsewhere, under the same name.
    let wrong = here.dir.join("wrong");
    std::fs::write(&wrong, "another passphrase").expect("a file");
    for (more, why) in [
        (vec![], "--passphrase-file"),
        (
            vec!["--passphrase-file".to_owned(), wrong.display().to_string()],
            "do not open",
        ),
    ] {
        let args: Vec<&str> = ["tenant", "import", &file]
            .into_iter()
            .chain(more.iter().map(String::as_str))
            .collect();
        let refused = there.cli.run(&args).await.expect_refused();
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    let args = [
        "tenant",
        "import",
        &file,
        "--passphrase-file",
        &phrase,
        "--active",
    ];
    let made = there.cli.json(&args).await;
    assert_eq!(
        (&made["name"], &made["elsewhere"]),
        (&json!("acme"), &json!([])),
        "{made}"
    );
    assert_eq!(made["counts"], written["counts"]);
    let moved = opened(&there, "acme", &made).await;
    let after = shown(&there, &there.api_of(&moved)).await;
    for ((what, before), (_, after)) in before.0.iter().zip(&after) {
        assert_eq!(before, after, "{what}");
    }
    assert_eq!(stored(&there.db.client().await, &moved.id).await, before.1);
    let again = there.cli.run(&args).await.expect_refused();
    assert!(again.stderr.contains("--name"), "{}", again.stderr);

    // Its trail is proven in both places, and says where it came from.
    for world in [&here, &there] {
        world.cli.run(&["audit", "verify"]).await.expect_ok();
    }
    let trail = there
        .cli
        .json(&["audit", "list", "--tenant", "acme", "--limit", "1000"])
        .await;
    let actions: Vec<&str> = trail
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["action"].as_str().expect("an action"))
        .collect();
    assert_eq!(actions.last(), Some(&"tenant.import"), "{actions:?}");
    let first = &actions[actions.len() - 2];
    assert_eq!(*first, "past.tenant.create");
    assert!(actions.contains(&"past.tenant.export") && actions.contains(&"past.decision.ban"));
    let head = trail.as_array().expect("entries").last().expect("one");
    assert_eq!(head["details"]["sha256"], written["sha256"]);

    // The engine goes on there: it logs in as before, and what it sends again is known. The old place is shut.
    here.server().terminate();
    near.reset();
    near.up().await;
    machine.login(there.server()).await;
    let count = there.alerts(&there.api_of(&moved), "").await.len();
    machine.push_ok(there.server(), &signals[..60]).await;
    assert_eq!(there.alerts(&there.api_of(&moved), "").await.len(), count);
    let mut fresh = signal("192.0.2.201");
    fresh["scenario"] = json!("crowdsecurity/http-probing");
    machine
        .push_ok(there.server(), std::slice::from_ref(&fresh))
        .await;
    there
        .wait_alerts(
            &there.api_of(&moved),
            "forwardedToCapi=true&ip=192.0.2.201",
            1,
            30,
        )
        .await;
    // Of all others none left from there.
    assert_eq!(there.capi.delivered().len(), 1);
    // Its secrets open there: what was banned by hand is put on the server, once.
    wait::until_true("the ban is on the server", wait::secs(60), || async {
        near.copies().iter().filter(|copy| *copy == "203.0.113.7").count() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_copied_beside_itself_and_without_secrets() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (near, logs) = tokio::join!(Lapi::start(), Store::start());
    let Filled { tenant, machine, .. } = filled(&world, &near, &logs).await;
    let client = world.db.client().await;
    spread(&client, &tenant.id).await;
    let file = world.dir.join("acme.garrison").display().to_string();
    let args = ["tenant", "export", "--tenant", "acme", "--out", &file];
    let written = world.cli.json(&args).await;
    let to_do = |said: &Value| {
        (
            names(&said["again"], "token of analyzer"),
            names(&said["again"], "key and password of LAPI server"),
            names(&said["again"], "enrolment in CrowdSec's console of machine"),
        )
    };
    assert_eq!(
        to_do(&written),
        (
            vec!["sso".to_owned(), "off".to_owned()],
            vec!["near".to_owned()],
            vec![machine.login.clone()]
        )
    );
    let taken = world.cli.run(&["tenant", "import", &file]).await.expect_refused();
    assert!(taken.stderr.contains("already"), "{}", taken.stderr);
    let args = ["tenant", "import", &file, "--name", "acme-2"];
    let made = world.cli.json(&args).await;
    assert_eq!(to_do(&made), to_do(&written), "{made}");
    // Beside the one that it is a copy of, it writes nowhere.
    assert_eq!(names(&made["again"], "replication"), ["near"]);
    assert_eq!(made["elsewhere"], json!([machine.login]));
    let copy = opened(&world, "acme-2", &made).await;
    let one = world.alerts(&world.api_of(&tenant), "raw=true").await;
    let other = world.alerts(&world.api_of(&copy), "raw=true").await;
    let strip = |rows: Vec<Value>| stripped(Value::Array(rows), &["id"]);
    assert_eq!(strip(one.clone()), strip(other.clone()));
    // No number is used twice.
    let ids = |rows: &[Value]| rows.iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert!(!ids(&one).iter().any(|id| ids(&other).contains(id)));
    let listed = world
        .api_of(&copy)
        .get("/api/analyzers?all=true")
        .await
        .expect(200)
        .json();
    assert_eq!(listed["analyzers"][0]["enabled"], false, "{listed}");
    let machines = world.cli.json(&["machine", "list", "--tenant", "acme-2"]).await;
    assert!(!machines.to_string().contains(&machine.login), "{machines}");
    // The first one is served as before.
    let sent = undecided("192.0.2.202");
    machine.push_ok(world.server(), std::slice::from_ref(&sent)).await;
    assert_eq!(
        world.alerts(&world.api_of(&tenant), "").await.len(),
        one.len() + 1
    );
    assert_eq!(world.alerts(&world.api_of(&copy), "").await.len(), other.len());
    let body = json!({"name": "acme-2", "leaveServers": true});
    let path = format!("/api/tenants/{}", copy.id);
    let root = super::tenants::admin(&world).await;
    let call = root.request("DELETE", &path).json(&body);
    crate::support::http::send(call).await.expect(202);
    wait::until_true("it is gone", wait::secs(60), || async {
        let sql = "SELECT count(*) = 0 FROM alert WHERE tenant_id = $1::text::int";
        client.query_one(sql, &[&copy.id]).await.expect("a count").get(0)
    })
    .await;
    assert_eq!(
        world.alerts(&world.api_of(&tenant), "").await.len(),
        one.len() + 1
    );
}
