use jiff::{SignedDuration, Timestamp};

use super::Filter;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Nothing was received before.
const BEGIN: Timestamp = Timestamp::UNIX_EPOCH;

/// A question that only says when, cut so that whole hours and days can be taken from their counts. Each instant is not
/// earlier than the one before; what lies between the first two and between the last two is counted row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The beginning.
    pub since: Timestamp,
    /// The first whole piece.
    pub from: Timestamp,
    /// The first whole day.
    pub day_from: Timestamp,
    /// The end of the last whole day.
    pub day_to: Timestamp,
    /// The end of the last whole piece.
    pub to: Timestamp,
    /// The end, not included.
    pub until: Timestamp,
    /// Nothing is left out.
    pub everything: bool,
}

impl Window {
    /// None where rows are to be read: for other conditions, and when no whole piece lies in between. `piece` is a part of
    /// a day.
    #[must_use]
    pub fn of(filter: &Filter, piece: SignedDuration) -> Option<Self> {
        let Filter {
            filtered: None,
            forwarded: None,
            scenario: None,
            country: None,
            agent: None,
            ip: None,
            since,
            until,
            newer_than: None,
        } = filter
        else {
            return None;
        };
        let end = Timestamp::MAX.checked_sub(DAY * 365).ok()?;
        let everything = since.is_none() && until.is_none();
        let since = since.unwrap_or(BEGIN).max(BEGIN);
        // The last microsecond belongs to it.
        let until = match until {
            Some(until) => (*until)
                .min(end)
                .checked_add(SignedDuration::from_micros(1))
                .ok()?,
            None => end,
        };
        let (from, to) = (ceil(since, piece)?, floor(until, piece)?);
        if from > to {
            return None;
        }
        let (day_from, day_to) = (ceil(from, DAY)?, floor(to, DAY)?);
        let (day_from, day_to) = if day_from > day_to {
            (from, from)
        } else {
            (day_from, day_to)
        };
        Some(Self {
            since,
            from,
            day_from,
            day_to,
            to,
            until,
            everything,
        })
    }

    /// All instants, in order.
    #[must_use]
    pub const fn with_days(&self) -> [Timestamp; 6] {
        [
            self.since,
            self.from,
            self.day_from,
            self.day_to,
            self.to,
            self.until,
        ]
    }

    /// The instants without the days.
    #[must_use]
    pub const fn bounds(&self) -> [Timestamp; 4] {
        [self.since, self.from, self.to, self.until]
    }
}

/// The last multiple of a length since 1970 that is not later: days of UTC and their parts.
fn floor(at: Timestamp, length: SignedDuration) -> Option<Timestamp> {
    let length = length.as_micros();
    let at = i128::from(at.as_microsecond());
    let begins = at.div_euclid(length) * length;
    Timestamp::from_microsecond(i64::try_from(begins).ok()?).ok()
}

fn ceil(at: Timestamp, length: SignedDuration) -> Option<Timestamp> {
    let begins = floor(at, length)?;
    if begins.as_microsecond() == at.as_microsecond() {
        Some(begins)
    } else {
        begins.checked_add(length).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}Z").parse().expect("a time")
    }

    #[test]
    fn a_question_is_cut_at_whole_hours_and_days() {
        for (since, until, cut) in [
            (
                "01T10:20:00",
                "09T03:40:00",
                Some(["01T11:00:00", "02T00:00:00", "09T00:00:00", "09T03:00:00"]),
            ),
            // Exact bounds need no rows; the last microsecond is the one beyond the hour.
            (
                "01T00:00:00",
                "02T00:00:00",
                Some(["01T00:00:00", "01T00:00:00", "02T00:00:00", "02T00:00:00"]),
            ),
            // Within a day: no days, all hours behind them.
            (
                "01T10:20:00",
                "01T13:00:00",
                Some(["01T11:00:00", "01T11:00:00", "01T11:00:00", "01T13:00:00"]),
            ),
            // Over midnight, without a whole day.
            (
                "01T22:20:00",
                "02T13:00:00",
                Some(["01T23:00:00", "02T00:00:00", "02T00:00:00", "02T13:00:00"]),
            ),
            ("01T10:20:00", "01T10:50:00", None),
            ("01T10:20:00", "01T11:10:00", Some(["01T11:00:00"; 4])),
            ("05T10:20:00", "01T11:10:00", None),
        ] {
            let filter = Filter {
                since: Some(at(since)),
                until: Some(at(until)),
                ..Filter::default()
            };
            let window = Window::of(&filter, SignedDuration::from_hours(1));
            let found = window.map(|w| [w.from, w.day_from, w.day_to, w.to]);
            assert_eq!(found, cut.map(|cut| cut.map(at)), "{since} to {until}");
            if let Some(w) = window {
                assert!(w.since <= w.from && w.to <= w.until && w.from <= w.day_from);
                assert!(w.day_from <= w.day_to && w.day_to <= w.to, "{w:?}");
                assert_eq!(w.until.as_microsecond(), at(until).as_microsecond() + 1);
            }
        }
    }

    #[test]
    fn everything_has_no_edges() {
        let window = Window::of(&Filter::default(), SignedDuration::from_hours(6)).expect("whole");
        assert!(window.everything && window.since == window.day_from);
        assert!(window.to < window.until && window.to > at("01T00:00:00"));
    }

    #[test]
    fn a_condition_reads_rows() {
        let filter = Filter {
            country: Some("FR".to_owned()),
            ..Filter::default()
        };
        assert_eq!(Window::of(&filter, SignedDuration::from_hours(1)), None);
    }
}
