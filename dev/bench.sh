#!/usr/bin/env bash
# Measures how fast signals are taken in, beside what Postgres takes without us, and how fast decisions come to a fleet
# (docs/benchmarks.md).
#   BENCH_PARTS=ingest,replication,backlog,search
#   BENCH_SECONDS=4 BENCH_WARMUP_MS=1000 BENCH_ROUNDS=3 BENCH_BATCHES=1,10,50,100 BENCH_CONNECTIONS=1,8,32 BENCH_FORWARD=1
#   BENCH_PARTS=large BENCH_ALERTS=1000000,10000000   (make bench-large)
#   BENCH_REPLICATION_SECONDS=10 BENCH_BACKLOG=100000 BENCH_SEARCH=1000000
# The bench profile is the release profile: what `make run` built is used again.
set -euo pipefail
cd "$(dirname "$0")/.."
dev/deps.sh run
exec cargo bench --bench ingest "$@"
