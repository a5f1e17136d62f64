# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The declarative engine: read, normalise, compare, write only what differs.

A resource kind (see _kinds/) says how one kind of AWS resource is read and written. Everything else is here, once:
what is compared with what, check mode, the diff, tags, bounded concurrency, partial failure and the result's shape.
"""

from __future__ import annotations

import json
import re
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Iterator

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._answers import is_misfit, misunderstood, understood
from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    SEEN_TIMEOUT,
    Aws,
    NotYet,
    Refused,
    error_code,
    explain,
    is_not_yet,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._module import aws_module, refuse
from ansible_collections.gitops.aws.plugins.module_utils._progress import Progress
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN, STANDS_FOR_SECRET

Settings = dict[str, Any]

CONCURRENCY: dict[str, Any] = {"type": "int", "default": 10}

# How often what is left of a step is done, each time after something came of it.
ROUNDS = 5

ERRORS_SHOWN = 10  # in the message; the result holds all


@dataclass
class Resource:
    """A resource as it is in AWS.

    Attributes:
        settings: in the vocabulary of the module's options, so that it can be fed back to the module.
        facts: what AWS decides, such as `arn`.
        details: more of that, which the info modules give.
        unfinished: whether it is as its creation leaves it, before it could be given its owner's tags. It may be taken.
    """

    settings: Settings
    facts: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    unfinished: bool = False


class Kind:
    """How one kind of AWS resource is read and written. A subclass per kind, in _kinds/."""

    noun = ""  # as in "IAM role"
    nouns = ""  # several of them, where that is not the noun with an s
    service = ""  # boto3's name of the service
    key = "name"  # the option that identifies an item
    required: tuple[str, ...] = ()  # options without which the resource cannot be created
    fixed: tuple[str, ...] = ()  # options that AWS cannot change after creation
    chunk: int | None = None  # how many of thousands may be read and compared by themselves; None: all at once
    equal: dict[str, Any] = {}  # option -> function(before, after) for values that have several spellings

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.client = aws.client(self.service)
        self.progress = Progress()  # a kind that reads many items at a time says so there
        self.unreadable: dict[str, str] = {}  # key of an item -> why it could not be read
        self.only_shown = False  # whether what is read is for a person, and nothing is written after it
        self.name_prefix = ""  # of what an info module reads that is given no names
        self.params: dict[str, Any] = {}  # the module's
        self.options: dict[str, Any] = {}  # that an item has
        self.owner_tags: dict[str, str] = {}  # without which nothing that exists is touched
        self.purge_tags = True

    @classmethod
    def plural(cls) -> str:
        """What several are called."""
        return cls.nouns or f"{cls.noun}s"

    def problems(self, item: Settings) -> list[str]:
        """What is wrong with an item, whatever AWS has; found without calling AWS: `option: reason` each."""
        return []

    def conflicts(self, step: Step) -> list[str]:
        """What is wrong with a resource as it would be after a step: `option: reason` each."""
        return []

    def warnings(self, item: Settings) -> list[str]:
        """What is allowed and dangerous in an item: `option: reason` each."""
        return []

    def secrets(self, item: Settings) -> list[str]:
        """Texts in an item that must not be shown, beside the options that Ansible does not log."""
        return []

    def names(self) -> list[str]:
        """The keys of all resources of the kind in the account and region, for info modules."""
        raise NotImplementedError

    def touches(self, item: Settings) -> str:
        """What making or deleting the item changes, in a word: items of the same word are not read beforehand."""
        return str(item[self.key])

    def implied(self, item: Settings) -> Settings:
        """The item with what its settings say of others, where one takes the other's place."""
        return item

    def normalise(self, settings: Settings) -> Settings:
        """The canonical form: server defaults folded in, sets sorted. Applied to both sides of a comparison."""
        return settings

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        """The resources that exist among the items, by key, in as few calls as the API allows."""
        raise NotImplementedError

    @contextmanager
    def failing_alone(self, name: str) -> Iterator[None]:
        """Around calls that read one resource: why it cannot be read is noted, and the others are read all the same."""
        try:
            yield
        except (ClientError, BotoCoreError, Refused) as error:
            self.unreadable[name] = explain(error, f"{self.noun} {name}")

    def read_each(self, read_one: Callable[[Settings], Resource | None], items: list[Settings]) -> dict[str, Resource]:
        """For APIs that read one resource at a time. An item that cannot be read fails alone."""

        def read_noting(item: Settings) -> Resource | None:
            try:
                with self.failing_alone(item[self.key]):
                    return read_one(item)
                return None
            finally:
                self.progress.read()

        found = zip(items, self.aws.map(read_noting, items))
        return {item[self.key]: resource for item, resource in found if resource}

    def compared(self, steps: list[Step]) -> None:
        """Told of what has been read and compared, before anything is written."""

    def unusable(self, before: Resource) -> str | None:
        """Why a resource that exists cannot be brought to any settings, with the fix; None where it can."""
        return None

    def create(self, after: Settings) -> dict[str, Any]:
        """Creates the resource; returns its facts."""
        raise NotImplementedError

    def predict(self, after: Settings) -> dict[str, Any]:
        """The facts that a creation would give, for check mode; only those that can be known or must be stood for."""
        return {}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any] | None:
        """Makes the resource what `after` says; `changed` names the options that differ. Returns facts that changed."""
        raise NotImplementedError

    def check_delete(self, before: Resource, item: Settings) -> None:
        """Raises Refused where the resource must not be deleted. Reads only: check mode asks it too."""

    def delete(self, before: Resource, item: Settings) -> None:
        """Deletes the resource."""
        raise NotImplementedError

    def settle(self, steps: list[Step], params: dict[str, Any]) -> list[str]:
        """After the writes: waits for what AWS, or a person, does then. Returns what did not come to its end, in words.

        Not called in check mode. `params` are the module's.
        """
        return []

    def not_yet(self, error: BaseException) -> bool:
        """Whether the error only says that something the item refers to is too new to be used."""
        return False

    def public(self, settings: Settings) -> Settings:
        """The settings as they may be shown: secrets hidden."""
        return settings


