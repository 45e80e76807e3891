#![allow(clippy::unwrap_used, reason = "a test may stop on the first surprise")]

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::Config;

fn load(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(None, &|name| {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

const WHOLE: [(&str, &str); 4] = [
    ("GARRISON_PUBLIC_URL", "https://gate.example.org/"),
    ("GARRISON_OIDC_ISSUER", "https://id.example.org/realms/a"),
    ("GARRISON_OIDC_CLIENT_ID", "garrison"),
    ("GARRISON_OIDC_CLIENT_SECRET", "s3cr3t"),
];

#[test]
fn a_provider_is_read_whole() {
    assert!(load(&[]).unwrap().oidc.login.is_none());
    let login = load(&WHOLE).unwrap().oidc.login.unwrap();
    assert_eq!(login.issuer, "https://id.example.org/realms/a");
    assert_eq!(login.scopes, "openid email profile groups");
    assert_eq!(login.claims, ["sub", "email", "groups"]);
    assert!(login.require_verified_email);
    assert_eq!(login.client_secret.as_ref().unwrap().expose_secret(), "s3cr3t");
    assert!(!format!("{login:?}").contains("s3cr3t"));
    let more = [&WHOLE[..], &[("GARRISON_OIDC_SCOPES", "email")]].concat();
    assert_eq!(load(&more).unwrap().oidc.login.unwrap().scopes, "openid email");
}

#[test]
fn half_a_provider_is_refused() {
    for (left_out, names) in [
        (0, "server.public_url"),
        (1, "oidc.issuer"),
        (2, "oidc.client_id"),
    ] {
        let mut some = WHOLE.to_vec();
        some.remove(left_out);
        let refusal = load(&some).unwrap_err().to_string();
        assert!(
            refusal.contains(names) && !refusal.contains("s3cr3t"),
            "{refusal}"
        );
    }
    for issuer in [
        "id.example.org",
        "http://id.example.org",
        "ftp://id.example.org",
        "https://",
        "https://id.example.org/?a",
        "https://u:p@id.example.org",
    ] {
        let mut wrong = WHOLE.to_vec();
        wrong[1].1 = issuer;
        assert!(load(&wrong).is_err(), "{issuer}");
    }
    let mut near = WHOLE.to_vec();
    near[1].1 = "http://127.0.0.1:4000";
    assert!(load(&near).is_ok());
}

#[test]
fn groups_are_read_and_nothing_is_guessed() {
    let read = |text| load(&[("GARRISON_OIDC_GROUPS", text)]).map(|config| config.oidc.groups);
    let found = read("msp-admins=*:platform-admin, acme-ops = acme:operator,/a/b=acme:viewer").unwrap();
    let grant = |group: &str, tenant: Option<&str>, role: &str| GroupGrant {
        group: group.to_owned(),
        tenant: tenant.map(str::to_owned),
        role: role.to_owned(),
    };
    assert_eq!(
        found,
        [
            grant("msp-admins", None, "platform-admin"),
            grant("acme-ops", Some("acme"), "operator"),
            grant("/a/b", Some("acme"), "viewer"),
        ]
    );
    assert_eq!(read("cn=ops=acme:admin").unwrap()[0].group, "cn=ops");
    for wrong in [
        "acme-ops",
        "acme-ops=acme",
        "acme-ops=acme:root",
        "acme-ops=acme:Operator",
        "=acme:viewer",
        "a=:viewer",
        "a=*:viewer",
        "a=acme:platform-admin",
    ] {
        let refusal = read(wrong).unwrap_err().to_string();
        assert!(
            refusal.contains("GARRISON_OIDC_GROUPS") && refusal.contains("helpdesk"),
            "{refusal}"
        );
    }
}

#[test]
fn the_whole_internet_is_no_proxy() {
    let read = |text| load(&[("GARRISON_AUTH_HEADERS_PROXIES", text)]);
    assert!(read("none").unwrap().oidc.proxies.is_empty());
    assert_eq!(read("10.0.0.1, fd00::/8").unwrap().oidc.proxies.len(), 2);
    for wrong in ["0.0.0.0/0", "::/0", "10/8", "proxy.example"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
