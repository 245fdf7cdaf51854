"""
Render the formulas with the real Salt for a node that does not exist, without root.

The Python of a Salt environment runs this file; the lab never imports it. It needs only Salt. It
reads one JSON object on stdin, ``{"root": path of the repository, "cases": [case, ...]}``, and
writes a line of JSON for each case on stdout. All cases share one process, as importing Salt takes
longer than rendering. A case is a minion::

    {"id": "lxdev01", "platform": "el7", "grains": {"roles": ["marathon"]}, "pillar": {},
     "pillar_roots": ["/srv/pillar"], "site": false, "installed": {"marathon": "1.8"},
     "only": "", "sls": []}

``pillar_roots`` are directories with pillar, which the pillar of the case overrides; with ``site``
that of the repository follows them. ``installed`` are the answers of ``pkg.version``, ``sls`` is
applied instead of top.sls, ``runners`` are the answers of ``saltutil.runner`` by name, and
``minions`` those of ``saltutil.cmd``: function -> minion id -> result. ``arguments`` are those of
``salt-run``. Only the id is required. The answer has ``pillar``, the pillar of the minion, and
``{"errors": [str, ...]}`` if rendering fails, else

* ``states``: in the order in which Salt runs them (from a run with ``mock=True``), with ``id``,
  ``sls``, ``function``, ``name``, ``arguments`` and ``requisites``;
* ``invalid``: functions, requisites and arguments that do not exist;
* ``files``: path -> ``{"mode": "0644", "contents": str}`` for each file that Salt would write (no
  contents for a directory): those states really run, below a temporary directory.

With ``only: pillar`` there is nothing else; with ``only: validation`` also ``validation``, the
messages of common/validation.py, which take a fraction of the time; ``ignore_roles`` is passed to
it.
"""

import copy
import inspect
import json
import logging
import os
import stat
import sys
import tempfile
from pathlib import Path

import salt.config
import salt.exceptions
import salt.loader
import salt.state
import salt.states
import salt.utils.args
import salt.utils.extmods
import salt_cache

# The grains of a CentOS 7 minion as far as Salt's modules and the formulas ask for them.
EL7 = {
    "kernel": "Linux",
    "kernelrelease": "3.10.0-1160.el7.x86_64",
    "os": "CentOS",
    "os_family": "RedHat",
    "osarch": "x86_64",
    "cpuarch": "x86_64",
    "osfullname": "CentOS Linux",
    "osfinger": "CentOS Linux-7",
    "oscodename": "CentOS Linux 7 (Core)",
    "osrelease": "7.9.2009",
    "osrelease_info": [7, 9, 2009],
    "osmajorrelease": 7,
    "init": "systemd",
    "systemd": {"version": "219", "features": ""},
    "shell": "/bin/sh",
    "num_cpus": 2,
    "mem_total": 4096,
    "virtual": "physical",
    "selinux": {"enabled": False, "enforced": "Disabled"},
}

# The same of the other platforms that hosts of the lab can look like.
PLATFORMS = {
    "el7": EL7,
    **{
        f"el{major}": {
            **EL7,
            "kernelrelease": f"{kernel}.el{major}.x86_64",
            "os": "AlmaLinux",
            "osfullname": "AlmaLinux",
            "osfinger": f"AlmaLinux-{major}",
            "oscodename": f"AlmaLinux {major}.{minor} ({name})",
            "osrelease": f"{major}.{minor}",
            "osrelease_info": [major, minor],
            "osmajorrelease": major,
            "systemd": {"version": systemd, "features": ""},
        }
        for major, minor, name, kernel, systemd in (
            (8, 10, "Cerulean Leopard", "4.18.0-553", "239"),
            (9, 6, "Sage Margay", "5.14.0-570", "252"),
        )
    },
}

# States that write whole files; all others edit, remove, or act on the files of packages.
FILE_STATES = {"file.managed", "file.directory", "mesos.flags_managed"}

REQUISITES = salt.state.STATE_REQUISITE_KEYWORDS | salt.state.STATE_REQUISITE_IN_KEYWORDS
CONDITIONS = {"onlyif", "unless", "creates", "check_cmd"}

# Valid keywords of functions that take any keyword: Salt itself does not notice a typing error
# there. `reads` is not an argument of Salt's: it tells salt-ssh which files a template needs.
EXTRA_KEYWORDS = {
    "file.directory": {"mode"},
    "file.managed": {"reads", "show_diff"},
    "pkg.installed": {"fromrepo", "enablerepo", "disablerepo", "disableexcludes", "setopt"},
    "service.running": {"no_block", "unmask", "unmask_runtime"},
}


