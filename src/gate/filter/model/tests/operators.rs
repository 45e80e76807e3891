//! Every operator with both verdicts; contract 3.3.

use super::*;

#[test]
fn eq_is_strict() {
    check(
        "eq",
        &[
            ("source.cn", json!("FR"), true),
            ("source.cn", json!("fr"), false),
            ("source.cn", json!(null), false),
            ("six", json!(6), true),
            ("six", json!(6.0), true),
            ("one", json!(1), true),
            ("zero", json!(-0.0), true),
            ("number_text", json!(6), false),
            ("six", json!("6"), false),
            ("yes", json!(true), true),
            ("yes", json!("true"), false),
            ("zero", json!(false), false),
            ("empty", json!(false), false),
            ("uuid", json!(null), true),
            ("absent", json!(null), false),
            ("absent", json!("<omitted>"), true),
            ("uuid", json!("<omitted>"), false),
            ("six", json!("<omitted>"), false),
            ("none", json!([]), false),
            ("tags", json!(["a", "b", 7, true]), false),
        ],
    );
}

#[test]
fn ne_is_the_negation_of_eq() {
    check(
        "ne",
        &[
            ("source.cn", json!("FR"), false),
            ("source.cn", json!("DE"), true),
            ("six", json!(6.0), false),
            ("number_text", json!(6), true),
            ("absent", json!("FR"), true),
            ("absent", json!(null), true),
            ("absent", json!("<omitted>"), false),
            ("uuid", json!(null), false),
            ("none", json!([]), true),
        ],
    );
}

#[test]
fn comparisons_take_numbers_only() {
    check(
        "gt",
        &[
            ("six", json!(5), true),
            ("six", json!(5.9), true),
            ("six", json!(6), false),
            ("half", json!(6), true),
            ("number_text", json!(5), false),
            ("six", json!("5"), false),
            ("absent", json!(0), false),
            ("uuid", json!(-1), false),
            ("yes", json!(0), false),
            ("decisions.length", json!(1), true),
            ("six", json!("<omitted>"), false),
        ],
    );
    check(
        "gte",
        &[
            ("six", json!(6), true),
            ("six", json!(6.1), false),
            ("scenario", json!(1), false),
        ],
    );
    check(
        "lt",
        &[
            ("six", json!(7), true),
            ("six", json!(6), false),
            ("uuid", json!(1), false),
        ],
    );
    check(
        "lte",
        &[
            ("six", json!(6.0), true),
            ("six", json!(5), false),
            ("absent", json!(1), false),
        ],
    );
}

#[test]
fn in_and_not_in_are_strict() {
    check(
        "in",
        &[
            ("source.cn", json!(["DE", "FR"]), true),
            ("source.cn", json!(["DE", "fr"]), false),
            ("six", json!([1, 6.0]), true),
            ("zero", json!([-0.0]), true),
            ("number_text", json!([6]), false),
            ("yes", json!([false]), false),
            ("yes", json!([true]), true),
            ("source.cn", json!("FR"), false),
            ("source.cn", json!([]), false),
            ("uuid", json!(["", 0, false]), false),
            ("absent", json!(["FR"]), false),
            ("none", json!(["FR"]), false),
        ],
    );
    check(
        "not_in",
        &[
            ("source.cn", json!(["DE", "IT"]), true),
            ("source.cn", json!(["DE", "FR"]), false),
            ("absent", json!(["FR"]), true),
            ("uuid", json!(["FR"]), true),
            ("source.cn", json!("DE"), false),
            ("source.cn", json!([]), true),
        ],
    );
}

#[test]
fn contains_looks_into_strings_and_arrays() {
    check(
        "contains",
        &[
            ("scenario", json!("ssh"), true),
            ("scenario", json!("SSH"), false),
            ("scenario", json!(""), true),
            ("scenario", json!(1), false),
            ("tags", json!("a"), true),
            ("tags", json!(7), true),
            ("tags", json!(true), true),
            ("tags", json!(null), true),
            ("tags", json!("7"), false),
            ("tags", json!("c"), false),
            ("tags", json!("<omitted>"), false),
            ("list_of_lists", json!([1]), false),
            ("absent", json!("a"), false),
            ("object", json!("a"), false),
            ("six", json!(6), false),
        ],
    );
    check(
        "not_contains",
        &[
            ("scenario", json!("http"), true),
            ("scenario", json!("ssh"), false),
            ("tags", json!("c"), true),
            ("tags", json!("a"), false),
            ("none", json!("a"), true),
            ("tags", json!("<omitted>"), true),
            ("scenario", json!(1), false),
            ("absent", json!("a"), false),
            ("uuid", json!("a"), false),
            ("six", json!("a"), false),
        ],
    );
}

#[test]
fn prefixes_and_suffixes() {
    check(
        "starts_with",
        &[
            ("scenario", json!("crowdsecurity/"), true),
            ("scenario", json!("ssh"), false),
            ("scenario", json!(""), true),
            ("six", json!("6"), false),
            ("absent", json!(""), false),
            ("scenario", json!(["crowdsecurity/"]), false),
        ],
    );
    check(
        "ends_with",
        &[
            ("scenario", json!("-bf"), true),
            ("scenario", json!("-BF"), false),
            ("number_text", json!(6), false),
            ("uuid", json!(""), false),
        ],
    );
}

