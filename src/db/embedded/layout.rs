//! The directory `<data dir>/postgres`: where things are, who may read them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::error::{EmbeddedError, io_at};

/// The port in the socket's name; nothing listens on it over TCP.
pub(super) const SOCKET_PORT: u16 = 5432;
/// `sun_path` holds 108 bytes with the closing zero.
const SOCKET_PATH_LIMIT: usize = 107;
/// A longer log is emptied at the next start.
const LOG_LIMIT: u64 = 16 << 20;

/// Paths of one private cluster.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// `<data dir>/postgres`, absolute, without symbolic links.
    pub base: PathBuf,
}

impl Layout {
    /// Makes the directories where they are missing.
    pub fn create(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let base = data_dir.join("postgres");
        fs::create_dir_all(data_dir).map_err(io_at("create", data_dir))?;
        match DirBuilder::new().mode(0o700).create(&base) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io_at("create", &base)(error)),
            _ => Self::existing(data_dir).map_err(io_at("open", &base)),
        }
    }

    /// The directories as they are.
    pub fn existing(data_dir: &Path) -> io::Result<Self> {
        Ok(Self {
            base: data_dir.join("postgres").canonicalize()?,
        })
    }

    /// PGDATA.
    pub fn cluster(&self) -> PathBuf {
        self.base.join("cluster")
    }

    /// PGDATA while `initdb` works on it.
    pub fn unfinished(&self) -> PathBuf {
        self.base.join("cluster.new")
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.base.join("log")
    }

    /// The superuser's password.
    pub fn password_file(&self) -> PathBuf {
        self.base.join("password")
    }

    /// The socket's lock file, which Postgres keeps beside it.
    pub fn socket_lock(&self) -> PathBuf {
        self.base.join(format!(".s.PGSQL.{SOCKET_PORT}.lock"))
    }

    /// Whether a client can name the socket in this directory.
    pub fn socket_fits(&self) -> bool {
        let socket = self.base.join(format!(".s.PGSQL.{SOCKET_PORT}"));
        socket.as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT
    }

    /// The major version that made the cluster; none where there is no cluster yet.
    pub fn version(&self) -> Result<Option<u32>, EmbeddedError> {
        let cluster = self.cluster();
        if !cluster.try_exists().map_err(io_at("look at", &cluster))? {
            return Ok(None);
        }
        let version = fs::read_to_string(cluster.join("PG_VERSION")).unwrap_or_default();
        version
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| EmbeddedError::NotACluster(cluster))
    }

    /// Takes the lock of whoever runs the cluster; none when somebody else has it. It ends with the process.
    pub fn lock(&self) -> Result<Option<Flock<File>>, EmbeddedError> {
        let path = self.base.join("lock");
        let file = options()
            .write(true)
            .create(true)
            .open(&path)
            .map_err(io_at("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(io_at("lock", &path)(errno.into())),
        }
    }

    /// The password, once there is one.
    pub fn password(&self) -> io::Result<String> {
        let mut text = String::new();
        options()
            .read(true)
            .open(self.password_file())?
            .read_to_string(&mut text)?;
        Ok(text.trim().to_owned())
    }

    /// Makes a password where there is none. A rename publishes it whole.
    pub fn make_password(&self, owner: impl Fn(&File) -> io::Result<()>) -> Result<(), EmbeddedError> {
        let path = self.password_file();
        if self.password().is_ok_and(|password| !password.is_empty()) {
            return Ok(());
        }
        let half = self.base.join("password.new");
        let write = || -> io::Result<()> {
            remove_if_there(&half)?;
            let mut file = options().write(true).create_new(true).open(&half)?;
            writeln!(
                file,
                "{:032x}{:016x}",
                rand::random::<u128>(),
                rand::random::<u64>()
            )?;
            owner(&file)?;
            file.sync_all()?;
            fs::rename(&half, &path)?;
            self.sync()
        };
        write().map_err(io_at("write", &path))
    }

    /// Makes renames in the directory durable.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.base)?.sync_all()
    }

    /// The log, opened for the server to append to.
    pub fn open_log(&self) -> Result<File, EmbeddedError> {
        let path = self.log();
        let open = || -> io::Result<File> {
            let file = options().append(true).create(true).open(&path)?;
            if file.metadata()?.len() > LOG_LIMIT {
                file.set_len(0)?;
            }
            Ok(file)
        };
        open().map_err(io_at("open", &path))
    }

    /// The log's last lines, for an error message.
    pub fn log_tail(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = options().read(true).open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }
}

/// Files of ours are private. Links are not followed: the directory belongs to the server's user, who must
/// not lead us (perhaps root) elsewhere.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    options
}

/// Removes a file that may be missing.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_paths_have_a_limit() {
        let of = |length: usize| Layout {
            base: PathBuf::from(format!("/{}", "d".repeat(length - 1))),
        };
        assert!(of(107 - "/.s.PGSQL.5432".len()).socket_fits());
        assert!(!of(108 - "/.s.PGSQL.5432".len()).socket_fits());
    }
}
