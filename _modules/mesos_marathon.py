"""
What Marathon says. Loaded as ``marathon``.

Every function takes ``url``, where the servers are: a URL, several with commas, or a list of them. If it is not given
the setting ``marathon:url`` counts (minion configuration or pillar), else ``http://127.0.0.1:8080``. Any server will
do, as those that do not lead pass every request on to the leader.
"""

import importlib
import importlib.util

import _mesos_http
import salt.utils.platform

# A minion that has had this module before still has the older helper in memory.
importlib.reload(_mesos_http)

DEFAULT_URL = "http://127.0.0.1:8080"

__virtualname__ = "marathon"


def __virtual__():
    """Leave the name to Salt's own module where that one works: on a proxy minion for Marathon, up to Salt 3007."""
    proxied = (__opts__.get("proxy") or {}).get("proxytype")
    if salt.utils.platform.is_proxy() and proxied == "marathon" and importlib.util.find_spec("salt.proxy.marathon"):
        return False, "This is a proxy minion for Marathon: the module of Salt itself keeps the name"
    return __virtualname__


def _urls(url):
    return _mesos_http.candidates(url, __salt__["config.get"]("marathon:url", default=None, omit_grains=True), DEFAULT_URL)


def leader(url=None, timeout=5):
    """
    Say which Marathon leads. That it is known means that it answers, too: the others ask it.

    url
        Where the servers are, see above.

    timeout
        Seconds for each request. Without a leader a server thinks for 2.5 seconds before it says so.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known. Raises CommandExecutionError with what
    each server said if none of them knows a leader.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.leader
        salt-call marathon.leader url=http://10.0.0.1:8080,http://10.0.0.2:8080
    """
    urls, timeout = _urls(url), _mesos_http.seconds(timeout)
    return _mesos_http.first(urls, lambda each: _leader(each, timeout))


def _leader(url, timeout):
    return _mesos_http.named(_mesos_http.send("GET", f"{url}/v2/leader", timeout=timeout).good())
