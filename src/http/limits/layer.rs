//! The layer that keeps the limits, and what an answer says of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;

use super::headers::{Held, tell};
use super::{Class, Full, Limiter, OwnLimits, Quota, Settings, Standing};
use crate::db::{Scope, within};
use crate::http::{ApiError, Auth, Caller, EngineError, Shown, Who as Principal, bearer};

/// How long a request waits for a place. Engines do not ask twice; who asks for a chart waits anyway.
const WAIT: Duration = Duration::from_secs(1);
const WAIT_HEAVY: Duration = Duration::from_secs(5);
const WAIT_INGEST: Duration = Duration::from_millis(2500);
/// What is left to do once there is a place must fit into the 5 s that an engine waits, so no longer than that is waited
/// for a bucket, either.
const WAIT_BUCKET: Duration = Duration::from_millis(2500);

/// What a request turned out to hold, told by its handler: among its extensions.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    items: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Meter {
    /// So many items were in it.
    pub fn items(&self, n: usize) {
        self.items.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn told(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.items), read(&self.bytes))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Meter {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Who asks, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Token { tenant: i32, id: i64 },
    Machine { tenant: i32, id: i64 },
    Nobody,
}

impl Who {
    const fn tenant(self) -> Option<i32> {
        match self {
            Self::Token { tenant, .. } | Self::Machine { tenant, .. } => Some(tenant),
            Self::Nobody => None,
        }
    }
}

impl Limiter {
    /// Every limit that holds for this one, as it stands.
    fn held(&self, who: Who, limits: &Settings) -> Vec<Held> {
        let now = self.now();
        let of = |name: &'static str, quota: Quota, standing: Option<Standing>| {
            standing.map(|standing| Held {
                name,
                quota,
                standing,
            })
        };
        macro_rules! of {
            ($what:ident, $key:expr) => {
                of(
                    self.$what.name,
                    limits.$what,
                    self.$what.standing($key, &limits.$what, now),
                )
            };
        }
        let all = match who {
            Who::Nobody => [None, None, None, None],
            Who::Token { tenant, id } => [
                of!(token_requests, (tenant, id)),
                of!(tenant_requests, (tenant, 0)),
                of!(tenant_bytes, (tenant, 0)),
                None,
            ],
            Who::Machine { tenant, id } => [
                of!(machine_items, (tenant, id)),
                of!(machine_bytes, (tenant, id)),
                of!(tenant_items, (tenant, 0)),
                of!(tenant_bytes, (tenant, 0)),
            ],
        };
        all.into_iter().flatten().collect()
    }

    /// Writes off what a request took.
    fn spend(&self, who: Who, limits: &Settings, meter: &Meter) {
        let (now, (items, bytes)) = (self.now(), meter.told());
        macro_rules! take {
            ($what:ident, $key:expr, $n:expr) => {
                self.$what.take($key, &limits.$what, now, $n)
            };
        }
        match who {
            Who::Nobody => {}
            Who::Token { tenant, .. } => take!(tenant_bytes, (tenant, 0), bytes),
            Who::Machine { tenant, id } => {
                take!(machine_items, (tenant, id), items);
                take!(machine_bytes, (tenant, id), bytes);
                take!(tenant_items, (tenant, 0), items);
                take!(tenant_bytes, (tenant, 0), bytes);
            }
        }
    }

    /// A request of its own, where requests are counted.
    fn count(&self, who: Who, limits: &Settings) {
        if let Who::Token { tenant, id } = who {
            let now = self.now();
            self.token_requests
                .take((tenant, id), &limits.token_requests, now, 1);
            self.tenant_requests
                .take((tenant, 0), &limits.tenant_requests, now, 1);
        }
    }

    /// Within what statements of a class run.
    fn scope(&self, class: Class, who: Who) -> Option<Scope> {
        let timeout = match class {
            Class::Open | Class::Ingest | Class::Engine => return None,
            Class::Read => self.settings.read_timeout,
            Class::Heavy => self.settings.heavy_timeout,
            Class::Change => self.settings.change_timeout,
        };
        Some(Scope {
            timeout,
            tenant: who.tenant(),
        })
    }
}

/// Who asks. The same look-up that the handler makes next, which remembers it for seconds; who is nobody is refused by the
/// handler, in its own words.
async fn who(parts: &Parts, auth: &Auth, class: Class) -> Result<Who, EngineError> {
    match class {
        Class::Open => Ok(Who::Nobody),
        Class::Ingest | Class::Engine => {
            let Some(token) = bearer(&parts.headers) else {
                return Ok(Who::Nobody);
            };
            match auth.caller(token).await {
                Ok(Caller::Machine(machine)) => Ok(Who::Machine {
                    tenant: machine.tenant.id(),
                    id: machine.id,
                }),
                // The handler would wait for the database as long again.
                Err(e) if e.status() == StatusCode::SERVICE_UNAVAILABLE => Err(e),
                Ok(Caller::Unbound(_)) | Err(_) => Ok(Who::Nobody),
            }
        }
        Class::Read | Class::Heavy | Class::Change => {
            let Ok(shown) = Shown::of(&parts.headers, &parts.extensions) else {
                return Ok(Who::Nobody);
            };
            let known = auth.authenticate(&shown).await;
            let operator = known.and_then(|principal| principal.operator());
            Ok(operator.map_or(Who::Nobody, |operator| Who::Token {
                tenant: operator.tenant.id(),
                // People and tokens have numbers of their own.
                id: match operator.who {
                    Principal::Token(id) => id,
                    Principal::User(id) => -id,
                },
            }))
        }
    }
}

