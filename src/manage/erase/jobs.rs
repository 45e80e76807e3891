use std::time::{Duration, Instant};

use uuid::Uuid;

use super::model::Counts;
use super::queries::{self, Task};
use crate::db::{Db, DbError, Tenant};
use crate::kernel::net::Block;
use crate::manage::{retention, stats};

/// Rows of one transaction.
const ALERTS: i64 = 200;
const BODIES: i64 = 20;
/// Of one that reads or deletes only.
pub const TEXTS: i64 = 1000;
/// At least so long between two portions: engines come first.
const PAUSE: Duration = Duration::from_millis(5);

async fn rest(begun: Instant) {
    tokio::time::sleep(PAUSE.max(begun.elapsed() / 2)).await;
}

/// Runs a step portion by portion, to its end.
macro_rules! through {
    ($step:path, $db:expr, $task:expr, $start:expr, $limit:expr, $counts:expr) => {{
        let mut after = Some($start);
        while let Some(place) = after {
            let begun = Instant::now();
            after = $step($db, $task, place, $limit, $counts).await?;
            rest(begun).await;
        }
    }};
}

/// Takes addresses out of all that was reported and done, or counts what would go; and what operators wrote that names
/// them, which stays. Again does no harm, and goes on where it was broken off.
///
/// # Errors
/// As the statements fail.
pub async fn address(
    db: &Db,
    tenant: Tenant,
    block: Block,
    apply: bool,
) -> Result<(Counts, Vec<String>), DbError> {
    let task = Task { tenant, block, apply };
    let mut counts = Counts::default();
    let (nil, counted) = (Uuid::nil(), &mut counts);
    through!(queries::erase_alerts, db, &task, nil, ALERTS, counted);
    through!(
        queries::erase_decisions,
        db,
        &task,
        (nil, i32::MIN),
        TEXTS,
        counted
    );
    through!(queries::mask_texts, db, &task, nil, TEXTS, counted);
    through!(queries::mask_rejected, db, &task, (nil, i32::MIN), TEXTS, counted);
    through!(queries::mask_bodies, db, &task, nil, BODIES, counted);
    queries::erase_small(db, &task, counted).await?;
    queries::erase_recent(db, &task, counted).await?;
    let named = queries::list_settings(db, &task).await?;
    Ok((counts, named))
}

/// What of the addresses stands outside of this database, or waits to be taken back from there.
#[derive(Debug, Default)]
pub struct Standing {
    /// Sayings of the set.
    pub said: usize,
    /// Copies on LAPI servers.
    pub copies: Vec<(i64, Uuid)>,
    /// Decisions that engines before 1.5 were given.
    pub given: Vec<(i64, String)>,
}

impl Standing {
    /// Whether nothing does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said == 0 && self.copies.is_empty() && self.given.is_empty()
    }

    /// By table.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        counts.add("decision", self.said as u64);
        counts.add("lapi_copy", self.copies.len() as u64);
        counts.add("link_given", self.given.len() as u64);
        counts
    }
}

/// What still stands.
///
/// # Errors
/// As the statements fail.
pub async fn standing(db: &Db, tenant: Tenant, block: &Block) -> Result<Standing, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let found = Standing {
        said: queries::list_said(&tx, block).await?.0.len(),
        copies: queries::list_copies(&tx, block).await?,
        given: queries::list_given(&tx, block).await?,
    };
    tx.commit().await?;
    Ok(found)
}

/// Forgets what still stands, wherever that is.
///
/// # Errors
/// As the statements fail.
pub async fn forget_standing(db: &Db, tenant: Tenant, block: &Block, left: &Standing) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    queries::delete_standing(&tx, block, &left.copies, &left.given).await?;
    tx.commit().await
}

/// Folds the counts and takes out those of nothing: a scenario's name may have been an address.
///
/// # Errors
/// As the statements fail.
pub async fn settle_counts(db: &Db, tenant: Tenant) -> Result<(), DbError> {
    stats::settle(db, tenant).await?;
    loop {
        match retention::delete_zeros(db, tenant).await? {
            None => tokio::time::sleep(Duration::from_millis(100)).await,
            Some(0) => return Ok(()),
            Some(_) => {}
        }
    }
}

/// Takes all copies back from a tenant's LAPI servers, for as long as `wait`; how many are left.
///
/// # Errors
/// As the statements fail.
pub async fn withdraw(db: &Db, tenant: Tenant, wait: Duration) -> Result<u64, DbError> {
    let begun = Instant::now();
    queries::update_withdrawn(db, tenant).await?;
    loop {
        let left = queries::count_copies(db, tenant).await?;
        if left == 0 || begun.elapsed() > wait {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Deletes every row of a tenant that was removed; what went. Until a look finds nothing: a push may have been under way.
///
/// # Errors
/// As the statements fail.
pub async fn everything(db: &Db, tenant: Tenant) -> Result<Counts, DbError> {
    let mut counts = Counts::default();
    let mut limit = TEXTS;
    while portion(db, tenant, &mut limit, &mut counts).await?.is_some() {}
    Ok(counts)
}

/// Deletes the next rows of a tenant that was removed; how many, or none when nothing is left. `limit` is how many alerts
/// are tried at once.
///
/// # Errors
/// As the statements fail.
pub async fn portion(
    db: &Db,
    tenant: Tenant,
    limit: &mut i64,
    counts: &mut Counts,
) -> Result<Option<u64>, DbError> {
    let begun = Instant::now();
    let mut gone = match queries::delete_alerts(db, tenant, *limit, counts).await {
        // Alerts with very many decisions: a statement has ten seconds.
        Err(e) if e.is_passing() && *limit > 1 => {
            *limit = (*limit / 5).max(1);
            return Ok(Some(0));
        }
        gone => gone?,
    };
    if gone == 0 {
        gone = queries::delete_batches(db, tenant, TEXTS, counts).await?;
    }
    if gone > 0 {
        rest(begun).await;
        return Ok(Some(gone));
    }
    gone = queries::delete_rest(db, tenant, counts).await?;
    if gone == 0 {
        gone = queries::delete_trail(db, tenant, counts).await?;
    }
    Ok(Some(gone).filter(|gone| *gone > 0))
}
