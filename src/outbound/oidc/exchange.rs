//! A code for tokens, and what the provider tells beside them.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{DOCUMENT, Failure, Metadata, Provider, TOKEN, fetch, wrong};

/// What it gives.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl Provider {
    /// What the provider gives for a code.
    pub(super) async fn token(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
    ) -> Result<TokenAnswer, Failure> {
        let settings = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &settings.redirect_uri),
            ("code_verifier", verifier),
        ];
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        // Where it does not say, it is `client_secret_basic` (Discovery 1.0, 3).
        let basic = methods.is_none_or(|methods| methods.iter().any(|m| m == "client_secret_basic"));
        match &settings.client_secret {
            Some(secret) if basic => {
                let value = fetch::basic(&settings.client_id, secret.expose_secret());
                let mut value = HeaderValue::from_str(&value)
                    .map_err(|_| Failure::Down("the secret cannot be sent".to_owned()))?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            Some(secret) => {
                form.push(("client_id", &settings.client_id));
                form.push(("client_secret", secret.expose_secret()));
            }
            None => form.push(("client_id", &settings.client_id)),
        }
        let url = self.endpoint(&metadata.token_endpoint)?;
        let request = self.client.request(Method::POST, url).headers(headers);
        let (status, body) = fetch::whole(request.body(fetch::form(&form)), 2 * TOKEN)
            .await
            .map_err(Failure::Down)?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body)
                .map_err(|e| Failure::Wrong(format!("the answer with tokens cannot be read: {e}")));
        }
        let said = serde_json::from_slice::<TokenRefusal>(&body).ok();
        let said: String = said
            .map(|said| said.error)
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect();
        match said.as_str() {
            "invalid_grant" => Err(Failure::Stale(said)),
            // Who we are is wrong: nobody will be logged in before the operator mends it.
            _ => Err(Failure::Down(format!(
                "its token endpoint answered {status} {said:?}"
            ))),
        }
    }

    /// What the provider tells beside the token: a strict one puts there what scopes ask for.
    pub(super) async fn more(
        &self,
        mut claims: Map<String, Value>,
        endpoint: &str,
        access: &str,
    ) -> Result<Map<String, Value>, Failure> {
        let url = self.endpoint(endpoint)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {access}"))
            .map_err(|_| wrong("the access token cannot be sent"))?;
        value.set_sensitive(true);
        let request = self
            .client
            .request(Method::GET, url)
            .header(AUTHORIZATION, value)
            .header(ACCEPT, "application/json");
        let (status, body) = fetch::whole(request, DOCUMENT).await.map_err(Failure::Down)?;
        if status != StatusCode::OK {
            return Err(Failure::Down(format!("its userinfo endpoint answered {status}")));
        }
        let told: Map<String, Value> = serde_json::from_slice(&body)
            .map_err(|e| Failure::Wrong(format!("userinfo cannot be read: {e}")))?;
        // Somebody else's (Core 1.0, 5.3.2).
        if told.get("sub") != claims.get("sub") {
            return Err(wrong("userinfo is about somebody else"));
        }
        for (name, value) in told {
            claims.entry(name).or_insert(value);
        }
        Ok(claims)
    }
}
