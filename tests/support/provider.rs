//! A real OpenID Connect provider as a process: npm's oidc-provider, put into `target/lab` by dev/oidc-provider.sh.
use super::http::Api;
use super::world::World;
use super::{free_port, wait};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub const SECRET: &str = "a secret: 100% of \"it\" & more";

/// Killed when dropped.
pub struct Provider {
    child: Child,
    pub issuer: String,
    port: u16,
    gate: String,
    algorithm: String,
    /// Where it tells of logouts, where that is not Garrison.
    tells: Option<String>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    /// For a Garrison at this address.
    pub async fn start(gate: &str) -> Self {
        Self::signing(gate, "RS256").await
    }

    /// One that signs so.
    pub async fn signing(gate: &str, algorithm: &str) -> Self {
        Self::at(free_port(), gate, algorithm, None).await
    }

    /// One that tells somebody else of logouts.
    pub async fn telling(gate: &str, whom: &str) -> Self {
        Self::at(free_port(), gate, "RS256", Some(whom.to_owned())).await
    }

    async fn at(port: u16, gate: &str, algorithm: &str, tells: Option<String>) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let installed = tokio::process::Command::new(format!("{root}/dev/oidc-provider.sh"))
            .output()
            .await
            .expect("dev/oidc-provider.sh runs");
        assert!(
            installed.status.success(),
            "npm's oidc-provider cannot be had: {}",
            String::from_utf8_lossy(&installed.stderr)
        );
        let folder = String::from_utf8(installed.stdout).expect("a path");
        let mut node = Command::new("node");
        let mut child = node
            .arg("provider.mjs")
            .current_dir(folder.trim())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("PORT", port.to_string())
            .env("GATE", gate)
            .env("ALG", algorithm)
            .envs(tells.iter().map(|whom| ("LOGOUT", whom)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node runs");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        follow(child.stdout.take().expect("stdout"), log.clone());
        follow(child.stderr.take().expect("stderr"), log.clone());
        let mut provider = Self {
            child,
            issuer: format!("http://127.0.0.1:{port}"),
            port,
            gate: gate.to_owned(),
            algorithm: algorithm.to_owned(),
            tells,
            log,
        };
        let start = std::time::Instant::now();
        while !provider.said("serving") {
            let ended = provider.child.try_wait().ok().flatten();
            assert!(
                ended.is_none() && start.elapsed() < wait::secs(60),
                "the provider does not serve ({ended:?}): {}",
                provider.log()
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        provider
    }

    fn said(&self, what: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(what))
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Away, until it is started again.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The same provider with new keys: it forgets everybody.
    pub async fn restart(mut self) -> Self {
        self.stop();
        Self::at(self.port, &self.gate, &self.algorithm, self.tells.clone()).await
    }

    /// Lets somebody log in there, of whom it tells this.
    pub async fn person(&self, id: &str, claims: Value) {
        let told = json!({ id: claims });
        Api::new(self.issuer.clone(), None)
            .post("/people", &told)
            .await
            .expect(204);
    }

    /// What Garrison is started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let listen = self.gate.trim_start_matches("http://");
        environment(&self.issuer, listen)
    }

    /// A Garrison that people log in to through it.
    pub async fn world(gate_port: u16, groups: &str) -> (Self, World) {
        let provider = Self::start(&format!("http://127.0.0.1:{gate_port}")).await;
        let world = provider.serve(groups).await;
        (provider, world)
    }

    pub async fn serve(&self, groups: &str) -> World {
        let mut all = self.environment();
        all.push(("GARRISON_OIDC_GROUPS".into(), groups.into()));
        let all: Vec<(&str, &str)> = all.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        World::with(1, &all).await
    }
}

/// What a Garrison at an address is started with, of a provider.
pub fn environment(issuer: &str, listen: &str) -> Vec<(String, String)> {
    [
        ("GARRISON_LISTEN", listen),
        ("GARRISON_PUBLIC_URL", &format!("http://{listen}/")),
        ("GARRISON_OIDC_ISSUER", issuer),
        ("GARRISON_OIDC_CLIENT_ID", "garrison"),
        ("GARRISON_OIDC_CLIENT_SECRET", SECRET),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- log of the provider ---\n{}", self.log());
        }
    }
}

fn follow(from: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    });
}
