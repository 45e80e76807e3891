use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::config::Config;
use crate::gate::filter::model::parse_rule_file;
use crate::gate::filter::{Import, import, list};

/// Largest rule file.
const FILE_LIMIT: u64 = 256 * 1024;

/// What to do with filter rules.
#[derive(Subcommand)]
pub enum Command {
    /// Read a `filters.d` of `CrowdSieve`; rules of the same name are replaced. All files are good or nothing is stored.
    Import {
        /// The directory.
        dir: PathBuf,
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// A tenant's rules.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    // Hostile files are read before anything is opened.
    let read = match &command {
        Command::Import { dir, .. } => Some(read_dir(dir)?),
        Command::List { .. } => None,
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
    match (command, read) {
        (Command::Import { tenant, .. }, Some(rules)) => {
            let names: Vec<_> = rules.rules.iter().map(|r| r.name.clone()).collect();
            let new = import(db, find(db, &tenant).await?, &rules).await?;
            let value = json!({ "imported": names.len(), "new": new, "rules": names });
            output.print(&value, || {
                format!(
                    "{} rules read, {new} of them new: {}",
                    names.len(),
                    names.join(", ")
                )
            })
        }
        (Command::List { tenant } | Command::Import { tenant, .. }, _) => {
            let set = list(db, find(db, &tenant).await?).await?;
            let values: Vec<_> = set
                .rules
                .iter()
                .map(|r| json!({ "id": r.id, "name": r.name, "enabled": r.enabled, "description": r.description, "filter": r.expression }))
                .collect();
            output.print(
                &json!({ "mode": set.mode.as_str(), "version": set.version, "rules": values }),
                || {
                    let rows: Vec<_> = set
                        .rules
                        .iter()
                        .map(|r| {
                            vec![
                                r.id.to_string(),
                                if r.enabled { "yes" } else { "no" }.to_owned(),
                                r.name.clone(),
                                r.expression.to_string(),
                            ]
                        })
                        .collect();
                    format!(
                        "mode {}, version {}\n{}",
                        set.mode,
                        set.version,
                        table(&["ID", "ENABLED", "NAME", "FILTER"], &rows)
                    )
                },
            )
        }
    }
}

/// The rules of a directory: `*.yaml` and `*.yml` by name, those that begin with `_` or `.` left out.
pub fn read_dir(dir: &Path) -> anyhow::Result<Import> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let yaml = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"));
        if yaml && !name.starts_with(['_', '.']) {
            files.push(path);
        }
    }
    files.sort();
    if files.len() > 200 {
        bail!(
            "{} holds {} rule files, at most 200 are read",
            dir.display(),
            files.len()
        );
    }
    let mut rules = Vec::new();
    for path in files {
        let shown = path.display().to_string();
        if std::fs::metadata(&path).with_context(|| shown.clone())?.len() > FILE_LIMIT {
            bail!("{shown}: larger than {FILE_LIMIT} bytes");
        }
        let text = std::fs::read_to_string(&path).with_context(|| shown.clone())?;
        rules.push(parse_rule_file(&text).with_context(|| shown)?);
    }
    Ok(Import { rules, mode: None })
}
