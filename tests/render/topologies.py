"""Topologies with errors, and files that are not topologies."""

import copy
import itertools

import yaml

from lab import ROOT

TOPOLOGY = ROOT / "pillar" / "topology.yaml"
REPOSITORY_TOPOLOGY = yaml.safe_load(TOPOLOGY.read_text())


def topology(*changes: dict, **keys) -> dict:
    """
    Return the repository's topology with changes: entries by the first label of their id, and
    further keys.

    ``topology({"lxcc01": {"zookeeper_id": 7, "address": None}}, allow_even=True)``: None removes a
    key or an entry. A complete id or glob adds an entry.
    """
    contents = copy.deepcopy(REPOSITORY_TOPOLOGY)
    nodes = contents["nodes"]
    names = {node.partition(".")[0]: node for node in nodes}
    for label, change in itertools.chain.from_iterable(entries.items() for entries in changes):
        name = names.get(label, label)
        if change is None:
            del nodes[name]
        elif not isinstance(change, dict) or name not in nodes:
            nodes[name] = change
        else:
            nodes[name] = {
                key: value for key, value in {**nodes[name], **change}.items() if value is not None
            }
    return {**contents, **keys}


def entry_error(name: str, key: str, value: object, message: str) -> tuple[str, str, str]:
    """Return an error of an entry of the domain."""
    setting = f"topology:nodes:{name}.devops.test" + (f":{key}" if key else "")
    return setting, str(value), message


def key_error(key: str, value: object, message: str) -> tuple[str, str, str]:
    """Return an error outside of the entries."""
    return f"topology:{key}", str(value), message


AGENT = {"address": "172.31.250.70", "roles": ["docker"]}
EVEN_MASTERS = (
    "topology:nodes",
    "2 Mesos masters (lxcc01.devops.test, lxcc02.devops.test)",
    "no more failures than 1",
)
EVEN_SERVERS = (
    "topology:nodes",
    "2 voting ZooKeeper servers (lxcc01.devops.test, lxcc02.devops.test)",
    "allow_even: true",
)
NOT_AN_ADDRESS = "not an IPv4 address. Example: 10.0.0.11."
NOWHERE = "no other node could reach it"

