//! Verdicts of globs. The expected column comes from npm minimatch 9.0.9 with its default options.

use super::*;

/// A glob, and texts with the verdict of minimatch.
type Row = (&'static str, &'static [(&'static str, bool)]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("crowdsecurity/*", &[("crowdsecurity/ssh-bf", true), ("crowdsecurity/a/b", false), ("crowdsecurity", false), ("crowdsecurity/", false), ("crowdsecurity/.x", false), ("CrowdSecurity/ssh-bf", false)]),
    ("*", &[("crowdsecurity/ssh-bf", false), ("ssh-bf", true), ("", false), (".hidden", false), ("\u{e9}", true)]),
    ("**", &[("crowdsecurity/ssh-bf", true), ("", true), (".x", false), ("a/.x", false), ("a/b/", true)]),
    ("**/ssh*", &[("ssh-bf", true), ("a/ssh-bf", true), ("a/b/ssh-bf", true), ("a/.b/ssh-bf", false)]),
    ("a/**", &[("a", false), ("a/", true), ("a/b/c", true), ("a/.b", false)]),
    ("a/**/b", &[("a/b", true), ("a/x/b", true), ("a/x/y/b", true), ("a/.x/b", false), ("a/b/", true)]),
    ("!a*", &[("abc", false), ("xyz", true), (".a", true)]),
    ("!!a*", &[("abc", true), ("xyz", false)]),
    ("!(a|b)", &[("a", true), ("(a|b)", false), ("c", true)]),
    ("{ssh,http}-*", &[("ssh-bf", true), ("http-probing", true), ("ftp-bf", false)]),
    ("x{1..3}", &[("x1", true), ("x3", true), ("x4", false)]),
    ("x{03..1}", &[("x02", true), ("x2", false)]),
    ("x{a..e..2}", &[("xc", true), ("xb", false)]),
    ("a{b,{c,d}e}", &[("ab", true), ("ade", true), ("acd", false)]),
    ("{a}", &[("{a}", true), ("a", false)]),
    ("${a,b}", &[("${a,b}", true), ("a", false)]),
    ("[a-c]x", &[("bx", true), ("dx", false), ("/x", false)]),
    ("[!a-c]x", &[("bx", false), ("dx", true), (".x", false)]),
    ("[^a]", &[("a", false), ("b", true)]),
    ("[[:digit:]]x", &[("5x", true), ("ax", false)]),
    ("[a-", &[("[a-", true), ("a", false)]),
    ("[]a]", &[("]", true), ("a", true), ("b", false)]),
    ("?", &[("a", true), ("", false), (".", false), ("ab", false), ("/", false)]),
    (".*", &[(".a", true), (".", false), ("..", false), ("a", false)]),
    ("*.js", &[(".js", false), ("a.js", true), ("a.b.js", true)]),
    ("a//b", &[("a/b", true), ("a///b", true)]),
    ("a/../b", &[("b", true), ("a/b", false)]),
    ("@(a|b)c", &[("ac", true), ("bc", true), ("abc", false), ("c", false)]),
    ("?(a)b", &[("ab", true), ("b", true), ("aab", false)]),
    ("*(a|b)", &[("", true), ("abba", true), ("c", false)]),
    ("+(a|b)", &[("", false), ("abba", true), ("abc", false)]),
    ("@(*|.x)", &[("a", true), (".x", true), (".y", false)]),
    ("x!(a|b)", &[("x", true), ("xa", false), ("xb", false), ("xc", true), ("xab", true)]),
    ("c/!(*-bf)", &[("c/ssh-bf", false), ("c/ssh", true), ("c/.x", false), ("d/ssh", false)]),
    ("a!(b)c", &[("ac", true), ("abc", false), ("axc", true)]),
    ("#a", &[("#a", false), ("a", false)]),
    ("\\*", &[("*", true), ("a", false), ("\\*", false)]),
    ("\\{a,b\\}", &[("{a,b}", true), ("a", false)]),
    ("", &[("", true), ("a", false)]),
    ("a", &[("a", true), ("a/", true), ("A", false), ("ab", false)]),
    ("***", &[("a", true), ("a/b", false)]),
    ("a**b", &[("ab", true), ("axxb", true), ("a/b", false)]),
];

#[test]
fn same_verdicts_as_minimatch() {
    for (pattern, texts) in TABLE {
        let (glob, _) = Glob::compile(pattern).unwrap();
        for (text, expected) in *texts {
            assert_eq!(glob.matches(text), *expected, "{pattern:?} on {text:?}");
        }
    }
}

#[test]
fn what_only_backtracking_can_run_is_refused() {
    let table: &[(&str, GlobError)] = &[
        ("**/!(a)", GlobError::Negation),
        ("*!(a)", GlobError::Negation),
        ("a!(b)!(c)", GlobError::Negation),
        ("@(a|!(b))", GlobError::Negation),
        ("@(a|@(b|@(c|@(d|@(e)))))", GlobError::TooDeep),
        (
            "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
            GlobError::TooComplex,
        ),
        ("{1..100000000}", GlobError::TooComplex),
    ];
    for (pattern, expected) in table {
        assert_eq!(Glob::compile(pattern).err().as_ref(), Some(expected), "{pattern}");
    }
    assert_eq!(Glob::compile(&"a".repeat(501)).err(), Some(GlobError::TooLong));
    assert!(Glob::compile(&"a".repeat(500)).is_ok());
}

#[test]
fn braces_expand_as_in_bash() {
    let table: &[(&str, &[&str])] = &[
        ("a{b,c}d", &["abd", "acd"]),
        ("a{b,}c", &["abc", "ac"]),
        ("{a,b", &["{a,b"]),
        ("a{2..}b", &["a{2..}b"]),
        ("{{a,b},c}", &["a", "b", "c"]),
        ("{{a,b}}", &["{a}", "{b}"]),
        ("{a},b}", &["a\\}", "b"]),
        ("{}a,b}", &["\\{\\}a,b}"]),
        ("{10..1..4}", &["10", "6", "2"]),
        ("{-1..1}", &["-1", "0", "1"]),
        ("{1..3..0}", &["1", "2", "3"]),
        ("{a\\,b,c}", &["a\\,b", "c"]),
        ("{,}", &[""]),
    ];
    for (pattern, expected) in table {
        assert_eq!(brace::expand(pattern).unwrap(), *expected, "{pattern}");
    }
}
