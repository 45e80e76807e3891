//! A provider's tokens: by which key, whose, for whom, how old. No I/O.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

/// The algorithms that are read: a provider's own signatures, and never a secret that we share with it, nor none at all.
/// With the kind of key, and its curve.
const ALGORITHMS: [(&str, Algorithm, &str, Option<&str>); 4] = [
    ("RS256", Algorithm::RS256, "RSA", None),
    ("PS256", Algorithm::PS256, "RSA", None),
    ("ES256", Algorithm::ES256, "EC", Some("P-256")),
    ("EdDSA", Algorithm::EdDSA, "OKP", Some("Ed25519")),
];
/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;
/// How old a token may be when it comes, in seconds.
const OLDEST: i64 = 600;
/// How long a logout token is remembered: by then it is too old.
pub const REMEMBERED: f64 = 900.0;
/// What a logout token is about (Back-Channel Logout 1.0, 2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Most keys that are looked at.
const KEYS: usize = 100;

/// A key of the provider's.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    kind: String,
    curve: Option<String>,
    verifies: DecodingKey,
}

/// The keys of a document that sign; none where it is no document of keys.
pub(super) fn read_keys(body: &[u8]) -> Option<Vec<Key>> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let all = document.get("keys")?.as_array()?;
    Some(all.iter().take(KEYS).filter_map(read_key).collect())
}

fn read_key(value: &Value) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = text("kty")?;
    // A secret in public is none, and a key to encrypt with signs nothing.
    if !["RSA", "EC", "OKP"].contains(&kind.as_str()) || text("use").is_some_and(|what| what != "sig") {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    Some(Key {
        id: text("kid"),
        algorithm: text("alg"),
        curve: text("crv"),
        verifies: DecodingKey::from_jwk(&jwk).ok()?,
        kind,
    })
}

/// What the head of a token says.
#[derive(Debug)]
pub(super) struct Head {
    name: &'static str,
    algorithm: Algorithm,
    kind: &'static str,
    curve: Option<&'static str>,
    key: Option<String>,
}

/// The head of a token, which counts for nothing but the choice of a key.
pub(super) fn read_head(text: &str) -> Result<Head, &'static str> {
    let (head, _) = text.split_once('.').ok_or("the token is none")?;
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| "the token is none")?;
    let head: Map<String, Value> = serde_json::from_slice(&head).map_err(|_| "the token is none")?;
    if head.contains_key("crit") {
        return Err("the token has an extension that is not known");
    }
    let named = head.get("alg").and_then(Value::as_str).unwrap_or_default();
    let (name, algorithm, kind, curve) = ALGORITHMS
        .into_iter()
        .find(|(name, ..)| *name == named)
        .ok_or("the token is not signed by an algorithm that is read")?;
    Ok(Head {
        name,
        algorithm,
        kind,
        curve,
        key: head.get("kid").and_then(Value::as_str).map(str::to_owned),
    })
}

impl Head {
    /// The one key that the token can be signed by.
    pub(super) fn key_of<'a>(&self, keys: &'a [Key]) -> Option<&'a Key> {
        let fits = |key: &&Key| {
            key.kind == self.kind
                && (self.curve.is_none() || key.curve.as_deref() == self.curve)
                && key.algorithm.as_deref().is_none_or(|own| own == self.name)
        };
        let mut fitting = keys
            .iter()
            .filter(fits)
            .filter(|key| self.key.is_none() || key.id == self.key);
        let first = fitting.next()?;
        // Without a name it must be clear which.
        (self.key.is_some() || fitting.next().is_none()).then_some(first)
    }

    /// What the token says, where this key signed it.
    pub(super) fn open(&self, text: &str, key: &Key) -> Result<Map<String, Value>, &'static str> {
        // The claims are looked at below: here it is the signature alone.
        let mut rules = Validation::new(self.algorithm);
        rules.algorithms = vec![self.algorithm];
        rules.set_required_spec_claims::<&str>(&[]);
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        let read = jsonwebtoken::decode::<Map<String, Value>>(text, &key.verifies, &rules);
        read.map(|read| read.claims)
            .map_err(|_| "the token's signature does not hold")
    }
}

