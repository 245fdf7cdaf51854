"""What holds for every node that the formulas make, as sentences over what the real Salt would run."""

import re
from fnmatch import fnmatch

import pytest

from .cases import FORMULAS, NODES, SECRET

# Which units read a file or directory that Salt lays down, and have to watch it. The longest pattern counts.
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


def of(answer: dict, *functions: str) -> list[dict]:
    """The states of some functions (``cmd.run``) or of a whole module (``cmd``), in order."""
    return [
        state
        for state in answer["states"]
        if {state["function"], state["function"].partition(".")[0]} & set(functions)
    ]


def position(answer: dict, state_id: str) -> int:
    """Where in the run a state comes."""
    return next(number for number, state in enumerate(answer["states"]) if state["id"] == state_id)


def readers(path: str) -> set[str] | None:
    """The units that read a path; None if nobody is known to."""
    fitting = [pattern for pattern in READERS if fnmatch(path, pattern)]
    return READERS[max(fitting, key=len)] if fitting else None


def watched(service: dict, answer: dict) -> set[str]:
    """The ids of the states that a service watches, those of a whole SLS included."""
    found = set()
    for kind, what in (
        pair for item in service["requisites"].get("watch", []) for pair in item.items()
    ):
        for state in answer["states"]:
            if (kind == "sls" and state["sls"] == what) or (
                state["function"].startswith(f"{kind}.") and what in (state["id"], state["name"])
            ):
                found.add(state["id"])
    return found


def running(answer: dict) -> dict[str, dict]:
    """The services that are kept running: unit -> state."""
    return {state["name"]: state for state in of(answer, "service.running")}


@every_node
def test_salt_finds_every_function_argument_and_requisite(rendered, name):
    assert rendered[name]["invalid"] == []


@every_node
def test_a_service_watches_all_it_reads(rendered, name):
    answer = rendered[name]
    for unit, service in running(answer).items():
        seen = watched(service, answer)
        for state in of(answer, "file.managed", "mesos.flags_managed"):
            assert unit not in readers(state["name"]) or state["id"] in seen, (
                f"{unit} does not watch {state['id']}"
            )
        if unit in PACKAGES:
            assert PACKAGES[unit] in seen, f"{unit} does not watch {PACKAGES[unit]}"


@every_node
def test_nothing_but_what_it_reads_restarts_a_service(rendered, name):
    answer = rendered[name]
    for unit, service in running(answer).items():
        for state in answer["states"]:
            if state["id"] in watched(service, answer) and not state["function"].startswith("pkg."):
                known = readers(state["name"]) | MAY_READ.get(state["name"], set())
                assert unit in known, f"{unit} watches {state['id']}"


@every_node
def test_it_is_known_who_reads_each_file(rendered, name):
    laid = [state["name"] for state in of(rendered[name], "file.managed", "mesos.flags_managed")]
    assert [path for path in laid if readers(path) is None] == []


@every_node
def test_a_service_comes_back_after_a_boot(rendered, name):
    for unit, service in running(rendered[name]).items():
        assert service["arguments"].get("enable") is True, unit


@every_node
def test_no_command_runs_unguarded(rendered, name):
    for state in of(rendered[name], "cmd", "module"):
        guards = {"onchanges", "creates", "unless", "onlyif"} & {
            *state["requisites"],
            *state["arguments"],
        }
        assert guards, state["id"]


@every_node
def test_a_second_run_starts_no_process_for_nothing(rendered, name):
    """``unless`` and ``onlyif`` cost one each time, even if all is well; ``onchanges`` costs none."""
    for state in of(rendered[name], "cmd", "module"):
        assert "onchanges" in state["requisites"], state["id"]


@every_node
def test_a_file_says_who_manages_it(rendered, name):
    answer = rendered[name]
    for state in of(answer, "file.managed"):
        contents = answer["files"][state["name"]]["contents"]
        # The others have no place for a comment.
        if not re.search(r"(myid|\.json|/etc/mesos/zk|/etc/(marathon|chronos)/.*)$", state["name"]):
            assert f"Managed by Salt ({state['sls']})." in contents, state["name"]


@every_node
def test_an_id_is_a_name(rendered, name):
    for state in rendered[name]["states"]:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", state["id"]), state["id"]


@every_node
def test_a_file_has_an_owner_and_a_mode(rendered, name):
    for state in of(rendered[name], "file.managed", "file.directory"):
        arguments = state["arguments"]
        assert {"user", "group"} <= set(arguments), state["id"]
        assert isinstance(arguments["mode"], str) and re.fullmatch(
            "0[0-7]{3}", arguments["mode"]
        ), state["id"]


@pytest.mark.parametrize("name", ["secrets", "secrets-marathon-1.4.13"])
def test_secrets_stand_in_files_for_root_and_nowhere_else(rendered, name):
    answer = rendered[name]
    holding = {
        path for path, entry in answer["files"].items() if SECRET in entry.get("contents", "")
    }
    assert holding, "the secrets of the case went nowhere"
    for path in holding:
        assert answer["files"][path]["mode"] == "0600", path
    for state in of(answer, "file.managed"):
        if state["name"] in holding:
            assert state["arguments"].get("show_changes") is False, state["id"]
    for state in answer["states"]:
        assert SECRET not in str(state), (
            f"{state['id']} has a secret among its arguments, which are logged"
        )


def test_secrets_of_apps_are_not_among_the_arguments_which_are_logged(rendered):
    assert "nor-those" in str(NODES["declared"]["pillar"]) and "nor-those" not in str(
        rendered["declared"]["states"]
    )


@pytest.mark.parametrize(
    "first, then",
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
def test_order_on_a_node_that_is_everything(rendered, first, then):
    assert position(rendered["standalone"], first) < position(rendered["standalone"], then)


@pytest.mark.parametrize(
    "has, lacks", [("mesos-master", "mesos-slave"), ("mesos-slave", "mesos-master")]
)
def test_the_daemon_of_the_role_that_a_node_lacks_is_dead_and_masked(rendered, has, lacks):
    answer = rendered[has]
    assert lacks in [state["name"] for state in of(answer, "service.masked")]
    assert lacks in [state["name"] for state in of(answer, "service.dead")]
    assert lacks not in running(answer)


def test_no_daemon_is_masked_where_both_roles_are(rendered):
    assert of(rendered["standalone"], "service.masked", "service.dead") == []
    assert {"mesos-master", "mesos-slave"} <= set(running(rendered["standalone"]))


def test_a_node_without_roles_gets_nothing(rendered):
    assert [state["function"] for state in rendered["no-roles"]["states"]] == ["test.nop"]


def test_rendering_asks_nothing_but_settings():
    """What an SLS renders to depends on grains, pillar and defaults alone, not on what the host looks like now."""
    pure = {"pillar.get", "slsutil.merge", "slsutil.renderer", "cp.get_file_str"}
    called = {}
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
            called.setdefault(function, set()).add(path.relative_to(FORMULAS).parts[0])
    assert {name: users for name, users in called.items() if name not in pure} == {
        "pkg.version": {"marathon"}
    }
