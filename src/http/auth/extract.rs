use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::asserted::Asserted;
use super::client::client;
use super::guard::Granted;
use super::{Auth, Caller, Editor, FeedReader, Machine, Operator, Principal};
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

/// What a request shows of who it is from, to be looked up now, and again while a long answer lasts.
#[derive(Clone)]
pub struct Shown {
    pub(super) text: Arc<str>,
    /// The tenant that it says it acts in.
    pub(super) tenant: Option<Arc<str>>,
    /// Where it comes from, as far as that is known.
    pub(super) from: Option<IpAddr>,
    /// Whether a browser sends it by itself.
    pub(super) is_cookie: bool,
    /// Whom a proxy of ours names, which counts instead.
    pub(super) asserted: Option<Asserted>,
}

/// The cookie that carries a session, or an API token.
pub const COOKIE: &str = "csm_auth";

/// What our cookie carries.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_of(headers, COOKIE)
}

/// What a cookie of this name carries; none where there are two, of which one may be another site's.
#[must_use]
pub fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = all
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs
        .filter(|(own, _)| *own == name)
        .map(|(_, value)| value.trim_matches('"'));
    let first = own.next().filter(|value| !value.is_empty());
    first.filter(|_| own.next().is_none())
}

impl Shown {
    /// Of a request.
    ///
    /// # Errors
    /// 401 when it shows nothing.
    pub fn of(headers: &HeaderMap, extensions: &Extensions) -> Result<Self, ApiError> {
        // Where a program shows something of its own, what a browser adds does not count.
        let is_cookie = !headers.contains_key("x-api-key") && !headers.contains_key(header::AUTHORIZATION);
        let asserted = extensions.get::<Asserted>().filter(|_| is_cookie).cloned();
        let text = if asserted.is_some() {
            Some("")
        } else if is_cookie {
            cookie(headers)
        } else {
            api_token(headers)
        };
        let text = text.ok_or(ApiError::Unauthorized)?.into();
        let mut named = headers.get_all("x-garrison-tenant").iter();
        let tenant = named.next().map(|value| value.to_str().unwrap_or("?").into());
        if named.next().is_some() {
            return Err(ApiError::field("X-Garrison-Tenant", "must be sent once"));
        }
        Ok(Self {
            text,
            tenant,
            from: client(extensions),
            is_cookie: is_cookie && asserted.is_none(),
            asserted,
        })
    }

    /// What a login shows.
    #[must_use]
    pub fn token(text: &str, from: Option<IpAddr>) -> Self {
        Self {
            text: text.into(),
            tenant: None,
            from,
            is_cookie: false,
            asserted: None,
        }
    }

    /// Whether a browser sends it by itself.
    #[must_use]
    pub const fn is_cookie(&self) -> bool {
        self.is_cookie
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown(..)")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    /// What the guard left.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or(ApiError::Unauthorized)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shown {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or(ApiError::Unauthorized)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Principal::from_request_parts(parts, state).await?.operator()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Editor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let operator = Operator::from_request_parts(parts, state).await?;
        match parts.extensions.get::<Granted>() {
            Some(Granted(permission)) if permission.changes() => Ok(Self(operator)),
            _ => Err(ApiError::Internal(
                "what changes something is in the table as if it did not".to_owned(),
            )),
        }
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
            .or_else(|| bearer(&parts.headers).map(str::to_owned));
        let shown = match token {
            Some(token) => Shown::token(&token, client(&parts.extensions)),
            None => Shown::of(&parts.headers, &parts.extensions).map_err(FeedRefusal)?,
        };
        auth.feed_reader(&shown).await.map_err(FeedRefusal)
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
