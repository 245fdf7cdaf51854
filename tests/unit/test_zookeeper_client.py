"""The client for ZooKeeper, with a real server, and kazoo as the other party."""

import concurrent.futures
import contextlib
import functools
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme
import zookeeper_server
from cryptography.hazmat.primitives import serialization
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl
from mesos_world import until

from lab import ROOT, ssh

# One process runs all tests that need a ZooKeeper.
pytestmark = pytest.mark.xdist_group("zookeeper")

MODULES = ROOT / "_modules"
SECRET = "sesame"


_zookeeper_client = zookeeper_server.client_module()
Client = _zookeeper_client.Client


# ZooKeeper ends a session only after its timeout.
eventually = functools.partial(until, timeout=20)


numbers = itertools.count(1)


@pytest.fixture
def folder(zookeeper) -> str:
    """The path of a znode that only this test uses."""
    path = f"/client-{next(numbers)}"
    with Client(zookeeper.address) as client:
        client.create(path)
    return path


@pytest.fixture
def client(zookeeper):
    with Client(zookeeper.address) as client:
        yield client


@pytest.fixture
def kazoo(zookeeper):
    """A client of the library kazoo."""
    client = KazooClient(zookeeper.address)
    client.start()
    yield client
    client.stop()
    client.close()


@pytest.fixture
def proxy(zookeeper):
    proxy = zookeeper_server.Proxy(zookeeper.port)
    yield proxy
    proxy.silent = False
    proxy.stop()


# --- znodes ---


def test_kazoo_reads_what_the_client_writes(client, kazoo, folder):
    assert client.create(f"{folder}/a", b"1") == f"{folder}/a"
    stat = client.set(f"{folder}/a", b"22")
    data, kazoo_stat = kazoo.get(f"{folder}/a")
    assert data == b"22" and tuple(stat) == tuple(kazoo_stat)
    assert client.create(f"{folder}/n-", sequential=True) == f"{folder}/n-0000000001"
    client.create(f"{folder}/own", ephemeral=True)
    owner = client.exists(f"{folder}/own").ephemeral_owner
    assert owner and owner == kazoo.exists(f"{folder}/own").owner_session_id
    assert sorted(kazoo.get_children(folder)) == ["a", "n-0000000001", "own"]
    client.delete(f"{folder}/a")
    assert kazoo.exists(f"{folder}/a") is None


def test_the_client_reads_what_kazoo_writes(client, kazoo, folder):
    kazoo.create(f"{folder}/a", "Grüße".encode())
    kazoo.create(f"{folder}/empty")
    kazoo.create(f"{folder}/candidate-", b"x", ephemeral=True, sequence=True)
    data, stat = client.get(f"{folder}/a")
    assert data.decode() == "Grüße" and tuple(stat) == tuple(kazoo.get(f"{folder}/a")[1])
    assert client.get(f"{folder}/empty")[0] == b""
    assert sorted(client.children(folder)) == ["a", "candidate-0000000002", "empty"]
    owner = client.exists(f"{folder}/candidate-0000000002").ephemeral_owner
    assert owner == kazoo.client_id[0]
    kazoo.delete(f"{folder}/a")
    assert client.exists(f"{folder}/a") is None


def test_the_znodes_of_a_path_are_created_once(client, kazoo, folder):
    client.ensure_path(f"{folder}/a/b/c")
    created = kazoo.exists(f"{folder}/a/b").created
    client.ensure_path(f"{folder}/a/b/d")
    assert sorted(client.children(f"{folder}/a/b")) == ["c", "d"]
    assert kazoo.exists(f"{folder}/a/b").created == created
    client.ensure_path("/")


def test_errors_name_the_path_and_the_reason(client, folder):
    client.create(f"{folder}/a")
    client.create(f"{folder}/own", ephemeral=True)
    cases = [
        ("NoNode", "no such znode", lambda: client.get(f"{folder}/x")),
        ("NoNode", "no such znode", lambda: client.children(f"{folder}/x")),
        ("NoNode", "no such znode", lambda: client.set(f"{folder}/x", b"")),
        ("NoNode", "no such znode", lambda: client.delete(f"{folder}/x")),
        ("NoNode", "no such znode", lambda: client.create(f"{folder}/x/y")),
        ("NodeExists", "the znode exists already", lambda: client.create(f"{folder}/a")),
        ("NotEmpty", "the znode has children", lambda: client.delete(folder)),
        ("BadVersion", "changed by another client", lambda: client.set(f"{folder}/a", b"", 7)),
        ("BadVersion", "changed by another client", lambda: client.delete(f"{folder}/a", 7)),
        ("ZooKeeperError", "cannot have children", lambda: client.create(f"{folder}/own/x")),
        ("ZooKeeperError", "the ACL is not valid", lambda: client.create(f"{folder}/z", acl=[])),
    ]
    for name, reason, function in cases:
        with pytest.raises(_zookeeper_client.ZooKeeperError) as caught:
            function()
        assert type(caught.value).__name__ == name
        assert str(caught.value).startswith(folder) and reason in str(caught.value)


