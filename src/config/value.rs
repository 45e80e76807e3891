//! Turning what was found into what the code wants.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

use super::error::ConfigError;

/// A value before typing: text from the environment, or a node of the file.
pub(super) enum Input {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// A value and where it was found.
pub(super) struct Found {
    pub(super) key: &'static str,
    pub(super) origin: String,
    /// Whether it came by `CrowdSieve`'s name, whose form may differ.
    pub(super) alias: bool,
    pub(super) input: Input,
}

impl Found {
    /// The refusal of this value.
    pub(super) fn invalid(&self, expected: impl Into<String>) -> ConfigError {
        ConfigError::Invalid {
            key: self.key.to_owned(),
            origin: self.origin.clone(),
            expected: expected.into(),
        }
    }

    /// Text as it stands. A bare number or boolean is refused: YAML has already changed how it is spelt.
    pub(super) fn text(&self) -> Result<&str, ConfigError> {
        match &self.input {
            Input::Text(text) if !text.contains('\0') => Ok(text),
            Input::Bool(_) | Input::Number(_) => Err(self.invalid("a text in quotes")),
            _ => Err(self.invalid("a text")),
        }
    }

    /// Text that `parse` understands.
    pub(super) fn parsed<T>(
        &self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        match &self.input {
            Input::Text(text) => parse(text.trim()),
            Input::Number(number) => parse(&number.to_string()),
            Input::Bool(value) => parse(if *value { "true" } else { "false" }),
            _ => None,
        }
        .ok_or_else(|| self.invalid(expected))
    }

    /// A whole number within `range`.
    pub(super) fn number<T>(&self, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed(&expected, |text| {
            // `+5` parses in Rust, but nobody means it.
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|number| digits && range.contains(number))
        })
    }

    /// Yes or no.
    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.parsed("true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        })
    }

    /// A duration as Go writes it, within `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, ConfigError> {
        let expected = format!(
            "a duration such as 20s, 1m30s or 500ms, from {:?} to {:?}",
            range.start(),
            range.end()
        );
        self.parsed(&expected, |text| {
            duration(text).filter(|value| range.contains(value))
        })
    }

    /// A duration in whole milliseconds, as `CrowdSieve` writes it, within `range`.
    pub(super) fn milliseconds(&self, range: RangeInclusive<u64>) -> Result<Duration, ConfigError> {
        self.number(range).map(Duration::from_millis)
    }

    /// A secret, as it stands.
    pub(super) fn secret(&self) -> Result<SecretString, ConfigError> {
        self.text().map(SecretString::from)
    }

    /// A path, not checked for existence.
    pub(super) fn path(&self) -> Result<PathBuf, ConfigError> {
        self.text().map(PathBuf::from)
    }

    /// Several texts: a list in the file, or one text with commas.
    pub(super) fn texts(&self) -> Result<Vec<&str>, ConfigError> {
        match &self.input {
            Input::Text(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect()),
            Input::List(items) => items
                .iter()
                .map(|item| match item {
                    Input::Text(text) => Ok(text.trim()),
                    _ => Err(self.invalid("a list of texts")),
                })
                .collect(),
            _ => Err(self.invalid("a list, or a text with commas")),
        }
    }
}

/// Go's duration without sign: `1h30m`, `1.5s`, `500ms`, `0`. `None` when malformed or beyond 2^64 nanoseconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && part.is_empty()) || part.contains('.') || part.len() > 18 {
            return None;
        }
        let whole: u128 = if whole.is_empty() {
            0
        } else {
            whole.parse::<u64>().ok()?.into()
        };
        let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
        let part: u128 = if part.is_empty() {
            0
        } else {
            part.parse::<u64>().ok()?.into()
        };
        total = total.checked_add(whole * unit + part * unit / scale)?;
        rest = tail;
    }
    if text.is_empty() {
        return None;
    }
    u64::try_from(total).ok().map(Duration::from_nanos)
}

/// An absolute `http` or `https` address without user, query or fragment, ending in `/`. `None` when it is not one.
pub(super) fn http_base(text: &str) -> Option<String> {
    if text.contains(['@', '?', '#', '\\']) || !text.is_ascii() || text.contains(char::is_whitespace) {
        return None;
    }
    let address: http::Uri = text.parse().ok()?;
    let scheme = address.scheme_str()?;
    if !matches!(scheme, "http" | "https") || address.host().is_none_or(str::is_empty) {
        return None;
    }
    let authority = address.authority()?.as_str().to_ascii_lowercase();
    // `host:` and `host:99999` pass the parser.
    let after_host = authority.rsplit(']').next().unwrap_or_default();
    if after_host.contains(':') && address.port_u16().is_none() {
        return None;
    }
    let path = address.path().trim_end_matches('/');
    Some(format!("{scheme}://{authority}{path}/"))
}

/// The same value as JSON.
pub(super) fn json(input: &Input) -> serde_json::Value {
    match input {
        Input::Null => serde_json::Value::Null,
        Input::Bool(value) => (*value).into(),
        Input::Number(value) => serde_json::Value::Number(value.clone()),
        Input::Text(text) => text.clone().into(),
        Input::List(items) => items.iter().map(json).collect(),
        Input::Map(entries) => serde_json::Value::Object(
            entries
                .iter()
                .map(|(name, item)| (name.clone(), json(item)))
                .collect(),
        ),
    }
}
