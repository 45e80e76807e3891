use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use super::context::{Installation, get_fact};
use super::output::{Output, table};
use super::tenant::find;
use crate::config::Config;
use crate::db::{Db, Tenant};
use crate::gate::machine::{insert_issued, is_login, remove};
use crate::manage::machine::{MachineRow, list, update_delivers};

/// What to do with machines.
#[derive(Subcommand)]
pub enum Command {
    /// Make credentials for an engine and print its `online_api_credentials.yaml`.
    Add {
        /// The tenant it shall belong to.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Its login; made up when not given.
        #[arg(long)]
        login: Option<String>,
    },
    /// A tenant's machines.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Change a machine.
    Set {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Its login or its number.
        machine: String,
        /// Whether the tenant's bans and allowlists ride on its decisions stream.
        #[arg(long, action = clap::ArgAction::Set)]
        deliver: bool,
    },
    /// Remove a machine: its credentials open nothing any more, its alerts stay.
    Remove {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Its login or its number.
        machine: String,
    },
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
        Command::Add { tenant, login } => {
            let owner = find(db, &tenant).await?;
            if login.as_deref().is_some_and(|l| !is_login(l)) {
                bail!("a login has 1 to 128 letters, digits and -_.@:");
            }
            let issued = insert_issued(db, &installation.ring, owner, login)
                .await?
                .context("a machine with this login is there already")?;
            let url = url(installation).await?;
            let value = json!({ "login": issued.login, "password": issued.password, "url": url });
            output.print(&value, || {
                format!(
                    "# /etc/crowdsec/online_api_credentials.yaml; the password is shown this once\nurl: {url}\nlogin: {}\npassword: {}",
                    issued.login, issued.password
                )
            })
        }
        Command::List { tenant } => {
            let machines = list(db, find(db, &tenant).await?).await?;
            let values: Vec<_> = machines
                .iter()
                .map(|m| {
                    json!({ "id": m.id, "login": m.login, "name": m.name, "user_agent": m.user_agent,
                        "last_seen_at": m.last_seen_at.map(|t| t.to_string()), "deliver": m.delivers, "waiting": m.waiting, "last_error": m.last_error })
                })
                .collect();
            output.print(&values, || {
                let rows: Vec<_> = machines
                    .iter()
                    .map(|m| {
                        vec![
                            m.id.to_string(),
                            m.login.clone(),
                            m.name.clone(),
                            m.last_seen_at
                                .map_or_else(|| "never".to_owned(), |t| t.to_string()),
                            m.waiting.to_string(),
                            if m.delivers { "yes" } else { "no" }.to_owned(),
                        ]
                    })
                    .collect();
                table(&["ID", "LOGIN", "NAME", "LAST SEEN", "WAITING", "DELIVER"], &rows)
            })
        }
        Command::Set {
            tenant,
            machine,
            deliver,
        } => {
            let owner = find(db, &tenant).await?;
            let found = one(db, owner, &tenant, &machine).await?;
            if !update_delivers(db, owner, found.id, deliver).await? {
                bail!("machine {machine} has just been removed");
            }
            output.print(
                &json!({ "id": found.id, "login": found.login, "deliver": deliver }),
                || {
                    let on = if deliver { "on" } else { "off" };
                    format!("delivery through the stream of machine {} is {on}", found.login)
                },
            )
        }
        Command::Remove { tenant, machine } => {
            let owner = find(db, &tenant).await?;
            let found = one(db, owner, &tenant, &machine).await?;
            remove(db, owner, found.id).await?;
            output.print(
                &json!({ "id": found.id, "login": found.login, "removed": true }),
                || format!("machine {} is removed", found.login),
            )
        }
    }
}

/// The tenant's machine of this login or number.
async fn one(db: &Db, owner: Tenant, tenant: &str, machine: &str) -> anyhow::Result<MachineRow> {
    let machines = list(db, owner).await?;
    let mut machines = machines.into_iter();
    let found = machines.find(|m| m.login == machine || m.id.to_string() == machine);
    found.with_context(|| format!("tenant {tenant} has no machine {machine}"))
}

/// Where engines reach us: as configured, as the running service says, or as it would listen. It ends in a slash, as
/// engines demand.
async fn url(installation: &Installation) -> anyhow::Result<String> {
    let server = &installation.config.server;
    let url = match &server.public_url {
        Some(url) => url.clone(),
        None => get_fact(&installation.db, "served_url")
            .await?
            .unwrap_or_else(|| server.base_url(server.listen)),
    };
    Ok(if url.ends_with('/') {
        url
    } else {
        format!("{url}/")
    })
}
