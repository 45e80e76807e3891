use std::sync::Arc;

use super::actor::Actor;
use super::permission::{Permission, Permissions, Role};
use crate::db::Tenant;
use crate::http::ApiError;

/// The tenant of a credential that was just looked up.
#[must_use]
pub fn tenant_of(row: &tokio_postgres::Row) -> Tenant {
    Tenant::proven(row.get("tenant_id"))
}

/// The two scopes that a token of the first releases has.
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

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// Which program or person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// A program, by the number of its token.
    Token(i64),
    /// A person.
    User(i64),
}

/// Longest name of a token, and longest address of a person.
pub const NAME_LIMIT: usize = 120;

/// What people know a principal by. In place, so that a principal is copied like the numbers in it.
#[derive(Clone, Copy)]
pub struct Name {
    length: u8,
    bytes: [u8; NAME_LIMIT],
}

impl Name {
    /// The text, as much of it as there is room for.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; NAME_LIMIT];
        let end = (0..=text.len().min(NAME_LIMIT))
            .rev()
            .find(|n| text.is_char_boundary(*n))
            .unwrap_or(0);
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        let length = u8::try_from(end).unwrap_or(0);
        Self { length, bytes }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Who asks on the management API, as far as the credential tells.
#[derive(Debug, Clone, Copy)]
pub struct Principal {
    /// Which program or person.
    pub who: Who,
    /// The name of the token, or the address that the person logs in with.
    pub name: Name,
    /// Where it acts; none for a person who has not said in which of several tenants.
    pub tenant: Option<Tenant>,
    /// What the person is there; none for programs, and for the platform's admin where they are no member.
    pub role: Option<Role>,
    /// What it may do there, and with the installation.
    pub permissions: Permissions,
    /// Whether the person is the platform's admin.
    pub is_platform_admin: bool,
    /// The session, where one was shown.
    pub session: Option<uuid::Uuid>,
    /// What requests by this cookie show that change something; none for credentials that a browser does not send by
    /// itself.
    pub csrf: Option<[u8; 16]>,
    /// What they may show, too: what was good a moment ago.
    pub csrf_before: Option<[u8; 16]>,
}

impl Principal {
    /// Refuses who has too little.
    ///
    /// # Errors
    /// 403, naming what is missing.
    pub fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if !permission.is_platforms() && self.tenant.is_none() {
            return Err(ApiError::Forbidden(
                "say in which tenant: send its name as X-Garrison-Tenant",
            ));
        }
        if self.permissions.has(permission) {
            Ok(())
        } else {
            Err(ApiError::Lacks(permission.name()))
        }
    }

    /// Who acts, for the record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        actor(
            self.who,
            &self.name,
            self.is_platform_admin && self.role.is_none(),
        )
    }

    /// The principal in its tenant.
    ///
    /// # Errors
    /// 403 for a person who has not said where.
    pub fn operator(&self) -> Result<Operator, ApiError> {
        let tenant = self.tenant.ok_or(ApiError::Forbidden(
            "say in which tenant: send its name as X-Garrison-Tenant",
        ))?;
        Ok(Operator {
            tenant,
            who: self.who,
            permissions: self.permissions,
            name: self.name,
            as_platform: self.is_platform_admin && self.role.is_none(),
        })
    }
}

fn actor(who: Who, name: &Name, as_platform: bool) -> Actor {
    let name = name.as_str();
    match who {
        Who::Token(id) if name.is_empty() => Actor::Token {
            id,
            name: format!("token {id}").into(),
        },
        Who::Token(id) => Actor::Token {
            id,
            name: name.into(),
        },
        Who::User(id) if as_platform => Actor::User {
            id,
            name: format!("{name} (platform)").into(),
        },
        Who::User(id) => Actor::User {
            id,
            name: name.into(),
        },
    }
}

/// Who acts in a tenant: a program by its API token, or a person.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// Whose rows it sees.
    pub tenant: Tenant,
    /// Which program or person.
    pub who: Who,
    /// What it may do.
    pub permissions: Permissions,
    name: Name,
    as_platform: bool,
}

impl Operator {
    /// Who acts, for the record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        actor(self.who, &self.name, self.as_platform)
    }

    /// The same as people read it.
    #[must_use]
    pub fn shown(&self) -> String {
        let name = self.name.as_str();
        match self.who {
            Who::Token(id) if name.is_empty() => format!("token {id}"),
            Who::Token(id) => format!("{name} (token {id})"),
            Who::User(id) if self.as_platform => format!("{name} (user {id}, platform)"),
            Who::User(id) => format!("{name} (user {id})"),
        }
    }

    /// Whether the platform's admin acts in a tenant that they are no member of.
    #[must_use]
    pub const fn is_platform(&self) -> bool {
        self.as_platform
    }
}

/// An operator that was found to have a permission to change things.
#[derive(Debug, Clone, Copy)]
pub struct Editor(pub Operator);

/// Whether the tenant's bans and allowlists ride on a machine's decisions stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Its stream is CAPI's, byte for byte.
    Off,
    /// They do.
    On,
    /// They did: what the machine was given is taken back.
    TakingBack,
}

impl Delivery {
    const fn from_flags(delivers: bool, takes_back: bool) -> Self {
        match (delivers, takes_back) {
            (true, _) => Self::On,
            (false, true) => Self::TakingBack,
            (false, false) => Self::Off,
        }
    }
}

/// Who may read a feed.
#[derive(Debug, Clone, Copy)]
pub struct FeedReader {
    /// Whose feeds.
    pub tenant: Tenant,
    /// The one that a feed's token opens; none for an API token, which opens all of its tenant.
    pub feed: Option<i64>,
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
    /// Whether the decisions it reports are to be taken up into its tenant's set.
    pub keeps_decisions: bool,
    /// Keys the alert keys of its tenant.
    pub dedupe_key: Arc<[u8]>,
    /// Whether its tenant's set is delivered in its stream.
    pub delivery: Delivery,
}

impl Machine {
    /// From a row of the three look-ups; none when the machine is removed.
    #[must_use]
    pub fn from_row(row: &tokio_postgres::Row, id: i64) -> Option<Self> {
        Some(Self {
            tenant: tenant_of(row),
            id,
            login: row.get::<_, Option<String>>("login")?.into(),
            forward_enabled: row.get::<_, Option<bool>>("forward_enabled")?,
            keeps_decisions: row.get::<_, Option<bool>>("keeps_decisions")?,
            dedupe_key: row.get::<_, Option<Vec<u8>>>("dedupe_key")?.into(),
            delivery: Delivery::from_flags(
                row.get::<_, Option<bool>>("delivers")?,
                row.get::<_, Option<bool>>("takes_back").unwrap_or(false),
            ),
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
