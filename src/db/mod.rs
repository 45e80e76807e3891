//! Postgres: the pool, the transactions that carry a tenant, migrations, the private cluster.

mod audit;
mod embedded;
mod error;
mod migrate;
mod partitions;
mod patience;
mod pool;
mod replica;
mod scope;
mod tenant;
mod tls;
mod tx;

pub use audit::{By, Entry, Kind as ActorKind};
pub use embedded::{Cluster, EmbeddedError, running_url};
pub use error::DbError;
pub use migrate::{MigrateError, expected_version, migrate, schema_version};
pub use partitions::{Ahead, drop_partitions, make_partitions, partitions_ahead};
pub use patience::patiently;
pub use pool::{Connection, Db, DbConfig};
pub use replica::{ReadConfig, Reading, Replica, watch_replica};
pub use scope::{Scope, within};
pub use tenant::Tenant;
pub use tx::{PlatformTx, TenantTx};

/// A statement of `sql/<slice>/<verb>.sql`.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $name, ".sql"))
    };
}
pub(crate) use sql;
