//! Sessions of logins: what the cookie carries, and whose it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::extract::Shown;
use super::keys::{Key, head, is_a_head};
use super::permission::{Permissions, Role};
use super::principal::{Name, Principal, Who, tenant_of};
use super::programs::Program;
use super::provided::Origin;
use super::{Auth, ISSUER, shared};
use crate::db::{DbError, Tenant, sql};
use crate::http::ApiError;

/// What a session is for; machines' own have another.
const AUDIENCE: &str = "garrison-session";
/// How long a session lasts.
const LENGTH: Duration = Duration::from_hours(12);
/// Longest text that is looked at.
const LONGEST: usize = 2048;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// What is known of a session.
#[derive(Debug)]
pub enum Session {
    /// Of a person.
    Person {
        id: i64,
        email: String,
        is_platform_admin: bool,
        chosen: Option<i32>,
        places: Vec<Place>,
    },
    /// Of who showed an API token.
    Program(Box<Program>, i64),
}

/// A tenant that a person belongs to.
#[derive(Debug)]
pub struct Place {
    tenant: Tenant,
    name: String,
    role: Role,
    suspended: bool,
}

/// Who a new session is for.
#[derive(Debug, Clone, Copy)]
pub enum Owner {
    /// A person, and the tenant they chose.
    Person(i64, Option<i32>),
    /// Who showed this token of this tenant.
    Token(i32, i64),
}

/// A session just made.
pub struct NewSession {
    /// What the cookie carries.
    pub cookie: String,
    /// What requests that change something show.
    pub csrf: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How long a cookie lives, in seconds.
pub const MAX_AGE: u64 = LENGTH.as_secs();

impl Session {
    fn person(id: i64, row: &Row, chosen: Option<i32>, places: &[Row]) -> Self {
        let place = |row: &Row| Place {
            tenant: tenant_of(row),
            name: row.get("tenant"),
            role: Role::from_code(row.get("role")),
            suspended: row.get("suspended"),
        };
        Self::Person {
            id,
            email: row.get("email"),
            is_platform_admin: row.get("is_platform_admin"),
            chosen,
            places: places.iter().map(place).collect(),
        }
    }

    fn subject(&self) -> String {
        match self {
            Self::Person { id, .. } => format!("user:{id}"),
            Self::Program(_, id) => format!("token:{id}"),
        }
    }
}

impl Auth {
    /// Makes a session, always a new one.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn begin_session(&self, owner: Owner) -> Result<NewSession, ApiError> {
        self.begin_session_from(owner, None).await
    }

