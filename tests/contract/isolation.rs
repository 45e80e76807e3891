//! The database's own wall, when the statements forget theirs: row-level security alone lets no tenant see, change or
//! make another's rows.
use super::mutant::{Names, changes, forgetful, inserts, reads, run};
use super::source::{statements, without_comments};
use super::sql::is_tenants;
use super::walk::{A, B, walked};
use std::collections::BTreeSet;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

const AS_A: &str = "BEGIN; SET LOCAL ROLE garrison_service; SET LOCAL app.tenant = '1'";
const AS_NOBODY: &str = "BEGIN; SET LOCAL ROLE garrison_service";
const AS_SUPERUSER: &str = "BEGIN";

async fn begin(client: &Client, who: &str) {
    client.batch_execute("ROLLBACK").await.expect("rollback");
    client.batch_execute(who).await.expect("begin");
}

/// A digest of everything that tenant B owns.
async fn digest(client: &Client) -> String {
    client.batch_execute("RESET ROLE").await.expect("reset");
    let tables = "SELECT string_agg(format('SELECT t::text FROM %s t WHERE tenant_id = 2', oid::regclass), ' UNION ALL ')
                  FROM pg_class WHERE relrowsecurity";
    let all: String = client.query_one(tables, &[]).await.expect("tables").get(0);
    let sql = format!("SELECT md5(string_agg(t, chr(10) ORDER BY t)) || count(*) FROM ({all}) x(t)");
    client.query_one(&sql, &[]).await.expect("a digest").get(0)
}

/// A statement that names none, such as a lock, has no rows to leak.
fn names_a_table(sql: &str) -> bool {
    let sql = without_comments(sql).to_uppercase();
    let mut words = sql.split(|c: char| !c.is_alphanumeric());
    words.any(|word| ["FROM", "INTO", "UPDATE", "JOIN", "TABLE", "USING", "MERGE"].contains(&word))
}

#[test]
fn a_statement_that_names_a_table_is_known() {
    for (sql, names) in [
        ("SELECT pg_advisory_xact_lock(1, $1) -- FROM nowhere", false),
        ("SELECT 1 FROM alert", true),
        ("SELECT (SELECT id\nfrom alert)", true),
        ("TABLE alert", true),
        ("UPDATE alert SET id = 1", true),
        ("INSERT INTO alert VALUES (1)", true),
    ] {
        assert_eq!(names_a_table(sql), names, "{sql}");
    }
}

#[test]
fn every_statement_of_a_tenant_is_called() {
    let called: BTreeSet<&str> = reads()
        .chain(changes())
        .chain(inserts())
        .map(|(name, _)| name)
        .collect();
    let all = statements();
    let left: Vec<_> = all
        .keys()
        .filter(|name| is_tenants(name) && names_a_table(&all[*name]) && !called.contains(name.as_str()))
        .collect();
    assert!(left.is_empty(), "add calls to mutant.rs: {left:?}");
    for (name, _) in reads() {
        // A row may be locked by who only reads it.
        let sql = without_comments(&all[name]).replace("FOR UPDATE", "");
        assert!(
            !["INSERT INTO", "UPDATE", "DELETE"]
                .iter()
                .any(|verb| sql.contains(verb)),
            "{name} is no read"
        );
    }
}

#[tokio::test]
async fn reads_without_a_tenant_condition_still_see_one_tenant() {
    let db = walked().await;
    let (client, all) = (db.client().await, statements());
    let names = Names::of(&client).await;
    for (name, args) in reads() {
        let mutant = forgetful(&all[name]);
        begin(&client, AS_SUPERUSER).await;
        let right = run(&client, &all[name], A, args, &names)
            .await
            .unwrap_or_else(|e| panic!("{name}: {:?}", e.as_db_error()));
        let leaky = run(&client, &mutant, A, args, &names)
            .await
            .unwrap_or_else(|e| panic!("{name}: {:?}", e.as_db_error()));
        assert_ne!(leaky, right, "{name}: nothing to leak, so the call shows nothing");
        begin(&client, AS_A).await;
        let held = run(&client, &mutant, A, args, &names)
            .await
            .unwrap_or_else(|e| panic!("{name}: {:?}", e.as_db_error()));
        assert_eq!(held, right, "{name} as A");
        assert!(!format!("{held:?}").contains("canary_b"), "{name} shows B's rows");
        // With B's number as the parameter, too.
        let other = run(&client, &mutant, B, args, &names).await.expect(name);
        assert_eq!(other, right, "{name} as A with B's number");
        begin(&client, AS_NOBODY).await;
        let none = run(&client, &mutant, A, args, &names).await.expect(name);
        let empty = none
            .iter()
            .flatten()
            .all(|cell| matches!(cell.as_str(), "0" | "f" | "null"));
        assert!(empty, "{name} without a tenant: {none:?}");
    }
}

