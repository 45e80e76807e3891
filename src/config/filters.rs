//! `CrowdSieve`'s filters: what the first start imports for the default tenant. Later the database rules.

use std::path::PathBuf;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;
use super::value::{Input, json};

const MODE: Setting = Setting::new(
    "filters.mode",
    "block",
    "First start: what a matching rule does, block or allow.",
);
const RULES: Setting = Setting::new(
    "filters.rules",
    "-",
    "First start: the rules themselves, in CrowdSieve's form.",
);
const FOLDER: Setting = Setting::new(
    "filters.dir",
    "-",
    "First start: folder with further rules, one YAML file each.",
)
.variable("GARRISON_FILTERS_DIR")
.alias_variable("FILTERS_DIR");

pub(super) const SETTINGS: &[Setting] = &[MODE, RULES, FOLDER];

/// What a matching rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilterMode {
    /// A match keeps the signal here.
    #[default]
    Block,
    /// Only a match goes on.
    Allow,
}

/// The source of the first import.
#[derive(Debug, Clone)]
pub struct Filters {
    /// What a matching rule does.
    pub mode: FilterMode,
    /// The rules as written, not checked.
    pub rules: Vec<serde_json::Value>,
    /// Folder with further rules; not checked for existence.
    pub dir: Option<PathBuf>,
}

impl Filters {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let mode = source.find(&MODE)?.map_or(Ok(FilterMode::Block), |found| {
            found.parsed("block or allow", |text| match text {
                "block" => Some(FilterMode::Block),
                "allow" => Some(FilterMode::Allow),
                _ => None,
            })
        })?;
        let rules = match source.find(&RULES)? {
            None => Vec::new(),
            Some(found) => match &found.input {
                Input::List(items) => items.iter().map(json).collect(),
                _ => return Err(found.invalid("a list of rules")),
            },
        };
        let dir = source.find(&FOLDER)?.map(|found| found.path()).transpose()?;
        Ok(Self { mode, rules, dir })
    }
}
