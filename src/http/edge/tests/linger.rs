//! Answers to requests that are not read to their end.

use super::*;

#[tokio::test]
async fn who_still_sends_hears_the_answer() {
    let running = Running::start(limits()).await;
    for _ in 0..20 {
        let length = 4 << 20;
        let head = format!("POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        let mut stream = running.open(&head).await;
        let part = vec![b'x'; 65536];
        // Everything is sent before the answer is looked at, as many clients do.
        for _ in 0..length / 65536 {
            stream.write_all(&part).await.unwrap();
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(
            answer.contains("connection: close"),
            "it would send its next request here"
        );
    }
}

#[tokio::test]
async fn who_sends_for_ever_is_not_heard_for_ever() {
    let running = Running::start(limits()).await;
    let begun = Instant::now();
    let mut stream = running
        .open("POST /unread HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
        tokio::time::sleep(ms(20)).await;
        assert!(begun.elapsed() < Duration::from_secs(8));
    }
}
