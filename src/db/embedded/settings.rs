//! How the private server is set up: for a small machine, and for nobody but this machine.
//!
//! Everything is given on the command line, so what stands here is what runs. Who wants to tune Postgres runs
//! one and gives Garrison its URL.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// Where the server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listen {
    /// On a socket in its directory, under this port's name.
    Socket(u16),
    /// On this port of the loopback address.
    Loopback(u16),
}

impl Listen {
    /// A connection URL; `base` is the socket's directory.
    pub fn url(self, base: &Path, password: &str, database: &str) -> String {
        let host = match self {
            Self::Socket(port) => format!("{}:{port}", percent_encode(base)),
            Self::Loopback(port) => format!("127.0.0.1:{port}"),
        };
        format!("postgresql://postgres:{password}@{host}/{database}")
    }
}

/// Whether durability is switched off, as tests do.
pub(super) fn fast() -> bool {
    std::env::var_os("GARRISON_TEST_PG_FAST").is_some_and(|value| value == "1")
}

/// The settings as `name=value`; `view` is the socket's directory as the server sees it.
pub(super) fn settings(listen: Listen, view: &Path, lz4: bool) -> Vec<String> {
    let (addresses, directories, port) = match listen {
        // The setting is a list: a quoted item may hold commas and spaces.
        Listen::Socket(port) => (
            "",
            format!("\"{}\"", view.display().to_string().replace('"', "\"\"")),
            port,
        ),
        Listen::Loopback(port) => ("127.0.0.1", String::new(), port),
    };
    let mut settings = vec![
        format!("listen_addresses={addresses}"),
        format!("unix_socket_directories={directories}"),
        format!("port={port}"),
        format!(
            "shared_buffers={}",
            if memory() < 2 << 30 { "128MB" } else { "256MB" }
        ),
        format!("wal_compression={}", if lz4 { "lz4" } else { "pglz" }),
        format!("default_toast_compression={}", if lz4 { "lz4" } else { "pglz" }),
    ];
    let fixed = [
        "unix_socket_permissions=0700",
        "max_wal_size=2GB",
        "checkpoint_timeout=15min",
        "max_connections=100",
        "jit=off",
        "synchronous_commit=on",
        "timezone=UTC",
        "log_timezone=UTC",
        "password_encryption=scram-sha-256",
        "log_destination=stderr",
        "logging_collector=off",
        "log_min_messages=warning",
        "log_checkpoints=off",
    ];
    settings.extend(fixed.map(str::to_owned));
    let durable = if fast() { "off" } else { "on" };
    settings.extend(["fsync", "full_page_writes"].map(|name| format!("{name}={durable}")));
    settings
}

/// A free loopback port below the range that the kernel gives to clients.
pub(super) fn free_port() -> Option<u16> {
    (0..200)
        .map(|_| 20_000 + rand::random::<u16>() % 12_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

/// Bytes of memory this process may use.
fn memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| meminfo_total(&text));
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    [machine, group].into_iter().flatten().min().unwrap_or(0)
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// A path as the host part of a URL.
fn percent_encode(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_survive_odd_paths() {
        let url = Listen::Socket(5432).url(Path::new("/a b/c,d:é"), "pw", "garrison");
        assert_eq!(
            url,
            "postgresql://postgres:pw@%2Fa%20b%2Fc%2Cd%3A%C3%A9:5432/garrison"
        );
        let config: tokio_postgres::Config = url.parse().unwrap();
        assert_eq!(
            config.get_hosts(),
            [tokio_postgres::config::Host::Unix("/a b/c,d:é".into())]
        );
        assert_eq!(config.get_ports(), [5432]);
        let url = Listen::Loopback(20_111).url(Path::new("/x"), "pw", "garrison");
        assert_eq!(url, "postgresql://postgres:pw@127.0.0.1:20111/garrison");
    }

    #[test]
    fn never_listens_beyond_loopback() {
        let all = settings(Listen::Socket(5432), Path::new("/a \"b\""), true);
        assert!(all.contains(&"listen_addresses=".to_owned()));
        assert!(all.contains(&"unix_socket_directories=\"/a \"\"b\"\"\"".to_owned()));
        let all = settings(Listen::Loopback(20_111), Path::new("/a"), false);
        assert!(all.contains(&"listen_addresses=127.0.0.1".to_owned()));
        assert!(all.contains(&"unix_socket_directories=".to_owned()));
        assert!(all.contains(&"wal_compression=pglz".to_owned()));
    }

    #[test]
    fn reads_meminfo() {
        assert_eq!(
            meminfo_total("MemTotal:        2048 kB\nMemFree: 1 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(meminfo_total("nothing"), None);
    }
}
