use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::db::{DbError, Tenant, patiently};
use crate::http::{ApiError, Operator, Problem, QueryOf, Turn, Turns};
use crate::manage::audit::model::{CSV_HEAD, Conditions, EntryView, Filter, csv_line};
use crate::manage::audit::queries;

/// Entries that are read, and held, at a time.
const PART: i64 = 500;
/// Exports under way: each holds a part.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(8, 2));
/// How long an export waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// How long a part is tried again while the database has no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// How entries are written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditExportQuery {
    /// `ndjson`: an object a line, as in the list. `csv`: RFC 4180 with a line of names.
    #[param(pattern = "^(ndjson|csv)$", default = "ndjson")]
    format: Option<String>,
}

/// What is left of an export.
struct Export {
    app: App,
    tenant: Tenant,
    filter: Filter,
    line: fn(&EntryView) -> String,
    before: i64,
    ended: bool,
    /// Given back with the last part, or when nobody takes them any more.
    _turn: Turn,
}

impl Export {
    /// The next part, written out; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, DbError> {
        if self.ended {
            return Ok(None);
        }
        let read = || queries::list(&self.app.db, self.tenant, &self.filter, self.before, PART);
        let rows = patiently(PATIENCE, read).await?;
        self.ended = !i64::try_from(rows.len()).is_ok_and(|n| n == PART);
        if let Some(last) = rows.last() {
            self.before = last.seq;
        }
        let text: String = rows.into_iter().map(|row| (self.line)(&row.into())).collect();
        Ok(Some(text.into()))
    }
}

fn json_line(entry: &EntryView) -> String {
    serde_json::to_string(entry).unwrap_or_default() + "\n"
}

/// All entries that meet the conditions, newest first, as one stream of lines. One that breaks off ends without the last
/// chunk, so that no client takes a part for the whole.
#[utoipa::path(get, path = "/api/audit/export", tag = "Audit", operation_id = "export_audit", params(AuditExportQuery, Conditions),
    responses((status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem, description = "two at a time")))]
pub async fn export(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<AuditExportQuery>,
    QueryOf(conditions): QueryOf<Conditions>,
) -> Result<Response, ApiError> {
    let is_csv = match query.format.as_deref() {
        None | Some("ndjson") => false,
        Some("csv") => true,
        Some(_) => {
            return Err(ApiError::field("format", "must be equal to one of ndjson, csv"));
        }
    };
    let filter = conditions.check().map_err(ApiError::Invalid)?;
    let turn = TURNS.take(operator.tenant.id(), WAIT).await;
    let turn = turn.ok_or(ApiError::TooMany("too many exports are under way", 30))?;
    let mut export = Export {
        app,
        tenant: operator.tenant,
        filter,
        line: if is_csv { csv_line } else { json_line },
        before: i64::MAX,
        ended: false,
        _turn: turn,
    };
    // The first part is read before the answer begins, so that what fails at once fails with a status.
    let first = export.next().await?.unwrap_or_default();
    let head = if is_csv { CSV_HEAD } else { "" };
    let begin = Bytes::from([head.as_bytes(), &first].concat());
    let begin = stream::once(async { Ok(begin) });
    let rest = stream::try_unfold(export, |mut export| async move {
        match export.next().await {
            Ok(Some(part)) => Ok(Some((part, export))),
            Ok(None) => Ok(None),
            Err(e) => {
                tracing::warn!(cause = %e, "an export broke off");
                Err(e)
            }
        }
    });
    let mut response = Body::from_stream(begin.chain(rest)).into_response();
    let (kind, name) = if is_csv {
        (
            "text/csv; charset=utf-8; header=present",
            "attachment; filename=\"audit.csv\"",
        )
    } else {
        ("application/x-ndjson", "attachment; filename=\"audit.ndjson\"")
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}
