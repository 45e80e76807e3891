//! The keys that sessions are signed with: of the installation's secret and a salt each, so that replicas agree.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use rand::RngExt as _;

use super::{Auth, shared};
use crate::db::{DbError, sql};
use crate::http::ApiError;

/// How long a key is believed after another one took its place: longer than what it signed last.
const AFTERLIFE: f64 = 13.0 * 3600.0;
/// How many days a key signs.
const KEY_DAYS: i32 = 30;

/// A key that sessions are signed with.
#[derive(Clone)]
pub struct Key {
    /// The one head that a text signed by it has: no other algorithm, key or extension can be asked for.
    pub(super) head: String,
    pub(super) kid: i32,
    pub(super) secret: Vec<u8>,
    /// Whether every replica knows it.
    pub(super) settled: bool,
}

impl Auth {
    pub(super) async fn keys(&self, anew: bool) -> Result<Arc<Vec<Key>>, ApiError> {
        if anew && !self.missed.contains_key(&()) {
            self.missed.insert((), ()).await;
            self.keys.invalidate(&()).await;
        }
        let found = self.keys.try_get_with((), self.find_keys()).await;
        found.map_err(|e| shared(&e).into())
    }

    async fn find_keys(&self) -> Result<Arc<Vec<Key>>, DbError> {
        let mut keys = self.list_keys().await?;
        if keys.is_empty() {
            self.make_session_key(KEY_DAYS, AFTERLIFE).await?;
            keys = self.list_keys().await?;
        }
        Ok(Arc::new(keys))
    }

    async fn list_keys(&self) -> Result<Vec<Key>, DbError> {
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        let rows = tx.query(sql!("platform/list_session_keys"), &[]).await?;
        tx.commit().await?;
        let key = |row: &tokio_postgres::Row| {
            let (kid, salt): (i32, Vec<u8>) = (row.get("kid"), row.get("salt"));
            let head = serde_json::to_vec(&head(kid)).unwrap_or_default();
            Key {
                head: URL_SAFE_NO_PAD.encode(head),
                kid,
                secret: self.ring.login_key(&salt),
                settled: row.get("settled"),
            }
        };
        Ok(rows.iter().map(key).collect())
    }

    async fn make_session_key(&self, days: i32, afterlife: f64) -> Result<(), DbError> {
        let mut salt = vec![0u8; 32];
        rand::rng().fill(&mut salt[..]);
        let mut connection = self.db.connection().await?;
        let tx = self.db.platform(&mut connection).await?;
        tx.execute(sql!("platform/make_session_key"), &[&salt, &days, &afterlife])
            .await?;
        tx.commit().await
    }

    /// Makes a new key for sessions where the one in use is a month old.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn renew_session_key(&self) -> Result<(), DbError> {
        self.make_session_key(KEY_DAYS, AFTERLIFE).await
    }

    /// Makes a new key for sessions now. What was signed before stays good until its end, or ends with this.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn rotate_session_key(&self, end_all: bool) -> Result<(), DbError> {
        self.make_session_key(0, if end_all { 0.0 } else { AFTERLIFE })
            .await
    }
}

/// The one head of what a key signs.
pub(super) fn head(kid: i32) -> Header {
    let mut head = Header::new(Algorithm::HS256);
    head.kid = Some(kid.to_string());
    head
}

/// Whether a text may be the head of a key that we do not know yet: anything else costs no look-up.
pub(super) fn is_a_head(text: &str) -> bool {
    let read = URL_SAFE_NO_PAD.decode(text).ok();
    let read = read.and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok());
    let kid = read
        .and_then(|head| head.kid)
        .and_then(|kid| kid.parse::<i32>().ok());
    kid.is_some_and(|kid| serde_json::to_vec(&head(kid)).is_ok_and(|own| URL_SAFE_NO_PAD.encode(own) == text))
}