@dataclass
class Step:
    """What happens to one item."""

    name: str
    action: str  # created | updated | deleted | unchanged
    before: Resource | None
    after: Settings | None
    item: Settings
    changed: set[str] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


def prune(value: Any, option: dict[str, Any]) -> Any:
    """Leaves out what Ansible filled in as None for sub-options that were not given."""
    nested = option.get("options")
    if not nested:
        return value
    if isinstance(value, dict):
        return {name: prune(element, nested.get(name, {})) for name, element in value.items() if element is not None}
    if isinstance(value, list):
        return [prune(element, option) for element in value]
    return value


def merge(current: Settings, wanted: Settings, options: dict[str, Any]) -> Settings:
    """What the settings become: unset means leave alone, set means exactly this.

    Typed dictionaries (those with sub-options) are merged; lists and maps keyed by users are replaced; an empty
    dictionary or list removes the setting.
    """
    result = dict(current)
    for name, option in options.items():  # not the names in wanted: those are the aliases of options, too
        value = prune(wanted.get(name), option)
        if value is None:
            continue
        if isinstance(value, dict) and value and option.get("options"):
            result[name] = merge(current.get(name) or {}, value, option["options"])
        else:
            result[name] = value
    return result


def reveal(wanted: Any, current: Any) -> Any:
    """A value that the module returned earlier, fed back: what is hidden in it is what the resource has now.

    Elements of lists are matched by their name, or key. Raises Refused where the resource has no such value.
    """
    if isinstance(wanted, dict):
        known = current if isinstance(current, dict) else {}
        return {name: reveal(value, known.get(name)) for name, value in wanted.items()}
    if isinstance(wanted, list):
        known = {_name(e): e for e in current or []}
        return [reveal(e, known.get(_name(e)) if _name(e) else None) for e in wanted]
    if wanted not in STANDS_FOR_SECRET:
        return wanted
    if current is None:
        raise Refused(f"{wanted} stands for a secret that AWS does not have here. Fix: give the secret itself")
    return current


