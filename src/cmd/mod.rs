//! The command line: one file a subcommand.

mod allowlist;
mod analyzer;
mod audit;
mod context;
mod erase;
mod filter;
mod geoip;
mod health;
mod ipinfo;
mod lapi;
mod limit;
mod machine;
mod migrate;
mod openapi;
mod output;
mod serve;
mod session;
mod tenant;
mod token;
mod transfer;
mod user;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use output::Output;

/// The fleet gate and command post for defended servers.
#[derive(Parser)]
#[command(name = "garrison", version, about, propagate_version = true)]
struct Cli {
    /// Configuration file (YAML); otherwise the one that the variable `GARRISON_CONFIG` names, if any.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How results are printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Human)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and the gate, with workers unless told otherwise.
    Serve(serve::Args),
    /// Only forward and clean up; serve nothing.
    Worker(worker::Args),
    /// Bring the database to this release's schema.
    Migrate,
    /// Tenants.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Machines: CrowdSec engines.
    #[command(subcommand)]
    Machine(machine::Command),
    /// API tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// People, and what they are in which tenant.
    #[command(subcommand)]
    User(user::Command),
    /// Sessions of logins.
    #[command(subcommand)]
    Session(session::Command),
    /// Filter rules.
    #[command(subcommand)]
    Filter(filter::Command),
    /// Addresses that a tenant never wants banned.
    #[command(subcommand)]
    Allowlist(allowlist::Command),
    /// Searches in logs that decide by themselves.
    #[command(subcommand)]
    Analyzer(analyzer::Command),
    /// LAPI servers: where decisions are searched in and written to.
    #[command(subcommand)]
    Lapi(lapi::Command),
    /// Files that tell where addresses are.
    #[command(subcommand)]
    Geoip(geoip::Command),
    /// The audit trail: who did what.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Erase an address or a tenant, and keep a proof of it.
    Erase(erase::Args),
    /// Ask the service on this machine whether it is ready: for health checks.
    Health(health::Args),
    /// Print the `OpenAPI` description.
    Openapi,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        // Needs neither configuration nor database.
        Command::Openapi => openapi::run(),
        _ => run(cli),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("garrison: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let config = Config::from_process(cli.config.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        match cli.command {
            Command::Serve(args) => Box::pin(serve::run(config, cli.config, args)).await,
            Command::Worker(args) => Box::pin(worker::run(config, args)).await,
            Command::Migrate => migrate::run(config, cli.output).await,
            Command::Tenant(command) => tenant::run(config, cli.output, command).await,
            Command::Machine(command) => machine::run(config, cli.output, command).await,
            Command::Token(command) => token::run(config, cli.output, command).await,
            Command::User(command) => user::run(config, cli.output, command).await,
            Command::Session(command) => session::run(config, cli.output, command).await,
            Command::Filter(command) => filter::run(config, cli.output, command).await,
            Command::Allowlist(command) => allowlist::run(config, cli.output, command).await,
            Command::Analyzer(command) => analyzer::run(config, cli.output, command).await,
            Command::Lapi(command) => lapi::run(config, cli.output, command).await,
            Command::Geoip(command) => geoip::run(config, cli.output, command).await,
            Command::Audit(command) => audit::run(config, cli.output, command).await,
            Command::Erase(args) => erase::run(config, cli.output, args).await,
            Command::Health(args) => health::run(&config, &args).await,
            Command::Openapi => openapi::run(),
        }
    })
}
