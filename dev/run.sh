#!/usr/bin/env bash
# Builds the service and runs it.   dev/run.sh [ARGUMENTS OF garrison serve]
set -euo pipefail
cd "$(dirname "$0")/.."
dev/deps.sh run
cargo build --release
exec "${CARGO_TARGET_DIR:-target}/release/garrison" serve "$@"