def _name(element: Any) -> str:
    """What an element of a list is known by, '' where it has neither name nor key."""
    name = element.get("name", element.get("key")) if isinstance(element, dict) else None
    return name if isinstance(name, str) else ""


def chunks(items: list[Any], size: int) -> list[list[Any]]:
    """The items in lists of at most `size`, for APIs that take so many at a time."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def without_empty(value: Any) -> Any:
    """Leaves out None, '' and empty containers, which for most APIs mean the same as an absent member."""
    if isinstance(value, dict):
        cleaned = {}
        for name, element in value.items():
            if isinstance(element, (dict, list)):
                element = without_empty(element)
                if element:
                    cleaned[name] = element
            elif element is not None and element != "":
                cleaned[name] = element
        return cleaned
    if isinstance(value, list):
        return [without_empty(element) if isinstance(element, (dict, list)) else element for element in value]
    return value


def wanted_tags(current: dict[str, str], wanted: dict[str, Any], purge: bool) -> dict[str, str]:
    """The tags after the run. Tags are texts for AWS; YAML's numbers and booleans become such."""
    return {**({} if purge else current), **{name: as_text(value) for name, value in wanted.items()}}


def as_text(value: Any) -> str:
    """A value of a map of texts as AWS keeps it: YAML's true becomes 'true', a number its digits, a list JSON."""
    if isinstance(value, (dict, list)):
        # Spelled as others spell it, such as Terraform's jsonencode.
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def as_spelled(kind: Kind, current: Settings, after: Settings) -> Settings:
    """The settings as they become, where a value that is only spelled otherwise is spelled as it is now."""

    def same(option: str, value: Any) -> bool:
        return option in kind.equal and option in current and bool(kind.equal[option](current[option], value))

    return {option: current[option] if same(option, value) else value for option, value in after.items()}


def plan_item(kind: Kind, options: dict[str, Any], item: Settings, before: Resource | None, purge_tags: bool) -> Step:
    """Compares one item with what exists. Pure: no calls."""
    name = item[kind.key]
    current = kind.normalise(before.settings) if before else {}
    try:
        after = merge(current, reveal(item, current), options)
    except Refused as error:
        return Step(name, "unchanged", before, None, item, error=f"{kind.noun} {name}: {error}")
    if item.get("tags") is not None:
        after["tags"] = wanted_tags(current.get("tags", {}), item["tags"], purge_tags)
    after = kind.normalise(after)
    if before is None:
        return Step(name, "created", None, after, item)
    after = as_spelled(kind, current, after)
    changed = {option for option in {**current, **after} if after.get(option) != current.get(option)}
    before = Resource(current, before.facts)
    step = Step(name, "updated" if changed else "unchanged", before, after, item, changed, dict(before.facts))
    unusable = kind.unusable(before)
    if unusable:
        step.error = f"{kind.noun} {name}: {unusable}"
    for option in changed.intersection(kind.fixed):
        step.error = (
            f"{kind.noun} {name}: {option} is {current.get(option)!r} and AWS cannot change it to "
            f"{after.get(option)!r}. Fix: keep {current.get(option)!r}, or delete the {kind.noun} and create it again."
        )
    return step


def check_items(kind: Kind, plural: str, items: list[Settings], state: str) -> list[str]:
    """Everything that is wrong with the input, with the path of each; found before the first call."""
    found = []
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        path = f"{plural}[{index}]"
        name = item[kind.key]
        if name in seen:
            found.append(f"{path}.{kind.key}: {name!r} is also {plural}[{seen[name]}].{kind.key}; names must differ")
        seen.setdefault(name, index)
        for tag, value in (item.get("tags") or {}).items():
            if value is None:
                found.append(f"{path}.tags.{tag}: null is not allowed, it must be a text")
        if state == "present":
            found += [f"{path}.{problem}" for problem in kind.problems(item)]
    return found


