"""
What Marathon says. Loaded as ``marathon``.

Every function takes ``profile`` and settings of the connection, such as ``url`` and ``timeout``: see ``marathon.connection``.
Any server will do, as those that do not lead pass every request on to the leader.
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


def _client(profile, connection):
    return _mesos_http.Client("marathon", DEFAULT_URL, __salt__, __context__, profile, connection)


def connection(profile=None, **connection):
    return _client(profile, connection).settings()


connection.__doc__ = _mesos_http.CONNECTION_DOC.format(service="marathon", default=DEFAULT_URL, port=8080, more="")


def leader(profile=None, **connection):
    """
    Say which Marathon leads. That it is known means that it answers, too: the others ask it.

    profile, connection
        Where and how to ask: see ``marathon.connection``. Without a leader a server thinks for 2.5 seconds before it says so.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known. Raises CommandExecutionError with what
    each server said if none of them knows a leader.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.leader
        salt-call marathon.leader url=http://10.0.0.1:8080,http://10.0.0.2:8080
    """
    client = _client(profile, connection)
    return _mesos_http.first(client.urls, lambda url: _mesos_http.named(client.at(url, trusted=True).get("/v2/leader")))
