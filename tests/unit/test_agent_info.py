"""
The checkpoint of an agent, and the changes of flags with which it still starts.

The modules and the fake agent each have a reader and a comparison. Both are tested with messages
that the protobuf library wrote with include/mesos/mesos.proto of apache/mesos
(data/slave-info.json), and compared with each other.
"""

import importlib.util
import itertools
import json
from pathlib import Path

import pytest

from lab import ROOT
from lab.fakes.mesos import resources as fake_resources
from lab.fakes.mesos import slave_info

RECORDS = json.loads(Path(__file__).with_name("data").joinpath("slave-info.json").read_text())


def helper():
    """Return ``_modules/_agent_info.py``, which a module would import."""
    spec = importlib.util.spec_from_file_location("_agent_info", ROOT / "_modules/_agent_info.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_agent_info = helper()


def title(record):
    return f"{record['name']}, {record['proto']}"


each_record = pytest.mark.parametrize("record", RECORDS, ids=title)


def checkpoint(work_dir: Path, content: bytes) -> Path:
    """Write a checkpoint as an agent does. Returns the work directory."""
    directory = work_dir / "meta" / "slaves" / "S0"
    directory.mkdir(parents=True)
    (directory / "slave.info").write_bytes(content)
    (work_dir / "meta" / "slaves" / "latest").symlink_to(directory)
    return work_dir


# --- reading and writing ---


@each_record
def test_the_fake_agent_writes_what_the_protobuf_library_writes(record):
    message = slave_info.encode("SlaveInfo", record["message"])
    assert message == bytes.fromhex(record["bytes"])[4:]
    assert slave_info.decode("SlaveInfo", message) == record["message"]


@pytest.mark.parametrize("record", [entry for entry in RECORDS if "text" in entry], ids=title)
def test_the_fake_agent_prints_an_info_as_the_protobuf_library_does(record):
    assert slave_info.text("SlaveInfo", record["message"]) == record["text"]


@each_record
def test_a_checkpoint_is_read_as_the_protobuf_library_wrote_it(record, tmp_path):
    info = _agent_info.read(str(checkpoint(tmp_path, bytes.fromhex(record["bytes"]))))
    message = record["message"]
    assert info["id"] == message["id"]["value"]
    assert (info["hostname"], info["port"]) == (message["hostname"], message["port"])
    values = {entry["name"]: fake_resources.plain(entry) for entry in message.get("attributes", [])}
    texts = _agent_info.as_text(info)
    assert texts["attributes"] == {
        name: f"{value:g}" if isinstance(value, float) else value for name, value in values.items()
    }


def test_resources_have_their_role_and_disk_as_label(tmp_path):
    by_title = {title(record): bytes.fromhex(record["bytes"]) for record in RECORDS}
    everything = _agent_info.read(str(checkpoint(tmp_path / "a", by_title["everything, 1.11.0"])))
    assert _agent_info.as_text(everything)["resources"] == {
        "cpus": "4",
        "mem": "2048",
        "disk": "252899",
        "ports": "[31000-32000, 33000-33000]",
        "cpus(web)": "0.5",
        "mem(web)": "512",
        "licenses": "{a, b}",
    }
    disks = _agent_info.read(str(checkpoint(tmp_path / "b", by_title["domain and disks, 1.11.0"])))
    assert _agent_info.as_text(disks)["resources"] == {
        "disk[MOUNT:/data]": "100",
        "disk(db)[PATH:/ssd]": "200",
    }
    assert disks["domain"] == {"region": "eu", "zone": "eu-1"}


def test_an_agent_that_never_registered_has_no_checkpoint(tmp_path):
    assert _agent_info.read(str(tmp_path)) is None
    assert _agent_info.read(str(tmp_path / "missing")) is None
    (tmp_path / "meta" / "slaves" / "S0").mkdir(parents=True)
    (tmp_path / "meta" / "slaves" / "latest").symlink_to("S0")
    assert _agent_info.read(str(tmp_path)) is None


def test_an_empty_checkpoint_counts_as_none_as_in_mesos(tmp_path):
    assert _agent_info.read(str(checkpoint(tmp_path, b""))) is None


def damaged():
    content = bytes.fromhex(RECORDS[0]["bytes"])
    yield "a part", content[:-1]
    yield "more than the message", content + b"x"
    yield "three bytes", content[:3]
    yield "text", b'{"hostname": "h"}'
    yield "no host name", slave_info.write({"port": 1, "resources": []})
    yield "an unknown type", b"\x08\x00\x00\x00\x0a\x01h\x2a\x03\x10\x09\x00"
    yield "a number instead of text", b"\x02\x00\x00\x00\x08\x01"


@pytest.mark.parametrize("content", dict(damaged()).values(), ids=dict(damaged()).keys())
def test_unknown_content_is_unreadable(content, tmp_path):
    with pytest.raises(_agent_info.Unreadable, match=r"slave\.info is not the SlaveInfo"):
        _agent_info.read(str(checkpoint(tmp_path, content)))


def test_a_link_to_a_missing_directory_is_unreadable(tmp_path):
    (tmp_path / "meta" / "slaves").mkdir(parents=True)
    (tmp_path / "meta" / "slaves" / "latest").symlink_to(tmp_path / "gone")
    with pytest.raises(_agent_info.Unreadable, match="leads to .*/gone, which is missing"):
        _agent_info.read(str(tmp_path))


def test_fields_of_later_versions_are_ignored(tmp_path):
    message = slave_info.encode("SlaveInfo", RECORDS[1]["message"])
    unknown = b"\xa2\x06\x03new\xa8\x06\x96\x01\xb1\x06" + b"\x00" * 8 + b"\xbd\x06" + b"\x00" * 4
    content = (len(message + unknown)).to_bytes(4, "little") + message + unknown
    assert _agent_info.read(str(checkpoint(tmp_path, content)))["hostname"] == "h"


# --- flags ---


def flags(**texts):
    names = ("attributes", "resources", "hostname", "port", "domain", "default_role")
    return _agent_info.declared(*(texts.get(name) for name in names))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("rack:r1", ("TEXT", "r1")),
        ("rack:r 1", ("TEXT", "r1")),
        ("url:http://h:1", ("TEXT", "http://h:1")),
        ("ssd:1", ("SCALAR", "1")),
        ("ssd:1.0005", ("SCALAR", "1.001")),
        ("ssd:1e3", ("SCALAR", "1000")),
        ("ssd:0x10", ("SCALAR", "16")),
        ("ssd:-1", ("TEXT", "-1")),
        ("ssd:nan", ("TEXT", "nan")),
        ("ssd:1_0", ("TEXT", "1_0")),
        ("vlans:[5-9, 1-4,20-20]", ("RANGES", "[1-9, 20-20]")),
    ],
)
def test_attributes_are_parsed_as_mesos_parses_them(text, expected):
    [attribute] = flags(attributes=text)["attributes"]
    assert (attribute["type"], _agent_info.format_value(attribute)) == expected