def apply(kind: Kind, step: Step) -> None:
    """Carries one step out. An error is kept in the step, so that the others' results are not lost."""
    try:
        left, rounds = step, 1
        while True:
            try:
                act(kind, left)
                break
            except (ClientError, BotoCoreError) as error:
                if kind.aws.check_mode or rounds == ROUNDS or not unsure(left, error):
                    raise
                left, rounds = what_is_left(kind, left, error), rounds + 1
        step.facts = {**step.facts, **left.facts}
    except (ClientError, BotoCoreError, Refused) as error:
        step.error = explain(error, f"{kind.noun} {step.name}")
    except Exception as error:
        # Whatever it is, what became of the others is not lost.
        place = traceback.extract_tb(error.__traceback__)[-1]
        step.error = (
            misunderstood(error, f"{kind.noun} {step.name}", kind.aws.calls)
            if is_misfit(error)
            else f"{kind.noun} {step.name}: {type(error).__name__}: {error} (in {place.name}, line {place.lineno}). "
            "This is a bug in gitops.aws."
        )
    kind.progress.written()


def act(kind: Kind, step: Step) -> None:
    """Makes the calls of one step, in check mode none that writes. Raises what AWS says, and Refused."""
    before, after, check_mode = step.before, step.after, kind.aws.check_mode

    def busy(error: BaseException) -> bool:
        return bool(BUSY.search(error_code(error)))

    def not_yet(error: BaseException) -> bool:
        return busy(error) or kind.not_yet(error)

    if step.action == "created" and after is not None:
        missing = [option for option in kind.required if after.get(option) in (None, "", {}, [])]
        if missing:
            raise Refused(f"it does not exist yet, and to create it {', '.join(missing)} must be given")
        if check_mode:
            step.facts = kind.predict(after)
        else:
            step.facts = until_propagated(partial(kind.create, after), not_yet)
    elif step.action == "updated" and before is not None and after is not None and not check_mode:
        facts = until_propagated(partial(kind.update, before, after, step.changed), not_yet)
        step.facts.update(facts or {})
    elif step.action == "deleted" and before is not None:
        kind.check_delete(before, step.item)
        if not check_mode:
            until_propagated(partial(kind.delete, before, step.item), busy)


# Codes by which AWS says that somebody else changes the same thing just now, that what is to be made is there, and that
# what is to be deleted is not.
BUSY = re.compile("ConcurrentModification|OperationAborted|TemporarilyUnmodifiable")
THERE = re.compile("Already|InUse|NameExists|QueueExists|Conflict|Duplicate")
GONE = re.compile("NoSuch|NotFound|NotExist|NonExistent|Invalid.*Exist")


def unsure(step: Step, error: BaseException) -> bool:
    """Whether an error may tell of what this step has done itself, or somebody else at this moment.

    An answer can be lost on its way. botocore then makes the call again, and AWS says of the second that there is
    nothing left to do, in words as if it could not be done.
    """
    if not isinstance(error, ClientError):
        return True  # no answer came at all
    answer = getattr(error, "response", {})
    code = THERE if step.action == "created" else GONE
    return bool(answer.get("ResponseMetadata", {}).get("RetryAttempts") or code.search(error_code(error)))


