//! One ban, everywhere: Debian's real LAPIs, and what is told on one is on the others.
use crate::support::engine::Engine;
use crate::support::machine::time;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_of_one_server_comes_to_the_other_and_goes_with_it() {
    let world = World::start().await;
    let (paris, lyon) = tokio::join!(Engine::alone(), Engine::alone());
    let api = world.api();
    for server in [paris.member("paris").await, lyon.member("lyon").await] {
        let made = api.post("/api/lapi-servers", &server).await.expect(201).json();
        assert_eq!(made["check"]["login"], true, "{made}");
    }
    paris.post_alerts(&[overflow("192.0.2.7", "4h")]).await;
    let copy = wait_on(&lyon, "192.0.2.7", 1, 60).await;
    let own = paris.decisions("ip=192.0.2.7").await;
    assert_eq!(
        own.len(),
        1,
        "nothing comes back to where it was decided: {own:?}"
    );
    assert_eq!(
        (&copy[0]["origin"], &copy[0]["scope"], &copy[0]["type"]),
        (&json!("garrison"), &json!("Ip"), &json!("ban"))
    );
    assert_eq!(copy[0]["scenario"], "crowdsecurity/ssh-bf");
    let apart = (left(&copy[0]) - left(&own[0])).abs();
    assert!(apart < 5000, "the same end: {apart} ms apart");

    let (good, said) = paris.cscli(&["decisions", "delete", "--ip", "192.0.2.7"]).await;
    assert!(good, "{said}");
    wait_on(&lyon, "192.0.2.7", 0, 60).await;
    assert!(paris.decisions("ip=192.0.2.7").await.is_empty());
}
