"""Tables that are refused: the one of the repository with a mistake in it, and files that are hardly tables at all."""

import copy

import yaml

from lab import ROOT

TABLE = ROOT / "pillar" / "topology.yaml"


def table(*changes: dict, **keys) -> dict:
    """
    The repository's table, with rows by the first part of their id changed and keys of the table set.

    ``table({"lxcc01": {"zookeeper_id": 7, "address": None}}, allow_even=True)``: None takes a key or a row away. A whole
    id or pattern names a row that is new.
    """
    given = copy.deepcopy(yaml.safe_load(TABLE.read_text()))
    nodes = given["nodes"]
    for name, change in (pair for some in changes for pair in some.items()):
        name = {row.partition(".")[0]: row for row in nodes}.get(name, name)
        if change is None:
            del nodes[name]
        elif not isinstance(change, dict) or name not in nodes:
            nodes[name] = change
        else:
            nodes[name] = {
                key: value for key, value in {**nodes[name], **change}.items() if value is not None
            }
    return {**given, **keys}


def row(name: str, key: str, value: object, wrong: str) -> tuple[str, str, str]:
    """A fault of a row of the domain."""
    return f"topology:nodes:{name}.devops.test" + (f":{key}" if key else ""), str(value), wrong


def top(key: str, value: object, wrong: str) -> tuple[str, str, str]:
    """A fault outside of the rows."""
    return f"topology:{key}", str(value), wrong


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
NOT_AN_ADDRESS = "not an IPv4 address. One looks like 10.0.0.11."
NOWHERE = "no other node could reach it"

