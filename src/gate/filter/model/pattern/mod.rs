//! Regular expressions as filter authors write them (JavaScript's, without flags), run by an engine that is linear in
//! its input.
//!
//! The pattern is translated, not handed over: the two dialects give different meanings to `\d`, `\w`, `\s`, `\b`, `.`,
//! `[^]`, `[[]`, `{`, `\/` and others. What can only be run by backtracking (look-around, back-references) is refused.
//! Only "does it match somewhere" is asked, so groups do not capture and laziness is dropped. One difference is kept: a
//! character is a code point here, a UTF-16 unit there (`^.$` matches an emoji here).

mod class;
#[cfg(test)]
mod tests;

use regex::{Regex, RegexBuilder};

/// Longest pattern in UTF-16 units, as JavaScript counts.
pub const MAX_PATTERN_CHARS: usize = 500;
/// Most memory for one compiled pattern, in bytes.
const SIZE_LIMIT: usize = 256 * 1024;
/// Most memory for the lazily built automaton of one pattern, in bytes.
const DFA_SIZE_LIMIT: usize = 1024 * 1024;
/// Deepest nesting of groups.
const NEST_LIMIT: u32 = 32;
/// Highest estimate of automaton states for one pattern. Checked before anything is compiled, so that a bomb costs
/// microseconds.
const MAX_COST: u64 = 8_000;

