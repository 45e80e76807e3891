//! Trails in the database.

use tokio_postgres::Row as DbRow;

use super::model::{Anchor, Filter, Row, Verdict};
use crate::db::{Db, DbError, Tenant, sql};
use crate::kernel::audit::{Fault, Link, Stored, Walk, Words};
use crate::kernel::keyring::Keyring;

/// Entries read at a time when a chain is walked.
const PAGE: i64 = 2000;

/// The entries below `before` that meet the conditions, newest first.
///
/// # Errors
/// As the statement fails.
pub async fn list(
    db: &Db,
    tenant: Tenant,
    filter: &Filter,
    before: i64,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let rows = tx
        .query(
            sql!("audit/list"),
            &[
                &tenant.id(),
                &before,
                &filter.kind,
                &filter.id,
                &filter.name,
                &filter.action,
                &filter.target,
                &filter.outcome,
                &filter.since,
                &filter.until,
                &limit,
            ],
        )
        .await?;
    tx.commit().await?;
    let entry = |row: &DbRow| Row {
        seq: row.get("seq"),
        at: row.get("at"),
        kind: row.get("actor_kind"),
        id: row.get("actor_id"),
        name: row.get("actor"),
        action: row.get("action"),
        target: row.get("target"),
        details: row.get("details"),
        refused: row.get::<_, i16>("outcome") == 2,
        source: row.get("source"),
        request: row.get("request_id"),
        hash: row.get("hash"),
    };
    Ok(rows.iter().map(entry).collect())
}

/// A tenant and its chain.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Trail {
    pub tenant: Tenant,
    pub name: String,
    /// How far it is; none when there is no head.
    pub head: Option<i64>,
    /// The tenant was erased, and its chain with it.
    pub erased: bool,
}

/// The chains of all tenants that ever were.
///
/// # Errors
/// As the statement fails.
pub async fn list_trails(db: &Db) -> Result<Vec<Trail>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let rows = tx.query(sql!("tenant/list_audited"), &[]).await?;
    tx.commit().await?;
    let trail = |row: &DbRow| Trail {
        tenant: Tenant::proven(row.get("id")),
        name: row.get("name"),
        head: row.get::<_, bool>("has_head").then(|| row.get("seq")),
        erased: row.get("erased"),
    };
    Ok(rows.iter().map(trail).collect())
}

/// Begins the chains that were not begun yet.
///
/// # Errors
/// As the statements fail.
pub async fn begin(db: &Db) -> Result<(), DbError> {
    for trail in list_trails(db).await? {
        if trail.head == Some(0) {
            let mut connection = db.connection().await?;
            let tx = db.tenant(&mut connection, trail.tenant).await?;
            tx.begin_trail().await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Proves a chain from its beginning to what its head says now.
///
/// # Errors
/// As the statements fail.
pub async fn verify(
    db: &Db,
    ring: &Keyring,
    tenant: Tenant,
    expected: Option<Anchor>,
) -> Result<Verdict, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let head = tx.query_opt(sql!("audit/get_head"), &[&tenant.id()]).await?;
    tx.commit().await?;
    let Some(head) = head else {
        return Ok(Verdict {
            head: None,
            begins: None,
            faults: vec![Fault::NoChain],
        });
    };
    let end = Anchor {
        seq: head.get("seq"),
        hash: head.get("hash"),
    };
    let last = head.get::<_, Option<i64>>("last").unwrap_or(0);
    let mut walk = Walk::new(
        ring,
        tenant.id(),
        expected.map(|anchor| (anchor.seq, anchor.hash)),
    );
    let (mut after, mut begins) = (0, None);
    while after < end.seq {
        let tx = db.tenant(&mut connection, tenant).await?;
        let rows = tx
            .query(sql!("audit/list_chain"), &[&tenant.id(), &after, &PAGE])
            .await?;
        tx.commit().await?;
        // What came since is proven the next time.
        let until = |row: &&DbRow| row.get::<_, i64>("seq") <= end.seq;
        for entry in rows.iter().take_while(until).map(stored) {
            if begins.is_none() {
                begins = Some((entry.link.at, entry.link.action.clone()));
            }
            walk.step(&entry);
        }
        match rows.last() {
            Some(row) => after = row.get("seq"),
            None => break,
        }
    }
    Ok(Verdict {
        faults: walk.end(end.seq, &end.hash, last),
        head: Some(end),
        begins,
    })
}

fn stored(row: &DbRow) -> Stored {
    let target: Option<String> = row.get("target");
    Stored {
        link: Link {
            seq: row.get("seq"),
            at: row.get("at"),
            actor_kind: row.get("actor_kind"),
            actor_id: row.get("actor_id"),
            action: row.get("action"),
            outcome: row.get("outcome"),
            erased: row.get("erased"),
            digest: row.get("digest"),
        },
        prev: row.get("prev"),
        hash: row.get("hash"),
        words: target.map(|target| Words {
            target,
            actor: row.get("actor"),
            details: row.get("details"),
            source: row.get("source"),
            request: row.get("request_id"),
        }),
    }
}
