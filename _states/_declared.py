"""
Read, compare, report, change, read back: what all states that compare a definition with a server
have in common. A helper, not a state itself: Salt's loader skips names that begin with ``_``.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from salt.exceptions import CommandExecutionError, SaltInvocationError
from salt.utils import yaml
from salt.utils.data import traverse_dict_and_list

REDACTED = "***"
MAX_VALUE_LENGTH = 200
SECRET_NAME = re.compile("pass|secret|token|credential|key", re.IGNORECASE)
# Secrets in a text such as a command line: users in URLs, and values behind --password and the
# like.
SECRET_IN_TEXT = re.compile(
    r"""(?P<slashes>//)[^\s/@]+@"""
    r"""|(?P<name>(?:pass\w*|secret\w*|token|\w*key)\b["']?[=: ]\s*)(?:"[^"]*"|'[^']*'|\S+)""",
    re.IGNORECASE,
)
DEFINITION_URL = re.compile(r"salt://.+\.(json|yaml|yml)(?:\?saltenv=(.+))?")
# YAML 1.1 reads 0644, 1_000 and 22:22 as numbers that a person does not expect.
PLAIN_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]\d+)?")
YAML_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


# --- plans ---


class Plan(NamedTuple):
    """
    What a state has to do.

    changes
        ``{path: {"old": ..., "new": ...}}`` of the differences, and nothing else; empty if there
        are none. Secrets are redacted before the changes are reported.

    unchanged_comment
        The comment if there are no changes, such as ``/web is as declared``.

    test_comment
        The comment with ``test=True``, such as ``/web would be updated``.

    apply
        Makes the changes, reads them back, and returns the comment, such as ``/web was updated``.
        Not called without changes, nor with ``test=True``. Raises CommandExecutionError if it
        fails; IncompleteChange if something was changed nevertheless.
    """

    changes: Mapping
    unchanged_comment: str
    test_comment: str
    apply: "Callable[[], str]"


class IncompleteChange(CommandExecutionError):
    """
    Something was changed, but the result is not as declared.

    ``changes`` are those that were made, None for all that were planned.
    """

    def __init__(self, text, changes=None):
        super().__init__(text)
        self.changes = changes


