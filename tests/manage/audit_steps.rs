//! Every operation that changes something, in an order in which it can.
use crate::support::free_port;
use crate::support::lapi::Lapi;
use crate::support::world::rule;
use serde_json::{Value, json};

/// What changes something, in an order in which it can: operation, where, body, status, and the action on record.
pub fn steps(
    near: &Lapi,
    machine: &str,
    user: &str,
) -> Vec<(&'static str, String, Value, u16, &'static str)> {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let analyzer = json!({"id": "a", "name": "a", "enabled": false, "source": {"type": "loki", "url": url, "query": "{a=\"b\"}"},
        "extraction": {"fields": {"ip": "ip"}}, "detection": {"groupby": "ip", "threshold": 5},
        "decision": {"duration": "1h", "scenario": "x"}});
    let mut again = near.member("near");
    again.as_object_mut().expect("object").remove("name");
    let rule = rule("mine", "scenario", "eq", json!("y"));
    let entries = json!({"entries": [{"value": "198.51.100.77"}]});
    let ban =
        |server: &str, ip: &str| json!({"server": server, "ip": ip, "duration": "1h", "reason": "loud"});
    let unban = json!({"ip": "192.0.2.1", "reason": "over"});
    let to = str::to_owned;
    let machine = format!("/api/machines/{machine}");
    vec![
        (
            "PUT /api/filters",
            to("/api/filters"),
            json!({"mode": "block"}),
            200,
            "filter.mode",
        ),
        (
            "POST /api/filters",
            to("/api/filters"),
            rule.clone(),
            201,
            "filter.create",
        ),
        (
            "PUT /api/filters/{id}",
            to("/api/filters/{new}"),
            rule,
            200,
            "filter.replace",
        ),
        (
            "DELETE /api/filters/{id}",
            to("/api/filters/{new}"),
            Value::Null,
            204,
            "filter.delete",
        ),
        (
            "PUT /api/retention",
            to("/api/retention"),
            json!({"alerts": 20}),
            200,
            "retention.replace",
        ),
        (
            "PATCH /api/machines/{id}",
            machine,
            json!({"deliver": true}),
            200,
            "machine.change",
        ),
        (
            "POST /api/allowlists",
            to("/api/allowlists"),
            json!({"name": "l"}),
            201,
            "allowlist.create",
        ),
        (
            "POST /api/allowlists/{name}/entries",
            to("/api/allowlists/l/entries"),
            entries,
            200,
            "allowlist.add",
        ),
        (
            "DELETE /api/allowlists/{name}/entries",
            to("/api/allowlists/l/entries?value=198.51.100.77"),
            Value::Null,
            204,
            "allowlist.remove",
        ),
        (
            "DELETE /api/allowlists/{name}",
            to("/api/allowlists/l"),
            Value::Null,
            204,
            "allowlist.delete",
        ),
        (
            "POST /api/feeds",
            to("/api/feeds"),
            json!({"name": "f"}),
            201,
            "feed.create",
        ),
        (
            "POST /api/feeds/{name}/tokens",
            to("/api/feeds/f/tokens"),
            Value::Null,
            201,
            "feed.token.create",
        ),
        (
            "DELETE /api/feeds/{name}/tokens/{id}",
            to("/api/feeds/f/tokens/{new}"),
            Value::Null,
            204,
            "feed.token.delete",
        ),
        (
            "DELETE /api/feeds/{name}",
            to("/api/feeds/f"),
            Value::Null,
            204,
            "feed.delete",
        ),
        (
            "POST /api/analyzers",
            to("/api/analyzers"),
            analyzer.clone(),
            201,
            "analyzer.create",
        ),
        (
            "PUT /api/analyzers/{id}",
            to("/api/analyzers/a"),
            analyzer,
            200,
            "analyzer.replace",
        ),
        (
            "POST /api/analyzers/{id}/run",
            to("/api/analyzers/a/run"),
            json!({}),
            200,
            "analyzer.run",
        ),
        (
            "DELETE /api/analyzers/{id}",
            to("/api/analyzers/a"),
            Value::Null,
            204,
            "analyzer.delete",
        ),
        (
            "POST /api/lapi-servers",
            to("/api/lapi-servers"),
            near.member("near"),
            201,
            "lapi.create",
        ),
        (
            "PUT /api/lapi-servers/{name}",
            to("/api/lapi-servers/near"),
            again,
            200,
            "lapi.replace",
        ),
        (
            "POST /api/decisions/ban",
            to("/api/decisions/ban"),
            ban("near", "192.0.2.1"),
            200,
            "decision.ban",
        ),
        (
            "DELETE /api/decisions/{id}",
            to("/api/decisions/{decision}?server=near"),
            unban.clone(),
            200,
            "decision.unban",
        ),
        (
            "POST /api/decisions/ban",
            to("/api/decisions/ban"),
            ban("all", "192.0.2.1"),
            0,
            "decision.ban",
        ),
        (
            "POST /api/decisions/unban",
            to("/api/decisions/unban"),
            unban,
            0,
            "decision.unban",
        ),
        (
            "DELETE /api/lapi-servers/{name}",
            to("/api/lapi-servers/near"),
            Value::Null,
            204,
            "lapi.delete",
        ),
        (
            "POST /api/tokens",
            to("/api/tokens"),
            json!({"name": "t", "scopes": ["alerts:read"]}),
            201,
            "token.create",
        ),
        (
            "POST /api/tokens/{id}/rotate",
            to("/api/tokens/{new}/rotate"),
            json!({}),
            201,
            "token.rotate",
        ),
        (
            "DELETE /api/tokens/{id}",
            to("/api/tokens/{new}"),
            Value::Null,
            204,
            "token.revoke",
        ),
        (
            "POST /api/users",
            to("/api/users"),
            json!({"email": "ada@example.org", "role": "viewer"}),
            201,
            "user.invite",
        ),
        (
            "DELETE /api/invitations/{id}",
            to("/api/invitations/{new}"),
            Value::Null,
            204,
            "user.uninvite",
        ),
        (
            "PATCH /api/users/{id}",
            format!("/api/users/{user}"),
            json!({"role": "operator"}),
            200,
            "user.change",
        ),
        (
            "POST /api/users/{id}/reset-password",
            format!("/api/users/{user}/reset-password"),
            Value::Null,
            201,
            "user.reset",
        ),
        (
            "DELETE /api/users/{id}",
            format!("/api/users/{user}"),
            Value::Null,
            204,
            "user.remove",
        ),
    ]
}
