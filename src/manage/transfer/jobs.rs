//! Writing a tenant to a file, and reading one.

mod export;
mod file;
mod import;
mod load;
mod secrets;

use serde_json::Value;

pub use export::{ExportError, export};
pub use import::import;

use super::model::file::Again;
use super::model::row::Row;
use crate::db::{DbError, Tenant};

/// What the slices beside this one know: the places that their secrets are sealed for, and which rules they read.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// By column, tenant and login.
    pub machine: fn(&str, i32, &str) -> String,
    /// By column, tenant, name and URL.
    pub server: fn(&str, i32, &str, &str) -> String,
    /// By tenant, name and URL.
    pub analyzer: fn(i32, &str, &str) -> String,
    /// Why a rule's condition is none.
    pub rule: fn(&Value) -> Result<(), String>,
}

impl Beside {
    /// Where a secret stands here, and the name of whose it is.
    fn place(
        &self,
        table: &str,
        column: &str,
        tenant: i32,
        row: &Row<'_>,
    ) -> Result<(String, String), String> {
        let text = |column| row.need::<String>(column);
        Ok(match table {
            "machine" => {
                let login = text("login")?;
                ((self.machine)(column, tenant, &login), login)
            }
            "lapi_server" => {
                let (name, url) = (text("name")?, text("url")?);
                (
                    (self.server)(column, tenant, &name, &url),
                    format!("{name}/{url}"),
                )
            }
            _ => {
                let (slug, url) = (text("slug")?, text("url")?);
                ((self.analyzer)(tenant, &slug, &url), format!("{slug}/{url}"))
            }
        })
    }
}

/// What was written or read.
#[derive(Debug)]
pub struct Told {
    /// Rows by table.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// The file's seal: SHA-256 of its lines but the last.
    pub sha256: String,
    /// What has to be made again, because it cannot be carried.
    pub again: Vec<Again>,
}

/// How a tenant is to come in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes<'a> {
    /// Its name, if it is to be another.
    pub name: Option<&'a str>,
    /// What opens the file's secrets.
    pub passphrase: Option<&'a str>,
    /// Leave them out.
    pub without_secrets: bool,
    /// Whether its LAPI servers and analyzers go on at once as they did: not while the old tenant still writes there.
    pub active: bool,
}

/// A tenant that came in.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Taken {
    pub tenant: Tenant,
    pub name: String,
    /// What it was called, and when that was.
    pub from: String,
    pub at: String,
    pub told: Told,
    pub enrolment_key: String,
    /// Logins that other tenants of this installation have.
    pub elsewhere: Vec<String>,
}

/// Why a tenant did not come in. Nothing of it is to be seen then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{0}")]
    Read(String),
    /// It is none of ours, or not as it was written.
    #[error("line {0}: {1}")]
    Line(u64, String),
    /// The database does not take these lines.
    #[error("lines {0} to {1}: {2}")]
    Rows(u64, u64, DbError),
    /// There is a tenant of this name.
    #[error("there is a tenant {0} already: say another name with --name")]
    Taken(String),
    /// The import was given up by others while it slept.
    #[error("the import was held up for more than two minutes and was given up: run it again")]
    Lost,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}
