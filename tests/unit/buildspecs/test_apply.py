# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apply compares with the manifest, part by part. The end-to-end tests do it with real plans and states."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.buildspecs.conftest import Shell

Commit = Callable[..., str]

FACTS = {
    "commit": "a" * 40,
    "source_sha256": "e" * 64,
    "execution": "execution-1",
    "provider_lock_sha256": "b" * 64,
    "modules_sha256": "d" * 64,
    "terraform_version": "Terraform v1.11.4",
    "state_lineage": "lineage",
    "state_serial": "3",
    "state_version_id": "version-1",
    "state_sha256": "c" * 64,
}
WORDS = {
    "commit": "the commit",
    "source_sha256": "the files of the source",
    "execution": "the execution of the pipeline",
    "provider_lock_sha256": "the provider lock file",
    "modules_sha256": "the files of the modules",
    "terraform_version": "the version of Terraform",
    "state_lineage": "the lineage of the state",
    "state_serial": "the serial of the state",
    "state_version_id": "the version of the state object in S3",
    "state_sha256": "the content of the state",
}
# What is there now, and whether the plan was used, without AWS.
NOW = """
other_facts() { printf '%s\\n' "$NOW"; }
state_facts() { :; }
not_used() { mkdir -p "$WORK/used"; }
TERRAFORM=echo
same_as_planned
"""


def lines(facts: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in facts.items())


