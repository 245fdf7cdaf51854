"""
Times functions and states of the modules against bare requests for the same answers. Run by the Python of a Salt environment.

Reads a JSON object with ``root``, ``scratch``, ``rounds`` and ``cases`` (``function``, or ``state`` and whether it is called as a
``whole``, the way Salt calls it; ``url``, ``arguments``, and the ``requests`` that it makes: method, path, body). Writes, for each
case, a list with the seconds of each round: those of the function or state, and those of the requests.
"""

import http.client
import json
import logging
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import salt.loader
import salt.state
from salt_caller import minion_options


def bare(url: str, requests: list) -> None:
    """Make the requests one after another, and read their JSON."""
    place = urllib.parse.urlsplit(url).netloc
    for method, path, body in requests:
        connection = http.client.HTTPConnection(place)
        connection.request(
            method, path, body, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        text = connection.getresponse().read()
        connection.close()
        if text:
            json.loads(text)


def timed(function, *arguments) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def caller(options: dict, case: dict) -> Callable[[], None]:
    """Return what calls the function of a case, or applies its state, which is to find nothing to do."""
    arguments = {"url": case["url"], **case["arguments"]}
    if "function" in case:
        functions = salt.loader.minion_mods(options)
        return lambda: functions[case["function"]](**arguments)
    minion, (module, function) = (
        salt.state.State({**options, "test": False}),
        case["state"].split("."),
    )
    low = {
        "state": module,
        "fun": function,
        "__id__": "bench",
        "__sls__": "bench",
        "__env__": "base",
    }

    def apply() -> None:
        if case["whole"]:
            answer = minion.call({**low, **arguments})
        else:  # without what Salt does with the arguments of any state
            minion.states.inject_globals = {"__low__": low}
            answer = minion.states[case["state"]](**arguments)
        if answer["result"] is not True or answer["changes"]:
            raise RuntimeError(answer["comment"])

    return apply


def main() -> None:
    """Read, take turns, write."""
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    options = minion_options(Path(asked["scratch"]), Path(asked["root"]))
    found = []
    for case in asked["cases"]:
        call = caller(options, case)
        call()  # the first call loads the module
        found.append(
            [
                (timed(call), timed(bare, case["url"], case["requests"]))
                for _ in range(asked["rounds"])
            ]
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
