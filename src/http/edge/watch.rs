//! What is known of one connection, and by when something has to happen on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Limits;

/// First bytes of an HTTP/2 connection, as many as tell it from HTTP/1.
const H2_START: &[u8; 3] = b"PRI";
/// Length of the whole HTTP/2 preface.
const H2_PREFACE: u64 = 24;
/// Up to here a write on HTTP/2 may be pings and acknowledgements alone, which say nothing about progress.
const H2_CONTROL: usize = 64;

/// What is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The rest of a request's head.
    Head,
    /// The next request.
    Idle,
    /// The client taking what is sent to it.
    Write,
    /// The end of a connection that was told to close.
    Close,
}

/// One connection, watched from its socket, its requests and its answers.
pub(super) struct Watch(Mutex<State>);

struct State {
    /// Requests whose answer is not wholly handed to hyper.
    in_flight: usize,
    /// First byte of the head that is being read.
    head: Option<Instant>,
    /// Last end of an answer, or last progress in sending one.
    active: Instant,
    /// Since when the socket takes nothing.
    blocked: Option<Instant>,
    /// Last write on HTTP/2 that carried more than control frames.
    progress: Instant,
    /// Answers that have a frame for the client or have just given one, and since when nobody asked for the next.
    offered: BTreeMap<u64, Instant>,
    next_answer: u64,
    /// A handler left a body unread, so that bytes between requests may be the rest of it.
    unread: bool,
    /// When hyper was told to close.
    closing: Option<Instant>,
    start: [u8; 3],
    received: u64,
}

impl State {
    fn h2(&self) -> bool {
        self.received >= 3 && self.start == *H2_START
    }
}

impl Watch {
    /// A connection that has just said its first byte.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(State {
            in_flight: 0,
            head: None,
            active: now,
            blocked: None,
            progress: now,
            offered: BTreeMap::new(),
            next_answer: 0,
            unread: false,
            closing: None,
            start: [0; 3],
            received: 0,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment or two: a panic cannot leave half of one behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins; it ends with the value returned.
    pub(super) fn begin(watch: &Arc<Self>) -> Exchange {
        let mut state = watch.state();
        state.head = None;
        state.unread = false;
        state.in_flight += 1;
        let answer = state.next_answer;
        state.next_answer += 1;
        drop(state);
        Exchange {
            watch: Arc::clone(watch),
            answer,
        }
    }

    /// The socket gave `bytes`.
    pub(super) fn received(&self, bytes: &[u8]) {
        let mut state = self.state();
        for byte in bytes.iter().take(3) {
            if let Some(slot) = usize::try_from(state.received)
                .ok()
                .and_then(|at| state.start.get_mut(at))
            {
                *slot = *byte;
            }
            state.received += 1;
        }
        state.received += bytes.len().saturating_sub(3) as u64;
        if state.h2() && state.received >= H2_PREFACE {
            // From here on bytes are frames, not necessarily a head; pings and the idle limit take over.
            state.head = None;
        } else if state.in_flight == 0 && !state.unread {
            state.head.get_or_insert_with(Instant::now);
        }
    }

    /// The socket took `bytes`; 0 when it is full.
    pub(super) fn sent(&self, bytes: usize) {
        let now = Instant::now();
        let mut state = self.state();
        if bytes == 0 {
            state.blocked.get_or_insert(now);
            return;
        }
        state.blocked = None;
        if !state.h2() {
            state.active = now;
        } else if bytes > H2_CONTROL {
            state.progress = now;
        }
    }

    /// A handler dropped a body before its end.
    pub(super) fn unread(&self) {
        self.state().unread = true;
    }

    /// Whether the last request's body was dropped so. On HTTP/2 a stream ends alone.
    pub(super) fn left_unread(&self) -> bool {
        let state = self.state();
        state.unread && !state.h2()
    }

    /// hyper was told to close.
    pub(super) fn close(&self) {
        self.state().closing = Some(Instant::now());
    }

    /// Whether the head of a request is arriving.
    pub(super) fn in_head(&self) -> bool {
        self.state().head.is_some()
    }

    /// Whether an answer's head says whether the connection ends.
    pub(super) fn is_http1(&self) -> bool {
        !self.state().h2()
    }

    /// Whether the client can be told that the connection ends: in an answer that is due, or at any time on HTTP/2.
    pub(super) fn can_tell(&self) -> bool {
        let state = self.state();
        state.in_flight > 0 || state.h2()
    }

    /// The next thing that has to happen; `None` while a request is in work.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<(Instant, Due)> {
        let state = self.state();
        let blocked = state.blocked.map(|since| (since + limits.write, Due::Write));
        // HTTP/2 has windows of its own: the socket is free while the client takes nothing.
        let window = state
            .offered
            .values()
            .min()
            .filter(|_| state.h2())
            .map(|since| ((*since).max(state.progress) + limits.write, Due::Write));
        let next = (state.in_flight == 0).then(|| match (state.head, state.closing) {
            (Some(since), _) => (since + limits.head, Due::Head),
            (None, Some(since)) => (since.max(state.active) + limits.write, Due::Close),
            (None, None) => (state.active + limits.idle, Due::Idle),
        });
        [blocked, window, next].into_iter().flatten().min()
    }
}

/// One request and its answer.
pub(super) struct Exchange {
    watch: Arc<Watch>,
    answer: u64,
}

impl Exchange {
    /// The answer has something for the client.
    pub(super) fn offer(&self) {
        self.watch.state().offered.insert(self.answer, Instant::now());
    }

    /// The answer itself is not ready: not the client's fault.
    pub(super) fn wait(&self) {
        self.watch.state().offered.remove(&self.answer);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.offered.remove(&self.answer);
        state.active = Instant::now();
    }
}
