use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::context::Installation;
use super::output::{Output, table};
use super::serve::lifetimes;
use crate::api::template::{self, Template};
use crate::config::Config;
use crate::db::{Db, Tenant};
use crate::manage::tenant::Change;
use crate::manage::{retention, tenant};

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
        /// What it begins with, instead of the default rules: a file as `garrison tenant template` prints it, JSON or YAML.
        #[arg(long, value_name = "FILE")]
        template: Option<PathBuf>,
    },
    /// Print a tenant as a template: filter rules, retention, allowlists, forwarding.
    Template {
        /// Its name.
        name: String,
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
    /// Give a tenant another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Shut a tenant's people and programs out. Its engines are served all along.
    Suspend {
        /// Its name.
        name: String,
    },
    /// Let a suspended tenant's people and programs in again.
    Resume {
        /// Its name.
        name: String,
    },
    /// Make a new enrolment key and print it once; the one before opens nothing any more.
    Key {
        /// The tenant's name.
        name: String,
    },
    /// How long its rows are kept, by class; with --set and --unset, change it.
    Retention {
        /// Its name.
        name: String,
        /// A class and days: alerts=90. Several are possible.
        #[arg(long, value_name = "CLASS=DAYS")]
        set: Vec<String>,
        /// A class that is to be kept as the installation has it.
        #[arg(long, value_name = "CLASS")]
        unset: Vec<String>,
    },
    /// How much it may ask, and have; with --set and --unset, change it.
    Limits(super::limit::Args),
    /// Write all that a tenant has to one file, to read it elsewhere.
    Export(super::transfer::ExportArgs),
    /// Make a tenant of such a file. It is in service once all of it is in, or not at all.
    Import(super::transfer::ImportArgs),
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
        Command::Add {
            name,
            no_forward,
            template,
        } => {
            add(
                installation,
                output,
                name.trim(),
                !no_forward,
                template.as_deref(),
            )
            .await
        }
        Command::Template { name } => {
            let found = tenant::list(db).await?.into_iter().find(|row| row.name == name);
            let row = found.with_context(|| format!("there is no tenant {name}"))?;
            let shown = template::show(db, find(db, &name).await?, row.forward_enabled).await?;
            let text = serde_json::to_string_pretty(&shown)?;
            output.print(&shown, || text)
        }
        Command::List => {
            let tenants = tenant::list(db).await?;
            let values: Vec<_> = tenants
                .iter()
                .map(|t| json!({ "id": t.id, "name": t.name, "forward_enabled": t.forward_enabled, "created_at": t.created_at.to_string(),
                    "suspended": t.suspended_at.is_some() }))
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
            let change = Change {
                forward_enabled: Some(forward),
                ..Change::default()
            };
            tenant::update(db, find(db, &name).await?.id(), &change).await?;
            output.print(&json!({ "name": name, "forward_enabled": forward }), || {
                format!(
                    "tenant {name} {} to CAPI",
                    if forward { "forwards" } else { "sends nothing" }
                )
            })
        }
        Command::Rename { name, to } => {
            let (owner, to) = (find(db, &name).await?, to.trim().to_owned());
            if !tenant::is_name(&to) {
                bail!("a tenant's name has 1 to 100 bytes without control characters");
            }
            if tenant::find(db, &to).await?.is_some() {
                bail!("there is a tenant {to} already");
            }
            let change = Change {
                name: Some(&to),
                ..Change::default()
            };
            tenant::update(db, owner.id(), &change).await?;
            output.print(&json!({ "id": owner.id(), "name": to }), || {
                format!("tenant {name} is {to} now")
            })
        }
        Command::Suspend { name } => suspend(installation, output, &name, true).await,
        Command::Resume { name } => suspend(installation, output, &name, false).await,
        Command::Key { name } => {
            let key = tenant::renew_key(db, &installation.ring, find(db, &name).await?).await?;
            let value = json!({ "name": name, "enrollment_key": key });
            output.print(&value, || format!("Bring an engine in, on its machine:\n  cscli console enroll {key}\n\nThe key is shown this once."))
        }
        Command::Retention { name, set, unset } => keep(installation, output, &name, &set, &unset).await,
        Command::Limits(args) => super::limit::run(installation, output, args).await,
        Command::Export(args) => super::transfer::export(installation, output, args).await,
        Command::Import(args) => super::transfer::import(installation, output, args).await,
        Command::Remove { name } => {
            tenant::remove(db, find(db, &name).await?).await?;
            output.print(&json!({ "name": name, "removed": true }), || {
                format!("tenant {name} is removed")
            })
        }
    }
}

