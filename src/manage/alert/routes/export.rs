use std::sync::LazyLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::db::{DbError, Reading, Tenant, patiently};
use crate::http::{ApiError, FieldError, Operator, Problem, QueryOf, Turn, Turns};
use crate::kernel::page::Position;
use crate::manage::alert::model::{AlertView, Conditions, Filter, Page, csv};
use crate::manage::alert::queries;

/// Alerts that are read, and held, at a time: one may have a message of 64 KiB.
const PART: i64 = 250;
/// Exports under way: each holds a part.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(8, 2));
/// How long an export waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// How long a part is tried again while the database has no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which alerts, and how they are written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct ExportQuery {
    /// `ndjson`: an object a line, as in the list. `csv`: RFC 4180 with a line of names, without `rawJson`.
    #[param(pattern = "^(ndjson|csv)$", default = "ndjson")]
    format: Option<String>,
    /// Whether `rawJson` is filled.
    #[param(value_type = Option<bool>, default = false)]
    raw: Option<String>,
    /// The verdict of the filters.
    #[param(value_type = Option<bool>)]
    filtered: Option<String>,
    /// Whether CAPI has it.
    #[param(value_type = Option<bool>)]
    forwarded_to_capi: Option<String>,
    /// Part of the scenario's name.
    #[param(max_length = 200)]
    scenario: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    #[param(pattern = "^[A-Z]{2}$")]
    country: Option<String>,
    /// The agent's name.
    #[param(max_length = 255, pattern = r"^[a-zA-Z0-9_\-.:]+$")]
    machine_id: Option<String>,
    /// An address, or a network in which the source lies.
    ip: Option<String>,
    /// Stored at or after.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Stored at or before; without it, when the export begins.
    #[param(format = DateTime)]
    until: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

impl ExportQuery {
    fn check(self, now: Timestamp) -> Result<(Filter, Format, bool), ApiError> {
        let mut wrong = Vec::new();
        let mut error = |field: &str, reason: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason: reason.to_owned(),
            });
        };
        let format = match self.format.as_deref() {
            None | Some("ndjson") => Format::Ndjson,
            Some("csv") => Format::Csv,
            Some(_) => {
                error("format", "must be equal to one of ndjson, csv");
                Format::Ndjson
            }
        };
        let raw = match self.raw.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                error("raw", "must be boolean");
                false
            }
        };
        let conditions = Conditions {
            filtered: self.filtered,
            forwarded_to_capi: self.forwarded_to_capi,
            scenario: self.scenario,
            country: self.country,
            machine_id: self.machine_id,
            ip: self.ip,
            since: self.since,
            until: self.until,
        };
        let mut filter = conditions.check(now, &mut wrong);
        filter.until.get_or_insert(now);
        if wrong.is_empty() {
            Ok((filter, format, raw))
        } else {
            Err(ApiError::Invalid(wrong))
        }
    }
}

/// What is left of an export.
struct Export {
    app: App,
    tenant: Tenant,
    filter: Filter,
    format: Format,
    raw: bool,
    after: Option<Position>,
    ended: bool,
    /// Whether it may be read from a standby.
    reading: Option<Reading>,
    /// Given back with the last part, or when nobody takes them any more.
    _turn: Turn,
}

impl Export {
    /// The next part, written out; none after the last.
    async fn next(&mut self) -> Result<Option<Bytes>, DbError> {
        if self.ended {
            return Ok(None);
        }
        let page = Page {
            limit: PART,
            offset: 0,
            after: self.after,
            raw: self.raw,
            count: None,
        };
        let read = || queries::list(&self.app.db, self.tenant, &self.filter, &page);
        let read = patiently(PATIENCE, read);
        let (alerts, last) = match &self.reading {
            Some(reading) => reading.scope(read).await?,
            None => read.await?,
        };
        self.ended = last.is_none();
        self.after = last;
        Ok(Some(self.write(&alerts).into()))
    }

    fn write(&self, alerts: &[AlertView]) -> String {
        let line = |alert| match self.format {
            Format::Csv => csv::line(alert),
            Format::Ndjson => serde_json::to_string(alert).unwrap_or_default() + "\n",
        };
        alerts.iter().map(line).collect()
    }
}

/// All alerts that meet the conditions, newest first, as one stream of lines: whatever their number, a few are held at a
/// time. One that breaks off ends without the last chunk, so that no client takes a part for the whole.
#[utoipa::path(get, path = "/api/alerts/export", tag = "Alerts", operation_id = "export_alerts", params(ExportQuery),
    responses((status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem, description = "two at a time")))]
pub async fn export(
    State(app): State<App>,
    operator: Operator,
    QueryOf(query): QueryOf<ExportQuery>,
) -> Result<Response, ApiError> {
    let (filter, format, raw) = query.check(Timestamp::now())?;
    let turn = TURNS.take(operator.tenant.id(), WAIT).await;
    let turn = turn.ok_or(ApiError::TooMany("too many exports are under way", 30))?;
    let mut export = Export {
        app,
        tenant: operator.tenant,
        filter,
        format,
        raw: raw && format == Format::Ndjson,
        after: None,
        ended: false,
        reading: Reading::current(),
        _turn: turn,
    };
    // The first part is read before the answer begins, so that what fails at once fails with a status.
    let first = export.next().await?.unwrap_or_default();
    let mut begin = match format {
        Format::Csv => csv::head().into_bytes(),
        Format::Ndjson => Vec::new(),
    };
    begin.extend_from_slice(&first);
    let begin = stream::once(async { Ok(Bytes::from(begin)) });
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
    let body = Body::from_stream(begin.chain(rest));
    let (kind, name) = match format {
        Format::Csv => (
            "text/csv; charset=utf-8; header=present",
            "attachment; filename=\"alerts.csv\"",
        ),
        Format::Ndjson => ("application/x-ndjson", "attachment; filename=\"alerts.ndjson\""),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}
