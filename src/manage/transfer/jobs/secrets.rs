//! Secrets: sealed for this installation, sealed for a file, or left out.

use rand::RngExt as _;

use super::Beside;
use crate::kernel::hex;
use crate::kernel::keyring::Keyring;
use crate::kernel::seal::Seal;
use crate::kernel::secret::random_text;
use crate::manage::transfer::model::Part;
use crate::manage::transfer::model::file::{Again, CHECK, Secrets, place};
use crate::manage::transfer::model::row::{Row, short};

/// What seals secrets in a file.
pub struct FileSeal(Seal);

impl FileSeal {
    /// Of a new file.
    pub fn make(passphrase: &str) -> Result<(Self, Secrets), String> {
        let mut salt = [0u8; 16];
        rand::rng().fill(&mut salt[..]);
        let seal = Seal::from_passphrase(passphrase, &salt).map_err(|e| e.to_string())?;
        let head = Secrets {
            salt: hex::encode(&salt),
            check: hex::encode(&seal.seal(CHECK, CHECK.as_bytes())),
        };
        Ok((Self(seal), head))
    }

    /// Of a file that is there; an error when the passphrase is another.
    pub fn of(passphrase: &str, head: &Secrets) -> Result<Self, String> {
        let bytes = |text: &str| hex::decode(text).filter(|bytes| bytes.len() <= 100);
        let damaged = || "the file does not say how its secrets are sealed".to_owned();
        let (salt, check) = (bytes(&head.salt), bytes(&head.check));
        let (salt, check) = (salt.ok_or_else(damaged)?, check.ok_or_else(damaged)?);
        let seal = Seal::from_passphrase(passphrase, &salt).map_err(|_| damaged())?;
        match seal.open(CHECK, &check) {
            Ok(known) if known == CHECK.as_bytes() => Ok(Self(seal)),
            _ => Err("the secrets do not open with this passphrase".to_owned()),
        }
    }
}

/// What a row says of a secret: nothing, that there was one, or the secret, sealed.
fn said(row: &Row<'_>, column: &str) -> Result<Option<Vec<u8>>, String> {
    let text: Option<String> = row.get(column)?;
    let bytes = |text: String| hex::decode(text.trim_start_matches("\\x"));
    text.map(|text| bytes(text).ok_or_else(|| format!("{column} is no secret")))
        .transpose()
}

/// Exchanges a row's secrets for those of a file: sealed anew, or left out.
pub fn pack(
    beside: &Beside,
    ring: &Keyring,
    seal: Option<&FileSeal>,
    tenant: i32,
    part: &Part,
    row: &mut Row<'_>,
) -> Result<(), String> {
    for column in part.secrets {
        let Some(sealed) = said(row, column)? else {
            continue;
        };
        let (here, name) = beside.place(part.table, column, tenant, row)?;
        let text = match seal {
            // What does not open here is no use elsewhere.
            Some(FileSeal(seal)) => ring.open(&here, &sealed).map_or_else(
                |_| String::new(),
                |plain| hex::encode(&seal.seal(&place(part.table, column, &name), &plain)),
            ),
            None => String::new(),
        };
        row.set(column, &text);
    }
    Ok(())
}

/// What a row of a file has to be told again because its secrets were left out.
pub fn missing(part: &Part, row: &Row<'_>) -> Result<Option<Again>, String> {
    let mut gone = false;
    for column in part.secrets {
        gone |= row.get::<String>(column)?.is_some_and(|text| text.is_empty());
    }
    if !gone {
        return Ok(None);
    }
    let (what, column) = match part.table {
        "machine" => {
            let accepted = row.need::<i16>("kind")? == 2;
            if accepted || row.get::<String>("removed_at")?.is_some() {
                // The engine brings it with its next login.
                return Ok(None);
            }
            ("enrolment in CrowdSec's console of machine", "login")
        }
        "lapi_server" => ("key and password of LAPI server", "name"),
        _ => ("token of analyzer, which is off,", "slug"),
    };
    Ok(Some(Again {
        what: what.to_owned(),
        name: short(&row.need::<String>(column)?),
    }))
}

/// Takes the secrets out of a row of a file where they do not open, or are not to.
pub fn strip(part: &Part, row: &mut Row<'_>) -> Result<(), String> {
    for column in part.secrets {
        if row.get::<String>(column)?.is_some() {
            row.set(column, &"");
        }
    }
    Ok(())
}

/// Exchanges a file's secrets for ones that are sealed here. What was left out becomes something that opens nothing.
pub fn unpack(
    beside: &Beside,
    ring: &Keyring,
    seal: Option<&FileSeal>,
    tenant: i32,
    part: &Part,
    row: &mut Row<'_>,
) -> Result<(), String> {
    let mut gone = false;
    for column in part.secrets {
        let Some(sealed) = said(row, column)? else {
            continue;
        };
        let (here, name) = beside.place(part.table, column, tenant, row)?;
        let plain = match seal {
            Some(FileSeal(seal)) if !sealed.is_empty() => {
                let opened = seal.open(&place(part.table, column, &name), &sealed);
                opened.map_err(|_| format!("{column} was changed: it does not open"))?
            }
            _ => {
                gone = true;
                // Nobody logs in with what nobody knows.
                random_text(48).into_bytes()
            }
        };
        row.set(column, &format!("\\x{}", hex::encode(&ring.seal(&here, &plain))));
    }
    if gone && part.table == "machine" && row.need::<i16>("kind")? == 1 {
        // Registered at CAPI when it is first needed.
        row.set("upstream_login", &random_text(48));
        row.set("upstream_registered", &false);
    }
    if gone && part.table == "analyzer" {
        row.set("token", &None::<String>);
        row.set("enabled", &false);
    }
    Ok(())
}
