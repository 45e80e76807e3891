use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::config::Config;
use crate::db::Tenant;
use crate::http::Permissions;
use crate::manage::token::{self, Draft};

/// What to do with API tokens.
#[derive(Subcommand)]
pub enum Command {
    /// Make a token and print it once.
    Add {
        /// The tenant whose rows it opens.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// What it may do: read, admin, or permissions such as alerts:read. Several are possible.
        #[arg(long, default_value = "read", value_parser = scope)]
        scope: Vec<String>,
        /// An address or a network that it may be used from. Several are possible.
        #[arg(long, value_name = "NETWORK")]
        network: Vec<String>,
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
    /// Make a token in place of another, which is good for a while beside it.
    Rotate {
        /// Its number.
        id: i64,
        /// The tenant; found by the number when not given.
        #[arg(long)]
        tenant: Option<String>,
        /// How long both are good, in seconds.
        #[arg(long, default_value_t = 24 * 3600, value_parser = clap::value_parser!(i64).range(0..=30 * 24 * 3600))]
        overlap: i64,
        /// How long the new one is good, such as 90d; for ever when not given.
        #[arg(long)]
        expires: Option<String>,
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

fn scope(text: &str) -> Result<String, String> {
    match Permissions::from_scopes([text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("read, admin, or a permission such as alerts:read is expected".to_owned()),
    }
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
            network,
            name,
            expires,
        } => {
            let owner = find(db, &tenant).await?;
            let draft = Draft::read(&name, &scope, &network, expires.as_deref(), Timestamp::now());
            let draft = draft.map_err(|wrong| anyhow!("{wrong}"))?;
            let made = token::insert(db, &installation.ring, owner, &draft, "command line", None).await?;
            let (id, text) = (made.id, made.text);
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
                    json!({ "id": t.id, "name": t.name, "last4": t.last4, "scope": t.scopes.join(","), "scopes": t.scopes,
                        "networks": t.networks.iter().map(ToString::to_string).collect::<Vec<_>>(), "created_by": t.created_by, "created_at": t.created_at.to_string(),
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
                            t.scopes.join(","),
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
        Command::Rotate {
            id,
            tenant,
            overlap,
            expires,
        } => {
            let owner = owner(installation, tenant, id).await?;
            let now = Timestamp::now();
            let old = token::get(db, owner, id).await?.filter(|old| old.is_live(now));
            let old = old.with_context(|| format!("there is no token {id} to rotate"))?;
            let expires_at = expires.map(|text| token::lifetime(&text, now)).transpose();
            let draft = Draft {
                name: old.name,
                scopes: old.scopes,
                networks: old.networks,
                expires_at: expires_at.map_err(|wrong| anyhow!("{wrong}"))?,
            };
            #[allow(clippy::cast_precision_loss)] // at most thirty days
            let seconds = overlap as f64;
            let made =
                token::rotate(db, &installation.ring, owner, id, &draft, "command line", seconds).await?;
            let made = made.with_context(|| format!("there is no token {id} to rotate"))?;
            output.print(&json!({ "id": made.id, "token": made.text, "rotated_from": id }), || {
                format!(
                    "{}\n\nThis is token {} in place of token {id}, which is good for {overlap} s more. It is shown this once.",
                    made.text, made.id
                )
            })
        }
        Command::Revoke { id, tenant } => {
            let owner = owner(installation, tenant, id).await?;
            if !token::revoke(db, owner, id).await? {
                bail!("there is no token {id} to revoke");
            }
            output.print(&json!({ "id": id, "revoked": true }), || {
                format!("token {id} is revoked")
            })
        }
    }
}

/// Whose a token is.
async fn owner(installation: &Installation, tenant: Option<String>, id: i64) -> anyhow::Result<Tenant> {
    match tenant {
        Some(name) => find(&installation.db, &name).await,
        None => token::tenant_of(&installation.db, id)
            .await?
            .with_context(|| format!("there is no token {id}")),
    }
}
