//! What may be said in a rule.

use super::{LIST_LIMIT, LONGEST, Rule, SPAN, SourceKind, span};
use crate::fleet::lapi::is_name;
use crate::http::FieldError;
use crate::outbound::logs::MOST_LINES;

impl Rule {
    /// Texts and what describes the source.
    pub(super) fn check_texts(&self, wrong: &mut Vec<FieldError>) {
        if !is_name(&self.id) {
            say(wrong, "id", r#"must match pattern "^[a-zA-Z0-9_-]{1,64}$""#);
        }
        let source = &self.source;
        for (field, text, least, most) in [
            ("name", self.name.as_str(), 1, 200),
            ("version", &self.version, 0, 50),
            ("description", &self.description, 0, 2000),
            ("source.ref", source.name.as_deref().unwrap_or_default(), 0, 200),
            ("source.query", &source.query, 1, 5000),
            ("decision.scenario", &self.decision.scenario, 1, 255),
            ("decision.reason", &self.decision.reason, 0, 500),
        ] {
            let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
            if !(least..=most).contains(&text.len()) || text.contains(control) {
                let words = format!("must have {least} to {most} bytes and no control characters");
                say(wrong, field, &words);
            }
        }
        for (field, text) in [
            ("source.username", &source.username),
            ("source.org_id", &source.org_id),
            ("source.datasource_uid", &source.datasource_uid),
        ] {
            if text.as_ref().is_some_and(|text| !is_printable(text, 255)) {
                say(wrong, field, "must have 1 to 255 printable ASCII characters");
            }
        }
        if source.username.as_ref().is_some_and(|user| user.contains(':')) {
            say(wrong, "source.username", "must not hold a colon");
        }
        if source.kind == SourceKind::Grafana && source.datasource_uid.is_none() {
            say(wrong, "source.datasource_uid", "is needed for Grafana");
        }
        let most = i64::try_from(MOST_LINES).unwrap_or(i64::MAX);
        if !(1..=most).contains(&source.max_lines) {
            say(wrong, "source.max_lines", &format!("must be 1 to {most}"));
        }
    }

    /// Times, fields, thresholds and what follows.
    pub(super) fn check_detection(&mut self, wrong: &mut Vec<FieldError>) {
        let long =
            |text: &str, least: i64, most: i64| span(text).is_some_and(|s| (least..=most).contains(&s));
        for (field, text) in [
            ("schedule.interval", &self.schedule.interval),
            ("schedule.lookback", &self.schedule.lookback),
        ] {
            if !long(text, SPAN.0, SPAN.1) {
                say(
                    wrong,
                    field,
                    r#"must match pattern "^\d+[smhd]$", 10 seconds to 30 days"#,
                );
            }
        }
        if !long(&self.decision.duration, 1, LONGEST) {
            let words = r#"must match pattern "^\d+[smhd]$", more than nothing and at most five years"#;
            say(wrong, "decision.duration", words);
        }
        if !["json", "labels"].contains(&self.extraction.format.as_str()) {
            say(wrong, "extraction.format", "must be json or labels");
        }
        let fields = &self.extraction.fields;
        let good = |text: &String| (1..=255).contains(&text.len()) && !text.contains(char::is_control);
        if fields.len() > LIST_LIMIT || !fields.iter().all(|(name, path)| good(name) && good(path)) {
            let words = format!("must be at most {LIST_LIMIT} names, each with a path, of 1 to 255 bytes");
            say(wrong, "extraction.fields", &words);
        }
        let detection = &self.detection;
        if !fields.contains_key(&detection.groupby) {
            say(wrong, "detection.groupby", "must be one of extraction.fields");
        }
        if detection
            .distinct
            .as_ref()
            .is_some_and(|name| !fields.contains_key(name))
        {
            say(wrong, "detection.distinct", "must be one of extraction.fields");
        }
        if detection.threshold < 1 {
            say(wrong, "detection.threshold", "must be >= 1");
        }
        if ![">", ">=", "<", "<=", "=="].contains(&detection.operator.as_str()) {
            say(wrong, "detection.operator", "must be one of > >= < <= ==");
        }
        if !["ban", "captcha"].contains(&self.decision.kind.as_str()) {
            say(wrong, "decision.type", "must be ban or captcha");
        }
        if !["ip", "range"].contains(&self.decision.scope.as_str()) {
            say(wrong, "decision.scope", "must be ip or range");
        }
        self.targets.sort_unstable();
        self.targets.dedup();
        let many = self.targets.is_empty() || self.targets.len() > LIST_LIMIT;
        if many || !self.targets.iter().all(|name| is_name(name)) {
            let words = format!("must be 1 to {LIST_LIMIT} names of LAPI servers, or all");
            say(wrong, "targets", &words);
        }
    }
}

/// Adds a field to what is wrong.
pub(super) fn say(wrong: &mut Vec<FieldError>, field: &str, reason: &str) {
    wrong.push(FieldError {
        field: field.to_owned(),
        reason: reason.to_owned(),
    });
}

/// Printable ASCII: anything else in a header is an attack or a slip.
pub(super) fn is_printable(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}
