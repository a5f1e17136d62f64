# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Runs modules of this collection inside Ansible's worker, where that comes to the same as a process of their own.

A module on this machine costs a packed zip, a Python and an import of boto3, about 0.4 seconds for each task. A worker
is a fork of Ansible, which has all of that: here the module's `main` is called in it, with the arguments that
ActionBase made for it, and ActionBase reads what it printed. Where something might differ, Ansible does what it would.
"""

from __future__ import annotations

import atexit
import importlib
import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import lru_cache, partial
from types import ModuleType, SimpleNamespace
from typing import Any, Callable

from ansible import constants
from ansible.module_utils import basic
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gitops.aws.plugins.module_utils._texts import Texts
from ansible_collections.gitops.aws.plugins.plugin_utils._memory import in_few_arenas, uncollected

PROFILES = hasattr(basic, "_ANSIBLE_PROFILE")  # ansible-core 2.19 and newer

try:
    from ansible.executor.module_common import InterpreterDiscoveryRequiredError, _get_shebang
    from ansible.module_utils.common.warnings import _global_deprecations, _global_warnings

    if PROFILES:
        from ansible.executor.module_common import _BuiltModule
        from ansible.module_utils import _internal
        from ansible.module_utils._internal._ansiballz._loader import _handle_exception
        from ansible.module_utils.common.json import Direction, get_module_encoder
    KNOWN = True
except ImportError:
    KNOWN = False  # a later ansible-core, which has changed what this stands on

display = Display()

WANTED = "GITOPS_AWS_IN_PROCESS"  # environment variable; false: every module is a process of its own

COLLECTION = "gitops.aws"

# A module that ends in order when a signal comes: a process of its own may go on for that, a worker must end at once.
ALONE = ("unmanaged_resources",)

# What a task's environment may name: these are read when a connection to AWS is made, and not when Python starts or a
# library is loaded, which has happened here.
READ_LATE = ("AWS_", "GITOPS_AWS_")

# How arguments and results are written; modules that do not say otherwise have this one.
PROFILE = "legacy"

# Settings of Ansible with which it matters that there is a process with files: those of developers, a limit for files.
OF_PROCESSES = (
    "PYTHON_MODULE_RLIMIT_NOFILE",
    "_ANSIBALLZ_COVERAGE_CONFIG",
    "_ANSIBALLZ_DEBUGPY_CONFIG",
    "_ANSIBALLZ_PYDEVD_CONFIG",
)

# Files of botocore that every client needs, and those of which it looks whether a service has one.
OF_ALL_SERVICES = ("endpoints", "partitions", "sdk-default-configuration", "_retry")
OF_EACH_SERVICE = ("service-2", "endpoint-rule-set-1", "paginators-1")

# What ansible.module_utils.basic keeps of the module that runs.
KEPT = ("_ANSIBLE_ARGS", "_ANSIBLE_PROFILE", "_PARSED_MODULE_ARGS", "_load_params")


# Warnings and deprecations that came when modules and what they need were loaded: they belong to every result.
AT_LOAD: tuple[list[Any], list[Any]] = ([], [])


def wanted() -> bool:
    """Whether modules may run in Ansible's process at all."""
    return (
        KNOWN
        and bool(boolean(os.environ.get(WANTED, "true"), strict=False))
        and not os.environ.get("_ANSIBLE_COVERAGE_CONFIG")  # of ansible-core 2.18 and older
    )


def prepare() -> None:
    """Loads what all modules need, in the process that workers are forked from: plugins/action/__init__.py calls it."""
    if not wanted():
        return
    for name in ("plugin_utils._bulk", "plugin_utils._watching", "module_utils._steps", "filter.estate"):
        with suppress(Exception):  # the task that needs it says so itself
            loaded(name)
    with suppress(Exception):
        models = models_in(None)
        for name in OF_ALL_SERVICES:
            models.load_data(name)
        for kind in OF_EACH_SERVICE:
            models.list_available_services(kind)


def loaded(name: str) -> ModuleType:
    """A Python module of this collection."""
    with noting() as noted:
        found = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.{name}")
        for kept, new in zip(AT_LOAD, noted):
            kept.extend(each for each in new if each not in kept)
    return found


