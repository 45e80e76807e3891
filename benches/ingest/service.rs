//! The service under measurement: the release binary with a private cluster of its own, in a directory that goes away.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::process;
use crate::push::Connection;

const BINARY: &str = env!("CARGO_BIN_EXE_garrison");
const START: Duration = Duration::from_mins(1);
const END: Duration = Duration::from_secs(30);
const NAME: &str = "bench-data.";

/// Where everything lies: below `target/`, removed when dropped.
pub struct Place {
    dir: PathBuf,
}

impl Place {
    pub fn make(root: &Path) -> anyhow::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        // What killed runs left.
        for entry in fs::read_dir(&target).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|n| n.strip_prefix(NAME));
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let dir = std::path::absolute(target)?.join(format!("{NAME}{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Of tenant `default`, as the first start left it.
    pub fn admin_token(&self) -> anyhow::Result<String> {
        let token = fs::read_to_string(self.data().join("admin-token"))?;
        Ok(token.trim().to_owned())
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The first lines of the running server's `postmaster.pid`.
    fn pid_file(&self) -> anyhow::Result<Vec<String>> {
        let path = self.data().join("postgres/cluster/postmaster.pid");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// The private cluster, as its superuser: by the same socket that the service uses.
    pub fn database_url(&self) -> anyhow::Result<String> {
        let port = self.pid_file()?.get(3).context("a port")?.clone();
        let base = self.data().join("postgres");
        let password = fs::read_to_string(base.join("password"))?;
        let socket = base.join(format!(".s.PGSQL.{port}"));
        let host = if socket.exists() {
            base.display().to_string()
        } else {
            "127.0.0.1".to_owned()
        };
        Ok(format!(
            "host='{host}' port={port} user=postgres password='{}' dbname=garrison",
            password.trim()
        ))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.dir) {
            eprintln!("{}: {e}", self.dir.display());
        }
    }
}

/// The binary, with nothing of the caller's settings; it ends with us, however we end.
fn command(data: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", BINARY]).env_clear();
    for name in ["PATH", "HOME", "USER", "LANG", "PG_BINDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("GARRISON_DATA_DIR", data)
        .env("GARRISON_LISTEN", "127.0.0.1:0")
        // Out of reach, but minded.
        .env("GARRISON_LIMITS_TOKEN_REQUESTS", "10000000")
        // The large tables reach further back than alerts are kept.
        .env("GARRISON_RETENTION_ALERTS_DAYS", "36500")
        .stdin(Stdio::null());
    command
}

/// An engine that is logged in.
pub struct Machine {
    pub token: String,
}

pub struct Service {
    child: Child,
    pub pid: u32,
    pub postmaster: u32,
    pub address: SocketAddr,
    data: PathBuf,
}

impl Service {
    /// Starts it; without a CAPI forwarding is off.
    pub async fn start(place: &Place, capi: Option<&str>) -> anyhow::Result<Self> {
        let log = File::create(place.log())?;
        let mut command = command(&place.data());
        command.env(
            "GARRISON_FORWARD_ENABLED",
            if capi.is_some() { "true" } else { "false" },
        );
        // Without one nothing leaves; should it try, it finds nobody.
        command.env("GARRISON_CAPI_URL", capi.unwrap_or("http://127.0.0.1:9/"));
        let mut child = command
            .arg("serve")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let begun = Instant::now();
        let address = loop {
            let text = fs::read_to_string(place.log())?;
            // The line of the greeting; its end is there when the next line is.
            let greeting = text
                .split_once("Garrison serves ")
                .and_then(|(_, rest)| rest.split_once(")\n"));
            if let Some((line, _)) = greeting {
                break line.rsplit_once('(').context("an address")?.1.parse()?;
            }
            if child.try_wait()?.is_some() || begun.elapsed() > START {
                let _ = child.kill();
                let _ = child.wait();
                bail!("the service does not serve:\n{text}");
            }
            sleep(Duration::from_millis(20)).await;
        };
        Ok(Self {
            pid: child.id(),
            postmaster: place.pid_file()?.first().context("a pid")?.parse()?,
            child,
            address,
            data: place.data(),
        })
    }

    /// New engines of tenant `default`, logged in.
    pub async fn machines(&self, count: usize) -> anyhow::Result<Vec<Machine>> {
        let mut connection = Connection::open(self.address).await?;
        let mut machines = Vec::new();
        for _ in 0..count {
            let mut command = tokio::process::Command::from(command(&self.data));
            let out = command.args(["-o", "json", "machine", "add"]).output().await?;
            ensure!(
                out.status.success(),
                "machine add: {}",
                String::from_utf8_lossy(&out.stderr)
            );
            let made: Value = serde_json::from_slice(&out.stdout)?;
            let login = json!({"machine_id": made["login"], "password": made["password"], "scenarios": []});
            let request = Request::post("/v3/watchers/login")
                .header("host", self.address.to_string())
                .header("user-agent", "crowdsec/v1.7.8-linux")
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(login.to_string())))?;
            let (status, body) = connection.call(request).await?;
            ensure!(
                status == 200,
                "login: {status} {}",
                String::from_utf8_lossy(&body)
            );
            let answer: Value = serde_json::from_slice(&body)?;
            let token = answer["token"].as_str().context("a token")?.to_owned();
            machines.push(Machine { token });
        }
        Ok(machines)
    }

    /// Connections to Postgres that its pool opened, by its own account.
    pub async fn pool_connections(&self) -> anyhow::Result<u32> {
        let mut connection = Connection::open(self.address).await?;
        let request = Request::get("/metrics")
            .header("host", self.address.to_string())
            .body(Full::default())?;
        let (_, body) = connection.call(request).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let mut lines = text.lines();
        let value = lines.find_map(|l| l.strip_prefix("garrison_pool_connections{state=\"open\"} "));
        Ok(value.context("garrison_pool_connections")?.parse()?)
    }

    /// The most memory it ever had, in megabytes.
    pub fn peak_resident(&self) -> f64 {
        process::status(self.pid, "VmHWM:")
    }

    /// Asks it to end, and waits.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.terminate();
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < END, "the service does not end");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.pid).map(nix::unistd::Pid::from_raw);
        if let Ok(pid) = pid {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            let begun = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < END {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
