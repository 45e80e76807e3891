//! Walking the list by `Link: rel="next"`.
use crate::support::machine::{Machine, address, signal, undecided, uuid_of};
use crate::support::world::{World, next_link};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn push(world: &World, machine: &Machine, from: u32, n: u32) -> BTreeSet<String> {
    let items: Vec<Value> = (from..from + n)
        .map(|i| {
            if i % 3 == 0 {
                undecided(&address(i))
            } else {
                signal(&address(i))
            }
        })
        .collect();
    machine.push_ok(world.server(), &items).await;
    items.iter().map(uuid_of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_no_gap_and_no_double_while_alerts_arrive() {
    let world = World::start().await;
    let machine = world.machine("default").await;
    let api = world.api();
    let mut before = BTreeSet::new();
    for round in 0..6 {
        before.extend(push(&world, &machine, round * 50, 50).await);
    }
    for (query, keep) in [
        ("", 300),
        ("&filtered=true", 100),
        ("&scenario=ssh&forwardedToCapi=false&filtered=true", 100),
        ("&ip=198.18.0.0/15", 300),
    ] {
        let mut seen: Vec<Value> = Vec::new();
        let mut path = Some(format!("/api/alerts?limit=7{query}"));
        let mut pages = 0;
        while let Some(at) = path {
            let page = api.get(&at).await.expect(200);
            let rows = page
                .json()
                .as_array()
                .expect("the body stays a bare array")
                .clone();
            assert!(rows.len() <= 7, "{at}");
            path = next_link(page.header("link").as_deref());
            assert!(path.is_none() || rows.len() == 7, "a short page with a next");
            seen.extend(rows);
            pages += 1;
            assert!(pages < 500, "pages without an end");
            if pages % 4 == 0 && query.is_empty() {
                // arrives while we walk: may be missed, must not shift anything
                push(&world, &machine, 10_000 + pages * 10, 5).await;
            }
        }
        let uuids: Vec<String> = seen.iter().map(uuid_of).collect();
        let set: BTreeSet<String> = uuids.iter().cloned().collect();
        assert_eq!(set.len(), uuids.len(), "`{query}`: a double");
        let old: BTreeSet<String> = set.intersection(&before).cloned().collect();
        assert_eq!(old.len(), keep, "`{query}`: a gap");
        let times: Vec<jiff::Timestamp> = seen
            .iter()
            .map(|a| a["receivedAt"].as_str().expect("time").parse().expect("time"))
            .collect();
        assert!(
            times.windows(2).all(|w| w[0] >= w[1]),
            "`{query}`: newest first, over all pages"
        );
        if query.contains("filtered") {
            assert!(
                seen.iter().all(|a| a["filtered"] == true),
                "the filter goes along"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_page_has_no_next_and_a_cursor_stays_within_its_tenant() {
    let world = World::start().await;
    let (acme, machine) = (world.tenant("acme").await, world.machine("default").await);
    push(&world, &machine, 0, 20).await;
    let api = world.api();
    let whole = api.get("/api/alerts?limit=20").await.expect(200);
    assert_eq!(whole.json().as_array().expect("array").len(), 20);
    if let Some(next) = next_link(whole.header("link").as_deref()) {
        let rest = api.get(&next).await.expect(200);
        assert_eq!(rest.json(), json!([]), "nothing comes after the last");
        assert_eq!(next_link(rest.header("link").as_deref()), None);
    }
    let page = api.get("/api/alerts?limit=5").await.expect(200);
    let next = next_link(page.header("link").as_deref()).expect("a next page");
    let other = world.api_of(&acme).get(&next).await;
    assert!(
        other.status == 400 || other.json() == json!([]),
        "another tenant's cursor: {}",
        other.text()
    );
    // one letter changed: refused, never another place in the list by chance and never a 5xx
    let at = next.find("cursor=").expect("cursor in the link") + 7;
    let mut forged = next.into_bytes();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let answer = api.get(std::str::from_utf8(&forged).expect("text")).await;
    assert!(
        matches!(answer.status, 200 | 400),
        "a forged cursor: {} {}",
        answer.status,
        answer.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_counted_or_estimated() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let machine = world.machine("default").await;
    machine
        .push_ok(world.server(), &[signal("192.0.2.1"), signal("192.0.2.2")])
        .await;
    let api = world.api();
    let counted = async |query: &str| {
        let answer = api.get(&format!("/api/alerts?limit=1&{query}")).await.expect(200);
        let text = |name| answer.header(name).expect("a header");
        let n: i64 = text("x-total-count").parse().expect("a number");
        (n, text("x-total-count-is"))
    };
    let exact = |n| (n, "exact".to_owned());
    for how in ["estimate", "exact"] {
        assert_eq!(counted(&format!("count={how}")).await, exact(2));
        assert_eq!(counted(&format!("count={how}&ip=192.0.2.1")).await, exact(1));
        assert_eq!(counted(&format!("count={how}&scenario=nothing")).await, exact(0));
    }
    assert_eq!(
        api.get("/api/alerts").await.expect(200).header("x-total-count"),
        None
    );
    // 40,000 more, as if they came over 20 days; a third of them of one country, evenly.
    let fill = "INSERT INTO alert (tenant_id, key, forward_state, filtered, has_decisions, scenario, geo_country_code, received_at)
        SELECT 1, overlay(gen_random_uuid()::text PLACING left(time_key(now())::text, 13) FROM 1)::uuid, 0, false, false, 'many/' || i % 9, CASE WHEN i % 3 = 0 THEN 'FR' END,
          date_bin('1 minute', now() - i * interval '43 seconds', 'epoch') FROM generate_series(1, 40000) i;
      INSERT INTO stat_delta (tenant_id, at, sign, scenario, country, country_name, cell)
        SELECT 1, received_at, 1, array_agg(scenario), array_agg(geo_country_code), array_agg(NULL::text), array_agg(NULL::int)
        FROM alert WHERE scenario LIKE 'many/%' GROUP BY received_at";
    let client = world.db.client().await;
    client.batch_execute(fill).await.expect("fill");
    assert_eq!(counted("count=estimate").await, exact(40_002));
    assert_eq!(counted("count=exact&country=FR").await, exact(13_333));
    assert_eq!(counted("count=exact&scenario=many%2F3").await, exact(4_445));
    assert_eq!(counted("count=estimate&scenario=many%2F3").await, exact(4_445));
    let (n, is) = counted("count=estimate&country=FR").await;
    assert!((13_000..13_700).contains(&n) && is == "estimate", "{n} {is}");
    let (n, is) = counted("count=estimate&scenario=any").await;
    assert!((39_500..40_500).contains(&n) && is == "estimate", "{n} {is}");
    // From time to time exactly what the list has.
    let times = "SELECT (now() - interval '9 days 3 hours')::timestamptz(0)::text, (now() - interval '17 minutes')::timestamptz(0)::text";
    let row = client.query_one(times, &[]).await.expect("times");
    let (since, until): (String, String) = (row.get(0), row.get(1));
    let rows = "SELECT count(*) FROM alert WHERE received_at BETWEEN $1::text::timestamptz AND $2::text::timestamptz";
    let rows: i64 = client
        .query_one(rows, &[&since, &until])
        .await
        .expect("rows")
        .get(0);
    let at = |text: &str| text.replace(' ', "T").replace("+00", "Z");
    let range = format!("count=exact&since={}&until={}", at(&since), at(&until));
    assert_eq!(counted(&range).await, exact(rows));
}

/// The numbers of what is listed, page by page.
async fn walk(world: &World, query: &str, limit: usize) -> Vec<i64> {
    let (api, mut ids) = (world.api(), Vec::new());
    let mut path = Some(format!("/api/alerts?limit={limit}&{query}"));
    while let Some(at) = path {
        let page = api.get(&at).await.expect(200);
        let rows = page.json();
        let rows = rows.as_array().expect("rows").iter();
        ids.extend(rows.map(|row| row["id"].as_i64().expect("a number")));
        path = next_link(page.header("link").as_deref());
    }
    ids
}

/// Of many scenarios each is looked up by itself: some of them frequent, some rare, some ended long ago, many a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_several_scenarios_is_that_of_all_without_the_others() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let fill = "INSERT INTO alert (tenant_id, key, forward_state, filtered, has_decisions, scenario, geo_country_code, agent, received_at)
        SELECT 1, overlay(gen_random_uuid()::text PLACING left(time_key(now())::text, 13) FROM 1)::uuid, 0, i % 4 = 0, false,
          CASE WHEN i % 97 = 0 THEN 'some/rare' WHEN i % 2 = 0 THEN 'other/' || i % 7 WHEN i < 1000 THEN 'some/new'
               ELSE 'some/old-' || i % 40 END,
          CASE WHEN i % 3 = 0 THEN 'FR' END, 'agent-' || i % 5, date_bin('1 minute', now() - i * interval '9 seconds', 'epoch')
        FROM generate_series(1, 4000) i;
      INSERT INTO stat_delta (tenant_id, at, sign, scenario, country, country_name, cell)
        SELECT 1, received_at, 1, array_agg(scenario), array_agg(geo_country_code), array_agg(NULL::text), array_agg(NULL::int)
        FROM alert GROUP BY received_at";
    let client = world.db.client().await;
    client.batch_execute(fill).await.expect("fill");
    for (query, sql) in [
        ("scenario=some", "scenario LIKE '%some%'"),
        ("scenario=old-1", "scenario LIKE '%old-1%'"),
        ("scenario=rare", "scenario LIKE '%rare%'"),
        ("scenario=o", "true"),
        (
            "scenario=some&country=FR",
            "scenario LIKE '%some%' AND geo_country_code = 'FR'",
        ),
        (
            "scenario=some&filtered=true",
            "scenario LIKE '%some%' AND filtered",
        ),
        (
            "scenario=rare&machineId=agent-3",
            "scenario = 'some/rare' AND agent = 'agent-3'",
        ),
        (
            "scenario=r&machineId=agent-3&filtered=false",
            "scenario LIKE '%r%' AND agent = 'agent-3' AND NOT filtered",
        ),
    ] {
        let all = format!("SELECT id FROM alert WHERE {sql} ORDER BY received_at DESC, id DESC");
        let all = client.query(&all, &[]).await.expect("all");
        let all: Vec<i64> = all.iter().map(|row| row.get(0)).collect();
        assert!(all.len() > 5, "{query}: {}", all.len());
        for limit in [23, 1000] {
            assert!(walk(&world, query, limit).await == all, "{query}, {limit} a page");
        }
        let offset = format!("{query}&offset=17");
        let page = world.api().get(&format!("/api/alerts?limit=19&{offset}")).await;
        let page = page.expect(200).json();
        let page = page.as_array().expect("rows").iter();
        let page: Vec<i64> = page.map(|row| row["id"].as_i64().expect("a number")).collect();
        assert_eq!(page, all[all.len().min(17)..all.len().min(36)], "{offset}");
        let beyond = format!("/api/alerts?{query}&offset={}", i64::MAX);
        assert_eq!(world.api().get(&beyond).await.expect(200).json(), json!([]));
    }
}