@contextmanager
def noting(*before: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Warnings and deprecations are noted as in a module, for its result, and not shown: they are what is yielded.

    Args:
        before: those that there are already.
    """
    noted: tuple[Any, Any] = (_global_warnings, _global_deprecations)  # dictionaries, or lists before ansible-core 2.19
    kept = [list(each) for each in noted]
    controller = PROFILES and _internal.is_controller

    def fill(*contents: list[Any]) -> None:
        for each, content in zip(noted, contents):
            each.clear()
            if PROFILES:
                each.update(dict.fromkeys(content))
            else:
                each.extend(content)

    try:
        if PROFILES:
            _internal.is_controller = False
        fill(*before or ([], []))
        yield noted
    finally:
        fill(*kept)
        if PROFILES:
            _internal.is_controller = controller


@lru_cache(maxsize=None)
def models_in(path: str | None) -> Any:
    """botocore's loader of what it knows of services, by AWS_DATA_PATH: with it a client takes 8 ms instead of 45.

    botocore has one for each session, and a session is made for each client. A loader knows nothing of the session.
    """
    from botocore.loaders import create_loader

    return create_loader(path)


def same_python(path: str) -> bool:
    """Whether an interpreter is the one that runs this. A virtual environment's is not that which it was made from."""
    here = sys.executable
    return bool(path) and (
        os.path.realpath(path) == os.path.realpath(here)
        and os.path.realpath(os.path.dirname(path)) == os.path.realpath(os.path.dirname(here))
    )


class InProcess(ActionBase):
    """An action plugin whose modules run in its own process, where that comes to the same."""

    _module: ModuleType | None = None  # the one that runs here now
    _given: bytes = b""
    _texts: Texts  # of its arguments

    def _execute_module(self, module_name: str | None = None, *args: Any, **options: Any) -> dict[str, Any]:
        task_vars = options.get("task_vars") or {}
        if not options.get("wrap_async") and self._comes_to_the_same(task_vars):
            self._module, self._texts = self._imported(module_name or self._task.action), Texts()
        try:
            return dict(super()._execute_module(module_name, *args, **options))
        finally:
            self._module, self._given = None, b""

    # What ActionBase asks on its way: whether files are needed, what is to be run, and to run it.

    def _is_pipelining_enabled(self, *args: Any, **options: Any) -> bool:
        return self._module is not None or bool(super()._is_pipelining_enabled(*args, **options))

    def _configure_module(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> Any:
        if self._module is None:
            return super()._configure_module(module_name, module_args, task_vars)
        self._given, shebang = encoded(self._texts.taken_out(module_args)), f"#!{sys.executable}"
        if not PROFILES:
            return "new", shebang, self._given, self._module.__file__
        built = _BuiltModule(
            b_module_data=self._given, module_style="new", shebang=shebang, serialization_profile=PROFILE
        )
        return built, self._module.__file__

    def _low_level_execute_command(self, cmd: str, *args: Any, **options: Any) -> dict[str, Any]:
        if not self._module or not self._given or options.get("in_data") is not self._given:
            return dict(super()._low_level_execute_command(cmd, *args, **options))
        display.vvv(f"RUN {self._module.__name__} in this process", host=self._play_context.remote_addr)
        temporary = str(self.get_shell_option("remote_tmp", default="~/.ansible/tmp"))
        with suppress(OSError):  # Ansible would have made it, and a module warns where it must
            os.makedirs(os.path.expanduser(os.path.expandvars(temporary)), 0o700, exist_ok=True)
        with as_a_process(self._environment(), str(self._loader.get_basedir())):
            return run(self._module.main, self._given, self._texts)

    # Whether it comes to the same

    def _comes_to_the_same(self, task_vars: dict[str, Any]) -> bool:
        """Whether Ansible would run a module as this user, with this Python, on this machine, for its result alone."""
        return bool(
            wanted()
            and self._connection.transport == "local"
            and not self._connection.become
            and not self._task.async_val
            # A worker cannot leave what the module's threads have begun, and would come back late.
            and not self._task.timeout
            and self._play_context.executable == "/bin/sh"
            and not constants.DEFAULT_KEEP_REMOTE_FILES
            and not constants.DEFAULT_DEBUG
            and not any(_setting(name, task_vars) for name in OF_PROCESSES)
            and all(name.startswith(READ_LATE) for name in self._environment())
            and same_python(self._interpreter(task_vars))
        )

    def _environment(self) -> dict[str, str]:
        """What the task's environment sets, as texts."""
        found: dict[str, Any] = {}
        self._compute_environment_string(found)
        return {str(name): str(value) for name, value in found.items()}

    def _interpreter(self, task_vars: dict[str, Any]) -> str:
        """The path of the Python that Ansible would take; '' where it would look for one first."""
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        try:
            return str(_get_shebang("/usr/bin/python", task_vars, self._templar)[1])
        except InterpreterDiscoveryRequiredError:
            return ""

    def _imported(self, name: str) -> ModuleType | None:
        """The module, if it is of this collection; None where Ansible has to see to it."""
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            name, ".py", collection_list=self._task.collections
        )
        if not found.resolved or found.plugin_resolved_collection != COLLECTION:
            return None
        leaf = os.path.basename(found.plugin_resolved_path).rpartition(".")[0]
        if leaf in ALONE:
            return None
        try:
            return loaded(f"modules.{leaf}")
        except Exception:  # what it needs and does not find is to be said by the module's own process
            return None


def _setting(name: str, task_vars: dict[str, Any]) -> Any:
    """The value of a setting of Ansible; None where this Ansible has no such setting."""
    if not constants.config.get_configuration_definition(name):
        return None
    value = constants.config.get_config_value(name, variables=task_vars)
    return None if value in ("0", "None", "") else value


def encoded(arguments: dict[str, Any]) -> bytes:
    """A module's arguments, as Ansible hands them over."""
    given = {"ANSIBLE_MODULE_ARGS": arguments}
    if PROFILES:
        return json.dumps(given, cls=get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)).encode()
    from ansible.module_utils.common.json import AnsibleJSONEncoder

    return json.dumps(given, cls=AnsibleJSONEncoder, vault_to_text=True).encode()


