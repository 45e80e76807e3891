//! What somebody asks to allow: read, and refused where it is wrong.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::fleet::decision::{Subject, around, too_wide};
use crate::http::FieldError;
use crate::kernel::duration::parse_duration_ms;
use crate::kernel::net::parse_block;
use crate::kernel::time::parse_timestamp;

/// Most entries of one request.
pub const BATCH_LIMIT: usize = 1000;
/// Longest description and reason, in characters.
const TEXT_LIMIT: usize = 500;

/// An entry as somebody says it.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct EntryDraft {
    pub value: String,
    pub reason: Option<String>,
    pub expires_at: Option<String>,
    /// Instead of an end: from now on.
    pub duration: Option<String>,
}

/// An entry that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NewEntry {
    pub subject: Subject,
    pub reason: String,
    pub expires_at: Option<Timestamp>,
}

/// Why a text cannot be kept, if so.
#[must_use]
pub fn wrong_text(text: &str) -> Option<&'static str> {
    let good = text.chars().count() <= TEXT_LIMIT && !text.contains(char::is_control);
    (!good).then_some("must have at most 500 characters, and no control characters")
}

/// Reads the entries of a request, sorted by value; of the same value the last one counts.
///
/// # Errors
/// Everything that is wrong with any, by its place.
pub fn checked(drafts: Vec<EntryDraft>, now: Timestamp) -> Result<Vec<NewEntry>, Vec<FieldError>> {
    if !(1..=BATCH_LIMIT).contains(&drafts.len()) {
        return Err(vec![FieldError {
            field: "entries".to_owned(),
            reason: format!("must have 1 to {BATCH_LIMIT} items"),
        }]);
    }
    read(drafts, "", now)
}

/// The same of any number, and `within` before the name of each field.
///
/// # Errors
/// Everything that is wrong with any, by its place.
pub fn read(drafts: Vec<EntryDraft>, within: &str, now: Timestamp) -> Result<Vec<NewEntry>, Vec<FieldError>> {
    let mut good = BTreeMap::new();
    let mut wrong = Vec::new();
    for (n, draft) in drafts.into_iter().enumerate() {
        let mut say = |field: &str, reason: String| {
            let field = format!("{within}entries[{n}].{field}");
            wrong.push(FieldError { field, reason });
        };
        let subject = block(&draft.value).map_err(|why| say("value", why));
        let reason = draft.reason.unwrap_or_default().trim().to_owned();
        if let Some(why) = wrong_text(&reason) {
            say("reason", why.to_owned());
        }
        let end = end(draft.expires_at.as_deref(), draft.duration.as_deref(), now);
        let end = end.map_err(|(field, why)| say(field, why.to_owned()));
        if let (Ok(subject), Ok(expires_at)) = (subject, end) {
            let entry = NewEntry {
                subject,
                reason,
                expires_at,
            };
            good.insert(subject.value(), entry);
        }
    }
    if wrong.is_empty() {
        Ok(good.into_values().collect())
    } else {
        Err(wrong)
    }
}

/// What an entry is about.
///
/// # Errors
/// Why it cannot be one.
pub fn block(text: &str) -> Result<Subject, String> {
    let block = parse_block(text).ok_or_else(|| "must be an IP address or a CIDR".to_owned())?;
    match too_wide(&block) {
        Some(shortest) => Err(format!("must not be wider than /{shortest}")),
        None => Ok(Subject(block)),
    }
}

/// When an entry ends; never, if nothing is said.
fn end(
    at: Option<&str>,
    duration: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>, (&'static str, &'static str)> {
    match (at, duration) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(("duration", "must not be given together with expiresAt")),
        (Some(at), None) => {
            let at = parse_timestamp(at).ok_or(("expiresAt", "must be a time as in RFC 3339"))?;
            if at > now {
                Ok(Some(at))
            } else {
                Err(("expiresAt", "must be in the future"))
            }
        }
        (None, Some(text)) => {
            let expected = r#"must be a duration like "90m", "24h" or "7d", and more than nothing"#;
            let ms = parse_duration_ms(text).filter(|ms| *ms > 0);
            let ms = ms.ok_or(("duration", expected))?;
            let end = now.checked_add(SignedDuration::from_millis(ms));
            end.map(Some)
                .map_err(|_| ("duration", "must end before the year 10000"))
        }
    }
}

