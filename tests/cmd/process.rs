//! A `garrison` process that prints no address: a worker, or one that is to die on its way up.
use crate::support::garrison::{Cli, binary};
use crate::support::{Scratch, wait};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Killed when dropped.
pub struct Process {
    child: Child,
    dir: Scratch,
}

impl Process {
    pub fn spawn(cli: &Cli, args: &[&str]) -> Self {
        let dir = Scratch::new("process");
        let log = std::fs::File::create(dir.join("log")).expect("log file");
        let mut cmd = Command::new(binary());
        cmd.env_clear();
        for name in ["PATH", "HOME", "LANG", "TMPDIR"] {
            if let Ok(value) = std::env::var(name) {
                cmd.env(name, value);
            }
        }
        cmd.envs(&cli.env)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log file"))
            .stderr(log);
        let child = cmd.spawn().expect("the binary runs");
        Self { child, dir }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|s| s.is_none())
    }

    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("pid"));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    }

    /// Waits for its end and gives the exit code (`None` when a signal ended it).
    pub async fn ended(&mut self, limit: Duration) -> Option<i32> {
        let start = std::time::Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            assert!(
                start.elapsed() < wait::patient(limit),
                "still running: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has logged this.
    pub async fn says(&self, words: &str) {
        wait::until_true(words, wait::secs(30), || async { self.log().contains(words) }).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- log of a process ---\n{}", self.log());
        }
    }
}