def compare(shell: Shell, tmp_path: Path, now: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (tmp_path / "saved" / "manifest").write_text(f"changes=yes\n{lines(FACTS)}\nmode=apply\nplan_sha256=d\n")
    return shell(NOW, NOW=lines(now))


def test_the_same_is_applied_and_marked(shell: Shell, tmp_path: Path) -> None:
    done = compare(shell, tmp_path, FACTS)

    assert (done.returncode, done.stdout) == (0, "state push mark\n")


@pytest.mark.parametrize("name", FACTS)
def test_every_part_that_differs_is_named(shell: Shell, tmp_path: Path, name: str) -> None:
    done = compare(shell, tmp_path, {**FACTS, name: "other"})

    assert done.returncode != 0
    assert f"Nothing is applied: {WORDS[name]}" in done.stdout
    assert f"has changed since the plan was made: it was '{FACTS[name]}', it is 'other'" in done.stdout
    assert "state push" not in done.stdout


@pytest.mark.parametrize("name", ["state_lineage", "state_version_id"])
def test_what_was_not_there_must_not_be_there_now(shell: Shell, tmp_path: Path, name: str) -> None:
    assert compare(shell, tmp_path, {**FACTS, name: ""}).returncode != 0


# The actions of the execution, without AWS.
APPROVED = """
of_execution() { mkdir -p "$WORK/execution" && printf '%s' "$ANSWER" > "$WORK/execution/answer.json"; }
same_manifest
"""


def action(name: str, status: str, **variables: str) -> dict[str, Any]:
    return {"actionName": name, "status": status, "output": {"outputVariables": variables}}


def answer(*manifests: str) -> str:
    """What CodePipeline says of an execution with these plans, the newest first."""
    plans = [action("Plan", "Succeeded", MANIFEST_SHA256=manifest) for manifest in manifests]
    others = [{"actionName": "Apply", "status": "InProgress"}, action("Plan", "Failed"), action("Approve", "Succeeded")]
    return json.dumps({"actionExecutionDetails": [*others, *plans]})


@pytest.mark.parametrize("manifest", ["none", "", 'a","value":"b', "a" * 63, "A" * 64, "a" * 64 + "\n" + "b"])
def test_what_is_no_manifest_approves_nothing(shell: Shell, tmp_path: Path, manifest: str) -> None:
    for name in ("manifest", "tfplan"):
        (tmp_path / "saved" / name).write_text("none\n")

    done = shell(APPROVED, ANSWER=answer(manifest))

    assert done.returncode != 0
    assert "this execution of the pipeline has no plan with a manifest" in done.stdout


def test_without_a_plan_nothing_is_approved(shell: Shell) -> None:
    assert "has no plan with a manifest" in shell(APPROVED, ANSWER=answer()).stdout


def test_of_a_stage_that_ran_again_the_last_plan_counts(shell: Shell, tmp_path: Path) -> None:
    manifest = f"plan_sha256={hashlib.sha256(b'plan').hexdigest()}\n"
    (tmp_path / "saved" / "manifest").write_text(manifest)
    (tmp_path / "saved" / "tfplan").write_bytes(b"plan")
    own = hashlib.sha256(manifest.encode()).hexdigest()

    assert shell(APPROVED, ANSWER=answer(own, "e" * 64)).returncode == 0
    assert shell(APPROVED, ANSWER=answer("e" * 64, own)).returncode != 0


# Who approved, and who the commits are by.

APPROVER = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Deploy_0a1b/Alice@acme.com"
AUTHORS = "alice@acme.com assumed-role/awsreservedsso_*/alice@acme.com"
APPROVED_BY = APPROVED.replace("same_manifest", "of_execution\napproved_by_another")


@pytest.fixture
def commit(tmp_path: Path) -> Callable[..., str]:
    """Makes a commit by an author in the source, on a branch; with a branch to merge, a merge. Its id."""
    source, clock = tmp_path / "source", itertools.count(1700000000)

    def git(*arguments: str, **environment: str) -> str:
        plain = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
        plain |= {f"GIT_{who}_NAME": "Somebody" for who in ("AUTHOR", "COMMITTER")}
        command = ["git", "-C", str(source), *arguments]
        return subprocess.run(command, check=True, env=plain | environment, capture_output=True, text=True).stdout

    def make(
        author: str = "bob@acme.com",
        message: str = "Change",
        *,
        committer: str = "noreply@github.com",
        branch: str = "main",
        merge: str = "",
    ) -> str:
        if not (source / ".git").exists():
            git("init", "--quiet", "--initial-branch=main")
        elif branch != git("branch", "--show-current").strip():
            known = git("branch", "--format=%(refname:short)").split()
            git("checkout", "--quiet", *([] if branch in known else ["-b"]), branch)
        date = f"{next(clock)} +0000"  # or two commits could be the same
        emails = {"GIT_AUTHOR_EMAIL": author, "GIT_COMMITTER_EMAIL": committer, "GIT_AUTHOR_DATE": date}
        if merge:
            git("merge", "--quiet", "--no-ff", f"--message={message}", merge, **emails)
        else:
            git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", f"--message={message}", **emails)
        return git("rev-parse", "HEAD").strip()

    return make


def approve(
    shell: Shell, approver: str | None = APPROVER, authors: str = AUTHORS, *others: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """What the build says where this one has approved."""
    given = {**action("Approve", "Succeeded"), "updatedBy": approver}
    if approver is None:
        del given["updatedBy"]
    ran = [action("Apply", "InProgress"), *others, given, action("Plan", "Succeeded")]
    return shell(APPROVED_BY, ANSWER=json.dumps({"actionExecutionDetails": ran}), STACK_AUTHORS=authors)


def refused(done: subprocess.CompletedProcess[str], commit: str, email: str = "alice@acme.com") -> bool:
    assert done.stderr == ""
    if done.returncode == 0:
        assert done.stdout == ""
        return False
    assert (
        f"Nothing is applied: {APPROVER} has approved, and is an author of it ({email}, commit {commit})."
        in done.stdout
    )
    assert "Fix: start the pipeline again, and let somebody else approve that run." in done.stdout
    return True


def test_who_is_no_author_may_approve(shell: Shell, commit: Commit) -> None:
    commit()

    assert not refused(approve(shell), "")
    assert not refused(approve(shell, "arn:aws:iam::111122223333:user/alice@acme.com"), "")
    assert not refused(approve(shell, "arn:aws:iam::111122223333:root"), "")


@pytest.mark.parametrize(
    "values",
    [
        {"author": "alice@acme.com"},
        {"author": "Alice@ACME.com"},
        {"committer": "alice@acme.com"},
        {"message": "Change\n\nCo-authored-by: Alice <alice@acme.com>"},
        {"message": "Change\n\nco-authored-BY:Al <ALICE@acme.com>\r\n\nSigned-off-by: Bob <bob@acme.com>"},
        {"message": "Change\n\nCo-Authored-By: alice@acme.com"},
        {"message": "Co-authored-by: Alice <alice@acme.com>"},
    ],
)
def test_authors_do_not_approve_their_own(shell: Shell, commit: Commit, values: dict[str, str]) -> None:
    first = commit(**values)
    assert refused(approve(shell), first)

    second = commit(**values)
    assert refused(approve(shell), second)

    commit()
    assert not refused(approve(shell), "")


def test_what_a_merge_brings_in_counts(shell: Shell, commit: Commit) -> None:
    commit("alice@acme.com")
    commit()
    commit(branch="feature")
    hers = commit("alice@acme.com", branch="feature")
    commit(branch="feature")
    commit(branch="main")
    assert not refused(approve(shell), "")

    commit(merge="feature")
    assert refused(approve(shell), hers)

    commit()
    commit(branch="other")
    commit(branch="main")
    merged = commit("alice@acme.com", merge="other")
    assert refused(approve(shell), merged)


def test_a_message_names_no_author_but_by_the_trailer(shell: Shell, commit: Commit) -> None:
    own = "a" * 40
    commit(message=f"{own} alice@acme.com\n\n{own} alice@acme.com\nAuthor: Alice <alice@acme.com>\n\nalice@acme.com")

    assert not refused(approve(shell), "")


@pytest.mark.parametrize(
    "email", ["$(touch done)", "`touch done`", "a'b\"c@acme.com", "* [a-z]?", "-n", "\\", "%s%n", "! ="]
)
def test_an_address_is_only_compared(shell: Shell, commit: Commit, tmp_path: Path, email: str) -> None:
    commit(email, f"{email}\n\nCo-authored-by: {email} <{email}>\nCo-authored-by: {email}")

    assert not refused(approve(shell), "")
    assert not list(tmp_path.rglob("done"))


def test_a_mailmap_changes_nobody(shell: Shell, commit: Commit, tmp_path: Path) -> None:
    (tmp_path / "source" / ".mailmap").write_text("Bob <bob@acme.com> <alice@acme.com>\n")

    own = commit("alice@acme.com")

    assert refused(approve(shell), own)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("assumed-role/awsreservedsso_deploy_0a1b/alice@acme.com", True),
        ("assumed-role/*/alice@acme.com", True),
        ("assumed-role/awsreservedsso_deploy_????/*", True),
        ("assumed-role/awsreservedsso_deploy_???/*", False),
        ("assumed-role/*/alice", False),
        ("alice@acme.com", False),
        ("assumed-role/awsreservedsso_deploy_0a1[a-z]/*", False),
        ("assumed-role/awsreservedsso_deploy_0a1\\b/*", False),
        ("*", True),
        ("*) touch done;; *", False),
        ("$(touch done)", False),
    ],
)
def test_patterns_have_no_wildcards_but_two(
    shell: Shell, commit: Commit, tmp_path: Path, pattern: str, matches: bool
) -> None:
    (tmp_path / "source" / "assumed-role").mkdir()  # a pattern is no path
    own = commit("dependabot[bot]@acme.com")
    authors = f"a*@acme.com *\ndependabot[bot]@acme.com user/x\ndependabot[bot]@acme.com {pattern}\nd* *"

    assert refused(approve(shell, authors=authors), own, "dependabot[bot]@acme.com") is matches
    assert not list(tmp_path.rglob("done"))


