//! Requests in the metrics: by class and status, and how long they took.

use std::time::Duration;

use axum::http::StatusCode;

/// What a request is to who watches the service. Few, and none a stranger's word.
const CLASSES: [&str; 5] = ["push", "engine", "api", "probe", "other"];

/// Bounds of the histogram, in seconds: an engine gives up after 5.
pub const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];
/// The histogram's name.
pub const SECONDS: &str = "garrison_http_request_seconds";

/// The class of a route's pattern.
pub(super) fn class(path: &str) -> &'static str {
    match path {
        "/v2/signals" | "/v3/signals" => "push",
        "/health" | "/healthz" | "/readyz" | "/metrics" => "probe",
        _ if ["/v1/", "/v2/", "/v3/"].iter().any(|v| path.starts_with(v)) => "engine",
        _ if path.starts_with("/api/") => "api",
        _ => "other",
    }
}

pub(super) fn answered(class: &'static str, status: StatusCode, took: Duration) {
    let code = status.as_str().to_owned();
    metrics::counter!("garrison_http_requests_total", "class" => class, "code" => code).increment(1);
    metrics::histogram!(SECONDS, "class" => class).record(took.as_secs_f64());
}

/// The client left before the answer.
pub(super) fn given_up(class: &'static str) {
    metrics::counter!("garrison_http_requests_total", "class" => class, "code" => "none").increment(1);
}

pub(super) fn shed() {
    metrics::counter!("garrison_requests_shed_total").increment(1);
}

/// Says what these metrics are, and begins them at zero.
pub fn describe() {
    metrics::describe_counter!(
        "garrison_http_requests_total",
        "Requests by class and status; none where the client left before the answer."
    );
    metrics::describe_histogram!(SECONDS, "Time to the answer's head, in seconds.");
    metrics::describe_counter!(
        "garrison_requests_shed_total",
        "Requests refused with 503 because too many were in work."
    );
    metrics::counter!("garrison_requests_shed_total").increment(0);
    for class in CLASSES {
        metrics::counter!("garrison_http_requests_total", "class" => class, "code" => "200").increment(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_have_classes() {
        for (path, expected) in [
            ("/v3/signals", "push"),
            ("/v2/signals", "push"),
            ("/v3/watchers/login", "engine"),
            ("/api/alerts/{id}", "api"),
            ("/readyz", "probe"),
            ("unmatched", "other"),
            ("/docs/{*rest}", "other"),
        ] {
            assert_eq!(class(path), expected, "{path}");
            assert!(CLASSES.contains(&class(path)));
        }
    }
}