# Name -> topology, and all of its errors: setting, value as text, and a part of the message.
ERRORS = {
    # ZooKeeper ids
    "no id": (
        topology({"lxcc02": {"zookeeper_id": None}}),
        [entry_error("lxcc02", "zookeeper_id", "null", "missing. A ZooKeeper server needs")],
    ),
    "two with one id": (
        topology({"lxcc02": {"zookeeper_id": 1}}),
        [entry_error("lxcc02", "zookeeper_id", 1, "lxcc01.devops.test has the same id")],
    ),
    "id 0": (
        topology({"lxcc02": {"zookeeper_id": 0}}),
        [entry_error("lxcc02", "zookeeper_id", 0, "from 1 to 255")],
    ),
    "id 256": (
        topology({"lxcc02": {"zookeeper_id": 256}}),
        [entry_error("lxcc02", "zookeeper_id", 256, "from 1 to 255")],
    ),
    "id that is text": (
        topology({"lxcc02": {"zookeeper_id": "2"}}),
        [entry_error("lxcc02", "zookeeper_id", "'2'", "from 1 to 255")],
    ),
    "id that is true": (
        topology({"lxcc02": {"zookeeper_id": True}}),
        [entry_error("lxcc02", "zookeeper_id", "true", "from 1 to 255")],
    ),
    "id without the role": (
        topology({"lxcm01": {"zookeeper_id": 9}}),
        [entry_error("lxcm01", "zookeeper_id", 9, "only for a node with the role zookeeper")],
    ),
    "observer without the role": (
        topology({"lxcm01": {"zookeeper_observer": True}}),
        [entry_error("lxcm01", "zookeeper_observer", "true", "only for a node with the role")],
    ),
    "observer that is text": (
        topology({"lxcc01": {"zookeeper_observer": "yes"}}),
        [entry_error("lxcc01", "zookeeper_observer", "'yes'", "true or false")],
    ),
    # Members
    "two control nodes": (topology({"lxcc03": None}), [EVEN_SERVERS, EVEN_MASTERS]),
    "two that vote": (topology({"lxcc03": {"zookeeper_observer": True}}), [EVEN_SERVERS]),
    "two masters": (topology({"lxcc03": {"roles": ["zookeeper"]}}), [EVEN_MASTERS]),
    "no server votes": (
        topology({f"lxcc0{number}": {"zookeeper_observer": True} for number in (1, 2, 3)}),
        [
            entry_error(
                "lxcc01",
                "roles",
                "zookeeper, mesos-master, marathon, chronos",
                "there are no voting ZooKeeper servers. zookeeper, mesos-master, mesos-slave, "
                "marathon, chronos cannot run without them.",
            )
        ],
    ),
    "slaves without a master": (
        topology({f"lxcc0{number}": {"roles": "zookeeper"} for number in (1, 2, 3)}),
        [
            entry_error(
                "lxb*",
                "roles",
                "mesos-slave, docker",
                "there are no Mesos masters. mesos-slave cannot run without them.",
            )
        ],
    ),
    "Marathon alone": (
        topology(
            {
                "lxcc01": None,
                "lxcc02": None,
                "lxcc03": None,
                "lxb*": {"roles": []},
                "lxcm01": {"roles": "marathon"},
            }
        ),
        [
            entry_error(
                "lxcm01",
                "roles",
                "marathon",
                "there are no voting ZooKeeper servers. marathon cannot run without them.",
            ),
            entry_error(
                "lxcm01",
                "roles",
                "marathon",
                "there are no Mesos masters. marathon cannot run without them.",
            ),
        ],
    ),
    "members by a glob": (
        topology({"lxb*": {"roles": ["marathon", "docker"]}}),
        [entry_error("lxb*", "roles", "['marathon', 'docker']", "not possible for a glob")],
    ),
    "servers by a glob": (
        topology({"lxb*": {"roles": ["zookeeper"], "zookeeper_id": 4}}),
        [entry_error("lxb*", "roles", "['zookeeper']", "not possible for a glob")],
    ),
    "allow_even that is text": (
        topology(allow_even="yes"),
        [key_error("allow_even", "'yes'", "true or false")],
    ),
    # Addresses
    "no address": (
        topology({"lxcc02": {"address": None}}),
        [entry_error("lxcc02", "address", "null", "missing. Example: 10.0.0.11.")],
    ),
    "no network": (
        topology({"lxb*": {"address": None}}),
        [entry_error("lxb*", "address", "null", "missing. Example: 10.0.0.0/24.")],
    ),
    "two with one address": (
        topology({"lxcc02": {"address": "172.31.250.11"}}),
        [
            entry_error(
                "lxcc02", "address", "172.31.250.11", "lxcc01.devops.test has the same address"
            )
        ],
    ),
    "address out of range": (
        topology({"lxcc02": {"address": "172.31.250.256"}}),
        [entry_error("lxcc02", "address", "172.31.250.256", NOT_AN_ADDRESS)],
    ),
    "address with a port": (
        topology({"lxcc02": {"address": "10.0.0.1:22"}}),
        [entry_error("lxcc02", "address", "10.0.0.1:22", NOT_AN_ADDRESS)],
    ),
    "address that is a name": (
        topology({"lxcc02": {"address": "lxcc02"}}),
        [entry_error("lxcc02", "address", "lxcc02", NOT_AN_ADDRESS)],
    ),
    "address that is a number": (
        topology({"lxcc02": {"address": 2887780875}}),
        [entry_error("lxcc02", "address", 2887780875, NOT_AN_ADDRESS)],
    ),
    "address that is a list": (
        topology({"lxcc02": {"address": ["10.0.0.1"]}}),
        [entry_error("lxcc02", "address", "['10.0.0.1']", NOT_AN_ADDRESS)],
    ),
    "IPv6": (
        topology({"lxcc02": {"address": "fd00::1"}}),
        [entry_error("lxcc02", "address", "fd00::1", NOT_AN_ADDRESS)],
    ),
    "loopback": (
        topology({"lxcc02": {"address": "127.0.1.1"}}),
        [entry_error("lxcc02", "address", "127.0.1.1", NOWHERE)],
    ),
    "multicast": (
        topology({"lxcc02": {"address": "224.0.0.1"}}),
        [entry_error("lxcc02", "address", "224.0.0.1", NOWHERE)],
    ),
    "unspecified": (
        topology({"lxcc02": {"address": "0.0.0.0"}}),
        [entry_error("lxcc02", "address", "0.0.0.0", NOWHERE)],
    ),
    "broadcast": (
        topology({"lxcc02": {"address": "255.255.255.255"}}),
        [entry_error("lxcc02", "address", "255.255.255.255", NOWHERE)],
    ),
    "a network for one node": (
        topology({"lxcc02": {"address": "10.0.0.0/24"}}),
        [entry_error("lxcc02", "address", "10.0.0.0/24", "a network. Only globs have one")],
    ),
    "an address for a glob": (
        topology({"lxb*": {"address": "172.31.250.65"}}),
        [
            entry_error(
                "lxb*",
                "address",
                "172.31.250.65",
                "an address. A glob needs the network of its nodes. Example: 10.0.0.0/24.",
            )
        ],
    ),
    "a network by one of its addresses": (
        topology({"lxb*": {"address": "172.31.250.65/26"}}),
        [entry_error("lxb*", "address", "172.31.250.65/26", "Did you mean 172.31.250.64/26?")],
    ),
    "a network that is none": (
        topology({"lxb*": {"address": "172.31.250.64/33"}}),
        [entry_error("lxb*", "address", "172.31.250.64/33", "not a network")],
    ),
    "a glob with a name": (
        topology({"lxb*": {"address": "agents"}}),
        [entry_error("lxb*", "address", "agents", "not a network")],
    ),
    "all addresses there are": (
        topology({"lxb*": {"address": "0.0.0.0/0"}}),
        [entry_error("lxb*", "address", "0.0.0.0/0", NOWHERE)],
    ),
    # Words
    "unknown role": (
        topology({"lxcc02": {"roles": ["zookeper", "mesos-master", "marathon", "chronos"]}}),
        [
            entry_error(
                "lxcc02",
                "roles",
                "zookeper",
                "no such role. Did you mean zookeeper? Known: zookeeper,",
            )
        ],
    ),
    "role assigned twice": (
        topology({"lxb*": {"roles": ["docker", "mesos-slave", "docker"]}}),
        [entry_error("lxb*", "roles", "docker", "assigned twice")],
    ),
    "roles that are a number": (
        topology({"lxcm01": {"roles": 7}}),
        [entry_error("lxcm01", "roles", 7, "should be a list of roles")],
    ),
    "roles that are nothing": (
        topology({"lx9.devops.test": {"address": "10.0.0.9", "roles": None}}),
        [entry_error("lx9", "roles", "null", "[] for none")],
    ),
    "role that is a mapping": (
        topology({"lxcm01": {"roles": [{"docker": True}]}}),
        [entry_error("lxcm01", "roles", "{'docker': True}", "no such role. Known: zookeeper,")],
    ),
    "unknown key of an entry": (
        topology({"lxcc02": {"adress": "10.0.0.1"}}),
        [
            entry_error(
                "lxcc02", "adress", "10.0.0.1", "Did you mean address? Known: address, roles,"
            )
        ],
    ),
    "key of an entry that is a number": (
        topology({"lxcc02": {7: 8}}),
        [entry_error("lxcc02", "7", 8, "no such key. Known: address,")],
    ),
    "unknown key of the topology": (
        topology(port={}),
        [key_error("port", "{}", "Did you mean ports? Known: nodes, advertise, ports")],
    ),
    "unknown word for advertise": (
        topology(advertise="fqdn"),
        [key_error("advertise", "fqdn", "should be address, or name")],
    ),
    "advertise nothing": (
        topology(advertise=None),
        [key_error("advertise", "null", "should be address, or name")],
    ),
    "an id with a space": (
        topology({"lxb 1": AGENT}),
        [key_error("nodes:lxb 1", "lxb 1", "not a minion id")],
    ),
    "an id that is a number": (
        topology({7: AGENT}),
        [key_error("nodes:7", "7", "put it in quotes")],
    ),
    "the id of the Salt master": (
        topology({"lxcm01.devops.test_master": AGENT}),
        [
            key_error(
                "nodes:lxcm01.devops.test_master",
                "lxcm01.devops.test_master",
                "the Salt master needs ids",
            )
        ],
    ),
    # Ports and paths
    "unknown port": (
        topology(ports={"zk": 1}),
        [key_error("ports:zk", 1, "no such key. Known: zookeeper, zookeeper-peer,")],
    ),
    "port with a likeness": (
        topology(ports={"marathn": 1}),
        [key_error("ports:marathn", 1, "Did you mean marathon?")],
    ),
    "port out of range": (
        topology(ports={"marathon": 65536}),
        [key_error("ports:marathon", 65536, "from 1 to 65535")],
    ),
    "port that is text": (
        topology(ports={"marathon": "8080"}),
        [key_error("ports:marathon", "'8080'", "from 1 to 65535")],
    ),
    "port that is nothing": (
        topology(ports={"marathon": None}),
        [key_error("ports:marathon", "null", "from 1 to 65535")],
    ),
    "ports that are a list": (
        topology(ports=[8080]),
        [key_error("ports", "[8080]", "should be a mapping. Known: zookeeper,")],
    ),
    "two ports the same": (
        topology(ports={"marathon": 9000, "chronos": 9000}),
        [
            key_error(
                "ports:chronos", 9000, "also the port of marathon on lxcc01.devops.test. Change one"
            )
        ],
    ),
    "a port that is another's default": (
        topology(ports={"zookeeper": 3888}),
        [key_error("ports:zookeeper", 3888, "the port of zookeeper-election")],
    ),
    "unknown path": (
        topology(chroots={"marthon": "/m"}),
        [key_error("chroots:marthon", "/m", "Did you mean marathon? Known: mesos,")],
    ),
    "path without a slash": (
        topology(chroots={"mesos": "mesos"}),
        [key_error("chroots:mesos", "mesos", "Example: /mesos.")],
    ),
    "path with an end too many": (
        topology(chroots={"mesos": "/mesos/"}),
        [key_error("chroots:mesos", "/mesos/", "Example: /mesos.")],
    ),
    "path of all": (
        topology(chroots={"mesos": "/"}),
        [key_error("chroots:mesos", "/", "Example: /mesos.")],
    ),
    "path with dots": (
        topology(chroots={"mesos": "/a/../b"}),
        [key_error("chroots:mesos", "/a/../b", "Example: /mesos.")],
    ),
    "path of ZooKeeper": (
        topology(chroots={"mesos": "/zookeeper"}),
        [key_error("chroots:mesos", "/zookeeper", "Example: /mesos.")],
    ),
    "paths that are text": (
        topology(chroots="/mesos"),
        [key_error("chroots", "/mesos", "should be a mapping. Known: mesos,")],
    ),
    # Three at once
    "three at once": (
        topology(
            {
                "lxcc01": {"zookeeper_id": 300},
                "lxcc02": {"address": "172.31.250.13"},
                "lxb*": {"roles": ["mesos-slave", "dokcer"]},
            }
        ),
        [
            entry_error("lxcc01", "zookeeper_id", 300, "from 1 to 255"),
            entry_error("lxb*", "roles", "dokcer", "Did you mean docker?"),
            entry_error(
                "lxcc03", "address", "172.31.250.13", "lxcc02.devops.test has the same address"
            ),
        ],
    ),
}

