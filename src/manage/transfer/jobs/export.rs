use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::file::Writer;
use super::secrets::{FileSeal, missing, pack};
use super::{Beside, Told};
use crate::db::{Db, DbError, Tenant, expected_version};
use crate::kernel::hex;
use crate::kernel::keyring::Keyring;
use crate::kernel::time::rfc3339_millis;
use crate::manage::transfer::model::PARTS;
use crate::manage::transfer::model::file::{Again, FORMAT, Facts, Head, Kind};
use crate::manage::transfer::model::row::{Row, short};
use crate::manage::transfer::queries;
use crate::manage::{person, tenant};

/// Why a tenant was not written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ExportError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("writing: {0}")]
    Io(#[from] io::Error),
    #[error("a row of {0} is not as it should be: {1}")]
    Row(&'static str, String),
    #[error("{0}")]
    Other(String),
}

/// Writes all that a tenant has, as it was at one moment. That is put on record first.
///
/// # Errors
/// As the statements fail, and when it cannot be written.
pub async fn export<W: Write>(
    db: &Db,
    ring: &Keyring,
    beside: &Beside,
    (owner, name): (Tenant, &str),
    passphrase: Option<&str>,
    to: W,
) -> Result<(W, Told), ExportError> {
    let moved = tenant::get_move(db, owner).await?;
    let moved = moved.ok_or_else(|| ExportError::Other(format!("there is no tenant {name}")))?;
    let sealing = passphrase.map(FileSeal::make).transpose();
    let (seal, secrets) = sealing.map_err(ExportError::Other)?.unzip();
    let head = Head {
        garrison: Kind::Tenant,
        format: FORMAT,
        schema: expected_version(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        tenant: Facts {
            name: name.to_owned(),
            forwards: moved.forwards,
            keeps_decisions: moved.keeps_decisions,
            decisions_complete: moved.decisions_complete,
            dedupe_key: hex::encode(&moved.dedupe_key),
        },
        at: rfc3339_millis(Timestamp::now()),
        secrets,
    };
    let details = serde_json::json!({ "secrets": seal.is_some() });
    tenant::record_export(db, owner, details).await?;
    let mut again: Vec<Again> = person::list_members(db, owner, None)
        .await?
        .into_iter()
        .map(|member| Again {
            what: format!("person of role {}", member.role.name()),
            name: short(&member.person.email),
        })
        .collect();
    let mut file = Writer::new(to)?;
    file.line(&head)?;
    let mut connection = db.connection().await?;
    let tx = db.still(&mut connection, owner).await?;
    again.extend(queries::list_again(&tx).await?);
    for one in &again {
        file.line(&serde_json::json!({ "again": one }))?;
    }
    for part in PARTS {
        queries::list(&tx, part.table, |text| -> Result<(), ExportError> {
            if part.secrets.is_empty() {
                return Ok(file.row(part.table, text.as_bytes())?);
            }
            let wrong = |why: String| ExportError::Row(part.table, why);
            let raw: &RawValue = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
            let mut row = Row::read(part, raw).map_err(wrong)?;
            pack(beside, ring, seal.as_ref(), owner.id(), part, &mut row).map_err(wrong)?;
            again.extend(missing(part, &row).map_err(wrong)?);
            file.row(part.table, &row.text())?;
            Ok(())
        })
        .await?;
    }
    tx.commit().await?;
    let (to, end) = file.end()?;
    let told = Told {
        counts: end.counts,
        sha256: end.sha256,
        again,
    };
    Ok((to, told))
}