def test_a_version_that_matches_is_accepted(client, folder):
    client.create(f"{folder}/a")
    assert client.set(f"{folder}/a", b"1", version=0).version == 1
    client.delete(f"{folder}/a", version=1)


def test_large_data_and_thousands_of_children_are_read(client, kazoo, folder):
    data = os.urandom(900_000)
    client.create(f"{folder}/large", data)
    assert client.get(f"{folder}/large")[0] == data == kazoo.get(f"{folder}/large")[0]
    client.create(f"{folder}/many")
    pending = [kazoo.create_async(f"{folder}/many/{'x' * 60}{n:04}") for n in range(3000)]
    for result in pending:
        result.get()
    assert sorted(client.children(f"{folder}/many")) == [f"{'x' * 60}{n:04}" for n in range(3000)]


def test_an_acl_admits_only_its_user(zookeeper, client, kazoo, folder):
    acl = [_zookeeper_client.digest_acl("mesos", SECRET)]
    assert acl[0][1:] == tuple(make_digest_acl("mesos", SECRET, all=True).id)
    client.create(f"{folder}/a", b"1", acl=acl)
    read_only = [_zookeeper_client.Acl(_zookeeper_client.READ, "world", "anyone")]
    client.create(f"{folder}/fixed", b"1", acl=read_only)
    assert client.get(f"{folder}/fixed")[0] == b"1"
    for function in (
        lambda: client.get(f"{folder}/a"),
        lambda: client.set(f"{folder}/fixed", b"2"),
        lambda: client.create(f"{folder}/a/b"),
    ):
        with pytest.raises(_zookeeper_client.NoAuth, match="denied by the ACL"):
            function()
    with (
        Client(zookeeper.address, login=("mesos", "wrong")) as stranger,
        pytest.raises(_zookeeper_client.NoAuth),
    ):
        stranger.get(f"{folder}/a")
    with Client(zookeeper.address, login=("mesos", SECRET)) as member:
        assert member.get(f"{folder}/a")[0] == b"1"
    kazoo.add_auth("digest", f"mesos:{SECRET}")
    assert kazoo.get_acls(f"{folder}/a")[0] == [make_digest_acl("mesos", SECRET, all=True)]


def test_the_login_is_sent_again_after_a_reconnect(proxy, folder):
    acl = [_zookeeper_client.digest_acl("mesos", SECRET)]
    with Client(proxy.address, login=("mesos", SECRET)) as client:
        client.create(f"{folder}/a", b"1", acl=acl)
        proxy.cut()
        assert client.get(f"{folder}/a")[0] == b"1" and proxy.connections == 2


# --- servers ---


def test_a_server_that_does_not_respond_is_passed_over(zookeeper, nobody):
    dead = nobody.removeprefix("http://")
    for _ in range(5):  # The order is random.
        with Client(f"{dead},{zookeeper.address}") as client:
            assert client.exists("/zookeeper")


def test_servers_are_tried_in_random_order(zookeeper):
    with (
        zookeeper_server.Proxy(zookeeper.port) as one,
        zookeeper_server.Proxy(zookeeper.port) as two,
    ):
        for _ in range(30):
            Client([one.address, two.address]).close()
        assert one.connections + two.connections == 30 and one.connections and two.connections


def test_the_error_names_each_server_and_its_reason(nobody, raw):
    dead = nobody.removeprefix("http://")
    web = raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    closing = raw(b"")
    with pytest.raises(_zookeeper_client.ConnectionLoss) as caught:
        Client(f"{dead},127.0.0.1:{web.port},127.0.0.1:{closing.port},h.invalid:1", timeout=0)
    assert sorted(str(caught.value).split("; ")) == sorted(
        [
            f"{dead}: Connection refused",
            f"127.0.0.1:{web.port}: does not speak the protocol of ZooKeeper",
            f"127.0.0.1:{closing.port}: closed the connection. It may have no quorum",
            "h.invalid:1: host name not found",
        ]
    )


