//! Name servers and registries that are slow, broken, or lie: there is always an answer, and nobody else is asked.
use super::ipinfo::{Internet, refer, sample, told};
use crate::support::dns;
use crate::support::whois::{Says, Whois};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_servers_moods_never_fail_a_request() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let api = world.api();
    let many: Vec<String> = (0..900).map(|n| format!("name-{n}.example")).collect();
    let long = vec![[["x"; 63].concat().as_str(); 3].join(".") + ".example"];
    let failed = Some("reverse DNS: the name server cannot tell");
    let slow = Some("reverse DNS: the name server does not answer in time");
    let ten: Vec<String> = {
        let mut sorted = many.clone();
        sorted.sort_unstable();
        sorted.into_iter().take(10).collect()
    };
    let none: Vec<String> = vec![];
    for (n, (says, expected, error)) in [
        (
            dns::Says::Names(names(&["a.example"])),
            names(&["a.example"]),
            None,
        ),
        (
            dns::Says::LiesFirst(names(&["a.example"])),
            names(&["a.example"]),
            None,
        ),
        (
            dns::Says::Truncated(names(&["a.example"])),
            names(&["a.example"]),
            None,
        ),
        (dns::Says::Truncated(many), ten, None),
        (dns::Says::Names(long.clone()), long, None),
        (
            dns::Says::Names(names(&["x\x1b[2J.example", "a b.example", "<b>"])),
            none.clone(),
            None,
        ),
        (dns::Says::Code(3), none.clone(), None),
        (dns::Says::Names(vec![]), none.clone(), None),
        (dns::Says::Code(2), none.clone(), failed),
        (dns::Says::Code(5), none.clone(), failed),
        (dns::Says::OtherId, none.clone(), slow),
        (dns::Says::OtherQuestion, none.clone(), slow),
        (dns::Says::Garbage, none.clone(), failed),
        (dns::Says::Silence, none, slow),
    ]
    .into_iter()
    .enumerate()
    {
        let ip = format!("193.0.1.{n}");
        internet.dns.says(&ip, says.clone());
        let begun = Instant::now();
        let answer = told(&api, &ip).await;
        assert_eq!(answer["reverseDns"], json!(expected), "{says:?}: {answer}");
        assert_eq!(answer["error"].as_str(), error, "{says:?}");
        assert_eq!(answer["whois"]["netName"], "RIPE-NCC", "{says:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{says:?} took {:?}",
            begun.elapsed()
        );
    }
}

