# Every command a person types; `make help` lists them.
# Cargo and Python 3.11 with venv are all that a machine must have.

# The processor that `make build` builds for: x86_64 or arm64.
ARCH ?= x86_64
# The Python that .venv is made with.
PYTHON ?= python3
# How long `make fuzz` feeds each parser.
FUZZ_SECONDS ?= 60
# How many cold starts `make bench` makes of each kind; its events follow from it.
ROUNDS ?= 30

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/imds-enforcer
export CARGO_TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CACHE)/target)
# Without .venv, whose Python must not make .venv anew.
SYSTEM_PATH := $(subst $(CURDIR)/.venv/bin:,,$(PATH))
# For cargo-lambda, and for the zig that it links with.
export PATH := $(CURDIR)/.venv/bin:$(SYSTEM_PATH)

VENV := .venv/ready
# Cargo commands run through this, for checkouts share one target folder.
CLAIMED := $(PYTHON) scripts/claimed.py

CARGO_FUZZ := $(CACHE)/tools/bin/cargo-fuzz
FUZZED := CARGO_TARGET_DIR=$(CACHE)/fuzz PATH=$(CACHE)/tools/bin:$$PATH $(CLAIMED)

.DEFAULT_GOAL := help
.PHONY: help demo test faults fuzz corpus check build bench schema format venv clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV) ## See four launches guarded, on a local stand-in of AWS
	@$(CLAIMED) python -m demo

test: $(VENV) ## Every test, and the demo with its outcome asserted; ends with one line that counts
	@$(CLAIMED) python -m scripts.test

faults: ## The fault matrix: every call, every way to fail, every trigger, and what came of it
	@$(CLAIMED) cargo build --quiet --package enforcer
	@$(CLAIMED) cargo test --quiet --package imds-tests --test faults -- --nocapture

fuzz: $(CARGO_FUZZ) ## Feeds made-up input to what reads events, policies and user data: see fuzz/README.md
	@$(FUZZED) fuzz/run $(FUZZ_SECONDS)

corpus: $(CARGO_FUZZ) ## fuzz/corpus-min anew, from what `make fuzz` has kept
	@$(FUZZED) fuzz/minimise

$(CARGO_FUZZ):
	cargo install --quiet --locked --root $(CACHE)/tools cargo-fuzz@0.13.2

check: $(VENV) ## Format, lints, documentation and dependencies, all without warnings
	cargo fmt --all --check
	python scripts/tree.py
	$(CLAIMED) cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CLAIMED) cargo doc --workspace --no-deps
	ruff format --check --quiet
	ruff check --quiet
	python -m pytest --quiet -p no:cacheprovider terraform/tests/test_source.py

build: $(VENV) ## The release zip, dist/enforcer-$(ARCH).zip; ARCH=arm64 for Graviton
	@$(CLAIMED) python scripts/build.py $(ARCH)

bench: $(VENV) ## Speed, memory, size and calls beside the least possible; ROUNDS=30 cold starts of each
	@$(CLAIMED) python scripts/bench.py --rounds $(ROUNDS)

schema: ## policy.schema.json anew, from the types
	UPDATE=1 $(CLAIMED) cargo test --quiet --package imds-core --test policy_schema

format: $(VENV) ## Formats Rust, Python and Terraform
	cargo fmt --all
	ruff format --quiet
	! command -v terraform >/dev/null || terraform fmt -recursive terraform

venv: $(VENV) ## The Python tools, in .venv

$(VENV): requirements.txt constraints.txt scripts/venv.py
	@PATH='$(SYSTEM_PATH)' $(PYTHON) scripts/venv.py

clean: ## Removes everything that the other targets made
	rm -rf .venv dist fuzz/corpus fuzz/artifacts "$(CACHE)"
