//! Where a value comes from: the environment wins over the file, Garrison's names over `CrowdSieve`'s.

use std::cell::RefCell;
use std::path::Path;

use super::error::ConfigError;
use super::setting::{Known, Setting, UNUSED_VARIABLES, known, service_link};
use super::tree::{self, Node, Value};
use super::value::{Found, Input};

/// Reads a variable; an absent one is `None`.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// File and environment together.
pub(super) struct Source<'a> {
    root: Node,
    environment: Environment<'a>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Source<'a> {
    /// Parses the file and refuses keys that nobody reads.
    pub(super) fn new(file: Option<&str>, environment: Environment<'a>) -> Result<Self, ConfigError> {
        let root = match file {
            Some(text) => tree::parse(text)?,
            None => Node {
                line: 0,
                value: Value::Null,
            },
        };
        let source = Self {
            root,
            environment,
            warnings: RefCell::default(),
        };
        source.check_keys("", &source.root)?;
        for name in UNUSED_VARIABLES {
            if source.variable(name).is_some() {
                source.warn(format!("{name} is CrowdSieve's and has no effect in Garrison"));
            }
        }
        Ok(source)
    }

    /// Notes something the operator should know.
    pub(super) fn warn(&self, text: String) {
        self.warnings.borrow_mut().push(text);
    }

    /// Everything noted, in order.
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }

    /// A variable that is set. Empty counts as unset, and so does what Kubernetes injects for a Service.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty() && !service_link(name, value))
    }

    /// Whether the file says something at this path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.root.at(path).is_some()
    }

    /// The value of a setting, `${…}` substituted; `None` when nobody says it.
    pub(super) fn find(&self, setting: &Setting) -> Result<Option<Found>, ConfigError> {
        debug_assert!(super::table().contains(setting), "{} is not listed", setting.key);
        for name in setting.variables() {
            let text = if setting.secret {
                self.secret_variable(name)?
            } else {
                self.variable(name)
            };
            if let Some(text) = text {
                return Ok(Some(Found {
                    key: setting.key,
                    origin: format!("from {name}"),
                    alias: setting.variable != Some(name),
                    input: Input::Text(text),
                }));
            }
        }
        let here: Vec<(&'static str, &Node)> = setting
            .keys()
            .filter_map(|key| self.root.at(key).map(|node| (key, node)))
            .collect();
        match here.as_slice() {
            [] => Ok(None),
            [(key, node)] => Ok(Some(Found {
                key,
                origin: format!("line {} of the configuration file", node.line),
                alias: *key != setting.key,
                input: self.input(key, node)?,
            })),
            [(first, a), (second, b), ..] => Err(ConfigError::Conflict {
                first: format!("`{first}` (line {})", a.line),
                second: format!("`{second}` (line {})", b.line),
            }),
        }
    }

    /// What the file says at a path that is no setting, `${…}` substituted.
    pub(super) fn part(&self, key: &'static str) -> Result<Option<Found>, ConfigError> {
        let Some(node) = self.root.at(key) else {
            return Ok(None);
        };
        Ok(Some(Found {
            key,
            origin: format!("line {} of the file", node.line),
            alias: true,
            input: self.input(key, node)?,
        }))
    }

    /// A secret from `NAME` or from the file that `NAME_FILE` names.
    fn secret_variable(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let file_variable = format!("{name}_FILE");
        match (self.variable(name), self.variable(&file_variable)) {
            (Some(_), Some(_)) => Err(ConfigError::Conflict {
                first: name.to_owned(),
                second: file_variable,
            }),
            (value, None) => Ok(value),
            (None, Some(path)) => self.secret_file(&file_variable, Path::new(&path)).map(Some),
        }
    }

    fn secret_file(&self, variable: &str, path: &Path) -> Result<String, ConfigError> {
        let refuse = |problem: String| ConfigError::SecretFile {
            variable: variable.to_owned(),
            path: path.to_owned(),
            problem,
        };
        let bytes = super::read_limited(path, tree::MAX_BYTES)
            .map_err(|cause| refuse(cause.to_string()))?
            .ok_or_else(|| refuse("it is too large for a secret".to_owned()))?;
        let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".to_owned()))?;
        let text = text
            .strip_suffix('\n')
            .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() {
            return Err(refuse("it is empty".to_owned()));
        }
        // Not refused: container platforms mount their secrets readable by everyone inside the container.
        if super::world_readable(path) {
            self.warn(format!(
                "the file {} named by {variable} is readable by every user",
                path.display()
            ));
        }
        Ok(text.to_owned())
    }

    fn input(&self, key: &str, node: &Node) -> Result<Input, ConfigError> {
        Ok(match &node.value {
            Value::Null => Input::Null,
            Value::Bool(value) => Input::Bool(*value),
            Value::Number(value) => Input::Number(value.clone()),
            Value::Text(text) => Input::Text(self.substitute(text, key, node.line)?),
            Value::List(items) => Input::List(
                items
                    .iter()
                    .map(|item| self.input(key, item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Map(entries) => Input::Map(
                entries
                    .iter()
                    .map(|(name, item)| Ok((name.clone(), self.input(key, item)?)))
                    .collect::<Result<_, ConfigError>>()?,
            ),
        })
    }

    /// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`. Anything else with a dollar in it,
    /// a regular expression for example, stays as it is.
    fn substitute(&self, text: &str, key: &str, line: u64) -> Result<String, ConfigError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = rest.split_at(at);
            let Some((name, default, tail)) = placeholder(after) else {
                out.push_str(before);
                out.push_str("${");
                rest = &after[2..];
                continue;
            };
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = &after[2..];
                continue;
            }
            out.push_str(before);
            match (self.variable(name), default) {
                (Some(value), _) => out.push_str(&value),
                (None, Some(default)) => out.push_str(default),
                (None, None) => {
                    return Err(ConfigError::Unset {
                        variable: name.to_owned(),
                        key: key.to_owned(),
                        line,
                    });
                }
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn check_keys(&self, path: &str, node: &Node) -> Result<(), ConfigError> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => return Ok(()),
            _ => {
                let name = if path.is_empty() { "the whole file" } else { path };
                return Err(ConfigError::Invalid {
                    key: name.to_owned(),
                    origin: format!("line {} of the configuration file", node.line),
                    expected: "a section with keys of its own".to_owned(),
                });
            }
        };
        for (name, child) in entries {
            let key = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match known(&key) {
                // A name with a dot in it would otherwise pass for a path.
                _ if name.contains('.') => {
                    return Err(ConfigError::UnknownKey {
                        key,
                        line: child.line,
                    });
                }
                Known::Setting => {}
                Known::Section => self.check_keys(&key, child)?,
                Known::Unused if key == "lapi_servers" => self.warn(format!(
                    "`{key}` (line {}) is not read from here: `garrison lapi import <this file>` takes the servers over",
                    child.line
                )),
                Known::Unused if key == "analyzers" => self.warn(format!(
                    "`{key}` (line {}) is not read from here: `garrison analyzer import` takes analyzers over",
                    child.line
                )),
                Known::Unused => self.warn(format!(
                    "`{key}` (line {}) is CrowdSieve's and has no effect in Garrison",
                    child.line
                )),
                Known::No => {
                    return Err(ConfigError::UnknownKey {
                        key,
                        line: child.line,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A file whose keys are not ours, `${…}` substituted.
pub(super) fn foreign(text: &str, environment: Environment<'_>) -> Result<Input, ConfigError> {
    let root = tree::parse(text)?;
    let source = Source {
        root: Node {
            line: 0,
            value: Value::Null,
        },
        environment,
        warnings: RefCell::default(),
    };
    source.input("the file", &root)
}

/// Takes `${NAME}` or `${NAME:-default}` off the front: name, default, what follows.
fn placeholder(text: &str) -> Option<(&str, Option<&str>, &str)> {
    let (inside, tail) = text.strip_prefix("${")?.split_once('}')?;
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let mut letters = name.bytes();
    let first = letters.next()?;
    let valid = (first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then_some((name, default, tail))
}