@contextmanager
def as_a_process(environment: dict[str, str], directory: str) -> Iterator[None]:
    """A module's surroundings as in a process of its own, and afterwards the worker's as they were.

    The locale needs nothing: Ansible itself has set it from the environment as a module would.
    """
    variables, handlers = dict(os.environ), logging.root.handlers
    kept = {name: getattr(basic, name) for name in KEPT if hasattr(basic, name)}
    sessions: Any = sys.modules.get("botocore.session")  # a module that needs it has loaded it
    create_loader = getattr(sessions, "create_loader", None)
    place = os.open(".", os.O_RDONLY)
    with noting(*AT_LOAD), uncollected(), ExitStack() as at_exit:
        try:
            in_few_arenas()  # a worker ends with its task
            # Nothing of what botocore logs, which may be secret, is for the file of Ansible's own log.
            logging.root.handlers = []
            # A worker ends without what was registered for the end of a process, such as the removal of files.
            basic.atexit = SimpleNamespace(register=partial(at_exit.callback, _at_exit))
            if sessions:
                sessions.create_loader = models_in
            os.environ.update(environment)
            os.chdir(directory)
            yield
        finally:
            os.fchdir(place)
            os.close(place)
            os.environ.clear()
            os.environ.update(variables)
            if sessions:
                sessions.create_loader = create_loader
            basic.atexit = atexit
            logging.root.handlers = handlers
            for name, value in kept.items():
                setattr(basic, name, value)


def _at_exit(function: Callable[..., Any], *arguments: Any) -> None:
    """What fails at the end of a process is of no account to its result."""
    with suppress(Exception):
        function(*arguments)


def run(main: Callable[[], None], given: bytes, texts: Texts) -> dict[str, Any]:
    """Runs a module's main function; what ActionBase wants to know of a command that has ended.

    Args:
        main: it is expected to print its result and to exit.
        given: the arguments, encoded.
        texts: what was taken out of them.
    """
    load = basic._load_params

    def load_whole() -> Any:
        whole = texts.put_back(load())
        if hasattr(basic, "_PARSED_MODULE_ARGS"):  # not before ansible-core 2.19
            basic._PARSED_MODULE_ARGS = texts.put_back(basic._PARSED_MODULE_ARGS)
        return whole

    basic._load_params = load_whole
    basic._ANSIBLE_ARGS = given
    if PROFILES:
        basic._ANSIBLE_PROFILE = PROFILE
    out, error = io.StringIO(), io.StringIO()
    status = 0
    with redirect_stdout(out), redirect_stderr(error):
        try:
            _or_say_why(main)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                print(end.code, file=error)
    return {
        "rc": status,
        "stdout": out.getvalue(),
        "stdout_lines": out.getvalue().splitlines(),
        "stderr": error.getvalue(),
        "stderr_lines": error.getvalue().splitlines(),
    }


def _or_say_why(main: Callable[[], None]) -> None:
    """Runs a module's main function; where that breaks, prints what Ansible's wrapper of modules would, and exits."""
    try:
        main()
        raise RuntimeError("New-style module did not handle its own exit.")
    except Exception as error:
        if PROFILES:
            _handle_exception(error, PROFILE)
        traceback.print_exc()
        sys.exit(1)
