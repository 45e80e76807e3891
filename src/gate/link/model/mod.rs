//! What rides on a stream, in which form, and what a link proves.

pub mod feed;
pub mod merge;
pub mod token;

use jiff::Timestamp;

/// How long a machine holds a blocklist that it was given by a link.
///
/// The engine deletes nothing because it is missing from a list: an address that was lifted stays until the duration
/// announced with the list it was last on is over. Its next pull comes after 2 h (the first one up to 5 min later), so
/// less would leave gaps, and each minute more keeps a lifted ban alive. Half an hour is the margin for a pull that is
/// late or slow. It also makes the engine fetch the list anew each time, since it does so whenever its copy ends within
/// its interval and a quarter of an hour; the list is small compared with what CAPI sends.
pub const HELD: &str = "2h30m";

/// Where machines reach us: as the operator says, else as the machine called us. It ends in a slash.
pub fn base(public: Option<&str>, host: Option<&str>, https: bool) -> Option<String> {
    if let Some(public) = public {
        let slash = if public.ends_with('/') { "" } else { "/" };
        return Some(format!("{public}{slash}"));
    }
    let host = host?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
    let good = !host.is_empty() && host.len() <= 255 && host.bytes().all(plain);
    let scheme = if https { "https" } else { "http" };
    good.then(|| format!("{scheme}://{host}/"))
}

/// Whether who has what held at `since` has what holds now. A time that has not come yet proves nothing: the other
/// clock is ahead.
pub fn is_unmodified(since: Option<&str>, changed: Timestamp, now: Timestamp) -> bool {
    let since = since.and_then(|text| {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()
    });
    since.is_some_and(|since| since >= changed && since <= now)
}

/// The time of a change as HTTP writes it: never later than the answer that tells it.
pub fn last_modified(changed: Timestamp, now: Timestamp) -> Option<String> {
    let at = Timestamp::from_second(changed.as_second().min(now.as_second())).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_what_the_machine_can_call() {
        for (public, host, https, expected) in [
            (
                Some("https://g.test/x"),
                Some("other"),
                false,
                Some("https://g.test/x/"),
            ),
            (Some("https://g.test/"), None, false, Some("https://g.test/")),
            (None, Some("g.test:8080"), false, Some("http://g.test:8080/")),
            (
                None,
                Some("[2001:db8::1]:80"),
                true,
                Some("https://[2001:db8::1]:80/"),
            ),
            (None, Some("g.test/x"), false, None),
            (None, Some("user@g.test"), false, None),
            (None, Some("g.test\"}"), false, None),
            (None, Some(""), false, None),
            (None, None, false, None),
        ] {
            assert_eq!(
                base(public, host, https).as_deref(),
                expected,
                "{public:?} {host:?}"
            );
        }
    }

    #[test]
    fn a_change_is_never_taken_for_none() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let now = at(1_000_000_100);
        for (since, changed, expected) in [
            (Some("Sun, 09 Sep 2001 01:46:41 GMT"), 1_000_000_000, true),
            (Some("Sun, 09 Sep 2001 01:46:40 GMT"), 1_000_000_000, true),
            (Some("Sun, 09 Sep 2001 01:46:39 GMT"), 1_000_000_000, false),
            // a clock that is ahead
            (Some("Sun, 09 Sep 2001 01:48:21 GMT"), 1_000_000_000, false),
            (Some("yesterday"), 1_000_000_000, false),
            (Some(""), 1_000_000_000, false),
            (None, 1_000_000_000, false),
        ] {
            assert_eq!(is_unmodified(since, at(changed), now), expected, "{since:?}");
        }
    }

    #[test]
    fn a_change_of_this_second_is_told_as_now_and_read_as_old() {
        let now = Timestamp::from_millisecond(1_000_000_000_900).unwrap();
        let changed = Timestamp::from_second(1_000_000_001).unwrap();
        let told = last_modified(changed, now).unwrap();
        assert_eq!(told, "Sun, 09 Sep 2001 01:46:40 GMT");
        let later = Timestamp::from_second(1_000_000_005).unwrap();
        assert!(!is_unmodified(Some(&told), changed, later));
        let told = last_modified(changed, later).unwrap();
        assert!(is_unmodified(Some(&told), changed, later));
    }
}
