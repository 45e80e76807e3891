//! What a request is to the others.

use axum::http::Method;

/// What a request is to the others: what engines bring goes before what people look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Probes, documents: nobody's.
    Open,
    /// What engines say: signals and metrics.
    Ingest,
    /// What engines ask: logins, streams, whatever is relayed to CAPI.
    Engine,
    /// Lists and single things.
    Read,
    /// Statistics and exports.
    Heavy,
    /// What changes something.
    Change,
}

impl Class {
    /// Of a request, by its method and the route's pattern.
    #[must_use]
    pub fn of(method: &Method, route: &str) -> Self {
        if ["/v1/", "/v2/", "/v3/"].iter().any(|v| route.starts_with(v)) {
            let says = ["/signals", "/metrics", "/metrics/", "/usage-metrics"];
            let is_ingest = says.iter().any(|end| route.ends_with(end));
            return if is_ingest { Self::Ingest } else { Self::Engine };
        }
        if route.starts_with("/links/") {
            return Self::Engine;
        }
        // Coming in waits for nobody: what it may cost is counted by network, as at `/login`.
        if !route.starts_with("/api/") || route.starts_with("/api/auth/") {
            return Self::Open;
        }
        if is_heavy(route) {
            Self::Heavy
        } else if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            Self::Read
        } else {
            Self::Change
        }
    }

    /// Whether an engine asks.
    #[must_use]
    pub const fn is_engines(self) -> bool {
        matches!(self, Self::Ingest | Self::Engine)
    }

    /// Its name, in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ingest => "ingest",
            Self::Engine => "engine",
            Self::Read => "read",
            Self::Heavy => "heavy",
            Self::Change => "change",
        }
    }
}

/// What counts over many rows, or writes all of them out.
fn is_heavy(route: &str) -> bool {
    route.ends_with("/export")
        || route == "/api/stats"
        || route.starts_with("/api/stats/")
        || route == "/api/filters/test"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_for_every_route() {
        for (method, route, class) in [
            (Method::POST, "/v3/signals", Class::Ingest),
            (Method::POST, "/v3/metrics/", Class::Ingest),
            (Method::GET, "/v2/decisions/stream", Class::Engine),
            (Method::POST, "/v3/watchers/login", Class::Engine),
            (Method::POST, "/v1/usage-metrics", Class::Ingest),
            (Method::GET, "/links/{token}", Class::Engine),
            (Method::GET, "/api/alerts", Class::Read),
            (Method::GET, "/api/alerts/export", Class::Heavy),
            (Method::GET, "/api/audit/export", Class::Heavy),
            (Method::GET, "/api/stats", Class::Heavy),
            (Method::GET, "/api/stats/heatmap", Class::Heavy),
            (Method::GET, "/api/ips/{ip}/explain", Class::Read),
            (Method::POST, "/api/filters/test", Class::Heavy),
            (Method::POST, "/api/filters", Class::Change),
            (Method::DELETE, "/api/filters/{id}", Class::Change),
            (Method::GET, "/health", Class::Open),
            (Method::GET, "/api/auth/callback", Class::Open),
            (Method::GET, "/metrics", Class::Open),
            (Method::GET, "unmatched", Class::Open),
        ] {
            assert_eq!(Class::of(&method, route), class, "{method} {route}");
        }
    }
}
