#![allow(clippy::unwrap_used, reason = "a test may stop on the first surprise")]

mod refusals;

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load((!file.is_empty()).then_some(file), &|name| {
        environment
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn ok(file: &str, environment: &[(&str, &str)]) -> Config {
    load(file, environment).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn refused(file: &str, environment: &[(&str, &str)]) -> String {
    match load(file, environment) {
        Ok(_) => panic!("accepted: {file} {environment:?}"),
        Err(error) => error.to_string(),
    }
}

const KEY: &str = "q8Zt0Yw3nB7cRk5LxV2mHs9DfJg4PaEu";

#[test]
fn defaults() {
    for file in ["", "# nothing\n", "server:\ndatabase:\n", "---\n"] {
        let config = ok(file, &[]);
        assert_eq!(
            config.server.listen,
            "127.0.0.1:8080".parse::<SocketAddr>().unwrap()
        );
        assert_eq!(
            config.server.base_url(config.server.listen),
            "http://127.0.0.1:8080/"
        );
        assert_eq!(config.server.drain_timeout, Duration::from_secs(20));
        assert_eq!(config.server.max_connections, 10_000);
        assert_eq!(config.data_dir, Path::new("./data"));
        assert!(config.database.url.is_none());
        assert_eq!(config.database.pool_size, 16);
        assert!(config.database.statement_cache);
        assert_eq!(config.capi.url, "https://api.crowdsec.net/");
        assert_eq!(config.capi.timeout, Duration::from_secs(30));
        assert!(config.capi.forward_enabled && config.auto_enrolment());
        assert_eq!(config.enrolment.tenant, "default");
        assert!(config.secret_key.is_none() && config.warnings.is_empty());
        assert_eq!(config.filters.mode, FilterMode::Block);
        assert_eq!(
            (config.logging.level.as_str(), config.logging.format),
            ("info", None)
        );
    }
}

#[test]
fn every_setting_by_file() {
    let config = ok(
        r#"
server:
  listen: "[::]:0"
  public_url: HTTPS://Gate.Example.org/base
  drain_timeout: 1m30s
  max_connections: 5
data_dir: /var/lib/garrison
database:
  url: postgresql://a:b@h/d
  pool_size: "${SIZE:-20}"
  ca_file: /ca.pem
  statement_cache: ${CACHE}
capi: {url: "http://127.0.0.1:${PORT:-9000}/x/", timeout: 500ms, forward_enabled: false, login_budget: 7}
enrolment:
  auto: true
  tenant: acme
  hosts: {EU.example.org: acme}
secret_key: ${KEY}
filters:
  mode: allow
  dir: /filters.d
  rules:
    - {name: a, enabled: true, filter: {pattern: '^x$${2}$', n: 1}}
logging: {level: notice, format: pretty}
"#,
        &[("CACHE", "false"), ("KEY", KEY)],
    );
    assert_eq!(config.server.listen.to_string(), "[::]:0");
    assert_eq!(
        config.server.public_url.as_deref(),
        Some("https://gate.example.org/base/")
    );
    assert_eq!(config.server.drain_timeout, Duration::from_secs(90));
    assert_eq!(config.server.max_connections, 5);
    assert_eq!(config.data_dir, Path::new("/var/lib/garrison"));
    assert_eq!(
        config.database.url.as_ref().unwrap().expose_secret(),
        "postgresql://a:b@h/d"
    );
    assert_eq!(config.database.pool_size, 20);
    assert!(!config.database.statement_cache && !config.capi.forward_enabled);
    assert_eq!(config.capi.url, "http://127.0.0.1:9000/x/");
    assert_eq!(config.capi.timeout, Duration::from_millis(500));
    assert_eq!(config.capi.login_budget, Some(7));
    assert!(config.auto_enrolment());
    assert_eq!(config.enrolment.hosts["eu.example.org"], "acme");
    assert_eq!(config.secret_key.as_ref().unwrap().expose_secret(), KEY);
    assert_eq!(config.filters.mode, FilterMode::Allow);
    assert_eq!(
        config.filters.rules[0]["filter"],
        serde_json::json!({"pattern": "^x$${2}$", "n": 1})
    );
    assert_eq!(config.logging.format_or_detect(), LogFormat::Pretty);
    assert_eq!(config.logging.level, "info");
    let printed = format!("{config:?}");
    assert!(!printed.contains(KEY) && !printed.contains("a:b@h"));
}

#[test]
fn environment_wins_when_set() {
    let file = "server: {listen: 127.0.0.1:1}\ncapi: {forward_enabled: false, timeout: 5s}\n";
    let config = ok(file, &[("GARRISON_LISTEN", ""), ("FORWARD_ENABLED", "")]);
    assert_eq!(
        (config.server.listen.port(), config.capi.forward_enabled),
        (1, false)
    );
    let config = ok(file, &[("PROXY_PORT", "2"), ("PROXY_TIMEOUT_MS", "250")]);
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:2");
    assert!(!config.auto_enrolment());
    assert_eq!(config.capi.timeout, Duration::from_millis(250));
    let config = ok(
        file,
        &[
            ("PROXY_PORT", "2"),
            ("GARRISON_LISTEN", "[::1]:3"),
            ("FORWARD_ENABLED", "true"),
        ],
    );
    assert_eq!(config.server.listen.to_string(), "[::1]:3");
    assert!(config.capi.forward_enabled);
    // What Kubernetes injects for a Service called `proxy`.
    assert_eq!(
        ok(file, &[("PROXY_PORT", "tcp://10.0.0.1:80")])
            .server
            .listen
            .port(),
        1
    );
}

#[test]
fn crowdsieve_file() {
    let config = ok(
        r"
proxy: {listen_port: 8081, capi_url: 'https://capi.test', timeout_ms: 1000, forward_enabled: false, other: 1}
lapi_servers: [{name: a, url: 'http://x', api_key: '${NOT_SET}'}]
storage:
  type: postgres
  path: ./x.db
  retention_days: 30
  postgres: {host: db, port: 5433, database: c s, user: u@x, password: 'p:/?#é%', ssl: true, ssl_reject_unauthorized: false, pool_size: 4}
logging: {level: debug, format: json}
client_validation: {enabled: true}
analyzers: {}
bouncer_metrics: {retention_days: 30}
",
        &[("RETENTION_DAYS", "9"), ("GEOIP_DB_PATH", "/x")],
    );
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8081");
    assert_eq!(config.capi.url, "https://capi.test/");
    assert_eq!(config.capi.timeout, Duration::from_secs(1));
    assert_eq!(
        config.database.url.as_ref().unwrap().expose_secret(),
        "postgres://u%40x:p%3A%2F%3F%23%C3%A9%25@db:5433/c%20s?sslmode=require"
    );
    assert_eq!(config.database.pool_size, 4);
    assert_eq!(config.geoip.files, Some(vec![PathBuf::from("/x")]));
    assert_eq!(config.retention.alerts, 9);
    let warned = config.warnings.join("\n");
    assert!(!warned.contains("GEOIP_DB_PATH"), "{warned}");
    assert!(warned.contains("garrison lapi import"), "{warned}");
    for name in [
        "proxy.other",
        "lapi_servers",
        "storage.path",
        "client_validation",
        "analyzers",
        "bouncer_metrics",
        "ssl_reject_unauthorized",
    ] {
        assert!(warned.contains(name), "{name}: {warned}");
    }
}

#[test]
fn postgres_parts_by_environment() {
    let config = ok("", &[("POSTGRES_HOST", "::1"), ("POSTGRES_PASSWORD", "s")]);
    assert_eq!(
        config.database.url.unwrap().expose_secret(),
        "postgres://crowdsieve:s@[::1]:5432/crowdsieve?sslmode=disable"
    );
    let config = ok(
        "",
        &[("POSTGRES_HOST", "h"), ("GARRISON_DATABASE_URL", "postgres://x")],
    );
    assert_eq!(config.database.url.unwrap().expose_secret(), "postgres://x");
    assert!(ok("", &[("POSTGRES_USER", "u")]).database.url.is_none());
    assert!(refused("storage: {type: sqlite}", &[]).contains("Postgres only"));
    assert!(refused("", &[("STORAGE_TYPE", "sqlite")]).contains("STORAGE_TYPE"));
    ok("storage: {type: sqlite}", &[("STORAGE_TYPE", "postgres")]);
}

#[test]
fn capi_addresses() {
    let cases = [
        ("https://api.crowdsec.net", Some("https://api.crowdsec.net/")),
        ("http://[::1]:80/a//", Some("http://[::1]:80/a/")),
        ("ftp://x/", None),
        ("https://u:p@x/", None),
        ("https://x/?q", None),
        ("https://x/#f", None),
        ("https://", None),
        ("https://x:/", None),
        ("https://x:99999/", None),
        ("x", None),
        ("/x", None),
        ("https://x y/", None),
    ];
    for (text, expected) in cases {
        assert_eq!(value::http_base(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn durations() {
    let cases = [
        ("0", Some(0)),
        ("20s", Some(20_000_000_000)),
        ("1h1m1s1ms1us1ns", Some(3_661_001_001_001)),
        ("1.5s", Some(1_500_000_000)),
        (".5s", Some(500_000_000)),
        ("", None),
        ("20", None),
        ("s", None),
        (".s", None),
        ("1.2.3s", None),
        ("-1s", None),
        ("1d", None),
        ("1 s", None),
        ("99999999999999999999h", None),
        ("18446744073709551615h", None),
    ];
    for (text, expected) in cases {
        assert_eq!(
            value::duration(text),
            expected.map(Duration::from_nanos),
            "{text}"
        );
    }
}

#[test]
fn secrets_from_files() {
    let path = std::env::temp_dir().join(format!("garrison-secret-{}", std::process::id()));
    let name = path.to_str().unwrap().to_owned();
    let environment = [("GARRISON_SECRET_KEY_FILE", name.as_str())];
    for (content, expected) in [
        (format!("{KEY}\n"), KEY.to_owned()),
        (format!("{KEY}\n\n"), format!("{KEY}\n")),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(
            ok("secret_key: short", &environment)
                .secret_key
                .unwrap()
                .expose_secret(),
            expected
        );
    }
    std::fs::write(&path, "\n").unwrap();
    assert!(refused("", &environment).contains("empty"));
    std::fs::write(&path, [0xff; 40]).unwrap();
    assert!(refused("", &environment).contains("UTF-8"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn budget_and_size() {
    let large = format!("# {}", "x".repeat(256 * 1024));
    assert!(refused(&large, &[]).contains("262144"));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nanalyzers: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    refused(bomb, &[]);
    refused(&format!("analyzers: {}{}", "[".repeat(500), "]".repeat(500)), &[]);
}

/// Holds the table against the code: what the code looks up is in it, and every name is there once.
#[test]
fn table_is_complete() {
    let mut names: Vec<&str> = table()
        .iter()
        .flat_map(|s| s.keys().chain(s.variables()))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name twice");
    assert!(
        table()
            .iter()
            .all(|s| !s.meaning.is_empty() && !s.default.is_empty())
    );
    let defined: usize = [
        include_str!("server.rs"),
        include_str!("database.rs"),
        include_str!("capi.rs"),
        include_str!("enrolment.rs"),
        include_str!("outbound.rs"),
        include_str!("ip_info.rs"),
        include_str!("security.rs"),
        include_str!("oidc.rs"),
        include_str!("filters.rs"),
        include_str!("events.rs"),
        include_str!("geoip.rs"),
        include_str!("retention.rs"),
        include_str!("limits.rs"),
        include_str!("logging.rs"),
    ]
    .iter()
    .map(|source| source.matches(": Setting = Setting::new(").count())
    .sum();
    assert_eq!(table().len(), defined, "a setting is defined but not listed");
    // Every environment variable of the table reaches the code: a nonsense value is refused, or shows in the result.
    for setting in table() {
        for name in setting.variables() {
            let unset = format!("{:?}", load("", &[("STORAGE_TYPE", "postgres")]));
            let set = format!(
                "{:?}",
                load("", &[("STORAGE_TYPE", "postgres"), (name, "-nonsense-")])
            );
            let hidden = setting.secret || name.starts_with("POSTGRES_") || name == "STORAGE_TYPE";
            assert!(hidden || unset != set, "{name} changes nothing");
        }
    }
}

#[test]
fn private_networks_are_open_where_somebody_says_so_or_only_loopback_asks() {
    let shown = |config: Config| {
        let texts: Vec<String> = config.allow_private().iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    assert_eq!(shown(ok("", &[])), "127.0.0.0/8 ::1");
    assert_eq!(shown(ok("server: {listen: '0.0.0.0:80'}", &[])), "");
    let variable = "GARRISON_OUTBOUND_ALLOW_PRIVATE";
    assert_eq!(
        shown(ok("", &[(variable, "10.1.2.3/8, fd00::/8")])),
        "10.0.0.0/8 fd00::/8"
    );
    assert_eq!(shown(ok("", &[(variable, "none")])), "");
    assert_eq!(
        shown(ok("outbound: {allow_private: [192.168.0.0/16]}", &[])),
        "192.168.0.0/16"
    );
    assert!(refused("", &[(variable, "10/8")]).contains("outbound.allow_private"));
}
