//! Reads one path portion of a glob into pieces.

use std::fmt::Write as _;

use super::GlobError;
use super::portion::Piece;

/// Deepest nesting of extended groups.
pub(super) const MAX_GROUP_DEPTH: usize = 4;

/// All pieces of a portion.
pub(super) fn pieces(chars: &[char]) -> Result<Vec<Piece>, GlobError> {
    Reader {
        chars,
        at: 0,
        groups: true,
    }
    .sequence(0)
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    /// After a class that is not closed there are no groups.
    groups: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Pieces up to the end, or within a group (`depth` > 0) up to `|` or `)`.
    fn sequence(&mut self, depth: usize) -> Result<Vec<Piece>, GlobError> {
        let mut pieces: Vec<Piece> = Vec::new();
        while let Some(c) = self.peek() {
            if depth > 0 && matches!(c, '|' | ')') {
                break;
            }
            self.at += 1;
            let piece = match c {
                '!' | '?' | '*' | '+' | '@' if self.groups && self.peek() == Some('(') => {
                    match self.group(c, depth)? {
                        Some(group) => group,
                        None => plain(c),
                    }
                }
                '\\' => {
                    let escaped = self.peek().unwrap_or('\\');
                    self.at += 1;
                    Piece::Char(escaped)
                }
                '[' => self.class().unwrap_or_else(|| {
                    self.groups = false;
                    Piece::Char('[')
                }),
                c => plain(c),
            };
            if !(piece == Piece::Star && pieces.last() == Some(&Piece::Star)) {
                pieces.push(piece);
            }
        }
        Ok(pieces)
    }

    /// A group after its sign; `None` (and nothing read) if it is not closed.
    fn group(&mut self, sign: char, depth: usize) -> Result<Option<Piece>, GlobError> {
        if depth >= MAX_GROUP_DEPTH {
            return Err(GlobError::TooDeep);
        }
        let start = self.at;
        let mut alternatives = Vec::new();
        loop {
            self.at += 1;
            alternatives.push(self.sequence(depth + 1)?);
            match self.peek() {
                Some('|') => {}
                Some(_) => {
                    self.at += 1;
                    return Ok(Some(Piece::Group(sign, alternatives)));
                }
                None => {
                    self.at = start;
                    return Ok(None);
                }
            }
        }
    }

    /// A class after its `[`; `None` (and nothing read) if it is not closed.
    fn class(&mut self) -> Option<Piece> {
        let start = self.at;
        let negated = matches!(self.peek(), Some('!' | '^'));
        if negated {
            self.at += 1;
        }
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut named = String::new();
        let mut seen = false;
        let mut from: Option<char> = None;
        loop {
            let Some(mut c) = self.peek() else {
                self.at = start;
                return None;
            };
            self.at += 1;
            if c == ']' && seen {
                break;
            }
            seen = true;
            let rest: String = self.chars[self.at - 1..].iter().take(12).collect();
            if let Some((name, class)) = NAMED.iter().find(|(name, _)| rest.starts_with(name)) {
                if from.is_some() {
                    self.at = self.chars.len();
                    return Some(Piece::Never);
                }
                self.at += name.len() - 1;
                named.push_str(class);
                continue;
            }
            if c == '\\'
                && let Some(escaped) = self.peek()
            {
                self.at += 1;
                c = escaped;
            }
            if let Some(low) = from.take() {
                if low <= c {
                    ranges.push((low, c));
                }
            } else if self.peek() == Some('-') && self.chars.get(self.at + 1) != Some(&']') {
                self.at += 1;
                from = Some(c);
            } else {
                ranges.push((c, c));
            }
        }
        if ranges.is_empty() && named.is_empty() {
            self.at = self.chars.len();
            return Some(Piece::Never);
        }
        if let ([(low, high)], true, false) = (ranges.as_slice(), named.is_empty(), negated)
            && low == high
        {
            return Some(Piece::Char(*low));
        }
        // A range or a negation may take in the slash, which no portion contains.
        let mut class = String::from(if negated { "[[^" } else { "[[" });
        for (low, high) in ranges {
            // Writing to a String cannot fail.
            let _ = write!(class, "\\x{{{:X}}}-\\x{{{:X}}}", u32::from(low), u32::from(high));
        }
        class.push_str(&named);
        class.push_str("]&&[^/]]");
        Some(Piece::Class(class))
    }
}

fn plain(c: char) -> Piece {
    match c {
        '*' => Piece::Star,
        '?' => Piece::Any,
        c => Piece::Char(c),
    }
}

/// POSIX names within classes, as minimatch maps them to Unicode.
const NAMED: &[(&str, &str)] = &[
    ("[:alnum:]", r"\p{L}\p{Nl}\p{Nd}"),
    ("[:alpha:]", r"\p{L}\p{Nl}"),
    ("[:ascii:]", r"\x00-\x7f"),
    ("[:blank:]", r"\p{Zs}\t"),
    ("[:cntrl:]", r"\p{Cc}"),
    ("[:digit:]", r"\p{Nd}"),
    ("[:graph:]", r"[^\p{Z}\p{C}]"),
    ("[:lower:]", r"\p{Ll}"),
    ("[:print:]", r"\p{C}"),
    ("[:punct:]", r"\p{P}"),
    ("[:space:]", r"\p{Z}\t\r\n\x0b\x0c"),
    ("[:upper:]", r"\p{Lu}"),
    ("[:word:]", r"\p{L}\p{Nl}\p{Nd}\p{Pc}"),
    ("[:xdigit:]", "A-Fa-f0-9"),
];
