"""
Readiness check that the states of mesos, marathon, chronos and zk share. A helper, not a state
itself: Salt's loader skips names that begin with ``_``.
"""

import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

# All in seconds.
CHECK_INTERVAL = 1
REQUEST_TIMEOUT = 5
MIN_REQUEST_TIMEOUT = 1
MAX_TIMEOUT = 86400
# An election of Marathon or Chronos takes less than this.
ELECTION_TIMEOUT = 30

ACCESS_DENIED_STATUSES = (401, 403)


def wait_until_ready(name, subject, check, timeout, test):
    """
    Call a check once a second until it succeeds or the timeout expires. Changes nothing.

    name
        Name of the state.

    subject
        What to wait for, as in "Waited 120 seconds for a leader of Marathon".

    check
        Called with the timeout of a request in seconds; returns whether the service is ready, and a
        comment. CommandExecutionError means that it is not ready yet. SaltInvocationError ends the
        wait at once.

    timeout
        Seconds to wait, 0 to check once.

    test
        Check once, and return None as the result if the state would have to wait.

    Returns the result of the state.
    """
    ret = {"name": name, "result": False, "changes": {}, "comment": ""}
    if not _is_timeout(timeout):
        ret["comment"] = (
            f"timeout: {timeout!r} is not a number of seconds between 0 and {MAX_TIMEOUT}"
        )
        return ret
    once = test or timeout == 0
    deadline = time.monotonic() + timeout
    while True:
        request_timeout = REQUEST_TIMEOUT if once else _request_timeout(deadline)
        try:
            is_ready, comment = check(request_timeout)
        except SaltInvocationError as error:
            ret["comment"] = str(error)
            return ret
        except CommandExecutionError as error:
            is_ready, comment = False, str(error)
        if is_ready:
            ret.update(result=True, comment=comment)
            return ret
        if test:
            ret.update(result=None, comment=f"Would wait for {subject}:\n{_indent(comment)}")
            return ret
        seconds_left = deadline - time.monotonic()
        if seconds_left <= 0:
            seconds = plural(timeout, "second")
            ret["comment"] = f"Waited {seconds} for {subject}:\n{_indent(comment)}"
            return ret
        time.sleep(min(CHECK_INTERVAL, seconds_left))


def wait_for_another_server(name, service, leader, member, url, record, timeout, test):
    """
    Wait until Marathon or Chronos can do without one of its servers. Changes nothing.

    name, timeout, test
        See ``wait_until_ready``.

    service
        ``Marathon`` or ``Chronos``, for messages.

    leader
        The function ``leader`` of the execution module.

    member, url, record
        See ``marathon.available_without_member``.

    Returns the result of the state.
    """
    urls = url.split(",") if isinstance(url, str) else list(url)
    peers = [peer for peer in urls if peer != member]
    last_led = time.monotonic()

    def check(request_timeout):
        nonlocal last_led
        if not peers or _is_recorded_alone(record, member):
            return True, f"{member} is the only {service}"
        errors = []
        for peer in peers:
            error = _leader_error(leader, peer, request_timeout)
            if error is None:
                return True, f"{peer} responds and knows a leader"
            errors.append(error)
        if _leader_error(leader, member, request_timeout) is None:
            last_led = time.monotonic()
        elif time.monotonic() - last_led >= min(timeout, ELECTION_TIMEOUT):
            return True, f"{service} has no leader that a restart could end"
        return False, "\n".join(errors)

    subject = f"another {service} besides {member}"
    return wait_until_ready(name, subject, check, timeout, test)


def _is_recorded_alone(record, member):
    """Return whether the record of the servers that were set up has no other than ``member``."""
    try:
        with open(record, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, TypeError):
        return False
    return not {line for line in lines if not line.startswith("#")} - {member}


def _leader_error(leader, url, request_timeout):
    """Return why a server does not lead and knows no leader either, None if it does."""
    try:
        leader(url=url, timeout=request_timeout, retries=0)
    except CommandExecutionError as error:
        # While credentials are replaced, a server may still have the old ones.
        info = error.info if isinstance(error.info, dict) else {}
        return None if info.get("status") in ACCESS_DENIED_STATUSES else str(error)
    return None


def plural(number, noun):
    """Return a number with its noun: 1 agent, 2 agents."""
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"


def _is_timeout(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 <= value <= MAX_TIMEOUT


def _request_timeout(deadline):
    """Return the timeout of the next request, long enough that the last one can succeed as well."""
    return max(MIN_REQUEST_TIMEOUT, min(REQUEST_TIMEOUT, deadline - time.monotonic()))


def _indent(text):
    return "\n".join(f"  {line}" for line in text.splitlines())
