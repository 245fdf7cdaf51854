"""zk:// URLs of the modules, with a real ZooKeeper and both lines of Salt."""

import json

import pytest
import zookeeper_server

# One process runs all tests that need a ZooKeeper.
pytestmark = pytest.mark.xdist_group("zookeeper")

_zookeeper_client = zookeeper_server.client_module()
SECRET = "sesame"


@pytest.fixture
def client(zookeeper):
    with _zookeeper_client.Client(zookeeper.address) as client:
        yield client


@pytest.fixture
def folder(client) -> str:
    """The path of a znode that only this test uses."""
    return client.create("/urls-", sequential=True)


def election(client, directory: str, nodes: dict[str, str]) -> None:
    client.ensure_path(directory)
    for name, data in nodes.items():
        client.create(f"{directory}/{name}", data.encode())


@pytest.mark.parametrize(
    "service, directory, nodes, expected",
    [
        (
            "mesos",
            "mesos",
            {
                "json.info_0000000012": "",
                "json.info_0000000009": json.dumps(
                    {
                        "hostname": "h",
                        "port": 1,
                        "address": {"hostname": "h", "ip": "10.0.0.9", "port": 5050},
                    }
                ),
                "log_replicas": "",
                "info_0000000001": "",
            },
            "http://10.0.0.9:5050",
        ),
        (
            "mesos",
            "mesos",
            {"json.info_0000000001": '{"hostname": "h9", "port": 5050, "ip": 16777343}'},
            "http://h9:5050",
        ),
        (
            "marathon",
            "m/leader-curator",
            {"_c_zz-latch-0000000003": "10.0.0.3:8080", "_c_aa-latch-0000000004": ""},
            "http://10.0.0.3:8080",
        ),
        ("marathon", "m/leader", {"member_0000000003": "10.0.0.4:8080"}, "http://10.0.0.4:8080"),
        (
            "chronos",
            "c/state/candidate",
            {"_c_zz-latch-0000000003": "10.0.0.5:4400"},
            "http://10.0.0.5:4400",
        ),
    ],
)
def test_the_leader_in_a_zk_url_is_the_candidate_with_the_lowest_number(
    salt, zookeeper, client, folder, service, directory, nodes, expected
):
    election(client, f"{folder}/{directory}", nodes)
    path = {"mesos": "mesos", "marathon": "m", "chronos": "c/state"}[service]
    for url in (
        f"zk://{zookeeper.address}{folder}/{path}",
        f"zk://127.0.0.1:9,{zookeeper.address}{folder}/{path}/",
    ):
        assert salt.call("asking.settings", service, url=url)["urls"] == [expected]


def test_the_user_of_a_zk_url_logs_in(salt, zookeeper, client, folder):
    acl = [_zookeeper_client.digest_acl("u", "p:/w")]
    client.create(f"{folder}/leader")
    client.create(f"{folder}/leader/member_0000000001", b"10.0.0.1:8080", acl=acl)
    url = f"zk://u:p%3A%2Fw@{zookeeper.address}{folder}"
    assert salt.call("asking.settings", "marathon", url=url)["urls"] == ["http://10.0.0.1:8080"]
    for login in ("", f"u:{SECRET}@"):
        url = f"zk://{login}{zookeeper.address}{folder}"
        with pytest.raises(salt.Error, match="access denied by the ACL of the znode") as caught:
            salt.call("asking.settings", "marathon", url=url)
        assert SECRET not in str(caught.value) and "Traceback" not in str(caught.value)
        answer = salt.call("asking.request", "marathon", "GET", "/", connection={"url": url})
        assert answer["error"] == "AccessDenied"


def test_a_zk_url_without_candidates_is_an_error(salt, zookeeper, client, folder):
    client.ensure_path(f"{folder}/mesos/log_replicas")
    for path in ("mesos", "absent"):
        url = f"zk://{zookeeper.address}{folder}/{path}"
        with pytest.raises(
            salt.Error,
            match=f"^CommandExecutionError: {url}: there is no candidate for leadership$",
        ):
            salt.call("asking.settings", "mesos", url=url)


def test_a_candidate_with_an_invalid_address_is_an_error(salt, zookeeper, client, folder):
    election(client, f"{folder}/leader", {"member_0000000001": "no address\n"})
    with pytest.raises(
        salt.Error, match="CommandExecutionError: .*: the leader has an invalid address: no address"
    ):
        salt.call("asking.settings", "marathon", url=f"zk://{zookeeper.address}{folder}")


def test_a_zk_url_of_servers_that_do_not_respond_is_an_error(salt, nobody):
    address = nobody.removeprefix("http://")
    with pytest.raises(
        salt.Error,
        match=rf"^CommandExecutionError: zk://\*\*\*@{address}/m: "
        f"{address}: Connection refused$",
    ):
        salt.call("asking.settings", "marathon", url=f"zk://u:{SECRET}@{address}/m", retries=0)


@pytest.mark.parametrize(
    "url",
    ["zk://", "zk:///mesos", "zk://h:x/mesos", f"zk://u:{SECRET}@h:1,/m", f"zk://{SECRET}@h/m"],
)
def test_an_invalid_zk_url_is_rejected_in_one_line(salt, url):
    with pytest.raises(salt.Error, match="^SaltInvocationError: url: zk://") as caught:
        salt.call("asking.settings", "marathon", url=url)
    assert SECRET not in str(caught.value) and "\n" not in str(caught.value)
    assert "Example: zk://10.0.0.1:2181,10.0.0.2:2181/path" in str(caught.value)


def test_functions_of_a_module_reach_the_leader_of_a_zk_url(salt, zookeeper, client, folder, raw):
    body = b'{"leader": "10.0.0.1:8080"}'
    server = raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    election(client, f"{folder}/leader", {"member_0000000001": f"127.0.0.1:{server.port}"})
    leader = salt.call("marathon.leader", url=f"zk://{zookeeper.address}{folder}")
    assert leader["host"] == "10.0.0.1"
