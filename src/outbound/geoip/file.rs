//! One file, held in memory whole. It comes from elsewhere, so nothing of it is believed before it was tried.

use std::fs::{self, Metadata};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::Timestamp;
use maxminddb::{Reader, WithinOptions};

use super::record::Record;
use crate::kernel::geo::Place;

/// The largest file that is read.
pub const FILE_LIMIT: u64 = 1 << 30;
/// Steps through the tree, and addresses spread over all, by which a file is tried.
const TRIED: usize = 4096;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The system says so.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// More than is read.
    #[error("it is larger than {FILE_LIMIT} bytes")]
    TooLarge,
    /// It changed under us: looked at again later.
    #[error("it is being written")]
    Unfinished,
    /// Not of the format, or damaged.
    #[error("it is damaged, or no MaxMind DB file: {0}")]
    Damaged(#[from] maxminddb::MaxMindDbError),
    /// It answers, but knows nothing that we ask for.
    #[error("it holds neither places nor autonomous systems")]
    OfNoUse,
}

/// What tells one content of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of a file as it is now.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self::from(&fs::metadata(path)?))
    }
}

impl From<&Metadata> for Stamp {
    fn from(meta: &Metadata) -> Self {
        Self {
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// What kinds of things files know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Where an address is.
    pub places: bool,
    /// Whose it is.
    pub owners: bool,
}

impl Kinds {
    /// What two know together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            places: self.places || other.places,
            owners: self.owners || other.owners,
        }
    }
}

/// A file that was tried.
pub struct File {
    reader: Reader<Vec<u8>>,
    /// What it knows.
    pub kinds: Kinds,
    /// What it calls itself.
    pub kind: String,
    /// When it was made.
    pub built: Option<Timestamp>,
    /// Bytes.
    pub size: usize,
}

impl File {
    /// Reads and tries a file.
    ///
    /// # Errors
    /// As it is [`Unusable`].
    pub fn open(path: &Path) -> Result<Self, Unusable> {
        let mut file = fs::File::open(path)?;
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(std::io::Error::other("it is not a regular file").into());
        }
        if before.len() > FILE_LIMIT {
            return Err(Unusable::TooLarge);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
        file.by_ref().take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
        if Stamp::from(&before) != Stamp::from(&file.metadata()?) || bytes.len() as u64 != before.len() {
            return Err(Unusable::Unfinished);
        }
        Self::read(bytes)
    }

    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, Unusable> {
        let size = bytes.len();
        let reader = Reader::from_source(bytes)?;
        let about = reader.metadata();
        let built = i64::try_from(about.build_epoch)
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok());
        let kind = about
            .database_type
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect();
        let mut file = Self {
            kinds: Kinds::default(),
            kind,
            built,
            size,
            reader,
        };
        file.kinds = file.tried()?;
        if file.kinds == Kinds::default() {
            return Err(Unusable::OfNoUse);
        }
        Ok(file)
    }

    /// Looks at the first networks of the tree and at addresses all over it: any error refuses the file.
    fn tried(&self) -> Result<Kinds, Unusable> {
        let mut kinds = Kinds::default();
        let mut note = |place: Place| {
            kinds.places |= place.is_somewhere();
            kinds.owners |= place.is_somebodys();
        };
        // Steps without data count, too: a hostile tree has more of them than anyone lives to see.
        let steps = WithinOptions::default().include_networks_without_data();
        for network in self.reader.networks(steps)?.take(TRIED) {
            if let Some(record) = network?.decode::<Record<'_>>()? {
                note(record.place());
            }
        }
        let spread = u32::MAX / u32::try_from(TRIED).unwrap_or(1);
        for n in 0..u32::try_from(TRIED).unwrap_or(0) {
            let address = IpAddr::V4(Ipv4Addr::from_bits(n * spread + 1));
            if let Some(record) = self.reader.lookup(address)?.decode::<Record<'_>>()? {
                note(record.place());
            }
        }
        Ok(kinds)
    }

    /// What it says of an address; nothing where it is damaged.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Option<Place> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        let record = self.reader.lookup(address).ok()?.decode::<Record<'_>>().ok()?;
        record.map(|record| record.place())
    }
}
