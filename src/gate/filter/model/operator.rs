//! The operators of a field condition, compiled, and their exact verdicts.

use std::net::IpAddr;

use regex::Regex;

use super::glob::Glob;
use super::value::{Field, Literal, Set};
use crate::kernel::net::{Block, parse_block};

/// The names of the field operators, as rules write them.
pub const NAMES: &[&str] = &[
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "empty",
    "not_empty",
    "glob",
    "regex",
    "cidr",
];

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `>`
    Gt,
    /// `>=`
    Gte,
    /// `<`
    Lt,
    /// `<=`
    Lte,
}

/// A field operator with its value. Where the value's type does not fit the operator (a string for `gt`, no array for
/// `in`) the condition is simply never met, as in `CrowdSieve`.
#[derive(Clone, Debug)]
pub enum Test {
    /// Strictly equal; without a value: the field is missing.
    Eq(Option<Literal>),
    /// Negation of [`Test::Eq`].
    Ne(Option<Literal>),
    /// Both are numbers and stand in this order.
    Compare(Order, Option<f64>),
    /// The array holds the field. `None`: the value is no array.
    In(Option<Set>),
    /// The value is an array that does not hold the field (a missing field matches).
    NotIn(Option<Set>),
    /// Substring of a string, or element of an array.
    Contains(Option<Literal>),
    /// Negation of [`Test::Contains`] for strings and arrays; false for a missing field or another type.
    NotContains(Option<Literal>),
    /// A string begins so.
    StartsWith(Option<String>),
    /// A string ends so.
    EndsWith(Option<String>),
    /// Missing, null, `""` or `[]`.
    Empty,
    /// Negation of [`Test::Empty`].
    NotEmpty,
    /// One of the globs matches a string.
    Glob(Vec<(String, Glob)>),
    /// One of the patterns matches somewhere in a string.
    Regex(Vec<(String, Regex)>),
    /// The address or block in a string lies in one of the blocks.
    Cidr(Blocks),
}

impl Test {
    /// Whether the field meets the condition.
    #[must_use]
    pub fn matches(&self, field: Field<'_>) -> bool {
        match self {
            Self::Eq(value) => equals(value.as_ref(), field),
            Self::Ne(value) => !equals(value.as_ref(), field),
            Self::Compare(order, value) => match (field, value) {
                (Field::Number(field), Some(value)) => order.holds(field, *value),
                _ => false,
            },
            Self::In(set) => set.as_ref().is_some_and(|set| set.contains(field)),
            Self::NotIn(set) => set.as_ref().is_some_and(|set| !set.contains(field)),
            Self::Contains(value) => contains(value.as_ref(), field) == Some(true),
            Self::NotContains(value) => contains(value.as_ref(), field) == Some(false),
            Self::StartsWith(value) => text_test(field, value.as_ref(), |text, part| text.starts_with(part)),
            Self::EndsWith(value) => text_test(field, value.as_ref(), |text, part| text.ends_with(part)),
            Self::Empty => field.is_empty(),
            Self::NotEmpty => !field.is_empty(),
            Self::Glob(_) | Self::Regex(_) | Self::Cidr(_) => self.matching(field).is_some(),
        }
    }

    /// The pattern or block, as written, that the field matched: the first one of the array.
    #[must_use]
    pub fn matching(&self, field: Field<'_>) -> Option<&str> {
        let Field::Text(text) = field else {
            return None;
        };
        match self {
            Self::Glob(globs) => globs
                .iter()
                .find(|(_, glob)| glob.matches(text))
                .map(|(source, _)| source.as_str()),
            Self::Regex(all) => all
                .iter()
                .find(|(_, regex)| regex.is_match(text))
                .map(|(source, _)| source.as_str()),
            Self::Cidr(blocks) => blocks.find(text),
            _ => None,
        }
    }
}

impl Order {
    fn holds(self, field: f64, value: f64) -> bool {
        match self {
            Self::Gt => field > value,
            Self::Gte => field >= value,
            Self::Lt => field < value,
            Self::Lte => field <= value,
        }
    }
}

fn equals(value: Option<&Literal>, field: Field<'_>) -> bool {
    match value {
        None => matches!(field, Field::Missing),
        Some(value) => value.equals(field),
    }
}

/// `None` when the question makes no sense: the field is neither string nor array, or a string is searched for a number.
fn contains(value: Option<&Literal>, field: Field<'_>) -> Option<bool> {
    match (field, value) {
        (Field::Text(text), Some(Literal::Text(part))) => Some(text.contains(part.as_str())),
        (Field::List(items), value) => {
            Some(value.is_some_and(|value| items.iter().any(|item| value.equals(Field::from(item)))))
        }
        _ => None,
    }
}

fn text_test(field: Field<'_>, value: Option<&String>, holds: fn(&str, &str) -> bool) -> bool {
    match (field, value) {
        (Field::Text(text), Some(part)) => holds(text, part),
        _ => false,
    }
}

/// The blocks of a `cidr` condition, sorted for binary search. No block lies within another: CIDR blocks either nest or
/// are disjoint, and the nested ones are left out.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    sorted: Vec<(Block, String)>,
}

impl Blocks {
    /// Blocks with the text each was written as.
    #[must_use]
    pub fn new(mut blocks: Vec<(Block, String)>) -> Self {
        blocks.sort_by_key(|(block, _)| (block.lo(), block.prefix_len()));
        let mut sorted: Vec<(Block, String)> = Vec::with_capacity(blocks.len());
        for (block, text) in blocks {
            if sorted.last().is_none_or(|(last, _)| !last.contains_block(&block)) {
                sorted.push((block, text));
            }
        }
        Self { sorted }
    }

    /// The block, as written, that holds the address or the whole block in the text.
    fn find(&self, text: &str) -> Option<&str> {
        let wanted = parse_block(text)?;
        let lo: IpAddr = wanted.lo();
        let after = self.sorted.partition_point(|(block, _)| block.lo() <= lo);
        let (block, source) = self.sorted.get(after.checked_sub(1)?)?;
        block.contains_block(&wanted).then_some(source.as_str())
    }
}
