"""Rules for every node that the formulas render."""

import re
from fnmatch import fnmatch

import pytest

from .cases import FORMULAS, NODES, SECRET

# The units that read a file or directory of Salt and must watch it. The longest matching pattern
# applies.
READERS = {
    "/etc/zookeeper/*": {"zookeeper"},
    "/etc/sysconfig/zookeeper": {"zookeeper"},
    "/var/lib/zookeeper/myid": {"zookeeper"},
    "/etc/mesos/zk": {"mesos-master", "mesos-slave", "mesos-agent"},
    "/etc/mesos/master-secrets": {"mesos-master"},
    "/etc/mesos/slave-secrets": {"mesos-slave", "mesos-agent"},
    "/etc/default/mesos": {"mesos-master", "mesos-slave", "mesos-agent"},
    "/etc/default/mesos-master": {"mesos-master"},
    "/etc/default/mesos-slave": {"mesos-slave"},
    "/etc/default/mesos-agent": {"mesos-slave", "mesos-agent"},
    "/etc/mesos-master": {"mesos-master"},
    "/etc/mesos-slave": {"mesos-slave"},
    "/etc/mesos-agent": {"mesos-slave", "mesos-agent"},
    "/etc/marathon/*": {"marathon"},
    "/etc/default/marathon": {"marathon"},
    "/etc/sysconfig/marathon": {"marathon"},
    "/etc/chronos/*": {"chronos"},
    "/etc/default/chronos": {"chronos"},
    "/etc/sysconfig/chronos": {"chronos"},
    "/etc/docker/*": {"docker"},
    "/etc/sysconfig/docker*": {"docker"},
    "/etc/chrony.conf": {"chronyd"},
    **{
        f"/etc/systemd/system/{unit}.service.d/*": {unit}
        for unit in (
            "zookeeper",
            "mesos-master",
            "mesos-slave",
            "mesos-agent",
            "marathon",
            "chronos",
            "docker",
        )
    },
    # Read by Salt alone, and by systemd: what has to be mounted before the server starts.
    "/etc/zookeeper/*salt-record": set(),
    "/etc/mesos/master-record": set(),
    "/etc/marathon/salt-record": set(),
    "/etc/chronos/salt-record": set(),
    "/etc/systemd/system/zookeeper.service.d/salt.conf": set(),
    # Read anew by a command of their own, by a program that is started each time, or at boot.
    "/etc/firewalld/zones/*": set(),
    "/etc/sysctl.d/*": set(),
    "/etc/systemd/journald.conf.d/*": set(),
    "/etc/yum.repos.d/*": set(),
    "/etc/tmpfiles.d/*": set(),
}

# What a unit reads only if its own options leave a gap: the launcher of an old Chronos.
MAY_READ = {"/etc/mesos/zk": {"chronos"}}

PACKAGES = {
    "zookeeper": "zookeeper-package",
    "docker": "docker-package",
    **{f"mesos-{daemon}": "mesos-package" for daemon in ("master", "slave", "agent")},
    "marathon": "marathon-package",
    "chronos": "chronos-package",
}

every_node = pytest.mark.parametrize("name", NODES)


def states_of(answer: dict, *functions: str) -> list[dict]:
    """Return the states of some functions (``cmd.run``) or modules (``cmd``), in order."""
    return [
        state
        for state in answer["states"]
        if {state["function"], state["function"].partition(".")[0]} & set(functions)
    ]


def position(answer: dict, state_id: str) -> int:
    """Return the position of a state in the run."""
    return next(number for number, state in enumerate(answer["states"]) if state["id"] == state_id)


def readers(path: str) -> set[str] | None:
    """Return the units that read a path, or None if the path is not in READERS."""
    globs = [glob for glob in READERS if fnmatch(path, glob)]
    return READERS[max(globs, key=len)] if globs else None


def watched(service: dict, answer: dict) -> set[str]:
    """Return the ids of the states that a service watches, also by the name of an SLS."""
    requisites = service["requisites"].get("watch", [])
    pairs = [pair for requisite in requisites for pair in requisite.items()]
    return {state["id"] for state in answer["states"] if any(matches(state, *p) for p in pairs)}


