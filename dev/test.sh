#!/usr/bin/env bash
# Everything that must hold before a change goes in. One build profile: the release build is not part of it.
set -euo pipefail
cd "$(dirname "$0")/.."
dev/deps.sh test
dev/lint.sh
dev/chart.sh
# The binary first, which the tests take, too: generated questions to every operation.
cargo build
dev/fuzz.sh
# Last, and silent around it: the last lines are cargo's own results.
# Tests wait for timers of real engines, so more of them than cores run at a time; each takes longer by that than alone.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))} GARRISON_TEST_PATIENCE=${GARRISON_TEST_PATIENCE:-3}
[ $# = 0 ] || exec dev/with-postgres.sh cargo test --no-fail-fast "$@"
# What measures times comes after the others: beside them it would measure them.
exec dev/with-postgres.sh bash -c '
  status=0
  cargo test --no-fail-fast -- --skip manage::fairness --skip nor_by_time || status=$?
  cargo test --test main -- --test-threads 1 manage::fairness nor_by_time || status=$?
  exit $status'
