use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Auth, Caller, Editor, FeedReader, Machine, Operator};
use crate::http::{ApiError, EngineError};

/// The token of an `Authorization` header, with or without `Bearer`: the SDK sends it bare.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let text = all.next()?.to_str().ok()?.trim();
    if all.next().is_some() {
        return None;
    }
    let token = match text.split_at_checked(6) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    };
    (!token.is_empty() && !token.contains(char::is_whitespace)).then_some(token)
}

/// The API token of a request: of `X-Api-Key`, else of `Authorization`.
#[must_use]
pub fn api_token(headers: &HeaderMap) -> Option<&str> {
    let key = headers.get("x-api-key").and_then(|v| v.to_str().ok());
    key.map(str::trim).or_else(|| bearer(headers))
}

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let auth = Auth::from_ref(state);
        let token = api_token(&parts.headers).ok_or(ApiError::Unauthorized)?;
        auth.operator(token).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Editor
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Operator::from_request_parts(parts, state).await?.try_into()
    }
}

/// The password of HTTP Basic, whatever the user name: many firewalls can send nothing else.
fn basic_password(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// A refusal that asks for Basic, too: some firewalls send their password only when asked.
#[derive(Debug)]
pub struct FeedRefusal(ApiError);

impl IntoResponse for FeedRefusal {
    fn into_response(self) -> Response {
        let is_stranger = matches!(self.0, ApiError::Unauthorized);
        let mut response = self.0.into_response();
        if is_stranger {
            let basic = HeaderValue::from_static("Basic realm=\"feeds\", charset=\"UTF-8\"");
            response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FeedReader
where
    Auth: FromRef<S>,
{
    type Rejection = FeedRefusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, FeedRefusal> {
        let auth = Auth::from_ref(state);
        let key = parts.headers.get("x-api-key").and_then(|v| v.to_str().ok());
        let token = key
            .map(|key| key.trim().to_owned())
            .or_else(|| basic_password(&parts.headers))
            .or_else(|| bearer(&parts.headers).map(str::to_owned))
            .ok_or(FeedRefusal(ApiError::Unauthorized))?;
        auth.feed_reader(&token).await.map_err(FeedRefusal)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Auth: FromRef<S>,
{
    type Rejection = EngineError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, EngineError> {
        let auth = Auth::from_ref(state);
        let token = bearer(&parts.headers).ok_or_else(EngineError::unauthorized)?;
        auth.caller(token).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Machine
where
    Auth: FromRef<S>,
{
    type Rejection = EngineError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, EngineError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Machine(machine) => Ok(machine),
            Caller::Unbound(_) => Err(EngineError::new(
                axum::http::StatusCode::FORBIDDEN,
                "this machine belongs to no tenant yet: enrol it with `cscli console enroll <key of the tenant>`",
            )),
        }
    }
}
