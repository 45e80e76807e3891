//! A standby that answers what may be a little late, as long as it is known how late.
//!
//! Once a second it is noted how far the primary's log is. Whatever had been committed before a note is on every server that
//! has replayed up to it, so how old the newest such note is says how late a server is at most: without comparing clocks, and
//! also when the standby hears nothing any more. Each connection is asked before it is used, because behind one name there
//! may be several servers.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use tokio_postgres::SimpleQueryMessage;
use tokio_util::sync::CancellationToken;

use super::{Db, DbError};

/// How long a server may take to say how far it is.
const LIMIT: Duration = Duration::from_millis(500);
/// How long the standby is given, after a note, to reach it before it counts as later than that.
const REACH: [u64; 5] = [0, 10, 40, 100, 200];
/// Who changed something is remembered for as many credentials.
const CHANGERS: usize = 10_000;

/// Where the standby is.
#[derive(Debug, Clone)]
pub struct ReadConfig {
    /// Connection string, as the primary's.
    pub url: String,
    /// How late it may be and still be asked.
    pub max_lag: Duration,
}

/// A pool of connections to the standby.
pub struct Replica {
    pool: Pool,
    /// One connection to the primary, for the notes: they must not wait for those that requests hold.
    primary: Pool,
    max_lag: Duration,
    /// When the primary's log was how far, oldest first.
    notes: Mutex<VecDeque<(Instant, u64)>>,
    usable: AtomicBool,
    /// Who changed something, and when.
    changes: Mutex<HashMap<u64, Instant>>,
}

impl Replica {
    pub(super) fn new(pool: Pool, primary: Pool, max_lag: Duration) -> Self {
        Self {
            pool,
            primary,
            max_lag,
            notes: Mutex::default(),
            usable: AtomicBool::new(false),
            changes: Mutex::default(),
        }
    }

    /// How often is looked.
    fn pace(&self) -> Duration {
        (self.max_lag / 4).clamp(Duration::from_millis(100), Duration::from_secs(1))
    }

    /// Notes that somebody changes something: what the same one asks soon must see it.
    pub fn changed(&self, who: u64) {
        let mut changes = held(&self.changes);
        if changes.len() >= CHANGERS {
            let over = self.over();
            changes.retain(|_, at| at.elapsed() < over);
        }
        if changes.len() < CHANGERS {
            changes.insert(who, Instant::now());
        } else {
            // More change something than can be remembered: nobody reads late for a while.
            self.usable.store(false, Ordering::Relaxed);
        }
    }

    /// Whether what this one asks may be late.
    #[must_use]
    pub fn may_be_late(&self, who: u64) -> bool {
        let changed = held(&self.changes).get(&who).copied();
        self.usable.load(Ordering::Relaxed) && changed.is_none_or(|at| at.elapsed() >= self.over())
    }

    /// After this time every change is on a standby that is asked.
    fn over(&self) -> Duration {
        self.max_lag + self.pace() + LIMIT
    }

    /// A connection to a server that is not too late; none to ask the primary.
    pub(super) async fn connection(&self, reading: &Reading) -> Option<Object> {
        if !self.usable.load(Ordering::Relaxed) {
            return None;
        }
        let found = tokio::time::timeout(LIMIT, async {
            let connection = self.pool.get().await?;
            let lag = self.lag(replayed(&connection).await?);
            Ok::<_, DbError>((connection, lag))
        });
        match found.await {
            Ok(Ok((connection, Some(lag)))) if lag <= self.max_lag => {
                reading.note(lag);
                Some(connection)
            }
            Ok(Ok(_)) => None,
            Ok(Err(_)) | Err(_) => {
                self.usable.store(false, Ordering::Relaxed);
                None
            }
        }
    }

    /// How late a server is at most that has replayed so far; none when nothing is known of it.
    fn lag(&self, replayed: Option<u64>) -> Option<Duration> {
        let notes = held(&self.notes);
        let reached = notes.iter().rev().find(|(_, at)| Some(*at) <= replayed);
        reached.map(|(noted, _)| noted.elapsed())
    }

