//! A LAPI server, and what may be said of one.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::FieldError;
use crate::kernel::keyring::{Keyring, SealError};
use crate::outbound::client::Policy;
use crate::outbound::lapi::{Check, MachineLogin, Target};

/// Most servers of one tenant: a search asks all of them at once.
pub const SERVER_LIMIT: i32 = 100;
/// Most agents and most tags of one server.
const LIST_LIMIT: usize = 100;

/// Whether a text can be a server's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// A server as it is stored; its secrets are sealed.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Server {
    pub id: i64,
    pub name: String,
    pub url: String,
    pub bouncer_key: Vec<u8>,
    pub machine_id: Option<String>,
    pub machine_password: Option<Vec<u8>>,
    pub replicate_decisions: bool,
    pub source_machine_ids: Vec<String>,
    pub tags: Vec<String>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When it was last tried, and what worked.
    pub checked: Option<(Timestamp, Check)>,
}

/// How replication with a server stands.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Standing {
    pub wanted: i64,
    pub delivered: i64,
    pub present: i64,
    pub refused: i64,
    pub compared_at: Option<Timestamp>,
    pub waiting: i64,
    pub waiting_since: Option<Timestamp>,
    pub failures: i32,
    pub busy: bool,
    pub ok_at: Option<Timestamp>,
    pub error: Option<String>,
    pub next_try_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
    pub read_ok_at: Option<Timestamp>,
    pub read_error: Option<String>,
    pub skew_ms: i64,
}

/// What the state of a server's breaker is called: it opens at the fifth failure in a row, and one try at a time goes
/// through.
#[must_use]
pub const fn breaker(failures: i32, busy: bool) -> &'static str {
    match (failures >= 5, busy) {
        (false, _) => "closed",
        (true, false) => "open",
        (true, true) => "halfOpen",
    }
}

impl Server {
    /// Whether it can be written to.
    #[must_use]
    pub const fn can_ban(&self) -> bool {
        self.machine_id.is_some() && self.machine_password.is_some()
    }

    /// What it is spoken to with.
    ///
    /// # Errors
    /// When the secrets do not open: another key, or a row that was altered.
    pub fn target(&self, ring: &Keyring, tenant: i32) -> Result<Target, SealError> {
        let open = |column: &str, sealed: &[u8]| -> Result<SecretString, SealError> {
            let plain = ring.open(&place(column, tenant, &self.name, &self.url), sealed)?;
            Ok(String::from_utf8_lossy(&plain).into_owned().into())
        };
        let machine = match (&self.machine_id, &self.machine_password) {
            (Some(id), Some(sealed)) => Some(MachineLogin {
                id: id.clone(),
                password: open("machine_password", sealed)?,
            }),
            _ => None,
        };
        Ok(Target {
            key: (tenant, self.id, self.version),
            // The seal is bound to the text, and only what parses was sealed.
            url: self.url.parse().map_err(|_| SealError::Refused)?,
            bouncer_key: open("bouncer_key", &self.bouncer_key)?,
            machine,
        })
    }
}

/// Where a sealed value stands, which the seal is bound to. The URL is part of it: a secret is sent to no other place
/// than the one it was given for, whatever becomes of the row.
#[must_use]
pub fn place(column: &str, tenant: i32, name: &str, url: &str) -> String {
    format!("lapi_server.{column}/{tenant}/{name}/{url}")
}

/// What somebody says of a server. Secrets that are absent are kept from before.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Draft {
    pub name: String,
    pub url: String,
    pub bouncer_key: Option<SecretString>,
    pub machine_id: Option<String>,
    pub machine_password: Option<SecretString>,
    pub replicate_decisions: bool,
    pub source_machine_ids: Vec<String>,
    pub tags: Vec<String>,
}

impl Draft {
    /// Checks everything and says all that is wrong; the URL becomes canonical. `before` is the server that this
    /// replaces.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn check(mut self, policy: &Policy, before: Option<&Server>) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut say = |field: &str, reason: String| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason,
            });
        };
        if !is_name(&self.name) {
            say("name", r#"must match pattern "^[a-zA-Z0-9_-]{1,64}$""#.to_owned());
        }
        match policy.url(&self.url) {
            Ok(url) => self.url = url.into(),
            Err(e) => say("url", e.to_string()),
        }
        let moved = before.is_some_and(|before| before.url != self.url);
        match &self.bouncer_key {
            Some(key) if !is_printable(key.expose_secret(), 512) => say("apiKey", printable(512)),
            None if before.is_none() => say("apiKey", "is needed".to_owned()),
            None if moved => say("apiKey", "is needed again where the url changes".to_owned()),
            _ => {}
        }
        let same_machine = before.is_some_and(|before| before.machine_id == self.machine_id);
        match (&self.machine_id, &self.machine_password) {
            (Some(id), _) if !is_printable(id, 255) => say("machineId", printable(255)),
            (_, Some(password)) if !is_printable(password.expose_secret(), 512) => {
                say("password", printable(512));
            }
            (None, Some(_)) => say("machineId", "is needed with a password".to_owned()),
            (Some(_), None) if !same_machine => say("password", "is needed with a machineId".to_owned()),
            (Some(_), None) if moved => say("password", "is needed again where the url changes".to_owned()),
            _ => {}
        }
        if self.replicate_decisions && self.machine_id.is_none() {
            say(
                "replicateDecisions",
                "needs a machineId and a password".to_owned(),
            );
        }
        for (field, list) in [
            ("sourceMachineIds", &mut self.source_machine_ids),
            ("tags", &mut self.tags),
        ] {
            let good = |text: &String| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
            if list.len() > LIST_LIMIT || !list.iter().all(good) {
                say(
                    field,
                    format!(
                        "must be at most {LIST_LIMIT} texts of 1 to 255 bytes without control characters"
                    ),
                );
            }
            list.sort_unstable();
            list.dedup();
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }
}