def what_is_left(kind: Kind, step: Step, error: BaseException) -> Step:
    """Reads what there is now; what is left to do after an error. Raises the error where that is all of it."""
    state = "absent" if step.action == "deleted" else "present"
    # Where the item is not kept, for there may be thousands, what it becomes has the same settings.
    item = step.item or {**dict.fromkeys(kind.options), **(step.after or {})}
    says = THERE if step.action == "created" else GONE

    def look() -> Step:
        kind.unreadable.pop(step.name, None)
        (found,) = plan(kind, kind.options, [("", item)], state, kind.read([item]))
        if found.error:
            raise Refused(found.error.removeprefix(f"{kind.noun} {step.name}: "))
        if (found.action, found.before) != (step.action, step.before):
            return found
        if step.action != "updated" and says.search(error_code(error)):
            raise NotYet  # AWS knows better, and does not show it yet
        raise error  # nothing came of it

    try:
        return until_propagated(look, is_not_yet, SEEN_TIMEOUT)
    except NotYet:
        raise error from None


def difference(kind: Kind, step: Step) -> dict[str, Any]:
    """One entry of Ansible's diff, from the same comparison that decided what to write."""
    before = kind.public(step.before.settings) if step.before else {}
    after = kind.public(step.after) if step.after is not None else {}
    if step.action == "updated":
        hidden = {o for o in step.changed if before.get(o) == after.get(o)}
        before = {option: before.get(option) for option in sorted(step.changed)}
        after = {option: after.get(option) for option in sorted(step.changed)}
        for option in hidden:  # both sides are hidden: say that there is a difference, not what it is
            before[option], after[option] = f"{HIDDEN} before", f"{HIDDEN} after"
    title = f"{kind.noun} {step.name}"
    return {"before_header": title, "after_header": title, "before": before, "after": after}


def not_ours(kind: Kind, name: str, before: Resource | None, owner_tags: dict[str, str]) -> str | None:
    """Why a resource that exists must be left alone: it does not carry the tags of its owner. None where it may not."""
    tags = before.settings.get("tags") or {} if before else owner_tags
    missing = [f"{key}={value}" for key, value in sorted(owner_tags.items()) if tags.get(key) != value]
    if not missing or (before and before.unfinished):
        return None
    return (
        f"{kind.noun} {name}: it exists already and was made by something else, for it lacks the tag "
        f"{', '.join(missing)}. Nothing was done to it. Fix: choose another name, or name it as one to use and not to "
        "make, or give it that tag to hand it over."
    )


def owned(items: list[Settings], owner_tags: dict[str, str] | None) -> list[Settings]:
    """The items with the tags of their owner."""
    if not owner_tags:
        return items
    return [{**item, "tags": {**(item["tags"] or {}), **owner_tags}} for item in items]


def plan(
    kind: Kind,
    options: dict[str, Any],
    items: list[tuple[str, Settings]],
    state: str,
    found: dict[str, Resource],
) -> list[Step]:
    """Compares items with what was found of them. Pure: no calls.

    Args:
        items: with the tags of their owner, each with its path.
    """
    steps = []
    for path, item in items:
        name = item[kind.key]
        before = found.get(name)
        theirs = not_ours(kind, name, before, kind.owner_tags)
        if name in kind.unreadable:
            steps.append(Step(name, "unchanged", before, None, item, error=kind.unreadable[name]))
        elif theirs:
            steps.append(Step(name, "unchanged", before, None, item, error=theirs))
        elif state == "absent":
            steps.append(Step(name, "deleted" if before else "unchanged", before, None, item))
        else:
            step = plan_item(kind, options, kind.implied(item), before, kind.purge_tags)
            if step.action != "unchanged" and step.after is not None and not step.error:
                wrong = [f"{path}.{conflict}" for conflict in kind.conflicts(step)]
                step.error = f"{kind.noun} {name}: {'; '.join(wrong)}" if wrong else None
            steps.append(step)
    return steps


def carry_out(kind: Kind, steps: list[Step]) -> None:
    """Writes what differs, with bounded concurrency."""
    to_do = [step for step in steps if step.action != "unchanged" and not step.error]
    kind.progress.compared(len(to_do))
    kind.aws.map(lambda step: apply(kind, step), to_do)


