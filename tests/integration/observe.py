"""
Observe a cluster while it is changed. Runs on one of its hosts, with Python 3.6 or later.

Takes a JSON object: ``control`` and ``agents``, addresses; ``urls``, further URLs by name; and
``stop``, a file that ends it. Asks every service five times a second, each in a thread of its own.
Prints a JSON object: ``outages``, the seconds of each outage by service; and ``down``, the highest
number of control nodes, and of agents, that were down at the same time.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

INTERVAL = 0.2  # seconds
TIMEOUT = 2

setup = json.loads(sys.argv[1])
outages = {}
healthy = {"control": {}, "agents": {}}
down = {"control": 0, "agents": 0}
over = threading.Event()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def responds(url, statuses=(200,)):
    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            return response.status in statuses
    except urllib.error.HTTPError as error:
        return error.code in statuses
    except OSError:
        return False


def any_responds(port, path):
    return any(responds(f"http://{address}:{port}{path}") for address in setup["control"])


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


def observe_node(kind, address, port):
    url = f"http://{address}:{port}/health"
    while not over.is_set():
        healthy[kind][address] = responds(url, (200, 307))
        down[kind] = max(down[kind], list(healthy[kind].values()).count(False))
        over.wait(INTERVAL)


checks = {
    "zookeeper": has_quorum,
    "mesos": lambda: any_responds(5050, "/state"),
    "marathon": lambda: any_responds(8080, "/v2/apps"),
    "chronos": lambda: any_responds(4400, "/scheduler/jobs"),
}
checks.update({name: lambda url=url: responds(url) for name, url in setup["urls"].items()})
threads = [threading.Thread(target=observe, args=item) for item in checks.items()]
for kind, port in (("control", 5050), ("agents", 5051)):
    for address in setup[kind]:
        threads.append(threading.Thread(target=observe_node, args=(kind, address, port)))
for thread in threads:
    thread.start()
while not os.path.exists(setup["stop"]):
    time.sleep(INTERVAL)
over.set()
for thread in threads:
    thread.join()
os.remove(setup["stop"])
print(json.dumps({"outages": outages, "down": down}))