def test_resources_are_parsed_from_text_and_from_json():
    text = flags(resources="cpus:4;mem(web):512; ports : [1-2]")
    entries = [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 4}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 512}, "role": "web"},
        {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}},
    ]
    assert flags(resources=json.dumps(entries))["resources"] == text["resources"]
    labels = [entry["label"] for entry in text["resources"]]
    assert labels == ["cpus", "mem(web)", "ports"] and text["detected"] == ["disk", "gpus"]


def test_resources_that_no_flag_declares_are_detected_in_the_default_role():
    declared = flags(resources="cpus:4", default_role="web")
    assert declared["detected"] == ["mem(web)", "disk(web)", "gpus(web)"]
    labels = [entry["label"] for entry in declared["resources"]]
    assert labels == ["cpus(web)", "ports(web)"]


def test_a_flag_may_be_a_file(tmp_path):
    (tmp_path / "attributes").write_text("rack:r1\n")
    [attribute] = flags(attributes=f"file://{tmp_path}/attributes")["attributes"]
    assert attribute == {"name": "rack", "type": "TEXT", "value": "r1"}
    with pytest.raises(ValueError, match="/missing: No such file"):
        flags(attributes=f"file://{tmp_path}/missing")


@pytest.mark.parametrize(
    "texts, message",
    [
        ({"attributes": "rack"}, "attributes: rack should be NAME:VALUE"),
        ({"attributes": "rack:[1-2-3]"}, r"\[1-2-3\] should be ranges"),
        ({"resources": "cpus=4"}, "resources: cpus=4 should be NAME:VALUE"),
        ({"resources": "cpus:many"}, "resources: cpus should be a number, ranges or a set"),
        ({"resources": "cpus(web:1"}, r"resources: the parentheses in cpus\(web do not match"),
        ({"resources": "[1]"}, "resources: .* is not a list of resources in JSON"),
        ({"domain": "eu"}, "domain: eu is not a fault domain in JSON"),
    ],
)
def test_what_an_agent_does_not_accept_is_an_error(texts, message):
    with pytest.raises(ValueError, match=message):
        flags(**texts)


