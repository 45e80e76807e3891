use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use super::context::Installation;
use super::output::{Output, table};
use super::tenant::find;
use crate::fleet::lapi::SERVER_LIMIT;
use crate::gate::filter::RULE_LIMIT;
use crate::http::limits::OwnLimits;
use crate::manage::tenant;

/// Limits of one tenant.
#[derive(clap::Args)]
pub struct Args {
    /// The tenant.
    name: String,
    /// A limit of its own, such as `tenant_requests=600`. Several are possible.
    #[arg(long, value_name = "LIMIT=NUMBER")]
    set: Vec<String>,
    /// A limit that is to be as configured again.
    #[arg(long, value_name = "LIMIT")]
    unset: Vec<String>,
}

/// A limit's name as the configuration writes such names: `tenantRequests` is `tenant_requests`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn key<'a>(all: &'a Map<String, Value>, said: &str) -> anyhow::Result<&'a str> {
    let found = all
        .keys()
        .find(|name| name.as_str() == said || snake(name) == said);
    let names: Vec<String> = all.keys().map(|name| snake(name)).collect();
    found
        .map(String::as_str)
        .with_context(|| format!("there is no limit {said}; there are {}", names.join(", ")))
}

/// Changes limits, where asked, and shows them.
pub async fn run(installation: &Installation, output: Output, args: Args) -> anyhow::Result<()> {
    let (db, configured) = (&installation.db, &installation.config.limits);
    let owner = find(db, &args.name).await?;
    let before = tenant::get_limits(db, owner).await?;
    let Value::Object(all) = json!(before) else {
        bail!("limits are no object");
    };
    let mut wanted = all.clone();
    for text in &args.set {
        let number = text
            .split_once('=')
            .and_then(|(name, number)| Some((name, number.parse::<i64>().ok()?)));
        let (name, number) =
            number.with_context(|| format!("{text} is not LIMIT=NUMBER, such as tenant_requests=600"))?;
        wanted.insert(key(&all, name)?.to_owned(), number.into());
    }
    for name in &args.unset {
        wanted.insert(key(&all, name)?.to_owned(), Value::Null);
    }
    let own: OwnLimits = serde_json::from_value(Value::Object(wanted)).context("the limits")?;
    own.check().map_err(|wrong| {
        let each = wrong.iter().map(|e| format!("{} {}", snake(&e.field), e.reason));
        anyhow::anyhow!(each.collect::<Vec<_>>().join("; "))
    })?;
    if own != before {
        tenant::update_limits(db, owner, &own).await?;
    }
    let defaults = json!({ "tokenRequests": configured.token_requests, "tenantRequests": configured.tenant_requests,
        "tenantItems": configured.tenant_items, "tenantBytes": configured.tenant_bytes, "machineItems": configured.machine_items,
        "machineBytes": configured.machine_bytes, "pushes": configured.pushes.1, "reads": configured.reads.1,
        "heavy": configured.heavy.1, "changes": configured.changes.1, "streams": 20, "rules": RULE_LIMIT,
        "lapiServers": SERVER_LIMIT });
    output.print(
        &json!({ "tenant": args.name, "own": own, "configured": defaults }),
        || {
            let own = json!(own);
            let row = |name: &String| {
                let shown = if own[name].is_null() {
                    "-".to_owned()
                } else {
                    own[name].to_string()
                };
                vec![snake(name), shown, defaults[name].to_string()]
            };
            table(
                &["LIMIT", "ITS OWN", "CONFIGURED"],
                &all.keys().map(row).collect::<Vec<_>>(),
            )
        },
    )
}
