//! Brace expansion by bash's rules: `{a,b}`, `{1..5}`, `{01..10..3}`, `{a..e}`, nested.

use super::GlobError;

/// Most alternatives one pattern may expand to.
const MAX_ALTERNATIVES: usize = 128;
/// Most characters in all alternatives together.
const MAX_EXPANDED: usize = 4_000;

/// All alternatives of a pattern, in order; the pattern itself if it has no braces that expand.
///
/// # Errors
/// [`GlobError::TooComplex`] for more alternatives than a filter can need.
pub(super) fn expand(pattern: &str) -> Result<Vec<String>, GlobError> {
    let mut chars: Vec<char> = pattern.chars().collect();
    // A leading `{}` stays as it is, as in bash.
    if chars.starts_with(&['{', '}']) {
        chars.splice(0..2, ['\\', '{', '\\', '}']);
    }
    let mut found = expand_part(&chars, true)?;
    if found.is_empty() {
        found.push(Vec::new());
    }
    let mut alternatives: Vec<String> = Vec::with_capacity(found.len());
    for alternative in found {
        let alternative: String = alternative.into_iter().collect();
        if !alternatives.contains(&alternative) {
            alternatives.push(alternative);
        }
    }
    Ok(alternatives)
}

type Text = Vec<char>;

fn expand_part(text: &[char], mut top: bool) -> Result<Vec<Text>, GlobError> {
    let mut text = text.to_vec();
    loop {
        let Some((open, close)) = balanced(&text) else {
            return Ok(vec![text]);
        };
        let (pre, body, post) = (&text[..open], &text[open + 1..close], &text[close + 1..]);
        if pre.last() == Some(&'$') {
            let tails = expand_part(post, false)?;
            return combine(&text[..=close], &[Text::new()], &tails, false);
        }
        let sequence = sequence(body)?;
        let parts = match sequence {
            Some(ref values) => values.clone(),
            None if find_comma(body).is_some() => members(body)?,
            // `{a},b}`: the brace is text, and what follows may still be a set.
            None if find_comma(post).is_some_and(|at| post[at..].contains(&'}')) => {
                let mut rewritten = text[..close].to_vec();
                rewritten.push('\\');
                rewritten.extend_from_slice(&text[close..]);
                text = rewritten;
                top = true;
                continue;
            }
            None => return Ok(vec![text]),
        };
        let tails = if post.is_empty() {
            vec![Text::new()]
        } else {
            expand_part(post, false)?
        };
        return combine(pre, &parts, &tails, top && sequence.is_none());
    }
}

fn combine(pre: &[char], middles: &[Text], tails: &[Text], drop_empty: bool) -> Result<Vec<Text>, GlobError> {
    let mut all = Vec::new();
    let mut size = 0;
    for middle in middles {
        for tail in tails {
            let one = [pre, middle, tail].concat();
            if drop_empty && one.is_empty() {
                continue;
            }
            size += one.len();
            if all.len() >= MAX_ALTERNATIVES || size > MAX_EXPANDED {
                return Err(GlobError::TooComplex);
            }
            all.push(one);
        }
    }
    Ok(all)
}

/// The members of a comma set, each expanded.
fn members(body: &[char]) -> Result<Vec<Text>, GlobError> {
    let parts = split_commas(body);
    if let [only] = parts.as_slice() {
        // `{{a,b}}`: the comma belongs to an inner set, the outer braces are text.
        let inner = expand_part(only, false)?;
        return Ok(inner
            .into_iter()
            .map(|text| [&['{'][..], &text, &['}']].concat())
            .collect());
    }
    let mut all = Vec::new();
    for part in &parts {
        all.extend(expand_part(part, false)?);
        if all.len() > MAX_ALTERNATIVES {
            return Err(GlobError::TooComplex);
        }
    }
    Ok(all)
}

/// The outermost leftmost pair of braces; with unmatched opening braces about, the leftmost pair there is.
fn balanced(text: &[char]) -> Option<(usize, usize)> {
    let mut open = Vec::new();
    let mut leftmost: Option<(usize, usize)> = None;
    for (i, c) in unescaped(text) {
        match c {
            '{' => open.push(i),
            '}' => {
                let Some(from) = open.pop() else { continue };
                if open.is_empty() {
                    return Some((from, i));
                }
                if leftmost.is_none_or(|(left, _)| from < left) {
                    leftmost = Some((from, i));
                }
            }
            _ => {}
        }
    }
    leftmost
}

fn find_comma(text: &[char]) -> Option<usize> {
    unescaped(text).find(|&(_, c)| c == ',').map(|(i, _)| i)
}

/// Splits at the commas that stand in no inner braces.
fn split_commas(body: &[char]) -> Vec<Text> {
    let mut parts = Vec::new();
    let mut from = 0;
    let mut depth = 0_usize;
    for (i, c) in unescaped(body) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(body[from..i].to_vec());
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(body[from..].to_vec());
    parts
}

/// The characters that no backslash escapes, with their positions.
fn unescaped(text: &[char]) -> impl Iterator<Item = (usize, char)> {
    let mut escaped = false;
    text.iter().copied().enumerate().filter(move |&(_, c)| {
        let special = !escaped;
        escaped = special && c == '\\';
        special && c != '\\'
    })
}

/// `1..5`, `05..1..2`, `a..e`; `None` if the body is no sequence.
fn sequence(body: &[char]) -> Result<Option<Vec<Text>>, GlobError> {
    let body: String = body.iter().collect();
    let parts: Vec<&str> = body.split("..").collect();
    let (&[from, to] | &[from, to, _]) = parts.as_slice() else {
        return Ok(None);
    };
    let Some(step) = parts.get(2).map_or(Some(1), |step| integer(step)) else {
        return Ok(None);
    };
    let letter = |text: &str| match text.as_bytes() {
        [c] if c.is_ascii_alphabetic() => Some(i64::from(*c)),
        _ => None,
    };
    let (low, high, letters) = match (integer(from), integer(to), letter(from), letter(to)) {
        (Some(low), Some(high), ..) => (low, high, false),
        (_, _, Some(low), Some(high)) => (low, high, true),
        _ => return Ok(None),
    };
    let step = step.abs().max(1);
    let count = (high - low).abs() / step + 1;
    if usize::try_from(count).is_ok_and(|count| count > MAX_ALTERNATIVES) {
        return Err(GlobError::TooComplex);
    }
    let padded = |text: &str| {
        text.strip_prefix('-').unwrap_or(text).starts_with('0') && text.trim_start_matches('-').len() > 1
    };
    let width = if !letters && parts.iter().any(|part| padded(part)) {
        from.len().max(to.len())
    } else {
        0
    };
    let step = if high < low { -step } else { step };
    let values = (0..count).map(|i| low + i * step);
    Ok(Some(
        values
            .map(|value| match u8::try_from(value) {
                // The backslash between Z and a comes out empty, as in bash.
                Ok(b'\\') if letters => Text::new(),
                Ok(byte) if letters => vec![char::from(byte)],
                _ => format!("{value:0width$}").chars().collect(),
            })
            .collect(),
    ))
}

/// A decimal number of at most nine digits.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
