//! `GET /api/alerts` and `GET /api/alerts/{id}`: 41 fields, eleven parameters.
use super::shape::assert_shape;
use crate::support::http::{Answer, Api};
use crate::support::machine::{new_uuid, signal, undecided, uuid_of};
use crate::support::wait;
use crate::support::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn put(mut item: Value, path: &str, value: Value) -> Value {
    match path.split_once('.') {
        Some((a, b)) => item[a][b] = value,
        None => item[path] = value,
    }
    item
}

fn signals() -> Vec<Value> {
    let v6 = put(signal("2001:db8::1"), "source.ip", json!("2001:0db8:0000::0001"));
    let geo = put(
        put(signal("198.51.100.3"), "source.cn", json!("FR")),
        "source.as_number",
        json!("64500"),
    );
    let geo = put(
        put(geo, "source.latitude", json!(48.8582)),
        "source.longitude",
        json!(2.3387),
    );
    let range = put(
        put(signal("192.0.2.128/25"), "source.scope", json!("Range")),
        "source.ip",
        json!("192.0.2.130"),
    );
    let mut range = range;
    range["decisions"][0]["scope"] = json!("Range");
    vec![
        put(signal("192.0.2.7"), "scenario", json!("acme/a_b")),
        put(signal("192.0.2.8"), "scenario", json!("acme/aXb")),
        put(signal("192.0.2.9"), "scenario", json!(r"acme/100%\x")),
        put(signal("198.51.100.2"), "machine_id", json!("web-1.example:7_x")),
        geo,
        put(v6, "source.value", json!("2001:db8:0:0::1")),
        signal("2001:db8:1::1"),
        range,
        undecided("203.0.113.5"),
        put(undecided("10.1.2.3"), "source.cn", json!("DE")),
    ]
}

