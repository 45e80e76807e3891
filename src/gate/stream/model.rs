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

/// The name under which an answer is kept: path and query, at most 512 bytes.
pub fn target(version: u8, query: Option<&str>) -> Option<String> {
    let text = match query {
        None | Some("") => format!("v{version}/decisions/stream"),
        Some(query) => format!("v{version}/decisions/stream?{query}"),
    };
    (text.len() <= 512).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(target(3, Some(&"x".repeat(600))), None);
    }
}