/// Why a pattern was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// More than [`MAX_PATTERN_CHARS`].
    #[error("pattern is longer than {MAX_PATTERN_CHARS} characters")]
    TooLong,
    /// Look-ahead or look-behind.
    #[error("look-around is not supported: linear-time patterns only")]
    LookAround,
    /// `\1` or `\k<name>`.
    #[error("back-references are not supported: linear-time patterns only")]
    BackReference,
    /// Half of a UTF-16 surrogate pair, which no text can contain.
    #[error("lone surrogate in pattern")]
    LoneSurrogate,
    /// Groups nested deeper than 32.
    #[error("groups are nested deeper than {NEST_LIMIT}")]
    TooDeep,
    /// The automaton would be too large.
    #[error("pattern is too complex: its compiled form would be over {} KiB", SIZE_LIMIT / 1024)]
    TooComplex,
    /// JavaScript refuses it too.
    #[error("invalid pattern at character {at}: {what}")]
    Invalid {
        /// Position in the pattern, counted from 1.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

/// Compiles a JavaScript pattern. Returns the expression and its cost: the estimated number of automaton states, by which
/// the caller bounds the sum over an expression.
///
/// # Errors
/// Anything JavaScript refuses, anything that needs backtracking, and anything over a budget.
pub fn compile(source: &str) -> Result<(Regex, u64), PatternError> {
    if source.encode_utf16().count() > MAX_PATTERN_CHARS {
        return Err(PatternError::TooLong);
    }
    let (translated, cost) = Translator::new(source).run()?;
    Ok((build(&translated)?, cost))
}

/// Compiles an expression that is already in the engine's dialect, under the budgets of this module.
pub(super) fn build(translated: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(translated)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(DFA_SIZE_LIMIT)
        // Every group of ours nests a concatenation and perhaps a repetition and an alternation.
        .nest_limit(NEST_LIMIT * 4)
        .build()
        .map_err(|_| PatternError::TooComplex)
}

/// Sum of the finished atoms of one group and the cost of the last one, which a quantifier still multiplies.
#[derive(Default)]
struct Frame {
    sum: u64,
    last: u64,
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    frames: Vec<Frame>,
    names: Vec<String>,
    /// Whether a quantifier may follow: after an atom, not after an assertion or another quantifier.
    atom: bool,
}

impl Translator {
    fn new(source: &str) -> Self {
        let chars = source.chars().collect();
        Self {
            chars,
            at: 0,
            out: String::new(),
            frames: vec![Frame::default()],
            names: Vec::new(),
            atom: false,
        }
    }

    fn run(mut self) -> Result<(String, u64), PatternError> {
        while let Some(c) = self.next() {
            self.step(c)?;
            if self
                .frames
                .iter()
                .map(|f| f.sum.saturating_add(f.last))
                .fold(0, u64::saturating_add)
                > MAX_COST
            {
                return Err(PatternError::TooComplex);
            }
        }
        if self.frames.len() > 1 {
            return Err(self.invalid("group is not closed"));
        }
        let cost = self.frames.pop().map_or(0, |f| f.sum.saturating_add(f.last));
        Ok((self.out, cost))
    }

    fn step(&mut self, c: char) -> Result<(), PatternError> {
        match c {
            '^' | '$' | '|' => {
                self.out.push(c);
                self.finish_atom(1);
                self.atom = false;
            }
            '(' => self.open_group()?,
            ')' => self.close_group()?,
            '.' => self.push_class(class::DOT, true),
            '[' => {
                let (ranges, negated) = self.class()?;
                self.push_class(&ranges, negated);
            }
            '*' | '+' => {
                self.repeat(2)?;
                self.out.push(c);
            }
            '?' => {
                self.repeat(1)?;
                self.out.push(c);
            }
            '{' => match self.counted()? {
                Some((quantifier, factor)) => {
                    self.repeat(factor)?;
                    self.out.push_str(&quantifier);
                }
                None => self.literal('{'),
            },
            '\\' => self.escape()?,
            c => self.literal(c),
        }
        Ok(())
    }

    fn open_group(&mut self) -> Result<(), PatternError> {
        if self.eat("?") && !self.eat(":") {
            if self.eat("=") || self.eat("!") || self.eat("<=") || self.eat("<!") {
                return Err(PatternError::LookAround);
            }
            if !self.eat("<") {
                return Err(self.invalid("unknown kind of group"));
            }
            self.group_name()?;
        }
        if self.frames.len() > NEST_LIMIT as usize {
            return Err(PatternError::TooDeep);
        }
        self.out.push_str("(?:");
        self.frames.push(Frame::default());
        self.atom = false;
        Ok(())
    }

    fn group_name(&mut self) -> Result<(), PatternError> {
        let mut name = String::new();
        loop {
            match self.next() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c == '$' || c == '_' || c.is_alphabetic() => name.push(c),
                Some(c) if !name.is_empty() && c.is_alphanumeric() => name.push(c),
                _ => return Err(self.invalid("bad group name")),
            }
        }
        if self.names.contains(&name) {
            return Err(self.invalid("group name used twice"));
        }
        self.names.push(name);
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), PatternError> {
        if self.frames.len() < 2 {
            return Err(self.invalid("unmatched )"));
        }
        let cost = self.frames.pop().map_or(0, |f| f.sum.saturating_add(f.last));
        self.out.push(')');
        self.finish_atom(cost.saturating_add(1));
        Ok(())
    }

    /// Notes that the last atom is repeated `factor` times, and skips the sign of laziness.
    fn repeat(&mut self, factor: u64) -> Result<(), PatternError> {
        if !self.atom {
            return Err(self.invalid("nothing to repeat"));
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.last = frame.last.saturating_mul(factor);
        }
        self.atom = false;
        self.eat("?");
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}` after the brace was read; JavaScript takes anything else as a literal brace.
    fn counted(&mut self) -> Result<Option<(String, u64)>, PatternError> {
        let start = self.at;
        let Some(low) = self.number() else {
            self.at = start;
            return Ok(None);
        };
        let comma = self.eat(",");
        let high = if comma { self.number() } else { Some(low) };
        if !self.eat("}") {
            self.at = start;
            return Ok(None);
        }
        if high.is_some_and(|high| high < low) {
            return Err(self.invalid("numbers out of order in {}"));
        }
        if low.max(high.unwrap_or(0)) > MAX_COST {
            return Err(PatternError::TooComplex);
        }
        Ok(Some(match high {
            Some(high) => (format!("{{{low},{high}}}"), high),
            None => (format!("{{{low},}}"), low + 1),
        }))
    }

    fn number(&mut self) -> Option<u64> {
        let mut number: Option<u64> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            number = Some(
                number
                    .unwrap_or(0)
                    .saturating_mul(10)
                    .saturating_add(u64::from(digit)),
            );
        }
        number
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let Some(c) = self.next() else {
            return Err(self.invalid("\\ at the end"));
        };
        match c {
            'b' | 'B' => {
                self.out
                    .push_str(if c == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" });
                self.finish_atom(1);
                self.atom = false;
            }
            '1'..='9' | 'k' => return Err(PatternError::BackReference),
            _ => {
                if let Some((ranges, negated)) = class::shorthand(c) {
                    self.push_class(ranges, negated);
                } else {
                    let code = self.character_escape(c, false)?;
                    self.push_class(&[(code, code)], false);
                }
            }
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.out
            .push_str(regex::escape(c.encode_utf8(&mut [0; 4])).as_str());
        self.finish_atom(c.len_utf8() as u64);
    }

    fn push_class(&mut self, ranges: &[(u32, u32)], negated: bool) {
        let wide = negated || ranges.iter().any(|&(_, high)| high > 0x7f);
        class::emit(&mut self.out, ranges, negated);
        self.finish_atom(1 + ranges.len() as u64 + if wide { 8 } else { 0 });
    }

    fn finish_atom(&mut self, cost: u64) {
        if let Some(frame) = self.frames.last_mut() {
            frame.sum = frame.sum.saturating_add(frame.last);
            frame.last = cost;
        }
        self.atom = true;
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = text
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn invalid(&self, what: &'static str) -> PatternError {
        PatternError::Invalid {
            at: self.at.max(1),
            what,
        }
    }
}
