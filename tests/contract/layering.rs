//! Who may import whom, how long a file may be, what a slice's folder holds.
use super::source::{Piece, code, files, pieces, sources};
use regex::Regex;
use std::sync::LazyLock;

/// The rooms, and how high they stand: each may use what stands lower, nothing beside it.
const ROOMS: [(&str, u8); 16] = [
    ("cmd", 9),
    ("api", 8),
    ("web", 7),
    ("gate", 6),
    ("fleet", 6),
    ("manage", 6),
    ("hosts", 6),
    ("app", 5),
    ("jobs", 4),
    ("outbound", 4),
    ("http", 3),
    ("db", 2),
    ("kernel", 1),
    // Read by cmd only; itself it uses nothing but the kernel.
    ("config", 2),
    ("main", 10),
    ("lib", 10),
];
/// Rooms of slices.
const SLICED: [&str; 4] = ["gate", "fleet", "manage", "hosts"];
/// Modules of a slice that are open to all: pure functions that another slice judges or parses with.
const OPEN: [&str; 2] = ["gate::filter::model", "gate::signal::model"];
/// Files of a slice beside `mod`, `model`, `queries`, `routes`, `jobs`. No new ones.
const MORE_FILES: [&str; 4] = [
    "gate/filter/rules",
    "gate/filter/trial",
    "gate/relay/send",
    "gate/upstream/session",
];
/// Who makes a [`garrison::db::Tenant`], and how often: where a credential or a lease was just looked up, and what the
/// command line asks. The numbers may only go down.
const PROVERS: [(&str, usize); 10] = [
    ("src/gate/machine/queries", 2),
    ("src/http/auth", 1),
    ("src/jobs/queries", 1),
    // Whose chain is proven, by the command line.
    ("src/manage/audit/queries", 1),
    // Whose alerts are to be looked up again.
    ("src/manage/geoip/queries", 1),
    // Whose invitation was shown; where a person belongs.
    ("src/manage/person/queries", 2),
    // Whose rows are to be swept.
    ("src/manage/retention/queries", 1),
    // Whose counts are to be folded.
    ("src/manage/stats/queries", 1),
    // Found by name; and the one that the platform's admin changes.
    ("src/manage/tenant/queries", 1),
    ("src/manage/token/queries", 1),
];
/// Modules other than a slice's `queries` that run a statement.
const ALSO_RUN_SQL: [&str; 7] = [
    "src/cmd/context",
    "src/cmd/serve",
    "src/db/audit",
    "src/db/mod",
    "src/db/partitions",
    "src/http/auth",
    "src/jobs/queries",
];

/// The module a file is: `src/gate/signal/mod.rs` is `gate::signal`.
fn module(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|p| p == "mod") {
        parts.pop();
    }
    parts
}

/// Every path into this crate that the code of `module` names: `crate::…`, `garrison::…` and `super::…`, trees of
/// `use` taken apart.
fn paths(module: &[String], code: &str) -> Vec<Vec<String>> {
    static TOKEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\w+|::|[{},;*]|[^\s\w]").unwrap());
    let tokens: Vec<&str> = TOKEN.find_iter(code).map(|m| m.as_str()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let follows_path = at > 0 && tokens[at - 1] == "::";
        let starts =
            matches!(tokens[at], "crate" | "garrison" | "super") && tokens.get(at + 1) == Some(&"::");
        if !starts || follows_path {
            at += 1;
            continue;
        }
        let mut base = Vec::new();
        if tokens[at] == "super" {
            base = module.to_vec();
            while tokens.get(at) == Some(&"super") && tokens.get(at + 1) == Some(&"::") {
                base.pop();
                at += 2;
            }
        } else {
            at += 2;
        }
        at = tree(&tokens, at, base, &mut found);
    }
    found
}

/// Reads the use tree at `at`; gives where it ends.
fn tree(tokens: &[&str], mut at: usize, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at) {
            Some(&"{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    if tokens[at] == "," {
                        at += 1;
                    } else if tokens[at] == "as" {
                        at += 2;
                    } else {
                        at = tree(tokens, at, path.clone(), found);
                    }
                }
                return at + 1;
            }
            Some(name) => {
                if !matches!(*name, "self" | "*") {
                    path.push((*name).to_owned());
                }
                at += 1;
                if tokens.get(at) != Some(&"::") {
                    found.push(path);
                    return at;
                }
                at += 1;
            }
            None => return at,
        }
    }
}

