use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::body::ReadError;
use crate::db::DbError;

/// An answer to a CrowdSec engine that is not a success. Always with `message`: engines up to 1.6.2 print a panic
/// line without it (crowdsec-protocol.md 1.8).
#[derive(Debug)]
pub struct EngineError {
    status: StatusCode,
    message: String,
    retry_after: Option<u32>,
}

impl EngineError {
    /// An answer with this status and text.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
        }
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The token is none that CAPI or we gave, or its time is over: engines log in again and send again.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "the token is not known here: log in again",
        )
    }

    /// We or CAPI cannot right now. Engines try a login again after 503, not after 500.
    #[must_use]
    pub fn unavailable(message: impl Into<String>, seconds: u32) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: message.into(),
            retry_after: Some(seconds),
        }
    }

    /// The request cannot be read.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<DbError> for EngineError {
    fn from(e: DbError) -> Self {
        match e {
            DbError::Unavailable(cause) | DbError::Contention(cause) | DbError::MissingPartition(cause) => {
                tracing::warn!(cause, "the database cannot be asked");
                Self::unavailable("the database cannot be asked right now", 2)
            }
            DbError::Conflict(cause) | DbError::Internal(cause) => {
                tracing::error!(cause, "internal error");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            }
        }
    }
}

impl From<ReadError> for EngineError {
    fn from(e: ReadError) -> Self {
        Self::new(e.status(), e.to_string())
    }
}

impl IntoResponse for EngineError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "message": self.message }))).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
