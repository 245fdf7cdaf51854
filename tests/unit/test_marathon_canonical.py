"""
_marathon_app: the canonical form of an app, differences, and request bodies. Neither the module nor
these tests need Salt.
"""

import copy
import datetime
import importlib.util
import json
import random
import re
import sys
from unittest import mock

import pytest
import requests
from marathon_world import LINES

from lab import ROOT
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

DATA = ROOT / "tests" / "unit" / "data" / "marathon"
POSTED = json.loads((DATA / "posted.json").read_text())
RETURNED = json.loads((DATA / "returned.json").read_text())
VERSIONS = list(RETURNED["frames"])
OLD, NEW = "1.4.13", "1.8.244"
WEB = {"id": "/web", "cmd": "sleep 1000"}


def load_module(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "_modules" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "path", [str(ROOT / "_modules"), *sys.path]):
        spec.loader.exec_module(module)
    return module


app = load_module("_marathon_app")


def response(case, version):
    """Return the response of a version to a case, or None if it does not support the case."""
    answers = RETURNED["answers"][case]
    since = max(
        (release for release in answers if app.release(release) <= app.release(version)),
        key=app.release,
    )
    if answers[since] is None:
        return None
    answer = {**copy.deepcopy(RETURNED["frames"][version]), **copy.deepcopy(answers[since])}
    return {key: value for key, value in answer.items() if value != "-"}


def cases_with_response():
    return [(case, version) for case in POSTED for version in VERSIONS if response(case, version)]


def is_unsupported(case, version):
    """Return whether the next older version with recorded responses does not support a case."""
    return (
        response(
            case,
            max(
                (release for release in VERSIONS if app.release(release) <= app.release(version)),
                key=app.release,
            ),
        )
        is None
    )


def rejection(config, version=NEW):
    with pytest.raises(ValueError) as error_info:
        app.check(config, version)
    message = str(error_info.value)
    assert message.startswith("app: ") and "\n" not in message
    return message.removeprefix("app: ")


# --- versions ---


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("1.8.244", (1, 8, 244)),
        ("1.5.0-SNAPSHOT", (1, 5, 0)),
        ("1.4.0-RC2", (1, 4, 0)),
        ("v1.10", (1, 10, 0)),
        ((1, 6, 567), (1, 6, 567)),
        ([1, 6], (1, 6, 0)),
    ],
)
def test_a_version_is_three_numbers(text, numbers):
    assert app.release(text) == numbers


@pytest.mark.parametrize("nonsense", ["", None, "latest", "1"])
def test_an_invalid_version_is_rejected(nonsense):
    with pytest.raises(ValueError, match="is not a version of Marathon"):
        app.release(nonsense)


# --- what comes back ---


@pytest.mark.parametrize("mode", ["merge", "replace"])
@pytest.mark.parametrize("case, version", cases_with_response())
def test_a_declared_app_does_not_differ_from_its_response(case, version, mode):
    app.check(POSTED[case], version)
    assert app.diff(response(case, version), POSTED[case], version, mode) == {}


@pytest.mark.parametrize(
    "case, version",
    [(case, version) for case in POSTED for version in VERSIONS if not response(case, version)],
)
def test_an_unsupported_field_is_rejected_with_the_version_that_supports_it(case, version):
    assert re.search(r"needs Marathon 1\.\d", rejection(POSTED[case], version))


@pytest.mark.parametrize("case, version", cases_with_response())
def test_a_changed_label_is_one_difference(case, version):
    current = response(case, version)
    desired = {**POSTED[case], "labels": {**POSTED[case].get("labels", {}), "owner": "b"}}
    assert app.diff(current, desired, version) == {"/labels/owner": {"old": None, "new": "b"}}


@pytest.mark.parametrize("case, version", cases_with_response())
def test_the_body_is_the_desired_app_in_the_form_of_the_version(case, version):
    current, desired = response(case, version), {**POSTED[case], "labels": {"owner": "b"}}
    for body in (app.merged(current, desired, version), app.prepared(desired, version)):
        assert app.diff(body, desired, version, "replace") == {}
        assert not body.keys() & {*app.RUNTIME_FIELDS, "uris", "ports", "storeUrls"}
        if app.release(version) < (1, 5):
            assert "networks" not in body and "portMappings" not in (body.get("container") or {})
        else:
            assert (
                "ipAddress" not in body
                and not {"network", "portMappings"} & app._docker(body).keys()
            )


@pytest.mark.parametrize("case, version", cases_with_response())
def test_a_response_that_is_sent_back_changes_nothing(case, version):
    current = response(case, version)
    for body in (app.writable(current, version), app.merged(current, {}, version)):
        assert app.canonical(body, version) == app.canonical(current, version)
        assert None not in body.values()


@pytest.mark.parametrize("case", POSTED)
def test_functions_do_not_modify_their_arguments(case):
    current, desired = response(case, "1.10.26"), copy.deepcopy(POSTED[case])
    before = copy.deepcopy(current)
    app.canonical(desired, NEW)["labels"]["x"] = "y"
    for function in (app.diff, app.merged):
        function(current, desired, "1.10.26")
    app.prepared(desired, NEW)
    assert (current, desired) == (before, POSTED[case])
    assert "x" not in app.canonical(WEB, NEW)["labels"]


# --- defaults, by version ---


@pytest.mark.parametrize(
    "version, delay, unreachable",
    [
        ("1.1.2", 3600, None),
        ("1.3.14", 3600, None),
        ("1.4.0", 3600, (300, 600)),
        ("1.4.8", 3600, (300, 600)),
        ("1.4.9", 3600, (0, 0)),
        ("1.5.0", 3600, (300, 600)),
        ("1.5.1", 3600, (0, 0)),
        ("1.7.236", 3600, (0, 0)),
        ("1.8.180", 300, (0, 0)),
        ("1.10.26", 300, (0, 0)),
    ],
)
def test_defaults_are_those_of_the_version(version, delay, unreachable):
    form = app.canonical(WEB, version)
    strategy = form.get("unreachableStrategy")
    assert form["maxLaunchDelaySeconds"] == delay
    assert (tuple(strategy.values()) if strategy else None) == unreachable
    assert ("gpus" in form) == (version != "1.1.2")
    assert "role" not in form


@pytest.mark.parametrize("version, unreachable", [("1.4.8", (300, 5)), ("1.8.244", (0, 5))])
def test_a_partial_unreachable_strategy_is_completed_with_defaults(version, unreachable):
    form = app.canonical({**WEB, "unreachableStrategy": {"expungeAfterSeconds": 5}}, version)
    assert tuple(form["unreachableStrategy"].values()) == unreachable


