use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn view(wanted: Option<i64>, own: Option<i64>, copy: Option<(i64, bool)>) -> View {
    View {
        key: Uuid::nil(),
        scope: "Ip".to_owned(),
        value: "192.0.2.7".to_owned(),
        kind: "ban".to_owned(),
        scenario: "crowdsecurity/ssh-bf".to_owned(),
        wanted: wanted.map(at),
        own: own.map(at),
        copy: copy.map(|(until, refused)| (at(until), refused)),
        lifts: Vec::new(),
    }
}

#[test]
fn what_to_do_by_what_is_known() {
    let place = |s| Step::Place(at(s));
    for (wanted, own, copy, expected) in [
        (None, None, None, Step::Leave),
        (Some(3600), None, None, place(3600)),
        (Some(1), None, None, Step::Leave),
        (Some(-5), None, None, Step::Leave),
        // A server that has as much by itself needs nothing.
        (Some(3600), Some(3600), None, Step::Leave),
        (Some(3600), Some(3598), None, Step::Leave),
        (Some(3600), Some(7200), None, Step::Leave),
        (Some(3600), Some(600), None, place(3600)),
        (Some(3600), Some(7200), Some((3600, false)), Step::Withdraw),
        // The same end, give or take what the set lets pass.
        (Some(3600), None, Some((3600, false)), Step::Leave),
        (Some(3600), None, Some((3598, false)), Step::Leave),
        (Some(3600), None, Some((3602, false)), Step::Leave),
        (Some(3603), None, Some((3600, false)), Step::Replace(at(3603))),
        (Some(3600), None, Some((3000, false)), Step::Replace(at(3600))),
        (Some(600), None, Some((3600, false)), Step::Replace(at(600))),
        (None, None, Some((3600, false)), Step::Withdraw),
        (None, None, Some((-1, false)), Step::Forget),
        (None, None, Some((3600, true)), Step::Forget),
        (Some(3600), None, Some((3600, true)), Step::Leave),
        (Some(9000), None, Some((3600, true)), place(9000)),
    ] {
        assert_eq!(
            step(&view(wanted, own, copy), at(0)),
            expected,
            "{wanted:?} {own:?} {copy:?}"
        );
    }
}

#[test]
fn ends_at_the_edge_of_time_are_compared() {
    let edge = Timestamp::MAX;
    let view = |own, copy| View {
        wanted: Some(edge),
        own,
        copy,
        ..view(None, None, None)
    };
    for (own, copy, expected) in [
        (Some(edge), None, Step::Leave),
        (None, Some((edge, true)), Step::Leave),
        (None, Some((edge, false)), Step::Leave),
        (Some(Timestamp::MIN), None, Step::Place(edge)),
    ] {
        assert_eq!(step(&view(own, copy), at(0)), expected, "{own:?} {copy:?}");
    }
}

#[test]
fn what_to_mend_by_what_is_there() {
    let found = |list: &[(i64, i64)]| {
        list.iter()
            .map(|(id, until)| Found {
                id: *id,
                until: at(*until),
            })
            .collect::<Vec<_>>()
    };
    for (wanted, there, keep, end, place) in [
        (None, vec![], None, vec![], None),
        (None, vec![(1, 60), (2, 90)], None, vec![1, 2], None),
        (Some(60), vec![], None, vec![], Some(60)),
        (Some(60), vec![(1, 62)], Some(62), vec![], None),
        (Some(60), vec![(1, 90), (2, 60)], Some(60), vec![1], None),
        (Some(60), vec![(1, 60), (2, 60)], Some(60), vec![2], None),
        (Some(60), vec![(1, 90)], None, vec![1], Some(60)),
    ] {
        let expected = Repair {
            keep: keep.map(at),
            end,
            place: place.map(at),
        };
        assert_eq!(repair(wanted.map(at), &found(&there)), expected);
    }
}

#[test]
fn a_copy_ends_when_the_original_does_by_the_servers_own_clock() {
    let copy = Placing::of(view(Some(3600), None, None), at(3600));
    for (skew, stop_at) in [
        (0, "2027-01-15T08:00:00.000Z"),
        (600, "2027-01-15T08:10:00.000Z"),
        (-600, "2027-01-15T07:50:00.000Z"),
    ] {
        let alert = alert(&copy, at(0), SignedDuration::from_secs(skew));
        assert_eq!(alert["stop_at"], stop_at);
        assert_eq!(alert["decisions"][0]["duration"], "3600000ms");
        assert_eq!(alert["decisions"][0]["origin"], "garrison");
        assert_eq!(alert["source"]["ip"], "192.0.2.7");
    }
}

#[test]
fn parts_shrink_until_one_is_alone() {
    let parts: Vec<usize> = (0..6).map(portion).collect();
    assert_eq!(parts, [500, 500, 62, 7, 1, 1]);
    assert!(is_believed(true, 0) && !is_believed(false, 9) && is_believed(false, 10));
    assert!(is_about_content(500) && !is_about_content(503) && !is_about_content(401));
}
