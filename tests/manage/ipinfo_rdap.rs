//! RDAP in place of WHOIS, or after it: IANA's lists, servers that hand on to others, and servers that send elsewhere.
use super::ipinfo::{Internet, told};
use crate::support::http::Api;
use crate::support::whois::Says;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Rdap {
    url: String,
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Rdap {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("TCP");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let rdap = Self {
            url,
            ..Self::default()
        };
        let server = rdap.clone();
        let answer = move |uri: axum::http::Uri| async move { server.answer(uri.path()) };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        rdap
    }

    fn answer(&self, path: &str) -> Response {
        self.asked.lock().unwrap().push(path.to_owned());
        let known = self.answers.lock().unwrap().get(path).cloned();
        match known {
            Some((status @ 300..400, location)) => {
                let status = StatusCode::from_u16(status).expect("a status");
                (status, [(LOCATION, location)]).into_response()
            }
            Some((status, body)) => (StatusCode::from_u16(status).expect("a status"), body).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn says(&self, path: &str, status: u16, text: impl ToString) {
        self.answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), (status, text.to_string()));
    }

    fn count(&self, path: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| *asked == path)
            .count()
    }
}

fn network(lo: &str, hi: &str) -> Value {
    json!({"objectClassName": "ip network", "startAddress": lo, "endAddress": hi, "name": "NET", "country": "NL"})
}

