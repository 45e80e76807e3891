//! Hostile URLs and hostile servers.
use super::mock::{Mock, Mood};
use crate::support::wait;
use crate::support::world::World;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urls_that_lead_inside_are_refused() {
    let world = World::with(1, &[("GARRISON_OUTBOUND_ALLOW_PRIVATE", "none")]).await;
    let (api, mock) = (world.api(), Mock::start(Mood::Writes(200)).await);
    let port = mock
        .url
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .expect("port")
        .to_owned();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "0",
        "localhost",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "[fc00::1]",
        "[fe80::1]",
        "198.18.0.1",
        "192.0.2.1",
        "240.0.0.1",
        "224.0.0.1",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[100::1]",
        "metadata.google.internal",
        "localhost.",
    ];
    for host in hosts {
        let body = json!({"name": "a", "url": format!("http://{host}:{port}/"), "apiKey": "k"});
        let answer = api.post("/api/lapi-servers", &body).await;
        assert_eq!(answer.status, 400, "{host}: {}", answer.text());
    }
    // A URL that was good when it was stored is checked again at every request.
    let open = World::with(1, &[]).await;
    let made = open
        .api()
        .post("/api/lapi-servers", &mock.server("a"))
        .await
        .expect(201)
        .json();
    assert_eq!(made["check"]["reachable"], true);
    // The first one's own workers go on asking.
    let searches = || mock.count("GET /v1/decisions?ip=");
    let before = searches();
    let mut cli = open.cli.clone();
    cli.set("GARRISON_OUTBOUND_ALLOW_PRIVATE", "10.0.0.0/8");
    let closed = crate::support::garrison::Server::spawn(&cli, &["serve"]).await;
    let found = closed
        .api(Some(open.admin_token()))
        .get("/api/decisions?ip=192.0.2.1")
        .await;
    assert_eq!(
        found.expect(200).json()["results"][0]["error"],
        "the server cannot be reached"
    );
    assert_eq!(searches(), before, "something went out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_misbehave_hide_nothing_and_hold_nothing_up() {
    let world = World::start().await;
    let api = world.api();
    let html = "<html>log in</html>";
    let moods = [
        ("good", Mood::Writes(200)),
        ("html", Mood::Says(html)),
        ("number", Mood::Says("7")),
        ("strings", Mood::Says(r#"["x"]"#)),
        ("poor", Mood::Says(r#"[{"id": 1}]"#)),
        (
            "deep",
            Mood::Says(Box::leak("[".repeat(100_000).into_boxed_str())),
        ),
        ("redirect", Mood::Redirects),
        ("flood", Mood::Floods),
        ("hang", Mood::Hangs),
    ];
    for (name, mood) in moods {
        let mock = Mock::start(Mood::Writes(200)).await;
        api.post("/api/lapi-servers", &mock.server(name))
            .await
            .expect(201);
        mock.set(mood);
    }
    let found = api.get("/api/decisions?ip=192.0.2.1").await.expect(200);
    assert!(found.took < wait::secs(12), "{:?}", found.took);
    assert!(!found.text().contains("log in"), "a stranger's page is shown");
    for result in found.json()["results"].as_array().expect("results") {
        let said = match result["server"].as_str().expect("name") {
            "good" => None,
            "redirect" => Some("LAPI error: 307"),
            "flood" => Some("the server's answer is too large"),
            "hang" => Some("the server cannot be reached"),
            _ => Some("the server does not answer as a LAPI does"),
        };
        assert_eq!(result["error"].as_str(), said, "{result}");
        assert_eq!(result["decisions"], json!([]));
    }
    for (name, _) in moods.iter().skip(1) {
        let body = json!({"server": name, "ip": "192.0.2.1", "duration": "1h", "reason": "x"});
        let answer = api.post("/api/decisions/ban", &body).await;
        // One that does not answer gets it later; one that answers nonsense does not.
        let expected = if *name == "hang" { 202 } else { 502 };
        assert_eq!(answer.status, expected, "{name}: {}", answer.text());
    }
    assert!(world.server().resident() < 500 << 20, "a flood was kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_no_way_to_look_for_open_ports() {
    let world = World::start().await;
    let (api, mock) = (world.api(), Mock::start(Mood::Writes(200)).await);
    // Bound, and never listened to: a connection is refused at once.
    let shut = tokio::net::TcpSocket::new_v4().expect("socket");
    shut.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let port = shut.local_addr().expect("address").port();
    let named = |name: &str| json!({"name": name, "url": format!("http://127.0.0.1:{port}/"), "apiKey": "k"});
    for n in 0..10 {
        // Those that answer do not count, nor those that are refused as they are.
        let made = api
            .post("/api/lapi-servers", &mock.server(&format!("open{n}")))
            .await;
        made.expect(201);
        api.post("/api/lapi-servers", &named("open0")).await.expect(409);
        let answer = api.post("/api/lapi-servers", &named(&format!("shut{n}"))).await;
        assert!(
            answer.took >= std::time::Duration::from_secs(1),
            "{:?}",
            answer.took
        );
        let check = &answer.expect(201).json()["check"];
        assert_eq!(check["error"], "the server cannot be reached");
    }
    let refused = api
        .post("/api/lapi-servers", &named("one-more"))
        .await
        .expect(429);
    assert_eq!(refused.header("retry-after").as_deref(), Some("60"));
    assert_eq!(refused.json()["type"], "/problems/too-many-requests");
    api.get("/api/lapi-servers/one-more").await.expect(404);
    api.put("/api/lapi-servers/shut0", &named("shut0"))
        .await
        .expect(429);
    // Another tenant has its own ten.
    let other = world.tenant("other").await;
    world
        .api_of(&other)
        .post("/api/lapi-servers", &named("a"))
        .await
        .expect(201);
}
