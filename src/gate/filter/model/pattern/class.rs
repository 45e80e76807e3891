//! Character classes and character escapes of JavaScript patterns.

use std::fmt::Write as _;

use super::{PatternError, Translator};

/// Inclusive ranges of code points.
type Ranges = [(u32, u32)];

/// What `.` does not match.
pub(super) const DOT: &Ranges = &[(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)];

const DIGIT: &Ranges = &[(0x30, 0x39)];
const WORD: &Ranges = &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
/// JavaScript's white space and line terminators: wider than ASCII, not quite Unicode's.
const SPACE: &Ranges = &[
    (0x09, 0x0d),
    (0x20, 0x20),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
    (0xfeff, 0xfeff),
];

/// `\d \D \w \W \s \S`: the ranges, and whether they are negated.
pub(super) fn shorthand(c: char) -> Option<(&'static Ranges, bool)> {
    let ranges = match c.to_ascii_lowercase() {
        'd' => DIGIT,
        'w' => WORD,
        's' => SPACE,
        _ => return None,
    };
    Some((ranges, c.is_ascii_uppercase()))
}

/// Writes a class in the engine's dialect, every character by its number so that nothing in it can be special.
pub(super) fn emit(out: &mut String, ranges: &Ranges, negated: bool) {
    // A surrogate is no character of a Rust string; a range may still begin or end among them.
    let surrogate = |code: u32| (0xd800..=0xdfff).contains(&code);
    let mut kept: Vec<(u32, u32)> = ranges
        .iter()
        .map(|&(low, high)| {
            (
                if surrogate(low) { 0xe000 } else { low },
                if surrogate(high) { 0xd7ff } else { high },
            )
        })
        .filter(|(low, high)| low <= high)
        .collect();
    let mut negated = negated;
    if kept.is_empty() {
        // An empty class matches nothing, its negation everything.
        kept.push((0, 0x0010_ffff));
        negated = !negated;
    }
    out.push_str(if negated { "[^" } else { "[" });
    for (low, high) in kept {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{{{low:X}}}-\\x{{{high:X}}}");
    }
    out.push(']');
}

/// One member of a class: a character, or a set that cannot bound a range.
enum Member {
    Char(u32),
    Set(&'static Ranges, bool),
}

impl Translator {
    /// A class after its `[`: the ranges, and whether they are negated.
    pub(super) fn class(&mut self) -> Result<(Vec<(u32, u32)>, bool), PatternError> {
        let negated = self.eat("^");
        let mut ranges = Vec::new();
        loop {
            if self.eat("]") {
                return Ok((ranges, negated));
            }
            let from = self.member()?;
            let dash = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            if !dash {
                from.add_to(&mut ranges);
                continue;
            }
            self.at += 1;
            let to = self.member()?;
            match (&from, &to) {
                (Member::Char(low), Member::Char(high)) if low <= high => ranges.push((*low, *high)),
                (Member::Char(_), Member::Char(_)) => return Err(self.invalid("range out of order in class")),
                // JavaScript reads `[\w-a]` as three members.
                _ => {
                    from.add_to(&mut ranges);
                    ranges.push((0x2d, 0x2d));
                    to.add_to(&mut ranges);
                }
            }
        }
    }

    fn member(&mut self) -> Result<Member, PatternError> {
        match self.next() {
            None => Err(self.invalid("class is not closed")),
            Some('\\') => {
                let Some(c) = self.next() else {
                    return Err(self.invalid("\\ at the end"));
                };
                if let Some((ranges, negated)) = shorthand(c) {
                    return Ok(Member::Set(ranges, negated));
                }
                match c {
                    'b' => Ok(Member::Char(0x08)),
                    '1'..='7' => {
                        self.at -= 1;
                        Ok(Member::Char(self.octal()))
                    }
                    'k' if !self.names.is_empty() => Err(self.invalid("bad escape in class")),
                    _ => self.character_escape(c, true).map(Member::Char),
                }
            }
            Some(c) => Ok(Member::Char(u32::from(c))),
        }
    }

    /// The character an escape stands for, after `\` and `c` were read. What JavaScript does not know as an escape is the
    /// character itself.
    pub(super) fn character_escape(&mut self, c: char, in_class: bool) -> Result<u32, PatternError> {
        Ok(match c {
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            '0' => {
                self.at -= 1;
                self.octal()
            }
            'c' => match self.peek() {
                Some(letter)
                    if letter.is_ascii_alphabetic()
                        || (in_class && (letter.is_ascii_digit() || letter == '_')) =>
                {
                    self.at += 1;
                    u32::from(letter) % 32
                }
                // `\c` and no letter: a backslash, and the `c` is read again.
                _ => {
                    self.at -= 1;
                    u32::from('\\')
                }
            },
            'x' => self.hex(2).unwrap_or(u32::from('x')),
            'u' => match self.hex(4) {
                None => u32::from('u'),
                Some(high @ 0xd800..=0xdbff) => {
                    let back = self.at;
                    let low = if self.eat("\\u") { self.hex(4) } else { None };
                    match low {
                        Some(low @ 0xdc00..=0xdfff) => 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                        _ if in_class => {
                            self.at = back;
                            high
                        }
                        _ => return Err(PatternError::LoneSurrogate),
                    }
                }
                Some(0xdc00..=0xdfff) if !in_class => return Err(PatternError::LoneSurrogate),
                Some(code) => code,
            },
            c => u32::from(c),
        })
    }

    /// Exactly `digits` hexadecimal digits, or nothing is read.
    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text = self.chars.get(self.at..self.at + digits)?;
        let code = text
            .iter()
            .try_fold(0, |code, c| Some(code * 16 + c.to_digit(16)?))?;
        self.at += digits;
        Some(code)
    }

    /// One to three octal digits, up to 0o377.
    fn octal(&mut self) -> u32 {
        let mut code = 0;
        for _ in 0..3 {
            match self.peek().and_then(|c| c.to_digit(8)) {
                Some(digit) if code * 8 + digit <= 0o377 => code = code * 8 + digit,
                _ => break,
            }
            self.at += 1;
        }
        code
    }
}

impl Member {
    fn add_to(&self, ranges: &mut Vec<(u32, u32)>) {
        match *self {
            Self::Char(code) => ranges.push((code, code)),
            Self::Set(set, false) => ranges.extend_from_slice(set),
            Self::Set(set, true) => {
                let mut from = 0;
                for &(low, high) in set {
                    if from < low {
                        ranges.push((from, low - 1));
                    }
                    from = high + 1;
                }
                ranges.push((from, 0x0010_ffff));
            }
        }
    }
}