# The state modules of Salt that the tree uses. Validation renders with pyobjects, which would load
# all state modules, and execution modules with them.
USED_STATE_MODULES = {
    "cmd",
    "file",
    "grains",
    "module",
    "pkg",
    "saltmod",
    "saltutil",
    "service",
    "test",
}
UNUSED_STATE_MODULES = sorted(
    {path.stem for path in Path(salt.states.__path__[0]).glob("*.py")} - USED_STATE_MODULES
)


def minion_options(root: Path, scratch: Path) -> dict:
    """Return options of a masterless minion with the repository's file and pillar roots."""
    options = salt.config.apply_minion_config(
        {
            "root_dir": str(scratch),
            "conf_file": str(scratch / "minion"),
            "log_file": str(scratch / "minion.log"),
            "file_client": "local",
            "file_roots": {"base": [str(root / "salt"), str(root / "formulas")]},
            # By name: by default these two modules look at the machine to see whether they apply.
            "providers": {"pkg": "yumpkg", "service": "systemd_service"},
            "grains": dict(EL7),
            "id": "nobody",
            "disable_states": UNUSED_STATE_MODULES,
        }
    )
    for name in ("cachedir", "extension_modules"):
        Path(options[name]).mkdir(parents=True, exist_ok=True)
    salt.utils.extmods.sync(options, "modules")
    salt.utils.extmods.sync(options, "states")
    return options


def compile_states(highstate, sls: list[str]) -> tuple[list[dict], list[str]]:
    """Return the low state, or the errors that prevent it."""
    high, errors = highstate.render_highstate(
        {"base": sls} if sls else highstate.top_matches(highstate.get_top())
    )
    high, extend_errors = highstate.state.reconcile_extend(high)
    errors += extend_errors
    errors += highstate.state.verify_high(high)
    if errors:
        return [], errors
    high, errors = highstate.state.requisite_in(high)
    if errors:
        return [], errors
    chunks = highstate.state.compile_high_data(highstate.state.apply_exclude(high))
    if isinstance(chunks, tuple):  # 3008 orders them here and reports loops
        chunks, errors = chunks
    return chunks, errors


def faulty_arguments(state, chunk: dict) -> list[str]:
    """Return the error of one state: an unknown function, a missing or an unknown argument."""
    full = f"{chunk['state']}.{chunk['fun']}"
    location = f"{chunk['__id__']} in {chunk['__sls__']}"
    errors = [f"{location}: {error}" for error in state.verify_data(copy.deepcopy(chunk))]
    if errors:
        return errors
    try:
        salt.utils.args.format_call(
            state.states[full],
            chunk,
            initial_ret={"full": full},
            expected_extra_kws=salt.state.STATE_INTERNAL_KEYWORDS,
        )
    except salt.exceptions.SaltInvocationError as error:
        return [f"{location}: {error}"]
    if full in ("module.run", "salt.runner"):  # keywords are functions to run, or their arguments
        return []
    parameters = {
        *inspect.signature(state.states[full]).parameters,
        *EXTRA_KEYWORDS.get(full, ()),
        "__sls_included_from__",
    }
    unknown = sorted(set(chunk) - parameters - salt.state.STATE_INTERNAL_KEYWORDS)
    return [f"{location}: {full} reads no argument '{key}'" for key in unknown]


def mocked_run(state, chunks: list[dict]) -> tuple[list[dict], list[str]]:
    """Return the states in the order in which Salt runs them, and the missing requisites."""
    # Salt evaluates conditions of states even in a mocked run; only the real node can answer them.
    unconditional = [
        {key: value for key, value in copy.deepcopy(chunk).items() if key not in CONDITIONS}
        for chunk in chunks
    ]
    # mod_init is not mocked: that of pkg would load every module, to refresh yum's metadata.
    state.mod_init.add("pkg")
    results = state.call_chunks(unconditional)
    errors = [
        f"{tag}: {result['comment']}"
        for tag, result in results.items()
        if result["result"] is False
    ]
    number = {tag: result["__run_num__"] for tag, result in results.items()}
    return sorted(chunks, key=lambda chunk: number[salt.state._gen_tag(chunk)]), errors


def write_files(state, chunks: list[dict], target: Path) -> list[str]:
    """Run the states that write files below a directory, as the current user; return the errors."""
    errors = []
    state.mocked = False
    for chunk in chunks:
        full = f"{chunk['state']}.{chunk['fun']}"
        if full not in FILE_STATES:
            continue
        low = {
            key: value
            for key, value in copy.deepcopy(chunk).items()
            if key not in REQUISITES | CONDITIONS | {"user", "group"}
        }
        low["name"] = f"{target}{chunk['name']}"
        if full == "file.directory":
            low.update(makedirs=True, clean=False)
            low.pop("recurse", None)
        elif full == "file.managed":
            low["makedirs"] = True
        result = state.call(low)
        if not result["result"]:
            errors.append(f"{chunk['__id__']}: {result['comment']}")
    return errors


