//! How the statements that read much are planned: on a tenant of 300,000 alerts, by the role and the settings that the
//! service has, no partition with rows is read from end to end, and a page costs a page.
use super::plans_cost::{Cost, explain};
use super::plans_fill::{alerts, filled};
use serde_json::Value;

/// The most rows that a first page may look at.
const ROWS: f64 = 20_000.0;
const NONE: [&str; 12] = ["NULL"; 12];

/// `alert/list` with these parameters (counted from 2) and a page of 50.
fn list(given: &[(usize, &str)]) -> String {
    let mut params = NONE;
    for (n, value) in given {
        params[n - 2] = value;
    }
    format!("1, {}, 50, 0, NULL", params.join(", "))
}

fn judge(name: &str, args: &str, mode: &str, cost: &Cost, limit: f64) -> Option<String> {
    println!("{name}({args}) {mode}: {} rows, {:.1} ms", cost.rows, cost.millis);
    let bad = !cost.sequential.is_empty() || cost.rows > limit;
    bad.then(|| {
        format!(
            "{name}({args}), {mode} plan: {} rows in {:.1} ms, sequential {:?}{}",
            cost.rows, cost.millis, cost.sequential, cost.shape
        )
    })
}

#[tokio::test]
async fn reads_find_an_index_and_stop_at_the_page() {
    let (_db, client) = filled().await;
    let newest = "SELECT (array_agg(received_at ORDER BY id))[1]::text, max(id) FROM alert WHERE tenant_id = 1 AND received_at < now() - interval '9 days'
                  AND received_at > now() - interval '10 days'";
    let row = client.query_one(newest, &[]).await.expect("a middle row");
    let (at, id): (String, i64) = (row.get(0), row.get(1));
    let keys = "SELECT (SELECT min(id) FROM machine WHERE tenant_id = 1), (SELECT id::text FROM signal_batch WHERE tenant_id = 1 ORDER BY id DESC OFFSET 100 LIMIT 1)";
    let row = client.query_one(keys, &[]).await.expect("keys");
    let (machine, batch): (i64, String) = (row.get(0), row.get(1));
    let (at, id_text) = (format!("'{at}'"), id.to_string());

    let mut bad = Vec::new();
    for given in [
        &[][..],
        &[(2, "true")],
        &[(2, "false")],
        &[(3, "true")],
        &[(3, "false")],
        &[(4, "'scenario-7'")],
        &[(4, "'crowdsecurity'")],
        &[(5, "'CD'")],
        &[(6, "'agent-7'")],
        &[(7, "'11.0.0.251'"), (8, "'11.0.0.251'"), (9, "'11.0.0.251'")],
        &[(7, "'11.7.0.0'"), (8, "'11.7.255.255'")],
        &[(10, "now() - interval '1 hour'")],
        &[(10, "now() - interval '20 days'")],
        &[(11, "now() - interval '10 days'")],
        &[
            (10, "now() - interval '12 days'"),
            (11, "now() - interval '10 days'"),
        ],
        &[(12, &at), (13, &id_text)],
        &[(5, "'CD'"), (12, &at), (13, &id_text)],
        &[(6, "'agent-7'"), (12, &at), (13, &id_text)],
        &[(7, "'11.0.0.0'"), (8, "'11.255.255.255'")],
        &[(7, "'0.0.0.0'"), (8, "'127.255.255.255'")],
        &[(5, "'CD'"), (6, "'agent-7'")],
        // What nothing has.
        &[(5, "'ZZ'")],
        &[(6, "'nobody'")],
        &[(7, "'203.0.113.9'"), (8, "'203.0.113.9'"), (9, "'203.0.113.9'")],
    ] {
        let args = list(given);
        let cost = explain(&client, "alert/list", &args, "service", "custom").await;
        bad.extend(judge("alert/list", &args, "custom", &cost, ROWS));
    }
    // Scenarios' alerts are read in their order, and of two conditions what meets both: a page's rows, however long ago, and
    // however many names there are.
    let of = |names: &str, given: &str| format!("1, {names}, {given}, NULL, NULL, 50, 0");
    let (one, some, any) = ("'{crowdsecurity/scenario-7}'", "NULL, NULL, NULL", &at);
    let names = |n: std::ops::Range<u8>| {
        let names: Vec<String> = n.map(|n| format!("crowdsecurity/scenario-{n}")).collect();
        format!("'{{{}}}'", names.join(","))
    };
    let (few, all) = (names(1..10), names(0..100));
    let after = of(&few, some).replace("NULL, NULL, 50", &format!("{any}, {id_text}, 50"));
    for (name, args) in [
        ("alert/list_of_scenarios", of(one, some)),
        ("alert/list_of_scenarios", of(one, "'CD', NULL, NULL")),
        (
            "alert/list",
            list(&[(6, "'agent-7'")]).replace("50, 0, NULL", &format!("50, 0, {one}")),
        ),
        ("alert/list_of_scenarios", of(&few, some)),
        ("alert/list_of_scenarios", after),
        (
            "alert/list_of_scenarios",
            of(&few, "NULL, NULL, now() - interval '10 days'"),
        ),
        ("alert/list_of_scenarios", of(&all, some)),
        ("alert/list_of_scenarios", of("'{nothing,none}'", some)),
        ("alert/list", list(&[(5, "'CD'"), (6, "'agent-7'")])),
    ] {
        let cost = explain(&client, name, &args, "service", "custom").await;
        bad.extend(judge(name, &args, "custom", &cost, 500.0));
    }
    // Scenarios are looked for by name, unless their names are more than 2,000: then a part of one is looked for in the
    // rows of the time that was asked for, here one of 28 days.
    let args = list(&[(4, "'no such scenario'"), (10, "now() - interval '1 day'")]);
    let cost = explain(&client, "alert/list", &args, "service", "custom").await;
    let day = f64::from(alerts()) / 25.0;
    bad.extend(judge("alert/list", &args, "custom", &cost, day));
    // A rare word within a scenario's name, and a verdict that nothing has, are looked for row by row: by an index, but
    // as many rows as there are. A time makes them cheap, as above.
    for given in [&[(4, "'no such scenario'")][..], &[(2, "true"), (3, "true")]] {
        let args = list(given);
        let cost = explain(&client, "alert/list", &args, "service", "custom").await;
        bad.extend(judge("alert/list", &args, "custom", &cost, f64::INFINITY));
    }

    // The sweep finds what is old by the time of receipt.
    let nil = "00000000-0000-0000-0000-000000000000";
    for (name, args) in [
        (
            "retention/list_alerts",
            "1, 10, false, false, '1970-01-01', -1, 500".to_owned(),
        ),
        ("retention/list_batches", format!("1, 10, '{nil}', 500")),
        ("retention/list_bodies", format!("1, 10, '{nil}', 500")),
    ] {
        let cost = explain(&client, name, &args, "service", "custom").await;
        // Whether a body is waited for: the fifty alerts of each batch.
        bad.extend(judge(name, &args, "custom", &cost, 2.0 * ROWS));
    }

    // Statistics read what they count, and nothing else.
    let stats = |given: &[(usize, &str)]| {
        let all = list(given);
        let conditions: Vec<&str> = all.splitn(12, ", ").take(11).collect();
        conditions.join(", ")
    };
    for given in [
        &[(10, "now() - interval '1 hour'")][..],
        &[(7, "'11.0.0.251'"), (8, "'11.0.0.251'"), (9, "'11.0.0.251'")],
        &[(6, "'agent-7'"), (10, "now() - interval '7 days'")],
    ] {
        for (name, more) in [
            ("stats/list_alerts", "'UTC', 15, NULL"),
            ("stats/list_decisions", "'UTC', 15, NULL"),
            ("stats/list_heatmap", "'UTC', NULL"),
            ("stats/list_places", "5000, NULL"),
            ("stats/list_buckets", "'UTC', 'hour', NULL"),
        ] {
            let args = format!("{}, {more}", stats(given));
            let cost = explain(&client, name, &args, "service", "custom").await;
            bad.extend(judge(name, &args, "custom", &cost, 10.0 * ROWS));
        }
    }

    // Kept counts: as many rows as hours and days have values, whatever the number of alerts.
    let week = "now() - interval '7 days', date_trunc('hour', now() - interval '6 days 23 hours'), date_trunc('day', now() - interval '6 days', 'UTC'), \
                '9998-12-31', '9998-12-31', '9998-12-31'";
    let all = "'1970-01-01', '1970-01-01', '1970-01-01', '9998-12-31', '9998-12-31', '9998-12-31'";
    let ends = "now() - interval '7 days', date_trunc('hour', now() - interval '6 days 23 hours'), '9998-12-31', '9998-12-31'";
    for (name, args) in [
        ("stats/list_rolled_alerts", format!("1, {week}, 'UTC', 15, false")),
        ("stats/list_rolled_alerts", format!("1, {all}, 'UTC', 15, true")),
        (
            "stats/list_rolled_decisions",
            format!("1, {week}, 'UTC', 15, false"),
        ),
        (
            "stats/list_rolled_decisions",
            format!("1, {all}, 'UTC', 15, true"),
        ),
        ("stats/list_rolled_places", format!("1, {all}, true, 5000")),
        ("stats/list_rolled_heatmap", format!("1, {ends}, 'UTC'")),
        (
            "stats/list_rolled_heatmap_of",
            format!("1, {ends}, 'UTC', 2, ARRAY['FR']"),
        ),
        ("stats/list_rolled_buckets", format!("1, {ends}, 'UTC', 'hour'")),
        ("alert/count_rolled", format!("1, {ends}")),
        ("stats/get_first", "1, '1970-01-01', '9998-12-31'".to_owned()),
        ("stats/list_scenarios", "1".to_owned()),
        ("alert/list_scenarios", "1, 'scenario-7', 2001".to_owned()),
    ] {
        let mode = if name.starts_with("stats/") {
            "generic"
        } else {
            "custom"
        };
        let cost = explain(&client, name, &args, "service", mode).await;
        bad.extend(judge(name, &args, mode, &cost, 2.0 * ROWS));
    }
    let names = "ARRAY['crowdsecurity/scenario-7']";
    let none = "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";
    for (name, args) in [
        ("alert/list", format!("1, {none}, NULL, NULL, 50, 0, {names}")),
        (
            "alert/list",
            format!("1, {none}, NULL, NULL, 50, 0, ARRAY['nothing']"),
        ),
        ("alert/count_newest", format!("1, {none}, {names}, 5001")),
    ] {
        let cost = explain(&client, name, &args, "service", "custom").await;
        bad.extend(judge(name, &args, "custom", &cost, ROWS));
    }
    // Usage metrics: a page, of all or of few; the sum of 30 days reads the drops alone.
    for (name, args) in [
        (
            "metrics/list",
            "1, NULL, NULL, NULL, NULL, NULL, NULL, 1001, 16777216".to_owned(),
        ),
        (
            "metrics/list",
            format!("1, '{{{machine}}}', NULL, NULL, NULL, NULL, NULL, 1001, 16777216"),
        ),
        (
            "metrics/list",
            "1, '{-1}', NULL, NULL, NULL, NULL, NULL, 1001, 16777216".to_owned(),
        ),
        (
            "metrics/list",
            "1, NULL, 'edge-7', NULL, NULL, NULL, NULL, 1001, 16777216".to_owned(),
        ),
        (
            "metrics/list",
            "1, NULL, 'nobody', NULL, NULL, NULL, NULL, 1001, 16777216".to_owned(),
        ),
        (
            "metrics/list",
            "1, NULL, NULL, NULL, now() - interval '40 days', NULL, NULL, 1001, 16777216".to_owned(),
        ),
        (
            "metrics/list",
            "1, NULL, NULL, NULL, NULL, now() - interval '40 days', 5, 1001, 16777216".to_owned(),
        ),
        ("retention/delete_metrics", "1, 80, 5000".to_owned()),
        ("stats/get_blocked", "1".to_owned()),
    ] {
        let cost = explain(&client, name, &args, "service", "custom").await;
        bad.extend(judge(name, &args, "custom", &cost, ROWS));
    }
    let keys = "1, ARRAY[md5('1'), md5('2')]::uuid[], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";
    let cost = explain(&client, "alert/list_by_key", keys, "service", "custom").await;
    bad.extend(judge("alert/list_by_key", keys, "custom", &cost, 100.0));
    // A portion of a pass costs a portion, wherever it stands.
    let midway = format!("1, {at}, {id_text}, NULL, 500");
    let ended = format!("1, {at}, {id_text}, now(), 500");
    for args in [midway.as_str(), &ended] {
        let cost = explain(&client, "geoip/list", args, "service", "custom").await;
        bad.extend(judge("geoip/list", args, "custom", &cost, 2_000.0));
    }

    // The others keep whatever kind of plan the server chooses, so both must do.
    let forward = format!("1, {machine}, '0', 0, '9223372036854775807', 50");
    let (below, seen) = (format!("1, '{batch}', 7, 20"), format!("1, {id}"));
    for (name, args, role) in [
        ("alert/get", seen.as_str(), "service"),
        ("alert/exists_newer", "1, now() - interval '1 minute'", "service"),
        ("alert/exists_newer", "1, now() + interval '1 minute'", "service"),
        ("forward/list", &forward, "service"),
        ("lane/claim", "20, 4, 30, NULL", "platform"),
        ("filter/list_batches", &below, "service"),
        ("machine/list", "1", "service"),
        ("event/list", "1, '100', 0, '600', 9, '{1,2}', 20", "service"),
        ("event/list", "1, '100', 0, '600', 9, '{15}', 20", "service"),
        ("event/get_oldest", "1, '100'", "service"),
        ("platform/list_event_heads", "'{1,2,3,40}'", "platform"),
        ("platform/delete_events", "70000, 5000", "platform"),
        ("platform/delete_events", "86400, 5000", "platform"),
    ] {
        for mode in ["custom", "generic"] {
            let cost = explain(&client, name, args, role, mode).await;
            bad.extend(judge(name, args, mode, &cost, ROWS));
        }
    }

    // One address costs a few rows, however many decisions hold; so does a wide block, of which the first are told.
    let around = "'{0.0.0.0,8.0.0.0,10.0.0.0,11.0.0.0,11.0.4.0,11.0.6.0,11.0.7.0,11.0.7.4}'";
    let one = format!("1, '11.0.7.5', '11.0.7.5', {around}");
    let wide = "1, '11.0.0.0', '11.255.255.255', '{0.0.0.0,8.0.0.0,10.0.0.0}'";
    for (name, args) in [
        ("decision/list_by_address", one.as_str()),
        ("decision/list_by_address", wide),
        ("decision/list_copies", "1, ARRAY[md5('7'), md5('r9')]::uuid[]"),
        ("explain/list_allowed", &one),
        (
            "explain/list_alerts",
            "1, '11.0.0.251', '11.0.0.251', '11.0.0.251'",
        ),
    ] {
        for mode in ["custom", "generic"] {
            let cost = explain(&client, name, args, "service", mode).await;
            bad.extend(judge(name, args, mode, &cost, 2_000.0));
        }
    }

    // The check itself: a condition that hides the column from every index is seen.
    let worst =
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT FROM alert WHERE tenant_id + 0 = 1 AND raw_offset = -1";
    let row = client.query_one(worst, &[]).await.expect("a plan");
    let cost = Cost::of(&row.get::<_, Value>(0), &[]);
    assert!(
        judge("alert", "", "worst", &cost, ROWS).is_some() && !cost.sequential.is_empty(),
        "a sequential scan is not seen"
    );
    assert!(bad.is_empty(), "{} bad plans:\n{}", bad.len(), bad.join("\n\n"));
}