# --- policies ---


@pytest.mark.parametrize(
    "version, policy, expected",
    [
        ("1.4.3", "additive", "equal"),
        ("1.0.0", None, "equal"),
        ("1.5.0", "additive", "additive"),
        ("1.10.0", "additive", "additive"),
        ("1.10.0", None, "equal"),
        (None, "additive", "additive"),
    ],
)
def test_before_mesos_1_5_everything_must_be_equal(version, policy, expected):
    assert _agent_info.effective_policy(version, policy) == expected


def test_no_version_of_mesos_has_the_policy_any():
    with pytest.raises(ValueError, match="reconfiguration_policy: any should be equal or additive"):
        _agent_info.effective_policy("1.11.0", "any")


DOMAINS = [
    json.dumps({"fault_domain": {"region": {"name": "eu"}, "zone": {"name": zone}}})
    for zone in ("a", "b")
]
BASE = {
    "attributes": "rack:r1;ssd:1;vlans:[10-20]",
    "resources": "cpus:4;mem:2048;disk:100;ports:[31000-32000];tags:{a,b};cpus(web):1",
    "hostname": "h",
    "port": "5051",
    "domain": DOMAINS[0],
}
# Name -> changed flags, the differences that ``equal`` refuses, and whether ``additive`` refuses.
CHANGES = {
    "nothing": ({}, [], False),
    "order": ({"attributes": "ssd:1.0;vlans:[10-15,16-20];rack:r 1"}, [], False),
    "a part of a thousandth": ({"attributes": "rack:r1;ssd:1.0004;vlans:[10-20]"}, [], False),
    "host name": ({"hostname": "i"}, ["hostname"], True),
    "port": ({"port": "5052"}, ["port"], True),
    "domain": ({"domain": DOMAINS[1]}, ["domain"], True),
    "no domain": ({"domain": None}, ["domain"], True),
    "text attribute": (
        {"attributes": "rack:r2;ssd:1;vlans:[10-20]"},
        ["attributes/rack"],
        True,
    ),
    "more of a scalar attribute": (
        {"attributes": "rack:r1;ssd:2;vlans:[10-20]"},
        ["attributes/ssd"],
        True,
    ),
    "wider ranges of an attribute": (
        {"attributes": "rack:r1;ssd:1;vlans:[1-30]"},
        ["attributes/vlans"],
        False,
    ),
    "smaller ranges of an attribute": (
        {"attributes": "rack:r1;ssd:1;vlans:[10-19]"},
        ["attributes/vlans"],
        True,
    ),
    "another type of attribute": (
        {"attributes": "rack:1;ssd:1;vlans:[10-20]"},
        ["attributes/rack"],
        True,
    ),
    "a new attribute": (
        {"attributes": "rack:r1;ssd:1;vlans:[10-20];zone:z"},
        ["attributes/zone"],
        False,
    ),
    "a removed attribute": (
        {"attributes": "rack:r1;vlans:[10-20]"},
        ["attributes/ssd"],
        True,
    ),
    "no attributes": (
        {"attributes": None},
        ["attributes/rack", "attributes/ssd", "attributes/vlans"],
        True,
    ),
    "more cpus": (
        {"resources": BASE["resources"].replace("cpus:4", "cpus:8")},
        ["resources/cpus"],
        False,
    ),
    "fewer cpus": (
        {"resources": BASE["resources"].replace("cpus:4", "cpus:3.999")},
        ["resources/cpus"],
        True,
    ),
    "cpus in two parts": (
        {"resources": BASE["resources"].replace("cpus:4", "cpus:1;cpus:3")},
        [],
        False,
    ),
    "cpus of another role": (
        {"resources": BASE["resources"].replace("(web)", "(db)")},
        ["resources/cpus(db)", "resources/cpus(web)"],
        True,
    ),
    "no cpus of a role": (
        {"resources": BASE["resources"].replace("cpus(web):1", "cpus(web):0")},
        ["resources/cpus(web)"],
        True,
    ),
    "more ports": (
        {"resources": BASE["resources"].replace("[31000-32000]", "[30000-32000]")},
        ["resources/ports"],
        False,
    ),
    "other ports": (
        {"resources": BASE["resources"].replace("[31000-32000]", "[31001-40000]")},
        ["resources/ports"],
        True,
    ),
    "ports by default": (
        {"resources": BASE["resources"].replace("ports:[31000-32000];", "")},
        [],
        False,
    ),
    "more of a set": (
        {"resources": BASE["resources"].replace("{a,b}", "{c,b,a}")},
        ["resources/tags"],
        False,
    ),
    "less of a set": (
        {"resources": BASE["resources"].replace("{a,b}", "{a}")},
        ["resources/tags"],
        True,
    ),
    "another type of resource": (
        {"resources": BASE["resources"].replace("{a,b}", "2")},
        ["resources/tags"],
        True,
    ),
    "a new resource": (
        {"resources": f"{BASE['resources']};licenses:3"},
        ["resources/licenses"],
        False,
    ),
}
each_change = pytest.mark.parametrize(
    "change, paths, is_refused", CHANGES.values(), ids=CHANGES.keys()
)