    /// Notes where the primary's log is, and looks how late the standby is.
    async fn look(&self) -> Option<Duration> {
        let begun = Instant::now();
        let written = tokio::time::timeout(LIMIT, written(&self.primary)).await;
        if let Ok(Ok(Some(written))) = written {
            let mut notes = held(&self.notes);
            notes.push_back((begun, written));
            while notes.len() > 2
                && notes
                    .front()
                    .is_some_and(|(at, _)| at.elapsed() > self.max_lag * 2)
            {
                notes.pop_front();
            }
        }
        let mut lag = None;
        for pause in REACH {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let asked = tokio::time::timeout(LIMIT * 2, async {
                let connection = self.pool.get().await?;
                replayed(&connection).await
            });
            let Ok(Ok(replayed)) = asked.await else {
                return None;
            };
            lag = self.lag(replayed);
            // Up to the newest note: nothing better can be known.
            if held(&self.notes)
                .back()
                .is_some_and(|(_, at)| Some(*at) <= replayed)
            {
                break;
            }
        }
        lag
    }

    pub(super) fn close(&self) {
        self.pool.close();
        self.primary.close();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first column of the first row. In the simple protocol, which every pooler lets through.
async fn text(connection: &Object, sql: &str) -> Result<Option<String>, DbError> {
    let answer = connection.simple_query(sql).await?;
    Ok(answer.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// How far the primary's log is.
async fn written(primary: &Pool) -> Result<Option<u64>, DbError> {
    let connection = primary.get().await?;
    let place = text(&connection, "SELECT pg_current_wal_lsn()").await?;
    Ok(place.as_deref().and_then(position))
}

/// How far a standby has replayed it; none for a server that is no standby.
async fn replayed(connection: &Object) -> Result<Option<u64>, DbError> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END";
    Ok(text(connection, sql).await?.as_deref().and_then(position))
}

/// A place in the log as Postgres writes it: `16/B374D848`.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let part = |digits| u32::from_str_radix(digits, 16).ok();
    Some(u64::from(part(high)?) << 32 | u64::from(part(low)?))
}

/// Whether both belong to one cluster, as far as they tell.
async fn are_one(replica: &Replica) -> bool {
    const SQL: &str = "SELECT system_identifier FROM pg_control_system()";
    let ask = async {
        let here = text(&replica.primary.get().await?, SQL).await?;
        let there = text(&replica.pool.get().await?, SQL).await?;
        Ok::<_, DbError>(here == there)
    };
    // Some hosted servers keep this from users.
    ask.await.unwrap_or(true)
}

/// Looks after the standby until `stop`.
pub async fn watch_replica(db: Db, stop: CancellationToken) {
    let Some(replica) = db.replica().cloned() else {
        return;
    };
    for by in ["primary", "replica", "failed"] {
        metrics::counter!("garrison_reads_total", "by" => by).increment(0);
    }
    let mut same = false;
    loop {
        let lag = replica.look().await;
        if lag.is_none() {
            same = false;
        } else if !same {
            same = are_one(&replica).await;
            if !same {
                tracing::error!("database.read_url leads to another cluster, and is not used");
            }
        }
        let usable = same && lag.is_some_and(|lag| lag <= replica.max_lag);
        if replica.usable.swap(usable, Ordering::Relaxed) != usable {
            let lag = lag.map(|lag| lag.as_secs_f64());
            tracing::info!(usable, lag, "the standby");
        }
        metrics::gauge!("garrison_read_replica_usable").set(if usable { 1.0 } else { 0.0 });
        metrics::gauge!("garrison_read_replica_lag_seconds")
            .set(lag.map_or(f64::NAN, |lag| lag.as_secs_f64()));
        tokio::select! {
            () = tokio::time::sleep(replica.pace()) => {}
            () = stop.cancelled() => return,
        }
    }
}

tokio::task_local! {
    static READING: Reading;
}

/// What one request reads may be late. It goes with the request's task, so that no query has to hand it on.
#[derive(Debug, Clone)]
pub struct Reading(Arc<AtomicU64>);

/// Nothing was read from a standby.
const NOTHING: u64 = u64::MAX;

impl Default for Reading {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(NOTHING)))
    }
}

