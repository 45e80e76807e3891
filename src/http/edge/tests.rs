#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop on the first surprise"
)]

mod h2;
mod linger;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::*;
use crate::http::layers;

const GET: &str = "GET /ok HTTP/1.1\r\nhost: x\r\n\r\n";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limits() -> Limits {
    Limits {
        first_byte: ms(300),
        head: ms(400),
        idle: ms(2500),
        write: ms(500),
        request: ms(1200),
        drain: ms(1500),
        h2_ping: ms(200),
        h2_pong: ms(200),
        ..Limits::default()
    }
}

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<Drained>,
    /// Set when the endless answer is dropped.
    freed: Arc<AtomicBool>,
}

impl Running {
    async fn start(limits: Limits) -> Self {
        struct Freed(Arc<AtomicBool>);
        impl Drop for Freed {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let freed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&freed);
        let endless = move || {
            let guard = Freed(Arc::clone(&flag));
            let chunks = futures_util::stream::repeat_with(move || {
                let _ = &guard;
                Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 16 * 1024]))
            });
            std::future::ready(Body::from_stream(chunks))
        };
        let silent = || async {
            let stream = futures_util::stream::once(async {
                tokio::time::sleep(ms(1200)).await;
                Ok::<_, Infallible>("late")
            });
            Body::from_stream(stream)
        };
        let router = Router::new()
            .route(
                "/ok",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
            )
            .route("/slow", get(|| tokio::time::sleep(ms(400))))
            .route("/stuck", get(std::future::pending::<()>))
            .route("/panic", get(|| async { panic!("the handler") as () }))
            .route("/read", post(|body: Bytes| async move { body.len().to_string() }))
            .route("/unread", post(|| async { StatusCode::UNAUTHORIZED }))
            .route("/endless", get(endless))
            .route("/late", get(silent));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let router = layers::wrap(router, &limits);
        let server = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        Self {
            address,
            shutdown,
            server,
            freed,
        }
    }

    async fn open(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }
}

/// What comes until the server closes, and how long that took.
async fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    // A reset is an end like any other here.
    let _ = tokio::time::timeout(ms(8000), stream.read_to_end(&mut bytes))
        .await
        .expect("never closed");
    (String::from_utf8_lossy(&bytes).into_owned(), begun.elapsed())
}

/// One answer with a content length.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let count = tokio::time::timeout(ms(3000), stream.read(&mut bytes))
            .await
            .expect("no answer")
            .unwrap();
        assert!(count > 0, "closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap_or("0");
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
    }
}

fn between(took: Duration, from: u64, to: u64) {
    assert!(
        (ms(from)..ms(to)).contains(&took),
        "took {took:?}, not {from}..{to} ms"
    );
}

#[tokio::test]
async fn silent_client() {
    let running = Running::start(limits()).await;
    let (text, took) = rest(&mut running.open("").await).await;
    assert_eq!(text, "");
    between(took, 250, 2200);
}

#[tokio::test]
async fn partial_head() {
    let running = Running::start(limits()).await;
    for start in ["P", "PRI * HTTP/2.0\r\n", "GET /ok HTTP/1.1\r\nhost: x\r\n"] {
        let (text, took) = rest(&mut running.open(start).await).await;
        assert_eq!(text, "", "{start:?}");
        between(took, 350, 2200);
    }
    // Each further byte does not buy more time.
    let mut stream = running.open("GET /ok HTTP/1.1\r\n").await;
    let (mut reader, mut writer) = stream.split();
    let begun = Instant::now();
    let trickle = async {
        loop {
            let _ = writer.write_all(b"a").await;
            tokio::time::sleep(ms(50)).await;
        }
    };
    tokio::select! {
        _ = reader.read_u8() => between(begun.elapsed(), 350, 2200),
        () = trickle => {}
    }
}

