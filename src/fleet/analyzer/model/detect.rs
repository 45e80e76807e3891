//! From log lines to values that come too often.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::canonical;
use super::rule::Rule;
use crate::outbound::logs::Line;

/// Longest line that is read as JSON; a longer one is skipped.
const LINE_LIMIT: usize = 64 * 1024;
/// Distinct values of a group that are shown, and how much of each.
const SAMPLES: (usize, usize) = (20, 100);

/// A value and the lines that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Group {
    pub value: String,
    /// Distinct values of the other field; without one the lines.
    pub distinct: usize,
    pub total: usize,
    /// Times of the first and the last line, in nanoseconds.
    pub first: i64,
    pub last: i64,
    pub samples: Vec<String>,
}

/// What came of the lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Detected {
    /// The values that come too often, the most distinct first.
    pub groups: Vec<Group>,
    /// Lines that could not be read, do not have the field, or lie outside of the time.
    pub skipped: usize,
}

struct Counted<'a> {
    distinct: HashSet<String>,
    samples: Vec<String>,
    total: usize,
    first: i64,
    last: i64,
    marks: Option<&'a i64>,
}

/// The values of lines within the window (nanoseconds), in the order of the lines.
pub fn values(rule: &Rule, lines: &[Line], window: (i64, i64)) -> (Vec<Seen>, usize) {
    let mut seen = Vec::new();
    for line in lines {
        // Grafana counts in milliseconds.
        let within = line.ns >= window.0.saturating_sub(1_000_000) && line.ns <= window.1;
        if let Some((value, other)) = within.then(|| read(rule, line)).flatten() {
            seen.push(Seen {
                value,
                other,
                ns: line.ns,
            });
        }
    }
    let skipped = lines.len() - seen.len();
    (seen, skipped)
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Seen {
    pub value: String,
    pub other: Option<String>,
    pub ns: i64,
}

/// Groups what was seen. Lines up to a value's mark were acted upon and do not count again.
#[must_use]
pub fn detect(rule: &Rule, seen: Vec<Seen>, skipped: usize, marks: &HashMap<String, i64>) -> Detected {
    let mut groups: HashMap<String, Counted<'_>> = HashMap::new();
    for line in seen {
        let group = match groups.get_mut(&line.value) {
            Some(group) => group,
            None => {
                let fresh = Counted {
                    distinct: HashSet::new(),
                    samples: Vec::new(),
                    total: 0,
                    first: line.ns,
                    last: line.ns,
                    marks: marks.get(&line.value),
                };
                groups.entry(line.value).or_insert(fresh)
            }
        };
        if group.marks.is_some_and(|mark| line.ns <= *mark) {
            continue;
        }
        if group.total == 0 {
            (group.first, group.last) = (line.ns, line.ns);
        }
        group.total += 1;
        group.first = group.first.min(line.ns);
        group.last = group.last.max(line.ns);
        if let Some(other) = line.other
            && !other.is_empty()
            && !group.distinct.contains(&other)
        {
            if group.samples.len() < SAMPLES.0 {
                let sample = other.chars().filter(|c| *c != '\0').take(SAMPLES.1);
                group.samples.push(sample.collect());
            }
            group.distinct.insert(other);
        }
    }
    let by_lines = rule.detection.distinct.is_none();
    let group = |(value, counted): (String, Counted<'_>)| Group {
        value,
        distinct: if by_lines {
            counted.total
        } else {
            counted.distinct.len()
        },
        total: counted.total,
        first: counted.first,
        last: counted.last,
        samples: counted.samples,
    };
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(group)
        .filter(|group| group.total > 0 && is_too_much(rule, group.distinct))
        .collect();
    groups.sort_by(|a, b| (b.distinct, &a.value).cmp(&(a.distinct, &b.value)));
    Detected { groups, skipped }
}

fn is_too_much(rule: &Rule, count: usize) -> bool {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let threshold = rule.detection.threshold;
    match rule.detection.operator.as_str() {
        ">" => count > threshold,
        "<" => count < threshold,
        "<=" => count <= threshold,
        "==" => count == threshold,
        _ => count >= threshold,
    }
}

/// The value and the other field of a line; none where it has no value.
fn read(rule: &Rule, line: &Line) -> Option<(String, Option<String>)> {
    let path = |name: &str| rule.extraction.fields.get(name).map(String::as_str);
    let by = path(&rule.detection.groupby)?;
    let other = rule.detection.distinct.as_deref().and_then(path);
    let (value, other) = if rule.extraction.format == "labels" {
        let label = |name: &str| {
            let found = line.labels.iter().find(|(label, _)| label == name);
            found.map(|(_, text)| text.clone())
        };
        (label(by)?, other.and_then(label))
    } else {
        if line.text.len() > LINE_LIMIT {
            return None;
        }
        let object: Value = serde_json::from_str(&line.text).ok()?;
        (at(&object, by)?, other.and_then(|path| at(&object, path)))
    };
    let value = canonical(&value);
    (!value.is_empty()).then_some((value, other))
}

/// The text at the end of a path; a key that has dots itself is tried first.
fn at(value: &Value, path: &str) -> Option<String> {
    let found = match value.get(path) {
        Some(found) => found,
        None => path.split('.').try_fold(value, |inner, key| match inner {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            other => other.get(key),
        })?,
    };
    match found {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::analyzer::model::rule::tests::rule;
    use crate::outbound::logs::Labels;

    fn line(ns: i64, text: &str) -> Line {
        Line {
            ns,
            text: text.to_owned(),
            labels: Labels::from([("ip".to_owned(), "203.0.113.9".to_owned())]),
        }
    }

    fn found(rule: &Rule, lines: &[Line], marks: &[(&str, i64)]) -> Vec<(String, usize, usize)> {
        let (seen, skipped) = values(rule, lines, (0, 1000));
        let marks = marks
            .iter()
            .map(|(value, ns)| ((*value).to_owned(), *ns))
            .collect();
        let detected = detect(rule, seen, skipped, &marks);
        let row = |g: &Group| (g.value.clone(), g.distinct, g.total);
        detected.groups.iter().map(row).collect()
    }

    fn attempts() -> Vec<Line> {
        let users = ["a", "b", "c", "c"];
        let mut lines: Vec<Line> = (1..)
            .zip(users)
            .map(|(n, user)| {
                line(
                    n * 10,
                    &format!(r#"{{"client":{{"ip":"203.0.113.7"}},"user":"{user}"}}"#),
                )
            })
            .collect();
        lines.push(line(50, r#"{"client":{"ip":"::ffff:203.0.113.8"},"user":"a"}"#));
        lines.push(line(60, r#"{"client":{"ip":"203.0.113.8"},"user":"b"}"#));
        lines
    }

    #[test]
    fn thresholds_and_operators() {
        let seven = ("203.0.113.7".to_owned(), 3, 4);
        let eight = ("203.0.113.8".to_owned(), 2, 2);
        for (operator, threshold, expected) in [
            (">=", 3, vec![seven.clone()]),
            (">=", 2, vec![seven.clone(), eight.clone()]),
            (">", 3, vec![]),
            ("<", 3, vec![eight.clone()]),
            ("<=", 3, vec![seven.clone(), eight.clone()]),
            ("==", 2, vec![eight]),
        ] {
            let mut rule = rule();
            (rule.detection.operator, rule.detection.threshold) = (operator.to_owned(), threshold);
            assert_eq!(found(&rule, &attempts(), &[]), expected, "{operator} {threshold}");
        }
        let mut lines = rule();
        lines.detection.distinct = None;
        lines.detection.threshold = 4;
        assert_eq!(
            found(&lines, &attempts(), &[]),
            [("203.0.113.7".to_owned(), 4, 4)]
        );
    }

    #[test]
    fn a_line_that_was_acted_upon_does_not_count_again() {
        let mut rule = rule();
        rule.detection.threshold = 1;
        for (mark, expected) in [
            (0, Some((3, 4))),
            (10, Some((2, 3))),
            (30, Some((1, 1))),
            (40, None),
            (99, None),
        ] {
            let all = found(&rule, &attempts(), &[("203.0.113.7", mark)]);
            let of = all.iter().find(|(value, ..)| value == "203.0.113.7");
            assert_eq!(
                of.map(|(_, distinct, total)| (*distinct, *total)),
                expected,
                "{mark}"
            );
            assert!(all.iter().any(|(value, ..)| value == "203.0.113.8"));
        }
    }

    #[test]
    fn what_is_no_line_of_the_rule_is_skipped() {
        let rule = rule();
        let huge = format!(
            r#"{{"client":{{"ip":"203.0.113.7"}},"x":"{}"}}"#,
            "x".repeat(LINE_LIMIT)
        );
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        for (ns, text, counts) in [
            (5, r#"{"client":{"ip":"203.0.113.7"},"user":"a"}"#, true),
            (5, r#"{"client.ip":"203.0.113.7"}"#, true),
            (5, r#"{"client":{"ip":7}}"#, true),
            (1001, r#"{"client":{"ip":"203.0.113.7"}}"#, false),
            (-2_000_000, r#"{"client":{"ip":"203.0.113.7"}}"#, false),
            (5, "not json", false),
            (5, "", false),
            (5, r#"{"client":"203.0.113.7"}"#, false),
            (5, r#"{"client":{"ip":null}}"#, false),
            (5, r#"{"client":{"ip":{"a":1}}}"#, false),
            (5, r#"{"client":{"ip":""}}"#, false),
            (5, &huge, false),
            (5, &deep, false),
        ] {
            let (seen, skipped) = values(&rule, &[line(ns, text)], (0, 1000));
            assert_eq!(
                (seen.len(), skipped),
                if counts { (1, 0) } else { (0, 1) },
                "{text:.60}"
            );
        }
        assert_eq!(
            at(&serde_json::json!({"a": [{"b": true}]}), "a.0.b").as_deref(),
            Some("true")
        );
    }

    #[test]
    fn labels_are_fields_where_the_rule_says_so() {
        let mut rule = rule();
        "labels".clone_into(&mut rule.extraction.format);
        rule.extraction.fields.insert("ip".to_owned(), "ip".to_owned());
        rule.detection.distinct = None;
        rule.detection.threshold = 2;
        let lines = [line(1, "any text"), line(2, "at all")];
        assert_eq!(found(&rule, &lines, &[]), [("203.0.113.9".to_owned(), 2, 2)]);
    }
}
