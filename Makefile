# Every command that a developer types; `make help` lists them.
# The machine needs only Cargo and Python 3.11 with venv.

# The processor that `make build` builds for: x86_64 or arm64.
ARCH ?= x86_64
# The Python that creates .venv.
PYTHON ?= python3
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 60
# How many cold starts of each kind `make bench` measures; the number of events follows from it.
ROUNDS ?= 30

# Overrides a `build.target-dir` in Cargo's configuration. Do not share the folder between checkouts:
# Cargo may run one checkout's binaries in the other.
export CARGO_TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
# Without .venv, because the Python in .venv must not recreate it.
SYSTEM_PATH := $(subst $(CURDIR)/.venv/bin:,,$(PATH))
# For cargo-lambda, and for zig, which it links with.
export PATH := $(CURDIR)/.venv/bin:$(SYSTEM_PATH)

VENV := .venv/ready

CARGO_FUZZ := target/tools/bin/cargo-fuzz
# Fuzzing compiles with flags of its own.
FUZZ := CARGO_TARGET_DIR='$(CURDIR)/target/fuzz' PATH='$(CURDIR)/target/tools/bin':"$$PATH"

.DEFAULT_GOAL := help
.PHONY: help demo test emulated faults fuzz corpus check build bench schema format venv clean

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV) ## Handles six launches, on a local fake of AWS
	@python -m demo

test: $(VENV) ## Runs every test and the demo, and checks the demo's outcome; the last line has the counts
	@python -m scripts.test

emulated: $(VENV) ## Deploys the release zip to LocalStack and moto with Terraform, and launches instances
	@python -m scripts.test emulated

faults: ## Prints the outcome of every kind of failure, for each call and each trigger
	@cargo build --quiet --package enforcer
	@cargo test --quiet --package imds-tests --test faults -- --nocapture

fuzz: $(CARGO_FUZZ) ## Fuzzes the parsers of events, policies and user data: see fuzz/README.md
	@$(FUZZ) fuzz/run $(FUZZ_SECONDS)

corpus: $(CARGO_FUZZ) ## Updates fuzz/corpus-min with the inputs that `make fuzz` kept
	@$(FUZZ) fuzz/minimise

$(CARGO_FUZZ):
	cargo install --quiet --locked --root target/tools cargo-fuzz@0.13.2

check: $(VENV) ## Checks format, lints, documentation and dependencies; a warning is an error
	cargo fmt --all --check
	python scripts/tree.py
	cargo clippy --workspace --all-targets --features imds-tests/live -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	ruff format --check --quiet
	ruff check --quiet
	python -m pytest --quiet -p no:cacheprovider terraform/tests/test_source.py

build: $(VENV) ## Builds the release zip, dist/enforcer-$(ARCH).zip; ARCH=arm64 for Graviton
	@python scripts/build.py $(ARCH)

bench: $(VENV) ## Measures speed, memory, size and calls against a minimal function; ROUNDS=30 cold starts of each
	@python scripts/bench.py --rounds $(ROUNDS)

schema: ## Generates policy.schema.json and report.schema.json from the types
	UPDATE=1 cargo test --quiet --package imds-core --test policy_schema
	UPDATE=1 cargo test --quiet --workspace --bin imdsctl the_schema_in_the_repository

format: $(VENV) ## Formats Rust, Python and Terraform
	cargo fmt --all
	ruff format --quiet
	! command -v terraform >/dev/null || terraform fmt -recursive terraform

venv: $(VENV) ## Installs the Python tools in .venv

$(VENV): requirements.txt constraints.txt scripts/venv.py
	@PATH='$(SYSTEM_PATH)' $(PYTHON) scripts/venv.py

clean: ## Removes what the other commands created in this checkout
	rm -rf .venv .venv-emulated dist target fuzz/corpus fuzz/artifacts terraform/tests/iam/node_modules