    /// The same, of a session at an identity provider.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn begin_session_from(
        &self,
        owner: Owner,
        origin: Option<&Origin>,
    ) -> Result<NewSession, ApiError> {
        let id = Uuid::from_u128(rand::rng().random());
        let (person, tenant, token, chosen, sub) = match owner {
            Owner::Person(id, chosen) => (Some(id), None, None, chosen, format!("user:{id}")),
            Owner::Token(tenant, id) => (None, Some(tenant), Some(id), None, format!("token:{id}")),
        };
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        #[allow(clippy::cast_precision_loss)] // hours
        let seconds = LENGTH.as_secs() as f64;
        let row = tx
            .query_opt(
                sql!("platform/insert_session"),
                &[
                    &id,
                    &person,
                    &tenant,
                    &token,
                    &chosen,
                    &seconds,
                    &origin.map(|origin| &origin.issuer),
                    &origin.map(|origin| &origin.subject),
                    &origin.and_then(|origin| origin.sid.as_ref()),
                ],
            )
            .await?
            .ok_or_else(|| ApiError::Internal("an insert returned no row".to_owned()))?;
        tx.commit().await?;
        drop(connection);
        let keys = self.keys(false).await?;
        let key = keys.iter().find(|key| key.settled).or_else(|| keys.last());
        let key = key.ok_or_else(|| ApiError::Internal("there is no key for sessions".to_owned()))?;
        let (now, expires_at): (_, Timestamp) = (Timestamp::now().as_second(), row.get("expires_at"));
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub,
            sid: id,
            iat: now,
            nbf: now,
            exp: expires_at.as_second(),
        };
        let secret = EncodingKey::from_secret(&key.secret);
        let cookie = jsonwebtoken::encode(&head(key.kid), &claims, &secret)
            .map_err(|e| ApiError::Internal(format!("signing a session: {e}")))?;
        Ok(NewSession {
            cookie,
            csrf: super::csrf::text(&self.ring.csrf_tag(id.as_bytes())),
            expires_at,
        })
    }

    /// Ends a session: on this replica now, on the others within three seconds.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn end_session(&self, id: Uuid) -> Result<(), DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        tx.execute(sql!("platform/update_session_revoked"), &[&id])
            .await?;
        tx.commit().await?;
        self.logins.invalidate(&id).await;
        Ok(())
    }

    /// Ends the session that a request came with, where it began another: the old one does not live on beside the new.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn end_shown(&self, shown: Option<Shown>) -> Result<(), ApiError> {
        if let Some(shown) = shown.filter(Shown::is_cookie)
            && let Ok(Principal {
                session: Some(old), ..
            }) = self.authenticate(&shown).await
        {
            self.end_session(old).await?;
        }
        Ok(())
    }

    /// Who holds this cookie.
    pub(super) async fn of_cookie(&self, shown: &Shown) -> Result<Principal, ApiError> {
        let claims = self.claims(&shown.text).await?.ok_or(ApiError::Unauthorized)?;
        let found = self
            .logins
            .try_get_with(claims.sid, self.find_login(claims.sid))
            .await;
        let session = found.map_err(|e| ApiError::from(shared(&e)))?;
        let session = session
            .filter(|session| session.subject() == claims.sub)
            .ok_or(ApiError::Unauthorized)?;
        let principal = self.of_session(shown, &session).await?;
        self.touch_login(claims.sid);
        Ok(Principal {
            session: Some(claims.sid),
            csrf: Some(self.ring.csrf_tag(claims.sid.as_bytes())),
            ..principal
        })
    }

    /// Who that is, and what they may do where the request says it acts.
    pub(super) async fn of_session(&self, shown: &Shown, session: &Session) -> Result<Principal, ApiError> {
        match session {
            Session::Program(program, _) => self.judge_program(program, shown),
            Session::Person {
                id,
                email,
                is_platform_admin,
                chosen,
                places,
            } => {
                let place = self.place(shown, *is_platform_admin, *chosen, places).await?;
                let own = if *is_platform_admin {
                    Permissions::platform()
                } else {
                    Permissions::NONE
                };
                let (tenant, role, there) = match place {
                    None => (None, None, Permissions::NONE),
                    Some((tenant, Some(role))) => (Some(tenant), Some(role), role.permissions()),
                    Some((tenant, None)) => (Some(tenant), None, Permissions::admin()),
                };
                Ok(Principal {
                    who: Who::User(*id),
                    name: Name::new(email),
                    tenant,
                    role,
                    permissions: own.and(there),
                    is_platform_admin: *is_platform_admin,
                    session: None,
                    csrf: None,
                    csrf_before: None,
                })
            }
        }
    }

    /// Where a person acts: where the request says, else where they chose to at login, else where they only belong.
    /// The platform's admin is let in elsewhere, too, but only when the request says so.
    async fn place(
        &self,
        shown: &Shown,
        is_platform_admin: bool,
        chosen: Option<i32>,
        places: &[Place],
    ) -> Result<Option<(Tenant, Option<Role>)>, ApiError> {
        let place = match (&shown.tenant, chosen, places) {
            (Some(name), ..) => places.iter().find(|place| place.name == **name),
            (None, Some(id), _) => places.iter().find(|place| place.tenant.id() == id),
            (None, None, [only]) => Some(only),
            (None, None, _) => None,
        };
        if let Some(place) = place {
            return if place.suspended && !is_platform_admin {
                Err(ApiError::Forbidden("the tenant is suspended"))
            } else {
                Ok(Some((place.tenant, Some(place.role))))
            };
        }
        let Some(name) = &shown.tenant else {
            return Ok(None);
        };
        if is_platform_admin {
            let mut connection = self.db.connection().await?;
            let tx = self.db.platform(&mut connection).await?;
            let row = tx
                .query_opt(sql!("platform/get_tenant_by_name"), &[&&**name])
                .await?;
            tx.commit().await?;
            if let Some(row) = row {
                return Ok(Some((tenant_of(&row), None)));
            }
        }
        Err(ApiError::NotFound("tenant not found"))
    }

    async fn find_login(&self, id: Uuid) -> Result<Option<Arc<Session>>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx.query_opt(sql!("platform/get_session"), &[&id]).await?;
        let Some(row) = row else { return Ok(None) };
        let person: Option<i64> = row.get("person_id");
        let session = if let Some(person) = person {
            let rows = tx.query(sql!("platform/list_memberships"), &[&person]).await?;
            Some(Session::person(person, &row, row.get("chosen"), &rows))
        } else {
            let token: Option<i64> = row.get("token_id");
            let tenant: Option<i32> = row.get("token_tenant");
            let found = tx
                .query_opt(sql!("platform/get_token_by_id"), &[&tenant, &token])
                .await?;
            found
                .map(|found| Session::Program(Box::new(Program::from_row(&found)), token.unwrap_or_default()))
        };
        tx.commit().await?;
        Ok(session.map(Arc::new))
    }

    /// A person as they are now; none for who is not there or shut out.
    pub(super) async fn find_person(&self, id: i64) -> Result<Option<Session>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx.query_opt(sql!("platform/get_person"), &[&id]).await?;
        let places = tx.query(sql!("platform/list_memberships"), &[&id]).await?;
        tx.commit().await?;
        Ok(row.map(|row| Session::person(id, &row, None, &places)))
    }

    /// What a text says that we signed; none for anything else.
    async fn claims(&self, text: &str) -> Result<Option<Claims>, ApiError> {
        if text.len() > LONGEST || text.bytes().filter(|byte| *byte == b'.').count() != 2 {
            return Ok(None);
        }
        let head = text.split('.').next().unwrap_or_default();
        let named = |keys: &[Key]| keys.iter().find(|key| key.head == head).cloned();
        let mut key = named(&self.keys(false).await?);
        if key.is_none() && is_a_head(head) {
            // Another replica may have made one just now.
            key = named(&self.keys(true).await?);
        }
        let Some(key) = key else { return Ok(None) };
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = 60;
        let secret = DecodingKey::from_secret(&key.secret);
        let read = jsonwebtoken::decode::<Claims>(text, &secret, &rules);
        Ok(read.ok().map(|read| read.claims))
    }

    fn touch_login(&self, id: Uuid) {
        let key = id.as_u128();
        if self.touched_logins.contains_key(&key) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            this.touched_logins.insert(key, ()).await;
            let write = async {
                let mut connection = this.db.connection().await?;
                let tx = this.db.platform(&mut connection).await?;
                tx.execute(sql!("platform/touch_session"), &[&id]).await?;
                tx.commit().await
            };
            if let Err(e) = write.await {
                tracing::debug!(cause = %e, "a last-seen time was not written");
            }
        });
    }
}