#[tokio::test]
async fn changes_without_a_tenant_condition_do_not_reach_another_tenant() {
    let db = walked().await;
    let (client, all) = (db.client().await, statements());
    let names = Names::of(&client).await;
    let before = digest(&client).await;
    for (name, args) in changes() {
        let mutant = forgetful(&all[name]);
        for (who, tenant) in [(AS_A, A), (AS_NOBODY, A)] {
            begin(&client, who).await;
            // An insert half is refused; the rest finds no row.
            if let Err(e) = run(&client, &mutant, tenant, args, &names).await {
                assert_eq!(
                    e.code(),
                    Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                    "{name}: {:?}",
                    e.as_db_error()
                );
                client.batch_execute("ROLLBACK").await.expect("rollback");
            }
            assert_eq!(digest(&client).await, before, "{name}, {who}");
        }
        begin(&client, AS_SUPERUSER).await;
        let own = name.ends_with("upsert") || name == "decision/insert_outbox";
        let tenant = if own { B } else { A };
        run(&client, &mutant, tenant, args, &names)
            .await
            .unwrap_or_else(|e| panic!("{name}: {:?}", e.as_db_error()));
        assert_ne!(
            digest(&client).await,
            before,
            "{name}: nothing to change, so the call shows nothing"
        );
    }
}

#[tokio::test]
async fn rows_of_another_tenant_are_refused() {
    let db = walked().await;
    let (client, all) = (db.client().await, statements());
    let names = Names::of(&client).await;
    for (name, args) in inserts() {
        for (who, tenant, refused) in [(AS_A, A, false), (AS_A, B, true), (AS_NOBODY, A, true)] {
            begin(&client, who).await;
            let result = run(&client, &all[name], tenant, args, &names).await;
            let state = result.err().map(|e| e.code().cloned());
            let expected = refused.then_some(Some(SqlState::INSUFFICIENT_PRIVILEGE));
            assert_eq!(state, expected, "{name}, rows of {tenant}, {who}");
        }
    }
    // Nor can rows be handed over, or the wall be taken down.
    for sql in [
        "UPDATE machine SET tenant_id = 2, login = 'moved'",
        "UPDATE api_token SET tenant_id = 2",
        "UPDATE filter_rule SET tenant_id = 2",
        "UPDATE lane SET tenant_id = 2",
        "UPDATE lapi_server SET tenant_id = 2, name = 'moved', slot = 50",
        "SET LOCAL row_security = off; SELECT FROM alert",
        "SET LOCAL row_security = off; DELETE FROM filter_rule",
        "SELECT FROM alert_old",
        "SELECT FROM credential",
        "TRUNCATE lane",
        "ALTER TABLE alert NO FORCE ROW LEVEL SECURITY",
    ] {
        begin(&client, AS_A).await;
        let state = client.batch_execute(sql).await.err().map(|e| e.code().cloned());
        assert_eq!(state, Some(Some(SqlState::INSUFFICIENT_PRIVILEGE)), "{sql}");
    }
    // A setting that is no number closes, it does not open.
    begin(
        &client,
        "BEGIN; SET LOCAL ROLE garrison_service; SET LOCAL app.tenant = '1 OR true'",
    )
    .await;
    let state = client
        .batch_execute("SELECT FROM alert")
        .await
        .err()
        .map(|e| e.code().cloned());
    assert_eq!(state, Some(Some(SqlState::INVALID_TEXT_REPRESENTATION)));
}
