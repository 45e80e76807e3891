//! What links open, for whom, and since when.
use super::{Stream, allowlist, ban, deliver, delivering, fetch, number, pull, put, reply, run};
use crate::support::fixtures::{self, Recorded};
use crate::support::http::send;
use crate::support::wait;
use crate::support::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garrison::kernel::keyring::Keyring;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recorded_pull_of_1_7_8_gets_links_that_open_without_a_credential() {
    let world = World::start().await;
    let login = Recorded::load("v3-lapi-1.7.8/login-01.json");
    let answer = send(login.call(&world.server().url(), None)).await.expect(200);
    let token = answer.json()["token"].as_str().expect("token").to_owned();
    let name = login.body["machine_id"].as_str().expect("machine_id");
    let id = number(&world.api(), name).await;
    deliver(&world.api(), id, true).await.expect(200);
    for value in [
        "203.0.113.7",
        "198.51.100.0/24",
        "2001:db8::7",
        "192.0.2.9",
        "192.0.2.10",
    ] {
        ban(&world, value).await;
    }
    put(&world, "203.0.113.8", "captcha", (3, 0), None).await;
    put(&world, "203.0.113.7", "captcha", (3, 0), None).await;
    let end = "'2036-01-02T03:04:05Z'";
    allowlist(
        &world,
        "office",
        &[
            ("192.0.2.8/30", "the \"office\"", "NULL"),
            ("2001:db8:1::/48", "", end),
        ],
    )
    .await;
    allowlist(
        &world,
        "old",
        &[("203.0.113.0/24", "over", "now() - interval '1 minute'")],
    )
    .await;

    let name = "v3-lapi-1.7.8/decisions-stream-01.json";
    let recorded = Recorded::load(name);
    let told = fixtures::json(name)["response_body"]
        .as_str()
        .expect("text")
        .to_owned();
    world.capi.rules(vec![reply(&told)]);
    let answer = send(recorded.call(&world.server().url(), Some(&token)))
        .await
        .expect(200);
    let theirs = r#"{"new":[],"deleted":[],"links":{"#;
    assert!(
        answer.text().starts_with(theirs),
        "CAPI's members, in their order: {}",
        answer.text()
    );
    let stream = Stream::of(&answer);
    assert_eq!(stream.names(), ["garrison", "garrison-range", "garrison-captcha"]);
    let read: Vec<_> = stream
        .links
        .blocklists
        .iter()
        .map(|l| (l.remediation.as_str(), l.scope.as_str(), l.duration.as_str()))
        .collect();
    assert_eq!(
        read,
        [
            ("ban", "Ip", "2h30m"),
            ("ban", "Range", "2h30m"),
            ("captcha", "Ip", "2h30m")
        ]
    );
    for (list, body) in [
        // the allowlist holds 192.0.2.9 and .10; a ban comes before a captcha
        ("garrison", "203.0.113.7\n2001:db8::7\n"),
        ("garrison-range", "198.51.100.0/24\n"),
        ("garrison-captcha", "203.0.113.8\n"),
        (
            "garrison-office",
            "{\"value\":\"192.0.2.8/30\",\"description\":\"the \\\"office\\\"\"}\n\
             {\"value\":\"2001:db8:1::/48\",\"description\":\"\",\"expiration\":\"2036-01-02T03:04:05.000Z\"}\n",
        ),
        ("garrison-old", ""),
    ] {
        let url = stream.url(list);
        assert!(
            url.starts_with(&format!("{}/links/", world.server().url())),
            "the Host it called: {url}"
        );
        let got = fetch(&url, None).await.expect(200);
        assert_eq!(got.text(), body, "{list}");
        assert!(got.header("last-modified").is_some(), "{list}");
    }
    let office = &stream.links.allowlists[0];
    assert!(
        office.id.starts_with("garrison-") && office.description == "why",
        "{office:?}"
    );
    for at in [&office.created_at, &office.updated_at] {
        at.parse::<jiff::Timestamp>().expect("RFC 3339");
    }

    // what opens nothing
    let url = stream.url("garrison");
    let (base, token) = url.rsplit_once('/').expect("a URL");
    let bytes = URL_SAFE_NO_PAD.decode(token).expect("base64");
    let body = &bytes[..bytes.len() - 16];
    // The key that the test's database was set up with.
    let sql = "SELECT value FROM platform_fact WHERE name = 'secret_key'";
    let key = world.db.client().await.query_one(sql, &[]).await.expect("a key");
    let ring = Keyring::new(key.get(0));
    let signed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = body.to_vec();
        change(&mut body);
        let tag = ring.link_tag(&body);
        URL_SAFE_NO_PAD.encode([body, tag.to_vec()].concat())
    };
    assert_eq!(signed(&|_| ()), token, "this test knows the form and the key");
    let past = (jiff::Timestamp::now().as_second() - 1).to_be_bytes();
    let acme = world.tenant("acme").await;
    let acme: i32 = acme.id.parse().expect("a number");
    for (what, token) in [
        ("expired", signed(&|b| b[12..20].copy_from_slice(&past))),
        (
            "another tenant's",
            signed(&|b| b[..4].copy_from_slice(&acme.to_be_bytes())),
        ),
        (
            "no machine's",
            signed(&|b| b[4..12].copy_from_slice(&999i64.to_be_bytes())),
        ),
        ("forged", format!("B{}", &token[1..])),
        ("cut", token[..token.len() - 4].to_owned()),
        ("the page cursors' key", {
            let tag = ring.cursor_tag(&[body]);
            URL_SAFE_NO_PAD.encode([body, &tag].concat())
        }),
        ("nonsense", "x".to_owned()),
    ] {
        let answer = fetch(&format!("{base}/{token}"), None).await;
        assert_eq!(answer.status, 404, "{what}: {}", answer.text());
    }
    fetch(&url, None).await.expect(200);
    assert!(!world.server().log().contains(token), "the log names no link");
    deliver(&world.api(), id, false).await.expect(200);
    fetch(&url, None).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_304_only_for_who_has_what_it_holds() {
    let world = World::start().await;
    let (machine, _) = delivering(&world).await;
    ban(&world, "203.0.113.7").await;
    let url = Stream::of(&pull(&world, &machine, "/v3/decisions/stream").await.expect(200)).url("garrison");
    let at = |offset: i64| {
        let at = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + offset).expect("a time");
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    // an engine remembers its own clock's second, and things change within it, again and again
    for n in 1..=12 {
        let first = fetch(&url, None).await.expect(200);
        let (engine, told) = (at(0), first.header("last-modified").expect("a time"));
        ban(&world, &format!("198.51.100.{n}")).await;
        for since in [&engine, &told] {
            let second = fetch(&url, Some(since)).await.expect(200);
            assert!(second.text().contains(&format!("198.51.100.{n}\n")), "round {n}");
        }
        // and once more: the answer may have been lost
        fetch(&url, Some(&engine)).await.expect(200);
        if n % 4 == 0 {
            tokio::time::sleep(wait::secs(1)).await;
        }
    }
    tokio::time::sleep(wait::secs(14)).await;
    let told = fetch(&url, None)
        .await
        .expect(200)
        .header("last-modified")
        .expect("a time");
    for (since, status) in [
        (told, 304),
        (at(0), 304),
        (at(-3600), 200),
        (at(3600), 200),
        ("never".to_owned(), 200),
    ] {
        let answer = fetch(&url, Some(&since)).await.expect(status);
        assert_eq!(answer.body.is_empty(), status == 304);
    }
    run(&world, "DELETE FROM decision WHERE value = '203.0.113.7'").await;
    let answer = fetch(&url, Some(&at(0))).await.expect(200);
    assert!(!answer.text().contains("203.0.113.7"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowlist_that_is_gone_is_emptied_on_engines_that_have_it() {
    let world = World::start().await;
    let (machine, _) = delivering(&world).await;
    allowlist(&world, "office", &[("192.0.2.0/24", "", "NULL")]).await;
    let stream = Stream::of(&pull(&world, &machine, "/v3/decisions/stream").await.expect(200));
    let before = stream.url("garrison-office");
    assert!(!fetch(&before, None).await.expect(200).body.is_empty());
    run(&world, "DELETE FROM allowlist WHERE name = 'office'").await;
    let stream = Stream::of(&pull(&world, &machine, "/v3/decisions/stream").await.expect(200));
    assert_eq!(
        fetch(&stream.url("garrison-office"), None)
            .await
            .expect(200)
            .text(),
        ""
    );
    // another machine never had it
    let (other, _) = delivering(&world).await;
    let stream = Stream::of(&pull(&world, &other, "/v3/decisions/stream").await.expect(200));
    assert!(stream.links.allowlists.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_ours_is_never_an_empty_list() {
    let world = World::with(1, &[("GARRISON_PUBLIC_URL", "https://gate.example/x")]).await;
    let (machine, _) = delivering(&world).await;
    ban(&world, "203.0.113.7").await;
    let stream = Stream::of(&pull(&world, &machine, "/v3/decisions/stream").await.expect(200));
    let url = stream.url("garrison");
    let path = url
        .strip_prefix("https://gate.example/x")
        .expect("the public URL");
    let url = format!("{}{path}", world.server().url());
    fetch(&url, None).await.expect(200);
    run(&world, "ALTER TABLE allowlist_entry RENAME TO lost").await;
    let answer = fetch(&url, None).await;
    assert!(answer.status >= 500, "{}", answer.status);
    // CAPI's part still arrives, as it is
    let answer = pull(&world, &machine, "/v3/decisions/stream")
        .await
        .expect(200)
        .json();
    assert_eq!(answer["links"]["blocklists"], serde_json::json!([]));
    run(&world, "ALTER TABLE lost RENAME TO allowlist_entry").await;
    fetch(&url, None).await.expect(200);
}
