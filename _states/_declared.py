"""
What declarations have in common: read, compare, say, change, read back. No state itself: Salt's loader skips names that begin
with ``_``.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from salt.exceptions import CommandExecutionError, SaltInvocationError

HIDDEN = "***"
SECRET = re.compile("pass|secret|token|credential|key", re.IGNORECASE)
# What a command line or a URL in it may tell.
TOLD = re.compile(
    r"""(?P<before>//)[^\s/@]+@|(?P<name>(?:pass\w*|secret\w*|token|\w*key)\b["']?[=: ]\s*)(?:"[^"]*"|'[^']*'|\S+)""", re.IGNORECASE)


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
    act: Callable[[], str]


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
        ret.update(changes=show(planned.changes if error.changes is None else error.changes), comment=str(error))
    except (CommandExecutionError, SaltInvocationError) as error:
        ret["comment"] = str(error)
    return ret


def hidden(value, name=""):
    """
    Return a copy with ``***`` for what is nobody's business: values whose name, the last part of a path included, sounds like a
    secret, also in lists of ``name`` (or ``key``) and ``value``, users in URLs, and passwords on a command line.
    """
    if isinstance(value, Mapping):
        if set(value) == {"old", "new"}:
            return {each: hidden(value[each], name) for each in value}
        told = value.get("name", value.get("key", "")) if "value" in value else ""
        return {each: hidden(found, str(told) if each == "value" and told else "" if told and each == "key" else str(each))
                for each, found in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(each, name) for each in value]
    if value is not None and not isinstance(value, bool) and SECRET.search(name.rpartition("/")[2]):
        return HIDDEN
    if isinstance(value, str):
        return TOLD.sub(lambda found: f"{found['before']}{HIDDEN}@" if found["before"] else f"{found['name']}{HIDDEN}", value)
    return value
