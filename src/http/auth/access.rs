//! Who may call which operation: one table, and what is not in it is refused.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::permission::Permission as P;

/// What an operation asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: anybody may call it.
    Open,
    /// Nothing, but no other site may make a browser call it.
    Login,
    /// A machine's token, which the handler looks at.
    Machine,
    /// A token of one feed, which the handler looks at, or a credential with this permission.
    Feed(P),
    /// Any credential that opens the management API.
    Any,
    /// This permission in the tenant that is acted in.
    Needs(P),
    /// This permission over the installation: the platform's admin.
    Platform(P),
}

impl Access {
    /// As the description of the interface shows it.
    #[must_use]
    pub const fn shown(self) -> Option<&'static str> {
        match self {
            Self::Feed(permission) | Self::Needs(permission) | Self::Platform(permission) => {
                Some(permission.name())
            }
            Self::Open | Self::Login | Self::Machine | Self::Any => None,
        }
    }

    /// The permission that is looked for before the handler runs.
    #[must_use]
    pub const fn permission(self) -> Option<P> {
        match self {
            Self::Needs(permission) | Self::Platform(permission) => Some(permission),
            _ => None,
        }
    }
}

/// Every operation of people and programs, by its path as the router has it. HEAD is GET.
const MANAGED: &[(&str, &str, Access)] = &[
    ("GET", "/api/alerts", Access::Needs(P::AlertsRead)),
    ("GET", "/api/alerts/export", Access::Needs(P::AlertsRead)),
    ("GET", "/api/alerts/{id}", Access::Needs(P::AlertsRead)),
    ("GET", "/api/ips/{ip}/explain", Access::Needs(P::AlertsRead)),
    ("GET", "/api/allowlists", Access::Needs(P::AllowlistsRead)),
    ("POST", "/api/allowlists", Access::Needs(P::AllowlistsWrite)),
    ("GET", "/api/allowlists/{name}", Access::Needs(P::AllowlistsRead)),
    (
        "DELETE",
        "/api/allowlists/{name}",
        Access::Needs(P::AllowlistsWrite),
    ),
    (
        "POST",
        "/api/allowlists/{name}/entries",
        Access::Needs(P::AllowlistsWrite),
    ),
    (
        "DELETE",
        "/api/allowlists/{name}/entries",
        Access::Needs(P::AllowlistsWrite),
    ),
    ("GET", "/api/analyzers", Access::Needs(P::AnalyzersRead)),
    ("POST", "/api/analyzers", Access::Needs(P::AnalyzersWrite)),
    ("GET", "/api/analyzers/{id}", Access::Needs(P::AnalyzersRead)),
    ("PUT", "/api/analyzers/{id}", Access::Needs(P::AnalyzersWrite)),
    ("DELETE", "/api/analyzers/{id}", Access::Needs(P::AnalyzersWrite)),
    ("POST", "/api/analyzers/{id}/run", Access::Needs(P::AnalyzersRun)),
    ("GET", "/api/analyzers/{id}/runs", Access::Needs(P::AnalyzersRead)),
    ("GET", "/api/audit", Access::Needs(P::AuditRead)),
    ("GET", "/api/audit/export", Access::Needs(P::AuditRead)),
    ("GET", "/api/v1/audit", Access::Needs(P::AuditRead)),
    // before there is a session, and by the provider, whose token is looked at
    ("GET", "/api/auth/login", Access::Open),
    ("GET", "/api/auth/callback", Access::Open),
    ("GET", "/api/auth/callback/oidc", Access::Open),
    ("GET", "/api/auth/session", Access::Open),
    ("POST", "/api/auth/backchannel-logout", Access::Open),
    ("POST", "/api/auth/logout", Access::Any),
    ("GET", "/api/bouncer-metrics", Access::Needs(P::MetricsRead)),
    ("GET", "/api/bouncer-metrics/names", Access::Needs(P::MetricsRead)),
    ("GET", "/api/decisions", Access::Needs(P::DecisionsRead)),
    ("POST", "/api/decisions/ban", Access::Needs(P::DecisionsWrite)),
    ("GET", "/api/decisions/coverage", Access::Needs(P::DecisionsRead)),
    ("POST", "/api/decisions/unban", Access::Needs(P::DecisionsLift)),
    ("DELETE", "/api/decisions/{id}", Access::Needs(P::DecisionsLift)),
    ("GET", "/api/events", Access::Needs(P::EventsRead)),
    ("GET", "/api/feeds", Access::Needs(P::FeedsRead)),
    ("POST", "/api/feeds", Access::Needs(P::FeedsWrite)),
    ("GET", "/api/feeds/{name}", Access::Feed(P::FeedsRead)),
    ("DELETE", "/api/feeds/{name}", Access::Needs(P::FeedsWrite)),
    ("POST", "/api/feeds/{name}/tokens", Access::Needs(P::FeedsWrite)),
    (
        "DELETE",
        "/api/feeds/{name}/tokens/{id}",
        Access::Needs(P::FeedsWrite),
    ),
    ("GET", "/api/filters", Access::Needs(P::FiltersRead)),
    ("PUT", "/api/filters", Access::Needs(P::FiltersWrite)),
    ("POST", "/api/filters", Access::Needs(P::FiltersWrite)),
    // the trial changes nothing
    ("POST", "/api/filters/test", Access::Needs(P::FiltersRead)),
    ("GET", "/api/filters/{id}", Access::Needs(P::FiltersRead)),
    ("PUT", "/api/filters/{id}", Access::Needs(P::FiltersWrite)),
    ("DELETE", "/api/filters/{id}", Access::Needs(P::FiltersWrite)),
    ("GET", "/api/ip-info/{ip}", Access::Needs(P::IpinfoRead)),
    ("GET", "/api/lapi-servers", Access::Needs(P::LapiRead)),
    ("POST", "/api/lapi-servers", Access::Needs(P::LapiWrite)),
    ("GET", "/api/lapi-servers/{name}", Access::Needs(P::LapiRead)),
    ("PUT", "/api/lapi-servers/{name}", Access::Needs(P::LapiWrite)),
    ("DELETE", "/api/lapi-servers/{name}", Access::Needs(P::LapiWrite)),
    ("GET", "/api/machines", Access::Needs(P::MachinesRead)),
    ("GET", "/api/machines/{id}", Access::Needs(P::MachinesRead)),
    ("PATCH", "/api/machines/{id}", Access::Needs(P::MachinesWrite)),
    ("GET", "/api/me", Access::Any),
    ("POST", "/api/me/password", Access::Any),
    ("POST", "/api/me/totp", Access::Any),
    ("POST", "/api/me/totp/confirm", Access::Any),
    ("POST", "/api/me/totp/disable", Access::Any),
    ("POST", "/login", Access::Login),
    ("POST", "/logout", Access::Any),
    ("GET", "/api/retention", Access::Needs(P::RetentionRead)),
    ("PUT", "/api/retention", Access::Needs(P::RetentionWrite)),
    ("GET", "/api/stats", Access::Needs(P::StatsRead)),
    ("GET", "/api/stats/decisions", Access::Needs(P::StatsRead)),
    ("GET", "/api/stats/distribution", Access::Needs(P::StatsRead)),
    ("GET", "/api/stats/heatmap", Access::Needs(P::StatsRead)),
    ("GET", "/api/stats/map", Access::Needs(P::StatsRead)),
    ("GET", "/api/stats/timeline", Access::Needs(P::StatsRead)),
    ("GET", "/api/tenants", Access::Platform(P::TenantsRead)),
    ("POST", "/api/tenants", Access::Platform(P::TenantsWrite)),
    ("GET", "/api/tenants/{id}", Access::Platform(P::TenantsRead)),
    ("PATCH", "/api/tenants/{id}", Access::Platform(P::TenantsWrite)),
    ("DELETE", "/api/tenants/{id}", Access::Platform(P::TenantsWrite)),
    ("GET", "/api/tenants/{id}/usage", Access::Platform(P::TenantsRead)),
    (
        "GET",
        "/api/tenants/{id}/template",
        Access::Platform(P::TenantsRead),
    ),
    (
        "GET",
        "/api/tenants/{id}/limits",
        Access::Platform(P::TenantsRead),
    ),
    (
        "PUT",
        "/api/tenants/{id}/limits",
        Access::Platform(P::TenantsWrite),
    ),
    ("GET", "/api/usage", Access::Needs(P::StatsRead)),
    ("GET", "/api/tokens", Access::Needs(P::TokensRead)),
    ("POST", "/api/tokens", Access::Needs(P::TokensWrite)),
    ("GET", "/api/tokens/{id}", Access::Needs(P::TokensRead)),
    ("DELETE", "/api/tokens/{id}", Access::Needs(P::TokensWrite)),
    ("POST", "/api/tokens/{id}/rotate", Access::Needs(P::TokensWrite)),
    ("GET", "/api/users", Access::Needs(P::UsersRead)),
    ("POST", "/api/users", Access::Needs(P::UsersWrite)),
    ("PATCH", "/api/users/{id}", Access::Needs(P::UsersWrite)),
    ("DELETE", "/api/users/{id}", Access::Needs(P::UsersWrite)),
    (
        "POST",
        "/api/users/{id}/reset-password",
        Access::Needs(P::UsersWrite),
    ),
    ("GET", "/api/invitations", Access::Needs(P::UsersRead)),
    ("DELETE", "/api/invitations/{id}", Access::Needs(P::UsersWrite)),
    // what is shown there is its own credential
    ("POST", "/api/invitations/accept", Access::Open),
    ("POST", "/api/password/reset", Access::Open),
    ("GET", "/links/{token}", Access::Open),
    ("GET", "/health", Access::Open),
    ("GET", "/healthz", Access::Open),
    ("GET", "/readyz", Access::Open),
    ("GET", "/metrics", Access::Open),
    ("GET", "/openapi.json", Access::Open),
    ("GET", "/docs", Access::Open),
    ("GET", "/docs/", Access::Open),
    ("GET", "/docs/{*rest}", Access::Open),
    ("GET", "/docs/openapi.json", Access::Open),
];