@pytest.mark.parametrize("approver", [None, "", "alice", "arn:aws:iam::111122223333:role/Deploy", "$(touch done)"])
def test_who_cannot_be_told_approves_nothing(
    shell: Shell, commit: Commit, tmp_path: Path, approver: str | None
) -> None:
    commit()
    done = approve(shell, approver)

    assert done.returncode != 0
    assert f"CodePipeline does not say who has approved it ('{approver or ''}')" in done.stdout
    assert not list(tmp_path.rglob("done"))


def test_what_nobody_approved_is_not_applied(shell: Shell, commit: Commit) -> None:
    commit()
    rejected = {**action("Approve", "Failed"), "updatedBy": APPROVER}
    done = shell(APPROVED_BY, ANSWER=json.dumps({"actionExecutionDetails": [rejected]}), STACK_AUTHORS=AUTHORS)

    assert done.returncode != 0
    assert "CodePipeline does not say who has approved it" in done.stdout


def test_of_a_stage_that_ran_again_the_last_approval_counts(shell: Shell, commit: Commit) -> None:
    own = commit("alice@acme.com")
    bob = {**action("Approve", "Succeeded"), "updatedBy": "arn:aws:iam::111122223333:user/bob"}
    alice = {**bob, "updatedBy": APPROVER}

    assert not refused(approve(shell, APPROVER, AUTHORS, bob), "")
    assert refused(approve(shell, bob["updatedBy"], AUTHORS, alice), own)


