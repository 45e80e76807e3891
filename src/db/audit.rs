//! The audit trail: one entry for each change, in the transaction that makes it.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::try_join;
use jiff::Timestamp;
use serde_json::Value;

use super::{DbError, TenantTx, sql};
use crate::kernel::audit::{Link, Words};
use crate::kernel::keyring::Keyring;

/// Longest name, and longest target, in characters.
const NAME: usize = 256;
/// Longest details, in bytes.
const DETAILS: usize = 4096;

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Of which kind: the numbers of `audit_entry.actor_kind`.
    pub kind: Kind,
    /// Its number, where it has one.
    pub id: Option<i64>,
    /// What people know it by.
    pub name: Arc<str>,
    /// The address that asked.
    pub source: Option<IpAddr>,
    /// The request's id.
    pub request: Option<Arc<str>>,
}

/// The kinds of those who act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Token = 1,
    User = 2,
    Machine = 3,
    Cli = 4,
    Auto = 5,
}

impl Kind {
    /// All of them, and their names.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::Token, "token"),
        (Self::User, "user"),
        (Self::Machine, "machine"),
        (Self::Cli, "cli"),
        (Self::Auto, "auto"),
    ];

    /// From the number in a row; an unknown one is Garrison's.
    #[must_use]
    pub fn from_code(code: i16) -> Self {
        let found = Self::NAMES.iter().find(|(kind, _)| *kind as i16 == code);
        found.map_or(Self::Auto, |(kind, _)| *kind)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(kind, _)| *kind == self);
        found.map_or("", |(_, name)| name)
    }
}

impl By {
    /// Garrison itself, by the part that acts.
    #[must_use]
    pub fn auto(part: &str) -> Self {
        Self {
            kind: Kind::Auto,
            id: None,
            name: part.into(),
            source: None,
            request: None,
        }
    }

    /// The command line.
    #[must_use]
    pub fn cli() -> Self {
        Self {
            kind: Kind::Cli,
            ..Self::auto("command line")
        }
    }
}

/// What an entry says beside who and when.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// What was done, as `thing.verb`.
    pub action: &'static str,
    /// To what.
    pub target: &'a str,
    /// More of it; small.
    pub details: Value,
    /// Whether it was refused.
    pub refused: bool,
    /// Entries whose words this one takes out: from, to, from, to.
    pub erased: Vec<i64>,
}

impl<'a> Entry<'a> {
    /// Of something that was done.
    #[must_use]
    pub const fn done(action: &'static str, target: &'a str, details: Value) -> Self {
        Self {
            action,
            target,
            details,
            refused: false,
            erased: Vec::new(),
        }
    }
}

/// With what a transaction writes entries: who acts, and the keys.
#[derive(Debug, Clone)]
pub(super) struct Pen {
    pub(super) by: Arc<By>,
    pub(super) ring: Option<Arc<Keyring>>,
}