/// What engines call before they have a token, below `/v2` and `/v3`.
const BEFORE_LOGIN: [&str; 3] = ["/watchers", "/watchers/login", "/watchers/reset"];

static TABLE: LazyLock<HashMap<(&str, &str), Access>> = LazyLock::new(|| {
    MANAGED
        .iter()
        .map(|(method, path, access)| ((*method, *path), *access))
        .collect()
});

/// What an operation asks of its caller; none for one that nobody may call.
#[must_use]
pub fn of(method: &str, path: &str) -> Option<Access> {
    if let Some(below) = path.strip_prefix("/v2").or_else(|| path.strip_prefix("/v3")) {
        let is_open = method == "POST" && BEFORE_LOGIN.contains(&below);
        return Some(if is_open { Access::Open } else { Access::Machine });
    }
    if path == "/v1/usage-metrics" {
        return Some(Access::Machine);
    }
    let method = if method == "HEAD" { "GET" } else { method };
    TABLE.get(&(method, path)).copied()
}

/// Every row of the table.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str, Access)> {
    MANAGED.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operation_is_named_twice() {
        assert_eq!(TABLE.len(), MANAGED.len());
    }

    #[test]
    fn what_changes_needs_what_changes() {
        for (method, path, access) in all() {
            let Access::Needs(permission) = access else {
                continue;
            };
            let looks = method == "GET" || path == "/api/filters/test";
            assert_eq!(permission.changes(), !looks, "{method} {path}");
            assert!(!permission.is_platforms(), "{method} {path}");
        }
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (method, path) in [
            ("GET", "/api/nothing"),
            ("POST", "/api/alerts"),
            ("TRACE", "/health"),
            ("GET", "/v1/alerts"),
            ("POST", "/health"),
        ] {
            assert_eq!(of(method, path), None, "{method} {path}");
        }
        assert_eq!(of("HEAD", "/api/alerts"), Some(Access::Needs(P::AlertsRead)));
        assert_eq!(of("POST", "/v3/watchers/login"), Some(Access::Open));
        assert_eq!(of("DELETE", "/v3/watchers"), Some(Access::Machine));
        assert_eq!(of("GET", "/v2/{*rest}"), Some(Access::Machine));
    }
}
