"""zk.export, zk.put_znodes and zk.delete_znodes, with a real ZooKeeper."""

import base64
import json
import threading

import pytest
import zookeeper_server

# One process runs all tests that need a ZooKeeper. Both lines load the module elsewhere.
pytestmark = [pytest.mark.lines("3008"), pytest.mark.xdist_group("zookeeper")]

_zookeeper_client = zookeeper_server.client_module()
LOGIN = ("ops", "sesame")
OPEN = [[31, "world", "anyone"]]


class Znodes:
    """The functions, with the address of a server in pillar."""

    def __init__(self, salt, server):
        self._salt = salt
        self.pillar = {"zookeeper": {"servers": {1: "127.0.0.1"}, "client_port": server.port}}

    def call(self, function, *positional, **arguments):
        return self._salt.call(f"zk.{function}", *positional, pillar=self.pillar, **arguments)

    def fails(self, function, *positional, **arguments) -> str:
        with pytest.raises(self._salt.Error) as error:
            self.call(function, *positional, **arguments)
        text = str(error.value)
        assert "\n" not in text and "Traceback" not in text
        # Without the name of the class.
        return text.partition(": ")[2]


@pytest.fixture
def znodes(salt, zookeeper) -> Znodes:
    return Znodes(salt, zookeeper)


def entry(path: str, data: bytes, acl: list | None = None) -> dict:
    return {"path": path, "data": base64.b64encode(data).decode(), "acl": acl or OPEN}


def test_znodes_are_created_changed_exported_and_deleted(znodes):
    tree = [entry("/znodes", b""), entry("/znodes/a", bytes(range(256))), entry("/znodes/b", b"b")]
    assert znodes.call("put_znodes", tree[1:]) == {
        "created": ["/znodes/a", "/znodes/b"],
        "changed": [],
    }
    assert znodes.call("put_znodes", tree) == {"created": [], "changed": []}
    assert znodes.call("export", "/znodes")["znodes"] == tree
    tree[2] = entry("/znodes/b", b"c", [[1, "world", "anyone"]])
    assert znodes.call("put_znodes", tree) == {"created": [], "changed": ["/znodes/b"]}
    assert znodes.call("export", "/znodes", "/znodes/a")["znodes"] == tree[2:]
    paths = ["/znodes", "/znodes/a", "/znodes/b"]
    assert sorted(znodes.call("delete_znodes", paths, confirm=True)) == paths
    assert znodes.call("delete_znodes", paths, confirm=True) == []
    assert znodes.call("export", "/znodes") == {
        "znodes": [],
        "next": None,
        "ephemeral": [],
        "denied": [],
    }


def test_a_server_reports_the_options_that_it_runs_with(znodes, zookeeper):
    options = znodes.call("options")
    assert options["clientPort"] == str(zookeeper.port)
    assert options["dataDir"].endswith("/version-2")
    assert list(options) == sorted(options)


def test_the_znodes_of_zookeeper_itself_are_not_exported(znodes):
    paths = [znode["path"] for znode in znodes.call("export")["znodes"]]
    assert not [path for path in paths if path.startswith("/zookeeper")]
    assert znodes.call("export", "/zookeeper")["znodes"] == []


def test_protected_znodes_are_named_and_exported_with_the_login_of_the_settings(znodes, zookeeper):
    acl = [_zookeeper_client.digest_acl(*LOGIN)]
    with _zookeeper_client.Client(zookeeper.address, login=LOGIN) as client:
        client.create("/znodes-secret", b"x", acl=acl)
        client.create("/znodes-secret/child", b"y", acl=acl)
        page = znodes.call("export", "/znodes-secret")
        assert (page["znodes"], page["denied"]) == ([], ["/znodes-secret"])
        assert znodes.fails("put_znodes", [entry("/znodes-secret", b"z")]) == (
            "ZooKeeper: /znodes-secret: access denied by the ACL of the znode"
        )
        znodes.pillar["marathon"] = {"zk": "zk://ops:sesame@127.0.0.1:2181/znodes-secret"}
        exported = znodes.call("export", "/znodes-secret")["znodes"]
        assert [znode["path"] for znode in exported] == ["/znodes-secret", "/znodes-secret/child"]
        assert exported[1]["acl"] == [list(acl[0])]
        assert znodes.call("put_znodes", exported) == {"created": [], "changed": []}
        client.delete("/znodes-secret/child")
        client.delete("/znodes-secret")


@pytest.mark.parametrize(
    "function, arguments, message",
    [
        ("export", ["marathon"], "path: 'marathon' should be the path of a znode, such as "),
        ("export", ["/", "x"], "start: 'x' should be the path of a znode, such as /marathon"),
        ("put_znodes", ["/a"], "znodes: '/a' should be a list of znodes"),
        ("put_znodes", [[{"path": "/a"}]], "znodes: each should have path, data (base64) and acl"),
        ("put_znodes", [[entry("a", b"")]], "znodes: path: 'a' should be the path of a znode"),
        ("delete_znodes", [["/"], True], "paths: '/' should be neither / nor below /zookeeper"),
        ("delete_znodes", [["/zookeeper/quota"], True], "paths: '/zookeeper/quota' should be "),
        ("delete_znodes", [["/a"]], "confirm: False should be True: this cannot be undone"),
    ],
)
def test_an_invalid_argument_is_refused(znodes, function, arguments, message):
    assert znodes.fails(function, *arguments).startswith(message)


