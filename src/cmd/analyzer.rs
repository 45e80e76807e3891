use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::allowlist::add;
use super::context::Installation;
use super::lapi::{guarded, words};
use super::output::{Output, table};
use super::tenant::find;
use crate::config::{self, Config};
use crate::db::{Db, Tenant};
use crate::fleet::allowlist::{self, EntryDraft, NewEntry};
use crate::fleet::analyzer::{self, Analyzer, Checked, Eye, Finding, Found, Refused, Rule, Settings, adopt};
use crate::outbound::logs::Logs;

/// Largest file that is imported.
const FILE_LIMIT: u64 = 256 * 1024;
/// Most rule files of a directory.
const FILES_LIMIT: usize = 50;
/// The allowlist that an imported whitelist becomes.
const WHITELIST: &str = "analyzers";

/// What to do with analyzers.
#[derive(Subcommand)]
pub enum Command {
    /// Read an `analyzers.d` of `CrowdSieve`; analyzers of the same id are replaced. All files are good or nothing is stored.
    Import {
        /// The directory; `${VAR}` in its files comes from the environment.
        dir: PathBuf,
        /// `CrowdSieve`'s main file, for the sources that rules refer to, defaults and the whitelist, which becomes the
        /// allowlist `analyzers`.
        #[arg(long, value_name = "FILE")]
        sources: Option<PathBuf>,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// A tenant's analyzers.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Say what a run now would find; decides nothing and stores nothing.
    Test {
        /// Its id.
        id: String,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

/// What an import brings.
struct Import {
    rules: Vec<Rule>,
    whitelist: Vec<NewEntry>,
}

/// The way to the tenants' log stores, as the operator lets it.
pub fn client(config: &Config, listens: Option<SocketAddr>) -> anyhow::Result<Logs> {
    Ok(Logs::new(guarded(config, listens)?))
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    // Files are read before anything is opened.
    let read = match &command {
        Command::Import { dir, sources, .. } => Some(read(dir, sources.as_deref())?),
        _ => None,
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
    read: Option<Import>,
) -> anyhow::Result<()> {
    let db = &installation.db;
    let logs = client(&installation.config, None)?;
    match (command, read) {
        (Command::Import { tenant, .. }, Some(read)) => {
            let owner = find(db, &tenant).await?;
            let (ids, new) = import(installation, &logs, owner, &read).await?;
            let allowed = read.whitelist.len();
            let document =
                json!({ "imported": ids.len(), "new": new, "analyzers": ids, "allowlisted": allowed });
            output.print(&document, || {
                let all = ids.join(", ");
                format!(
                    "{} analyzers read, {new} of them new: {all}; addresses allowlisted: {allowed}",
                    ids.len()
                )
            })
        }
        (Command::List { tenant } | Command::Import { tenant, .. }, _) => {
            show(db, output, find(db, &tenant).await?).await
        }
        (Command::Test { id, tenant }, _) => {
            let owner = find(db, &tenant).await?;
            let found = analyzer::get(db, owner, &id).await?;
            let found = found.with_context(|| format!("tenant {tenant} has no analyzer {id}"))?;
            let eye = Eye {
                db,
                ring: &installation.ring,
                logs: &logs,
                ours: &super::serve::own_addresses(&installation.config),
            };
            let looked = eye.look(owner, &found, Timestamp::now()).await?;
            tell(output, &found, &looked.map_err(|blind| anyhow!(blind.why))?)
        }
    }
}

/// Stores rules; those of the same id are replaced. Gives their ids, and how many are new.
async fn import(
    installation: &Installation,
    logs: &Logs,
    owner: Tenant,
    read: &Import,
) -> anyhow::Result<(Vec<String>, usize)> {
    let (db, ring) = (&installation.db, &installation.ring);
    let known = analyzer::list(db, owner).await?;
    let mut good: Vec<(Checked, Option<&Analyzer>)> = Vec::new();
    for rule in &read.rules {
        let before = known.iter().find(|known| known.slug == rule.id);
        let checked = rule.clone().check(logs.policy(), before);
        let checked = checked.map_err(|e| anyhow!("analyzer {}: {}", rule.id, words(&e)))?;
        if good.iter().any(|(other, _)| other.rule.id == rule.id) {
            bail!("analyzer {}: two files have this id", rule.id);
        }
        good.push((checked, before));
    }
    // Before the first run that could ban them.
    if !read.whitelist.is_empty() {
        add(db, owner, WHITELIST, &read.whitelist).await?;
    }
    let (mut ids, mut new) = (Vec::new(), 0);
    for (checked, before) in good {
        let id = checked.rule.id.clone();
        match before {
            None => {
                let stored = analyzer::insert(db, ring, owner, &checked).await;
                stored.map_err(|e: Refused| anyhow::Error::from(e).context(format!("analyzer {id}")))?;
                new += 1;
            }
            Some(before) if !analyzer::update(db, ring, owner, before, &checked).await? => {
                bail!("analyzer {id} has just been changed");
            }
            Some(_) => {}
        }
        ids.push(id);
    }
    Ok((ids, new))
}

fn read(dir: &Path, main: Option<&Path>) -> anyhow::Result<Import> {
    let environment = |name: &str| std::env::var(name).ok();
    let mut settings = Settings::default();
    if let Some(path) = main {
        let shown = || path.display().to_string();
        let found = config::analyzer_settings(&text(path)?, &environment).with_context(shown)?;
        let found = found.with_context(|| format!("{} has no analyzers", shown()))?;
        settings = serde_json::from_value(found).with_context(shown)?;
    }
    let draft = |value: &String| EntryDraft {
        value: value.clone(),
        reason: Some("whitelist of CrowdSieve's analyzers".to_owned()),
        expires_at: None,
        duration: None,
    };
    let whitelist: Vec<EntryDraft> = settings.whitelist.iter().map(draft).collect();
    let whitelist = if whitelist.is_empty() {
        Vec::new()
    } else {
        allowlist::checked(whitelist, Timestamp::now())
            .map_err(|e| anyhow!("analyzers.whitelist: {}", words(&e)))?
    };
    let mut rules = Vec::new();
    for path in files(dir)? {
        let shown = || path.display().to_string();
        let value: Value = config::analyzer_file(&text(&path)?, &environment).with_context(shown)?;
        let mut rule = adopt(value, &settings)
            .map_err(|e| anyhow!(e))
            .with_context(shown)?;
        // What did not run there does not begin to run here.
        rule.enabled &= main.is_none() || settings.enabled;
        rules.push(rule);
    }
    Ok(Import { rules, whitelist })
}

fn text(path: &Path) -> anyhow::Result<String> {
    let shown = || path.display().to_string();
    if std::fs::metadata(path).with_context(shown)?.len() > FILE_LIMIT {
        bail!("{}: larger than {FILE_LIMIT} bytes", shown());
    }
    std::fs::read_to_string(path).with_context(shown)
}

/// `*.yaml` and `*.yml` by name, those that begin with `_` or `.` left out.
fn files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        let hidden = name.is_none_or(|name| name.starts_with(['_', '.']));
        let yaml = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
        if yaml && !hidden {
            files.push(path);
        }
    }
    files.sort();
    if files.len() > FILES_LIMIT {
        bail!(
            "{} holds {} rule files, at most {FILES_LIMIT} are read",
            dir.display(),
            files.len()
        );
    }
    Ok(files)
}

async fn show(db: &Db, output: Output, owner: Tenant) -> anyhow::Result<()> {
    let all = analyzer::list(db, owner).await?;
    let last = analyzer::list_last(db, owner, None).await?;
    let ended = |a: &Analyzer| {
        last.get(&a.id).map(|run| match &run.error {
            None => format!(
                "{}: {} of {} decided",
                run.started_at, run.decisions, run.detections
            ),
            Some(why) => format!("{}: {why}", run.started_at),
        })
    };
    let value = |a: &Analyzer| {
        json!({ "id": a.slug, "name": a.rule.name, "enabled": a.enabled, "url": a.url, "interval": a.rule.schedule.interval,
            "next_run": a.next_at.map(|at| at.to_string()), "last_run": ended(a) })
    };
    let document: Vec<Value> = all.iter().map(value).collect();
    output.print(&json!(document), || {
        let row = |a: &Analyzer| {
            vec![
                a.slug.clone(),
                if a.enabled { "yes" } else { "no" }.to_owned(),
                a.rule.schedule.interval.clone(),
                a.url.clone(),
                ended(a).unwrap_or_else(|| "never ran".to_owned()),
            ]
        };
        table(
            &["ID", "ENABLED", "EVERY", "SOURCE", "LAST RUN"],
            &all.iter().map(row).collect::<Vec<_>>(),
        )
    })
}

fn tell(output: Output, analyzer: &Analyzer, found: &Found) -> anyhow::Result<()> {
    let wanted: Vec<&Finding> = found.wanted.iter().map(|(finding, ..)| finding).collect();
    let document = json!({ "id": analyzer.slug, "lines": found.lines, "skipped": found.skipped, "found": wanted,
        "refused": found.refused, "truncated": found.truncated });
    output.print(&document, || {
        let row = |finding: &Finding| {
            vec![
                finding.group_value.clone(),
                finding.distinct_count.to_string(),
                finding.total_count.to_string(),
                finding.last_seen.clone(),
                finding.reason.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = wanted.iter().copied().chain(&found.refused).map(row).collect();
        let cut = found.truncated.join("; ");
        format!(
            "{} lines, {} skipped {cut}\n{}",
            found.lines,
            found.skipped,
            table(&["VALUE", "DISTINCT", "LINES", "LAST", "REFUSED"], &rows)
        )
    })
}
