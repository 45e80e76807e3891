//! What an answer says of limits.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::{Quota, Standing};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// One limit and how somebody stands with it.
pub struct Held {
    pub name: &'static str,
    pub quota: Quota,
    pub standing: Standing,
}

/// What is left, as draft-ietf-httpapi-ratelimit-headers writes it, all limits; and the tightest as its older versions did.
pub fn tell(response: &mut Response, held: &[Held]) {
    #[allow(clippy::cast_precision_loss)]
    let share = |held: &&Held| held.standing.left as f64 / held.quota.most();
    let Some(tightest) = held.iter().min_by(|a, b| share(a).total_cmp(&share(b))) else {
        return;
    };
    let policies: Vec<_> = held.iter().map(policy).collect();
    let standings: Vec<_> = held.iter().map(standing).collect();
    let headers = response.headers_mut();
    for (name, text) in [
        (POLICY, policies.join(", ")),
        (RATE, standings.join(", ")),
        (LIMIT, whole(tightest.quota.most()).to_string()),
        (REMAINING, tightest.standing.left.to_string()),
        (RESET, until(&tightest.standing).to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// `"token";q=100;w=10`: so many in so many seconds.
fn policy(held: &Held) -> String {
    let unit = if held.name.ends_with("bytes") {
        ";qu=\"content-bytes\""
    } else {
        ""
    };
    let window = held.quota.most() * 60.0;
    #[allow(clippy::cast_precision_loss)]
    let window = (window / held.quota.per_minute as f64).ceil();
    format!(
        "\"{}\";q={}{unit};w={}",
        held.name,
        whole(held.quota.most()),
        whole(window).max(1)
    )
}

/// `"token";r=99;t=1`: so many are left, and all of them again in so many seconds.
fn standing(held: &Held) -> String {
    format!(
        "\"{}\";r={};t={}",
        held.name,
        held.standing.left,
        until(&held.standing)
    )
}

fn until(standing: &Standing) -> u64 {
    standing
        .full_in
        .as_secs_f64()
        .ceil()
        .to_string()
        .parse()
        .unwrap_or(0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Of a quota: positive, far below 2^63.
fn whole(n: f64) -> u64 {
    n.floor() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;

    use super::*;

    #[test]
    fn headers_as_the_draft_has_them() {
        let held = |name, per_minute, left, millis| Held {
            name,
            quota: Quota {
                per_minute,
                burst: Duration::from_secs(10),
            },
            standing: Standing {
                left,
                full_in: Duration::from_millis(millis),
                wait: None,
            },
        };
        let mut response = Response::new(Body::empty());
        tell(&mut response, &[]);
        assert!(response.headers().is_empty());
        let all = [
            held("token", 600, 99, 100),
            held("tenant", 1200, 40, 8_001),
            held("tenant-bytes", 60_000_000, 10_000_000, 0),
        ];
        tell(&mut response, &all);
        for (name, expected) in [
            (
                "ratelimit-policy",
                "\"token\";q=100;w=10, \"tenant\";q=200;w=10, \"tenant-bytes\";q=10000000;qu=\"content-bytes\";w=10",
            ),
            (
                "ratelimit",
                "\"token\";r=99;t=1, \"tenant\";r=40;t=9, \"tenant-bytes\";r=10000000;t=0",
            ),
            ("ratelimit-limit", "200"),
            ("ratelimit-remaining", "40"),
            ("ratelimit-reset", "9"),
        ] {
            assert_eq!(response.headers()[name], expected, "{name}");
        }
    }
}
