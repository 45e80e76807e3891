//! Where addresses are: files in `MaxMind`'s format that somebody else made, held in memory and exchanged while we serve.

mod fetch;
mod file;
mod record;
mod unpack;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::range::{Kind, classify};
use crate::kernel::geo::Place;
use crate::kernel::net::Block;

pub use fetch::{Edition, FetchError, Fetched, Provider, Source, fetch};
pub use file::{File, Kinds, Stamp, Unusable};

/// Most files of a folder.
const MOST: usize = 16;

/// Which files there are.
#[derive(Debug, Clone, Default)]
pub enum Where {
    /// None at all.
    #[default]
    Nowhere,
    /// These, the first one first.
    Files(Vec<PathBuf>),
    /// Whatever is called `*.mmdb` in this folder, in the order of the names; the folder need not be there.
    Folder(PathBuf),
}

impl Where {
    fn list(&self) -> Vec<PathBuf> {
        match self {
            Self::Nowhere => Vec::new(),
            Self::Files(paths) => paths.clone(),
            Self::Folder(folder) => {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let is_ours = |path: &PathBuf| {
                    let hidden = path
                        .file_name()
                        .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
                    path.extension().is_some_and(|e| e == "mmdb") && !hidden
                };
                let mut paths: Vec<_> = entries.map(|entry| entry.path()).filter(is_ours).collect();
                paths.sort();
                paths.truncate(MOST);
                paths
            }
        }
    }
}

/// The files of an instant: what a batch is looked up in.
#[derive(Default)]
pub struct Files(Vec<(PathBuf, Arc<File>)>);

impl Files {
    /// What is known of an address; nothing of private ones.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Option<Place> {
        if self.0.is_empty() {
            return None;
        }
        let address = Block::host(address).lo();
        if is_private(address) {
            return None;
        }
        let found = self.0.iter().filter_map(|(_, file)| file.place(address));
        found.reduce(Place::or)
    }

    /// What the files know together.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        self.0
            .iter()
            .fold(Kinds::default(), |all, (_, file)| all.and(file.kinds))
    }

    /// Path and content of each.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &File)> {
        self.0.iter().map(|(path, file)| (path.as_path(), &**file))
    }
}

/// Addresses that are in nobody's file, or that mean something else there.
fn is_private(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    local || classify(address) == Kind::Private || address.is_unspecified() || address.is_multicast()
}

/// A path that was looked at.
#[derive(Default)]
struct Seen {
    /// What stood there the last time, used or not; none where nothing did.
    stamp: Option<Stamp>,
    /// What is used.
    file: Option<Arc<File>>,
    /// Looks in a row that found nothing.
    gone: u8,
}

#[derive(Default)]
struct Inner {
    sources: Where,
    seen: Mutex<BTreeMap<PathBuf, Seen>>,
    current: RwLock<Arc<Files>>,
}

/// The files, as they are now. Cheap to clone.
#[derive(Clone, Default)]
pub struct Geoip(Arc<Inner>);

impl Geoip {
    /// Files that are not read yet: [`Self::look`] does.
    #[must_use]
    pub fn new(sources: Where) -> Self {
        Self(Arc::new(Inner {
            sources,
            ..Inner::default()
        }))
    }

    /// The files of this instant.
    #[must_use]
    pub fn files(&self) -> Arc<Files> {
        self.0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads what is new. What cannot be used is told once, and what was used before it stays. Takes as long as reading
    /// and trying the files does.
    pub fn look(&self) {
        let inner = &*self.0;
        let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = inner.sources.list();
        let named = matches!(inner.sources, Where::Files(_));
        let mut changed = false;
        for path in &paths {
            changed |= look_at(path, seen.entry(path.clone()).or_default(), named);
        }
        // What is no longer in the folder.
        seen.retain(|path, known| {
            if !paths.contains(path) {
                changed |= missed(path, known);
            }
            paths.contains(path) || known.file.is_some()
        });
        if changed {
            let order: Vec<&PathBuf> = match inner.sources {
                Where::Files(_) => paths.iter().collect(),
                _ => seen.keys().collect(),
            };
            let used = order
                .into_iter()
                .filter_map(|path| Some((path.clone(), seen.get(path)?.file.clone()?)));
            let files = Arc::new(Files(used.collect()));
            *inner.current.write().unwrap_or_else(PoisonError::into_inner) = files;
        }
    }

    /// Looks for new files every now and then, until `stop`.
    pub async fn watch(self, every: Duration, stop: CancellationToken) {
        if matches!(self.0.sources, Where::Nowhere) {
            return;
        }
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => return,
            }
            let here = self.clone();
            if let Err(e) = tokio::task::spawn_blocking(move || here.look()).await {
                tracing::warn!(cause = %e, "GeoIP files were not looked at");
            }
        }
    }
}

/// Whether what is used changed.
fn look_at(path: &Path, known: &mut Seen, named: bool) -> bool {
    let stamp = match Stamp::of(path) {
        Ok(stamp) => stamp,
        Err(e) => {
            let first = known.stamp.is_none() && known.gone == 0;
            if first && named {
                tracing::warn!(file = %path.display(), cause = %e, "no GeoIP file there: looked for again");
            }
            return missed(path, known);
        }
    };
    known.gone = 0;
    if known.stamp == Some(stamp) {
        return false;
    }
    match File::open(path) {
        Ok(file) => {
            let built = file
                .built
                .map_or_else(String::new, |at: Timestamp| at.to_string());
            tracing::info!(file = %path.display(), kind = file.kind, built, "GeoIP file is used");
            known.stamp = Some(stamp);
            known.file = Some(Arc::new(file));
            true
        }
        // Not even told: the next look will see it whole.
        Err(Unusable::Unfinished) => false,
        Err(e) => {
            let kept = known.file.is_some();
            tracing::warn!(file = %path.display(), cause = %e, kept, "GeoIP file is not used; `kept` says whether the one before is");
            known.stamp = Some(stamp);
            false
        }
    }
}

/// Nothing stands there: somebody may be about to put a new one there, so it counts from the second time on.
fn missed(path: &Path, known: &mut Seen) -> bool {
    known.gone = known.gone.saturating_add(1);
    known.stamp = None;
    if known.gone < 2 || known.file.is_none() {
        return false;
    }
    tracing::warn!(file = %path.display(), "GeoIP file is gone: nothing is looked up in it any more");
    known.file = None;
    true
}

#[cfg(test)]
mod tests;
