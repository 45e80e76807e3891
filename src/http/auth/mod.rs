//! Credentials: who asks.

pub mod access;
mod actor;
mod asserted;
mod client;
pub mod csrf;
mod extract;
mod groups;
mod guard;
mod identity;
mod keys;
mod own;
mod permission;
mod principal;
mod programs;
mod provided;
mod sessions;

pub use actor::Actor;
pub use client::{Client, client};
pub use extract::{COOKIE, Shown, bearer, cookie_of};
pub use groups::{Gives, Grant, GroupRoles};
pub use guard::{NO_COOKIE, form_pairs, guard, locate};
pub use identity::{How, Identity, Refused, Settled};
pub use permission::{Permission, Permissions, Role};
pub use principal::{
    Caller, Delivery, Editor, FeedReader, Machine, NAME_LIMIT, Operator, Principal, Scope, SessionToken, Who,
};
pub use provided::{LoggedOut, Origin};
pub use sessions::{MAX_AGE, NewSession, Owner};

use std::sync::Arc;
use std::time::Duration;

use cidr::IpCidr;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::future::Cache;
use serde::{Deserialize, Serialize};

use super::engine::EngineError;
use super::limits::OwnLimits;
use crate::db::{Db, DbError, patiently, sql};
use crate::kernel::keyring::Keyring;

/// How long a looked-up credential is believed: a revocation is felt on every replica within this time.
const BELIEVED: Duration = Duration::from_secs(3);
/// How often a last-used or last-seen time is written at most.
const TOUCHED: Duration = Duration::from_secs(30);
/// How long a session that we give to a machine lasts; CAPI's own last about an hour.
const SESSION: Duration = Duration::from_hours(1);
/// How long a machine's token is looked up again while Postgres is away: its engine does not ask twice.
const PATIENCE: Duration = Duration::from_millis(1200);
const ISSUER: &str = "garrison";
const AUDIENCE: &str = "garrison-machine";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    tid: i32,
    mid: i64,
}

/// Looks credentials up, and remembers the answer for three seconds.
#[derive(Clone)]
pub struct Auth {
    db: Db,
    ring: Arc<Keyring>,
    programs: Cache<Vec<u8>, Option<Arc<programs::Program>>>,
    readers: Cache<Vec<u8>, Option<(FeedReader, i64)>>,
    callers: Cache<Vec<u8>, Option<Caller>>,
    sessions: Cache<(i32, i64), Option<Machine>>,
    touched: Cache<(u8, i32, i64), ()>,
    logins: Cache<uuid::Uuid, Option<Arc<sessions::Session>>>,
    touched_logins: Cache<u128, ()>,
    keys: Cache<(), Arc<Vec<keys::Key>>>,
    /// That a key was unknown a moment ago.
    missed: Cache<(), ()>,
    limits: Cache<i32, OwnLimits>,
    /// For while Postgres is away.
    limits_before: Cache<i32, OwnLimits>,
    /// What browsers call us by, where the operator said so.
    origin: Option<Arc<str>>,
    /// Whose word counts for where a request comes from.
    proxies: Arc<[IpCidr]>,
    /// Whose word counts for who asks.
    vouching: Arc<[IpCidr]>,
    /// Whom they named.
    asserted: Cache<asserted::Asserted, asserted::Known>,
    /// What groups give.
    groups: Arc<GroupRoles>,
}

impl Auth {
    /// With empty caches.
    #[must_use]
    pub fn new(db: Db, ring: Arc<Keyring>) -> Self {
        Self {
            db,
            ring,
            programs: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(BELIEVED)
                .build(),
            readers: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(BELIEVED)
                .build(),
            callers: Cache::builder()
                .max_capacity(50_000)
                .time_to_live(BELIEVED)
                .build(),
            sessions: Cache::builder()
                .max_capacity(50_000)
                .time_to_live(BELIEVED)
                .build(),
            touched: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(TOUCHED)
                .build(),
            logins: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(BELIEVED)
                .build(),
            touched_logins: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(TOUCHED)
                .build(),
            keys: Cache::builder().max_capacity(1).time_to_live(BELIEVED).build(),
            missed: Cache::builder()
                .max_capacity(1)
                .time_to_live(Duration::from_secs(1))
                .build(),
            limits: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(BELIEVED)
                .build(),
            limits_before: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
            origin: None,
            proxies: Arc::default(),
            vouching: Arc::default(),
            asserted: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(BELIEVED)
                .build(),
            groups: Arc::default(),
        }
    }

    /// The same for browsers that call us by this address, behind these proxies.
    #[must_use]
    pub fn behind(self, origin: Option<String>, proxies: Vec<IpCidr>) -> Self {
        Self {
            origin: origin.map(Into::into),
            proxies: proxies.into(),
            ..self
        }
    }

    /// The same where these proxies name persons, and groups give this.
    #[must_use]
    pub fn vouched_by(self, proxies: Vec<IpCidr>, groups: GroupRoles) -> Self {
        Self {
            vouching: proxies.into(),
            groups: Arc::new(groups),
            ..self
        }
    }

