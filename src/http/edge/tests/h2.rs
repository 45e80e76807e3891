//! HTTP/2, frame by frame: the clients at hand are too well-behaved.

use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Running, between, limits};

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Connection preface and one GET; the path must be short.
fn h2(path: &str, settings: &[u8]) -> Vec<u8> {
    let mut headers = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    headers.extend(path.as_bytes());
    headers.extend([0x41, 1, b'x']);
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &frame(4, 0, 0, settings),
        &frame(1, 5, 1, &headers),
    ]
    .concat()
}

/// Answers pings until a frame of `wanted` kind comes (true) or the server closes (false).
async fn until(stream: &mut TcpStream, wanted: Option<u8>) -> bool {
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
        if stream.read_exact(&mut payload).await.is_err() {
            return false;
        }
        if Some(head[3]) == wanted {
            return true;
        }
        if head[3] == 6 && head[4] == 0 && stream.write_all(&frame(6, 1, 0, &payload)).await.is_err() {
            return false;
        }
    }
    false
}

#[tokio::test]
async fn http2() {
    let running = Running::start(limits()).await;
    let mut stream = running.open("").await;
    stream.write_all(&h2("/ok", &[])).await.unwrap();
    assert!(until(&mut stream, Some(0)).await, "no DATA");
    // Pings keep it alive neither for ever nor less than the idle time.
    let begun = Instant::now();
    assert!(!until(&mut stream, None).await);
    between(begun.elapsed(), 2300, 5500);
}

#[tokio::test]
async fn http2_without_a_window() {
    let running = Running::start(limits()).await;
    let mut stream = running.open("").await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0
    stream
        .write_all(&h2("/endless", &[0, 4, 0, 0, 0, 0]))
        .await
        .unwrap();
    let begun = Instant::now();
    assert!(!until(&mut stream, None).await);
    between(begun.elapsed(), 450, 2200);
    assert!(running.freed.load(Ordering::SeqCst));
}
