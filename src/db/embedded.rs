//! Garrison's own Postgres: a private cluster under the data directory, for those who do not bring a
//! database.
//!
//! `<data dir>/postgres/` holds `cluster` (PGDATA), the socket, `password` (the superuser's), `log`, and
//! `lock`, which belongs to the process that started the server. The server never listens beyond this machine
//! and never outlives its service: when that is killed, the kernel tells the server to shut down.

mod binaries;
mod error;
mod launch;
mod layout;
mod postmaster;
mod server;
mod settings;

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::Flock;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

pub use self::error::EmbeddedError;
use self::error::io_at;
use self::layout::{Layout, SOCKET_PORT};
use self::postmaster::PidFile;
use self::server::{Prepared, Server};
use self::settings::Listen;

const DATABASE: &str = "garrison";
/// How long a server, ours or another process's, may take until it answers.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long, when it says that it is recovering: to stop it then would make the next start begin anew.
const RECOVERY_PATIENCE: Duration = Duration::from_mins(10);
/// How long a server that we did not start must stay before we believe that it does not belong to a dying
/// service.
const ADOPTION_DELAY: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// The running private cluster. Call [`Cluster::stop`] at the end; dropping it only asks the server to go.
pub struct Cluster {
    url: String,
    // Fields are dropped in order: the server before the lock.
    server: Option<Server>,
    /// The process number of a server that another process started.
    adopted: Option<i32>,
    _lock: Option<Flock<File>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("adopted", &self.is_adopted())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Makes the cluster where there is none, starts it where it does not run, and waits until it answers.
    ///
    /// A server that already runs on the directory is adopted, and then not stopped at the end.
    ///
    /// # Errors
    /// Every failure says what to do about it: see [`EmbeddedError`].
    pub async fn start(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let layout = Layout::create(data_dir)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = layout.lock()? {
                return Self::start_locked(layout, lock).await;
            }
            // Somebody else runs it, or is about to.
            if let Some(url) = answering_url(&layout).await {
                return Ok(Self {
                    url,
                    server: None,
                    adopted: PidFile::read(&layout.cluster()).map(|file| file.pid),
                    _lock: None,
                });
            }
            if Instant::now() > deadline {
                return Err(EmbeddedError::Busy(layout.base));
            }
            sleep(PAUSE).await;
        }
    }

    async fn start_locked(layout: Layout, lock: Flock<File>) -> Result<Self, EmbeddedError> {
        if let Some(url) = wait_until_vacant(&layout).await? {
            return Ok(Self {
                url,
                server: None,
                adopted: PidFile::read(&layout.cluster()).map(|file| file.pid),
                _lock: Some(lock),
            });
        }
        let prepared = spawn_blocking(move || Prepared::new(layout))
            .await
            .map_err(panicked)??;
        let layout = &prepared.layout;
        let password = layout
            .password()
            .map_err(io_at("read", &layout.password_file()))?;
        // A port that was free a moment ago may be taken by now.
        let mut attempts = if layout.socket_fits() { 1 } else { 3 };
        loop {
            attempts -= 1;
            let listen = if layout.socket_fits() {
                Listen::Socket(SOCKET_PORT)
            } else {
                Listen::Loopback(settings::free_port().unwrap_or(SOCKET_PORT))
            };
            let url = |database| listen.url(&layout.base, &password, database);
            let server = Server::spawn(&prepared, listen).await?;
            match wait_until_ready(layout, &server, &url("postgres")).await {
                Err(EmbeddedError::Exited { .. }) if attempts > 0 => {}
                Err(error) => {
                    server.stop().await;
                    return Err(error);
                }
                Ok(()) => {
                    let cluster = Self {
                        url: url(DATABASE),
                        server: Some(server),
                        adopted: None,
                        _lock: Some(lock),
                    };
                    ensure_database(&url("postgres")).await?;
                    return Ok(cluster);
                }
            }
        }
    }

    /// A connection URL of the database `garrison`, with the password in it.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Whether the server was there before us; its end is then not ours to decide.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.server.is_none()
    }

    /// Waits until the server ends by itself, which it should not, or until the process that owns it ends it; says
    /// what happened.
    pub async fn exited(&self) -> String {
        if let Some(server) = &self.server {
            return server.exited().await;
        }
        // Not our child: it is looked at.
        while self.adopted.is_some_and(postmaster::is_server) {
            sleep(Duration::from_secs(1)).await;
        }
        "the server of another process, which this one used, ended".to_owned()
    }

    /// Shuts the server down and waits for its end, if this process started it.
    pub async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }
}

