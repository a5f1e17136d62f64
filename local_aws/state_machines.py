# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step Functions: a task that names an API is a call of the state machine's role, and JSONata states are AWS's."""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import error_response_json, get_region, now_iso
from ministack.services import stepfunctions

from local_aws import acted_on, identity, kms_use, process, sdk_tasks
from local_aws.acted_on import Call
from local_aws.aws_json import AwsError, authorize_pass_role, caller_of
from local_aws.sdk_tasks import TaskError

PRINCIPAL = "states.amazonaws.com"
_PAYLOAD_BYTES = 256 * 1024
_NEVER_CAUGHT = ("States.DataLimitExceeded", "States.Runtime")
_EVALUATION_SECONDS = 1.0

_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("local_aws_execution", default=None)
_roles: dict[str, identity.Credentials] = {}
_lock = threading.Lock()


def apply() -> None:
    """Install all that MiniStack's Step Functions lack or do otherwise."""
    _tasks()
    _passed_roles()
    _ends()
    _pace()
    _limits()
    _states()
    _expressions()
    acted_on.correct(_machine)


def _tasks() -> None:
    """An aws-sdk task is a signed call with the execution's role; its argument and result names are PascalCase."""
    original: Callable[..., Any] = stepfunctions._execute_task

    def execute(state: dict[str, Any], given: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
        token = _execution.set(execution)
        try:
            return original(state, given, execution, ctx)
        finally:
            _execution.reset(token)

    def invoke(resource: str, arguments: Any) -> Any:
        execution = _execution.get()
        try:
            if execution is None:
                raise TaskError("States.Runtime", "local AWS makes no call where no execution runs")
            found = sdk_tasks.call(resource, arguments, _role_of(execution), get_region())
        except TaskError as error:
            raise stepfunctions._ExecutionError(error.name, error.cause) from None
        if len(json.dumps(found, ensure_ascii=False).encode()) > _PAYLOAD_BYTES:
            raise stepfunctions._ExecutionError(
                "States.DataLimitExceeded",
                f"The state/task '{resource}' returned a result with a size exceeding the maximum number of bytes "
                "service limit.",
            )
        return found

    stepfunctions._execute_task, stepfunctions._invoke_aws_sdk_integration = execute, invoke


def _role_of(execution: dict[str, Any]) -> identity.Credentials:
    """The role an execution acts as, which it assumes once. Raises TaskError where the role does not let it."""
    with _lock:
        credentials = _roles.get(execution["executionArn"])
        if credentials is None:
            machine = execution["stateMachineArn"]
            try:
                credentials = identity.assume_service_role(
                    execution["events"][0]["executionStartedEventDetails"]["roleArn"],
                    PRINCIPAL,
                    "local-aws-states",
                    source_arn=machine,
                    source_account=machine.split(":")[4],
                )
            except AwsError as error:
                raise TaskError("States.TaskFailed", error.message) from error
            _roles[execution["executionArn"]] = credentials
    return credentials


def _passed_roles() -> None:
    """CreateStateMachine and UpdateStateMachine take only a role that the caller may pass."""

    def checked(original: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def call(request: dict[str, Any]) -> Any:
            if request.get("roleArn") and kms_use.request_key.get():
                try:
                    authorize_pass_role(
                        caller_of(kms_use.request_key.get(), get_region()), request["roleArn"], PRINCIPAL
                    )
                except AwsError as error:
                    return error_response_json(error.code, error.message, 400)
            return original(request)

        return call

    stepfunctions._create_state_machine = checked(stepfunctions._create_state_machine)
    stepfunctions._update_state_machine = checked(stepfunctions._update_state_machine)


def _ends() -> None:
    """An execution ends once, after TimeoutSeconds of its machine as TIMED_OUT; what goes on after that has no say."""
    run: Callable[[str], None] = stepfunctions._run_execution
    fail: Callable[..., None] = stepfunctions._fail_execution

    def time_out(execution: dict[str, Any]) -> None:
        if execution["status"] == "RUNNING":
            execution.update(status="TIMED_OUT", stopDate=now_iso())
            stepfunctions._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
            stepfunctions._emit_execution_status_event(execution)

    def run_execution(arn: str) -> None:
        execution = stepfunctions._executions.get(arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
        seconds = _timeout(machine.get("definition", "{}"))
        timer = None
        if seconds:
            within = contextvars.copy_context().run
            timer = threading.Timer(seconds * process.minute_seconds() / 60, within, (time_out, execution))
            timer.daemon = True
            timer.start()
        try:
            run(arn)
        finally:
            if timer:
                timer.cancel()
            with _lock:
                _roles.pop(arn, None)

    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    stepfunctions._run_execution, stepfunctions._fail_execution = run_execution, fail_execution


def _timeout(definition: str) -> float:
    try:
        return float(json.loads(definition).get("TimeoutSeconds") or 0)
    except (ValueError, AttributeError):
        return 0


def _pace() -> None:
    """Wait states, retries and the machine's timeout count the minutes of local AWS."""
    stepfunctions._SFN_WAIT_SCALE = process.minute_seconds() / 60


def _limits() -> None:
    """Neither States.ALL nor States.TaskFailed catch what AWS lets nobody catch by them."""
    original: Callable[[list[str], str], bool] = stepfunctions._error_matches

    def matches(names: list[str], error: str) -> bool:
        return error in names if error in _NEVER_CAUGHT else original(names, error)

    stepfunctions._error_matches = matches


def _states() -> None:
    """JSONata in every state: Parallel, Succeed and Choice have Arguments, Output and Assign as on AWS.

    What a branch assigns is its own; the expressions of one Assign see the values from before it.
    """
    parallel: Callable[..., Any] = stepfunctions._run_parallel_branches
    sub_machine: Callable[..., Any] = stepfunctions._run_sub_machine
    output_path: Callable[..., Any] = stepfunctions._apply_output_path
    choice: Callable[..., Any] = stepfunctions._execute_choice

    def is_jsonata(state: dict[str, Any], ctx: Any) -> bool:
        return bool(stepfunctions._state_query_language(state, ctx) == "JSONata")

    def branches(state: dict[str, Any], given: Any, execution: Any, ctx: dict[str, Any]) -> Any:
        if not is_jsonata(state, ctx):
            return parallel(state, given, execution, ctx)
        plain = {name: state[name] for name in ("Branches", "Next", "End") if name in state}
        arguments = stepfunctions._apply_jsonata_arguments(state, given, ctx)
        results, following = parallel(plain, arguments, execution, ctx)
        output = stepfunctions._apply_jsonata_output(state, given, ctx, result=results, default=results)
        stepfunctions._apply_state_assign(state, given, ctx, result=results)
        return output, following

    def sub(states: Any, start: Any, given: Any, execution: Any, ctx: dict[str, Any]) -> Any:
        return sub_machine(states, start, given, execution, {**ctx, "variables": dict(ctx.get("variables", {}))})

    def output(state: dict[str, Any], data: Any, ctx: Any = None) -> Any:
        if state.get("Type") == "Succeed" and is_jsonata(state, ctx):
            return stepfunctions._apply_jsonata_output(state, data, ctx, default=data)
        return output_path(state, data, ctx)

    def choose(state: dict[str, Any], given: Any, ctx: Any = None) -> Any:
        rules = [*state.get("Choices", [])]
        if is_jsonata(state, ctx) and state.get("Default"):
            own = {name: state[name] for name in ("Output", "Assign") if name in state}
            rules.append({"Condition": True, "Next": state["Default"], **own})
        return choice({**state, "Choices": rules}, given, ctx)

    def condition(rule: dict[str, Any], given: Any, ctx: Any) -> bool:
        return bool(stepfunctions._jsonata_state_field(rule, "Condition", "boolean", given, ctx))

    def assign(
        state: dict[str, Any], given: Any, ctx: dict[str, Any] | None, result: Any = None, error_output: Any = None
    ) -> None:
        if ctx is None or not is_jsonata(state, ctx) or not isinstance(state.get("Assign"), dict):
            return
        values = {
            name: stepfunctions._apply_jsonata_template(template, given, ctx, result, error_output)
            for name, template in state["Assign"].items()
        }
        ctx.setdefault("variables", {}).update(values)

    stepfunctions._run_parallel_branches, stepfunctions._run_sub_machine = branches, sub
    stepfunctions._apply_output_path, stepfunctions._execute_choice = output, choose
    stepfunctions._evaluate_jsonata_choice_rule, stepfunctions._apply_state_assign = condition, assign


def _expressions() -> None:
    """There is no $eval, and an expression has a second, as on AWS, but not what others do meanwhile counts."""
    original: Callable[[Any], None] = stepfunctions._register_sfn_jsonata_functions
    engine = stepfunctions.jsonata

    def refuse(*_arguments: Any) -> Any:
        raise ValueError("The function $eval is not supported in Step Functions")

    def register(expression: Any) -> None:
        original(expression)
        expression.register_lambda("eval", refuse)

    def parse(expression: str, timeout: int = 0) -> Any:
        made = engine.Jsonata.jsonata(expression)
        if timeout:
            began = time.thread_time()

            def check(*_arguments: Any) -> None:
                if time.thread_time() - began > _EVALUATION_SECONDS:
                    raise engine.jexception.JException("D1012", -1, int(_EVALUATION_SECONDS * 1000))

            made.environment.set_evaluate_entry_callback(check)
            made.environment.set_evaluate_exit_callback(check)
        return made

    stepfunctions._register_sfn_jsonata_functions = register
    stepfunctions.jsonata = SimpleNamespace(Jsonata=SimpleNamespace(jsonata=parse), utils=engine.utils)


def _machine(call: Call, _so_far: Callable[[], str]) -> str | None:
    """Tags are those of the resource that the call names; a new activity has an activity's ARN."""
    if call.service != "states":
        return None
    try:
        request = json.loads(call.body or b"{}")
    except ValueError:
        return None
    if "resourceArn" in request:
        return str(request["resourceArn"])
    if call.operation == "CreateActivity":
        return f"arn:aws:states:{call.region}:{call.account_id}:activity:{request.get('name')}"
    return None
