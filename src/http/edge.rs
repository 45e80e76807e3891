//! The accept loop: what a client must get past before a request exists, and how the server stops.
//!
//! hyper's own `header_read_timeout` also closes a connection that merely idles between requests, and a Go client that
//! meets a closing socket loses its batch; so the time limits of a connection are kept here, by `watch`.

mod body;
mod io;
mod watch;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use body::{Received, Sent};
use io::WatchedIo;
use watch::{Due, Watch};

/// What one client may ask of the server. The defaults are those of the service.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections held at once; further ones wait in the system's queue. At least 1.
    pub connections: usize,
    /// From accepting a connection to its first byte.
    pub first_byte: Duration,
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// From the end of one answer to the first byte of the next request. Go clients keep idle connections for 90 s, so
    /// anything below that loses batches.
    pub idle: Duration,
    /// Without progress while an answer waits to be taken.
    pub write: Duration,
    /// A whole request, from its head to the head of its answer; see `layers::wrap`.
    pub request: Duration,
    /// Requests in work at once; more are refused; see `layers::wrap`. At least 1.
    pub in_flight: usize,
    /// What a stopping server waits for requests in flight.
    pub drain: Duration,
    /// Headers of one request.
    pub headers: usize,
    /// Bytes of the head of one request, at least 8192.
    pub head_bytes: usize,
    /// Concurrent streams of one HTTP/2 connection.
    pub h2_streams: u32,
    /// Between two HTTP/2 pings.
    pub h2_ping: Duration,
    /// From an HTTP/2 ping to its answer.
    pub h2_pong: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            first_byte: Duration::from_secs(5),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(125),
            write: Duration::from_secs(30),
            request: Duration::from_secs(30),
            in_flight: 512,
            drain: Duration::from_secs(20),
            headers: 100,
            head_bytes: 32 * 1024,
            h2_streams: 64,
            h2_ping: Duration::from_secs(10),
            h2_pong: Duration::from_secs(5),
        }
    }
}

/// What became of the connections that were open when the server was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended by themselves, their requests answered.
    pub finished: usize,
    /// Connections cut when `Limits::drain` was over.
    pub aborted: usize,
}

/// Accepts connections and serves `router` on them until `shutdown`, then drains: no new connection, every request in
/// flight is answered, idle connections close after half a second, and what is left after `Limits::drain` is cut. Handlers find the peer's
/// address as `ConnectInfo<SocketAddr>`.
///
/// A failing `accept` (no file descriptors left, for example) is retried; there is no error that ends the loop.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Drained {
    let abort = CancellationToken::new();
    let tasks = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let server = Arc::new(Server {
        builder: builder(&limits, &tasks, &abort),
        router,
        limits,
        shutdown: shutdown.clone(),
        abort,
        finished: AtomicUsize::new(0),
        aborted: AtomicUsize::new(0),
    });
    let mut pause = MIN_PAUSE;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                pause = MIN_PAUSE;
                tasks.spawn(Arc::clone(&server).connection(stream, peer, slot));
            }
            Err(error) if of_one_connection(&error) => {
                tracing::debug!(%error, "a connection was gone before accept");
            }
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections");
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
    last(listener, &slots, |stream, peer, slot| {
        tasks.spawn(Arc::clone(&server).connection(stream, peer, slot));
    });
    drain(&server, &tasks).await
}

/// Takes what the system has connected already: those clients believe that they are heard.
fn last(
    listener: TcpListener,
    slots: &Arc<Semaphore>,
    serve: impl Fn(TcpStream, SocketAddr, OwnedSemaphorePermit),
) {
    // Asked itself: what the runtime knows of it may be older.
    let Ok(listener) = listener.into_std() else { return };
    for _ in 0..BACKLOG {
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            return;
        };
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if of_one_connection(&error) => continue,
            Err(_) => return,
        };
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            serve(stream, peer, slot);
        }
    }
}

const MIN_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// Most connections that a system keeps until they are accepted (`net.core.somaxconn`, 4096).
const BACKLOG: usize = 4096;
/// How long, from the shutdown on, a client may begin a request on a connection that it has: what it says at the very moment
/// at which we close is lost to it.
const LAST: Duration = Duration::from_millis(500);

/// Waits for a slot first: a connection beyond the cap costs no file descriptor.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

fn of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

async fn drain(server: &Server, tasks: &TaskTracker) -> Drained {
    tasks.close();
    if tokio::time::timeout(server.limits.drain, tasks.wait())
        .await
        .is_err()
    {
        server.abort.cancel();
        // Only a handler that blocks its thread does not let go at once, and the process is about to end anyway.
        let _ = tokio::time::timeout(Duration::from_secs(1), tasks.wait()).await;
    }
    Drained {
        finished: server.finished.load(Ordering::SeqCst),
        aborted: server.aborted.load(Ordering::SeqCst),
    }
}