def test_commits_that_cannot_be_read_are_not_applied(shell: Shell) -> None:
    assert approve(shell).returncode != 0


def test_where_no_authors_are_known_nobody_is_asked_about(shell: Shell) -> None:
    assert shell("approved_by_another", STACK_AUTHORS="").returncode == 0
    assert shell("approved_by_another").returncode == 0


# The mark of a used plan: Terraform's answer about it, without S3.
MARKED = """
aside() { mkdir -p "$1"; }
artifact_folder() { :; }
terraform_pull() { printf '%s' "$PULLED"; }
TERRAFORM=terraform_pull
not_used
"""


@pytest.mark.parametrize("pulled", ["", '{\n  "version": 4,\n  "serial": 0,\n  "lineage": "",\n  "outputs": {}\n}'])
def test_a_plan_without_a_mark_was_not_used(shell: Shell, pulled: str) -> None:
    assert shell(MARKED, PULLED=pulled).returncode == 0


@pytest.mark.parametrize("output", ['{"value": "b:0", "type": "string"}', '{"type": "string", "value": "b:0"}', "{}"])
def test_a_plan_with_any_mark_was_used(shell: Shell, output: str) -> None:
    done = shell(MARKED, PULLED=f'{{"version": 4, "lineage": "abc", "outputs": {{"build": {output}}}}}')

    assert done.returncode != 0
    assert "this plan was used already" in done.stdout


# What is told of the state.


def state_facts(shell: Shell, state: str, call: str) -> subprocess.CompletedProcess[str]:
    """The facts where `state pull` prints this, and the call of S3 does that."""
    stub = f"""
pull() {{ case $1 in state) printf '%s' "$STATE" ;; *) terraform "$@" ;; esac; }}
TERRAFORM=pull
aws_call() {{ {call}; }}
state_facts"""
    return shell(stub, STATE=state, STATE_BUCKET="bucket", STATE_KEY="key")


STATE = '{"version": 4, "lineage": "abc", "serial": 3}'


def test_facts_of_a_state(shell: Shell) -> None:
    stored = "printf kept; printf '  x-amz-version-id: v1\\r\\n' >&2"
    done = state_facts(shell, STATE, stored)

    assert (done.returncode, done.stderr) == (0, "")
    # Not of what `state pull` prints: of the same state it prints the check results in another order each time.
    digest = hashlib.sha256(b"kept").hexdigest()
    assert done.stdout.split() == [
        "state_lineage=abc",
        "state_serial=3",
        "state_version_id=v1",
        f"state_sha256={digest}",
    ]
    assert "state_version_id=none" in state_facts(shell, STATE, "printf kept").stdout


@pytest.mark.parametrize("state", ["", '{"version": 4, "serial": 0, "lineage": ""}'])
def test_facts_where_there_is_no_state(shell: Shell, state: str) -> None:
    done = state_facts(shell, state, "false")

    assert done.returncode == 0
    assert done.stdout.split() == [f"state_{name}=" for name in ("lineage", "serial", "version_id", "sha256")]


@pytest.mark.parametrize(
    ("state", "call"),
    [(STATE, "false"), (STATE, ":"), ("{", "printf x"), ('{"lineage": "abc"}', "printf x"), ("[]", "printf x")],
)
def test_a_state_that_cannot_be_told_of_is_no_missing_state(shell: Shell, state: str, call: str) -> None:
    assert state_facts(shell, state, call).returncode != 0


