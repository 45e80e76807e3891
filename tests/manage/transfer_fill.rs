//! A tenant worth moving.
use crate::fleet::analyzer_store::Store;
use crate::support::fixtures;
use crate::support::lapi::Lapi;
use crate::support::machine::{Machine, signal};
use crate::support::wait;
use crate::support::world::{Tenant, World, rule};
use serde_json::{Value, json};
use tokio_postgres::Client;

/// A tenant with something of everything, its engine, and what that engine sent.
pub struct Filled {
    pub tenant: Tenant,
    pub machine: Machine,
    pub signals: Vec<Value>,
}

pub async fn filled(world: &World, near: &Lapi, logs: &Store) -> Filled {
    let tenant = world.tenant("acme").await;
    let api = world.api_of(&tenant);
    let machine = world.machine("acme").await;
    world
        .set_rules(&api, &[rule("mine", "scenario", "contains", json!("ssh"))])
        .await;
    let retention = json!({"alerts": 300, "bodies": 200});
    api.put("/api/retention", &retention).await.expect(200);
    api.post("/api/allowlists", &json!({"name": "mine", "description": "ours"}))
        .await
        .expect(201);
    let entries =
        json!({"entries": [{"value": "198.51.100.0/28", "reason": "office"}, {"value": "2001:db8::7"}]});
    api.post("/api/allowlists/mine/entries", &entries)
        .await
        .expect(200);
    api.post("/api/lapi-servers", &near.member("near"))
        .await
        .expect(201);
    api.post("/api/analyzers", &logs.rule("sso")).await.expect(201);
    wait::until_true("the analyzer ran", wait::secs(20), || async {
        let shown = api.get("/api/analyzers/sso").await.expect(200).json();
        shown["status"]["lastRun"]["status"] == "success"
    })
    .await;
    let mut off = logs.rule("off");
    off["enabled"] = json!(false);
    api.post("/api/analyzers", &off).await.expect(201);
    api.post("/api/feeds", &json!({"name": "wall", "types": ["ban"]}))
        .await
        .expect(201);
    let signals = fixtures::list("signals-v3-all.json");
    for part in signals.chunks(60) {
        machine.push_ok(world.server(), part).await;
    }
    let broken = [signal("192.0.2.77"), json!({"scenario": 7})];
    machine.push(world.server(), &broken).await.expect(200);
    let ban = json!({"server": "all", "ip": "203.0.113.7", "duration": "48h", "reason": "too loud"});
    let banned = api.post("/api/decisions/ban", &ban).await;
    assert!(matches!(banned.status, 200 | 202), "{}", banned.text());
    Filled {
        tenant,
        machine,
        signals,
    }
}

/// Alerts of other days, places and verdicts.
pub async fn spread(client: &Client, tenant: &str) {
    let sql = format!(
        "WITH n AS (SELECT tenant_id, key, row_number() OVER (ORDER BY key) AS i FROM alert WHERE tenant_id = {tenant})
         UPDATE alert a SET received_at = now() - n.i / 4 * interval '3 hours 11 minutes' - interval '5 minutes',
           geo_country_code = (ARRAY['FR', 'DE', '', NULL, 'US'])[n.i % 5 + 1],
           geo_latitude = CASE WHEN n.i % 7 > 0 THEN (n.i % 160) - 80.1 END, geo_longitude = (n.i % 11) - 5.3,
           forwarded_at = CASE WHEN n.i % 4 = 0 THEN now() END, forward_state = CASE WHEN n.i % 4 = 0 THEN 2 ELSE 1 END
         FROM n WHERE a.tenant_id = n.tenant_id AND a.key = n.key"
    );
    client.batch_execute(&sql).await.expect("spread");
}
