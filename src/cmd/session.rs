use clap::Subcommand;
use serde_json::json;

use super::context::Installation;
use super::output::Output;
use crate::config::Config;
use crate::http::Auth;

/// What to do with the sessions of logins.
#[derive(Subcommand)]
pub enum Command {
    /// Make a new key that sessions are signed with. Sessions live on, unless told otherwise. Once a month one is made
    /// anyhow.
    RotateKey {
        /// End every session now.
        #[arg(long)]
        end_all: bool,
    },
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    let installation = Installation::open(config).await?;
    let Command::RotateKey { end_all } = command;
    let auth = Auth::new(installation.db.clone(), installation.ring.clone());
    let result = auth.rotate_session_key(end_all).await;
    installation.close().await;
    result?;
    output.print(&json!({ "rotated": true, "ended": end_all }), || {
        let text = if end_all {
            "and every session has ended"
        } else {
            "sessions live on"
        };
        format!("there is a new key; {text}")
    })
}
