use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use super::file::{Next, Reader};
use super::load::{Load, check};
use super::secrets::FileSeal;
use super::{Beside, ImportError, Taken, Told, Wishes};
use crate::db::{Db, DbError, Tenant};
use crate::kernel::hex;
use crate::kernel::keyring::Keyring;
use crate::manage::transfer::model::file::{AGAINS, Again, End, Facts, Head};
use crate::manage::transfer::model::row::short;
use crate::manage::transfer::queries;
use crate::manage::{stats, tenant};

/// Reads a file and makes the tenant of it. Nothing is done before all of the file
/// is known to be as it was written, and the tenant is in service only once all of it is in.
///
/// # Errors
/// [`ImportError`]; then nothing of the tenant is to be seen, and what was there of it is erased.
pub async fn import(
    db: &Db,
    ring: &Keyring,
    beside: &Beside,
    path: &Path,
    wishes: Wishes<'_>,
) -> Result<Taken, ImportError> {
    let (head, end, again, trail) = examine(beside, path)?;
    let seal = match (&head.secrets, wishes.passphrase) {
        (Some(secrets), Some(text)) => {
            let seal = FileSeal::of(text, secrets).map_err(|why| ImportError::Line(1, why))?;
            Some(seal)
        }
        (Some(_), None) if !wishes.without_secrets => {
            let why = "the file has secrets: say --passphrase-file, or --without-secrets";
            return Err(ImportError::Line(1, why.to_owned()));
        }
        (None, Some(_)) => {
            let why = "the file has no secrets, so there is nothing to open with a passphrase";
            return Err(ImportError::Line(1, why.to_owned()));
        }
        _ => None,
    };
    let name = wishes.name.unwrap_or(&head.tenant.name).trim();
    if !tenant::is_name(name) {
        let why = "a tenant's name has 1 to 100 bytes without control characters".to_owned();
        return Err(ImportError::Line(1, why));
    }
    if tenant::find(db, name).await?.is_some() {
        return Err(ImportError::Taken(name.to_owned()));
    }
    let details = json!({ "from": short(&head.tenant.name), "at": short(&head.at), "sha256": end.sha256, "alerts": end.counts.get("alert"),
        "past": trail });
    let moved = moved(&head.tenant)?;
    let owner = Uuid::now_v7();
    let made = tenant::insert_import(db, owner, name, &moved, details).await?;
    let mut load = Load::new((db, ring), beside, seal.as_ref(), (made, owner));
    load.again = again;
    load.active = wishes.active;
    let filled = fill(&mut load, path, &end).await;
    let again = std::mem::take(&mut load.again);
    let done = match filled {
        Ok(()) => activate(db, ring, (made, owner), name, moved.keeps_decisions).await,
        Err(e) => Err(e),
    };
    match done {
        Ok(done) => Ok(Taken {
            tenant: made,
            name: name.to_owned(),
            from: head.tenant.name,
            at: head.at,
            told: Told {
                counts: end.counts,
                sha256: end.sha256,
                again,
            },
            enrolment_key: done.enrolment_key,
            elsewhere: done.elsewhere,
        }),
        Err(e) => {
            if let Err(e) = give_up(db, ring, made, owner).await {
                tracing::warn!(cause = %e, "what was imported is not erased yet; who serves does that within minutes");
            }
            Err(e)
        }
    }
}

async fn activate(
    db: &Db,
    ring: &Keyring,
    (made, owner): (Tenant, Uuid),
    name: &str,
    keeps_decisions: bool,
) -> Result<tenant::Imported, ImportError> {
    let work = tenant::update_imported(db, ring, (made, owner), name, async |tx| {
        queries::insert_lanes(tx, keeps_decisions).await
    });
    match work.await {
        Ok(Some(done)) => Ok(done),
        Ok(None) => Err(ImportError::Lost),
        Err(DbError::Conflict(_)) => Err(ImportError::Taken(name.to_owned())),
        Err(e) => Err(e.into()),
    }
}

async fn give_up(db: &Db, ring: &Keyring, made: Tenant, owner: Uuid) -> Result<(), DbError> {
    tenant::release_import(db, made, owner).await?;
    tenant::erase_now(db, ring, made).await
}

/// Reads all of a file, and says what it has. The last is how far its trail goes.
fn examine(beside: &Beside, path: &Path) -> Result<(Head, End, Vec<Again>, Option<String>), ImportError> {
    let (mut reader, head) = Reader::open(path)?;
    let (mut again, mut trail, mut entries) = (Vec::new(), None, 0);
    loop {
        let line = reader.line + 1;
        let wrong = |why: String| ImportError::Line(line, why);
        match reader.next()? {
            Next::End(end) => return Ok((head, end, again, trail)),
            Next::Again(one) if again.len() < AGAINS => again.push(one),
            Next::Again(_) => return Err(wrong("too much has to be made again".to_owned())),
            Next::Row(part, row) => {
                check(beside, part, &row).map_err(wrong)?;
                if part.table == "audit" {
                    entries += 1;
                    if row.need::<i64>("seq").map_err(wrong)? != entries {
                        return Err(wrong("the trail has a gap".to_owned()));
                    }
                    let hash: String = row.need("hash").map_err(wrong)?;
                    trail = Some(format!("{entries}:{}", short(&hash)));
                }
            }
        }
    }
}

fn moved(facts: &Facts) -> Result<tenant::Move, ImportError> {
    let key = hex::decode(&facts.dedupe_key).filter(|key| key.len() == 32);
    let wrong = || ImportError::Line(1, "dedupe_key is none".to_owned());
    Ok(tenant::Move {
        forwards: facts.forwards,
        keeps_decisions: facts.keeps_decisions,
        decisions_complete: facts.decisions_complete,
        dedupe_key: key.ok_or_else(wrong)?,
    })
}

/// Brings all rows in. The file is read once more: it has to be the same.
async fn fill(load: &mut Load<'_>, path: &Path, known: &End) -> Result<(), ImportError> {
    let (mut reader, _) = Reader::open(path)?;
    loop {
        let line = reader.line + 1;
        match reader.next()? {
            Next::End(end) if end == *known => break,
            Next::End(_) => {
                return Err(ImportError::Line(
                    line,
                    "the file was changed meanwhile".to_owned(),
                ));
            }
            Next::Again(_) => {}
            Next::Row(part, row) => {
                if load.is_full(part) {
                    load.flush().await?;
                }
                load.add(line, part, row)
                    .map_err(|why| ImportError::Line(line, why))?;
            }
        }
    }
    load.flush().await?;
    Ok(stats::settle(load.db, load.tenant).await?)
}
