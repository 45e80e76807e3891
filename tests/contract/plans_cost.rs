//! What a statement costs, as the server tells it.
use super::source::statements;
use serde_json::Value;
use tokio_postgres::{Client, SimpleQueryMessage};

/// What a plan does, as it ran.
#[derive(Debug, Default)]
pub struct Cost {
    /// Rows that scans fetched, those that a filter then threw away included.
    pub rows: f64,
    /// Tables with rows that were read from end to end.
    pub sequential: Vec<String>,
    pub millis: f64,
    pub shape: String,
}

impl Cost {
    pub fn of(plan: &Value, small: &[String]) -> Self {
        let mut cost = Self {
            millis: plan[0]["Execution Time"].as_f64().unwrap_or(0.0),
            ..Self::default()
        };
        cost.add(&plan[0]["Plan"], 0, small);
        cost
    }

    fn add(&mut self, node: &Value, depth: usize, small: &[String]) {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let (kind, loops) = (node["Node Type"].as_str().unwrap_or(""), number("Actual Loops"));
        let table = node["Relation Name"].as_str().unwrap_or("");
        let dropped = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        let read = loops * (number("Actual Rows") + dropped);
        if kind.ends_with("Scan")
            && (!table.is_empty() || kind == "Bitmap Index Scan")
            && kind != "Bitmap Heap Scan"
        {
            self.rows += read;
        } else if kind == "Bitmap Heap Scan" {
            self.rows += loops * dropped;
        }
        if kind == "Seq Scan" && read > 0.0 && !small.iter().any(|s| s == table) {
            self.sequential.push(table.to_owned());
        }
        if loops > 0.0 && read > 0.0 {
            let index = node["Index Name"].as_str().unwrap_or("");
            self.shape += &format!("\n{:depth$}{kind} {table} {index} rows {read}", "");
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child, depth + 1, small);
        }
    }
}

/// Tables that may be read from end to end.
async fn small(client: &Client) -> Vec<String> {
    // Control tables of a few pages; the lanes have no index on what changes, on purpose.
    let named = [
        "lane",
        "dispatch",
        "tenant",
        "filter_set",
        "filter_rule",
        "machine",
        "allowlist",
        // Of all time is all of them, and nearly all are this tenant's here.
        "stat_total",
        "event_floor",
        "stat_name",
        "usage_component",
    ];
    // So is the week's partition on its first two days.
    let young = "SELECT relname FROM pg_class WHERE relispartition AND relname ~ to_char(now() AT TIME ZONE 'UTC', '_IYYY\"w\"IW$') AND relpages < 400 \
                 AND now() < date_trunc('week', now(), 'UTC') + interval '2 days'";
    let young = client.query(young, &[]).await.expect("the week's partitions");
    let young = young.iter().map(|row| row.get(0));
    named.map(str::to_owned).into_iter().chain(young).collect()
}

/// Runs the statement as the service does and tells what it cost. Nothing that it changes stays.
pub async fn explain(client: &Client, name: &str, args: &str, role: &str, mode: &str) -> Cost {
    let sql = &statements()[name];
    let small = small(client).await;
    let script = format!(
        "BEGIN; PREPARE p AS {sql}\n; SET LOCAL ROLE garrison_{role}; SET LOCAL app.tenant = '1'; \
         SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL plan_cache_mode = force_{mode}_plan; EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p({args})"
    );
    let messages = client
        .simple_query(&script)
        .await
        .unwrap_or_else(|e| panic!("{name}({args}): {:?}", e.as_db_error()));
    client
        .batch_execute("ROLLBACK; DEALLOCATE ALL")
        .await
        .expect("rollback");
    let text = messages.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Cost::of(
        &serde_json::from_str(&text.expect("a plan")).expect("a plan in JSON"),
        &small,
    )
}