# A state that Terraform could not write: DUMP is what it prints where there is no place for it at all.

DUMP = """{
  "version": 4,
  "terraform_version": "1.11.4",
  "serial": 123456789012,
  "lineage": "abc",
  "resources": [
    {
      "serial": 10,
      "secret": "canary \\u003c \\\\n %s é"
    }
  ]
}
"""
# Of the first push Terraform makes another lineage and serial, of the second one the next serial.
PUSHED = f"pushed: {DUMP}".replace("123456789012", "123456789011") * 2
# What else is said may look like it.
ERRORS = """Error: it said

{
  "message": "no"
}
{
{
  "version": 2,
  "error": "quota"
}

Error: Failed to persist state to backend
"""
# Terraform prints this and ends so; what is pushed must be a whole state.
TERRAFORM = """fake() {{ case $1 in
  apply) echo "$*"; cat "$WORK/errors" >&2; return {status} ;;
  state)
    cat > pushed && [ "$2 $3 $4" = 'push -force -' ] && [ "$(tail -n 1 pushed)" = '}}' ] && ! grep -q ': -' pushed &&
      grep -q '^  "lineage"' pushed && printf 'pushed: ' && cat pushed
    ;;
esac; }}
aside() {{ mkdir -p "$1"; }}
planned() {{ echo yes; }}
TERRAFORM=fake
apply_plan
echo "ended with $?"
rescue_state
"""


def applied(shell: Shell, tmp_path: Path, errors: str, status: int) -> subprocess.CompletedProcess[str]:
    (tmp_path / "work" / "errors").write_text(errors, encoding="utf-8")
    place = {"STATE_BUCKET": "bucket", "STATE_KEY": "key", "STACK_NAME": "network", "STACK_PATH": "."}
    return shell(TERRAFORM.format(status=status), **place)


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize("errors", ["", ERRORS, "Error: without an end", "{", '{\n  "version": 4,\n'])
def test_what_terraform_says_is_shown_as_it_is(shell: Shell, tmp_path: Path, errors: str, status: int) -> None:
    done = applied(shell, tmp_path, errors, status)

    assert done.stdout == (
        f"apply -no-color -input=false -lock-timeout=60s {tmp_path}/saved/tfplan\nended with {status}\n"
    )
    assert done.stderr.rstrip("\n") == errors.rstrip("\n")


def test_a_terraform_that_was_killed_is_told_of(shell: Shell, tmp_path: Path) -> None:
    done = applied(shell, tmp_path, "fatal error\n", 137)

    assert "was killed (exit status 137)" in done.stdout
    assert done.stdout.endswith("ended with 137\n")
    assert done.stderr == "fatal error\n"


@pytest.mark.parametrize(("before", "after"), [("", ""), ("", ERRORS), (ERRORS, ""), ("{\n", "}\n"), (ERRORS, ERRORS)])
def test_a_state_that_terraform_prints_is_kept_and_not_shown(
    shell: Shell, tmp_path: Path, before: str, after: str
) -> None:
    done = applied(shell, tmp_path, f"{before}{DUMP}{after}", 1)

    assert done.stderr == f"{before}(Not shown: the state, which holds secrets.)\n{after}"
    apply, kept = done.stdout.split("ended with 1\n")
    assert "canary" not in apply
    assert kept.startswith(PUSHED)
    assert "is kept in s3://bucket/key.errored" in kept


@pytest.mark.parametrize("torn", range(1, len(DUMP.splitlines())))
def test_not_even_a_part_of_a_state_is_shown(shell: Shell, tmp_path: Path, torn: int) -> None:
    done = applied(shell, tmp_path, "".join(DUMP.splitlines(keepends=True)[:torn]), 137)

    assert "canary" not in done.stdout + done.stderr
    assert "terraform_version" not in done.stdout + done.stderr
    assert "pushed" not in done.stdout


