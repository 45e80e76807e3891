//! How a feed is asked for: crowdsec-blocklist-mirror's parameters.

use super::definition::family;
use super::{Feed, Format};
use crate::http::FieldError;

/// One way to ask for a feed. The parameters narrow what the definition leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// How it is written.
    pub format: Format,
    /// The address list that a router's script fills.
    pub list: String,
    /// Of these origins only, beside the definition's.
    pub origins: Vec<String>,
    /// Of these types only, beside the definition's.
    pub types: Vec<String>,
    /// 4, 6 or both.
    pub family: Option<i16>,
    /// By address, not by time.
    pub sorted: bool,
    /// In as few networks as hold the same addresses.
    pub aggregate: bool,
    /// At most so many lines.
    pub most: Option<usize>,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            format: Format::PlainText,
            list: "CrowdSec".to_owned(),
            origins: Vec::new(),
            types: Vec::new(),
            family: None,
            sorted: true,
            aggregate: false,
            most: None,
        }
    }
}

impl Ask {
    /// Reads a query string's pairs. A flag counts when it is there, unless it says `false` or `0`; what is not known is
    /// dropped, as the mirror does.
    ///
    /// # Errors
    /// Every wrong parameter.
    pub fn read(pairs: &[(String, String)], feed: &Feed) -> Result<Self, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut say = |field: &str, reason: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason: reason.to_owned(),
            });
        };
        let mut ask = Self {
            aggregate: feed.aggregate,
            most: feed.max_entries.and_then(|n| usize::try_from(n).ok()),
            ..Self::default()
        };
        let (mut four, mut six) = (false, false);
        for (name, value) in pairs {
            let value = value.trim();
            let flag = !matches!(value, "false" | "0");
            match name.as_str() {
                "format" => match Format::named(value) {
                    Some(format) => ask.format = format,
                    None => say("format", "must be plain_text, mikrotik or f5"),
                },
                "listname" if is_list_name(value) => value.clone_into(&mut ask.list),
                "listname" if value.is_empty() => {}
                "listname" => say("listname", r#"must match pattern "^[a-zA-Z0-9_.-]{1,64}$""#),
                "ipv4only" => four = flag,
                "ipv6only" => six = flag,
                "nosort" => ask.sorted = !flag,
                "aggregate" => ask.aggregate |= flag,
                "origin" => ask.origins.extend(texts(value)),
                "supported_decisions_types" => ask.types.extend(texts(value)),
                "max" => match value.parse::<i32>().ok().and_then(|n| usize::try_from(n).ok()) {
                    Some(n) if n > 0 => ask.most = Some(ask.most.map_or(n, |most| most.min(n))),
                    _ => say("max", "must be an integer >= 1"),
                },
                _ => {}
            }
        }
        match family(four, six) {
            Ok(family) => ask.family = family,
            Err(e) => say(&e.field, &e.reason),
        }
        match (feed.family, ask.family) {
            (Some(4), Some(6)) => say("ipv6only", "leaves nothing of a feed of IPv4"),
            (Some(6), Some(4)) => say("ipv4only", "leaves nothing of a feed of IPv6"),
            (Some(family), _) => ask.family = Some(family),
            (None, _) => {}
        }
        if ask.origins.len() > 100 {
            say("origin", "must be at most 100");
        }
        if ask.types.len() > 100 {
            say("supported_decisions_types", "must be at most 100");
        }
        if wrong.is_empty() { Ok(ask) } else { Err(wrong) }
    }
}

fn texts(value: &str) -> impl Iterator<Item = String> {
    let texts = value.split(',').map(|text| text.trim().to_lowercase());
    texts.filter(|text| !text.is_empty() && !text.contains('\0'))
}

/// A name that means itself in a router's script.
fn is_list_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, feed: &Feed) -> Result<Ask, Vec<String>> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        let pairs: Vec<_> = query.split('&').filter(|p| !p.is_empty()).map(pair).collect();
        Ask::read(&pairs, feed).map_err(|wrong| wrong.into_iter().map(|e| e.field).collect())
    }

    #[test]
    #[allow(clippy::too_many_lines)] // a table
    fn parameters_narrow_the_definition() {
        let open = Feed::default();
        let narrow = Feed {
            family: Some(4),
            max_entries: Some(10),
            aggregate: true,
            ..Feed::default()
        };
        let ask = Ask::default;
        for (query, feed, expected) in [
            ("", &open, ask()),
            ("unknown=1", &open, ask()),
            (
                "ipv4only",
                &open,
                Ask {
                    family: Some(4),
                    ..ask()
                },
            ),
            (
                "ipv6only=",
                &open,
                Ask {
                    family: Some(6),
                    ..ask()
                },
            ),
            (
                "ipv6only=false&ipv4only=true",
                &open,
                Ask {
                    family: Some(4),
                    ..ask()
                },
            ),
            (
                "nosort",
                &open,
                Ask {
                    sorted: false,
                    ..ask()
                },
            ),
            (
                "aggregate=true&max=3",
                &open,
                Ask {
                    aggregate: true,
                    most: Some(3),
                    ..ask()
                },
            ),
            (
                "origin=CrowdSec",
                &open,
                Ask {
                    origins: vec!["crowdsec".into()],
                    ..ask()
                },
            ),
            (
                "supported_decisions_types=ban,%20&supported_decisions_types= Captcha ,",
                &open,
                Ask {
                    types: vec!["ban".into(), "%20".into(), "captcha".into()],
                    ..ask()
                },
            ),
            (
                "format=f5",
                &open,
                Ask {
                    format: Format::F5,
                    ..ask()
                },
            ),
            (
                "format=mikrotik&listname=a.b-c",
                &open,
                Ask {
                    format: Format::Mikrotik,
                    list: "a.b-c".into(),
                    ..ask()
                },
            ),
            (
                "max=50",
                &narrow,
                Ask {
                    family: Some(4),
                    aggregate: true,
                    most: Some(10),
                    ..ask()
                },
            ),
            (
                "max=5&aggregate=false",
                &narrow,
                Ask {
                    family: Some(4),
                    aggregate: true,
                    most: Some(5),
                    ..ask()
                },
            ),
        ] {
            assert_eq!(read(query, feed), Ok(expected), "{query}");
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        let open = Feed::default();
        let narrow = Feed {
            family: Some(4),
            ..Feed::default()
        };
        for (query, feed, field) in [
            ("format=xml", &open, "format"),
            ("format", &open, "format"),
            ("listname=a b", &open, "listname"),
            ("listname=x]; /system reset", &open, "listname"),
            ("listname=$x", &open, "listname"),
            ("max=0", &open, "max"),
            ("max=-1", &open, "max"),
            ("max=99999999999", &open, "max"),
            ("ipv4only&ipv6only", &open, "ipv6only"),
            ("ipv6only", &narrow, "ipv6only"),
        ] {
            assert_eq!(read(query, feed), Err(vec![field.to_owned()]), "{query}");
        }
    }
}
