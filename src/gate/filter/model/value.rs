//! What a condition compares: fields of a signal and literals of a rule, with JavaScript's strict equality.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

/// A field of a signal as a condition sees it, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// There is no such field (JavaScript's `undefined`).
    Missing,
    /// An explicit JSON null.
    Null,
    /// A boolean.
    Bool(bool),
    /// Any number, as JavaScript holds it.
    Number(f64),
    /// A string.
    Text(&'a str),
    /// An array.
    List(&'a [Value]),
    /// An object: equal to nothing, never empty.
    Object,
}

impl<'a> From<&'a Value> for Field<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            // Every JSON number has a nearest double; without arbitrary precision there is always one.
            Value::Number(n) => Self::Number(n.as_f64().unwrap_or(f64::NAN)),
            Value::String(s) => Self::Text(s),
            Value::Array(items) => Self::List(items),
            Value::Object(_) => Self::Object,
        }
    }
}

impl Field<'_> {
    /// Missing, null, `""` or `[]`. Objects, numbers and booleans are never empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Missing | Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::Object => false,
        }
    }
}

/// The `value` of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array of strings, numbers and booleans.
    List(Vec<Literal>),
}

impl Literal {
    /// Strict equality: no coercion, `1` is `1.0`, arrays and objects are equal to nothing.
    #[must_use]
    // JavaScript compares exactly, so do we.
    #[allow(clippy::float_cmp)]
    pub fn equals(&self, field: Field<'_>) -> bool {
        match (self, field) {
            (Self::Null, Field::Null) => true,
            (Self::Bool(a), Field::Bool(b)) => *a == b,
            (Self::Number(a), Field::Number(b)) => *a == b,
            (Self::Text(a), Field::Text(b)) => a == b,
            _ => false,
        }
    }
}

/// As in a rule's text: strings quoted, arrays in brackets.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// The array of an `in` condition, built for look-ups.
#[derive(Clone, Debug, Default)]
pub struct Set {
    texts: HashSet<Box<str>>,
    /// Bits of the numbers, with one zero.
    numbers: HashSet<u64>,
    bools: [bool; 2],
}

impl Set {
    /// A set of the literals; null and arrays are never members.
    #[must_use]
    pub fn new(literals: &[Literal]) -> Self {
        let mut set = Self::default();
        for literal in literals {
            match literal {
                Literal::Text(text) => _ = set.texts.insert(text.as_str().into()),
                Literal::Number(n) => _ = set.numbers.insert(number_key(*n)),
                Literal::Bool(b) => set.bools[usize::from(*b)] = true,
                Literal::Null | Literal::List(_) => {}
            }
        }
        set
    }

    /// Whether a member is strictly equal to the field.
    #[must_use]
    pub fn contains(&self, field: Field<'_>) -> bool {
        match field {
            Field::Text(text) => self.texts.contains(text),
            Field::Number(n) => self.numbers.contains(&number_key(n)),
            Field::Bool(b) => self.bools[usize::from(b)],
            Field::Missing | Field::Null | Field::List(_) | Field::Object => false,
        }
    }
}

/// Equal numbers have equal keys: adding zero turns -0 into 0, and JSON has no NaN.
fn number_key(n: f64) -> u64 {
    (n + 0.0).to_bits()
}
