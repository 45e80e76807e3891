//! An installation without a database URL: `garrison serve` with its private cluster in a data directory.
use crate::support::capi::Capi;
use crate::support::garrison::{Cli, Server};
use crate::support::{Scratch, env, wait};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Declare it before its servers: its drop waits until their Postgres is gone, then removes the directory.
pub struct Home {
    pub capi: Capi,
    pub cli: Cli,
    pub data: PathBuf,
    _dir: Scratch,
}

impl Home {
    /// With durability off: the machine does not fail in these tests, processes do.
    pub async fn new() -> Self {
        let dir = Scratch::new("home");
        let data = dir.join("data");
        let mut home = Self::at(dir, data).await;
        home.cli.set("GARRISON_TEST_PG_FAST", "1");
        home
    }

    pub async fn at(dir: Scratch, data: PathBuf) -> Self {
        let capi = Capi::start().await;
        let mut cli = Cli::new("", &data);
        cli.env.remove("GARRISON_DATABASE_URL");
        cli.set("GARRISON_LISTEN", "127.0.0.1:0")
            .set("GARRISON_CAPI_URL", capi.url());
        if let Some(dir) = env("PG_BINDIR") {
            cli.set("PG_BINDIR", dir);
        }
        Self {
            capi,
            cli,
            data,
            _dir: dir,
        }
    }

    /// Starts the service and waits until it has greeted.
    pub async fn serve(&self) -> Server {
        let server = Server::spawn(&self.cli, &["serve"]).await;
        wait::until_true("it greets", wait::secs(10), || async {
            server.log().contains("to browse it")
        })
        .await;
        server
    }

    pub fn admin_token(&self) -> String {
        let file = self.data.join("admin-token");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        text.trim().to_owned()
    }

    pub fn mode(&self, name: &str) -> u32 {
        let file = self.data.join(name);
        let meta = std::fs::metadata(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        meta.mode() & 0o7777
    }

    pub fn cluster(&self) -> PathBuf {
        self.data.join("postgres/cluster")
    }

    /// A line of `postmaster.pid`, from 0.
    pub fn pid_file(&self, line: usize) -> Option<String> {
        let text = std::fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?;
        text.lines().nth(line).map(|l| l.trim().to_owned())
    }

    #[track_caller]
    pub fn postmaster(&self) -> i32 {
        let pid = self.pid_file(0).expect("postmaster.pid").parse().expect("a pid");
        assert!(is_postgres(pid), "process {pid} is a Postgres server");
        pid
    }

    /// Every live server process of the cluster, by its working directory or by what `postmaster.pid` says.
    pub fn family(&self) -> Vec<i32> {
        let here = std::fs::metadata(self.cluster()).ok().map(|m| (m.dev(), m.ino()));
        let named: Option<i32> = self.pid_file(0).and_then(|pid| pid.parse().ok());
        let works_here = |pid: i32| {
            let cwd = std::fs::metadata(format!("/proc/{pid}/cwd")).ok();
            here.is_some() && cwd.map(|m| (m.dev(), m.ino())) == here
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| is_postgres(*pid))
            .filter(|pid| {
                named == Some(*pid) || (named.is_some() && parent(*pid) == named) || works_here(*pid)
            })
            .collect()
    }

    /// Waits until none of `before` runs, nor anybody else in the cluster.
    pub async fn vacant(&self, before: &[i32], limit: Duration) {
        wait::until_true("no Postgres is left", limit, || async {
            !before.iter().any(|pid| is_postgres(*pid)) && self.family().is_empty()
        })
        .await;
    }

    /// SIGTERM, exit code 0, and no Postgres left at that very moment.
    pub async fn stop(&self, mut server: Server) {
        let before = self.family();
        assert!(before.len() > 1, "a postmaster and its children: {before:?}");
        server.terminate();
        assert_eq!(
            server.ended(wait::secs(25)).await,
            Some(0),
            "exit code\n{}",
            server.log()
        );
        let left: Vec<_> = before.iter().filter(|pid| is_postgres(**pid)).collect();
        assert!(left.is_empty(), "Postgres outlived its service: {left:?}");
        assert_eq!(self.family(), [0; 0], "Postgres outlived its service");
        assert_eq!(self.pid_file(0), None, "a clean stop takes postmaster.pid away");
    }

    /// A superuser's connection.
    pub async fn client(&self) -> tokio_postgres::Client {
        let base = self.data.join("postgres").canonicalize().expect("postgres/");
        let password = std::fs::read_to_string(base.join("password")).expect("password");
        let mut config = tokio_postgres::Config::new();
        config
            .user("postgres")
            .password(password.trim())
            .dbname("garrison");
        config.port(self.pid_file(3).expect("port").parse().expect("port"));
        if self.pid_file(4).is_some_and(|socket| !socket.is_empty()) {
            config.host_path(&base);
        } else {
            config.host("127.0.0.1");
        }
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connect");
        tokio::spawn(connection);
        client
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let start = Instant::now();
        while !self.family().is_empty() && start.elapsed() < wait::secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether `pid` is a live Postgres process, and no corpse.
pub fn is_postgres(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.contains("(postgres)") && !stat.contains(") Z ")
}

pub fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// The TCP addresses on which `pid` listens, as the kernel prints them. Fails when it may not look.
pub fn listens(pid: i32) -> Vec<String> {
    let mut sockets = BTreeMap::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == "0A" {
                sockets.insert(format!("socket:[{}]", words[9]), words[1].to_owned());
            }
        }
    }
    let dir = format!("/proc/{pid}/fd");
    let files = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{dir}: {e}"));
    files
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .filter_map(|link| sockets.get(link.to_str()?).cloned())
        .collect()
}

/// Runs a line as somebody would who pastes it into a shell, in another directory.
pub async fn paste(line: &str) -> String {
    let mut cmd = tokio::process::Command::new("sh");
    cmd.arg("-c").arg(line).current_dir("/").env_clear();
    for name in ["PATH", "PG_BINDIR"] {
        if let Some(value) = env(name) {
            cmd.env(name, value);
        }
    }
    let out = tokio::time::timeout(wait::secs(60), cmd.output())
        .await
        .unwrap_or_else(|_| panic!("does not end: {line}"))
        .expect("sh");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "`{line}` fails: {stderr}");
    String::from_utf8(out.stdout).expect("text")
}

pub fn has(program: &str) -> bool {
    let path = env("PATH").unwrap_or_default();
    path.split(':').any(|dir| Path::new(dir).join(program).is_file())
}
