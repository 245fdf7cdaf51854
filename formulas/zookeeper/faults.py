#!py
"""
What only ZooKeeper can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import re

# What the formula writes to zoo.cfg from settings of its own.
OWN = {
    "clientPort": "client_port",
    "dataDir": "data_dir",
    "dataLogDir": "data_log_dir",
    "peerType": "observers",
}


def _fault(key, value, wrong):
    """A fault; common/faults.py makes a sentence of it, without secrets."""
    return key, value, wrong


def _is_id(value):
    """Whether a value is the id of a server: 1 to 255."""
    return str(value).isdecimal() and 1 <= int(value) <= 255


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    return [*_package(), *_ensemble(), *_options()]


def _package():
    known = __salt__["slsutil.renderer"]("salt://zookeeper/packages.yaml", default_renderer="yaml")
    if isinstance(settings["package"], str) and settings["package"] not in known:
        yield _fault("package", settings["package"], f"no such package. Known: {', '.join(known)}.")
    version = settings["version"]
    if version is not None and not (
        isinstance(version, str) and re.match(r"\d+(\.\d+){1,2}$", version)
    ):
        wrong = (
            "not a version. A version looks like '3.4.6', in quotes; the rest goes into release."
        )
        yield _fault("version", version, wrong)
    levels = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
    if isinstance(settings["log_level"], str) and settings["log_level"] not in levels:
        yield _fault(
            "log_level", settings["log_level"], f"no such level. Known: {', '.join(levels)}."
        )
    for key in ("data_dir", "data_log_dir", "log_dir"):
        if settings[key] is not None and not str(settings[key]).startswith("/"):
            yield _fault(key, settings[key], "not an absolute path.")


def _ensemble():
    servers, myid, observers = settings["servers"], settings["myid"], settings["observers"]
    if not isinstance(servers, dict) or not isinstance(observers, list):
        return
    ids = sorted(map(str, servers), key=len)
    if myid is not None and not _is_id(myid):
        yield _fault("myid", myid, "not an id. An id is a number from 1 to 255.")
    elif ids and str(myid) not in ids:
        yield _fault("myid", myid, f"none of the servers. Known: {', '.join(ids)}.")
    for name, address in servers.items():
        if not _is_id(name):
            yield _fault(f"servers:{name}", address, "not an id. An id is a number from 1 to 255.")
        if not isinstance(address, str) or not re.match(r"[\w.-]+$|\[[\da-fA-F:]+\]$", address):
            yield _fault(
                f"servers:{name}", address, "not an address. The ports have settings of their own."
            )
        elif list(servers.values()).count(address) > 1:
            yield _fault(f"servers:{name}", address, "more than one server has this address.")
    for name in observers:
        if str(name) not in ids:
            yield _fault("observers", name, f"none of the servers. Known: {', '.join(ids)}.")
    if ids and not set(ids) - {str(name) for name in observers}:
        yield _fault("observers", observers, "nobody is left to vote.")
    ports = [settings[key] for key in ("client_port", "peer_port", "election_port")]
    if len(set(map(str, ports))) < 3:
        yield _fault(
            "client_port",
            settings["client_port"],
            "client_port, peer_port and election_port must differ.",
        )


def _options():
    options = settings["options"] if isinstance(settings["options"], dict) else {}
    for name, value in options.items():
        if name in OWN or str(name).startswith("server."):
            yield _fault(
                f"options:{name}", value, f"has a setting of its own: {OWN.get(name, 'servers')}."
            )
        elif isinstance(value, dict):
            yield _fault(f"options:{name}", value, "should be text or a number: a line of zoo.cfg.")
