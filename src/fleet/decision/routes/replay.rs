//! `Idempotency-Key`: a request that is sent again is answered as the first time, not done again.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::act::DoneView;
use crate::app::App;
use crate::fleet::decision::queries::{self, Kept};
use crate::http::{ApiError, Operator};

const NAME: &str = "idempotency-key";

/// Does the work, or repeats the answer that a request with the same key got. `asked` is what the key stands for.
pub async fn once(
    app: &App,
    operator: Operator,
    headers: &HeaderMap,
    asked: &impl Serialize,
    work: impl Future<Output = Result<(StatusCode, DoneView), ApiError>> + Send + 'static,
) -> Result<Response, ApiError> {
    let Some(key) = key(headers)? else {
        let (status, done) = work.await?;
        return Ok((status, Json(done)).into_response());
    };
    let asked = serde_json::to_vec(asked).map_err(|e| ApiError::Internal(e.to_string()))?;
    let asked = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &asked);
    if !queries::claim_answer(&app.db, operator.tenant, &key, asked.as_ref()).await? {
        return match queries::get_answer(&app.db, operator.tenant, &key).await? {
            Some(kept) if kept.request != asked.as_ref() => Err(conflict("was used for another request")),
            Some(Kept {
                answer: Some((status, body)),
                ..
            }) => Ok(replayed(status, body)),
            _ => Err(conflict("is being worked on: ask again in a moment")),
        };
    }
    let (app, tenant) = (app.clone(), operator.tenant);
    let work = async move {
        let done = work.await;
        match &done {
            Ok((status, done)) => {
                let body = serde_json::to_string(done).map_err(|e| ApiError::Internal(e.to_string()))?;
                queries::update_answer(&app.db, tenant, &key, status.as_u16(), &body).await?;
            }
            // What was refused may be asked again.
            Err(_) => queries::delete_answer(&app.db, tenant, &key).await?,
        }
        done
    };
    let (status, done) = super::act::to_the_end(work).await?;
    Ok((status, Json(done)).into_response())
}

fn conflict(what: &str) -> ApiError {
    ApiError::Conflict(format!("this Idempotency-Key {what}"))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(str::trim);
    let good = text.filter(|text| (1..=255).contains(&text.len()));
    let wrong = || ApiError::field(NAME, "must have 1 to 255 printable ASCII characters");
    good.map(|text| Some(text.to_owned())).ok_or_else(wrong)
}

fn replayed(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            header::HeaderName::from_static("idempotency-replayed"),
            HeaderValue::from_static("true"),
        ),
    ];
    (status, headers, body).into_response()
}