def matches(state: dict, kind: str, name: str) -> bool:
    """Return whether a requisite, such as ``file: mesos-zk``, is about a state."""
    if kind == "sls":
        return state["sls"] == name
    return state["function"].startswith(f"{kind}.") and name in (state["id"], state["name"])


def running(answer: dict) -> dict[str, dict]:
    """Return the services that are kept running: unit -> state."""
    states = states_of(answer, "service.running", "daemon.running")
    return {state["name"]: state for state in states}


@every_node
def test_salt_finds_every_function_argument_and_requisite(rendered, name):
    assert rendered[name]["invalid"] == []


@every_node
def test_a_service_watches_every_file_that_it_reads(rendered, name):
    answer = rendered[name]
    for unit, service in running(answer).items():
        watched_ids = watched(service, answer)
        for state in states_of(answer, "file.managed", "mesos.flags_managed"):
            assert unit not in readers(state["name"]) or state["id"] in watched_ids, (
                f"{unit} does not watch {state['id']}"
            )
        if unit in PACKAGES:
            assert PACKAGES[unit] in watched_ids, f"{unit} does not watch {PACKAGES[unit]}"


@every_node
def test_a_daemon_is_stale_after_a_change_of_any_file_that_it_watches(rendered, name):
    answer = rendered[name]
    for daemon in states_of(answer, "daemon.running"):
        arguments = daemon["arguments"]
        reload = arguments.get("reload") or {}
        # systemd itself tells the paths of the unit and its drop-ins.
        unit = f"/etc/systemd/system/{daemon['name']}.service.d/salt.conf"
        paths = {*arguments["reads"], reload.get("file"), unit}
        watched_ids = watched(daemon, answer)
        for state in states_of(answer, "file.managed", "mesos.flags_managed"):
            is_read = daemon["name"] in (readers(state["name"]) or ())
            if is_read and state["id"] in watched_ids:
                assert state["name"] in paths, f"{daemon['name']} does not read {state['name']}"


@every_node
def test_nothing_else_restarts_a_service(rendered, name):
    answer = rendered[name]
    for unit, service in running(answer).items():
        for state in answer["states"]:
            if state["id"] in watched(service, answer) and not state["function"].startswith("pkg."):
                units = readers(state["name"]) | MAY_READ.get(state["name"], set())
                assert unit in units, f"{unit} watches {state['id']}"


@every_node
def test_the_readers_of_every_file_are_known(rendered, name):
    paths = [
        state["name"] for state in states_of(rendered[name], "file.managed", "mesos.flags_managed")
    ]
    assert [path for path in paths if readers(path) is None] == []


@every_node
def test_a_service_is_enabled_at_boot(rendered, name):
    for unit, service in running(rendered[name]).items():
        is_daemon = service["function"] == "daemon.running"  # which always enables it
        assert is_daemon or service["arguments"].get("enable") is True, unit


@every_node
def test_every_command_has_a_condition(rendered, name):
    for state in states_of(rendered[name], "cmd", "module"):
        conditions = {"onchanges", "creates", "unless", "onlyif"} & {
            *state["requisites"],
            *state["arguments"],
        }
        assert conditions, state["id"]


@every_node
def test_a_second_run_starts_no_process(rendered, name):
    """``unless`` and ``onlyif`` start a process in every run; ``onchanges`` does not."""
    for state in states_of(rendered[name], "cmd", "module"):
        assert "onchanges" in state["requisites"], state["id"]


@every_node
def test_a_file_names_the_sls_that_manages_it(rendered, name):
    answer = rendered[name]
    for state in states_of(answer, "file.managed"):
        contents = answer["files"][state["name"]]["contents"]
        # The formats of the others have no comments.
        if not re.search(r"(myid|\.json|/etc/mesos/zk|/etc/(marathon|chronos)/.*)$", state["name"]):
            assert f"Managed by Salt ({state['sls']})." in contents, state["name"]


@every_node
def test_an_id_is_a_name(rendered, name):
    for state in rendered[name]["states"]:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", state["id"]), state["id"]


