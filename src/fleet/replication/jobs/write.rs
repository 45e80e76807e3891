//! One turn of writing to a LAPI server.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use super::place::Writer;
use super::{Stop, TERM, ended};
use crate::app::App;
use crate::db::DbError;
use crate::fleet::decision::{Fact, OUR_ORIGIN};
use crate::fleet::lapi;
use crate::fleet::replication::model::{Found, Placing, Step, View, repair, step};
use crate::fleet::replication::queries;
use crate::jobs::{LaneWork, Lease, Outcome, finish, hold};

/// Longest turn before other lanes get theirs.
const TURN: Duration = Duration::from_secs(5);
/// How often all that is on a server is compared with what should be there.
const COMPARED: f64 = 3600.0;
/// How soon it is compared after a copy was replaced, whose predecessor goes then.
const TIDY: Duration = Duration::from_secs(5);
/// Rows of the log that are looked at together: up to fifty keys each.
const ROWS: i64 = 20;
/// Keys that are compared together.
const KEYS: i64 = 2000;

/// Brings the set to LAPI servers.
pub struct Write {
    /// The replica's state.
    pub app: App,
}

impl LaneWork for Write {
    fn topic(&self) -> i16 {
        2
    }

    fn work<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.turn(lease.clone()).await {
                Ok(outcome) => outcome,
                Err(stop) => ended(lease, stop),
            }
        })
    }
}

impl Write {
    async fn turn(&self, lease: Lease) -> Result<Outcome, Stop> {
        let (app, tenant) = (&self.app, lease.tenant);
        let server = lapi::get_by_id(&app.db, tenant, lease.subject).await?;
        let sync = queries::get_sync(&app.db, tenant, lease.subject).await?;
        let (Some(server), Some(sync)) = (server, sync) else {
            return Ok(Outcome::Drained);
        };
        if !server.can_ban() {
            return Ok(Outcome::Rest {
                drained: true,
                pause: Duration::from_hours(1),
            });
        }
        let target = server
            .target(&app.ring, tenant.id())
            .map_err(|e| DbError::Internal(format!("LAPI server {}: {e}", server.id)))?;
        let begun = Instant::now();
        let due = lease.failures > 0 || sync.write_open || sync.compared.is_none_or(|age| age > COMPARED);
        let view_of = (server.replicate_decisions, sync.engine);
        let mut writer = Writer::new(app, lease, server.id, target, view_of, sync.skew);
        if due {
            compare(&mut writer).await?;
        }
        loop {
            let entries = queries::list(&app.db, &writer.lease, ROWS).await?;
            let Some((last, _)) = entries.last() else { break };
            let last = last.clone();
            let keys: Vec<Uuid> = entries.into_iter().flat_map(|(_, keys)| keys).collect();
            follow(&mut writer, &keys).await?;
            writer.finish(&last).await?;
            if begun.elapsed() > TURN {
                return Ok(Outcome::More);
            }
        }
        let untidy = writer.close().await?;
        Ok(Outcome::Rest {
            drained: true,
            pause: if untidy {
                TIDY
            } else {
                Duration::from_secs_f64(COMPARED)
            },
        })
    }
}

/// Does what the log's keys ask for.
async fn follow(writer: &mut Writer<'_>, keys: &[Uuid]) -> Result<(), Stop> {
    let now = Timestamp::now();
    let views = writer.views(keys).await?;
    let (mut placing, mut forgotten) = (Vec::new(), Vec::new());
    for view in views {
        writer.lift(&view).await?;
        match step(&view, now) {
            Step::Leave => {}
            Step::Place(until) => placing.push(Placing::of(view, until)),
            Step::Replace(until) => {
                writer.untidy = true;
                placing.push(Placing::of(view, until));
            }
            Step::Withdraw => writer.withdraw(&view).await?,
            Step::Forget => forgotten.push(view.key),
        }
    }
    writer.forget(forgotten);
    writer.place(placing).await
}

