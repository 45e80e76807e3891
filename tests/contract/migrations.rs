//! Migrations: over rows, by several processes at once, never backwards.
use super::source::{files, without_comments};
use super::walk::{version, walked};
use crate::support::cluster::Cluster;
use crate::support::garrison::{Cli, Server};
use crate::support::postgres::{Database, connect, with_database};
use crate::support::{Scratch, wait};
use futures_util::future::join_all;
use garrison::db::{Db, DbConfig, expected_version};
use regex::Regex;
use std::time::Duration;

async fn schema_version(url: &str) -> i32 {
    let client = connect(url).await.expect("connect");
    client
        .query_one("SELECT max(version)::int FROM refinery_schema_history", &[])
        .await
        .expect("history")
        .get(0)
}

/// Why a migration would fail on a table that has rows, or lose them.
fn fails_on_rows(sql: &str) -> Option<String> {
    let sql = without_comments(sql);
    let alter = Regex::new(r"(?is)^\s*ALTER\s+TABLE\b").unwrap();
    let column = Regex::new(r"(?is)\bADD\s+(COLUMN\s+)?(IF\s+NOT\s+EXISTS\s+)?(\w+)\s").unwrap();
    let constraint = ["constraint", "check", "unique", "primary", "foreign", "exclude"];
    let word = |clause: &str, what: &str| Regex::new(&format!(r"(?is)\b{what}\b")).unwrap().is_match(clause);
    for statement in sql.split(';').filter(|s| alter.is_match(s)) {
        // A comma within parentheses belongs to a type or an expression.
        let mut depth = 0;
        let clauses = statement.split(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth == 0
        });
        for clause in clauses {
            let Some(hit) = column.captures(clause) else {
                continue;
            };
            if constraint.contains(&hit[3].to_lowercase().as_str()) {
                continue;
            }
            if word(clause, "NOT NULL") && !word(clause, "DEFAULT") && !word(clause, "GENERATED") {
                return Some(format!("adds {} NOT NULL without a default", &hit[3]));
            }
        }
    }
    None
}

#[test]
fn the_rule_for_columns_knows_good_from_bad() {
    for (sql, good) in [
        ("ALTER TABLE alert ADD COLUMN x int NOT NULL;", false),
        (
            "CREATE TABLE y (x int NOT NULL); alter table alert\n  add x numeric(1, 2) not null",
            false,
        ),
        ("ALTER TABLE alert ADD a int, ADD COLUMN b text NOT NULL", false),
        (
            "ALTER TABLE alert ADD a int NOT NULL, ADD COLUMN b text NOT NULL DEFAULT ''",
            false,
        ),
        ("ALTER TABLE alert ADD COLUMN x int NOT NULL DEFAULT 0", true),
        (
            "ALTER TABLE alert ADD COLUMN x bigint NOT NULL GENERATED ALWAYS AS IDENTITY",
            true,
        ),
        ("ALTER TABLE alert ADD COLUMN x int; -- NOT NULL later", true),
        (
            "ALTER TABLE alert ADD CONSTRAINT c CHECK (x IS NOT NULL) NOT VALID",
            true,
        ),
        ("CREATE TABLE y (x int NOT NULL)", true),
    ] {
        assert_eq!(fails_on_rows(sql).is_none(), good, "{sql}");
    }
}

#[test]
fn migrations_are_numbered_and_do_not_fail_on_rows() {
    let all = files("refinery_migrations", "sql");
    for (n, (path, sql)) in all.iter().enumerate() {
        assert_eq!(
            version(path),
            format!("V{:04}", n + 1),
            "{path}: numbers follow one another"
        );
        assert_eq!(fails_on_rows(sql), None, "{path}");
    }
    assert_eq!(i32::try_from(all.len()).expect("few"), expected_version());
    let known: Vec<String> = all.keys().map(|path| version(path)).collect();
    for path in files("tests/migrations", "sql").keys() {
        assert!(
            known.contains(&version(path)),
            "{path}: sample rows of no migration"
        );
    }
}

#[tokio::test]
async fn every_migration_runs_over_sample_rows() {
    let db = walked().await;
    let client = db.client().await;
    let sql = "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
               AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
    for row in client.query(sql, &[]).await.expect("tables") {
        let table: String = row.get(0);
        let found = client
            .query_one(&format!("SELECT EXISTS (SELECT FROM {table})"), &[])
            .await;
        assert!(
            found.expect("rows").get::<_, bool>(0),
            "{table} has no sample row: add some to tests/migrations"
        );
    }
}