/// Why code of `from` may not name `to`, if it may not.
fn forbidden(from: &[String], to: &[String]) -> Option<&'static str> {
    let rank = |room: &str| {
        ROOMS
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, rank)| *rank)
    };
    let (Some(here), Some(room)) = (from.first(), to.first()) else {
        return None;
    };
    let (Some(own), Some(other)) = (rank(here), rank(room)) else {
        // A type of lib.rs or of the file itself is no room; a module that we do not know is one without a place.
        let item = room.starts_with(char::is_uppercase) || rank(here).is_some_and(|_| to.len() == 1);
        return (!item).then_some("names a room that has no place in the order");
    };
    if here != room {
        if room == "config" && here != "cmd" {
            return Some("only cmd reads the configuration");
        }
        if own == other {
            return Some("sideways");
        }
        if own < other {
            return Some("upwards");
        }
    }
    let other_slice = SLICED.contains(&room.as_str()) && (here != room || from.get(1) != to.get(1));
    // gate::signal::routes is offered; gate::signal::queries::insert is not. A type's own items are.
    if other_slice
        && to.len() > 3
        && !to[2].starts_with(char::is_uppercase)
        && !OPEN.contains(&to[..3].join("::").as_str())
    {
        return Some("reaches past what the slice's mod.rs offers");
    }
    None
}