# name -> table, and all of its faults: path, value as text, and words of what would be right.
FAULTS = {
    # ZooKeeper ids
    "no id": (
        table({"lxcc02": {"zookeeper_id": None}}),
        [row("lxcc02", "zookeeper_id", "null", "missing. A ZooKeeper server needs")],
    ),
    "two with one id": (
        table({"lxcc02": {"zookeeper_id": 1}}),
        [row("lxcc02", "zookeeper_id", 1, "lxcc01.devops.test has this id")],
    ),
    "id 0": (
        table({"lxcc02": {"zookeeper_id": 0}}),
        [row("lxcc02", "zookeeper_id", 0, "from 1 to 255")],
    ),
    "id 256": (
        table({"lxcc02": {"zookeeper_id": 256}}),
        [row("lxcc02", "zookeeper_id", 256, "from 1 to 255")],
    ),
    "id that is text": (
        table({"lxcc02": {"zookeeper_id": "2"}}),
        [row("lxcc02", "zookeeper_id", 2, "from 1 to 255")],
    ),
    "id that is true": (
        table({"lxcc02": {"zookeeper_id": True}}),
        [row("lxcc02", "zookeeper_id", "true", "from 1 to 255")],
    ),
    "id without the role": (
        table({"lxcm01": {"zookeeper_id": 9}}),
        [row("lxcm01", "zookeeper_id", 9, "only for a node with the role zookeeper")],
    ),
    "observer without the role": (
        table({"lxcm01": {"zookeeper_observer": True}}),
        [row("lxcm01", "zookeeper_observer", "true", "only for a node with the role")],
    ),
    "observer that is text": (
        table({"lxcc01": {"zookeeper_observer": "yes"}}),
        [row("lxcc01", "zookeeper_observer", "yes", "true or false")],
    ),
    # Members
    "two control nodes": (table({"lxcc03": None}), [EVEN_SERVERS, EVEN_MASTERS]),
    "two that vote": (table({"lxcc03": {"zookeeper_observer": True}}), [EVEN_SERVERS]),
    "two masters": (table({"lxcc03": {"roles": ["zookeeper"]}}), [EVEN_MASTERS]),
    "nobody votes": (
        table({f"lxcc0{number}": {"zookeeper_observer": True} for number in (1, 2, 3)}),
        [
            row(
                "lxcc01",
                "roles",
                "zookeeper, mesos-master, marathon, chronos",
                "no voting ZooKeeper servers in the table, which zookeeper, mesos-master, mesos-slave, marathon, chronos cannot do",
            )
        ],
    ),
    "slaves without a master": (
        table({f"lxcc0{number}": {"roles": "zookeeper"} for number in (1, 2, 3)}),
        [
            row(
                "lxb*",
                "roles",
                "mesos-slave, docker",
                "there are no Mesos masters in the table, which mesos-slave cannot do without.",
            )
        ],
    ),
    "Marathon alone": (
        table(
            {
                "lxcc01": None,
                "lxcc02": None,
                "lxcc03": None,
                "lxb*": {"roles": []},
                "lxcm01": {"roles": "marathon"},
            }
        ),
        [
            row(
                "lxcm01",
                "roles",
                "marathon",
                "there are no voting ZooKeeper servers in the table, which marathon cannot do without.",
            ),
            row(
                "lxcm01",
                "roles",
                "marathon",
                "there are no Mesos masters in the table, which marathon cannot do without.",
            ),
        ],
    ),
    "members by a pattern": (
        table({"lxb*": {"roles": ["marathon", "docker"]}}),
        [row("lxb*", "roles", "['marathon', 'docker']", "not for a pattern")],
    ),
    "servers by a pattern": (
        table({"lxb*": {"roles": ["zookeeper"], "zookeeper_id": 4}}),
        [row("lxb*", "roles", "['zookeeper']", "not for a pattern")],
    ),
    "allow_even that is text": (
        table(allow_even="yes"),
        [top("allow_even", "yes", "true or false")],
    ),
    # Addresses
    "no address": (
        table({"lxcc02": {"address": None}}),
        [row("lxcc02", "address", "null", "missing. It looks like 10.0.0.11.")],
    ),
    "no network": (
        table({"lxb*": {"address": None}}),
        [row("lxb*", "address", "null", "missing. It looks like 10.0.0.0/24.")],
    ),
    "two with one address": (
        table({"lxcc02": {"address": "172.31.250.11"}}),
        [row("lxcc02", "address", "172.31.250.11", "lxcc01.devops.test has this address")],
    ),
    "address out of range": (
        table({"lxcc02": {"address": "172.31.250.256"}}),
        [row("lxcc02", "address", "172.31.250.256", NOT_AN_ADDRESS)],
    ),
    "address with a port": (
        table({"lxcc02": {"address": "10.0.0.1:22"}}),
        [row("lxcc02", "address", "10.0.0.1:22", NOT_AN_ADDRESS)],
    ),
    "address that is a name": (
        table({"lxcc02": {"address": "lxcc02"}}),
        [row("lxcc02", "address", "lxcc02", NOT_AN_ADDRESS)],
    ),
    "address that is a number": (
        table({"lxcc02": {"address": 2887780875}}),
        [row("lxcc02", "address", 2887780875, NOT_AN_ADDRESS)],
    ),
    "address that is a list": (
        table({"lxcc02": {"address": ["10.0.0.1"]}}),
        [row("lxcc02", "address", "['10.0.0.1']", NOT_AN_ADDRESS)],
    ),
    "IPv6": (
        table({"lxcc02": {"address": "fd00::1"}}),
        [row("lxcc02", "address", "fd00::1", NOT_AN_ADDRESS)],
    ),
    "loopback": (
        table({"lxcc02": {"address": "127.0.1.1"}}),
        [row("lxcc02", "address", "127.0.1.1", NOWHERE)],
    ),
    "multicast": (
        table({"lxcc02": {"address": "224.0.0.1"}}),
        [row("lxcc02", "address", "224.0.0.1", NOWHERE)],
    ),
    "unspecified": (
        table({"lxcc02": {"address": "0.0.0.0"}}),
        [row("lxcc02", "address", "0.0.0.0", NOWHERE)],
    ),
    "broadcast": (
        table({"lxcc02": {"address": "255.255.255.255"}}),
        [row("lxcc02", "address", "255.255.255.255", NOWHERE)],
    ),
    "a network for one node": (
        table({"lxcc02": {"address": "10.0.0.0/24"}}),
        [row("lxcc02", "address", "10.0.0.0/24", "a network is for a pattern")],
    ),
    "an address for a pattern": (
        table({"lxb*": {"address": "172.31.250.65"}}),
        [row("lxb*", "address", "172.31.250.65", "in a network: 10.0.0.0/24.")],
    ),
    "a network by one of its addresses": (
        table({"lxb*": {"address": "172.31.250.65/26"}}),
        [row("lxb*", "address", "172.31.250.65/26", "Did you mean 172.31.250.64/26?")],
    ),
    "a network that is none": (
        table({"lxb*": {"address": "172.31.250.64/33"}}),
        [row("lxb*", "address", "172.31.250.64/33", "not a network")],
    ),
    "a pattern by name": (
        table({"lxb*": {"address": "agents"}}),
        [row("lxb*", "address", "agents", "not a network")],
    ),
    "all addresses there are": (
        table({"lxb*": {"address": "0.0.0.0/0"}}),
        [row("lxb*", "address", "0.0.0.0/0", NOWHERE)],
    ),
    # Words
    "unknown role": (
        table({"lxcc02": {"roles": ["zookeper", "mesos-master", "marathon", "chronos"]}}),
        [
            row(
                "lxcc02",
                "roles",
                "zookeper",
                "no such role. Did you mean zookeeper? Known: zookeeper, mesos-master",
            )
        ],
    ),
    "role given twice": (
        table({"lxb*": {"roles": ["docker", "mesos-slave", "docker"]}}),
        [row("lxb*", "roles", "docker", "given twice")],
    ),
    "roles that are a number": (
        table({"lxcm01": {"roles": 7}}),
        [row("lxcm01", "roles", 7, "should be a list of roles")],
    ),
    "roles that are nothing": (
        table({"lx9.devops.test": {"address": "10.0.0.9", "roles": None}}),
        [row("lx9", "roles", "null", "[] for none")],
    ),
    "role that is a mapping": (
        table({"lxcm01": {"roles": [{"docker": True}]}}),
        [row("lxcm01", "roles", "{'docker': True}", "no such role. Known: zookeeper,")],
    ),
    "unknown key of a row": (
        table({"lxcc02": {"adress": "10.0.0.1"}}),
        [row("lxcc02", "adress", "10.0.0.1", "Did you mean address? Known: address, roles,")],
    ),
    "key of a row that is a number": (
        table({"lxcc02": {7: 8}}),
        [row("lxcc02", "7", 8, "no such key. Known: address,")],
    ),
    "unknown key of the table": (
        table(port={}),
        [top("port", "{}", "Did you mean ports? Known: nodes, advertise, ports")],
    ),
    "unknown word for advertise": (
        table(advertise="fqdn"),
        [top("advertise", "fqdn", "should be address, or name")],
    ),
    "advertise nothing": (
        table(advertise=None),
        [top("advertise", "null", "should be address, or name")],
    ),
    "an id with a space": (
        table({"lxb 1": AGENT}),
        [top("nodes:lxb 1", "lxb 1", "not a minion id")],
    ),
    "an id that is a number": (table({7: AGENT}), [top("nodes:7", "7", "put it in quotes")]),
    "the id of the Salt master": (
        table({"lxcm01.devops.test_master": AGENT}),
        [top("nodes:lxcm01.devops.test_master", "lxcm01.devops.test_master", "Salt master's own")],
    ),
    # Ports and paths
    "unknown port": (
        table(ports={"zk": 1}),
        [top("ports:zk", 1, "no such key. Known: zookeeper, zookeeper-peer,")],
    ),
    "port with a likeness": (
        table(ports={"marathn": 1}),
        [top("ports:marathn", 1, "Did you mean marathon?")],
    ),
    "port out of range": (
        table(ports={"marathon": 65536}),
        [top("ports:marathon", 65536, "from 1 to 65535")],
    ),
    "port that is text": (
        table(ports={"marathon": "8080"}),
        [top("ports:marathon", 8080, "from 1 to 65535")],
    ),
    "port that is nothing": (
        table(ports={"marathon": None}),
        [top("ports:marathon", "null", "from 1 to 65535")],
    ),
    "ports that are a list": (
        table(ports=[8080]),
        [top("ports", "[8080]", "should be a mapping. Known: zookeeper,")],
    ),
    "two ports the same": (
        table(ports={"marathon": 9000, "chronos": 9000}),
        [top("ports:chronos", 9000, "the port of marathon, and lxcc01.devops.test is both")],
    ),
    "a port that is another's default": (
        table(ports={"zookeeper": 3888}),
        [top("ports:zookeeper", 3888, "the port of zookeeper-election")],
    ),
    "unknown path": (
        table(chroots={"marthon": "/m"}),
        [top("chroots:marthon", "/m", "Did you mean marathon? Known: mesos,")],
    ),
    "path without a slash": (
        table(chroots={"mesos": "mesos"}),
        [top("chroots:mesos", "mesos", "One looks like /mesos.")],
    ),
    "path with an end too many": (
        table(chroots={"mesos": "/mesos/"}),
        [top("chroots:mesos", "/mesos/", "One looks like /mesos.")],
    ),
    "path of all": (
        table(chroots={"mesos": "/"}),
        [top("chroots:mesos", "/", "One looks like /mesos.")],
    ),
    "path with dots": (
        table(chroots={"mesos": "/a/../b"}),
        [top("chroots:mesos", "/a/../b", "One looks like /mesos.")],
    ),
    "path of ZooKeeper": (
        table(chroots={"mesos": "/zookeeper"}),
        [top("chroots:mesos", "/zookeeper", "One looks like /mesos.")],
    ),
    "paths that are text": (
        table(chroots="/mesos"),
        [top("chroots", "/mesos", "should be a mapping. Known: mesos,")],
    ),
    # Three at once
    "three at once": (
        table(
            {
                "lxcc01": {"zookeeper_id": 300},
                "lxcc02": {"address": "172.31.250.13"},
                "lxb*": {"roles": ["mesos-slave", "dokcer"]},
            }
        ),
        [
            row("lxcc01", "zookeeper_id", 300, "from 1 to 255"),
            row("lxb*", "roles", "dokcer", "Did you mean docker?"),
            row("lxcc03", "address", "172.31.250.13", "lxcc02.devops.test has this address"),
        ],
    ),
}

