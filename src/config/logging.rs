//! What is logged, and in which form.

use std::io::IsTerminal;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;

const LEVEL: Setting = Setting::new(
    "logging.level",
    "info",
    "error, warn, info, debug, trace or off, or a filter such as `info,garrison::gate=debug`.",
)
.variable("GARRISON_LOG_LEVEL")
.alias_variable("LOG_LEVEL");
const FORMAT: Setting = Setting::new(
    "logging.format",
    "pretty on a terminal, else json",
    "json or pretty.",
)
.variable("GARRISON_LOG_FORMAT")
.alias_variable("LOG_FORMAT");

pub(super) const SETTINGS: &[Setting] = &[LEVEL, FORMAT];

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The log.
#[derive(Debug, Clone)]
pub struct Logging {
    /// A filter as `tracing_subscriber::EnvFilter` reads it; checked.
    pub level: String,
    /// `None` when nobody said it; see [`Logging::format_or_detect`].
    pub format: Option<LogFormat>,
}

impl Logging {
    /// The form: as configured, else pretty when standard error is a terminal, else JSON.
    #[must_use]
    pub fn format_or_detect(&self) -> LogFormat {
        self.format.unwrap_or_else(|| {
            if std::io::stderr().is_terminal() {
                LogFormat::Pretty
            } else {
                LogFormat::Json
            }
        })
    }

    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            level: source.find(&LEVEL)?.map_or_else(
                || Ok("info".to_owned()),
                |found| found.parsed("error, warn, info, debug, trace or off, or a filter such as `info,garrison::gate=debug`", level),
            )?,
            format: source
                .find(&FORMAT)?
                .map(|found| {
                    found.parsed("json or pretty", |text| match text {
                        "json" => Some(LogFormat::Json),
                        "pretty" => Some(LogFormat::Pretty),
                        _ => None,
                    })
                })
                .transpose()?,
        })
    }
}

/// A level in `CrowdSieve`'s words, or a filter in tracing's. A bare word that is no level would be taken for the name
/// of a module and silence everything else, so it is refused.
fn level(text: &str) -> Option<String> {
    let parts: Option<Vec<String>> = text.split(',').map(str::trim).map(directive).collect();
    let filter = parts?.join(",");
    tracing_subscriber::EnvFilter::try_new(&filter)
        .ok()
        .map(|_| filter)
}

fn directive(part: &str) -> Option<String> {
    if part.contains(['=', '[']) {
        return Some(part.to_owned());
    }
    let word = part.to_ascii_lowercase();
    Some(match word.as_str() {
        "error" | "warn" | "info" | "debug" | "trace" | "off" => word,
        "notice" => "info".to_owned(),
        "warning" => "warn".to_owned(),
        "fatal" => "error".to_owned(),
        "silent" => "off".to_owned(),
        _ => return None,
    })
}
