"""The helper _declared as states, to test it."""

from pathlib import Path

import _declared
from salt.exceptions import CommandExecutionError, SaltInvocationError


def planned(
    name,
    changes,
    read_error=None,
    argument_error=None,
    failure=None,
    incomplete=None,
    done=None,
    show_secrets=False,
):
    """
    Plan changes. Applying the plan appends a line to the file ``name``.

    Making the plan raises ``argument_error`` or ``read_error``. Applying it raises ``failure`` or
    ``incomplete``, the latter with ``done`` as the changes that were made.
    """

    def make_plan():
        if argument_error:
            raise SaltInvocationError(argument_error)
        if read_error:
            raise CommandExecutionError(read_error)
        return _declared.Plan(changes, "It is as declared", "It would be changed", apply)

    def apply():
        with Path(name).open("a") as log:
            log.write("applied\n")
        if failure:
            raise CommandExecutionError(failure)
        if incomplete:
            raise _declared.IncompleteChange(incomplete, done)
        return "It was changed"

    return _declared.run_plan(name, __opts__["test"], make_plan, show_secrets)


def loaded(name, config):
    """Return a definition as the changes, or the error as the comment."""
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    try:
        definition = _declared.load_definition(config, "config", __salt__, __low__, __pillar__)
    except SaltInvocationError as error:
        ret["comment"] = str(error)
    else:
        ret.update(result=True, changes=dict(definition))
    return ret
