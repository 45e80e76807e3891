//! Values out of JSON of which nothing is certain. Nothing here holds more of it than its caller keeps.

use jiff::Timestamp;
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::kernel::time::parse_timestamp;

/// The largest number taken from anybody: a link of 100 Gbit/s moves 2e13 bytes in half an hour.
const LARGEST: f64 = 1e15;

struct Each<F>(F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            (self.0)(element);
        }
        Ok(())
    }
}

/// Hands out the elements of an array one by one; false when it is none.
pub fn each<'a>(raw: &'a RawValue, take: impl FnMut(&'a RawValue)) -> bool {
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    reader.deserialize_seq(Each(take)).is_ok()
}

/// A text that says something, without what surrounds it; none that the database refuses.
pub fn text(raw: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    let inner = text.trim();
    let good = !inner.is_empty() && !inner.contains('\0');
    good.then(|| {
        if inner.len() == text.len() {
            text.clone()
        } else {
            inner.to_owned()
        }
    })
}

/// The same, its beginning at least.
pub fn short_text(raw: Option<&RawValue>, most: usize) -> Option<String> {
    let text = text(raw)?;
    match text.char_indices().nth(most) {
        Some((end, _)) => Some(text[..end].to_owned()),
        None => Some(text),
    }
}

/// A number as it is or as text; neither negative nor beyond what anything counts.
pub fn number(raw: Option<&RawValue>) -> Option<f64> {
    let raw = raw?.get();
    let number: f64 = if raw.starts_with('"') {
        let text: String = serde_json::from_str(raw).ok()?;
        let text = text.trim();
        // Rust reads `inf` and `nan`, too.
        let digits = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        (digits && text.len() <= 40)
            .then(|| text.parse().ok())
            .flatten()?
    } else {
        raw.parse().ok()?
    };
    (0.0..=LARGEST).contains(&number).then_some(number.abs())
}

/// A point in time: seconds since 1970, or a text of engines.
pub fn time(raw: Option<&RawValue>) -> Option<Timestamp> {
    if let Some(seconds) = number(raw) {
        return whole(seconds).and_then(|s| Timestamp::from_second(s).ok());
    }
    parse_timestamp(&text(raw)?)
}

/// The nearest whole number.
pub fn whole(number: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // 2^53 at most
    let whole = number.round() as i64;
    (0.0..=9_007_199_254_740_991.0).contains(&number).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_read_and_nonsense_is_not() {
        for (text, expected) in [
            ("5", Some(5.0)),
            ("5.5", Some(5.5)),
            ("\"5\"", Some(5.0)),
            ("\" 1e3 \"", Some(1000.0)),
            ("1e15", Some(1e15)),
            ("0", Some(0.0)),
            ("-0.0", Some(0.0)),
            ("-1", None),
            ("\"-1\"", None),
            ("1e16", None),
            ("1e308", None),
            ("1e999", None),
            ("\"1e999\"", None),
            ("\"NaN\"", None),
            ("\"nan\"", None),
            ("\"inf\"", None),
            ("\"Infinity\"", None),
            ("\"\"", None),
            ("\"0x10\"", None),
            ("\"5 apples\"", None),
            ("true", None),
            ("[5]", None),
            ("{}", None),
        ] {
            let value = raw(text);
            assert_eq!(number(Some(&value)), expected, "{text}");
        }
        assert_eq!(number(None), None);
        let long = format!("\"{}\"", "1".repeat(41));
        assert_eq!(number(Some(&raw(&long))), None);
    }

    #[test]
    fn times_are_seconds_or_what_engines_write() {
        for (text, expected) in [
            ("1795290551", Some("2026-11-21T19:49:11Z")),
            ("\"1795290551\"", Some("2026-11-21T19:49:11Z")),
            ("\"2026-11-21T20:04:09Z\"", Some("2026-11-21T20:04:09Z")),
            (
                "\"2026-11-21 19:49:10.923274403 +0000 UTC\"",
                Some("2026-11-21T19:49:10.923274403Z"),
            ),
            ("999999999999999", None),
            ("-62135596800", None),
            ("\"yesterday\"", None),
            ("{}", None),
        ] {
            let value = raw(text);
            let expected = expected.map(|t| t.parse::<Timestamp>().unwrap());
            assert_eq!(time(Some(&value)), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_trimmed_cut_and_free_of_nul() {
        for (given, expected) in [
            ("\" a \"", Some("a")),
            ("\"abcdef\"", Some("abcd")),
            ("\"äöüäöü\"", Some("äöüä")),
            ("\"  \"", None),
            ("\"a\\u0000b\"", None),
            ("\"\\ud800\"", None),
            ("5", None),
        ] {
            assert_eq!(short_text(Some(&raw(given)), 4).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn elements_come_one_by_one() {
        let mut seen = Vec::new();
        let list = raw("[1, \"a\", {\"b\": [[]]}]");
        assert!(each(&list, |element| seen.push(element.get())));
        assert_eq!(seen, ["1", "\"a\"", "{\"b\": [[]]}"]);
        for none in ["{}", "5", "\"[]\"", "null"] {
            assert!(!each(&raw(none), |_| panic!("{none}")), "{none}");
        }
    }
}
