//! Alerts as one stream of lines.
use crate::support::fixtures;
use crate::support::http::Answer;
use crate::support::machine::{new_uuid, undecided};
use crate::support::world::World;
use serde_json::{Value, json};

/// `Answer::text` is cut for people.
fn whole(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).expect("text")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

/// Lines of CSV, taken apart.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    assert!(
        !quoted && row.is_empty() && cell.is_empty(),
        "it ends with a line"
    );
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_the_list_in_one_piece() {
    // Nothing changes between two looks.
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let (api, machine) = (world.api(), world.machine("default").await);
    // More than two parts.
    for _ in 0..7 {
        let mut signals = fixtures::list("signals-v3-all.json");
        for signal in &mut signals {
            signal["uuid"] = json!(new_uuid());
        }
        machine.push_ok(world.server(), &signals).await;
    }
    let mut odd = undecided("192.0.2.9");
    odd["scenario"] = json!("=1+1,\"x\"");
    odd["message"] = json!("two\nlines");
    machine.push_ok(world.server(), &[odd]).await;
    for conditions in ["", "filtered=true", "scenario=ssh", "country=ZZ", "ip=192.0.2.9"] {
        let listed = world.alerts(&api, conditions).await;
        let answer = api
            .get(&format!("/api/alerts/export?{conditions}"))
            .await
            .expect(200);
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/x-ndjson")
        );
        assert_eq!(lines(&whole(&answer)), listed, "{conditions}");
        let path = format!("/api/alerts/export?format=csv&{conditions}");
        let answer = api.get(&path).await.expect(200);
        let rows = cells(&whole(&answer));
        assert_eq!(rows.len(), listed.len() + 1, "{conditions}");
        assert!(rows.iter().all(|row| row.len() == 40), "{conditions}");
        let ids: Vec<_> = rows[1..].iter().map(|row| row[0].clone()).collect();
        let expected: Vec<_> = listed.iter().map(|alert| alert["id"].to_string()).collect();
        assert_eq!(ids, expected, "{conditions}");
    }
    let one = api
        .get("/api/alerts/export?format=csv&ip=192.0.2.9")
        .await
        .expect(200);
    let rows = cells(&whole(&one));
    let column = |name: &str| rows[0].iter().position(|n| n == name).expect("a column");
    assert_eq!(rows[1][column("scenario")], "'=1+1,\"x\"");
    assert_eq!(rows[1][column("message")], "two\nlines");
    let raw = api
        .get("/api/alerts/export?raw=true&ip=192.0.2.9")
        .await
        .expect(200);
    let raw = lines(&whole(&raw))[0]["rawJson"]
        .as_str()
        .expect("the signal")
        .to_owned();
    assert!(raw.contains("192.0.2.9"));
    for (query, field) in [("format=xml", "format"), ("raw=1", "raw"), ("ip=x", "ip")] {
        let said = api
            .get(&format!("/api/alerts/export?{query}"))
            .await
            .expect(400)
            .json();
        assert_eq!(said["errors"][0]["field"], field, "{said}");
    }
}
