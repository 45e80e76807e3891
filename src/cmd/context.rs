//! What every subcommand needs: the database, brought up to date, and the keys.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rand::RngExt as _;
use secrecy::ExposeSecret as _;
use tokio_postgres::SimpleQueryMessage;

use crate::config::Config;
use crate::db::{self, By, Cluster, Db, DbConfig, ReadConfig, sql};
use crate::gate::filter;
use crate::gate::filter::model::{Mode, RuleFile};
use crate::http::Scope;
use crate::jobs;
use crate::kernel::keyring::Keyring;
use crate::kernel::secret::{self, Kind};
use crate::manage::{audit, tenant, token};

/// An installation, ready to be used.
pub struct Installation {
    pub config: Config,
    pub db: Db,
    pub ring: Arc<Keyring>,
    /// The configuration file that the command line named.
    pub file: Option<PathBuf>,
    /// The private cluster, when there is no database URL.
    pub cluster: Option<Cluster>,
}

/// Makes first starts of one database take turns.
const FIRST_START_LOCK: i64 = 0x6761_7272_6669_7273;

/// What a first start made.
pub struct FirstStart {
    /// The first token of tenant `default`, shown once.
    pub admin_token: String,
}

impl Installation {
    /// Connects, and brings the schema up to date.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        // Large, and every command holds it.
        Box::pin(Self::opened(config)).await
    }

    async fn opened(config: Config) -> anyhow::Result<Self> {
        let (url, cluster) = match &config.database.url {
            Some(url) => (url.expose_secret().to_owned(), None),
            None => {
                make_data_dir(&config.data_dir)?;
                let cluster = Cluster::start(&config.data_dir).await?;
                (cluster.url(), Some(cluster))
            }
        };
        let settings = DbConfig {
            url,
            pool_size: config.database.pool_size,
            ca_file: config.database.ca_file.clone(),
            statement_cache: config.database.statement_cache,
        };
        let mut db = Db::new(&settings)?;
        if let Some(url) = &config.database.read_url {
            let read = ReadConfig {
                url: url.expose_secret().to_owned(),
                max_lag: config.database.read_max_lag,
            };
            db = db.with_replica(&settings, &read).context("database.read_url")?;
        }
        let have = db::schema_version(&db).await.context("the database")?;
        let want = db::expected_version();
        if have > want {
            bail!("the database has schema {have}, this release knows {want}: it belongs to a newer release");
        }
        if have < want {
            let applied = db::migrate(&db).await?;
            tracing::info!(applied, "schema brought up to date");
        }
        let ring = Arc::new(keyring(&db, &config, cluster.is_some()).await?);
        check_cluster(&db).await?;
        // In the hands of the command line; who serves hands it on.
        let db = db.with_ring(ring.clone()).by(By::cli());
        begin_trails(&db).await?;
        Ok(Self {
            config,
            db,
            ring,
            file: None,
            cluster,
        })
    }

    /// Makes tenant `default`, its rules and its first token, once in the life of a database. Several processes may call
    /// it at once: they take turns.
    pub async fn first_start(&self) -> anyhow::Result<Option<FirstStart>> {
        let import = first_rules(&self.config)?;
        let mut connection = self.db.connection().await?;
        // The lock of a transaction that stays open meanwhile: it goes with the connection if we die, and a pooler
        // between us and Postgres gives that connection to nobody else.
        let turn = connection.transaction().await?;
        turn.batch_execute("SET LOCAL lock_timeout = 0").await?;
        turn.execute(sql!("platform/claim_first_start"), &[&FIRST_START_LOCK])
            .await?;
        let made = self.first_start_alone(import).await;
        turn.rollback().await?;
        made
    }

    async fn first_start_alone(&self, import: Option<filter::Import>) -> anyhow::Result<Option<FirstStart>> {
        if get_fact(&self.db, "first_start").await?.is_some() {
            if import.is_some() {
                tracing::warn!(
                    "filters in the configuration count at the first start only: use `garrison filter import` or the API"
                );
            }
            return Ok(None);
        }
        let fill = async |tx: &db::TenantTx<'_>| match &import {
            None => filter::insert_defaults(tx).await,
            Some(import) => filter::import_into(tx, import).await.map(drop),
        };
        Box::pin(tenant::insert(&self.db, &self.ring, "default", true, fill)).await?;
        let default = tenant::find(&self.db, "default")
            .await?
            .context("tenant default is not there")?;
        // The file before the row, the row before the mark: a crash in between is made good by the next start.
        let text = secret::generate(Kind::ApiToken);
        make_data_dir(&self.config.data_dir)?;
        write_secret(&self.config.data_dir.join("admin-token"), &format!("{text}\n"))?;
        let scopes = [Scope::Admin.name().to_owned()];
        let draft = token::Draft::read("first admin token", &scopes, &[], None, jiff::Timestamp::now());
        let draft = draft.map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
        token::insert(
            &self.db,
            &self.ring,
            default,
            &draft,
            "first start",
            Some(text.clone()),
        )
        .await?;
        set_fact(&self.db, "first_start", &jiff::Timestamp::now().to_string()).await?;
        Ok(Some(FirstStart { admin_token: text }))
    }

    /// Ends what [`Self::open`] began.
    pub async fn close(self) {
        self.db.close();
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

/// Begins the trails of tenants that were there before trails were; once in the life of a database, so that one that is
/// emptied later is not taken for new.
async fn begin_trails(db: &Db) -> anyhow::Result<()> {
    if get_fact(db, "trails_begun").await?.is_none() {
        audit::begin(&db.by(By::auto("garrison"))).await?;
        shared_fact(db, "trails_begun", jiff::Timestamp::now().to_string().as_bytes()).await?;
    }
    Ok(())
}

/// The rules that the configuration brings for tenant `default`; none to take those that come with Garrison.
fn first_rules(config: &Config) -> anyhow::Result<Option<filter::Import>> {
    let mut rules: Vec<RuleFile> = Vec::new();
    for (n, rule) in config.filters.rules.iter().enumerate() {
        let text = serde_json::to_string(rule)?;
        rules.push(filter::model::parse_rule_file(&text).with_context(|| format!("filters.rules[{n}]"))?);
    }
    if let Some(dir) = &config.filters.dir {
        rules.extend(super::filter::read_dir(dir)?.rules);
    }
    let mode = match config.filters.mode {
        crate::config::FilterMode::Block => Mode::Block,
        crate::config::FilterMode::Allow => Mode::Allow,
    };
    let given = !rules.is_empty() || mode == Mode::Allow;
    Ok(given.then_some(filter::Import {
        rules,
        mode: Some(mode),
    }))
}

/// The installation's secret: configured, or a file in the data directory for the private cluster, or, where several
/// replicas share a database and nothing was configured, a row of that database.
async fn keyring(db: &Db, config: &Config, private: bool) -> anyhow::Result<Keyring> {
    let ring = if let Some(key) = &config.secret_key {
        Keyring::new(key.expose_secret().as_bytes())
    } else if private {
        let path = config.data_dir.join("secret.key");
        if !path.exists() {
            make_secret(&path, &format!("{}\n", secret::random_text(64)))?;
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if text.trim().len() < 32 {
            bail!("{} holds no key: restore it from a backup", path.display());
        }
        Keyring::new(text.trim().as_bytes())
    } else {
        tracing::warn!(
            "no GARRISON_SECRET_KEY: the key that seals upstream credentials is kept in the database itself"
        );
        let mut fresh = vec![0u8; 32];
        rand::rng().fill(&mut fresh[..]);
        Keyring::new(&shared_fact(db, "secret_key", &fresh).await?)
    };
    let known = shared_fact(db, "key_fingerprint", ring.fingerprint()).await?;
    if known != ring.fingerprint() {
        bail!(
            "GARRISON_SECRET_KEY is not the key this database was set up with: every replica needs the same one"
        );
    }
    Ok(ring)
}

/// What stands under this name; `fresh` if nothing did.
async fn shared_fact(db: &Db, name: &str, fresh: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("platform/insert_fact"), &[&name, &fresh]).await?;
    let row = tx.query_opt(sql!("platform/get_fact"), &[&name]).await?;
    tx.commit().await?;
    row.map(|row| row.get("value"))
        .context("a fact of the installation is missing")
}

/// Writes what others are to find.
pub async fn set_fact(db: &Db, name: &str, value: &str) -> anyhow::Result<()> {
    let bytes = value.as_bytes();
    shared_fact(db, name, bytes).await?;
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    tx.execute(sql!("platform/update_fact"), &[&name, &bytes]).await?;
    Ok(tx.commit().await?)
}

/// What stands under this name.
pub async fn get_fact(db: &Db, name: &str) -> anyhow::Result<Option<String>> {
    let mut connection = db.connection().await?;
    let tx = db.platform(&mut connection).await?;
    let row = tx.query_opt(sql!("platform/get_fact"), &[&name]).await?;
    tx.commit().await?;
    Ok(row.map(|row| String::from_utf8_lossy(row.get("value")).into_owned()))
}

/// Transaction numbers are the cluster's own: a database restored into another one reads its logs from the start.
async fn check_cluster(db: &Db) -> anyhow::Result<()> {
    // In the simple protocol, which every pooler lets through.
    let here = {
        let connection = db.connection().await?;
        let asked = connection
            .simple_query("SELECT system_identifier FROM pg_control_system()")
            .await;
        match asked {
            Ok(answer) => answer.into_iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            }),
            // Some hosted servers keep this from users; they do not restore by dump behind our back either.
            Err(e) => {
                tracing::debug!(cause = %e, "the cluster does not tell its identity");
                None
            }
        }
    };
    let Some(here) = here else { return Ok(()) };
    let known = shared_fact(db, "cluster", here.as_bytes()).await?;
    if known != here.as_bytes() {
        tracing::warn!("the database was restored into another cluster: all logs are read from the start");
        jobs::reset_cursors(db).await?;
        forget_events(db, &known, here.as_bytes()).await?;
    }
    Ok(())
}

