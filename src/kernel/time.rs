//! Points in time: the many ways engines write them, and the one way the API does.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Longest text read, in bytes.
const MAX_TEXT: usize = 64;

/// The last end that anything gets: 2200. What is meant for ever ends then, and reckoning with it cannot run over: Go's
/// durations end after 292 years, and jiff's times with the year 9999.
pub const LATEST: Timestamp = Timestamp::constant(7_258_118_400, 0);

/// Reads a point in time as `CrowdSec` engines and their clients write it; `None` if it is none.
///
/// RFC 3339 with up to nine fraction digits; `Z` or `z`, offsets with and without the colon (`+02:00`, `+0200`: the
/// Python client writes `+0000`); a space instead of the `T`; and what Go prints, `2026-11-21 20:08:42 +0000 UTC`. A time
/// without a zone, a leap second and an instant outside the years 1970 to 9999 are refused: the caller falls back to
/// the time of receipt.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > MAX_TEXT || !text.is_ascii() {
        return None;
    }
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let (nanosecond, rest) = fraction(rest)?;
    let [year, month, day] = numbers(date, b'-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, b':', [2, 2, 2])?;
    if !(1970..=9999).contains(&year) {
        return None;
    }
    let small = |n: i16| i8::try_from(n).ok();
    let civil = DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanosecond,
    )
    .ok()?;
    let timestamp = offset(rest)?.to_timestamp(civil).ok()?;
    (timestamp >= Timestamp::UNIX_EPOCH).then_some(timestamp)
}

/// The API's form: UTC, exactly three fraction digits (the rest cut off), `Z`.
#[must_use]
pub fn rfc3339_millis(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Three groups of digits of the given widths between separators.
fn numbers(text: &str, separator: u8, widths: [usize; 3]) -> Option<[i16; 3]> {
    let mut rest = text;
    let mut found = [0; 3];
    for (i, width) in widths.into_iter().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(char::from(separator))?;
        }
        let (digits, tail) = rest.split_at_checked(width)?;
        found[i] = digits_only(digits)?.parse().ok()?;
        rest = tail;
    }
    rest.is_empty().then_some(found)
}

/// `.` and one to nine digits, in nanoseconds; zero when there is no fraction.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    Some((format!("{digits:0<9}").parse().ok()?, rest))
}

/// `Z`, or an offset after an optional space, with Go's zone name (`UTC`, `CEST`) ignored after it.
fn offset(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z") {
        return Some(Offset::UTC);
    }
    let text = text.strip_prefix(' ').unwrap_or(text);
    let (text, zone) = text.split_once(' ').unwrap_or((text, "UTC"));
    let named = zone.len() <= 5
        && zone
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-'));
    if zone.is_empty() || !named {
        return None;
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        5 => digits.split_once(':')?,
        4 => digits.split_at_checked(2)?,
        _ => return None,
    };
    let hours: i32 = digits_only(hours)?.parse().ok()?;
    let minutes: i32 = digits_only(minutes)?.parse().ok()?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

fn digits_only(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_engines_and_clients() {
        let table: &[(&str, Option<&str>)] = &[
            ("2026-11-21T19:30:10Z", Some("2026-11-21T19:30:10.000Z")),
            ("2026-11-21t19:30:10z", Some("2026-11-21T19:30:10.000Z")),
            (" 2026-11-21T19:30:10Z\n", Some("2026-11-21T19:30:10.000Z")),
            ("2026-11-21T19:30:10.5Z", Some("2026-11-21T19:30:10.500Z")),
            ("2026-11-21T19:30:10.123999999Z", Some("2026-11-21T19:30:10.123Z")),
            ("2026-11-21T19:30:10+02:00", Some("2026-11-21T17:30:10.000Z")),
            ("2026-11-21T19:30:10.25-0530", Some("2026-11-22T01:00:10.250Z")),
            ("2026-11-21T10:00:02+0000", Some("2026-11-21T10:00:02.000Z")),
            ("2026-11-21 10:00:02Z", Some("2026-11-21T10:00:02.000Z")),
            ("2026-11-21 20:08:42 +0000 UTC", Some("2026-11-21T20:08:42.000Z")),
            (
                "2026-11-21 20:08:42.123456789 +0000 UTC",
                Some("2026-11-21T20:08:42.123Z"),
            ),
            ("2026-11-21 20:08:42 +0200 CEST", Some("2026-11-21T18:08:42.000Z")),
            ("2026-11-21 20:08:42 +0200 +02", Some("2026-11-21T18:08:42.000Z")),
            ("2026-11-21 10:00:00 +0000", Some("2026-11-21T10:00:00.000Z")),
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00.000Z")),
            ("9999-12-30T00:00:00Z", Some("9999-12-30T00:00:00.000Z")),
            ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00.000Z")),
            ("2026-02-29T00:00:00Z", None),
            ("1970-01-01T00:00:00+02:00", None),
            ("1969-12-31T23:59:59Z", None),
            ("0001-01-01T00:00:00Z", None),
            ("294277-01-01T00:00:00Z", None),
            ("+2026-11-21T19:30:10Z", None),
            ("2026-11-21T19:30:10", None),
            ("2026-11-21", None),
            ("2026-11-21T19:30:60Z", None),
            ("2026-11-21T24:00:00Z", None),
            ("2026-11-21T19:30:10.Z", None),
            ("2026-11-21T19:30:10.1234567890Z", None),
            ("2026-11-21T19:30:10+25:00", None),
            ("2026-11-21T19:30:10+02:60", None),
            ("2026-11-21T19:30:10+2", None),
            ("2026-11-21T19:30:10Z junk", None),
            ("2026-11-21T19:30:10ZZ", None),
            ("2026-11-21T19:30:10+02:00 ", Some("2026-11-21T17:30:10.000Z")),
            ("2026-11-21 20:08:42 +0000 ", Some("2026-11-21T20:08:42.000Z")),
            ("2026-11-21 20:08:42 +0000 UTC m=+0.1", None),
            ("2026-1-2T19:30:10Z", None),
            ("2026-11-21T\u{661}9:30:10Z", None),
            ("1700000000", None),
            ("now", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                parse_timestamp(text).map(rfc3339_millis).as_deref(),
                *expected,
                "{text:?}"
            );
        }
    }
}