@pytest.mark.parametrize("version", ["1.4.13", "1.5.15", "1.8.244"])
@pytest.mark.parametrize(
    "volume, unreachable",
    [
        ({"persistent": {"size": 10}}, "disabled"),
        (
            {"external": {"name": "data", "provider": "dvdi"}},
            {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
        ),
    ],
)
def test_an_app_with_a_persistent_volume_is_upgraded_in_place(volume, unreachable, version):
    form = app.canonical(
        {
            **WEB,
            "container": {
                "type": "MESOS",
                "volumes": [{"containerPath": "d", "mode": "RW", **volume}],
            },
        },
        version,
    )
    assert form["upgradeStrategy"] == {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}
    assert form["unreachableStrategy"] == unreachable


def test_residency_is_compared_only_before_1_6():
    resident = {**POSTED["resident"], "residency": {"relaunchEscalationTimeoutSeconds": 10}}
    assert app.diff(response("resident", "1.8.244"), resident, "1.8.244") == {}
    assert app.diff(response("resident", "1.5.15"), resident, "1.5.15") == {
        "/residency/relaunchEscalationTimeoutSeconds": {"old": 3600, "new": 10}
    }
    assert "residency" not in app.writable(response("resident", "1.8.244"), "1.8.244")


def test_a_volume_with_a_profile_is_a_mount_from_1_8_on():
    volume = {"containerPath": "d", "mode": "RW", "persistent": {"size": 1, "profileName": "fast"}}
    for version, kind in (("1.7.236", "root"), ("1.8.244", "mount")):
        form = app.canonical({**WEB, "container": {"type": "MESOS", "volumes": [volume]}}, version)
        assert form["container"]["volumes"][0]["persistent"]["type"] == kind


# --- ids ---


@pytest.mark.parametrize(
    "identifier, absolute",
    [
        ("web", "/web"),
        ("/web/", "/web"),
        ("shop/cart", "/shop/cart"),
        ("//shop//cart", "/shop/cart"),
    ],
)
def test_ids_are_absolute(identifier, absolute):
    assert app.canonical({"id": identifier, "dependencies": [identifier]}, NEW)["id"] == absolute
    assert app.prepared({"id": identifier, "dependencies": [identifier]}, OLD) == {
        "id": absolute,
        "dependencies": [absolute],
    }


@pytest.mark.parametrize(
    "identifier, message",
    [
        ("", "is not the id of an app"),
        ("/", "is not the id of an app"),
        ("/Web", "upper case"),
        ("/shop/-x", "is not a valid id"),
        ("/shop_x", "is not a valid id"),
        ("../web", "is relative"),
        ("/shop/tasks", "reserve"),
        ("versions", "reserve"),
    ],
)
def test_an_invalid_id_is_rejected(identifier, message):
    assert message in rejection({"id": identifier})
    assert "reserve" in message or message in rejection({"dependencies": [identifier]})


def test_before_1_8_an_app_may_be_called_tasks():
    app.check({**WEB, "id": "/x/tasks"}, "1.7.236")


# --- ports and networks ---


@pytest.mark.parametrize("version", VERSIONS)
def test_port_0_matches_any_assigned_port(version):
    current = response("ports", version)
    assert app.diff(current, {"ports": [0, 8080]}, version) == {}
    assert app.diff(current, {"ports": [8081, 8080]}, version) == {
        "/portDefinitions/0/port": {"old": 10000, "new": 8081}
    }
    assert app.diff(current, {"ports": [0, 0]}, version) == {}
    changed = app.diff(current, {"ports": [0]}, version)
    assert list(changed) == ["/portDefinitions"] and len(changed["/portDefinitions"]["new"]) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_service_port_0_matches_any_port_but_host_port_0_does_not(version):
    current = response("docker bridge, old form", version)
    container = copy.deepcopy(POSTED["docker bridge, old form"]["container"])
    container["docker"]["portMappings"][0] |= {"servicePort": 0, "hostPort": 8080}
    assert app.diff(current, {"container": container}, version) == {
        "/container/portMappings/0/hostPort": {"old": 0, "new": 8080}
    }
    container["docker"]["portMappings"][0] |= {"servicePort": 9999, "hostPort": 0}
    assert app.diff(current, {"container": container}, version) == {
        "/container/portMappings/0/servicePort": {"old": 10000, "new": 9999}
    }


def test_only_the_default_port_has_a_name():
    assert app.canonical({"ports": [0]}, NEW)["portDefinitions"] == [
        {"port": 0, "protocol": "tcp", "labels": {}}
    ]
    assert app.canonical({}, NEW)["portDefinitions"] == [
        {"port": 0, "protocol": "tcp", "labels": {}, "name": "default"}
    ]
    assert app.canonical({"portDefinitions": []}, NEW)["portDefinitions"] == []


def test_a_container_network_has_a_default_mapping_unless_the_list_is_empty():
    form = app.canonical({**WEB, "networks": [{"mode": "container/bridge"}]}, NEW)
    assert form["container"] == {
        "type": "MESOS",
        "volumes": [],
        "portMappings": [
            {
                "containerPort": 0,
                "servicePort": 0,
                "hostPort": 0,
                "protocol": "tcp",
                "labels": {},
                "name": "default",
            }
        ],
    }
    assert "portDefinitions" not in form
    form = app.canonical(
        {"networks": [{"name": "x"}], "container": {"type": "MESOS", "portMappings": []}}, NEW
    )
    assert form["container"]["portMappings"] == []
    form = app.canonical({"networks": [{"name": "x"}], "container": {"type": "MESOS"}}, NEW)
    assert "hostPort" not in form["container"]["portMappings"][0]


def test_ports_without_a_mapping_become_mappings_on_a_container_network():
    docker = {"image": "x", "network": "BRIDGE", "portMappings": [{"containerPort": 80}]}
    config = {**WEB, "ports": [0, 0, 0], "container": {"docker": docker}}
    form = app.canonical(config, NEW)
    assert [mapping["containerPort"] for mapping in form["container"]["portMappings"]] == [80, 0, 0]
    assert app.canonical(app.prepared(config, NEW), NEW) == form


def test_port_mappings_on_a_host_network_are_dropped():
    config = {
        **WEB,
        "container": {
            "docker": {"image": "x", "network": "HOST", "portMappings": [{"containerPort": 80}]}
        },
    }
    assert "portMappings" not in app.canonical(config, NEW)["container"]


def test_a_container_network_without_a_name_is_the_default_network():
    current = response("user network, new form", NEW)
    assert (
        app.diff(current, {"networks": [{"mode": "container", "labels": {"zone": "inner"}}]}, NEW)
        == {}
    )
    assert app.diff(
        current, {"networks": [{"name": "other", "labels": {"zone": "inner"}}]}, NEW
    ) == {"/networks/0/name": {"old": "dcos", "new": "other"}}


def test_the_name_mesos_bridge_means_a_bridge_network():
    assert app.canonical({"ipAddress": {"networkName": "mesos-bridge"}}, NEW)["networks"] == [
        {"mode": "container/bridge", "labels": {}}
    ]


@pytest.mark.parametrize("version", ["1.4.13", "1.8.244"])
def test_a_change_of_network_removes_the_old_ports(version):
    container = {"docker": {"image": "nginx:1.25"}, "portMappings": [{"containerPort": 80}]}
    current = response("docker host", version)
    desired = {"networks": [{"mode": "container/bridge"}], "container": container}
    changed = app.diff(current, desired, version)
    assert (
        changed["/networks/0/mode"] == {"old": "host", "new": "container/bridge"}
        and changed["/portDefinitions"]["new"] is None
    )
    assert "portDefinitions" not in app.merged(current, desired, version)
    bridged = response("docker bridge, new form", version)
    changed = app.diff(bridged, {"networks": [{"mode": "host"}]}, version)
    assert changed["/container/portMappings"]["new"] is None
    assert (
        app.diff(
            app.merged(bridged, {"networks": [{"mode": "host"}]}, version),
            {"networks": [{"mode": "host"}]},
            version,
        )
        == {}
    )


def test_the_same_app_is_sent_in_the_form_of_each_version():
    config = POSTED["docker bridge, new form"]
    older = app.prepared(config, "1.3.14")
    assert (
        older["container"]["docker"]["network"] == "BRIDGE"
        and len(older["container"]["docker"]["portMappings"]) == 2
    )
    assert app.prepared(POSTED["docker bridge, old form"], NEW)["networks"] == [
        {"mode": "container/bridge"}
    ]
    assert app.prepared(POSTED["fetch"], "1.3.14")["fetch"][1]["outputFile"] == "lib/b.jar"
    user = app.prepared(POSTED["user network, new form"], OLD)
    assert (
        user["ipAddress"] == {"networkName": "dcos", "labels": {"zone": "inner"}}
        and user["container"]["docker"]["network"] == "USER"
    )


@pytest.mark.parametrize(
    "config, message",
    [
        (
            {"networks": [{"name": "a"}, {"name": "b"}], "container": {"type": "MESOS"}},
            "several need Marathon 1.5",
        ),
        ({"networks": [{"mode": "container/bridge"}]}, "needs Marathon 1.5"),
        (
            {
                "networks": [{"name": "a"}],
                "container": {
                    "type": "MESOS",
                    "portMappings": [{"containerPort": 80, "hostPort": 0, "name": "x"}],
                },
            },
            "before Marathon 1.5",
        ),
    ],
)
def test_networks_that_need_1_5_are_rejected_before(config, message):
    app.check(config, NEW)
    assert message in rejection(config, OLD)


# --- fetch, health checks, sets ---


@pytest.mark.parametrize(
    "name, extract",
    [("a.tgz", True), ("a.tar.bz2", True), ("a.zip", True), ("a.jar", False), ("a", False)],
)
def test_uris_extract_only_archives_and_fetch_extracts_by_default(name, extract):
    assert app.canonical({"uris": [name]}, NEW)["fetch"][0]["extract"] is extract
    assert app.canonical({"fetch": [{"uri": name}]}, NEW)["fetch"][0]["extract"] is True


def test_the_order_matters_in_lists_and_not_in_sets():
    current = response("health checks", NEW)
    assert (
        app.diff(current, {"healthChecks": POSTED["health checks"]["healthChecks"][::-1]}, NEW)
        == {}
    )
    checks = copy.deepcopy(POSTED["health checks"]["healthChecks"])
    checks[0]["path"] = "/other"
    assert list(app.diff(current, {"healthChecks": checks}, NEW)) == ["/healthChecks"]
    current = response("constraints", NEW)
    assert (
        app.diff(current, {"constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY", "2"]]}, NEW)
        == {}
    )
    assert list(app.diff(current, {"constraints": [["hostname", "UNIQUE"]]}, NEW)) == [
        "/constraints"
    ]
    assert app.diff(response("args", NEW), {"args": ["sleep 1000", "-c", "7"]}, NEW)["/args"][
        "old"
    ] == ["-c", "sleep 1000", "7"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("index", [None, 0])
def test_a_health_check_uses_the_first_port_by_default(index, version):
    declared = {"protocol": "TCP", **({} if index is None else {"portIndex": index})}
    for answer in ({"protocol": "TCP", "portIndex": 0}, {"protocol": "TCP"}):
        assert (
            app.diff({**WEB, "healthChecks": [answer]}, {"healthChecks": [declared]}, version) == {}
        )
    assert app.diff(
        {**WEB, "healthChecks": [declared]},
        {"healthChecks": [{"protocol": "TCP", "portIndex": 1}]},
        version,
    )
    assert app.diff(
        {**WEB, "healthChecks": [declared]},
        {"healthChecks": [{"protocol": "TCP", "port": 80}]},
        version,
    )


@pytest.mark.parametrize(
    "version, differs", [("1.3.14", True), ("1.4.13", True), ("1.5.15", False), ("1.10.26", False)]
)
def test_ignored_settings_of_a_health_check_are_not_differences(version, differs):
    current = {
        **WEB,
        "healthChecks": [
            {
                "protocol": "HTTP",
                "path": "/",
                "ignoreHttp1xx": False,
                "delaySeconds": 15,
                "portIndex": 0,
            }
        ],
    }
    assert (
        bool(app.diff(current, {"healthChecks": [{"path": "/", "ignoreHttp1xx": True}]}, version))
        is differs
    )
    assert app.diff(current, {"healthChecks": [{"path": "/", "delaySeconds": 3}]}, version) == {}
    assert app.diff(current, {"healthChecks": [{"path": "/", "ipProtocol": "IPv6"}]}, version) == {}


def test_mesos_health_checks_have_delay_and_ip_protocol():
    current = {
        **WEB,
        "healthChecks": [
            {
                "protocol": "MESOS_HTTP",
                "path": "/",
                "delaySeconds": 15,
                "portIndex": 0,
                "ipProtocol": "IPv4",
            }
        ],
    }
    assert app.diff(current, {"healthChecks": [{"protocol": "MESOS_HTTP", "path": "/"}]}, NEW) == {}
    for changed in ({"delaySeconds": 3}, {"ipProtocol": "IPv6"}):
        assert app.diff(
            current, {"healthChecks": [{"protocol": "MESOS_HTTP", "path": "/", **changed}]}, NEW
        )


def test_a_mesos_container_stores_neither_privileged_nor_parameters():
    container = {"type": "MESOS", "docker": {"image": "x"}}
    current = {**WEB, "container": {**container, "volumes": []}}
    desired = {
        "container": {
            "type": "MESOS",
            "docker": {
                "image": "x",
                "privileged": True,
                "parameters": [{"key": "a", "value": "b"}],
            },
        }
    }
    assert app.diff(current, desired, NEW) == {}


@pytest.mark.parametrize(
    "version, mine, theirs, differs",
    [
        ("1.8.244", ["web"], ["*"], True),
        ("1.9.109", ["web"], ["*"], False),
        ("1.9.109", ["web", "*"], ["*"], False),
        ("1.9.109", ["batch", "*"], ["*", "batch"], False),
        ("1.9.109", ["batch"], ["*"], True),
        ("1.9.109", ["*"], None, True),
        ("1.9.109", [], None, False),
        ("1.3.14", [], None, False),
    ],
)
def test_accepted_roles_that_marathon_removes_are_not_differences(version, mine, theirs, differs):
    current = {**WEB, "role": "batch", "acceptedResourceRoles": theirs}
    assert bool(app.diff(current, {"acceptedResourceRoles": mine}, version)) is differs


def test_a_role_is_compared_only_if_it_is_declared():
    current = {**WEB, "role": "*"}
    assert app.diff(current, WEB, "1.9.109") == app.diff(current, WEB, "1.9.109", "replace") == {}
    assert app.diff(current, {"role": "web"}, "1.9.109") == {"/role": {"old": "*", "new": "web"}}


# --- one app and another ---


def test_paths_are_json_pointers_to_the_deepest_difference():
    current = {
        **response("docker bridge, new form", NEW),
        "labels": {"a/b": "1", "c~d": "2"},
        "env": {"A": "1", "B": {"secret": "b"}},
    }
    changed = app.diff(
        current,
        {
            "labels": {"a/b": "0", "c~d": "0"},
            "env": {"B": {"secret": "c"}},
            "cpus": 0.5,
            "user": "root",
            "container": {
                **POSTED["docker bridge, new form"]["container"],
                "docker": {"image": "nginx:1.26"},
            },
        },
        NEW,
    )
    assert changed == {
        "/container/docker/image": {"old": "nginx:1.25", "new": "nginx:1.26"},
        "/cpus": {"old": 1, "new": 0.5},
        "/env/A": {"old": "1", "new": None},
        "/env/B/secret": {"old": "b", "new": "c"},
        "/labels/a~1b": {"old": "1", "new": "0"},
        "/labels/c~0d": {"old": "2", "new": "0"},
        "/user": {"old": None, "new": "root"},
    }


def test_a_merge_replaces_declared_fields_and_keeps_undeclared_ones():
    current = {
        **WEB,
        "labels": {"a": "1", "b": "2"},
        "cpus": 2,
        "upgradeStrategy": {"minimumHealthCapacity": 0, "maximumOverCapacity": 0},
    }
    assert app.diff(current, {"labels": {"a": "1"}}, NEW) == {
        "/labels/b": {"old": "2", "new": None}
    }
    assert app.diff(current, {"upgradeStrategy": {"minimumHealthCapacity": 0}}, NEW) == {}
    assert app.diff(current, {}, NEW) == {}
    assert app.diff(
        current, {"labels": {"a": "1", "b": "2"}, "cmd": "sleep 1000"}, NEW, "replace"
    ).keys() == {
        "/cpus",
        "/upgradeStrategy/minimumHealthCapacity",
        "/upgradeStrategy/maximumOverCapacity",
    }


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_undeclared_instances_are_kept(mode):
    current = {**response("minimal", NEW), "instances": 7}
    assert app.diff(current, WEB, NEW, mode) == {}
    assert app.merged(current, WEB, NEW, mode=mode)["instances"] == 7
    assert app.diff(current, {**WEB, "instances": 1}, NEW, mode) == {
        "/instances": {"old": 7, "new": 1}
    }


def test_args_and_cmd_replace_one_another():
    current = response("minimal", NEW)
    assert app.diff(current, {"args": ["a"]}, NEW) == {
        "/args": {"old": [], "new": ["a"]},
        "/cmd": {"old": "sleep 1000", "new": None},
    }
    assert "cmd" not in app.merged(current, {"args": ["a"]}, NEW)
    assert "args" not in app.merged(response("args", OLD), {"cmd": "sleep 1000"}, OLD)


def test_unset_fields_are_not_sent_and_are_differences():
    current = {**response("docker host", NEW), "user": "nobody"}
    assert (
        app.merged(current, WEB, NEW, unset=["user", "container"]).keys() & {"user", "container"}
        == set()
    )
    assert list(app.diff(current, WEB, NEW, unset=["user", "container"])) == ["/container", "/user"]
    assert "fetch" not in app.merged(response("fetch", NEW), {}, NEW, unset=["uris"])
    with pytest.raises(ValueError, match="cmd: both declared and in unset"):
        app.merged(current, WEB, NEW, unset=["cmd"])


def test_fields_that_a_partial_update_loses_are_sent_again():
    current = {**response("executor and limits", "1.10.26"), "instances": 4}
    body = app.merged(current, {"labels": {"a": "b"}}, "1.10.26")
    assert (
        body["executorResources"] == {"cpus": 0.2, "mem": 32, "disk": 10} and body["instances"] == 4
    )
    assert body["resourceLimits"] == {"cpus": "unlimited", "mem": 256}


@pytest.mark.parametrize(
    "fields", [{}, {"executorResources": {"cpus": 0.1, "mem": 32, "disk": 10}}]
)
def test_executor_resources_alone_are_not_a_difference(fields):
    current = {**response("minimal", NEW), **fields}
    desired = {"executorResources": {"cpus": 0.5}}
    assert app.diff(current, desired, NEW) == {}
    assert app.diff(current, {**desired, "instances": 3}, NEW) == {
        "/instances": {"old": 1, "new": 3}
    }
    assert {path.split("/")[1] for path in app.diff(current, {**desired, "cpus": 2}, NEW)} == {
        "cpus",
        "executorResources",
    }


def test_an_invalid_mode_is_rejected():
    for function in (app.diff, app.diff_pod):
        with pytest.raises(ValueError, match="neither merge nor replace"):
            function(WEB, WEB, NEW, "patch")


# --- what is sent ---


def test_a_partial_upgrade_strategy_is_completed():
    half = {"upgradeStrategy": {"minimumHealthCapacity": 0.2}}
    assert app.prepared(half, NEW)["upgradeStrategy"] == {
        "minimumHealthCapacity": 0.2,
        "maximumOverCapacity": 1,
    }
    assert app.merged(response("resident", NEW), half, NEW)["upgradeStrategy"] == {
        "minimumHealthCapacity": 0.2,
        "maximumOverCapacity": 0,
    }


def test_numbers_in_text_fields_become_text():
    sent = app.prepared(
        {
            "env": {"PORT": 8080, "KEY": {"secret": "a"}},
            "labels": {1: 2},
            "args": [1],
            "cpus": 2.0,
            "constraints": [["rack", "MAX_PER", 2]],
            "env2": None,
        },
        NEW,
    )
    assert sent == {
        "env": {"PORT": "8080", "KEY": {"secret": "a"}},
        "labels": {"1": "2"},
        "args": ["1"],
        "cpus": 2,
        "constraints": [["rack", "MAX_PER", "2"]],
    }


def test_an_empty_list_of_roles_is_not_sent():
    assert app.prepared({"cmd": "sleep 1", "acceptedResourceRoles": []}, "1.3.14") == {
        "cmd": "sleep 1"
    }


COMMAND_CHECK = {"protocol": "COMMAND", "command": {"value": "true"}}


def test_a_command_check_is_sent_without_an_endpoint():
    endpoint = {"path": "/x", "port": None, "portIndex": 0}
    config = {**WEB, "healthChecks": [{**COMMAND_CHECK, **endpoint}, {"path": "/y"}]}
    supported, warnings = app.without_unknown(config, "app")
    assert supported["healthChecks"] == [{**COMMAND_CHECK, "port": None}, {"path": "/y"}]
    assert warnings == [
        f"healthChecks[0].{name}: ignored, since protocol COMMAND has no endpoint"
        for name in ("path", "portIndex")
    ]


@pytest.mark.parametrize("kind", ["app", "pod", "container"])
def test_linux_info_is_refused_where_the_version_drops_it_and_has_its_default(kind):
    def declared(linux_info):
        if kind == "app":
            return {**WEB, "container": {"type": "MESOS", "linuxInfo": linux_info}}
        if kind == "pod":
            return {**POD, "linuxInfo": linux_info}
        return {**POD, "containers": [{**POD["containers"][0], "linuxInfo": linux_info}]}

    check, diff = (app.check, app.diff) if kind == "app" else (app.check_pod, app.diff_pod)
    seccomp, ipc = {"profileName": "x"}, {"mode": "PRIVATE", "shmSize": 16}
    with pytest.raises(ValueError, match="linuxInfo.seccomp: needs Marathon 1.8; 1.7.236 ignores"):
        check(declared({"seccomp": seccomp}), "1.7.236")
    with pytest.raises(ValueError, match="linuxInfo.ipcInfo: needs Marathon 1.9; 1.8.244 ignores"):
        check(declared({"ipcInfo": ipc}), NEW)
    check(declared({"seccomp": seccomp}), NEW)
    check(declared({"ipcInfo": ipc}), "1.9.109")
    returned_form = declared({"seccomp": {**seccomp, "unconfined": False}})
    assert diff(returned_form, declared({"seccomp": seccomp}), NEW) == {}


@pytest.mark.parametrize("check", [{}, {"http": {"path": "/"}, "tcp": {"portIndex": 0}}])
def test_a_check_without_or_with_two_kinds_is_refused(check):
    with pytest.raises(ValueError, match="app: check: needs exactly one of http, tcp and exec"):
        app.check({**WEB, "check": check}, NEW)


def test_a_date_is_sent_as_it_was_written():
    assert app.prepared({"env": {"SINCE": datetime.date(2030, 1, 31)}}, NEW) == {
        "env": {"SINCE": "2030-01-31"}
    }
    app.check({"env": {"SINCE": datetime.date(2030, 1, 31)}}, NEW)


# --- what is refused ---


@pytest.mark.parametrize(
    "config, message",
    [
        ({"cdm": "sleep 1"}, "cdm: there is no such field. Did you mean cmd?"),
        (
            {"container": {"docker": {"imge": "x"}}},
            "container.docker.imge: there is no such field. Did you mean image?",
        ),
        (
            {"healthChecks": [{"grace": 1}]},
            "healthChecks[0].grace: there is no such field. Did you mean gracePeriodSeconds?",
        ),
        ({"env": ["A=1"]}, "env: a list should be a mapping"),
        ({"env": {"A": True}}, "env.A: true should be text; put it in quotes"),
        ({"env": {"A": 1.1}}, "env.A: 1.1 should be text; put it in quotes"),
        ({"env": {"A": None}}, "env.A: nothing should be text; put it in quotes"),
        ({"env": {"A": {"secrets": "x"}}}, "env.A: a mapping should be text; put it in quotes"),
        (
            {"env": {"A": datetime.datetime(2030, 1, 1)}},
            "env.A: a datetime should be text; put it in quotes",
        ),
        ({"labels": {"A": False}}, "labels.A: false should be text; put it in quotes"),
        ({"labels": {True: "a"}}, "labels: the name true should be text; put it in quotes"),
        ({"args": ["-v", True]}, "args[1]: true should be text; put it in quotes"),
        ({"args": "sleep 1"}, "args: text should be a list"),
        ({"cmd": True}, "cmd: true should be text; put it in quotes"),
        ({"cmd": "x"}, "cmd: Marathon requires a command of at least two characters"),
        ({"cmd": "sleep 1", "args": ["a"]}, "cmd and args: declare only one"),
        ({"cpus": "0.5"}, "cpus: text should be a number"),
        ({"mem": float("nan")}, "mem: NaN should be a number"),
        ({"instances": 1.5}, "instances: 1.5 should be a whole number"),
        ({"instances": True}, "instances: true should be a whole number"),
        ({"requirePorts": "yes"}, "requirePorts: text should be true or false"),
        ({"acceptedResourceRoles": "*"}, "acceptedResourceRoles: text should be a list"),
        (
            {"constraints": [["hostname"]]},
            "constraints[0]: a list should be a list of two or three, such as [hostname, UNIQUE]",
        ),
        (
            {"constraints": ["hostname:UNIQUE"]},
            "constraints[0]: text should be a list of two or three, such as [hostname, UNIQUE]",
        ),
        (
            {"constraints": [["hostname", "UNIQ"]]},
            "constraints[0]: 'UNIQ' is not one of "
            "UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER, IS",
        ),
        (
            {"constraints": [["rack", "CLUSTER", True]]},
            "constraints[0]: true should be text; put it in quotes",
        ),
        (
            {"uris": ["a"], "fetch": [{"uri": "a"}]},
            "uris and fetch: declare only one, preferably fetch",
        ),
        (
            {"ports": [80], "portDefinitions": [{"port": 81}]},
            "ports and portDefinitions: declare only one, preferably portDefinitions",
        ),
        ({"ports": ["80"]}, "ports[0]: text should be a whole number"),
        (
            {"ports": [80], "ipAddress": {}},
            "ipAddress: an app with its own address cannot have ports or portDefinitions",
        ),
        (
            {"networks": [{"mode": "host"}], "ipAddress": {}},
            "networks and ipAddress: two forms of the same setting; declare only one",
        ),
        (
            {
                "networks": [{"mode": "host"}],
                "container": {"docker": {"image": "x", "network": "HOST"}},
            },
            "networks and container.docker.network: two forms of the same setting; "
            "declare only one",
        ),
        (
            {"networks": [{"mode": "bridge"}]},
            "networks[0].mode: 'bridge' is not one of host, container, container/bridge",
        ),
        (
            {"container": {"docker": {"image": "x", "network": "NONE"}}},
            "container.docker.network: Marathon 1.5 and later do not support NONE",
        ),
        (
            {"container": {"docker": {"image": "x", "network": "bridge"}}},
            "container.docker.network: 'bridge' is not one of HOST, BRIDGE, USER, NONE",
        ),
        (
            {"container": {"docker": {"image": "x", "portMappings": [{}]}, "portMappings": [{}]}},
            "container.docker.portMappings and container.portMappings: "
            "declare only one, preferably the latter",
        ),
        (
            {"container": {"volumes": []}},
            "container: type DOCKER, the default, needs docker.image; "
            "set type: MESOS without an image",
        ),
        ({"container": "nginx"}, "container: text should be a mapping"),
        (
            {"healthChecks": [{"protocol": "COMMAND"}]},
            "healthChecks[0]: protocol COMMAND requires command, "
            "and command requires protocol COMMAND",
        ),
        (
            {"healthChecks": [{"protocol": "GRPC"}]},
            "healthChecks[0].protocol: 'GRPC' is not one of "
            "HTTP, HTTPS, TCP, COMMAND, MESOS_HTTP, MESOS_HTTPS, MESOS_TCP",
        ),
        ({"unreachableStrategy": "off"}, "unreachableStrategy: text should be a mapping"),
        (
            {"resourceLimits": {"cpus": "none"}},
            "resourceLimits.cpus: text should be a number or unlimited",
        ),
        ("sleep 1", "config: text should be a mapping, such as {cmd: sleep 100}"),
        (None, "config: nothing should be a mapping, such as {cmd: sleep 100}"),
    ],
)
def test_an_invalid_definition_is_rejected_in_one_line(config, message):
    assert rejection(config, "1.10.26") == message


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "fields",
    [
        {"env": None, "labels": None, "healthChecks": None, "fetch": None, "upgradeStrategy": None},
        {"healthChecks": [{"protocol": None, "path": "/"}]},
        {"container": {"type": None, "docker": {"image": "x", "network": None}, "volumes": None}},
        {"unreachableStrategy": None, "readinessChecks": None, "residency": None, "check": None},
        {"upgradeStrategy": {"minimumHealthCapacity": None, "maximumOverCapacity": 1}},
    ],
)
def test_null_is_the_default(fields, version):
    definition = {**WEB, **fields}
    app.check(definition, version)
    form = app.canonical(definition, version)
    assert app.diff(form, definition, version, "replace") == {}
    assert "null" not in json.dumps(app.prepared(definition, version))


