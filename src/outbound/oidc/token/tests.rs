use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;
const RULES: Rules<'_> = Rules {
    issuer: "https://id.example",
    client_id: "garrison",
};

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The claims with others in their place; null takes one away.
fn with(base: &Value, change: &Value) -> Map<String, Value> {
    let mut claims = map(base);
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    claims
}

#[test]
fn an_id_token_is_the_providers_for_us_of_now_and_of_this_login() {
    let base = json!({"iss": "https://id.example", "aud": "garrison", "sub": "1", "nonce": "n",
        "iat": NOW - 1, "exp": NOW + 60});
    for (change, good) in [
        (json!({}), true),
        (json!({"aud": ["garrison"]}), true),
        (json!({"aud": ["garrison", "other"], "azp": "garrison"}), true),
        (json!({"aud": ["garrison", "other"]}), false),
        (json!({"aud": ["garrison", "other"], "azp": "other"}), false),
        (json!({"azp": "garrison"}), true),
        (json!({"azp": "other"}), false),
        (json!({"azp": 1}), false),
        (json!({"aud": "other"}), false),
        (json!({"aud": ["other"]}), false),
        (json!({"aud": []}), false),
        (json!({"aud": null}), false),
        (json!({"aud": {"garrison": 1}}), false),
        (json!({"iss": "https://id.example/"}), false),
        (json!({"iss": "https://evil.example"}), false),
        (json!({"iss": null}), false),
        (json!({"nonce": "m"}), false),
        (json!({"nonce": null}), false),
        (json!({"exp": NOW - 61}), false),
        (json!({"exp": NOW - 59}), true),
        (json!({"exp": "soon"}), false),
        (json!({"exp": null}), false),
        (json!({"iat": NOW + 59}), true),
        (json!({"iat": NOW + 61}), false),
        (json!({"iat": NOW - 601}), false),
        (json!({"iat": null}), false),
        (json!({"iat": "now"}), false),
        (json!({"nbf": NOW + 61}), false),
        (json!({"exp": 1.8e9 + 10.5}), true),
        (json!({"events": {LOGOUT: {}}}), false),
    ] {
        let found = check_id(&with(&base, &change), &RULES, "n", NOW);
        assert_eq!(found.is_ok(), good, "{change}: {found:?}");
    }
    let none = with(&base, &json!({"nonce": ""}));
    assert!(check_id(&none, &RULES, "", NOW).is_err());
}

#[test]
fn a_logout_token_logs_somebody_out_and_is_nothing_else() {
    let base = json!({"iss": "https://id.example", "aud": "garrison", "sub": "1", "sid": "s", "jti": "j",
        "iat": NOW, "exp": NOW + 60, "events": {LOGOUT: {}}});
    for (change, good) in [
        (json!({}), true),
        (json!({"sub": null}), true),
        (json!({"sid": null}), true),
        (json!({"exp": null}), true),
        (json!({"sub": null, "sid": null}), false),
        (json!({"sub": 5}), false),
        (json!({"sid": ""}), false),
        (json!({"jti": null}), false),
        (json!({"jti": "x".repeat(256)}), false),
        (json!({"nonce": "n"}), false),
        (json!({"nonce": ""}), false),
        (json!({"events": null}), false),
        (json!({"events": {}}), false),
        (json!({"events": {LOGOUT: "yes"}}), false),
        (json!({"events": [LOGOUT]}), false),
        (
            json!({"events": {"http://schemas.openid.net/event/other": {}}}),
            false,
        ),
        (json!({"iss": "https://evil.example"}), false),
        (json!({"aud": "other"}), false),
        (json!({"iat": NOW - 601}), false),
        (json!({"exp": NOW - 61}), false),
    ] {
        let found = check_logout(&with(&base, &change), &RULES, NOW);
        assert_eq!(found.is_ok(), good, "{change}: {found:?}");
    }
}

