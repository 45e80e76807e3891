//! Statements whose author forgot the tenant, and calls of them that ask for another tenant's rows.
use super::source::without_comments;
use super::walk::{A, B};
use super::{mutant_ageing, mutant_changes, mutant_reads, mutant_transfer};
use regex::Regex;
use std::sync::LazyLock;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// The statement with every condition on `tenant_id` taken out.
pub fn forgetful(sql: &str) -> String {
    static OWN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(\w+\.)?tenant_id = \$1\b").unwrap());
    static JOINED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b\w+\.tenant_id = \w+\.tenant_id\b").unwrap());
    let sql = without_comments(sql);
    let sql = OWN.replace_all(&sql, "$$1::int IS NOT NULL");
    JOINED.replace_all(&sql, "true").into_owned()
}

type Calls = Box<dyn Iterator<Item = (&'static str, &'static str)>>;

/// Reads, and the parameters after the tenant.
pub fn reads() -> Calls {
    let all = mutant_reads::READS.iter().chain(mutant_ageing::READS);
    Box::new(all.chain(mutant_transfer::READS).copied())
}

/// Changes of rows.
pub fn changes() -> Calls {
    Box::new(
        mutant_changes::CHANGES
            .iter()
            .chain(mutant_ageing::CHANGES)
            .copied(),
    )
}

/// New rows.
pub fn inserts() -> Calls {
    Box::new(
        mutant_changes::INSERTS
            .iter()
            .chain(mutant_ageing::INSERTS)
            .chain(mutant_transfer::INSERTS)
            .copied(),
    )
}

/// What the calls name that only this database knows.
pub struct Names(Vec<(&'static str, String)>);

impl Names {
    pub async fn of(client: &Client) -> Self {
        let sql = "SELECT max(received_at) FILTER (WHERE tenant_id = $1)::text AS newest_a,
                     (array_agg(key ORDER BY id) FILTER (WHERE tenant_id = $2 AND forward_state = 1))[1]::text AS key_b,
                     (array_agg(key ORDER BY id) FILTER (WHERE tenant_id = $1))[1]::text AS key_a,
                     (SELECT max(id::text) FROM signal_batch WHERE tenant_id = $2) AS batch_b,
                     (SELECT max(key::text) FROM lapi_copy WHERE tenant_id = $2) AS copy_b,
                     (SELECT max(xid::text) FROM event WHERE tenant_id = $2 AND detail IS NOT NULL) AS event_b,
                     (SELECT max(seq)::text FROM event WHERE tenant_id = $2 AND detail IS NOT NULL) AS seq_b FROM alert";
        let row = client.query_one(sql, &[&A, &B]).await.expect("names");
        let get = |name| (name, row.get::<_, String>(name));
        let empty = vec!["'{}'"; 49].join(", ");
        Self(vec![
            get("newest_a"),
            get("key_a"),
            get("key_b"),
            get("batch_b"),
            get("copy_b"),
            get("event_b"),
            get("seq_b"),
            ("empty", empty),
        ])
    }

    fn fill(&self, args: &str) -> String {
        self.0.iter().fold(args.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }
}

/// Runs a statement as somebody, in the transaction that is open; gives its rows, sorted.
pub async fn run(
    client: &Client,
    sql: &str,
    tenant: i32,
    args: &str,
    names: &Names,
) -> Result<Vec<Vec<String>>, Error> {
    let args = names.fill(args);
    let script = format!("DEALLOCATE ALL; PREPARE p AS {sql}\n; EXECUTE p({tenant}{args})");
    let mut rows = Vec::new();
    for message in client.simple_query(&script).await? {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push(
                (0..row.len())
                    .map(|n| row.get(n).unwrap_or("null").to_owned())
                    .collect(),
            );
        }
    }
    rows.sort();
    Ok(rows)
}

#[test]
fn a_forgetful_author_forgets_every_tenant() {
    for (sql, mutant) in [
        (
            "SELECT 1 FROM a WHERE tenant_id = $1 AND x = $10",
            "SELECT 1 FROM a WHERE $1::int IS NOT NULL AND x = $10",
        ),
        (
            "WHERE a.tenant_id = $1 -- tenant_id = $1",
            "WHERE $1::int IS NOT NULL ",
        ),
        (
            "JOIN l ON l.tenant_id = m.tenant_id AND y",
            "JOIN l ON true AND y",
        ),
        ("WHERE tenant_id = $10", "WHERE tenant_id = $10"),
    ] {
        assert_eq!(forgetful(sql), mutant);
    }
}