def fake_info(texts: dict) -> dict:
    """Return the AgentInfo that the fake agent makes of flags."""
    entries = fake_resources.resources(texts["resources"])
    if not any(entry["name"] == "ports" for entry in entries):
        entries += fake_resources.resources("ports:[31000-32000]")
    domain = {"domain": json.loads(texts["domain"])} if texts["domain"] else {}
    return {
        "hostname": texts["hostname"],
        "port": int(texts["port"]),
        "attributes": fake_resources.attributes(texts["attributes"] or ""),
        "resources": entries,
        "id": {"value": "S0"},
        "checkpoint": True,
        **domain,
    }


def checkpointed(work_dir, texts):
    return _agent_info.read(str(checkpoint(work_dir, slave_info.write(fake_info(texts)))))


@each_change
def test_equal_permits_no_difference(change, paths, is_refused, tmp_path):
    changed = {**BASE, **change}
    changes = _agent_info.differences(checkpointed(tmp_path, BASE), flags(**changed), "equal")
    assert list(changes) == paths
    error = slave_info.equal(fake_info(BASE), fake_info(changed), "1.11.0")
    assert bool(error) == bool(paths)


@each_change
def test_additive_permits_additions(change, paths, is_refused, tmp_path):
    changed = {**BASE, **change}
    changes = _agent_info.differences(checkpointed(tmp_path, BASE), flags(**changed), "additive")
    assert bool(changes) == is_refused and set(changes) <= set(paths)
    assert bool(slave_info.additive(fake_info(BASE), fake_info(changed))) == is_refused


def test_a_domain_may_be_added_once(tmp_path):
    no_domain = {**BASE, "domain": None}
    info = checkpointed(tmp_path, no_domain)
    assert _agent_info.differences(info, flags(**BASE), "additive") == {}
    assert slave_info.additive(fake_info(no_domain), fake_info(BASE)) is None
    assert _agent_info.differences(info, flags(**BASE), "equal") == {
        "domain": {"old": None, "new": "region eu, zone a"}
    }


