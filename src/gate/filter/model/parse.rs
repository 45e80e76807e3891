//! Reads an expression from JSON: shape, budgets, compilation. Everything that can be wrong with a rule is found here.

use serde_json::{Map, Value};

use super::expr::{ExprError, Node};
use super::glob::{Glob, GlobError};
use super::operator::{self, Blocks, Order, Test};
use super::path::Path;
use super::pattern::{self, PatternError};
use super::value::{Literal, Set};
use crate::kernel::net::parse_block;

/// Deepest nesting of conditions.
const MAX_DEPTH: usize = 16;
/// Most conditions in one expression, groups counted too.
const MAX_NODES: usize = 256;
/// Most values in one array.
const MAX_VALUES: usize = 1_000;
/// Most globs and regular expressions in one expression.
const MAX_PATTERNS: usize = 64;
/// Highest sum of the costs of all patterns: keeps the compilation of a whole expression within milliseconds.
const MAX_TOTAL_COST: u64 = 12_000;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nested too deep.
    #[error("nested deeper than {MAX_DEPTH} conditions")]
    TooDeep,
    /// Too many conditions.
    #[error("more than {MAX_NODES} conditions in one expression")]
    TooManyNodes,
    /// Too many values in an array.
    #[error("more than {MAX_VALUES} values in one array")]
    TooManyValues,
    /// Too many patterns.
    #[error("more than {MAX_PATTERNS} patterns in one expression")]
    TooManyPatterns,
    /// All patterns together are too large.
    #[error("the patterns of this expression are too complex together")]
    TooComplex,
    /// A required key is absent.
    #[error("{0:?} is required")]
    Required(&'static str),
    /// A key has the wrong type.
    #[error("must be {0}")]
    MustBe(&'static str),
    /// A key that has no meaning here.
    #[error("unknown key {0:?}")]
    UnknownKey(String),
    /// An operator that does not exist.
    #[error("unknown operator {0:?}")]
    UnknownOperator(String),
    /// A path that is too long.
    #[error("field path is too long")]
    PathTooLong,
    /// A group without conditions.
    #[error("at least one condition is required")]
    NoConditions,
    /// A regular expression was refused.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A glob was refused.
    #[error(transparent)]
    Glob(#[from] GlobError),
}

/// Longest excerpt of the author's text in an error, in characters.
const MAX_QUOTED: usize = 60;

/// Reads a whole expression; returns the tree, and warnings about conditions that can never be met.
pub(super) fn expression(value: &Value) -> Result<(Node, Vec<String>), ExprError> {
    let mut reader = Reader::default();
    let node = reader.node(value, 1).map_err(|problem| ExprError {
        path: reader.path_text(),
        problem,
    })?;
    Ok((node, reader.warnings))
}

enum Step {
    Key(&'static str),
    Index(usize),
}

#[derive(Default)]
struct Reader {
    /// Where the reader is; left as it is when an error goes up, so that it names the place.
    path: Vec<Step>,
    nodes: usize,
    patterns: usize,
    cost: u64,
    warnings: Vec<String>,
}

impl Reader {
    fn node(&mut self, value: &Value, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        if self.nodes > MAX_NODES {
            return Err(Problem::TooManyNodes);
        }
        let object = value
            .as_object()
            .ok_or(Problem::MustBe("an object with \"op\""))?;
        let op = self.text(object, "op")?;
        match op {
            "and" | "or" => {
                known_keys(object, &["op", "conditions"])?;
                let conditions = self.conditions(object, depth)?;
                Ok(if op == "and" {
                    Node::And(conditions)
                } else {
                    Node::Or(conditions)
                })
            }
            "not" => {
                known_keys(object, &["op", "condition"])?;
                Ok(Node::Not(self.condition(object, depth)?))
            }
            "any" | "all" => {
                known_keys(object, &["op", "field", "condition"])?;
                let path = self.field(object)?;
                let condition = self.condition(object, depth)?;
                Ok(if op == "any" {
                    Node::Any(path, condition)
                } else {
                    Node::All(path, condition)
                })
            }
            _ => {
                let Some(op) = operator::NAMES.iter().find(|name| **name == op) else {
                    self.path.push(Step::Key("op"));
                    return Err(Problem::UnknownOperator(quoted(op)));
                };
                known_keys(object, &["field", "op", "value"])?;
                let path = self.field(object)?;
                self.path.push(Step::Key("value"));
                let literal = object.get("value").map(|value| self.literal(value)).transpose()?;
                let test = self.test(op, literal.as_ref())?;
                self.path.pop();
                let shown = if matches!(test, Test::Empty | Test::NotEmpty) {
                    None
                } else {
                    literal
                };
                Ok(Node::Field {
                    path,
                    op,
                    test,
                    value: shown.map(|v| v.to_string()).unwrap_or_default(),
                })
            }
        }
    }

    fn conditions(&mut self, object: &Map<String, Value>, depth: usize) -> Result<Vec<Node>, Problem> {
        let conditions = object.get("conditions").ok_or(Problem::Required("conditions"))?;
        self.path.push(Step::Key("conditions"));
        let conditions = conditions
            .as_array()
            .ok_or(Problem::MustBe("an array of conditions"))?;
        if conditions.is_empty() {
            return Err(Problem::NoConditions);
        }
        if conditions.len() > MAX_NODES {
            return Err(Problem::TooManyNodes);
        }
        let mut nodes = Vec::with_capacity(conditions.len());
        for (i, condition) in conditions.iter().enumerate() {
            self.path.push(Step::Index(i));
            nodes.push(self.node(condition, depth + 1)?);
            self.path.pop();
        }
        self.path.pop();
        Ok(nodes)
    }

    fn condition(&mut self, object: &Map<String, Value>, depth: usize) -> Result<Box<Node>, Problem> {
        let condition = object.get("condition").ok_or(Problem::Required("condition"))?;
        self.path.push(Step::Key("condition"));
        let node = self.node(condition, depth + 1)?;
        self.path.pop();
        Ok(Box::new(node))
    }

    fn field(&mut self, object: &Map<String, Value>) -> Result<Path, Problem> {
        let text = self.text(object, "field")?;
        self.path.push(Step::Key("field"));
        let path = Path::parse(text).ok_or(Problem::PathTooLong)?;
        self.path.pop();
        Ok(path)
    }

    fn text<'a>(&mut self, object: &'a Map<String, Value>, key: &'static str) -> Result<&'a str, Problem> {
        let value = object.get(key).ok_or(Problem::Required(key))?;
        self.path.push(Step::Key(key));
        let text = value.as_str().ok_or(Problem::MustBe("a string"))?;
        self.path.pop();
        Ok(text)
    }

    /// A value: a scalar, or an array of strings, numbers and booleans.
    fn literal(&mut self, value: &Value) -> Result<Literal, Problem> {
        let Value::Array(items) = value else {
            return scalar(value).ok_or(Problem::MustBe(
                "a string, number, boolean or null, or an array of strings, numbers and booleans",
            ));
        };
        if items.len() > MAX_VALUES {
            return Err(Problem::TooManyValues);
        }
        let mut literals = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            self.path.push(Step::Index(i));
            let literal = scalar(item).filter(|literal| *literal != Literal::Null);
            literals.push(literal.ok_or(Problem::MustBe("a string, number or boolean"))?);
            self.path.pop();
        }
        Ok(Literal::List(literals))
    }

    fn test(&mut self, op: &str, value: Option<&Literal>) -> Result<Test, Problem> {
        Ok(match op {
            "eq" => Test::Eq(value.cloned()),
            "ne" => Test::Ne(value.cloned()),
            "gt" => self.compare(Order::Gt, value),
            "gte" => self.compare(Order::Gte, value),
            "lt" => self.compare(Order::Lt, value),
            "lte" => self.compare(Order::Lte, value),
            "in" => Test::In(self.set(value)),
            "not_in" => Test::NotIn(self.set(value)),
            "contains" => Test::Contains(value.cloned()),
            "not_contains" => Test::NotContains(value.cloned()),
            "starts_with" => Test::StartsWith(self.string(value)),
            "ends_with" => Test::EndsWith(self.string(value)),
            "empty" => Test::Empty,
            "not_empty" => Test::NotEmpty,
            "glob" => Test::Glob(self.compiled(value, |source| Ok(Glob::compile(source)?))?),
            "regex" => Test::Regex(self.compiled(value, |source| Ok(pattern::compile(source)?))?),
            "cidr" => Test::Cidr(self.blocks(value)),
            _ => return Err(Problem::UnknownOperator(quoted(op))),
        })
    }

    fn compare(&mut self, order: Order, value: Option<&Literal>) -> Test {
        let number = if let Some(Literal::Number(n)) = value {
            Some(*n)
        } else {
            None
        };
        if number.is_none() {
            self.warn("no number, so the condition is never met");
        }
        Test::Compare(order, number)
    }

    fn set(&mut self, value: Option<&Literal>) -> Option<Set> {
        if let Some(Literal::List(items)) = value {
            return Some(Set::new(items));
        }
        self.warn("no array, so the condition is never met");
        None
    }

    fn string(&mut self, value: Option<&Literal>) -> Option<String> {
        if let Some(Literal::Text(text)) = value {
            return Some(text.clone());
        }
        self.warn("no string, so the condition is never met");
        None
    }

    /// The strings of a value that is one string or an array; anything else never matches.
    fn strings<'a>(&mut self, value: Option<&'a Literal>) -> Vec<(Option<usize>, &'a str)> {
        match value {
            Some(Literal::Text(text)) => return vec![(None, text)],
            Some(Literal::List(items)) => {
                let mut strings = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    if let Literal::Text(text) = item {
                        strings.push((Some(i), text.as_str()));
                    } else {
                        self.path.push(Step::Index(i));
                        self.warn("no string, so it never matches");
                        self.path.pop();
                    }
                }
                return strings;
            }
            _ => self.warn("no string, so the condition is never met"),
        }
        Vec::new()
    }

    fn compiled<T>(
        &mut self,
        value: Option<&Literal>,
        compile: fn(&str) -> Result<(T, u64), Problem>,
    ) -> Result<Vec<(String, T)>, Problem> {
        let mut all = Vec::new();
        for (index, source) in self.strings(value) {
            self.path.extend(index.map(Step::Index));
            self.patterns += 1;
            if self.patterns > MAX_PATTERNS {
                return Err(Problem::TooManyPatterns);
            }
            let (pattern, cost) = compile(source)?;
            self.cost += cost;
            if self.cost > MAX_TOTAL_COST {
                return Err(Problem::TooComplex);
            }
            all.push((source.to_owned(), pattern));
            if index.is_some() {
                self.path.pop();
            }
        }
        Ok(all)
    }

    fn blocks(&mut self, value: Option<&Literal>) -> Blocks {
        let mut blocks = Vec::new();
        for (index, source) in self.strings(value) {
            if let Some(block) = parse_block(source) {
                blocks.push((block, source.to_owned()));
            } else {
                self.path.extend(index.map(Step::Index));
                self.warn("no address or prefix, so it never matches");
                if index.is_some() {
                    self.path.pop();
                }
            }
        }
        Blocks::new(blocks)
    }

    fn warn(&mut self, what: &str) {
        self.warnings.push(format!("{}: {what}", self.path_text()));
    }

    fn path_text(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(key);
                }
                Step::Index(index) => text.extend(["[", &index.to_string(), "]"]),
            }
        }
        text
    }
}

fn scalar(value: &Value) -> Option<Literal> {
    Some(match value {
        Value::Null => Literal::Null,
        Value::Bool(b) => Literal::Bool(*b),
        Value::Number(n) => Literal::Number(n.as_f64()?),
        Value::String(text) => Literal::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

fn known_keys(object: &Map<String, Value>, known: &[&str]) -> Result<(), Problem> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Problem::UnknownKey(quoted(key))),
        None => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED).collect()
}
