//! Kinds of problems: documented, all of them, and no others.
use super::source::files;
use std::collections::BTreeSet;

fn named(text: &str) -> BTreeSet<String> {
    let pattern = regex::Regex::new(r"/problems/[a-z-]+").expect("a pattern");
    pattern.find_iter(text).map(|m| m.as_str().to_owned()).collect()
}

#[test]
fn every_kind_of_problem_is_documented() {
    let page = std::fs::read_to_string("docs/errors.md").expect("the page");
    let table: String = page.lines().filter(|line| line.starts_with("| `/")).collect();
    let mut used = BTreeSet::new();
    for (path, text) in files("src", "rs") {
        let here = named(&text);
        assert!(
            here.is_empty() || path.contains("http/"),
            "{path} renders {here:?} by itself"
        );
        used.extend(here);
    }
    assert!(used.len() > 10, "{used:?}");
    assert_eq!(named(&table), used);
}