fn builder(limits: &Limits, tasks: &TaskTracker, abort: &CancellationToken) -> auto::Builder<Streams> {
    let streams = Streams {
        tasks: tasks.clone(),
        abort: abort.clone(),
    };
    let mut builder = auto::Builder::new(streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        // Never the first to fire, see above. But with it hyper polls a connection again as soon as it falls idle.
        .header_read_timeout(limits.idle + limits.head + limits.write)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(limits.h2_ping)
        .keep_alive_timeout(limits.h2_pong);
    builder
}

/// Runs the streams of HTTP/2 connections: counted for the drain, ended by the abort.
#[derive(Clone)]
struct Streams {
    tasks: TaskTracker,
    abort: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let abort = self.abort.clone();
        self.tasks.spawn(async move {
            abort.run_until_cancelled(stream).await;
        });
    }
}

/// What every connection needs.
struct Server {
    builder: auto::Builder<Streams>,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
    abort: CancellationToken,
    finished: AtomicUsize,
    aborted: AtomicUsize,
}

impl Server {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        // Answers are small and somebody waits for them.
        let _ = stream.set_nodelay(true);
        if self.first_byte(&stream).await {
            self.requests(stream, peer).await;
        }
        if self.abort.is_cancelled() {
            self.aborted.fetch_add(1, Ordering::SeqCst);
        } else if self.shutdown.is_cancelled() {
            self.finished.fetch_add(1, Ordering::SeqCst);
        }
        drop(slot);
    }

    /// Whether the client says anything. hyper would wait for it without a limit while it looks for HTTP/2.
    async fn first_byte(&self, stream: &TcpStream) -> bool {
        let mut byte = [0];
        tokio::select! {
            biased;
            peeked = tokio::time::timeout(self.limits.first_byte, stream.peek(&mut byte)) => matches!(peeked, Ok(Ok(1))),
            () = self.last() => false,
        }
    }

    /// The end of what may still be begun.
    async fn last(&self) {
        self.shutdown.cancelled().await;
        tokio::time::sleep(LAST.min(self.limits.drain / 2)).await;
    }

    async fn requests(&self, stream: TcpStream, peer: SocketAddr) {
        let watch = Arc::new(Watch::new());
        let io = TokioIo::new(WatchedIo::new(stream, Arc::clone(&watch)));
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            let exchange = Watch::begin(&watch);
            let (router, watch, shutdown) = (self.router.clone(), Arc::clone(&watch), self.shutdown.clone());
            let mut request = request.map(|body| Body::new(Received::new(body, Arc::clone(&watch))));
            request.extensions_mut().insert(ConnectInfo(peer));
            async move {
                let mut response = router.oneshot(request).await?;
                if watch.left_unread() || (shutdown.is_cancelled() && watch.is_http1()) {
                    // hyper closes over what is left of the request, and who stops closes soon; a client that does not know
                    // loses its next one.
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response.map(|body| Sent::new(body, exchange)))
            }
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut stop = pin!(self.shutdown.cancelled());
        let (mut last, mut over) = (pin!(self.last()), false);
        let mut abort = pin!(self.abort.cancelled());
        let mut alarm = pin!(tokio::time::sleep(self.limits.head));
        // Whether hyper was told to close the connection after the answers under way.
        let mut closing = false;
        // The connection goes first: whatever it has just read or written counts for the deadline.
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                    if let Err(error) = result {
                        tracing::debug!(%peer, %error, "connection ended with an error");
                    }
                    return Poll::Ready(());
                }
                if abort.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // A head that has begun is a request that the client believes sent.
                if !closing && stop.as_mut().poll(cx).is_ready() && !watch.in_head() {
                    over = over || last.as_mut().poll(cx).is_ready();
                    // An answer says that it is the last one; where none is due, one more request is waited for.
                    if over || watch.can_tell() {
                        closing = true;
                        watch.close();
                        connection.as_mut().graceful_shutdown();
                        continue;
                    }
                }
                let Some((deadline, due)) = watch.deadline(&self.limits) else {
                    return Poll::Pending;
                };
                if deadline > tokio::time::Instant::now() {
                    if alarm.is_elapsed() || deadline < alarm.deadline() {
                        alarm.as_mut().reset(deadline);
                    }
                    if alarm.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                } else if due == Due::Idle && !closing {
                    closing = true;
                    watch.close();
                    connection.as_mut().graceful_shutdown();
                } else {
                    tracing::debug!(%peer, ?due, "connection cut");
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }
}
