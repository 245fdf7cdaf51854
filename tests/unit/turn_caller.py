"""
A host that takes turns. Run by the Python of a Salt environment.

Takes a JSON object: ``modules``, the directory of the execution modules; ``options`` of Turns; and
``constants`` of the module to change. Reads one JSON object a line, a method of Turns or Lease with
its arguments::

    {"acquire": {"turn_class": "agents", "limit": 1, "reason": "restart", "timeout": 60}}
    {"lost": {}}
    {"rounds": {"number": 5, "limit": 2, "directory": "/tmp/x"}}

and writes one JSON line for each: what it ``returned`` or ``raised``. ``rounds`` takes turns again
and again; files in the directory show how many hosts have one. Returns the highest number.
While ``acquire`` waits, it writes a line with each ``progress``.
"""

import json
import os
import random
import sys
import time

setup = json.loads(sys.argv[1])
sys.path.insert(0, setup["modules"])
import _turn  # noqa: E402

for name, value in setup["constants"].items():
    setattr(_turn, name, value)
acl = [_turn._zookeeper_client.Acl(*entry) for entry in setup["options"].pop("acl", [])]
if acl:
    setup["options"]["acl"] = acl
turns = _turn.Turns(**setup["options"])
leases = []


def write(answer):
    print(json.dumps(answer), flush=True)


def acquire(**arguments):
    def progress(waited, holders):
        write({"progress": [waited, [holder["host"] for holder in holders]]})

    lease = turns.acquire(progress=progress, **arguments)
    leases.append(lease)
    return {"waited": lease.waited, "waited_for": lease.waited_for}


def lost():
    return leases[-1].lost()


def release():
    return leases[-1].release()


def set_unready(reason):
    return leases[-1].set_unready(reason)


def rounds(number, limit, directory, leads=()):
    highest = 0
    for turn in range(number):
        with turns.acquire("agents", limit, f"round {turn}", 120, leads):
            path = os.path.join(directory, str(os.getpid()))
            open(path, "x").close()
            highest = max(highest, len(os.listdir(directory)))
            time.sleep(random.random() / 20)
            highest = max(highest, len(os.listdir(directory)))
            os.remove(path)
    return highest


own_functions = {
    "acquire": acquire,
    "lost": lost,
    "release": release,
    "rounds": rounds,
    "set_unready": set_unready,
}
write({"returned": "ready"})
for line in sys.stdin:
    ((method, arguments),) = json.loads(line).items()
    function = own_functions.get(method) or getattr(turns, method)
    try:
        write({"returned": function(**arguments)})
    except Exception as error:  # The test decides which errors it expects.
        write({"raised": f"{type(error).__name__}: {error}"})
