//! The desired set in the database.

use std::net::IpAddr;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{DbError, TenantTx, sql};
use crate::fleet::decision::model::{Fact, kept};
use crate::kernel::net::Block;
use crate::kernel::time::LATEST;

/// Who says that a decision should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// An engine's signal: the machine's number.
    Signal(i64),
    /// A LAPI server's own decisions: its number.
    Server(i64),
    /// An operator, here.
    Hand,
    /// A search in logs: the analyzer's number.
    Analyzer(i64),
}

impl Source {
    /// The numbers in `decision.source` and `decision.source_id`.
    #[must_use]
    pub const fn codes(self) -> (i16, i64) {
        match self {
            Self::Signal(id) => (1, id),
            Self::Server(id) => (2, id),
            Self::Hand => (3, 0),
            Self::Analyzer(id) => (4, id),
        }
    }

    /// From the two numbers.
    #[must_use]
    pub const fn from_codes(source: i16, id: i64) -> Self {
        match source {
            1 => Self::Signal(id),
            2 => Self::Server(id),
            4 => Self::Analyzer(id),
            _ => Self::Hand,
        }
    }
}

/// One saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What about.
    pub fact: Fact,
    /// Who says it.
    pub source: Source,
    /// `crowdsec`, `cscli` …
    pub origin: String,
    /// Why.
    pub scenario: String,
    /// Its end.
    pub until: Timestamp,
    /// Its name, as engines from 1.5 on give one.
    pub uuid: Option<String>,
}

/// Claims of one statement: each has ten seconds, and what takes longer would never be taken up.
const PART: usize = 5000;

/// Holds the tenant's set beside others until the transaction ends: no allowlist grows meanwhile. Before the first
/// statement that changes the set or asks what is allowed; [`upsert`], [`delete_said`] and [`delete_unsaid`] do it.
///
/// # Errors
/// As the statement fails: after four seconds without the lock, for one.
pub async fn claim_shared(tx: &TenantTx<'_>) -> Result<(), DbError> {
    tx.query(sql!("decision/claim_shared"), &[&tx.tenant().id()])
        .await?;
    Ok(())
}

/// Holds the tenant's set alone until the transaction ends: for what an allowlist gains. Before every other lock.
///
/// # Errors
/// As the statement fails: after four seconds without the lock, for one.
pub async fn claim(tx: &TenantTx<'_>) -> Result<(), DbError> {
    tx.query(sql!("decision/claim"), &[&tx.tenant().id()]).await?;
    Ok(())
}

/// Takes up what sources say; the keys of what changed. What an allowlist covers is left out.
///
/// # Errors
/// As the statement fails.
pub async fn upsert(tx: &TenantTx<'_>, claims: &[Claim]) -> Result<Vec<Uuid>, DbError> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    claim_shared(tx).await?;
    let mut changed = Vec::new();
    for part in latest_of_each(claims).chunks(PART) {
        changed.extend(upsert_part(tx, part).await?);
    }
    Ok(changed)
}

/// Each saying once, with its latest end, in the order of keys: of two in different statements the later one would
/// count.
fn latest_of_each(claims: &[Claim]) -> Vec<(Uuid, &Claim)> {
    let mut all: Vec<(Uuid, &Claim)> = claims.iter().map(|c| (c.fact.key(), c)).collect();
    all.sort_by(|(k, a), (l, b)| (k, a.source, &a.origin, b.until).cmp(&(l, b.source, &b.origin, a.until)));
    all.dedup_by(|(k, a), (l, b)| (k, a.source, &a.origin) == (l, b.source, &b.origin));
    all
}

