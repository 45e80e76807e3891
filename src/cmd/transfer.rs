use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::fleet::{analyzer, lapi};
use crate::gate::filter::model::Expr;
use crate::gate::upstream;
use crate::manage::transfer::{self, Again, Beside, Told, Wishes};

/// What to write.
#[derive(clap::Args)]
pub struct ExportArgs {
    /// The tenant.
    #[arg(long)]
    tenant: String,
    /// The file; standard output if not said.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A file with a passphrase in its first line, which seals secrets (passwords at CAPI, keys of LAPI servers, tokens of
    /// analyzers). Without one they are left out.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What to read.
#[derive(clap::Args)]
pub struct ImportArgs {
    /// The file.
    file: PathBuf,
    /// The tenant's name here, if it is to be another.
    #[arg(long)]
    name: Option<String>,
    /// The file with the passphrase that the secrets were sealed with.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Leave the file's secrets out.
    #[arg(long, conflicts_with = "passphrase_file")]
    without_secrets: bool,
    /// Let its LAPI servers and analyzers go on at once. Only once the old tenant writes to these servers no more: two that do
    /// take back what the other one put there.
    #[arg(long)]
    active: bool,
}

const BESIDE: Beside = Beside {
    machine: upstream::place,
    server: lapi::place,
    analyzer: analyzer::place,
    rule: |expression| Expr::parse(expression).map(drop).map_err(|e| e.to_string()),
};

fn passphrase(path: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| shown.to_string())?;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() < 12 {
        bail!("{shown}: a passphrase has at least 12 characters, in the first line");
    }
    Ok(Some(line.to_owned()))
}

/// Writes a tenant.
pub async fn export(installation: &Installation, output: Output, args: ExportArgs) -> anyhow::Result<()> {
    let text = passphrase(args.passphrase_file.as_deref())?;
    let (db, ring) = (&installation.db, &installation.ring);
    let owner = (find(db, &args.tenant).await?, &*args.tenant);
    let Some(path) = &args.out else {
        if io::stdout().is_terminal() {
            bail!("the file is packed: say --out FILE, or send it somewhere");
        }
        let to = BufWriter::new(io::stdout());
        let work = transfer::export(db, ring, &BESIDE, owner, text.as_deref(), to);
        let (mut to, told) = Box::pin(work).await?;
        to.flush()?;
        for again in &told.again {
            eprintln!("to be made again: {} {}", again.what, again.name);
        }
        return Ok(());
    };
    // Whole or not at all, and read by its owner only.
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_file(&new);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .with_context(|| new.display().to_string())?;
    let to = BufWriter::new(file);
    let work = transfer::export(db, ring, &BESIDE, owner, text.as_deref(), to);
    let told = match Box::pin(work).await.map_err(anyhow::Error::from) {
        Ok((to, told)) => keep(to, &new, path).map(|()| told),
        Err(e) => Err(e),
    };
    let told = told.inspect_err(|_| drop(std::fs::remove_file(&new)))?;
    let document = json!({ "tenant": args.tenant, "file": path, "sha256": told.sha256, "secrets": text.is_some(),
        "counts": told.counts, "again": told.again });
    output.print(&document, || {
        let mut shown = format!("{} holds tenant {}\n\n", path.display(), args.tenant);
        shown += &counts(&told);
        shown += &to_do(&told.again);
        shown
    })
}

fn keep(to: BufWriter<File>, new: &Path, path: &Path) -> anyhow::Result<()> {
    let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(new, path).with_context(|| path.display().to_string())
}

/// Reads a tenant.
pub async fn import(installation: &Installation, output: Output, args: ImportArgs) -> anyhow::Result<()> {
    let text = passphrase(args.passphrase_file.as_deref())?;
    let wishes = Wishes {
        name: args.name.as_deref(),
        passphrase: text.as_deref(),
        without_secrets: args.without_secrets,
        active: args.active,
    };
    let work = transfer::import(&installation.db, &installation.ring, &BESIDE, &args.file, wishes);
    let taken = Box::pin(work)
        .await
        .with_context(|| args.file.display().to_string())?;
    let document: Value = json!({ "id": taken.tenant.id(), "name": taken.name, "from": taken.from, "exported_at": taken.at,
        "sha256": taken.told.sha256, "counts": taken.told.counts, "again": taken.told.again,
        "elsewhere": taken.elsewhere, "enrollment_key": taken.enrolment_key });
    output.print(&document, || {
        let mut shown = format!(
            "tenant {} has number {}: what {} had at {}\n\n",
            taken.name,
            taken.tenant.id(),
            taken.from,
            taken.at
        );
        shown += &counts(&taken.told);
        if !taken.elsewhere.is_empty() {
            shown += "\nEngines of these logins belong to other tenants here, and stay there:\n  ";
            shown += &taken.elsewhere.join("\n  ");
            shown += "\n";
        }
        shown += &to_do(&taken.told.again);
        shown += "\nBring a new engine in, on its machine:\n  cscli console enroll ";
        shown += &taken.enrolment_key;
        shown += "\n\nThe key is shown this once.";
        shown
    })
}

fn counts(told: &Told) -> String {
    let rows: Vec<Vec<String>> = told
        .counts
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(table, n)| vec![table.clone(), n.to_string()])
        .collect();
    table(&["WHAT", "ROWS"], &rows)
}

fn to_do(again: &[Again]) -> String {
    if again.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = again
        .iter()
        .map(|one| vec![one.what.clone(), one.name.clone()])
        .collect();
    let list = table(&["WHAT", "NAME"], &rows);
    format!("\nTo be made, entered or switched on again by hand:\n{list}")
}