async fn world(internet: &Internet, env: &[(&str, &str)]) -> (crate::support::world::World, Api) {
    let world = internet.world(1, env).await;
    let api = world.api();
    (world, api)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ianas_lists_lead_to_the_server() {
    let (internet, rdap) = (Internet::start().await, Rdap::start().await);
    let list = json!({"services": [[["193.0.0.0/8", "9.0.0.0/8"], [format!("{}/ripe/", rdap.url)]]]});
    rdap.says("/lists/ipv4.json", 200, &list);
    rdap.says(
        "/lists/ipv6.json",
        200,
        json!({"services": [[["2a00::/12"], [format!("{}/six/", rdap.url)]]]}),
    );
    rdap.says("/ripe/ip/193.0.6.139", 200, network("193.0.0.0", "193.0.7.255"));
    rdap.says("/six/ip/2a00::1", 200, network("2a00::", "2a00::ffff"));
    let lists = format!("{}/lists/", rdap.url);
    let env = [
        ("GARRISON_IP_INFO_SOURCES", "rdap"),
        ("GARRISON_IP_INFO_RDAP_BOOTSTRAP", lists.as_str()),
    ];
    let (_world, api) = world(&internet, &env).await;
    let answer = told(&api, "193.0.6.139").await;
    assert_eq!(
        answer["whois"],
        json!({"netName": "NET", "netRange": "193.0.0.0 - 193.0.7.255", "cidr": "193.0.0.0/21", "country": "NL"})
    );
    assert_eq!(answer["source"], "127.0.0.1");
    assert_eq!(told(&api, "2a00::1").await["whois"]["cidr"], "2a00::/112");
    // 404: it is known to nobody.
    let unknown = told(&api, "9.9.9.9").await;
    assert!(
        unknown["whois"].is_null() && unknown.get("error").is_none(),
        "{unknown}"
    );
    let nobody = told(&api, "8.8.8.8").await;
    assert_eq!(nobody["error"], "RDAP: IANA's list names no server for it");
    assert_eq!(rdap.count("/lists/ipv4.json"), 1, "the list is kept");
    assert_eq!(internet.root.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_followed_only_where_strangers_urls_may_lead() {
    let (internet, rdap) = (Internet::start().await, Rdap::start().await);
    let base = format!("{}/", rdap.url);
    let env = [
        ("GARRISON_IP_INFO_SOURCES", "rdap"),
        ("GARRISON_IP_INFO_RDAP_URL", base.as_str()),
    ];
    let (_world, api) = world(&internet, &env).await;
    rdap.says(
        "/ip/193.0.6.139",
        302,
        format!("{}/ripe/ip/193.0.6.139", rdap.url),
    );
    rdap.says("/ripe/ip/193.0.6.139", 307, "/other");
    rdap.says("/other", 200, network("193.0.0.0", "193.0.7.255"));
    assert_eq!(told(&api, "193.0.6.139").await["whois"]["netName"], "NET");
    // Round in circles, and on and on.
    rdap.says("/ip/193.0.1.1", 301, "/ip/193.0.1.1");
    for n in 0..20 {
        rdap.says(&format!("/on/{n}"), 302, format!("/on/{}", n + 1));
    }
    rdap.says("/ip/193.0.1.2", 302, "/on/0");
    for ip in ["193.0.1.1", "193.0.1.2"] {
        assert_eq!(
            told(&api, ip).await["error"],
            "RDAP: 127.0.0.1 sends elsewhere than is followed",
            "{ip}"
        );
    }
    assert_eq!(
        (
            rdap.count("/ip/193.0.1.1"),
            rdap.count("/on/2"),
            rdap.count("/on/3")
        ),
        (1, 1, 0)
    );
    // To where nobody may go.
    let stranger = internet.stranger.port();
    for (n, location) in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        "http://127.0.0.1:6379/".to_owned(),
        format!("http://user:password@127.0.0.1:{stranger}/"),
        format!("gopher://127.0.0.1:{stranger}/"),
        "file:///etc/passwd".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let ip = format!("193.0.2.{n}");
        rdap.says(&format!("/ip/{ip}"), 302, &location);
        let answer = told(&api, &ip).await;
        assert!(
            answer["whois"].is_null() && answer["error"].is_string(),
            "{location}: {answer}"
        );
    }
    assert_eq!(internet.stranger.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_none_are_none() {
    let (internet, rdap) = (Internet::start().await, Rdap::start().await);
    let base = format!("{}/", rdap.url);
    let env = [
        ("GARRISON_IP_INFO_SOURCES", "rdap"),
        ("GARRISON_IP_INFO_RDAP_URL", base.as_str()),
    ];
    let (_world, api) = world(&internet, &env).await;
    let garbage = "RDAP: 127.0.0.1 does not answer as an RDAP server does";
    for (n, (status, body, error)) in [
        (200, "<html>".to_owned(), garbage),
        (200, "[".repeat(100_000), garbage),
        (200, format!("{{\"x\": \"{}\"}}", "x".repeat(300_000)), garbage),
        (200, network("8.8.8.0", "8.8.8.255").to_string(), garbage),
        (500, String::new(), "RDAP: 127.0.0.1 answers 500"),
        (429, String::new(), "RDAP: 127.0.0.1 answers 429"),
        (
            302,
            String::new(),
            "RDAP: 127.0.0.1 sends elsewhere than is followed",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let ip = format!("193.0.3.{n}");
        rdap.says(&format!("/ip/{ip}"), status, body);
        let answer = told(&api, &ip).await;
        assert_eq!(answer["whois"], Value::Null);
        assert_eq!(answer["error"], error, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rdap_tells_what_whois_does_not() {
    let (internet, rdap) = (Internet::start().await, Rdap::start().await);
    let base = format!("{}/", rdap.url);
    let env = [
        ("GARRISON_IP_INFO_SOURCES", "whois,rdap"),
        ("GARRISON_IP_INFO_RDAP_URL", base.as_str()),
    ];
    let (_world, api) = world(&internet, &env).await;
    internet.ripe.says_to("193.0.6.139", Says::Nothing);
    internet.root.says_to("193.0.6.140", Says::Silence);
    let refusal = "%ERROR:201: access denied for 192.0.2.1\n".to_owned();
    for ip in ["193.0.6.141", "193.0.6.142"] {
        internet
            .ripe
            .says_to(ip, Says::Text(refusal.clone().into_bytes()));
    }
    for ip in ["193.0.6.139", "193.0.6.140", "193.0.6.141"] {
        rdap.says(&format!("/ip/{ip}"), 200, network("193.0.0.0", "193.0.7.255"));
        let answer = told(&api, ip).await;
        assert_eq!(
            (&answer["whois"]["netName"], &answer["source"]),
            (&json!("NET"), &json!("127.0.0.1"))
        );
        assert!(answer.get("error").is_none(), "{answer}");
    }
    // Where neither tells, it is said why.
    let refused = told(&api, "193.0.6.142").await;
    let why = "WHOIS: whois.ripe.net does not answer for now: it was asked too often";
    assert_eq!(
        (&refused["whois"], &refused["error"]),
        (&Value::Null, &json!(why))
    );
    // And it is not asked where WHOIS tells.
    assert_eq!(told(&api, "193.0.7.7").await["source"], "whois.ripe.net");
    assert_eq!(rdap.count("/ip/193.0.7.7"), 0);
}
