.DEFAULT_GOAL := help
.PHONY: help run test lint chart fuzz bench bench-large drill deps fmt clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

run: ## install what is missing, build, and run the service (ARGS="..." are given to garrison serve)
	@dev/run.sh $(ARGS)

test: ## install what is missing, lint, and run all tests (ARGS="..." are given to cargo test)
	@dev/test.sh $(ARGS)

lint: ## formatting, clippy, and cargo-deny where it is installed
	@dev/lint.sh

chart: ## check what it is deployed with: chart, rules, dashboards, compose file, Dockerfile, unit
	@dev/chart.sh

fuzz: ## ask every operation 1,000 generated questions and every edge of its schema (FUZZ_CASES, FUZZ_SEED; see dev/fuzz.sh)
	@dev/deps.sh test
	@cargo build
	@GARRISON_FUZZ_STRICT=1 FUZZ_CASES=$${FUZZ_CASES:-1000} FUZZ_PHASES=$${FUZZ_PHASES:-examples,coverage,fuzzing} dev/fuzz.sh

bench: ## install what is missing, build, and measure how fast signals are taken in and decisions go out (docs/benchmarks.md)
	@dev/bench.sh

bench-large: ## measure what is read when the tables have 1 and 10 million alerts (an hour; BENCH_ALERTS=1000000 for one)
	@BENCH_PARTS=large dev/bench.sh

drill: ## what takes too long for every change: kills, an absence of ten minutes, plans with a million alerts (half an hour)
	@dev/drill.sh

deps: ## install what running and testing need, where it is missing
	@dev/deps.sh test

fmt: ## format the code
	@cargo fmt

clean: ## remove what was built (target/), not the data
	@cargo clean
