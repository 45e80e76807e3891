//! The weeks that rows stand in: made ahead, mended, dropped when they are empty. As the owner of the tables: no role is
//! taken.

use std::time::Duration;

use jiff::Timestamp;

use super::{Db, DbError, sql};

/// Tables that are kept in weeks.
const PARTITIONED: [&str; 4] = ["alert", "alert_decision", "signal_batch", "rejected_signal"];

/// How far partitions are made.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    /// For how many days from now every key has one, in every table.
    pub days: f64,
    /// The database's clock.
    pub at: Timestamp,
}

/// For how long the partitions last.
///
/// # Errors
/// As the statement fails.
pub async fn partitions_ahead(db: &Db) -> Result<Ahead, DbError> {
    let mut connection = db.connection().await?;
    // In a transaction: a pooler may lead the two steps of a statement that stands alone to different servers.
    let owned = connection.transaction().await?;
    let row = owned
        .query_one(sql!("platform/get_partitions_ahead"), &[])
        .await?;
    owned.commit().await?;
    Ok(Ahead {
        days: row.get("days"),
        at: row.get("at"),
    })
}

/// Makes those that are missing, from the oldest week on until `ahead` from now; how many.
///
/// # Errors
/// As the statement fails.
pub async fn make_partitions(db: &Db, ahead: Duration) -> Result<i32, DbError> {
    let mut connection = db.connection().await?;
    let owned = connection.transaction().await?;
    owned.batch_execute("SET LOCAL lock_timeout = '2s'").await?;
    let row = owned
        .query_one(sql!("platform/make_partitions"), &[&ahead.as_secs_f64()])
        .await?;
    owned.commit().await?;
    Ok(row.get("made"))
}

/// Drops the oldest weeks that are empty and ended more than `days` ago; how many. Writers wait for it for as long as
/// the lock may be waited for, at most.
///
/// # Errors
/// As the statement fails: when it does not get the lock, for one.
pub async fn drop_partitions(db: &Db, days: i32) -> Result<i32, DbError> {
    let mut dropped = 0;
    for table in PARTITIONED {
        let mut connection = db.connection().await?;
        let owned = connection.transaction().await?;
        owned
            .batch_execute("SET LOCAL lock_timeout = '300ms'; SET LOCAL statement_timeout = '5s'")
            .await?;
        let row = owned
            .query_one(sql!("platform/delete_partitions"), &[&table, &days])
            .await?;
        owned.commit().await?;
        dropped += row.get::<_, i32>("dropped");
    }
    Ok(dropped)
}