def test_a_silent_server_costs_the_connect_timeout(raw):
    silent = raw(None)
    start = time.monotonic()
    with pytest.raises(_zookeeper_client.ConnectionLoss, match="no reply in time"):
        Client(f"127.0.0.1:{silent.port}", timeout=0, connect_timeout=0.5)
    assert 0.4 < time.monotonic() - start < 5


def test_a_server_that_starts_meanwhile_is_reached_within_the_timeout(zookeeper):
    with zookeeper_server.Proxy(zookeeper.port) as proxy:
        proxy.refuses = True
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pending = pool.submit(Client, proxy.address, timeout=20)
            eventually(lambda: proxy.connections > 2)
            proxy.refuses = False
            pending.result().close()


@pytest.mark.parametrize(
    "hosts, servers",
    [
        ("10.0.0.1", [("10.0.0.1", 2181)]),
        ("a.example:1,b-2:65535", [("a.example", 1), ("b-2", 65535)]),
        ("[::1]:2182, [fe80::1]", [("::1", 2182), ("fe80::1", 2181)]),
        (["a:1", "b"], [("a", 1), ("b", 2181)]),
    ],
)
def test_hosts_are_parsed(hosts, servers):
    assert _zookeeper_client.parse_hosts(hosts) == servers


@pytest.mark.parametrize("hosts", ["", "a:", "a:0", "a:65536", "a:x", "a,", "::1", "a b", "u@h"])
def test_invalid_hosts_are_rejected(hosts):
    with pytest.raises(ValueError, match="is not a server. Example: 10.0.0.1:2181"):
        Client(hosts)


