/// Prints the description.
pub fn run() -> anyhow::Result<()> {
    super::output::say(&crate::api::openapi().to_pretty_json()?);
    Ok(())
}
