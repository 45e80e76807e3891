use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::config::TargetSessionAttrs;

use super::audit::Pen;
use super::replica::{ReadConfig, Reading, Replica};
use super::scope::here;
use super::tls::tls;
use super::{By, DbError, PlatformTx, Tenant, TenantTx};
use crate::kernel::keyring::Keyring;

/// How to reach Postgres.
#[derive(Debug, Clone)]
pub struct DbConfig {
    /// Connection string: a URL or `key=value` pairs, several hosts allowed.
    pub url: String,
    /// Connections a process may hold, 2 to 200.
    pub pool_size: usize,
    /// Roots of trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// False behind a transaction pooler that does not know prepared statements.
    pub statement_cache: bool,
}

/// The pool of one process.
#[derive(Clone)]
pub struct Db {
    pool: Pool,
    /// Half of the pool: what people look at must not keep engines from storing.
    reads: Arc<Semaphore>,
    /// Three quarters of it: nothing but what engines bring takes the rest.
    others: Arc<Semaphore>,
    /// A quarter of it for each tenant's requests.
    tenants: Cache<i32, Arc<Semaphore>>,
    of_a_tenant: usize,
    statement_cache: bool,
    pen: Pen,
    demoted: Demoted,
    /// A standby for what may be a little late.
    replica: Option<Arc<Replica>>,
}

/// When a server was last met that does not take writes any more: connections from before lead to it, perhaps.
#[derive(Clone, Default)]
pub(super) struct Demoted(Arc<Mutex<Option<Instant>>>);

impl Demoted {
    /// Looks at an error for what a server says that became a standby.
    pub(super) fn notice(&self, error: &tokio_postgres::Error) {
        if error.code() == Some(&tokio_postgres::error::SqlState::READ_ONLY_SQL_TRANSACTION) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    fn is_suspect(&self, created: Instant) -> bool {
        let met = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        met.is_some_and(|at| created < at)
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.pool.status())
    }
}

impl Db {
    /// Prepares a pool; connects when first asked.
    ///
    /// # Errors
    /// When the connection string does not parse or the roots of trust cannot be read.
    pub fn new(config: &DbConfig) -> Result<Self, DbError> {
        let demoted = Demoted::default();
        Ok(Self {
            pool: primary(config, config.pool_size, demoted.clone())?,
            reads: Arc::new(Semaphore::new((config.pool_size / 2).max(1))),
            others: Arc::new(Semaphore::new(
                config.pool_size - (config.pool_size / 4).max(1).min(config.pool_size - 1),
            )),
            tenants: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
            of_a_tenant: (config.pool_size / 4).max(1),
            statement_cache: config.statement_cache,
            pen: Pen {
                by: Arc::new(By::auto("garrison")),
                ring: None,
            },
            demoted,
            replica: None,
        })
    }

    /// The same pool, that can write down what is changed through it.
    #[must_use]
    pub fn with_ring(mut self, ring: Arc<Keyring>) -> Self {
        self.pen.ring = Some(ring);
        self
    }

    /// In whose hands it is.
    #[must_use]
    pub fn hands(&self) -> Arc<By> {
        Arc::clone(&self.pen.by)
    }

    /// The same pool in somebody's hands: what is changed through it, they changed.
    #[must_use]
    pub fn by(&self, by: By) -> Self {
        let mut theirs = self.clone();
        theirs.pen.by = Arc::new(by);
        theirs
    }

