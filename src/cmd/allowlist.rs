use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::config::Config;
use crate::db::{Db, Tenant};
use crate::fleet::allowlist::{self, Added, EntryDraft, List, NewEntry, Refused};
use crate::fleet::lapi::is_name;
use crate::http::FieldError;
use crate::kernel::net::parse_block;

/// Who acts, as the records name it.
const ACTOR: &str = "command line";

/// What to do with allowlists.
#[derive(Subcommand)]
pub enum Command {
    /// A tenant's lists.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Add an address or a range to a list, which is made where there is none, and lift what is decided about it.
    Add {
        /// The list: letters, digits, - and _.
        name: String,
        /// An address or a range.
        value: String,
        /// How long it lasts: 90m, 24h, 7d. For ever if not said.
        #[arg(long)]
        expires: Option<String>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Take an entry out of a list, or delete the whole list. What was lifted stays lifted.
    Remove {
        /// The list.
        name: String,
        /// The address or the range; the whole list if not said.
        value: Option<String>,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    // What is wrong is said before anything is opened.
    let entries = match &command {
        Command::Add {
            name,
            value,
            expires,
            reason,
            ..
        } => {
            if !is_name(name) {
                bail!("a list's name has 1 to 64 letters, digits, - and _");
            }
            let draft = EntryDraft {
                value: value.clone(),
                reason: reason.clone(),
                expires_at: None,
                duration: expires.clone(),
            };
            allowlist::checked(vec![draft], Timestamp::now()).map_err(|e| anyhow::anyhow!(words(&e)))?
        }
        _ => Vec::new(),
    };
    let installation = Installation::open(config).await?;
    let result = act(&installation.db, output, command, &entries).await;
    installation.close().await;
    result
}

async fn act(db: &Db, output: Output, command: Command, entries: &[NewEntry]) -> anyhow::Result<()> {
    match command {
        Command::List { tenant } => {
            let lists = allowlist::list(db, find(db, &tenant).await?).await?;
            show(output, &lists)
        }
        Command::Add { name, tenant, .. } => {
            let done = add(db, find(db, &tenant).await?, &name, entries).await?;
            let document = json!({ "list": name, "added": done.added, "replaced": done.replaced,
                "lifted": done.lift_count });
            output.print(&document, || {
                let values: Vec<_> = entries.iter().map(|entry| entry.subject.value()).collect();
                let lifted = done.lift_count;
                format!("{} is in {name}; decisions lifted: {lifted}", values.join(", "))
            })
        }
        Command::Remove { name, value, tenant } => {
            let owner = find(db, &tenant).await?;
            let gone = match &value {
                None => allowlist::delete(db, owner, &name, ACTOR).await?,
                Some(text) => match parse_block(text) {
                    Some(block) => allowlist::delete_entry(db, owner, &name, block, ACTOR).await?,
                    None => bail!("{text} is neither an IP address nor a CIDR"),
                },
            };
            let what = value.as_ref().map_or_else(
                || format!("allowlist {name}"),
                |value| format!("{value} in allowlist {name}"),
            );
            if !gone {
                bail!("tenant {tenant} has no {what}");
            }
            output.print(&json!({ "list": name, "value": value, "removed": true }), || {
                format!("{what} is removed")
            })
        }
    }
}

/// Adds to the list, and makes it first where there is none.
pub async fn add(db: &Db, owner: Tenant, name: &str, entries: &[NewEntry]) -> Result<Added, Refused> {
    match allowlist::add(db, owner, name, entries, ACTOR, false).await {
        Err(Refused::Absent) => {}
        done => return done,
    }
    match allowlist::insert(db, owner, name, "").await {
        // Somebody else has just made it.
        Ok(_) | Err(Refused::Taken) => {}
        Err(e) => return Err(e),
    }
    allowlist::add(db, owner, name, entries, ACTOR, false).await
}

fn words(wrong: &[FieldError]) -> String {
    let name = |field: &str| match field.rsplit('.').next() {
        Some("duration") => "--expires".to_owned(),
        Some("reason") => "--reason".to_owned(),
        other => other.unwrap_or(field).to_owned(),
    };
    let each: Vec<_> = wrong
        .iter()
        .map(|e| format!("{} {}", name(&e.field), e.reason))
        .collect();
    each.join("; ")
}

fn show(output: Output, lists: &[List]) -> anyhow::Result<()> {
    let value = |list: &List| {
        json!({ "name": list.name, "description": list.description, "entries": list.entries,
            "created_at": list.created_at.to_string(), "updated_at": list.updated_at.to_string() })
    };
    let document: Vec<Value> = lists.iter().map(value).collect();
    output.print(&document, || {
        let row = |list: &List| {
            vec![
                list.name.clone(),
                list.entries.to_string(),
                list.updated_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                list.description.clone(),
            ]
        };
        let rows: Vec<_> = lists.iter().map(row).collect();
        table(&["NAME", "ENTRIES", "CHANGED", "DESCRIPTION"], &rows)
    })
}
