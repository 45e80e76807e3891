//! How the recording CAPI is told to misbehave.
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum Act {
    /// Answers this instead.
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Answers as ever, only later.
    Slow,
    /// Closes the connection without an answer.
    Reset,
    /// Says nothing for a long time, then closes.
    Hang,
    /// Does the work, promises 100 bytes and sends seven.
    Truncate,
    /// Does the work (the request counts as accepted), then closes without an answer.
    AcceptThenReset,
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub method: Option<&'static str>,
    /// The path ends with this.
    pub path: String,
    pub times: Option<usize>,
    pub delay: Duration,
    /// One request in two, by chance.
    pub half: bool,
    /// One of these, by chance.
    pub acts: Vec<Act>,
}

impl Rule {
    pub fn on(path: &str, act: Act) -> Self {
        Self {
            method: None,
            path: path.into(),
            times: None,
            delay: Duration::ZERO,
            half: false,
            acts: vec![act],
        }
    }

    pub fn status(path: &str, status: u16) -> Self {
        let body = format!(r#"{{"message":"stub says {status}"}}"#).into_bytes();
        Self::on(
            path,
            Act::Reply {
                status,
                headers: Vec::new(),
                body,
            },
        )
    }

    /// A body that is no JSON.
    pub fn garbage(path: &str, status: u16) -> Self {
        let body = b"<html>\x00\xff not what you expect".to_vec();
        Self::on(
            path,
            Act::Reply {
                status,
                headers: vec![("content-type".into(), "text/html".into())],
                body,
            },
        )
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        for act in &mut self.acts {
            if let Act::Reply { headers, .. } = act {
                headers.push((name.into(), value.into()));
            }
        }
        self
    }

    pub fn json(mut self, json: &serde_json::Value) -> Self {
        for act in &mut self.acts {
            if let Act::Reply { body, .. } = act {
                *body = json.to_string().into_bytes();
            }
        }
        self
    }

    pub fn slow(path: &str, delay: Duration) -> Self {
        Self {
            delay,
            ..Self::on(path, Act::Slow)
        }
    }

    pub fn times(self, n: usize) -> Self {
        Self {
            times: Some(n),
            ..self
        }
    }

    /// Fails half of the time, in every way there is that ends soon.
    pub fn half(path: &str) -> Self {
        let mut rule = Self {
            half: true,
            ..Self::status(path, 500)
        };
        for status in [429, 502, 503] {
            rule.acts
                .extend(Self::status(path, status).header("retry-after", "1").acts);
        }
        rule.acts
            .extend([Act::Reset, Act::Truncate, Act::AcceptThenReset]);
        rule
    }

    pub fn matches(&self, method: &str, path: &str) -> bool {
        self.times != Some(0)
            && self.method.is_none_or(|m| m == method)
            && path.trim_end_matches('/').ends_with(&self.path)
            && (!self.half || rand::random::<bool>())
    }
}
