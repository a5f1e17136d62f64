# Every target sets up what it needs, in .work/. Paths are relative: make cannot handle spaces in names.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
PARTS := lint unit sanity integration browser molecule reliability e2e
# What else a release must pass.
RELEASE := statements artifact docs compat
# Parts that are long have lanes, each with an AWS of its own, which run at the same time.
E2E := e2e-runs e2e-drift e2e-estate
INTEGRATION := integration-findings integration-modules integration-terraform integration-seal
ARTIFACT := artifact-importer artifact-installed
# What of the findings' tests takes longest, in another lane than the rest.
PLAYBOOKS_OF_FINDINGS := tests/integration/findings/test_adopt.py tests/integration/findings/test_playbooks.py
# Runs targets at the same time, JOBS of them.
TOGETHER = python scripts/run_parts.py

# Chromium and what drives it are large, so that only what needs them installs them.
PROVIDE_BROWSER = sh scripts/provide_browser.sh

PROVIDE_FUZZER = UV_SYSTEM_CERTS=true uv pip install --quiet --no-config --require-hashes --only-binary :all: \
	--python .work/venv/bin/python --requirements requirements/fuzz.txt

# $(call provide,NAME) makes an environment of its own, .work/NAME, of requirements/NAME.txt: for tools that want other
# versions than dev.txt has.
provide = uv venv --quiet --no-config --clear --python .work/venv/bin/python .work/$(1) && \
	UV_SYSTEM_CERTS=true uv pip sync --quiet --no-config --require-hashes --python .work/$(1)/bin/python requirements/$(1).txt

