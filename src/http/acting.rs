//! Who is on record for what a request changes.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::layers::RequestId;
use super::{Actor, ApiError, Operator, client};
use crate::db::{ActorKind, By};

/// Where a request came from, and its id.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    source: Option<IpAddr>,
    request: Option<Arc<str>>,
}

impl Trace {
    /// From what the edge put among the extensions.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        Self {
            source: client(&parts.extensions),
            request: parts.extensions.get::<RequestId>().map(|id| Arc::clone(&id.0)),
        }
    }

    /// The address that it came from.
    #[must_use]
    pub const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Somebody who acts by this request.
    #[must_use]
    pub fn by(&self, actor: &Actor) -> By {
        let (kind, id, name) = match actor {
            Actor::Token { id, name } => (ActorKind::Token, Some(*id), Arc::clone(name)),
            Actor::User { id, name } => (ActorKind::User, Some(*id), Arc::clone(name)),
            Actor::Machine { id, login } => (ActorKind::Machine, Some(*id), Arc::clone(login)),
            Actor::Cli => return By::cli(),
            Actor::Auto(part) => (ActorKind::Auto, None, (*part).into()),
        };
        By {
            kind,
            id,
            name,
            source: self.source,
            request: self.request.clone(),
        }
    }
}

impl From<Option<IpAddr>> for Trace {
    fn from(source: Option<IpAddr>) -> Self {
        Self {
            source,
            request: None,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Trace {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// State in whose name changes are put on record.
pub trait ActsBy: Clone {
    /// The same state in somebody's hands.
    #[must_use]
    fn by(&self, by: By) -> Self;
}

/// The state in the hands of who asks: in place of `State` in every operation that changes something.
#[derive(Debug)]
pub struct Acting<S>(pub S);

impl<S> FromRequestParts<S> for Acting<S>
where
    S: ActsBy + Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let operator = Operator::from_request_parts(parts, state).await?;
        Ok(Self(state.by(Trace::of(parts).by(&operator.actor()))))
    }
}
