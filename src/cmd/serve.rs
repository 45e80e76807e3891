//! The service: edge, workers, upkeep, and their orderly end.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::EnvFilter;

mod limits;
mod oidc;
mod upkeep;

use super::context::{FirstStart, Installation, set_fact};
use super::output::say;
use crate::api::{self, Scrape};
use crate::app::{App, AutoEnrolment, Keep, Lifetimes, Settings};
use crate::config::{Config, LogFormat};
use crate::db::{self, By};
use crate::fleet::analyzer::Analyze;
use crate::fleet::replication::{Absorb, Read, Write};
use crate::gate::forward::Forward;
use crate::gate::signal::OwnLogins;
use crate::gate::{Gate, filter};
use crate::http::limits::Limiter;
use crate::http::{Auth, Refusals, edge, layers};
use crate::jobs::Worker;
use crate::kernel::net::{Block, parse_address};
use crate::manage::{event, geoip, retention, stats, tenant};
use crate::outbound::capi::Capi;

/// How to serve.
#[derive(clap::Args)]
pub struct Args {
    /// Serve only; `garrison worker` forwards and cleans up elsewhere.
    #[arg(long)]
    no_worker: bool,
}

/// Serves until told to stop.
pub async fn run(config: Config, file: Option<PathBuf>, args: Args) -> anyhow::Result<()> {
    start_logging(&config);
    let mut installation = Installation::open(config).await?;
    installation.file = file;
    let result = Box::pin(serve(&installation, args)).await;
    installation.close().await;
    result
}

/// Works until told to stop.
pub async fn work_only(config: Config, listen: Option<SocketAddr>) -> anyhow::Result<()> {
    start_logging(&config);
    let installation = Installation::open(config).await?;
    let gate = gate(&installation, None)?;
    let end = End::heard()?;
    let stop = gate.app.stopping.clone();
    let tasks = TaskTracker::new();
    if let Some(listen) = listen {
        let listener = TcpListener::bind(listen).await;
        let listener = listener.with_context(|| format!("listening on {listen}"))?;
        let limits = edge::Limits::default();
        let router = layers::wrap(api::probes(gate.app.clone(), Scrape::install()?), &limits);
        tracing::info!(address = %listener.local_addr()?, "probes and metrics");
        tasks.spawn(edge::serve(listener, router, limits, stop.clone()));
    }
    start_work(&installation.config, &gate, &tasks, &stop);
    watch_files(&installation.config, &gate, &tasks, &stop);
    tasks.spawn(upkeep::keep_partitions(gate.app.clone(), stop.clone()));
    tracing::info!("working");
    end.wait(&installation).await?;
    gate.app.draining.store(true, Ordering::Relaxed);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    installation.close().await;
    Ok(())
}

async fn serve(installation: &Installation, args: Args) -> anyhow::Result<()> {
    let end = End::heard()?;
    let config = &installation.config;
    let first = installation.first_start().await?;
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("listening on {}", config.server.listen))?;
    let address = listener.local_addr()?;
    let url = config.server.base_url(address);
    set_fact(&installation.db, "served_url", &url).await?;
    let gate = gate(installation, Some(address))?;
    let app = gate.app.clone();
    let limits = edge::Limits {
        connections: config.server.max_connections,
        drain: config.server.drain_timeout,
        ..edge::Limits::default()
    };
    let router = layers::wrap(api::router(gate.clone(), Scrape::install()?), &limits);
    let stop = app.stopping.clone();
    let tasks = TaskTracker::new();
    tasks.spawn_blocking(crate::kernel::password::prepare);
    if let Err(e) = geoip::stores_with(&app.db, app.geoip.files().kinds()).await {
        tracing::warn!(cause = %e, "alerts that are stored without a GeoIP file may not be looked up later");
    }
    watch_files(config, &gate, &tasks, &stop);
    tasks.spawn(db::watch_replica(app.db.clone(), stop.clone()));
    if !args.no_worker {
        start_work(config, &gate, &tasks, &stop);
    }
    // Also where nothing else is worked on: a push that misses a partition must not wait for another process.
    tasks.spawn(upkeep::keep_partitions(app.clone(), stop.clone()));
    let served = tokio::spawn(edge::serve(listener, router, limits, stop.clone()));
    tracing::info!(%address, "serving");
    greet(installation, &url, first.as_ref(), address);
    let ended = end.wait(installation).await;
    tracing::info!("stopping");
    app.draining.store(true, Ordering::Relaxed);
    stop.cancel();
    tasks.close();
    let drained = served.await?;
    tasks.wait().await;
    tracing::info!(finished = drained.finished, aborted = drained.aborted, "stopped");
    ended
}