/// Makes a tenant.
async fn add(
    installation: &Installation,
    output: Output,
    name: &str,
    forwards: bool,
    template: Option<&Path>,
) -> anyhow::Result<()> {
    let db = &installation.db;
    let template = template.map(read_template).transpose()?.unwrap_or_default();
    let forwards = forwards && template.forward_enabled.unwrap_or(true);
    if !tenant::is_name(name) {
        bail!("a tenant's name has 1 to 100 bytes without control characters");
    }
    let made = tenant::insert(db, &installation.ring, name, forwards, async |tx| {
        template.fill(tx, "command line").await
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

/// A template out of a file, or all that is wrong with it.
fn read_template(path: &Path) -> anyhow::Result<Template> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| shown.clone())?;
    let value = template::parse(&text).map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
    Template::read(value, None, Timestamp::now()).map_err(|wrong| {
        let lines = wrong.iter().map(|e| format!("\n  {}: {}", e.field, e.reason));
        anyhow::anyhow!("{shown}:{}", lines.collect::<String>())
    })
}

/// Shuts a tenant out, or lets it in again.
async fn suspend(installation: &Installation, output: Output, name: &str, on: bool) -> anyhow::Result<()> {
    let owner = find(&installation.db, name).await?;
    let change = Change {
        suspended: Some(on),
        ..Change::default()
    };
    tenant::update(&installation.db, owner.id(), &change).await?;
    output.print(&json!({ "name": name, "suspended": on }), || {
        format!("tenant {name} {}", if on { "is suspended" } else { "goes on" })
    })
}

/// Changes how long rows are kept, where asked, and shows it.
async fn keep(
    installation: &Installation,
    output: Output,
    name: &str,
    set: &[String],
    unset: &[String],
) -> anyhow::Result<()> {
    let (db, tenant) = (&installation.db, find(&installation.db, name).await?);
    let mut own = retention::list(db, tenant).await?;
    let mut changes = Vec::new();
    for text in set {
        let (class, days) = text
            .split_once('=')
            .and_then(|(class, days)| Some((class, days.parse::<i64>().ok()?)))
            .with_context(|| format!("{text} is not CLASS=DAYS, such as alerts=90"))?;
        changes.push((class, Some(days)));
    }
    changes.extend(unset.iter().map(|class| (class.as_str(), None)));
    if !changes.is_empty() {
        own = retention::changed(&own, changes, None).map_err(|e| match &e {
            retention::Refused::Unknown(_) => anyhow::anyhow!("{e}"),
            _ => anyhow::anyhow!("{} {e}", e.class()),
        })?;
        retention::replace(db, tenant, &own).await?;
    }
    let rules = retention::rules(&lifetimes(&installation.config), &own);
    let value = |rule: &retention::Rule| json!({ "class": rule.name, "days": rule.days, "default": rule.default, "own": rule.is_own });
    output.print(&rules.iter().map(value).collect::<Vec<_>>(), || {
        let row = |rule: &retention::Rule| {
            let whose = if rule.is_own {
                "its own"
            } else {
                "the installation's"
            };
            vec![
                rule.name.to_owned(),
                rule.days.to_string(),
                rule.default.to_string(),
                whose.to_owned(),
            ]
        };
        table(
            &["CLASS", "DAYS", "DEFAULT", "WHOSE"],
            &rules.iter().map(row).collect::<Vec<_>>(),
        )
    })
}

/// The tenant of this name, or an error that says so.
pub async fn find(db: &Db, name: &str) -> anyhow::Result<Tenant> {
    tenant::find(db, name)
        .await?
        .with_context(|| format!("there is no tenant {name}"))
}
