//! `garrison geoip update` against a server of our own.
use crate::support::Scratch;
use crate::support::garrison::{Cli, Output};
use crate::support::http::gzip;
use crate::support::mmdb::{Mmdb, nested, system};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const KEY: &str = "licence_key_that_nobody_may_see";

type Handler = dyn Fn(&str, &HeaderMap) -> Response + Send + Sync;

/// A server that answers as told, and remembers what it was asked.
struct Files {
    url: String,
    asked: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Files {
    async fn start(answer: Arc<Handler>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("address"));
        let asked: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
        let seen = asked.clone();
        let handler = move |uri: Uri, headers: HeaderMap| {
            let known = headers.contains_key("authorization");
            seen.lock().unwrap().push((uri.path().to_owned(), known));
            let answer = answer(uri.path(), &headers);
            std::future::ready(answer)
        };
        tokio::spawn(async move {
            axum::serve(listener, axum::Router::new().fallback(handler))
                .await
                .expect("serves");
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<(String, bool)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn city(name: &str) -> Vec<u8> {
    Mmdb::new(4, "DBIP-City-Lite")
        .with("192.0.2.0/24", &nested("FR", "France", name, (48.9, 2.4)))
        .bytes()
}

/// An archive as MaxMind makes them.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in [("x_20261101/COPYRIGHT.txt", &b"(c)"[..]), (name, content)] {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[156] = b'0';
        header[257..262].copy_from_slice(b"ustar");
        out.extend(header);
        out.extend(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// No database is needed: this one does not exist.
fn cli(dir: &Scratch, mirror: &str) -> Cli {
    let mut cli = Cli::new("postgres://nobody@127.0.0.1:1/none", &dir.0);
    cli.set("GARRISON_GEOIP_MIRROR", mirror);
    cli
}

async fn known(cli: &Cli) -> String {
    let out = cli.run(&["geoip", "lookup", "192.0.2.1", "-o", "json"]).await;
    match serde_json::from_str::<serde_json::Value>(&out.stdout) {
        Ok(found) => format!("{} {}", found["geoCity"], found["asName"]),
        Err(_) => "no file".to_owned(),
    }
}

/// Nothing is left beside the files.
fn left(dir: &Scratch) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("geoip"))
        .into_iter()
        .flatten()
        .flatten();
    let mut paths: Vec<_> = entries.map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_none_or(|e| e != "mmdb") || p.to_string_lossy().contains("/."));
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dbip_by_month() {
    let dir = Scratch::new("geoip");
    let this_month = jiff::Timestamp::now().strftime("%Y-%m").to_string();
    let asn = Mmdb::new(6, "DBIP-ASN-Lite")
        .with("192.0.2.0/24", &system(64500, "Example"))
        .bytes();
    let files = Files::start(Arc::new(move |path, _| {
        // On the first days of a month its file is not there yet.
        if path.contains(&this_month) && path.contains("city") {
            return StatusCode::NOT_FOUND.into_response();
        }
        if path.contains("dbip-city-lite-") {
            return gzip(&city("Paris")).into_response();
        }
        gzip(&asn).into_response()
    }))
    .await;
    let cli = cli(&dir, &files.url);
    assert_eq!(known(&cli).await, "no file");
    let out = cli.run(&["geoip", "update"]).await.expect_ok();
    assert!(out.stdout.contains("https://db-ip.com"), "{}", out.stdout);
    assert_eq!(known(&cli).await, "\"Paris\" \"Example\"");
    assert_eq!(files.asked().len(), 3);
    assert!(left(&dir).is_empty());
    let done = cli.json(&["geoip", "update", "--edition", "asn"]).await;
    assert_eq!(done["files"][0]["kind"], "DBIP-ASN-Lite");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maxmind_by_key() {
    let dir = Scratch::new("geoip");
    let store = Files::start(Arc::new(|_, _| {
        gzip(&tar("x_20261101/GeoLite2-City.mmdb", &city("Lyon"))).into_response()
    }))
    .await;
    let there = format!("{}signed?key=secret_of_theirs", store.url);
    let files = Files::start(Arc::new(move |path, headers| {
        let basic = format!("{}:{KEY}", 12_345);
        let expected = {
            use base64::Engine as _;
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(basic)
            )
        };
        if headers
            .get("authorization")
            .is_none_or(|v| v != expected.as_str())
        {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        match path {
            "/GeoLite2-City/download" => (StatusCode::FOUND, [("location", there.clone())]).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }))
    .await;
    let mut cli = cli(&dir, &files.url);
    cli.run(&["geoip", "update", "--provider", "maxmind"])
        .await
        .expect_refused();
    cli.set("GARRISON_GEOIP_MAXMIND_ACCOUNT", "12345");
    cli.run(&["geoip", "update"]).await.expect_refused();
    cli.set("GARRISON_GEOIP_MAXMIND_KEY", KEY)
        .set("GARRISON_LOG_LEVEL", "trace");
    let out = cli
        .run(&["geoip", "update", "--edition", "city"])
        .await
        .expect_ok();
    assert!(out.stdout.contains("MaxMind"), "{}", out.stdout);
    assert_eq!(known(&cli).await, "\"Lyon\" null");
    assert_eq!(
        store.asked(),
        [("/signed".to_owned(), false)],
        "the key is not for others"
    );
    let missing = cli
        .run(&["geoip", "update", "--edition", "asn"])
        .await
        .expect_refused();
    cli.set("GARRISON_GEOIP_MAXMIND_KEY", format!("{KEY}2"));
    let wrong = cli.run(&["geoip", "update"]).await.expect_refused();
    assert!(wrong.stderr.contains("licence key"), "{}", wrong.stderr);
    for out in [out, missing, wrong] {
        let said = out.stdout + &out.stderr;
        assert!(
            !said.contains(KEY) && !said.contains("secret_of_theirs"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_used_changes_nothing() {
    let dir = Scratch::new("geoip");
    let answer: Arc<Mutex<Option<Response>>> = Arc::default();
    let next = answer.clone();
    let files = Files::start(Arc::new(move |path, _| {
        let next = next.lock().unwrap().take();
        next.unwrap_or_else(|| {
            let location = format!("{path}x");
            (StatusCode::FOUND, [("location", location)]).into_response()
        })
    }))
    .await;
    let cli = cli(&dir, &files.url);
    let update = async |response: Option<Response>| -> Output {
        *answer.lock().unwrap() = response;
        cli.run(&["geoip", "update", "--edition", "city"]).await
    };
    update(Some(city("Paris").into_response())).await.expect_ok();
    let packed = gzip(&city("Lyon"));
    let declared = Response::builder()
        .header("content-length", "900000000000")
        .body(Body::from_stream(futures_util::stream::pending::<
            Result<bytes::Bytes, std::io::Error>,
        >()));
    let cases: Vec<(&str, Option<Response>)> = vec![
        ("empty", Some(().into_response())),
        (
            "garbage",
            Some("<html>welcome to the hotel</html>".into_response()),
        ),
        ("packed garbage", Some(gzip(b"x").into_response())),
        (
            "cut off",
            Some(packed[..packed.len() / 2].to_vec().into_response()),
        ),
        (
            "an archive without one",
            Some(gzip(&tar("x/y.csv", b"x")).into_response()),
        ),
        (
            "of no use",
            Some(
                Mmdb::new(4, "x")
                    .with("192.0.2.0/24", &serde_json::json!({"a": 1}))
                    .bytes()
                    .into_response(),
            ),
        ),
        ("error", Some(StatusCode::BAD_GATEWAY.into_response())),
        ("too large", Some(declared.expect("a response"))),
        (
            "elsewhere",
            Some((StatusCode::FOUND, [("location", "file:///etc/passwd")]).into_response()),
        ),
        ("nowhere", Some(StatusCode::FOUND.into_response())),
        ("round and round", None),
    ];
    for (what, response) in cases {
        let out = update(response).await;
        assert_eq!(out.code, Some(1), "{what}: {}", out.stderr);
        assert_eq!(known(&cli).await, "\"Paris\" null", "{what}");
        assert!(left(&dir).is_empty(), "{what}");
    }
    let gone = Cli::new("postgres://nobody@127.0.0.1:1/none", &dir.0)
        .set("GARRISON_GEOIP_MIRROR", "http://127.0.0.1:1/")
        .clone();
    gone.run(&["geoip", "update"]).await.expect_refused();
    // Files named by the configuration, and none at all.
    let mut none = cli.clone();
    none.set("GARRISON_GEOIP_FILES", "none");
    assert_eq!(known(&none).await, "no file");
}