/// Forgets the events of the other cluster and notes that this is the one, together: of two replicas that start at once
/// the later one must not forget what was written in between.
async fn forget_events(db: &Db, known: &[u8], here: &[u8]) -> anyhow::Result<()> {
    let mut connection = db.connection().await?;
    // As the owner of the tables: no narrowing.
    let owned = connection.transaction().await?;
    let still = owned
        .query_one(sql!("platform/claim_fact"), &[&"cluster"])
        .await?;
    if still.get::<_, &[u8]>("value") == known {
        owned.batch_execute(sql!("platform/reset_events")).await?;
        owned
            .execute(sql!("platform/update_fact"), &[&"cluster", &here])
            .await?;
    }
    Ok(owned.commit().await?)
}

/// Makes a folder that others may pass through.
pub fn make_data_dir(dir: &Path) -> anyhow::Result<()> {
    // The private cluster's own user passes through; what is secret in it has mode 0600.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(dir)
        .with_context(|| format!("data directory {}", dir.display()))
}

/// Writes a file that only its owner reads, whole or not at all, in place of what was there.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = written_beside(path, text)?;
    std::fs::rename(&new, path).with_context(|| path.display().to_string())
}

/// As [`write_secret`], but what another process put there this instant stays.
fn make_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = written_beside(path, text)?;
    let made = std::fs::hard_link(&new, path);
    std::fs::remove_file(&new)?;
    match made {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(e).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

fn written_beside(path: &Path, text: &str) -> anyhow::Result<PathBuf> {
    use std::io::Write as _;
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let _ = std::fs::remove_file(&new);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .with_context(|| new.display().to_string())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(new)
}
