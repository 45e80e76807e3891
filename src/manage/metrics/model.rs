//! What may be asked of the list, and how rows are shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::{ApiError, FieldError};
use crate::kernel::page::Position;

/// What a component counted within a window of time (gate-api.md 1.13).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsView {
    /// Its number.
    pub id: i64,
    /// The LAPI server that told it; the login of the engine where none is known.
    pub lapi_server_name: String,
    /// `remediation` or `log_processor`.
    pub component_kind: &'static str,
    /// The component, without the address that an engine adds for a second way to it.
    pub bouncer_name: String,
    /// What sort of bouncer; like the next three as it was told last.
    pub bouncer_type: Option<String>,
    #[allow(missing_docs)]
    pub os_name: Option<String>,
    #[allow(missing_docs)]
    pub os_version: Option<String>,
    #[allow(missing_docs)]
    pub version: Option<String>,
    /// Decisions that it holds; null where it did not say.
    pub active_decisions: Option<i64>,
    /// Packets or requests that it looked at in the window.
    pub processed_items: Option<i64>,
    /// Packets or requests that it did not let through in the window.
    pub dropped_items: Option<i64>,
    /// Bytes that it looked at in the window.
    pub bytes_processed: Option<i64>,
    /// The end of the window, milliseconds since 1970.
    pub collected_at: i64,
    /// JSON array, as text, of what it counted, by origin and other labels.
    pub metrics_json: String,
}

/// A component's name.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names)] // the contract's names
pub struct BouncerName {
    /// As in the list.
    pub lapi_server_name: String,
    /// As in the list.
    pub bouncer_name: String,
    /// What sort of bouncer; null for log processors.
    pub bouncer_type: Option<String>,
}

/// The names that the list can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct BouncerNames {
    /// By server, then by name; each pair once.
    pub bouncers: Vec<BouncerName>,
}

/// A component as it is known, by its machine.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Known {
    pub machine: i64,
    pub kind: i16,
    pub name: String,
    pub sort: Option<String>,
}

/// What machines are called, by their numbers.
#[derive(Debug, Default)]
pub struct Servers(pub BTreeMap<i64, String>);

impl Servers {
    /// The name of one.
    #[must_use]
    pub fn name(&self, machine: i64) -> String {
        self.0.get(&machine).cloned().unwrap_or_default()
    }

    /// All machines of a name: an engine that registered anew is another machine on the same server.
    #[must_use]
    pub fn machines(&self, name: &str) -> Vec<i64> {
        let of_name = self.0.iter().filter(|(_, known)| *known == name);
        of_name.map(|(machine, _)| *machine).collect()
    }

    /// Each pair of server and name once. A bouncer tells its sort, a log processor has none.
    #[must_use]
    pub fn names(&self, known: Vec<Known>) -> Vec<BouncerName> {
        let mut pairs: BTreeMap<(String, String), (i16, Option<String>)> = BTreeMap::new();
        for known in known {
            let pair = pairs
                .entry((self.name(known.machine), known.name))
                .or_insert((known.kind, None));
            if known.kind < pair.0 || known.kind == pair.0 && known.sort.is_some() {
                *pair = (known.kind, known.sort);
            }
        }
        let name = |((lapi_server_name, bouncer_name), (_, bouncer_type))| BouncerName {
            lapi_server_name,
            bouncer_name,
            bouncer_type,
        };
        pairs.into_iter().map(name).collect()
    }
}

/// `remediation` or `log_processor`.
#[must_use]
pub const fn kind(code: i16) -> &'static str {
    if code == 1 { "remediation" } else { "log_processor" }
}

/// The parameters of the list, as text: what is wrong with one is said by name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The LAPI server, as the list names it.
    #[param(pattern = "^[a-zA-Z0-9_-]+$", max_length = 255)]
    machine: Option<String>,
    /// The component.
    #[param(min_length = 1, max_length = 200)]
    bouncer: Option<String>,
    /// Collected at or after, milliseconds since 1970.
    #[param(value_type = Option<i64>)]
    since: Option<String>,
    /// Collected at or before, milliseconds since 1970.
    #[param(value_type = Option<i64>)]
    until: Option<String>,
    /// Page size, 1 to 1000.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<String>,
    /// Where the next page begins: taken from the `Link` header of the page before.
    cursor: Option<String>,
}

/// What is asked of the list.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Question {
    pub server: Option<String>,
    pub name: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub limit: i64,
    pub after: Option<Position>,
}

impl Question {
    /// What a cursor is bound to.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        let Self {
            server,
            name,
            since,
            until,
            ..
        } = self;
        format!("{:?}", ("usage", server, name, since, until)).into_bytes()
    }
}

