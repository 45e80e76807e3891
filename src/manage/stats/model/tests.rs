use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn check(pairs: &[(&str, &str)]) -> Result<Question, Vec<String>> {
    let map: serde_json::Map<_, _> = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).into()))
        .collect();
    let query: StatsQuery = serde_json::from_value(map.into()).unwrap();
    query
        .check(at("2026-11-21T20:00:00Z"), "30d")
        .map_err(|e| match e {
            ApiError::Invalid(fields) => fields.into_iter().map(|f| f.field).collect(),
            other => panic!("{other:?}"),
        })
}

#[test]
fn every_wrong_parameter_is_named() {
    for (name, values) in [
        ("period", &["", "1d", "7D", "forever"][..]),
        (
            "tz",
            &[
                "",
                "Mars/Base",
                "+03:00",
                "UTC'",
                "Europe/ Paris",
                "../../etc/passwd",
            ],
        ),
        ("ip", &["x"]),
        ("country", &["fr"]),
        ("since", &["yesterday"]),
    ] {
        for value in values {
            assert_eq!(check(&[(name, value)]).unwrap_err(), [name], "{name}={value}");
        }
    }
    assert_eq!(
        check(&[("period", "x"), ("tz", "y"), ("filtered", "z")]).unwrap_err(),
        ["period", "tz", "filtered"]
    );
}

#[test]
fn a_period_ends_now_and_bounds_what_is_asked() {
    for (pairs, since) in [
        (&[][..], Some("2026-10-22T20:00:00Z")),
        (&[("period", "7d")], Some("2026-11-14T20:00:00Z")),
        (&[("period", "all")], None),
        (
            &[("period", "all"), ("since", "2026-01-01T00:00:00Z")],
            Some("2026-01-01T00:00:00Z"),
        ),
        (
            &[("period", "7d"), ("since", "2026-01-01T00:00:00Z")],
            Some("2026-11-14T20:00:00Z"),
        ),
        (&[("since", "2026-01-01T00:00:00Z")], Some("2026-01-01T00:00:00Z")),
        (&[("until", "2026-01-01T00:00:00Z")], None),
        (
            &[("period", "7d"), ("since", "2026-11-20T00:00:00Z")],
            Some("2026-11-20T00:00:00Z"),
        ),
    ] {
        assert_eq!(check(pairs).unwrap().filter.since, since.map(at), "{pairs:?}");
    }
}

#[test]
fn charts_have_no_gaps() {
    let counts = BTreeMap::from([(0, 3), (6, 1)]);
    let week: Vec<_> = weekdays(&counts)
        .into_iter()
        .map(|d| (d.day_name, d.count))
        .collect();
    assert_eq!(week[0], ("Sun", 3));
    assert_eq!(week[1], ("Mon", 0));
    assert_eq!(week[6], ("Sat", 1));
    assert_eq!(hours(&BTreeMap::from([(23, 5)])).len(), 24);
    let counts = BTreeMap::from([("2024-02-29".to_owned(), 2)]);
    let trend = days(
        &counts,
        "2024-02-27".parse().unwrap(),
        "2024-03-01".parse().unwrap(),
    );
    let trend: Vec<_> = trend.iter().map(|d| (d.date.as_str(), d.count)).collect();
    let expected = [
        ("2024-02-27", 0),
        ("2024-02-28", 0),
        ("2024-02-29", 2),
        ("2024-03-01", 0),
    ];
    assert_eq!(trend, expected);
    // A clock that ran ahead when something was stored: it is counted all the same.
    let counts = BTreeMap::from([("2030-01-01".to_owned(), 7)]);
    let trend = days(
        &counts,
        "2024-02-27".parse().unwrap(),
        "2024-02-27".parse().unwrap(),
    );
    assert_eq!(trend.len(), 2);
}

