use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::config::Config;
use crate::http::Scope;
use crate::kernel::duration::parse_duration_ms;
use crate::kernel::secret::{self, Kind};
use crate::manage::token;

/// What to do with API tokens.
#[derive(Subcommand)]
pub enum Command {
    /// Make a token and print it once.
    Add {
        /// The tenant whose rows it opens.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// What it may do.
        #[arg(long, value_enum, default_value_t = ScopeName::Read)]
        scope: ScopeName,
        /// What people know it by.
        #[arg(long, default_value = "")]
        name: String,
        /// How long it is good, such as 90d or 12h; for ever when not given.
        #[arg(long)]
        expires: Option<String>,
    },
    /// A tenant's tokens.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Revoke a token: within five seconds no replica takes it.
    Revoke {
        /// Its number.
        id: i64,
        /// The tenant; found by the number when not given.
        #[arg(long)]
        tenant: Option<String>,
    },
}

/// A scope by its name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ScopeName {
    /// Look.
    Read,
    /// Look and change.
    Admin,
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
            tenant,
            scope,
            name,
            expires,
        } => {
            let owner = find(db, &tenant).await?;
            if name.len() > 100 || name.chars().any(char::is_control) {
                bail!("a token's name has at most 100 bytes without control characters");
            }
            let expires_at = expires.map(|text| end(&text)).transpose()?;
            let scope = match scope {
                ScopeName::Read => Scope::Read,
                ScopeName::Admin => Scope::Admin,
            };
            let text = secret::generate(Kind::ApiToken);
            let new = token::NewToken {
                text: &text,
                name: &name,
                scope,
                expires_at,
            };
            let id = token::insert(db, &installation.ring, owner, &new).await?;
            output.print(&json!({ "id": id, "token": text }), || {
                format!("{text}\n\nThis is token {id} of tenant {tenant}. It is shown this once.")
            })
        }
        Command::List { tenant } => {
            let tokens = token::list(db, find(db, &tenant).await?).await?;
            let time = |t: Option<Timestamp>| t.map(|t| t.to_string());
            let values: Vec<_> = tokens
                .iter()
                .map(|t| {
                    json!({ "id": t.id, "name": t.name, "last4": t.last4, "scope": scope_name(t.scope), "created_at": t.created_at.to_string(),
                        "expires_at": time(t.expires_at), "last_used_at": time(t.last_used_at), "revoked_at": time(t.revoked_at) })
                })
                .collect();
            output.print(&values, || {
                let shown = |t: Option<Timestamp>| t.map_or_else(|| "-".to_owned(), |t| t.to_string());
                let rows: Vec<_> = tokens
                    .iter()
                    .map(|t| {
                        let end = format!("…{}", t.last4);
                        vec![
                            t.id.to_string(),
                            end,
                            scope_name(t.scope).to_owned(),
                            t.name.clone(),
                            shown(t.expires_at),
                            shown(t.last_used_at),
                            shown(t.revoked_at),
                        ]
                    })
                    .collect();
                table(
                    &["ID", "TOKEN", "SCOPE", "NAME", "EXPIRES", "LAST USED", "REVOKED"],
                    &rows,
                )
            })
        }
        Command::Revoke { id, tenant } => {
            let owner = match tenant {
                Some(name) => find(db, &name).await?,
                None => token::tenant_of(db, id)
                    .await?
                    .with_context(|| format!("there is no token {id}"))?,
            };
            if !token::revoke(db, owner, id).await? {
                bail!("there is no token {id} to revoke");
            }
            output.print(&json!({ "id": id, "revoked": true }), || {
                format!("token {id} is revoked")
            })
        }
    }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Admin => "admin",
    }
}

fn end(text: &str) -> anyhow::Result<Timestamp> {
    let ms = parse_duration_ms(text).filter(|ms| (60_000..=10 * 365 * 86_400_000).contains(ms));
    let ms = ms.context("--expires takes a duration from 1m to 3650d, such as 90d or 12h")?;
    Ok(Timestamp::now().checked_add(SignedDuration::from_millis(ms))?)
}