#[test]
fn emptiness() {
    let omitted = || json!("<omitted>");
    let rows = [
        ("absent", true),
        ("uuid", true),
        ("empty", true),
        ("none", true),
        ("absent.deeper", true),
        ("object", false),
        ("zero", false),
        ("no", false),
        ("tags", false),
        ("scenario", false),
    ];
    for (field, expected) in rows {
        check(
            "empty",
            &[(field, omitted(), expected), (field, json!("ignored"), expected)],
        );
        check("not_empty", &[(field, omitted(), !expected)]);
    }
}

#[test]
fn globs() {
    check(
        "glob",
        &[
            ("scenario", json!("crowdsecurity/*"), true),
            ("scenario", json!("Crowdsecurity/*"), false),
            ("scenario", json!("*"), false),
            ("scenario", json!("**"), true),
            ("scenario", json!("!crowdsecurity/*"), false),
            ("scenario", json!("!x"), true),
            ("scenario", json!("crowdsecurity/{ssh,http}-*"), true),
            ("scenario", json!(["x", "*/ssh-??"]), true),
            ("scenario", json!(["x", 6]), false),
            ("scenario", json!([]), false),
            ("scenario", json!(6), false),
            ("six", json!("*"), false),
            ("tags", json!("*"), false),
            ("absent", json!("**"), false),
        ],
    );
}

#[test]
fn patterns() {
    check(
        "regex",
        &[
            ("scenario", json!("ssh-(bf|slow)"), true),
            ("scenario", json!("^ssh"), false),
            ("scenario", json!("SSH"), false),
            ("scenario", json!(["^x", "bf$"]), true),
            ("scenario", json!(["^x", 1]), false),
            ("scenario", json!(""), true),
            ("message", json!(r"\bIp\s\d+\.0\.2\.\d{1,3}\b"), true),
            ("six", json!("6"), false),
            ("uuid", json!(""), false),
            ("scenario", json!("<omitted>"), false),
        ],
    );
}

#[test]
fn blocks() {
    check(
        "cidr",
        &[
            ("source.ip", json!("192.0.2.0/24"), true),
            ("source.ip", json!("192.0.2.9/24"), true),
            ("source.ip", json!("192.0.3.0/24"), false),
            ("source.ip", json!("192.0.2.77"), true),
            ("source.ip", json!(" 192.0.2.77/32 "), true),
            (
                "source.ip",
                json!(["10.0.0.0/8", "192.0.0.0/16", "192.0.2.0/25"]),
                true,
            ),
            (
                "source.ip",
                json!(["10.0.0.0/8", "192.0.2.128/25", "::/0"]),
                false,
            ),
            ("source.ip", json!(["rubbish", "192.0.2.0/24"]), true),
            ("source.ip", json!(["rubbish", 6]), false),
            ("source.ip", json!("192.0.2.0/33"), false),
            ("source.ip", json!("192.000.2.0/24"), false),
            ("source.ip", json!(6), false),
            ("source.ip", json!("::/0"), false),
            ("source.ip", json!("::ffff:192.0.2.0/120"), true),
            ("source.v6", json!("0.0.0.0/0"), false),
            ("source.v6", json!("2001:db8::/32"), true),
            ("source.v6", json!("2001:db9::/32"), false),
            ("source.mapped", json!("192.0.2.0/24"), true),
            ("source.zoned", json!("fe80::/10"), true),
            ("source.padded", json!("192.0.2.0/24"), true),
            ("source.octal", json!("0.0.0.0/0"), false),
            ("source.range", json!("192.0.0.0/16"), true),
            ("source.range", json!("192.0.2.0/25"), false),
            ("source.range", json!(["192.0.2.0/25", "192.0.2.128/25"]), false),
            ("source.cn", json!("0.0.0.0/0"), false),
            ("absent", json!("0.0.0.0/0"), false),
            ("tags", json!("0.0.0.0/0"), false),
        ],
    );
}

#[test]
fn paths() {
    check(
        "eq",
        &[
            ("decisions.0.origin", json!("crowdsec"), true),
            ("decisions.1.origin", json!("cscli"), true),
            ("decisions.2.origin", json!("<omitted>"), true),
            ("decisions.00.origin", json!("<omitted>"), true),
            ("decisions.-1.origin", json!("<omitted>"), true),
            ("decisions.length", json!(2), true),
            ("none.length", json!(0), true),
            ("source.cn.length", json!(2), true),
            ("source.length", json!("<omitted>"), true),
            ("decisions.origin", json!("<omitted>"), true),
            ("source.cn.deeper", json!("<omitted>"), true),
            ("uuid.deeper", json!("<omitted>"), true),
            ("Source.cn", json!("<omitted>"), true),
            ("", json!("<omitted>"), true),
            ("source..cn", json!("<omitted>"), true),
        ],
    );
    let odd = json!({"": {"": 1}, "0": 2, "length": 3});
    for (path, value) in [(".", 0), ("0", 2), ("length", 3), (".0", 0)] {
        let expr = Expr::parse(&json!({"field": path, "op": "eq", "value": value})).unwrap();
        assert_eq!(expr.matches(&odd, &Geo::default()), value != 0, "{path}");
    }
}
