//! Search, ban and unban, on two real servers and by the contract's table.
use super::mock::{Mock, Mood};
use crate::support::engine::Engine;
use crate::support::http::{Answer, Api, send};
use crate::support::mmdb::{Mmdb, nested};
use crate::support::world::World;
use crate::support::{Scratch, free_port};
use serde_json::{Value, json};

async fn ban(api: &Api, server: &str, ip: &str) -> Answer {
    let body = json!({"server": server, "ip": ip, "duration": "4h", "reason": " too loud "});
    api.post("/api/decisions/ban", &body).await
}

async fn unban(api: &Api, server: &str, id: &Value, ip: &str) -> Answer {
    let call = api.request("DELETE", &format!("/api/decisions/{id}?server={server}"));
    send(
        call.header("x-crowdsieve-actor", " jane ")
            .json(&json!({"reason": "over", "ip": ip})),
    )
    .await
}

/// What one server says in the answer to a search.
fn of<'a>(found: &'a Value, server: &str) -> &'a Value {
    let results = found["results"].as_array().expect("results");
    results.iter().find(|r| r["server"] == server).expect(server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_found_banned_and_freed_on_real_servers() {
    let folder = Scratch::new("geoip");
    let file = Mmdb::new(4, "City").with("192.0.2.0/24", &nested("FR", "France", "Paris", (48.9, 2.4)));
    let file = file.bytes();
    std::fs::write(folder.join("city.mmdb"), file).expect("a file");
    let files = folder.join("city.mmdb").display().to_string();
    let world = World::with(1, &[("GARRISON_GEOIP_FILES", &files)]).await;
    let (mut paris, lyon) = tokio::join!(Engine::alone(), Engine::alone());
    let api = world.api();
    for server in [paris.server("paris"), lyon.server("lyon")] {
        api.post("/api/lapi-servers", &server).await.expect(201);
    }
    let down = json!({"name": "down", "url": format!("http://127.0.0.1:{}/", free_port()), "apiKey": "k"});
    api.post("/api/lapi-servers", &down).await.expect(201);
    let mut wrong = lyon.server("wrong");
    (wrong["apiKey"], wrong["password"]) = (json!("wrong"), json!("wrong"));
    api.post("/api/lapi-servers", &wrong).await.expect(201);

    for (ip, scope, value) in [
        ("192.0.2.7", "Ip", "192.0.2.7"),
        ("198.51.100.9/24", "Range", "198.51.100.0/24"),
        ("2001:DB8::1", "Ip", "2001:db8::1"),
    ] {
        let done = ban(&api, "paris", ip).await.expect(200).json();
        assert_eq!(done["success"], true);
        assert_eq!(done["message"], format!("{value} banned for 4h"));
        assert_eq!(done["server"], "paris");
        let found = api
            .get(&format!("/api/decisions?ip={value}"))
            .await
            .expect(200)
            .json();
        assert_eq!(found["ip"], value);
        let here = &of(&found, "paris")["decisions"];
        assert_eq!(here.as_array().expect("decisions").len(), 1, "{found}");
        let one = &here[0];
        assert_eq!(
            (&one["scope"], &one["value"], &one["type"]),
            (&json!(scope), &json!(value), &json!("ban"))
        );
        assert_eq!(
            (&one["origin"], &one["scenario"]),
            (&json!("crowdsieve"), &json!("crowdsieve/manual"))
        );
        assert_eq!(
            one["id"], done["decisionId"],
            "the decision's number, not the alert's"
        );
        let left = one["duration"].as_str().expect("duration");
        assert!(
            left.starts_with("3h59m") || left.starts_with("4h"),
            "ends four hours from now: {left}"
        );
        // Nobody else's answer is hidden, and each failure is its own.
        assert_eq!(of(&found, "lyon"), &json!({"server": "lyon", "decisions": []}));
        assert_eq!(
            of(&found, "down"),
            &json!({"server": "down", "decisions": [], "error": "the server cannot be reached"})
        );
        assert_eq!(of(&found, "wrong")["error"], "LAPI error: 403");
        assert_eq!(found["shared"], json!([]));
    }
    // A bouncer sees it, and an address of the range.
    assert_eq!(paris.decisions("ip=198.51.100.200").await.len(), 1);
    assert_eq!(
        of(&api.get("/api/decisions?ip=198.51.100.200").await.json(), "paris")["decisions"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        ban(&api, "wrong", "192.0.2.8").await.expect(500).json()["error"],
        "Failed to authenticate with LAPI"
    );
    assert_eq!(
        ban(&api, "down", "192.0.2.8").await.expect(400).json()["status"],
        400
    );

    // A restart makes every session worthless; the next write logs in again.
    let id = paris.decisions("ip=192.0.2.7").await[0]["id"].clone();
    paris.restart().await;
    let done = unban(&api, "paris", &id, "192.0.2.7").await.expect(200).json();
    assert_eq!(done["message"], format!("Decision {id} deleted"));
    assert!(paris.decisions("ip=192.0.2.7").await.is_empty());
    let absent = unban(&api, "paris", &json!(999_999), "192.0.2.7")
        .await
        .expect(404)
        .json();
    assert_eq!(absent["error"], "Decision not found");

    // What was done is on record, by whom, and whole.
    let alerts = world.alerts(&api, "raw=true").await;
    assert_eq!(alerts.len(), 4, "three bans, one unban");
    let last = &alerts[0];
    let raw: Value = serde_json::from_str(last["rawJson"].as_str().expect("raw")).expect("JSON");
    assert_eq!(
        (&last["scenario"], &last["message"]),
        (&json!("crowdsieve/unban"), &json!("over"))
    );
    assert_eq!(
        (&raw["kind"], &raw["decisionId"], &raw["confirmed"]),
        (&json!("unban"), &id, &json!(true))
    );
    assert_eq!((&raw["note"], &raw["ip"]), (&json!("jane"), &json!("192.0.2.7")));
    let first = &alerts[3];
    for (field, value) in [
        ("scenario", json!("crowdsieve/manual-audit")),
        ("localAudit", json!(true)),
        ("filtered", json!(true)),
        ("forwardedToCapi", json!(false)),
        ("hasDecisions", json!(false)),
        ("message", json!("too loud")),
        ("sourceScope", json!("ip")),
        ("sourceIp", json!("192.0.2.7")),
        ("sourceRange", Value::Null),
        ("geoCity", json!("Paris")),
        ("geoCountryCode", json!("FR")),
        ("uuid", Value::Null),
        ("machineId", Value::Null),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    let actor = first["actor"].as_str().expect("actor");
    assert!(actor.starts_with("first admin token (token "), "{actor}");
    assert_eq!(
        api.get("/api/alerts?ip=198.51.100.0/24")
            .await
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        world.alerts(&api, "").await[0]["rawJson"],
        Value::Null,
        "lists read it only when asked"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bans_are_checked_in_the_contracts_order() {
    let world = World::start().await;
    let (api, mock) = (world.api(), Mock::start(Mood::Writes(200)).await);
    api.post("/api/lapi-servers", &mock.server("a")).await.expect(201);
    let mut reader = mock.server("reader");
    reader
        .as_object_mut()
        .expect("object")
        .retain(|k, _| k != "machineId" && k != "password");
    api.post("/api/lapi-servers", &reader).await.expect(201);
    let good =
        json!({"server": "a", "ip": "192.0.2.1", "duration": "1h", "reason": "x", "unknown": "dropped"});
    api.post("/api/decisions/ban", &good).await.expect(200);
    let before = mock.count("POST /v1/alerts");
    let no_address = "Invalid IP address or CIDR format";
    let blank = "Invalid reason: must not be blank or whitespace-only";
    let cases = [
        (json!({"server": "a b"}), 400, "server"),
        (json!({"server": ""}), 400, "server"),
        (json!({"ip": ""}), 400, "ip"),
        (json!({"ip": 7}), 400, "body"),
        (json!({"duration": "1d"}), 400, "duration"),
        (json!({"duration": "0s"}), 400, "duration"),
        (json!({"duration": "999999h"}), 400, "duration"),
        (json!({"duration": ""}), 400, "duration"),
        (json!({"reason": ""}), 400, "reason"),
        (json!({"reason": "r".repeat(501)}), 400, "reason"),
        (
            json!({"ip": "nonsense", "reason": " ", "server": "nobody"}),
            400,
            no_address,
        ),
        (json!({"ip": "192.0.2.0/33"}), 400, no_address),
        (json!({"ip": "127.1"}), 400, no_address),
        (json!({"reason": " \t", "server": "nobody"}), 400, blank),
        (json!({"ip": "0.0.0.0/0", "server": "nobody"}), 400, "/8"),
        (json!({"ip": "::/0"}), 400, "/19"),
        (json!({"ip": "10.1.2.3"}), 400, "private"),
        (json!({"ip": "127.0.0.1"}), 400, "must not be banned"),
        (json!({"ip": "169.254.1.1"}), 400, "link-local"),
        (json!({"server": "nobody"}), 404, "LAPI server not found"),
        (
            json!({"server": "reader"}),
            400,
            "LAPI server has no machine credentials configured",
        ),
    ];
    for (change, status, said) in cases {
        let mut body = good.clone();
        for (key, value) in change.as_object().expect("object") {
            body[key] = value.clone();
        }
        let answer = api.post("/api/decisions/ban", &body).await;
        assert_eq!(answer.status, status, "{change}: {}", answer.text());
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(said), "{change}: {error}");
    }
    for field in ["server", "ip", "duration", "reason"] {
        let mut body = good.clone();
        body.as_object_mut().expect("object").remove(field);
        let answer = api.post("/api/decisions/ban", &body).await.expect(400);
        assert!(answer.text().contains(field), "{}", answer.text());
    }
    assert_eq!(
        mock.count("POST /v1/alerts"),
        before,
        "what is refused goes nowhere"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_refuses_is_told_by_its_status() {
    let world = World::start().await;
    let (api, mock) = (world.api(), Mock::start(Mood::Writes(200)).await);
    api.post("/api/lapi-servers", &mock.server("a")).await.expect(201);
    for (status, banned, lifted) in [
        (400, 400, 400),
        (401, 401, 401),
        (403, 403, 502),
        (404, 404, 404),
        (500, 500, 500),
        (422, 502, 502),
        (429, 502, 502),
        (503, 502, 502),
    ] {
        mock.set(Mood::Writes(status));
        let answer = ban(&api, "a", "192.0.2.1").await.expect(banned);
        assert_eq!(answer.json()["error"], format!("LAPI returned error: {status}"));
        let answer = unban(&api, "a", &json!(7), "192.0.2.1").await.expect(lifted);
        let text = if status == 404 {
            "Decision not found".to_owned()
        } else {
            format!("LAPI returned error: {status}")
        };
        assert_eq!(answer.json()["error"], text);
    }
    mock.set(Mood::NoDecision);
    unban(&api, "a", &json!(7), "192.0.2.1").await.expect(404);
    assert!(
        world.alerts(&api, "").await.is_empty(),
        "nothing was done, nothing is on record"
    );
    // A session that the server forgot is replaced once, and kept from then on.
    mock.set(Mood::Forgets);
    let logins = mock.count("POST /v1/watchers/login");
    ban(&api, "a", "192.0.2.1").await.expect(200);
    ban(&api, "a", "192.0.2.1").await.expect(200);
    assert_eq!(mock.count("POST /v1/watchers/login"), logins + 1);
    let done = unban(&api, "a", &json!(7), "192.0.2.1").await.expect(200).json();
    assert_eq!(done["message"], "Decision 7 deleted");
    let raw = world.alerts(&api, "raw=true").await[0]["rawJson"].clone();
    assert!(
        raw.as_str()
            .is_some_and(|raw| raw.contains(r#""confirmed":false"#)),
        "{raw}"
    );
    for (path, body) in [
        (
            "/api/decisions/0?server=a",
            json!({"reason": "x", "ip": "192.0.2.1"}),
        ),
        (
            "/api/decisions/x?server=a",
            json!({"reason": "x", "ip": "192.0.2.1"}),
        ),
        ("/api/decisions/7", json!({"reason": "x", "ip": "192.0.2.1"})),
        ("/api/decisions/7?server=a", json!({"reason": "x", "ip": "x"})),
        (
            "/api/decisions/7?server=a",
            json!({"reason": " ", "ip": "192.0.2.1"}),
        ),
        ("/api/decisions/7?server=a", json!({"reason": "x"})),
    ] {
        let answer = send(api.request("DELETE", path).json(&body)).await;
        assert_eq!(answer.status, 400, "{path} {body}: {}", answer.text());
    }
    for query in [
        "",
        "?ip=",
        "?ip=nonsense",
        "?ip=1.2.3",
        "?ip=192.0.2.0/33",
        "?ip=%00",
    ] {
        api.get(&format!("/api/decisions{query}")).await.expect(400);
    }
    assert_eq!(
        api.get("/api/decisions?ip=%20x").await.json()["error"],
        "Invalid IP address or CIDR format"
    );
}
