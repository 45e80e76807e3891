use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::future::Cache;
use serde::{Deserialize, Serialize};

use super::engine::EngineError;
use super::problem::ApiError;
use crate::db::{Db, DbError, Tenant, sql};
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};

/// How long a looked-up credential is believed: a revocation is felt on every replica within this time.
const BELIEVED: Duration = Duration::from_secs(3);
/// How often a last-used or last-seen time is written at most.
const TOUCHED: Duration = Duration::from_secs(30);
/// How long a session that we give to a machine lasts; CAPI's own last about an hour.
const SESSION: Duration = Duration::from_hours(1);
const ISSUER: &str = "garrison";
const AUDIENCE: &str = "garrison-machine";

/// What an API token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look.
    Read,
    /// Look and change.
    Admin,
}

impl Scope {
    /// From the number in `api_token.scope`; an unknown one may do least.
    #[must_use]
    pub const fn from_code(code: i16) -> Self {
        if code == 2 { Self::Admin } else { Self::Read }
    }

    /// The number in `api_token.scope`.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Read => 1,
            Self::Admin => 2,
        }
    }
}

/// A program that shows an API token of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// Whose rows it sees.
    pub tenant: Tenant,
    /// Which token it is.
    pub token_id: i64,
    /// What it may do.
    pub scope: Scope,
}

impl Operator {
    /// Continues only for a token that may change things.
    ///
    /// # Errors
    /// 403 for a `read` token.
    pub fn may_change(&self) -> Result<(), ApiError> {
        if self.scope == Scope::Admin {
            Ok(())
        } else {
            Err(ApiError::Forbidden("this needs a token of scope admin"))
        }
    }
}

/// A CrowdSec engine that logged in through us.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The tenant it belongs to.
    pub tenant: Tenant,
    /// Its number.
    pub id: i64,
    /// Its login at CAPI.
    pub login: Arc<str>,
    /// Whether its tenant lets anything leave to CAPI.
    pub forward_enabled: bool,
    /// Keys the alert keys of its tenant.
    pub dedupe_key: Arc<[u8]>,
}

impl Machine {
    /// From a row of the three look-ups; none when the machine is removed.
    #[must_use]
    pub fn from_row(row: &tokio_postgres::Row, id: i64) -> Option<Self> {
        Some(Self {
            tenant: Tenant::proven(row.get("tenant_id")),
            id,
            login: row.get::<_, Option<String>>("login")?.into(),
            forward_enabled: row.get::<_, Option<bool>>("forward_enabled")?,
            dedupe_key: row.get::<_, Option<Vec<u8>>>("dedupe_key")?.into(),
        })
    }
}

/// Who speaks on a CrowdSec route.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A machine of a tenant.
    Machine(Machine),
    /// A login that CAPI accepted and no tenant has yet (its number in `unbound_login`): it may enrol.
    Unbound(i64),
}

/// A token of our own for a machine.
#[derive(Debug, Clone)]
pub struct SessionToken {
    /// The JWT.
    pub token: String,
    /// When it ends.
    pub expires: jiff::Timestamp,
}

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
    operators: Cache<Vec<u8>, Option<Operator>>,
    callers: Cache<Vec<u8>, Option<Caller>>,
    sessions: Cache<(i32, i64), Option<Machine>>,
    touched: Cache<(u8, i32, i64), ()>,
}

impl Auth {
    /// With empty caches.
    #[must_use]
    pub fn new(db: Db, ring: Arc<Keyring>) -> Self {
        Self {
            db,
            ring,
            operators: Cache::builder()
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
        }
    }

    /// Who holds this API token.
    ///
    /// # Errors
    /// 401 for a token that is nobody's, 503 when that cannot be found out.
    pub async fn operator(&self, token: &str) -> Result<Operator, ApiError> {
        if !secret::is_well_formed(Kind::ApiToken, token) {
            return Err(ApiError::Unauthorized);
        }
        let hash = self.ring.token_hash(token);
        let found = self
            .operators
            .try_get_with(hash.clone(), self.find_operator(&hash))
            .await;
        let operator = found
            .map_err(|e| ApiError::from(shared(&e)))?
            .ok_or(ApiError::Unauthorized)?;
        self.touch(
            0,
            operator.tenant.id(),
            operator.token_id,
            sql!("platform/touch_token"),
        );
        Ok(operator)
    }

    async fn find_operator(&self, hash: &[u8]) -> Result<Option<Operator>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx
            .query_opt(sql!("platform/get_token_principal"), &[&hash])
            .await?;
        tx.commit().await?;
        Ok(row.map(|row| Operator {
            tenant: Tenant::proven(row.get("tenant_id")),
            token_id: row.get("token_id"),
            scope: Scope::from_code(row.get("scope")),
        }))
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
            let found = self
                .sessions
                .try_get_with((tenant, machine), self.find_session(tenant, machine))
                .await;
            found
                .map_err(|e| EngineError::from(shared(&e)))?
                .map(Caller::Machine)
        } else {
            let hash = self.ring.token_hash(token);
            let found = self
                .callers
                .try_get_with(hash.clone(), self.find_caller(&hash))
                .await;
            found.map_err(|e| EngineError::from(shared(&e)))?
        };
        let caller = caller.ok_or_else(EngineError::unauthorized)?;
        if let Caller::Machine(machine) = &caller {
            self.touch(1, machine.tenant.id(), machine.id, sql!("platform/touch_machine"));
        }
        Ok(caller)
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
        self.operators.invalidate(&hash).await;
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

/// The token of an `Authorization` header, with or without `Bearer`: the SDK sends it bare.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let text = all.next()?.to_str().ok()?.trim();
    if all.next().is_some() {
        return None;
    }
    let token = match text.split_at_checked(6) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    };
    (!token.is_empty() && !token.contains(char::is_whitespace)).then_some(token)
}

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let auth = Auth::from_ref(state);
        let key = parts
            .headers
            .get("x-api-key")
            .and_then(|v| v.to_str().ok())
            .map(str::trim);
        let token = key
            .or_else(|| bearer(&parts.headers))
            .ok_or(ApiError::Unauthorized)?;
        auth.operator(token).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Auth: FromRef<S>,
{
    type Rejection = EngineError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, EngineError> {
        let auth = Auth::from_ref(state);
        let token = bearer(&parts.headers).ok_or_else(EngineError::unauthorized)?;
        auth.caller(token).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Machine
where
    Auth: FromRef<S>,
{
    type Rejection = EngineError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, EngineError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Machine(machine) => Ok(machine),
            Caller::Unbound(_) => Err(EngineError::new(
                axum::http::StatusCode::FORBIDDEN,
                "this machine belongs to no tenant yet: enrol it with `cscli console enroll <key of the tenant>`",
            )),
        }
    }
}
