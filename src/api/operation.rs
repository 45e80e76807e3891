//! Probes, metrics, the browsable description.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{backlog, is_ready};
use crate::app::App;
use crate::http::layers;
use crate::kernel::time::rfc3339_millis;

/// Probes.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

/// Sign of life.
#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
    timestamp: String,
}

/// Whether the process answers. Looks at nothing else.
#[utoipa::path(get, path = "/health", tag = "Operation", security(()), responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(Health {
        status: "ok",
        timestamp: rfc3339_millis(Timestamp::now()),
    })
}

/// Liveness: never depends on Postgres, so that its outage restarts no replica.
#[utoipa::path(get, path = "/healthz", tag = "Operation", security(()), responses((status = 200, description = "alive")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Readiness: Postgres answers, the schema is of this release, and this replica is not going away.
#[utoipa::path(get, path = "/readyz", tag = "Operation", security(()),
    responses((status = 200, description = "ready"), (status = 503, description = "not ready, and why")))]
async fn readyz(state: State<App>) -> Response {
    match is_ready(state).await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Scrape(pub PrometheusHandle);

impl Scrape {
    pub(super) fn route(self, app: App) -> Router {
        Router::new().route("/metrics", get(move || scrape(self.clone(), app.clone())))
    }
}

/// Prometheus text. What stands in the database is read for the answer; no text of a tenant's is in a label.
async fn scrape(Scrape(handle): Scrape, app: App) -> Response {
    let (open, idle, waiting) = app.db.status();
    for (state, n) in [("open", open), ("idle", idle), ("waiting", waiting)] {
        metrics::gauge!("garrison_pool_connections", "state" => state)
            .set(u32::try_from(n).unwrap_or(u32::MAX));
    }
    super::process::record();
    if let Some(budget) = app.settings.login_budget {
        metrics::gauge!("garrison_upstream_login_budget").set(budget);
    }
    let seen = backlog(&app).await;
    metrics::gauge!("garrison_database_up").set(if seen.is_some() { 1.0 } else { 0.0 });
    for backlog in seen.unwrap_or_default() {
        let topic = match backlog.topic {
            1 => "capi",
            2 => "lapi",
            3 => "lapi_stream",
            _ => "decisions",
        };
        #[allow(clippy::cast_precision_loss)] // counts far below 2^52
        {
            metrics::gauge!("garrison_outbox_rows", "topic" => topic).set(backlog.rows as f64);
            metrics::gauge!("garrison_lanes_failing", "topic" => topic).set(backlog.failing as f64);
            metrics::gauge!("garrison_upstream_logins").set(backlog.logins as f64);
        }
        metrics::gauge!("garrison_outbox_age_seconds", "topic" => topic).set(backlog.oldest);
        if backlog.topic == 1 {
            metrics::gauge!("garrison_forward_lag_seconds").set(backlog.oldest);
        }
    }
    handle.run_upkeep();
    let text = handle.render();
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; version=0.0.4"),
        )],
        text,
    )
        .into_response()
}

/// Says what each metric is.
pub(super) fn describe() {
    use metrics::{describe_counter, describe_gauge};
    describe_counter!("garrison_batches_total", "Pushes of signals that were read.");
    describe_counter!(
        "garrison_batches_failed_total",
        "Pushes that were answered with an error because they could not be stored."
    );
    describe_counter!(
        "garrison_signals_received_total",
        "Items of pushes: stored + duplicate + rejected."
    );
    describe_counter!("garrison_signals_total", "Items of pushes by outcome.");
    describe_counter!(
        "garrison_alerts_filtered_total",
        "Stored alerts that a tenant's filters keep from CAPI."
    );
    describe_counter!(
        "garrison_forwarded_total",
        "Signals that CAPI took, repeats included."
    );
    describe_counter!(
        "garrison_forward_refused_total",
        "Signals that CAPI refuses for good."
    );
    describe_counter!("garrison_analyzer_runs_total", "Runs of analyzers by outcome.");
    describe_counter!(
        "garrison_leases_lost_total",
        "Turns that ended because another worker had the lane."
    );
    describe_counter!(
        "garrison_usage_metrics_total",
        "Sets of usage metrics by outcome; skipped counts what could not be read of them."
    );
    describe_counter!(
        "garrison_metrics_unreadable_total",
        "Bodies of metrics that were passed on without being understood."
    );
    describe_gauge!(
        "garrison_pool_connections",
        "Connections to Postgres by state; waiting counts callers."
    );
    describe_gauge!("garrison_database_up", "Whether Postgres answered this scrape.");
    describe_gauge!(
        "garrison_outbox_rows",
        "Rows of up to 50 alerts or decisions that wait: to CAPI, to LAPI servers, to the tenants' sets."
    );
    describe_gauge!("garrison_outbox_age_seconds", "Age of the oldest row that waits.");
    describe_gauge!(
        "garrison_lanes_failing",
        "Machines and LAPI servers whose last turn failed."
    );
    describe_counter!(
        "garrison_copies_placed_total",
        "Decisions put on LAPI servers, repeats included."
    );
    describe_counter!(
        "garrison_copies_withdrawn_total",
        "Decisions ended on LAPI servers."
    );
    describe_counter!(
        "garrison_copies_refused_total",
        "Decisions that a LAPI server refuses for good."
    );
    describe_counter!(
        "garrison_decisions_protected_total",
        "Decisions that are not taken up because they are about protected addresses."
    );
    describe_gauge!(
        "garrison_partitions_ahead_days",
        "For how many days from now there are partitions; fewer than 7 are an alarm."
    );
    describe_counter!(
        "garrison_partition_alarms_total",
        "Looks that found partitions for fewer than 7 days."
    );
    describe_counter!(
        "garrison_retention_deleted_total",
        "Rows that went because they were old, by what they were."
    );
    describe_counter!(
        "garrison_alerts_given_up_total",
        "Alerts that went although CAPI had not taken them: they had waited for too long."
    );
    describe_gauge!(
        "garrison_upstream_logins",
        "Logins sent to CAPI in the last 50 minutes, where they are counted."
    );
    describe_gauge!("garrison_event_streams", "Streams of live events that are open.");
    describe_gauge!(
        "garrison_forward_lag_seconds",
        "Age of the oldest alert that waits to be forwarded."
    );
}