# Those of compat are old on purpose.
AUDITED := $(filter-out requirements/compat-%,$(wildcard requirements/*.txt)) roles/drift/files/requirements.txt

# $(call pins,NAME) prints the versions in dev.txt but that of NAME.
pins = sed -e '/^$(1)==/d' -e '/^ *--hash/d' -e 's/ \\$$//' requirements/dev.txt

# Versions with the hashes of their files, for each Python from 3.11 on.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

# PYTHON=...     the Python to use instead of the newest found
# TF_MIRROR=...  directory with a mirror of Terraform's AWS provider, instead of those searched for
# MINUTES=... SEED=...  soak: how long, and the first of its seeds
# FUZZ_SECONDS=... fuzz: how long for each of the two, instead of 60
# ONLY='...'     bench: arguments of tests/bench/estate, for a part of it
# CORE=...       compat: the ansible-core to test; CORE_PYTHON=... the Python for it
# JOBS=...       how many parts and lanes of tests run at the same time, instead of two for each processor
# KEEP=1         demo: leave local AWS running
export PYTHON TF_MIRROR CORE CORE_PYTHON JOBS KEEP

# Our own tools first.
export PATH := $(CURDIR)/.work/venv/bin:$(CURDIR)/.work/terraform:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.work/collections
# Terraform, ours and that of builds in local AWS, takes the provider from where set-up found it.
export TF_CLI_CONFIG_FILE := $(CURDIR)/.work/terraform.rc
export LOCAL_AWS_TERRAFORMRC := $(CURDIR)/.work/terraform.rc
export CHECKPOINT_DISABLE := 1

# Nothing here may ever reach a real account: no profile, key or endpoint of the caller's is passed on.
unexport AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN
unexport AWS_PROFILE AWS_DEFAULT_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE
unexport AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
unexport AWS_ENDPOINT_URL AWS_URL AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
export AWS_CONFIG_FILE := /dev/null
export AWS_SHARED_CREDENTIALS_FILE := /dev/null
export AWS_EC2_METADATA_DISABLED := true
# Settings of the caller's that would change what the tools do.
unexport ANSIBLE_CONFIG PYTHONPATH PYTHONHOME VIRTUAL_ENV
# Tests start thousands of Pythons: without its cache each would compile all anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo local-up local-down test $(PARTS) $(E2E) $(INTEGRATION) release-checks $(RELEASE) $(ARTIFACT) picture audit bench soak fuzz format dist lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Set up .work/ (every target does it by itself)
	@sh scripts/setup.sh

demo: setup ## Local AWS, the pipeline, and a VPC that it builds, from nothing
	@PYTHONPATH=. python scripts/demo.py

local-up: setup ## Start local AWS for your own use
	@python -m local_aws up --detach

local-down: setup ## Stop it
	@python -m local_aws down

test: setup ## Every check; what takes longest first
	@$(PROVIDE_BROWSER) # before others run from the environment that it installs into
	@$(TOGETHER) $(E2E) $(INTEGRATION) reliability unit sanity molecule lint browser

lint: setup ## Linters: Python, types, YAML, shell, Terraform, changelog, Ansible
	@sh scripts/lint.sh

unit: setup ## Unit tests
	@pytest --numprocesses auto tests/unit

sanity: setup ## ansible-test sanity
	@python scripts/sanity.py

integration: setup ## Modules, roles and playbooks against local AWS
	@$(TOGETHER) $(INTEGRATION)

integration-modules: setup
	@pytest tests/integration/modules

integration-terraform: setup
	@pytest tests/integration/terraform tests/integration/incumbents $(PLAYBOOKS_OF_FINDINGS) tests/estate

integration-findings: setup
	@pytest tests/integration/estate tests/integration/findings $(PLAYBOOKS_OF_FINDINGS:%=--ignore %)

integration-seal: setup
	@pytest tests/integration/recovery tests/integration/seal tests/integration/doctor tests/integration/report

browser: setup ## The report's page in headless Chromium
	@$(PROVIDE_BROWSER)
	@pytest tests/browser

picture: setup ## Make docs/images/report.png again
	@$(PROVIDE_BROWSER)
	@PYTHONPATH=.:.work/collections python -m tests.browser.picture

molecule: setup ## Roles and playbooks as Molecule scenarios against local AWS
	@rm -rf .work/molecule-state
	@MOLECULE_EPHEMERAL_DIRECTORY="$$PWD/.work/molecule-state" molecule test --all --workers cpus; code=$$?; \
		python -m local_aws down --data .work/molecule >/dev/null; exit $$code

e2e: setup ## The whole way, from an empty account to a VPC and back
	@$(TOGETHER) $(E2E)

e2e-estate: setup
	@pytest tests/e2e --ignore tests/e2e/runs --ignore tests/e2e/drift --ignore tests/e2e/notices \
		--ignore tests/e2e/statements

e2e-runs: setup
	@pytest tests/e2e/runs tests/e2e/notices/test_notices.py

e2e-drift: setup
	@pytest tests/e2e/drift tests/e2e/notices/test_converge.py

reliability: setup ## Faults, killed runs, bad input, secrets (make soak has more of it)
	@pytest tests/reliability

soak: setup ## The same for half an hour and more, in the large size, each time with another seed (MINUTES=30 SEED=1)
	@$(PROVIDE_FUZZER) || echo 'Without fuzzing: there is no Atheris for this Python.'
	@PYTHONPATH=.:scripts:.work/collections python -m tests.reliability --minutes $(or $(MINUTES),30) \
		--seed $(or $(SEED),1) --write

release-checks: setup ## What else a release must pass: the four below
	@$(TOGETHER) compat statements $(ARTIFACT) docs

statements: setup ## Every statement of every policy taken away in turn: which run breaks
	@pytest tests/e2e/statements

artifact: setup ## What make dist builds: what it holds, what Galaxy says of it, an installation of it
	@$(TOGETHER) $(ARTIFACT)

artifact-importer: setup
	@$(call provide,importer)
	@pytest tests/artifact/test_importer.py

artifact-installed: setup
	@pytest tests/artifact --ignore tests/artifact/test_importer.py

docs: setup ## The documentation as a site in .work/site/; a warning is an error
	@$(call provide,docs)
	@python scripts/docs_site.py

compat: setup ## The oldest and the newest ansible-core, on the Pythons found (CORE=2.18 CORE_PYTHON=3.12: that one)
	@PYTHONPATH=. python scripts/compat.py

audit: setup ## Known vulnerabilities of the pinned requirements, by PyPI (needs the network)
	@$(call provide,audit)
	@.work/audit/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip $(AUDITED:%=--requirement %)

bench: setup ## Speed and memory, as ratios in one run, into docs/performance.md (ONLY='--sizes 1' measures a part)
	@UV_SYSTEM_CERTS=true uv pip install --quiet --no-config --require-hashes --python .work/venv/bin/python \
		--requirements requirements/bench.txt
	@$(if $(ONLY),,PYTHONPATH=.:.work/collections python tests/bench/scan.py)
	@$(if $(ONLY),,PYTHONPATH=.:scripts:.work/collections python -m tests.bench.estate.same --stacks 2)
	@PYTHONPATH=.:scripts python -m tests.bench.estate $(or $(ONLY),--write)

fuzz: setup ## Fuzz what reads states and buildspecs, FUZZ_SECONDS=60 each (Atheris: CPython 3.11 to 3.13)
	@$(PROVIDE_FUZZER)
	@for target in state buildspec; do PYTHONPATH=.:.work/collections python -m tests.reliability.fuzz $$target \
		-max_total_time=$(or $(FUZZ_SECONDS),60) || exit; done

format: setup ## Format Python and Terraform
	@ruff check --fix --quiet . ; ruff format . && terraform fmt -recursive tf && terraform fmt -recursive tests && terraform fmt -recursive buildspecs

dist: setup ## Build the collection artifact in dist/
	@python scripts/dist.py

lock: setup ## Resolve requirements/*.in, and what the builds that look for drift install, with hashes
	@$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	@$(LOCK) --constraint requirements/dev.txt requirements/browser.in --output-file requirements/browser.txt
	@$(LOCK) --constraint requirements/dev.txt requirements/bench.in --output-file requirements/bench.txt
	@$(LOCK) --constraint requirements/dev.txt requirements/fuzz.in --output-file requirements/fuzz.txt
	@$(LOCK) requirements/docs.in --output-file requirements/docs.txt
	@$(LOCK) requirements/audit.in --output-file requirements/audit.txt
	@$(call pins,attrs) | $(LOCK) --constraint /dev/stdin requirements/importer.in --output-file requirements/importer.txt
	@$(call pins,ansible-core) | $(LOCK) --constraint /dev/stdin \
		requirements/drift.in --output-file roles/drift/files/requirements.txt
	@$(subst 3.11,3.10,$(LOCK)) requirements/compat-2.17.in --output-file requirements/compat-2.17.txt
	@for core in 2.18 2.19; do $(call pins,ansible-core) | sed '/^resolvelib==/d' | $(LOCK) \
		--constraint /dev/stdin requirements/compat-$$core.in --output-file requirements/compat-$$core.txt || exit; done
	@for core in 2.20 2.21; do $(call pins,ansible-core) | $(subst 3.11,3.12,$(LOCK)) \
		--constraint /dev/stdin requirements/compat-$$core.in --output-file requirements/compat-$$core.txt || exit; done

clean: ## Remove what the targets made (stop local AWS first)
	@rm -rf .work dist .ansible .mypy_cache .pytest_cache .ruff_cache