@pytest.mark.parametrize(
    "config, message",
    [
        ({"check": {"http": "/health"}}, "app: check.http: text should be a mapping"),
        ({"check": {"tcp": 80}}, "app: check.tcp: 80 should be a mapping"),
        ({"check": {"exec": "true"}}, "app: check.exec: text should be a mapping"),
        (
            {"check": {"exec": {"command": "true"}}},
            "app: check.exec.command: text should be a mapping",
        ),
        (
            {"container": {"type": "MESOS", "appc": "x"}},
            "app: container.appc: text should be a mapping",
        ),
    ],
)
def test_a_nested_value_of_the_wrong_type_is_rejected(config, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        app.check(config, NEW)


SECONDS = [
    "backoffSeconds",
    "maxLaunchDelaySeconds",
    "taskKillGracePeriodSeconds",
    "healthChecks[0].gracePeriodSeconds",
    "healthChecks[0].intervalSeconds",
    "healthChecks[0].timeoutSeconds",
    "check.intervalSeconds",
    "readinessChecks[0].intervalSeconds",
    "unreachableStrategy.inactiveAfterSeconds",
    "unreachableStrategy.expungeAfterSeconds",
]


@pytest.mark.parametrize("path", SECONDS)
@pytest.mark.parametrize("version", ["1.4.13", NEW, "1.10.26"])
def test_a_fraction_of_a_second_is_rejected(path, version):
    field, _, member = path.partition(".")
    name, is_list = field.removesuffix("[0]"), field.endswith("[0]")
    part = {member: 1.5} if member else 1.5
    config = {**WEB, name: [part] if is_list else part}
    assert rejection(config, version) == f"{path}: 1.5 should be a whole number"


def test_whole_seconds_may_be_written_as_a_fraction():
    app.check({**WEB, "backoffSeconds": 2.0}, NEW)
    assert app.prepared({**WEB, "backoffSeconds": 2.0}, NEW)["backoffSeconds"] == 2


def test_a_pod_may_be_killed_after_a_fraction_of_a_second():
    lifecycle = {"killGracePeriodSeconds": 1.5}
    app.check_pod({"containers": [{"name": "web", "lifecycle": lifecycle}]}, NEW)


@pytest.mark.parametrize("key", ["http", "tcp", "exec"])
def test_a_health_check_of_a_pod_of_the_wrong_type_is_rejected(key):
    for field in ("healthCheck", "check"):
        pod = {"containers": [{"name": "web", field: {key: "/health"}}]}
        message = f"pod: containers[0].{field}.{key}: text should be a mapping"
        with pytest.raises(ValueError, match=re.escape(message)):
            app.check_pod(pod, NEW)


@pytest.mark.parametrize(
    "config, version, path",
    [
        (
            {"container": {"type": "MESOS", "docker": {"image": "x", "privileged": True}}},
            NEW,
            "container.docker.privileged",
        ),
        (
            {
                "container": {
                    "type": "MESOS",
                    "docker": {"image": "x", "parameters": [{"key": "a", "value": "b"}]},
                }
            },
            "1.4.13",
            "container.docker.parameters",
        ),
        (
            {"container": {"docker": {"image": "x"}, "linuxInfo": {"seccomp": {}}}},
            NEW,
            "container.linuxInfo",
        ),
        ({"ipAddress": {"groups": ["backend"]}}, "1.5.15", "ipAddress.groups"),
        (
            {"residency": {"relaunchEscalationTimeoutSeconds": 10}},
            "1.6.567",
            "residency.relaunchEscalationTimeoutSeconds",
        ),
        (
            {"healthChecks": [{"path": "/", "ignoreHttp1xx": True}]},
            "1.5.15",
            "healthChecks[0].ignoreHttp1xx",
        ),
        (
            {"healthChecks": [{"path": "/", "delaySeconds": 3}]},
            NEW,
            "healthChecks[0].delaySeconds",
        ),
        (
            {"healthChecks": [{"protocol": "TCP", "ipProtocol": "IPv6"}]},
            NEW,
            "healthChecks[0].ipProtocol",
        ),
    ],
)
def test_a_setting_that_the_version_ignores_is_rejected(config, version, path):
    assert rejection({**WEB, **config}, version).startswith(f"{path}: Marathon ")


def test_the_defaults_of_ignored_settings_are_accepted():
    docker = {"image": "x", "privileged": False, "parameters": []}
    app.check({**WEB, "container": {"type": "MESOS", "docker": docker}}, NEW)
    app.check({**WEB, "healthChecks": [{"path": "/", "ignoreHttp1xx": False}]}, NEW)
    app.check({**WEB, "residency": {"relaunchEscalationTimeoutSeconds": 3600}}, NEW)
    app.check({**WEB, "ipAddress": {"groups": []}}, NEW)


@pytest.mark.parametrize(
    "pod, version, message",
    [
        ({"role": "web"}, NEW, "role: needs Marathon 1.9"),
        (
            {"containers": [{"check": {"exec": {"command": {"shell": "true"}}}}]},
            NEW,
            "containers[0].check: needs Marathon 1.9",
        ),
        (
            {"containers": [{"resourceLimits": {"mem": 64}}]},
            "1.9.109",
            "containers[0].resourceLimits: needs Marathon 1.10",
        ),
    ],
)
def test_a_field_of_a_pod_that_the_version_ignores_is_rejected(pod, version, message):
    with pytest.raises(ValueError, match=re.escape(f"pod: {message}")):
        app.check_pod(pod, version)
    app.check_pod(pod, "1.10.26")


@pytest.mark.parametrize("version", ["1.1.2", "1.4.13", NEW])
def test_an_empty_field_of_a_later_version_is_neither_sent_nor_compared(version):
    declared = {**WEB, "resourceLimits": {}, "role": ""}
    app.check(declared, version)
    assert not {"resourceLimits", "role"} & app.prepared(declared, version).keys()
    assert app.diff(app.prepared(WEB, version), declared, version, "replace") == {}


@pytest.mark.parametrize("version", ["1.5.15", NEW])
def test_an_empty_field_of_a_later_version_of_pods_is_neither_sent_nor_compared(version):
    [container] = POD["containers"][:1]
    plain = {**POD, "containers": [container]}
    empty = {"resourceLimits": {}, "check": {}}
    declared = {**plain, "role": "", "containers": [{**container, **empty}]}
    assert app.prepared_pod(declared, version) == app.prepared_pod(plain, version)
    assert app.diff_pod(plain, declared, version) == {}
    assert app.merged_pod(plain, declared, version) == app.merged_pod(plain, plain, version)


def test_a_limit_is_sent_where_the_version_has_limits():
    limits = {"cpus": "unlimited"}
    assert app.prepared({**WEB, "resourceLimits": limits}, "1.10.26")["resourceLimits"] == limits


@pytest.mark.parametrize(
    "fields, field",
    [
        ({"ports": [8080], "portDefinitions": []}, "ports"),
        (
            {
                "container": {"type": "MESOS", "portMappings": [{"containerPort": 1}]},
                "ipAddress": {"discovery": {"ports": [{"number": 80, "name": "http"}]}},
            },
            "ipAddress.discovery.ports",
        ),
    ],
)
def test_ports_beside_another_form_of_ports_are_a_warning(fields, field):
    [warning] = app.ignored({**WEB, **fields}, "app")
    assert re.fullmatch(rf"{field}: ignored, since \S+ is declared as well", warning)
    assert app.ignored(WEB, "app") == []


@pytest.mark.parametrize("version", ["1.1.2", "1.3.14", "1.4.13"])
def test_the_groups_of_an_address_are_sent_and_kept_unless_declared(version):
    declared = {**WEB, "ipAddress": {"groups": ["web", "backend"]}}
    app.check(declared, version)
    assert app.prepared(declared, version)["ipAddress"]["groups"] == ["backend", "web"]
    address = {"groups": ["backend", "web"], "labels": {}, "discovery": {"ports": []}}
    current = {**WEB, "ipAddress": address}
    assert app.diff(current, declared, version) == {}
    labels = {"labels": {"team": "a"}}
    assert app.diff(current, labels, version) == {"/labels/team": {"old": None, "new": "a"}}
    for definition in (labels, {"ipAddress": {"labels": {"zone": "inner"}}}):
        body = app.merged(current, definition, version)
        assert body["ipAddress"]["groups"] == ["backend", "web"]
    emptied = {"ipAddress": {"groups": []}}
    assert app.diff(current, emptied, version) == {
        "/networks/0/groups": {"old": ["backend", "web"], "new": None}
    }
    assert not app.merged(current, emptied, version)["ipAddress"]["groups"]


@pytest.mark.parametrize("version", ["1.1.2", "1.3.14", "1.4.13", "1.5.15"])
def test_an_app_with_residency_is_resident_without_a_volume_too(version):
    declared = {
        **WEB,
        "residency": {"taskLostBehavior": "WAIT_FOREVER"},
        "upgradeStrategy": {"minimumHealthCapacity": 1.0},
    }
    body = app.prepared(declared, version)
    assert body["upgradeStrategy"] == {"minimumHealthCapacity": 1, "maximumOverCapacity": 0}
    assert app.diff(body, declared, version) == app.diff(body, declared, version, "replace") == {}
    half = {"upgradeStrategy": {"minimumHealthCapacity": 0.2}}
    assert app.diff(body, half, version) == {
        "/upgradeStrategy/minimumHealthCapacity": {"old": 1, "new": 0.2}
    }
    assert app.merged(body, half, version)["upgradeStrategy"] == {
        "minimumHealthCapacity": 0.2,
        "maximumOverCapacity": 0,
    }


def test_a_merge_keeps_the_settings_that_are_not_declared():
    current = {
        **WEB,
        "executorResources": {"cpus": 0.5, "mem": 64, "disk": 10},
        "resourceLimits": {"cpus": "unlimited", "mem": 256},
        "unreachableStrategy": {"inactiveAfterSeconds": 60, "expungeAfterSeconds": 120},
    }
    declared = {
        "executorResources": {"mem": 32},
        "resourceLimits": {"mem": 512},
        "unreachableStrategy": {"expungeAfterSeconds": 240},
    }
    body = app.merged(current, declared, "1.10.26")
    assert body["executorResources"] == {"cpus": 0.5, "mem": 32, "disk": 10}
    assert body["resourceLimits"] == {"cpus": "unlimited", "mem": 512}
    assert body["unreachableStrategy"]["inactiveAfterSeconds"] == 60
    assert app.diff(current, {"unreachableStrategy": "disabled"}, "1.10.26")
    pod = {
        **pod_returned("1.10.26", scaling={"kind": "fixed", "instances": 3}),
        "executorResources": {"cpus": 0.5, "mem": 64, "disk": 10},
    }
    declared = {"executorResources": {"mem": 32}, "scheduling": {"killSelection": "OLDEST_FIRST"}}
    body = app.merged_pod(pod, declared, "1.10.26")
    assert body["executorResources"] == {"cpus": 0.5, "mem": 32, "disk": 10}
    assert body["scheduling"]["backoff"] == pod["scheduling"]["backoff"]
    assert app.diff_pod(pod, declared, "1.10.26").keys() == {
        "/executorResources/mem",
        "/scheduling/killSelection",
    }


def test_an_error_names_the_app_and_hides_the_values_of_env():
    with pytest.raises(ValueError) as error_info:
        app.check({"env": {"PASSWORD": ["s3cret"]}}, NEW, where="/shop/db")
    assert (
        str(error_info.value) == "/shop/db: env.PASSWORD: a list should be text; put it in quotes"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_response_of_marathon_is_always_valid(version):
    app.check(response("minimal", version), version)
    app.check(app.writable(response("docker bridge, old form", version), version), version)
    app.check(
        {
            "cmd": "sleep 1",
            "env": {"PORT": 8080, "KEY": {"secret": "a"}},
            "unreachableStrategy": "disabled",
        },
        NEW,
    )


# --- pods ---

POD = {
    "id": "/pod",
    "containers": [
        {
            "name": "web",
            "exec": {"command": {"shell": "sleep 1000"}},
            "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{"name": "http"}],
            "environment": {"PORT": 80},
            "volumeMounts": [{"name": "data", "mountPath": "data"}],
        }
    ],
    "volumes": [{"name": "data"}],
}


def pod_returned(version, **changed):
    number = app.release(version)
    return {
        "id": "/pod",
        "version": "2030-01-01T00:00:00.000Z",
        "labels": {},
        "environment": {},
        "containers": [
            {
                "name": "web",
                "exec": {"command": {"shell": "sleep 1000"}},
                "resources": {"cpus": 0.1, "mem": 32.0, "disk": 0, "gpus": 0},
                "endpoints": [{"name": "http", "hostPort": 0}],
                "environment": {"PORT": "80"},
                "volumeMounts": [{"name": "data", "mountPath": "data", "readOnly": False}],
            }
        ],
        "volumes": [{"name": "data"}],
        "scaling": {"kind": "fixed", "instances": 1},
        "scheduling": {
            "backoff": {
                "backoff": 1,
                "backoffFactor": 1.15,
                "maxLaunchDelay": 300 if number >= (1, 8) else 3600,
            },
            "upgrade": {"minimumHealthCapacity": 1, "maximumOverCapacity": 1},
            "placement": {"constraints": []},
            "killSelection": "YOUNGEST_FIRST",
            "unreachableStrategy": {"inactiveAfterSeconds": 300, "expungeAfterSeconds": 600}
            if version in ("1.4.8", "1.5.0")
            else {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
        },
        "executorResources": {"cpus": 0.1, "mem": 32, "disk": 10},
        **({"role": "*"} if number >= (1, 9) else {}),
        **changed,
    }


@pytest.mark.parametrize("mode", ["merge", "replace"])
@pytest.mark.parametrize(
    "version", [version for version in VERSIONS if app.release(version) >= (1, 4)]
)
def test_a_declared_pod_does_not_differ_from_its_response(version, mode):
    app.check_pod(POD, version)
    current = pod_returned(version)
    assert app.diff_pod(current, POD, version, mode) == {}
    assert app.diff_pod(current, {**POD, "labels": {"a": 1}}, version, mode) == {
        "/labels/a": {"old": None, "new": "1"}
    }
    assert app.canonical_pod(app.merged_pod(current, {}, version), version) == app.canonical_pod(
        current, version
    )


def test_an_update_of_a_pod_keeps_undeclared_fields():
    current = pod_returned(
        "1.10.26",
        legacySharedCgroups=True,
        scaling={"kind": "fixed", "instances": 5},
        user="nobody",
    )
    body = app.merged_pod(current, {**POD, "labels": {"a": 1}}, "1.10.26", unset=["user"])
    assert (
        body["legacySharedCgroups"] is True
        and body["scaling"]["instances"] == 5
        and body["labels"] == {"a": "1"}
    )
    assert not body.keys() & {"version", "user"}
    kept_fields = {
        "legacySharedCgroups": True,
        "scaling": {"kind": "fixed", "instances": 5},
        "role": "*",
    }
    assert app.merged_pod(current, POD, "1.10.26", mode="replace") == {
        **app.prepared_pod(POD, "1.10.26"),
        **kept_fields,
    }
    assert app.diff_pod(current, POD, "1.10.26") == {}
    with pytest.raises(ValueError, match="labels: both declared and in unset"):
        app.merged_pod(current, {"labels": {}}, "1.10.26", unset=["labels"])


def test_a_pod_with_a_persistent_volume_is_upgraded_in_place():
    config = {**POD, "volumes": [{"name": "data", "persistent": {"size": 10}}]}
    scheduling = app.canonical_pod(config, NEW)["scheduling"]
    assert scheduling["upgrade"] == {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}
    assert scheduling["unreachableStrategy"] == "disabled"
    half = {**config, "scheduling": {"upgrade": {"minimumHealthCapacity": 0.1}}}
    assert app.canonical_pod(half, NEW)["scheduling"]["upgrade"] == {
        "minimumHealthCapacity": 0.1,
        "maximumOverCapacity": 1,
    }


def test_an_endpoint_has_a_host_port_except_on_a_container_network():
    assert app.canonical_pod(POD, NEW)["containers"][0]["endpoints"][0]["hostPort"] == 0
    desired = {**POD, "networks": [{"mode": "container"}]}
    assert "hostPort" not in app.canonical_pod(desired, NEW)["containers"][0]["endpoints"][0]
    current = {**desired, "networks": [{"mode": "container", "name": "dcos"}]}
    assert app.diff_pod(current, desired, NEW) == {}


def test_the_constraints_of_a_pod_are_a_set():
    constraints = [
        {"fieldName": "rack", "operator": "GROUP_BY", "value": 2},
        {"fieldName": "hostname", "operator": "UNIQUE"},
    ]
    pod, reordered_pod = (
        {**POD, "scheduling": {"placement": {"constraints": pod_constraints}}}
        for pod_constraints in (constraints, constraints[::-1])
    )
    assert app.diff_pod(pod, reordered_pod, NEW) == {}


@pytest.mark.parametrize(
    "config, message",
    [
        ({"container": []}, "pod: container: there is no such field. Did you mean containers?"),
        (
            {"containers": [{"environment": {"A": True}}]},
            "pod: containers[0].environment.A: true should be text; put it in quotes",
        ),
        (
            {"scheduling": {"placement": {"constraints": [{"operator": "NEAR"}]}}},
            "pod: scheduling.placement.constraints[0].operator: 'NEAR' is not one of "
            "UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER, IS",
        ),
        (
            {"id": "/Pod"},
            "pod: id: '/Pod' is not a valid id: "
            "between slashes use a-z, 0-9, dots and inner hyphens, no upper case",
        ),
    ],
)
def test_an_invalid_pod_is_rejected(config, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        app.check_pod(config, NEW)


# --- apps that need no full comparison ---


def variants(value):
    """Yield copies of a value, each with one member omitted, doubled or replaced."""
    if isinstance(value, dict):
        for name in value:
            yield {key: variant for key, variant in value.items() if key != name}
            yield from ({**value, name: variant} for variant in variants(value[name]))
    elif isinstance(value, list):
        yield from (value[:number] + value[number + 1 :] for number in range(len(value)))
        yield [*value, *value]
        yield from (
            [*value[:number], variant, *value[number + 1 :]]
            for number in range(len(value))
            for variant in variants(value[number])
        )
    yield from (
        variant
        for variant in (None, True, False, 0, 1, 1.5, "1", "x", [], {})
        if (type(variant), variant) != (type(value), value)
    )


@pytest.mark.parametrize("case, version", cases_with_response())
def test_an_app_that_needs_no_full_comparison_is_valid_and_does_not_differ(case, version):
    current = response(case, version)
    full_definition = {
        name: value for name, value in current.items() if name not in app.RUNTIME_FIELDS
    }
    for desired in (POSTED[case], full_definition):
        for variant in (
            variant for variant in (desired, *variants(desired)) if isinstance(variant, dict)
        ):
            if app.stands(current, variant, app.release(version)):
                app.check(variant, version)
                assert app.diff(current, variant, version) == {}, variant


def test_only_apps_in_the_newer_form_need_no_full_comparison():
    standing = {
        case
        for case in POSTED
        if (current := response(case, NEW)) and app.stands(current, POSTED[case], app.release(NEW))
    }
    assert standing == {
        "minimal",
        "numbers and labels",
        "args",
        "user network, new form",
        "fetch",
        "port definitions",
        "no ports",
        "roles",
    }


def test_a_mapping_that_omits_only_constant_defaults_needs_no_full_comparison():
    port = {"containerPort": 80, "protocol": "tcp", "labels": {}}
    current = {
        **WEB,
        "container": {
            "type": "DOCKER",
            "docker": {"image": "x"},
            "volumes": [],
            "portMappings": [{**port, "name": "http"}],
        },
    }
    for mapping, is_equal in (
        ({**port, "servicePort": 0}, False),
        (port, False),
        ({"containerPort": 80, "name": "http"}, True),
    ):
        desired = {"container": {"docker": {"image": "x"}, "portMappings": [mapping]}}
        assert app.stands(current, desired, app.release(NEW)) is is_equal


def test_an_empty_constraint_value_from_an_old_marathon_is_not_a_difference():
    current = {**WEB, "constraints": [["hostname", "UNIQUE", ""]], "labels": {}}
    assert app.diff(current, {"labels": {"team": "a"}}, OLD) == {
        "/labels/team": {"old": None, "new": "a"}
    }


# --- random apps ---


def random_apps(count):
    """Yield random combinations of the cases, the same ones in every run."""
    generator = random.Random(20300101)
    for _ in range(count):
        definition = {}
        for part in generator.sample(list(POSTED.values()), generator.randint(1, 4)):
            definition |= part
        if "cmd" in definition and "args" in definition:
            del definition["cmd"]
        if "networks" in definition:
            definition.pop("ipAddress", None)
            if "docker" in definition.get("container", {}):
                definition["container"] = {
                    **definition["container"],
                    "docker": {
                        key: value
                        for key, value in definition["container"]["docker"].items()
                        if key not in ("network", "portMappings")
                    },
                }
        yield definition


@pytest.mark.parametrize("version", VERSIONS)
def test_the_canonical_form_of_any_app_is_stable(version):
    for definition in random_apps(200):
        form = app.canonical(definition, version)
        assert app.canonical(form, version) == form
        assert app.canonical(json.loads(json.dumps(form)), version) == form
        assert (
            app.diff(definition, definition, version)
            == app.diff(form, definition, version, "replace")
            == app.diff(definition, form, version)
            == {}
        )
        try:
            sent = app.prepared(definition, version)
        except ValueError:
            assert app.release(version) < (1, 5)
            continue
        assert app.diff(sent, definition, version, "replace") == {}
        assert app.prepared(sent, version) == sent


# --- the fake, which was written independently ---


def without_label(changes):
    """Remove the change of the label from the changes, and return the others."""
    assert changes.pop("/labels/owner") == {"old": None, "new": "b"}
    return changes


def accepted_since_1_5(config):
    """
    Return an app without what Marathon refuses since 1.5 and drops before: the path of a command
    check.
    """
    checks = [
        {name: value for name, value in check.items() if name != "path"}
        if check.get("protocol") == "COMMAND"
        else check
        for check in config.get("healthChecks", [])
    ]
    return {**config, "healthChecks": checks} if checks else config


class Server:
    """A fake Marathon of one version."""

    def __init__(self, version, url):
        self.version, self.url = version, f"{url}/v2"

    def ask(self, method, path, **options):
        answer = requests.request(method, self.url + path, timeout=30, **options)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def differences(self, config):
        """Post an app, add a label, and yield the differences after each step: none."""
        path = self.ask("POST", "/apps", json=app.prepared(config, self.version))["id"]
        current = self.ask("GET", f"/apps{path}")["app"]
        yield app.diff(current, config, self.version)
        yield app.diff(current, config, self.version, "replace")
        changed = {**config, "labels": {**config.get("labels", {}), "owner": "b"}}
        yield without_label(app.diff(current, changed, self.version))
        self.ask(
            "PUT",
            f"/apps{path}",
            json=app.merged(current, changed, self.version),
            params={"force": "true", "partialUpdate": "false"},
        )
        yield app.diff(self.ask("GET", f"/apps{path}")["app"], changed, self.version)

    def pod_differences(self, config):
        self.ask("POST", "/pods", json=app.prepared_pod(config, self.version))
        current = self.ask("GET", f"/pods{config['id']}")
        yield app.diff_pod(current, config, self.version)
        yield app.diff_pod(current, config, self.version, "replace")
        changed = {**config, "labels": {"owner": "b"}}
        yield without_label(app.diff_pod(current, changed, self.version))
        self.ask(
            "PUT",
            f"/pods{config['id']}",
            json=app.merged_pod(current, changed, self.version),
            params={"force": "true"},
        )
        yield app.diff_pod(self.ask("GET", f"/pods{config['id']}"), changed, self.version)


@pytest.mark.parametrize("version", LINES)
def test_a_posted_app_or_pod_does_not_differ_from_the_response_of_the_fake(
    version, running, record_property
):
    local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
    agents = Agents(agent("lxb001.devops.test", {"rack": "r1"}))
    server = Server(
        version, running(Marathon(local, None, version, servers=MemoryRoom(), agents=agents)).url
    )
    outcome, differences = dict.fromkeys(POSTED), {}
    for number, (case, config) in enumerate(POSTED.items()):
        config = {**config, "id": config["id"].replace("web", f"web-{number}")}
        if app.release(version) >= (1, 5):
            config = accepted_since_1_5(config)
        try:
            app.check(config, version)
        except ValueError:
            outcome[case] = "rejected"
        else:
            differences[case] = list(server.differences(config))
    if app.release(version) >= (1, 4):
        differences["pod"] = list(server.pod_differences(POD))
    outcome |= {
        case: "differs" if any(changes) else "same" for case, changes in differences.items()
    }
    record_property("table", ("Response of Marathon and posted app", version, outcome))
    assert {case: changes for case, changes in differences.items() if any(changes)} == {}
    assert [case for case, result in outcome.items() if result == "rejected"] == [
        case for case in POSTED if is_unsupported(case, version)
    ]
