//! How programs of the server are started: as which user, under which path, and tied to our life.
//!
//! Postgres refuses to run as root. As root we run it as `postgres` (else `nobody`) through `setpriv`, and
//! where that user cannot reach the data directory (a clone under /root), in a private mount namespace that
//! shows the directory under another path and leaves nothing behind.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::unistd::{Uid, User};

use super::binaries::Binaries;
use super::error::{EmbeddedError, io_at};
use super::layout::Layout;

/// Shows `$0` at `$1` in a namespace of our own, then runs the rest there.
const ENTER: &str = r#"mount --bind "$0" "$1" && cd "$1" && shift && exec "$@""#;
/// Runs the rest unless the parent died before the death signal was set up.
const GUARD: &str = r#"[ "$PPID" = "$0" ] || exit 1; exec "$@""#;
/// Directories of every Linux system that a private namespace may cover.
const MOUNT_POINTS: [&str; 3] = ["/mnt", "/media", "/srv"];

/// Whom the server runs as, when that is not us.
#[derive(Debug, Clone)]
struct Identity {
    uid: u32,
    gid: u32,
    name: String,
}

/// Starts programs the way the private server needs it.
#[derive(Debug, Clone)]
pub(super) struct Launcher {
    identity: Option<Identity>,
    base: PathBuf,
    mount_at: Option<&'static str>,
}

impl Launcher {
    /// Decides on the user, gives it the directory, and checks that it gets there.
    pub fn prepare(layout: &Layout, binaries: &Binaries) -> Result<Self, EmbeddedError> {
        let base = layout.base.clone();
        let mut launcher = Self {
            identity: identity(layout)?,
            base,
            mount_at: None,
        };
        let Some(identity) = launcher.identity.clone() else {
            return Ok(launcher);
        };
        let base = &launcher.base;
        lchown(base, Some(identity.uid), Some(identity.gid)).map_err(io_at("change the owner of", base))?;

        if !launcher
            .test("-x", &binaries.dir.join("postgres"))?
            .status
            .success()
        {
            return Err(EmbeddedError::BinariesUnreachable {
                dir: binaries.dir.clone(),
                user: identity.name,
            });
        }
        if !launcher.test("-x", &launcher.base)?.status.success() {
            launcher.mount_at = MOUNT_POINTS
                .into_iter()
                .find(|point| Path::new(point).is_dir() && !binaries.dir.starts_with(point));
            let entered = launcher.test("-w", Path::new("."))?;
            if launcher.mount_at.is_none() || !entered.status.success() {
                return Err(EmbeddedError::Unreachable {
                    dir: launcher.base,
                    user: identity.name,
                    detail: words(&entered),
                });
            }
        }
        Ok(launcher)
    }

    /// The cluster's parent directory as the server sees it.
    pub fn view(&self) -> &Path {
        self.mount_at.map_or(&self.base, Path::new)
    }

    /// Makes a file the server's own.
    pub fn give(&self, file: &File) -> io::Result<()> {
        self.identity
            .as_ref()
            .map_or(Ok(()), |owner| fchown(file, Some(owner.uid), Some(owner.gid)))
    }

    /// A command that runs `program` as the server's user and gets `signal` when the calling *thread* ends.
    /// Arguments follow. Each step replaces itself with the next, so the child is `program` itself.
    pub fn command(&self, program: impl AsRef<OsStr>, signal: &str) -> Command {
        let mut command = if let Some(point) = self.mount_at {
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "sh", "-c", ENTER])
                .arg(&self.base)
                .args([point, "setpriv"]);
            command.current_dir("/");
            command
        } else {
            let mut command = Command::new("setpriv");
            command.current_dir(if self.identity.is_some() {
                Path::new("/")
            } else {
                &self.base
            });
            command
        };
        if let Some(Identity { uid, gid, .. }) = &self.identity {
            command.args([
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ]);
        }
        let us = std::process::id().to_string();
        command
            .args(["--no-new-privs", "--pdeathsig", signal, "sh", "-c", GUARD, &us])
            .arg(program);
        // Our environment may hold secrets that are not the server's business.
        command
            .env_clear()
            .env("PATH", search_path())
            .stdin(Stdio::null());
        command
    }

    fn test(&self, flag: &str, path: &Path) -> Result<Output, EmbeddedError> {
        let mut command = self.command("test", "KILL");
        let program = if self.mount_at.is_some() {
            "unshare"
        } else {
            "setpriv"
        };
        command
            .arg(flag)
            .arg(path)
            .output()
            .map_err(|source| EmbeddedError::Tool { program, source })
    }
}

/// What a failed command printed, or how it ended.
pub(super) fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.trim();
    if text.is_empty() {
        output.status.to_string()
    } else {
        text.to_owned()
    }
}

/// As root: the owner of what is there, else `postgres`, else `nobody`. As anybody else: ourselves.
fn identity(layout: &Layout) -> Result<Option<Identity>, EmbeddedError> {
    let us = Uid::effective();
    let base = fs::metadata(&layout.base).map_err(io_at("look at", &layout.base))?;
    if !us.is_root() {
        let (owner, us) = (base.uid(), us.as_raw());
        if owner != us {
            return Err(EmbeddedError::Owner {
                dir: layout.base.clone(),
                owner,
                us,
            });
        }
        return Ok(None);
    }
    let owners = [fs::metadata(layout.cluster()).ok(), Some(base)];
    if let Some(owner) = owners.into_iter().flatten().find(|owner| owner.uid() != 0) {
        let (uid, gid) = (owner.uid(), owner.gid());
        let name = User::from_uid(uid.into())
            .ok()
            .flatten()
            .map_or_else(|| uid.to_string(), |user| user.name);
        return Ok(Some(Identity { uid, gid, name }));
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten());
    let user = user
        .filter(|user| !user.uid.is_root())
        .ok_or(EmbeddedError::NoUser)?;
    Ok(Some(Identity {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        name: user.name,
    }))
}

/// Where `setpriv`, `unshare`, `mount` and `sh` are, whatever our own search path is.
fn search_path() -> String {
    let ours = std::env::var("PATH").unwrap_or_default();
    let separator = if ours.is_empty() { "" } else { ":" };
    format!("{ours}{separator}/usr/sbin:/usr/bin:/sbin:/bin")
}
