use jiff::Timestamp;

use super::*;

fn signalled(machine: i64, agent: &str, origin: &str, value: &str) -> Signalled {
    Signalled {
        machine,
        agent: Some(agent.to_owned()),
        origin: Some(origin.to_owned()),
        kind: "ban".to_owned(),
        scope: "ip".to_owned(),
        value: value.to_owned(),
        scenario: "s".to_owned(),
        until: Timestamp::from_second(1_800_000_000).unwrap(),
        uuid: None,
    }
}

fn server(server: i64, engine: Option<i64>, agents: &[&str], login: &str, is_read: bool) -> Origin {
    Origin {
        server,
        engine,
        agents: agents.iter().map(|a| (*a).to_owned()).collect(),
        login: Some(login.to_owned()),
        is_read,
    }
}

#[test]
fn who_says_what() {
    let known = Known::of(vec![
        server(10, Some(1), &[], "g1", true),
        server(20, Some(2), &[], "g2", false),
        server(30, None, &["web-3"], "g3", false),
        server(40, None, &["web-4"], "g4", true),
        server(50, Some(5), &["web-5"], "g5", false),
        server(60, Some(6), &["web-6"], "g6", true),
    ]);
    for (machine, agent, origin, value, expected) in [
        // An engine that is no server here speaks for itself.
        (9, "a", "crowdsec", "192.0.2.7", Some(Source::Signal(9))),
        // A server whose stream is read says it there; while it is not read, its signal counts as its own.
        (1, "a", "crowdsec", "192.0.2.7", None),
        (2, "a", "crowdsec", "192.0.2.7", Some(Source::Server(20))),
        (9, "web-3", "crowdsec", "192.0.2.7", Some(Source::Server(30))),
        (9, "web-4", "crowdsec", "192.0.2.7", None),
        // The engine that was authenticated counts more than an agent's name.
        (2, "web-4", "crowdsec", "192.0.2.7", Some(Source::Server(20))),
        // What is behind another engine is not what this one says it is.
        (9, "web-5", "crowdsec", "192.0.2.7", Some(Source::Signal(9))),
        (9, "web-6", "crowdsec", "192.0.2.7", Some(Source::Signal(9))),
        (5, "web-5", "crowdsec", "192.0.2.7", Some(Source::Server(50))),
        // Echoes: by our own login at that very engine, whatever origin they carry.
        (2, "g2", "crowdsec", "192.0.2.7", None),
        (9, "g3", "crowdsec", "192.0.2.7", None),
        (9, "g2", "crowdsec", "192.0.2.7", Some(Source::Signal(9))),
        (9, "a", "garrison", "192.0.2.7", None),
        (9, "a", "CAPI", "192.0.2.7", None),
        (9, "a", "lists:x", "192.0.2.7", None),
        // Nobody bans one's own.
        (9, "a", "crowdsec", "10.0.0.1", None),
        (9, "a", "crowdsec", "0.0.0.0/0", None),
        (9, "a", "crowdsec", "nonsense", None),
    ] {
        let said = claim(signalled(machine, agent, origin, value), &known, &[]);
        assert_eq!(
            said.map(|c| c.source),
            expected,
            "{machine} {agent} {origin} {value}"
        );
    }
}
