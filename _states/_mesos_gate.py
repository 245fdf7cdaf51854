"""
What the gates of mesos, marathon, chronos and zk have in common. No state itself: Salt's loader skips names that begin
with ``_``.
"""

import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

INTERVAL = 1
REQUEST_TIMEOUT = 5


def wait(name, what, question, timeout, test):
    """
    Ask once a second until the answer is good or the time is over. Changes nothing.

    name
        Of the state.

    what
        What is waited for, as it stands in "Waited 120 seconds for ...".

    question
        Called with the seconds that a request may take; returns whether all is well and what to say of it. Where it
        raises CommandExecutionError the time has not come yet; SaltInvocationError ends it at once.

    timeout
        Seconds. 0: ask once.

    test
        Ask once, and return None as the result where one would have to wait.

    Returns what a state returns.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    if (
        isinstance(timeout, bool)
        or not isinstance(timeout, (int, float))
        or not 0 <= timeout <= 86400
    ):
        ret["comment"] = f"timeout: {timeout!r} is no number of seconds between 0 and 86400"
        return ret
    once = test or timeout == 0
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            # The last question of all gets a second, too, or nobody could answer it.
            is_so, said = question(REQUEST_TIMEOUT if once else max(1, min(REQUEST_TIMEOUT, left)))
        except SaltInvocationError as error:
            ret["comment"] = str(error)
            return ret
        except CommandExecutionError as error:
            is_so, said = False, str(error)
        if is_so:
            ret.update(result=True, comment=said)
            return ret
        left = deadline - time.monotonic()
        if test:
            ret.update(result=None, comment=f"Would wait for {what}:\n{_indented(said)}")
            return ret
        if left <= 0:
            ret["comment"] = f"Waited {timeout:g} seconds for {what}:\n{_indented(said)}"
            return ret
        time.sleep(min(INTERVAL, left))


def _indented(text):
    return "\n".join(f"  {line}" for line in text.splitlines())