impl Reading {
    /// That of this task, if what it reads may be late.
    #[must_use]
    pub fn current() -> Option<Self> {
        READING.try_with(Clone::clone).ok()
    }

    /// Does something whose reads may be late.
    pub async fn scope<T>(&self, work: impl Future<Output = T>) -> T {
        READING.scope(self.clone(), work).await
    }

    /// Does something in another task as in this one.
    pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
        let reading = Self::current();
        async move {
            match reading {
                Some(reading) => reading.scope(work).await,
                None => work.await,
            }
        }
    }

    fn note(&self, lag: Duration) {
        let lag = u64::try_from(lag.as_millis()).unwrap_or(NOTHING - 1);
        // The latest of several counts.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |had| {
            Some(if had == NOTHING { lag } else { had.max(lag) })
        });
    }

    /// How late what was read is at most; none when the primary answered.
    #[must_use]
    pub fn lag(&self) -> Option<Duration> {
        let lag = self.0.load(Ordering::Relaxed);
        (lag != NOTHING).then(|| Duration::from_millis(lag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica() -> Replica {
        let manager = deadpool_postgres::Manager::new(tokio_postgres::Config::new(), tokio_postgres::NoTls);
        let pool = Pool::builder(manager).max_size(1).build().unwrap();
        Replica::new(pool.clone(), pool, Duration::from_secs(2))
    }

    #[test]
    fn places_in_the_log_are_read() {
        assert_eq!(position("0/0"), Some(0));
        assert_eq!(position("16/B374D848"), Some(0x16_B374_D848));
        for wrong in ["", "16", "16/", "x/1", "1/123456789"] {
            assert_eq!(position(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_server_is_as_late_as_the_newest_note_that_it_reached() {
        let replica = replica();
        assert_eq!(replica.lag(Some(5)), None);
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        held(&replica.notes).extend([(ago(30), 10), (ago(20), 20), (ago(10), 20), (ago(0), 30)]);
        for (replayed, seconds) in [
            (Some(9), None),
            (Some(10), Some(30)),
            (Some(25), Some(10)),
            (Some(30), Some(0)),
        ] {
            assert_eq!(
                replica.lag(replayed).map(|lag| lag.as_secs()),
                seconds,
                "{replayed:?}"
            );
        }
        assert_eq!(replica.lag(None), None, "it is no standby");
    }

    #[test]
    fn who_changed_something_does_not_read_late() {
        let replica = replica();
        assert!(!replica.may_be_late(1), "nothing is known of the standby yet");
        replica.usable.store(true, Ordering::Relaxed);
        assert!(replica.may_be_late(1));
        replica.changed(1);
        assert!(!replica.may_be_late(1) && replica.may_be_late(2));
        let past = Instant::now().checked_sub(replica.over()).unwrap();
        held(&replica.changes).insert(1, past);
        assert!(replica.may_be_late(1));
        for who in 0..=CHANGERS as u64 {
            replica.changed(who);
        }
        assert!(!replica.may_be_late(u64::MAX), "too many to remember");
    }

    #[tokio::test]
    async fn a_reading_goes_with_its_task_and_tells_the_latest() {
        assert!(Reading::current().is_none());
        let reading = Reading::default();
        reading
            .scope(async {
                Reading::current().unwrap().note(Duration::from_millis(40));
                let work = Reading::carried(async {
                    Reading::current().unwrap().note(Duration::from_millis(10));
                });
                tokio::spawn(work).await.unwrap();
            })
            .await;
        assert_eq!(reading.lag(), Some(Duration::from_millis(40)));
        assert_eq!(Reading::default().lag(), None);
    }
}
