#!py
"""The errors in the settings of ZooKeeper.

common/validation.py renders this: see common/checks.py.
"""

import re

# Options of zoo.cfg that the formula writes from other settings.
OWN_OPTIONS = {
    "clientPort": "client_port",
    "dataDir": "data_dir",
    "dataLogDir": "data_log_dir",
    "peerType": "observers",
}

# The default of both the AdminServer and Marathon.
ADMIN_PORT = 8080

ID_HINT = "not an id. An id is a number from 1 to 255."


roles = ()


def run():
    """Return the errors: setting, value, message."""
    return [*_version(), *_ports(), *_ensemble(), *_options(), *_admin_server()]


def _version():
    yield from checks.optional_version("version", settings["version"], "3.4.6")


def _ports():
    ports = {str(settings[key]) for key in ("client_port", "peer_port", "election_port")}
    if len(ports) < 3:
        message = "client_port, peer_port and election_port must differ."
        yield "client_port", settings["client_port"], message
    url = str(checks.as_mapping(__pillar__.get("mesos")).get("zk", "zk://localhost:2181/mesos"))
    local_port = re.fullmatch(r"zk://([^@/]*@)?(localhost|127\.0\.0\.1):([0-9]+)/.*", url)
    has_mesos = {"mesos-master", "mesos-slave"} & set(roles)
    if has_mesos and local_port and local_port.group(3) != str(settings["client_port"]):
        message = f"but Mesos looks for it at {url}. Set mesos:zk to this port as well."
        yield "client_port", settings["client_port"], checks.hide_password(message)


def _ensemble():
    servers, myid = settings["servers"], settings["myid"]
    ids = sorted((str(server) for server in servers), key=len)
    if len(set(ids)) < len(ids):
        yield "servers", ids, "the same id twice, as a number and as text. Keep one of them."
    if myid is not None and not _is_id(myid):
        yield "myid", myid, ID_HINT
    elif ids and str(myid) not in ids:
        yield "myid", myid, f"not one of the servers. Known: {', '.join(ids)}."
    for server, address in servers.items():
        if not _is_id(server):
            yield f"servers:{server}", address, ID_HINT
        yield from _address(f"servers:{server}", address, list(servers.values()))
    yield from _observers(checks.as_list(settings["observers"]), ids)


def _is_id(value):
    return re.fullmatch("[0-9]{1,3}", str(value)) is not None and 1 <= int(value) <= 255


def _address(setting, address, addresses):
    if not isinstance(address, str) or not re.fullmatch(r"[\w.-]+|\[[\da-fA-F:]+\]", address):
        yield setting, address, "not an address. The ports have settings of their own."
    elif addresses.count(address) > 1:
        yield setting, address, "more than one server has this address."


def _observers(observers, ids):
    for server in observers:
        if str(server) not in ids:
            yield "observers", server, f"not one of the servers. Known: {', '.join(ids)}."
    if ids and not set(ids) - {str(server) for server in observers}:
        yield "observers", observers, "no server is left to vote."


def _options():
    for name, value in settings["options"].items():
        if name in OWN_OPTIONS or str(name).startswith("server."):
            setting = OWN_OPTIONS.get(name, "servers")
            yield f"options:{name}", value, f"use the setting zookeeper:{setting} instead."


def _admin_server():
    """Yield an AdminServer of ZooKeeper 3.5 and later that listens on the port of Marathon."""
    options = settings["options"]
    enabled = options.get("admin.enableServer")
    if "marathon" not in roles or str(enabled).lower() == "false":
        return
    port = str(options.get("admin.serverPort") or ADMIN_PORT)
    marathon = checks.as_mapping(__pillar__.get("marathon"))
    if port == str(marathon.get("http_port", ADMIN_PORT)):
        message = (
            f"from 3.5 on, its AdminServer would take port {port}, which is Marathon's on this "
            "node. Set it to false, or set another admin.serverPort."
        )
        yield "options:admin.enableServer", enabled, message
