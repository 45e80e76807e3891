//! Where the decisions for an address are, told from rows.
use super::rows::{ROW, Row, copy, put, server};
use crate::support::world::World;
use serde_json::{Value, json};

fn of<'a>(decision: &'a Value, server: &str) -> &'a Value {
    let servers = decision["servers"].as_array().expect("servers");
    servers.iter().find(|s| s["server"] == server).expect(server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wanted_delivered_present_own_or_refused() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    let paris = server(&client, "paris", true, true).await;
    let lyon = server(&client, "lyon", true, true).await;
    let nice = server(&client, "nice", true, true).await;
    let brest = server(&client, "brest", true, false).await;
    server(&client, "reader", false, true).await;
    let sync = "INSERT INTO lapi_sync (tenant_id, server_id, read_at, compared_at) VALUES (1, $1, '2026-11-20T10:00:00Z', '2026-11-20T10:00:05Z')
                ON CONFLICT (tenant_id, server_id) DO UPDATE SET read_at = excluded.read_at, compared_at = excluded.compared_at";
    client.execute(sync, &[&paris]).await.expect("sync");
    // An engine says it for an hour, paris by itself for two: paris wants the engine's end, the others paris'.
    put(&client, &ROW).await;
    put(
        &client,
        &Row {
            source: 2,
            id: paris,
            minutes: 120,
            origin: "cscli",
            ..ROW
        },
    )
    .await;
    copy(&client, paris, "192.0.2.7", 60, 4, None).await;
    copy(&client, lyon, "192.0.2.7", 60, 0, None).await;
    copy(&client, nice, "192.0.2.7", 120, 0, Some("allowlisted there")).await;
    // A range by hand, for brest alone; a lifted one; one that has ended; a part of nothing that is asked.
    put(
        &client,
        &Row {
            source: 3,
            id: 0,
            value: "192.0.2.0/24",
            origin: "crowdsieve",
            ..ROW
        },
    )
    .await;
    let hand = "UPDATE decision SET servers = ARRAY[$1::bigint] WHERE source = 3";
    client.execute(hand, &[&brest]).await.expect("a hand");
    put(
        &client,
        &Row {
            value: "192.0.0.0/16",
            source: 2,
            id: lyon,
            ..ROW
        },
    )
    .await;
    client
        .execute(
            "UPDATE decision SET lifted_at = now() WHERE value = '192.0.0.0/16'",
            &[],
        )
        .await
        .expect("lifted");
    put(
        &client,
        &Row {
            kind: "captcha",
            minutes: -1,
            ..ROW
        },
    )
    .await;
    put(
        &client,
        &Row {
            value: "192.0.2.8",
            ..ROW
        },
    )
    .await;

    let found = api
        .get("/api/decisions/coverage?ip=::ffff:192.0.2.7")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&found["ip"], &found["complete"]),
        (&json!("192.0.2.7"), &json!(false)),
        "{found}"
    );
    let decisions = found["decisions"].as_array().expect("decisions");
    let values: Vec<&str> = decisions
        .iter()
        .map(|d| d["value"].as_str().expect("value"))
        .collect();
    assert_eq!(values, ["192.0.2.7", "192.0.2.0/24"], "{found}");
    let (one, range) = (&decisions[0], &decisions[1]);
    assert_eq!(
        (&one["saidBy"], &one["scope"], &one["type"]),
        (&json!(2), &json!("Ip"), &json!("ban"))
    );
    for (server, wanted, delivered, present, own) in [
        ("paris", true, true, true, true),
        ("lyon", true, false, true, false),
        ("nice", true, false, false, false),
        ("brest", false, false, false, false),
        ("reader", false, false, false, false),
    ] {
        let seen = of(one, server);
        let expected = json!([wanted, delivered, present, own]);
        assert_eq!(
            json!([seen["wanted"], seen["delivered"], seen["present"], seen["own"]]),
            expected,
            "{seen}"
        );
        assert_eq!(seen["wantedUntil"].is_string(), wanted, "{seen}");
    }
    assert_eq!(of(one, "nice")["error"], "allowlisted there");
    assert_eq!(of(one, "nice")["placedAt"], Value::Null);
    let paris = of(one, "paris");
    assert_eq!(paris["comparedAt"], "2026-11-20T10:00:05.000Z");
    assert_eq!(paris["readAt"], "2026-11-20T10:00:00.000Z");
    assert!(
        paris["placedAt"].is_string() && paris["checkedAt"].is_string(),
        "{paris}"
    );
    assert!(paris["wantedUntil"].as_str() < of(one, "lyon")["wantedUntil"].as_str());
    assert_eq!(of(range, "brest")["wanted"], true, "by hand and named: {range}");
    assert_eq!(
        of(range, "paris")["wanted"],
        false,
        "by hand and not named: {range}"
    );

    // A wider question is about what covers all of it.
    let wide = api
        .get("/api/decisions/coverage?ip=192.0.2.0/24")
        .await
        .expect(200)
        .json();
    assert_eq!(
        wide["decisions"].as_array().expect("decisions").len(),
        1,
        "{wide}"
    );
    let none = api
        .get("/api/decisions/coverage?ip=2001:db8::1")
        .await
        .expect(200)
        .json();
    assert_eq!(
        none,
        json!({"ip": "2001:db8::1", "complete": true, "decisions": []})
    );
    for query in ["", "?ip=", "?ip=x"] {
        api.get(&format!("/api/decisions/coverage{query}"))
            .await
            .expect(400);
    }
    let other = world.tenant("umbrella").await;
    let theirs = world
        .api_of(&other)
        .get("/api/decisions/coverage?ip=192.0.2.7")
        .await
        .expect(200)
        .json();
    assert_eq!(theirs["decisions"], json!([]));
}
