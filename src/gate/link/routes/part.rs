//! What a machine's stream gets from us.

use axum::http::{HeaderMap, header};
use jiff::Timestamp;

use crate::app::App;
use crate::db::{DbError, TenantTx};
use crate::gate::link::model::feed::{self, NAME, Wanted};
use crate::gate::link::model::merge::{AllowLink, BlockLink, Part};
use crate::gate::link::model::token::{Link, Subject};
use crate::gate::link::model::{HELD, base};
use crate::gate::link::queries::{self, Allowlist};
use crate::http::{Delivery, Machine};
use crate::kernel::time::rfc3339_millis;

/// How a machine asked for its stream, as far as our part depends on it.
pub struct Asked {
    /// By which of CAPI's versions.
    pub version: u8,
    /// Where it reaches us, if that can be told.
    base: Option<String>,
}

impl Asked {
    /// From its request.
    #[must_use]
    pub fn new(app: &App, version: u8, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let https = text("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let base = base(
            app.settings.public_url.as_deref(),
            text(header::HOST.as_str()),
            https,
        );
        Self { version, base }
    }
}

/// What the machine's stream gets from us: the set and the allowlists while it delivers, afterwards what takes them back.
///
/// # Errors
/// As the statements fail.
pub async fn part(app: &App, machine: &Machine, asked: &Asked) -> Result<Part, DbError> {
    let mut connection = app.db.connection().await?;
    let tx = app.db.tenant(&mut connection, machine.tenant).await?;
    let delivers = machine.delivery == Delivery::On;
    let chosen = if delivers {
        chosen(&tx, machine).await?
    } else {
        Vec::new()
    };
    let part = if asked.version == 2 {
        decisions(&tx, machine, chosen).await?
    } else if let Some(base) = &asked.base {
        let lists = if delivers {
            queries::list_allowlists(&tx).await?
        } else {
            Vec::new()
        };
        links(app, &tx, machine, base, &chosen, &lists).await?
    } else {
        tracing::warn!("a machine named no host, so that no links can be made for it: set server.public_url");
        Part::Links {
            block: Vec::new(),
            allow: Vec::new(),
        }
    };
    tx.commit().await?;
    Ok(part)
}

/// The decisions that a machine is to have.
pub(super) async fn chosen(tx: &TenantTx<'_>, machine: &Machine) -> Result<Vec<Wanted>, DbError> {
    let all = queries::list_decisions(tx, machine.id).await?;
    let spared = queries::list_allowed(tx).await?;
    Ok(feed::choose(all, &spared))
}

/// All that holds is sent each time, so that an answer that was lost makes no difference; what was given and holds no
/// more is sent as deleted.
async fn decisions(tx: &TenantTx<'_>, machine: &Machine, chosen: Vec<Wanted>) -> Result<Part, DbError> {
    let now = Timestamp::now();
    queries::delete_given(tx, machine.id).await?;
    queries::upsert_given(tx, machine.id, &chosen).await?;
    let gone = queries::update_gone(tx, machine.id, &chosen).await?;
    Ok(Part::Decisions {
        new: chosen
            .iter()
            .filter_map(|wanted| feed::new_decision(wanted, now))
            .collect(),
        deleted: gone
            .iter()
            .filter_map(|(value, kind)| feed::deleted_decision(value, kind))
            .collect(),
    })
}

/// A blocklist without anything in it gets no link: an engine takes nothing away for an empty list, so it would be
/// fetched for nothing. An allowlist that is gone gets one as long as the machine may have it: engines replace what is
/// in an allowlist by what they fetch, and keep for ever a list that is not mentioned.
async fn links(
    app: &App,
    tx: &TenantTx<'_>,
    machine: &Machine,
    base: &str,
    chosen: &[Wanted],
    lists: &[Allowlist],
) -> Result<Part, DbError> {
    let now = Timestamp::now();
    let url = |subject| {
        let link = Link {
            tenant: machine.tenant.id(),
            machine: machine.id,
            subject,
        };
        format!("{base}links/{}", link.sign(&app.ring, now))
    };
    let block = feed::lists(chosen).into_iter().map(|list| BlockLink {
        name: list.name(),
        remediation: list.kind.clone(),
        scope: list.scope(),
        duration: HELD,
        url: url(Subject::Block(list)),
    });
    let block: Vec<_> = block.collect();
    let allow =
        |id: i64, name: &str, description: String, created: Timestamp, updated: Timestamp| AllowLink {
            id: format!("{NAME}-{id}"),
            // An engine may have a list of its own by the plain name, and the name is all that its operator sees.
            name: format!("{NAME}-{name}"),
            description,
            url: url(Subject::Allow(id)),
            created_at: rfc3339_millis(created),
            updated_at: rfc3339_millis(updated),
        };
    queries::delete_told(tx, machine.id).await?;
    let told = queries::list_told(tx, machine.id).await?;
    let gone = told.iter().filter(|told| lists.iter().all(|l| l.id != told.id));
    let gone = gone.map(|told| allow(told.id, &told.name, String::new(), told.at, told.at));
    let live = lists
        .iter()
        .map(|l| allow(l.id, &l.name, l.description.clone(), l.created_at, l.updated_at));
    let allow: Vec<_> = live.chain(gone).collect();
    queries::upsert_told(tx, machine.id, lists).await?;
    Ok(Part::Links { block, allow })
}

/// Whether the machine once asked for everything and got our part only, so that CAPI is to be asked for everything
/// now. If that cannot be found out, it is asked what the machine asked.
pub async fn startup_is_owed(app: &App, machine: &Machine) -> bool {
    queries::get_startup_owed(app, machine).await.unwrap_or_default()
}

/// Remembers or forgets it.
pub async fn update_startup_owed(app: &App, machine: &Machine, owed: bool) {
    if let Err(e) = queries::update_startup_owed(app, machine, owed).await {
        tracing::warn!(cause = %e, "it was not written whether a machine is owed a whole stream");
    }
}
