//! What does not start, and what it says.

use std::path::Path;

use super::super::*;
use super::refused;

/// File, environment, parts of the message.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

#[rustfmt::skip] // one case a line
const CASES: &[Case] = &[
    ("server:\n  lisen: hunter2", &[], &["server.lisen", "line 2"]),
    ("\nsurver: hunter2", &[], &["surver", "line 2"]),
    ("server.listen: hunter2", &[], &["server.listen", "line 1"]),
    ("server: hunter2", &[], &["`server`", "section"]),
    ("- hunter2", &[], &["whole file"]),
    ("storage:\n  postgres:\n    pasword: hunter2", &[], &["storage.postgres.pasword", "line 3"]),
    ("server: {listen: hunter2}", &[], &["server.listen", "line 1", "an address and a port"]),
    ("", &[("GARRISON_LISTEN", "hunter2")], &["server.listen", "from GARRISON_LISTEN"]),
    ("", &[("PROXY_PORT", "hunter2")], &["from PROXY_PORT", "0 to 65535"]),
    ("server: {drain_timeout: 20}", &[], &["server.drain_timeout", "20s"]),
    ("server: {drain_timeout: -1s}", &[], &["server.drain_timeout"]),
    ("server: {max_connections: 0}", &[], &["1 to 1000000"]),
    ("database: {pool_size: 1}", &[], &["2 to 200"]),
    ("database: {pool_size: 2.5}", &[], &["2 to 200"]),
    ("database: {url: 'mysql://hunter2'}", &[], &["database.url", "postgres://"]),
    ("database: {statement_cache: hunter2}", &[], &["true or false"]),
    ("storage: {type: postgres, postgres: {password: 12345}}", &[], &["storage.postgres.password", "in quotes"]),
    ("secret_key: hunter2", &[], &["secret_key", "32 bytes"]),
    ("secret_key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[], &["secret_key"]),
    ("secret_key: change-me-change-me-change-me-1234567", &[], &["secret_key"]),
    ("secret_key: ${HUNTER}", &[], &["secret_key", "${HUNTER}", "line 1"]),
    ("secret_key: ${HUNTER}", &[("HUNTER", "")], &["secret_key", "${HUNTER}"]),
    ("secret_key: a\nsecret_key: hunter2", &[], &["line 2", "twice"]),
    ("secret_key: 'hunter2", &[], &["not valid YAML"]),
    ("secret_key: *hunter2", &[], &["not valid YAML"]),
    ("a: 1\n---\nb: hunter2", &[], &["configuration file"]),
    ("capi: {timeout: 1ms}", &[], &["capi.timeout", "100ms"]),
    ("enrolment: {hosts: [hunter2]}", &[], &["enrolment.hosts"]),
    ("enrolment: {tenant: ' '}", &[], &["enrolment.tenant"]),
    ("filters: {mode: hunter2}", &[], &["block or allow"]),
    ("filters: {rules: hunter2}", &[], &["a list of rules"]),
    ("ip_info: {name_server: hunter2}", &[], &["ip_info.name_server", "an address"]),
    ("ip_info: {sources: 'whois, hunter2'}", &[], &["ip_info.sources", "whois, rdap, both, or none"]),
    ("ip_info: {sources: [whois, whois]}", &[], &["ip_info.sources", "each way once"]),
    ("ip_info: {whois_root: 'hunter 2'}", &[], &["ip_info.whois_root", "host:port"]),
    ("ip_info: {whois_registries: 'a=b=hunter2'}", &[], &["ip_info.whois_registries", "name=host:port"]),
    ("ip_info: {rdap_url: 'ftp://hunter2'}", &[], &["ip_info.rdap_url", "http"]),
    ("ip_info: {keep: 0s}", &[], &["ip_info.keep"]),
    ("ip_info: {keep_failures: 2h}", &[], &["ip_info.keep_failures"]),
    ("logging: {level: hunter2}", &[], &["logging.level"]),
    ("logging: {level: 'garrison=hunter2'}", &[], &["logging.level"]),
    ("logging: {format: hunter2}", &[], &["json or pretty"]),
    ("server: {listen: '1.1.1.1:1'}\nproxy: {listen_port: 1}", &[], &["server.listen", "proxy.listen_port"]),
    ("", &[("GARRISON_SECRET_KEY", "hunter2"), ("GARRISON_SECRET_KEY_FILE", "/x")], &["GARRISON_SECRET_KEY_FILE"]),
    ("", &[("GARRISON_SECRET_KEY_FILE", "/no/such/file")], &["GARRISON_SECRET_KEY_FILE", "/no/such/file"]),
];

#[test]
fn refusals_name_key_and_place_but_no_value() {
    for (file, environment, expected) in CASES {
        let message = refused(file, environment);
        for part in *expected {
            assert!(message.contains(part), "{file} {environment:?}: {message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn unknown_variables() {
    let check = |name: &str, value: &str| check_variables([(name.to_owned(), Some(value.to_owned()))]);
    for (name, value) in [
        ("GARRISON_LISTEN", "x"),
        ("GARRISON_CONFIG", "x"),
        ("GARRISON_SECRET_KEY_FILE", "x"),
        ("GARRISON_TEST_ANYTHING", "x"),
        ("GARRISON_TYPO", ""),
        ("GARRISON_SERVICE_HOST", "10.0.0.1"),
        ("GARRISON_SERVICE_PORT_HTTP", "80"),
        ("GARRISON_PORT", "tcp://10.0.0.1:80"),
        ("GARRISON_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("OTHER", "x"),
    ] {
        check(name, value).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for name in [
        "GARRISON_LISTENN",
        "GARRISON_LISTEN_FILE",
        "GARRISON_RETENTION_DAYS",
        "GARRISON_PORT",
    ] {
        assert!(check(name, "x").unwrap_err().to_string().contains(name));
    }
    assert!(check_variables([("GARRISON_LISTEN".to_owned(), None)]).is_err());
}

#[test]
fn a_named_file_must_exist() {
    let error = read_file(Path::new("/no/such/garrison.yaml")).unwrap_err();
    assert!(error.to_string().contains("/no/such/garrison.yaml"));
}