/// The connection URL of the server that runs on `data_dir`, if one does: for command-line calls beside a
/// service.
#[must_use]
pub fn running_url(data_dir: &Path) -> Option<String> {
    url_of_running(&Layout::existing(data_dir).ok()?, DATABASE)
}

fn url_of_running(layout: &Layout, database: &str) -> Option<String> {
    let running = PidFile::read(&layout.cluster()).filter(|it| it.ready && postmaster::is_server(it.pid))?;
    let socket = running.socket && layout.socket_fits();
    let listen = if socket {
        Listen::Socket(running.port)
    } else {
        Listen::Loopback(running.port)
    };
    Some(listen.url(&layout.base, &layout.password().ok()?, database))
}

/// The URL of a server that runs and answers.
async fn answering_url(layout: &Layout) -> Option<String> {
    let url = url_of_running(layout, DATABASE)?;
    let client = connect(&url).await.ok()?;
    client.simple_query("").await.ok()?;
    Some(url)
}

/// A server without a lock's owner belonged to a service that was killed, and is shutting down; or somebody
/// started it by hand. Gives the latter's URL.
async fn wait_until_vacant(layout: &Layout) -> Result<Option<String>, EmbeddedError> {
    let since = Instant::now();
    let mut told = false;
    loop {
        let mut occupants = postmaster::occupants(&layout.cluster());
        occupants.extend(postmaster::occupants(&layout.unfinished()));
        let Some(pid) = occupants.first().copied() else {
            postmaster::clear_stale(layout).map_err(io_at("tidy", &layout.base))?;
            return Ok(None);
        };
        if since.elapsed() > ADOPTION_DELAY {
            if let Some(url) = answering_url(layout).await {
                return Ok(Some(url));
            }
            if !told {
                tracing::info!(pid, "waiting for the former Postgres server to shut down");
                told = true;
            }
        }
        if since.elapsed() > PATIENCE {
            return Err(EmbeddedError::StillRunning {
                pid,
                dir: layout.cluster(),
            });
        }
        sleep(PAUSE).await;
    }
}

async fn wait_until_ready(layout: &Layout, server: &Server, url: &str) -> Result<(), EmbeddedError> {
    let since = Instant::now();
    let mut reported = since;
    let mut patience = PATIENCE;
    loop {
        // Before the attempt: the server's last words are in the log by then.
        let ended = server.exit_status();
        match connect(url).await {
            Ok(_) => return Ok(()),
            Err(EmbeddedError::Database(error)) => match error.code() {
                Some(&SqlState::CANNOT_CONNECT_NOW) => patience = RECOVERY_PATIENCE,
                Some(_) => return Err(error.into()),
                // Not listening yet.
                None => {}
            },
            Err(_) => {}
        }
        if let Some(status) = ended {
            return Err(EmbeddedError::Exited {
                status,
                log: layout.log(),
                tail: layout.log_tail(),
            });
        }
        if since.elapsed() > patience {
            return Err(EmbeddedError::Timeout {
                seconds: patience.as_secs(),
                log: layout.log(),
            });
        }
        if reported.elapsed() > Duration::from_secs(5) {
            reported = Instant::now();
            let recovering = patience == RECOVERY_PATIENCE;
            tracing::info!(
                seconds = since.elapsed().as_secs(),
                recovering,
                "waiting for Postgres"
            );
        }
        sleep(PAUSE).await;
    }
}

async fn ensure_database(url: &str) -> Result<(), EmbeddedError> {
    let client = connect(url).await?;
    let known = client
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE])
        .await?;
    if known.is_none() {
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
    }
    Ok(())
}

/// A connection that ends with its client.
async fn connect(url: &str) -> Result<Client, EmbeddedError> {
    let attempt = timeout(Duration::from_secs(5), tokio_postgres::connect(url, NoTls));
    let (client, connection) = attempt.await.map_err(|_| EmbeddedError::Silent)??;
    tokio::spawn(connection);
    Ok(client)
}

/// The blocking half does not panic; should it, that is an error of the start and no reason to go down.
fn panicked(error: JoinError) -> EmbeddedError {
    EmbeddedError::Spawn(std::io::Error::other(error))
}
