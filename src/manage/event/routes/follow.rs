//! One stream: what it told so far, and what comes next.

use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::App;
use crate::db::{DbError, Tenant};
use crate::http::{ApiError, Permission, Shown, Turn, Turns};
use crate::manage::alert::Filter;
use crate::manage::event::jobs::Head;
use crate::manage::event::model::{Kinds, Place, event, frame, tag_of};
use crate::manage::event::queries;

/// Between two signs of life, for whatever stands in between and would take silence for death.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the token is looked at again. What is believed of one is three seconds old at most.
const PROOF: Duration = Duration::from_secs(1);
/// How long a stream lives while its token, or the log, cannot be looked at.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that are held for a client.
const HELD: usize = 256 << 10;
/// Most events that are looked up at a time.
pub const EVENTS: usize = 500;
/// Looks at the log under way: streams that resume from long ago must not keep others from the database.
static LOOKS: LazyLock<Turns> = LazyLock::new(|| Turns::new(4, 2));

/// A stream.
pub struct Follow {
    pub app: App,
    pub tenant: Tenant,
    pub shown: Shown,
    pub kinds: Kinds,
    pub filter: Filter,
    pub head: watch::Receiver<Head>,
    /// Which log its places are of.
    pub tag: String,
    /// Behind what it told or passed over.
    pub place: Place,
    /// What it begins with.
    pub first: Option<String>,
    /// When its token was last known to be good.
    pub vouched: Instant,
    /// When it last said something.
    pub said: Instant,
    /// Events that are looked up at a time: fewer where they are large.
    pub most: usize,
    /// Since when the log cannot be read.
    pub troubled: Option<Instant>,
    /// Given back when nobody takes the stream any more.
    pub _turn: Turn,
}

impl Drop for Follow {
    fn drop(&mut self) {
        metrics::gauge!("garrison_event_streams").decrement(1.0);
    }
}

impl Follow {
    /// What to say next; none at its end. Nothing is read before the client took what was said.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first.into());
        }
        let stopping = self.app.stopping.clone();
        loop {
            if stopping.is_cancelled() || !self.is_good().await {
                return None;
            }
            let head = *self.head.borrow_and_update();
            let last = head
                .last
                .filter(|(xid, seq)| Place::behind(*xid, *seq) > self.place);
            let mut found = false;
            if let Some(last) = last {
                match self.read(last).await {
                    Ok(Some(text)) if !text.is_empty() => return Some(self.say(text)),
                    Ok(Some(_)) => found = true,
                    Ok(None) => return None,
                    Err(e) if self.is_hopeless(&e) => return None,
                    Err(_) => {}
                }
            } else if head.horizon > self.place.xid {
                self.place = Place::before(head.horizon);
            }
            if self.said.elapsed() >= HEARTBEAT {
                let id = self.place.id(&self.tag);
                return Some(self.say(format!(": \nid: {id}\n\n")));
            }
            if found {
                continue;
            }
            let pause = PROOF.min(HEARTBEAT.saturating_sub(self.said.elapsed()));
            // After a failure what is new is known already, so only time can help.
            let news = async {
                if self.troubled.is_some() {
                    std::future::pending().await
                } else {
                    self.head.changed().await
                }
            };
            tokio::select! {
                changed = news => changed.ok()?,
                () = tokio::time::sleep(pause) => {}
                () = stopping.cancelled() => {}
            }
        }
    }

    fn say(&mut self, text: String) -> Bytes {
        self.said = Instant::now();
        text.into()
    }

    /// Whether the token is still good. While that cannot be found out it is believed for a while.
    async fn is_good(&mut self) -> bool {
        if self.vouched.elapsed() < PROOF {
            return true;
        }
        match self.app.auth.authenticate(&self.shown).await {
            Ok(principal) => {
                self.vouched = Instant::now();
                principal.tenant == Some(self.tenant) && principal.permissions.has(Permission::EventsRead)
            }
            Err(ApiError::Unavailable(_)) => self.vouched.elapsed() < PATIENCE,
            Err(_) => false,
        }
    }

    /// Whether to give up after an error; a client that comes again goes on where it was.
    fn is_hopeless(&mut self, e: &DbError) -> bool {
        let since = *self.troubled.get_or_insert_with(Instant::now);
        let hopeless = !e.is_passing() || since.elapsed() > PATIENCE;
        if hopeless {
            tracing::warn!(cause = %e, "a stream of events ends");
        }
        hopeless
    }

    /// The next events up to the last row, as text, as far as they meet the conditions; none when there is a gap, or this
    /// is another log: who comes again is told.
    async fn read(&mut self, last: (u64, i64)) -> Result<Option<String>, DbError> {
        let turn = LOOKS.take(self.tenant.id(), Duration::from_secs(5)).await;
        let _turn = turn.ok_or_else(|| DbError::Unavailable("too many streams catch up".to_owned()))?;
        let asked = (self.kinds, &self.filter);
        let part = (self.place, last, self.most);
        let page = queries::list(&self.app.db, self.tenant, asked, part).await?;
        self.troubled = None;
        let tag = tag_of(&self.app.ring, self.tenant.id(), &page.log);
        if tag != self.tag || self.place.xid <= page.log.floor {
            return Ok(None);
        }
        let mut text = String::new();
        for (n, slot) in page.slots.iter().enumerate() {
            if let Some((name, data)) = event(slot, &self.filter, &page.alerts, &page.copies) {
                text.push_str(&frame(&slot.place.id(&tag), name, &data));
                if text.len() > HELD {
                    self.place = slot.place;
                    self.most = (n + 1).clamp(16, EVENTS);
                    return Ok(Some(text));
                }
            }
        }
        self.place = page.end;
        self.most = (self.most * 2).min(EVENTS);
        Ok(Some(text))
    }
}
