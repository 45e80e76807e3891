//! Debian's own CrowdSec 1.4.6, unpacked and never installed, and PyPI's cscapi.
use super::http::{Answer, Api, send};
use super::machine::Machine;
use super::{Scratch, env, free_port, wait};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How `timeout` ends when it had to stop a program.
const HUNG: i32 = 124;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The unpacked package; `dev/deps.sh` prepares it.
fn package() -> PathBuf {
    let fs = env("GARRISON_TEST_LAB_FS").map_or_else(|| root().join("target/lab/fs"), Into::into);
    assert!(
        fs.join("usr/bin/crowdsec").exists(),
        "no crowdsec under {}: run dev/deps.sh, or set GARRISON_TEST_LAB_FS",
        fs.display()
    );
    fs
}

/// What `lab.sh` sets up.
pub const BOUNCER_KEY: &str = "lab-bouncer-key-0123456789abcdef";

fn launch(dir: &Scratch, log: &Path) -> Child {
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("log file");
    let mut cmd = Command::new(package().join("usr/bin/crowdsec"));
    cmd.arg("-c")
        .arg(dir.join("lapi/config.yaml"))
        .arg("-no-cs")
        .stdin(Stdio::null());
    cmd.stdout(file.try_clone().expect("log file")).stderr(file);
    cmd.spawn().expect("crowdsec starts")
}

/// A Local API of CrowdSec 1.4.6 whose Central API is the service under test.
pub struct Engine {
    lapi: Child,
    port: u16,
    dir: Scratch,
    pub login: String,
    log: PathBuf,
}

impl Engine {
    pub async fn start(capi_url: &str, machine: &Machine) -> Self {
        let dir = Scratch::new("engine");
        let port = free_port();
        let log = dir.join("lapi.log");
        let mut setup = script(&dir, port);
        setup.arg("setup").env("CAPI_URL", capi_url);
        setup
            .env("CAPI_LOGIN", &machine.login)
            .env("CAPI_PASSWORD", &machine.password);
        let out = tokio::task::spawn_blocking(move || setup.output().expect("bash"))
            .await
            .expect("join");
        assert!(
            out.status.success(),
            "lab.sh setup: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let engine = Self {
            lapi: launch(&dir, &log),
            port,
            dir,
            login: machine.login.clone(),
            log,
        };
        engine.wait().await;
        engine
    }

    /// A Local API alone: its Central API is not there.
    pub async fn alone() -> Self {
        let machine = Machine::new(&"a".repeat(48), "password");
        Self::start("http://127.0.0.1:1/", &machine).await
    }

    async fn wait(&self) {
        let api = self.api(None);
        wait::until_true("the engine's Local API answers", wait::secs(60), || async {
            super::http::try_send(api.request("GET", "/health"))
                .await
                .is_ok_and(|a| a.status == 200)
        })
        .await;
    }

    pub fn stop(&mut self) {
        let _ = self.lapi.kill();
        let _ = self.lapi.wait();
    }

    /// The sessions it gave before are worth nothing afterwards.
    pub async fn restart(&mut self) {
        self.stop();
        self.start_again().await;
    }

    /// What `POST /api/lapi-servers` takes to write to it.
    pub fn server(&self, name: &str) -> Value {
        json!({"name": name, "url": self.url(), "apiKey": BOUNCER_KEY,
            "machineId": "lab-watcher", "password": "lab-watcher-password"})
    }

    async fn must(&self, args: &[&str]) {
        let (good, said) = self.cscli(args).await;
        assert!(good, "cscli {args:?}: {said}");
    }

    async fn add_machine(&self, name: &str, password: &str) {
        let file = self.dir.join("machine.yaml");
        let file = file.to_str().expect("a path");
        let args = [
            "machines",
            "add",
            name,
            "--password",
            password,
            "--force",
            "-f",
            file,
        ];
        self.must(&args).await;
    }

