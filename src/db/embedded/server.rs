//! The server process: made, started, watched, stopped.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::binaries::{self, Binaries};
use super::error::{EmbeddedError, io_at};
use super::launch::{Launcher, words};
use super::layout::Layout;
use super::settings::{Listen, fast, settings};

/// How long a fast shutdown may take; it writes a checkpoint.
const FAST_SHUTDOWN: Duration = Duration::from_mins(1);
/// How long an immediate shutdown may take.
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(10);

/// A cluster that is ready to be started. Making one blocks.
pub(super) struct Prepared {
    pub layout: Layout,
    launcher: Launcher,
    binaries: Binaries,
    /// Whether the server was built with lz4.
    lz4: bool,
}

impl Prepared {
    /// Finds the programs and the user, and makes the cluster where there is none.
    pub fn new(layout: Layout) -> Result<Self, EmbeddedError> {
        let version = layout.version()?;
        let binaries = binaries::find(version, &layout.cluster())?;
        let launcher = Launcher::prepare(&layout, &binaries)?;
        if version.is_none() {
            layout.make_password(|file| launcher.give(file))?;
            initdb(&layout, &launcher, &binaries)?;
        } else if !layout.password_file().exists() {
            return Err(EmbeddedError::PasswordMissing(layout.password_file()));
        }
        let lz4 = supports_lz4(&launcher, &binaries);
        Ok(Self {
            layout,
            launcher,
            binaries,
            lz4,
        })
    }
}

/// A server that this process started. Dropping it asks the server to shut down.
#[derive(Debug)]
pub(super) struct Server {
    pid: Pid,
    exited: watch::Receiver<Option<String>>,
}

impl Server {
    /// Starts the server. It does not accept connections yet.
    pub async fn spawn(prepared: &Prepared, listen: Listen) -> Result<Self, EmbeddedError> {
        let Prepared {
            layout,
            launcher,
            binaries,
            lz4,
        } = prepared;
        let log = layout.open_log()?;
        let mut command = launcher.command(binaries.dir.join("postgres"), "INT");
        command.arg("-D").arg(launcher.view().join("cluster"));
        for setting in settings(listen, launcher.view(), *lz4) {
            command.args(["-c", &setting]);
        }
        command
            .stdout(log.try_clone().map_err(io_at("open", &layout.log()))?)
            .stderr(log);
        // Ctrl-C in a terminal is for us; we stop the server when we no longer need it.
        command.process_group(0);
        Self::run(command).await
    }

    /// The death signal follows the parent *thread*, so the parent is a thread that lives as long as the
    /// server.
    async fn run(mut command: Command) -> Result<Self, EmbeddedError> {
        let (started, pid) = oneshot::channel();
        let (ended, exited) = watch::channel(None);
        let parent = move || match command.spawn() {
            Ok(mut child) => {
                // The receivers may be gone already; the server is looked after all the same.
                let _ = started.send(Ok(child.id()));
                let status = child
                    .wait()
                    .map_or_else(|error| error.to_string(), |status| status.to_string());
                let _ = ended.send(Some(status));
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        };
        thread::Builder::new()
            .name("postgres-parent".to_owned())
            .spawn(parent)
            .map_err(EmbeddedError::Spawn)?;
        let lost = || EmbeddedError::Spawn(std::io::Error::other("the starting thread ended"));
        let pid = pid.await.map_err(|_| lost())?.map_err(EmbeddedError::Spawn)?;
        let pid = i32::try_from(pid).map_err(|_| lost())?;
        Ok(Self {
            pid: Pid::from_raw(pid),
            exited,
        })
    }

    /// How the server ended, when it has.
    pub fn exit_status(&self) -> Option<String> {
        self.exited.borrow().clone()
    }

    /// Waits until the server has ended.
    pub async fn exited(&self) -> String {
        let mut exited = self.exited.clone();
        let status = exited.wait_for(Option::is_some).await;
        status
            .ok()
            .and_then(|status| status.clone())
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// Shuts the server down and waits for its end.
    pub async fn stop(self) {
        for (signal, patience) in [
            (Signal::SIGINT, FAST_SHUTDOWN),
            (Signal::SIGQUIT, IMMEDIATE_SHUTDOWN),
        ] {
            self.signal(signal);
            if timeout(patience, self.exited()).await.is_ok() {
                return;
            }
            tracing::warn!(pid = %self.pid, %signal, "Postgres does not shut down");
        }
    }

    fn signal(&self, signal: Signal) {
        // Once it has been waited for, the number may be somebody else's.
        if self.exit_status().is_none()
            && let Err(error) = kill(self.pid, signal)
        {
            tracing::warn!(pid = %self.pid, %signal, %error, "cannot signal Postgres");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// Makes the cluster. It gets its name only when it is complete.
fn initdb(layout: &Layout, launcher: &Launcher, binaries: &Binaries) -> Result<(), EmbeddedError> {
    let unfinished = layout.unfinished();
    let cluster = layout.cluster();
    tracing::info!(cluster = %cluster.display(), version = binaries.major, "making a Postgres cluster");
    let run = |locale: &str| -> Result<Result<(), String>, EmbeddedError> {
        if unfinished.symlink_metadata().is_ok() {
            std::fs::remove_dir_all(&unfinished).map_err(io_at("remove", &unfinished))?;
        }
        let mut command = launcher.command(binaries.dir.join("initdb"), "KILL");
        command.arg("-D").arg(launcher.view().join("cluster.new"));
        command.arg("--pwfile").arg(launcher.view().join("password"));
        command.args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--data-checksums",
        ]);
        command.args(["--no-instructions", locale]);
        if fast() {
            command.arg("--no-sync");
        }
        let output = command.output().map_err(EmbeddedError::Spawn)?;
        Ok(if output.status.success() {
            Ok(())
        } else {
            Err(words(&output))
        })
    };
    let mut outcome = run("--locale=C.UTF-8")?;
    if outcome.as_ref().is_err_and(|text| text.contains("locale")) {
        outcome = run("--locale=C")?;
    }
    outcome.map_err(EmbeddedError::InitDb)?;
    std::fs::rename(&unfinished, &cluster).map_err(io_at("make", &cluster))?;
    layout.sync().map_err(io_at("make", &cluster))
}

/// Asks the server program itself whether it was built with lz4.
fn supports_lz4(launcher: &Launcher, binaries: &Binaries) -> bool {
    let mut command = launcher.command(binaries.dir.join("postgres"), "KILL");
    command.arg("-D").arg(launcher.view().join("cluster"));
    command.args([
        "-c",
        "wal_compression=lz4",
        "-c",
        "default_toast_compression=lz4",
        "-C",
        "wal_compression",
    ]);
    command.output().is_ok_and(|output| output.status.success())
}