def test_a_saved_path_is_restored_as_it_was(znodes, tmp_path):
    tree = [entry("/znodes-saved", b""), entry("/znodes-saved/a", bytes(range(256)))]
    znodes.call("put_znodes", tree)
    file = tmp_path / "new" / "saved.jsonl"
    assert znodes.call("save", "/znodes-saved", str(file)) == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["saved.jsonl"]
    znodes.call("put_znodes", [entry("/znodes-saved/a", b"x"), entry("/znodes-saved/b/c", b"")])
    arguments = ["/znodes-saved", str(file)]
    assert znodes.fails("restore", *arguments).startswith("confirm: False should be True")
    assert znodes.call("restore", *arguments, confirm=True) == {
        "created": [],
        "changed": ["/znodes-saved/a"],
        "deleted": ["/znodes-saved/b/c", "/znodes-saved/b"],
    }
    assert znodes.call("export", "/znodes-saved")["znodes"] == tree
    nothing = {"created": [], "changed": [], "deleted": []}
    assert znodes.call("restore", *arguments, confirm=True) == nothing
    znodes.call("delete_znodes", ["/znodes-saved", "/znodes-saved/a"], confirm=True)
    assert znodes.call("save", "/znodes-saved", str(file)) == 0
    assert znodes.call("restore", *arguments, confirm=True)["created"] == arguments[:1] + [
        "/znodes-saved/a"
    ]
    znodes.call("delete_znodes", ["/znodes-saved", "/znodes-saved/a"], confirm=True)


def test_more_than_one_page_is_saved(znodes, tmp_path):
    children = [entry(f"/znodes-pages/{number}", bytes(200 * 1024)) for number in range(3)]
    for child in children:
        znodes.call("put_znodes", [child])
    assert znodes.call("export", "/znodes-pages")["next"]
    file = str(tmp_path / "saved.jsonl")
    assert znodes.call("save", "/znodes-pages", file) == 4
    paths = ["/znodes-pages", *(child["path"] for child in children)]
    znodes.call("delete_znodes", paths, confirm=True)
    assert znodes.call("restore", "/znodes-pages", file, confirm=True)["created"] == paths
    znodes.call("delete_znodes", paths, confirm=True)


def test_a_path_in_use_is_not_restored_and_a_protected_one_not_saved(znodes, zookeeper, tmp_path):
    file = tmp_path / "saved.jsonl"
    arguments = ["/znodes-used", str(file)]
    with _zookeeper_client.Client(zookeeper.address, login=LOGIN) as client:
        client.create("/znodes-used", b"")
        assert znodes.call("save", *arguments) == 1
        client.create("/znodes-used/leader", b"", ephemeral=True)
        assert znodes.fails("restore", *arguments, confirm=True, session_timeout=0) == (
            "/znodes-used: a client still uses it, as /znodes-used/leader exists. Stop it first"
        )
        end_of_session = threading.Timer(2, client.delete, ["/znodes-used/leader"])
        end_of_session.start()
        assert znodes.call("restore", *arguments, confirm=True)["deleted"] == []
        end_of_session.join()
        secret = [_zookeeper_client.digest_acl(*LOGIN)]
        client.create("/znodes-used/secret", b"", acl=secret)
        saved = file.read_text()
        denied = "/znodes-used/secret: access denied by its ACL"
        assert znodes.fails("save", *arguments) == denied
        assert file.read_text() == saved
        client.delete("/znodes-used/secret")
        client.delete("/znodes-used")


@pytest.mark.parametrize(
    "path, text, message",
    [
        ("/a", None, "{file}: No such file or directory"),
        ("/a", "[]\n", "{file}: is not a file of zk.save"),
        ("/a", "{\n", "{file}: is not a file of zk.save"),
        ("/a", json.dumps(entry("/ab", b"")), "{file}: has no znode at /a"),
    ],
)
def test_a_file_without_the_znodes_is_not_restored(znodes, tmp_path, path, text, message):
    file = tmp_path / "saved.jsonl"
    if text is not None:
        file.write_text(text)
    assert znodes.fails("restore", path, str(file), confirm=True) == message.format(file=file)


def test_a_znode_with_other_children_is_not_deleted(znodes):
    znodes.call("put_znodes", [entry("/znodes-parent/child", b"")])
    assert znodes.fails("delete_znodes", ["/znodes-parent"], confirm=True) == (
        "ZooKeeper: /znodes-parent: the znode has children"
    )
    znodes.call("delete_znodes", ["/znodes-parent", "/znodes-parent/child"], confirm=True)