#[test]
fn the_range_chooses_the_bucket() {
    for (hours, unit) in [
        (0, Unit::Minute),
        (2, Unit::Minute),
        (3, Unit::Hour),
        (24 * 7, Unit::Hour),
        (24 * 30, Unit::Day),
        (24 * 399, Unit::Day),
        (24 * 401, Unit::Week),
    ] {
        assert_eq!(Unit::of(SignedDuration::from_hours(hours)), unit, "{hours}");
    }
}

#[test]
fn buckets_begin_where_the_zone_says() {
    let bounds = |from: &str, to: &str| (at(from), at(to));
    let list = |unit, zone: &str, range| {
        let tz = TimeZone::get(zone).unwrap();
        let all = buckets(Vec::new(), unit, range, &tz);
        all.into_iter().map(|b| b.at).collect::<Vec<_>>()
    };
    // 25 hours: the clock goes back in between.
    let night = bounds("2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z");
    assert_eq!(list(Unit::Hour, "Europe/Paris", night).len(), 25);
    let days = bounds("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(
        list(Unit::Day, "Europe/Paris", days),
        [
            "2026-10-23T22:00:00.000Z",
            "2026-10-24T22:00:00.000Z",
            "2026-10-25T23:00:00.000Z"
        ]
    );
    assert_eq!(
        list(
            Unit::Hour,
            "Asia/Kathmandu",
            bounds("2026-11-21T20:00:00Z", "2026-11-21T20:30:00Z")
        ),
        ["2026-11-21T19:15:00.000Z", "2026-11-21T20:15:00.000Z"]
    );
    // Midnight comes twice on the Azores; on Lord Howe an hour lasts 90 minutes.
    let azores = bounds("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(
        list(Unit::Day, "Atlantic/Azores", azores),
        [
            "2026-10-24T00:00:00.000Z",
            "2026-10-25T01:00:00.000Z",
            "2026-10-26T01:00:00.000Z"
        ]
    );
    let howe = bounds("2026-04-04T13:30:00Z", "2026-04-04T17:00:00Z");
    let hours = list(Unit::Hour, "Australia/Lord_Howe", howe);
    assert_eq!(
        hours.last().map(String::as_str),
        Some("2026-04-04T16:30:00.000Z"),
        "{hours:?}"
    );
    // 2026-11-21 is a Saturday.
    assert_eq!(
        list(
            Unit::Week,
            "UTC",
            bounds("2026-11-21T20:00:00Z", "2026-11-23T00:00:00Z")
        ),
        ["2026-11-16T00:00:00.000Z", "2026-11-23T00:00:00.000Z"]
    );
}

#[test]
fn hours_of_most_zones_are_those_of_utc() {
    for (zone, from, to, whole) in [
        ("UTC", "1970-01-01T00:00:00Z", "2126-01-01T00:00:00Z", true),
        (
            "Europe/Paris",
            "1970-01-01T00:00:00Z",
            "2126-01-01T00:00:00Z",
            true,
        ),
        (
            "Asia/Kolkata",
            "2026-01-01T00:00:00Z",
            "2026-02-01T00:00:00Z",
            false,
        ),
        (
            "Asia/Kathmandu",
            "2026-01-01T00:00:00Z",
            "2026-02-01T00:00:00Z",
            false,
        ),
        // Half an hour of summer time: from October to April.
        (
            "Australia/Lord_Howe",
            "2026-01-01T00:00:00Z",
            "2026-02-01T00:00:00Z",
            true,
        ),
        (
            "Australia/Lord_Howe",
            "2026-01-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
            false,
        ),
        (
            "Australia/Lord_Howe",
            "2026-06-01T00:00:00Z",
            "2026-07-01T00:00:00Z",
            false,
        ),
        // Half past until 1982.
        (
            "Asia/Singapore",
            "1981-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            false,
        ),
        (
            "Asia/Singapore",
            "1982-01-01T00:00:00Z",
            "2026-01-01T00:00:00Z",
            true,
        ),
    ] {
        let tz = TimeZone::get(zone).unwrap();
        assert_eq!(
            whole_hours(&tz, at(from), at(to)),
            whole,
            "{zone} from {from} to {to}"
        );
    }
}