    /// Who holds this machine token: one of ours by its signature, one of CAPI's by the hash kept at login.
    ///
    /// # Errors
    /// 401 for a token that is nobody's, 503 when that cannot be found out.
    pub async fn caller(&self, token: &str) -> Result<Caller, EngineError> {
        if token.is_empty() || token.len() > 8192 {
            return Err(EngineError::unauthorized());
        }
        let caller = if let Some((tenant, machine)) = self.session_of(token) {
            patiently(PATIENCE, || self.known_session(tenant, machine))
                .await?
                .map(Caller::Machine)
        } else {
            let hash = self.ring.token_hash(token);
            patiently(PATIENCE, || self.known_caller(&hash)).await?
        };
        let caller = caller.ok_or_else(EngineError::unauthorized)?;
        if let Caller::Machine(machine) = &caller {
            self.touch(1, machine.tenant.id(), machine.id, sql!("platform/touch_machine"));
        }
        Ok(caller)
    }

    async fn known_session(&self, tenant: i32, machine: i64) -> Result<Option<Machine>, DbError> {
        let found = self
            .sessions
            .try_get_with((tenant, machine), self.find_session(tenant, machine));
        found.await.map_err(|e| shared(&e))
    }

    /// The machine that a link signed by us names; none when it is gone.
    ///
    /// # Errors
    /// When it cannot be looked up.
    pub async fn linked(&self, tenant: i32, machine: i64) -> Result<Option<Machine>, DbError> {
        self.known_session(tenant, machine).await
    }

    async fn known_caller(&self, hash: &[u8]) -> Result<Option<Caller>, DbError> {
        let found = self.callers.try_get_with(hash.to_vec(), self.find_caller(hash));
        found.await.map_err(|e| shared(&e))
    }

    async fn find_caller(&self, hash: &[u8]) -> Result<Option<Caller>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx
            .query_opt(sql!("platform/get_machine_by_token"), &[&hash])
            .await?;
        tx.commit().await?;
        Ok(row.and_then(|row| {
            let subject: i64 = row.get("subject_id");
            if row.get::<_, i16>("kind") == 4 {
                return Some(Caller::Unbound(subject));
            }
            Machine::from_row(&row, subject).map(Caller::Machine)
        }))
    }

    async fn find_session(&self, tenant: i32, machine: i64) -> Result<Option<Machine>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx
            .query_opt(sql!("platform/get_machine_by_id"), &[&tenant, &machine])
            .await?;
        tx.commit().await?;
        Ok(row.and_then(|row| Machine::from_row(&row, row.get("id"))))
    }

    /// Gives a machine a session of ours, good for an hour on every replica.
    ///
    /// # Errors
    /// Only if signing fails, which an HMAC does not.
    pub fn session(&self, machine: &Machine) -> Result<SessionToken, EngineError> {
        let now = jiff::Timestamp::now();
        let expires =
            now + jiff::SignedDuration::try_from(SESSION).unwrap_or(jiff::SignedDuration::from_secs(3600));
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: machine.login.to_string(),
            iat: now.as_second(),
            exp: expires.as_second(),
            tid: machine.tenant.id(),
            mid: machine.id,
        };
        let key = EncodingKey::from_secret(self.ring.session_key());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
            .map_err(|e| EngineError::from(DbError::Internal(format!("signing a session: {e}"))))?;
        Ok(SessionToken { token, expires })
    }

    /// Tenant and machine of a session token of ours; none for anything else. One algorithm, ours, whatever the
    /// token's header says (RFC 8725, 3.1).
    #[must_use]
    pub fn session_of(&self, token: &str) -> Option<(i32, i64)> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.leeway = 60;
        let key = DecodingKey::from_secret(self.ring.session_key());
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &rules).ok()?.claims;
        Some((claims.tid, claims.mid))
    }

    /// Forgets what is believed of a token, on this replica; the others forget within three seconds.
    pub async fn forget(&self, token: &str) {
        let hash = self.ring.token_hash(token);
        self.callers.invalidate(&hash).await;
        self.programs.invalidate(&hash).await;
    }

    /// Writes a last-used time now and then, beside the request.
    fn touch(&self, what: u8, tenant: i32, subject: i64, statement: &'static str) {
        let key = (what, tenant, subject);
        if self.touched.contains_key(&key) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            this.touched.insert(key, ()).await;
            let write = async {
                let mut connection = this.db.connection().await?;
                let tx = this.db.platform(&mut connection).await?;
                tx.execute(statement, &[&tenant, &subject]).await?;
                tx.commit().await
            };
            if let Err(e) = write.await {
                tracing::debug!(cause = %e, "a last-used time was not written");
            }
        });
    }
}

/// The error of a look-up that several callers waited for.
fn shared(e: &DbError) -> DbError {
    match e {
        DbError::Internal(cause) => DbError::Internal(cause.clone()),
        other => DbError::Unavailable(other.to_string()),
    }
}
