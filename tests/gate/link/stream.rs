//! Which machine's stream gets what, and how it is switched.
use super::{Stream, allowlist, ban, deliver, delivering, fetch, number, pull, put, reply, run};
use crate::support::http::send;
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_does_not_deliver_gets_capis_bytes() {
    let world = World::start().await;
    ban(&world, "203.0.113.7").await;
    allowlist(&world, "office", &[("192.0.2.0/24", "", "NULL")]).await;
    let machine = world.machine("default").await;
    let odd = "{ \"links\" : { \"blocklists\":[ {\"name\":\"theirs\", \"url\":\"\",\"remediation\":\"ban\",\"scope\":\"ip\",\"duration\":\"1h\", \"x\":1.50e3} ] } , \"new\":[\n],\"deleted\":null, \"new\":[] }";
    world.capi.rules(vec![reply(odd)]);
    for target in ["/v3/decisions/stream?", "/v2/decisions/stream?startup=true"] {
        let answer = pull(&world, &machine, target).await.expect(200);
        assert_eq!(answer.text(), odd, "{target}");
        assert_eq!(answer.header("etag").as_deref(), Some("\"theirs\""));
    }
    // delivering, only what is ours is new
    let id = number(&world.api(), &machine.login).await;
    deliver(&world.api(), id, true).await.expect(200);
    let answer = pull(&world, &machine, "/v3/decisions/stream?").await.expect(200);
    assert!(
        answer
            .text()
            .starts_with(r#"{"links":{"blocklists":[{"name":"theirs", "url":"","remediation":"ban","scope":"ip","duration":"1h", "x":1.50e3},{"name":"garrison","#)
    );
    assert!(answer.text().ends_with(
        r#","new":[
],"deleted":null,"new":[]}"#
    ));
    assert_eq!(answer.header("etag"), None, "it is not about our part");
    let answer = pull(&world, &machine, "/v2/decisions/stream?")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&answer["new"][0]["value"], &answer["new"][0]["origin"]),
        (&json!("203.0.113.7"), &json!("lists"))
    );
    // what is not as we know it passes as it is
    for strange in ["[]", "not JSON", r#"{"links":7,"new":7}"#] {
        world.capi.rules(vec![reply(strange)]);
        for target in ["/v3/decisions/stream?", "/v2/decisions/stream?"] {
            let answer = pull(&world, &machine, target).await.expect(200);
            assert_eq!(answer.text(), strange);
        }
    }
    // off again: what it was given is taken back, and then its stream is CAPI's
    world.capi.rules(vec![reply(odd)]);
    deliver(&world.api(), id, false).await.expect(200);
    let answer = pull(&world, &machine, "/v2/decisions/stream?")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&answer["new"], &answer["deleted"][0]["value"]),
        (&json!([]), &json!("203.0.113.7"))
    );
    let stream = Stream::of(&pull(&world, &machine, "/v3/decisions/stream?").await.expect(200));
    assert_eq!(stream.names(), ["theirs"]);
    assert_eq!(
        fetch(&stream.url("garrison-office"), None)
            .await
            .expect(200)
            .text(),
        ""
    );
    run(&world, "UPDATE machine SET takes_back_until = now()").await;
    tokio::time::sleep(wait::secs(4)).await;
    let answer = pull(&world, &machine, "/v3/decisions/stream?").await.expect(200);
    assert_eq!(answer.text(), odd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_machine_said_itself_does_not_come_back_to_it() {
    let world = World::start().await;
    let (machine, id) = delivering(&world).await;
    let other = world.machine("default").await;
    let other_id = number(&world.api(), &other.login).await;
    run(
        &world,
        &format!(
            "INSERT INTO lapi_server (tenant_id, id, slot, name, url, bouncer_key) OVERRIDING SYSTEM VALUE VALUES
               (1, 71, 1, 'mine', 'http://192.0.2.71/', ''), (1, 72, 2, 'theirs', 'http://192.0.2.72/', '');
             INSERT INTO lapi_sync (tenant_id, server_id, machine_id) VALUES (1, 71, {id}), (1, 72, {other_id})"
        ),
    )
    .await;
    for (value, source, servers) in [
        ("203.0.113.1", (1, id), None),
        ("203.0.113.2", (2, 71), None),
        ("203.0.113.3", (1, other_id), None),
        ("203.0.113.4", (2, 72), None),
        ("203.0.113.5", (3, 0), Some(71)),
        ("203.0.113.6", (3, 0), Some(72)),
        ("203.0.113.7", (1, id), None),
        ("203.0.113.7", (1, other_id), None),
        ("203.0.113.8", (2, 72), None),
    ] {
        put(&world, value, "ban", source, servers).await;
    }
    run(
        &world,
        "UPDATE decision SET lifted_at = now() WHERE value = '203.0.113.8';
         INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, until)
           VALUES (1, md5('x')::uuid, 3, 0, 'cscli', 'Country', 'XX', 'ban', 'test', now() + interval '1 hour')",
    )
    .await;
    let stream = Stream::of(&pull(&world, &machine, "/v3/decisions/stream").await.expect(200));
    let got = fetch(&stream.url("garrison"), None).await.expect(200).text();
    assert_eq!(got, "203.0.113.3\n203.0.113.4\n203.0.113.5\n203.0.113.7\n");
    assert_eq!(stream.names(), ["garrison"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_capi_is_away_our_part_still_arrives_and_what_is_owed_follows() {
    let mut world = World::start().await;
    let (machine, _) = delivering(&world).await;
    ban(&world, "203.0.113.7").await;
    world.capi.close();
    // nothing is kept: ours alone, and a plain question later
    let answer = pull(&world, &machine, "/v3/decisions/stream?startup=true")
        .await
        .expect(200);
    assert_eq!(
        (&answer.json()["new"], Stream::of(&answer).names()),
        (&json!([]), vec!["garrison"])
    );
    world.capi.open();
    world
        .capi
        .stream(json!({"new": [], "deleted": [], "links": {"blocklists": []}, "whole": true}));
    let asked = || world.capi.at("/decisions/stream").pop().expect("asked").target;
    wait::until_true("CAPI is asked again", wait::secs(20), || async {
        pull(&world, &machine, "/v3/decisions/stream").await.json()["whole"] == true
    })
    .await;
    assert_eq!(
        asked(),
        "/v3/decisions/stream?startup=true",
        "all that it was owed"
    );
    pull(&world, &machine, "/v3/decisions/stream").await.expect(200);
    assert!(!asked().contains("startup"), "once");
    // what was kept is CAPI's own: our part is in the stale answer once
    world.capi.close();
    let answer = pull(&world, &machine, "/v3/decisions/stream").await.expect(200);
    assert!(answer.header("age").is_some(), "a kept one");
    assert_eq!(
        (Stream::of(&answer).names(), &answer.json()["whole"]),
        (vec!["garrison"], &json!(true))
    );
    // who does not deliver has nothing kept, and hears 503
    let other = world.machine("default").await;
    pull(&world, &other, "/v3/decisions/stream").await.expect(503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_switches_delivery() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let said = world
        .cli
        .json(&[
            "machine",
            "set",
            "--tenant",
            "default",
            &machine.login,
            "--deliver",
            "true",
        ])
        .await;
    assert_eq!(said["deliver"], true);
    let listed = |all: Value| {
        let all = all.as_array().expect("a list").clone();
        all.iter()
            .any(|m| m["login"] == *machine.login && m["deliver"] == true)
    };
    assert!(listed(world.cli.json(&["machine", "list"]).await));
    assert!(listed(world.api().get("/api/machines").await.expect(200).json()));
    let sql = "SELECT t.keeps_decisions, EXISTS (SELECT FROM lane l WHERE l.tenant_id = 1 AND topic = 4 AND subject_id = 0)
               FROM tenant t WHERE id = 1";
    let row = world
        .db
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("tenant 1");
    assert!(
        row.get::<_, bool>(0) && row.get::<_, bool>(1),
        "the set is kept up from now on"
    );
    let api = world.api();
    let id = number(&api, &machine.login).await;
    for (body, status) in [
        (json!({"deliver": "yes"}), 400),
        (json!({}), 400),
        (json!({"deliver": true, "name": "x"}), 400),
        (json!({"deliver": false}), 200),
    ] {
        let call = api.request("PATCH", &format!("/api/machines/{id}")).json(&body);
        let answer = send(call).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    for absent in ["999999", "x", "1.5"] {
        let call = api.request("PATCH", &format!("/api/machines/{absent}"));
        send(call.json(&json!({"deliver": true}))).await.expect(404);
    }
}
