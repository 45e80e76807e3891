//! One ban, everywhere: Debian's real LAPIs, and what is told on one is on the others.
use crate::support::engine::Engine;
use crate::support::machine::{signal, time, undecided};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

/// What an agent posts when a log made it decide.
pub fn overflow(ip: &str, duration: &str) -> Value {
    json!({
        "scenario": "crowdsecurity/ssh-bf", "scenario_hash": "4441", "scenario_version": "0.1", "message": "six events",
        "events_count": 6, "capacity": 5, "leakspeed": "10s", "start_at": time(-10), "stop_at": time(0), "simulated": false,
        "remediation": true, "events": [], "source": {"scope": "Ip", "value": ip, "ip": ip},
        "decisions": [{"duration": duration, "type": "ban", "scope": "Ip", "value": ip, "origin": "crowdsec",
            "scenario": "crowdsecurity/ssh-bf"}],
    })
}

/// Milliseconds that a decision still has, as a LAPI writes them.
fn left(decision: &Value) -> i64 {
    let text = decision["duration"].as_str().expect("duration");
    garrison::kernel::duration::parse_duration_ms(text).expect("a Go duration")
}

pub async fn wait_on(engine: &Engine, ip: &str, n: usize, seconds: u64) -> Vec<Value> {
    let what = format!("{n} decisions on {ip}");
    wait::until_true(&what, wait::secs(seconds), || async {
        engine.decisions(&format!("ip={ip}")).await.len() == n
    })
    .await;
    engine.decisions(&format!("ip={ip}")).await
}

/// Registers it, as README tells to.
pub async fn joined(world: &World, engine: &Engine, name: &str) {
    let server = engine.member(name).await;
    let made = world
        .api()
        .post("/api/lapi-servers", &server)
        .await
        .expect(201)
        .json();
    assert_eq!(made["check"]["login"], true, "{made}");
}

/// A log, an agent, two servers behind Garrison, a bouncer: once everywhere, nothing back, nothing twice to CAPI.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_of_an_agents_log_comes_to_the_other_server_and_goes_with_it() {
    let world = World::start().await;
    let api = world.api();
    // Engines before 1.5 signal without decisions, and the rule that keeps such alerts here is on by default.
    world.set_rules(&api, &[]).await;
    let (one, two) = (world.machine("default").await, world.machine("default").await);
    let gate = world.gate_url();
    let (paris, lyon) = tokio::join!(Engine::start(&gate, &one), Engine::start(&gate, &two));
    joined(&world, &paris, "paris").await;
    joined(&world, &lyon, "lyon").await;
    let (_bouncer, told) = lyon.bouncer().await;
    let told = || std::fs::read_to_string(&told).expect("what the bouncer was told");

    paris.agent_sees(&["192.0.2.7"]).await;
    let copy = wait_on(&lyon, "192.0.2.7", 1, 60).await;
    // Several scenarios saw it; the longest counts, and nothing comes back to where it was decided.
    let own = paris.decisions("ip=192.0.2.7").await;
    assert!(own.iter().all(|d| d["origin"] == "crowdsec"), "{own:?}");
    let longest = own.iter().max_by_key(|d| left(d)).expect("one");
    assert_eq!(
        (&copy[0]["origin"], &copy[0]["scope"], &copy[0]["type"]),
        (&json!("garrison"), &json!("Ip"), &json!("ban"))
    );
    let apart = (left(&copy[0]) - left(longest)).abs();
    assert!(apart < 5000, "the same end: {apart} ms apart");
    wait::until_true("the bouncer is told", wait::secs(15), || async {
        told().contains("add 192.0.2.7")
    })
    .await;

    // Both engines signal it within 45 s; only the one that decided it speaks to CAPI.
    wait::until_true(
        "both engines' signals, and CAPI's answer",
        wait::secs(100),
        || async {
            let alerts = world.alerts(&api, "ip=192.0.2.7").await;
            let echoes = alerts.iter().filter(|a| a["machineId"] == "garrison").count();
            let sent = alerts.iter().filter(|a| a["forwardedToCapi"] == true).count();
            echoes > 0 && sent > 0 && sent + echoes == alerts.len()
        },
    )
    .await;
    let kept = world.alerts(&api, "ip=192.0.2.7&machineId=garrison").await;
    assert!(kept.iter().all(|a| a["forwardedToCapi"] == false), "{kept:?}");

    let (good, said) = paris.cscli(&["decisions", "delete", "--ip", "192.0.2.7"]).await;
    assert!(good, "{said}");
    wait_on(&lyon, "192.0.2.7", 0, 60).await;
    assert!(paris.decisions("ip=192.0.2.7").await.is_empty());
    wait::until_true("the bouncer is told", wait::secs(15), || async {
        told().contains("del 192.0.2.7")
    })
    .await;
    let servers = api.get("/api/lapi-servers").await.expect(200).json();
    for server in servers.as_array().expect("servers") {
        let state = &server["replication"];
        assert_eq!(
            (&state["wanted"], &state["delivered"]),
            (&json!(0), &json!(0)),
            "{server}"
        );
        assert_eq!(
            (&state["breaker"], &state["failures"]),
            (&json!("closed"), &json!(0))
        );
    }
}

/// A v3 engine that is no server here: its signals are enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signals_decision_comes_to_every_server_filtered_or_not() {
    let world = World::start().await;
    let api = world.api();
    let engine = Engine::alone().await;
    // What was reported before the first server was registered is taken up, too.
    let machine = world.machine("default").await;
    machine.push_ok(world.server(), &[signal("192.0.2.8")]).await;
    joined(&world, &engine, "paris").await;
    let mut items = vec![
        signal("192.0.2.9"),
        signal("10.0.0.1"),
        undecided("192.0.2.10"),
        signal("192.0.2.11"),
    ];
    items[3]["decisions"][0]["origin"] = json!("garrison");
    let range = json!({"duration": "1h", "origin": "cscli", "scenario": "why", "scope": "range", "type": "captcha", "value": "198.51.100.7/24"});
    items[0]["decisions"]
        .as_array_mut()
        .expect("decisions")
        .push(range);
    machine.push_ok(world.server(), &items).await;
    wait_on(&engine, "192.0.2.8", 1, 30).await;
    wait_on(&engine, "192.0.2.9", 1, 30).await;
    let range = wait_on(&engine, "198.51.100.9", 1, 30).await;
    assert_eq!(
        (&range[0]["scope"], &range[0]["value"], &range[0]["type"]),
        (&json!("Range"), &json!("198.51.100.0/24"), &json!("captcha"))
    );
    for ip in ["10.0.0.1", "192.0.2.10", "192.0.2.11"] {
        assert!(engine.decisions(&format!("ip={ip}")).await.is_empty(), "{ip}");
    }
    let state = api.get("/api/lapi-servers/paris").await.expect(200).json()["replication"].clone();
    assert_eq!(
        (&state["wanted"], &state["delivered"]),
        (&json!(3), &json!(3)),
        "{state}"
    );
}
