"""What declarations have in common, as states: for the tests of it."""

from pathlib import Path

import _declared
from salt.exceptions import CommandExecutionError, SaltInvocationError


def kept(
    name,
    changes,
    unreadable=None,
    wrong=None,
    fails=None,
    breaks=None,
    done=None,
    show_secrets=False,
):
    """
    Plan these changes, and write a line into the file ``name`` where they are made. The plan raises
    what is ``unreadable`` or ``wrong``; making the changes raises what ``fails`` or ``breaks``, the
    latter with ``done`` as what was changed.
    """

    def plan():
        if wrong:
            raise SaltInvocationError(wrong)
        if unreadable:
            raise CommandExecutionError(unreadable)
        return _declared.Plan(changes, "It is as declared", "It would be changed", act)

    def act():
        with Path(name).open("a") as made:
            made.write("made\n")
        if fails:
            raise CommandExecutionError(fails)
        if breaks:
            raise _declared.IncompleteChange(breaks, done)
        return "It was changed"

    return _declared.run_plan(name, __opts__["test"], plan, show_secrets)


def defined(name, config):
    """Show as changes what a declaration is, and as the comment what is wrong with it."""
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    try:
        ret.update(
            result=True,
            changes=dict(
                _declared.load_definition(config, "config", __salt__, __low__, __pillar__)
            ),
        )
    except SaltInvocationError as error:
        ret["comment"] = str(error)
    return ret
