"""
A masterless minion that applies one state after another. Run by the Python of a Salt environment.

Takes a directory for its own files and the path of the repository. Reads one JSON object a line::

    {"state": "mesos.flags_managed", "arguments": {...}, "test": false, "pillar": {}}

and writes what Salt returns as one JSON line: the result of the state, or a list of errors. Importing Salt takes
seconds, hence one process for many states, and one set of loaded modules for all with the same ``test`` and pillar.
"""

import functools
import json
import logging
import sys
from pathlib import Path

import salt.config
import salt.state
import salt.utils.extmods


def minion_options(scratch: Path, root: Path) -> dict:
    """Return options of a minion without a master that finds the states of the repository."""
    options = salt.config.apply_minion_config({
        "root_dir": str(scratch),
        "conf_file": str(scratch / "minion"),
        "log_file": str(scratch / "minion.log"),
        "file_client": "local",
        "file_roots": {"base": [str(root / "salt")]},
        "pillar_roots": {"base": []},
        "id": "unit",
        "grains": {"os_family": "RedHat"},
    })
    Path(options["extension_modules"]).mkdir(parents=True)
    salt.utils.extmods.sync(options, "states")
    return options


def main() -> None:
    """Answer until stdin ends."""
    logging.disable(logging.CRITICAL)  # what goes wrong stands in the answers
    options = minion_options(Path(sys.argv[1]), Path(sys.argv[2]))

    @functools.cache
    def minion(test: bool, pillar: str) -> salt.state.State:
        return salt.state.State({**options, "test": test}, pillar_override=json.loads(pillar))

    for line in sys.stdin:
        request = json.loads(line)
        module, function = request["state"].split(".")
        arguments = [{key: value} for key, value in request["arguments"].items()]
        high = {"state": {module: [function, *arguments], "__sls__": "unit", "__env__": "base"}}
        answer = minion(request["test"], json.dumps(request["pillar"])).call_high(high)
        print(json.dumps(next(iter(answer.values())) if isinstance(answer, dict) else answer, default=str), flush=True)


if __name__ == "__main__":
    main()
