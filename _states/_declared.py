"""
What declarations have in common: read, compare, say, change, read back. No state itself: Salt's loader skips names that begin
with ``_``.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from salt.exceptions import CommandExecutionError, SaltInvocationError
from salt.utils import yaml
from salt.utils.data import traverse_dict_and_list

HIDDEN = "***"
SECRET = re.compile("pass|secret|token|credential|key", re.IGNORECASE)
# What a command line or a URL in it may tell.
TOLD = re.compile(
    r"""(?P<before>//)[^\s/@]+@|(?P<name>(?:pass\w*|secret\w*|token|\w*key)\b["']?[=: ]\s*)(?:"[^"]*"|'[^']*'|\S+)""",
    re.IGNORECASE,
)


# YAML makes of 0644, 1_000 and 22:22 other numbers than one reads there.
PLAIN_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]\d+)?")


class Plan(NamedTuple):
    """
    What a declaration comes to.

    changes
        ``{path: {"old": ..., "new": ...}}`` of what differs and of nothing else, as it is before the change and as it is to be
        after it; empty: all is as declared. Secrets in it are hidden before they are shown.

    kept
        What is said where nothing differs: a sentence without a full stop, such as ``/web is as declared``.

    would
        What is said with ``test=True``: ``/web would be updated``.

    act
        Makes the change, reads back, and returns what is said: ``/web was updated``. Not called where nothing differs, nor
        with ``test=True``. Raises CommandExecutionError where it did not succeed; ``Broken`` if something was changed
        nevertheless.
    """

    changes: Mapping
    kept: str
    would: str
    act: "Callable[[], str]"


class Broken(CommandExecutionError):
    """Something was changed, and yet it is not as declared. ``changes``: what was, None: all that was planned."""

    def __init__(self, text, changes=None):
        super().__init__(text)
        self.changes = changes