/// Keeps the limits: buckets first, which cost nothing, then a place in work.
pub async fn limit(State((auth, limiter)): State<(Auth, Limiter)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let route = parts
        .extensions
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let class = Class::of(&parts.method, route);
    let Some(places) = limiter.places(class) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let who = match who(&parts, &auth, class).await {
        Ok(who) => who,
        Err(e) => return e.into_response(),
    };
    let own = match who.tenant() {
        Some(tenant) => auth.own_limits(tenant).await,
        None => OwnLimits::default(),
    };
    let limits = limiter.of(&own);
    let held = limiter.held(who, &limits);
    if let Some(wait) = longest(&held) {
        // What an engine brings is lost when it is refused, so it waits if that helps.
        if !class.is_engines() || wait > WAIT_BUCKET {
            return refuse(class, "quota", StatusCode::TOO_MANY_REQUESTS, wait, &held);
        }
        tokio::time::sleep(wait).await;
    }
    let patience = match class {
        Class::Ingest => WAIT_INGEST,
        Class::Heavy => WAIT_HEAVY,
        _ => WAIT,
    };
    let _place = match places
        .take(who.tenant(), limits.in_flight(class).tenant, patience)
        .await
    {
        Ok(place) => place,
        Err(full) => {
            let (why, status) = match full {
                Full::Tenant => ("tenant_in_flight", StatusCode::TOO_MANY_REQUESTS),
                Full::All => ("in_flight", StatusCode::SERVICE_UNAVAILABLE),
            };
            return refuse(class, why, status, Duration::from_secs(1), &held);
        }
    };
    limiter.count(who, &limits);
    let bill = Bill {
        limiter: &limiter,
        limits: &limits,
        who,
        meter: Meter::default(),
    };
    parts.extensions.insert(bill.meter.clone());
    let body = counted(body, Arc::clone(&bill.meter.bytes));
    let work = next.run(Request::from_parts(parts, body));
    let mut response = match limiter.scope(class, who) {
        Some(scope) => within(scope, work).await,
        None => work.await,
    };
    drop(bill);
    tell(&mut response, &limiter.held(who, &limits));
    response
}

/// What a request took, written off when it ends, also where the caller goes away in the middle.
struct Bill<'a> {
    limiter: &'a Limiter,
    limits: &'a Settings,
    who: Who,
    meter: Meter,
}

impl Drop for Bill<'_> {
    fn drop(&mut self) {
        self.limiter.spend(self.who, self.limits, &self.meter);
    }
}

/// The body, every byte of it counted as it is read, whatever length was announced.
fn counted(body: Body, bytes: Arc<AtomicU64>) -> Body {
    Body::new(body.map_frame(move |frame| {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        bytes.fetch_add(read, Ordering::Relaxed);
        frame
    }))
}

fn longest(held: &[Held]) -> Option<Duration> {
    held.iter().filter_map(|held| held.standing.wait).max()
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000))
        .unwrap_or(u32::MAX)
        .max(1)
}

fn refuse(class: Class, why: &'static str, status: StatusCode, wait: Duration, held: &[Held]) -> Response {
    const TOO_MANY: &str = "more was asked than the quota allows";
    const TOO_MANY_AT_ONCE: &str = "too many requests at a time";
    metrics::counter!("garrison_limited_total", "class" => class.name(), "why" => why).increment(1);
    let seconds = seconds(wait);
    let text = if why == "quota" {
        TOO_MANY
    } else {
        TOO_MANY_AT_ONCE
    };
    let mut response = if class.is_engines() {
        let mut response = EngineError::new(status, text).into_response();
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, value);
        response
    } else if status == StatusCode::TOO_MANY_REQUESTS {
        ApiError::TooMany(text, seconds).into_response()
    } else {
        ApiError::Unavailable(seconds).into_response()
    };
    tell(&mut response, held);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_again() {
        for (class, status, millis, after) in [
            (Class::Read, StatusCode::TOO_MANY_REQUESTS, 1, "1"),
            (Class::Change, StatusCode::TOO_MANY_REQUESTS, 1_001, "2"),
            (Class::Heavy, StatusCode::SERVICE_UNAVAILABLE, 60_000, "60"),
            (Class::Ingest, StatusCode::TOO_MANY_REQUESTS, 7_500, "8"),
            (Class::Ingest, StatusCode::SERVICE_UNAVAILABLE, 0, "1"),
        ] {
            let response = refuse(class, "quota", status, Duration::from_millis(millis), &[]);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[header::RETRY_AFTER], after);
            let is_problem = response.headers()[header::CONTENT_TYPE] == "application/problem+json";
            assert_eq!(is_problem, class != Class::Ingest, "{class:?}");
        }
    }
}