/// Where ranges around these blocks may begin, and the first address that each must reach to overlap one of them.
#[must_use]
pub fn probes(entries: &[NewEntry]) -> BTreeMap<IpAddr, IpAddr> {
    let mut probes = BTreeMap::new();
    for Subject(block) in entries.iter().map(|entry| entry.subject) {
        for start in around(&block) {
            let first = probes.entry(start).or_insert_with(|| block.lo());
            *first = block.lo().min(*first);
        }
    }
    probes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::rfc3339_millis;

    fn draft(value: &str) -> EntryDraft {
        EntryDraft {
            value: value.to_owned(),
            ..EntryDraft::default()
        }
    }

    fn now() -> Timestamp {
        "2026-11-21T20:00:00Z".parse().unwrap()
    }

    #[test]
    fn values_are_addresses_and_ranges_that_are_not_too_wide() {
        for (text, expected) in [
            ("192.0.2.7", Ok("192.0.2.7")),
            (" 192.0.2.7/32 ", Ok("192.0.2.7")),
            ("::ffff:192.0.2.7", Ok("192.0.2.7")),
            ("::ffff:192.0.2.9/120", Ok("192.0.2.0/24")),
            ("192.0.2.9/24", Ok("192.0.2.0/24")),
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("2001:DB8::/48", Ok("2001:db8::/48")),
            ("2001::/19", Ok("2001::/19")),
            ("2001::/18", Err("wider than /19")),
            ("::/0", Err("wider than /19")),
            ("10.0.0.0/7", Err("wider than /8")),
            ("0.0.0.0/0", Err("wider than /8")),
            ("::ffff:0:0/96", Err("wider than /8")),
            ("", Err("must be an IP")),
            ("192.0.2", Err("must be an IP")),
            ("192.0.2.7/33", Err("must be an IP")),
            ("192.0.2.7\0", Err("must be an IP")),
            ("example.org", Err("must be an IP")),
        ] {
            match (block(text), expected) {
                (Ok(subject), Ok(value)) => assert_eq!(subject.value(), value, "{text:?}"),
                (Err(why), Err(word)) => assert!(why.contains(word), "{text:?}: {why}"),
                (got, _) => panic!("{text:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn ends() {
        for (at, duration, expected) in [
            (None, None, Ok(None)),
            (
                Some("2026-11-21T20:00:01Z"),
                None,
                Ok(Some("2026-11-21T20:00:01.000Z")),
            ),
            (
                Some("2026-11-21T22:00:01+01:00"),
                None,
                Ok(Some("2026-11-21T21:00:01.000Z")),
            ),
            (None, Some("24h"), Ok(Some("2026-11-22T20:00:00.000Z"))),
            (None, Some("7d"), Ok(Some("2026-11-28T20:00:00.000Z"))),
            (None, Some("1d1h"), Ok(Some("2026-11-22T21:00:00.000Z"))),
            (Some("2026-11-21T20:00:00Z"), None, Err("expiresAt")),
            (Some("2020-01-01T00:00:00Z"), None, Err("expiresAt")),
            (Some("tomorrow"), None, Err("expiresAt")),
            (Some("2026-12-01"), None, Err("expiresAt")),
            (Some(""), None, Err("expiresAt")),
            (None, Some("0s"), Err("duration")),
            (None, Some("-1h"), Err("duration")),
            (None, Some("1w"), Err("duration")),
            (None, Some(""), Err("duration")),
            (None, Some("99999999d"), Err("duration")),
            (None, Some("9223372036854775807ms"), Err("duration")),
            (Some("2027-01-01T00:00:00Z"), Some("1h"), Err("duration")),
        ] {
            let got = end(at, duration, now());
            let got = got.map(|end| end.map(rfc3339_millis)).map_err(|(field, _)| field);
            assert_eq!(
                got,
                expected.map(|end| end.map(str::to_owned)),
                "{at:?} {duration:?}"
            );
        }
    }

    #[test]
    fn entries_are_all_good_or_all_that_is_wrong_is_told() {
        let good = checked(
            vec![
                draft("192.0.2.7"),
                draft("10.0.0.0/8"),
                EntryDraft {
                    reason: Some(" the office ".to_owned()),
                    ..draft("::ffff:192.0.2.7")
                },
            ],
            now(),
        )
        .unwrap();
        let shown: Vec<_> = good
            .iter()
            .map(|e| (e.subject.value(), e.reason.as_str()))
            .collect();
        let expected = [("10.0.0.0/8", ""), ("192.0.2.7", "the office")];
        assert_eq!(shown, expected.map(|(value, reason)| (value.to_owned(), reason)));

        let mut all = vec![draft("192.0.2.7"); 4];
        all[1].value = "0.0.0.0/0".to_owned();
        all[3].reason = Some("a\0b".to_owned());
        all[3].duration = Some("soon".to_owned());
        let wrong = checked(all, now()).unwrap_err();
        let fields: Vec<_> = wrong.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(
            fields,
            ["entries[1].value", "entries[3].reason", "entries[3].duration"]
        );
        for n in [0, BATCH_LIMIT + 1] {
            assert_eq!(
                checked(vec![draft("192.0.2.7"); n], now()).unwrap_err()[0].field,
                "entries"
            );
        }
        assert!(checked(vec![draft("192.0.2.7"); BATCH_LIMIT], now()).is_ok());
        for (text, good) in [
            ("é".repeat(500), true),
            ("x".repeat(501), false),
            ("a\nb".to_owned(), false),
        ] {
            assert_eq!(wrong_text(&text).is_none(), good, "{text}");
        }
    }

    #[test]
    fn a_range_around_several_must_reach_the_first() {
        let entries = checked(
            vec![draft("10.0.0.9"), draft("10.0.0.200"), draft("10.1.0.0/16")],
            now(),
        );
        let probes = probes(&entries.unwrap());
        let first = |start: &str| probes.get(&start.parse().unwrap()).map(ToString::to_string);
        assert_eq!(first("10.0.0.0").as_deref(), Some("10.0.0.9"));
        assert_eq!(first("10.0.0.128").as_deref(), Some("10.0.0.200"));
        assert_eq!(first("10.0.0.8").as_deref(), Some("10.0.0.9"));
        // It begins where a range may that ends within: the entry's own beginning finds that one.
        assert_eq!(first("10.1.0.0"), None);
        assert_eq!(first("11.0.0.0"), None);
    }
}
