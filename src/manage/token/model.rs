//! What a token may be.

use std::fmt;

use cidr::IpCidr;
use jiff::{SignedDuration, Timestamp};

use crate::http::{Permissions, Scope};
use crate::kernel::duration::parse_duration_ms;
use crate::kernel::net::parse_block;

/// Longest name.
const NAME: usize = 100;
/// Most scopes and networks of a token.
const MANY: usize = 50;
/// A token whose end is nearer than this ends soon.
pub const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long both tokens are good after a rotation, where nothing else is said.
pub const OVERLAP: i64 = 24 * 3600;
/// Longest overlap.
pub const LONGEST_OVERLAP: i64 = 30 * 24 * 3600;

/// What is wrong with a wish: the field, and what is expected there.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field.
    pub field: &'static str,
    /// What is expected.
    pub reason: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.reason)
    }
}

fn wrong<T>(field: &'static str, reason: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        field,
        reason: reason.into(),
    })
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What people know it by.
    pub name: String,
    /// Names of permissions and of the two seed scopes; in order, each once.
    pub scopes: Vec<String>,
    /// Where it may be used from; from anywhere when empty.
    pub networks: Vec<IpCidr>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

impl Draft {
    /// Reads a wish.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(
        name: &str,
        scopes: &[String],
        networks: &[String],
        expires: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Wrong> {
        let name = name.trim();
        if name.len() > NAME || name.chars().any(char::is_control) {
            return wrong("name", "must have at most 100 bytes without control characters");
        }
        if scopes.is_empty() || scopes.len() > MANY {
            return wrong("scopes", "must have 1 to 50 scopes");
        }
        if let Err(unknown) = Permissions::from_scopes(scopes.iter().map(String::as_str)) {
            let shown: String = unknown.chars().filter(|c| !c.is_control()).take(40).collect();
            let reason = format!("`{shown}` is neither read nor admin nor a permission such as alerts:read");
            return wrong("scopes", reason);
        }
        if networks.len() > MANY {
            return wrong("networks", "must have at most 50 networks");
        }
        let blocks: Option<Vec<_>> = networks.iter().map(|text| parse_block(text)).collect();
        let Some(blocks) = blocks else {
            return wrong("networks", "must be addresses or networks such as 192.0.2.0/24");
        };
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        let mut networks: Vec<IpCidr> = blocks.into_iter().map(Into::into).collect();
        networks.sort_unstable();
        networks.dedup();
        Ok(Self {
            name: name.to_owned(),
            scopes,
            networks,
            expires_at: expires.map(|text| lifetime(text, now)).transpose()?,
        })
    }

    /// What it opens.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions::from_scopes(self.scopes.iter().map(String::as_str)).unwrap_or_default()
    }

    /// What releases before scopes read of it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if self.scopes.iter().any(|name| name == "admin") {
            Scope::Admin
        } else {
            Scope::Read
        }
    }

    /// Whether releases before scopes and networks know it for what it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.networks.is_empty() && self.scopes == [self.scope().name()]
    }
}

/// When a token ends that is good for as long as this says.
///
/// # Errors
/// When it says nothing such as `90d` or `12h`.
pub fn lifetime(text: &str, now: Timestamp) -> Result<Timestamp, Wrong> {
    let ms = parse_duration_ms(text).filter(|ms| (60_000..=10 * 365 * 86_400_000).contains(ms));
    let end = ms.and_then(|ms| now.checked_add(SignedDuration::from_millis(ms)).ok());
    match end {
        Some(end) => Ok(end),
        None => wrong(
            "expires",
            "must be a duration from 1m to 3650d, such as 90d or 12h",
        ),
    }
}

/// Whether an end is near.
#[must_use]
pub fn ends_soon(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|end| end > now && end.duration_since(now) < SOON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, scopes: &[&str], networks: &[&str], expires: Option<&str>) -> Result<Draft, Wrong> {
        let own = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Draft::read(name, &own(scopes), &own(networks), expires, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn wishes_are_read() {
        let draft = read(
            " siem ",
            &["read", "decisions:lift", "read"],
            &["192.0.2.7/24", "::ffff:10.0.0.1"],
            Some("90d"),
        )
        .unwrap();
        assert_eq!(draft.name, "siem");
        assert_eq!(draft.scopes, ["decisions:lift", "read"]);
        let networks: Vec<_> = draft.networks.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.1", "192.0.2.0/24"]);
        assert_eq!(draft.expires_at.unwrap().as_second(), 90 * 86_400);
        assert!(!draft.is_plain());
        assert!(read("", &["admin"], &[], None).unwrap().is_plain());
        assert!(read("", &["read"], &[], None).unwrap().is_plain());
        assert!(!read("", &["admin", "read"], &[], None).unwrap().is_plain());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(101);
        for (field, result) in [
            ("name", read(&long, &["read"], &[], None)),
            ("name", read("a\nb", &["read"], &[], None)),
            ("scopes", read("", &[], &[], None)),
            ("scopes", read("", &["god"], &[], None)),
            ("scopes", read("", &["tenants:write"], &[], None)),
            ("networks", read("", &["read"], &["10.0.0.300"], None)),
            ("expires", read("", &["read"], &[], Some("soon"))),
            ("expires", read("", &["read"], &[], Some("1s"))),
        ] {
            assert_eq!(result.unwrap_err().field, field);
        }
    }

    #[test]
    fn an_end_is_near_for_two_weeks() {
        let now = Timestamp::UNIX_EPOCH;
        let in_days = |days: i64| Some(now + SignedDuration::from_hours(24 * days));
        for (end, soon) in [
            (None, false),
            (in_days(-1), false),
            (in_days(1), true),
            (in_days(15), false),
        ] {
            assert_eq!(ends_soon(end, now), soon, "{end:?}");
        }
    }
}