    /// Gives Garrison's machine there this password.
    pub async fn set_password(&self, password: &str) {
        self.add_machine("garrison", password).await;
    }

    /// The same with a machine and a key of Garrison's own, as README tells to make them, and what is decided elsewhere
    /// is to come here.
    pub async fn member(&self, name: &str) -> Value {
        self.set_password("garrison-password").await;
        self.must(&["bouncers", "add", "garrison", "-k", "garrison-key"])
            .await;
        self.member_again(name)
    }

    pub fn member_again(&self, name: &str) -> Value {
        json!({"name": name, "url": self.url(), "apiKey": "garrison-key", "machineId": "garrison",
            "password": "garrison-password", "replicateDecisions": true})
    }

    /// Everything it knew is gone, as after a lost disk; the accounts are made again.
    pub async fn wipe(&mut self) {
        self.stop();
        for file in ["crowdsec.db", "crowdsec.db-wal", "crowdsec.db-shm"] {
            let _ = std::fs::remove_file(self.dir.join("lapi/data").join(file));
        }
        self.add_machine("lab-watcher", "lab-watcher-password").await;
        self.must(&["bouncers", "add", "lab-bouncer", "-k", BOUNCER_KEY])
            .await;
        self.member("").await;
        self.start_again().await;
    }

    pub async fn start_again(&mut self) {
        self.lapi = launch(&self.dir, &self.log);
        self.wait().await;
    }

    /// Runs CrowdSec's own agent over a log of failed logins from these addresses.
    pub async fn agent_sees(&self, addresses: &[&str]) {
        let mut lines = String::new();
        for address in addresses {
            for i in 0..12 {
                let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(15 - i);
                let at = at.strftime("%b %e %H:%M:%S");
                let what = format!("Failed password for invalid user u{i} from {address} port 4000{i} ssh2");
                writeln!(lines, "{at} labhost sshd[{}]: {what}", 1000 + i).expect("text");
            }
        }
        let file = self.dir.join("auth.log");
        std::fs::write(&file, lines).expect("a log");
        // Once in many runs the agent never ends: seen with all of its threads asleep, for thirteen minutes.
        for last in [false, true] {
            let mut agent = script(&self.dir, self.port);
            agent.arg("agent").arg(&file).arg("syslog").env("TZ", "UTC");
            let out = tokio::task::spawn_blocking(move || agent.output().expect("the agent"));
            let out = out.await.expect("join");
            if out.status.success() {
                return;
            }
            let hung = out.status.code() == Some(HUNG);
            assert!(hung && !last, "{}", String::from_utf8_lossy(&out.stderr));
        }
    }