def test_a_server_with_tls_is_checked(tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    (tmp_path / "server.pem").write_bytes(pkcs8(certificate))
    port = zookeeper_server.free_port()
    settings = [
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
        f"secureClientPort={port}",
        "secureClientPortAddress=127.0.0.1",
        f"ssl.keyStore.location={tmp_path}/server.pem",
        "ssl.keyStore.type=PEM",
        "ssl.clientAuth=none",
    ]
    server = zookeeper_server.Server(tmp_path / "server", settings)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with zookeeper_server.serving([server]):
        with Client(f"127.0.0.1:{port}", tls=trusting) as client:
            client.create("/a", b"1")
            assert client.get("/a")[0] == b"1"
        with pytest.raises(_zookeeper_client.ConnectionLoss, match="self.signed|unable to get"):
            Client(f"127.0.0.1:{port}", timeout=0, tls=ssl.create_default_context())
        with pytest.raises(_zookeeper_client.ConnectionLoss):
            Client(f"127.0.0.1:{port}", timeout=0, connect_timeout=2)


def pkcs8(certificate: trustme.LeafCert) -> bytes:
    """Return key and certificate in the only form that ZooKeeper reads."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return chain + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


# --- sessions ---


def test_an_idle_session_outlives_its_timeout(zookeeper, folder, kazoo):
    with Client(zookeeper.address, session_timeout=4) as client:
        assert client.session_timeout == 4
        client.create(f"{folder}/own", ephemeral=True)
        time.sleep(6)
        assert kazoo.exists(f"{folder}/own") and not client.may_have_expired()


def test_the_server_limits_the_session_timeout(zookeeper):
    with Client(zookeeper.address, session_timeout=3600) as client:
        assert client.session_timeout == 60


def test_close_deletes_ephemeral_znodes_at_once(zookeeper, folder, kazoo):
    client = Client(zookeeper.address)
    client.create(f"{folder}/own", ephemeral=True)
    client.close()
    assert kazoo.exists(f"{folder}/own") is None
    client.close()
    with pytest.raises(_zookeeper_client.ConnectionLoss, match="the session is closed"):
        client.exists(folder)


def test_the_session_survives_a_broken_connection(proxy, folder, kazoo):
    with Client(proxy.address, session_timeout=20) as client:
        client.create(f"{folder}/own", ephemeral=True)
        owner = client.exists(f"{folder}/own").ephemeral_owner
        for _ in range(3):
            proxy.cut()
            assert client.exists(f"{folder}/own").ephemeral_owner == owner
        assert proxy.connections == 4 and not client.expired


def test_the_ping_thread_reconnects_by_itself(proxy, folder, kazoo):
    with Client(proxy.address, session_timeout=4) as client:
        client.create(f"{folder}/own", ephemeral=True)
        proxy.cut()
        eventually(lambda: proxy.connections == 2)
        time.sleep(5)
        assert kazoo.exists(f"{folder}/own") and not client.may_have_expired()


def test_the_ping_thread_notices_the_end_of_the_session(proxy, folder, kazoo):
    with Client(proxy.address, session_timeout=2) as client:
        client.create(f"{folder}/own", ephemeral=True)
        proxy.silent = True
        eventually(lambda: kazoo.exists(f"{folder}/own") is None)
        assert client.may_have_expired() and not client.expired
        proxy.silent = False
        eventually(lambda: client.expired)
        for function in (client.exists, client.create, client.delete):
            with pytest.raises(_zookeeper_client.SessionExpired, match="the session has expired"):
                function(f"{folder}/own")


def test_the_client_knows_that_its_session_may_be_over_before_zookeeper_ends_it(
    proxy, folder, kazoo
):
    with Client(proxy.address, session_timeout=2) as client:
        client.create(f"{folder}/own", ephemeral=True)
        proxy.refuses = True
        proxy.cut()
        while kazoo.exists(f"{folder}/own"):
            over = client.may_have_expired()
            time.sleep(0.02)
        assert over


def test_the_session_survives_the_loss_of_its_server(tmp_path):
    servers = zookeeper_server.ensemble(tmp_path, 3)
    with zookeeper_server.serving(servers):
        by_address = {server.address: server for server in servers}
        with Client(list(by_address), session_timeout=40) as client:
            client.create("/own", ephemeral=True)
            owner = client.exists("/own").ephemeral_owner
            for _ in range(2):
                server = by_address[client.server]
                server.stop()
                assert client.exists("/own").ephemeral_owner == owner
                assert client.server != server.address
                server.start()
                server.wait()
            for server in servers:
                with Client(server.address) as witness:
                    assert witness.exists("/own")


def test_a_server_without_a_quorum_is_reported(tmp_path):
    server, *_ = zookeeper_server.ensemble(tmp_path, 3)
    try:
        server.start()
        eventually(lambda: can_connect(server.port))
        with pytest.raises(_zookeeper_client.ConnectionLoss, match="It may have no quorum"):
            Client(server.address, timeout=0)
    finally:
        server.stop()


def can_connect(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def test_threads_share_a_client(client, folder):
    def count(number: int) -> int:
        client.create(f"{folder}/{number}", str(number).encode())
        return int(client.get(f"{folder}/{number}")[0])

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(count, range(200))) == list(range(200))
    assert len(client.children(folder)) == 200


def test_a_session_survives_a_reload_of_the_module(proxy, folder):
    old_class = _zookeeper_client.NoNode
    try:
        with Client(proxy.address, session_timeout=4) as client:
            client.create(f"{folder}/own", ephemeral=True)
            reload_client_module()
            proxy.cut()
            time.sleep(5)
            assert client.exists(f"{folder}/own")
            with pytest.raises(_zookeeper_client.NoNode):
                client.get(f"{folder}/x")
            assert _zookeeper_client.NoNode is not old_class
    finally:
        reload_client_module()


def reload_client_module() -> None:
    """Reload the module as Salt does when another module is loaded: in place."""
    _zookeeper_client.__spec__.loader.exec_module(_zookeeper_client)


# --- lost replies ---


def test_a_read_whose_reply_is_lost_is_repeated(proxy, client, folder):
    client.create(f"{folder}/a", b"1")
    with Client(proxy.address) as proxied:
        proxy.drop_reply = f"{folder}/a".encode()
        assert proxied.get(f"{folder}/a")[0] == b"1"
        assert proxy.drop_reply is None and proxy.connections == 2


def test_a_write_whose_reply_is_lost_is_not_repeated(proxy, client, folder):
    client.create(f"{folder}/a", b"1")
    with Client(proxy.address) as proxied:
        proxy.drop_reply = f"{folder}/a".encode()
        with pytest.raises(_zookeeper_client.ConnectionLoss):
            proxied.set(f"{folder}/a", b"2")
        assert eventually(lambda: client.get(f"{folder}/a")[1].version) == 1
        proxy.drop_reply = f"{folder}/n".encode()
        with pytest.raises(_zookeeper_client.ConnectionLoss):
            proxied.create(f"{folder}/n", sequential=True)
        assert sum(name.startswith("n") for name in client.children(folder)) == 1


def test_a_write_that_was_not_sent_is_sent_after_the_reconnect(proxy, client, folder):
    with Client(proxy.address) as proxied:
        proxy.refuses = True
        proxy.cut()
        with contextlib.suppress(_zookeeper_client.ConnectionLoss):
            proxied.create(f"{folder}/x")  # notices the broken connection
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pending = pool.submit(proxied.create, f"{folder}/a")
            time.sleep(1)
            assert not pending.done()
            proxy.refuses = False
            assert pending.result() == f"{folder}/a"
    assert client.children(folder) == ["a"]


def test_a_deletion_whose_reply_is_lost_succeeds(proxy, client, folder):
    client.create(f"{folder}/a", b"1")
    with Client(proxy.address) as proxied:
        proxy.drop_reply = f"{folder}/a".encode()
        proxied.delete(f"{folder}/a")
        assert proxy.drop_reply is None and client.exists(f"{folder}/a") is None


def test_a_sequential_ephemeral_znode_whose_reply_is_lost_is_created_once(proxy, client, folder):
    with Client(proxy.address) as proxied:
        for number in range(5):
            proxy.drop_reply = b"/_c_"
            path = proxied.create(f"{folder}/turn-", ephemeral=True, sequential=True)
            assert proxy.drop_reply is None
            assert path.startswith(f"{folder}/_c_") and path.endswith(f"-turn-{number:010}")
            assert client.exists(path)
        assert len(client.children(folder)) == 5


def test_a_sequential_ephemeral_znode_is_no_orphan_if_the_servers_stay_away(proxy, client, folder):
    proxied = Client(proxy.address, session_timeout=2)
    proxy.drop_reply, proxy.refuses = b"/_c_", True
    with pytest.raises(_zookeeper_client.ConnectionLoss):
        proxied.create(f"{folder}/turn-", ephemeral=True, sequential=True)
    assert proxy.drop_reply is None
    proxy.refuses = False
    eventually(lambda: client.children(folder) == [])
    with pytest.raises(_zookeeper_client.ConnectionLoss, match="the session is closed"):
        proxied.exists(folder)


# --- processes and versions of Python ---


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import _zookeeper_client
client = _zookeeper_client.Client(sys.argv[2], session_timeout=2, login=("mesos", "sesame"))
folder = sys.argv[3]
client.ensure_path(folder + "/a/b", acl=[_zookeeper_client.digest_acl("mesos", "sesame")])
client.set(folder + "/a", b"1", version=0)
print(client.get(folder + "/a")[0].decode(), client.children(folder + "/a"))
print(client.create(folder + "/turn-", ephemeral=True, sequential=True))
try:
    client.delete(folder + "/a")
except _zookeeper_client.NotEmpty as error:
    print(error)
sys.stdout.flush()
sys.stdin.readline()
client.close()
"""


def pythons() -> dict[str, str]:
    """Return the Pythons of this machine by version; those of the minions are 3.6 and 3.10."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    python310 = sorted(pyenv.glob("versions/3.10.*/bin/python3.10"))
    paths = {"3.6": ssh.python36(), "3.10": str(python310[-1]) if python310 else ""}
    return {"current": sys.executable, **{name: path for name, path in paths.items() if path}}


@pytest.mark.parametrize("version", pythons())
def test_each_python_speaks_with_the_server(zookeeper, client, folder, version):
    command = [pythons()[version], "-c", PROGRAM, MODULES, zookeeper.address, folder]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "1 ['b']\n"
        path = process.stdout.readline().strip()
        assert process.stdout.readline() == f"{folder}/a: the znode has children\n"
        time.sleep(3)
        assert client.exists(path)
        process.communicate("\n")
        assert process.returncode == 0 and client.exists(path) is None


def test_the_znodes_of_a_killed_process_go_with_its_session(zookeeper, client, folder):
    command = [sys.executable, "-c", PROGRAM, MODULES, zookeeper.address, folder]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        path = process.stdout.readline().strip()
        assert client.exists(path)
        process.send_signal(signal.SIGKILL)
    eventually(lambda: client.exists(path) is None)
