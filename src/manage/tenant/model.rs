/// Whether a tenant may have this name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_short_and_plain() {
        for (text, good) in [
            ("acme", true),
            ("Acme & Söhne", true),
            ("", false),
            (" acme", false),
            ("a\nb", false),
            (&"x".repeat(101), false),
        ] {
            assert_eq!(is_name(text), good, "{text}");
        }
    }
}