async fn upsert_part(tx: &TenantTx<'_>, part: &[(Uuid, &Claim)]) -> Result<Vec<Uuid>, DbError> {
    let claims = || part.iter().map(|(_, claim)| *claim);
    let codes: Vec<(i16, i64)> = claims().map(|c| c.source.codes()).collect();
    let bounds: Vec<(Option<IpAddr>, Option<IpAddr>)> = claims().map(|c| c.fact.bounds()).collect();
    let rows = tx
        .query(
            sql!("decision/upsert"),
            &[
                &tx.tenant().id(),
                &part.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
                &codes.iter().map(|c| c.0).collect::<Vec<_>>(),
                &codes.iter().map(|c| c.1).collect::<Vec<_>>(),
                &claims().map(|c| kept(&c.origin)).collect::<Vec<_>>(),
                &claims().map(|c| c.fact.scope).collect::<Vec<_>>(),
                &claims().map(|c| c.fact.value.as_str()).collect::<Vec<_>>(),
                &claims().map(|c| c.fact.kind.as_str()).collect::<Vec<_>>(),
                &claims().map(|c| kept(&c.scenario)).collect::<Vec<_>>(),
                &bounds.iter().map(|b| b.0).collect::<Vec<_>>(),
                &bounds.iter().map(|b| b.1).collect::<Vec<_>>(),
                &claims().map(|c| c.until.min(LATEST)).collect::<Vec<_>>(),
                &claims().map(|c| c.uuid.as_deref().map(kept)).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(keys(&rows))
}

/// Where, why and by whom, for what an analyzer said in this transaction; no servers is everywhere.
///
/// # Errors
/// As the statement fails.
pub async fn update_told(
    tx: &TenantTx<'_>,
    analyzer: i64,
    keys: &[Uuid],
    servers: Option<&[i64]>,
    reason: &str,
    actor: &str,
) -> Result<(), DbError> {
    tx.execute(
        sql!("decision/update_told"),
        &[&tx.tenant().id(), &analyzer, &keys, &servers, &reason, &actor],
    )
    .await?;
    Ok(())
}

/// Forgets what a source does not say any more; the keys of what went.
///
/// # Errors
/// As the statement fails.
pub async fn delete_said(
    tx: &TenantTx<'_>,
    source: Source,
    gone: &[(Uuid, String)],
) -> Result<Vec<Uuid>, DbError> {
    // Not for what is deleted: locks in one order do not wait for each other in a circle.
    claim_shared(tx).await?;
    let (code, id) = source.codes();
    let rows = tx
        .query(
            sql!("decision/delete_said"),
            &[
                &tx.tenant().id(),
                &code,
                &id,
                &gone.iter().map(|p| p.0).collect::<Vec<_>>(),
                &gone.iter().map(|p| kept(&p.1)).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(keys(&rows))
}

/// Forgets all that a source said and that is neither among `said` nor behind one of the `hidden`; the keys of what went.
///
/// # Errors
/// As the statement fails.
pub async fn delete_unsaid(
    tx: &TenantTx<'_>,
    source: Source,
    said: &[(Uuid, String)],
    hidden: &[Uuid],
) -> Result<Vec<Uuid>, DbError> {
    claim_shared(tx).await?;
    let (code, id) = source.codes();
    let rows = tx
        .query(
            sql!("decision/delete_unsaid"),
            &[
                &tx.tenant().id(),
                &code,
                &id,
                &said.iter().map(|p| p.0).collect::<Vec<_>>(),
                &said.iter().map(|p| kept(&p.1)).collect::<Vec<_>>(),
                &hidden,
            ],
        )
        .await?;
    Ok(keys(&rows))
}

/// Forgets all that a source said; the keys.
///
/// # Errors
/// As the statement fails.
pub async fn delete_source(tx: &TenantTx<'_>, source: Source) -> Result<Vec<Uuid>, DbError> {
    let (code, id) = source.codes();
    let rows = tx
        .query(sql!("decision/delete_source"), &[&tx.tenant().id(), &code, &id])
        .await?;
    Ok(keys(&rows))
}

/// Tells the servers' lanes which keys to look at; `all` of them, or those only that replicate.
///
/// # Errors
/// As the statement fails.
pub async fn announce(tx: &TenantTx<'_>, keys: &[Uuid], all: bool) -> Result<(), DbError> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    // A row of fifty for each server: a hundred servers get ten thousand rows of a part.
    for part in keys.chunks(PART) {
        tx.execute(sql!("decision/insert_outbox"), &[&tx.tenant().id(), &part, &all])
            .await?;
    }
    Ok(())
}

/// Lifts all that is said with these keys, everywhere; the caller announces them to all.
///
/// # Errors
/// As the statement fails.
pub async fn lift(tx: &TenantTx<'_>, keys_of: &[Uuid]) -> Result<Vec<Uuid>, DbError> {
    let rows = tx
        .query(sql!("decision/update_lifted"), &[&tx.tenant().id(), &keys_of])
        .await?;
    Ok(keys(&rows))
}

fn keys(rows: &[Row]) -> Vec<Uuid> {
    rows.iter().map(|row| row.get("key")).collect()
}

/// One row of the set.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Said {
    pub key: Uuid,
    pub source: Source,
    pub origin: String,
    pub scope: String,
    pub value: String,
    pub kind: String,
    pub scenario: String,
    pub until: Timestamp,
    pub uuid: Option<String>,
    /// Where, for a ban by hand; none is everywhere.
    pub servers: Option<Vec<i64>>,
    pub reason: Option<String>,
    pub actor: Option<String>,
    pub since: Timestamp,
    pub lifted_at: Option<Timestamp>,
}

/// The first addresses of all ranges that could hold the block: what an index finds them by.
#[must_use]
pub fn around(block: &Block) -> Vec<IpAddr> {
    (0..block.prefix_len())
        .filter_map(|length| Block::new(block.lo(), length))
        .map(|wider| wider.lo())
        .collect()
}

/// All that is said of a block: of it, of parts of it, of ranges around it; at most 1,000 rows.
///
/// # Errors
/// As the statement fails.
pub async fn list_by_address(tx: &TenantTx<'_>, block: &Block) -> Result<Vec<Said>, DbError> {
    let rows = tx
        .query(
            sql!("decision/list_by_address"),
            &[&tx.tenant().id(), &block.lo(), &block.hi(), &around(block)],
        )
        .await?;
    let said = |row: &Row| Said {
        key: row.get("key"),
        source: Source::from_codes(row.get("source"), row.get("source_id")),
        origin: row.get("origin"),
        scope: row.get("scope"),
        value: row.get("value"),
        kind: row.get("type"),
        scenario: row.get("scenario"),
        until: row.get("until"),
        uuid: row.get("uuid"),
        servers: row.get("servers"),
        reason: row.get("reason"),
        actor: row.get("actor"),
        since: row.get("since"),
        lifted_at: row.get("lifted_at"),
    };
    Ok(rows.iter().map(said).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_saying_is_there_once_with_its_latest_end() {
        let claim = |value: &str, server, origin: &str, second| Claim {
            fact: Fact::read("ip", value, "ban").unwrap(),
            source: Source::Server(server),
            origin: origin.to_owned(),
            scenario: String::new(),
            until: Timestamp::from_second(second).unwrap(),
            uuid: None,
        };
        let claims = [
            claim("192.0.2.7", 1, "cscli", 100),
            claim("192.0.2.8", 1, "cscli", 1),
            claim("192.0.2.7", 1, "cscli", 300),
            claim("192.0.2.7", 1, "crowdsec", 200),
            claim("192.0.2.7", 2, "cscli", 50),
            claim("192.0.2.7", 1, "cscli", 200),
        ];
        let all = latest_of_each(&claims);
        assert!(all.windows(2).all(|pair| pair[0].0 <= pair[1].0), "in order");
        let mut ends: Vec<i64> = all.iter().map(|(_, claim)| claim.until.as_second()).collect();
        ends.sort_unstable();
        assert_eq!(ends, [1, 50, 200, 300]);
    }
}
