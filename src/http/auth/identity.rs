//! Who somebody is here whom an identity provider, or a proxy, vouches for.

mod write;

use std::collections::BTreeMap;

use tokio_postgres::Row;

use self::write::Change;
use super::Auth;
use super::groups::{Held, Step, plan};
use super::permission::Role;
use super::principal::tenant_of;
use crate::db::{DbError, PlatformTx, Tenant, sql};
use crate::http::Trace;

/// How often two first logins of one person are let try again.
const TRIES: usize = 4;

/// Somebody, as an issuer tells of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Who tells.
    pub issuer: String,
    /// What tells people apart there, for ever.
    pub subject: String,
    /// Their address, where it may be relied on.
    pub email: Option<String>,
    /// What they are called.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
}

/// Why somebody does not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// They are shut out.
    Disabled,
    /// Nobody here is this subject, and the issuer tells no address that may be relied on.
    NoAddress,
    /// The address is somebody's who is another subject of the issuer.
    Taken,
    /// They belong to no tenant, and no group of theirs gives anything.
    NoRole,
}

impl Refused {
    /// For the person.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Disabled => "this person is shut out",
            Self::NoAddress => "the identity provider tells no verified address of yours",
            Self::Taken => "somebody else of the identity provider has this address here",
            Self::NoRole => "you belong to no tenant here, and none of your groups gives a role",
        }
    }
}

/// Whom it turned out to be.
#[derive(Debug, Clone)]
pub enum Settled {
    /// A person who may come in.
    In {
        /// Their number.
        id: i64,
        /// What they are on record as.
        email: String,
    },
    /// Nobody who may; the person, where they are known.
    Out(Refused, Option<i64>),
}

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Nothing, unless something is to be changed.
    Look,
    /// What groups give.
    Change,
    /// The same and a login, on record with how it came.
    Login(&'static str),
}

struct Known {
    id: i64,
    email: String,
    is_platform_admin: bool,
    admin_by_groups: bool,
    disabled: bool,
}

impl Known {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            email: row.get("email"),
            is_platform_admin: row.get("is_platform_admin"),
            admin_by_groups: row.get("admin_by_groups"),
            disabled: row.get("disabled"),
        }
    }
}

/// Somebody who was not linked yet.
enum First {
    Linked(Known),
    Out(Refused, Option<i64>),
    /// Another request was quicker.
    Again,
}

/// What happens in one tenant.
struct There {
    tenant: Tenant,
    step: Option<Step>,
    stays: bool,
}

impl There {
    const fn new(tenant: Tenant) -> Self {
        Self {
            tenant,
            step: None,
            stays: true,
        }
    }
}

impl Auth {
    /// Finds the person that somebody is, links or makes them the first time, and lets what groups give follow the groups.
    /// What changes is on record in the tenants that it is about, in the transaction that changes it.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn settle(&self, who: &Identity, how: How, trace: &Trace) -> Result<Settled, DbError> {
        let mut how = how;
        for _ in 0..TRIES {
            if let Some(settled) = self.try_settle(who, how, trace).await? {
                return Ok(settled);
            }
            if how == How::Look {
                how = How::Change;
            }
        }
        Err(DbError::Contention(
            "first logins of one person at once".to_owned(),
        ))
    }

    /// None where it has to be done once more: somebody was quicker, or looking is not enough.
    async fn try_settle(&self, who: &Identity, how: How, trace: &Trace) -> Result<Option<Settled>, DbError> {
        let wanted = self.groups.of(&who.groups);
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let given = list_given(&tx, &wanted.roles).await?;
        let statement = if how == How::Look {
            sql!("platform/get_identity")
        } else {
            sql!("platform/claim_identity")
        };
        let found = tx.query_opt(statement, &[&who.issuer, &who.subject]).await?;
        let is_first = found.is_none();
        let known = match found {
            Some(row) => Known::from_row(&row),
            None if how == How::Look => return Ok(None),
            None => match link(&tx, who, wanted.platform || !given.is_empty()).await? {
                First::Linked(known) => known,
                First::Out(why, person) => return Ok(Some(Settled::Out(why, person))),
                First::Again => return Ok(None),
            },
        };
        if known.disabled {
            return Ok(Some(Settled::Out(Refused::Disabled, Some(known.id))));
        }
        let follows = is_first || self.groups.follow;
        let rows = tx.query(sql!("platform/list_memberships"), &[&known.id]).await?;
        let mut places = places(&rows);
        let held: Vec<Held> = rows.iter().map(held).collect();
        let steps = if follows {
            let given: Vec<(i32, Role)> = given.iter().map(|(tenant, role)| (tenant.id(), *role)).collect();
            plan(&given, &held)
        } else {
            Vec::new()
        };
        let changes = !steps.is_empty();
        for (id, step) in steps {
            let joined = given.iter().find(|(tenant, _)| tenant.id() == id);
            if let Some((tenant, _)) = joined {
                places.entry(id).or_insert(There::new(*tenant));
            }
            if let Some(place) = places.get_mut(&id) {
                place.step = Some(step);
                place.stays = step != Step::Leave;
            }
        }
        let admin = admin(&known, wanted.platform).filter(|_| follows);
        let comes_in = admin.unwrap_or(known.is_platform_admin) || places.values().any(|place| place.stays);
        let changes = changes || admin.is_some();
        if changes && how == How::Look {
            return Ok(None);
        }
        if !changes && !comes_in {
            // Nothing of what was begun stays.
            return Ok(Some(Settled::Out(Refused::NoRole, Some(known.id))));
        }
        let login = match how {
            How::Login(by) if comes_in => Some(by),
            _ => None,
        };
        if changes || how != How::Look {
            let change = Change { admin, login, trace };
            change.write(tx, &known, places).await?;
        }
        Ok(Some(if comes_in {
            Settled::In {
                id: known.id,
                email: known.email,
            }
        } else {
            Settled::Out(Refused::NoRole, Some(known.id))
        }))
    }
}