def run_plan(name, test, make_plan, show_secrets=False):
    """
    Make a plan, apply it unless this is a test run, and return the result of the state.

    name
        Name of the state.

    test
        True: change nothing, report the same changes, and return None as the result.

    make_plan
        Called without arguments; reads, compares and returns a Plan. It changes nothing. The
        message of its CommandExecutionError or SaltInvocationError becomes the comment of the
        failed state.

    show_secrets
        Whether the reported changes show secrets. Default False.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}

    def reported(changes):
        return changes if show_secrets else redact_secrets(changes)

    try:
        plan = make_plan()
        if not plan.changes:
            ret.update(result=True, comment=plan.unchanged_comment)
        elif test:
            ret.update(result=None, changes=reported(plan.changes), comment=plan.test_comment)
        else:
            comment = plan.apply()
            ret.update(result=True, changes=reported(plan.changes), comment=comment)
    except IncompleteChange as error:
        changes = plan.changes if error.changes is None else error.changes
        ret.update(changes=reported(changes), comment=str(error))
    except (CommandExecutionError, SaltInvocationError) as error:
        ret["comment"] = str(error)
    return ret


def pending_changes(low, lowstate, running):
    """
    Return the changes that earlier states of a test run would have made on the same server.

    low, lowstate, running
        ``__low__``, ``__lowstate__`` and ``__running__`` of the state.

    Returns a list of the low chunk of each such state and its changes, in the order of the run.
    """
    return [
        (chunk, changes)
        for chunk, changes in _all_pending_changes(lowstate, running)
        if _same_server(chunk, low)
    ]


def watched_names(low, lowstate, running):
    """
    Return the names of the watched states that would change something in a test run.

    low, lowstate, running
        See ``pending_changes``.
    """
    requisites = [entry for entry in low.get("watch", ()) if isinstance(entry, Mapping)]
    watched = {item for requisite in requisites for item in requisite.items()}
    return {
        chunk["name"]
        for chunk, _ in _all_pending_changes(lowstate, running)
        if watched & {(chunk["state"], chunk["__id__"]), (chunk["state"], chunk["name"])}
    }


def _all_pending_changes(lowstate, running):
    pending = []
    for chunk in lowstate:
        tag = f"{chunk['state']}_|-{chunk['__id__']}_|-{chunk['name']}_|-{chunk['fun']}"
        result = running.get(tag, {})
        if result.get("result", True) is None:
            pending.append((result["__run_num__"], chunk, result["changes"]))
    pending.sort(key=lambda entry: entry[0])
    return [(chunk, changes) for _, chunk, changes in pending]


def _same_server(chunk, low):
    return all(chunk.get(key) == low.get(key) for key in ("state", "url", "profile"))


# --- secrets ---


def redact_secrets(value, name=""):
    """
    Return a copy of a value with ``***`` for its secrets.

    Secrets are values with a name that suggests one (in a path, its last part), also in lists of
    ``name`` (or ``key``) and ``value``; users in URLs; and passwords on a command line.
    """
    if isinstance(value, Mapping):
        return _redact_mapping(value, name)
    if isinstance(value, (list, tuple)):
        return [redact_secrets(item, name) for item in value]
    has_secret_name = SECRET_NAME.search(name.rpartition("/")[2])
    if has_secret_name and value is not None and not isinstance(value, bool):
        return REDACTED
    if isinstance(value, str):
        return SECRET_IN_TEXT.sub(_redact_match, value)
    return value


def _redact_mapping(mapping, name):
    if set(mapping) == {"old", "new"}:
        return {key: redact_secrets(content, name) for key, content in mapping.items()}
    # An entry of a list such as {"name": "TOKEN", "value": "..."}: the value has that name.
    entry_name = mapping.get("name", mapping.get("key", "")) if "value" in mapping else ""
    redacted = {}
    for key, content in mapping.items():
        content_name = str(key)
        if entry_name and key == "value":
            content_name = str(entry_name)
        elif entry_name and key == "key":
            content_name = ""
        redacted[key] = redact_secrets(content, content_name)
    return redacted


def _redact_match(match):
    if match["slashes"]:
        return f"{match['slashes']}{REDACTED}@"
    return f"{match['name']}{REDACTED}"


# --- definitions ---


def load_definition(config, argument, salt, low, pillar):
    """
    Return a definition as a mapping.

    config
        The mapping itself; or a file such as ``salt://apps/web.json``, ``.yaml`` or ``.yml`` on the
        file server, which is not rendered, and may have ``?saltenv=dev`` appended; or a pillar key
        such as ``pillar:marathon:apps:/web``, which keeps the definition out of the arguments of
        the state and therefore out of the log.

    argument
        The name of the state's argument, such as ``config``.

    salt, low, pillar
        ``__salt__``, ``__low__`` and ``__pillar__`` of the state. ``low`` has the environment in
        which to look for the file.

    Raises SaltInvocationError, in one line, for anything else; for a file that is missing, is not
    valid JSON or YAML, or repeats a key; and for a number such as ``0644``, ``1_000`` and
    ``22:22``, which YAML would silently change. Dates stay text.
    """
    if isinstance(config, Mapping):
        return config
    if isinstance(config, str) and config.startswith("pillar:"):
        # Since Salt 3008 pillar.get returns asterisks outside of templates.
        content = traverse_dict_and_list(pillar, config[len("pillar:") :], None)
        return _check_mapping(content, f"{argument}: {config}")
    match = DEFINITION_URL.fullmatch(config) if isinstance(config, str) else None
    if not match:
        raise SaltInvocationError(
            f"{argument}: {_describe(config)} should be a mapping, or a file such as "
            "salt://apps/web.yaml or .json"
        )
    saltenv = match[2] or low.get("saltenv") or low.get("__env__") or "base"
    path = salt["cp.cache_file"](config, saltenv=saltenv)
    if not path:
        raise SaltInvocationError(
            f"{argument}: {config} is not on Salt's file server in environment {saltenv}"
        )
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        content = _parse_json(text) if match[1] == "json" else _parse_yaml(text)
        json.dumps(content, allow_nan=False)
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise SaltInvocationError(f"{argument}: {config}: {error}") from None
    return _check_mapping(content, f"{argument}: {config}")


def _describe(value):
    if isinstance(value, (str, int, float, type(None))):
        return repr(redact_secrets(value))[:MAX_VALUE_LENGTH]
    return f"a {type(value).__name__}"


def _check_mapping(content, source):
    if isinstance(content, Mapping):
        return content
    if content is None:
        raise SaltInvocationError(f"{source}: empty or missing; should be a mapping")
    raise SaltInvocationError(f"{source}: a {type(content).__name__} should be a mapping")


def _parse_json(text):
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs):
    mapping = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"duplicate key {key!r}")
        mapping[key] = value
    return mapping


class _Loader(yaml.SaltYamlSafeLoader):
    """Salt's loader, with an error for numbers that YAML 1.1 reads in an unexpected way."""

    def construct_scalar(self, node):
        if node.tag in YAML_NUMBER_TAGS and not PLAIN_NUMBER.fullmatch(node.value):
            raise ValueError(
                f"line {node.start_mark.line + 1}: YAML reads {node.value} as a "
                "different number; quote it, or write the number in decimal"
            )
        return super().construct_scalar(node)


def _parse_yaml(text):
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(_describe_yaml_error(error)) from None


def _describe_yaml_error(error):
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    problem = ", ".join(part for part in parts if part) or str(error).partition("\n")[0]
    problem = problem.replace("found conflicting ID", "duplicate key")
    if "alias" in problem or "anchor" in problem:
        problem += "; text that begins with * or & needs quotes"
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: {problem}" if mark else problem
