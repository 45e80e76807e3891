//! Addresses of people.

/// An address as it is kept: without spaces around it, in small letters; none for what is no address. ASCII only: two
/// addresses that look the same are the same.
#[must_use]
pub fn email(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    let plain = |part: &str, more: &[u8]| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.contains("..")
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let good = text.len() <= 120 && plain(local, b".!#$%&'*+-/=?^_`{|}~") && plain(domain, b".-");
    good.then_some(text)
}

/// Whether a text may be shown as somebody's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= 100 && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_one_spelling() {
        for (text, expected) in [
            (" Ada@Example.ORG ", Some("ada@example.org")),
            ("a+b@c", Some("a+b@c")),
            ("ada", None),
            ("@example.org", None),
            ("ada@", None),
            ("a b@example.org", None),
            ("ada@exa_mple.org", None),
            ("ada@example..org", None),
            ("аda@example.org", None),
            ("a\"@example.org", None),
            ("a@b@c", None),
        ] {
            assert_eq!(email(text).as_deref(), expected, "{text}");
        }
        assert_eq!(email(&format!("{}@x.org", "a".repeat(120))), None);
    }
}
