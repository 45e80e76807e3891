#!/usr/bin/env bash
# What takes too long for every change: the accounting with killed replicas and servers, ten minutes without a server, and the
# plans of all that reads much with a million alerts. Against the release binary; half an hour.
#   GARRISON_TEST_ACCOUNTING_SECONDS=60 GARRISON_TEST_AWAY_SECONDS=600 GARRISON_TEST_PLANS_ALERTS=1000000
set -euo pipefail
cd "$(dirname "$0")/.."
dev/deps.sh test
cargo build --release --locked
export GARRISON_TEST_BINARY=${GARRISON_TEST_BINARY:-$PWD/target/release/garrison}
export GARRISON_TEST_ACCOUNTING_SECONDS=${GARRISON_TEST_ACCOUNTING_SECONDS:-60}
export GARRISON_TEST_AWAY_SECONDS=${GARRISON_TEST_AWAY_SECONDS:-600}
export GARRISON_TEST_PLANS_ALERTS=${GARRISON_TEST_PLANS_ALERTS:-1000000}
exec dev/with-postgres.sh cargo test --test main -- --test-threads 1 drill was_away contract::plans "$@"
