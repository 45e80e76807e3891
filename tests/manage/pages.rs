//! Walking the list by `Link: rel="next"`.
use crate::support::machine::{Machine, address, signal, undecided, uuid_of};
use crate::support::world::{World, next_link};
use serde_json::Value;
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
        assert_eq!(rest.json(), serde_json::json!([]), "nothing comes after the last");
        assert_eq!(next_link(rest.header("link").as_deref()), None);
    }
    let page = api.get("/api/alerts?limit=5").await.expect(200);
    let next = next_link(page.header("link").as_deref()).expect("a next page");
    let other = world.api_of(&acme).get(&next).await;
    assert!(
        other.status == 400 || other.json() == serde_json::json!([]),
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
