//! The limits that the configuration sets.

use crate::config::Config;
use crate::http::limits::{InFlight, Quota, Settings};

/// As the configuration says.
pub fn settings(config: &Config) -> Settings {
    let limits = &config.limits;
    let quota = |per_minute| Quota {
        per_minute,
        burst: limits.burst,
    };
    let at_once = |(all, tenant)| InFlight { all, tenant };
    Settings {
        token_requests: quota(limits.token_requests),
        tenant_requests: quota(limits.tenant_requests),
        tenant_items: quota(limits.tenant_items),
        tenant_bytes: quota(limits.tenant_bytes),
        machine_items: quota(limits.machine_items),
        machine_bytes: quota(limits.machine_bytes),
        ingest: at_once(limits.pushes),
        read: at_once(limits.reads),
        heavy: at_once(limits.heavy),
        change: at_once(limits.changes),
        read_timeout: limits.read_timeout,
        heavy_timeout: limits.heavy_timeout,
        change_timeout: limits.change_timeout,
    }
}
