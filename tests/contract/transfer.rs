//! A tenant's file holds every table and every column of a tenant, or says why not.
use crate::support::postgres::Database;
use garrison::manage::transfer::{LEFT_OUT, PARTS};
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// What is neither carried nor left out on purpose, and what is said to be and is not.
async fn forgotten(client: &Client) -> Vec<String> {
    let sql = "SELECT c.relname::text, array_agg(a.attname::text) FROM pg_class c
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition
               GROUP BY c.relname HAVING bool_or(a.attname = 'tenant_id')";
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = PARTS.iter().map(|part| part.table).collect();
    // Two tables, which are one list.
    known.remove("audit");
    known.extend(LEFT_OUT.iter().map(|(table, _)| *table));
    for row in client.query(sql, &[]).await.expect("tables") {
        let (table, columns): (String, Vec<String>) = (row.get(0), row.get(1));
        if !known.remove(table.as_str()) {
            wrong.push(format!(
                "{table} is neither in PARTS nor in LEFT_OUT of src/manage/transfer/model.rs"
            ));
        }
        let Some(part) = PARTS.iter().find(|part| part.table == table) else {
            continue;
        };
        let mut said: BTreeSet<&str> = part.columns.split_whitespace().collect();
        said.extend(part.without);
        said.insert("tenant_id");
        for column in columns {
            if !said.remove(column.as_str()) {
                wrong.push(format!(
                    "{table}.{column} is neither among its columns nor left behind"
                ));
            }
        }
        wrong.extend(
            said.into_iter()
                .map(|column| format!("{table} has no column {column}")),
        );
    }
    wrong.extend(
        known
            .into_iter()
            .map(|table| format!("there is no table {table}")),
    );
    wrong
}

#[tokio::test]
async fn no_table_and_no_column_of_a_tenant_is_forgotten() {
    let db = Database::migrated().await;
    let client = db.client().await;
    assert_eq!(forgotten(&client).await, Vec::<String>::new());
    for (change, expected) in [
        (
            "CREATE TABLE leak (tenant_id int, id int, PRIMARY KEY (tenant_id, id))",
            "leak is neither in PARTS",
        ),
        ("ALTER TABLE alert ADD COLUMN leak text", "alert.leak is neither"),
        (
            "ALTER TABLE alert DROP COLUMN message",
            "alert has no column message",
        ),
        ("DROP TABLE link_given", "there is no table link_given"),
    ] {
        client.batch_execute("BEGIN").await.expect("begin");
        client.batch_execute(change).await.expect(change);
        let found = forgotten(&client).await;
        client.batch_execute("ROLLBACK").await.expect("rollback");
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{change}: {found:?}"
        );
    }
}

/// What is read from a table and what is put there are the columns that a file has, so that none is lost on the way.
#[test]
fn statements_carry_the_columns_that_a_file_has() {
    let all = super::source::statements();
    for part in PARTS.iter().filter(|part| part.table != "audit") {
        let list = &all[&format!("transfer/list_{}", part.table)];
        let insert = &all[&format!("transfer/insert_{}", part.table)];
        for column in part.columns.split_whitespace() {
            let named = |text: &str| {
                text.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == column)
            };
            assert!(named(list), "list_{} does not read {column}", part.table);
            let is_key = part.numbers.is_some() && column == "id";
            assert!(
                is_key || insert.contains(&format!("r.{column}")),
                "insert_{} does not write {column}",
                part.table
            );
        }
    }
}
