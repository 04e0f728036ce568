# `make help` lists what there is. Every target does its own set-up (scripts/setup); nothing else is needed first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
JOBS ?= 3
# What mypy reads: the product, and the helpers of the tests.
TYPED := libs/*/src services/*/src proto/*/src tests/support tests/cost tests/bench tests/monitoring tests/cluster

.PHONY: help setup run test check types format bench bench-large bench-import bench-logins bench-outside bench-queue bench-sign cost faults fuzz imap-model interop conformance objectstore chart-test lock sbom openapi check-openapi clean
.PHONY: monitoring-test pictures images cluster cluster-down cluster-test cluster-test-short

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## make .venv from requirements.lock (the others call it)
	@scripts/setup

run: setup ## the whole service on this machine; Ctrl-C stops it
	@exec $(BIN)/postrider run

check: setup ## format, lint, types, import contracts, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	scripts/openapi --check
	scripts/chart-readme --check
	scripts/metrics-doc --check
	$(BIN)/python scripts/settings-doc --check
	$(BIN)/python scripts/logs-doc --check
	$(BIN)/python scripts/dashboards --check

types: setup ## types alone, as `make check` does
	$(BIN)/mypy $(TYPED)

test: check ## check, and every test that needs no other mail program
	$(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder -q --maxfail 10

format: setup ## bring the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## messages per second beside Debian's Postfix and Dovecot (BASE=folder: beside another clone)
	$(BIN)/python -m tests.bench $(if $(BASE),--base $(BASE))

bench-large: setup ## what readers wait for in a folder of 100,000 messages, beside Dovecot (MESSAGES=1000000; BASE=folder)
	$(BIN)/python -m tests.bench --large $(or $(MESSAGES),100000) $(if $(BASE),--base $(BASE))

bench-import: setup ## a vpopmail host of 200 domains, 2,000 mailboxes and 100,000 messages moves in (DOMAINS=, MAILBOXES= of each, MESSAGES= of each)
	$(BIN)/python -m tests.bench.moving $(or $(DOMAINS),200) $(or $(MAILBOXES),10) $(or $(MESSAGES),50)

bench-logins: setup ## repeated logins and RCPT look-ups per second of a core of auth, with 20,000 mailboxes (MAILBOXES=)
	$(BIN)/python -m tests.bench.logins $(or $(MAILBOXES),20000)

bench-outside: setup ## what SPF, DKIM and DMARC of mail from outside cost, beside a run without them
	$(BIN)/python -m tests.bench.outside

bench-sign: setup ## processor time that DKIM adds to a message, beside bare signatures and openssl speed
	$(BIN)/python -m tests.bench.signing

bench-queue: setup ## what a million deferred recipients cost, beside an empty queue (RECIPIENTS=, DOMAINS=)
	$(BIN)/python -m tests.bench.queue $(or $(RECIPIENTS),1000000) $(or $(DOMAINS),50000)

cost: setup ## what the worst input costs everybody else (WRITE=1: into docs/reliability.md, ONLY=name)
	$(BIN)/python -m tests.cost $(if $(WRITE),--write) $(if $(ONLY),--only "$(ONLY)")

faults: setup ## 60 kills under load: nothing acknowledged is lost or without its events; 1,000 transactions: all are in the trace
	POSTRIDER_TEST_KILLS=60 $(PYTEST) -q -s --timeout 1800 tests/e2e/test_faults_kills.py
	POSTRIDER_TEST_TRACED=1000 $(PYTEST) -q --timeout 1800 tests/e2e/test_trace.py

imap-model: setup ## 100,000 random steps of six IMAP clients that resynchronise (STEPS=n, SEED=n)
	POSTRIDER_TEST_IMAP_STEPS=$(or $(STEPS),100000) POSTRIDER_TEST_IMAP_SEED=$(or $(SEED),1) \
		$(PYTEST) -q --timeout 86400 tests/imap/test_resync_model.py

fuzz: setup ## the parsers, for longer
	$(PYTEST) -n $(JOBS) -q --timeout 1200 --hypothesis-profile long libs services -k "fuzz or hypothesis"

interop: setup ## Debian's own mail clients and servers against a running service (POSTRIDER_TEST_MOVED=5000: a large mailbox moves in)
	scripts/install-interop
	$(PYTEST) -q --timeout 300 tests/interop

conformance: setup ## the published test suites of mail authentication (CONFORMANCE_DIR, default ../shared/vectors), and opendkim and rspamd (DKIM_MESSAGES=2000)
	scripts/install-conformance
	@POSTRIDER_TEST_DKIM_MESSAGES=$(or $(DKIM_MESSAGES),2000) $(PYTEST) -q --timeout 1200 tests/conformance \
		tests/e2e/test_L2_forwarded_signatures.py

objectstore: setup ## old bodies on a real S3 server, SeaweedFS, built from its Go module (minutes the first time; MESSAGES=)
	$(BIN)/python -m tests.bench.objects $(or $(MESSAGES),2000)

interop-web: setup ## Debian's Roundcube in headless Chromium, and Thunderbird, against a running service (POSTRIDER_TEST_MESSAGES=10000: its long form)
	scripts/install-web
	$(PYTEST) -q --timeout 600 tests/web

monitoring-test: setup ## alerts with promtool, and every dashboard's queries with Debian's Prometheus
	scripts/install-monitoring
	@command -v helm >/dev/null || $(BIN)/python -m tests.cluster.kit.build helm >/dev/null
	$(PYTEST) -q --timeout 300 tests/monitoring

pictures: setup ## docs/pictures anew: every dashboard's panels, drawn from a minute and a half of load
	scripts/install-monitoring
	POSTRIDER_TEST_PICTURES=docs/pictures $(PYTEST) -q --timeout 300 tests/monitoring/test_dashboards.py

images: ## the five images, with Docker's BuildKit
	scripts/images

cluster: setup ## a one-node Kubernetes of our own with the images in it, for hands-on work
	scripts/cluster up

cluster-down: setup ## the end of it
	scripts/cluster down

cluster-test: setup ## the chart on such a Kubernetes: install, restarts, kills, upgrades under load
	$(PYTEST) -q -s --timeout 1800 tests/cluster

cluster-test-short: setup ## its tests 1, 3 with one round, 9 and 10
	POSTRIDER_TEST_ROUNDS=1 $(PYTEST) -q -s --timeout 1800 tests/cluster/test_{01,03,09,10}_*.py

chart-test: setup ## what the chart renders, in all its ways of use (builds the pinned helm where none is found)
	@command -v helm >/dev/null || $(BIN)/python -m tests.cluster.kit.build helm >/dev/null
	$(PYTEST) -n $(JOBS) -q tests/chart

lock: setup ## resolve requirements.lock anew
	scripts/lock

sbom: setup ## the images' software bill of materials (CycloneDX), on standard output
	@$(BIN)/python scripts/sbom

openapi: setup ## export proto/*/openapi.json from the services
	scripts/openapi

check-openapi: setup ## the exports are what the services say
	scripts/openapi --check

clean: ## remove what set-up and runs left in this folder
	rm -rf .venv .run .mypy_cache .ruff_cache .pytest_cache .hypothesis