def converge(
    kind: Kind,
    plural: str,
    options: dict[str, Any],
    items: list[Settings],
    state: str,
    purge_tags: bool,
    owner_tags: dict[str, str] | None = None,
) -> list[Step]:
    """Reads everything at once, then writes what differs."""
    kind.options, kind.owner_tags, kind.purge_tags = options, owner_tags or {}, purge_tags
    items = owned(items, owner_tags)
    kind.progress.begin(len(items))
    paths = [f"{plural}[{index}]" for index in range(len(items))]
    steps = plan(kind, options, list(zip(paths, items)), state, kind.read(items))
    kind.compared(steps)
    carry_out(kind, steps)
    return steps


def afterwards(kind: Kind, steps: list[Step]) -> list[Settings]:
    """The settings of every item that exists after the run, fit to be fed back.

    An item that failed is in it as it was before, if it was.
    """
    settings = [(step.before.settings if step.before else None) if step.error else step.after for step in steps]
    return [kind.public(each) for each in settings if each is not None]


def report(kind: Kind, steps: list[Step], diff: bool = True) -> dict[str, Any]:
    """The module's result, but for the settings.

    Shape: `resources` maps each key to its `action`, its facts and, where it failed, its `error`; `api_calls` counts
    the calls by operation.
    """
    changed = [step for step in steps if step.action != "unchanged" and not step.error]
    return {
        "changed": bool(changed),
        "resources": {
            step.name: {
                "action": "failed" if step.error else step.action,
                **step.facts,
                **({"error": step.error} if step.error else {}),
            }
            for step in steps
        },
        "api_calls": dict(sorted(kind.aws.calls.items())),
        "diff": [difference(kind, step) for step in changed] if diff else [],
    }


