use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use super::queries::{self, Step};
use crate::db::{Db, DbError, Tenant};
use crate::outbound::geoip::{Geoip, Kinds};

/// Between two looks whether something is to be done.
const PAUSE: Duration = Duration::from_secs(3);
/// Portions of one tenant before it is the next one's turn.
const TURN: usize = 20;

/// What files know, as it is kept in the database: every stored alert was looked up for this.
fn named(kinds: Kinds) -> String {
    let names = [("places", kinds.places), ("owners", kinds.owners)];
    let names: Vec<_> = names
        .iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| *name)
        .collect();
    names.join(" ")
}

fn read(text: &str) -> Kinds {
    let has = |name| text.split(' ').any(|word| word == name);
    Kinds {
        places: has("places"),
        owners: has("owners"),
    }
}

/// Says, before this process takes alerts, what it cannot look them up for: once a file is there they are, again.
///
/// # Errors
/// As a statement fails.
pub async fn stores_with(db: &Db, kinds: Kinds) -> Result<(), DbError> {
    let known = read(&queries::get_known(db).await?);
    let both = Kinds {
        places: known.places && kinds.places,
        owners: known.owners && kinds.owners,
    };
    if both != known {
        queries::set_known(db, &named(both), false).await?;
    }
    Ok(())
}

/// Looks alerts up again, of one tenant after the other, until `stop`: those stored before there was a file for it, and
/// whatever is asked for. Every replica looks; which one does it does not matter. `settled` is how long a file must have
/// been there before the others are sure to have it, too.
pub async fn refresh(db: Db, geoip: Geoip, settled: Duration, stop: CancellationToken) {
    let mut since: Option<(Kinds, Instant)> = None;
    loop {
        let kinds = geoip.files().kinds();
        if since.is_none_or(|(before, _)| before != kinds) {
            since = Some((kinds, Instant::now()));
        }
        let steady = since.is_some_and(|(_, at)| at.elapsed() >= settled);
        if kinds != Kinds::default()
            && let Err(e) = turn(&db, &geoip, kinds, steady, &stop).await
        {
            tracing::warn!(cause = %e, "alerts were not looked up again and will be later");
        }
        let pause = PAUSE.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn turn(
    db: &Db,
    geoip: &Geoip,
    kinds: Kinds,
    steady: bool,
    stop: &CancellationToken,
) -> Result<(), DbError> {
    if steady {
        let known = read(&queries::get_known(db).await?);
        let all = known.and(kinds);
        if all != known {
            tracing::info!(knows = named(all), "alerts stored before are looked up");
            queries::set_known(db, &named(all), true).await?;
        }
    }
    loop {
        let mut more = false;
        for tenant in queries::list_passes(db).await? {
            match portions(db, geoip, tenant, stop).await {
                Ok(again) => more |= again,
                // Rows that somebody else holds; one tenant's trouble is not the others'.
                Err(e) => tracing::debug!(tenant = tenant.id(), cause = %e, "looked up later"),
            }
        }
        if !more || stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// Whether there is more.
async fn portions(db: &Db, geoip: &Geoip, tenant: Tenant, stop: &CancellationToken) -> Result<bool, DbError> {
    for _ in 0..TURN {
        if stop.is_cancelled() {
            return Ok(false);
        }
        match queries::step(db, tenant, &geoip.files()).await? {
            Step::More => {}
            Step::Last(examined, changed) => {
                let tenant = tenant.id();
                tracing::info!(tenant, examined, changed, "alerts were looked up again");
                return Ok(false);
            }
            Step::Nothing => return Ok(false),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_written() {
        for places in [false, true] {
            for owners in [false, true] {
                let kinds = Kinds { places, owners };
                assert_eq!(read(&named(kinds)), kinds);
            }
        }
        assert_eq!(read("something else"), Kinds::default());
    }
}