    /// Debian's own crowdsec-custom-bouncer on this engine, and the file it writes what it is told into.
    pub async fn bouncer(&self) -> (Bouncer, PathBuf) {
        let (told, program) = (self.dir.join("told"), self.dir.join("bouncer.sh"));
        std::fs::write(&told, "").expect("a file");
        let text = format!("#!/bin/sh\necho \"$1 $2\" >> '{}'\n", told.display());
        std::fs::write(&program, text).expect("a program");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("mode");
        self.must(&["bouncers", "add", "custom", "-k", "custom-bouncer-key"])
            .await;
        let config = self.dir.join("bouncer.yaml");
        let dir = self.dir.0.display();
        let text = format!(
            "bin_path: {}\nfeed_via_stdin: false\ntotal_retries: 0\nscenarios_containing: []\n\
             scenarios_not_containing: []\norigins: []\npiddir: {dir}\nupdate_frequency: 2s\n\
             cache_retention_duration: 1s\ndaemonize: false\nlog_mode: stdout\nlog_dir: {dir}\nlog_level: info\n\
             api_url: {}\napi_key: custom-bouncer-key\nprometheus: {{enabled: false}}\n",
            program.display(),
            self.url()
        );
        std::fs::write(&config, text).expect("a file");
        let log = std::fs::File::create(self.dir.join("bouncer.log")).expect("a log");
        let mut cmd = Command::new(package().join("usr/bin/crowdsec-custom-bouncer"));
        cmd.arg("-c").arg(&config).stdin(Stdio::null());
        cmd.stdout(log.try_clone().expect("a log")).stderr(log);
        (Bouncer(cmd.spawn().expect("the bouncer starts")), told)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What a bouncer sees.
    pub async fn decisions(&self, query: &str) -> Vec<Value> {
        let call = self.api(None).request("GET", &format!("/v1/decisions?{query}"));
        let call = call
            .header("x-api-key", BOUNCER_KEY)
            .header("user-agent", "lab/1.0");
        match send(call).await.expect(200).json() {
            Value::Array(list) => list,
            _ => Vec::new(),
        }
    }

    fn api(&self, token: Option<&str>) -> Api {
        Api::new(format!("http://127.0.0.1:{}", self.port), token)
    }

    /// An agent's session; with scenarios, so that the engine begins to pull.
    async fn watcher(&self) -> Api {
        let body = json!({"machine_id": "lab-watcher", "password": "lab-watcher-password",
            "scenarios": ["crowdsecurity/ssh-bf"]});
        let call = self
            .api(None)
            .request("POST", "/v1/watchers/login")
            .header("user-agent", "lab/1.0");
        let answer = send(call.json(&body)).await.expect(200);
        self.api(answer.json()["token"].as_str())
    }

    pub async fn log_in_agent(&self) {
        self.watcher().await;
    }

    /// All in one POST: the engine drops what comes while it is busy.
    pub async fn post_alerts(&self, alerts: &[Value]) -> Answer {
        let call = self
            .watcher()
            .await
            .request("POST", "/v1/alerts")
            .header("user-agent", "lab/1.0");
        send(call.json(alerts)).await.expect(201)
    }

    /// What the engine itself has.
    pub async fn alerts(&self) -> Vec<Value> {
        let call = self
            .watcher()
            .await
            .request("GET", "/v1/alerts?limit=0")
            .header("user-agent", "lab/1.0");
        match send(call).await.expect(200).json() {
            Value::Array(list) => list,
            _ => Vec::new(),
        }
    }

    pub async fn cscli(&self, args: &[&str]) -> (bool, String) {
        let mut cmd = script(&self.dir, self.port);
        cmd.arg("cscli").args(args);
        let out = tokio::task::spawn_blocking(move || cmd.output().expect("cscli"))
            .await
            .expect("join");
        let said = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

pub struct Bouncer(Child);

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- engine, newest first ---\n{}", tail.join("\n"));
        }
    }
}

fn script(dir: &Scratch, port: u16) -> Command {
    let mut cmd = Command::new("timeout");
    cmd.args(["-k", "5", "120", "bash"])
        .arg(root().join("tests/lab/lab.sh"));
    cmd.env("LAB", &dir.0)
        .env("FS", package())
        .env("LAPI_PORT", port.to_string());
    cmd.stdin(Stdio::null());
    cmd
}

/// Runs `tests/lab/cscapi_run.py` and gives what it reports, one JSON object.
pub async fn cscapi(base: &str, enrol_key: &str, database: &Path) -> Value {
    let venv = env("GARRISON_TEST_LAB_VENV").map_or_else(|| root().join("target/lab/venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(
        python.exists(),
        "no cscapi under {}: run dev/deps.sh, or set GARRISON_TEST_LAB_VENV",
        venv.display()
    );
    let mut cmd = Command::new("timeout");
    cmd.arg("60")
        .arg(python)
        .arg(root().join("tests/lab/cscapi_run.py"));
    cmd.arg(base).arg(enrol_key).arg(database).stdin(Stdio::null());
    let out = tokio::task::spawn_blocking(move || cmd.output().expect("python"))
        .await
        .expect("join");
    let (said, errors) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(out.status.success(), "cscapi: {said}\n{errors}");
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|e| panic!("cscapi ({e}): {said}\n{errors}"))
}
