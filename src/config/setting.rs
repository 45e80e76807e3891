//! What one setting is called, and the whole list of them.

use std::sync::LazyLock;

use super::{
    capi, database, enrolment, events, filters, geoip, ip_info, limits, logging, oidc, outbound, retention,
    security, server,
};

/// One setting: the source of the README's table and of the check for unknown names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Path in the YAML file, segments joined with dots.
    pub key: &'static str,
    /// Environment variable; `None` where only the file can say it.
    pub variable: Option<&'static str>,
    /// `CrowdSieve`'s path in the file, where it has another one.
    pub alias_key: Option<&'static str>,
    /// `CrowdSieve`'s variable, where it has one.
    pub alias_variable: Option<&'static str>,
    /// Whether the value is a secret, so that `<VARIABLE>_FILE` works too.
    pub secret: bool,
    /// Default as a reader would write it; `-` means none.
    pub default: &'static str,
    /// One line for the README.
    pub meaning: &'static str,
}

impl Setting {
    /// A setting with a key alone; the rest is added by the builders below.
    pub(super) const fn new(key: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            key,
            variable: None,
            alias_key: None,
            alias_variable: None,
            secret: false,
            default,
            meaning,
        }
    }

    pub(super) const fn variable(mut self, name: &'static str) -> Self {
        self.variable = Some(name);
        self
    }

    pub(super) const fn alias_key(mut self, key: &'static str) -> Self {
        self.alias_key = Some(key);
        self
    }

    pub(super) const fn alias_variable(mut self, name: &'static str) -> Self {
        self.alias_variable = Some(name);
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Every environment variable that can set it, the winner first.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.variable.into_iter().chain(self.alias_variable)
    }

    /// Every path in the file that can set it, Garrison's own first.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.key).chain(self.alias_key)
    }
}

/// Every setting, in the order of the README.
#[must_use]
pub fn table() -> &'static [Setting] {
    static TABLE: LazyLock<Vec<Setting>> = LazyLock::new(|| {
        [
            server::SETTINGS,
            database::SETTINGS,
            capi::SETTINGS,
            enrolment::SETTINGS,
            outbound::SETTINGS,
            ip_info::SETTINGS,
            security::SETTINGS,
            oidc::SETTINGS,
            filters::SETTINGS,
            events::SETTINGS,
            geoip::SETTINGS,
            retention::SETTINGS,
            limits::SETTINGS,
            logging::SETTINGS,
        ]
        .concat()
    });
    &TABLE
}

/// What one path of the file is to Garrison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A setting; what hangs beneath it is its own business.
    Setting,
    /// A section that holds settings.
    Section,
    /// `CrowdSieve`'s, accepted and not used.
    Unused,
    /// A typo.
    No,
}

/// `CrowdSieve`'s keys that Garrison does not implement; a trailing dot stands for everything beneath.
const UNUSED_KEYS: &[&str] = &[
    "storage.path",
    "client_validation",
    "analyzers",
    "bouncer_metrics",
    "lapi_servers",
    "proxy.",
];

/// `CrowdSieve`'s variables that Garrison does not implement.
pub(super) const UNUSED_VARIABLES: &[&str] = &[
    "API_URL",
    "AUTH_ACTOR_CLAIM",
    "AUTH_MODE",
    "CLIENT_VALIDATION_CACHE_TTL",
    "CLIENT_VALIDATION_CACHE_TTL_ERROR",
    "CLIENT_VALIDATION_ENABLED",
    "CLIENT_VALIDATION_FAIL_CLOSED",
    "CLIENT_VALIDATION_MAX_MEMORY_ENTRIES",
    "CLIENT_VALIDATION_TIMEOUT_MS",
    "CORS_ORIGIN",
    "DASHBOARD_API_KEY",
    "DATABASE_PATH",
    "OIDC_CLIENT_ID",
    "OIDC_CLIENT_SECRET",
    "OIDC_ISSUER",
    "RATE_LIMIT_MAX",
    "RATE_LIMIT_WINDOW",
    "SESSION_SECRET",
    "TRUSTED_PROXY_IPS",
];

/// Classifies one path of the file.
pub(super) fn known(path: &str) -> Known {
    if table().iter().flat_map(Setting::keys).any(|key| key == path) {
        return Known::Setting;
    }
    let beneath = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    if table().iter().flat_map(Setting::keys).any(beneath) {
        return Known::Section;
    }
    let unused = |key: &&str| path == *key || (key.ends_with('.') && path.starts_with(*key));
    if UNUSED_KEYS.iter().any(unused) {
        return Known::Unused;
    }
    Known::No
}

/// Whether an environment variable beginning with `GARRISON_` may be there. `value` is looked at only to tell apart
/// what Kubernetes injects for a Service called `garrison…`.
pub(super) fn variable_allowed(name: &str, value: &str) -> bool {
    if name == "GARRISON_CONFIG" || name.starts_with("GARRISON_TEST_") || service_link(name, value) {
        return true;
    }
    table().iter().any(|setting| {
        setting.variable.is_some_and(|variable| {
            variable == name || (setting.secret && name.strip_suffix("_FILE") == Some(variable))
        })
    })
}

/// Kubernetes puts `<SERVICE>_PORT=tcp://…`, `<SERVICE>_SERVICE_HOST` and the like into every pod of a namespace:
/// they are nobody's configuration, though they look like `GARRISON_PORT` or `POSTGRES_PORT`.
pub(super) fn service_link(name: &str, value: &str) -> bool {
    let url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    let detail = ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
        ["", "_PROTO", "_PORT", "_ADDR"]
            .iter()
            .any(|end| name.ends_with(&format!("{protocol}{end}")))
    }) && name.contains("_PORT_");
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || detail
        || (url && name.ends_with("_PORT"))
}
