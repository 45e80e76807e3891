//! The key that seals what Garrison stores.

use secrecy::{ExposeSecret, SecretString};

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;

const SECRET_KEY: Setting = Setting::new(
    "secret_key",
    "-",
    "Key that seals stored credentials: at least 32 bytes, for example from `openssl rand -base64 48`.",
)
.variable("GARRISON_SECRET_KEY")
.secret();

pub(super) const SETTINGS: &[Setting] = &[SECRET_KEY];

/// Fewest bytes of a key.
const MIN_BYTES: usize = 32;
/// Fewest different bytes of a key; 32 random hexadecimal digits have fewer in less than 1 of 10^7 cases.
const MIN_DISTINCT: usize = 8;

pub(super) fn secret_key(source: &Source<'_>) -> Result<Option<SecretString>, ConfigError> {
    let Some(found) = source.find(&SECRET_KEY)? else {
        return Ok(None);
    };
    let key = found.secret()?;
    if weak(key.expose_secret()) {
        return Err(found.invalid(format!(
            "a random text of at least {MIN_BYTES} bytes, for example from `openssl rand -base64 48`"
        )));
    }
    Ok(Some(key))
}

/// Too short, one pattern over and over, or an example that nobody replaced.
fn weak(key: &str) -> bool {
    let mut seen = [false; 256];
    for byte in key.bytes() {
        seen[usize::from(byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let letters: String = key
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_ascii_lowercase();
    key.len() < MIN_BYTES
        || distinct < MIN_DISTINCT
        || letters.contains("changeme")
        || letters.contains("example")
}
