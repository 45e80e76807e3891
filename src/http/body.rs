use std::io::Read as _;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::layers::decodes;
use super::problem::ApiError;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// More bytes than allowed, on the wire or unpacked.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// An encoding other than none or gzip.
    #[error("content encoding {0} is not supported: send gzip or none")]
    Encoding(String),
    /// Not the gzip it says it is.
    #[error("the body is not valid gzip")]
    Gzip,
    /// The sender went away or broke the transfer.
    #[error("the body ended early")]
    Broken,
    /// It came too slowly.
    #[error("the body did not arrive in time")]
    Slow,
}

impl ReadError {
    /// The status that fits.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Gzip | Self::Broken => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(e: ReadError) -> Self {
        match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(e.to_string()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::Unsupported(e.to_string()),
            _ => Self::field("body", e.to_string()),
        }
    }
}

/// Reads a whole body, plain or gzip, with a limit on both sides of the decompression.
///
/// # Errors
/// When a limit is passed, the encoding is unknown or the bytes are not what they say.
pub async fn read_limited(
    headers: &HeaderMap,
    body: axum::body::Body,
    wire: usize,
    unpacked: usize,
) -> Result<Bytes, ReadError> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map(|v| v.as_bytes().to_ascii_lowercase());
    // A small body of an engine comes in one piece; who dribbles it holds a place that others need.
    let time = Duration::from_secs(5) + Duration::from_secs((wire >> 20) as u64);
    let whole = tokio::time::timeout(time, Limited::new(body, wire).collect()).await;
    let raw = whole.map_err(|_| ReadError::Slow)?.map_err(|e| {
        if e.downcast_ref::<LengthLimitError>().is_some() {
            ReadError::TooLarge(wire)
        } else {
            ReadError::Broken
        }
    })?;
    let raw = raw.to_bytes();
    match encoding.as_deref() {
        None | Some(b"" | b"identity") => Ok(raw),
        Some(b"gzip" | b"x-gzip") => gunzip(&raw, unpacked),
        Some(other) => {
            let shown: String = String::from_utf8_lossy(other)
                .chars()
                .filter(char::is_ascii_graphic)
                .take(20)
                .collect();
            Err(ReadError::Encoding(shown))
        }
    }
}

/// Unpacks gzip of one or several members, at most `limit` bytes.
fn gunzip(raw: &[u8], limit: usize) -> Result<Bytes, ReadError> {
    let guess = raw.len().saturating_mul(8).min(limit);
    let mut out = Vec::with_capacity(guess);
    let read = flate2::read::MultiGzDecoder::new(raw)
        .take(limit as u64 + 1)
        .read_to_end(&mut out);
    match read {
        Ok(n) if n > limit => Err(ReadError::TooLarge(limit)),
        Ok(_) => Ok(out.into()),
        Err(_) => Err(ReadError::Gzip),
    }
}

/// A JSON body of the management API; what is wrong with it is a 400 that names the field.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(req: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(req, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::Unsupported(
                "send content-type: application/json".to_owned(),
            )),
            Err(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::TooLarge("the body is too large".to_owned()))
            }
            Err(JsonRejection::JsonDataError(e)) => Err(ApiError::field("body", cause(&e))),
            Err(JsonRejection::JsonSyntaxError(e)) => Err(ApiError::field("body", cause(&e))),
            Err(e) => Err(ApiError::field("body", e.body_text())),
        }
    }
}

/// The innermost text: serde's, with path, line and column.
fn cause(e: &dyn std::error::Error) -> String {
    let mut inner = e;
    while let Some(next) = inner.source() {
        if next.source().is_none() && inner.source().is_some() {
            return inner.to_string();
        }
        inner = next;
    }
    inner.to_string()
}

/// A query string of the management API; what is wrong with it is a 400 that names the parameter.
#[derive(Debug)]
pub struct QueryOf<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if !parts.uri.query().is_none_or(decodes) {
            return Err(ApiError::field("query", "must be UTF-8"));
        }
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(e)) => {
                Err(ApiError::field("query", cause(&e)))
            }
            Err(e) => Err(ApiError::field("query", e.body_text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn read(encoding: Option<&str>, body: Vec<u8>, wire: usize, unpacked: usize) -> Result<usize, u16> {
        let mut headers = HeaderMap::new();
        if let Some(e) = encoding {
            headers.insert(header::CONTENT_ENCODING, e.parse().unwrap());
        }
        match read_limited(&headers, body.into(), wire, unpacked).await {
            Ok(b) => Ok(b.len()),
            Err(e) => Err(e.status().as_u16()),
        }
    }

    #[tokio::test]
    async fn limits_hold_on_both_sides() {
        let pack = |n: usize| {
            let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            e.write_all(&vec![b' '; n]).unwrap();
            e.finish().unwrap()
        };
        assert_eq!(read(None, vec![b'x'; 100], 100, 1000).await, Ok(100));
        assert_eq!(read(None, vec![b'x'; 101], 100, 1000).await, Err(413));
        assert_eq!(read(Some("gzip"), pack(1000), 100, 1000).await, Ok(1000));
        assert_eq!(read(Some("gzip"), pack(1001), 100, 1000).await, Err(413));
        assert_eq!(
            read(Some("gzip"), pack(50_000_000), 1_000_000, 1_000_000).await,
            Err(413)
        );
        assert_eq!(read(Some("gzip"), b"{}".to_vec(), 100, 100).await, Err(400));
        let mut cut = pack(1000);
        cut.truncate(15);
        assert_eq!(read(Some("gzip"), cut, 100, 1000).await, Err(400));
        assert_eq!(read(Some("br"), b"x".to_vec(), 100, 100).await, Err(415));
        assert_eq!(read(Some("gzip, gzip"), b"x".to_vec(), 100, 100).await, Err(415));
    }
}
