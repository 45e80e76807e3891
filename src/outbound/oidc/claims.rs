//! What is taken from the claims of who logged in.

use serde_json::{Map, Value};

use crate::kernel::mailbox::{email, is_name};

/// Longest name of a person, a session or a group at the provider.
const LONGEST: usize = 255;
/// Most groups that are looked at.
const GROUPS: usize = 1000;

/// Names of claims.
#[derive(Debug, Clone)]
pub struct Names {
    /// What tells people apart.
    pub subject: String,
    /// Their address.
    pub email: String,
    /// Their groups.
    pub groups: String,
}

impl Names {
    /// Whether all of them are there already.
    pub(super) fn are_in(&self, claims: &Map<String, Value>) -> bool {
        [&self.subject, &self.email, &self.groups]
            .iter()
            .all(|name| find(claims, name).is_some())
    }
}

/// What a provider tells of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// What tells them apart there, for ever.
    pub subject: String,
    /// What the provider's tokens call them: mostly the same.
    pub sub: String,
    /// The provider's session.
    pub sid: Option<String>,
    /// Their address, where it may be relied on.
    pub email: Option<String>,
    /// What they are called.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
}

impl Claims {
    /// Of claims whose signature was looked at.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn read(
        claims: &Map<String, Value>,
        names: &Names,
        require_verified: bool,
    ) -> Result<Self, &'static str> {
        let short = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str)?;
            let good = (1..=LONGEST).contains(&text.len()) && !text.contains(char::is_control);
            good.then(|| text.to_owned())
        };
        let sub = short(claims.get("sub")).ok_or("the token has no subject")?;
        let subject =
            short(find(claims, &names.subject)).ok_or("the claim that tells people apart is missing")?;
        let verified = match claims.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            // Some providers write it so.
            Some(Value::String(text)) => text == "true",
            _ => false,
        };
        let address = find(claims, &names.email).and_then(Value::as_str);
        let address = address.filter(|_| verified || !require_verified).and_then(email);
        let name = claims.get("name").and_then(Value::as_str).map(str::trim);
        let groups = match find(claims, &names.groups) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).take(GROUPS).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        Ok(Self {
            sub,
            subject,
            sid: short(claims.get("sid")),
            email: address,
            name: name.filter(|name| is_name(name)).unwrap_or_default().to_owned(),
            groups: groups.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// A claim by its name; where there is none of this name and it has a dot, the one within another.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (outer, inner) = name.split_once('.')?;
        find(claims.get(outer)?.as_object()?, inner)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> Names {
        Names {
            subject: "sub".to_owned(),
            email: "email".to_owned(),
            groups: "groups".to_owned(),
        }
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_address_counts_when_it_is_verified() {
        for (claims, strict, expected) in [
            (
                json!({"email": "Ada@x.org", "email_verified": true}),
                true,
                Some("ada@x.org"),
            ),
            (
                json!({"email": "ada@x.org", "email_verified": "true"}),
                true,
                Some("ada@x.org"),
            ),
            (json!({"email": "ada@x.org", "email_verified": false}), true, None),
            (json!({"email": "ada@x.org", "email_verified": 1}), true, None),
            (json!({"email": "ada@x.org"}), true, None),
            (json!({"email": "ada@x.org"}), false, Some("ada@x.org")),
            (json!({"email": "nonsense", "email_verified": true}), true, None),
            (json!({"email": 5, "email_verified": true}), true, None),
            (json!({"email_verified": true}), true, None),
        ] {
            let mut all = map(&claims);
            all.insert("sub".to_owned(), json!("1"));
            let read = Claims::read(&all, &names(), strict).unwrap();
            assert_eq!(read.email.as_deref(), expected, "{claims}");
        }
    }

    #[test]
    fn groups_are_found_where_they_are() {
        for (name, claims, expected) in [
            ("groups", json!({"groups": ["a", 5, "b"]}), &["a", "b"][..]),
            ("groups", json!({"groups": "a b"}), &["a b"]),
            ("groups", json!({"groups": {"a": 1}}), &[]),
            (
                "realm_access.roles",
                json!({"realm_access": {"roles": ["a"]}}),
                &["a"],
            ),
            (
                "https://x.org/groups",
                json!({"https://x.org/groups": ["a"]}),
                &["a"],
            ),
            ("a.b", json!({"a": "b"}), &[]),
        ] {
            let mut all = map(&claims);
            all.insert("sub".to_owned(), json!("1"));
            let names = Names {
                groups: name.to_owned(),
                ..names()
            };
            assert_eq!(
                Claims::read(&all, &names, true).unwrap().groups,
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn who_has_no_subject_is_nobody() {
        for claims in [
            json!({}),
            json!({"sub": ""}),
            json!({"sub": 5}),
            json!({"sub": "a\nb"}),
            json!({"sub": "a".repeat(256)}),
        ] {
            assert!(Claims::read(&map(&claims), &names(), true).is_err(), "{claims}");
        }
        let names = Names {
            subject: "oid".to_owned(),
            ..names()
        };
        assert!(Claims::read(&map(&json!({"sub": "1"})), &names, true).is_err());
        let read = Claims::read(&map(&json!({"sub": "1", "oid": "x", "sid": "s"})), &names, true).unwrap();
        assert_eq!(
            (&*read.sub, &*read.subject, read.sid.as_deref()),
            ("1", "x", Some("s"))
        );
    }
}
