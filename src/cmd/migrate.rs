use serde_json::json;

use super::context::Installation;
use super::output::Output;
use crate::config::Config;
use crate::db;

/// Brings the schema up to date.
pub async fn run(config: Config, output: Output) -> anyhow::Result<()> {
    let installation = Installation::open(config).await?;
    let version = db::schema_version(&installation.db).await?;
    output.print(&json!({ "version": version }), || {
        format!("the schema is at version {version}")
    })?;
    installation.close().await;
    Ok(())
}