/// What a registry is told to say, what comes of it.
async fn outcome(
    internet: &Internet,
    api: &crate::support::http::Api,
    ip: &str,
    says: Says,
) -> (Value, Option<String>) {
    internet.ripe.says_to(ip, says);
    let answer = told(api, ip).await;
    let error = answer["error"].as_str().map(str::to_owned);
    (answer["whois"].clone(), error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrys_moods_never_fail_a_request() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let api = world.api();
    let slow = Some("WHOIS: whois.ripe.net does not answer in time".to_owned());
    let noise: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut huge = sample("ripe");
    huge.extend(b"remarks: x\n".repeat(1_000_000));
    let lines = b"netname: a\ncountry: b\ninetnum: c\nabuse-c: d\nnic-hdl: d\n".repeat(50_000);
    let bomb = format!("netname: \u{202e}{}\x1b[31m\0\r\n", "<script>".repeat(10_000));
    let begun = Instant::now();
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        outcome(&internet, &api, "193.0.2.1", Says::Silence),
        outcome(&internet, &api, "193.0.2.2", Says::Drip(sample("ripe"))),
        outcome(&internet, &api, "193.0.2.3", Says::Nothing),
        outcome(&internet, &api, "193.0.2.4", Says::Text(noise)),
        outcome(
            &internet,
            &api,
            "193.0.2.5",
            Says::Endless(b"remarks: x\n".to_vec())
        ),
        outcome(&internet, &api, "193.0.2.6", Says::Text(huge)),
        outcome(&internet, &api, "193.0.2.7", Says::Text(lines)),
        outcome(&internet, &api, "193.0.2.8", Says::Text(bomb.into_bytes())),
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(a, (Value::Null, slow.clone()));
    assert_eq!(b, (Value::Null, slow));
    for (nothing, error) in [c, d, e] {
        assert_eq!((nothing, error), (Value::Null, None));
    }
    assert_eq!(f.0["netName"], "RIPE-NCC", "what came before the limit counts");
    assert_eq!(g.0["netName"], "a");
    let name = h.0["netName"].as_str().expect("a name");
    assert_eq!(name.chars().count(), 1000);
    assert!(name.starts_with("<script>") && !name.contains(['\x1b', '\u{202e}', '\0']));
    // Nothing of that is too large for a row.
    let rows = "SELECT count(*) FROM ip_info WHERE expires_at > now() - interval '1 hour'";
    let rows: i64 = world
        .db
        .client()
        .await
        .query_one(rows, &[])
        .await
        .expect("rows")
        .get(0);
    assert_eq!(rows, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrals_lead_to_registries_once_and_nowhere_else() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let api = world.api();
    let port = internet.stranger.port();
    let to = |line: String| {
        Says::Text(format!("inetnum: 193.0.0.0 - 193.255.255.255\nnetname: LOOP\n{line}\n").into_bytes())
    };
    // Round in circles: each is asked once.
    internet
        .ripe
        .says_to("193.0.3.1", to("refer: whois.arin.net".to_owned()));
    internet.arin.says_to(
        "n + 193.0.3.1",
        to("ReferralServer: whois://whois.ripe.net".to_owned()),
    );
    let answer = told(&api, "193.0.3.1").await;
    assert_eq!(
        (&answer["whois"]["netName"], &answer["source"]),
        (&json!("LOOP"), &json!("whois.arin.net"))
    );
    let asked = |server: &Whois, line: &str| server.asked().iter().filter(|asked| *asked == line).count();
    assert_eq!(asked(&internet.ripe, "193.0.3.1"), 1);
    assert_eq!(asked(&internet.arin, "n + 193.0.3.1"), 1);
    // To itself.
    internet
        .ripe
        .says_to("193.0.3.2", to("refer: whois.ripe.net".to_owned()));
    told(&api, "193.0.3.2").await;
    assert_eq!(asked(&internet.ripe, "193.0.3.2"), 1);
    // To strangers, to other ports, in other protocols, to addresses.
    for (n, line) in [
        format!("refer: 127.0.0.1:{port}"),
        "refer: 127.0.0.1".to_owned(),
        "refer: localhost".to_owned(),
        format!("ReferralServer: whois://localhost:{port}"),
        format!("ReferralServer: whois://whois.arin.net:{port}"),
        format!("ReferralServer: rwhois://whois.arin.net:{port}"),
        format!("ReferralServer: whois://whois.arin.net@127.0.0.1:{port}"),
        "whois: whois.evil.example".to_owned(),
        format!("whois: whois.arin.net\u{0}.127.0.0.1:{port}"),
    ]
    .into_iter()
    .enumerate()
    {
        let ip = format!("193.0.4.{n}");
        internet.root.says_to(&ip, to(line.clone()));
        let answer = told(&api, &ip).await;
        assert_eq!(
            answer["whois"]["netName"], "LOOP",
            "{line}: what the root tells itself"
        );
        let ip = format!("193.0.5.{n}");
        internet.ripe.says_to(&ip, to(line.clone()));
        let answer = told(&api, &ip).await;
        assert_eq!(answer["source"], "whois.ripe.net", "{line}");
    }
    assert_eq!(internet.stranger.connections(), 0);
    assert_eq!(internet.arin.connections(), 1);
    // ARIN knows whose an address is that moved; and tells what it knows where that one is silent.
    for (ip, silent) in [("193.0.6.139", false), ("193.0.7.1", true)] {
        internet.root.says_to(ip, refer("whois.arin.net"));
        let line = format!("n + {ip}");
        internet
            .arin
            .says_to(&line, Says::Text(sample("arin-transferred")));
        if silent {
            internet.ripe.says_to(ip, Says::Silence);
        }
        let answer = told(&api, ip).await;
        let expected = if silent { "RIPE-CBLK" } else { "RIPE-NCC" };
        assert_eq!(answer["whois"]["netName"], expected, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_about_another_address_is_none() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    internet.root.says_to("9.9.9.9", refer("whois.arin.net"));
    let answer = told(&world.api(), "9.9.9.9").await;
    assert_eq!(answer["whois"], Value::Null, "{answer}");
    assert_eq!(internet.arin.asked(), ["n + 9.9.9.9"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_is_not_asked() {
    let internet = Internet::start().await;
    let off = [
        ("GARRISON_IP_INFO_NAME_SERVER", "none"),
        ("GARRISON_IP_INFO_SOURCES", "none"),
    ];
    let world = internet.world(1, &off).await;
    let mut answer = told(&world.api(), "193.0.6.139").await;
    answer.as_object_mut().expect("an object").remove("fetchedAt");
    let expected = json!({"ip": "193.0.6.139", "scope": "global", "reverseDns": [], "whois": null});
    assert_eq!(answer, expected);
    assert_eq!(internet.questions(), 0);
}
