//! Where the Postgres programs are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::EmbeddedError;

/// The oldest major version that Garrison runs on.
const OLDEST: u32 = 15;

/// One installed Postgres server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// Directory with `postgres` and `initdb`.
    pub dir: PathBuf,
    /// Major version.
    pub major: u32,
}

/// The installation to use for a cluster of version `wanted`, or for a new one.
pub(super) fn find(wanted: Option<u32>, cluster: &Path) -> Result<Binaries, EmbeddedError> {
    let explicit = std::env::var_os("PG_BINDIR").filter(|dir| !dir.is_empty());
    let found: Vec<Binaries> = candidates(explicit.clone())
        .iter()
        .filter_map(|dir| inspect(dir))
        .collect();
    if let Some(dir) = explicit.map(PathBuf::from)
        && !found.iter().any(|one| one.dir == dir)
    {
        return Err(EmbeddedError::BinDir(dir));
    }
    choose(found, wanted, cluster)
}

fn choose(found: Vec<Binaries>, wanted: Option<u32>, cluster: &Path) -> Result<Binaries, EmbeddedError> {
    let mut majors: Vec<String> = found.iter().map(|one| one.major.to_string()).collect();
    majors.dedup();
    let chosen = found
        .into_iter()
        .find(|one| wanted.is_none_or(|major| one.major == major));
    match (chosen, wanted) {
        (Some(binaries), _) => Ok(binaries),
        (None, Some(version)) if !majors.is_empty() => Err(EmbeddedError::Version {
            dir: cluster.to_owned(),
            cluster: version,
            found: majors.join(", "),
        }),
        (None, _) => Err(EmbeddedError::NoBinaries),
    }
}

/// Directories to look in, best first.
fn candidates(explicit: Option<OsString>) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = explicit.map(PathBuf::from).into_iter().collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && output.status.success()
    {
        dirs.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    // Debian keeps every major version in a directory of its own; the highest comes first.
    let mut debian: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    debian.sort_unstable_by(|a, b| b.cmp(a));
    dirs.extend(
        debian
            .iter()
            .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))),
    );
    dirs.push(PathBuf::from("/usr/local/pgsql/bin"));
    dirs
}

/// The server in `dir`, if there is one that is new enough.
fn inspect(dir: &Path) -> Option<Binaries> {
    if !dir.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(dir.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    (output.status.success() && major >= OLDEST).then(|| Binaries {
        dir: dir.to_owned(),
        major,
    })
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` gives 15; `18beta1` gives 18.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(major: u32) -> Binaries {
        Binaries {
            dir: PathBuf::from(format!("/pg/{major}")),
            major,
        }
    }

    #[test]
    fn reads_versions() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("postgres (PostgreSQL) 17"), Some(17));
        assert_eq!(major_of("sqlite 3"), None);
    }

    #[test]
    fn prefers_the_clusters_major() {
        let at = Path::new("/data");
        let both = || vec![installed(17), installed(15)];
        assert_eq!(choose(both(), None, at).unwrap().major, 17);
        assert_eq!(choose(both(), Some(15), at).unwrap().major, 15);
        let refused = choose(both(), Some(16), at).unwrap_err().to_string();
        assert!(
            refused.contains("made by PostgreSQL 16, but this machine has only 17, 15"),
            "{refused}"
        );
        assert!(matches!(
            choose(Vec::new(), Some(16), at),
            Err(EmbeddedError::NoBinaries)
        ));
    }
}