# An alias bomb: nine to the power of nine words, if they are written out.
ALIAS_BOMB = (
    "a: &a [x]\n"
    + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "nodes: {a: *j}\n"
)

HUGE = f"0x{'f' * 9000}"

# Name -> contents of a file that is not a topology (None: no file), and a part of one of its
# error messages.
UNREADABLE = {
    "no file": (None, "no such file"),
    "nothing": ("", "should be a mapping with the key nodes"),
    "comments alone": ("# nodes:\n", "should be a mapping with the key nodes"),
    "without nodes": ("advertise: name\n", "should be a mapping with the key nodes"),
    "a list at the top": ("- lxcc01\n- lxcc02\n", "should be a mapping with the key nodes"),
    "a word": ("nodes\n", "should be a mapping with the key nodes"),
    "nodes is a number": ("nodes: 7\n", "nodes = 7"),
    "nodes is a list": ("nodes: [lxcc01, lxcc02]\n", "should be a mapping: minion id or glob"),
    "nodes is null": ("nodes:\n", "should be a mapping: minion id or glob"),
    "empty entries": (
        "nodes:\n  a:\n  b: null\n  c: ~\n",
        "should be a mapping. Known: address,",
    ),
    "entries of all kinds": (
        "nodes: {a: 1, b: x, c: [1], d: true, e: 1.5, f: 2024-01-01, 1.5: {}, "
        "null: {}, true: {}}\n",
        "Known: address,",
    ),
    "everything deeper": (
        "nodes: {a: {address: {a: [{}]}, roles: {x: {}}, zookeeper_id: [[1]], "
        "zookeeper_observer: {}, [x, y]: 1}}\n",
        "unacceptable key",
    ),
    "values of all kinds": (
        "nodes: {a: {address: {a: [{}]}, roles: {x: {}}, zookeeper_id: [[1]], "
        "zookeeper_observer: {}}}\n"
        "ports: {zookeeper: {}, 7: 7, null: []}\nchroots: {mesos: [[]], marathon: .nan}\n"
        "advertise: []\nallow_even: {}\n",
        "should be a list of roles",
    ),
    "bytes and sets": (
        "nodes: {a: {address: !!binary aGk=, roles: !!set {x, y}, zookeeper_id: .inf}}\n",
        "should be a list of roles",
    ),
    "a topology inside itself": ("nodes: &all {a: *all}\n", "no such key. Known: address,"),
    "alias bomb": (ALIAS_BOMB, "should be a mapping."),
    "huge numbers": (
        f"nodes: {{a: {{address: {HUGE}, roles: [{HUGE}]}}, ? {HUGE} : 1}}\n? {HUGE}e\n: 1\n",
        "too long",
    ),
    "a number that Python refuses": (
        f"nodes: {{a: {{zookeeper_id: {'9' * 9000}}}}}\n",
        "cannot be read. ValueError",
    ),
    "a line without a colon": (
        "nodes:\n  lxcc01\n    address: 10.0.0.1\n",
        "cannot be read. line 3",
    ),
    "a bracket without an end": ("nodes: {lxcc01: {roles: [docker}\n", "cannot be read. line 1"),
    "tabs": ("nodes:\n\tlxcc01:\n\t\taddress: 10.0.0.1\n", "cannot be read. line 2"),
    "an entry twice": (
        "nodes:\n  lxcc01:\n    address: 10.0.0.1\n  lxcc01:\n    address: 10.0.0.2\n",
        "cannot be read. line 4: duplicate key 'lxcc01'.",
    ),
    "a key twice": (
        "nodes:\n  a: {address: 10.0.0.1, address: 10.0.0.2}\n",
        "cannot be read. line 2: duplicate key 'address'.",
    ),
    "two documents": ("nodes: {}\n---\nnodes: {}\n", "cannot be read."),
    "a Python object": ("nodes: !!python/object:os.system {}\n", "cannot be read."),
    "a type that does not fit": ("nodes: !!bool maybe\n", "cannot be read."),
    "a reference to nothing": ("nodes: *nobody\n", "cannot be read."),
    "Jinja": ("{% set domain = 'devops.test' %}\nnodes: {}\n", "cannot be read."),
    "not UTF-8": (b"nodes: {\xff\xfe: 1}\n", "cannot be read. UnicodeDecodeError"),
    "control characters": (
        'nodes: {"a\\0b\\u2028\\e": {address: "\\x07\\n\\n"}}\n',
        "not a minion id",
    ),
    "half a character": ('nodes: {"\\ud800": {}}\n', ""),
    "very deep": (f"nodes: {'[' * 5000}{']' * 5000}\n", ""),
}
