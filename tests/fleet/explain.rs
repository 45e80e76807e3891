//! Everything about an address, what it comes to, and what can be done.
use super::mock::{Mock, Mood};
use super::rows::{ROW, Row, copy, put, server};
use crate::support::machine::signal;
use crate::support::world::World;
use serde_json::{Value, json};

fn kinds(found: &Value) -> Vec<&str> {
    let events = found["events"].as_array().expect("events");
    events.iter().map(|e| e["kind"].as_str().expect("kind")).collect()
}

fn actions(found: &Value) -> Vec<(&str, &str)> {
    let fixes = found["fixes"].as_array().expect("fixes");
    fixes
        .iter()
        .map(|f| {
            (
                f["action"].as_str().expect("action"),
                f["request"]["path"].as_str().expect("path"),
            )
        })
        .collect()
}

fn event<'a>(found: &'a Value, kind: &str) -> &'a Value {
    let events = found["events"].as_array().expect("events");
    events
        .iter()
        .find(|e| e["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {found}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_explained_in_the_order_of_time() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    let machine = world.machine("default").await;
    for ip in ["192.0.2.7", "192.0.2.7", "192.0.2.9"] {
        machine.push_ok(world.server(), &[signal(ip)]).await;
    }
    world.wait_alerts(&api, "", 3, 5).await;
    let (paris, lyon) = (
        server(&client, "paris", true, true).await,
        server(&client, "lyon", true, true).await,
    );
    let sender: i64 = client
        .query_one("SELECT max(machine_id) FROM alert", &[])
        .await
        .expect("a machine")
        .get(0);
    put(&client, &Row { id: sender, ..ROW }).await;
    put(
        &client,
        &Row {
            source: 2,
            id: paris,
            value: "192.0.2.0/24",
            origin: "cscli",
            ..ROW
        },
    )
    .await;
    copy(&client, paris, "192.0.2.7", 60, 0, None).await;
    copy(&client, lyon, "192.0.2.7", 60, 0, Some("no such scope")).await;
    // Everything before is older than what was just said.
    let allow = "WITH l AS (INSERT INTO allowlist (tenant_id, name) VALUES (1, 'office') RETURNING id)
                 INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, reason, created_at)
                 SELECT 1, id, '192.0.2.128/25', '192.0.2.128', '192.0.2.255', 'ours', '2026-01-01T00:00:00Z' FROM l";
    client.batch_execute(allow).await.expect("an allowlist");

    let found = api.get("/api/ips/192.0.2.7/explain").await.expect(200).json();
    assert_eq!(
        (&found["ip"], &found["verdict"]),
        (&json!("192.0.2.7"), &json!("banned")),
        "{found}"
    );
    let summary = found["summary"].as_str().expect("summary");
    assert!(
        summary.contains("crowdsecurity/ssh-bf") && summary.contains("and 1 more"),
        "{summary}"
    );
    let mut seen = kinds(&found);
    seen.sort_unstable();
    assert_eq!(
        seen,
        ["alert", "alert", "copy", "copy", "decision", "decision"],
        "{found}"
    );
    let times: Vec<&str> = found["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["at"].as_str().expect("at"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let said = event(&found, "decision");
    assert_eq!(
        json!([
            said["type"],
            said["value"],
            said["exact"],
            said["covers"],
            said["from"],
            said["liftedAt"]
        ]),
        json!(["ban", "192.0.2.7", true, true, "machine", null]),
        "{said}"
    );
    assert_eq!(said["name"], machine.login, "{said}");
    let alert = event(&found, "alert");
    assert_eq!(
        json!([alert["machine"], alert["localAudit"]]),
        json!([machine.login, false]),
        "{alert}"
    );
    assert!(
        alert["id"].is_i64() && alert["filtered"].is_boolean() && alert["reasons"].is_array(),
        "{alert}"
    );
    let refused = found["events"]
        .as_array()
        .expect("events")
        .iter()
        .find(|e| e["refused"] == true)
        .expect("refused");
    assert_eq!(
        json!([refused["server"], refused["error"]]),
        json!(["lyon", "no such scope"])
    );
    assert_eq!(
        actions(&found),
        [
            ("ask", "/api/ips/192.0.2.7/explain?live=true"),
            ("lift", "/api/decisions/unban"),
            ("lift", "/api/decisions/unban"),
            ("allow", "/api/allowlists/office/entries"),
            ("allow-range", "/api/allowlists/office/entries"),
        ]
    );
    let entry = &found["fixes"][3]["request"]["body"]["entries"][0];
    assert_eq!(
        json!([entry["value"], entry["duration"]]),
        json!(["192.0.2.7", "24h"])
    );

    // A range, its slash escaped: what is within shows, what holds for a part is told as a part.
    let range = api
        .get("/api/ips/192.0.2.0%2F23/explain")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&range["ip"], &range["verdict"]),
        (&json!("192.0.2.0/23"), &json!("partly")),
        "{range}"
    );
    assert_eq!(event(&range, "allowlist")["covers"], false, "{range}");
    assert_eq!(
        kinds(&range).iter().filter(|k| **k == "alert").count(),
        3,
        "{range}"
    );

    // Allowed, protected, freed, unknown.
    client
        .batch_execute("DELETE FROM decision; DELETE FROM lapi_copy WHERE state = 2")
        .await
        .expect("delete");
    let left = api.get("/api/ips/192.0.2.7/explain").await.expect(200).json();
    assert_eq!(left["verdict"], "lifting", "paris may still have it: {left}");
    let allowed = api.get("/api/ips/192.0.2.200/explain").await.expect(200).json();
    assert_eq!(allowed["verdict"], "allowed", "{allowed}");
    assert_eq!(event(&allowed, "allowlist")["list"], "office");
    let private = api.get("/api/ips/10.1.2.3/explain").await.expect(200).json();
    assert_eq!(
        (&private["verdict"], kinds(&private)),
        (&json!("clear"), vec!["protected"]),
        "{private}"
    );
    for bad in ["x", "1.2.3", "1.2.3.4%2F33", "example.org"] {
        let said = api
            .get(&format!("/api/ips/{bad}/explain"))
            .await
            .expect(400)
            .text();
        assert!(said.contains("ip"), "{said}");
    }
    // Nothing of it is another tenant's.
    let other = world.tenant("umbrella").await;
    let theirs = world
        .api_of(&other)
        .get("/api/ips/192.0.2.0%2F24/explain")
        .await
        .expect(200)
        .json();
    assert_eq!(
        json!([theirs["verdict"], theirs["events"], theirs["fixes"]]),
        json!(["clear", [], []])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_live_the_servers_tell_of_lists() {
    let world = World::start().await;
    let (api, mock) = (world.api(), Mock::start(Mood::Writes(200)).await);
    api.post("/api/lapi-servers", &mock.server("paris"))
        .await
        .expect(201);
    let down = json!({"name": "down", "url": format!("http://127.0.0.1:{}/", crate::support::free_port()), "apiKey": "k"});
    api.post("/api/lapi-servers", &down).await.expect(201);
    mock.set(Mood::Says(
        r#"[{"id": 5, "origin": "lists", "type": "ban", "scope": "Range", "value": "198.51.100.0/24", "duration": "3h", "scenario": "firehol_level1"}]"#,
    ));
    let quiet = api.get("/api/ips/198.51.100.9/explain").await.expect(200).json();
    assert_eq!(
        (&quiet["verdict"], actions(&quiet)),
        (
            &json!("clear"),
            vec![("ask", "/api/ips/198.51.100.9/explain?live=true")]
        )
    );
    let found = api
        .get("/api/ips/198.51.100.9/explain?live=true")
        .await
        .expect(200)
        .json();
    assert_eq!(found["verdict"], "banned", "{found}");
    let live = event(&found, "live");
    assert_eq!(
        json!([live["server"], live["id"], live["origin"], live["scenario"]]),
        json!(["paris", 5, "lists", "firehol_level1"])
    );
    assert_eq!(event(&found, "unreachable")["server"], "down");
    assert_eq!(
        actions(&found),
        [
            ("unban", "/api/decisions/5?server=paris"),
            ("allow", "/api/allowlists/exceptions/entries"),
            ("allow-range", "/api/allowlists/exceptions/entries"),
        ]
    );
    assert_eq!(
        found["fixes"][1]["before"]["path"], "/api/allowlists",
        "there is no list yet: {found}"
    );
}
