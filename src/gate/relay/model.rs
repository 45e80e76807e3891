//! Which paths may be passed on.

/// Paths that have a handler of their own; nothing below them or spelled like them is passed on.
const OWN: [&str; 3] = ["signals", "watchers", "decisions/stream"];

/// Whether a path below `/v2/` or `/v3/` may be passed on to CAPI: plain lower-case words only, so that no spelling
/// of a route of ours gets round it.
#[must_use]
pub fn is_relayed(rest: &str) -> bool {
    let word = |w: &str| {
        !w.is_empty()
            && w.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    };
    rest.len() <= 200
        && rest.split('/').all(word)
        && !OWN
            .iter()
            .any(|own| rest == *own || rest.strip_prefix(own).is_some_and(|more| more.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_route_of_ours_is_passed_on() {
        for good in [
            "decisions/sync",
            "decisions/delete",
            "something-new",
            "a/b/c",
            "usage-metrics",
        ] {
            assert!(is_relayed(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "signals",
            "signals/",
            "signals/x",
            "Signals",
            "signal%73",
            "./signals",
            "a/../signals",
            "a//b",
            "watchers/login",
            "watchers/loginx/..",
            "decisions/stream/",
            "sigñals",
            "signals;x",
            "a b",
        ] {
            assert!(!is_relayed(bad), "{bad}");
        }
    }
}
