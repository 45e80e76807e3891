//! Programs: who holds an API token or a token of a feed.

use std::net::IpAddr;
use std::sync::Arc;

use cidr::IpCidr;

use super::extract::Shown;
use super::permission::{Permission, Permissions};
use super::principal::{FeedReader, Name, Principal, Scope, Who, tenant_of};
use super::{Auth, shared};
use crate::db::{DbError, sql};
use crate::http::ApiError;
use crate::kernel::secret::{self, Kind};

/// What is known of an API token.
#[derive(Debug)]
pub struct Program {
    principal: Principal,
    tenant: String,
    suspended: bool,
    networks: Vec<IpCidr>,
}

impl Program {
    pub(super) fn from_row(row: &tokio_postgres::Row) -> Self {
        let scopes: Option<Vec<String>> = row.get("scopes");
        let scope = Scope::from_code(row.get("scope"));
        let permissions = match &scopes {
            // A name that this release does not know opens nothing.
            Some(names) => names
                .iter()
                .filter_map(|name| Permissions::from_scopes([name.as_str()]).ok())
                .fold(Permissions::NONE, Permissions::and),
            None if scope == Scope::Admin => Permissions::admin(),
            None => Permissions::read(),
        };
        Self {
            principal: Principal {
                who: Who::Token(row.get("token_id")),
                name: Name::new(row.get("name")),
                tenant: Some(tenant_of(row)),
                role: None,
                permissions,
                is_platform_admin: false,
                session: None,
                csrf: None,
                csrf_before: None,
            },
            tenant: row.get("tenant"),
            suspended: row.get("suspended"),
            networks: row.get("networks"),
        }
    }

    /// Whether it may be used from there. Where that is not known, a token that is bound is not.
    fn is_good_from(&self, from: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || from.is_some_and(|from| self.networks.iter().any(|network| network.contains(&from)))
    }
}

impl Auth {
    /// Who shows this, and what they may do.
    ///
    /// # Errors
    /// 401 for a credential that is nobody's, 403 where it is not good, 404 for a tenant that is not theirs, 503 when that
    /// cannot be found out.
    pub async fn authenticate(&self, shown: &Shown) -> Result<Principal, ApiError> {
        if let Some(who) = &shown.asserted {
            // Large, and every look-up would hold it.
            return Box::pin(self.of_proxy(shown, who)).await;
        }
        if shown.is_cookie && !shown.text.starts_with(Kind::ApiToken.prefix()) {
            return self.of_cookie(shown).await;
        }
        self.program(shown).await
    }

    async fn program(&self, shown: &Shown) -> Result<Principal, ApiError> {
        if !secret::is_well_formed(Kind::ApiToken, &shown.text) {
            return Err(ApiError::Unauthorized);
        }
        let hash = self.ring.token_hash(&shown.text);
        let found = self
            .programs
            .try_get_with(hash.clone(), self.find_program(&hash))
            .await;
        let program = found
            .map_err(|e| ApiError::from(shared(&e)))?
            .ok_or(ApiError::Unauthorized)?;
        let principal = self.judge_program(&program, shown)?;
        Ok(Principal {
            csrf: shown.is_cookie.then(|| self.ring.csrf_tag(&hash)),
            ..principal
        })
    }

    /// Whether a token may be used so.
    pub(super) fn judge_program(&self, program: &Program, shown: &Shown) -> Result<Principal, ApiError> {
        if !program.is_good_from(shown.from) {
            return Err(ApiError::Forbidden("this token is not good from this address"));
        }
        if shown
            .tenant
            .as_ref()
            .is_some_and(|name| **name != *program.tenant)
        {
            return Err(ApiError::NotFound("tenant not found"));
        }
        if program.suspended {
            return Err(ApiError::Forbidden("the tenant is suspended"));
        }
        if let (Some(tenant), Who::Token(id)) = (program.principal.tenant, program.principal.who) {
            self.touch(0, tenant.id(), id, sql!("platform/touch_token"));
        }
        Ok(program.principal)
    }

    async fn find_program(&self, hash: &[u8]) -> Result<Option<Arc<Program>>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx
            .query_opt(sql!("platform/get_token_principal"), &[&hash])
            .await?;
        tx.commit().await?;
        Ok(row.map(|row| Arc::new(Program::from_row(&row))))
    }

    /// Who may read a feed with this: a token of the feed, or an API token that may read feeds.
    ///
    /// # Errors
    /// 401 for a token that is nobody's, 403 for one that may not, 503 when that cannot be found out.
    pub async fn feed_reader(&self, shown: &Shown) -> Result<FeedReader, ApiError> {
        if !secret::is_well_formed(Kind::FeedToken, &shown.text) {
            let principal = self.authenticate(shown).await?;
            principal.require(Permission::FeedsRead)?;
            return Ok(FeedReader {
                tenant: principal.operator()?.tenant,
                feed: None,
            });
        }
        let hash = self.ring.token_hash(&shown.text);
        let found = self
            .readers
            .try_get_with(hash.clone(), self.find_feed_reader(&hash))
            .await;
        let (reader, token_id) = found
            .map_err(|e| ApiError::from(shared(&e)))?
            .ok_or(ApiError::Unauthorized)?;
        self.touch(2, reader.tenant.id(), token_id, sql!("platform/touch_feed_token"));
        Ok(reader)
    }

    async fn find_feed_reader(&self, hash: &[u8]) -> Result<Option<(FeedReader, i64)>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx.query_opt(sql!("platform/get_feed_reader"), &[&hash]).await?;
        tx.commit().await?;
        Ok(row.map(|row| {
            let reader = FeedReader {
                tenant: tenant_of(&row),
                feed: Some(row.get("feed_id")),
            };
            (reader, row.get("token_id"))
        }))
    }
}
