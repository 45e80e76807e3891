use std::net::SocketAddr;

use crate::config::Config;

/// How to work.
#[derive(clap::Args)]
pub struct Args {
    /// Where probes and metrics are told, and nothing else; without it nowhere.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Forwards and cleans up, and serves no API.
pub async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    Box::pin(super::serve::work_only(config, args.listen)).await
}
