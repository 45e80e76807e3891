//! Globs as minimatch reads them (its default options), run by a linear-time engine.
//!
//! `*` and `?` stay within a path portion and never match its leading dot, `**` as a whole portion spans portions, `!` in
//! front negates, braces expand, classes and extended globs (`@(a|b)`, `?(…)`, `*(…)`, `+(…)`, `!(…)`) work within a
//! portion; a run of slashes counts as one, a trailing slash in the text is ignored, a pattern that begins with `#` is a
//! comment and matches nothing. Refused as not supported: `!(…)` together with `**`, inside another group, or after
//! anything but literal text in its portion.

mod brace;
mod portion;
mod read;
#[cfg(test)]
mod tests;

use regex::Regex;

use super::pattern::{self, MAX_PATTERN_CHARS, PatternError};
use portion::Portion;

/// Highest sum of expanded text and of translated text for one glob.
const MAX_COST: usize = 8_000;
/// What one Unicode class (`[[:alpha:]]`) adds to the cost: its automaton is large.
const UNICODE_CLASS_COST: usize = 1_500;

/// One path portion that begins without a dot, as `**` spans it.
const SPANNED: &str = "(?:[^./][^/]*)?";

/// Why a glob was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// More than 500 characters.
    #[error("pattern is longer than {MAX_PATTERN_CHARS} characters")]
    TooLong,
    /// Too many alternatives, or too large when compiled.
    #[error("pattern is too complex: it expands to too many or too large alternatives")]
    TooComplex,
    /// Groups within groups within groups.
    #[error("groups are nested deeper than {}", read::MAX_GROUP_DEPTH)]
    TooDeep,
    /// A use of `!(…)` that only a backtracking engine can run.
    #[error("!(…) is supported only after literal text in its path portion, once, and without **")]
    Negation,
}

/// A compiled glob.
#[derive(Clone, Debug)]
pub struct Glob {
    negated: bool,
    /// All alternatives without `!(…)` in one expression; `None` if there are none.
    plain: Option<Regex>,
    /// Alternatives with `!(…)`: the first must match, none of the others may.
    guarded: Vec<(Regex, Vec<Regex>)>,
}

impl Glob {
    /// Compiles a glob and returns its cost, comparable to that of [`pattern::compile`].
    ///
    /// # Errors
    /// When the pattern is over a budget or uses a form of `!(…)` that is not supported.
    pub fn compile(source: &str) -> Result<(Self, u64), GlobError> {
        if source.encode_utf16().count() > MAX_PATTERN_CHARS {
            return Err(GlobError::TooLong);
        }
        let mut glob = Self {
            negated: false,
            plain: None,
            guarded: Vec::new(),
        };
        if source.starts_with('#') {
            return Ok((glob, 1));
        }
        let body = source.trim_start_matches('!');
        glob.negated = (source.len() - body.len()) % 2 == 1;
        let mut plain: Vec<String> = Vec::new();
        let mut cost = 0;
        for alternative in brace::expand(body)? {
            let (positive, negative) = translate(&alternative, source.is_empty())?;
            cost += positive.len() + negative.iter().map(String::len).sum::<usize>();
            cost += positive.matches(r"\p").count() * UNICODE_CLASS_COST;
            if cost > MAX_COST {
                return Err(GlobError::TooComplex);
            }
            if negative.is_empty() {
                plain.push(positive);
            } else {
                let negative = negative.iter().map(|n| build(n)).collect::<Result<_, _>>()?;
                glob.guarded.push((build(&positive)?, negative));
            }
        }
        if !plain.is_empty() {
            glob.plain = Some(build(&plain.join("|"))?);
        }
        Ok((glob, cost as u64))
    }

    /// Whether the text matches. Never fails; linear in the text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let hit = self.plain.as_ref().is_some_and(|r| r.is_match(text))
            || self
                .guarded
                .iter()
                .any(|(r, not)| r.is_match(text) && !not.iter().any(|n| n.is_match(text)));
        hit != self.negated
    }
}

fn build(expression: &str) -> Result<Regex, GlobError> {
    pattern::build(&format!(r"\A(?:{expression})\z")).map_err(|error: PatternError| {
        debug_assert_eq!(error, PatternError::TooComplex);
        GlobError::TooComplex
    })
}

/// One alternative after brace expansion, as an expression that must match and some that may not.
fn translate(glob: &str, empty: bool) -> Result<(String, Vec<String>), GlobError> {
    let mut portions: Vec<Portion> = Vec::new();
    for text in split(glob) {
        let portion = Portion::parse(&text)?;
        match (&portion, portions.last()) {
            (Portion::Span, Some(Portion::Span)) => {}
            // `a/../b` is `b`, as far as the portion before can be dropped.
            (p, Some(last)) if p.is_text("..") && last.can_be_left() => {
                portions.pop();
            }
            _ => portions.push(portion),
        }
    }
    if portions.is_empty() {
        portions.push(Portion::parse("")?);
    }
    let spans = portions.iter().any(|p| matches!(p, Portion::Span));
    let mut positive = Vec::new();
    let mut negative = Vec::new();
    for (i, portion) in portions.iter().enumerate() {
        let (expression, forbidden) = portion.expression()?;
        if let Some(forbidden) = forbidden {
            if spans {
                return Err(GlobError::Negation);
            }
            let all: Vec<_> = (0..portions.len())
                .map(|j| if i == j { forbidden.as_str() } else { "[^/]*" })
                .collect();
            negative.push(format!("{}/*", all.join("/+")));
        }
        positive.push(expression);
    }
    let mut joined = String::new();
    for (i, portion) in portions.iter().enumerate() {
        let last = i + 1 == portions.len();
        match (portion, last) {
            (Portion::Span, true) => joined.extend([SPANNED, "(?:/+", SPANNED, ")*"]),
            (Portion::Span, false) => joined.extend(["(?:", SPANNED, "/+)*"]),
            (_, _) => {
                joined.push_str(&positive[i]);
                if !last {
                    joined.push_str("/+");
                }
            }
        }
    }
    // The empty pattern matches the empty text alone; any other ignores a trailing slash.
    if !empty {
        joined.push_str("/*");
    }
    Ok((joined, negative))
}

/// Path portions: a run of slashes separates as one does.
fn split(glob: &str) -> Vec<String> {
    let mut portions = vec![String::new()];
    let mut slash = false;
    for c in glob.chars() {
        if c == '/' {
            if !slash {
                portions.push(String::new());
            }
        } else if let Some(last) = portions.last_mut() {
            last.push(c);
        }
        slash = c == '/';
    }
    portions
}
