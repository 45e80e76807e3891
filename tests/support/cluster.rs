//! A Postgres cluster of the test's own, so that its postmaster may be killed.
use super::postgres::connect;
use super::{Scratch, env, free_port, wait};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

pub struct Cluster {
    pub url: String,
    data: PathBuf,
    port: u16,
    postmaster: Mutex<Option<Child>>,
    _dir: Scratch,
}

/// `PG_BINDIR`, or the newest of Debian's.
fn bin(name: &str) -> PathBuf {
    if let Some(dir) = env("PG_BINDIR") {
        return PathBuf::from(dir).join(name);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("Postgres is not installed: set PG_BINDIR")
        .filter_map(|e| Some(e.ok()?.path().join("bin").join(name)))
        .filter(|p| p.exists())
        .collect();
    found.sort();
    found
        .pop()
        .unwrap_or_else(|| panic!("no {name} under /usr/lib/postgresql: set PG_BINDIR"))
}

/// Whom Postgres runs as when we are root, whom it refuses.
fn user() -> Option<nix::unistd::User> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let named = |name| nix::unistd::User::from_name(name).ok().flatten();
    Some(
        named("postgres")
            .or_else(|| named("nobody"))
            .expect("a user postgres or nobody"),
    )
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let Some(user) = user() else {
        return Command::new(program);
    };
    let mut cmd = Command::new("setpriv");
    cmd.arg(format!("--reuid={}", user.uid))
        .arg(format!("--regid={}", user.gid))
        .arg("--clear-groups");
    cmd.arg(program);
    cmd
}

/// Below target/ where the server's user can get there, else below /tmp.
fn directory() -> Scratch {
    let open = |dir: Scratch| {
        if let Some(user) = user() {
            std::os::unix::fs::chown(&dir.0, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .expect("chown");
        }
        let test = command("test").arg("-w").arg(&dir.0).current_dir("/").status();
        test.is_ok_and(|s| s.success()).then_some(dir)
    };
    open(Scratch::new("cluster"))
        .or_else(|| open(Scratch::below(&std::env::temp_dir(), "garrison-cluster")))
        .expect("a directory the server's user can write")
}

fn run(cmd: &mut Command) {
    cmd.current_dir("/").stdin(Stdio::null());
    let out = cmd.output().unwrap_or_else(|e| panic!("{cmd:?}: {e}"));
    assert!(
        out.status.success(),
        "{cmd:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

impl Cluster {
    /// initdb and start. Real fsync is not needed: a killed postmaster loses nothing the kernel has.
    pub async fn start() -> Self {
        let dir = directory();
        let (data, port) = (dir.join("data"), free_port());
        run(command(bin("initdb")).arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]));
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let cluster = Self {
            url,
            data,
            port,
            postmaster: Mutex::new(None),
            _dir: dir,
        };
        cluster.launch().await;
        cluster
    }

    /// A standby that streams from this one, started.
    pub async fn standby(&self) -> Self {
        let copy = self.copy(&["-R", "-C", "-S", &super::unique("slot")]);
        copy.launch().await;
        copy
    }

    /// A base backup, made while this one runs; not started.
    pub fn copy(&self, more: &[&str]) -> Self {
        let dir = directory();
        let (data, port) = (dir.join("data"), free_port());
        let from = self.port.to_string();
        let mut backup = command(bin("pg_basebackup"));
        backup
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &from, "-U", "postgres"]);
        run(backup
            .args(["-X", "stream", "-c", "fast", "--no-sync"])
            .args(more));
        Self {
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            data,
            port,
            postmaster: Mutex::new(None),
            _dir: dir,
        }
    }

    /// From now on a commit waits until a standby has it.
    pub async fn wait_for_standbys(&self) {
        let client = connect(&self.url).await.expect("connect");
        for sql in [
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        ] {
            client.simple_query(sql).await.expect(sql);
        }
        wait::until_true("a synchronous standby", wait::secs(20), || async {
            let sql = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
            client.query_opt(sql, &[]).await.expect(sql).is_some()
        })
        .await;
    }

    /// Makes a standby the one that takes writes; it waits for no standby of its own.
    pub async fn promote(&self) {
        let client = connect(&self.url).await.expect("connect");
        let done: bool = client
            .query_one("SELECT pg_promote(true, 60)", &[])
            .await
            .expect("pg_promote")
            .get(0);
        assert!(done, "the standby was not promoted");
        for sql in [
            "ALTER SYSTEM RESET synchronous_standby_names",
            "SELECT pg_reload_conf()",
        ] {
            client.simple_query(sql).await.expect(sql);
        }
    }

    /// Where it listens, as a URL of several hosts wants it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the postmaster and waits until it answers (after a crash: until it has recovered).
    pub async fn launch(&self) {
        let settings = format!(
            "-h 127.0.0.1 -p {} -c unix_socket_directories= -c fsync=off -c full_page_writes=off \
             -c max_connections=200 -c shared_buffers=64MB",
            self.port
        );
        let log = std::fs::File::create(self.data.with_extension("log")).expect("log file");
        let mut cmd = command(bin("postgres"));
        cmd.arg("-D").arg(&self.data).args(settings.split(' '));
        cmd.stdin(Stdio::null())
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .current_dir("/");
        // a child of ours, so that we collect the corpse and its pid is free again
        *self.postmaster.lock().unwrap() = Some(cmd.spawn().expect("postgres starts"));
        let url = self.url.clone();
        wait::until_true("Postgres answers", wait::secs(30), || async {
            match connect(&url).await {
                Ok(client) => client.simple_query("SELECT 1").await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
    }

    /// `kill -9` of the postmaster; its backends notice and go.
    pub async fn kill9(&self) {
        let Some(mut postmaster) = self.postmaster.lock().unwrap().take() else {
            return;
        };
        let children = children_of(pid_of(&postmaster));
        let _ = postmaster.kill();
        let _ = postmaster.wait();
        // a new postmaster refuses to start while a backend of the old one holds the shared memory
        for child in children {
            wait::until_true("its backends are gone", wait::secs(15), || async {
                !runs_postgres(child)
            })
            .await;
        }
    }

    /// Killed, dark for a moment, then back.
    pub async fn crash(&self) {
        self.kill9().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        self.launch().await;
    }

    /// A new database on it.
    pub async fn database(&self) -> super::postgres::Database {
        super::postgres::Database::create(&self.url, None).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(mut postmaster) = self.postmaster.lock().unwrap().take() else {
            return;
        };
        let pid = nix::unistd::Pid::from_raw(pid_of(&postmaster));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let _ = postmaster.wait();
    }
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("pid")
}

/// Whether `pid` is a live (not zombie) Postgres process.
fn runs_postgres(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.contains("(postgres)") && !stat.contains(") Z ")
}

fn children_of(pid: i32) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok())
        .filter(|child| {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            let parent = stat
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<i32>().ok());
            parent == Some(pid)
        })
        .collect()
}
