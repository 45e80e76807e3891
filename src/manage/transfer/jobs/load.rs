//! Rows of a file on their way into the database: a portion a transaction.

use std::io::{self, Read as _};
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::secrets::{FileSeal, missing, strip, unpack};
use super::{Beside, ImportError};
use crate::db::{Db, DbError, Tenant, TenantTx};
use crate::kernel::audit::{Link, Words};
use crate::kernel::hex;
use crate::kernel::keyring::Keyring;
use crate::kernel::password::is_usual;
use crate::manage::tenant;
use crate::manage::transfer::model::Part;
use crate::manage::transfer::model::file::{Again, BODY};
use crate::manage::transfer::model::row::{Numbers, Row, short};
use crate::manage::transfer::queries;

/// Rows of one transaction, and bytes of them.
const ROWS: u64 = 500;
const BYTES: usize = 4 << 20;
/// What stands before an action that was brought here.
const PAST: &str = "past.";

/// Why a row is not taken, before anything is done.
pub fn check(beside: &Beside, part: &Part, row: &Row<'_>) -> Result<(), String> {
    row.check()?;
    match part.table {
        "filter_rule" => (beside.rule)(&row.need::<Value>("expression")?),
        "machine" => match row.get::<String>("password_hash")? {
            Some(hash) if !is_usual(&hash) => Err("password_hash is none that Garrison makes".to_owned()),
            _ => Ok(()),
        },
        "signal_batch" => match row.get::<String>("body")? {
            Some(text) => measure(&text),
            None => Ok(()),
        },
        "audit" => entry(row).map(drop),
        _ => Ok(()),
    }
}

/// Whether a body unpacks to no more than engines may send.
fn measure(text: &str) -> Result<(), String> {
    let packed = text.strip_prefix("\\x").and_then(hex::decode);
    let packed = packed.ok_or("body is none")?;
    let unpacked = zstd::stream::read::Decoder::new(packed.as_slice())
        .and_then(|body| io::copy(&mut body.take(BODY + 1), &mut io::sink()));
    match unpacked {
        Ok(n) if n <= BODY => Ok(()),
        Ok(_) => Err("body is larger than engines may send one".to_owned()),
        Err(e) => Err(format!("body does not unpack: {e}")),
    }
}

/// An entry of a trail with its words, and the seal it had. The new chain has one entry before them all.
pub fn entry(row: &Row<'_>) -> Result<(Link, Option<Words>), String> {
    let action: String = row.need("action")?;
    let words = match row.get::<String>("details")? {
        None => None,
        Some(details) => Some(Words {
            actor: row.need("actor")?,
            target: row.need("target")?,
            details,
            source: row.get::<IpAddr>("source")?,
            request: row.get("request_id")?,
        }),
    };
    if let Some(words) = &words
        && [&words.actor, &words.target, &words.details]
            .iter()
            .any(|text| text.len() > 4096)
    {
        return Err("the words of an entry are too long".to_owned());
    }
    let digest = hex::decode(&row.need::<String>("digest")?).filter(|bytes| bytes.len() == 32);
    let erased: Vec<i64> = row.need("erased")?;
    let link = Link {
        seq: row.need::<i64>("seq")?.saturating_add(1),
        at: row.need::<Timestamp>("at")?,
        actor_kind: row.need("actor_kind")?,
        // A number of the other installation: here it would be somebody else's.
        actor_id: None,
        action: if action.starts_with(PAST) {
            action
        } else {
            format!("{PAST}{action}")
        },
        outcome: row.need("outcome")?,
        erased: erased.into_iter().map(|n| n.saturating_add(1)).collect(),
        digest: digest.ok_or("digest is none")?,
    };
    Ok((link, words))
}

/// Keeps a row from acting on other machines, where the old tenant may act still; and says what to switch on then.
fn quiet(part: &Part, row: &mut Row<'_>) -> Result<Option<Again>, String> {
    let (switch, name, what) = match part.table {
        "lapi_server" => (
            "replicate_decisions",
            "name",
            "replication, off now, to LAPI server",
        ),
        "analyzer" => ("enabled", "slug", "run, off now, of analyzer"),
        _ => return Ok(None),
    };
    if !row.need::<bool>(switch)? {
        return Ok(None);
    }
    row.set(switch, &false);
    Ok(Some(Again {
        what: what.to_owned(),
        name: short(&row.need::<String>(name)?),
    }))
}

/// About how much memory an entry takes.
fn size((link, words): &(Link, Option<Words>)) -> usize {
    let words = words.as_ref().map_or(0, |words| words.details.len());
    500 + words + link.erased.len() * 8
}

/// Rows that are added together.
#[derive(Default)]
enum Rows {
    #[default]
    None,
    Many(Vec<u8>),
    /// With the numbers that others name them by.
    Numbered(Vec<(i64, Vec<u8>)>),
    Past(Vec<(Link, Option<Words>)>),
}