/// Compares all that is on the server with all that should be there, and mends what differs. What others put there is
/// not touched.
async fn compare(writer: &mut Writer<'_>) -> Result<(), Stop> {
    writer.open().await?;
    queries::delete_log(&writer.app.db, &writer.lease).await?;
    writer.untidy = false;
    let mut found: HashMap<Uuid, Vec<Found>> = HashMap::new();
    let mut strays = Vec::new();
    let held = writer.app.lapis.of_origin(&writer.target, OUR_ORIGIN).await?;
    for held in held {
        let told = held.told;
        match Fact::read(&told.scope, &told.value, &told.kind) {
            Some(fact) => found.entry(fact.key()).or_default().push(Found {
                id: told.id,
                until: held.until,
            }),
            None => strays.push(told.id),
        }
    }
    let mut after = Uuid::nil();
    loop {
        let page =
            queries::list_keys(&writer.app.db, writer.lease.tenant, writer.server, after, KEYS).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        mend(writer, &page, &mut found).await?;
    }
    // What is left carries our mark, and nobody wants it.
    strays.extend(found.into_values().flatten().map(|found| found.id));
    for id in strays {
        writer.end(id).await?;
    }
    writer.compared().await
}

async fn mend(
    writer: &mut Writer<'_>,
    keys: &[Uuid],
    found: &mut HashMap<Uuid, Vec<Found>>,
) -> Result<(), Stop> {
    let now = Timestamp::now();
    let (mut placing, mut seen, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let mut ending = Vec::new();
    for view in writer.views(keys).await? {
        writer.lift(&view).await?;
        let there = found.remove(&view.key).unwrap_or_default();
        let wanted = view.wanted(now);
        let refused = matches!((wanted, view.copy), (Some(w), Some((until, true))) if until >= w);
        if refused && there.is_empty() {
            continue;
        }
        let repair = repair(wanted, &there);
        ending.extend(repair.end);
        match (repair.keep, repair.place) {
            // What was meant, not what was measured there: measures differ, and each would make a difference.
            (Some(until), _) => seen.push(Placing::of(view, wanted.unwrap_or(until))),
            (None, Some(until)) => placing.push(Placing::of(view, until)),
            (None, None) => gone.extend(drop_copy(&view)),
        }
    }
    // The new one before the old one goes, so that no bouncer sees a gap.
    writer.place(placing).await?;
    for id in ending {
        writer.end(id).await?;
    }
    // Not before it is true: who lifts something waits until nothing of it is noted any more.
    writer.note(&seen, &gone).await
}

fn drop_copy(view: &View) -> Option<Uuid> {
    view.copy.map(|_| view.key)
}

impl Writer<'_> {
    async fn views(&self, keys: &[Uuid]) -> Result<Vec<View>, Stop> {
        let lease = &self.lease;
        Ok(queries::list_views(&self.app.db, lease.tenant, self.server, keys, self.view_of).await?)
    }

    /// Moves the lane over what is done.
    async fn finish(&mut self, upto: &(String, i64)) -> Result<(), Stop> {
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
        self.settle(&tx).await?;
        if !finish(&tx, &self.lease, upto).await? {
            return Err(Stop::Lost);
        }
        tx.commit().await?;
        self.settled();
        self.lease.cursor.clone_from(upto);
        self.lease.failures = 0;
        Ok(())
    }

    /// The conversation is over, unless something is to be tidied up; whether it is.
    async fn close(&mut self) -> Result<bool, Stop> {
        if self.app.lapis.has_begun(&self.target).await {
            // Who does not know us may know nothing of what we put there.
            self.untidy = true;
        }
        let mut connection = self.app.db.connection().await?;
        let tx = self.app.db.planned(&mut connection, self.lease.tenant).await?;
        self.settle(&tx).await?;
        if !hold(&tx, &self.lease, TERM).await? {
            return Err(Stop::Lost);
        }
        queries::update_written(&tx, self.server, self.untidy, false, self.skew_told).await?;
        tx.commit().await?;
        self.settled();
        Ok(self.untidy)
    }
}
