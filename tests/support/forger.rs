//! An OpenID Connect provider that misbehaves as it is told to, with keys of its own: another party, and not a good one.
use super::http::{Answer, Api, send};
use super::provider::environment;
use super::world::World;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// A key with its public half as a provider shows it.
pub struct Key {
    pub jwk: Value,
    sign: EncodingKey,
}

impl Key {
    pub fn new(id: &str) -> Self {
        let rng = aws_lc_rs::rand::SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref());
        let pair = pair.expect("a key");
        let point = pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
            "x": part(&point[1..33]), "y": part(&point[33..])});
        let sign = EncodingKey::from_ec_der(document.as_ref());
        Self { jwk, sign }
    }

    /// What this key signs, under its own name.
    pub fn signs(&self, claims: &Value) -> String {
        self.signs_as(self.jwk["kid"].as_str().expect("a name"), claims)
    }

    pub fn signs_as(&self, id: &str, claims: &Value) -> String {
        let mut head = Header::new(Algorithm::ES256);
        head.kid = Some(id.to_owned());
        jsonwebtoken::encode(&head, claims, &self.sign).expect("a token")
    }
}

/// A token signed with a secret, under the name of a key.
pub fn signed_with_secret(id: &str, secret: &[u8], claims: &Value) -> String {
    let mut head = Header::new(Algorithm::HS256);
    head.kid = Some(id.to_owned());
    jsonwebtoken::encode(&head, claims, &EncodingKey::from_secret(secret)).expect("a token")
}

/// A token that nobody signed.
pub fn unsigned(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(head), part(claims))
}

#[derive(Default)]
pub struct Said {
    /// What is put over the discovery document.
    pub metadata: Value,
    pub keys: Vec<Value>,
    /// The next answers of the token endpoint, by code.
    pub tokens: BTreeMap<String, (u16, String)>,
    pub userinfo: Value,
    /// The form that the token endpoint got last.
    pub last_form: BTreeMap<String, String>,
    /// How often each path was asked.
    pub asked: BTreeMap<&'static str, usize>,
    /// Logout tokens that somebody sent here.
    pub logouts: Vec<String>,
}

type Shared = Arc<Mutex<Said>>;

#[derive(Clone)]
pub struct Forger {
    pub issuer: String,
    said: Shared,
}

impl Forger {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("address"));
        let said = Shared::default();
        let forger = Self { issuer, said };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/elsewhere", get(elsewhere).post(elsewhere))
            .route("/logouts", post(logouts))
            .with_state(forger.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        forger
    }

    pub fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    pub fn shows(&self, keys: &[&Key]) {
        self.said().keys = keys.iter().map(|key| key.jwk.clone()).collect();
    }

    pub fn asked(&self, what: &str) -> usize {
        self.said().asked.get(what).copied().unwrap_or_default()
    }

    fn count(&self, what: &'static str) -> MutexGuard<'_, Said> {
        let mut said = self.said();
        *said.asked.entry(what).or_default() += 1;
        said
    }

    /// A Garrison that people log in to through it, with replicas.
    pub async fn world(&self, replicas: usize, more: &[(&str, &str)]) -> World {
        let mut all = environment(&self.issuer, "127.0.0.1:0");
        all.extend(more.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
        let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        World::with(replicas, &all).await
    }
}

async fn discovery(State(forger): State<Forger>) -> Json<Value> {
    let said = forger.count("discovery");
    let at = |path: &str| format!("{}/{path}", forger.issuer);
    let mut document = json!({"issuer": forger.issuer, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "jwks_uri": at("jwks"), "userinfo_endpoint": at("userinfo"), "end_session_endpoint": at("end")});
    for (name, value) in said.metadata.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    Json(document)
}

async fn jwks(State(forger): State<Forger>) -> Json<Value> {
    let said = forger.count("jwks");
    Json(json!({"keys": said.keys}))
}

async fn token(State(forger): State<Forger>, body: String) -> Response {
    let query = format!("http://x/?{body}").parse().expect("a form");
    let form: Query<BTreeMap<String, String>> = Query::try_from_uri(&query).expect("a form");
    let mut said = forger.count("token");
    let answer = said.tokens.remove(&form["code"]);
    said.last_form = form.0;
    let (status, text) = answer.unwrap_or_else(|| (400, r#"{"error":"invalid_grant"}"#.to_owned()));
    let status = StatusCode::from_u16(status).expect("a status");
    let head = [
        ("content-type", "application/json".to_owned()),
        ("location", format!("{}/elsewhere", forger.issuer)),
    ];
    (status, head, text).into_response()
}

async fn userinfo(State(forger): State<Forger>) -> Json<Value> {
    let said = forger.count("userinfo");
    Json(said.userinfo.clone())
}

async fn elsewhere(State(forger): State<Forger>) -> &'static str {
    drop(forger.count("elsewhere"));
    "{}"
}

async fn logouts(State(forger): State<Forger>, body: String) -> StatusCode {
    let query = format!("http://x/?{body}").parse().expect("a form");
    let form: Query<BTreeMap<String, String>> = Query::try_from_uri(&query).expect("a form");
    let token = form["logout_token"].clone();
    forger.said().logouts.push(token);
    StatusCode::OK
}

/// A login that was begun in a browser.
#[derive(Clone)]
pub struct Begun {
    pub cookie: String,
    pub state: String,
    pub nonce: String,
    pub location: String,
}

impl Begun {
    pub async fn at(url: &str) -> Self {
        let answer = Api::new(url, None).get("/api/auth/login").await.expect(302);
        let location = answer.header("location").expect("a location");
        let set = answer.header("set-cookie").expect("a cookie");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
        let cookie = set.split(';').next().expect("a cookie").to_owned();
        let url = reqwest::Url::parse(&location).expect("an address");
        let said: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (&*said["response_type"], &*said["code_challenge_method"]),
            ("code", "S256")
        );
        Self {
            cookie,
            state: said["state"].clone(),
            nonce: said["nonce"].clone(),
            location,
        }
    }

    /// Comes back with a code, at whichever replica.
    pub async fn finish(&self, url: &str, code: &str) -> Answer {
        self.with(url, &format!("code={code}&state={}", self.state)).await
    }

    pub async fn with(&self, url: &str, query: &str) -> Answer {
        let request = Api::new(url, None).request("GET", &format!("/api/auth/callback?{query}"));
        send(request.header("cookie", &self.cookie)).await
    }
}
