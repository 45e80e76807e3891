//! Debian's own CrowdSec 1.4.6: bans come to it and go from it through the stream that it pulls, and Garrison holds no
//! credential of its Local API.
use super::{ban, deliver, number, put, run};
use crate::support::engine::Engine;
use crate::support::machine::{Machine, time};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

/// What a bouncer of the engine sees of an address: origin and type of each decision.
async fn seen(engine: &Engine, query: &str) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = engine.decisions(query).await;
    let mut all: Vec<_> = all
        .iter()
        .map(|d| (text(&d["origin"]), text(&d["type"])))
        .collect();
    all.sort();
    all
}

fn lists(kind: &str) -> Vec<(String, String)> {
    vec![("lists".to_owned(), kind.to_owned())]
}

async fn becomes(engine: &Engine, query: &str, expected: &[(String, String)]) {
    let what = format!("{query} is {expected:?}");
    wait::until_true(&what, wait::secs(30), || async {
        seen(engine, query).await == expected
    })
    .await;
}

/// A pull: at its start, since its last one brought nothing of CAPI's own.
async fn pull(world: &World, engine: &mut Engine) {
    let pulls = world.capi.at("/decisions/stream").len();
    engine.restart().await;
    engine.log_in_agent().await;
    wait::until_true("the engine pulls", wait::secs(30), || async {
        world.capi.at("/decisions/stream").len() > pulls
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_reaches_an_engine_without_a_credential_of_it_and_goes_again() {
    let world = World::start().await;
    let mut engine = Engine::start(&world.gate_url(), &Machine::stranger()).await;
    let api = world.api();
    wait::until_true("the engine logged in", wait::secs(30), || async {
        let all = api.get("/api/machines").await.expect(200).text();
        all.contains(&engine.login)
    })
    .await;
    let id = number(&api, &engine.login).await;
    deliver(&api, id, true).await.expect(200);
    assert_eq!(api.get("/api/lapi-servers").await.expect(200).json(), json!([]));
    for value in ["203.0.113.7", "203.0.113.8", "198.51.100.0/24", "2001:db8::7"] {
        ban(&world, value).await;
    }
    put(&world, "203.0.113.9", "captcha", (3, 0), None).await;
    ban(&world, "192.0.2.10").await;
    run(
        &world,
        "INSERT INTO allowlist (tenant_id, name) VALUES (1, 'office');
         INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi)
           SELECT 1, id, '192.0.2.0/24', '192.0.2.0', '192.0.2.255' FROM allowlist",
    )
    .await;
    // The engine has a ban of its own on one of them.
    let own = json!([{"capacity": 0, "events": [], "events_count": 1, "leakspeed": "0", "message": "own",
        "scenario": "own", "scenario_hash": "", "scenario_version": "", "simulated": false,
        "source": {"ip": "203.0.113.8", "scope": "Ip", "value": "203.0.113.8"}, "start_at": time(0), "stop_at": time(0),
        "decisions": [{"duration": "4h", "origin": "crowdsec", "scenario": "own", "scope": "Ip", "type": "ban",
            "value": "203.0.113.8"}]}]);
    // The agent's session makes it pull, too.
    engine.post_alerts(own.as_array().expect("a list")).await;

    becomes(&engine, "ip=203.0.113.7", &lists("ban")).await;
    becomes(&engine, "ip=2001:db8::7", &lists("ban")).await;
    becomes(&engine, "ip=203.0.113.9", &lists("captcha")).await;
    becomes(&engine, "ip=198.51.100.77", &lists("ban")).await;
    becomes(&engine, "ip=192.0.2.10", &[]).await;
    let both = [("crowdsec", "ban"), ("lists", "ban")].map(|(o, t)| (o.to_owned(), t.to_owned()));
    becomes(&engine, "ip=203.0.113.8", &both).await;
    let range = engine.decisions("range=198.51.100.0/24").await;
    assert_eq!(range[0]["scope"], "Range", "{range:?}");
    let left = engine.decisions("ip=203.0.113.7").await[0]["duration"]
        .as_str()
        .expect("duration")
        .to_owned();
    assert!(left.starts_with("3h59m"), "as long as in the set: {left}");

    // It pulls again while nothing changed: one of each, not two.
    pull(&world, &mut engine).await;
    becomes(&engine, "ip=203.0.113.7", &lists("ban")).await;
    // Lifted here, gone there; the engine's own stays.
    run(
        &world,
        "DELETE FROM decision WHERE value IN ('203.0.113.7', '203.0.113.8', '198.51.100.0/24')",
    )
    .await;
    pull(&world, &mut engine).await;
    becomes(&engine, "ip=203.0.113.7", &[]).await;
    becomes(&engine, "ip=198.51.100.77", &[]).await;
    becomes(&engine, "ip=203.0.113.8", &both[..1]).await;
    becomes(&engine, "ip=2001:db8::7", &lists("ban")).await;
    // Switched off, the rest is taken back.
    deliver(&api, id, false).await.expect(200);
    pull(&world, &mut engine).await;
    becomes(&engine, "ip=2001:db8::7", &[]).await;
    becomes(&engine, "ip=203.0.113.9", &[]).await;
    becomes(&engine, "ip=203.0.113.8", &both[..1]).await;
}
