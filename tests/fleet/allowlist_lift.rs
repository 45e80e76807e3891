//! What entries lift, when they end, how many there may be.
use super::allowlist::{ENTRIES, decide, entries, in_force, number, office, tenant_id, texts};
use super::mock::{Mock, Mood};
use crate::support::machine::time;
use crate::support::wait;
use crate::support::world::World;
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_lift_what_they_overlap_as_the_preview_says() {
    let (world, mock) = (World::start().await, Mock::start(Mood::Writes(200)).await);
    let (api, client) = (world.api(), world.db.client().await);
    let own = tenant_id(&client, "default").await;
    let other = world.tenant("other").await;
    let theirs: i32 = other.id.parse().expect("a number");
    api.post("/api/lapi-servers", &mock.server("paris"))
        .await
        .expect(201);
    // It has none of what is said below to be its own, and is not to tell so.
    mock.set(Mood::Hangs);
    let machine = world.machine("default").await;
    let server = number(&client, "SELECT id FROM lapi_server").await;
    let engine = number(&client, "SELECT id FROM machine").await;
    office(&api).await;
    let (signal, lapi, hand) = ((1, engine), (2, server), (3, 0));
    let values = [
        // Within an entry, and at both its ends.
        (signal, "192.0.2.0"),
        (lapi, "192.0.2.255"),
        (hand, "192.0.2.128/25"),
        (signal, "192.0.1.255"),
        (signal, "192.0.3.0"),
        // Around one, that begins where it does, or long before.
        (lapi, "198.51.0.0/16"),
        (signal, "198.48.0.0/12"),
        (lapi, "198.51.100.0/24"),
        (signal, "198.51.100.8"),
        (signal, "198.51.101.0/24"),
        // The other family.
        (hand, "2001:db8:1::5"),
        (lapi, "2001:db8::/32"),
        (signal, "2001:db9::/32"),
        (signal, "::c000:200"),
        // The whole of either.
        (signal, "::/0"),
    ];
    for (source, value) in values {
        decide(&client, own, source, value, "4 hours").await;
        decide(&client, theirs, (source.0, 0), value, "4 hours").await;
    }
    decide(&client, own, lapi, "192.0.2.9", "-1 second").await;
    decide(&client, own, hand, "192.0.2.0", "4 hours").await;
    let new = entries(&["::ffff:192.0.2.7/120", "198.51.100.7", "2001:db8:1::/48"]);
    let before = in_force(&client, own).await;
    let alerts = world.alerts(&api, "").await.len();

    let lists = api.get("/api/allowlists").await.text();
    let preview = api
        .post(&format!("{ENTRIES}?preview=true"), &new)
        .await
        .expect(200)
        .json();
    assert_eq!(in_force(&client, own).await, before, "a preview changes nothing");
    assert_eq!(api.get("/api/allowlists").await.text(), lists);
    assert_eq!(number(&client, "SELECT count(*) FROM allowlist_entry").await, 0);
    assert_eq!(number(&client, "SELECT count(*) FROM outbox").await, 0);
    assert_eq!(world.alerts(&api, "").await.len(), alerts);

    let done = api.post(ENTRIES, &new).await.expect(200).json();
    assert_eq!(done, preview);
    assert_eq!(
        (&done["added"], &done["liftCount"]),
        (&json!(3), &json!(10)),
        "{done}"
    );
    let mut lifted = texts(&done["lifts"], "value");
    lifted.sort_unstable();
    assert_eq!(
        lifted,
        [
            "192.0.2.0",
            "192.0.2.0",
            "192.0.2.128/25",
            "192.0.2.255",
            "198.48.0.0/12",
            "198.51.0.0/16",
            "198.51.100.0/24",
            "2001:db8:1::5",
            "2001:db8::/32",
            "::/0",
        ]
    );
    let of = |value: &str| {
        let rows = done["lifts"].as_array().expect("lifts").iter();
        rows.filter(|row| row["value"] == value).collect::<Vec<_>>()
    };
    let range = of("198.51.0.0/16")[0];
    for (field, text) in [
        ("scope", "Range"),
        ("type", "ban"),
        ("origin", "crowdsec"),
        ("scenario", "ssh-bf"),
    ] {
        assert_eq!(range[field], text);
    }
    assert!(range["until"].as_str() > Some(time(3 * 3600).as_str()), "{range}");
    assert_eq!(range["from"], "server paris");
    assert_eq!(
        of("198.48.0.0/12")[0]["from"],
        format!("machine {}", machine.login)
    );
    assert_eq!(of("2001:db8:1::5")[0]["from"], "hand");
    assert_eq!(
        in_force(&client, own).await,
        [
            "192.0.1.255",
            "192.0.3.0",
            "198.51.100.8",
            "198.51.101.0/24",
            "2001:db9::/32",
            "::c000:200"
        ]
    );
    assert_eq!(
        in_force(&client, theirs).await.len(),
        values.len(),
        "the other tenant's stand"
    );
    // A server's own are marked until they are lifted there; its lane is told of all.
    let marked = "SELECT count(*) FROM decision WHERE lifted_at IS NOT NULL AND source = 2";
    assert_eq!(number(&client, marked).await, 4);
    let told = "SELECT count(DISTINCT k) FROM outbox, unnest(keys) AS k WHERE topic = 2";
    assert_eq!(number(&client, told).await, 9, "as many keys");

    let records = world.alerts(&api, "raw=true&scenario=garrison/allowlist").await;
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!(
        (&record["localAudit"], &record["filtered"], &record["sourceValue"]),
        (&json!(true), &json!(true), &Value::Null)
    );
    let raw: Value = serde_json::from_str(record["rawJson"].as_str().expect("raw")).expect("JSON");
    assert_eq!(
        (
            &raw["kind"],
            &raw["list"],
            &raw["lifted"],
            &raw["added"],
            &raw["actor"]
        ),
        (
            &json!("allowlist-add"),
            &json!("office"),
            &json!(10),
            &json!(3),
            &record["actor"]
        )
    );
    assert_eq!(raw["entries"][0]["value"], "192.0.2.0/24");

    // Once more: there is nothing left to lift. One entry's record is listed by its address.
    let one = json!({"entries": [{"value": "192.0.2.0/24", "reason": "the door"}]});
    let done = api.post(ENTRIES, &one).await.expect(200).json();
    assert_eq!(
        (&done["replaced"], &done["lifts"]),
        (&json!(1), &json!([])),
        "{done}"
    );
    let found = world.alerts(&api, "ip=192.0.2.0/24").await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["message"], &found[0]["sourceRange"]),
        (
            &json!("192.0.2.0/24 added to office: the door"),
            &json!("192.0.2.0/24")
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_lifts_are_counted_and_1000_told() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    let own = tenant_id(&client, "default").await;
    office(&api).await;
    let sql = "INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until)
        SELECT $1, md5(n::text)::uuid, 3, 0, 'x', 'Ip', host(a), 'ban', '', a, a, now() + interval '1 hour'
        FROM generate_series(1, 1300) n, LATERAL (SELECT '10.0.0.0'::inet + n AS a) x";
    client.execute(sql, &[&own]).await.expect("decisions");
    let new = entries(&["10.0.0.0/8"]);
    for (query, left) in [("?preview=true", 1300), ("", 0)] {
        let done = api
            .post(&format!("{ENTRIES}{query}"), &new)
            .await
            .expect(200)
            .json();
        assert_eq!(done["liftCount"], 1300);
        assert_eq!(done["lifts"].as_array().map(Vec::len), Some(1000));
        assert_eq!(in_force(&client, own).await.len(), left);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_expired_counts_for_nothing() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    office(&api).await;
    let body = json!({"entries": [{"value": "192.0.2.1", "duration": "1s"}, {"value": "192.0.2.2", "duration": "1h"}]});
    api.post(ENTRIES, &body).await.expect(200);
    let one = || async {
        let list = api.get("/api/allowlists/office").await.json();
        list["entryCount"] == 1 && texts(&list["entries"], "value") == ["192.0.2.2"]
    };
    wait::until_true("one expires", wait::secs(10), one).await;
    api.delete(&format!("{ENTRIES}?value=192.0.2.1"))
        .await
        .expect(404);
    let again = api
        .post(ENTRIES, &entries(&["192.0.2.1"]))
        .await
        .expect(200)
        .json();
    assert_eq!((&again["added"], &again["replaced"]), (&json!(1), &json!(0)));
    client
        .batch_execute("UPDATE allowlist_entry SET expires_at = now() - interval '1 second'")
        .await
        .expect("time passes");
    assert_eq!(api.get("/api/allowlists").await.json()[0]["entryCount"], 0);
    api.post(ENTRIES, &entries(&["192.0.2.3"])).await.expect(200);
    assert_eq!(
        number(&client, "SELECT count(*) FROM allowlist_entry").await,
        1,
        "swept up"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_100_lists_and_50000_entries() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    let own = tenant_id(&client, "default").await;
    let sql = "INSERT INTO allowlist (tenant_id, name) SELECT $1, 'l' || n FROM generate_series(1, 98) n";
    client.execute(sql, &[&own]).await.expect("lists");
    office(&api).await;
    let add = |n: usize| {
        let (api, body) = (api.clone(), json!({"name": format!("last{n}")}));
        async move { api.post("/api/allowlists", &body).await.status }
    };
    let mut last = join_all((0..6).map(add)).await;
    last.sort_unstable();
    assert_eq!(last, [201, 409, 409, 409, 409, 409]);

    let sql = "INSERT INTO allowlist_entry (tenant_id, allowlist_id, value, lo, hi, expires_at)
        SELECT $1, l.id, host(a), a, a, CASE WHEN n > 49998 THEN now() - interval '1 minute' END
        FROM generate_series(1, 50010) n, LATERAL (SELECT '10.0.0.0'::inet + n AS a) x, allowlist l WHERE l.name = 'l1'";
    client.execute(sql, &[&own]).await.expect("entries");
    let many = api
        .post(ENTRIES, &entries(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]))
        .await;
    assert_eq!(many.status, 409, "{}", many.text());
    let preview = api
        .post(
            &format!("{ENTRIES}?preview=true"),
            &entries(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        )
        .await;
    assert_eq!(preview.status, 409, "{}", preview.text());
    let add = |n: usize| {
        let (api, body) = (api.clone(), entries(&[&format!("192.0.2.{n}")]));
        async move { api.post(ENTRIES, &body).await.status }
    };
    let mut last = join_all((0..6).map(add)).await;
    last.sort_unstable();
    assert_eq!(last, [200, 200, 409, 409, 409, 409]);
    // What is there can be changed, and the other tenant has its own.
    api.post("/api/allowlists/l1/entries", &entries(&["10.0.0.1"]))
        .await
        .expect(200);
    let other = world.api_of(&world.tenant("other").await);
    office(&other).await;
    other.post(ENTRIES, &entries(&["192.0.2.1"])).await.expect(200);
    let page = api.get("/api/allowlists/l1").await.expect(200).json();
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(10_000));
    assert!(page["next"].is_i64());
}
