"""
Time functions and states of the modules, and the bare requests that they send. Run by the Python of
a Salt environment.

Reads a JSON object with ``root``, ``scratch``, ``rounds`` and ``cases``. A case has ``function``,
or ``state`` and ``whole`` (whether to include what Salt does with the arguments of a state);
``url``; ``arguments``; and ``requests``, each with method, path and body. Writes for each case a
list of rounds: the seconds of the function or state, and the seconds of the requests.
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
    """Send the requests one after another, and parse their JSON."""
    address = urllib.parse.urlsplit(url).netloc
    for method, path, body in requests:
        connection = http.client.HTTPConnection(address)
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
    """Return a function that runs a case. A state must not find anything to change."""
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
        else:  # Without what Salt does with the arguments of a state.
            minion.states.inject_globals = {"__low__": low}
            answer = minion.states[case["state"]](**arguments)
        if answer["result"] is not True or answer["changes"]:
            raise RuntimeError(answer["comment"])

    return apply


def main() -> None:
    """Time all cases."""
    logging.disable(logging.CRITICAL)
    settings = json.load(sys.stdin)
    options = minion_options(Path(settings["scratch"]), Path(settings["root"]))
    results = []
    for case in settings["cases"]:
        call = caller(options, case)
        call()  # The first call loads the module.
        results.append(
            [
                (timed(call), timed(bare, case["url"], case["requests"]))
                for _ in range(settings["rounds"])
            ]
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
