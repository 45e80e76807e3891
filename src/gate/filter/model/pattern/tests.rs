//! Verdicts of patterns. The expected column comes from `RegExp.test` of Node 20.

use super::*;

/// A pattern, and texts with JavaScript's verdict.
type Row = (&'static str, &'static [(&'static str, bool)]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("bf$", &[("ssh-bf", true), ("bf-x", false), ("bf\n", false)]),
    ("^a", &[("ab", true), ("b\na", false)]),
    ("", &[("", true), ("x", true)]),
    ("a.c", &[("abc", true), ("a\nc", false), ("a\rc", false), ("a\u{2028}c", false)]),
    ("\\d", &[("5", true), ("\u{663}", false)]),
    ("^\\w+$", &[("a_1", true), ("\u{e9}", false), ("\u{17f}", false)]),
    ("\\s", &[("\u{a0}", true), ("\u{feff}", true), ("\u{3000}", true), ("\u{200b}", false), ("\u{85}", false)]),
    ("\\S", &[(" ", false), ("\u{85}", true)]),
    ("\\bssh\\b", &[("a ssh b", true), ("assh", false), ("\u{e9}ssh", true)]),
    ("\\Bb", &[("ab", true), ("b", false)]),
    ("[^]", &[("\n", true), ("", false)]),
    ("[]", &[("a", false), ("", false)]),
    ("[[]", &[("[", true), ("a", false)]),
    ("[a&&b]", &[("&", true), ("a", true), ("c", false)]),
    ("[~~]", &[("~", true)]),
    ("\\/", &[("/", true), ("\\", false)]),
    ("\\u0041\\x42", &[("AB", true)]),
    ("\\uD83D\\uDE00", &[("\u{1f600}", true)]),
    ("\\u{2}", &[("uu", true), ("u", false)]),
    ("\\0", &[("\u{0}", true), ("0", false)]),
    ("\\cA", &[("\u{1}", true), ("A", false)]),
    ("\\c", &[("\\c", true), ("c", false)]),
    ("a{", &[("a{", true), ("a", false)]),
    ("a{,2}", &[("a{,2}", true), ("aa", false)]),
    ("a{2}", &[("aa", true), ("a", false)]),
    ("^a{1,2}$", &[("a", true), ("aaa", false)]),
    ("x{1}{", &[("x{", true)]),
    ("}]", &[("}]", true)]),
    ("(?<year>\\d{4})-(?<m>\\d\\d)", &[("2026-11", true), ("26-11", false)]),
    ("(?:a|b)+c", &[("abac", true), ("c", false)]),
    ("a|", &[("zzz", true)]),
    ("\\p{L}", &[("p{L}", true), ("\u{e9}", false)]),
    ("\\-\\_\\e", &[("-_e", true)]),
    ("[\\w-]", &[("-", true), ("a", true), ("+", false)]),
    ("[\\d-x]", &[("-", true), ("5", true), ("x", true), ("y", false)]),
    ("[\\b]", &[("\u{8}", true), ("b", false)]),
    ("[\\]]", &[("]", true)]),
    ("[^\\s\\d]", &[("a", true), ("5", false), (" ", false)]),
    ("[^\\W]", &[("a", true), ("-", false)]),
    ("[\\S\\s]", &[("\n", true)]),
    ("\\012", &[("\n", true)]),
    ("[\\1]", &[("\u{1}", true)]),
    ("\u{e9}+", &[("\u{e9}\u{e9}", true)]),
    ("(a+)+$", &[("aaaa", true), ("aaab", false)]),
    ("a*?b", &[("aab", true)]),
    ("\\z", &[("z", true), ("", false)]),
    ("[[:alpha:]]", &[(":]", true), ("a", false), ("a]", true)]),
    ("\\x4", &[("x4", true)]),
];

/// Refused by JavaScript too.
#[rustfmt::skip]
const INVALID: &[&str] = &[
    "[a--]",
    "*a",
    "a**",
    "(a",
    "a)",
    "[b-a]",
    "[a",
    "a{2,1}",
    "\\",
    "(?i)a",
    "(?P<n>a)",
    "(?<n>a)(?<n>b)",
    "^*",
    "\\b+",
    "a{1}{2}",
    "(?",
    "(?<>a)",
];

#[test]
fn same_verdicts_as_javascript() {
    for (pattern, texts) in TABLE {
        let (regex, _) = compile(pattern).unwrap();
        for (text, expected) in *texts {
            assert_eq!(regex.is_match(text), *expected, "{pattern:?} on {text:?}");
        }
    }
}

#[test]
fn what_javascript_refuses_is_refused() {
    for pattern in INVALID {
        assert!(
            matches!(compile(pattern), Err(PatternError::Invalid { .. })),
            "{pattern:?}"
        );
    }
}

#[test]
fn a_character_is_a_code_point() {
    // The one deliberate difference: JavaScript without flags sees two characters here.
    assert!(compile("^.$").unwrap().0.is_match("\u{1f600}"));
}

#[test]
fn what_needs_backtracking_or_too_much_is_refused() {
    let nested = format!("{}a{}", "(".repeat(200), ")".repeat(200));
    let long = "a".repeat(501);
    let nested_counts = format!("{}a{}", "(".repeat(30), "{9})".repeat(30));
    let classes = "[^a]".repeat(125);
    let table: &[(&str, PatternError)] = &[
        ("(?=a)", PatternError::LookAround),
        ("a(?!b)", PatternError::LookAround),
        ("(?<=a)b", PatternError::LookAround),
        ("(?<!a)b", PatternError::LookAround),
        (r"(a)\1", PatternError::BackReference),
        (r"(?<n>a)\k<n>", PatternError::BackReference),
        (r"\ud800", PatternError::LoneSurrogate),
        (r"(\w{100}){50}", PatternError::TooComplex),
        (r"((a{100}){100}){100}", PatternError::TooComplex),
        (".{1,32000}", PatternError::TooComplex),
        (".{99999999999999999999}", PatternError::TooComplex),
        (&nested_counts, PatternError::TooComplex),
        (&nested, PatternError::TooDeep),
        (&long, PatternError::TooLong),
    ];
    for (pattern, expected) in table {
        assert_eq!(compile(pattern).err().as_ref(), Some(expected), "{pattern}");
    }
    assert!(compile(&classes).is_ok());
    assert!(compile(&format!("{}a{}", "(".repeat(32), ")".repeat(32))).is_ok());
    assert!(compile(&"a".repeat(500)).is_ok());
}
