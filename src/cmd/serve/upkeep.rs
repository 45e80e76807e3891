//! What keeps an installation going by itself: partitions, and credentials that expired.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::db::{Db, DbError, drop_partitions, make_partitions, partitions_ahead, sql};
use crate::manage::retention;

/// How often expired credentials and empty partitions go.
const UPKEEP: Duration = Duration::from_hours(1);
/// How often it is looked whether partitions are missing; a push that misses one asks at once.
const LOOK: Duration = Duration::from_secs(25);
/// How far ahead they are made.
const AHEAD: Duration = Duration::from_hours(28 * 24);
/// With fewer days left something is wrong: the making failed for weeks, or a clock was set.
const ALARM_DAYS: f64 = 7.0;
/// How often the alarm is repeated in the log.
const REPEAT: Duration = Duration::from_mins(10);
/// A clock of ours that is further ahead of the database's is not followed.
const SKEW: Duration = Duration::from_hours(400 * 24);

/// Sees to it that there are partitions, in every replica: which one makes them does not matter.
pub async fn keep_partitions(app: App, stop: CancellationToken) {
    let mut alarmed: Option<Instant> = None;
    let mut asked = false;
    loop {
        let pause = match look(&app.db, asked, &mut alarmed).await {
            Ok(()) => LOOK,
            Err(e) => {
                tracing::warn!(cause = %e, "partitions could not be seen to, and will be in a few seconds");
                Duration::from_secs(5)
            }
        };
        let pause = pause.mul_f64(rand::rng().random_range(0.8..1.0));
        asked = tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = app.partitions.notified() => true,
            () = stop.cancelled() => return,
        };
    }
}

async fn look(db: &Db, asked: bool, alarmed: &mut Option<Instant>) -> Result<(), DbError> {
    let seen = partitions_ahead(db).await?;
    metrics::gauge!("garrison_partitions_ahead_days").set(seen.days);
    if seen.days < ALARM_DAYS && alarmed.is_none_or(|at| at.elapsed() > REPEAT) {
        *alarmed = Some(Instant::now());
        metrics::counter!("garrison_partition_alarms_total").increment(1);
        let days = seen.days;
        tracing::error!(days, "partitions for few days are left, and are made now");
    }
    // A batch's key begins with our clock, not with the database's.
    let skew = Timestamp::now().duration_since(seen.at);
    let ahead = AHEAD + Duration::try_from(skew).unwrap_or_default().min(SKEW);
    if asked || seen.days < ahead.as_secs_f64() / 86_400.0 {
        let made = make_partitions(db, ahead).await?;
        let days = partitions_ahead(db).await?.days;
        metrics::gauge!("garrison_partitions_ahead_days").set(days);
        if made > 0 {
            tracing::info!(made, days, "partitions made");
        }
        if days >= ALARM_DAYS {
            *alarmed = None;
        }
    }
    Ok(())
}

/// What expired, and partitions that emptied, now and every hour; which replica does it does not matter.
pub async fn upkeep(app: App, stop: CancellationToken) {
    loop {
        let again = match keep_up(&app).await {
            Ok(()) => UPKEEP,
            Err(e) => {
                tracing::warn!(cause = %e, "upkeep failed and is tried again in a minute");
                Duration::from_mins(1)
            }
        };
        let pause = again.mul_f64(rand::rng().random_range(0.8..1.0));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn keep_up(app: &App) -> Result<(), DbError> {
    delete_expired(&app.db).await?;
    app.auth.renew_session_key().await?;
    let behind = retention::longest_of_alerts(app).await?;
    let dropped = drop_partitions(&app.db, behind).await?;
    if dropped > 0 {
        tracing::info!(dropped, "empty partitions dropped");
    }
    Ok(())
}

async fn delete_expired(db: &Db) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("platform/delete_expired"), &[]).await?;
    tx.commit().await
}