/// An import under way.
pub struct Load<'a> {
    pub db: &'a Db,
    pub ring: &'a Keyring,
    pub beside: &'a Beside,
    pub seal: Option<&'a FileSeal>,
    pub tenant: Tenant,
    pub owner: Uuid,
    pub again: Vec<Again>,
    /// Whether what acts on other machines goes on at once.
    pub active: bool,
    numbers: Numbers,
    part: Option<&'static Part>,
    rows: Rows,
    count: u64,
    bytes: usize,
    lines: (u64, u64),
}

impl<'a> Load<'a> {
    pub fn new(
        (db, ring): (&'a Db, &'a Keyring),
        beside: &'a Beside,
        seal: Option<&'a FileSeal>,
        (tenant, owner): (Tenant, Uuid),
    ) -> Self {
        Self {
            db,
            ring,
            beside,
            seal,
            tenant,
            owner,
            again: Vec::new(),
            active: false,
            numbers: Numbers::default(),
            part: None,
            rows: Rows::None,
            count: 0,
            bytes: 0,
            lines: (0, 0),
        }
    }

    /// Whether the portion has to go first.
    pub fn is_full(&self, part: &Part) -> bool {
        let other = self.part.is_some_and(|own| own.table != part.table);
        other || self.count >= ROWS || self.bytes >= BYTES
    }

    /// Adds a row to the portion.
    pub fn add(&mut self, line: u64, part: &'static Part, mut row: Row<'_>) -> Result<(), String> {
        if !part.secrets.is_empty() {
            if self.seal.is_none() {
                strip(part, &mut row)?;
            }
            self.again.extend(missing(part, &row)?);
            unpack(
                self.beside,
                self.ring,
                self.seal,
                self.tenant.id(),
                part,
                &mut row,
            )?;
        }
        if !self.active {
            self.again.extend(quiet(part, &mut row)?);
        }
        row.renumber(part, &self.numbers)?;
        let mut text = Vec::new();
        match &mut self.rows {
            Rows::Many(rows) => {
                let before = rows.len();
                row.write(rows);
                self.bytes += rows.len() - before;
            }
            Rows::Numbered(rows) => {
                row.write(&mut text);
                text.push(b']');
                self.bytes += text.len();
                rows.push((row.need("id")?, text));
            }
            Rows::Past(rows) => {
                let one = entry(&row)?;
                self.bytes += size(&one);
                rows.push(one);
            }
            Rows::None => {
                self.rows = if part.table == "audit" {
                    Rows::Past(vec![entry(&row)?])
                } else {
                    row.write(&mut text);
                    self.bytes += text.len();
                    if part.numbers.is_some() {
                        text.push(b']');
                        Rows::Numbered(vec![(row.need("id")?, text)])
                    } else {
                        Rows::Many(text)
                    }
                };
                self.lines.0 = line;
            }
        }
        self.lines.1 = line;
        self.part = Some(part);
        self.count += 1;
        Ok(())
    }

    /// Brings the portion in.
    pub async fn flush(&mut self) -> Result<(), ImportError> {
        let rows = std::mem::take(&mut self.rows);
        let (Some(part), (from, to)) = (self.part.take(), self.lines) else {
            return Ok(());
        };
        let failed = |e: DbError| match e {
            DbError::Internal(_) | DbError::Conflict(_) | DbError::MissingPartition(_) => {
                ImportError::Rows(from, to, e)
            }
            e => ImportError::Db(e),
        };
        let mut connection = self.db.connection().await?;
        let tx = self.db.tenant(&mut connection, self.tenant).await?;
        if !tenant::renew_import(&tx, self.owner).await? {
            return Err(ImportError::Lost);
        }
        let count = std::mem::take(&mut self.count);
        self.bytes = 0;
        let there = match rows {
            Rows::None => 0,
            Rows::Many(mut rows) => {
                rows.push(b']');
                queries::insert(&tx, part, &text(rows)?).await.map_err(failed)?
            }
            Rows::Numbered(rows) => self.numbered(&tx, part, rows).await?,
            Rows::Past(rows) => {
                tx.record_past(rows).await.map_err(failed)?;
                count
            }
        };
        if there != count {
            let why = format!("{} of these are of alerts that the file has not", count - there);
            return Err(ImportError::Line(from, why));
        }
        Ok(tx.commit().await?)
    }

    async fn numbered(
        &mut self,
        tx: &TenantTx<'_>,
        part: &Part,
        rows: Vec<(i64, Vec<u8>)>,
    ) -> Result<u64, ImportError> {
        let (mut n, (from, to)) = (0, self.lines);
        for (old, row) in rows {
            let new = queries::insert_numbered(tx, part, &text(row)?).await;
            let new = new.map_err(|e| ImportError::Rows(from, to, e))?;
            if part.numbers.is_some_and(|of| !self.numbers.note(of, old, new)) {
                let why = format!("{} has two rows of number {old}", part.table);
                return Err(ImportError::Line(from, why));
            }
            n += 1;
        }
        Ok(n)
    }
}

fn text(rows: Vec<u8>) -> Result<String, ImportError> {
    String::from_utf8(rows).map_err(|e| ImportError::Read(e.to_string()))
}