def common_options(plural: str, options: dict[str, Any]) -> dict[str, Any]:
    """The argument spec that every bulk module shares, around the options of one item."""
    spec: dict[str, Any] = {
        # no_log is said because Ansible takes some plurals, such as `kms_keys`, for secrets.
        plural: {"type": "list", "elements": "dict", "required": True, "options": options, "no_log": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "concurrency": CONCURRENCY,
    }
    if "tags" in options:
        spec["purge_tags"] = {"type": "bool", "default": True}
        spec["owner_tags"] = {"type": "dict"}
    return spec


def connect(module: Any) -> Aws:
    """The connection of a module that has the option concurrency."""
    concurrency = module.params["concurrency"]
    refuse(module, [] if 1 <= concurrency <= 100 else [f"concurrency: {concurrency} is not between 1 and 100"])
    return Aws(module, concurrency)


def run(
    kind_class: type[Kind],
    plural: str,
    options: dict[str, Any],
    more: dict[str, Any] | None = None,
    problems: Callable[[dict[str, Any]], list[str]] = lambda params: [],
) -> None:
    """The whole of a bulk module: arguments in, result out.

    Args:
        kind_class: the resource kind.
        plural: the option that is the list, and the result's key.
        options: of an item.
        more: options beside the common ones.
        problems: what is wrong with the parameters beside the items, found before any call.
    """
    module = aws_module({**common_options(plural, options), **(more or {})})
    items, state = module.params[plural], module.params["state"]
    aws = connect(module)
    with understood(module, lambda: f"Reading {kind_class.plural()}", aws.calls):
        try:
            kind = kind_class(aws)
            kind.params = module.params
            module._module.hide(secret for item in items for secret in kind.secrets(item))
            refuse(module, [*problems(module.params), *check_items(kind, plural, items, state)])
            for index, item in enumerate(items):
                for warning in kind.warnings(item):
                    module.warn(f"{plural}[{index}].{warning}")
            # A kind without tags has neither option.
            purge_tags, owner_tags = module.params.get("purge_tags", True), module.params.get("owner_tags")
            steps = converge(kind, plural, options, items, state, purge_tags, owner_tags)
        except (ClientError, BotoCoreError, Refused) as error:
            module.fail_json(msg=explain(error, f"Reading {kind_class.plural()}"), api_calls=dict(aws.calls))
        finish(module, kind, plural, steps)


def conclude(kind: Kind, steps: list[Step], params: dict[str, Any], diff: bool = True) -> tuple[dict[str, Any], str]:
    """What came of the steps, after what is waited for: the result, and why it is a failure, '' where it is none."""
    late: list[str] = []
    if not kind.aws.check_mode:
        try:
            late = kind.settle([step for step in steps if not step.error], params)
        except (ClientError, BotoCoreError, Refused) as error:
            late = [explain(error, f"Waiting for {kind.plural()}")]
        except Exception as error:
            if not is_misfit(error):
                raise
            late = [misunderstood(error, f"Waiting for {kind.plural()}", kind.aws.calls)]
    result = report(kind, steps, diff)
    errors = [step.error for step in steps if step.error]
    if not errors:
        return result, " | ".join(late[:ERRORS_SHOWN])
    shown = " | ".join(errors[:ERRORS_SHOWN])
    more = f" | and {len(errors) - ERRORS_SHOWN} more: see resources" if len(errors) > ERRORS_SHOWN else ""
    return result, f"{len(errors)} of {len(steps)} {kind.noun}s failed. {shown}{more}"


def finish(module: Any, kind: Kind, plural: str, steps: list[Step]) -> None:
    """Ends a bulk module with its result; with a failure, where a step failed or what was waited for did not come."""
    result, failure = conclude(kind, steps, module.params)
    result[plural] = afterwards(kind, steps)
    if failure:
        module.fail_json(msg=failure, **result)
    module.exit_json(**result)


def run_info(
    kind_class: type[Kind],
    plural: str,
    options: dict[str, Any],
    more: dict[str, Any] | None = None,
    look_closer: Callable[[Any, dict[str, Resource], dict[str, Any]], None] | None = None,
    problems: Callable[[dict[str, Any]], list[str]] = lambda params: [],
) -> None:
    """The whole of an info module: names in (or none, for all), what the bulk module would take out.

    Args:
        kind_class: the resource kind; it must have `names`.
        plural: the result's key, the same as the bulk module's option.
        options: the bulk module's options of an item.
        more: further options of the info module.
        look_closer: called with the kind, the resources by key and the parameters, to add to their details.
        problems: what is wrong with the parameters, found before any call.
    """
    module = aws_module({"names": {"type": "list", "elements": "str"}, "concurrency": CONCURRENCY, **(more or {})})
    aws = connect(module)
    refuse(module, problems(module.params))
    with understood(module, lambda: f"Reading {kind_class.plural()}", aws.calls):
        try:
            kind = kind_class(aws)
            kind.only_shown = True
            kind.name_prefix = module.params.get("name_prefix") or ""
            asked = module.params["names"]
            names = list(dict.fromkeys(kind.names() if asked is None else asked))
            # Tags are read where an item names them.
            found = (
                kind.read([{**dict.fromkeys(options), "tags": {}, kind.key: name} for name in names]) if names else {}
            )
            if look_closer:
                look_closer(kind, found, module.params)
        except (ClientError, BotoCoreError, Refused) as error:
            module.fail_json(msg=explain(error, f"Reading {kind_class.plural()}"), api_calls=dict(aws.calls))
        known = [name for name in names if name in found and name not in kind.unreadable]
        result = {
            "changed": False,
            plural: [kind.public(kind.normalise(found[name].settings)) for name in known],
            "resources": {name: {**found[name].facts, **found[name].details} for name in known},
            "missing": [name for name in names if name not in found and name not in kind.unreadable],
            "unreadable": kind.unreadable,
            "api_calls": dict(sorted(aws.calls.items())),
        }
        if kind.unreadable and asked is not None:
            module.fail_json(msg=" | ".join(list(kind.unreadable.values())[:ERRORS_SHOWN]), **result)
        for why in kind.unreadable.values():
            module.warn(why)
        module.exit_json(**result)