#[tokio::test]
async fn four_processes_migrate_at_once() {
    let db = Database::empty().await;
    let dir = Scratch::new("four");
    let cli = Cli::new(&db.url, &dir.0);
    for output in join_all((0..4).map(|_| cli.run(&["migrate"]))).await {
        output.expect_ok();
    }
    assert_eq!(schema_version(&db.url).await, expected_version());
    let sql = "SELECT count(*) FROM refinery_schema_history";
    let rows: i64 = db
        .client()
        .await
        .query_one(sql, &[])
        .await
        .expect("history")
        .get(0);
    assert_eq!(rows, i64::from(expected_version()), "a migration ran twice");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let db = Database::migrated().await;
    let dir = Scratch::new("newer");
    let mut cli = Cli::new(&db.url, &dir.0);
    cli.set("GARRISON_LISTEN", "127.0.0.1:0");
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 VALUES (4711, 'tomorrow', '2030-01-01T00:00:00Z', '1')";
    db.client()
        .await
        .batch_execute(newer)
        .await
        .expect("a newer schema");
    for command in [&["migrate"][..], &["worker"], &["tenant", "list"]] {
        let output = cli.run(command).await.expect_refused();
        let clear = ["4711", &expected_version().to_string(), "newer"]
            .iter()
            .all(|word| output.stderr.contains(word));
        assert!(clear, "{command:?}: {}", output.stderr);
    }
    let refusal = Server::try_spawn(&cli, &["serve"], wait::secs(20))
        .await
        .err()
        .expect("serve refuses");
    assert!(refusal.contains("4711") && refusal.contains("newer"), "{refusal}");
    assert_eq!(schema_version(&db.url).await, 4711);
}

/// A transaction that somebody forgot makes a migration wait a second at a time, not fail.
#[tokio::test]
async fn a_lock_in_the_way_is_waited_for() {
    let db = Database::migrated().await;
    let dir = Scratch::new("lock");
    let cli = Cli::new(&db.url, &dir.0);
    let (client, last) = (db.client().await, expected_version());
    // The newest migration again, over what it made, in a transaction that stays open for two seconds.
    let table: String = {
        let sql = "SELECT name FROM refinery_schema_history WHERE version = $1";
        client.query_one(sql, &[&last]).await.expect("history").get(0)
    };
    let path = format!("refinery_migrations/V{last:04}__{table}.sql");
    let made = Regex::new(r"CREATE TABLE (\w+)").unwrap();
    let text = files("refinery_migrations", "sql")
        .remove(&path)
        .unwrap_or_else(|| panic!("no {path}"));
    let all: Vec<&str> = made
        .captures_iter(&text)
        .filter_map(|hit| Some(hit.get(1)?.as_str()))
        .collect();
    let Some(made) = all.first() else {
        return;
    };
    let also = Regex::new(r"CREATE (FUNCTION|INDEX) (\w+)").unwrap();
    let drop = |hit: regex::Captures| format!("DROP {} IF EXISTS {} CASCADE;", &hit[1], &hit[2]);
    let also: String = also.captures_iter(&text).map(drop).collect();
    let undo = format!(
        "DROP TABLE {}; {also} DELETE FROM refinery_schema_history WHERE version = {last}",
        all.join(", ")
    );
    client.batch_execute(&undo).await.expect("a step back");
    client
        .batch_execute(&format!("BEGIN; CREATE TABLE {made} (id int)"))
        .await
        .expect("a lock");
    let open = async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        client.batch_execute("ROLLBACK").await.expect("rollback");
    };
    let (output, ()) = tokio::join!(cli.run(&["migrate"]), open);
    output.expect_ok();
    assert_eq!(schema_version(&db.url).await, last);
}

/// On a server where our roles are unknown, two databases are migrated at the same instant, by a user who is no
/// superuser; and the owner of the tables can start the logs over.
#[tokio::test]
async fn an_ordinary_user_migrates_two_databases_at_once() {
    let cluster = Cluster::start().await;
    let admin = connect(&cluster.url).await.expect("connect");
    admin
        .batch_execute("CREATE ROLE ordinary LOGIN CREATEROLE")
        .await
        .expect("a role");
    let mut urls = Vec::new();
    for name in ["first", "second"] {
        admin
            .batch_execute(&format!("CREATE DATABASE {name} OWNER ordinary"))
            .await
            .expect("a database");
        urls.push(with_database(
            &cluster.url.replace("postgres@", "ordinary@"),
            name,
        ));
    }
    let dir = Scratch::new("ordinary");
    let clis: Vec<Cli> = urls.iter().map(|url| Cli::new(url, &dir.0)).collect();
    for output in join_all((0..4).map(|n| clis[n % 2].run(&["migrate"]))).await {
        output.expect_ok();
    }
    for url in &urls {
        assert_eq!(schema_version(url).await, expected_version());
    }
    clis[0].json(&["tenant", "add", "canary"]).await;
    clis[0].json(&["machine", "add", "--tenant", "canary"]).await;

    // Restored into another cluster, transaction numbers begin again.
    let root = connect(&with_database(&cluster.url, "first"))
        .await
        .expect("connect");
    root.batch_execute("UPDATE lane SET cursor_xid = '99', read_xid = '99', wake_xid = '99'")
        .await
        .expect("lanes");
    let config = DbConfig {
        url: urls[0].clone(),
        pool_size: 2,
        ca_file: None,
        statement_cache: true,
    };
    garrison::jobs::reset_cursors(&Db::new(&config).expect("a pool"))
        .await
        .expect("reset");
    let left = root
        .query_one(
            "SELECT count(*) FROM lane WHERE cursor_xid = '99' OR read_xid = '99'",
            &[],
        )
        .await;
    assert_eq!(
        left.expect("lanes").get::<_, i64>(0),
        0,
        "lanes that the reset did not reach"
    );
}
