//! Sessions that came from an identity provider's, and what is good once.

use jiff::Timestamp;
use uuid::Uuid;

use super::Auth;
use crate::db::{DbError, sql};

/// Where a session came from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// The provider's own session, where it told.
    pub sid: Option<String>,
}

/// Whom a provider logs out: a subject, one session, or both.
#[derive(Debug, Clone, Copy)]
pub struct LoggedOut<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Who they are there.
    pub subject: Option<&'a str>,
    /// The provider's session.
    pub sid: Option<&'a str>,
}

impl Auth {
    /// Whether something is shown for the first time, on whichever replica. It is remembered for so many seconds: by then
    /// its age has to be what it is refused by.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn use_once(&self, what: &str, seconds: f64) -> Result<bool, DbError> {
        let key = self.ring.token_hash(&format!("once {what}"));
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx
            .query_opt(sql!("platform/insert_single_use"), &[&key, &seconds])
            .await?;
        tx.commit().await?;
        Ok(row.is_some())
    }

    /// Ends the sessions that a provider says are over: on this replica now, on the others within three seconds. How many;
    /// none where this was said before.
    ///
    /// # Errors
    /// As the statements fail.
    pub async fn log_out(
        &self,
        who: LoggedOut<'_>,
        once: &str,
        seconds: f64,
    ) -> Result<Option<usize>, DbError> {
        let key = self.ring.token_hash(&format!("once {once}"));
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx
            .query_opt(sql!("platform/insert_single_use"), &[&key, &seconds])
            .await?;
        if row.is_none() {
            return Ok(None);
        }
        let ended = tx
            .query(
                sql!("platform/update_sessions_logged_out"),
                &[&who.issuer, &who.subject, &who.sid],
            )
            .await?;
        tx.commit().await?;
        for row in &ended {
            self.logins.invalidate(&row.get::<_, Uuid>("id")).await;
        }
        Ok(Some(ended.len()))
    }

    /// When a session ends, and the provider that it came from; none for one that is over.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn session_end(&self, id: Uuid) -> Result<Option<(Timestamp, Option<String>)>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let row = tx.query_opt(sql!("platform/get_session_end"), &[&id]).await?;
        tx.commit().await?;
        Ok(row.map(|row| (row.get("expires_at"), row.get("issuer"))))
    }
}
