"""
A masterless minion that applies states and calls execution functions. Run by the Python of a Salt
environment.

Takes a directory for its own files and the path of the repository. Reads one JSON object a line::

    {"state": "mesos.flags_managed", "arguments": {...}, "test": false, "pillar": {},
     "installed": {"marathon": "1.8.244-1.el7"}}
    {"sls": ["marathon.apps"], "test": false, "pillar": ["marathon: {apps: {}}"]}
    {"function": "mesos.leader", "positional": [...], "arguments": {...}, "pillar": {},
     "installed": {}}
    {"command": "mesos.set_weights '{web: 2}'", "pillar": {}}
    {"documented": "mesos"}
    {"loaded": "marathon", "proxytype": null}

and writes one JSON line for each:

* ``state``: the result of the state, or a list of errors. ``pkg.version`` answers what is
  ``installed``, also for a ``function``;
* ``sls``: the results of all states, or a list of errors. The pillar is merged from YAML texts;
* ``function`` and ``command``: what the function ``returned`` or ``raised``. A command is parsed as
  by ``salt-call``;
* ``documented``: the docstrings of a module's functions;
* ``loaded``: the functions and states that are loaded under the name of a module.

Importing Salt takes seconds, so one process answers many requests. Requests with the same ``test``
and pillar share their loaded modules.
"""

import functools
import importlib
import inspect
import json
import logging
import shlex
import sys
from pathlib import Path
from unittest import mock

import salt.config
import salt.loader
import salt.minion
import salt.state
import salt.utils.args
import salt.utils.dictupdate
import salt.utils.extmods
import salt.utils.yaml
from salt.exceptions import CommandExecutionError


def minion_options(scratch: Path, root: Path) -> dict:
    """
    Return the options of a masterless minion.

    Its files are those of the repository, of ``minion/`` and of the scratch directory.
    """
    options = salt.config.apply_minion_config(
        {
            "root_dir": str(scratch),
            "conf_file": str(scratch / "minion"),
            "log_file": str(scratch / "minion.log"),
            "file_client": "local",
            "file_roots": {
                "base": [
                    str(root / "salt"),
                    str(root / "formulas"),
                    str(Path(__file__).with_name("minion")),
                    str(scratch / "files"),
                ]
            },
            "pillar_roots": {"base": []},
            "id": "unit",
            "grains": {"id": "unit", "os": "CentOS", "os_family": "RedHat", "osmajorrelease": 7},
        }
    )
    # So that functions that apply states have the pillar of the request.
    options["__cli"] = "salt-call"
    Path(options["extension_modules"]).mkdir(parents=True)
    for kind in ("states", "modules"):
        salt.utils.extmods.sync(options, kind)
    return options


def loaded(options: dict, module: str, proxytype: str | None) -> dict:
    """Return what a minion, or a proxy minion of a type, loads under the name of a module."""
    if proxytype:
        options = {**options, "proxy": {"proxytype": proxytype}}
    # Salt looks at its command line, once per process.
    with mock.patch("salt.utils.platform.is_proxy", lambda: bool(proxytype)):
        functions = salt.loader.minion_mods(options)
        states = salt.loader.states(options, functions, salt.loader.utils(options), None)
        return {
            kind: sorted(name for name in loader if name.startswith(f"{module}."))
            for kind, loader in (("functions", functions), ("states", states))
        }


# Seconds. The fake elections of test_chronos_faults.py are faster than real ones by more.
SETTLE_SECONDS = 0.3


def with_short_waits(state: salt.state.State) -> salt.state.State:
    """
    Let the module chronos read a list of jobs again soon, and not after seconds.

    Salt 3008 executes a module again in the same namespace for each loader, such as that of
    ``state.high``, which undoes it for all of them.
    """
    module = inspect.unwrap(state.functions["chronos.leader"]).__globals__
    module["SETTLE_SECONDS"] = min(SETTLE_SECONDS, module["SETTLE_SECONDS"])
    return state


def with_directories(state: salt.state.State, scratch: Path) -> salt.state.State:
    """Let the state daemon keep its records in a directory of the test."""
    module = inspect.unwrap(state.states["daemon.running"]).__globals__
    module.update(STATE_DIRECTORY=str(scratch / "state"), RUN_DIRECTORY=str(scratch / "run"))
    return state


def main() -> None:
    """Answer until stdin ends."""
    logging.disable(logging.CRITICAL)  # The answers contain all errors.
    options = minion_options(Path(sys.argv[1]), Path(sys.argv[2]))
    # A script: the package lab is not installed in the environments of Salt.
    sys.path.append(str(Path(sys.argv[2]) / "lab"))
    importlib.import_module("salt_cache").enable()

    @functools.cache
    def minion(test: bool, pillar: str) -> salt.state.State:
        state = salt.state.State({**options, "test": test}, pillar_override=json.loads(pillar))
        return with_directories(state, Path(sys.argv[1]))

    def apply(request: dict):
        module, function = request["state"].split(".")
        arguments = [{key: value} for key, value in request["arguments"].items()]
        high = {"state": {module: [function, *arguments], "__sls__": "unit", "__env__": "base"}}
        state = with_short_waits(minion(request["test"], json.dumps(request["pillar"])))
        state.functions["pkg.version"] = lambda name: request["installed"].get(name, "")
        answer = state.call_high(high)
        return next(iter(answer.values())) if isinstance(answer, dict) else answer

    def apply_sls(request: dict):
        pillar = functools.reduce(
            salt.utils.dictupdate.update, map(salt.utils.yaml.safe_load, request["pillar"]), {}
        )
        highstate = salt.state.HighState(
            {**options, "test": request["test"]}, pillar_override=pillar
        )
        highstate.push_active()
        try:
            high, errors = highstate.render_highstate({"base": request["sls"]})
            state = with_directories(with_short_waits(highstate.state), Path(sys.argv[1]))
            return errors or state.call_high(high)
        finally:
            highstate.pop_active()

    def call(request: dict) -> dict:
        functions = with_short_waits(minion(False, json.dumps(request["pillar"]))).functions
        positional, arguments = request.get("positional", []), request.get("arguments", {})
        functions["pkg.version"] = lambda name: request.get("installed", {}).get(name, "")
        try:
            if "command" in request:
                request["function"], *words = shlex.split(request["command"])
                # As on a minion: values are parsed as YAML, NAME=VALUE is a keyword argument.
                words = salt.utils.args.parse_input(words)
                positional, arguments = salt.minion.load_args_and_kwargs(
                    functions[request["function"]], words
                )
            return {"returned": functions[request["function"]](*positional, **arguments)}
        except Exception as error:  # The test decides which errors it expects.
            # The modules raise subclasses, which the tests do not distinguish.
            kind = (
                CommandExecutionError if isinstance(error, CommandExecutionError) else type(error)
            )
            return {"raised": f"{kind.__name__}: {error}"}

    for line in sys.stdin:
        request = json.loads(line)
        if "state" in request:
            answer = apply(request)
        elif "sls" in request:
            answer = apply_sls(request)
        elif "function" in request or "command" in request:
            answer = call(request)
        elif "documented" in request:
            functions = minion(False, "{}").functions
            answer = {
                name: functions[name].__doc__
                for name in functions
                if name.startswith(f"{request['documented']}.")
            }
        else:
            answer = loaded(options, request["loaded"], request["proxytype"])
        print(json.dumps(answer, default=str), flush=True)


if __name__ == "__main__":
    main()