def read_back(target: Path, declared: set[str]) -> dict[str, dict]:
    """Return mode and contents by path below a directory; of directories only the declared ones."""
    files = {}
    for path in sorted(target.rglob("*")):
        name = f"/{path.relative_to(target)}"
        if path.is_file():
            files[name] = {"mode": mode_of(path), "contents": path.read_text(encoding="utf-8")}
        elif name in declared:
            files[name] = {"mode": mode_of(path)}
    return files


def mode_of(path: Path) -> str:
    """Return the permissions of a file as states have them, such as ``0644``."""
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def describe(chunk: dict) -> dict:
    """Return a low chunk as the tests and the plan read it."""
    hidden = {"state", "fun", "name", "order"}
    plain = {
        key: value for key, value in chunk.items() if key not in hidden and not key.startswith("__")
    }
    return {
        "id": chunk["__id__"],
        "sls": chunk["__sls__"],
        "function": f"{chunk['state']}.{chunk['fun']}",
        "name": chunk["name"],
        "arguments": {key: value for key, value in plain.items() if key not in REQUISITES},
        "requisites": {key: value for key, value in plain.items() if key in REQUISITES},
    }


def case_options(options: dict, case: dict, root: Path) -> dict:
    """Return the options of the minion of one case."""
    options = copy.deepcopy(options)
    options["id"] = case["id"]
    options["arg"] = case.get("arguments", [])
    host, _, domain = case["id"].partition(".")
    names = {
        "id": case["id"],
        "host": host,
        "nodename": host,
        "domain": domain,
        "fqdn": case["id"],
        "localhost": host,
    }
    options["grains"] = {
        **PLATFORMS[case.get("platform", "el7")],
        **names,
        **case.get("grains", {}),
    }
    options["pillar_roots"] = {
        "base": [
            *case.get("pillar_roots", []),
            *([str(root / "pillar")] if case.get("site") else []),
        ]
    }
    return options


def render(options: dict, case: dict, root: Path, scratch: Path) -> dict:
    """Return the answer to one case, as the docstring of this file describes it."""
    options = case_options(options, case, root)
    installed = case.get("installed", {})

    highstate = salt.state.HighState(options, pillar_override=case.get("pillar"), mocked=True)
    state = highstate.state
    pillar = copy.deepcopy(state.opts["pillar"])
    if "_errors" in pillar:
        return {"errors": pillar["_errors"], "pillar": pillar}
    state.functions["pkg.version"] = lambda name, **_: installed.get(name, "")
    state.functions["sys.list_runner_functions"] = lambda *_: list(case.get("runners", {}))
    state.functions["saltutil.runner"] = lambda name, **_: case["runners"][name]
    state.functions["saltutil.cmd"] = lambda nodes, function, **_: {
        node: {"ret": case.get("minions", {}).get(function, {}).get(node, False)} for node in nodes
    }
    if case.get("only") == "pillar":
        return {"pillar": pillar}
    if case.get("only") == "validation":
        keywords = {"ignore_roles": case.get("ignore_roles", False)}
        tree = state.functions["slsutil.renderer"]("salt://common/tree.py")
        return {
            "pillar": pillar,
            "validation": tree.run("common/validation.py", **keywords),
        }
    highstate.push_active()
    try:
        chunks, errors = compile_states(highstate, case.get("sls", []))
    finally:
        highstate.pop_active()
    if errors:
        return {"errors": errors, "pillar": pillar}
    invalid = [error for chunk in chunks for error in faulty_arguments(state, chunk)]
    files = {}
    if not invalid:
        chunks, invalid = mocked_run(state, chunks)
    if not invalid:
        with tempfile.TemporaryDirectory(dir=scratch) as target:
            invalid = write_files(state, chunks, Path(target))
            files = read_back(Path(target), {chunk["name"] for chunk in chunks})
    return {
        "states": [describe(chunk) for chunk in chunks],
        "invalid": invalid,
        "files": files,
        "pillar": pillar,
    }


def main() -> None:
    """Answer every case of the request on stdin."""
    logging.disable(logging.CRITICAL)  # errors are in the answers
    os.umask(0o022)
    # The pyobjects renderer of 3006 would collect the grains of this machine, not of the node.
    salt.loader.grains = lambda opts, *_, **__: opts["grains"]
    request = json.load(sys.stdin)
    root = Path(request["root"])
    with tempfile.TemporaryDirectory(prefix="render-") as scratch:
        options = minion_options(root, Path(scratch))
        salt_cache.enable()
        for case in request["cases"]:
            print(json.dumps(render(options, case, root, Path(scratch)), default=str), flush=True)


if __name__ == "__main__":
    main()
