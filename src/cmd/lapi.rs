use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::config::{self, Config, LapiServer};
use crate::db::{Db, Tenant};
use crate::fleet::lapi::{self, Draft, Refused, SERVER_LIMIT, Server};
use crate::http::FieldError;
use crate::http::limits::OwnLimits;
use crate::kernel::net::Block;
use crate::manage::tenant;
use crate::outbound::client::{Guarded, Policy};
use crate::outbound::lapi::{Check, Lapis};

/// Largest file that is imported.
const FILE_LIMIT: u64 = 1 << 20;

/// What to do with LAPI servers.
#[derive(Subcommand)]
pub enum Command {
    /// Store a server and say what of it works.
    Add {
        /// Its name: letters, digits, - and _.
        name: String,
        /// Its URL.
        #[arg(long)]
        url: String,
        /// A bouncer's key there.
        #[arg(long, env = "LAPI_API_KEY", hide_env_values = true)]
        api_key: SecretString,
        /// A machine there, to write with.
        #[arg(long)]
        machine_id: Option<String>,
        /// That machine's password.
        #[arg(long, env = "LAPI_PASSWORD", hide_env_values = true)]
        password: Option<SecretString>,
        /// Bring decisions from elsewhere there.
        #[arg(long)]
        replicate: bool,
        /// An agent behind it, by its name; may be repeated.
        #[arg(long = "source-machine-id")]
        source_machine_ids: Vec<String>,
        /// May be repeated.
        #[arg(long = "tag")]
        tags: Vec<String>,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// A tenant's servers.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Try a server and say what works.
    Test {
        /// Its name.
        name: String,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Forget a server. Its decisions stay on it.
    Remove {
        /// Its name.
        name: String,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Read the `lapi_servers` of a `CrowdSieve` file; servers of the same name are replaced. All are good or none is
    /// stored.
    Import {
        /// The file; `${VAR}` in it comes from the environment.
        file: PathBuf,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

/// The way to the tenants' servers, as the operator lets it.
pub fn client(config: &Config, listens: Option<SocketAddr>) -> anyhow::Result<Lapis> {
    Ok(Lapis::new(guarded(config, listens)?))
}

/// The way to whatever tenants name.
pub fn guarded(config: &Config, listens: Option<SocketAddr>) -> anyhow::Result<Guarded> {
    Ok(Guarded::new(policy(config, listens))?)
}

/// Where requests that strangers cause may go.
pub fn policy(config: &Config, listens: Option<SocketAddr>) -> Policy {
    let block = |network: &cidr::IpCidr| Block::new(network.first_address(), network.network_length());
    Policy {
        allow_private: config.allow_private().iter().filter_map(block).collect(),
        own: listens,
    }
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    // A file is read before anything is opened.
    let read = match &command {
        Command::Import { file, .. } => read_file(file)?,
        _ => Vec::new(),
    };
    let installation = Installation::open(config).await?;
    let result = act(&installation, output, command, read).await;
    installation.close().await;
    result
}

async fn act(
    installation: &Installation,
    output: Output,
    command: Command,
    read: Vec<LapiServer>,
) -> anyhow::Result<()> {
    let (db, ring) = (&installation.db, &installation.ring);
    let lapis = client(&installation.config, None)?;
    match command {
        Command::Add {
            name,
            url,
            api_key,
            machine_id,
            password,
            replicate,
            source_machine_ids,
            tags,
            tenant,
        } => {
            let owner = find(db, &tenant).await?;
            let draft = Draft {
                name,
                url,
                bouncer_key: Some(api_key),
                machine_id,
                machine_password: password,
                replicate_decisions: replicate,
                source_machine_ids,
                tags,
            };
            let draft = draft
                .check(lapis.policy(), None)
                .map_err(|e| anyhow::anyhow!(words(&e)))?;
            let server = lapi::insert(db, ring, owner, &draft, most(db, owner).await?).await?;
            let server = lapi::check(db, ring, &lapis, owner, server).await?.0;
            show(output, &[server], false)
        }
        Command::List { tenant } => show(output, &lapi::list(db, find(db, &tenant).await?).await?, true),
        Command::Test { name, tenant } => {
            let owner = find(db, &tenant).await?;
            let server = lapi::get(db, owner, &name).await?;
            let server = server.with_context(|| format!("tenant {tenant} has no LAPI server {name}"))?;
            let server = lapi::check(db, ring, &lapis, owner, server).await?.0;
            let works = server
                .checked
                .as_ref()
                .is_some_and(|(_, check)| check.error.is_none());
            show(output, &[server], false)?;
            if works {
                Ok(())
            } else {
                bail!("LAPI server {name} does not work")
            }
        }
        Command::Remove { name, tenant } => {
            let owner = find(db, &tenant).await?;
            if !lapi::delete(db, owner, &name).await? {
                bail!("tenant {tenant} has no LAPI server {name}");
            }
            output.print(&json!({ "name": name, "removed": true }), || {
                format!("LAPI server {name} is removed")
            })
        }
        Command::Import { tenant, .. } => {
            let owner = find(db, &tenant).await?;
            show(output, &import(installation, &lapis, owner, read).await?, true)
        }
    }
}

/// Stores servers of a file; those of the same name are replaced.
async fn import(
    installation: &Installation,
    lapis: &Lapis,
    owner: Tenant,
    read: Vec<LapiServer>,
) -> anyhow::Result<Vec<Server>> {
    let (db, ring) = (&installation.db, &installation.ring);
    let known = lapi::list(db, owner).await?;
    let mut good = Vec::new();
    for server in read {
        let before = known.iter().find(|known| known.name == server.name);
        let name = server.name.clone();
        let draft = Draft {
            name: server.name,
            url: server.url,
            bouncer_key: Some(server.api_key),
            machine_id: server.machine_id,
            machine_password: server.password,
            replicate_decisions: server.replicate_decisions,
            source_machine_ids: server.source_machine_ids,
            tags: before.map(|before| before.tags.clone()).unwrap_or_default(),
        };
        let draft = draft.check(lapis.policy(), before);
        good.push((
            draft.map_err(|e| anyhow::anyhow!("server {name}: {}", words(&e)))?,
            before,
        ));
    }
    let most = most(db, owner).await?;
    let mut stored = Vec::new();
    for (draft, before) in good {
        let server = match before {
            None => lapi::insert(db, ring, owner, &draft, most)
                .await
                .map_err(|e: Refused| anyhow::Error::from(e).context(format!("server {}", draft.name)))?,
            Some(before) => lapi::update(db, ring, owner, before, &draft)
                .await?
                .with_context(|| format!("server {} has just been changed", draft.name))?,
        };
        stored.push(lapi::check(db, ring, lapis, owner, server).await?.0);
    }
    Ok(stored)
}

/// How many servers a tenant may have.
async fn most(db: &Db, owner: Tenant) -> anyhow::Result<i32> {
    let own = tenant::get_limits(db, owner).await?;
    Ok(OwnLimits::many(own.lapi_servers, SERVER_LIMIT))
}

pub fn words(wrong: &[FieldError]) -> String {
    let each: Vec<_> = wrong
        .iter()
        .map(|e| format!("{} {}", e.field, e.reason))
        .collect();
    each.join("; ")
}

fn read_file(path: &Path) -> anyhow::Result<Vec<LapiServer>> {
    let shown = || path.display().to_string();
    if std::fs::metadata(path).with_context(shown)?.len() > FILE_LIMIT {
        bail!("{}: larger than {FILE_LIMIT} bytes", shown());
    }
    let text = std::fs::read_to_string(path).with_context(shown)?;
    let servers = config::lapi_servers(&text, &|name| std::env::var(name).ok()).with_context(shown)?;
    if servers.is_empty() {
        bail!("{} names no lapi_servers", shown());
    }
    Ok(servers)
}

/// What works, in one word each.
fn outcome(check: &Check) -> String {
    let word = |what: &str, works: Option<bool>| match works {
        Some(true) => format!("{what} good"),
        Some(false) => format!("{what} refused"),
        None => format!("{what} not tried"),
    };
    if !check.reachable {
        return check.error.clone().unwrap_or_else(|| "not reached".to_owned());
    }
    let version = check.version.as_deref().unwrap_or("version unknown");
    format!(
        "reached, {}, {}, {version}",
        word("key", check.key),
        word("login", check.login)
    )
}

fn show(output: Output, servers: &[Server], list: bool) -> anyhow::Result<()> {
    let value = |s: &Server| {
        let check = s.checked.as_ref().map(|(at, check)| {
            json!({ "at": at.to_string(), "reachable": check.reachable, "key": check.key, "login": check.login,
                "version": check.version, "error": check.error })
        });
        json!({ "name": s.name, "url": s.url, "can_ban": s.can_ban(), "machine_id": s.machine_id,
            "replicate_decisions": s.replicate_decisions, "source_machine_ids": s.source_machine_ids, "tags": s.tags, "check": check })
    };
    let values: Vec<Value> = servers.iter().map(value).collect();
    let document = match values.as_slice() {
        [one] if !list => one.clone(),
        all => json!(all),
    };
    output.print(&document, || {
        let row = |s: &Server| {
            let found = s
                .checked
                .as_ref()
                .map_or_else(|| "never tried".to_owned(), |(_, check)| outcome(check));
            let bans = if s.can_ban() { "yes" } else { "no" };
            let replicates = if s.replicate_decisions { "yes" } else { "no" };
            vec![
                s.name.clone(),
                s.url.clone(),
                bans.to_owned(),
                replicates.to_owned(),
                found,
            ]
        };
        table(
            &["NAME", "URL", "BANS", "REPLICATES", "LAST TRIED"],
            &servers.iter().map(row).collect::<Vec<_>>(),
        )
    })
}
