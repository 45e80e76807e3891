mod follow;

use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jobs::listen;
use super::model::{Kinds, Resume, Since, frame, resume, tag_of};
use super::queries;
use crate::app::App;
use crate::http::limits::OwnLimits;
use crate::http::{ApiError, FieldError, Operator, Problem, QueryOf, Shown, Turns};
use crate::kernel::time::rfc3339_millis;
use crate::manage::alert::{Conditions, Filter};
use follow::{EVENTS, Follow};

/// Streams of this process, and of one tenant on it.
static STREAMS: LazyLock<Turns> = LazyLock::new(|| Turns::new(400, STREAM_LIMIT));
/// Streams of one tenant, where it has no limit of its own.
const STREAM_LIMIT: usize = 20;
/// A client that was cut comes again after this time.
const RETRY: Duration = Duration::from_secs(2);

/// The stream of events.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Which events, and from where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct EventsQuery {
    /// Some of `alert`, `filter`, `delivery`, `decision`, with commas; without it all.
    #[param(example = "alert,decision")]
    types: Option<String>,
    /// The `id` of the last event that was dealt with: what came after it is told first. `0` for all that is kept. The
    /// header `Last-Event-ID` goes before it.
    #[param(max_length = 64)]
    last_event_id: Option<String>,
    /// The verdict of the filters.
    #[param(value_type = Option<bool>)]
    filtered: Option<String>,
    /// Part of the scenario's name.
    #[param(max_length = 200)]
    scenario: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    #[param(pattern = "^[A-Z]{2}$")]
    country: Option<String>,
    /// The agent's name.
    #[param(max_length = 255, pattern = r"^[a-zA-Z0-9_\-.:]+$")]
    machine_id: Option<String>,
    /// An address, or a network in which the source, or the decision, lies.
    ip: Option<String>,
}

impl EventsQuery {
    fn check(self, headers: &HeaderMap, now: Timestamp) -> Result<(Kinds, Filter, Option<Since>), ApiError> {
        let mut wrong = Vec::new();
        let conditions = Conditions {
            filtered: self.filtered,
            scenario: self.scenario,
            country: self.country,
            machine_id: self.machine_id,
            ip: self.ip,
            ..Conditions::default()
        };
        let filter = conditions.check(now, &mut wrong);
        let mut error = |field: &str, reason: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason: reason.to_owned(),
            });
        };
        let kinds = self.types.map_or(Some(Kinds::ALL), |text| Kinds::read(&text));
        if kinds.is_none() {
            error("types", "must be some of alert, filter, delivery, decision");
        }
        // An empty one is what a browser has before its first event.
        let header = headers
            .get("last-event-id")
            .map(|v| v.to_str().unwrap_or("?").to_owned());
        let asked = header.or(self.last_event_id).filter(|text| !text.is_empty());
        let since = asked.as_deref().and_then(Since::read);
        if since.is_none() && asked.is_some() {
            error("lastEventId", "must be the id of an event, or 0");
        }
        match kinds {
            Some(kinds) if wrong.is_empty() => Ok((kinds, filter, since)),
            _ => Err(ApiError::Invalid(wrong)),
        }
    }
}

/// What happens from now on, or behind `Last-Event-ID`, as Server-Sent Events: `alert` (an alert as in the list), `filter`
/// (what the rules said), `delivery` (CAPI or a LAPI server took something, or refused it), `decision` (the tenant's set
/// changed). Each at least once, in one order; `reset` comes first when something may be missing in between.
#[utoipa::path(get, path = "/api/events", tag = "Events", operation_id = "follow_events",
    params(EventsQuery, ("last-event-id" = Option<String>, Header, description = "the id of the last event that was dealt with")),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "until the client goes, the token is revoked or the service stops"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem, description = "20 streams of a tenant at a time on a replica"), (status = 503, body = Problem)))]
async fn follow(
    State(app): State<App>,
    operator: Operator,
    shown: Shown,
    headers: HeaderMap,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Result<Response, ApiError> {
    let (kinds, filter, since) = query.check(&headers, Timestamp::now())?;
    if app.is_draining() {
        return Err(ApiError::Unavailable(1));
    }
    let tenant = operator.tenant;
    let own = app.auth.own_limits(tenant.id()).await;
    let most = OwnLimits::many(own.streams, STREAM_LIMIT);
    let turn = STREAMS
        .take_of(tenant.id(), most, Duration::from_millis(100))
        .await;
    let turn = turn.ok_or(ApiError::TooMany("too many streams are open", 15))?;
    let log = queries::get_event_log(&app.db).await?;
    let tag = tag_of(&app.ring, tenant.id(), &log);
    let (place, begin) = match resume(since.as_ref(), &log, &tag) {
        Resume::At(place) => {
            // Without an event, a client that is cut before the first one goes on from here.
            (place, format!("id: {}\n\n", place.id(&tag)))
        }
        Resume::Reset(place, reason) => {
            let oldest = queries::get_oldest(&app.db, tenant, log.floor).await?;
            let data = json!({ "reason": reason, "oldest": oldest.map(rfc3339_millis) });
            (place, frame(&place.id(&tag), "reset", &data.to_string()))
        }
    };
    metrics::gauge!("garrison_event_streams").increment(1.0);
    let now = Instant::now();
    let follow = Follow {
        head: listen(&app, tenant),
        app,
        tenant,
        shown,
        kinds,
        filter,
        tag,
        place,
        first: Some(format!("retry: {}\n{begin}", RETRY.as_millis())),
        vouched: now,
        said: now,
        most: EVENTS,
        troubled: None,
        _turn: turn,
    };
    let body = stream::unfold(follow, |mut follow| async move {
        let part = follow.next().await?;
        Some((Ok::<_, Infallible>(part), follow))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
