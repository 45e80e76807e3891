use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::{Object, Transaction};
use futures_util::future::try_join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

use super::audit::Pen;
use super::pool::Demoted;
use super::scope::timeout_millis;
use super::{DbError, Tenant};

type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A transaction that is narrowed to a role before its first statement runs.
///
/// It is the driver's own transaction, so that dropping it half-way (a cancelled request) rolls it back before the
/// connection serves anybody else. The narrowing is sent in the same round trip as the first statement.
struct Narrowed<'c> {
    tx: Transaction<'c>,
    narrow: String,
    is_narrow: AtomicBool,
    statement_cache: bool,
    demoted: Demoted,
}

impl<'c> Narrowed<'c> {
    async fn open(
        connection: &'c mut Object,
        narrow: String,
        statement_cache: bool,
        demoted: Demoted,
    ) -> Result<Self, DbError> {
        let tx = connection.transaction().await?;
        Ok(Self {
            tx,
            narrow,
            is_narrow: AtomicBool::new(false),
            statement_cache,
            demoted,
        })
    }

    /// An error, after a look whether this server takes writes at all.
    fn failed(&self, error: tokio_postgres::Error) -> DbError {
        self.demoted.notice(&error);
        error.into()
    }

    async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement, DbError> {
        Ok(if self.statement_cache {
            self.tx.prepare_cached(sql).await?
        } else {
            self.tx.prepare(sql).await?
        })
    }

    /// Runs `work` after the narrowing: in the same round trip the first time.
    async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DbError> {
        if self.is_narrow.swap(true, Ordering::Relaxed) {
            return work.await.map_err(|e| self.failed(e));
        }
        // The driver sends in the order of first polls, so the narrowing goes first; if it fails, the server skips
        // what follows and the transaction cannot commit.
        let both = try_join(self.tx.batch_execute(&self.narrow), work).await;
        both.map(|((), done)| done).map_err(|e| self.failed(e))
    }

    async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let statement = self.prepare(sql).await?;
        self.run(self.tx.query(&statement, params)).await
    }

    async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        let statement = self.prepare(sql).await?;
        self.run(self.tx.execute(&statement, params)).await
    }
}

/// A transaction in which one tenant's rows exist and no others.
pub struct TenantTx<'c> {
    inner: Narrowed<'c>,
    tenant: Tenant,
    pen: Pen,
}

impl<'c> TenantTx<'c> {
    pub(super) async fn open(
        connection: &'c mut Object,
        tenant: Tenant,
        statement_cache: bool,
        demoted: Demoted,
        pen: Pen,
    ) -> Result<Self, DbError> {
        let narrow = tenant_role(tenant);
        Ok(Self {
            inner: Narrowed::open(connection, narrow, statement_cache, demoted).await?,
            tenant,
            pen,
        })
    }

    pub(super) const fn pen(&self) -> &Pen {
        &self.pen
    }

    /// Whose rows this transaction sees.
    #[must_use]
    pub const fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// How every statement of this transaction is planned, and room to add up in: a ceiling that charts come near, and of
    /// which there are as many as the pool has connections.
    pub(super) fn plan(&mut self, kind: &str) {
        let more = format!("; SET LOCAL plan_cache_mode = force_{kind}_plan; SET LOCAL work_mem = '32MB'");
        self.inner.narrow.push_str(&more);
    }