    /// The same, with a standby that answers what may be a little late.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_replica(mut self, config: &DbConfig, read: &ReadConfig) -> Result<Self, DbError> {
        let mut pg = parsed(&read.url)?;
        pg.connect_timeout(Duration::from_secs(1));
        let timeouts = Timeouts {
            wait: Some(Duration::from_millis(500)),
            create: Some(Duration::from_secs(1)),
            recycle: Some(Duration::from_millis(500)),
        };
        let size = (config.pool_size / 2).max(1) + 1;
        let pool = pool(config, pg, size, timeouts, Demoted::default())?;
        let notes = primary(config, 1, self.demoted.clone())?;
        self.replica = Some(Arc::new(Replica::new(pool, notes, read.max_lag)));
        Ok(self)
    }

    /// The standby, where there is one.
    #[must_use]
    pub fn replica(&self) -> Option<&Arc<Replica>> {
        self.replica.as_ref()
    }

    /// A connection for a transaction. Take one late, hold one only, give it back early. Within a [`Scope`](super::Scope) a
    /// quarter of the pool is left to engines, and a tenant gets a quarter at most.
    ///
    /// # Errors
    /// When none is free within two seconds or Postgres cannot be reached.
    pub async fn connection(&self) -> Result<Connection, DbError> {
        self.lend(None).await
    }

    /// A connection for what may take long and nobody loses anything by: lists, replays. At most half of the pool.
    ///
    /// # Errors
    /// When none is free within two seconds or Postgres cannot be reached.
    pub async fn read_connection(&self) -> Result<Connection, DbError> {
        self.lend(Some(&self.reads)).await
    }

    /// The turns that it takes, the narrowest first: who waits for one holds none that others need.
    async fn lend(&self, more: Option<&Arc<Semaphore>>) -> Result<Connection, DbError> {
        let scope = here();
        let own = match scope.and_then(|scope| scope.tenant) {
            Some(tenant) => {
                let own = self
                    .tenants
                    .get_with(tenant, || Arc::new(Semaphore::new(self.of_a_tenant)));
                Some(turn(&own, "too many requests of this tenant").await?)
            }
            None => None,
        };
        let read = match more {
            Some(reads) => Some(turn(reads, "too many readers").await?),
            None => None,
        };
        let late = match (more, &self.replica, Reading::current()) {
            (Some(_), Some(replica), Some(reading)) => replica.connection(&reading).await,
            _ => None,
        };
        if let Some(object) = late {
            return Ok(Connection {
                object,
                _turns: [own, read, None],
            });
        }
        let other = match scope {
            Some(_) => Some(turn(&self.others, "too many requests beside what engines bring").await?),
            None => None,
        };
        Ok(Connection {
            object: self.pool.get().await?,
            _turns: [own, read, other],
        })
    }

    /// Opens a transaction that sees one tenant's rows. Committed by [`TenantTx::commit`], otherwise rolled back.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn tenant<'c>(
        &self,
        connection: &'c mut Object,
        tenant: Tenant,
    ) -> Result<TenantTx<'c>, DbError> {
        TenantTx::open(
            connection,
            tenant,
            self.statement_cache,
            self.demoted.clone(),
            self.pen.clone(),
        )
        .await
    }

    /// The same, its statements planned for their very parameters and for the sizes that the tables have now: what takes
    /// many keys from tables that just grew, which the plan of an empty one would read whole, and lists with many
    /// optional conditions, which find their index only so.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn planned<'c>(
        &self,
        connection: &'c mut Object,
        tenant: Tenant,
    ) -> Result<TenantTx<'c>, DbError> {
        let mut tx = self.tenant(connection, tenant).await?;
        tx.plan("custom");
        Ok(tx)
    }

    /// The same, each statement planned once a connection: what always reads the same pieces of the counts, which takes a
    /// server longer to plan than to run.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn planned_once<'c>(
        &self,
        connection: &'c mut Object,
        tenant: Tenant,
    ) -> Result<TenantTx<'c>, DbError> {
        let mut tx = self.tenant(connection, tenant).await?;
        tx.plan("generic");
        Ok(tx)
    }

    /// The same, that reads what was there at one moment and changes nothing: for all that a tenant has.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn still<'c>(
        &self,
        connection: &'c mut Object,
        tenant: Tenant,
    ) -> Result<TenantTx<'c>, DbError> {
        TenantTx::still(
            connection,
            tenant,
            self.statement_cache,
            self.demoted.clone(),
            self.pen.clone(),
        )
        .await
    }

    /// Opens a transaction on the control tables, across tenants.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn platform<'c>(&self, connection: &'c mut Object) -> Result<PlatformTx<'c>, DbError> {
        PlatformTx::open(
            connection,
            self.statement_cache,
            self.demoted.clone(),
            self.pen.clone(),
        )
        .await
    }

    /// Connections open, idle, and callers waiting for one.
    #[must_use]
    pub fn status(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (status.size, status.available, status.waiting)
    }

    /// Closes the pool: no connection is handed out afterwards.
    pub fn close(&self) {
        self.pool.close();
        if let Some(replica) = &self.replica {
            replica.close();
        }
    }
}

async fn turn(of: &Arc<Semaphore>, why: &str) -> Result<OwnedSemaphorePermit, DbError> {
    let turn = tokio::time::timeout(Duration::from_secs(2), Arc::clone(of).acquire_owned()).await;
    let turn = turn.ok().and_then(Result::ok);
    turn.ok_or_else(|| DbError::Unavailable(why.to_owned()))
}

/// A connection, and the turns that go with it.
pub struct Connection {
    object: Object,
    _turns: [Option<OwnedSemaphorePermit>; 3],
}

impl std::ops::Deref for Connection {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl std::ops::DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Object {
        &mut self.object
    }
}

/// Connections to the one that takes writes.
fn primary(config: &DbConfig, size: usize, demoted: Demoted) -> Result<Pool, DbError> {
    let mut pg = parsed(&config.url)?;
    // After a failover a pool must find the node that writes, and notice a dead one within seconds.
    if pg.get_hosts().len() > 1 {
        // Each has its turn within the time that making a connection has.
        pg.target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(Duration::from_secs(2));
    }
    let timeouts = Timeouts {
        wait: Some(Duration::from_secs(2)),
        create: Some(Duration::from_secs(5)),
        recycle: Some(Duration::from_secs(2)),
    };
    pool(config, pg, size, timeouts, demoted)
}

fn parsed(url: &str) -> Result<tokio_postgres::Config, DbError> {
    // This driver's `require` verifies, which is what others call verify-full.
    let url = url
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let mut pg: tokio_postgres::Config = url.parse().map_err(|e: tokio_postgres::Error| {
        let cause = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        DbError::Internal(format!("database url: {cause}"))
    })?;
    pg.connect_timeout(Duration::from_secs(5))
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(15));
    if pg.get_application_name().is_none() {
        pg.application_name("garrison");
    }
    Ok(pg)
}

fn pool(
    config: &DbConfig,
    pg: tokio_postgres::Config,
    size: usize,
    timeouts: Timeouts,
    demoted: Demoted,
) -> Result<Pool, DbError> {
    let mode = pg.get_ssl_mode();
    let recycling_method = RecyclingMethod::Fast;
    let manager = Manager::from_config(pg, tls(config, mode)?, ManagerConfig { recycling_method });
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .timeouts(timeouts)
        .pre_recycle(Hook::sync_fn(move |_, metrics| {
            if demoted.is_suspect(metrics.created) {
                return Err(HookError::message("leads to a server that took no writes"));
            }
            Ok(())
        }))
        .build()
        .map_err(|e| DbError::Internal(e.to_string()))
}
