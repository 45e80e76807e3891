//! Allowlists: kept, refused, and what their entries lift.
use super::mock::{Mock, Mood};
use crate::support::http::Api;
use crate::support::machine::time;
use crate::support::wait;
use crate::support::world::World;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_postgres::Client;

const ENTRIES: &str = "/api/allowlists/office/entries";

/// A decision in a tenant's set.
pub async fn decide(client: &Client, tenant: i32, source: (i16, i64), value: &str, until: &str) {
    let sql = "INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until)
        SELECT $1, md5($4 || $5)::uuid, $2, $3, 'crowdsec', CASE WHEN position('/' IN $4) > 0 THEN 'Range' ELSE 'Ip' END, $4, 'ban',
          'ssh-bf', set_masklen(network(a)::inet, bits), set_masklen(broadcast(a), bits), now() + $5::text::interval
        FROM (SELECT a, CASE family(a) WHEN 4 THEN 32 ELSE 128 END AS bits FROM (SELECT $4::text::inet AS a) x) y";
    client
        .execute(sql, &[&tenant, &source.0, &source.1, &value, &until])
        .await
        .unwrap_or_else(|e| panic!("{value}: {:?}", e.as_db_error()));
}

/// What is in force in a tenant's set.
pub async fn in_force(client: &Client, tenant: i32) -> Vec<String> {
    let sql = "SELECT value FROM decision WHERE tenant_id = $1 AND until > now() AND lifted_at IS NULL ORDER BY value";
    let rows = client.query(sql, &[&tenant]).await.expect("decisions");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect(sql).get(0)
}

/// A tenant's number, by name.
pub async fn tenant_id(client: &Client, name: &str) -> i32 {
    let sql = "SELECT id FROM tenant WHERE name = $1";
    client.query_one(sql, &[&name]).await.expect("a tenant").get(0)
}

fn entries(values: &[&str]) -> Value {
    json!({"entries": values.iter().map(|v| json!({"value": v})).collect::<Vec<_>>()})
}

