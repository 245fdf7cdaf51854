"""
Observe a cluster while it is changed. Runs on one of its hosts, with Python 3.6 or later.

Takes a JSON object: ``control`` and ``agents``, addresses; ``app_port``, a port on which some agent
serves an app, or null; and ``stop``, a file that ends it. Asks every service and every daemon five
times a second, each in a thread of its own. Prints a JSON object: ``outages``, the seconds of each
outage by service; and ``down``, the highest number of nodes on which a daemon was down at the same
time, by daemon.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import urllib.request

INTERVAL = 0.2  # seconds
TIMEOUT = 10  # a daemon on a busy machine is slow, not away
# Daemon -> the nodes that have it, and its port.
DAEMONS = {
    "zookeeper": ("control", 2181),
    "mesos-master": ("control", 5050),
    "marathon": ("control", 8080),
    "chronos": ("control", 4400),
    "mesos-slave": ("agents", 5051),
}

setup = json.loads(sys.argv[1])
outages = {}
listening = {}
down = {}
over = threading.Event()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def responds(url):
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            return response.status == 200
    except OSError:
        return False


def any_responds(port, path, kind="control"):
    return any(responds(f"http://{address}:{port}{path}") for address in setup[kind])


def listens(address, port):
    try:
        socket.create_connection((address, port), TIMEOUT).close()
        return True
    except OSError:
        return False


def srvr(address):
    with contextlib.suppress(OSError):
        connection = socket.create_connection((address, 2181), TIMEOUT)
        with contextlib.closing(connection):
            connection.settimeout(TIMEOUT)
            connection.sendall(b"srvr")
            return b"".join(iter(lambda: connection.recv(4096), b""))
    return b""


def has_quorum():
    serving = [address for address in setup["control"] if b"Mode: " in srvr(address)]
    return len(serving) * 2 > len(setup["control"])


def observe(service, is_up):
    down_since = None
    outages[service] = []
    while not over.is_set():
        asked_at = time.monotonic()
        if is_up():
            down_since = None
        elif down_since is None:
            down_since = asked_at
            outages[service].append(INTERVAL)
        else:
            outages[service][-1] = round(time.monotonic() - down_since, 1)
        over.wait(max(0, asked_at + INTERVAL - time.monotonic()))


def observe_daemon(daemon, address, port):
    nodes = listening[daemon]
    while not over.is_set():
        nodes[address] = listens(address, port)
        down[daemon] = max(down[daemon], list(nodes.values()).count(False))
        over.wait(INTERVAL)


checks = {
    "zookeeper": has_quorum,
    "mesos": lambda: any_responds(5050, "/state"),
    "marathon": lambda: any_responds(8080, "/v2/apps"),
    "chronos": lambda: any_responds(4400, "/scheduler/jobs"),
}
if setup["app_port"]:
    checks["app"] = lambda: any_responds(setup["app_port"], "/", "agents")
threads = [threading.Thread(target=observe, args=item) for item in checks.items()]
for name, (kind, port) in DAEMONS.items():
    listening[name], down[name] = {}, 0
    for address in setup[kind]:
        threads.append(threading.Thread(target=observe_daemon, args=(name, address, port)))
for thread in threads:
    thread.start()
while not os.path.exists(setup["stop"]):
    time.sleep(INTERVAL)
over.set()
for thread in threads:
    thread.join()
os.remove(setup["stop"])
print(json.dumps({"outages": outages, "down": down}))
