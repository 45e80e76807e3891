//! The lines of a file: a head, a row each, an end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The form that this release writes and reads.
pub const FORMAT: u32 = 1;
/// Longest line, in bytes: a batch's body of 16 MiB that does not compress, as hexadecimal text.
pub const LINE: u64 = 40 << 20;
/// Largest body of a batch, unpacked: as large as engines may send one.
pub const BODY: u64 = 16 << 20;
/// Most things that have to be made again.
pub const AGAINS: usize = 100_000;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Head {
    /// Says what this is.
    pub garrison: Kind,
    pub format: u32,
    /// The schema it was written from.
    pub schema: i32,
    pub release: String,
    pub tenant: Facts,
    pub at: String,
    pub secrets: Option<Secrets>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One tenant.
    Tenant,
}

/// What is said of a tenant beside its rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Facts {
    pub name: String,
    pub forwards: bool,
    pub keeps_decisions: bool,
    pub decisions_complete: bool,
    /// Keys the alerts' keys, so that what an engine sends again is known.
    pub dedupe_key: String,
}

/// How secrets are sealed: by argon2id over 64 MiB in three passes, and AES-256-GCM.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// 16 bytes.
    pub salt: String,
    /// A known text, sealed: tells whether a passphrase is the one.
    pub check: String,
}

/// The known text.
pub const CHECK: &str = "garrison tenant";

/// The place of a secret in a file.
#[must_use]
pub fn place(table: &str, column: &str, name: &str) -> String {
    format!("file/{table}.{column}/{name}")
}

/// A line after the first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<'a> {
    /// Of a row.
    #[serde(default)]
    pub table: Option<String>,
    /// The row itself.
    #[serde(default, borrow)]
    pub row: Option<&'a RawValue>,
    /// What has to be made again.
    #[serde(default)]
    pub again: Option<Again>,
    /// The last line.
    #[serde(default)]
    pub end: Option<End>,
}

/// Something that a file cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Again {
    pub what: String,
    pub name: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Rows by table.
    pub counts: BTreeMap<String, u64>,
    /// Of all that stands before this line.
    pub sha256: String,
}
