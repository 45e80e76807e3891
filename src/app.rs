//! What every replica holds: the pool, the keys, the caches, the way to CAPI. Cheap to clone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::FromRef;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::db::{By, Db};
use crate::http::limits::Limiter;
use crate::http::{ActsBy, Auth, Refusals};
use crate::kernel::keyring::Keyring;
use crate::kernel::net::Block;
use crate::outbound::capi::Capi;
use crate::outbound::directory::Directory;
use crate::outbound::geoip::Geoip;
use crate::outbound::lapi::Lapis;
use crate::outbound::logs::Logs;
use crate::outbound::oidc::Provider;

/// What the operator of this installation decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether anything may leave to CAPI at all.
    pub forward_enabled: bool,
    /// Logins CAPI may see in 50 minutes; none for no limit.
    pub login_budget: Option<u32>,
    /// Whether a login that CAPI accepted lands in a tenant by itself.
    pub auto_enrolment: AutoEnrolment,
    /// The tenant it then lands in.
    pub auto_tenant: String,
    /// From the Host name a machine called to its tenant's name.
    pub tenant_hosts: BTreeMap<String, String>,
    /// Where machines reach us, where the operator says so; ends in a slash.
    pub public_url: Option<String>,
    /// Addresses that Garrison itself has, as far as it knows: nobody bans them.
    pub own_addresses: Vec<Block>,
    /// How long it is known what others told of an address.
    pub ip_info: Keep,
    /// How long events are kept for streams to resume.
    pub keep_events: Duration,
    /// How long rows are kept where a tenant does not say otherwise.
    pub lifetimes: Lifetimes,
}

/// How long something is kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// When it was told.
    pub answers: Duration,
    /// When nobody told anything.
    pub failures: Duration,
}

/// How many days rows are kept after they were received. The classes stand in `manage/retention/model.rs`.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Alerts with all that belongs to them.
    pub alerts: u32,
    /// Bodies as they were received; none is as long as alerts.
    pub bodies: Option<u32>,
    /// What was done here.
    pub audit: u32,
    /// Alerts that CAPI did not take yet: as long as alerts, at least.
    pub waiting: u32,
    /// Usage metrics.
    pub metrics: u32,
}

/// Which logins land in a tenant by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoEnrolment {
    /// None.
    Off,
    /// Those that come from this very machine, which is as far as listening on loopback alone reaches.
    Local,
    /// All that CAPI accepted: the operator said so.
    On,
}

/// The shared state.
#[derive(Clone)]
pub struct App {
    /// Postgres.
    pub db: Db,
    /// The installation's keys.
    pub ring: Arc<Keyring>,
    /// Credentials.
    pub auth: Auth,
    /// How much may be asked.
    pub limits: Limiter,
    /// What was refused, on its way to the audit trail.
    pub refusals: Refusals,
    /// The Central API.
    pub capi: Capi,
    /// Where addresses are.
    pub geoip: Geoip,
    /// The tenants' LAPI servers.
    pub lapis: Lapis,
    /// Whom to ask about addresses.
    pub directory: Directory,
    /// The tenants' log stores.
    pub logs: Logs,
    /// Where people log in, where it is not here.
    pub provider: Option<Provider>,
    /// The operator's decisions.
    pub settings: Arc<Settings>,
    /// Rung when this process put something into the outbox: a hint, so that its own worker need not wait for its
    /// next look.
    pub outbox: Arc<Notify>,
    /// Rung by a push that found no partition for what it brought.
    pub partitions: Arc<Notify>,
    /// Set once this replica is to take no more work.
    pub draining: Arc<AtomicBool>,
    /// Cancelled then: what would never end by itself ends.
    pub stopping: CancellationToken,
}

impl App {
    /// Whether this replica is going away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl FromRef<App> for Auth {
    fn from_ref(app: &App) -> Self {
        app.auth.clone()
    }
}

impl ActsBy for App {
    fn by(&self, by: By) -> Self {
        Self {
            db: self.db.by(by),
            ..self.clone()
        }
    }
}
