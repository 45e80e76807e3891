use super::*;
use secrecy::ExposeSecret as _;
use serde_json::json;

/// More than two users from one address.
pub fn rule() -> Rule {
    serde_json::from_value(json!({
        "id": "sso", "name": "SSO", "schedule": {"interval": "1h", "lookback": "2h"},
        "source": {"type": "loki", "url": "https://logs.example.org", "query": "{app=\"sso\"}"},
        "extraction": {"fields": {"ip": "client.ip", "user": "user"}},
        "detection": {"groupby": "ip", "distinct": "user", "threshold": 3},
        "decision": {"duration": "4h", "scenario": "custom/sso"},
    }))
    .unwrap()
}

fn wrong(rule: Rule, before: Option<&Analyzer>) -> Vec<String> {
    let checked = rule.check(&Policy::default(), before);
    let errors = checked.err().unwrap_or_default();
    errors.into_iter().map(|e| e.field).collect()
}

#[test]
fn what_is_left_out_is_as_crowdsieve_has_it() {
    let rule = rule().check(&Policy::default(), None).ok().unwrap().rule;
    assert_eq!(rule.source.url, "https://logs.example.org/");
    assert!(rule.enabled && rule.is_everywhere());
    assert_eq!((rule.version.as_str(), rule.source.max_lines), ("1.0.0", 5000));
    assert_eq!(
        (rule.detection.operator.as_str(), rule.decision.kind.as_str()),
        (">=", "ban")
    );
    assert_eq!(
        (rule.extraction.format.as_str(), rule.decision.scope.as_str()),
        ("json", "ip")
    );
    assert_eq!((rule.interval(), rule.lookback()), (3600, 7200));
}

#[test]
fn durations() {
    for (text, expected) in [
        ("90s", Some(90)),
        ("15m", Some(900)),
        ("3h", Some(10_800)),
        ("1d", Some(86_400)),
        ("0s", Some(0)),
        ("", None),
        ("s", None),
        ("5", None),
        ("-5s", None),
        ("+5s", None),
        ("1.5h", None),
        ("1h30m", None),
        ("5é", None),
        ("99999999999999999999d", None),
        ("9999999999999999d", None),
    ] {
        assert_eq!(span(text), expected, "{text}");
    }
}

type Spoil = fn(&mut Rule);

#[test]
fn every_wrong_field_is_named() {
    let cases: &[(&str, Spoil)] = &[
        ("id", |r| r.id = "a b".to_owned()),
        ("id", |r| r.id = String::new()),
        ("name", |r| r.name = String::new()),
        ("name", |r| r.name = "a\0b".to_owned()),
        ("schedule.interval", |r| r.schedule.interval = "9s".to_owned()),
        ("schedule.interval", |r| r.schedule.interval = "31d".to_owned()),
        ("schedule.lookback", |r| r.schedule.lookback = "1w".to_owned()),
        ("source.url", |r| {
            r.source.url = "http://127.0.0.1:3100/".to_owned();
        }),
        ("source.url", |r| r.source.url = "file:///etc/passwd".to_owned()),
        ("source.url", |r| {
            r.source.url = "https://u:p@logs.example.org/".to_owned();
        }),
        ("source.query", |r| r.source.query = String::new()),
        ("source.query", |r| r.source.query = "x".repeat(5001)),
        ("source.token", |r| r.source.token = Some("a\r\nb: c".to_owned())),
        ("source.username", |r| r.source.username = Some("a:b".to_owned())),
        ("source.org_id", |r| r.source.org_id = Some("a\nb".to_owned())),
        ("source.datasource_uid", |r| r.source.kind = SourceKind::Grafana),
        ("source.max_lines", |r| r.source.max_lines = 0),
        ("source.max_lines", |r| r.source.max_lines = 50_001),
        ("extraction.format", |r| r.extraction.format = "regex".to_owned()),
        ("extraction.fields", |r| {
            r.extraction.fields = (0..60).map(|n| (n.to_string(), "x".to_owned())).collect();
            r.detection.groupby = "1".to_owned();
            r.detection.distinct = None;
        }),
        ("detection.groupby", |r| r.detection.groupby = "nobody".to_owned()),
        ("detection.distinct", |r| {
            r.detection.distinct = Some("nobody".to_owned());
        }),
        ("detection.threshold", |r| r.detection.threshold = 0),
        ("detection.operator", |r| r.detection.operator = "!=".to_owned()),
        ("decision.type", |r| r.decision.kind = "bann".to_owned()),
        ("decision.duration", |r| r.decision.duration = "0s".to_owned()),
        ("decision.duration", |r| r.decision.duration = "6000d".to_owned()),
        ("decision.scope", |r| r.decision.scope = "country".to_owned()),
        ("decision.scenario", |r| r.decision.scenario = String::new()),
        ("targets", |r| r.targets = Vec::new()),
        ("targets", |r| r.targets = vec!["a b".to_owned()]),
    ];
    for (field, spoil) in cases {
        let mut bad = rule();
        spoil(&mut bad);
        assert_eq!(wrong(bad, None), [*field]);
    }
}

fn before(url: &str) -> Analyzer {
    Analyzer {
        id: 1,
        slug: "sso".to_owned(),
        rule: rule(),
        url: url.to_owned(),
        token: Some(vec![1]),
        enabled: true,
        counts_from: None,
        version: 1,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        updated_at: jiff::Timestamp::UNIX_EPOCH,
        next_at: None,
    }
}

#[test]
fn a_token_stays_with_the_url_it_was_given_for_and_is_never_shown() {
    let here = before("https://logs.example.org/");
    let elsewhere = before("https://other.example.org/");
    let kept = rule().check(&Policy::default(), Some(&here)).ok().unwrap();
    assert!(matches!(kept.token, Token::Kept));
    assert_eq!(wrong(rule(), Some(&elsewhere)), ["source.token"]);
    let with = |token: &str| {
        let mut rule = rule();
        rule.source.token = Some(token.to_owned());
        rule
    };
    let new = with("n3w")
        .check(&Policy::default(), Some(&elsewhere))
        .ok()
        .unwrap();
    assert!(matches!(&new.token, Token::New(text) if text.expose_secret() == "n3w"));
    assert!(!serde_json::to_string(&new.rule).unwrap().contains("n3w"));
    assert!(!serde_json::to_string(&with("n3w")).unwrap().contains("n3w"));
    let gone = with("").check(&Policy::default(), Some(&elsewhere)).ok().unwrap();
    assert!(matches!(gone.token, Token::None));
}
