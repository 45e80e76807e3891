//! Addresses and passwords of people.

use std::net::IpAddr;

pub use crate::kernel::mailbox::{email, is_name};
use crate::kernel::net::Block;

/// How long an invitation is good, in seconds.
pub const INVITATION: f64 = 7.0 * 86_400.0;
/// How long the text is good that sets a new password, in seconds.
pub const RESET: f64 = 24.0 * 3600.0;
/// What a password must have.
pub const PASSWORD_RULE: &str =
    "must have 12 to 1024 bytes, without NUL, and not be one character again and again";

/// Whether a person may have this password.
#[must_use]
pub fn is_password(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters.next();
    (12..=1024).contains(&text.len()) && !text.contains('\0') && letters.any(|c| Some(c) != first)
}

/// The network that an address's tries count for: a household has one IPv4 address, or 64 bits of IPv6.
#[must_use]
pub fn network(from: Option<IpAddr>) -> String {
    let bits = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 64 };
    from.and_then(|ip| Block::new(ip, bits(ip)))
        .map_or_else(|| "unknown".to_owned(), |block| block.to_string())
}

/// Where the secret of a person's codes is sealed for.
#[must_use]
pub fn totp_place(person: i64) -> String {
    format!("person.totp/{person}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_count_for_a_network() {
        for (text, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ] {
            let shown = network(text.parse().ok());
            assert!(shown.starts_with(expected), "{text}: {shown}");
        }
        assert_eq!(network(None), "unknown");
    }

    #[test]
    fn passwords_are_long_enough() {
        assert!(is_password("correct horse battery"));
        for wrong in [
            "",
            "short",
            "aaaaaaaaaaaaaaa",
            "with a NUL \0 inside",
            &"x1".repeat(513),
        ] {
            assert!(!is_password(wrong), "{wrong}");
        }
    }
}
