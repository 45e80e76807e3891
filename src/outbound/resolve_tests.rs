//! A hostile name server, seen through the whole client: what gets a connection, and what does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::outbound::client::Guarded;

/// Stands for an address that may be reached, and one that may not: both are this machine's.
const OPEN: &str = "127.0.0.2";
const INSIDE: &str = "127.0.0.3";

/// Answers each request and closes, so that each needs a resolution; counts them.
async fn listen(address: &str, port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (port, heard)
}

fn client(lookup: &Lookup) -> Guarded {
    let policy = Policy {
        allow_private: vec![format!("{OPEN}/32").parse().unwrap()],
        own: None,
    };
    Guarded::resolving(policy, lookup).unwrap()
}

async fn reaches(client: &Guarded, port: u16) -> bool {
    let url = Url::parse(&format!("http://lapi.example:{port}/")).unwrap();
    let sent = client.send(Method::GET, url, HeaderMap::new(), Vec::new());
    sent.await.is_ok()
}

/// A name, what is answered to each question, and whether each request gets through.
type Case = (&'static str, Vec<Vec<String>>, Vec<bool>);

/// The n-th question gets the n-th answer, and the last one again and again: a record that lives for no time at all.
fn answers(list: Vec<Vec<String>>) -> Lookup {
    let asked = Arc::new(AtomicUsize::new(0));
    Arc::new(move |_| {
        let n = asked.fetch_add(1, Ordering::SeqCst).min(list.len() - 1);
        let answer = list[n].iter().map(|ip| ip.parse().unwrap()).collect();
        Box::pin(async move { Ok(answer) })
    })
}

#[tokio::test]
async fn no_answer_leads_inside() {
    let (port, open) = listen(OPEN, 0).await;
    let (_, inside) = listen(INSIDE, port).await;
    let one = |ip: &str| vec![ip.to_owned()];
    let many = |ip: &str| vec![ip.to_owned(); 1000];
    let table: Vec<Case> = vec![
        ("open", vec![one(OPEN)], vec![true]),
        ("inside", vec![one(INSIDE)], vec![false]),
        (
            "first open, then inside",
            vec![one(OPEN), one(INSIDE)],
            vec![true, false, false],
        ),
        (
            "first inside, then open",
            vec![one(INSIDE), one(OPEN)],
            vec![false, true],
        ),
        (
            "both at once",
            vec![[one(INSIDE), one(OPEN)].concat()],
            vec![true, true],
        ),
        (
            "IPv4 open, IPv6 inside",
            vec![vec![OPEN.to_owned(), "::1".to_owned()]],
            vec![true],
        ),
        ("mapped", vec![one("::ffff:127.0.0.3")], vec![false]),
        ("translated", vec![one("64:ff9b::7f00:3")], vec![false]),
        (
            "metadata",
            vec![one("169.254.169.254"), one("fd00:ec2::254")],
            vec![false, false],
        ),
        ("any address", vec![one("0.0.0.0"), one("::")], vec![false, false]),
        ("a thousand inside", vec![many(INSIDE)], vec![false]),
        ("a thousand open", vec![many(OPEN)], vec![true]),
        ("nothing", vec![Vec::new()], vec![false]),
    ];
    for (name, list, expected) in table {
        let client = client(&answers(list));
        for (n, reached) in expected.into_iter().enumerate() {
            assert_eq!(reaches(&client, port).await, reached, "{name}, request {n}");
        }
    }
    assert!(open.load(Ordering::SeqCst) > 0);
    assert_eq!(inside.load(Ordering::SeqCst), 0, "somebody inside heard of us");
}

#[tokio::test]
async fn names_that_do_not_resolve_fail_in_time() {
    let unknown: Lookup =
        Arc::new(|_| Box::pin(async { Err(io::Error::new(io::ErrorKind::NotFound, "NXDOMAIN")) }));
    assert!(!reaches(&client(&unknown), 80).await);
    let silent: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    let begun = Instant::now();
    assert!(!reaches(&client(&silent), 80).await);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
