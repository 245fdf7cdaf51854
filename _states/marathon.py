"""
Promises about Marathon.
"""

import _mesos_gate


def __virtual__():
    """Say why where the module that this one asks is not there."""
    if "marathon.leader" in __salt__:
        return True
    return False, "The execution module marathon of this repository is not loaded (on a proxy minion for Marathon that of Salt is)"


def available(name, url=None, timeout=120):
    """
    Wait until Marathon has a leader that answers. Changes nothing.

    .. code-block:: yaml

        marathon-leader:
          marathon.available:
            - url: [http://10.0.0.1:8080, http://10.0.0.2:8080]
            - timeout: 120

    name
        Free text.

    url
        Where the servers are: a URL, several with commas, or a list. If not given the setting ``marathon:url`` counts, else
        ``http://127.0.0.1:8080``. One of them is enough that answers; those that do not lead ask the leader.

    timeout
        Seconds. 0: ask once.

    Fails with what each server last said.
    """
    leader = __salt__["marathon.leader"]

    def question(seconds):
        found = leader(url=url, timeout=seconds)
        return True, f"{found['url']} leads"

    return _mesos_gate.wait(name, "a leader of Marathon", question, timeout, __opts__["test"])