impl TenantTx<'_> {
    /// Writes down what this transaction does, by whom the pool was handed out for. The last thing before the commit:
    /// from here on other changes of the tenant wait.
    ///
    /// # Errors
    /// As the statements fail; then nothing is changed, because what is not on record is not done.
    pub async fn record(&self, action: &'static str, target: &str, details: Value) -> Result<(), DbError> {
        self.record_entry(Entry::done(action, target, details)).await
    }

    /// The same, of an entry in full.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn record_entry(&self, entry: Entry<'_>) -> Result<(), DbError> {
        let by = Arc::clone(&self.pen().by);
        self.record_by(&by, entry).await
    }

    /// The same, by somebody else: what one transaction does for another.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn record_by(&self, by: &By, entry: Entry<'_>) -> Result<(), DbError> {
        let Some(ring) = &self.pen().ring else {
            return Err(DbError::Internal(
                "a change without a key to seal its entry".to_owned(),
            ));
        };
        let tenant = self.tenant().id();
        // Sent together; the server looks at its clock once the lock is ours.
        let (head, now) = try_join(
            self.query_opt(sql!("audit/claim_head"), &[&tenant]),
            self.query_opt(sql!("audit/get_time"), &[]),
        )
        .await?;
        let gone = || {
            DbError::Internal(format!(
                "tenant {tenant} has no audit trail: nothing may be changed"
            ))
        };
        let head = head.ok_or_else(gone)?;
        let (seq, prev): (i64, Vec<u8>) = (head.get::<_, i64>("seq") + 1, head.get("hash"));
        let details = Some(entry.details.to_string()).filter(|text| text.len() <= DETAILS);
        let details = details.unwrap_or_else(|| r#"{"left_out":"too long"}"#.to_owned());
        let words = Words {
            actor: short(&by.name),
            target: short(entry.target),
            details,
            source: by.source,
            request: by.request.as_deref().map(str::to_owned),
        };
        let link = Link {
            seq,
            at: now.map_or_else(Timestamp::now, |row| row.get("at")),
            actor_kind: by.kind as i16,
            actor_id: by.id,
            action: entry.action.to_owned(),
            outcome: if entry.refused { 2 } else { 1 },
            erased: entry.erased,
            digest: words.digest(ring, tenant, seq).to_vec(),
        };
        let hash = link.seal(ring, tenant, &prev).to_vec();
        self.execute(
            sql!("audit/insert"),
            &[
                &tenant,
                &seq,
                &link.at,
                &link.actor_kind,
                &link.actor_id,
                &link.action,
                &link.outcome,
                &link.erased,
                &link.digest,
                &prev,
                &hash,
                &words.actor,
                &words.target,
                &words.details,
                &words.source,
                &words.request,
            ],
        )
        .await?;
        Ok(())
    }

    /// Writes entries down that another chain had, in its order. Their seals are ours: they say what was brought here, not
    /// that it was so there. Entries without words bring their digest.
    ///
    /// # Errors
    /// As the statements fail, and when an entry does not follow the one before.
    pub async fn record_past(&self, past: Vec<(Link, Option<Words>)>) -> Result<(), DbError> {
        let Some(ring) = &self.pen().ring else {
            return Err(DbError::Internal("a trail without a key to seal it".to_owned()));
        };
        let tenant = self.tenant().id();
        let head = self.query_opt(sql!("audit/claim_head"), &[&tenant]).await?;
        let head = head.ok_or_else(|| DbError::Internal("there is no audit trail".to_owned()))?;
        let (mut seq, mut prev): (i64, Vec<u8>) = (head.get("seq"), head.get("hash"));
        for (mut link, words) in past {
            if link.seq != seq + 1 {
                return Err(DbError::Internal(format!(
                    "entry {} does not follow entry {seq}",
                    link.seq
                )));
            }
            seq = link.seq;
            if let Some(words) = &words {
                link.digest = words.digest(ring, tenant, seq).to_vec();
            }
            let hash = link.seal(ring, tenant, &prev).to_vec();
            let words = words.as_ref();
            self.execute(
                sql!("audit/insert_past"),
                &[
                    &tenant,
                    &seq,
                    &link.at,
                    &link.actor_kind,
                    &link.action,
                    &link.outcome,
                    &link.erased,
                    &link.digest,
                    &prev,
                    &hash,
                    &words.map(|words| &words.actor),
                    &words.map(|words| &words.target),
                    &words.map(|words| &words.details),
                    &words.and_then(|words| words.source),
                    &words.and_then(|words| words.request.as_ref()),
                ],
            )
            .await?;
            prev = hash;
        }
        Ok(())
    }

    /// Begins a chain that was not begun yet: of tenants that were there before chains were.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn begin_trail(&self) -> Result<(), DbError> {
        let head = self
            .query_opt(sql!("audit/claim_head"), &[&self.tenant().id()])
            .await?;
        if head.is_some_and(|row| row.get::<_, i64>("seq") == 0) {
            self.record("audit.begin", "", Value::Object(serde_json::Map::new()))
                .await?;
        }
        Ok(())
    }
}

/// As many characters as fit, without those that Postgres stores none of.
fn short(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(NAME).collect()
}
