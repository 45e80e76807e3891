//! The expression tree of a filter rule, compiled: evaluation allocates nothing and cannot fail.

use serde_json::Value;

use super::operator::Test;
use super::path::Path;
use super::value::Field;
use super::{Geo, parse, reason};

/// Why an expression was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct ExprError {
    /// JSON path within the expression (`conditions[2].value`); empty for the expression itself.
    pub path: String,
    /// What is wrong there.
    pub problem: parse::Problem,
}

/// A filter expression, checked and compiled.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(super) root: Node,
    warnings: Vec<String>,
}

/// One node of the tree.
#[derive(Clone, Debug)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// Some element of the array meets the condition.
    Any(Path, Box<Node>),
    /// The field is an array and every element meets the condition.
    All(Path, Box<Node>),
    /// A field condition; the literal as written is kept for the reason text.
    Field {
        path: Path,
        op: &'static str,
        test: Test,
        value: String,
    },
}

impl Expr {
    /// Reads and compiles an expression from its JSON form.
    ///
    /// # Errors
    /// [`ExprError`] for an unknown key or operator, a wrong shape, a pattern that does not compile, or more than the
    /// budgets allow (depth 16, 256 nodes, 1000 values in an array, 64 patterns).
    pub fn parse(value: &Value) -> Result<Self, ExprError> {
        parse::expression(value).map(|(root, warnings)| Self { root, warnings })
    }

    /// Whether the signal matches.
    #[must_use]
    pub fn matches(&self, signal: &Value, geo: &Geo) -> bool {
        self.root.matches(signal, geo)
    }

    /// Why the signal matches, for people; empty if it does not. At most 500 characters.
    #[must_use]
    pub fn reason(&self, signal: &Value, geo: &Geo) -> String {
        reason::of(&self.root, signal, geo)
    }

    /// Conditions that can never be met as they are written (a string for `gt`, an invalid block in `cidr`), each with
    /// its path. They are no errors, because `CrowdSieve` accepts them, but their author wants to know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Node {
    pub(super) fn matches(&self, root: &Value, geo: &Geo) -> bool {
        match self {
            Self::And(conditions) => conditions.iter().all(|c| c.matches(root, geo)),
            Self::Or(conditions) => conditions.iter().any(|c| c.matches(root, geo)),
            Self::Not(condition) => !condition.matches(root, geo),
            Self::Any(path, condition) => match path.find(root, geo) {
                Field::List(items) => items.iter().any(|item| condition.matches(item, geo)),
                _ => false,
            },
            Self::All(path, condition) => match path.find(root, geo) {
                Field::List(items) => items.iter().all(|item| condition.matches(item, geo)),
                _ => false,
            },
            Self::Field { path, test, .. } => test.matches(path.find(root, geo)),
        }
    }
}
