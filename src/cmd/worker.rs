use crate::config::Config;

/// Forwards and cleans up, and serves nothing.
pub async fn run(config: Config) -> anyhow::Result<()> {
    Box::pin(super::serve::work_only(config)).await
}
