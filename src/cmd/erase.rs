use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::context::Installation;
use super::output::{Output, say, table};
use super::tenant::find;
use crate::config::Config;
use crate::db::{Db, DbError, Tenant};
use crate::fleet::decision;
use crate::kernel::net::{Block, parse_block};
use crate::manage::erase::{self, Counts, Kind, Standing};
use crate::manage::tenant;

/// Who acts, as the proofs name it.
const ACTOR: &str = "command line";
/// Longer than a credential is believed, and a push takes.
const SETTLED: Duration = Duration::from_secs(8);

/// What to erase. Without --yes it only says what would go.
#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools)] // Switches, as they are typed.
pub struct Args {
    /// The tenant, by its name; also one that was removed.
    #[arg(long, required_unless_present = "list")]
    tenant: Option<String>,
    /// An address or a range: everything that was reported, decided and remembered about it.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["everything", "list"])]
    address: Option<String>,
    /// The tenant itself, with all that it has.
    #[arg(long, conflicts_with = "list")]
    everything: bool,
    /// What was erased before, with the proofs.
    #[arg(long)]
    list: bool,
    /// Do it.
    #[arg(long)]
    yes: bool,
    /// How many seconds to wait until it is taken back from LAPI servers.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
    /// Forget what cannot be taken back from LAPI servers: it stays there until it ends.
    #[arg(long)]
    leave_servers: bool,
}

/// Runs it.
pub async fn run(config: Config, output: Output, args: Args) -> anyhow::Result<()> {
    let block = match &args.address {
        Some(text) => Some(narrow(text)?),
        None if args.everything || args.list => None,
        None => bail!("say what: --address ADDRESS, or --everything"),
    };
    let installation = Installation::open(config).await?;
    let result = match (&args.tenant, block) {
        _ if args.list => list(&installation.db, output).await,
        (Some(name), Some(block)) => address(&installation, output, &args, name, block).await,
        (Some(name), None) => everything(&installation, output, &args, name).await,
        (None, _) => Err(anyhow::anyhow!("say whose: --tenant NAME")),
    };
    installation.close().await;
    result
}

fn narrow(text: &str) -> anyhow::Result<Block> {
    let block = parse_block(text).with_context(|| format!("{text} is neither an IP address nor a CIDR"))?;
    let least = if block.lo().is_ipv4() { 8 } else { 19 };
    if block.prefix_len() < least {
        bail!("{text} is too wide: at most a /{least}; to erase a tenant say --everything");
    }
    Ok(block)
}

/// What was done, for people and programs.
struct Report<'a> {
    tenant: &'a str,
    what: &'a str,
    applied: bool,
    counts: Counts,
    /// What could not be erased yet.
    left: Counts,
    /// What operators wrote that names it.
    named: Vec<String>,
    proof: Value,
}

impl Report<'_> {
    fn print(&self, output: Output) -> anyhow::Result<()> {
        let complete = self.applied && self.left.total() == 0;
        let document = json!({ "tenant": self.tenant, "what": self.what, "applied": self.applied, "complete": complete,
            "counts": self.counts, "left": self.left, "named": self.named, "proof": self.proof });
        output.print(&document, || self.text())?;
        if self.applied && !complete {
            bail!("not all is gone: run it again later, or with --leave-servers");
        }
        Ok(())
    }

    fn text(&self) -> String {
        let verb = if self.applied { "went" } else { "would go" };
        let rows = |counts: &Counts| {
            let row = |(what, n): (&str, u64)| vec![what.to_owned(), n.to_string()];
            counts.iter().map(row).collect::<Vec<_>>()
        };
        let mut text = table(&["WHAT", verb], &rows(&self.counts));
        if self.left.total() > 0 {
            text += "\nStill there, because it stands elsewhere:\n";
            text += &table(&["WHAT", "ROWS"], &rows(&self.left));
        }
        if !self.named.is_empty() {
            text += "\nNamed in what operators wrote, which stays as it is:\n  ";
            text += &self.named.join("\n  ");
            text += "\n";
        }
        if let Some(digest) = self.proof["digest"].as_str() {
            text += "\nProof: ";
            text += digest;
            text += "\n";
        }
        if !self.applied {
            text += "\nNothing was done: say --yes to do it.\n";
        }
        text
    }
}

async fn prove(
    installation: &Installation,
    owner: Tenant,
    (kind, what): (Kind, &str),
    complete: bool,
    counts: &Counts,
) -> anyhow::Result<Value> {
    // Who knows what was asked, and has the key, can tell that it was this; nobody else learns it.
    let asked = format!("erasure/{}/{what}", owner.id());
    let digest = installation.ring.token_hash(&asked);
    let (id, at, hex) =
        erase::insert(&installation.db, owner, kind, ACTOR, &digest, complete, counts).await?;
    Ok(json!({ "id": id, "at": at.to_string(), "digest": hex }))
}

