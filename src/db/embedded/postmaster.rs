//! Who runs on a cluster at this moment: `postmaster.pid`, and the processes themselves.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::layout::{Layout, remove_if_there};

/// What a server says of itself in `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub pid: i32,
    pub port: u16,
    /// Whether it listens on a socket in the file system.
    pub socket: bool,
    /// Whether it says that it accepts connections.
    pub ready: bool,
}

impl PidFile {
    /// Reads the file of a running (or killed) server.
    pub fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(cluster.join("postmaster.pid")).ok()?)
    }

    /// Lines: pid, data directory, start time, port, socket directory, address, shared memory, status.
    fn parse(text: &str) -> Option<Self> {
        let line = |number: usize| text.lines().nth(number).map_or("", str::trim);
        Some(Self {
            pid: line(0).parse().ok().filter(|pid| *pid > 0)?,
            port: line(3).parse().unwrap_or(0),
            socket: !line(4).is_empty(),
            ready: matches!(line(7), "ready" | "standby"),
        })
    }
}

/// Server processes at work in `cluster`: the postmaster, or children that outlived it for a moment.
pub(super) fn occupants(cluster: &Path) -> Vec<i32> {
    let Ok(here) = fs::metadata(cluster) else {
        return Vec::new();
    };
    let named = PidFile::read(cluster).map(|file| file.pid);
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| is_server(*pid) && works_in(*pid, &here, named))
        .collect()
}

/// Whether a process of that number is a Postgres server; numbers are used again.
pub(super) fn is_server(pid: i32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    matches!(name.trim_end(), "postgres" | "postmaster")
}

/// A server's working directory is its cluster, also when it sees it under another path.
fn works_in(pid: i32, cluster: &fs::Metadata, named: Option<i32>) -> bool {
    match fs::metadata(format!("/proc/{pid}/cwd")) {
        Ok(cwd) => (cwd.dev(), cwd.ino()) == (cluster.dev(), cluster.ino()),
        // Root in a container may be refused this look at another user's process; then the file's word
        // counts.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied && named == Some(pid),
    }
}

/// Takes away what would stop a start although nobody runs there. Postgres sees to a dead server's files by
/// itself, but not when the dead server's number now belongs to some other process, as it easily does in a
/// container.
pub(super) fn clear_stale(layout: &Layout) -> io::Result<()> {
    let cluster = layout.cluster();
    if PidFile::read(&cluster).is_some_and(|file| kill(Pid::from_raw(file.pid), None).is_ok()) {
        remove_if_there(&cluster.join("postmaster.pid"))?;
    }
    remove_if_there(&layout.socket_lock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pid_files() {
        let socket = "812\n/mnt/cluster\n1790000000\n5432\n/mnt\n\n  1234  5\nready   \n";
        let read = PidFile::parse(socket).unwrap();
        assert_eq!(
            read,
            PidFile {
                pid: 812,
                port: 5432,
                socket: true,
                ready: true
            }
        );
        let tcp = "812\n/d/cluster\n1790000000\n20111\n\n127.0.0.1\n  1234  5\nstopping\n";
        let read = PidFile::parse(tcp).unwrap();
        assert_eq!(
            read,
            PidFile {
                pid: 812,
                port: 20111,
                socket: false,
                ready: false
            }
        );
        assert_eq!(PidFile::parse("812\n").unwrap().port, 0);
        assert_eq!(PidFile::parse("-812\n"), None);
        assert_eq!(PidFile::parse(""), None);
    }
}
