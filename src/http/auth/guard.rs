//! The one place where it is decided whether a request may go on.

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::{self, Access};
use super::{Auth, Permission, Shown};
use crate::http::{ApiError, EngineError};

/// The permission that a request was found to have.
#[derive(Debug, Clone, Copy)]
pub struct Granted(pub Permission);

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
        Err(refusal) => refusal.into_response(),
    }
}

async fn admit(auth: &Auth, access: Access, request: &mut Request) -> Result<(), ApiError> {
    if matches!(access, Access::Open | Access::Machine | Access::Feed(_)) {
        return Ok(());
    }
    let shown = Shown::of(request.headers(), request.extensions())?;
    let principal = auth.authenticate(&shown).await?;
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
