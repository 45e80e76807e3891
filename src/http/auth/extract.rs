use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::{Auth, Caller, Editor, Machine, Operator};
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

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let auth = Auth::from_ref(state);
        let key = parts
            .headers
            .get("x-api-key")
            .and_then(|v| v.to_str().ok())
            .map(str::trim);
        let token = key
            .or_else(|| bearer(&parts.headers))
            .ok_or(ApiError::Unauthorized)?;
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
