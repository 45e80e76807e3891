//! The binary under test: as a command, and as a server process.
use super::http::Api;
use super::{env, wait};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// The built binary, or `GARRISON_TEST_BINARY` (say, the release build).
pub fn binary() -> PathBuf {
    env("GARRISON_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_garrison").into(), Into::into)
}

/// A command with nothing of the caller's `GARRISON_*` in its environment.
fn command() -> Command {
    let mut cmd = Command::new(binary());
    cmd.env_clear();
    for name in ["PATH", "HOME", "USER", "LANG", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Ok(value) = std::env::var(name) {
            cmd.env(name, value);
        }
    }
    cmd.stdin(Stdio::null());
    cmd
}

/// The way to a database of the shared cluster: through PgBouncer, where `dev/with-postgres.sh` started one.
fn pooled(url: &str) -> String {
    let (Some(port), Some(server)) = (
        env("GARRISON_TEST_PGBOUNCER_PORT"),
        env("GARRISON_TEST_DATABASE_URL"),
    ) else {
        return url.to_owned();
    };
    let (server, _) = server.rsplit_once('/').expect("a URL with a database");
    let (login, _) = server.rsplit_once(':').expect("a URL with a port");
    url.replacen(&format!("{server}/"), &format!("{login}:{port}/"), 1)
}

/// Runs subcommands against one database.
#[derive(Clone, Debug)]
pub struct Cli {
    pub env: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    #[track_caller]
    pub fn expect_ok(self) -> Self {
        assert_eq!(
            self.code,
            Some(0),
            "exit code; stderr: {}\nstdout: {}",
            self.stderr,
            self.stdout
        );
        self
    }

    /// Asserts a refusal: a non-zero exit (not a signal, not a panic's 101) and words on stderr.
    #[track_caller]
    pub fn expect_refused(self) -> Self {
        let code = self
            .code
            .unwrap_or_else(|| panic!("died of a signal: {}", self.stderr));
        assert!(
            code != 0 && code != 101,
            "exit code {code}; stderr: {}",
            self.stderr
        );
        assert!(!self.stderr.trim().is_empty(), "refused without a word");
        self
    }
}

impl Cli {
    pub fn new(database_url: &str, data_dir: &Path) -> Self {
        let mut env = BTreeMap::new();
        let url = pooled(database_url);
        if url != database_url && self::env("GARRISON_TEST_PGBOUNCER").as_deref() == Some("plain") {
            env.insert("GARRISON_DATABASE_STATEMENT_CACHE".into(), "false".into());
        }
        env.insert("GARRISON_DATABASE_URL".into(), url);
        env.insert("GARRISON_DATA_DIR".into(), data_dir.display().to_string());
        env.insert("GARRISON_LOG_FORMAT".into(), "json".into());
        Self { env }
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        let mut cmd = command();
        cmd.envs(&self.env).args(args);
        let mut cmd = tokio::process::Command::from(cmd);
        let out = tokio::time::timeout(wait::secs(60), cmd.kill_on_drop(true).output())
            .await
            .unwrap_or_else(|_| panic!("`garrison {}` does not end", args.join(" ")))
            .expect("the binary runs");
        Output {
            code: out.status.code(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    /// Runs with `-o json` and parses the whole standard output.
    pub async fn json(&self, args: &[&str]) -> Value {
        let all: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        let out = self.run(&all).await.expect_ok();
        serde_json::from_str(&out.stdout).unwrap_or_else(|e| {
            panic!(
                "`garrison {}` printed no JSON ({e}): {}",
                args.join(" "),
                out.stdout
            )
        })
    }
}

/// The text of `field` in a JSON object; numbers too, since an id may be either.
#[track_caller]
pub fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(s) => s.clone(),
        Value::Number(n) => n.to_string(),
        other => panic!("field `{field}` is {other} in {value}"),
    }
}

/// A `garrison serve` (or `worker`) process; killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub pid: u32,
    log: Log,
}

type Log = Arc<Mutex<VecDeque<String>>>;

impl Server {
    pub async fn spawn(cli: &Cli, args: &[&str]) -> Self {
        Self::try_spawn(cli, args, wait::secs(30))
            .await
            .unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts and waits for the log line that carries the address.
    pub async fn try_spawn(cli: &Cli, args: &[&str], limit: Duration) -> Result<Self, String> {
        let mut cmd = command();
        cmd.envs(&cli.env)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = cmd.spawn().map_err(|e| format!("spawn: {e}"))?;
        let (log, found): (Log, Arc<Mutex<Option<SocketAddr>>>) = Default::default();
        let (out, err) = (
            child.stdout.take().expect("stdout"),
            child.stderr.take().expect("stderr"),
        );
        follow(out, log.clone(), found.clone());
        follow(err, log.clone(), found.clone());
        let start = std::time::Instant::now();
        loop {
            if let Some(address) = *found.lock().unwrap() {
                let pid = child.id();
                return Ok(Self {
                    child,
                    address,
                    pid,
                    log,
                });
            }
            let ended = child.try_wait().ok().flatten();
            if ended.is_some() || start.elapsed() > limit {
                let _ = child.kill();
                let _ = child.wait();
                // Its last words may still be on their way to the thread that reads them.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return Err(format!(
                    "garrison {args:?} does not serve ({ended:?}):\n{}",
                    tail(&log)
                ));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn api(&self, token: Option<&str>) -> Api {
        Api::new(self.url(), token)
    }

    /// The last lines it wrote.
    pub fn log(&self) -> String {
        tail(&self.log)
    }

    /// SIGKILL, and the corpse collected.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid).expect("pid"));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|s| s.is_none())
    }

    /// Waits for its end and gives the exit code (`None` when a signal ended it).
    pub async fn ended(&mut self, limit: Duration) -> Option<i32> {
        let start = std::time::Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            assert!(
                start.elapsed() < crate::support::wait::patient(limit),
                "still running after {limit:?}:\n{}",
                tail(&self.log)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid)).unwrap_or_default();
        statm
            .split(' ')
            .nth(1)
            .and_then(|p| p.parse::<u64>().ok())
            .unwrap_or(0)
            * 4096
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.address, tail(&self.log));
        }
    }
}

fn follow(from: impl std::io::Read + Send + 'static, log: Log, found: Arc<Mutex<Option<SocketAddr>>>) {
    static ADDRESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):(\d{2,5})").unwrap());
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            if line.contains("serving")
                && let Some(hit) = ADDRESS.captures(&line)
                && let Ok(address) = format!("127.0.0.1:{}", &hit[2]).parse()
            {
                found.lock().unwrap().get_or_insert(address);
            }
            let mut log = log.lock().unwrap();
            if log.len() == 400 {
                log.pop_front();
            }
            log.push_back(line);
        }
    });
}

fn tail(log: &Log) -> String {
    let log = log.lock().unwrap();
    let skip = log.len().saturating_sub(60);
    log.iter()
        .skip(skip)
        .map(|l| l.chars().take(600).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}
