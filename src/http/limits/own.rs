use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use utoipa::ToSchema;

use super::{InFlight, Quota, Settings};
use crate::http::FieldError;

/// Limits of one tenant that are others than the configuration's. Null is as configured; 0 is no limit, but of streams, rules
/// and LAPI servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct OwnLimits {
    /// Requests to the API that one token may make in a minute, on each replica.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub token_requests: Option<i64>,
    /// The same, of all tokens together.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub tenant_requests: Option<i64>,
    /// Signals that its machines may push in a minute, on each replica.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub tenant_items: Option<i64>,
    /// Bytes that its machines and tokens may send in a minute.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub tenant_bytes: Option<i64>,
    /// Signals that one machine may push in a minute.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub machine_items: Option<i64>,
    /// Bytes that one machine may send in a minute.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub machine_bytes: Option<i64>,
    /// Pushes in work at a time, on each replica.
    #[schema(minimum = 0, maximum = 100_000)]
    pub pushes: Option<i32>,
    /// Lists and single things in work at a time.
    #[schema(minimum = 0, maximum = 100_000)]
    pub reads: Option<i32>,
    /// Statistics, exports and trials in work at a time.
    #[schema(minimum = 0, maximum = 100_000)]
    pub heavy: Option<i32>,
    /// Changes in work at a time.
    #[schema(minimum = 0, maximum = 100_000)]
    pub changes: Option<i32>,
    /// Streams of events that are open at a time, on each replica.
    #[schema(minimum = 0, maximum = 400)]
    pub streams: Option<i32>,
    /// Filter rules that it may have.
    #[schema(minimum = 0, maximum = 1_000)]
    pub rules: Option<i32>,
    /// LAPI servers that it may have.
    #[schema(minimum = 0, maximum = 1_000)]
    pub lapi_servers: Option<i32>,
}

impl OwnLimits {
    /// As a row has it.
    #[must_use]
    pub fn from_row(row: &Row) -> Self {
        Self {
            token_requests: row.get("token_requests"),
            tenant_requests: row.get("tenant_requests"),
            tenant_items: row.get("tenant_items"),
            tenant_bytes: row.get("tenant_bytes"),
            machine_items: row.get("machine_items"),
            machine_bytes: row.get("machine_bytes"),
            pushes: row.get("pushes"),
            reads: row.get("reads"),
            heavy: row.get("heavy"),
            changes: row.get("changes"),
            streams: row.get("streams"),
            rules: row.get("rules"),
            lapi_servers: row.get("lapi_servers"),
        }
    }

    /// What of it cannot be.
    ///
    /// # Errors
    /// Every field that is out of its range.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        const QUOTA: i64 = 1_000_000_000_000;
        let at_once = |n: Option<i32>| n.map(i64::from);
        let wrong: Vec<FieldError> = [
            ("tokenRequests", self.token_requests, QUOTA),
            ("tenantRequests", self.tenant_requests, QUOTA),
            ("tenantItems", self.tenant_items, QUOTA),
            ("tenantBytes", self.tenant_bytes, QUOTA),
            ("machineItems", self.machine_items, QUOTA),
            ("machineBytes", self.machine_bytes, QUOTA),
            ("pushes", at_once(self.pushes), 100_000),
            ("reads", at_once(self.reads), 100_000),
            ("heavy", at_once(self.heavy), 100_000),
            ("changes", at_once(self.changes), 100_000),
            ("streams", at_once(self.streams), 400),
            ("rules", at_once(self.rules), 1_000),
            ("lapiServers", at_once(self.lapi_servers), 1_000),
        ]
        .into_iter()
        .filter(|(_, n, most)| n.is_some_and(|n| !(0..=*most).contains(&n)))
        .map(|(field, _, most)| FieldError {
            field: field.to_owned(),
            reason: format!("must be null or a whole number of 0 to {most}"),
        })
        .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// How many of something it may have, where `most` is what everybody may.
    #[must_use]
    pub fn many<T: TryFrom<i32>>(own: Option<i32>, most: T) -> T {
        own.and_then(|n| T::try_from(n).ok()).unwrap_or(most)
    }

    /// The limits that hold for it.
    pub(super) fn over(&self, settings: &Settings) -> Settings {
        let quota = |own: Option<i64>, quota: Quota| Quota {
            per_minute: own
                .and_then(|n| u64::try_from(n).ok())
                .unwrap_or(quota.per_minute),
            ..quota
        };
        let at_once = |own: Option<i32>, limit: InFlight| InFlight {
            tenant: own.and_then(|n| usize::try_from(n).ok()).unwrap_or(limit.tenant),
            ..limit
        };
        Settings {
            token_requests: quota(self.token_requests, settings.token_requests),
            tenant_requests: quota(self.tenant_requests, settings.tenant_requests),
            tenant_items: quota(self.tenant_items, settings.tenant_items),
            tenant_bytes: quota(self.tenant_bytes, settings.tenant_bytes),
            machine_items: quota(self.machine_items, settings.machine_items),
            machine_bytes: quota(self.machine_bytes, settings.machine_bytes),
            ingest: at_once(self.pushes, settings.ingest),
            read: at_once(self.reads, settings.read),
            heavy: at_once(self.heavy, settings.heavy),
            change: at_once(self.changes, settings.change),
            ..*settings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named() {
        for (text, expected) in [
            ("{}", &[][..]),
            (r#"{"rules": 0, "tenantItems": null, "streams": 400}"#, &[]),
            (
                r#"{"rules": 1001, "tenantItems": -1, "streams": 401, "pushes": 100001}"#,
                &["tenantItems", "pushes", "streams", "rules"],
            ),
        ] {
            let own: OwnLimits = serde_json::from_str(text).unwrap();
            let wrong = own.check().err().unwrap_or_default();
            let fields: Vec<&str> = wrong.iter().map(|e| e.field.as_str()).collect();
            assert_eq!(fields, expected, "{text}");
        }
        assert!(serde_json::from_str::<OwnLimits>(r#"{"rule": 1}"#).is_err());
        assert_eq!(OwnLimits::many(None, 200i64), 200);
        assert_eq!(OwnLimits::many(Some(5), 200i64), 5);
    }
}
