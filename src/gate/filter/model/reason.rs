//! The reason a rule gives for its match: a sentence for people, kept with the alert.

use serde_json::Value;

use super::Geo;
use super::expr::Node;
use super::value::Field;

/// Longest reason, in characters.
const MAX_CHARS: usize = 500;
/// Stop collecting once this many bytes are there: enough for 500 characters of any kind.
const ENOUGH: usize = MAX_CHARS * 4;

/// Why the node matches; empty if it does not.
pub(super) fn of(node: &Node, root: &Value, geo: &Geo) -> String {
    if !node.matches(root, geo) {
        return String::new();
    }
    let mut text = String::new();
    matched(node, root, geo, &mut text);
    cap(text)
}

/// The parts of a node that matched.
fn matched(node: &Node, root: &Value, geo: &Geo, out: &mut String) {
    if out.len() > ENOUGH {
        return;
    }
    match node {
        Node::And(conditions) => {
            join(conditions, " AND ", out, |condition, out| {
                matched(condition, root, geo, out);
            });
        }
        Node::Or(conditions) => {
            if let Some(first) = conditions.iter().find(|c| c.matches(root, geo)) {
                matched(first, root, geo, out);
            }
        }
        Node::Not(condition) => negated(condition, out),
        Node::Any(path, condition) => {
            if let Field::List(items) = path.find(root, geo)
                && let Some((i, item)) = items
                    .iter()
                    .enumerate()
                    .find(|(_, item)| condition.matches(item, geo))
            {
                out.extend([path.as_str(), "[", &i.to_string(), "]: "]);
                matched(condition, item, geo, out);
            }
        }
        Node::Field { path, op, test, .. } => match test.matching(path.find(root, geo)) {
            Some(source) => sentence(path.as_str(), op, &format!("\"{source}\""), out),
            None => described(node, out),
        },
        Node::All(..) => described(node, out),
    }
}

/// A node in words, whatever the signal.
fn described(node: &Node, out: &mut String) {
    if out.len() > ENOUGH {
        return;
    }
    match node {
        Node::And(conditions) => grouped(conditions, " AND ", out),
        Node::Or(conditions) => grouped(conditions, " OR ", out),
        Node::Not(condition) => negated(condition, out),
        Node::Any(path, condition) | Node::All(path, condition) => {
            let word = if matches!(node, Node::Any(..)) {
                "any"
            } else {
                "every"
            };
            out.extend([word, " ", path.as_str(), ": "]);
            described(condition, out);
        }
        Node::Field { path, op, value, .. } => sentence(path.as_str(), op, value, out),
    }
}

fn negated(condition: &Node, out: &mut String) {
    out.push_str("NOT(");
    described(condition, out);
    out.push(')');
}

fn grouped(conditions: &[Node], separator: &str, out: &mut String) {
    out.push('(');
    join(conditions, separator, out, described);
    out.push(')');
}

fn join(conditions: &[Node], separator: &str, out: &mut String, mut each: impl FnMut(&Node, &mut String)) {
    for (i, condition) in conditions.iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        each(condition, out);
    }
}

/// `field op value`, readable.
fn sentence(field: &str, op: &str, value: &str, out: &mut String) {
    let words = match op {
        "eq" if value.is_empty() => "is missing",
        "ne" if value.is_empty() => "is present",
        "eq" => "is",
        "ne" => "is not",
        "gt" => ">",
        "gte" => ">=",
        "lt" => "<",
        "lte" => "<=",
        "in" => "is one of",
        "not_in" => "is none of",
        "contains" => "contains",
        "not_contains" => "does not contain",
        "starts_with" => "starts with",
        "ends_with" => "ends with",
        "empty" => "is empty",
        "not_empty" => "is not empty",
        "glob" => "matches glob",
        "regex" => "matches regex",
        "cidr" => "is within",
        other => other,
    };
    out.push_str(field);
    out.push(' ');
    out.push_str(words);
    if !value.is_empty() {
        out.push(' ');
        out.push_str(value);
    }
}

fn cap(text: String) -> String {
    if text.chars().count() <= MAX_CHARS {
        return text;
    }
    text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
}
