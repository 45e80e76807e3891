//! PyPI's cscapi against the gate: a bare token, `+0000` times, nulls everywhere, batches of 250.
use crate::support::capi::key;
use crate::support::engine::cscapi;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cscapi_registers_sends_pulls_and_enrols() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let base = format!("{}/v3", world.server().url());
    let report = cscapi(&base, &tenant.enrollment_key, &world.dir.join("cscapi.db")).await;
    let total = usize::try_from(report["signals"].as_u64().expect("signals")).expect("count");
    let login = report["login"].as_str().expect("login");
    assert_eq!(report["stream"]["new"], json!([]), "the stream: {report}");

    // everything it sent before it enrolled belongs to the default tenant
    let stored = world.wait_alerts(&world.api(), "", total, 20).await;
    let passing: BTreeSet<&str> = report["passing"]
        .as_array()
        .expect("list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for alert in &stored {
        let value = alert["sourceValue"].as_str().expect("sourceValue");
        assert_eq!(alert["filtered"], !passing.contains(value), "verdict of {value}");
        assert_eq!(alert["machineId"], login);
        assert!(
            alert["uuid"].is_string() && alert["startAt"].is_string(),
            "uuid and time of {value}"
        );
    }
    world
        .wait_alerts(&world.api(), "forwardedToCapi=true", passing.len(), 30)
        .await;
    let delivered = world.capi.delivered_items();
    let values: BTreeSet<&str> = delivered
        .iter()
        .filter_map(|i| i["source"]["value"].as_str())
        .collect();
    assert_eq!(
        (values, delivered.len()),
        (passing.clone(), passing.len()),
        "exactly the passing ones, once"
    );
    for item in &delivered {
        // the engine's own values: nulls, lower case and unknown keys survive
        assert_eq!(item["source"]["range"], Value::Null);
        assert!(
            item["source"].as_object().expect("source").contains_key("range"),
            "a null key is lost: {item}"
        );
        assert_eq!(item["source"]["scope"], "ip");
        assert!(
            item.get("sent").is_some() && item.get("alert_id").is_some(),
            "unknown keys: {item}"
        );
        assert!(
            item["start_at"].as_str().is_some_and(|t| t.ends_with("+0000")),
            "the time as written: {item}"
        );
        assert!(!key(item).is_empty());
    }
    let register = world.capi.at("/v3/watchers");
    assert_eq!(register.len(), 1, "one registration is relayed");
    assert_eq!(register[0].body["machine_id"], *login);

    // `console enroll` moved it
    wait::until_true("the machine is the tenant's", wait::secs(5), || async {
        world
            .cli
            .json(&["machine", "list", "--tenant", "acme"])
            .await
            .to_string()
            .contains(login)
    })
    .await;
    assert_eq!(
        world.capi.at("/watchers/enroll").len(),
        0,
        "our key is not CAPI's business"
    );
}
