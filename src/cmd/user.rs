use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find as find_tenant;
use crate::config::Config;
use crate::http::Role;
use crate::manage::person::{self, NewPerson};

/// What to do with people.
#[derive(Subcommand)]
pub enum Command {
    /// Make a person, or bring one into a tenant; prints what sets the password, once.
    Add {
        /// The address that they log in with.
        email: String,
        /// The tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// What they are there: viewer, helpdesk, operator, admin or auditor.
        #[arg(long, default_value = "viewer", value_parser = role, requires = "tenant")]
        role: Role,
        /// What they are called.
        #[arg(long, default_value = "")]
        name: String,
        /// Make them the platform's admin: they manage tenants, and act in each when they say so.
        #[arg(long)]
        platform_admin: bool,
    },
    /// Everybody, or those of a tenant.
    List {
        /// The tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Change what a person is in a tenant.
    Role {
        /// Their address.
        email: String,
        /// The tenant.
        #[arg(long)]
        tenant: String,
        /// viewer, helpdesk, operator, admin or auditor.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Make a person the platform's admin, or take that away.
    PlatformAdmin {
        /// Their address.
        email: String,
        /// true or false.
        #[arg(action = clap::ArgAction::Set)]
        on: bool,
    },
    /// Take a person out of a tenant.
    Remove {
        /// Their address.
        email: String,
        /// The tenant.
        #[arg(long)]
        tenant: String,
    },
    /// Take a person's password away, end their sessions, and print what sets a new one, once.
    ResetPassword {
        /// Their address.
        email: String,
    },
    /// Shut a person out: their sessions end within five seconds.
    Disable {
        /// Their address.
        email: String,
    },
    /// Forget who a person is at the identity provider: whoever comes next with their verified address is them.
    Unlink {
        /// Their address.
        email: String,
    },
    /// Let a person in again.
    Enable {
        /// Their address.
        email: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "viewer, helpdesk, operator, admin or auditor is expected".to_owned())
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    let installation = Installation::open(config).await?;
    let result = act(&installation, output, command).await;
    installation.close().await;
    result
}

async fn act(installation: &Installation, output: Output, command: Command) -> anyhow::Result<()> {
    let db = &installation.db;
    match command {
        Command::Add {
            email,
            tenant,
            role,
            name,
            platform_admin,
        } => {
            let email = person::email(&email).context("an address such as ada@example.org is expected")?;
            if name.len() > 100 || name.chars().any(char::is_control) {
                bail!("a name has at most 100 bytes without control characters");
            }
            // Looked up first, so that a wrong name makes nobody.
            let tenant = match &tenant {
                Some(name) => Some(find_tenant(db, name).await?),
                None => None,
            };
            let new = NewPerson {
                email: &email,
                name: &name,
                password_hash: None,
                is_platform_admin: platform_admin,
            };
            let made = person::add(db, &new).await?;
            let id = match made {
                Some(id) => id,
                None => known(installation, &email).await?,
            };
            if made.is_none() && platform_admin {
                person::set_admin(db, id, true).await?;
            } else if made.is_none() && tenant.is_none() {
                bail!("there is a person {email} already");
            }
            if let Some(tenant) = tenant
                && person::set_role(db, tenant, id, role, true).await?.is_err()
            {
                bail!("{email} is the last admin of this tenant and stays one");
            }
            let token = match made {
                Some(id) => person::reset(db, &installation.ring, id).await?,
                None => None,
            };
            let token = token.map(|(text, _)| text);
            output.print(
                &json!({ "id": id, "email": email, "token": token }),
                || match &token {
                    Some(token) => format!("{email} has number {id}\n\n{}", set_with(token)),
                    None => format!("{email} was known as number {id}, and keeps the password"),
                },
            )
        }
        Command::List { tenant } => list(installation, output, tenant).await,
        Command::Role { email, tenant, role } => {
            let (owner, id) = (
                find_tenant(db, &tenant).await?,
                known(installation, &email).await?,
            );
            gone(person::set_role(db, owner, id, role, false).await?, &email)?;
            output.print(&json!({ "id": id, "role": role.name() }), || {
                format!("{email} is {} in {tenant}", role.name())
            })
        }
        Command::PlatformAdmin { email, on } => {
            let id = known(installation, &email).await?;
            person::set_admin(db, id, on).await?;
            output.print(&json!({ "id": id, "platform_admin": on }), || {
                format!(
                    "{email} is {} the platform's admin",
                    if on { "now" } else { "not" }
                )
            })
        }
        Command::Remove { email, tenant } => {
            let (owner, id) = (
                find_tenant(db, &tenant).await?,
                known(installation, &email).await?,
            );
            gone(person::remove(db, owner, id).await?, &email)?;
            output.print(&json!({ "id": id, "removed": true }), || {
                format!("{email} does not belong to {tenant} any more")
            })
        }
        Command::ResetPassword { email } => {
            let id = known(installation, &email).await?;
            let made = person::reset(db, &installation.ring, id).await?;
            let (token, _) = made.with_context(|| format!("{email} is disabled"))?;
            output.print(&json!({ "id": id, "token": token }), || set_with(&token))
        }
        Command::Disable { email } => disable(installation, output, &email, true).await,
        Command::Unlink { email } => {
            let id = known(installation, &email).await?;
            let gone = person::unlink(db, id).await?;
            output.print(&json!({ "id": id, "identities": gone }), || {
                format!("{email} is linked to nobody at a provider any more")
            })
        }
        Command::Enable { email } => disable(installation, output, &email, false).await,
    }
}

fn set_with(token: &str) -> String {
    format!(
        "Within a day, once:\n  curl -X POST …/api/password/reset -H 'content-type: application/json' \\\n    -d '{{\"token\":\"{token}\",\"password\":\"…\"}}'"
    )
}

async fn known(installation: &Installation, email: &str) -> anyhow::Result<i64> {
    let read = person::email(email).unwrap_or_default();
    let id = person::find(&installation.db, &read).await?;
    id.with_context(|| format!("there is no person {email}"))
}

fn gone(done: Result<(), person::Gone>, email: &str) -> anyhow::Result<()> {
    match done {
        Ok(()) => Ok(()),
        Err(person::Gone::NoMember) => bail!("{email} does not belong to this tenant"),
        Err(person::Gone::LastAdmin) => bail!("{email} is the last admin of this tenant: make another first"),
    }
}

async fn disable(installation: &Installation, output: Output, email: &str, on: bool) -> anyhow::Result<()> {
    let id = known(installation, email).await?;
    person::set_disabled(&installation.db, id, on).await?;
    output.print(&json!({ "id": id, "disabled": on }), || {
        format!("{email} {}", if on { "is shut out" } else { "is let in again" })
    })
}

async fn list(installation: &Installation, output: Output, tenant: Option<String>) -> anyhow::Result<()> {
    let db = &installation.db;
    let people: Vec<_> = match tenant {
        Some(name) => person::list_members(db, find_tenant(db, &name).await?, None)
            .await?
            .into_iter()
            .map(|member| (member.person, Some(member.role.name())))
            .collect(),
        None => person::list(db)
            .await?
            .into_iter()
            .map(|person| (person, None))
            .collect(),
    };
    let values: Vec<_> = people
        .iter()
        .map(|(p, role)| {
            json!({ "id": p.id, "email": p.email, "name": p.name, "role": role, "platform_admin": p.is_platform_admin,
                "totp": p.totp, "disabled": p.disabled, "last_login_at": p.last_login_at.map(|t| t.to_string()) })
        })
        .collect();
    output.print(&values, || {
        let rows: Vec<_> = people
            .iter()
            .map(|(p, role)| {
                let marks = [
                    (p.is_platform_admin, "platform admin"),
                    (p.disabled, "disabled"),
                    (p.totp, "totp"),
                ];
                let marks: Vec<_> = marks
                    .iter()
                    .filter(|(on, _)| *on)
                    .map(|(_, text)| *text)
                    .collect();
                let seen = p.last_login_at.map_or_else(|| "-".to_owned(), |t| t.to_string());
                let role = role.unwrap_or("-").to_owned();
                vec![
                    p.id.to_string(),
                    p.email.clone(),
                    role,
                    p.name.clone(),
                    seen,
                    marks.join(", "),
                ]
            })
            .collect();
        table(&["ID", "ADDRESS", "ROLE", "NAME", "LAST LOGIN", ""], &rows)
    })
}