@pytest.mark.parametrize("policy", _agent_info.POLICIES)
def test_modules_and_fake_agent_agree_on_every_pair_of_changes(policy, tmp_path):
    """Two changes at once, from each set of flags to each other one."""
    flag_sets = [{**BASE, **change} for change, _, _ in CHANGES.values()]
    infos = [checkpointed(tmp_path / str(number), texts) for number, texts in enumerate(flag_sets)]
    for (old, info), new in itertools.product(zip(flag_sets, infos, strict=True), flag_sets):
        changes = _agent_info.differences(info, flags(**new), policy)
        if policy == "equal":
            error = slave_info.equal(fake_info(old), fake_info(new), "1.11.0")
        else:
            error = slave_info.additive(fake_info(old), fake_info(new))
        assert bool(changes) == bool(error), (old, new, changes, error)


def test_differences_have_both_values(tmp_path):
    changed = {**BASE, "attributes": "rack:r2;ssd:1", "resources": "cpus:2;mem:2048;disk:100"}
    info = checkpointed(tmp_path, BASE)
    assert _agent_info.differences(info, flags(**changed), "additive") == {
        "attributes/rack": {"old": "r1", "new": "r2"},
        "attributes/vlans": {"old": "[10-20]", "new": None},
        "resources/cpus": {"old": "4", "new": "2"},
        "resources/cpus(web)": {"old": "1", "new": None},
        "resources/tags": {"old": "{a, b}", "new": None},
    }


def test_what_the_agent_detects_is_not_compared(tmp_path):
    info = checkpointed(tmp_path, BASE)
    declared = flags(**{**BASE, "resources": "cpus(web):1;tags:{a,b}", "hostname": None})
    assert _agent_info.differences(info, declared, "equal") == {
        # The flag names cpus, so the agent does not detect them.
        "resources/cpus": {"old": "4", "new": None}
    }
    assert _agent_info.uncompared(info, declared) == {
        "hostname": "h",
        "disk": "100",
        "mem": "2048",
    }


ADDITIVE_ERRORS = {
    "host name": "Configuration change not permitted under `additive` policy: "
    "Hostname changed from h to i",
    "port": "Configuration change not permitted under `additive` policy: "
    "Port changed from 5051 to 5052",
    "domain": "Configuration change not permitted under `additive` policy: Domain changed from "
    '{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"a"}}} to '
    '{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"b"}}}',
    "text attribute": "Configuration change not permitted under 'additive' policy: "
    "Value of text attribute 'rack' changed from r1 to r2",
    "more of a scalar attribute": "Configuration change not permitted under 'additive' policy: "
    "Value of scalar attribute 'ssd' changed from 1 to 2",
    "smaller ranges of an attribute": "Previous value of ranges resource 'vlans' ([10-20]) "
    "not included in current [10-19]",
    "another type of attribute": "Configuration change not permitted under 'additive' policy: "
    "Type of attribute 'rack' changed from 3 to 0",
    "a removed attribute": "Configuration change not permitted under 'additive' policy: "
    "Couldn't find attribute ssd=1",
    "fewer cpus": "Configuration change not permitted under 'additive' policy: "
    "Value of scalar resource 'cpus' decreased from 4 to 3.999",
    "no cpus of a role": "Configuration change not permitted under 'additive' policy. "
    "Resource not found: cpus(reservations: [(STATIC,web)]):1",
    "other ports": "Configuration change not permitted under 'additive' policy: "
    "Previous value of range resource 'ports' ([31000-32000]) "
    "not included in current [31001-40000]",
    "less of a set": "Configuration change not permitted under 'additive' policy: "
    "Previous value of set resource 'tags' ({a, b}) not included in current {a}",
}


@pytest.mark.parametrize("name", ADDITIVE_ERRORS)
def test_the_fake_agent_refuses_with_the_messages_of_mesos(name):
    """The messages are in src/slave/compatibility.cpp, the same from 1.5.0 to 1.11.0."""
    changed = {**BASE, **CHANGES[name][0]}
    assert slave_info.additive(fake_info(BASE), fake_info(changed)) == ADDITIVE_ERRORS[name]
