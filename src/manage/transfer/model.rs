//! What of a tenant is in a file, and what is not.

pub mod file;
pub mod row;

/// Whose numbers are handed out anew where a tenant comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Of {
    Rule,
    Machine,
    Allowlist,
    Server,
    Analyzer,
}

/// How a column names rows of another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ref {
    /// By one number.
    One(Of),
    /// By several.
    Many(Of),
    /// By who says a decision: the column `source` tells of which kind.
    Said,
}

/// A table of the file, in the order in which tables stand there: what others name comes first.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name, in the file as in the database.
    pub table: &'static str,
    /// Its columns, and no others, a space between two.
    pub columns: &'static str,
    /// Columns of the table that stay behind, beside `tenant_id`.
    pub without: &'static [&'static str],
    /// What others name its rows by: the column `id`.
    pub numbers: Option<Of>,
    /// Columns that name rows of others.
    pub refs: &'static [(&'static str, Ref)],
    /// Columns that are sealed.
    pub secrets: &'static [&'static str],
}

impl Part {
    /// Whether there is such a column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.columns.split(' ').any(|own| own == column)
    }
}

const PLAIN: Part = Part {
    table: "",
    columns: "",
    without: &[],
    numbers: None,
    refs: &[],
    secrets: &[],
};

/// All of them.
pub const PARTS: &[Part] = &[
    Part {
        table: "retention",
        columns: "class days",
        ..PLAIN
    },
    Part {
        table: "filter_set",
        columns: "mode version updated_at",
        ..PLAIN
    },
    Part {
        table: "filter_rule",
        columns: "id name enabled description expression version created_at updated_at",
        numbers: Some(Of::Rule),
        ..PLAIN
    },
    Part {
        table: "machine",
        columns: "id login kind name password_hash upstream_login upstream_password upstream_registered \
                  scenarios user_agent created_at last_seen_at removed_at delivers takes_back_until \
                  startup_owed",
        // A session at CAPI: the next login makes another.
        without: &["upstream_token", "upstream_token_expires", "upstream_login_until"],
        numbers: Some(Of::Machine),
        secrets: &["upstream_password"],
        ..PLAIN
    },
    Part {
        table: "allowlist",
        columns: "id name description created_at updated_at",
        numbers: Some(Of::Allowlist),
        ..PLAIN
    },
    Part {
        table: "allowlist_entry",
        columns: "allowlist_id value lo hi reason actor expires_at created_at",
        without: &["id"],
        refs: &[("allowlist_id", Ref::One(Of::Allowlist))],
        ..PLAIN
    },
    Part {
        table: "lapi_server",
        columns: "id slot name url bouncer_key machine_id machine_password replicate_decisions \
                  source_machine_ids tags version created_at updated_at checked_at check_reachable check_key \
                  check_login check_version check_error",
        numbers: Some(Of::Server),
        secrets: &["bouncer_key", "machine_password"],
        ..PLAIN
    },
    Part {
        table: "analyzer",
        columns: "id slug rule url token enabled counts_from version created_at updated_at",
        numbers: Some(Of::Analyzer),
        secrets: &["token"],
        ..PLAIN
    },
    Part {
        table: "analyzer_run",
        columns: "analyzer_id by_hand started_at completed_at error lines skipped detections decisions refused \
                  truncated results pushes",
        without: &["id"],
        refs: &[("analyzer_id", Ref::One(Of::Analyzer))],
        ..PLAIN
    },
    Part {
        table: "analyzer_mark",
        columns: "analyzer_id value acted_ns",
        refs: &[("analyzer_id", Ref::One(Of::Analyzer))],
        ..PLAIN
    },
    Part {
        table: "feed",
        columns: "name description origins types scenarios family aggregate max_entries created_at",
        without: &["id"],
        ..PLAIN
    },
    Part {
        table: "signal_batch",
        columns: "id machine_id api_version received_at received stored duplicate rejected filtered body",
        refs: &[("machine_id", Ref::One(Of::Machine))],
        ..PLAIN
    },
    Part {
        table: "rejected_signal",
        columns: "batch_id item field reason raw_offset raw_length",
        ..PLAIN
    },
    Part {
        table: "alert",
        columns: "key machine_id received_at start_at stop_at forwarded_at batch_id raw_offset raw_length \
                  events_count capacity forward_state filtered simulated remediation has_decisions replicated \
                  local_audit geo_latitude geo_longitude source_lo source_hi uuid agent scenario scenario_hash \
                  scenario_version message leakspeed start_text stop_text created_text source_scope \
                  source_value source_ip source_range source_as_number source_as_name source_cn \
                  geo_country_code geo_country_name geo_city geo_region geo_timezone geo_isp geo_org \
                  filter_rules filter_reasons forward_error actor raw_json",
        // They follow one another as they did.
        without: &["id"],
        refs: &[
            ("machine_id", Ref::One(Of::Machine)),
            ("filter_rules", Ref::Many(Of::Rule)),
        ],
        ..PLAIN
    },
    Part {
        table: "alert_decision",
        columns: "alert_key item simulated duration_ms until uuid origin type scope value duration scenario",
        ..PLAIN
    },
    Part {
        table: "decision",
        columns: "key source source_id origin scope value type scenario lo hi until uuid servers reason actor \
                  since lifted_at lift_done",
        refs: &[("source_id", Ref::Said), ("servers", Ref::Many(Of::Server))],
        ..PLAIN
    },
    Part {
        table: "outbox",
        columns: "keys",
        // Decisions that the set has still to take up.
        without: &["topic", "subject_id", "xid", "seq", "created_at"],
        ..PLAIN
    },
    Part {
        table: "link_given",
        columns: "machine_id value type until gone_at",
        refs: &[("machine_id", Ref::One(Of::Machine))],
        ..PLAIN
    },
    Part {
        table: "usage_component",
        columns: "machine_id kind name type os_name os_version version active_at first_seen_at last_seen_at",
        refs: &[("machine_id", Ref::One(Of::Machine))],
        ..PLAIN
    },
    Part {
        table: "usage_metric",
        columns: "machine_id key kind name collected_at window_seconds received_at active_decisions \
                  processed_items dropped_items processed_bytes skipped items",
        without: &["id"],
        refs: &[("machine_id", Ref::One(Of::Machine))],
        ..PLAIN
    },
    Part {
        table: "stat_usage",
        columns: "month received stored filtered forwarded decisions bytes",
        ..PLAIN
    },
    Part {
        table: "stat_usage_machine",
        columns: "month machine_id",
        refs: &[("machine_id", Ref::One(Of::Machine))],
        ..PLAIN
    },
    // Entries and words together.
    Part {
        table: "audit",
        columns: "seq at actor_kind action outcome erased digest hash actor target details source request_id",
        ..PLAIN
    },
];

