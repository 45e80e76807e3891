//! How long rows are kept where a tenant does not say otherwise.

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;

const ALERTS: Setting = Setting::new(
    "retention.alerts_days",
    "30",
    "Days that alerts are kept, with their decisions and bodies, 1 to 36500.",
)
.variable("GARRISON_RETENTION_ALERTS_DAYS")
.alias_key("storage.retention_days")
.alias_variable("RETENTION_DAYS");
const BODIES: Setting = Setting::new(
    "retention.bodies_days",
    "as alerts",
    "Days that bodies are kept as engines sent them; never longer than alerts.",
)
.variable("GARRISON_RETENTION_BODIES_DAYS");
const AUDIT: Setting = Setting::new(
    "retention.audit_days",
    "365",
    "Days that it is remembered who banned, lifted and allowed what.",
)
.variable("GARRISON_RETENTION_AUDIT_DAYS");
const WAITING: Setting = Setting::new(
    "retention.waiting_days",
    "90",
    "Days that alerts are kept which CAPI has not taken yet; never shorter than other alerts.",
)
.variable("GARRISON_RETENTION_WAITING_DAYS");
const METRICS: Setting = Setting::new(
    "retention.metrics_days",
    "90",
    "Days that usage metrics are kept; statistics look back 30.",
)
.variable("GARRISON_RETENTION_METRICS_DAYS");

pub(super) const SETTINGS: &[Setting] = &[ALERTS, BODIES, AUDIT, WAITING, METRICS];

/// Days by class.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Alerts.
    pub alerts: u32,
    /// Bodies as received; none is as long as alerts.
    pub bodies: Option<u32>,
    /// What operators did.
    pub audit: u32,
    /// Alerts that CAPI did not take yet.
    pub waiting: u32,
    /// Usage metrics.
    pub metrics: u32,
}

impl Retention {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let days = |setting: &Setting| -> Result<Option<u32>, ConfigError> {
            source
                .find(setting)?
                .map(|found| found.number(1..=36_500))
                .transpose()
        };
        Ok(Self {
            alerts: days(&ALERTS)?.unwrap_or(30),
            bodies: days(&BODIES)?,
            audit: days(&AUDIT)?.unwrap_or(365),
            waiting: days(&WAITING)?.unwrap_or(90),
            metrics: days(&METRICS)?.unwrap_or(90),
        })
    }
}