#[tokio::test]
async fn trickled_body() {
    let running = Running::start(limits()).await;
    let mut stream = running
        .open("POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
        .await;
    let (mut reader, mut writer) = stream.split();
    let begun = Instant::now();
    let trickle = async {
        loop {
            let _ = writer.write_all(b"a").await;
            tokio::time::sleep(ms(100)).await;
        }
    };
    let mut first = [0; 12];
    tokio::select! {
        read = reader.read_exact(&mut first) => { read.unwrap(); }
        () = trickle => {}
    }
    assert_eq!(&first, b"HTTP/1.1 408");
    between(begun.elapsed(), 1150, 3500);
}

#[tokio::test]
async fn idle_keep_alive_outlives_the_head_limit_but_not_its_own() {
    let running = Running::start(limits()).await;
    let mut stream = running.open(GET).await;
    for _ in 0..3 {
        assert!(answer(&mut stream).await.ends_with("127.0.0.1"));
        tokio::time::sleep(ms(1000)).await;
        stream.write_all(GET.as_bytes()).await.unwrap();
    }
    answer(&mut stream).await;
    // Half a head on a used connection gets the head's time, not the idle one.
    stream.write_all(b"GET /ok HT").await.unwrap();
    between(rest(&mut stream).await.1, 350, 2200);
    let mut stream = running.open(GET).await;
    answer(&mut stream).await;
    between(rest(&mut stream).await.1, 2300, 5000);
}

#[tokio::test]
async fn an_unread_body_ends_the_connection_in_the_open() {
    let running = Running::start(limits()).await;
    let mut stream = running
        .open("POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello")
        .await;
    let (text, took) = rest(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 401") && text.contains("connection: close"),
        "{text}"
    );
    assert!(took < ms(1000), "{took:?}");
}

#[tokio::test]
async fn client_that_never_reads() {
    let running = Running::start(limits()).await;
    let stream = running.open("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let begun = Instant::now();
    while !running.freed.load(Ordering::SeqCst) {
        assert!(begun.elapsed() < ms(5000), "still held");
        tokio::time::sleep(ms(20)).await;
    }
    drop(stream);
    // An answer that is itself not ready is not the client's fault.
    let mut stream = running.open("GET /late HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut text = String::new();
    while !text.contains("late") {
        let mut bytes = [0; 1024];
        let count = tokio::time::timeout(ms(3000), stream.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "cut: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

#[tokio::test]
async fn oversized_heads() {
    let running = Running::start(limits()).await;
    let many = |count: usize| (0..count).fold(String::new(), |all, at| format!("{all}h{at}: x\r\n"));
    let long = format!("h: {}\r\n", "x".repeat(33 * 1024));
    for (headers, status) in [(many(100), "200"), (many(101), "431"), (long, "431")] {
        let mut stream = running.open(&format!("GET /ok HTTP/1.1\r\n{headers}\r\n")).await;
        assert!(
            answer(&mut stream)
                .await
                .starts_with(&format!("HTTP/1.1 {status}")),
            "{}",
            headers.len()
        );
    }
}

#[tokio::test]
async fn shutdown_answers_what_is_in_flight() {
    let running = Running::start(limits()).await;
    let mut idle = running.open(GET).await;
    answer(&mut idle).await;
    let mut slow = running.open("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut half = running.open("GET /ok HTTP/1.1\r\n").await;
    tokio::time::sleep(ms(100)).await;
    running.shutdown.cancel();
    tokio::time::sleep(ms(100)).await;
    assert!(TcpStream::connect(running.address).await.is_err());
    half.write_all(b"host: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut half).await.0.starts_with("HTTP/1.1 200"));
    between(rest(&mut idle).await.1, 0, 1200);
    let (text, _) = rest(&mut slow).await;
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("connection: close"),
        "{text}"
    );
    assert_eq!(
        running.server.await.unwrap(),
        Drained {
            finished: 3,
            aborted: 0
        }
    );
}

/// Who is connected is heard: before it was accepted, before it said its first byte, and on a connection that it had.
#[tokio::test]
async fn shutdown_loses_no_request_that_was_about_to_begin() {
    let running = Running::start(limits()).await;
    let mut kept = running.open(GET).await;
    answer(&mut kept).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    tokio::time::sleep(ms(100)).await;
    // On one thread: what is connected now is accepted after the shutdown at the earliest.
    let waiting = std::net::TcpStream::connect(running.address).unwrap();
    waiting.set_nonblocking(true).unwrap();
    let mut waiting = TcpStream::from_std(waiting).unwrap();
    running.shutdown.cancel();
    tokio::time::sleep(ms(100)).await;
    for stream in [&mut kept, &mut silent, &mut waiting] {
        stream.write_all(GET.as_bytes()).await.unwrap();
    }
    for stream in [&mut kept, &mut silent, &mut waiting] {
        let (text, took) = rest(stream).await;
        let last = text.starts_with("HTTP/1.1 200") && text.contains("connection: close");
        assert!(last, "{text}");
        between(took, 0, 1200);
    }
    assert_eq!(
        running.server.await.unwrap(),
        Drained {
            finished: 3,
            aborted: 0
        }
    );
}

#[tokio::test]
async fn shutdown_cuts_what_does_not_end() {
    let running = Running::start(Limits {
        request: ms(60_000),
        ..limits()
    })
    .await;
    let mut stuck = running.open("GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(ms(100)).await;
    running.shutdown.cancel();
    between(rest(&mut stuck).await.1, 1300, 4000);
    assert_eq!(
        running.server.await.unwrap(),
        Drained {
            finished: 0,
            aborted: 1
        }
    );
}

#[tokio::test]
async fn panic_is_answered() {
    let running = Running::start(limits()).await;
    let mut stream = running.open("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let text = answer(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 500") && text.contains("application/problem+json"),
        "{text}"
    );
    assert!(!text.contains("the handler"));
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connection_cap() {
    let running = Running::start(Limits {
        connections: 1,
        ..limits()
    })
    .await;
    let mut first = running.open(GET).await;
    answer(&mut first).await;
    let mut second = running.open(GET).await;
    assert!(
        tokio::time::timeout(ms(200), second.read_u8()).await.is_err(),
        "answered beyond the cap"
    );
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
}
