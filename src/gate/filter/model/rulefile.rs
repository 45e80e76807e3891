//! Rule files as `CrowdSieve` reads them: one rule a file, YAML.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::granit_parser::{self, Event, Parser};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::expr::{Expr, ExprError};

/// Largest rule file, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Longest rule name, in characters.
const MAX_NAME: usize = 200;
/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 2_000;
/// Most YAML nodes. The largest expression the budgets allow in practice is a few arrays of 1000 values.
const MAX_YAML_NODES: usize = 10_000;
/// Most nodes that aliases may stand for.
const MAX_REPLAYED: usize = 2_000;
/// Deepest YAML nesting: 16 conditions take two levels each.
const MAX_YAML_DEPTH: usize = 40;

/// A rule as written: the content of a rule file, and the form of the shipped rules.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// The rule's name.
    pub name: String,
    /// Whether the rule is in force; true unless the file says otherwise.
    #[serde(default = "enabled_by_default")]
    pub enabled: bool,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// The expression, checked but in its JSON form.
    pub filter: Value,
}

fn enabled_by_default() -> bool {
    true
}

/// Why a rule file was refused.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    /// Over 256 KiB.
    #[error("rule file is larger than {} KiB", MAX_BYTES / 1024)]
    TooLarge,
    /// Not YAML, over the budget, or not of the shape of a rule; unknown keys are named.
    #[error("{0}")]
    Yaml(String),
    /// The name is empty or longer than 200 characters.
    #[error("name: must have 1 to {MAX_NAME} characters")]
    Name,
    /// The description is longer than 2000 characters.
    #[error("description: must have at most {MAX_DESCRIPTION} characters")]
    Description,
    /// The expression is wrong.
    #[error("filter: {0}")]
    Filter(#[from] ExprError),
}

/// Reads one rule file and checks its expression.
///
/// `name` and `filter` are required. Unknown and duplicate keys, tags, merge keys, a second document, and files over the
/// budgets (256 KiB, 10,000 nodes, depth 40, 100 aliases) are refused.
///
/// # Errors
/// [`RuleFileError`], whose text names the key or the place.
pub fn parse_rule_file(yaml: &str) -> Result<RuleFile, RuleFileError> {
    if yaml.len() > MAX_BYTES {
        return Err(RuleFileError::TooLarge);
    }
    let file: RuleFile = read_yaml(yaml, MAX_YAML_NODES)?;
    file.check()?;
    Ok(file)
}

/// Reads a document of at most so many nodes, as strictly as a rule file.
///
/// # Errors
/// [`RuleFileError::Yaml`], whose text names the place.
pub fn read_yaml<T: DeserializeOwned>(yaml: &str, nodes: usize) -> Result<T, RuleFileError> {
    refuse_tags(yaml, nodes)?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: nodes * 3,
            max_nodes: nodes,
            max_depth: MAX_YAML_DEPTH,
            flow_nesting_limit: MAX_YAML_DEPTH,
            max_documents: 1,
            max_aliases: 100,
            max_anchors: 100,
            max_merge_keys: 0,
            max_total_scalar_bytes: yaml.len().max(MAX_BYTES),
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| RuleFileError::Yaml(error.to_string()))
}

impl RuleFile {
    /// Looks at the lengths and the expression.
    ///
    /// # Errors
    /// [`RuleFileError`], whose text names the key.
    pub fn check(&self) -> Result<(), RuleFileError> {
        let long = |text: &str, most| text.chars().count() > most || text.contains('\0');
        if self.name.trim().is_empty() || long(&self.name, MAX_NAME) {
            return Err(RuleFileError::Name);
        }
        if self
            .description
            .as_deref()
            .is_some_and(|text| long(text, MAX_DESCRIPTION))
        {
            return Err(RuleFileError::Description);
        }
        Expr::parse(&self.filter)?;
        Ok(())
    }
}

/// A rule needs no tags, and `!!binary` or `!!str` would change what a value means. Syntax errors are left to the real
/// reading, which words them better.
fn refuse_tags(yaml: &str, nodes: usize) -> Result<(), RuleFileError> {
    // Most files hold no exclamation mark at all.
    if !yaml.contains('!') {
        return Ok(());
    }
    let options =
        granit_parser::options! { flow_nesting_limit: MAX_YAML_DEPTH, block_nesting_limit: MAX_YAML_DEPTH };
    let events = Parser::with_options(granit_parser::StrInput::new(yaml), options);
    for event in events.take(nodes * 3) {
        let tagged = match event {
            Ok((
                Event::Scalar(_, _, _, tag)
                | Event::SequenceStart(_, _, tag)
                | Event::MappingStart(_, _, tag),
                _,
            )) => tag.is_some(),
            Ok(_) => false,
            Err(_) => return Ok(()),
        };
        if tagged {
            return Err(RuleFileError::Yaml("tags are not allowed".to_owned()));
        }
    }
    Ok(())
}
