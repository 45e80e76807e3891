//! The copy that is kept of a passing stream.

use std::io::Write as _;

/// Largest copy that is kept, packed. The whole community list is some megabytes.
const KEPT_LIMIT: usize = 32 << 20;

/// Packs what passes, until it is too much.
pub struct Copy {
    encoder: Option<zstd::stream::write::Encoder<'static, Vec<u8>>>,
}

impl Copy {
    /// An empty copy.
    pub fn new() -> Self {
        Self {
            encoder: zstd::stream::write::Encoder::new(Vec::new(), 1).ok(),
        }
    }

    /// Adds what passed.
    pub fn add(&mut self, chunk: &[u8]) {
        if let Some(encoder) = &mut self.encoder
            && (encoder.write_all(chunk).is_err() || encoder.get_ref().len() > KEPT_LIMIT)
        {
            self.encoder = None;
        }
    }

    /// The packed copy; none when it grew too large.
    pub fn finish(self) -> Option<Vec<u8>> {
        self.encoder?.finish().ok()
    }
}

/// What an engine gets when nothing may be asked of CAPI and nothing is kept: an answer without decisions.
pub const fn empty(version: u8) -> &'static str {
    if version == 2 {
        r#"{"new":[],"deleted":[]}"#
    } else {
        r#"{"new":[],"deleted":[],"links":{"blocklists":[],"allowlists":[]}}"#
    }
}

/// The name under which the answer to a question is kept: the switches that engines use, in one order. None for any
/// other question, whose answer is handed on and not kept.
pub fn target(version: u8, query: Option<&str>) -> Option<String> {
    const SWITCHES: [&str; 3] = ["additional_pull", "community_pull", "startup"];
    let mut switches = Vec::new();
    for pair in query.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let known = SWITCHES.contains(&name) && (value == "true" || value == "false");
        if !known || switches.iter().any(|s: &&str| s.starts_with(name)) {
            return None;
        }
        switches.push(pair);
    }
    switches.sort_unstable();
    Some(format!("v{version}/decisions/stream?{}", switches.join("&")))
}

/// Whether a question asks for everything, not only for what changed.
pub fn is_startup(query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "startup=true")
}

/// The question, asking for everything.
pub fn from_start(query: Option<&str>) -> String {
    let query = query.unwrap_or_default();
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && *pair != "startup" && !pair.starts_with("startup="));
    let all: Vec<&str> = std::iter::once("startup=true").chain(others).collect();
    all.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_asked_for_once() {
        for (query, expected) in [
            (None, "startup=true"),
            (Some(""), "startup=true"),
            (Some("startup=false"), "startup=true"),
            (Some("community_pull=false"), "startup=true&community_pull=false"),
            (Some("startup=true&x=1"), "startup=true&x=1"),
        ] {
            let whole = from_start(query);
            assert_eq!(whole, expected);
            assert!(is_startup(Some(&whole)));
        }
        assert!(
            !is_startup(Some("startup=false")) && !is_startup(None) && !is_startup(Some("nostartup=true"))
        );
    }

    #[test]
    fn a_copy_unpacks_to_what_passed() {
        let mut copy = Copy::new();
        copy.add(b"{\"new\":");
        copy.add(b"[]}");
        assert_eq!(
            zstd::decode_all(copy.finish().unwrap().as_slice()).unwrap(),
            b"{\"new\":[]}"
        );
    }

    #[test]
    fn questions_are_told_apart() {
        assert_eq!(target(2, Some("")), target(2, None));
        assert_ne!(target(2, None), target(3, None));
        assert_ne!(target(3, Some("startup=true")), target(3, None));
        assert_eq!(
            target(3, Some("startup=true&community_pull=false")),
            target(3, Some("community_pull=false&startup=true"))
        );
        for strange in [
            "x=1",
            "startup",
            "startup=1",
            "startup=true&startup=false",
            "startup=true&x=2",
        ] {
            assert_eq!(target(3, Some(strange)), None, "{strange}");
        }
    }
}