def keep(name, test, plan, show_secrets=False):
    """
    Keep a promise, and return what a state returns.

    name
        Of the state.

    test
        Change nothing, and report the very changes that would be made, with None as the result.

    plan
        Called without arguments; reads, compares and returns a ``Plan``. It writes nothing. What it raises as
        CommandExecutionError or SaltInvocationError is the comment of a state that failed without changes.

    show_secrets
        Whether secrets in the changes are shown. Default False.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    show = (lambda changes: changes) if show_secrets else hidden
    try:
        planned = plan()
        if not planned.changes:
            ret.update(result=True, comment=planned.kept)
        elif test:
            ret.update(result=None, changes=show(planned.changes), comment=planned.would)
        else:
            said = planned.act()
            ret.update(result=True, changes=show(planned.changes), comment=said)
    except Broken as error:
        ret.update(
            changes=show(planned.changes if error.changes is None else error.changes),
            comment=str(error),
        )
    except (CommandExecutionError, SaltInvocationError) as error:
        ret["comment"] = str(error)
    return ret


def earlier(low, lowstate, running):
    """
    Say what the states before this one would change on the same server, in their order: in a test run they have told that, and
    not done it.

    low, lowstate, running
        ``__low__``, ``__lowstate__`` and ``__running__`` of the state.

    Returns a list of the low chunk and the changes of each.
    """
    found = []
    for each in lowstate:
        told = running.get(
            f"{each['state']}_|-{each['__id__']}_|-{each['name']}_|-{each['fun']}", {}
        )
        same = all(each.get(key) == low.get(key) for key in ("state", "url", "profile"))
        if same and told.get("result", True) is None:
            found.append((told["__run_num__"], each, told["changes"]))
    return [(each, changes) for _, each, changes in sorted(found, key=lambda one: one[0])]


def hidden(value, name=""):
    """
    Return a copy with ``***`` for what is nobody's business: values whose name, the last part of a path included, sounds like a
    secret, also in lists of ``name`` (or ``key``) and ``value``, users in URLs, and passwords on a command line.
    """
    if isinstance(value, Mapping):
        if set(value) == {"old", "new"}:
            return {each: hidden(value[each], name) for each in value}
        told = value.get("name", value.get("key", "")) if "value" in value else ""
        return {
            each: hidden(
                found,
                str(told)
                if each == "value" and told
                else ""
                if told and each == "key"
                else str(each),
            )
            for each, found in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [hidden(each, name) for each in value]
    if value is not None and not isinstance(value, bool) and SECRET.search(name.rpartition("/")[2]):
        return HIDDEN
    if isinstance(value, str):
        return TOLD.sub(
            lambda found: f"{found['before']}{HIDDEN}@"
            if found["before"]
            else f"{found['name']}{HIDDEN}",
            value,
        )
    return value


def definition(config, what, salt, low, pillar):
    """
    Return the mapping that a declaration is.

    config
        The mapping itself, or the file that holds it: ``salt://apps/web.json``, ``.yaml`` or ``.yml``, from the file server as
        it is, without Jinja. As elsewhere ``?saltenv=dev`` may follow. Or where in pillar it stands, ``pillar:marathon:apps:/web``,
        which keeps it out of the arguments of the state, and with them out of the log.

    what
        The argument in which it stands, such as ``config``.

    salt, low, pillar
        ``__salt__``, ``__low__`` and ``__pillar__`` of the state; the second says in which environment the file is looked for.

    Raises SaltInvocationError, in one line, for what is neither; for a file that is not there, is no JSON or YAML, or has a key
    twice; and for what YAML would change in silence: ``0644``, ``1_000``, ``22:22``. Dates are the text that one reads there.
    """
    if isinstance(config, Mapping):
        return config
    if isinstance(config, str) and config.startswith("pillar:"):
        # Not pillar.get, which from Salt 3008 on answers anyone but a template with asterisks.
        return _mapping(
            traverse_dict_and_list(pillar, config[len("pillar:") :], None), f"{what}: {config}"
        )
    kind = (
        re.fullmatch(r"salt://.+\.(json|yaml|yml)(?:\?saltenv=(.+))?", config)
        if isinstance(config, str)
        else None
    )
    if not kind:
        shown = (
            repr(hidden(config))[:200]
            if isinstance(config, (str, int, float, type(None)))
            else f"a {type(config).__name__}"
        )
        raise SaltInvocationError(
            f"{what}: {shown} should be a mapping, or a file such as salt://apps/web.yaml or .json"
        )
    saltenv = kind[2] or low.get("saltenv") or low.get("__env__") or "base"
    path = salt["cp.cache_file"](config, saltenv=saltenv)
    if not path:
        raise SaltInvocationError(
            f"{what}: {config} is not on Salt's file server, in the environment {saltenv}"
        )
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        found = _json(text) if kind[1] == "json" else _yaml(text)
        json.dumps(found, allow_nan=False)
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise SaltInvocationError(f"{what}: {config}: {error}") from None
    return _mapping(found, f"{what}: {config}")


def _mapping(found, where):
    if not isinstance(found, Mapping):
        raise SaltInvocationError(
            f"{where}: {'nothing' if found is None else f'a {type(found).__name__}'} should be a mapping"
        )
    return found


def _json(text):
    def once(pairs):
        found = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"the same key twice: {key!r}")
            found[key] = value
        return found

    return json.loads(text, object_pairs_hook=once)


class _Loader(yaml.SaltYamlSafeLoader):
    """Salt's own, but for numbers that are not what they look like."""

    def construct_scalar(self, node):
        if node.tag in (
            "tag:yaml.org,2002:int",
            "tag:yaml.org,2002:float",
        ) and not PLAIN_NUMBER.fullmatch(node.value):
            line = node.start_mark.line + 1
            raise ValueError(
                f"line {line}: YAML takes {node.value} for another number; put it in quotes, or write that number"
            )
        return super().construct_scalar(node)


def _yaml(text):
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = (
            ", ".join(
                filter(None, (getattr(error, "context", None), getattr(error, "problem", None)))
            )
            or str(error).partition("\n")[0]
        )
        said = said.replace("found conflicting ID", "the same key twice:")
        hint = (
            "; a text that begins with * or & needs quotes"
            if "alias" in said or "anchor" in said
            else ""
        )
        raise ValueError(
            f"line {mark.line + 1}: {said}{hint}" if mark else f"{said}{hint}"
        ) from None
