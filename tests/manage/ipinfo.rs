//! What the world tells of an address: from a name server and from registries that are here, one look-up an address.
use crate::support::dns::{self, Dns};
use crate::support::http::{Answer, Api};
use crate::support::wait;
use crate::support::whois::{Says, Whois};
use crate::support::world::World;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer of a registry, as it is kept beside the tests.
pub fn sample(name: &str) -> Vec<u8> {
    let file = format!("{}/tests/fixtures/whois/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&file).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The root's answer that leads to a registry.
pub fn refer(to: &str) -> Says {
    Says::Text(format!("% IANA WHOIS server\n\nrefer:        {to}\n\nstatus: ALLOCATED\n").into_bytes())
}

/// A name server, the root and three registries; one more that nobody may ask.
pub struct Internet {
    pub dns: Dns,
    pub root: Whois,
    pub ripe: Whois,
    pub arin: Whois,
    pub lacnic: Whois,
    pub stranger: Whois,
}

impl Internet {
    pub async fn start() -> Self {
        let internet = Self {
            dns: Dns::start().await,
            root: Whois::start(refer("whois.ripe.net")).await,
            ripe: Whois::start(Says::Text(sample("ripe"))).await,
            arin: Whois::start(Says::Text(sample("arin"))).await,
            lacnic: Whois::start(Says::Text(sample("lacnic"))).await,
            stranger: Whois::start(Says::Text(sample("ripe"))).await,
        };
        for ip in ["8.8.8.8", "8.9.1.1"] {
            internet.root.says_to(ip, refer("whois.arin.net"));
        }
        internet.root.says_to("200.3.14.10", refer("whois.lacnic.net"));
        internet.root.says_to("6.1.1.1", Says::Text(sample("iana-own")));
        internet
    }

    /// The variables that lead to it, and more.
    pub fn env(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let registries = format!(
            "whois.ripe.net=127.0.0.1:{},whois.arin.net=127.0.0.1:{},whois.lacnic.net=127.0.0.1:{}",
            self.ripe.port(),
            self.arin.port(),
            self.lacnic.port()
        );
        let mut env = vec![
            ("GARRISON_IP_INFO_NAME_SERVER".to_owned(), self.dns.address()),
            ("GARRISON_IP_INFO_SOURCES".to_owned(), "whois".to_owned()),
            (
                "GARRISON_IP_INFO_WHOIS_ROOT".to_owned(),
                format!("127.0.0.1:{}", self.root.port()),
            ),
            ("GARRISON_IP_INFO_WHOIS_REGISTRIES".to_owned(), registries),
        ];
        for (name, value) in more {
            env.retain(|(known, _)| known != name);
            env.push(((*name).to_owned(), (*value).to_owned()));
        }
        env
    }

    pub async fn world(&self, replicas: usize, more: &[(&str, &str)]) -> World {
        let env = self.env(more);
        let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        World::with(replicas, &env).await
    }

    /// How often anybody was asked anything.
    pub fn questions(&self) -> usize {
        let servers = [&self.root, &self.ripe, &self.arin, &self.lacnic, &self.stranger];
        self.dns.asked().len() + servers.map(Whois::connections).iter().sum::<usize>()
    }
}

pub async fn ask(api: &Api, ip: &str) -> Answer {
    api.get(&format!("/api/ip-info/{}", ip.replace('/', "%2F"))).await
}

pub async fn told(api: &Api, ip: &str) -> Value {
    ask(api, ip).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_registrations_are_told() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let api = world.api();
    let names = ["www.RIPE.net", "beta.ripe.net", "<script>.ripe.net"].map(str::to_owned);
    internet.dns.says("193.0.6.139", dns::Says::Names(names.to_vec()));
    let mut ripe = told(&api, "193.0.6.139").await;
    assert!(
        ripe["fetchedAt"]
            .take()
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    ripe.as_object_mut().unwrap().remove("fetchedAt");
    assert_eq!(
        ripe,
        json!({
            "ip": "193.0.6.139",
            "scope": "global",
            "reverseDns": ["beta.ripe.net", "www.ripe.net"],
            "whois": {
                "netName": "RIPE-NCC",
                "netRange": "193.0.0.0 - 193.0.7.255",
                "cidr": "193.0.0.0/21",
                "organization": "Reseaux IP Europeens Network Coordination Centre (RIPE NCC)",
                "country": "NL",
                "descr": "RIPE Network Coordination Centre",
                "abuse": "abuse@ripe.net"
            },
            "source": "whois.ripe.net"
        })
    );
    assert_eq!(internet.root.asked(), ["193.0.6.139"]);
    assert_eq!(internet.ripe.asked(), ["193.0.6.139"]);
    // A range is asked about by its first address.
    let range = told(&api, "193.0.6.139/21").await;
    assert_eq!(range["ip"], "193.0.0.0");
    assert_eq!(internet.dns.count("193.0.0.0"), 1);
    // ARIN's own form, and the smallest of its records.
    let arin = told(&api, "8.8.8.8").await;
    assert_eq!(arin["whois"]["organization"], "Google LLC");
    assert_eq!(internet.arin.asked(), ["n + 8.8.8.8"]);
    // Latin-1.
    let lacnic = told(&api, "200.3.14.10").await;
    let owner = lacnic["whois"]["organization"].as_str().expect("an owner");
    assert!(owner.ends_with("España"), "{owner}");
    // No registry: what the root itself tells.
    let own = told(&api, "6.1.1.1").await;
    assert_eq!(own["whois"]["cidr"], "6.0.0.0/8");
    assert!(
        own["whois"].get("country").is_none() && own.get("error").is_none(),
        "{own}"
    );
    // IPv6.
    internet.ripe.says(Says::Text(sample("ripe6")));
    internet.dns.says(
        "2001:67c:2e8::1",
        dns::Says::Names(vec!["six.example".to_owned()]),
    );
    let six = told(&api, "2001:67C:2e8:0::1").await;
    assert_eq!(six["ip"], "2001:67c:2e8::1");
    assert_eq!(six["reverseDns"], json!(["six.example"]));
    assert_eq!(six["whois"]["netName"], "RIPE-NCC-IPv6");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_about_what_is_nobodys() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let api = world.api();
    for (ip, canonical, scope) in [
        ("10.1.2.3", "10.1.2.3", "private"),
        ("10.1.2.3/8", "10.0.0.0", "private"),
        ("::ffff:192.168.1.1", "192.168.1.1", "private"),
        ("fd12::1", "fd12::1", "private"),
        ("127.0.0.1", "127.0.0.1", "loopback"),
        ("::1", "::1", "loopback"),
        ("169.254.169.254", "169.254.169.254", "link-local"),
        ("fe80::1%25eth0", "fe80::1", "link-local"),
        ("100.64.0.1", "100.64.0.1", "shared"),
        ("192.0.2.1", "192.0.2.1", "documentation"),
        ("2001:db8::1", "2001:db8::1", "documentation"),
        ("2001%3Adb8%3A%3A1", "2001:db8::1", "documentation"),
        ("224.0.0.1", "224.0.0.1", "multicast"),
        ("ff02::1", "ff02::1", "multicast"),
        ("255.255.255.255", "255.255.255.255", "reserved"),
        ("8.8.8.8/0", "0.0.0.0", "reserved"),
        ("2002:7f00:1::", "2002:7f00:1::", "reserved"),
    ] {
        let answer = told(&api, ip).await;
        let expected = json!({
            "ip": canonical, "scope": scope, "reverseDns": [], "whois": null,
            "error": format!("nobody is asked about an address of this range ({scope})"),
        });
        assert_eq!(answer, expected, "{ip}");
    }
    for bad in [
        "x",
        "8.8.8",
        "8.8.8.8/33",
        "1.2.3.4%0d%0an",
        "example.org",
        &"1".repeat(65),
    ] {
        let answer = ask(&api, bad).await;
        assert!(matches!(answer.status, 400 | 404), "{bad}: {}", answer.status);
        if answer.status == 400 {
            assert_eq!(answer.json()["errors"][0]["field"], "ip", "{bad}");
        }
    }
    assert_eq!(internet.questions(), 0);
    let rows = world.db.client().await.query("SELECT FROM ip_info", &[]).await;
    assert_eq!(rows.expect("rows").len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_makes_one_look_up_over_all_replicas() {
    let internet = Internet::start().await;
    let world = internet.world(2, &[]).await;
    let late = Says::Late(Duration::from_millis(700), sample("ripe"));
    internet.ripe.says(late);
    let acme = world.tenant("acme").await;
    let apis: Vec<Api> = world
        .servers
        .iter()
        .flat_map(|server| {
            [
                server.api(Some(&acme.token)),
                server.api(Some(world.admin_token())),
            ]
        })
        .collect();
    // One address, however it is written.
    let spellings = [
        "193.0.6.139",
        "::ffff:193.0.6.139",
        "::FFFF:C100:068B",
        "193.0.6.139/32",
    ];
    let crowd = (0..40).map(|n| told(&apis[n % 4], spellings[n / 4 % 4]));
    for answer in join_all(crowd).await {
        assert_eq!(answer["whois"]["netName"], "RIPE-NCC", "{answer}");
    }
    assert_eq!(internet.root.asked().len(), 1);
    assert_eq!(internet.ripe.asked().len(), 1);
    assert_eq!(internet.dns.count("193.0.6.139"), 1);
    // A replica that comes later knows it, too, and when it was looked up.
    let mut world = world;
    let third = world.add_server().await;
    let first = told(&apis[0], "193.0.6.139").await;
    let late = told(&world.servers[third].api(Some(&acme.token)), "193.0.6.139").await;
    assert_eq!(first, late);
    assert_eq!(internet.ripe.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_leaves_the_answer_to_others() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let late = Says::Late(Duration::from_millis(1500), sample("ripe"));
    internet.ripe.says(late);
    let api = world.api();
    let first = api.clone();
    let first = tokio::spawn(async move { ask(&first, "193.0.6.139").await });
    let asked = || async { internet.ripe.connections() == 1 };
    wait::until_true("the registry is asked", wait::secs(10), asked).await;
    first.abort();
    let answer = told(&api, "193.0.6.139").await;
    assert_eq!(answer["whois"]["netName"], "RIPE-NCC");
    assert_eq!(internet.ripe.asked().len(), 1, "the look-up went on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_kept_briefly_and_answers_for_their_time() {
    let internet = Internet::start().await;
    internet.root.says(Says::Nothing);
    let brief = [("GARRISON_IP_INFO_KEEP_FAILURES", "1s")];
    let world = internet.world(1, &brief).await;
    let api = world.api();
    let nothing = told(&api, "193.0.6.139").await;
    assert_eq!(nothing["whois"], Value::Null);
    internet.root.says(refer("whois.ripe.net"));
    let asked_again = || async { told(&api, "193.0.6.139").await["whois"].is_object() };
    wait::until_true("asked again", wait::secs(10), asked_again).await;
    // What was told is not asked again for an hour, which nothing here lasts.
    let count = internet.root.asked().len();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    told(&api, "193.0.6.139").await;
    assert_eq!(internet.root.asked().len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_not_asked_about_again_at_once() {
    let internet = Internet::start().await;
    internet.root.says(Says::Text(sample("ripe-nobodys")));
    // The longest there is: nothing here lasts an hour.
    let long = [("GARRISON_IP_INFO_KEEP_FAILURES", "1h")];
    let mut world = internet.world(1, &long).await;
    for _ in 0..3 {
        assert_eq!(told(&world.api(), "8.1.1.1").await["whois"], Value::Null);
    }
    let second = world.add_server().await;
    let api = world.servers[second].api(Some(world.admin_token()));
    assert_eq!(told(&api, "8.1.1.1").await["whois"], Value::Null);
    assert_eq!(internet.root.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_asks_much_waits_alone() {
    let internet = Internet::start().await;
    let world = internet.world(1, &[]).await;
    let acme = world.tenant("acme").await;
    let (greedy, other) = (world.api(), world.api_of(&acme));
    internet.root.says(Says::Silence);
    internet.root.says_to("193.0.6.139", refer("whois.ripe.net"));
    let many: Vec<_> = (0..40)
        .map(|n| {
            let api = greedy.clone();
            tokio::spawn(async move { ask(&api, &format!("11.0.0.{n}")).await.status })
        })
        .collect();
    let waiting = || async { internet.root.connections() == 4 };
    wait::until_true("four of them are under way", wait::secs(10), waiting).await;
    assert_eq!(told(&other, "193.0.6.139").await["whois"]["netName"], "RIPE-NCC");
    let mut refused = 0;
    for answer in join_all(many).await {
        match answer.expect("an answer") {
            200 => {}
            429 => refused += 1,
            status => panic!("{status}"),
        }
    }
    assert!(refused >= 20, "only {refused} were refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replicas_claim_does_not_last_and_old_rows_go() {
    let internet = Internet::start().await;
    let mut world = internet.world(1, &[]).await;
    let client = world.db.client().await;
    let rows = "INSERT INTO ip_info (address, claimed_until) VALUES
        ('193.0.6.139', now() + interval '2 seconds'), ('8.8.4.4', '-infinity'), ('9.9.9.9', '-infinity')";
    client.batch_execute(rows).await.expect("rows");
    client
        .batch_execute("UPDATE ip_info SET expires_at = now() + interval '1 hour' WHERE address = '9.9.9.9'")
        .await
        .expect("a row");
    let answer = told(&world.api(), "193.0.6.139").await;
    assert_eq!(answer["whois"]["netName"], "RIPE-NCC");
    // Every replica cleans up when it starts.
    world.add_server().await;
    let count = || async {
        let sql = "SELECT array_agg(host(address) ORDER BY address)::text[] FROM ip_info";
        let left: Vec<String> = client.query_one(sql, &[]).await.expect("rows").get(0);
        left == ["9.9.9.9", "193.0.6.139"]
    };
    // What failed once, on a busy machine, is done again in a minute.
    wait::until_true("what has expired is gone", wait::secs(75), count).await;
}