@every_node
def test_a_file_has_an_owner_and_a_mode(rendered, name):
    for state in states_of(rendered[name], "file.managed", "file.directory"):
        arguments = state["arguments"]
        assert {"user", "group"} <= set(arguments), state["id"]
        assert isinstance(arguments["mode"], str) and re.fullmatch(
            "0[0-7]{3}", arguments["mode"]
        ), state["id"]


@pytest.mark.parametrize("name", ["secrets", "secrets-marathon-1.4.13"])
def test_secrets_are_only_in_files_for_root(rendered, name):
    answer = rendered[name]
    secret_paths = {
        path for path, entry in answer["files"].items() if SECRET in entry.get("contents", "")
    }
    assert secret_paths, "no file has the secrets of the case"
    for path in secret_paths:
        assert answer["files"][path]["mode"] == "0600", path
    for state in states_of(answer, "file.managed"):
        if state["name"] in secret_paths:
            assert state["arguments"].get("show_changes") is False, state["id"]
    for state in answer["states"]:
        assert SECRET not in str(state), (
            f"{state['id']} has a secret among its arguments, which are logged"
        )


def test_secrets_of_apps_are_not_in_the_arguments_of_states(rendered):
    assert "nor-those" in str(NODES["declared"]["pillar"]) and "nor-those" not in str(
        rendered["declared"]["states"]
    )


@pytest.mark.parametrize(
    "earlier, later",
    [
        ("firewall-reload", "docker-service"),
        ("firewall-service", "docker-service"),
        ("java", "zookeeper-package"),
        ("java", "marathon-package"),
        ("java", "chronos-package"),
        ("mesos-package", "mesos-master-flags"),
        ("mesos-package", "mesos-slave-flags"),
        ("mesos-package", "marathon-service"),
        ("mesos-package", "chronos-service"),
        ("mesos-master-flags", "mesos-master-service"),
        ("mesos-slave-flags", "mesos-slave-service"),
        ("zookeeper-service", "mesos-master-service"),
        ("docker-service", "mesos-slave-service"),
    ],
)
def test_states_run_in_order_on_a_node_with_all_roles(rendered, earlier, later):
    assert position(rendered["standalone"], earlier) < position(rendered["standalone"], later)


@pytest.mark.parametrize(
    "daemon, missing", [("mesos-master", "mesos-slave"), ("mesos-slave", "mesos-master")]
)
def test_the_daemon_of_a_role_that_a_node_does_not_have_is_masked(rendered, daemon, missing):
    answer = rendered[daemon]
    masked = [state["name"] for state in states_of(answer, "withdrawn") if masks(state)]
    assert masked == [missing]
    assert missing not in running(answer)


def masks(state: dict) -> bool:
    return state["arguments"].get("mask") is True


def test_no_daemon_is_stopped_on_a_node_with_all_roles(rendered):
    assert states_of(rendered["standalone"], "withdrawn") == []
    assert {"mesos-master", "mesos-slave"} <= set(running(rendered["standalone"]))


def test_a_node_without_roles_gets_nothing(rendered):
    assert [state["function"] for state in rendered["no-roles"]["states"]] == ["test.nop"]


def test_rendering_is_pure():
    """The result depends on grains, pillar and defaults alone, not on the host."""
    allowed = {"pillar.get", "slsutil.merge", "slsutil.renderer"}
    users_by_function = {}
    for path in (
        path
        for path in FORMULAS.glob("[a-z]*/**/*")
        if path.is_file() and path.suffix not in (".md", ".pyc")
    ):
        text = path.read_text()
        functions = re.findall(r"""\b(?:__salt__|salt)\[['"]([\w.]+)['"]\]""", text)
        if path.suffix != ".py":
            functions += re.findall(r"\bsalt\.(\w+\.\w+)\(", text)
        for function in functions:
            users_by_function.setdefault(function, set()).add(path.relative_to(FORMULAS).parts[0])
    assert {name: users for name, users in users_by_function.items() if name not in allowed} == {
        "pkg.version": {"marathon"}
    }
