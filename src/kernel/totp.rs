//! Codes of an authenticator (RFC 6238: SHA-1, six digits, thirty seconds).

use aws_lc_rs::hmac;

/// Seconds of a step.
const STEP: i64 = 30;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step that a time lies in.
#[must_use]
pub const fn step_of(unix_seconds: i64) -> i64 {
    unix_seconds.div_euclid(STEP)
}

/// The step that a code is of, which is this one or a neighbour; none when the code is wrong, or of a step that was used.
/// Every step is looked at, whichever is right.
#[must_use]
pub fn matching(secret: &[u8], code: &str, now: i64, used: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let here = step_of(now);
    let mut found = None;
    for step in [here - 1, here, here + 1] {
        if crate::kernel::keyring::same_secret(code_of(secret, step).as_bytes(), code.as_bytes())
            && step > used
        {
            found = Some(step);
        }
    }
    found
}

/// The code of a step.
#[must_use]
pub fn code_of(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let word = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:06}", word % 1_000_000)
}

/// A secret as authenticators take it (RFC 4648, without padding).
#[must_use]
pub fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut word = [0u8; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(word);
        for n in 0..(chunk.len() * 8).div_ceil(5) {
            out.push(char::from(BASE32[((word >> (35 - 5 * n)) & 31) as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(secret, step_of(time)), code);
            assert_eq!(matching(secret, code, time, 0), Some(step_of(time)));
        }
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let (secret, now) = (b"12345678901234567890", 1_111_111_111);
        let step = step_of(now);
        for (offset, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let code = code_of(secret, step + offset);
            assert_eq!(
                matching(secret, &code, now, 0),
                good.then_some(step + offset),
                "{offset}"
            );
        }
        let code = code_of(secret, step);
        assert_eq!(matching(secret, &code, now, step), None, "used");
        assert_eq!(matching(secret, &code, now, step - 1), Some(step));
        for wrong in ["", "0", "0000000", "abcdef", &code[1..]] {
            assert_eq!(matching(secret, wrong, now, 0), None, "{wrong}");
        }
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(matching(secret, &spaced, now, 0), Some(step));
    }

    #[test]
    fn secrets_are_written_as_the_rfc_says() {
        for (text, expected) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(text.as_bytes()), expected);
        }
    }
}