async fn world() -> (World, Api) {
    let world = World::start().await;
    let machine = world.machine("default").await;
    machine.push_ok(world.server(), &signals()).await;
    let api = world.api();
    world.wait_alerts(&api, "forwardedToCapi=true", 8, 30).await;
    (world, api)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_has_the_41_properties_in_lists_and_by_id() {
    let (world, api) = world().await;
    let list = world.alerts(&api, "").await;
    assert_eq!(list.len(), 10);
    for alert in &list {
        assert_shape(alert);
        assert_eq!(
            alert["rawJson"],
            Value::Null,
            "lists read no raw signals unless asked"
        );
        let one = api
            .get(&format!("/api/alerts/{}", alert["id"]))
            .await
            .expect(200)
            .json();
        assert_shape(&one);
        let raw: Value = serde_json::from_str(one["rawJson"].as_str().expect("rawJson")).expect("JSON text");
        assert_eq!(raw["uuid"], alert["uuid"]);
        let mut bare = one.clone();
        bare["rawJson"] = Value::Null;
        assert_eq!(&bare, alert, "by id and in the list");
    }
    for alert in world.alerts(&api, "raw=true").await {
        assert!(
            alert["rawJson"]
                .as_str()
                .is_some_and(|r| r.contains(&uuid_of(&alert)))
        );
    }
    let geo = list
        .iter()
        .find(|a| a["sourceCn"] == "FR")
        .expect("the French one");
    assert_eq!(
        (&geo["geoCountryCode"], &geo["sourceAsNumber"]),
        (&json!("FR"), &json!("64500"))
    );
    let near = |name: &str, x: f64| (geo[name].as_f64().expect(name) - x).abs() < 1e-4;
    assert!(
        near("geoLatitude", 48.8582) && near("geoLongitude", 2.3387),
        "{geo}"
    );
    let reasons = list
        .iter()
        .find(|a| a["sourceValue"] == "10.1.2.3")
        .expect("the internal one")["filterReasons"]
        .clone();
    let reasons: Vec<String> =
        serde_json::from_str(reasons.as_str().expect("JSON text")).expect("an array of texts");
    assert_eq!(reasons.len(), 2, "no decision, and internal: {reasons:?}");
    for alert in &list {
        assert_eq!(
            (&alert["localAudit"], &alert["replicated"]),
            (&json!(false), &json!(false))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parameters_select() {
    let (world, api) = world().await;
    let cases = [
        ("filtered=true", 2),
        ("filtered=false", 8),
        ("forwardedToCapi=true", 8),
        ("forwardedToCapi=false", 2),
        ("filtered=true&forwardedToCapi=true", 0),
        ("scenario=a_b", 1),
        ("scenario=acme", 3),
        ("scenario=%25", 1),
        ("scenario=%5C", 1),
        ("scenario=_", 1),
        ("country=FR", 1),
        ("country=DE", 1),
        ("country=US", 0),
        ("machineId=lab-agent", 9),
        ("machineId=web-1.example:7_x", 1),
        ("machineId=lab", 0),
        ("ip=192.0.2.7", 1),
        ("ip=::ffff:192.0.2.7", 1),
        ("ip=192.0.2.77", 0),
        ("ip=192.0.2.0/28", 3),
        ("ip=192.0.2.7/32", 1),
        ("ip=::ffff:192.0.2.0/124", 3),
        ("ip=198.51.100.0/24", 2),
        ("ip=2001:db8::1", 1),
        ("ip=2001:DB8:0:0:0::1", 1),
        ("ip=2001:db8::/32", 2),
        ("ip=2001:db8::/48", 1),
        ("ip=2001:db8:2::/48", 0),
        ("ip=192.0.2.128/25", 1),
        ("ip=10.0.0.0/8", 1),
        ("ip=0.0.0.0/0", 8),
        ("ip=::/0", 2),
        ("unknown=1&another=x", 10),
        ("limit=3", 3),
        ("limit=1000", 10),
        ("offset=8", 2),
        ("offset=10", 0),
        ("limit=4&offset=8", 2),
        ("scenario=acme&ip=192.0.2.0/24&filtered=false&country=FR", 0),
    ];
    for (query, n) in cases {
        let got = api.get(&format!("/api/alerts?{query}")).await.expect(200).json();
        let list = got.as_array().expect("a bare array");
        let seen: Vec<_> = list
            .iter()
            .map(|a| format!("{} {}", a["sourceValue"], a["scenario"]))
            .collect();
        assert_eq!(list.len(), n, "{query}: {seen:?}");
    }
    // offset and limit cut the same order, newest first
    let all = world.alerts(&api, "").await;
    let mut cut = Vec::new();
    for offset in (0..10).step_by(3) {
        let page = api
            .get(&format!("/api/alerts?limit=3&offset={offset}"))
            .await
            .expect(200)
            .json();
        cut.extend(page.as_array().expect("array").clone());
    }
    assert_eq!(cut, all);
    let times: Vec<_> = all
        .iter()
        .map(|a| {
            a["receivedAt"]
                .as_str()
                .expect("time")
                .parse::<jiff::Timestamp>()
                .expect("time")
        })
        .collect();
    assert!(times.windows(2).all(|w| w[0] >= w[1]), "newest first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_select_by_the_moment_of_receipt() {
    let world = World::start().await;
    let (machine, api) = (world.machine("default").await, world.api());
    machine
        .push_ok(world.server(), &[signal("192.0.2.1"), signal("192.0.2.2")])
        .await;
    let first = world.wait_alerts(&api, "", 2, 5).await[0]["receivedAt"]
        .as_str()
        .expect("time")
        .to_owned();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    machine.push_ok(world.server(), &[signal("192.0.2.3")]).await;
    let last = world.wait_alerts(&api, "", 3, 5).await[0]["receivedAt"]
        .as_str()
        .expect("time")
        .to_owned();
    let between = (first.parse::<jiff::Timestamp>().expect("time") + jiff::SignedDuration::from_millis(500))
        .to_string();
    let offset = between.replace('Z', "%2B00:00");
    let hour = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let cases = [
        (format!("since={between}"), 1),
        (format!("until={between}"), 2),
        (format!("since={offset}"), 1),
        (format!("since={hour}"), 0),
        (format!("until={hour}"), 3),
        ("since=2020-01-01T00:00:00Z".into(), 3),
        ("until=2020-01-01T00:00:00Z".into(), 0),
        (format!("since={between}&until={between}"), 0),
        // nothing newer: an empty answer; else newerThan selects nothing by itself
        (format!("newerThan={hour}"), 0),
        (format!("newerThan={between}"), 3),
        (format!("newerThan={between}&ip=192.0.2.1"), 1),
    ];
    for (query, n) in cases {
        let got = api.get(&format!("/api/alerts?{query}")).await.expect(200).json();
        assert_eq!(
            got.as_array().expect("array").len(),
            n,
            "{query} (first {first}, last {last})"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_parameters_are_400_and_named() {
    let world = World::start().await;
    let api = world.api();
    let far = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(25)).to_string();
    let mut cases: Vec<(&str, String)> = Vec::new();
    for value in [
        "0",
        "1001",
        "-1",
        "abc",
        "1.5",
        "99999999999999999999",
        "1e2",
        "0x10",
        "%00",
    ] {
        cases.push(("limit", value.into()));
    }
    for value in ["-1", "abc", "1.5", "99999999999999999999"] {
        cases.push(("offset", value.into()));
    }
    for value in ["maybe", "1", "TRUE", "yes"] {
        cases.extend([("filtered", value.into()), ("forwardedToCapi", value.into())]);
    }
    cases.push(("scenario", "s".repeat(201)));
    for value in ["fr", "FRA", "F", "F1", "%C3%89E"] {
        cases.push(("country", value.into()));
    }
    cases.push(("machineId", "m".repeat(256)));
    for value in ["a%20b", "a/b", "a%00", "%C3%A9", "a'b"] {
        cases.push(("machineId", value.into()));
    }
    for value in [
        "999.1.1.1",
        "abc",
        "1.2.3",
        "192.0.2.0/33",
        "2001:db8::/129",
        "192.0.2.1/",
        "0x7f.0.0.1",
        "010.0.0.1",
        "192.0.2.1%20OR%201=1",
        "%00",
    ] {
        cases.push(("ip", value.into()));
    }
    for name in ["since", "until", "newerThan"] {
        for value in [
            "2019-12-31T23:59:59Z",
            &far,
            "yesterday",
            "2026-13-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "0",
            "infinity",
        ] {
            cases.push((name, value.into()));
        }
    }
    for value in ["x", "AAAA", "%00", "..", "eyJhIjoxfQ"] {
        cases.push(("cursor", value.into()));
    }
    for (name, value) in cases {
        let shown: String = value.chars().take(40).collect();
        let answer: Answer = api.get(&format!("/api/alerts?{name}={value}")).await;
        assert_eq!(answer.status, 400, "{name}={shown}: {}", answer.text());
        assert!(answer.took < wait::secs(1), "{name}={shown}: {:?}", answer.took);
        let said = answer.json().to_string().to_lowercase();
        assert!(
            said.contains(&name.to_lowercase()),
            "{name}={shown} is not named: {said}"
        );
    }
    for id in ["abc", "0", "-1", "1.5", "99999999999999999999", "%00", "1%2F2"] {
        let answer = api.get(&format!("/api/alerts/{id}")).await;
        assert!(
            matches!(answer.status, 400 | 404),
            "id {id}: {} {}",
            answer.status,
            answer.text()
        );
    }
    api.get("/api/alerts/abc").await.expect(400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_alert_is_404_to_the_byte() {
    let world = World::start().await;
    let (acme, umbrella) = (world.tenant("acme").await, world.tenant("umbrella").await);
    let machine = world.machine("acme").await;
    machine.push_ok(world.server(), &[signal("192.0.2.1")]).await;
    let id = world.wait_alerts(&world.api_of(&acme), "", 1, 5).await[0]["id"]
        .as_i64()
        .expect("id");
    world
        .api_of(&acme)
        .get(&format!("/api/alerts/{id}"))
        .await
        .expect(200);
    let theirs = world
        .api_of(&umbrella)
        .get(&format!("/api/alerts/{id}"))
        .await
        .expect(404);
    let nobodys = world
        .api_of(&umbrella)
        .get(&format!("/api/alerts/{}", id + 7_000_000))
        .await
        .expect(404);
    assert_eq!(theirs.body, nobodys.body, "not yours, and not there");
    let names = |a: &Answer| a.headers.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(names(&theirs), names(&nobodys));
    assert!(world.alerts(&world.api_of(&umbrella), "").await.is_empty());
    assert!(
        world
            .alerts(
                &world.api_of(&umbrella),
                &format!("ip=192.0.2.1&unused={}", new_uuid())
            )
            .await
            .is_empty()
    );
}
