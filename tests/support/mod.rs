//! What the tests stand on: a database each, the service as a process, a recording CAPI, real engines.
pub mod browser;
pub mod capi;
pub mod capi_rule;
pub mod capi_state;
pub mod cluster;
pub mod dns;
pub mod engine;
pub mod events;
pub mod fixtures;
pub mod forger;
pub mod garrison;
pub mod http;
pub mod lapi;
pub mod lapi_store;
pub mod machine;
pub mod mmdb;
pub mod postgres;
pub mod provider;
pub mod visitor;
pub mod wait;
pub mod whois;
pub mod world;

use std::path::PathBuf;

/// A fresh directory under `target/tmp`, removed by [`Scratch`]'s drop unless the test panics.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(what: &str) -> Self {
        Self::below(env!("CARGO_TARGET_TMPDIR").as_ref(), what)
    }

    /// In another folder, for a user who cannot get at ours.
    pub fn below(parent: &std::path::Path, what: &str) -> Self {
        let dir = parent.join(unique(what));
        std::fs::create_dir_all(&dir).expect("scratch directory");
        Self(dir)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A name no other test of this run or of a run beside it uses; also valid as a database name.
pub fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}_{}_{n}_{:08x}", std::process::id(), rand::random::<u32>())
}

/// Environment variable as a string, `None` when unset or empty.
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// A port that was free a moment ago, below those that the kernel gives to clients: many tests run beside this one, and a
/// program that starts slowly must find it free still.
pub fn free_port() -> u16 {
    let ports = std::iter::repeat_with(|| 12_000 + rand::random::<u16>() % 8000).take(1000);
    let mut free = ports.filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a free port")
}
