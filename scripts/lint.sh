#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs every linter, also after one has failed, and names those that failed. Called by make, which sets PATH.

cd "$(dirname "$0")/.." || exit 1
failed=

lint() {
    name=$1
    shift
    echo "- $name"
    "$@" || failed="$failed $name"
}

lint ruff ruff check --quiet .
lint ruff-format ruff format --check --quiet .
# Plugins are typed under the name that they import each other by.
lint mypy mypy --no-error-summary local_aws scripts tests
lint mypy-plugins mypy --no-error-summary --package ansible_collections.gitops.aws.plugins
lint yamllint yamllint --strict .
lint shellcheck shellcheck scripts/*.sh .ci/run
lint shellcheck-builds shellcheck buildspecs/parts/*.sh
# What the Git host reads. Its schemas are in the tool: nothing is fetched.
lint workflows check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
lint issue-config check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
lint issue-forms check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
lint dependabot check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
lint terraform-fmt terraform fmt -check -diff -recursive tf tests buildspecs
lint changelog antsibull-changelog lint
lint ansible-lint ansible-lint --offline -q

if [ -n "$failed" ]; then
    echo "failed:$failed" >&2
    exit 1
fi
