//! The one place where it is decided whether a request may go on.

use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::{self, Access};
use super::client::find;
use super::{Auth, Permission, Shown, asserted, csrf};
use crate::http::{ApiError, EngineError};

/// The permission that a request was found to have.
#[derive(Debug, Clone, Copy)]
pub struct Granted(pub Permission);

/// Finds out where a request comes from, and whom a proxy of ours says it is from, for all that is decided about it.
pub async fn locate(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    if let Some(client) = find(request.extensions(), request.headers(), &auth.proxies) {
        request.extensions_mut().insert(client);
    }
    match asserted::read(request.extensions(), request.headers(), &auth.vouching) {
        Ok(Some(who)) => {
            request.extensions_mut().insert(who);
        }
        Ok(None) => {}
        Err(refusal) => return refusal.into_response(),
    }
    next.run(request).await
}

/// Asks the table what the operation needs, authenticates once, and leaves the principal among the request's extensions.
/// To be laid round routes (`route_layer`), so that it knows which one was found.
pub async fn guard(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    let Some(access) = access::of(request.method().as_str(), path) else {
        return unknown(path);
    };
    match admit(&auth, access, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let by_cookie =
                Shown::of(request.headers(), request.extensions()).is_ok_and(|shown| shown.is_cookie());
            let is_worthless = by_cookie && matches!(refusal, ApiError::Unauthorized);
            let mut response = refusal.into_response();
            if is_worthless {
                response.headers_mut().append(header::SET_COOKIE, NO_COOKIE);
            }
            response
        }
    }
}

/// Takes the cookie away.
pub const NO_COOKIE: HeaderValue =
    HeaderValue::from_static("csm_auth=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
/// Largest form that is looked into for what belongs to the session.
const FORM: usize = 64 << 10;

/// What a request shows that a page of ours sends: a header, or a field of its form.
async fn csrf_shown(request: &mut Request) -> Result<Option<String>, ApiError> {
    if let Some(value) = request.headers().get(csrf::HEADER) {
        return Ok(value.to_str().ok().map(str::to_owned));
    }
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Ok(None);
    }
    let body = std::mem::take(request.body_mut());
    let bytes = crate::http::read_limited(&HeaderMap::new(), body, FORM, FORM).await?;
    let pairs = form_pairs(&bytes);
    *request.body_mut() = bytes.into();
    let found = pairs.into_iter().find(|(name, _)| name == csrf::FIELD);
    Ok(found.map(|(_, value)| value))
}

/// The fields of a form; none of what is no form.
#[must_use]
pub fn form_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let uri: Option<Uri> = format!("/?{text}").parse().ok();
    uri.and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok())
        .map(|Query(pairs)| pairs)
        .unwrap_or_default()
}

async fn admit(auth: &Auth, access: Access, request: &mut Request) -> Result<(), ApiError> {
    if access == Access::Login {
        return csrf::check_origin(request.headers(), auth.origin.as_deref());
    }
    if matches!(access, Access::Open | Access::Machine | Access::Feed(_)) {
        return Ok(());
    }
    let shown = Shown::of(request.headers(), request.extensions())?;
    let principal = auth.authenticate(&shown).await?;
    if let Some(tag) = &principal.csrf
        && csrf::changes(request.method())
    {
        csrf::check_origin(request.headers(), auth.origin.as_deref())?;
        let text = csrf_shown(request).await?;
        let before = principal.csrf_before.as_ref();
        let good = csrf::check_token(text.as_deref(), tag);
        good.or_else(|refusal| before.map_or(Err(refusal), |tag| csrf::check_token(text.as_deref(), tag)))?;
    }
    if let Some(permission) = access.permission() {
        principal.require(permission)?;
        request.extensions_mut().insert(Granted(permission));
    }
    let extensions = request.extensions_mut();
    extensions.insert(principal);
    extensions.insert(shown);
    Ok(())
}

/// An operation that the table does not have: a mistake of ours, which opens nothing.
fn unknown(path: &str) -> Response {
    tracing::error!(
        path,
        "an operation without an entry in the table of who may call what"
    );
    if ["/v1/", "/v2/", "/v3/"]
        .iter()
        .any(|prefix| path.starts_with(prefix))
    {
        return EngineError::new(StatusCode::FORBIDDEN, "nobody may call this").into_response();
    }
    ApiError::Forbidden("nobody may call this").into_response()
}