@pytest.mark.parametrize("errors", [ERRORS, DUMP, DUMP.replace("abc", "other")])
def test_a_state_that_terraform_has_written_is_kept(shell: Shell, tmp_path: Path, errors: str) -> None:
    (tmp_path / "source" / "errored.tfstate").write_text(DUMP, encoding="utf-8")

    done = applied(shell, tmp_path, errors, 1)

    assert PUSHED in done.stdout
    assert "other" not in done.stdout


@pytest.mark.parametrize("written", [0, 20, 150])
def test_half_a_file_is_no_state_where_the_whole_was_printed(shell: Shell, tmp_path: Path, written: int) -> None:
    (tmp_path / "source" / "errored.tfstate").write_text(DUMP[:written], encoding="utf-8")

    assert PUSHED in applied(shell, tmp_path, DUMP, 1).stdout
    assert "could not be written anywhere" in applied(shell, tmp_path, "", 1).stdout


def test_a_first_state_that_could_not_even_be_read_is_given_a_lineage(shell: Shell, tmp_path: Path) -> None:
    """A second push would leave it without one."""
    state = DUMP.replace("123456789012", "0").replace("abc", "")

    assert applied(shell, tmp_path, state, 1).stdout.count(f"pushed: {state}") == 1


def test_a_signal_leaves_terraform_its_standard_error(shell: Shell, tmp_path: Path) -> None:
    """Terraform ends in its own time, writes the state and releases the lock. A closed pipe would kill it.

    SIGTERM stands for all: no shell can trap SIGINT or SIGHUP where this process was started with them ignored.
    """
    terraform = tmp_path / "terraform"
    terraform.write_text(
        "#!/bin/sh\ntrap stopped=yes TERM\n: > ready\n"
        'while [ -z "$stopped" ]; do sleep 0.1; done\nsleep 1\necho Interrupted >&2\n: > released\n'
    )
    terraform.chmod(0o755)
    stop = "(while [ ! -e ready ]; do sleep 0.1; done; sleep 1; kill -TERM 0) &\ntrap : TERM\n"

    done = shell(f"planned() {{ echo yes; }}\n{stop}apply_plan", alone=True, TERRAFORM=str(terraform))

    assert "Interrupted\n" in done.stderr
    assert (tmp_path / "source" / "released").exists()


def test_the_shell_goes_on_where_awk_is_killed(shell: Shell, tmp_path: Path) -> None:
    """And says nothing of the state."""
    (tmp_path / "dead").mkdir()
    awk = tmp_path / "dead" / "awk"
    awk.write_text("#!/bin/sh\nhead -c 100 > /dev/null\nkill -9 $$\n")
    awk.chmod(0o755)
    dead = f'PATH="{awk.parent}:$PATH"\n'

    done = applied(lambda commands, **more: shell(dead + commands, **more), tmp_path, DUMP * 1000, 1)

    assert "canary" not in done.stdout + done.stderr
    assert "ended with 0" not in done.stdout
    assert "ended with" in done.stdout


def test_only_an_apply_leaves_a_state_to_rescue(shell: Shell, tmp_path: Path) -> None:
    """A file of that name may be in the repository."""
    (tmp_path / "source" / "errored.tfstate").write_text("{}")

    done = shell("rescue_state", STACK_PATH=".")

    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_is_applied_on_a_full_disk(shell: Shell) -> None:
    done = shell("planned() { echo yes; }\nTERRAFORM=echo\napply_plan", WORK="/proc")

    assert done.returncode != 0
    assert done.stdout.strip().startswith("Nothing is applied: the disk of this build is full. Fix:")


# The folder of the stack.


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ('terraform {\n  backend "local" {}\n}\n', False),
        ("# no backend\n", False),
        ('terraform {\n  backend "s3" {}\n}\n', True),
    ],
)
def test_code_without_the_backend_is_refused(shell: Shell, tmp_path: Path, code: str, right: bool) -> None:
    (tmp_path / "source" / "main.tf").write_text(code)
    (tmp_path / "source" / "errored.tfstate").write_text("{}")
    state = '{"version": 3, "backend": {"type": "s3"}}'
    init = (
        f"init() {{ mkdir -p .terraform && printf '%s' '{state}' > .terraform/terraform.tfstate; }}\nTERRAFORM=init\n"
    )

    done = shell(f"{init if right else ''}enter_stack", STACK_PATH=".")

    assert (done.returncode == 0) is right
    assert ("The code has no S3 backend" in done.stdout) is not right
    assert not (tmp_path / "source" / "errored.tfstate").exists()


