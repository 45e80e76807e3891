use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::db::DbError;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where: a parameter's name or a path inside the body.
    pub field: String,
    /// What is expected there.
    pub reason: String,
}

/// An answer that is not a success, by what it means to the caller.
#[derive(Debug)]
pub enum ApiError {
    /// No credential, or none that we know.
    Unauthorized,
    /// The right password, and the code of the authenticator is missing.
    CodeNeeded,
    /// A good credential that does not reach this far.
    Forbidden(&'static str),
    /// A good credential without this permission.
    Lacks(&'static str),
    /// Not there, or not yours: the two look the same.
    NotFound(&'static str),
    /// The request says something it cannot say.
    Invalid(Vec<FieldError>),
    /// The same, in one sentence.
    BadRequest(String),
    /// A route that does not know the method.
    MethodNotAllowed,
    /// It contradicts what stands.
    Conflict(String),
    /// More than the limit.
    TooLarge(String),
    /// A media type or encoding that we do not read.
    Unsupported(String),
    /// Another server refused or failed: the status that it means to the caller.
    Upstream(StatusCode, String),
    /// Too often; why, and the seconds until another try makes sense.
    TooMany(&'static str, u32),
    /// We cannot right now; seconds until another try makes sense.
    Unavailable(u32),
    /// A bug of ours. The cause is logged and never shown.
    Internal(String),
}

impl ApiError {
    /// One wrong field.
    #[must_use]
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            reason: reason.into(),
        }])
    }
}

impl From<DbError> for ApiError {
    fn from(e: DbError) -> Self {
        match e {
            DbError::Unavailable(cause) | DbError::Contention(cause) | DbError::MissingPartition(cause) => {
                tracing::warn!(cause, "the database cannot be asked");
                Self::Unavailable(2)
            }
            DbError::Conflict(cause) => {
                tracing::info!(cause, "conflict");
                Self::Conflict("this exists already".to_owned())
            }
            DbError::Internal(cause) => Self::Internal(cause),
        }
    }
}

/// An RFC 9457 problem document. `error` repeats the text for programs written against the first API.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Stable name of the kind of problem.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its short description.
    pub title: &'static str,
    /// The HTTP status again.
    pub status: u16,
    /// What happened here.
    pub detail: String,
    /// The same text.
    pub error: String,
    /// The permission that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<&'static str>,
    /// Each wrong field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    /// Its status, kind, title and text.
    fn describe(self) -> (StatusCode, &'static str, &'static str, String) {
        match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "/problems/unauthorized",
                "Unauthorized",
                "Unauthorized".to_owned(),
            ),
            Self::CodeNeeded => (
                StatusCode::UNAUTHORIZED,
                "/problems/code-needed",
                "Code needed",
                "send the code of your authenticator, too".to_owned(),
            ),
            Self::Forbidden(detail) => (
                StatusCode::FORBIDDEN,
                "/problems/forbidden",
                "Forbidden",
                detail.to_owned(),
            ),
            Self::Lacks(permission) => (
                StatusCode::FORBIDDEN,
                "/problems/missing-permission",
                "Missing permission",
                format!("this needs the permission {permission}"),
            ),
            Self::NotFound(detail) => (
                StatusCode::NOT_FOUND,
                "/problems/not-found",
                "Not Found",
                detail.to_owned(),
            ),
            Self::Invalid(fields) => {
                let text: Vec<_> = fields
                    .iter()
                    .map(|f| format!("{} {}", f.field, f.reason))
                    .collect();
                (
                    StatusCode::BAD_REQUEST,
                    "/problems/invalid",
                    "Invalid request",
                    text.join("; "),
                )
            }
            Self::BadRequest(detail) => (
                StatusCode::BAD_REQUEST,
                "/problems/invalid",
                "Invalid request",
                detail,
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "/problems/method-not-allowed",
                "Method not allowed",
                "this route does not know the method".to_owned(),
            ),
            Self::Upstream(status, detail) => {
                (status, "/problems/upstream", "The other server failed", detail)
            }
            Self::Conflict(detail) => (StatusCode::CONFLICT, "/problems/conflict", "Conflict", detail),
            Self::TooLarge(detail) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "/problems/too-large",
                "Too large",
                detail,
            ),
            Self::Unsupported(detail) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "/problems/unsupported-media-type",
                "Unsupported media type",
                detail,
            ),
            Self::TooMany(detail, _) => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-requests",
                "Too many requests",
                detail.to_owned(),
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/unavailable",
                "Unavailable",
                "the service cannot answer right now".to_owned(),
            ),
            Self::Internal(cause) => {
                tracing::error!(cause, "internal error");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "/problems/internal",
                    "Internal error",
                    "internal error; the log has it under this answer's request id".to_owned(),
                )
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = match self {
            Self::TooMany(_, seconds) | Self::Unavailable(seconds) => Some(seconds),
            _ => None,
        };
        let errors = match &self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        };
        let permission = match self {
            Self::Lacks(permission) => Some(permission),
            _ => None,
        };
        let (status, kind, title, detail) = self.describe();
        let body = Problem {
            kind,
            title,
            status: status.as_u16(),
            error: detail.clone(),
            detail,
            permission,
            errors,
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if kind == "/problems/unauthorized" {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