/// The signals that end us, heard from the moment this is made.
struct End {
    term: Signal,
    int: Signal,
}

impl End {
    fn heard() -> anyhow::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Until SIGTERM or SIGINT, or until the private cluster goes away under us.
    async fn wait(mut self, installation: &Installation) -> anyhow::Result<()> {
        let gone = async {
            match &installation.cluster {
                Some(cluster) => cluster.exited().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.term.recv() => Ok(()),
            _ = self.int.recv() => Ok(()),
            why = gone => Err(anyhow::anyhow!("the private Postgres ended: {why}")),
        }
    }
}

fn gate(installation: &Installation, listens: Option<SocketAddr>) -> anyhow::Result<Gate> {
    let config = &installation.config;
    let auto_enrolment = match config.enrolment.auto {
        Some(true) => AutoEnrolment::On,
        None if config.auto_enrolment() => AutoEnrolment::Local,
        _ => AutoEnrolment::Off,
    };
    let capi = Capi::new(config.capi.url.parse().context("capi.url")?, config.capi.timeout)?;
    let settings = Settings {
        forward_enabled: config.capi.forward_enabled,
        login_budget: config.capi.login_budget.or(capi.counts_logins().then_some(20)),
        auto_enrolment,
        auto_tenant: config.enrolment.tenant.clone(),
        tenant_hosts: config.enrolment.hosts.clone(),
        public_url: config.server.public_url.clone(),
        own_addresses: own_addresses(config),
        ip_info: Keep {
            answers: config.ip_info.keep,
            failures: config.ip_info.keep_failures,
        },
        keep_events: config.keep_events,
        lifetimes: lifetimes(config),
    };
    let (db, ring) = (
        installation.db.by(By::auto("garrison")),
        installation.ring.clone(),
    );
    let app = App {
        auth: Auth::new(db.clone(), ring.clone())
            .behind(origin(config), config.server.trusted_proxies.clone())
            .vouched_by(config.oidc.proxies.clone(), oidc::groups(config)?),
        refusals: Refusals::new(db.clone()),
        limits: Limiter::new(limits::settings(config)),
        db,
        ring,
        capi,
        geoip: super::geoip::files(config),
        lapis: super::lapi::client(config, listens)?,
        directory: super::ipinfo::directory(config, listens)?,
        logs: super::analyzer::client(config, listens)?,
        provider: oidc::provider(config)?,
        settings: Arc::new(settings),
        outbox: Arc::new(Notify::new()),
        partitions: Arc::new(Notify::new()),
        draining: Arc::new(AtomicBool::new(false)),
        stopping: CancellationToken::new(),
    };
    Ok(Gate {
        app,
        rules: filter::Rules::default(),
        own_logins: OwnLogins::default(),
        storing: Arc::new(Semaphore::new((config.database.pool_size / 2).max(1))),
    })
}

/// How long rows are kept where a tenant does not say otherwise.
pub(super) const fn lifetimes(config: &Config) -> Lifetimes {
    let kept = &config.retention;
    Lifetimes {
        alerts: kept.alerts,
        bodies: kept.bodies,
        audit: kept.audit,
        waiting: kept.waiting,
        metrics: kept.metrics,
    }
}

/// What browsers call us by, as far as the operator said so: an `Origin` has no path.
fn origin(config: &Config) -> Option<String> {
    let url: axum::http::Uri = config.server.public_url.as_deref()?.parse().ok()?;
    let default = matches!(
        (url.scheme_str()?, url.port_u16()),
        ("https", Some(443)) | ("http", Some(80))
    );
    let authority = url.authority()?.as_str();
    let authority = if default { url.host()? } else { authority };
    Some(format!(
        "{}://{}",
        url.scheme_str()?,
        authority.to_ascii_lowercase()
    ))
}

/// What engines reach us by, as far as it is an address.
pub fn own_addresses(config: &Config) -> Vec<Block> {
    let public = config
        .server
        .public_url
        .as_deref()
        .and_then(|url| url.parse().ok());
    let public = public.as_ref().and_then(axum::http::Uri::host);
    let public = public.and_then(|host| parse_address(host.trim_matches(['[', ']'])));
    let listen = Some(config.server.listen.ip()).filter(|ip| !ip.is_unspecified());
    listen.into_iter().chain(public).map(Block::host).collect()
}

/// New files that tell where addresses are, taken up by everybody who looks into them.
fn watch_files(config: &Config, gate: &Gate, tasks: &TaskTracker, stop: &CancellationToken) {
    let geoip = gate.app.geoip.clone();
    tasks.spawn(geoip.watch(config.geoip.check_interval, stop.clone()));
}

fn start_work(config: &Config, gate: &Gate, tasks: &TaskTracker, stop: &CancellationToken) {
    let app = gate.app.clone();
    let worker = Worker {
        db: app.db.clone(),
        wake: app.outbox.clone(),
        work: vec![
            Arc::new(Forward { app: app.clone() }),
            Arc::new(Write { app: app.clone() }),
            Arc::new(Read { app: app.clone() }),
            Arc::new(Absorb { app: app.clone() }),
            Arc::new(Analyze { app: app.clone() }),
        ],
    };
    tasks.spawn(worker.run(stop.clone()));
    tasks.spawn(stats::fold(app.db.clone(), stop.clone()));
    tasks.spawn(event::forget(
        app.db.clone(),
        app.settings.keep_events,
        stop.clone(),
    ));
    // By then every replica has looked at the files twice.
    let settled = config.geoip.check_interval * 2;
    tasks.spawn(geoip::refresh(
        app.db.clone(),
        app.geoip.clone(),
        settled,
        stop.clone(),
    ));
    tasks.spawn(retention::sweep(app.clone(), stop.clone()));
    tasks.spawn(tenant::erase(app.clone(), stop.clone()));
    tasks.spawn(upkeep::upkeep(app, stop.clone()));
}

fn start_logging(config: &Config) {
    // The migration library tells every step; the driver, at debug, the values of parameters: hashes and keys; the
    // resolver every datagram that is not its answer, and whoever sends those fills the log.
    const QUIET: &str =
        "refinery_core=warn,tokio_postgres=warn,hickory_net=error,hickory_proto=error,hickory_resolver=error";
    let filter = EnvFilter::try_new(format!("{},{QUIET}", config.logging.level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A process has one subscriber; a second start in one process would be a test's.
    let _ = match config.logging.format_or_detect() {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Pretty => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// The three lines a person needs next; they work when pasted.
fn greet(installation: &Installation, url: &str, first: Option<&FirstStart>, address: SocketAddr) {
    let me = std::env::current_exe().map_or_else(|_| "garrison".to_owned(), |p| quoted(&p));
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let file = absolute(&installation.config.data_dir.join("admin-token"));
    say(&format!("\nGarrison serves {url} ({address})"));
    if let Some(first) = first {
        let kept = file.display();
        say(&format!(
            "Admin token of tenant default, shown this once and kept in {kept}:\n  {}",
            first.admin_token
        ));
    }
    let base = url.trim_end_matches('/');
    let mut command = if installation.cluster.is_some() {
        format!(
            "GARRISON_DATA_DIR={} {me}",
            quoted(&absolute(&installation.config.data_dir))
        )
    } else {
        // The address of the database may hold a password, so it is not repeated here.
        format!("GARRISON_DATABASE_URL=\"$GARRISON_DATABASE_URL\" {me}")
    };
    if let Some(config) = &installation.file {
        command = format!("{command} --config {}", quoted(&absolute(config)));
    }
    say("Next:");
    say(&format!(
        "  {command} machine add --tenant default   # what goes into an engine's online_api_credentials.yaml"
    ));
    if file.exists() {
        let token = format!("$(cat {})", quoted(&file));
        say(&format!(
            "  curl -s -H \"Authorization: Bearer {token}\" {base}/api/alerts   # what the engines sent"
        ));
    } else {
        say(&format!(
            "  {command} token add --tenant default --scope read   # a token for {base}/api/alerts"
        ));
    }
    say(&format!(
        "  curl -s {base}/openapi.json   # the interface; {base}/docs/ to browse it\n"
    ));
}

/// A path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_./-".contains(&b));
    if plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
