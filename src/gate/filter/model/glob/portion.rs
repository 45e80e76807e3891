//! One path portion of a glob: its parts, and their translation.
//!
//! Whether `*`, `?` or a class may match a leading dot depends on where it stands. Without look-ahead the rule "not with a
//! dot in front" has to be woven into the expression: [`Emitter::undotted`] translates a sequence restricted to texts that
//! do not begin with a dot.

use super::GlobError;
use super::read;

/// Most characters the translation of one portion may take.
const MAX_EMITTED: usize = 8_000;

/// Matches nothing.
const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

/// A piece of a portion.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `[…]`, translated.
    Class(String),
    /// A class that can match nothing spoils the rest of its portion.
    Never,
    /// `@(a|b)` and its kin: the sign, the alternatives.
    Group(char, Vec<Vec<Piece>>),
}

/// One path portion.
#[derive(Clone, Debug)]
pub(super) enum Portion {
    /// `**`
    Span,
    /// Anything else.
    Pieces(Vec<Piece>),
}

impl Portion {
    pub(super) fn parse(text: &str) -> Result<Self, GlobError> {
        if text == "**" {
            return Ok(Self::Span);
        }
        let chars: Vec<char> = text.chars().collect();
        let pieces = read::pieces(&chars)?;
        if let [Piece::Group(sign, alternatives)] = pieces.as_slice()
            && *sign != '!'
            && alternatives.iter().all(Vec::is_empty)
        {
            // A group of nothing as the whole portion is plain text.
            return Ok(Self::Pieces(chars.into_iter().map(Piece::Char).collect()));
        }
        Ok(Self::Pieces(pieces))
    }

    pub(super) fn is_text(&self, text: &str) -> bool {
        match self {
            Self::Span => text == "**",
            Self::Pieces(pieces) => pieces.iter().cloned().eq(text.chars().map(Piece::Char)),
        }
    }

    /// Whether a following `..` undoes this portion.
    pub(super) fn can_be_left(&self) -> bool {
        !matches!(self, Self::Span) && !["", ".", ".."].iter().any(|text| self.is_text(text))
    }

    /// The expression the portion must match, and one that it may not (from `!(…)`).
    pub(super) fn expression(&self) -> Result<(String, Option<String>), GlobError> {
        let Self::Pieces(pieces) = self else {
            return Ok((String::new(), None));
        };
        let mut emitter = Emitter { left: MAX_EMITTED };
        let Some(at) = pieces
            .iter()
            .position(|piece| matches!(piece, Piece::Group('!', _)))
        else {
            return Ok((emitter.portion(pieces)?, None));
        };
        let (before, after) = (&pieces[..at], &pieces[at + 1..]);
        let (Piece::Group(_, alternatives), true) =
            (&pieces[at], before.iter().all(|p| matches!(p, Piece::Char(_))))
        else {
            return Err(GlobError::Negation);
        };
        let literal = emitter.sequence(before, Place::INSIDE)?;
        let nothing = matches!(alternatives.as_slice(), [only] if only.is_empty());
        // `!(a)` stands for any text, `!()` for any text but none.
        let mut anything = if nothing {
            vec![Piece::Any, Piece::Star]
        } else {
            vec![Piece::Star]
        };
        anything.extend_from_slice(&filled(&pieces[at..])[1..]);
        let anything = if before.is_empty() {
            emitter.undotted(&anything)?
        } else {
            emitter.sequence(&anything, Place::INSIDE)?
        };
        let positive = format!("{literal}{anything}");
        if nothing {
            return Ok((positive, None));
        }
        let place = if before.is_empty() {
            Place::WHOLE
        } else {
            Place::INSIDE
        };
        let mut forbidden = Vec::new();
        for alternative in alternatives {
            forbidden.push(emitter.sequence(&[alternative, after].concat(), place)?);
        }
        Ok((positive, Some(format!("{literal}(?:{})", forbidden.join("|")))))
    }
}

/// A star that stands alone between groups, or is all there is, must match something if the sequence makes a whole
/// portion.
fn filled(pieces: &[Piece]) -> Vec<Piece> {
    let text = |piece: Option<&Piece>| piece.is_some_and(|piece| !matches!(piece, Piece::Group(..)));
    let mut out = Vec::with_capacity(pieces.len());
    for (i, piece) in pieces.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| pieces.get(i));
        if *piece == Piece::Star && !text(before) && !text(pieces.get(i + 1)) {
            out.push(Piece::Any);
        }
        out.push(piece.clone());
    }
    out
}

/// Where a sequence stands: at the start of its portion, at the end, and whether a leading dot is allowed there.
#[derive(Clone, Copy)]
struct Place {
    start: bool,
    end: bool,
    dot: bool,
}

impl Place {
    const WHOLE: Self = Self {
        start: true,
        end: true,
        dot: false,
    };
    const INSIDE: Self = Self {
        start: false,
        end: false,
        dot: false,
    };
}

struct Emitter {
    /// Characters that may still be written: doubling sequences run out of it soon.
    left: usize,
}

impl Emitter {
    /// A whole portion. A pattern that begins with dots and goes on with a wildcard never means `.` or `..`.
    fn portion(&mut self, pieces: &[Piece]) -> Result<String, GlobError> {
        let dot = Piece::Char('.');
        match pieces {
            [a, Piece::Star] if *a == dot => Ok(r"\.(?:[^./][^/]*|\.[^/]+)".to_owned()),
            [a, Piece::Any] if *a == dot => Ok(r"\.[^./]".to_owned()),
            [a, Piece::Class(class)] if *a == dot => Ok(format!(r"\.[{class}&&[^.]]")),
            [a, b, Piece::Star] if *a == dot && *b == dot => Ok(r"\.\.[^/]+".to_owned()),
            _ => self.sequence(pieces, Place::WHOLE),
        }
    }

