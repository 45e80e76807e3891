use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::Decision;

/// What one server says of an address.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ServerResult {
    /// The server's name.
    pub server: String,
    /// Its decisions, those that all servers share left out; none where it failed.
    pub decisions: Vec<Decision>,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

type Key = (String, String, String);

/// Scenario, type and value of a decision that every server gets from the same place; none for a local one.
fn key(decision: &Decision) -> Option<Key> {
    let origin = decision.origin.to_lowercase();
    (origin.contains("capi") || origin.contains("lists")).then(|| {
        (
            decision.scenario.clone(),
            decision.kind.clone(),
            decision.value.clone(),
        )
    })
}

/// Takes out of the lists what every server that answered has from CAPI or a list, and gives it once: as the first
/// server has it.
#[must_use]
pub fn group(mut results: Vec<ServerResult>) -> (Vec<ServerResult>, Vec<Decision>) {
    let answered = results.iter().filter(|r| r.error.is_none()).count();
    let mut seen: BTreeMap<Key, BTreeSet<usize>> = BTreeMap::new();
    for (n, result) in results.iter().enumerate() {
        for key in result.decisions.iter().filter_map(key) {
            seen.entry(key).or_default().insert(n);
        }
    }
    let everywhere = |decision: &Decision| {
        key(decision).filter(|key| seen.get(key).is_some_and(|servers| servers.len() >= answered))
    };
    let (mut shared, mut given) = (Vec::new(), BTreeSet::new());
    for result in &mut results {
        result.decisions.retain(|decision| {
            let Some(key) = everywhere(decision) else {
                return true;
            };
            if given.insert(key) {
                shared.push(decision.clone());
            }
            false
        });
    }
    (results, shared)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(id: i64, origin: &str, scenario: &str, value: &str) -> Decision {
        serde_json::from_value(
            json!({ "id": id, "origin": origin, "type": "ban", "scope": "Ip", "value": value,
            "duration": "1h", "scenario": scenario, "uuid": "u" }),
        )
        .unwrap()
    }

    fn server(name: &str, decisions: Vec<Decision>, error: Option<&str>) -> ServerResult {
        ServerResult {
            server: name.to_owned(),
            decisions,
            error: error.map(str::to_owned),
        }
    }

    fn ids(results: Vec<ServerResult>) -> (Vec<Vec<i64>>, Vec<i64>) {
        let ids = |list: &[Decision]| list.iter().map(|d| d.id).collect();
        let (results, shared) = group(results);
        (results.iter().map(|r| ids(&r.decisions)).collect(), ids(&shared))
    }

    #[test]
    fn what_every_server_has_from_elsewhere_is_shared() {
        let capi = |id| decision(id, "CAPI", "ssh", "192.0.2.1");
        let list = |id| decision(id, "lists:x", "blocklist", "192.0.2.0/24");
        let local = |id| decision(id, "crowdsec", "ssh", "192.0.2.1");
        assert_eq!(ids(Vec::new()), (vec![], vec![]));
        // One server alone: all of it is shared.
        assert_eq!(
            ids(vec![server("a", vec![capi(1), local(2), list(3)], None)]),
            (vec![vec![2]], vec![1, 3])
        );
        // Both have one of them; the first server's is shown.
        assert_eq!(
            ids(vec![
                server("a", vec![capi(1), list(2)], None),
                server("b", vec![capi(7), local(8)], None)
            ]),
            (vec![vec![2], vec![8]], vec![1])
        );
        // One that failed does not count.
        assert_eq!(
            ids(vec![
                server("a", vec![capi(1)], None),
                server("b", vec![], Some("LAPI error: 500"))
            ]),
            (vec![vec![], vec![]], vec![1])
        );
        // Twice on one server is not on both.
        assert_eq!(
            ids(vec![
                server("a", vec![capi(1), capi(2)], None),
                server("b", vec![], None)
            ]),
            (vec![vec![1, 2], vec![]], vec![])
        );
    }

    #[test]
    fn unknown_properties_stay() {
        let one = decision(1, "CAPI", "ssh", "192.0.2.1");
        assert_eq!(serde_json::to_value(&one).unwrap()["uuid"], "u");
    }
}
