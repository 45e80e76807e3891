//! Logins and credentials of machines.

use serde::Deserialize;

pub use crate::kernel::password::{hash_password, verify_password};

/// Length of the logins that engines make for themselves, and of ours: CAPI takes 48 letters and digits.
pub const LOGIN_LENGTH: usize = 48;
/// Length of the passwords that we make.
pub const PASSWORD_LENGTH: usize = 48;
/// Longest password that is hashed or sealed.
const PASSWORD_LIMIT: usize = 1024;
/// Most scenario names that are kept of a login.
const SCENARIO_LIMIT: usize = 2000;

/// Credentials that we issued; the password is shown once.
#[derive(Debug)]
pub struct Issued {
    /// The login.
    pub login: String,
    /// The password.
    pub password: String,
}

/// Whether a text may be a machine's login.
#[must_use]
pub fn is_login(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.@:".contains(&b))
}

/// Whether CAPI would take a login at registration.
#[must_use]
pub fn is_upstream_login(text: &str) -> bool {
    text.len() == LOGIN_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What an engine sends to log in. Engines send names of scenarios, `null` or nothing.
#[derive(Debug, Deserialize)]
struct RawLogin {
    machine_id: String,
    password: String,
    #[serde(default)]
    scenarios: serde_json::Value,
}

/// A login that can be judged.
#[derive(Debug)]
pub struct LoginRequest {
    /// The login.
    pub login: String,
    /// The password.
    pub password: String,
    /// Names of the scenarios the engine runs.
    pub scenarios: Vec<String>,
}

impl LoginRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let raw: RawLogin = serde_json::from_slice(body).map_err(|e| format!("body: {e}"))?;
        if !is_login(&raw.machine_id) {
            return Err("machine_id: 1 to 128 letters, digits and -_.@: are expected".to_owned());
        }
        if raw.password.is_empty() || raw.password.len() > PASSWORD_LIMIT || raw.password.contains('\0') {
            return Err(format!(
                "password: 1 to {PASSWORD_LIMIT} bytes without NUL are expected"
            ));
        }
        let scenarios = match raw.scenarios {
            serde_json::Value::Array(items) => items
                .into_iter()
                .filter_map(|v| match v {
                    serde_json::Value::String(s) if s.len() <= 255 && !s.contains('\0') => Some(s),
                    _ => None,
                })
                .take(SCENARIO_LIMIT)
                .collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            login: raw.machine_id,
            password: raw.password,
            scenarios,
        })
    }
}

/// What an engine sends to be enrolled.
#[derive(Debug, Deserialize)]
pub struct EnrolRequest {
    /// A tenant's key, or one of CrowdSec's console.
    #[serde(default)]
    pub attachment_key: String,
    /// The name the machine shall be shown by.
    #[serde(default)]
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_read_leniently_and_checked() {
        let parse = |text: &str| LoginRequest::parse(text.as_bytes());
        let read =
            parse(r#"{"machine_id":"abc","password":"p","scenarios":["a/b",{"name":"x"},7]}"#).unwrap();
        assert_eq!((read.login.as_str(), read.password.as_str()), ("abc", "p"));
        assert_eq!(read.scenarios, ["a/b"]);
        assert!(parse(r#"{"machine_id":"abc","password":"p","scenarios":null,"new":1}"#).is_ok());
        assert!(parse(r#"{"machine_id":"abc","password":"p"}"#).is_ok());
        for (text, field) in [
            ("", "body"),
            ("[]", "body"),
            (r#"{"machine_id":7,"password":"p"}"#, "body"),
            (r#"{"machine_id":"a b","password":"p"}"#, "machine_id"),
            (r#"{"machine_id":"","password":"p"}"#, "machine_id"),
            (r#"{"machine_id":"a","password":""}"#, "password"),
            (r#"{"machine_id":"a","password":"a\u0000"}"#, "password"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(field), "{text}: {error}");
        }
    }
}