/// Tables of tenants' rows that are not in a file, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("api_token", "a token's hash is keyed by the installation"),
    ("feed_token", "a token's hash is keyed by the installation"),
    ("credential", "hashes keyed by the installation"),
    (
        "machine_login",
        "made anew from the machines, where nobody has the login",
    ),
    ("membership", "people belong to the installation"),
    (
        "invitation",
        "its text is known by a hash keyed by the installation",
    ),
    (
        "feed_content",
        "when a feed last changed as far as anybody fetched it",
    ),
    ("lane", "leases, and how far logs are delivered here"),
    ("tenant_limit", "set by the admin of each installation"),
    ("lapi_sync", "how far servers are read and written from here"),
    (
        "lapi_copy",
        "what this installation put on servers: the new one compares with what is there",
    ),
    ("idempotent_answer", "answers to requests made here"),
    (
        "link_list",
        "what engines were told of by links that this installation signed",
    ),
    ("stream_cache", "CAPI's last answers, fetched again"),
    ("event", "a day's log for streams that are open here"),
    ("geo_pass", "how far a job is"),
    ("sweep", "how far a job is"),
    ("tenant_erasure", "how far a job is"),
    (
        "erasure",
        "proofs under this installation's key; that something was erased stands in the trail",
    ),
    ("stat_delta", "made anew from the alerts"),
    ("stat_total", "made anew from the alerts"),
    ("stat_count", "made anew from the alerts"),
    ("stat_place", "made anew from the alerts"),
    ("stat_name", "made anew from the alerts"),
    ("audit_head", "made anew with the chain"),
    ("audit_entry", "in the table `audit`"),
    ("audit_text", "in the table `audit`"),
];

/// The table of this name, and where it stands.
#[must_use]
pub fn part(table: &str) -> Option<(usize, &'static Part)> {
    PARTS.iter().enumerate().find(|(_, part)| part.table == table)
}
