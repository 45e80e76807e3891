//! The YAML file as a tree that remembers lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::error::ConfigError;

/// Largest configuration file in bytes.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// A node of the file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) value: Value,
}

/// What a node holds. Scalars keep the type YAML gave them, so that a password written `0755` is refused, not mangled.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Parses the file. Nothing in it, `${…}` included, is interpreted yet.
///
/// # Errors
/// [`ConfigError::TooLarge`] and [`ConfigError::Syntax`].
pub(super) fn parse(text: &str) -> Result<Node, ConfigError> {
    if text.len() > MAX_BYTES {
        return Err(ConfigError::TooLarge { limit: MAX_BYTES });
    }
    let options = serde_saphyr::options! {
        // A snippet would print the lines around an error, secrets included.
        with_snippet: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(MAX_BYTES),
            max_events: 50_000,
            max_nodes: 20_000,
            max_depth: 24,
            max_aliases: 64,
            max_anchors: 64,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: MAX_BYTES,
            max_documents: 1,
            max_total_scalar_bytes: 2 * MAX_BYTES,
            max_total_comment_bytes: MAX_BYTES,
        },
    };
    let root: Option<Node> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| syntax(&error))?;
    Ok(root.unwrap_or(Node {
        line: 1,
        value: Value::Null,
    }))
}

fn syntax(error: &serde_saphyr::Error) -> ConfigError {
    let (line, column) = error
        .location()
        .map_or((0, 0), |location| (location.line(), location.column()));
    let problem = match error {
        serde_saphyr::Error::DuplicateMappingKey { .. } => "the same key twice in one section",
        serde_saphyr::Error::Budget { .. } => "too deep, too long or too many aliases for a configuration",
        // The parser's own words may quote the file, and the file holds secrets.
        _ => "not valid YAML (look at the indentation, the quotes and the brackets)",
    };
    ConfigError::Syntax {
        line,
        column,
        problem: problem.to_owned(),
    }
}

impl Node {
    /// The value of one key of a mapping.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find_map(|(key, node)| (key == name).then_some(node)),
            _ => None,
        }
    }

    /// The node at a dotted path; an empty value (`key:`) counts as absent.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.')
            .try_fold(self, |node, name| node.get(name))
            .filter(|node| !matches!(node.value, Value::Null))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            line: spanned.referenced.line(),
            value: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, mut node)) = entries.next_entry::<Spanned<String>, Node>()? {
            // A key is what a person looks for; a block value starts a line later.
            node.line = key.referenced.line();
            map.push((key.value, node));
        }
        Ok(Value::Map(map))
    }
}
