use super::*;

#[test]
fn conditions_are_read_or_named() {
    let of = |actor: &str| {
        let conditions = Conditions {
            actor: Some(actor.to_owned()),
            ..Conditions::default()
        };
        let filter = conditions.check().unwrap();
        (filter.kind, filter.id, filter.name)
    };
    assert_eq!(of("token:5"), (Some(1), Some(5), None));
    assert_eq!(of("cli"), (Some(4), None, None));
    assert_eq!(of("token:x"), (None, None, Some("token:x".to_owned())));
    assert_eq!(of("ann"), (None, None, Some("ann".to_owned())));
    let conditions = Conditions {
        actor: Some(String::new()),
        action: Some("a\0".to_owned()),
        target: Some("x".repeat(257)),
        outcome: Some("perhaps".to_owned()),
        since: Some("yesterday".to_owned()),
        until: Some("2026-01-01T00:00:00Z".to_owned()),
    };
    let wrong = conditions.check().unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(fields, ["actor", "action", "target", "outcome", "since"]);
}

#[test]
fn an_anchor_is_read_as_it_is_printed() {
    let hash = "0a".repeat(32);
    let expected: Expected = format!("a=b=7:{hash}").parse().unwrap();
    assert_eq!((expected.tenant.as_str(), expected.anchor.seq), ("a=b", 7));
    assert_eq!(expected.anchor.hash, [10; 32]);
    for bad in [
        "",
        "acme",
        "acme=7",
        "acme=x:00",
        "acme=0:00",
        "=7:00",
        "acme=7:zz",
        "acme=7:é",
    ] {
        assert!(bad.parse::<Expected>().is_err(), "{bad}");
    }
    assert!(format!("acme=7:{}", "zz".repeat(32)).parse::<Expected>().is_err());
}

#[test]
fn no_cell_is_a_formula() {
    let entry = EntryView::from(Row {
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        kind: 1,
        id: Some(5),
        name: Some("=cmd|' /C calc'!A0".to_owned()),
        action: "x.y".to_owned(),
        target: Some("a,b".to_owned()),
        details: Some(r#"{"a":1}"#.to_owned()),
        refused: false,
        source: None,
        request: None,
        hash: "00".to_owned(),
    });
    let line = csv_line(&entry);
    assert_eq!(
        line,
        "1,1970-01-01T00:00:00.000Z,token,5,\"'=cmd|' /C calc'!A0\",x.y,\"a,b\",\"{\"\"a\"\":1}\",done,,,00\r\n"
    );
    assert_eq!(
        line.matches(',').count() - 1,
        CSV_HEAD.matches(',').count(),
        "one is within a cell"
    );
}
