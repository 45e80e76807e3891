//! Every statement of `sql/`: used, single, held to its tenant, of the types that its caller expects, and within what
//! its role may do.
use super::source::{files, statements, without_comments};
use crate::support::postgres::Database;
use regex::Regex;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;
use tokio_postgres::SimpleQueryMessage;

/// Statements of garrison_platform, across tenants or before one is known.
const ACROSS: [&str; 7] = [
    "platform/",
    "tenant/",
    // facts of public registries, which are no tenant's
    "ipinfo/",
    "lane/claim",
    "lane/dispatch",
    "lane/get_backlog",
    "lane/reset",
];
/// Run by the owner of the tables: no role is taken.
const OWNERS: [&str; 5] = [
    "platform/make_partitions",
    "platform/claim_fact",
    "platform/reset_events",
    "platform/get_partitions_ahead",
    "platform/delete_partitions",
];

/// Whether a statement is on the rows of one tenant.
pub fn is_tenants(name: &str) -> bool {
    !ACROSS.iter().any(|a| name.starts_with(a)) && !OWNERS.contains(&name)
}

/// Uses of tables that are walled off by tenant.
fn uses(walled: &[String]) -> Regex {
    Regex::new(&format!(r"\b(FROM|JOIN|UPDATE)\s+({})\b", walled.join("|"))).unwrap()
}

/// Why a statement is not held to one tenant by its own words.
fn unheld(sql: &str, uses: &Regex) -> Option<String> {
    static INSERTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"INSERT INTO (\w+) \((\w+)").unwrap());
    static CONDITIONS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\btenant_id = (\$1\b|\w+\.tenant_id)").unwrap());
    let sql = without_comments(sql);
    for hit in INSERTS.captures_iter(&sql) {
        if &hit[2] != "tenant_id" {
            return Some(format!("inserts into {} without naming tenant_id first", &hit[1]));
        }
    }
    let touched = uses.find_iter(&sql).count();
    let held = CONDITIONS.find_iter(&sql).count();
    if held < touched {
        return Some(format!(
            "touches {touched} tables and has {held} conditions on tenant_id"
        ));
    }
    (touched > 0 && !sql.contains("tenant_id = $1")).then(|| "has no `tenant_id = $1`".to_owned())
}

#[test]
fn the_rule_of_tenant_conditions_knows_good_from_bad() {
    let uses = uses(&["alert", "lane"].map(str::to_owned));
    for (sql, good) in [
        ("SELECT id FROM alert WHERE tenant_id = $1 AND id = $2", true),
        ("SELECT id FROM alert WHERE id = $1", false),
        ("SELECT id FROM alert WHERE id = $1 -- tenant_id = $1", false),
        (
            "SELECT 1 FROM alert a JOIN lane l ON l.id = a.id WHERE a.tenant_id = $1",
            false,
        ),
        (
            "SELECT 1 FROM alert a JOIN lane l ON l.tenant_id = a.tenant_id WHERE a.tenant_id = $1",
            true,
        ),
        ("UPDATE lane SET fence = 1 WHERE fence = $2", false),
        ("DELETE FROM lane WHERE tenant_id = $10", false),
        ("INSERT INTO lane (tenant_id, topic) VALUES ($1, 2)", true),
        ("INSERT INTO lane (topic) VALUES (2)", false),
    ] {
        assert_eq!(unheld(sql, &uses).is_none(), good, "{sql}");
    }
}