/// Counters without labels, begun at zero: a rate over a counter that begins with its first event does not see it.
const COUNTERS: &[&str] = &[
    "garrison_batches_total",
    "garrison_batches_failed_total",
    "garrison_signals_received_total",
    "garrison_alerts_filtered_total",
    "garrison_forwarded_total",
    "garrison_forward_refused_total",
    "garrison_leases_lost_total",
    "garrison_metrics_unreadable_total",
    "garrison_copies_placed_total",
    "garrison_copies_withdrawn_total",
    "garrison_copies_refused_total",
    "garrison_decisions_protected_total",
    "garrison_partition_alarms_total",
    "garrison_alerts_given_up_total",
];
/// The same with one label each: its name and its values.
const LABELLED: &[(&str, &str, &[&str])] = &[
    (
        "garrison_signals_total",
        "outcome",
        &["stored", "duplicate", "rejected"],
    ),
    (
        "garrison_usage_metrics_total",
        "outcome",
        &["stored", "duplicate", "skipped"],
    ),
    (
        "garrison_analyzer_runs_total",
        "outcome",
        &["success", "error", "lost"],
    ),
    (
        "garrison_retention_deleted_total",
        "what",
        &["alert", "audit", "waiting", "batch", "body"],
    ),
];

/// Says what the rest is, and begins all counters.
fn begin() {
    use metrics::{describe_counter, describe_gauge};
    describe_gauge!(
        "garrison_upstream_login_budget",
        "How many of them CAPI may see, where there is a limit."
    );
    describe_gauge!(
        "garrison_read_replica_usable",
        "Whether the standby is near enough to answer lists and statistics, where there is one."
    );
    describe_gauge!(
        "garrison_read_replica_lag_seconds",
        "How far it is behind at most; NaN while it cannot be asked."
    );
    describe_counter!(
        "garrison_reads_total",
        "Lists and statistics by who answered; failed ones were asked of the primary again."
    );
    describe_gauge!("garrison_build_info", "Always 1; the label is the release.");
    metrics::gauge!("garrison_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::gauge!("garrison_event_streams").set(0.0);
    for name in COUNTERS {
        metrics::counter!(*name).increment(0);
    }
    for (name, label, values) in LABELLED {
        for value in *values {
            metrics::counter!(*name, *label => *value).increment(0);
        }
    }
}

impl Scrape {
    /// Starts recording. Once a process.
    ///
    /// # Errors
    /// When something records already.
    pub fn install() -> Result<Self, BuildError> {
        let histogram = Matcher::Full(layers::measure::SECONDS.to_owned());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(histogram, &layers::measure::BUCKETS)?
            .install_recorder()?;
        describe();
        layers::measure::describe();
        begin();
        Ok(Self(handle))
    }
}

/// A page to browse the description with; everything it loads comes from here.
pub(super) fn docs(doc: utoipa::openapi::OpenApi) -> Router {
    let page = utoipa_swagger_ui::SwaggerUi::new("/docs").url("/docs/openapi.json", doc);
    Router::new().merge(page)
}
