//! `CrowdSieve`'s analyzers: never read at a start, taken over once by `garrison analyzer import`.

use serde_json::Value;

use super::error::ConfigError;
use super::source::{Source, foreign};
use super::value::json;

/// The `analyzers` of a `CrowdSieve` file, `${…}` of the environment put in; none where it has no such section.
///
/// # Errors
/// As the file is malformed, or names a variable that is not set.
pub fn analyzer_settings(
    file: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Value>, ConfigError> {
    let source = Source::new(Some(file), environment)?;
    Ok(source.part("analyzers")?.map(|found| json(&found.input)))
}

/// A rule file, `${…}` of the environment put in.
///
/// # Errors
/// As the file is malformed, or names a variable that is not set.
pub fn analyzer_file(file: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Value, ConfigError> {
    Ok(json(&foreign(file, environment)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(name: &str) -> Option<String> {
        (name == "TOKEN").then(|| "secret".to_owned())
    }

    #[test]
    fn files_become_values() {
        let main = "proxy: {listen_port: 8080}\nanalyzers:\n  enabled: true\n  sources: {main: {type: loki, token: '${TOKEN}'}}\n";
        let expected = json!({"enabled": true, "sources": {"main": {"type": "loki", "token": "secret"}}});
        assert_eq!(analyzer_settings(main, &environment).unwrap(), Some(expected));
        assert_eq!(analyzer_settings("proxy: {}\n", &environment).unwrap(), None);
        let rule = "id: a\nsource: {query: '{app=\"x\"} |= \"$5\"'}\ndetection: {threshold: 5}\n";
        let expected =
            json!({"id": "a", "source": {"query": "{app=\"x\"} |= \"$5\""}, "detection": {"threshold": 5}});
        assert_eq!(analyzer_file(rule, &environment).unwrap(), expected);
    }

    #[test]
    fn hostile_files_are_refused() {
        let bomb = "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        let deep = format!("a: {}{}", "[".repeat(500), "]".repeat(500));
        let large = format!("a: {}", "x".repeat(300 * 1024));
        for (file, word) in [
            (bomb, ""),
            (deep.as_str(), ""),
            (large.as_str(), ""),
            ("a: '${UNSET}'", "UNSET"),
            ("a: 1\na: 2", "a"),
            ("a: [", ""),
        ] {
            let error = analyzer_file(file, &environment).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
