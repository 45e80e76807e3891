#!/usr/bin/env bash
# Formatting, lints, and (where cargo-deny is installed) licences and banned crates.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --check
cargo clippy --all-targets -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
  cargo deny check bans licenses sources
else
  echo "lint: cargo-deny is not installed; licences and banned crates are not checked" >&2
fi
