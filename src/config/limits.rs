//! How much tenants, tokens and machines may ask, and how much of it at a time.

use std::time::Duration;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;

const TOKEN_REQUESTS: Setting = Setting::new(
    "limits.token_requests",
    "6000",
    "Requests to the API that one token may make in a minute, on each replica; 0 for no limit.",
)
.variable("GARRISON_LIMITS_TOKEN_REQUESTS");
const TENANT_REQUESTS: Setting = Setting::new(
    "limits.tenant_requests",
    "12000",
    "The same, of all tokens of a tenant together.",
)
.variable("GARRISON_LIMITS_TENANT_REQUESTS");
const TENANT_ITEMS: Setting = Setting::new(
    "limits.tenant_items",
    "0",
    "Signals that the machines of a tenant may push in a minute, on each replica; 0 for no limit. What is above it is lost: engines do not ask twice.",
)
.variable("GARRISON_LIMITS_TENANT_ITEMS");
const TENANT_BYTES: Setting = Setting::new(
    "limits.tenant_bytes",
    "0",
    "Bytes of bodies that a tenant's machines and tokens may send in a minute, as they come on the wire; 0 for no limit.",
)
.variable("GARRISON_LIMITS_TENANT_BYTES");
const MACHINE_ITEMS: Setting = Setting::new(
    "limits.machine_items",
    "0",
    "As `limits.tenant_items`, of one machine.",
)
.variable("GARRISON_LIMITS_MACHINE_ITEMS");
const MACHINE_BYTES: Setting = Setting::new(
    "limits.machine_bytes",
    "0",
    "As `limits.tenant_bytes`, of one machine.",
)
.variable("GARRISON_LIMITS_MACHINE_BYTES");
const BURST: Setting = Setting::new(
    "limits.burst",
    "10s",
    "How long a silence is saved up for: so much of the quotas above may come at once, 1s to 10m.",
)
.variable("GARRISON_LIMITS_BURST");
const PUSHES: Setting = Setting::new(
    "limits.pushes",
    "0",
    "Pushes of signals and metrics in work at a time, on each replica; 0 for no limit of their own.",
)
.variable("GARRISON_LIMITS_PUSHES");
const PUSHES_PER_TENANT: Setting = Setting::new("limits.pushes_per_tenant", "64", "The same, of one tenant.")
    .variable("GARRISON_LIMITS_PUSHES_PER_TENANT");
const READS: Setting = Setting::new("limits.reads", "96", "Lists and single things in work at a time.")
    .variable("GARRISON_LIMITS_READS");
const READS_PER_TENANT: Setting = Setting::new("limits.reads_per_tenant", "32", "The same, of one tenant.")
    .variable("GARRISON_LIMITS_READS_PER_TENANT");
const HEAVY: Setting = Setting::new(
    "limits.heavy",
    "12",
    "Statistics, exports and trials in work at a time.",
)
.variable("GARRISON_LIMITS_HEAVY");
const HEAVY_PER_TENANT: Setting = Setting::new("limits.heavy_per_tenant", "6", "The same, of one tenant.")
    .variable("GARRISON_LIMITS_HEAVY_PER_TENANT");
const CHANGES: Setting = Setting::new(
    "limits.changes",
    "64",
    "Changes in work at a time, such as bans, rules and servers.",
)
.variable("GARRISON_LIMITS_CHANGES");
const CHANGES_PER_TENANT: Setting = Setting::new(
    "limits.changes_per_tenant",
    "16",
    "The same, of one tenant; a second is waited for a place.",
)
.variable("GARRISON_LIMITS_CHANGES_PER_TENANT");
const READ_TIMEOUT: Setting = Setting::new(
    "limits.read_timeout",
    "10s",
    "How long one statement of a list may take, 100ms to 10m.",
)
.variable("GARRISON_LIMITS_READ_TIMEOUT");
const HEAVY_TIMEOUT: Setting = Setting::new(
    "limits.heavy_timeout",
    "10s",
    "The same, of statistics, exports and trials.",
)
.variable("GARRISON_LIMITS_HEAVY_TIMEOUT");
const CHANGE_TIMEOUT: Setting = Setting::new("limits.change_timeout", "10s", "The same, of changes.")
    .variable("GARRISON_LIMITS_CHANGE_TIMEOUT");

pub(super) const SETTINGS: &[Setting] = &[
    TOKEN_REQUESTS,
    TENANT_REQUESTS,
    TENANT_ITEMS,
    TENANT_BYTES,
    MACHINE_ITEMS,
    MACHINE_BYTES,
    BURST,
    PUSHES,
    PUSHES_PER_TENANT,
    READS,
    READS_PER_TENANT,
    HEAVY,
    HEAVY_PER_TENANT,
    CHANGES,
    CHANGES_PER_TENANT,
    READ_TIMEOUT,
    HEAVY_TIMEOUT,
    CHANGE_TIMEOUT,
];

/// Requests in work at a time: all, and of one tenant. 0 is no limit.
pub type AtOnce = (usize, usize);

/// Limits of a replica.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Limits {
    pub token_requests: u64,
    pub tenant_requests: u64,
    pub tenant_items: u64,
    pub tenant_bytes: u64,
    pub machine_items: u64,
    pub machine_bytes: u64,
    pub burst: Duration,
    pub pushes: AtOnce,
    pub reads: AtOnce,
    pub heavy: AtOnce,
    pub changes: AtOnce,
    pub read_timeout: Duration,
    pub heavy_timeout: Duration,
    pub change_timeout: Duration,
}

impl Limits {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let quota = |setting: &Setting, default: u64| {
            source
                .find(setting)?
                .map_or(Ok(default), |found| found.number(0..=1_000_000_000_000))
        };
        let places = |setting: &Setting, default: usize| {
            source
                .find(setting)?
                .map_or(Ok(default), |found| found.number(0..=100_000))
        };
        let timeout = |setting: &Setting| {
            source
                .find(setting)?
                .map_or(Ok(Duration::from_secs(10)), |found| {
                    found.duration(Duration::from_millis(100)..=Duration::from_mins(10))
                })
        };
        Ok(Self {
            token_requests: quota(&TOKEN_REQUESTS, 6_000)?,
            tenant_requests: quota(&TENANT_REQUESTS, 12_000)?,
            tenant_items: quota(&TENANT_ITEMS, 0)?,
            tenant_bytes: quota(&TENANT_BYTES, 0)?,
            machine_items: quota(&MACHINE_ITEMS, 0)?,
            machine_bytes: quota(&MACHINE_BYTES, 0)?,
            burst: source
                .find(&BURST)?
                .map_or(Ok(Duration::from_secs(10)), |found| {
                    found.duration(Duration::from_secs(1)..=Duration::from_mins(10))
                })?,
            pushes: (places(&PUSHES, 0)?, places(&PUSHES_PER_TENANT, 64)?),
            reads: (places(&READS, 96)?, places(&READS_PER_TENANT, 32)?),
            heavy: (places(&HEAVY, 12)?, places(&HEAVY_PER_TENANT, 6)?),
            changes: (places(&CHANGES, 64)?, places(&CHANGES_PER_TENANT, 16)?),
            read_timeout: timeout(&READ_TIMEOUT)?,
            heavy_timeout: timeout(&HEAVY_TIMEOUT)?,
            change_timeout: timeout(&CHANGE_TIMEOUT)?,
        })
    }
}