fn strings(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

#[test]
fn the_rule_knows_good_from_bad() {
    let upwards = Some("upwards");
    let past = Some("reaches past what the slice's mod.rs offers");
    for (from, to, expected) in [
        ("cmd::serve", "gate::forward::Forward", None),
        ("api", "manage::routes", None),
        ("gate::signal::routes", "outbound::capi::Capi", None),
        ("gate::signal::routes", "gate::Gate", None),
        ("gate::signal::routes", "gate::filter::model::judge", None),
        ("gate::signal::routes", "gate::signal::queries::insert", None),
        ("gate::machine::routes", "gate::upstream::NoToken::Refused", None),
        ("gate::machine::routes", "gate::upstream::queries::password", past),
        ("api", "gate::signal::queries::insert", past),
        ("gate::signal::routes", "manage::alert::list", Some("sideways")),
        ("manage::alert::routes", "gate::filter::list", Some("sideways")),
        ("jobs::worker", "outbound::capi::Capi", Some("sideways")),
        ("jobs::worker", "gate::forward::Forward", upwards),
        ("db::pool", "http::Auth", upwards),
        ("kernel::net", "db::Db", upwards),
        ("outbound::capi", "app::App", upwards),
        ("http::auth", "app::App", upwards),
        ("api", "config::Config", Some("only cmd reads the configuration")),
        ("config::database", "db::Db", Some("sideways")),
        (
            "manage::alert::routes",
            "stats::Chart",
            Some("names a room that has no place in the order"),
        ),
    ] {
        assert_eq!(
            forbidden(&strings(from), &strings(to)),
            expected,
            "{from} -> {to}"
        );
    }
}

#[test]
fn a_path_is_found_however_it_is_written() {
    let text = "use crate::{db::{self, Db as D}, http::*}; // crate::cmd::x\n\
                fn f() { crate::gate::filter::list(); super::super::manage::alert::X::y; \"crate::web\" }";
    let found = paths(&strings("gate::signal::routes"), &code(&pieces(text)));
    let found: Vec<String> = found.iter().map(|p| p.join("::")).collect();
    let expected = [
        "db",
        "db::Db",
        "http",
        "gate::filter::list",
        "gate::manage::alert::X::y",
    ];
    assert_eq!(found, expected);
}

#[test]
fn nothing_points_up_or_sideways() {
    let mut wrong = Vec::new();
    for (path, pieces) in sources() {
        let from = module(path);
        for to in paths(&from, &code(pieces)) {
            if let Some(why) = forbidden(&from, &to) {
                wrong.push(format!("{path}: {} {why}", to.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "forbidden uses:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    for dir in ["src", "tests", "benches"] {
        for (path, text) in files(dir, "rs") {
            let lines = text.lines().count();
            if lines > 400 {
                long.push(format!("{path}: {lines} lines"));
            }
        }
    }
    assert!(long.is_empty(), "more than 400 lines:\n{}", long.join("\n"));
}

#[test]
fn a_slice_holds_the_files_that_every_slice_holds() {
    let public = Regex::new(r"(?m)^pub(?:\([a-z]+\))? mod (\w+)").unwrap();
    let mut wrong = Vec::new();
    for (path, text) in files("src", "rs") {
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let parts: Vec<&str> = inner.split('/').collect();
        if !SLICED.contains(&parts[0]) || parts.len() < 3 {
            continue;
        }
        let known = matches!(
            parts[2],
            "mod" | "model" | "queries" | "routes" | "jobs" | "tests"
        );
        if !known && !MORE_FILES.contains(&parts[..3].join("/").as_str()) {
            wrong.push(format!("{path}: not one of a slice's files"));
        }
        if parts[2] == "mod" {
            for hit in public.captures_iter(&text) {
                let name = format!("{}::{}::{}", parts[0], parts[1], &hit[1]);
                if !OPEN.contains(&name.as_str()) {
                    wrong.push(format!("{path}: opens {name} as a whole; offer items"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_is_run_by_queries_and_models_do_no_io() {
    let io = Regex::new(r"\b(axum|tokio_postgres|deadpool_postgres|reqwest|tokio|sql!)").unwrap();
    let mut wrong = Vec::new();
    for (path, pieces) in sources() {
        // A status code is a value.
        let code = code(pieces).replace("reqwest::StatusCode", "");
        let queries = path.contains("/queries") || ALSO_RUN_SQL.iter().any(|module| path.starts_with(module));
        if code.contains("sql!(") && !queries {
            wrong.push(format!("{path}: runs SQL"));
        }
        let model = path.ends_with("/model.rs") || path.contains("/model/");
        if let Some(hit) = io.find(&code).filter(|_| model) {
            wrong.push(format!("{path}: a model that names {}", hit.as_str()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_tenant_is_made_only_where_it_was_proven() {
    let (mut found, mut strangers) = ([0; PROVERS.len()], Vec::new());
    for (path, pieces) in sources() {
        let calls = code(pieces).matches("proven").count();
        match PROVERS.iter().position(|(module, _)| path.starts_with(module)) {
            Some(n) => found[n] += calls,
            None if calls > 0 && path != "src/db/tenant.rs" => strangers.push(path),
            None => {}
        }
    }
    assert!(
        strangers.is_empty(),
        "only authentication, leases and the command line prove a tenant: {strangers:?}"
    );
    assert_eq!(
        found,
        PROVERS.map(|(_, n)| n),
        "calls in {PROVERS:?}; fewer is good: lower the number, never raise it"
    );
}

#[test]
fn no_sql_is_built_from_text() {
    // DDL cannot take parameters; these are roles and a database named by us, the number of a tenant, and a
    // setting of its transaction.
    let allowed = [
        ("src/db/embedded.rs", 1),
        ("src/db/migrate.rs", 2),
        ("src/db/tx.rs", 2),
    ];
    let verb = Regex::new(
        r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE|ALTER|DROP|GRANT|REVOKE|TRUNCATE|COPY|SET LOCAL|SET ROLE|WHERE|ORDER BY)\b",
    )
    .unwrap();
    let builds = Regex::new(r"(format!|write!|writeln!|concat!|push_str)\s*\(([^;\x22]*)$").unwrap();
    let session = Regex::new(r"\bSET (LOCAL )?(ROLE|SESSION|app\.)|set_config").unwrap();
    let mut found = std::collections::BTreeMap::new();
    let mut elsewhere = Vec::new();
    for (path, pieces) in sources() {
        for pair in pieces.windows(2) {
            let [Piece::Code(before), Piece::Text(literal)] = pair else {
                continue;
            };
            if let Some(hit) = session.captures(literal)
                && hit.get(1).is_none()
            {
                elsewhere.push(format!("{path}: sets for the whole session: {literal}"));
            }
            if !verb.is_match(literal) {
                continue;
            }
            // Text with a place for a value in it, or made longer.
            if builds.is_match(before) && (literal.contains('{') || before.contains("push_str")) {
                *found.entry(path.clone()).or_insert(0) += 1;
            } else if !path.starts_with("src/db/") && verb.find(literal).is_some_and(|m| m.start() == 0) {
                elsewhere.push(format!("{path}: {literal}"));
            }
        }
    }
    let expected = allowed
        .map(|(path, n)| (path.to_owned(), n))
        .into_iter()
        .collect();
    assert_eq!(found, expected, "places that build SQL from text");
    // The identity of the cluster is asked before any role is taken; a time limit is no query.
    elsewhere.retain(|line| {
        !line.ends_with("FROM pg_control_system()") && !line.contains("SET LOCAL lock_timeout")
    });
    assert!(
        elsewhere.is_empty(),
        "SQL outside sql/:\n{}",
        elsewhere.join("\n")
    );
}
