//! What can go wrong with the private cluster, each with the way out in its text.

use std::io;
use std::path::{Path, PathBuf};

/// Why Garrison's own Postgres could not be brought up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// A file or directory of the cluster could not be read, made or changed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are no Postgres server programs on this machine.
    #[error(
        "no PostgreSQL server (15 or newer) found on this machine; install one with\n\
         \x20   sudo apt-get install -y postgresql\n\
         or set PG_BINDIR to the directory that holds `postgres` and `initdb`, or give Garrison the URL of a \
         database that exists"
    )]
    NoBinaries,
    /// `PG_BINDIR` is set, and holds no usable server.
    #[error(
        "PG_BINDIR={} holds no PostgreSQL server of version 15 or newer (`postgres` and \
         `initdb`)",
        .0.display()
    )]
    BinDir(PathBuf),
    /// The cluster was made by another major version than any installed one.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, but this machine has only {found}; install it \
         (sudo apt-get install -y postgresql-{cluster}), or move the data with pg_upgrade or pg_dumpall",
        dir.display()
    )]
    Version {
        /// The cluster's directory.
        dir: PathBuf,
        /// Major version that made it.
        cluster: u32,
        /// Major versions at hand.
        found: String,
    },
    /// The directory is there, but is not a finished cluster.
    #[error(
        "{} exists but is not a PostgreSQL cluster (no readable PG_VERSION); move it away and start \
         again",
        .0.display()
    )]
    NotACluster(PathBuf),
    /// The cluster belongs to somebody else, and we may not become that user.
    #[error(
        "{} belongs to uid {owner}, and Garrison runs as uid {us}: run it as that user (or as root), or \
         `chown -R {us}` the directory",
        dir.display()
    )]
    Owner {
        /// The cluster's parent directory.
        dir: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// Postgres refuses to run as root, and there is nobody else to run it as.
    #[error("running as root needs a user `postgres` or `nobody` to run PostgreSQL as; there is neither")]
    NoUser,
    /// A program that drops privileges is missing.
    #[error("cannot run `{program}` (package util-linux): {source}")]
    Tool {
        /// Name of the program.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The user that Postgres runs as cannot get to the data directory.
    #[error(
        "user {user} cannot reach {}, and a private mount namespace could not be made ({detail}); use a data \
         directory below one that every user may enter (such as /var/lib/garrison), or `chmod o+x` its \
         parents, or run Garrison as an ordinary user",
        dir.display()
    )]
    Unreachable {
        /// The directory.
        dir: PathBuf,
        /// Name or number of the user.
        user: String,
        /// What the attempt printed.
        detail: String,
    },
    /// The user that Postgres runs as cannot run the server programs.
    #[error(
        "user {user} cannot run the PostgreSQL programs in {}; install them where every user \
         may",
        dir.display()
    )]
    BinariesUnreachable {
        /// Where the programs are.
        dir: PathBuf,
        /// Name or number of the user.
        user: String,
    },
    /// The cluster exists, its password does not.
    #[error(
        "the cluster's password file {} is missing: restore it from a backup, or move the cluster \
         away",
        .0.display()
    )]
    PasswordMissing(PathBuf),
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    InitDb(String),
    /// The server process could not be started.
    #[error("cannot start the PostgreSQL server: {0}")]
    Spawn(io::Error),
    /// The server ended before it accepted a connection.
    #[error("the PostgreSQL server ended while starting ({status}); the end of {}:\n{tail}", log.display())]
    Exited {
        /// Exit status, in words.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server did not accept a connection in time.
    #[error("the PostgreSQL server accepted no connection within {seconds} s; see {}", log.display())]
    Timeout {
        /// How long we waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// Another process holds the cluster and does not bring it up.
    #[error(
        "another Garrison process holds {} but its database does not answer; stop that process, or give this \
         one a data directory of its own",
        .0.display()
    )]
    Busy(PathBuf),
    /// A server that we cannot talk to runs on the directory.
    #[error(
        "a PostgreSQL server (pid {pid}) still uses {}; stop it with `kill -INT {pid}` and start \
         again",
        dir.display()
    )]
    StillRunning {
        /// Its process.
        pid: i32,
        /// The cluster.
        dir: PathBuf,
    },
    /// The server let a connection in and said nothing.
    #[error("the embedded database does not answer")]
    Silent,
    /// The server answered, with an error.
    #[error("the embedded database refused: {0}")]
    Database(#[from] tokio_postgres::Error),
}

/// Gives an I/O error its action and path.
pub(super) fn io_at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { action, path, source }
}