/// Printable ASCII: anything else in a header or a login is an attack or a slip.
fn is_printable(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn printable(most: usize) -> String {
    format!("must have 1 to {most} printable ASCII characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            name: "paris-1".to_owned(),
            url: "https://lapi.example.org".to_owned(),
            bouncer_key: Some("key".into()),
            machine_id: Some("garrison".to_owned()),
            machine_password: Some("pass".into()),
            replicate_decisions: true,
            source_machine_ids: vec!["b".to_owned(), "a".to_owned(), "a".to_owned()],
            tags: Vec::new(),
        }
    }

    type Spoil = fn(&mut Draft);

    fn wrong(draft: Draft, before: Option<&Server>) -> Vec<String> {
        let checked = draft.check(&Policy::default(), before);
        checked
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|e| e.field)
            .collect()
    }

    fn stored(ring: &Keyring) -> Server {
        let url = "https://lapi.example.org/";
        let seal = |column: &str| ring.seal(&place(column, 7, "paris-1", url), b"old");
        Server {
            id: 1,
            name: "paris-1".to_owned(),
            url: url.to_owned(),
            bouncer_key: seal("bouncer_key"),
            machine_id: Some("garrison".to_owned()),
            machine_password: Some(seal("machine_password")),
            replicate_decisions: false,
            source_machine_ids: Vec::new(),
            tags: Vec::new(),
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            checked: None,
        }
    }

    #[test]
    fn a_good_draft_becomes_canonical() {
        let good = draft().check(&Policy::default(), None).unwrap();
        assert_eq!(good.url, "https://lapi.example.org/");
        assert_eq!(good.source_machine_ids, ["a", "b"]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let cases: &[(&str, Spoil)] = &[
            ("name", |d| d.name = "a b".to_owned()),
            ("name", |d| d.name = "x".repeat(65)),
            ("name", |d| d.name = String::new()),
            ("url", |d| d.url = "http://127.0.0.1:8080/".to_owned()),
            ("apiKey", |d| d.bouncer_key = None),
            ("apiKey", |d| d.bouncer_key = Some("a\r\nb: c".into())),
            ("apiKey", |d| d.bouncer_key = Some("é".into())),
            ("apiKey", |d| d.bouncer_key = Some("k".repeat(10_000).into())),
            ("apiKey", |d| d.bouncer_key = Some("".into())),
            ("password", |d| d.machine_password = None),
            ("password", |d| d.machine_password = Some("a\nb".into())),
            ("machineId", |d| {
                d.machine_id = None;
                d.replicate_decisions = false;
            }),
            ("machineId", |d| d.machine_id = Some("m\0".to_owned())),
            ("replicateDecisions", |d| {
                d.machine_id = None;
                d.machine_password = None;
            }),
            ("tags", |d| d.tags = vec!["\n".to_owned()]),
            ("tags", |d| d.tags = (0..101).map(|n| n.to_string()).collect()),
            ("sourceMachineIds", |d| d.source_machine_ids = vec![String::new()]),
        ];
        for (field, spoil) in cases {
            let mut bad = draft();
            spoil(&mut bad);
            assert_eq!(wrong(bad, None), [*field]);
        }
    }

    #[test]
    fn a_secret_stays_with_the_url_it_was_given_for() {
        let ring = Keyring::new(b"0123456789abcdef0123456789abcdef");
        let before = stored(&ring);
        let mut kept = draft();
        (kept.bouncer_key, kept.machine_password) = (None, None);
        assert!(wrong(kept.clone(), Some(&before)).is_empty());
        kept.url = "https://evil.example.org".to_owned();
        assert_eq!(wrong(kept.clone(), Some(&before)), ["apiKey", "password"]);
        let mut other = draft();
        (other.machine_id, other.machine_password) = (Some("other".to_owned()), None);
        assert_eq!(wrong(other, Some(&before)), ["password"]);
        assert!(before.target(&ring, 7).is_ok());
        for spoil in [
            (|s: &mut Server| s.url = "https://evil.example.org/".to_owned()) as fn(&mut Server),
            |s| s.name = "other".to_owned(),
        ] {
            let mut moved = stored(&ring);
            spoil(&mut moved);
            assert!(moved.target(&ring, 7).is_err());
        }
        assert!(stored(&ring).target(&ring, 8).is_err());
    }
}