/// What groups change of the platform's admin. Who was made one by hand stays one.
const fn admin(known: &Known, wanted: bool) -> Option<bool> {
    match (wanted, known.is_platform_admin, known.admin_by_groups) {
        (true, false, _) => Some(true),
        (false, true, true) => Some(false),
        _ => None,
    }
}

async fn list_given(
    tx: &PlatformTx<'_>,
    roles: &BTreeMap<String, Role>,
) -> Result<Vec<(Tenant, Role)>, DbError> {
    if roles.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = roles.keys().map(String::as_str).collect();
    let rows = tx.query(sql!("platform/list_tenants_by_name"), &[&names]).await?;
    let given = |row: &Row| Some((tenant_of(row), *roles.get(row.get::<_, &str>("name"))?));
    Ok(rows.iter().filter_map(given).collect())
}

fn held(row: &Row) -> Held {
    Held {
        tenant: row.get("tenant_id"),
        role: Role::from_code(row.get("role")),
        by_groups: row.get::<_, i16>("origin") == 2,
    }
}

fn places(rows: &[Row]) -> BTreeMap<i32, There> {
    let there = |row: &Row| There::new(tenant_of(row));
    rows.iter()
        .map(there)
        .map(|there| (there.tenant.id(), there))
        .collect()
}

/// Links somebody to who has their address, or makes a person where groups give something.
async fn link(tx: &PlatformTx<'_>, who: &Identity, may_be_made: bool) -> Result<First, DbError> {
    let Some(email) = &who.email else {
        return Ok(First::Out(Refused::NoAddress, None));
    };
    let row = tx
        .query_opt(sql!("platform/claim_person"), &[email, &who.issuer])
        .await?;
    let known = match row {
        Some(row) => {
            let known = Known::from_row(&row);
            if known.disabled {
                return Ok(First::Out(Refused::Disabled, Some(known.id)));
            }
            if row.get("taken") {
                return Ok(First::Out(Refused::Taken, Some(known.id)));
            }
            known
        }
        None if !may_be_made => return Ok(First::Out(Refused::NoRole, None)),
        None => {
            let made = tx
                .query_opt(
                    sql!("platform/insert_person"),
                    &[email, &who.name, &None::<&str>, &false],
                )
                .await?;
            let Some(made) = made else {
                return Ok(First::Again);
            };
            Known {
                id: made.get("id"),
                email: email.clone(),
                is_platform_admin: false,
                admin_by_groups: false,
                disabled: false,
            }
        }
    };
    let linked = tx
        .query_opt(
            sql!("platform/insert_identity"),
            &[&who.issuer, &who.subject, &known.id],
        )
        .await?;
    Ok(if linked.is_some() {
        First::Linked(known)
    } else {
        First::Again
    })
}
