"""
Times functions of the modules against bare requests for the same answers. Run by the Python of a Salt environment.

Reads a JSON object with ``root``, ``scratch``, ``rounds`` and ``cases`` (``function``, ``url``, and the ``requests`` that it
makes: method, path, body). Writes, for each case, a list with the seconds of each round: those of the function, and those of the requests.
"""

import http.client
import json
import logging
import sys
import time
import urllib.parse
from pathlib import Path

import salt.loader
from salt_caller import minion_options


def bare(url: str, requests: list) -> None:
    """Make the requests one after another, and read their JSON."""
    place = urllib.parse.urlsplit(url).netloc
    for method, path, body in requests:
        connection = http.client.HTTPConnection(place)
        connection.request(method, path, body, {"Content-Type": "application/json", "Accept": "application/json"})
        text = connection.getresponse().read()
        connection.close()
        if text:
            json.loads(text)


def timed(function, *arguments, **named) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    function(*arguments, **named)
    return time.perf_counter() - start


def main() -> None:
    """Read, take turns, write."""
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    functions = salt.loader.minion_mods(minion_options(Path(asked["scratch"]), Path(asked["root"])))
    found = []
    for case in asked["cases"]:
        function = functions[case["function"]]
        timed(function, url=case["url"])  # the first call loads the module
        found.append([(timed(function, url=case["url"]), timed(bare, case["url"], case["requests"])) for _ in range(asked["rounds"])])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