async fn address(
    installation: &Installation,
    output: Output,
    args: &Args,
    name: &str,
    block: Block,
) -> anyhow::Result<()> {
    let db = &installation.db;
    let owner = find(db, name).await?;
    let (mut counts, named) = erase::address(db, owner, block, args.yes).await?;
    let mut left = erase::standing(db, owner, &block).await?;
    counts.extend(&left.counts());
    let mut proof = Value::Null;
    if args.yes {
        left = take_back(db, owner, &block, left, Duration::from_secs(args.wait)).await?;
        if args.leave_servers && !left.is_empty() {
            erase::forget_standing(db, owner, &block, &left).await?;
            left = Standing::default();
        }
        // What came while this ran, and what the set's own records said.
        counts.extend(&erase::address(db, owner, block, true).await?.0);
        erase::settle_counts(db, owner).await?;
        let what = (Kind::Address, &*block.to_string());
        proof = prove(installation, owner, what, left.is_empty(), &counts).await?;
    } else {
        left = Standing::default();
    }
    let report = Report {
        tenant: name,
        what: "address",
        applied: args.yes,
        counts,
        left: left.counts(),
        named,
        proof,
    };
    report.print(output)
}

/// Lifts all that is said, and waits until the lanes of the running service took it back everywhere.
async fn take_back(
    db: &Db,
    owner: Tenant,
    block: &Block,
    first: Standing,
    wait: Duration,
) -> Result<Standing, DbError> {
    let begun = Instant::now();
    let mut left = first;
    while !left.is_empty() {
        lift(db, owner, block).await?;
        left = erase::standing(db, owner, block).await?;
        if left.is_empty() || begun.elapsed() > wait {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(left)
}

async fn lift(db: &Db, owner: Tenant, block: &Block) -> Result<(), DbError> {
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, owner).await?;
    decision::claim_shared(&tx).await?;
    let (keys, standing) = erase::list_said(&tx, block).await?;
    if standing > 0 {
        decision::lift(&tx, &keys).await?;
        decision::announce(&tx, &keys, true).await?;
    }
    tx.commit().await
}

async fn everything(
    installation: &Installation,
    output: Output,
    args: &Args,
    name: &str,
) -> anyhow::Result<()> {
    let db = &installation.db;
    let found = tenant::find_any(db, name).await?;
    let (owner, removed) = found.with_context(|| format!("there is no tenant {name}"))?;
    let mut report = Report {
        tenant: name,
        what: "tenant",
        applied: args.yes,
        counts: Counts::default(),
        left: Counts::default(),
        named: Vec::new(),
        proof: Value::Null,
    };
    if !args.yes {
        report.counts = erase::count(db, owner).await?;
        return report.print(output);
    }
    // The lanes of a tenant that was removed do not work any more, so its servers come first.
    let left = if removed {
        0
    } else {
        erase::withdraw(db, owner, Duration::from_secs(args.wait)).await?
    };
    if left > 0 && !args.leave_servers {
        bail!(
            "{left} decisions could not be taken back from the tenant's LAPI servers yet: run it again later, or with \
             --leave-servers, and they stay there until they end. Nothing was deleted; it replicates no more"
        );
    }
    if !removed {
        tenant::remove(db, owner).await?;
        tokio::time::sleep(SETTLED).await;
    }
    report.counts = erase::everything(db, owner).await?;
    tenant::forget(db, owner).await?;
    report.proof = prove(
        installation,
        owner,
        (Kind::Tenant, "everything"),
        true,
        &report.counts,
    )
    .await?;
    // What was under way in another process.
    erase::everything(db, owner).await?;
    report.print(output)
}

async fn list(db: &Db, output: Output) -> anyhow::Result<()> {
    let all = erase::list_erasures(db).await?;
    let what = |kind: Kind| match kind {
        Kind::Address => "address",
        Kind::Tenant => "tenant",
    };
    let value = |e: &erase::Erasure| {
        json!({ "tenant": e.name, "tenant_id": e.tenant, "id": e.id, "at": e.at.to_string(), "what": what(e.kind),
            "actor": e.actor, "digest": e.digest, "complete": e.complete,
            "counts": serde_json::from_str::<Value>(&e.counts).unwrap_or_default() })
    };
    let values: Vec<Value> = all.iter().map(value).collect();
    if matches!(output, Output::Human) && all.is_empty() {
        say("nothing was erased yet");
        return Ok(());
    }
    output.print(&values, || {
        let row = |e: &erase::Erasure| {
            vec![
                e.at.to_string(),
                e.name.clone(),
                what(e.kind).to_owned(),
                if e.complete { "complete" } else { "not complete" }.to_owned(),
                e.digest.chars().take(16).collect(),
                e.counts.clone(),
            ]
        };
        table(
            &["WHEN", "TENANT", "WHAT", "STATE", "DIGEST", "COUNTS"],
            &all.iter().map(row).collect::<Vec<_>>(),
        )
    })
}