    fn sequence(&mut self, pieces: &[Piece], place: Place) -> Result<String, GlobError> {
        let whole = if place.start && place.end {
            filled(pieces)
        } else {
            Vec::new()
        };
        let pieces = if whole.is_empty() { pieces } else { &whole };
        let wild = matches!(pieces.first(), Some(Piece::Any | Piece::Star | Piece::Class(_)));
        if place.start && !place.dot && wild {
            return self.undotted(pieces);
        }
        if let [Piece::Group(sign, alternatives), rest @ ..] = pieces
            && place.start
            && !place.dot
            && !rest.is_empty()
        {
            return self.leading_group(*sign, alternatives, rest);
        }
        let mut out = String::new();
        for (i, piece) in pieces.iter().enumerate() {
            let inner = Place {
                start: place.start && i == 0,
                end: place.end && i + 1 == pieces.len(),
                dot: place.dot,
            };
            self.piece(piece, inner, &mut out)?;
            if matches!(piece, Piece::Never) {
                break;
            }
        }
        self.spend(out)
    }

    fn piece(&mut self, piece: &Piece, place: Place, out: &mut String) -> Result<(), GlobError> {
        match piece {
            Piece::Char(c) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            Piece::Any => out.push_str("[^/]"),
            Piece::Star => out.push_str("[^/]*"),
            Piece::Class(class) => out.push_str(class),
            Piece::Never => out.push_str(NEVER),
            Piece::Group('!', _) => return Err(GlobError::Negation),
            Piece::Group(sign, alternatives) => {
                let first = self.alternatives(alternatives, place)?;
                match sign {
                    '@' => out.push_str(&first),
                    '?' => out.extend([first.as_str(), "?"]),
                    _ => {
                        // Only the first round stands at the start of the portion.
                        let again = self.alternatives(alternatives, Place { dot: true, ..place })?;
                        let optional = if *sign == '*' { "?" } else { "" };
                        out.extend(["(?:", &first, &again, "*)", optional]);
                    }
                }
            }
        }
        Ok(())
    }

    /// A group at the start of a portion, and what follows: an alternative that begins with a wildcard refuses a dot even
    /// where the wildcard itself takes nothing.
    fn leading_group(
        &mut self,
        sign: char,
        alternatives: &[Vec<Piece>],
        rest: &[Piece],
    ) -> Result<String, GlobError> {
        if sign == '!' {
            return Err(GlobError::Negation);
        }
        let again = matches!(sign, '*' | '+').then(|| Piece::Group('*', alternatives.to_vec()));
        let mut texts = Vec::new();
        for alternative in alternatives {
            let mut flat = alternative.clone();
            flat.extend(again.clone());
            flat.extend_from_slice(rest);
            let place = Place {
                start: !alternative.is_empty(),
                ..Place::INSIDE
            };
            texts.push(self.sequence(&flat, place)?);
        }
        if matches!(sign, '*' | '?') {
            texts.push(self.sequence(rest, Place::INSIDE)?);
        }
        self.spend(format!("(?:{})", texts.join("|")))
    }

    fn alternatives(&mut self, alternatives: &[Vec<Piece>], place: Place) -> Result<String, GlobError> {
        let mut texts = Vec::new();
        for alternative in alternatives {
            let text = self.sequence(alternative, place)?;
            // An empty alternative cannot stand for a whole portion.
            if !(text.is_empty() && place.start && place.end) {
                texts.push(text);
            }
        }
        self.spend(format!("(?:{})", texts.join("|")))
    }

    /// The sequence, restricted to texts that do not begin with a dot.
    fn undotted(&mut self, pieces: &[Piece]) -> Result<String, GlobError> {
        let Some((first, rest)) = pieces.split_first() else {
            return Ok(String::new());
        };
        let text = match first {
            Piece::Char('.') | Piece::Never => NEVER.to_owned(),
            Piece::Char(_) => self.sequence(pieces, Place::INSIDE)?,
            Piece::Any => format!("[^./]{}", self.sequence(rest, Place::INSIDE)?),
            Piece::Class(class) => format!("[{class}&&[^.]]{}", self.sequence(rest, Place::INSIDE)?),
            Piece::Star => {
                let longer = self.sequence(rest, Place::INSIDE)?;
                format!("(?:[^./][^/]*{longer}|{})", self.undotted(rest)?)
            }
            Piece::Group('!', _) => return Err(GlobError::Negation),
            Piece::Group(sign, alternatives) => {
                let mut texts = Vec::new();
                for alternative in alternatives {
                    let mut flat = alternative.clone();
                    if matches!(sign, '*' | '+') {
                        flat.push(Piece::Group('*', alternatives.clone()));
                    }
                    flat.extend_from_slice(rest);
                    texts.push(if alternative.is_empty() {
                        self.undotted(rest)?
                    } else {
                        self.undotted(&flat)?
                    });
                }
                if matches!(sign, '*' | '?') {
                    texts.push(self.undotted(rest)?);
                }
                format!("(?:{})", texts.join("|"))
            }
        };
        self.spend(text)
    }

    fn spend(&mut self, text: String) -> Result<String, GlobError> {
        // One more for each call: sequences of nothing cost time too.
        self.left = self
            .left
            .checked_sub(text.len() / 2 + 1)
            .ok_or(GlobError::TooComplex)?;
        Ok(text)
    }
}