impl ListQuery {
    /// Checks every parameter and says all that is wrong. The cursor stays text: who owns it is the caller's to say.
    ///
    /// # Errors
    /// 400 with every wrong parameter.
    pub fn check(self) -> Result<(Question, Option<String>), ApiError> {
        let mut wrong = Vec::new();
        let mut say = |field: &str, reason: &str| {
            wrong.push(FieldError {
                field: field.to_owned(),
                reason: reason.to_owned(),
            });
        };
        let word = |text: &String| {
            (1..=255).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        if self.machine.as_ref().is_some_and(|text| !word(text)) {
            say(
                "machine",
                "must match pattern \"^[a-zA-Z0-9_-]+$\" and have at most 255 characters",
            );
        }
        let name = |text: &String| (1..=200).contains(&text.chars().count()) && !text.contains('\0');
        if self.bouncer.as_ref().is_some_and(|text| !name(text)) {
            say("bouncer", "must have 1 to 200 characters");
        }
        let mut time = |field: &str, text: Option<String>| {
            let text = text?;
            let at = text.parse::<i64>().ok();
            let at = at.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            if at.is_none() {
                say(field, "must be integer: milliseconds since 1970");
            }
            // Postgres knows no time as early as jiff does, and nothing was collected then.
            at.map(|at| at.max(Timestamp::UNIX_EPOCH))
        };
        let (since, until) = (time("since", self.since), time("until", self.until));
        let limit = self.limit.as_deref().map_or(Ok(1000), str::parse);
        let limit = limit.unwrap_or(0);
        if !(1..=1000).contains(&limit) {
            say("limit", "must be an integer from 1 to 1000");
        }
        if !wrong.is_empty() {
            return Err(ApiError::Invalid(wrong));
        }
        let question = Question {
            server: self.machine,
            name: self.bouncer,
            since,
            until,
            limit,
            after: None,
        };
        Ok((question, self.cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Result<Question, Vec<String>> {
        let map: serde_json::Map<_, _> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).into()))
            .collect();
        let query: ListQuery = serde_json::from_value(map.into()).unwrap();
        match query.check() {
            Ok((question, _)) => Ok(question),
            Err(ApiError::Invalid(fields)) => Err(fields.into_iter().map(|f| f.field).collect()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let (long, longer) = ("x".repeat(256), "ü".repeat(201));
        for (name, values) in [
            ("machine", &["", "a b", "ü", "a.b", "a%", &long][..]),
            ("bouncer", &["", &longer, "a\0b"]),
            (
                "since",
                &["", "yesterday", "1.5", "2026-11-22", "99999999999999999"],
            ),
            ("until", &["x", "-9223372036854775808", "9223372036854775808"]),
            (
                "limit",
                &["0", "1001", "-1", "x", "", "1.5", "99999999999999999999"],
            ),
        ] {
            for value in values {
                assert_eq!(check(&[(name, value)]).unwrap_err(), [name], "{name}={value}");
            }
        }
        assert_eq!(
            check(&[("limit", "0"), ("machine", "/"), ("since", "x")]).unwrap_err(),
            ["machine", "since", "limit"]
        );
    }

    #[test]
    fn good_ones_are_understood() {
        let question = check(&[
            ("machine", "paris-1_a"),
            ("bouncer", "nginx @ home"),
            ("since", "1795334100000"),
            ("until", "-5"),
            ("limit", "1"),
            ("unknown", "dropped"),
        ])
        .unwrap();
        assert_eq!(question.server.as_deref(), Some("paris-1_a"));
        assert_eq!(question.since.unwrap().as_second(), 1_795_334_100);
        assert_eq!(question.until, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(question.limit, 1);
        let all = check(&[]).unwrap();
        assert_eq!((all.limit, all.server.as_ref()), (1000, None));
        assert_ne!(all.identity(), question.identity());
    }

    #[test]
    fn each_pair_of_server_and_name_is_told_once() {
        let servers = Servers(BTreeMap::from([
            (1, "paris".to_owned()),
            (2, "berlin".to_owned()),
            (3, "paris".to_owned()),
        ]));
        let known = |machine, kind, name: &str, sort: Option<&str>| Known {
            machine,
            kind,
            name: name.to_owned(),
            sort: sort.map(str::to_owned),
        };
        let names = servers.names(vec![
            known(1, 2, "edge", None),
            known(1, 1, "edge", Some("nginx")),
            known(3, 1, "edge", None),
            known(2, 1, "zoo", None),
            known(2, 1, "Edge", Some("fw")),
            known(1, 2, "agent", None),
        ]);
        let told: Vec<_> = names
            .iter()
            .map(|n| {
                (
                    n.lapi_server_name.as_str(),
                    n.bouncer_name.as_str(),
                    n.bouncer_type.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("berlin", "Edge", Some("fw")),
                ("berlin", "zoo", None),
                ("paris", "agent", None),
                ("paris", "edge", Some("nginx")),
            ]
        );
        assert_eq!(servers.machines("paris"), [1, 3]);
        assert!(servers.machines("rome").is_empty());
    }
}
