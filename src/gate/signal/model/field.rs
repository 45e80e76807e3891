//! Reading one field of a signal: absent and null are the same, another type is an error that names the field.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::parse::Rejection;
use crate::kernel::time::parse_timestamp;

/// An object and the path that leads to it.
pub struct Fields<'a> {
    pub map: &'a Map<String, Value>,
    pub path: String,
}

impl<'a> Fields<'a> {
    fn wrong(&self, name: &str, reason: impl Into<String>) -> Rejection {
        Rejection {
            field: format!("{}{name}", self.path),
            reason: reason.into(),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|v| !v.is_null())
    }

    /// A text of at most `limit` bytes; empty ones stay.
    pub fn text(&self, name: &str, limit: usize) -> Result<Option<String>, Rejection> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(s)) if s.len() > limit => {
                Err(self.wrong(name, format!("is longer than {limit} bytes")))
            }
            // Postgres stores no NUL in text.
            Some(Value::String(s)) if s.contains('\0') => Err(self.wrong(name, "holds a NUL")),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(_) => Err(self.wrong(name, "is not a text")),
        }
    }

    /// A text that must be there.
    pub fn required(&self, name: &str, limit: usize) -> Result<String, Rejection> {
        match self.text(name, limit)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.wrong(name, "is missing")),
        }
    }

    /// A text, or a number that some senders write without quotes.
    pub fn text_or_number(&self, name: &str, limit: usize) -> Result<Option<String>, Rejection> {
        match self.get(name) {
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            _ => self.text(name, limit),
        }
    }

    /// A whole number of 0 to 2^31 - 1.
    pub fn count(&self, name: &str) -> Result<Option<i32>, Rejection> {
        match self.get(name) {
            None => Ok(None),
            Some(v) => match v
                .as_i64()
                .or_else(|| v.as_f64().and_then(whole))
                .map(i32::try_from)
            {
                Some(Ok(n)) if n >= 0 => Ok(Some(n)),
                _ => Err(self.wrong(name, "is not a whole number from 0 to 2147483647")),
            },
        }
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Rejection> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(_) => Err(self.wrong(name, "is neither true nor false")),
        }
    }

    /// A coordinate; one that is none is left out, as it only places a dot on a map.
    pub fn degrees(&self, name: &str, limit: f64) -> Option<f64> {
        self.get(name)
            .and_then(Value::as_f64)
            .filter(|d| d.abs() <= limit)
    }

    /// A time as written, and what it means where that can be told.
    pub fn time(&self, name: &str) -> Result<(Option<String>, Option<Timestamp>), Rejection> {
        let text = self.text(name, 64)?.filter(|t| !t.is_empty());
        let meant = text.as_deref().and_then(parse_timestamp);
        Ok((text, meant))
    }

    /// An object inside this one.
    pub fn object(&self, name: &str) -> Result<Fields<'a>, Rejection> {
        match self.get(name) {
            Some(Value::Object(map)) => Ok(Fields {
                map,
                path: format!("{}{name}.", self.path),
            }),
            None => Err(self.wrong(name, "is missing")),
            Some(_) => Err(self.wrong(name, "is not an object")),
        }
    }

    /// The items of a list; none when it is absent.
    pub fn list(&self, name: &str) -> Result<&'a [Value], Rejection> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.wrong(name, "is not a list")),
        }
    }
}

/// A float that is a whole number, as some encoders write integers.
fn whole(f: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // bounded just before
    (f.fract() == 0.0 && f.abs() < 1e15).then_some(f as i64)
}