async fn office(api: &Api) {
    api.post("/api/allowlists", &json!({"name": "office"}))
        .await
        .expect(201);
}

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let rows = list.as_array().expect("an array").iter();
    rows.map(|row| row[field].as_str().expect("text")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_made_shown_changed_and_deleted() {
    let world = World::start().await;
    let (api, client) = (world.api(), world.db.client().await);
    let keeps = "SELECT count(*) FROM tenant WHERE keeps_decisions";
    assert_eq!(number(&client, keeps).await, 0);
    let made = api
        .post(
            "/api/allowlists",
            &json!({"name": "office", "description": " ours "}),
        )
        .await
        .expect(201)
        .json();
    assert_eq!(
        (&made["name"], &made["description"], &made["entryCount"]),
        (&json!("office"), &json!("ours"), &json!(0)),
        "{made}"
    );
    assert_eq!(number(&client, keeps).await, 1, "the set is kept from now on");
    let lanes = "SELECT count(*) FROM lane WHERE topic = 4";
    assert_eq!(number(&client, lanes).await, 1);
    for (body, status, word) in [
        (json!({"name": "office"}), 409, "already"),
        (json!({"name": ""}), 400, "name"),
        (json!({"name": "a b"}), 400, "name"),
        (json!({"name": "a\u{0}"}), 400, "name"),
        (json!({"name": "x".repeat(65)}), 400, "name"),
        (json!({"name": 5}), 400, "name"),
        (json!({}), 400, "name"),
        (json!({"name": "b", "description": "a\u{0}b"}), 400, "description"),
        (
            json!({"name": "b", "description": "x".repeat(501)}),
            400,
            "description",
        ),
        (json!({"name": "b", "tenant_id": 2}), 400, "tenant_id"),
        (json!([]), 400, "body"),
    ] {
        let answer = api.post("/api/allowlists", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.text().contains(word), "{body}: {}", answer.text());
    }
    api.post("/api/allowlists", &json!({"name": "another"}))
        .await
        .expect(201);

    let body = json!({"entries": [
        {"value": "::ffff:192.0.2.7", "reason": " the door "},
        {"value": "2001:DB8::/48", "duration": "7d"},
        {"value": "198.51.100.9/24", "expiresAt": "2999-01-01T00:00:00+01:00"},
    ]});
    let done = api.post(ENTRIES, &body).await.expect(200).json();
    assert_eq!(
        done,
        json!({"list": "office", "added": 3, "replaced": 0, "lifts": [], "liftCount": 0})
    );
    let show = || async { api.get("/api/allowlists/office").await.expect(200).json() };
    let shown = show().await;
    assert_eq!(
        texts(&shown["entries"], "value"),
        ["192.0.2.7", "198.51.100.0/24", "2001:db8::/48"]
    );
    let first = &shown["entries"][0];
    assert_eq!(
        (&first["reason"], &first["expiresAt"]),
        (&json!("the door"), &Value::Null)
    );
    let actor = first["actor"].as_str().expect("actor");
    assert!(actor.starts_with("first admin token (token "), "{actor}");
    assert_eq!(shown["entries"][1]["expiresAt"], "2998-12-31T23:00:00.000Z");
    let week = shown["entries"][2]["expiresAt"].as_str().expect("an end");
    assert!(
        time(6 * 86_400).as_str() < week && week < time(8 * 86_400).as_str(),
        "{week}"
    );
    assert!(
        shown["updatedAt"].as_str() > made["updatedAt"].as_str(),
        "{} after {}",
        shown["updatedAt"],
        made["updatedAt"]
    );

    // Again: a new reason and end, in its old place. The last of the same value counts.
    let again = json!({"entries": [{"value": "192.0.2.7"}, {"value": "192.0.2.7/32", "reason": "new", "duration": "1h"}, {"value": "192.0.2.8"}]});
    let done = api.post(ENTRIES, &again).await.expect(200).json();
    assert_eq!(
        (&done["added"], &done["replaced"]),
        (&json!(1), &json!(1)),
        "{done}"
    );
    let after = show().await;
    assert_eq!(texts(&after["entries"], "value")[0], "192.0.2.7");
    assert_eq!(after["entries"][0]["reason"], "new");
    assert!(after["entries"][0]["expiresAt"].is_string());
    assert_eq!(after["entryCount"], 4);

    // By pages.
    let (mut seen, mut next) = (Vec::new(), json!(0));
    while next != Value::Null {
        let path = format!("/api/allowlists/office?limit=3&after={next}");
        let page = api.get(&path).await.expect(200).json();
        seen.extend(texts(&page["entries"], "value").into_iter().map(str::to_owned));
        next = page["next"].clone();
    }
    assert_eq!(seen, texts(&after["entries"], "value"));
    for query in ["limit=0", "limit=10001", "limit=x", "after=-1"] {
        let answer = api.get(&format!("/api/allowlists/office?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }

    let all = api.get("/api/allowlists").await.expect(200).json();
    assert_eq!(texts(&all, "name"), ["another", "office"]);
    assert_eq!(
        (&all[0]["entryCount"], &all[1]["entryCount"]),
        (&json!(0), &json!(4))
    );

    for (query, status) in [
        ("?value=::ffff:192.0.2.8", 204),
        ("?value=192.0.2.8", 404),
        ("?value=198.51.100.77%2F24", 204),
        ("?value=203.0.113.1", 404),
        ("?value=0.0.0.0%2F0", 404),
        ("?value=nonsense", 400),
        ("?value=1%00", 400),
        ("", 400),
    ] {
        let answer = api.delete(&format!("{ENTRIES}{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    let left = show().await;
    assert_eq!(texts(&left["entries"], "value"), ["192.0.2.7", "2001:db8::/48"]);
    assert!(left["updatedAt"].as_str() > after["updatedAt"].as_str());
    api.delete("/api/allowlists/office").await.expect(204);
    for path in [
        "/api/allowlists/office",
        "/api/allowlists/nowhere",
        "/api/allowlists/%00",
    ] {
        api.get(path).await.expect(404);
        api.delete(path).await.expect(404);
        api.delete(&format!("{path}/entries?value=192.0.2.7"))
            .await
            .expect(404);
        api.post(&format!("{path}/entries"), &again).await.expect(404);
    }
    assert_eq!(number(&client, "SELECT count(*) FROM allowlist_entry").await, 0);
    // Every change is on record.
    let records = api
        .get("/api/alerts?raw=true&scenario=garrison/allowlist")
        .await
        .json();
    assert_eq!(
        texts(&records, "message"),
        [
            "list office deleted",
            "198.51.100.0/24 removed from office",
            "192.0.2.8 removed from office",
            "2 entries added to office",
            "3 entries added to office",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_entries_are_named_and_nothing_is_stored() {
    let world = World::start().await;
    let api = world.api();
    office(&api).await;
    let with = |field: &str, value: Value| {
        let mut body = entries(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
        body["entries"][3][field] = value;
        body
    };
    for (body, word) in [
        (with("value", json!("0.0.0.0/0")), "entries[3].value"),
        (with("value", json!("10.0.0.0/7")), "entries[3].value"),
        (with("value", json!("2001::/18")), "entries[3].value"),
        (with("value", json!("nonsense")), "entries[3].value"),
        (with("value", json!("192.0.2.7\u{0}")), "entries[3].value"),
        (with("value", json!("")), "entries[3].value"),
        (with("value", json!(5)), "entries[3].value"),
        (with("value", Value::Null), "entries[3].value"),
        (with("reason", json!("a\u{0}b")), "entries[3].reason"),
        (with("reason", json!("x".repeat(501))), "entries[3].reason"),
        (with("reason", json!(["x"])), "entries[3].reason"),
        (
            with("expiresAt", json!("2020-01-01T00:00:00Z")),
            "entries[3].expiresAt",
        ),
        (with("expiresAt", json!("tomorrow")), "entries[3].expiresAt"),
        (with("expiresAt", json!(1_700_000_000)), "entries[3].expiresAt"),
        (with("duration", json!("0s")), "entries[3].duration"),
        (with("duration", json!("-1h")), "entries[3].duration"),
        (with("duration", json!("1 week")), "entries[3].duration"),
        (with("duration", json!("999999999d")), "entries[3].duration"),
        (with("actor", json!("me")), "actor"),
        (entries(&[]), "entries"),
        (entries(&["192.0.2.1"; 1001]), "entries"),
        (json!({"entries": "192.0.2.1"}), "entries"),
        (json!({"entries": ["192.0.2.1"]}), "entries[0]"),
        (json!({"entries": [{}]}), "value"),
        (json!({}), "entries"),
        (
            json!({"entries": [{"value": "192.0.2.1"}], "preview": true}),
            "preview",
        ),
        (json!(null), "body"),
    ] {
        for query in ["", "?preview=true"] {
            let answer = api.post(&format!("{ENTRIES}{query}"), &body).await;
            assert_eq!(answer.status, 400, "{word}: {}", answer.text());
            assert!(answer.text().contains(word), "{word}: {}", answer.text());
        }
    }
    let mut two = with("value", json!("nonsense"));
    two["entries"][0]["duration"] = json!("soon");
    let wrong = api.post(ENTRIES, &two).await.expect(400).json();
    assert_eq!(
        texts(&wrong["errors"], "field"),
        ["entries[0].duration", "entries[3].value"]
    );
    let good = entries(&["192.0.2.1"]);
    let unclear = api.post(&format!("{ENTRIES}?preview=maybe"), &good).await;
    assert_eq!(unclear.status, 400, "{}", unclear.text());
    let big = json!({"entries": [{"value": "192.0.2.1", "reason": "x".repeat(2 << 20)}]});
    assert!(matches!(api.post(ENTRIES, &big).await.status, 400 | 413));
    let list = api.get("/api/allowlists/office").await.expect(200).json();
    assert_eq!(
        (&list["entries"], &list["updatedAt"]),
        (&json!([]), &list["createdAt"])
    );
}

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
