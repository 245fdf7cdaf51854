"""
What Chronos says. Loaded as ``chronos``. For Chronos 2.4 to 3.0.

Every function takes ``url``, where the servers are: a URL, several with commas, or a list of them. If it is not given
the setting ``chronos:url`` counts (minion configuration or pillar), else ``http://127.0.0.1:4400``. Any server will do,
as those that do not lead pass every request on to the leader.
"""

import importlib
import importlib.util

import _mesos_http
import salt.utils.platform
from salt.exceptions import CommandExecutionError

# A minion that has had this module before still has the older helper in memory.
importlib.reload(_mesos_http)

DEFAULT_URL = "http://127.0.0.1:4400"

__virtualname__ = "chronos"


def __virtual__():
    """Leave the name to Salt's own module where that one works: on a proxy minion for Chronos, up to Salt 3007."""
    proxied = (__opts__.get("proxy") or {}).get("proxytype")
    if salt.utils.platform.is_proxy() and proxied == "chronos" and importlib.util.find_spec("salt.proxy.chronos"):
        return False, "This is a proxy minion for Chronos: the module of Salt itself keeps the name"
    return __virtualname__


def _urls(url):
    return _mesos_http.candidates(url, __salt__["config.get"]("chronos:url", default=None, omit_grains=True), DEFAULT_URL)


def leader(url=None, timeout=5):
    """
    Say which Chronos leads. That it is known means that it answers, too: the others ask it.

    url
        Where the servers are, see above.

    timeout
        Seconds for each request.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known. Chronos up to 2.4 does not tell who
    leads, only that somebody does: then all three are None. Raises CommandExecutionError with what each server said if
    none of them knows a leader.

    CLI Example:

    .. code-block:: bash

        salt-call chronos.leader
        salt-call chronos.leader url=http://10.0.0.1:4400,http://10.0.0.2:4400
    """
    urls, timeout = _urls(url), _mesos_http.seconds(timeout)
    return _mesos_http.first(urls, lambda each: _leader(each, timeout))


def _leader(url, timeout):
    # The API moved with 3.0. Neither knows the path of the other, and 2.4 has no such question at all.
    for prefix in ("/v1/scheduler", "/scheduler"):
        answer = _mesos_http.send("GET", f"{url}{prefix}/leader", timeout=timeout)
        if answer.status not in (404, 405):
            return _mesos_http.named(answer.good())
    answer = _mesos_http.send("GET", f"{url}/ping", timeout=timeout).good()
    if answer.text().strip() != "pong":
        raise CommandExecutionError(f"GET {answer.url}: not how Chronos answers: {answer.first_line()}")
    return {"url": None, "host": None, "port": None}
