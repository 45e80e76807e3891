//! Live events: what is told, of what, and from where on.
use crate::fleet::queue::join;
use crate::support::cluster::Cluster;
use crate::support::events::{Event, Events, place};
use crate::support::http::Api;
use crate::support::machine::{Machine, address, signal, undecided, uuid_of};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};

async fn start() -> (World, Machine) {
    let world = World::start().await;
    let machine = world.machine("default").await;
    (world, machine)
}

fn named(events: &[Event], name: &str) -> Vec<Value> {
    let named = events.iter().filter(|e| e.name == name);
    named.map(|e| e.data.clone()).collect()
}

/// Done, or promised while the server's writer waits for its turn.
async fn act(api: &Api, what: &str, body: &Value) {
    let done = api.post(&format!("/api/decisions/{what}"), body).await;
    assert!(matches!(done.status, 200 | 202), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_its_verdict_and_its_delivery_are_told() {
    let (world, machine) = start().await;
    let api = world.api();
    let mut events = Events::open(&api, "", None).await;
    assert_eq!(events.header("x-accel-buffering"), Some("no"));
    assert_eq!(events.header("cache-control"), Some("no-store"));
    world.capi.poison("poison");
    let mut items = vec![
        signal("192.0.2.1"),
        undecided("192.0.2.2"),
        signal("192.0.2.3"),
        signal("192.0.2.4"),
    ];
    items[3]["message"] = json!("poison");
    machine.push_ok(world.server(), &items).await;
    let told = events.take(4 + 4 + 3).await;
    let alerts = named(&told, "alert");
    let uuids: Vec<String> = alerts.iter().map(uuid_of).collect();
    assert_eq!(
        uuids,
        items.iter().map(uuid_of).collect::<Vec<_>>(),
        "in their order"
    );
    for alert in &alerts {
        super::shape::assert_shape(alert);
    }
    let verdicts = named(&told, "filter");
    let filtered: Vec<bool> = verdicts
        .iter()
        .map(|v| v["filtered"].as_bool().expect("a flag"))
        .collect();
    assert_eq!(filtered, [false, true, false, false]);
    assert!(
        verdicts[1]["reasons"].as_array().is_some_and(|r| !r.is_empty()),
        "{verdicts:?}"
    );
    assert_eq!(verdicts[0]["machineId"], "lab-agent");
    let sent = named(&told, "delivery");
    for (n, outcome) in [(0, "delivered"), (2, "delivered"), (3, "refused")] {
        let delivery = sent.iter().find(|d| d["uuid"] == items[n]["uuid"]);
        let delivery = delivery.unwrap_or_else(|| panic!("no word of {n}: {sent:?}"));
        assert_eq!(
            (&delivery["to"], &delivery["outcome"]),
            (&json!("capi"), &json!(outcome))
        );
        assert_eq!(delivery["error"].is_string(), outcome == "refused", "{delivery}");
        assert_eq!(delivery["alertId"], alerts[n]["id"]);
    }
    // From the middle of a batch on, what is told is what the list shows.
    let verdict = told.iter().find(|e| e.name == "filter").expect("a verdict");
    let mut rest = Events::open(&api, "types=alert", Some(&verdict.id)).await;
    let rest = rest.take(3).await;
    let list = world.alerts(&api, "").await;
    for event in &rest {
        assert!(place(&event.id) > place(&verdict.id));
        let shown = list.iter().find(|a| a["id"] == event.data["id"]);
        assert_eq!(shown, Some(&event.data));
    }
    // A batch that was stored before tells nothing again.
    machine.push_ok(world.server(), &items).await;
    machine.push_ok(world.server(), &[undecided("192.0.2.9")]).await;
    let next = events.take(2).await;
    assert_eq!(next[0].data["sourceIp"], "192.0.2.9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_and_types_narrow_what_is_told() {
    let (world, machine) = start().await;
    let api = world.api();
    let mut items: Vec<Value> = (0..4).map(|n| undecided(&address(n))).collect();
    items[0]["scenario"] = json!("acme/http-probing");
    items[1]["machine_id"] = json!("web-1");
    items[2]["source"]["cn"] = json!("FR");
    items.push(signal("192.0.2.7"));
    machine.push_ok(world.server(), &items).await;
    for (query, expected) in [
        ("scenario=http-", vec![0]),
        ("machineId=web-1", vec![1]),
        ("country=FR", vec![2]),
        ("ip=192.0.2.0/24", vec![4]),
        ("filtered=false", vec![4]),
        ("filtered=true", vec![0, 1, 2, 3]),
        ("ip=198.18.0.0/15&country=FR", vec![2]),
    ] {
        let mut events = Events::open(&api, &format!("types=alert&{query}"), Some("0")).await;
        let told = events.take(expected.len()).await;
        let uuids: Vec<String> = told.iter().map(|e| uuid_of(&e.data)).collect();
        let wanted: Vec<String> = expected.iter().map(|n| uuid_of(&items[*n])).collect();
        assert_eq!(uuids, wanted, "{query}");
        events.silent(200).await;
        // What was passed over is behind it, too.
        let last = events.last.clone().expect("a place");
        assert!(place(&last) >= place(&told[told.len() - 1].id));
    }
    let mut filters = Events::open(&api, "types=filter", Some("0")).await;
    assert!(filters.take(5).await.iter().all(|e| e.name == "filter"));
    for (query, field) in [
        ("types=alerts", "types"),
        ("types=", "types"),
        ("ip=x", "ip"),
        ("country=fr", "country"),
        ("filtered=1", "filtered"),
        ("lastEventId=7", "lastEventId"),
        ("lastEventId=00000000-1-1-1-1", "lastEventId"),
    ] {
        let answer = api.get(&format!("/api/events?{query}")).await.expect(400).json();
        assert_eq!(answer["errors"][0]["field"], field, "{query}: {answer}");
    }
    let call = api
        .request("GET", "/api/events")
        .header("last-event-id", "a\u{e9}");
    assert_eq!(call.send().await.expect("an answer").status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_set_and_what_becomes_of_it_on_servers_is_told() {
    let (world, machine) = start().await;
    let api = world.api();
    let lapi = join(&api, "paris").await;
    let mut events = Events::open(&api, "types=decision,delivery&ip=192.0.2.7", None).await;
    let ban = json!({"server": "all", "ip": "192.0.2.7", "duration": "4h", "reason": "too loud"});
    act(&api, "ban", &ban).await;
    let told = events.take(2).await;
    assert_eq!(told[0].name, "decision");
    let added = &told[0].data;
    for (field, value) in [
        ("action", "added"),
        ("scope", "Ip"),
        ("value", "192.0.2.7"),
        ("type", "ban"),
        ("source", "hand"),
    ] {
        assert_eq!(added[field], value, "{added}");
    }
    let placed = &told[1].data;
    assert_eq!(told[1].name, "delivery");
    assert_eq!(
        [
            &placed["to"],
            &placed["server"],
            &placed["outcome"],
            &placed["value"]
        ],
        ["lapi", "paris", "delivered", "192.0.2.7"]
    );
    act(&api, "ban", &ban).await;
    let changed = events.take(1).await;
    assert_eq!(changed[0].data["action"], "changed");
    let over = json!({"ip": "192.0.2.7", "reason": "over"});
    act(&api, "unban", &over).await;
    let lifted = loop {
        let event = events.take(1).await.remove(0);
        if event.name == "decision" {
            break event.data;
        }
    };
    assert_eq!(lifted["action"], "lifted");
    // What an engine signals, and what ends by itself.
    machine.push_ok(world.server(), &[signal("192.0.2.7")]).await;
    let mut actions = Vec::new();
    while actions.last().is_none_or(|last| last != "expired") {
        if actions.len() == 1 {
            let hours = "UPDATE decision SET until = now() - interval '1 minute'";
            let db = world.db.client().await;
            db.batch_execute(hours).await.expect("hours later");
            db.batch_execute("UPDATE lane SET due_at = now() WHERE topic = 4")
                .await
                .expect("a turn");
        }
        let event = events.take(1).await.remove(0);
        if event.name == "decision" {
            assert_eq!(event.data["source"], "signal");
            actions.push(event.data["action"].as_str().expect("text").to_owned());
        }
    }
    assert_eq!(actions, ["added", "expired"]);
    lapi.assert_civil();
    // The records of what was done are alerts that nobody judged.
    let mut records = Events::open(&api, "types=alert,filter", Some("0")).await;
    for record in records.take(3).await {
        assert_eq!(
            (record.name.as_str(), &record.data["localAudit"]),
            ("alert", &json!(true))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_too_late_or_from_elsewhere_is_told_so() {
    let world = World::with(1, &[("GARRISON_EVENTS_KEEP", "1m")]).await;
    let machine = world.machine("default").await;
    let umbrella = world.tenant("umbrella").await;
    let (api, db) = (world.api(), world.db.client().await);
    machine.push_ok(world.server(), &[undecided("192.0.2.1")]).await;
    let mut events = Events::open(&api, "types=alert", Some("0")).await;
    let old = events.take(1).await.remove(0).id;
    // Erased meanwhile: told of no more.
    machine
        .push_ok(world.server(), &[undecided("192.0.2.2"), undecided("192.0.2.3")])
        .await;
    events.take(2).await;
    db.execute("DELETE FROM alert WHERE source_ip = '192.0.2.2'", &[])
        .await
        .expect("erased");
    let mut again = Events::open(&api, "types=alert", Some(&old)).await;
    assert_eq!(again.take(1).await[0].data["sourceIp"], "192.0.2.3");
    again.silent(100).await;

    // Another tenant's place, a place of tomorrow, another cluster's.
    let (tag, rest) = old.split_once('-').expect("a tag");
    let ahead = format!("{tag}-9000000000-1");
    let foreign = format!("00000000-{rest}");
    let theirs = world.api_of(&umbrella);
    for (api, id) in [(&theirs, &old), (&api, &ahead), (&api, &foreign)] {
        let mut events = Events::open(api, "types=alert", Some(id)).await;
        let reset = events.take(1).await.remove(0);
        assert_eq!(
            (reset.name.as_str(), &reset.data["reason"]),
            ("reset", &json!("unknown")),
            "{id}"
        );
        if api.base == world.api().base && id != &old {
            assert!(reset.data["oldest"].is_string(), "{}", reset.data);
            assert_eq!(events.take(2).await[1].data["sourceIp"], "192.0.2.3");
        }
    }

    // An hour later, all but what is written then is gone.
    db.execute("UPDATE event SET at = at - interval '1 hour'", &[])
        .await
        .expect("later");
    let left = || async {
        let row = db
            .query_one("SELECT count(*) FROM event", &[])
            .await
            .expect("rows");
        row.get::<_, i64>(0) == 0
    };
    wait::until_true("old events are deleted", wait::secs(30), left).await;
    machine.push_ok(world.server(), &[undecided("192.0.2.4")]).await;
    let mut late = Events::open(&api, "types=alert", Some(&old)).await;
    let told = late.take(2).await;
    assert_eq!(told[0].data["reason"], "expired");
    assert_eq!(told[1].data["sourceIp"], "192.0.2.4");
    let mut on = Events::open(&api, "types=alert", Some(&told[0].id)).await;
    assert_eq!(
        on.take(1).await[0].id,
        told[1].id,
        "and goes on from there as from any other"
    );
    // A stream that was open all the time lost nothing.
    assert_eq!(events.take(1).await[0].data["sourceIp"], "192.0.2.4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_stays_open_delays_and_loses_nothing() {
    let cluster = Cluster::start().await;
    let world = World::on(cluster.database().await, 1).await;
    let machine = world.machine("default").await;
    let mut events = Events::open(&world.api(), "types=alert", None).await;
    machine.push_ok(world.server(), &[undecided("192.0.2.1")]).await;
    events.take(1).await;
    // It took its number before the others, and appears after them.
    let open = world.db.client().await;
    let early = "BEGIN; INSERT INTO event (tenant_id, kind, keys)
        SELECT tenant_id, 1, ARRAY[key] FROM alert WHERE source_ip = '192.0.2.1'";
    open.batch_execute(early).await.expect("an open transaction");
    for n in 0..20 {
        machine.push_ok(world.server(), &[undecided(&address(n))]).await;
    }
    events.silent(1500).await;
    open.batch_execute("COMMIT").await.expect("commit");
    let told = events.take(21).await;
    assert_eq!(
        told[0].data["sourceIp"], "192.0.2.1",
        "the late one is not jumped over"
    );
    let values: Vec<Value> = told[1..].iter().map(|e| e.data["sourceIp"].clone()).collect();
    assert_eq!(values, (0..20).map(|n| json!(address(n))).collect::<Vec<_>>());
    events.silent(300).await;
}