    /// Sees all the time what was there when it began, and changes nothing. Rows are read in the order of an index, however
    /// many there are, and who takes them may be slow.
    pub(super) async fn still(
        connection: &'c mut Object,
        tenant: Tenant,
        statement_cache: bool,
        demoted: Demoted,
        pen: Pen,
    ) -> Result<Self, DbError> {
        let level = connection
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead);
        let tx = level.read_only(true).start().await?;
        let mut narrow = tenant_role(tenant);
        narrow += "; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_sort = off; \
                   SET LOCAL idle_in_transaction_session_timeout = '10min'";
        Ok(Self {
            inner: Narrowed {
                tx,
                narrow,
                is_narrow: AtomicBool::new(false),
                statement_cache,
                demoted,
            },
            tenant,
            pen,
        })
    }

    /// Hands the rows of a statement over one by one. No more than a portion of them is in memory.
    ///
    /// # Errors
    /// As the statement fails, and as `take` does.
    pub async fn each<E: From<DbError>>(
        &self,
        sql: &str,
        params: Params<'_>,
        portion: u16,
        mut take: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let statement = self.inner.prepare(sql).await?;
        let portal = self.inner.run(self.inner.tx.bind(&statement, params)).await?;
        loop {
            let next = self.inner.tx.query_portal(&portal, i32::from(portion));
            let rows = self.inner.run(next).await?;
            for row in &rows {
                take(row)?;
            }
            if rows.len() < usize::from(portion) {
                return Ok(());
            }
        }
    }

    /// Rows of a statement of the registry.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.inner.query(sql, params).await
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        self.inner.query_opt(sql, params).await
    }

    /// How many rows a statement changed.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        self.inner.execute(sql, params).await
    }

    /// Runs one statement on the control tables inside this transaction, so that a machine and its login, or a
    /// token and its credential, exist together or not at all.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn platform(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        let statement = self.inner.prepare(sql).await?;
        self.inner.is_narrow.store(true, Ordering::Relaxed);
        let back = tenant_role(self.tenant);
        let tx = &self.inner.tx;
        tx.batch_execute(&narrowing(None)).await?;
        let rows = tx.query(&statement, params).await?;
        tx.batch_execute(&back).await?;
        Ok(rows)
    }

    /// Goes on in another tenant's rows, for what moves from one to the other: there once, whatever fails.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn into_tenant(self, tenant: Tenant) -> Result<Self, DbError> {
        let Self { inner, pen, .. } = self;
        inner.tx.batch_execute(&tenant_role(tenant)).await?;
        inner.is_narrow.store(true, Ordering::Relaxed);
        Ok(Self { inner, tenant, pen })
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the answer is lost: then it is unknown whether it happened.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.inner.tx.commit().await?)
    }
}

/// The role of a transaction, the tenant of one that has one, and its limits: a statement that takes too long, a lock that
/// does not come, and a replica that freezes in the middle, which would hold back every reader of the logs on this server.
/// Compiling a statement takes longer than any of ours runs, and so does starting workers for it, which take the
/// processors of others besides.
fn narrowing(tenant: Option<Tenant>) -> String {
    let role = if tenant.is_some() { "service" } else { "platform" };
    // Numbers formatted by us: nothing to inject. SET LOCAL ends with the transaction whatever happens.
    let id = tenant.map_or_else(String::new, |tenant| tenant.id().to_string());
    let millis = timeout_millis();
    format!(
        "SET LOCAL ROLE garrison_{role}; SET LOCAL app.tenant = '{id}'; SET LOCAL statement_timeout = {millis}; \
         SET LOCAL lock_timeout = '4s'; SET LOCAL idle_in_transaction_session_timeout = '15s'; SET LOCAL jit = off; \
         SET LOCAL max_parallel_workers_per_gather = 0"
    )
}

fn tenant_role(tenant: Tenant) -> String {
    narrowing(Some(tenant))
}

/// A transaction on the control tables: credentials, lanes, tenants.
pub struct PlatformTx<'c> {
    inner: Narrowed<'c>,
    pen: Pen,
}

impl<'c> PlatformTx<'c> {
    pub(super) async fn open(
        connection: &'c mut Object,
        statement_cache: bool,
        demoted: Demoted,
        pen: Pen,
    ) -> Result<Self, DbError> {
        Ok(Self {
            inner: Narrowed::open(connection, narrowing(None), statement_cache, demoted).await?,
            pen,
        })
    }

    /// Rows of a statement of the registry.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.inner.query(sql, params).await
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        self.inner.query_opt(sql, params).await
    }

    /// How many rows a statement changed.
    ///
    /// # Errors
    /// As the statement fails.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        self.inner.execute(sql, params).await
    }

    /// Goes on in one tenant's rows: what was done so far and what follows exist together or not at all.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn into_tenant(self, tenant: Tenant) -> Result<TenantTx<'c>, DbError> {
        let Self { mut inner, pen } = self;
        inner.narrow = tenant_role(tenant);
        inner.tx.batch_execute(&inner.narrow).await?;
        inner.is_narrow.store(true, Ordering::Relaxed);
        Ok(TenantTx { inner, tenant, pen })
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the answer is lost.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.inner.tx.commit().await?)
    }
}
