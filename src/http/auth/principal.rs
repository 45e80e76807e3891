use std::sync::Arc;

use crate::db::Tenant;
use crate::http::ApiError;

/// The tenant of a credential that was just looked up.
#[must_use]
pub fn tenant_of(row: &tokio_postgres::Row) -> Tenant {
    Tenant::proven(row.get("tenant_id"))
}

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

/// An operator whose token may change things.
#[derive(Debug, Clone, Copy)]
pub struct Editor(pub Operator);

impl TryFrom<Operator> for Editor {
    type Error = ApiError;

    fn try_from(operator: Operator) -> Result<Self, ApiError> {
        if operator.scope == Scope::Admin {
            Ok(Self(operator))
        } else {
            Err(ApiError::Forbidden("this needs a token of scope admin"))
        }
    }
}

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