#[tokio::test]
async fn every_statement_on_tenants_rows_names_the_tenant() {
    let db = Database::migrated().await;
    let sql = "SELECT relname::text FROM pg_class WHERE relrowsecurity ORDER BY 1";
    let rows = db.client().await.query(sql, &[]).await.expect("walled tables");
    let walled: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(walled.len() > 8, "too few walled tables: {walled:?}");
    let uses = uses(&walled);
    let of_tenants = statements().into_iter().filter(|(name, _)| is_tenants(name));
    let wrong: Vec<String> = of_tenants
        .filter_map(|(name, sql)| Some(format!("{name}: {}", unheld(&sql, &uses)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_statement_is_used_and_every_use_has_one() {
    let name = Regex::new(r#"sql!\(\s*"([^"]*)"\s*,?\s*\)"#).unwrap();
    let comment = Regex::new(r"(?m)^\s*//.*$").unwrap();
    let mut used = BTreeSet::new();
    for text in files("src", "rs").into_values() {
        let text = comment.replace_all(&text, "").into_owned();
        used.extend(name.captures_iter(&text).map(|hit| hit[1].to_owned()));
    }
    let kept: BTreeSet<String> = statements().into_keys().collect();
    let unused: Vec<_> = kept.difference(&used).collect();
    let missing: Vec<_> = used.difference(&kept).collect();
    assert!(
        unused.is_empty() && missing.is_empty(),
        "unused: {unused:?}; missing: {missing:?}"
    );
}

#[test]
fn a_file_is_one_statement_with_a_known_verb() {
    let verb = Regex::new(
        r"^[a-z]+/(list|get|insert|upsert|update|delete|claim|count|exists|dispatch|fail|release|renew|reset|touch|bind|move|make)(_[a-z_]+)?$",
    )
    .unwrap();
    let text = Regex::new(r"'[^']*'").unwrap();
    let mut wrong = Vec::new();
    for (name, sql) in statements() {
        let sql = text.replace_all(&without_comments(&sql), "''").into_owned();
        if sql.contains(';') {
            wrong.push(format!("{name}: more than one statement, or a `;` at its end"));
        }
        if !verb.is_match(&name) {
            wrong.push(format!("{name}: not a verb that the others use"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn parameters_and_columns_are_as_they_were() {
    let db = Database::migrated().await;
    let client = db.client().await;
    let mut all = String::new();
    for (name, sql) in statements() {
        let statement = client.prepare(&sql).await;
        let statement = statement.unwrap_or_else(|e| panic!("sql/{name}.sql: {:?}", e.as_db_error()));
        let params: Vec<&str> = statement.params().iter().map(|t| t.name()).collect();
        let columns: Vec<String> = statement
            .columns()
            .iter()
            .map(|c| format!("{} {}", c.name(), c.type_().name()))
            .collect();
        writeln!(all, "{name}({}) -> [{}]", params.join(", "), columns.join(", ")).expect("text");
    }
    insta::assert_snapshot!("signatures", all);
}

/// Postgres checks grants when a plan starts to run, so EXPLAIN asks for them.
#[tokio::test]
async fn every_statement_is_within_the_grants_of_its_role() {
    let db = Database::migrated().await;
    let client = db.client().await;
    let mut wrong = Vec::new();
    let (mut ran, mut denied) = (0, 0);
    for (name, sql) in statements() {
        if OWNERS.contains(&name.as_str()) {
            continue;
        }
        let params = client.prepare(&sql).await.expect("prepare").params().len();
        let (own, other) = if is_tenants(&name) {
            ("service", "platform")
        } else {
            ("platform", "service")
        };
        for role in [own, other] {
            let nulls = vec!["NULL"; params].join(", ");
            let call = if params == 0 {
                String::new()
            } else {
                format!("({nulls})")
            };
            let script = format!(
                "BEGIN; SET LOCAL ROLE garrison_{role}; SET LOCAL app.tenant = '1'; \
                 SET LOCAL plan_cache_mode = force_generic_plan; PREPARE p AS {sql}\n; EXPLAIN EXECUTE p{call}"
            );
            let result = client.simple_query(&script).await;
            client
                .batch_execute("ROLLBACK; DEALLOCATE ALL")
                .await
                .expect("rollback");
            match result {
                Ok(messages) => {
                    assert!(
                        messages.iter().any(|m| matches!(m, SimpleQueryMessage::Row(_))),
                        "{name}: no plan"
                    );
                    ran += usize::from(role == own);
                }
                Err(e) if role == own => {
                    wrong.push(format!("{name} as garrison_{role}: {:?}", e.as_db_error()))
                }
                Err(_) => denied += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The check sees missing grants: most statements are beyond what the other role may do.
    assert!(
        ran > 60 && denied > 50,
        "ran {ran}, denied to the other role {denied}"
    );
}
