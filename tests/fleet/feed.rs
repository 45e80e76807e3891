//! Lists for firewalls: what is on them, and when they are new.
use super::rows::fill;
use crate::support::http::{Api, send};
use crate::support::world::World;
use serde_json::json;

async fn lines(api: &Api, path: &str) -> Vec<String> {
    let answer = api.get(path).await.expect(200);
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("text/plain; charset=utf-8")
    );
    String::from_utf8(answer.body.to_vec())
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_has_the_mirrors_formats_and_parameters() {
    let world = World::start().await;
    let api = world.api();
    fill(&world).await;
    let made = api
        .post("/api/feeds", &json!({"name": "edge", "description": "all sites"}))
        .await
        .expect(201)
        .json();
    assert_eq!(
        json!([made["types"], made["origins"], made["tokens"]]),
        json!([["ban"], [], []])
    );
    api.post("/api/feeds", &json!({"name": "edge"})).await.expect(409);
    for (field, body) in [
        ("name", json!({"name": "a b"})),
        ("maxEntries", json!({"name": "a", "maxEntries": 0})),
        (
            "ipv6only",
            json!({"name": "a", "ipv4only": true, "ipv6only": true}),
        ),
        ("nonsense", json!({"name": "a", "nonsense": 1})),
    ] {
        let said = api.post("/api/feeds", &body).await.expect(400).text();
        assert!(said.contains(field), "{field}: {said}");
    }
    let sql = "SELECT keeps_decisions FROM tenant WHERE id = 1";
    let kept: bool = world
        .db
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("tenant")
        .get(0);
    assert!(kept, "the first feed has the set kept up");

    let all = ["192.0.2.6", "192.0.2.7", "198.51.100.0/24", "2001:db8::9"];
    for (query, expected) in [
        ("", &all[..]),
        ("?format=plain_text&unknown=1", &all),
        ("?ipv4only", &all[..3]),
        ("?ipv6only=", &all[3..]),
        ("?origin=CSCLI", &["192.0.2.7", "198.51.100.0/24"]),
        ("?origin=CAPI", &[]),
        ("?supported_decisions_types=captcha", &[]),
        (
            "?supported_decisions_types=captcha&supported_decisions_types=ban",
            &all,
        ),
        (
            "?aggregate=true",
            &["192.0.2.6/31", "198.51.100.0/24", "2001:db8::9"],
        ),
        ("?ipv4only&aggregate&max=1", &["198.51.100.0/24"]),
        ("?max=2", &["198.51.100.0/24", "2001:db8::9"]),
        (
            "?nosort",
            &["192.0.2.7", "192.0.2.6", "198.51.100.0/24", "2001:db8::9"],
        ),
    ] {
        let mut got = lines(&api, &format!("/api/feeds/edge{query}")).await;
        if query == "?nosort" {
            // The second row of 192.0.2.7 is younger than the first.
            got.sort();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(got, expected, "{query}");
        } else {
            assert_eq!(got, expected, "{query}");
        }
    }
    let f5 = lines(&api, "/api/feeds/edge?format=f5").await;
    assert_eq!(
        f5,
        [
            "192.0.2.6,32,bl,ssh-bf",
            "192.0.2.7,32,bl,manual",
            "198.51.100.0,24,bl,manual",
            "2001:db8::9,128,bl,ssh-bf"
        ]
    );
    let script = lines(&api, "/api/feeds/edge?format=mikrotik&listname=blocked&ipv4only").await;
    assert_eq!(script.len(), 4, "{script:?}");
    assert_eq!(
        script[0],
        r#"/ip firewall address-list remove [find where list="blocked"]"#
    );
    let line = regex::Regex::new(
        r#"^:do \{ /ip firewall address-list add list="blocked" address=192\.0\.2\.6 comment="crowdsecurity/ssh-bf" timeout=59m\d+s \} on-error=\{\}$"#,
    );
    assert!(line.expect("pattern").is_match(&script[1]), "{}", script[1]);
    for bad in [
        "?format=xml",
        "?ipv4only&ipv6only",
        "?max=0",
        "?max=x",
        "?listname=a%22b",
    ] {
        api.get(&format!("/api/feeds/edge{bad}")).await.expect(400);
    }

    // What the definition leaves out, no parameter brings back.
    let narrow = json!({"name": "v4", "ipv4only": true, "aggregate": true, "origins": ["Cscli"], "scenarios": ["man"], "maxEntries": 5, "types": ["BAN", "captcha"]});
    api.post("/api/feeds", &narrow).await.expect(201);
    assert_eq!(
        lines(&api, "/api/feeds/v4?max=100&aggregate=false").await,
        ["192.0.2.7", "198.51.100.0/24"]
    );
    assert_eq!(lines(&api, "/api/feeds/v4?origin=crowdsec").await, [""; 0]);
    api.get("/api/feeds/v4?ipv6only").await.expect(400);
    let list = api.get("/api/feeds").await.expect(200).json();
    assert_eq!(list[1]["name"], "v4");
    assert_eq!(
        json!([list[1]["ipv4only"], list[1]["aggregate"], list[1]["maxEntries"]]),
        json!([true, true, 5])
    );
    api.delete("/api/feeds/v4").await.expect(204);
    api.delete("/api/feeds/v4").await.expect(404);
    api.get("/api/feeds/v4").await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_change_is_304_on_every_replica() {
    let world = World::with(2, &[]).await;
    fill(&world).await;
    let apis: Vec<Api> = world
        .servers
        .iter()
        .map(|s| s.api(Some(world.admin_token())))
        .collect();
    apis[0]
        .post("/api/feeds", &json!({"name": "edge"}))
        .await
        .expect(201);
    let with = async |api: &Api, name: &str, value: &str| {
        send(api.request("GET", "/api/feeds/edge").header(name, value)).await
    };
    let first = apis[0].get("/api/feeds/edge").await.expect(200);
    let (tag, date) = (
        first.header("etag").expect("etag"),
        first.header("last-modified").expect("date"),
    );
    assert!(tag.starts_with('"'), "strong: {tag}");
    for api in &apis {
        let same = with(api, "if-none-match", &tag).await.expect(304);
        assert_eq!((same.body.len(), same.header("etag")), (0, Some(tag.clone())));
        let same = with(api, "if-modified-since", &date).await.expect(304);
        assert_eq!(same.header("last-modified"), Some(date.clone()));
        with(api, "if-none-match", "\"other\"").await.expect(200);
    }
    // Lifting makes no row newer, and all the same the list is another one; then it is the old one again, later.
    let client = world.db.client().await;
    let lift = |at: &str| format!("UPDATE decision SET lifted_at = {at} WHERE value = '192.0.2.6'");
    client.batch_execute(&lift("now()")).await.expect("lifted");
    let second = with(&apis[1], "if-modified-since", &date).await.expect(200);
    assert!(!second.text().contains("192.0.2.6"));
    let later = second.header("last-modified").expect("date");
    with(&apis[0], "if-modified-since", &date).await.expect(200);
    client.batch_execute(&lift("NULL")).await.expect("back");
    let third = with(&apis[0], "if-modified-since", &later).await.expect(200);
    assert_eq!(third.header("etag"), Some(tag), "the tag is the content's");
    with(&apis[1], "if-modified-since", &date).await.expect(200);
    // A script tells what is left of each ban: it is never the same for long, and never 304 by time alone for long.
    let script = apis[0].get("/api/feeds/edge?format=mikrotik").await.expect(200);
    assert!(script.header("etag").is_some() && script.header("last-modified").is_some());
}
