//! A feed as its tenant defined it.

use jiff::Timestamp;

use crate::http::FieldError;

/// Most feeds of a tenant.
pub const FEED_LIMIT: i64 = 100;
/// Most tokens of a feed.
pub const TOKEN_LIMIT: i64 = 50;
/// Most texts of a list.
const LIST_LIMIT: usize = 100;

/// A feed as it is stored.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Feed {
    pub id: i64,
    pub name: String,
    pub description: String,
    pub origins: Vec<String>,
    pub types: Vec<String>,
    pub scenarios: Vec<String>,
    /// 4, 6 or both.
    pub family: Option<i16>,
    pub aggregate: bool,
    pub max_entries: Option<i32>,
    pub created_at: Timestamp,
}

/// A feed as somebody wants it.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Draft {
    pub name: String,
    pub description: String,
    pub origins: Vec<String>,
    /// Empty is bans: a firewall can show no captcha.
    pub types: Vec<String>,
    pub scenarios: Vec<String>,
    pub ipv4_only: bool,
    pub ipv6_only: bool,
    pub aggregate: bool,
    pub max_entries: Option<i64>,
}

/// Whether a text can be a feed's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

/// The one family that is asked for, if one is.
pub fn family(ipv4_only: bool, ipv6_only: bool) -> Result<Option<i16>, FieldError> {
    match (ipv4_only, ipv6_only) {
        (true, true) => Err(FieldError {
            field: "ipv6only".to_owned(),
            reason: "leaves nothing where there is ipv4only".to_owned(),
        }),
        (true, false) => Ok(Some(4)),
        (false, true) => Ok(Some(6)),
        (false, false) => Ok(None),
    }
}

impl Draft {
    /// Checks everything and says all that is wrong.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn check(self) -> Result<Feed, Vec<FieldError>> {
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
        if self.description.chars().count() > 500 || self.description.contains('\0') {
            say(
                "description",
                "must have at most 500 characters and no NUL".to_owned(),
            );
        }
        for (field, list) in [
            ("origins", &self.origins),
            ("types", &self.types),
            ("scenarios", &self.scenarios),
        ] {
            let good = |text: &String| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
            if list.len() > LIST_LIMIT || !list.iter().all(good) {
                let reason = "texts of 1 to 255 bytes without control characters";
                say(field, format!("must be at most {LIST_LIMIT} {reason}"));
            }
        }
        let max_entries = self.max_entries.map(i32::try_from).transpose();
        if max_entries.is_err() || matches!(max_entries, Ok(Some(..=0))) {
            say("maxEntries", format!("must be 1 to {}", i32::MAX));
        }
        let family = family(self.ipv4_only, self.ipv6_only).unwrap_or_else(|e| {
            say(&e.field, e.reason);
            None
        });
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let lower = |list: Vec<String>| list.iter().map(|text| text.to_lowercase()).collect::<Vec<_>>();
        let types = if self.types.is_empty() {
            vec!["ban".to_owned()]
        } else {
            lower(self.types)
        };
        Ok(Feed {
            name: self.name,
            description: self.description,
            origins: lower(self.origins),
            types,
            scenarios: self.scenarios,
            family,
            aggregate: self.aggregate,
            max_entries: max_entries.ok().flatten(),
            ..Feed::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            name: "edge".to_owned(),
            description: String::new(),
            origins: vec!["CrowdSec".to_owned()],
            types: Vec::new(),
            scenarios: Vec::new(),
            ipv4_only: true,
            ipv6_only: false,
            aggregate: false,
            max_entries: Some(10),
        }
    }

    type Spoil = fn(&mut Draft);

    #[test]
    fn every_wrong_field_is_named() {
        let feed = draft().check().unwrap();
        assert_eq!(
            (feed.family, feed.types, feed.origins),
            (Some(4), vec!["ban".to_owned()], vec!["crowdsec".to_owned()])
        );
        let cases: &[(&str, Spoil)] = &[
            ("name", |d| d.name = "a/b".to_owned()),
            ("name", |d| d.name = String::new()),
            ("description", |d| d.description = "x".repeat(501)),
            ("description", |d| d.description = "\0".to_owned()),
            ("origins", |d| d.origins = vec![String::new()]),
            ("types", |d| d.types = vec!["b\nn".to_owned()]),
            ("scenarios", |d| d.scenarios = vec!["x".to_owned(); 101]),
            ("maxEntries", |d| d.max_entries = Some(0)),
            ("maxEntries", |d| d.max_entries = Some(1 << 40)),
            ("ipv6only", |d| d.ipv6_only = true),
        ];
        for (field, spoil) in cases {
            let mut bad = draft();
            spoil(&mut bad);
            let wrong: Vec<String> = bad.check().unwrap_err().into_iter().map(|e| e.field).collect();
            assert_eq!(wrong, [*field]);
        }
    }
}
