//! What CrowdSec machines speak: we are CAPI to them, and they to CAPI.

pub mod filter;
pub mod forward;
pub mod link;
pub mod machine;
pub mod metrics;
pub mod relay;
pub mod signal;
pub mod stream;
pub mod upstream;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::request::Parts;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::db::By;
use crate::http::{ActsBy, Auth};

/// What the gate's handlers share.
#[derive(Clone)]
pub struct Gate {
    /// The replica's state.
    pub app: App,
    /// Compiled filter rules.
    pub rules: filter::Rules,
    /// What Garrison is called on the tenants' LAPI servers.
    pub own_logins: signal::OwnLogins,
    /// Batches that are stored at a time: half of the pool. More only wait for one another inside Postgres, and a crowd
    /// of engines would open every connection at once and leave none for finding out who they are.
    pub storing: Arc<Semaphore>,
}

impl FromRef<Gate> for Auth {
    fn from_ref(gate: &Gate) -> Self {
        gate.app.auth.clone()
    }
}

impl FromRef<Gate> for App {
    fn from_ref(gate: &Gate) -> Self {
        gate.app.clone()
    }
}

impl ActsBy for Gate {
    fn by(&self, by: By) -> Self {
        Self {
            app: self.app.by(by),
            ..self.clone()
        }
    }
}

/// The routes below `/v2` and `/v3`.
#[must_use]
pub fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .merge(machine::routes())
        .merge(signal::routes())
        .merge(stream::routes())
        .merge(metrics::routes())
        .merge(relay::routes())
}

/// The routes below `/v1`, where CrowdSec's own components send what `/v3` takes, too.
#[must_use]
pub fn routes_v1() -> OpenApiRouter<Gate> {
    metrics::routes_v1()
}

/// Which of CAPI's versions a request came by: 2 up to engine 1.4, 3 from 1.5 on.
#[derive(Debug, Clone, Copy)]
pub struct ApiVersion(pub u8);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for ApiVersion {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let original = parts.extensions.get::<axum::extract::OriginalUri>();
        let path = original.map_or_else(|| parts.uri.path(), |uri| uri.0.path());
        Ok(Self(if path.starts_with("/v2/") { 2 } else { 3 }))
    }
}
