use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use super::context::Installation;
use super::output::{Output, table};
use crate::config::Config;
use crate::db::{Db, Tenant};
use crate::gate::filter;
use crate::manage::tenant;

/// What to do with tenants.
#[derive(Subcommand)]
pub enum Command {
    /// Make a tenant, with the default filter rules, and print its enrolment key once.
    Add {
        /// Its name.
        name: String,
        /// Keep everything of this tenant from CAPI.
        #[arg(long)]
        no_forward: bool,
    },
    /// All tenants.
    List,
    /// Change a tenant.
    Set {
        /// Its name.
        name: String,
        /// Whether its alerts may leave to CAPI: true or false.
        #[arg(long, action = clap::ArgAction::Set)]
        forward: bool,
    },
    /// Make a new enrolment key and print it once; the one before opens nothing any more.
    Key {
        /// The tenant's name.
        name: String,
    },
    /// Take a tenant out of service: nothing of its opens anything any more.
    Remove {
        /// Its name.
        name: String,
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
        Command::Add { name, no_forward } => {
            let name = name.trim().to_owned();
            if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
                bail!("a tenant's name has 1 to 100 bytes without control characters");
            }
            let made = tenant::insert(db, &installation.ring, &name, !no_forward, async |tx| {
                filter::insert_defaults(tx).await
            })
            .await?;
            let Some(made) = made else {
                bail!("there is a tenant {name} already")
            };
            let value = json!({ "id": made.id, "name": name, "enrollment_key": made.enrolment_key });
            output.print(&value, || {
                format!(
                    "tenant {name} has number {}\n\nBring an engine in, on its machine:\n  cscli console enroll {}\n\nThe key is shown this once.",
                    made.id, made.enrolment_key
                )
            })
        }
        Command::List => {
            let tenants = tenant::list(db).await?;
            let values: Vec<_> = tenants
                .iter()
                .map(|t| json!({ "id": t.id, "name": t.name, "forward_enabled": t.forward_enabled, "created_at": t.created_at.to_string() }))
                .collect();
            output.print(&values, || {
                let rows: Vec<_> = tenants
                    .iter()
                    .map(|t| {
                        vec![
                            t.id.to_string(),
                            t.name.clone(),
                            if t.forward_enabled { "yes" } else { "no" }.to_owned(),
                        ]
                    })
                    .collect();
                table(&["ID", "NAME", "FORWARDS"], &rows)
            })
        }
        Command::Set { name, forward } => {
            tenant::set_forward(db, find(db, &name).await?, forward).await?;
            output.print(&json!({ "name": name, "forward_enabled": forward }), || {
                format!(
                    "tenant {name} {} to CAPI",
                    if forward { "forwards" } else { "sends nothing" }
                )
            })
        }
        Command::Key { name } => {
            let key = tenant::renew_key(db, &installation.ring, find(db, &name).await?).await?;
            let value = json!({ "name": name, "enrollment_key": key });
            output.print(&value, || format!("Bring an engine in, on its machine:\n  cscli console enroll {key}\n\nThe key is shown this once."))
        }
        Command::Remove { name } => {
            tenant::remove(db, find(db, &name).await?).await?;
            output.print(&json!({ "name": name, "removed": true }), || {
                format!("tenant {name} is removed")
            })
        }
    }
}

/// The tenant of this name, or an error that says so.
pub async fn find(db: &Db, name: &str) -> anyhow::Result<Tenant> {
    tenant::find(db, name)
        .await?
        .with_context(|| format!("there is no tenant {name}"))
}
