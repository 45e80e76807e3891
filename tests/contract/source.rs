//! The repository's files, and Rust text without what is not code.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The files of `src`, each cut into pieces: done once for all that look at them.
pub fn sources() -> &'static BTreeMap<String, Vec<Piece>> {
    static ALL: LazyLock<BTreeMap<String, Vec<Piece>>> = LazyLock::new(|| {
        let all = files("src", "rs").into_iter();
        all.map(|(path, text)| (path, pieces(&text))).collect()
    });
    &ALL
}

/// Every file below `dir` with this extension: its path from the root, with `/`, and its text.
pub fn files(dir: &str, extension: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(&root().join(dir), extension, &mut found);
    found
}

fn collect(dir: &Path, extension: &str, found: &mut BTreeMap<String, String>) {
    // A folder that is not there (benches, say) has no files.
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let name = path.strip_prefix(root()).expect("below the root");
            found.insert(name.display().to_string(), text);
        }
    }
}

/// The statements of `sql/`, by name (`alert/list`).
pub fn statements() -> BTreeMap<String, String> {
    let name = |path: &str| path["sql/".len()..].trim_end_matches(".sql").to_owned();
    let files = files("sql", "sql").into_iter();
    files.map(|(path, text)| (name(&path), text)).collect()
}

/// SQL without its comments.
pub fn without_comments(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|l| l.split_once("--").map_or(l, |(code, _)| code));
    lines.collect::<Vec<_>>().join("\n")
}

/// A piece of Rust: code, or what a string literal holds.
#[derive(Debug, PartialEq)]
pub enum Piece {
    Code(String),
    Text(String),
}

/// Rust text cut into code and string literals; comments and characters are gone.
pub fn pieces(rust: &str) -> Vec<Piece> {
    let chars: Vec<char> = rust.chars().collect();
    let starts = |at: usize, what: [char; 2]| chars[at] == what[0] && chars.get(at + 1) == Some(&what[1]);
    let (mut out, mut code, mut at) = (Vec::new(), String::new(), 0);
    while at < chars.len() {
        if starts(at, ['/', '/']) {
            at += chars[at..].iter().take_while(|c| **c != '\n').count();
        } else if starts(at, ['/', '*']) {
            at += 2;
            while at < chars.len() && !starts(at, ['*', '/']) {
                at += 1;
            }
            at += 2;
        } else if chars[at] == '\'' {
            // A character, or a lifetime, which has no second quote where a character has one.
            let closed = if chars.get(at + 1) == Some(&'\\') {
                (at + 3..at + 12).find(|n| chars.get(*n) == Some(&'\''))
            } else {
                Some(at + 2)
            };
            match closed.filter(|n| chars.get(*n) == Some(&'\'')) {
                Some(end) => at = end + 1,
                None => at += 1,
            }
        } else if let Some((from, until)) = string_at(&chars, at) {
            out.push(Piece::Code(std::mem::take(&mut code)));
            out.push(Piece::Text(chars[from..until.min(chars.len())].iter().collect()));
            let hashes = chars[at..from].iter().filter(|c| **c == '#').count();
            at = until + 1 + hashes;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    out.push(Piece::Code(code));
    out
}

/// Where the text of a string literal that starts at `at` begins and ends.
fn string_at(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut open = at;
    let within_name = at > 0 && word(chars[at - 1]);
    let raw = chars[at] == 'r' && !within_name && {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        open = at + 1 + hashes;
        chars.get(open) == Some(&'"')
    };
    if raw {
        let hashes = open - at - 1;
        let end = (open + 1..chars.len()).find(|n| {
            chars[*n] == '"' && chars[n + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
        });
        return Some((open + 1, end.unwrap_or(chars.len())));
    }
    if chars[at] != '"' {
        return None;
    }
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    Some((at + 1, end))
}

/// The code alone; a string literal is `""`.
pub fn code(pieces: &[Piece]) -> String {
    let words = pieces.iter().map(|piece| match piece {
        Piece::Code(code) => code,
        Piece::Text(_) => "\"\"",
    });
    words.collect()
}

#[test]
fn comments_and_strings_are_no_code() {
    for (rust, expected) in [
        ("a // crate::b\nc", "a \nc"),
        ("a /* crate::b */ c", "a  c"),
        ("f(\"crate::b \\\" // x\") d", "f(\"\") d"),
        ("r#\"crate::b \" x\"# e", "\"\" e"),
        ("'\"' g 'a' h '\\'' i", " g  h  i"),
        ("fn f<'a>(x: &'a str)", "fn f<a>(x: &a str)"),
    ] {
        assert_eq!(code(&pieces(rust)), expected, "{rust}");
    }
}
