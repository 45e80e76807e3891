//! Allowlists: kept and refused.
use crate::support::http::{Api, raw, raw_request};
use crate::support::machine::time;
use crate::support::world::World;
use serde_json::{Value, json};
use tokio_postgres::Client;

pub const ENTRIES: &str = "/api/allowlists/office/entries";

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

pub async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect(sql).get(0)
}

/// A tenant's number, by name.
pub async fn tenant_id(client: &Client, name: &str) -> i32 {
    let sql = "SELECT id FROM tenant WHERE name = $1";
    client.query_one(sql, &[&name]).await.expect("a tenant").get(0)
}

pub fn entries(values: &[&str]) -> Value {
    json!({"entries": values.iter().map(|v| json!({"value": v})).collect::<Vec<_>>()})
}

pub async fn office(api: &Api) {
    api.post("/api/allowlists", &json!({"name": "office"}))
        .await
        .expect(201);
}

pub fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
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
    let list = api.get("/api/allowlists/office").await.expect(200).json();
    assert_eq!(
        (&list["entries"], &list["updatedAt"]),
        (&json!([]), &list["createdAt"])
    );
    // Larger than any request of 1000 entries need be.
    let body = vec![b' '; 2 << 20];
    let large = raw_request("POST", ENTRIES, Some(world.admin_token()), &body);
    let answer = raw(world.server().address, &large).await;
    assert!(answer.is_none_or(|answer| answer.status == 413));
}