/// Whose tokens count, and for whom.
pub(super) struct Rules<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
}

impl Rules<'_> {
    /// What every token has to say.
    fn check(&self, claims: &Map<String, Value>, now: i64) -> Result<(), &'static str> {
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer) {
            return Err("the token is another issuer's");
        }
        let (is_ours, is_others) = match claims.get("aud") {
            Some(Value::String(one)) => (one == self.client_id, false),
            Some(Value::Array(all)) => {
                let ours = |value: &Value| value.as_str() == Some(self.client_id);
                (all.iter().any(ours), !all.iter().all(ours))
            }
            _ => (false, false),
        };
        if !is_ours {
            return Err("the token is for somebody else");
        }
        let party = claims
            .get("azp")
            .map(|party| party.as_str() == Some(self.client_id));
        if party == Some(false) || (is_others && party.is_none()) {
            return Err("the token was given to somebody else");
        }
        let issued = seconds(claims, "iat").ok_or("the token does not say when it was made")?;
        if issued > now + LEEWAY {
            return Err("the token was made in the future: are the clocks right?");
        }
        if issued < now - OLDEST {
            return Err("the token is too old: are the clocks right?");
        }
        if seconds(claims, "nbf").is_some_and(|from| from > now + LEEWAY) {
            return Err("the token is not good yet");
        }
        match (claims.get("exp"), seconds(claims, "exp")) {
            (Some(_), None) => Err("the token does not say when it ends"),
            (_, Some(end)) if end <= now - LEEWAY => Err("the token has ended"),
            _ => Ok(()),
        }
    }
}

/// A time, in whole seconds.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    #[allow(clippy::cast_possible_truncation)] // saturates
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Looks whether an ID token is the provider's, for us, of now, and of this login (Core 1.0, 3.1.3.7).
pub(super) fn check_id(
    claims: &Map<String, Value>,
    rules: &Rules<'_>,
    nonce: &str,
    now: i64,
) -> Result<(), &'static str> {
    rules.check(claims, now)?;
    if !claims.contains_key("exp") {
        return Err("the token does not say when it ends");
    }
    if claims.contains_key("events") {
        return Err("the token is no ID token");
    }
    if nonce.is_empty() || claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
        return Err("the token is of another login");
    }
    Ok(())
}

/// Whom the provider logs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// Its id, good once.
    pub id: String,
    /// The subject.
    pub sub: Option<String>,
    /// The provider's session.
    pub sid: Option<String>,
}

impl LogoutToken {
    /// How many seconds its id has to be remembered.
    pub const REMEMBERED: f64 = REMEMBERED;
}

/// Looks whether a logout token is the provider's, for us, and of now (Back-Channel Logout 1.0, 2.6).
pub(super) fn check_logout(
    claims: &Map<String, Value>,
    rules: &Rules<'_>,
    now: i64,
) -> Result<LogoutToken, &'static str> {
    rules.check(claims, now)?;
    let event = claims.get("events").and_then(|events| events.get(LOGOUT));
    if !event.is_some_and(Value::is_object) {
        return Err("the token logs nobody out");
    }
    if claims.contains_key("nonce") {
        return Err("the token is no logout token");
    }
    let text = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=255).contains(&text.len()) && !text.contains('\0') => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err("the token names nobody"),
    };
    let (sub, sid) = (text("sub")?, text("sid")?);
    if sub.is_none() && sid.is_none() {
        return Err("the token names nobody");
    }
    Ok(LogoutToken {
        id: text("jti")?.ok_or("the token has no id")?,
        sub,
        sid,
    })
}

#[cfg(test)]
mod tests;
