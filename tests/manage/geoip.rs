//! Where alerts come from: told by files at the insert, exchanged while serving, looked up again.
use crate::support::http::Api;
use crate::support::machine::{address, signal, undecided};
use crate::support::mmdb::{Mmdb, flat, nested, system};
use crate::support::world::World;
use crate::support::{Scratch, wait};
use serde_json::{Value, json};
use std::path::Path;

/// In one piece, as an update does it.
fn put(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    std::fs::write(&new, bytes).expect("write");
    std::fs::rename(&new, path).expect("rename");
}

fn with(mut signal: Value, source: &Value) -> Value {
    for (name, value) in source.as_object().expect("fields") {
        signal["source"][name] = value.clone();
    }
    signal
}

async fn by_value(world: &World, api: &Api, value: &str) -> Value {
    let all = world.alerts(api, "").await;
    let found = all.iter().find(|a| a["sourceValue"] == value);
    found.unwrap_or_else(|| panic!("no alert of {value}")).clone()
}

fn told(alert: &Value) -> Value {
    let fields = [
        "geoCountryCode",
        "geoCountryName",
        "geoCity",
        "geoRegion",
        "geoLatitude",
        "geoTimezone",
        "sourceAsNumber",
        "sourceAsName",
    ];
    fields.iter().map(|name| alert[name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_tell_where_an_alert_comes_from() {
    let folder = Scratch::new("geoip");
    let cities = Mmdb::new(6, "GeoLite2-City")
        .with("192.0.2.0/24", &nested("FR", "France", "Paris", (48.9, 2.4)))
        .with(
            "198.51.100.0/25",
            &nested("SE", "Sweden", "Ume\u{e5}", (0.0, 0.0)),
        )
        .with(
            "10.0.0.0/8",
            &nested("US", "United States", "Reno", (39.5, -119.8)),
        );
    let four = Mmdb::new(4, "city ipv4").with("203.0.113.0/24", &flat("br", "Recife", (-8.0, -34.9)));
    let systems = Mmdb::new(6, "ASN")
        .with("192.0.2.0/25", &system(64500, "Example Net"))
        .with("2001:db8::/32", &system(64501, "Six"));
    let mut files = Vec::new();
    for (name, file) in [("city", cities), ("four", four), ("asn", systems)] {
        let path = folder.join(&format!("{name}.mmdb"));
        put(&path, &file.bytes());
        files.push(path.display().to_string());
    }
    let world = World::with(1, &[("GARRISON_GEOIP_FILES", &files.join(","))]).await;
    let api = world.api();
    let rule = json!({"name": "paris", "filter": {"field": "geoCity", "op": "eq", "value": "Paris"}});
    world.set_rules(&api, &[rule]).await;
    world.settle().await;
    let machine = world.machine("default").await;
    let mapped = "::ffff:192.0.2.9";
    let said =
        json!({"cn": "DE", "latitude": 1.5, "longitude": 2.5, "as_number": "64999", "as_name": "Said"});
    let range = with(signal("203.0.113.128/25"), &json!({"scope": "Range", "ip": ""}));
    let mut range = range;
    range["decisions"][0]["scope"] = json!("Range");
    let signals = [
        signal("192.0.2.7"),
        with(signal("192.0.2.200"), &said),
        with(signal("198.51.100.3"), &said),
        signal(mapped),
        range,
        signal("2001:db8::1"),
        with(signal("2a00::1"), &said),
        signal("10.1.2.3"),
    ];
    machine.push_ok(world.server(), &signals).await;
    for (value, expected) in [
        (
            "192.0.2.7",
            json!([
                "FR",
                "France",
                "Paris",
                "Paris region",
                48.9,
                "Europe/Paris",
                "64500",
                "Example Net"
            ]),
        ),
        // The file counts for the place, the engine for the system.
        (
            "192.0.2.200",
            json!([
                "FR",
                "France",
                "Paris",
                "Paris region",
                48.9,
                "Europe/Paris",
                "64999",
                "Said"
            ]),
        ),
        // 0.0 is no coordinate.
        (
            "198.51.100.3",
            json!([
                "SE",
                "Sweden",
                "Ume\u{e5}",
                "Ume\u{e5} region",
                1.5,
                "Europe/Paris",
                "64999",
                "Said"
            ]),
        ),
        (
            mapped,
            json!([
                "FR",
                "France",
                "Paris",
                "Paris region",
                48.9,
                "Europe/Paris",
                "64500",
                "Example Net"
            ]),
        ),
        (
            "203.0.113.128/25",
            json!(["BR", null, "Recife", "Recife state", -8.0, null, null, null]),
        ),
        (
            "2001:db8::1",
            json!([null, null, null, null, null, null, "64501", "Six"]),
        ),
        (
            "2a00::1",
            json!(["DE", null, null, null, 1.5, null, "64999", "Said"]),
        ),
        (
            "10.1.2.3",
            json!([null, null, null, null, null, null, null, null]),
        ),
    ] {
        let alert = by_value(&world, &api, value).await;
        assert_eq!(told(&alert), expected, "{value}: {alert}");
        assert_eq!(
            alert["filtered"],
            json!(expected[2] == "Paris"),
            "{value}: rules see the place"
        );
    }
    let map = api.get("/api/stats/map").await.expect(200).json().to_string();
    for word in ["\"FR\"", "France", "\"BR\"", "Sweden"] {
        assert!(map.contains(word), "{word}: {map}");
    }
    // Trials, too.
    let trial = json!({"signals": [signal("192.0.2.77"), signal("203.0.113.9")],
        "rules": [{"filter": {"field": "geoCountryName", "op": "eq", "value": "France"}}]});
    let tried = api.post("/api/filters/test", &trial).await.expect(200).json();
    assert_eq!(tried["signals"][0]["filtered"], true, "{tried}");
    assert_eq!(tried["signals"][1]["filtered"], false, "{tried}");
    let found = world.cli.json(&["geoip", "lookup", "192.0.2.1"]).await;
    assert_eq!(
        (&found["geoCity"], &found["asNumber"]),
        (&json!("Paris"), &json!(64500))
    );
    world.cli.run(&["geoip", "lookup", "x"]).await.expect_refused();
}

fn cities(city: &str) -> Vec<u8> {
    Mmdb::new(4, "City")
        .with("0.0.0.0/1", &nested("FR", "France", city, (48.9, 2.4)))
        .with("128.0.0.0/1", &nested("FR", "France", city, (48.9, 2.4)))
        .bytes()
}

async fn pass(world: &World, tenant: &str) -> Option<(i64, i64)> {
    let sql = "SELECT p.examined, p.changed FROM geo_pass p JOIN tenant t ON t.id = p.tenant_id
               WHERE t.name = $1 AND p.finished_at IS NOT NULL";
    let row = world
        .db
        .client()
        .await
        .query_opt(sql, &[&tenant])
        .await
        .expect("pass");
    row.map(|row| (row.get(0), row.get(1)))
}

async fn in_city(world: &World, api: &Api, city: &str) -> usize {
    let all = world.alerts(api, "").await;
    all.iter().filter(|a| a["geoCity"] == city).count()
}

fn mapped(map: &Value) -> i64 {
    let countries = map["countries"].as_array().into_iter().flatten();
    countries.filter_map(|c| c["count"].as_i64()).sum()
}

/// Alerts that came before the file, with two replicas that both could look them up; each alert is changed once, and the
/// charts follow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_the_file_is_looked_up_once_it_is_there() {
    let world = World::with(
        2,
        &[
            ("GARRISON_GEOIP_CHECK_INTERVAL", "1s"),
            ("GARRISON_FORWARD_ENABLED", "false"),
        ],
    )
    .await;
    let api = world.api();
    let machine = world.machine("default").await;
    let before: Vec<Value> = (0..1300).map(|n| undecided(&address(n))).collect();
    for (n, part) in before.chunks(200).enumerate() {
        machine.push_ok(&world.servers[n % 2], part).await;
    }
    let other = world.tenant("other").await;
    let theirs = world.machine(&other.name).await;
    theirs
        .push_ok(world.server(), &[signal("192.0.2.1"), undecided("10.0.0.1")])
        .await;
    let map = api.get("/api/stats/map").await.expect(200).json();
    assert_eq!(mapped(&map), 0, "{map}");

    let path = world.dir.join("data").join("geoip").join("city.mmdb");
    put(&path, &cities("Paris"));
    wait::until_true("the pass", wait::secs(60), async || {
        pass(&world, "default").await.is_some() && pass(&world, "other").await.is_some()
    })
    .await;
    let all = world.alerts(&api, "").await;
    let private = |a: &&Value| a["sourceValue"].as_str().is_some_and(|v| v.starts_with("10."));
    let public = i64::try_from(all.len() - all.iter().filter(private).count()).expect("few");
    assert_eq!(pass(&world, "default").await, Some((1300, public)));
    assert_eq!(pass(&world, "other").await, Some((2, 1)));
    assert_eq!(
        i64::try_from(in_city(&world, &api, "Paris").await).ok(),
        Some(public)
    );
    let map = api.get("/api/stats/map").await.expect(200).json();
    assert_eq!(mapped(&map), public, "{map}");
    let stats = api.get("/api/stats").await.expect(200).json();
    assert_eq!(stats["topCountries"], json!([{"country": "FR", "count": public}]));

    // Another file: from now on for what comes, on request for what came. A broken one changes nothing.
    put(&path, &cities("Lyon"));
    let newcomer = async |n: u32, city: &str, server: usize| {
        let value = address(5000 + n);
        machine
            .push_ok(&world.servers[server], &[undecided(&value)])
            .await;
        by_value(&world, &api, &value).await["geoCity"] == city
    };
    for server in 0..2 {
        let n = std::cell::Cell::new(u32::try_from(server).expect("small") * 1000);
        wait::until_true("the new file", wait::secs(30), async || {
            n.set(n.get() + 1);
            newcomer(n.get(), "Lyon", server).await
        })
        .await;
    }
    put(&path, b"no file at all");
    tokio::time::sleep(wait::secs(3)).await;
    assert!(newcomer(3000, "Lyon", 0).await);
    let lyon = in_city(&world, &api, "Lyon").await;
    world
        .cli
        .run(&[
            "geoip",
            "reenrich",
            "--all",
            "--since",
            "2999-01-01",
            "--tenant",
            "default",
        ])
        .await
        .expect_ok();
    wait::until_true("the pass", wait::secs(30), async || {
        pass(&world, "default").await == Some((0, 0))
    })
    .await;
    world
        .cli
        .run(&["geoip", "reenrich", "--tenant", "default"])
        .await
        .expect_ok();
    wait::until_true("the pass", wait::secs(30), async || {
        pass(&world, "default")
            .await
            .is_some_and(|(examined, _)| examined > 1300)
    })
    .await;
    assert_eq!(in_city(&world, &api, "Lyon").await, lyon, "what is known stays");
    world
        .cli
        .run(&["geoip", "reenrich", "--all", "--tenant", "default"])
        .await
        .expect_ok();
    wait::until_true("the pass", wait::secs(30), async || {
        pass(&world, "default")
            .await
            .is_some_and(|(_, changed)| changed > 0)
    })
    .await;
    assert_eq!(in_city(&world, &api, "Paris").await, 0);
    assert_eq!(
        in_city(&world, &world.api_of(&other), "Paris").await,
        1,
        "not asked for"
    );
    world
        .cli
        .run(&["geoip", "reenrich", "--tenant", "nobody"])
        .await
        .expect_refused();
    world
        .cli
        .run(&["geoip", "reenrich", "--since", "yesterday"])
        .await
        .expect_refused();
}
