use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::config::Config;
use crate::http::FieldError;
use crate::kernel::hex::encode as hex;
use crate::manage::audit::{self, Conditions, EntryView, Expected, Verdict};

/// What to do with the audit trail.
#[derive(Subcommand)]
pub enum Command {
    /// Who did what, newest first.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// token, user, machine, cli or auto, with `:` and a number or without; or a name.
        #[arg(long)]
        actor: Option<String>,
        /// What was done, such as decision.ban.
        #[arg(long)]
        action: Option<String>,
        /// To what.
        #[arg(long)]
        target: Option<String>,
        /// At or after.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At or before.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
    },
    /// Prove that nobody changed, dropped or reordered entries. Fails where somebody did. Keep what it prints elsewhere:
    /// with --expect it shows that nothing was put back since.
    Verify {
        /// The tenant; all of them if not said.
        #[arg(long)]
        tenant: Option<String>,
        /// The end that a tenant's chain had, as this command printed it then. Several are possible.
        #[arg(long, value_name = "TENANT=NUMBER:SEAL")]
        expect: Vec<Expected>,
    },
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    let installation = Installation::open(config).await?;
    let result = match command {
        Command::Verify { tenant, expect } => verify(&installation, output, tenant.as_deref(), &expect).await,
        Command::List {
            tenant,
            actor,
            action,
            target,
            since,
            until,
            limit,
        } => {
            let conditions = Conditions {
                actor,
                action,
                target,
                since,
                until,
                outcome: None,
            };
            list(&installation, output, &tenant, conditions, limit).await
        }
    };
    installation.close().await;
    result
}

async fn list(
    installation: &Installation,
    output: Output,
    tenant: &str,
    conditions: Conditions,
    limit: i64,
) -> anyhow::Result<()> {
    let db = &installation.db;
    let words = |wrong: Vec<FieldError>| {
        let each = wrong.iter().map(|e| format!("--{} {}", e.field, e.reason));
        anyhow::anyhow!(each.collect::<Vec<_>>().join("; "))
    };
    let filter = conditions.check().map_err(words)?;
    let rows = audit::list(db, find(db, tenant).await?, &filter, i64::MAX, limit).await?;
    let entries: Vec<EntryView> = rows.into_iter().map(Into::into).collect();
    output.print(&entries, || {
        let row = |e: &EntryView| {
            let who = match (&e.actor.name, e.actor.id) {
                (Some(name), _) => name.clone(),
                (None, Some(id)) => format!("{} {id}", e.actor.kind),
                (None, None) => e.actor.kind.to_owned(),
            };
            let details = e.details.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![
                e.seq.to_string(),
                e.at.clone(),
                who,
                e.action.clone(),
                e.target.clone().unwrap_or_else(|| "(erased)".to_owned()),
                e.outcome.to_owned(),
                details,
            ]
        };
        table(
            &["NO", "WHEN", "WHO", "WHAT", "TO", "OUTCOME", "DETAILS"],
            &entries.iter().map(row).collect::<Vec<_>>(),
        )
    })
}

async fn verify(
    installation: &Installation,
    output: Output,
    tenant: Option<&str>,
    expect: &[Expected],
) -> anyhow::Result<()> {
    let (db, ring) = (&installation.db, &installation.ring);
    let trails = audit::list_trails(db).await?;
    for expected in expect {
        if !trails.iter().any(|trail| trail.name == expected.tenant) {
            bail!(
                "there is no tenant {} any more, whose chain was expected",
                expected.tenant
            );
        }
    }
    let mut done: Vec<(String, Verdict)> = Vec::new();
    for trail in trails {
        let asked = tenant.is_none_or(|name| name == trail.name);
        // The proof of its erasure is what is left of it.
        if !asked || (trail.erased && trail.head.is_none()) {
            continue;
        }
        // The highest that was kept says most.
        let of_it = expect.iter().filter(|expected| expected.tenant == trail.name);
        let mut verdict: Option<Verdict> = None;
        let anchors: Vec<_> = of_it.map(|expected| Some(expected.anchor.clone())).collect();
        let anchors = if anchors.is_empty() { vec![None] } else { anchors };
        for anchor in anchors {
            let next = audit::verify(db, ring, trail.tenant, anchor).await?;
            match &mut verdict {
                None => verdict = Some(next),
                Some(known) => {
                    let more = next.faults.into_iter().filter(|f| !known.faults.contains(f));
                    let more: Vec<_> = more.collect();
                    known.faults.extend(more);
                }
            }
        }
        done.extend(verdict.map(|verdict| (trail.name, verdict)));
    }
    if let Some(name) = tenant.filter(|_| done.is_empty()) {
        bail!("there is no tenant {name}");
    }
    tell(output, &done)?;
    let broken = done
        .iter()
        .filter(|(_, verdict)| !verdict.faults.is_empty())
        .count();
    if broken > 0 {
        bail!(
            "{broken} of {} audit trails are not as they were written",
            done.len()
        );
    }
    Ok(())
}

fn tell(output: Output, done: &[(String, Verdict)]) -> anyhow::Result<()> {
    let end = |verdict: &Verdict| {
        let head = verdict.head.as_ref();
        head.map(|head| format!("{}:{}", head.seq, hex(&head.hash)))
    };
    let value = |(name, verdict): &(String, Verdict)| {
        let faults: Vec<_> = verdict.faults.iter().map(ToString::to_string).collect();
        let begins = verdict.begins.as_ref();
        json!({ "tenant": name, "good": faults.is_empty(), "head": end(verdict), "faults": faults,
            "begins": begins.map(|(at, with)| json!({ "at": at.to_string(), "action": with })) })
    };
    let document: Vec<Value> = done.iter().map(value).collect();
    output.print(&document, || {
        let mut text = String::new();
        for (name, verdict) in done {
            let state = if verdict.faults.is_empty() {
                "good"
            } else {
                "BROKEN"
            };
            let end = end(verdict).unwrap_or_else(|| "no head".to_owned());
            let faults = verdict.faults.iter().map(|fault| format!("        {fault}"));
            let lines: Vec<_> = std::iter::once(format!("{state}  {name}={end}"))
                .chain(faults)
                .collect();
            text += &lines.join("\n");
            text.push('\n');
        }
        text
    })
}
