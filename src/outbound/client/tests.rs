use reqwest::dns::Resolve as _;

use super::*;

fn policy(allow: &[&str]) -> Policy {
    Policy {
        allow_private: allow.iter().map(|b| b.parse().unwrap()).collect(),
        own: "127.0.0.1:8080".parse().ok(),
    }
}

#[test]
fn urls_are_canonical_or_refused_with_the_reason() {
    let table: &[(&str, Result<&str, BadUrl>)] = &[
        ("https://lapi.example.org", Ok("https://lapi.example.org/")),
        (
            "HTTPS://LAPI.Example.org:443/x",
            Ok("https://lapi.example.org/x/"),
        ),
        (
            "http://203.0.114.9:8080/a/../b/",
            Ok("http://203.0.114.9:8080/b/"),
        ),
        ("https://bücher.example/", Ok("https://xn--bcher-kva.example/")),
        ("https://[2606:4700::1]:8443", Ok("https://[2606:4700::1]:8443/")),
        ("ftp://h/", Err(BadUrl::Scheme)),
        ("file:///etc/passwd", Err(BadUrl::Scheme)),
        ("gopher://h/", Err(BadUrl::Scheme)),
        ("data:text/plain,x", Err(BadUrl::Scheme)),
        ("unix:/run/x.sock", Err(BadUrl::Scheme)),
        ("javascript:alert(1)", Err(BadUrl::Scheme)),
        ("lapi.example.org", Err(BadUrl::Scheme)),
        ("", Err(BadUrl::Scheme)),
        ("http://", Err(BadUrl::Form)),
        ("http:///x", Err(BadUrl::Form)),
        ("http:/x", Err(BadUrl::Scheme)),
        ("https://a@b/", Err(BadUrl::UserInfo)),
        ("https://:@b/", Err(BadUrl::UserInfo)),
        ("https://good.com@127.0.0.1/", Err(BadUrl::UserInfo)),
        ("https://h/#f", Err(BadUrl::Extra)),
        ("https://h/?q", Err(BadUrl::Extra)),
        ("https://good\\@evil/", Err(BadUrl::Form)),
        ("https://h\t.example/", Err(BadUrl::Form)),
        ("https://h/\n", Err(BadUrl::Form)),
        (" https://h/", Err(BadUrl::Form)),
        ("https://h.example./", Err(BadUrl::Form)),
        ("http://[example.com]/", Err(BadUrl::Form)),
        ("http://h:99999/", Err(BadUrl::Form)),
        ("http://h:22/", Err(BadUrl::Port)),
        ("http://h:25/", Err(BadUrl::Port)),
        ("http://h:5432/", Err(BadUrl::Port)),
        ("http://h:6379/", Err(BadUrl::Port)),
        ("http://h:6432/", Err(BadUrl::Port)),
        ("http://h:2375/", Err(BadUrl::Port)),
        ("http://h:0/", Err(BadUrl::Port)),
        ("http://metadata.google.internal/", Err(BadUrl::Address)),
    ];
    for (text, expected) in table {
        let got = policy(&[]).url(text);
        assert_eq!(
            got.as_ref().map(Url::as_str),
            expected.as_ref().copied(),
            "{text:?}"
        );
    }
    assert_eq!(
        policy(&[]).url(&format!("http://h/{}", "x".repeat(512))),
        Err(BadUrl::Form)
    );
}

#[test]
fn addresses_are_known_in_every_spelling() {
    let spellings = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "localhost",
        "LOCALHOST",
        "x.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "①②⑦.0.0.1",
    ];
    for host in spellings {
        let text = format!("http://{host}:8081/");
        assert_eq!(policy(&[]).url(&text), Err(BadUrl::Address), "{text}");
        assert!(policy(&["127.0.0.0/8", "::1"]).url(&text).is_ok(), "{text}");
        let own = format!("http://{host}:8080/");
        assert!(policy(&["127.0.0.0/8", "::1"]).url(&own).is_err(), "{own}");
    }
    let never = [
        "0.0.0.0",
        "0",
        "[::]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "0xa9fea9fe",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
    ];
    for host in never {
        let text = format!("http://{host}:8081/");
        let got = policy(&["0.0.0.0/0", "::/0"]).url(&text);
        assert_eq!(got, Err(BadUrl::Address), "{text}");
    }
}

#[tokio::test]
async fn a_name_is_checked_by_what_it_resolves_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = |host: &str| Url::parse(&format!("http://{host}:{port}/")).unwrap();
    let strict = Guarded::new(Policy::default()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let got = strict
            .send(Method::GET, url(host), HeaderMap::new(), Vec::new())
            .await;
        assert_eq!(
            got.unwrap_err().to_string(),
            "the server cannot be reached",
            "{host}"
        );
    }
    for (allow, own_port, expected) in [
        (&[][..], false, false),
        (&["127.0.0.0/8", "::1"], false, true),
        // Any name may resolve to where we listen ourselves.
        (&["127.0.0.0/8", "::1"], true, false),
    ] {
        let policy = Arc::new(policy(allow));
        let checked = Checked {
            policy,
            own_port,
            lookup: system(),
        };
        let resolved = checked.resolve("localhost".parse().unwrap()).await;
        assert_eq!(resolved.is_ok(), expected, "{allow:?} {own_port}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "a connection was made");
}

/// Answers with so much of two megabytes, and then with silence.
async fn server(sends: usize) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 2097152\r\n\r\n";
                let _ = socket.write_all(head.as_bytes()).await;
                let _ = socket.write_all(&vec![b' '; sends]).await;
                tokio::time::sleep(Duration::from_mins(1)).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn servers_that_drip_large_answers_take_turns_of_their_tenant_only() {
    let client = Guarded::new(policy(&["127.0.0.0/8"])).unwrap();
    let get = |tenant, port: u16| {
        let limits = Limits {
            answer: 4 << 20,
            exchange: Duration::from_mins(1),
            tenant,
        };
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
        let client = client.clone();
        async move {
            let sent = client.send_within(limits, Method::GET, url, HeaderMap::new(), Vec::new());
            sent.await
        }
    };
    let (slow, quick) = (server(2_000_000).await, server(2 << 20).await);
    for _ in 0..8 {
        tokio::spawn(get(1, slow));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let quick = tokio::time::timeout(Duration::from_secs(15), get(2, quick)).await;
    let reply = quick.expect("the other tenant's waits").unwrap();
    assert_eq!(reply.body.len(), 2 << 20);
    assert!(reply.turn.is_some(), "it is held as long as the body is");
}