/// A key of the provider's, and what signs with it.
fn pair(id: &str) -> (Value, EncodingKey) {
    let document = EcdsaKeyPair::generate_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &aws_lc_rs::rand::SystemRandom::new(),
    )
    .unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
        "x": text(&point[1..33]), "y": text(&point[33..])});
    (jwk, EncodingKey::from_ec_der(document.as_ref()))
}

fn signed(algorithm: Algorithm, id: Option<&str>, key: &EncodingKey) -> String {
    let mut head = Header::new(algorithm);
    head.kid = id.map(str::to_owned);
    jsonwebtoken::encode(&head, &json!({"sub": "1"}), key).unwrap()
}

fn opened(text: &str, keys: &[Key]) -> Result<Map<String, Value>, &'static str> {
    let head = read_head(text)?;
    let key = head.key_of(keys).ok_or("no key")?;
    head.open(text, key)
}

#[test]
fn only_the_providers_own_keys_count() {
    let ((a, sign_a), (b, sign_b)) = (pair("a"), pair("b"));
    let document = |all: &[&Value]| read_keys(json!({"keys": all}).to_string().as_bytes()).unwrap();
    let both = document(&[&a, &b]);
    let good = signed(Algorithm::ES256, Some("a"), &sign_a);
    assert_eq!(opened(&good, &both).unwrap()["sub"], "1");
    // Another's signature under its name; a name that is not there; no name, and two that fit.
    assert!(opened(&signed(Algorithm::ES256, Some("a"), &sign_b), &both).is_err());
    assert!(opened(&signed(Algorithm::ES256, Some("c"), &sign_a), &both).is_err());
    assert!(opened(&signed(Algorithm::ES256, None, &sign_a), &both).is_err());
    assert!(opened(&signed(Algorithm::ES256, None, &sign_a), &document(&[&a])).is_ok());
    // A changed word, a shortened signature, a part more.
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"2"}"#);
    for forged in [
        format!("{head}.{claims}.{signature}"),
        format!("{head}.{claims}."),
        good[..good.len() - 2].to_owned(),
        format!("{good}.x"),
        "x".to_owned(),
        String::new(),
    ] {
        assert!(opened(&forged, &both).is_err(), "{forged}");
    }
}

#[test]
fn no_algorithm_is_read_but_the_providers_own() {
    let (jwk, sign) = pair("a");
    let document = |value: &Value| read_keys(json!({"keys": [value]}).to_string().as_bytes()).unwrap();
    let keys = document(&jwk);
    // The public key as a secret: the oldest trick.
    for secret in [jwk["x"].as_str().unwrap().as_bytes(), jwk.to_string().as_bytes()] {
        let forged = signed(Algorithm::HS256, Some("a"), &EncodingKey::from_secret(secret));
        assert!(opened(&forged, &keys).is_err());
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for head in [
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "a"}),
        json!({"kid": "a"}),
        json!({"alg": "ES256", "kid": "a", "crit": ["exp"]}),
        json!({"alg": ["ES256"], "kid": "a"}),
        json!({"alg": "RS256", "kid": "a"}),
    ] {
        let forged = format!("{}.{}.", part(head.clone()), part(json!({"sub": "1"})));
        assert!(opened(&forged, &keys).is_err(), "{head}");
    }
    // Keys that are for something else are none.
    for (name, value) in [("use", "enc"), ("kty", "oct"), ("crv", "P-384"), ("alg", "ES384")] {
        let mut other = jwk.clone();
        other[name] = json!(value);
        let keys = document(&other);
        assert!(
            opened(&signed(Algorithm::ES256, Some("a"), &sign), &keys).is_err(),
            "{name}"
        );
    }
    let oct = json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"});
    assert!(document(&oct).is_empty());
    for nothing in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(read_keys(nothing.as_bytes()).is_none(), "{nothing}");
    }
    assert!(
        read_keys(br#"{"keys":[5,{"kty":"RSA"},{"kty":"new"}]}"#)
            .unwrap()
            .is_empty()
    );
}
