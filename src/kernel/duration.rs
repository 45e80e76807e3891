//! Durations as Go prints them, the way `CrowdSec` writes `decisions[].duration`.
//!
//! The grammar is that of Go's `time.ParseDuration` (a sign, then numbers with a unit, each with an optional fraction),
//! and days, which `CrowdSec` prints since 1.6.9 (`7d`, `1d4h`).

/// Longest text read, in bytes.
const MAX_TEXT: usize = 64;

/// Digits of a fraction that still count; 18 are finer than a nanosecond of a day.
const MAX_FRACTION_DIGITS: u32 = 18;

/// A unit as written, and its length in nanoseconds. Longer names stand before their prefixes.
const UNITS: &[(&str, i128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads a Go duration into milliseconds, parts below one cut off; `None` if it is none or does not fit.
///
/// `4h`, `3h59m50.5s`, `1.5h`, `100ms`, `-1h2m3s`, `7d` and the bare `0` are durations; `4`, `P1D`, `1e9h` and the empty
/// text are not. Whether a negative or enormous duration makes sense is the caller's question.
#[must_use]
pub fn parse_duration_ms(text: &str) -> Option<i64> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanoseconds, tail) = part(rest)?;
        total = total.checked_add(nanoseconds)?;
        rest = tail;
    }
    let milliseconds = i64::try_from(total / 1_000_000).ok()?;
    Some(if negative { -milliseconds } else { milliseconds })
}

/// One number with its unit, in nanoseconds, and what follows it.
fn part(text: &str) -> Option<(i128, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let unit = UNITS.iter().find(|(unit, _)| *unit == name)?.1;
    let mut total = if whole.is_empty() {
        0
    } else {
        whole.parse::<i128>().ok()?.checked_mul(unit)?
    };
    let mut scale: i128 = 1;
    let mut numerator: i128 = 0;
    for digit in fraction.bytes().take(MAX_FRACTION_DIGITS as usize) {
        numerator = numerator * 10 + i128::from(digit - b'0');
        scale *= 10;
    }
    total = total.checked_add(numerator * unit / scale)?;
    Some((total, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn go_durations() {
        let hour = 3_600_000;
        let table: &[(&str, Option<i64>)] = &[
            ("4h", Some(4 * hour)),
            ("-4h", Some(-4 * hour)),
            ("+4h", Some(4 * hour)),
            ("4h3m2.5s", Some(4 * hour + 182_500)),
            ("3h59m50.5s", Some(4 * hour - 9_500)),
            ("3h59m49.123456789s", Some(4 * hour - 10_877)),
            ("1.5h", Some(hour + hour / 2)),
            (".5s", Some(500)),
            ("5.s", Some(5_000)),
            ("90s", Some(90_000)),
            ("100ms", Some(100)),
            ("1500us", Some(1)),
            ("2000\u{b5}s", Some(2)),
            ("2000\u{3bc}s", Some(2)),
            ("999999ns", Some(0)),
            ("-1h2m3s", Some(-(hour + 123_000))),
            ("7d", Some(7 * 24 * hour)),
            ("1d4h", Some(28 * hour)),
            ("1m1m", Some(120_000)),
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0s", Some(0)),
            ("1000000h", Some(1_000_000 * hour)),
            ("0.1234567890123456789012345s", Some(123)),
            ("", None),
            ("-", None),
            ("4", None),
            ("4h3", None),
            ("h", None),
            (".h", None),
            ("4 h", None),
            (" 4h", None),
            ("--4h", None),
            ("P1D", None),
            ("1e9h", None),
            ("1w", None),
            ("1H", None),
            ("1.2.3h", None),
            ("\u{664}h", None),
            ("999999999999999999999999h", None),
            ("99999999999999999999999999999999999999999999999999h", None),
            ("9223372036854775807ms", Some(i64::MAX)),
            ("9223372036854775808ms", None),
            (
                "00000000000000000000000000000000000000000000000000000000000000004h",
                None,
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse_duration_ms(text), *expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn printed_durations_read_back(h in 0i64..1_000_000, m in 0i64..60, s in 0i64..60, ms in 0i64..1000) {
            let text = format!("{h}h{m}m{s}.{ms:03}s");
            let expected = ((h * 60 + m) * 60 + s) * 1000 + ms;
            prop_assert_eq!(parse_duration_ms(&text), Some(expected));
            let negated = format!("-{text}");
            prop_assert_eq!(parse_duration_ms(&negated), Some(-expected));
        }

        #[test]
        fn no_text_panics(text in "[-+.0-9a-z\u{b5}]{0,70}") {
            let _ = parse_duration_ms(&text);
        }
    }
}
