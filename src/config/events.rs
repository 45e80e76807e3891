//! The log of events that live streams read.

use std::time::Duration;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;

const KEEP: Setting = Setting::new(
    "events.keep",
    "24h",
    "How long events are kept for streams to resume, 1m to 720h.",
)
.variable("GARRISON_EVENTS_KEEP");

pub(super) const SETTINGS: &[Setting] = &[KEEP];

pub(super) fn keep(source: &Source<'_>) -> Result<Duration, ConfigError> {
    source.find(&KEEP)?.map_or(Ok(Duration::from_hours(24)), |found| {
        found.duration(Duration::from_mins(1)..=Duration::from_hours(720))
    })
}