# Nine to the power of nine words, if they are written out.
LAUGHTER = (
    "a: &a [x]\n"
    + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "nodes: {a: *j}\n"
)

# Files that nobody meant to write, and words of a fault each of them has. None is a file that is not there.
WILD = {
    "no file": (None, "no such file"),
    "nothing": ("", "should be a mapping with the key nodes"),
    "comments alone": ("# nodes:\n", "should be a mapping with the key nodes"),
    "without nodes": ("advertise: name\n", "should be a mapping with the key nodes"),
    "a list at the top": ("- lxcc01\n- lxcc02\n", "should be a mapping with the key nodes"),
    "a word": ("nodes\n", "should be a mapping with the key nodes"),
    "nodes is a number": ("nodes: 7\n", "nodes = 7"),
    "nodes is a list": ("nodes: [lxcc01, lxcc02]\n", "should be a mapping: minion id or pattern"),
    "nodes is null": ("nodes:\n", "should be a mapping: minion id or pattern"),
    "rows of nothing": (
        "nodes:\n  a:\n  b: null\n  c: ~\n",
        "should be a mapping. Known: address,",
    ),
    "rows of all kinds": (
        "nodes: {a: 1, b: x, c: [1], d: true, e: 1.5, f: 2024-01-01, 1.5: {}, null: {}, true: {}}\n",
        "Known: address,",
    ),
    "everything deeper": (
        "nodes: {a: {address: {a: [{}]}, roles: {x: {}}, zookeeper_id: [[1]], zookeeper_observer: {}, [x, y]: 1}}\n",
        "unacceptable key",
    ),
    "values of all kinds": (
        "nodes: {a: {address: {a: [{}]}, roles: {x: {}}, zookeeper_id: [[1]], zookeeper_observer: {}}}\n"
        "ports: {zookeeper: {}, 7: 7, null: []}\nchroots: {mesos: [[]], marathon: .nan}\nadvertise: []\nallow_even: {}\n",
        "should be a list of roles",
    ),
    "bytes and sets": (
        "nodes: {a: {address: !!binary aGk=, roles: !!set {x, y}, zookeeper_id: .inf}}\n",
        "should be a list of roles",
    ),
    "a table inside itself": ("nodes: &all {a: *all}\n", "no such key. Known: address,"),
    "laughter": (LAUGHTER, "should be a mapping."),
    "numbers without end": (
        f"nodes: {{a: {{address: 0x{'f' * 9000}, roles: [0x{'f' * 9000}]}}, ? 0x{'f' * 9000} : 1}}\n? 0x{'e' * 9000}\n: 1\n",
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
    "a row twice": (
        "nodes:\n  lxcc01:\n    address: 10.0.0.1\n  lxcc01:\n    address: 10.0.0.2\n",
        "cannot be read. line 4: given twice: 'lxcc01'.",
    ),
    "a key twice": (
        "nodes:\n  a: {address: 10.0.0.1, address: 10.0.0.2}\n",
        "cannot be read. line 2: given twice: 'address'.",
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