def test_files_of_modules_count(shell: Shell, tmp_path: Path) -> None:
    modules = tmp_path / "source" / ".terraform" / "modules" / "a b"
    (modules / ".git").mkdir(parents=True)
    (modules / "run.sh").write_text("echo one")
    (modules / ".git" / "HEAD").write_text("one")
    facts = "source_git() { :; }\nEXECUTION_ID=e\nother_facts | grep modules"
    first = shell(facts).stdout
    (modules / ".git" / "HEAD").write_text("two")
    assert shell(facts).stdout == first
    (modules / "run.sh").write_text("echo two")

    assert len(first.strip()) == len("modules_sha256=") + 64
    assert shell(facts).stdout != first


@pytest.mark.parametrize(("plan", "message"), [(b"plan", ""), (b"other", "the saved plan is not the one"), (None, "")])
def test_plan_and_manifest_are_those_that_were_approved(
    shell: Shell, tmp_path: Path, plan: bytes | None, message: str
) -> None:
    saved = tmp_path / "saved"
    manifest = f"plan_sha256={hashlib.sha256(b'plan').hexdigest()}\n"
    (saved / "manifest").write_text(manifest)
    if plan is not None:
        (saved / "tfplan").write_bytes(plan)

    done = shell(APPROVED, ANSWER=answer(hashlib.sha256(manifest.encode()).hexdigest()))
    other = shell(APPROVED, ANSWER=answer("e" * 64))

    assert (done.returncode == 0) is (plan == b"plan")
    assert message in done.stdout
    assert other.returncode != 0
    assert "Nothing is applied: the manifest is not the one that was approved" in other.stdout


def test_a_plan_without_changes_is_not_applied(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "saved" / "manifest").write_text("changes=no\n")

    done = shell("TERRAFORM=false\napply_plan")

    assert (done.returncode, done.stdout) == (0, "The plan has no changes: nothing is to be done.\n")


@pytest.mark.parametrize(("status", "died"), [(0, False), (1, False), (2, True), (137, True)])
def test_what_an_apply_that_died_has_left_is_named(shell: Shell, tmp_path: Path, status: int, died: bool) -> None:
    (tmp_path / "saved" / "manifest").write_text("changes=yes\n")

    done = shell(f"dies() {{ return {status}; }}\nTERRAFORM=dies\napply_plan", STACK_NAME="network")

    assert done.returncode == status
    assert ("gitops.aws.unlock -e @your.yml -e stack=network" in done.stdout) is died


@pytest.mark.parametrize(
    ("status", "message"),
    [(2, "The saved plan cannot be read: Terraform has crashed"), (137, "was killed (exit status 137)"), (1, "")],
)
def test_a_plan_that_is_none_is_refused(shell: Shell, status: int, message: str) -> None:
    """A crash ends with the exit status of a plan that has changes."""
    dies = f'dies() {{ [ "$1" = plan ] && return {status}; return 1; }}\nTERRAFORM=dies\nmake_plan'

    done = shell(dies, STACK_NAME="network")

    assert done.returncode == (1 if status == 2 else status)
    assert (message in done.stdout) if message else done.stdout == ""


def test_of_an_object_it_is_the_version_that_has_changed(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "saved" / "manifest").write_text("commit=version-1\n")

    done = shell(NOW, NOW="commit=version-2", STACK_OBJECT="s3://acme-code/network.zip")

    assert "Nothing is applied: the version of the source has changed since the plan was made" in done.stdout


def test_where_authors_count_an_object_is_not_applied(shell: Shell) -> None:
    done = shell("approved_by_another", STACK_OBJECT="s3://acme-code/network.zip", STACK_AUTHORS="a@acme.com user/a")

    assert done.returncode == 1
    assert "Nothing is applied: nobody can tell who is the author of s3://acme-code/network.zip" in done.stdout
