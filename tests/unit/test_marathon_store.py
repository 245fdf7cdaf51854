"""marathon.store_saved: a single Marathon's store is saved before it is migrated."""

import json

import pytest
import zookeeper_server

# One process runs all tests that need a ZooKeeper.
pytestmark = pytest.mark.xdist_group("zookeeper")

_zookeeper_client = zookeeper_server.client_module()
URLS = ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]


@pytest.fixture
def store(zookeeper):
    """A store with an app."""
    with _zookeeper_client.Client(zookeeper.address) as client:
        client.ensure_path("/stores/marathon/state")
        client.create("/stores/marathon/state/app", b"web")
        yield "/stores/marathon"
        client.delete("/stores/marathon/state/app")
        client.delete("/stores/marathon/state")
        client.delete("/stores/marathon")
        client.delete("/stores")


@pytest.fixture
def save(salt, zookeeper, tmp_path):
    """Return a function that applies the state."""

    def apply(path="/stores/marathon", old="1.6.567-1.el7", test=False, **options):
        arguments = {
            "name": path,
            "version": "1.8.244",
            "same_store": "1.8.207",
            "zookeeper": f"127.0.0.1:{zookeeper.port}",
            "directory": str(tmp_path / "stores"),
            **options,
        }
        return salt("marathon.store_saved", test, installed={"marathon": old}, **arguments)

    return apply


def files(tmp_path):
    return sorted((tmp_path / "stores").glob("*"))


@pytest.mark.parametrize("peers", [None, URLS[:1], URLS[0]])
def test_the_store_of_a_single_marathon_is_saved(save, store, tmp_path, peers):
    answer = save(peers=peers, test=True)
    assert (answer["result"], answer["changes"]) == (None, {store: "saved"})
    assert files(tmp_path) == []
    answer = save(peers=peers)
    [file] = files(tmp_path)
    assert file.name.startswith("marathon-store-1.6.567-20")
    assert answer["comment"] == f"3 znodes of {store} saved in {file}"
    assert (answer["result"], answer["changes"]) == (True, {store: "saved"})
    assert file.stat().st_mode & 0o777 == 0o600
    paths = [json.loads(line)["path"] for line in file.read_text().splitlines()]
    assert paths == [store, f"{store}/state", f"{store}/state/app"]


@pytest.mark.parametrize(
    "options",
    [{"old": ""}, {"old": "1.8.207-1.el7"}, {"old": "1.8.244-1.el7"}, {"peers": URLS}],
    ids=["not installed", "same store", "same version", "several"],
)
def test_a_store_that_is_not_migrated_here_is_not_saved(save, store, tmp_path, options):
    for test in (True, False):
        answer = save(test=test, **options)
        assert (answer["result"], answer["changes"]) == (True, {}), answer
    assert files(tmp_path) == []


def test_a_store_that_does_not_exist_is_not_saved(save, tmp_path):
    for test in (True, False):
        answer = save("/none", test=test)
        assert (answer["result"], answer["changes"]) == (True, {})
        assert answer["comment"] == "There is no store at /none"
    assert files(tmp_path) == []


def test_a_store_that_cannot_be_read_keeps_the_package(save, tmp_path):
    answer = save(zookeeper="127.0.0.1:1")
    assert (answer["result"], answer["changes"]) == (False, {})
    assert answer["comment"].startswith(
        "Marathon 1.8.244 would migrate the store /stores/marathon, which cannot be saved: "
    )


def test_the_ten_newest_files_of_a_version_are_kept(save, store, tmp_path):
    directory = tmp_path / "stores"
    directory.mkdir()
    for number in range(12):
        (directory / f"marathon-store-1.6.567-2001-01-{number + 10}.jsonl").touch()
    (directory / "marathon-store-1.5.15-2001-01-01.jsonl").touch()
    save()
    names = [file.name for file in files(tmp_path)]
    assert names[:2] == [
        "marathon-store-1.5.15-2001-01-01.jsonl",
        "marathon-store-1.6.567-2001-01-13.jsonl",
    ]
    assert len(names) == 11 and not names[-1].startswith("marathon-store-1.6.567-2001")


@pytest.mark.parametrize("hosts", ["127.0.0.1:{port},[::1]:{port},127.0.0.1:1", "[::1]"])
def test_the_servers_are_those_of_the_url(save, store, zookeeper, hosts):
    answer = save(zookeeper=hosts.format(port=zookeeper.port))
    assert answer["result"] is ("{port}" in hosts)
    if "{port}" not in hosts:
        assert "2181" in answer["comment"]
