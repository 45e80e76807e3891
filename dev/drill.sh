#!/usr/bin/env bash
# What takes too long for every change: the accounting with killed replicas and servers, ten minutes without a server, and the
# plans of all that reads much with a million alerts; a primary killed under a synchronous standby, a restored base backup, a
# rolling upgrade; a quiet tenant beside a loud one, engines beside a flood of logins. Against the release binary; half an hour.
#   GARRISON_TEST_ACCOUNTING_SECONDS=60 GARRISON_TEST_AWAY_SECONDS=600 GARRISON_TEST_PLANS_ALERTS=1000000
set -euo pipefail
cd "$(dirname "$0")/.."
dev/deps.sh test
cargo build --release --locked
export GARRISON_TEST_BINARY=${GARRISON_TEST_BINARY:-$PWD/target/release/garrison}
export GARRISON_TEST_ACCOUNTING_SECONDS=${GARRISON_TEST_ACCOUNTING_SECONDS:-60}
export GARRISON_TEST_AWAY_SECONDS=${GARRISON_TEST_AWAY_SECONDS:-600}
export GARRISON_TEST_PLANS_ALERTS=${GARRISON_TEST_PLANS_ALERTS:-1000000}
export GARRISON_TEST_FAILOVER_SECONDS=${GARRISON_TEST_FAILOVER_SECONDS:-20}
export GARRISON_TEST_FAIRNESS=${GARRISON_TEST_FAIRNESS:-2}
export GARRISON_TEST_LOGIN_FLOOD=${GARRISON_TEST_LOGIN_FLOOD:-1.5}
export GARRISON_TEST_PUSHES=${GARRISON_TEST_PUSHES:-800}
dev/with-postgres.sh cargo test --test main -- --test-threads 1 drill was_away contract::plans manage::fairness nor_by_time "$@"
# The whole suite once more, the services behind PgBouncer (transaction mode, five connections a database).
unset GARRISON_TEST_FAIRNESS GARRISON_TEST_LOGIN_FLOOD GARRISON_TEST_PUSHES GARRISON_TEST_ACCOUNTING_SECONDS GARRISON_TEST_AWAY_SECONDS GARRISON_TEST_PLANS_ALERTS GARRISON_TEST_FAILOVER_SECONDS
export GARRISON_TEST_PGBOUNCER=1 RUST_TEST_THREADS=${RUST_TEST_THREADS:-6}
exec dev/with-postgres.sh cargo test --no-fail-fast --test main -- --skip manage::fairness --skip nor_by_time
