"""
Promises about Chronos.
"""

import _mesos_gate


def __virtual__():
    """Say why where the module that this one asks is not there."""
    if "chronos.leader" in __salt__:
        return True
    return False, "The execution module chronos of this repository is not loaded (on a proxy minion for Chronos that of Salt is)"


def available(name, url=None, timeout=120):
    """
    Wait until Chronos has a leader that answers. Changes nothing.

    .. code-block:: yaml

        chronos-leader:
          chronos.available:
            - url: [http://10.0.0.1:4400, http://10.0.0.2:4400]
            - timeout: 120

    name
        Free text.

    url
        Where the servers are: a URL, several with commas, or a list. If not given the setting ``chronos:url`` counts, else
        ``http://127.0.0.1:4400``. One of them is enough that answers; those that do not lead ask the leader.

    timeout
        Seconds. 0: ask once.

    Fails with what each server last said.
    """
    leader = __salt__["chronos.leader"]

    def question(seconds):
        found = leader(url=url, timeout=seconds)
        return True, f"{found['url']} leads" if found["url"] else "A leader answers; up to 2.4 Chronos does not tell who it is"

    return _mesos_gate.wait(name, "a leader of Chronos", question, timeout, __opts__["test"])
