//! Our part in CAPI's answer: its values stay the bytes they were.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A link to a blocklist, as engines read it.
#[derive(Debug, Serialize)]
pub struct BlockLink {
    pub name: String,
    pub url: String,
    pub remediation: String,
    pub scope: &'static str,
    pub duration: &'static str,
}

/// A link to an allowlist.
#[derive(Debug, Serialize)]
pub struct AllowLink {
    pub id: String,
    pub name: String,
    pub description: String,
    pub url: String,
    pub created_at: String,
    pub updated_at: String,
}

/// What a machine's stream gets from us.
#[derive(Debug)]
pub enum Part {
    /// For engines from 1.5 on.
    Links {
        /// Blocklists.
        block: Vec<BlockLink>,
        /// Allowlists.
        allow: Vec<AllowLink>,
    },
    /// For older ones: decisions in their flat form.
    Decisions {
        /// To be added.
        new: Vec<String>,
        /// To be taken away.
        deleted: Vec<String>,
    },
}

impl Part {
    /// CAPI's answer with our part in it; none when it is not what we know, and must pass as it is.
    #[must_use]
    pub fn merged(&self, answer: &[u8]) -> Option<Vec<u8>> {
        let mut whole: Object<'_> = serde_json::from_slice(answer).ok()?;
        match self {
            Self::Links { block, allow } => {
                if block.is_empty() && allow.is_empty() {
                    return Some(answer.to_vec());
                }
                let links = whole.get("links").filter(|raw| *raw != "null").unwrap_or("{}");
                let mut links: Object<'_> = serde_json::from_str(links).ok()?;
                links.append("blocklists", &texts(block)?)?;
                links.append("allowlists", &texts(allow)?)?;
                let links = links.to_string();
                whole.set("links", links);
            }
            Self::Decisions { new, deleted } => {
                if new.is_empty() && deleted.is_empty() {
                    return Some(answer.to_vec());
                }
                whole.append("new", new)?;
                whole.append("deleted", deleted)?;
            }
        }
        Some(whole.to_string().into_bytes())
    }
}

fn texts<T: Serialize>(items: &[T]) -> Option<Vec<String>> {
    items
        .iter()
        .map(|item| serde_json::to_string(item).ok())
        .collect()
}

/// A JSON object: its members in their order, each with the very text it came with.
struct Object<'a>(Vec<(String, Text<'a>)>);

enum Text<'a> {
    Theirs(&'a str),
    Ours(String),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Theirs(text) => text,
            Self::Ours(text) => text,
        }
    }
}

impl Object<'_> {
    /// Of two members with one name readers take the later one.
    fn get(&self, name: &str) -> Option<&str> {
        let hit = self.0.iter().rev().find(|(key, _)| key == name);
        hit.map(|(_, text)| text.as_str())
    }

    fn set(&mut self, name: &str, text: String) {
        match self.0.iter_mut().rev().find(|(key, _)| key == name) {
            Some((_, old)) => *old = Text::Ours(text),
            None => self.0.push((name.to_owned(), Text::Ours(text))),
        }
    }

    /// Adds items at the end of a list, which may be absent or null; none when it is something else.
    fn append(&mut self, name: &str, items: &[String]) -> Option<()> {
        if items.is_empty() {
            return Some(());
        }
        let inner = match self.get(name) {
            None | Some("null") => "",
            Some(list) => list.strip_prefix('[')?.strip_suffix(']')?.trim(),
        };
        let comma = if inner.is_empty() { "" } else { "," };
        let list = format!("[{inner}{comma}{}]", items.join(","));
        self.set(name, list);
        Some(())
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, (key, text)) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            let key = serde_json::to_string(key).map_err(|_| fmt::Error)?;
            write!(f, "{comma}{key}:{}", text.as_str())?;
        }
        f.write_str("}")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((key, Text::Theirs(value.get())));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Part {
        Part::Links {
            block: vec![BlockLink {
                name: "garrison".into(),
                url: "http://g/links/x".into(),
                remediation: "ban".into(),
                scope: "Ip",
                duration: "2h30m",
            }],
            allow: Vec::new(),
        }
    }

    const OURS: &str =
        r#"{"name":"garrison","url":"http://g/links/x","remediation":"ban","scope":"Ip","duration":"2h30m"}"#;

    fn merged(part: &Part, answer: &str) -> Option<String> {
        part.merged(answer.as_bytes())
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn links_are_added_and_nothing_else_is_touched() {
        for (answer, expected) in [
            (
                r#"{"new": [{"x" : 1.50e3}], "deleted": [], "links": {"blocklists": []}}"#,
                r#"{"new":[{"x" : 1.50e3}],"deleted":[],"links":{"blocklists":[OURS]}}"#,
            ),
            (
                r#"{"links":{"future":[1, 2],"blocklists":[ {"name":"theirs"} ],"allowlists":null},"z":"\u0041"}"#,
                r#"{"links":{"future":[1, 2],"blocklists":[{"name":"theirs"},OURS],"allowlists":null},"z":"\u0041"}"#,
            ),
            (r#"{"links":null}"#, r#"{"links":{"blocklists":[OURS]}}"#),
            ("{}", r#"{"links":{"blocklists":[OURS]}}"#),
            (
                r#"{"links":{"blocklists":[{"a":1}]},"links":{"blocklists":null}}"#,
                r#"{"links":{"blocklists":[{"a":1}]},"links":{"blocklists":[OURS]}}"#,
            ),
        ] {
            let expected = expected.replace("OURS", OURS);
            assert_eq!(merged(&links(), answer), Some(expected), "{answer}");
        }
        for odd in [
            "",
            "[]",
            "null",
            "{",
            r#"{"links":[]}"#,
            r#"{"links":{"blocklists":{}}}"#,
        ] {
            assert_eq!(merged(&links(), odd), None, "{odd}");
        }
    }

    #[test]
    fn decisions_are_added_to_both_lists() {
        let part = Part::Decisions {
            new: vec!["1".into(), "2".into()],
            deleted: vec!["3".into()],
        };
        for (answer, expected) in [
            (
                r#"{"new": [ {"a" :1 } ], "deleted": null}"#,
                r#"{"new":[{"a" :1 },1,2],"deleted":[3]}"#,
            ),
            ("{}", r#"{"new":[1,2],"deleted":[3]}"#),
        ] {
            assert_eq!(merged(&part, answer).as_deref(), Some(expected));
        }
        let nothing = Part::Decisions {
            new: Vec::new(),
            deleted: Vec::new(),
        };
        assert_eq!(
            merged(&nothing, r#"{ "new" : [] }"#).as_deref(),
            Some(r#"{ "new" : [] }"#)
        );
    }
}
