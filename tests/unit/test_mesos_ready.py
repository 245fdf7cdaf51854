"""
mesos.leader, mesos.masters and mesos.agents, and the readiness checks of _states/mesos.py, run by
real Salt 3006 and 3008 against fake masters and agents.
"""

import json
from pathlib import Path

import pytest
from mesos_world import until

from lab.fakes.mesos.agent import Agent
from lab.fakes.mesos.master import Master
from lab.fakes.wire.election import MemoryRoom

# Both lines apply every state in test_states_test_mode.py.
pytestmark = pytest.mark.lines("3008")

RECORDED = json.loads(Path(__file__).with_name("data").joinpath("mesos-1.11.0.json").read_text())


@pytest.fixture
def cluster(running, tmp_path):
    """Start masters, of whom the first leads, and agents."""
    room = MemoryRoom()
    return Cluster(running, tmp_path, room)


class Cluster:
    def __init__(self, running, directory, room):
        self.running = running
        self.directory = directory
        self.room = room
        self.count = 0

    def master(self, *arguments, version="1.11.0", hostname="127.0.0.1") -> Master:
        self.count += 1
        local = (
            "--ip=127.0.0.1",
            "--port=0",
            f"--hostname={hostname}",
            f"--work_dir={self.directory / str(self.count)}",
        )
        return self.running(Master([*local, *arguments], None, version, self.room))

    def leader_without_quorum(self) -> Master:
        return self.master("--quorum=2", "--zk=zk://127.0.0.1/mesos")

    def agent(self, hostname) -> Agent:
        offer = "--resources=cpus:4;mem:2048;disk:4096;ports:[31000-32000]"
        local = (
            "--ip=127.0.0.1",
            "--port=0",
            f"--hostname={hostname}",
            f"--work_dir={self.directory / hostname}",
        )
        return self.running(Agent([*local, offer], None, "1.11.0", self.room))


def recording(situation):
    """
    Return a server function that sends recorded responses of a real master.

    ``situation`` maps requests to recordings: {b"GET /redirect": "noquorum-get-redirect", ...}. The
    server names itself as the leader.
    """

    def respond(data: bytes) -> bytes:
        request = b" ".join(data.split(b" ", 2)[:2])
        host = data.lower().split(b"host: ")[1].split(b"\r\n")[0]
        response = situation.get(request, NOT_FOUND)
        if isinstance(response, str):
            response = RECORDED[response]
        headers = "".join(f"{name}: {value}\r\n" for name, value in response["headers"].items())
        body = json.dumps(response["json"]) if "json" in response else response.get("text", "")
        head = f"HTTP/1.1 {response['status']} x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        return head.encode().replace(b"127.0.0.1:5050", host) + body.encode()

    return respond


NOT_FOUND = {"status": 404, "headers": {}, "text": "404 Not Found."}


def log(recovered: object) -> dict:
    """Return the metric for the recovery of the log."""
    return {
        b"GET /metrics/snapshot": {
            "status": 200,
            "headers": {},
            "json": {"registrar/log/recovered": recovered},
        }
    }


NOT_RECOVERED = {
    b"GET /redirect": "noquorum-get-redirect",
    b"GET /health": "noquorum-get-health",
    b"GET /slaves": "noquorum-get-slaves",
    b"POST /api/v1": "noquorum-v1-GET_HEALTH",
}
NO_LEADER = {
    b"GET /redirect": "nozk-get-redirect",
    b"GET /health": "nozk-get-health",
    b"GET /slaves": "nozk-get-state",
    b"POST /api/v1": "nozk-v1-GET_HEALTH",
}
LEADER = {
    b"GET /redirect": "standby-get-redirect",
    b"GET /health": "standby-get-health",
    b"GET /slaves": "leader-get-slaves-agent-killed-2s",
    b"POST /api/v1": "standalone-v1-GET_HEALTH",
}


def passes(answer) -> str:
    assert (answer["result"], answer["changes"]) == (True, {}), answer
    return answer["comment"]


def fails(answer) -> str:
    assert (answer["result"], answer["changes"]) == (False, {}), answer
    return answer["comment"]


# --- mesos.leader, mesos.masters, mesos.agents ---


def test_the_summary_names_the_leader_and_the_standby(salt, cluster):
    leader, standby = cluster.master(), cluster.master()
    summary = salt.call("mesos.summary", url=[leader.url, standby.url])
    # cluster.status compares these words.
    assert summary["masters"] == {leader.url: "leads", standby.url: "stands by"}


@pytest.mark.parametrize("version", ["1.0.1", "1.4.3", "1.11.0"])
def test_any_master_names_the_leader(salt, cluster, version):
    leader, standby = cluster.master(version=version), cluster.master(version=version)
    expected = {
        "url": leader.url,
        "host": "127.0.0.1",
        "port": leader.port,
        "recovered": True,
        "error": None,
    }
    assert salt.call("mesos.leader", url=leader.url) == expected
    assert salt.call("mesos.leader", url=standby.url) == expected


def test_a_leader_with_an_unresolvable_name_is_queried_at_its_configured_url(salt, cluster):
    leader, standby = cluster.master(hostname="no.such.host.invalid"), cluster.master()
    leader_info = salt.call("mesos.leader", url=[standby.url, leader.url])
    assert (leader_info["url"], leader_info["host"], leader_info["recovered"]) == (
        leader.url,
        "no.such.host.invalid",
        True,
    )
    leader_info = salt.call("mesos.leader", url=standby.url)
    assert (leader_info["host"], leader_info["recovered"]) == ("no.such.host.invalid", False)
    assert leader_info["error"].endswith("/api/v1: host name not found")


def test_masters_are_queried_in_turn_until_one_knows_the_leader(salt, cluster, raw, nobody):
    leader = cluster.master()
    assert (
        salt.call("mesos.leader", url=[nobody, raw(recording(NO_LEADER)).url, leader.url])["url"]
        == leader.url
    )


def test_a_leader_that_has_not_recovered_is_reported_as_such(salt, cluster, raw):
    for url in (cluster.leader_without_quorum().url, raw(recording(NOT_RECOVERED)).url):
        leader_info = salt.call("mesos.leader", url=url)
        assert (leader_info["url"], leader_info["recovered"]) == (url, False)
        assert leader_info["error"] == f"POST {url}/api/v1: 503 Master has not finished recovery"


def test_a_dead_leader_whose_zookeeper_session_still_exists_has_not_recovered(salt, raw, nobody):
    location = nobody.removeprefix("http:").encode()
    standby = raw(
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: "
        + location
        + b"\r\nContent-Length: 0\r\n\r\n"
    )
    leader_info = salt.call("mesos.leader", url=standby.url)
    assert (leader_info["url"], leader_info["recovered"], leader_info["error"]) == (
        nobody,
        False,
        f"POST {nobody}/api/v1: Connection refused",
    )


def test_the_error_lists_every_master_that_knows_no_leader(salt, raw, nobody):
    blind = raw(recording(NO_LEADER))
    with pytest.raises(salt.Error) as caught:
        salt.call("mesos.leader", url=[nobody, blind.url])
    assert str(caught.value).splitlines() == [
        f"CommandExecutionError: GET {nobody}/redirect: Connection refused",
        f"GET {blind.url}/redirect: 503 No leader elected",
    ]


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1:5050", "//root:sesame@127.0.0.1:5050", "//", "", "file:///etc/passwd"],
)
def test_a_redirect_to_another_scheme_or_nowhere_is_not_followed(salt, raw, location):
    headers = f"Location: {location}\r\nContent-Length: 0\r\n\r\n"
    server = raw(f"HTTP/1.1 307 Temporary Redirect\r\n{headers}".encode())
    with pytest.raises(salt.Error, match="redirects to an invalid address$") as caught:
        salt.call("mesos.leader", url=server.url)
    assert "sesame" not in str(caught.value)


def test_a_server_that_is_not_a_master_is_an_error(salt, raw):
    server = raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><title>It works!</title></html>"
    )
    with pytest.raises(salt.Error, match="200 is not the response of a Mesos master$"):
        salt.call("mesos.leader", url=server.url)


def test_masters_reports_health_and_leadership(salt, cluster, raw, nobody):
    leader, standby, blind, silent = (
        cluster.master(),
        cluster.master(),
        raw(recording(NO_LEADER)),
        raw(None),
    )
    urls = [leader.url, standby.url, blind.url, nobody, silent.url]
    no_log = {"leader": False, "log_recovered": None}
    assert salt.call("mesos.masters", url=urls, timeout=2) == [
        {"url": leader.url, "healthy": True, "leader": True, "log_recovered": True, "error": None},
        {
            "url": standby.url,
            "healthy": True,
            "leader": False,
            "log_recovered": True,
            "error": None,
        },
        {
            "url": blind.url,
            **no_log,
            "healthy": True,
            "error": f"POST {blind.url}/api/v1: 503 No leader elected",
        },
        {
            "url": nobody,
            **no_log,
            "healthy": False,
            "error": f"GET {nobody}/health: Connection refused",
        },
        {
            "url": silent.url,
            **no_log,
            "healthy": False,
            "error": f"GET {silent.url}/health: no response within 2 seconds",
        },
    ]


@pytest.mark.parametrize(
    "value, recovered",
    [(1.0, True), (0.0, False), (None, None), ("1.0", None), ([], None), (0.5, None)],
    ids=str,
)
def test_masters_reports_whether_the_log_has_recovered(salt, raw, value, recovered):
    server = raw(recording({**NO_LEADER, **log(value)}))
    assert salt.call("mesos.masters", url=server.url)[0]["log_recovered"] is recovered


def test_a_leader_that_has_not_recovered_counts_as_leader(salt, raw):
    url = raw(recording(NOT_RECOVERED)).url
    error = f"POST {url}/api/v1: 503 Master has not finished recovery"
    status = {"url": url, "healthy": True, "leader": True, "log_recovered": None, "error": error}
    assert salt.call("mesos.masters", url=url) == [status]


def test_agents_are_listed_as_the_leader_reports_them(salt, raw):
    url = raw(recording(LEADER)).url
    agents = salt.call("mesos.agents", url=url)
    recorded = {
        agent["id"]: agent
        for agent in RECORDED["leader-get-slaves-agent-killed-2s"]["json"]["slaves"]
    }
    assert [agent["hostname"] for agent in agents] == ["127.0.0.4", "127.0.0.5"]
    for agent in agents:
        same = {
            key: recorded[agent["id"]][key]
            for key in ("id", "hostname", "active", "attributes", "version")
        }
        assert agent.items() >= {**same, "recovered": False}.items()
    assert [agent["hostname"] for agent in salt.call("mesos.agents", url=url, active=True)] == [
        "127.0.0.4"
    ]
    assert [agent["hostname"] for agent in salt.call("mesos.agents", url=url, active=False)] == [
        "127.0.0.5"
    ]


def test_agents_that_have_not_reregistered_are_marked_as_recovered(salt, raw):
    agents = salt.call(
        "mesos.agents", url=raw(recording({**LEADER, b"GET /slaves": "recovered-get-slaves"})).url
    )
    assert [(agent["hostname"], agent["active"], agent["recovered"]) for agent in agents] == [
        ("127.0.0.4", False, True)
    ]


def test_agents_fails_for_a_leader_that_has_not_recovered(salt, raw):
    with pytest.raises(
        salt.Error, match="^CommandExecutionError: .*: 503 Master has not finished recovery$"
    ):
        salt.call("mesos.agents", url=raw(recording(NOT_RECOVERED)).url)


@pytest.mark.parametrize(
    "body",
    ['{"slaves": [{"id": 1}]}', '{"slaves": {"a": 1}}', '{"agents": []}', '{"slaves": null}'],
)
def test_agents_fails_for_an_unexpected_response(salt, raw, body):
    def respond(data: bytes) -> bytes:
        if not data.startswith(b"GET /slaves"):
            return recording(LEADER)(data)
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    error = "/slaves: this is not the response of a Mesos master to GET /slaves: "
    with pytest.raises(salt.Error, match=f"^CommandExecutionError: GET .*{error}"):
        salt.call("mesos.agents", url=raw(respond).url)


# --- mesos.leader_available ---


def test_leader_available_succeeds_at_every_master(salt, cluster):
    leader, standby = cluster.master(), cluster.master()
    for url in (leader.url, standby.url, [standby.url, leader.url]):
        for test in (True, False):
            assert (
                passes(salt("mesos.leader_available", test, url=url, timeout=10))
                == f"{leader.url} leads and has recovered"
            )


def test_leader_available_succeeds_as_soon_as_the_leader_recovers(salt, cluster):
    leader = cluster.leader_without_quorum()
    assert salt("mesos.leader_available", True, url=leader.url)["result"] is None
    cluster.master()
    passes(salt("mesos.leader_available", url=leader.url, timeout=5))


def test_leader_available_fails_without_a_leader_with_the_error_of_each_master(salt, raw, nobody):
    blind = raw(recording(NO_LEADER))
    assert fails(
        salt("mesos.leader_available", url=[nobody, blind.url], timeout=1)
    ).splitlines() == [
        "Waited 1 second for a leader that has recovered:",
        f"  GET {nobody}/redirect: Connection refused",
        f"  GET {blind.url}/redirect: 503 No leader elected",
    ]


def test_leader_available_fails_for_a_leader_that_has_not_recovered(salt, raw):
    url = raw(recording(NOT_RECOVERED)).url
    comment = fails(salt("mesos.leader_available", url=url, timeout=0))
    assert comment.endswith(
        "is elected, but not known to have recovered: "
        f"POST {url}/api/v1: 503 Master has not finished recovery"
    )


def test_leader_available_checks_once_in_a_test_run(salt, nobody):
    answer = salt("mesos.leader_available", True, url=nobody, timeout=3600)
    assert (answer["result"], answer["changes"]) == (None, {})
    assert answer["comment"].splitlines() == [
        "Would wait for a leader that has recovered:",
        f"  GET {nobody}/redirect: Connection refused",
    ]


def test_the_first_of_three_masters_passes_alone(salt, cluster, nobody):
    master = cluster.leader_without_quorum()
    comment = passes(
        salt(
            "mesos.leader_available",
            url=[master.url, nobody, "http://127.0.0.2:9"],
            member=master.url,
            timeout=10,
        )
    )
    assert comment == (
        f"{master.url} is healthy. Healthy masters: 1 of 3, too few to elect a leader"
    )


def test_half_of_the_masters_are_too_few_to_wait_for_a_leader(salt, raw, nobody):
    masters = [
        raw(recording(NO_LEADER)).url,
        raw(recording(NO_LEADER)).url,
        nobody,
        "http://127.0.0.2:9",
    ]
    passes(salt("mesos.leader_available", url=masters, member=masters[1], timeout=10))


def test_the_default_of_url_comes_from_pillar(salt, cluster, nobody):
    leader = cluster.master()
    pillar = {"mesos": {"url": [nobody, leader.url]}}
    assert (
        passes(salt("mesos.leader_available", pillar=pillar))
        == f"{leader.url} leads and has recovered"
    )
    passes(salt("mesos.leader_available", pillar=pillar, member=leader.url))
    passes(salt("mesos.agents_registered", pillar=pillar, count=0))


def test_with_a_majority_a_member_waits_for_a_leader(salt, raw, nobody):
    masters = [raw(recording(NO_LEADER)).url, raw(recording(NO_LEADER)).url, nobody]
    comment = fails(salt("mesos.leader_available", url=masters, member=masters[0], timeout=0))
    assert "503 No leader elected" in comment and f"according to {masters[0]}" in comment


def test_the_second_of_three_new_masters_does_not_wait_for_a_leader(salt, raw, nobody):
    masters = [
        raw(recording({**situation, **log(0.0)})).url for situation in (NOT_RECOVERED, NO_LEADER)
    ]
    comment = passes(
        salt("mesos.leader_available", url=[*masters, nobody], member=masters[1], timeout=10)
    )
    assert comment == (
        f"{masters[1]} is healthy. The replicated log is new and will be initialized when all 3 "
        "masters are running. 2 are healthy"
    )


def test_the_third_of_three_new_masters_waits_for_a_leader(salt, raw):
    masters = [raw(recording({**NOT_RECOVERED, **log(0.0)})).url for _ in range(3)]
    comment = fails(salt("mesos.leader_available", url=masters, member=masters[2], timeout=0))
    assert "503 Master has not finished recovery" in comment


@pytest.mark.parametrize("metrics", [log(1.0), {}], ids=["one has a log", "one does not tell"])
def test_a_majority_with_a_log_that_may_be_in_use_needs_a_leader(salt, raw, nobody, metrics):
    masters = [
        raw(recording({**NO_LEADER, **log_metrics})).url for log_metrics in (log(0.0), metrics)
    ]
    fails(salt("mesos.leader_available", url=[*masters, nobody], member=masters[0], timeout=0))


def test_a_restarted_master_of_a_running_cluster_must_have_rejoined(salt, cluster, raw, nobody):
    leader, restarted = cluster.master(), raw(recording({**NO_LEADER, **log(0.0)}))
    masters = [leader.url, restarted.url, nobody]
    fails(salt("mesos.leader_available", url=masters, member=restarted.url, timeout=0))
    assert (
        passes(salt("mesos.leader_available", url=masters, member=leader.url, timeout=0))
        == f"{leader.url} leads and has recovered"
    )


@pytest.mark.parametrize(
    "current_quorum, peers, quorum, check",
    [
        (2, 2, 2, passes),
        (2, 1, 2, fails),
        # Two masters are added to three: they start when all of these have the new quorum.
        (2, 2, 3, passes),
        (2, 1, 3, fails),
        (3, 3, 3, passes),
        (3, 2, 3, fails),
        # Two of five are removed.
        (3, 2, 2, passes),
        # It runs alone, and cannot become one of three.
        (1, 0, 2, fails),
        # Three masters that all have a quorum of 1.
        (1, 2, 2, passes),
        (None, 1, 2, fails),
    ],
)
def test_a_member_may_restart_if_the_others_have_the_quorum_that_it_runs_with(
    salt, raw, nobody, current_quorum, peers, quorum, check
):
    flags = {"status": 200, "headers": {}, "json": {"flags": {"quorum": str(current_quorum)}}}
    member, *peer_urls = (
        raw(recording({**LEADER, **log(1.0), b"GET /flags": flags})).url for _ in range(peers + 1)
    )
    check(
        salt(
            "mesos.quorum_without_member",
            member=member,
            quorum=quorum,
            url=[member, *peer_urls, nobody],
            timeout=0,
        )
    )


@pytest.mark.parametrize("caught_up, check", [(0.0, fails), (1.0, passes)])
def test_a_member_with_a_new_disk_must_have_caught_up_with_the_log(salt, raw, caught_up, check):
    replaced = raw(recording({**LEADER, **log(caught_up)}))
    check(salt("mesos.leader_available", url=[replaced.url] * 3, member=replaced.url, timeout=0))


def test_a_member_that_does_not_know_the_leader_is_not_ready(salt, cluster, raw):
    masters = [raw(recording(NO_LEADER)).url, cluster.master().url, cluster.master().url]
    fails(salt("mesos.leader_available", url=masters, member=masters[0], timeout=0))
    passes(salt("mesos.leader_available", url=masters, member=masters[2], timeout=10))


def test_a_member_that_is_down_fails_although_the_cluster_has_a_leader(salt, cluster, nobody):
    masters = [cluster.master().url, cluster.master().url, nobody]
    assert f"GET {nobody}/health: Connection refused" in fails(
        salt("mesos.leader_available", url=masters, member=nobody, timeout=0)
    )
    passes(salt("mesos.leader_available", url=masters, member=masters[1], timeout=10))


def test_the_only_master_must_lead(salt, raw):
    url = raw(recording(NO_LEADER)).url
    fails(salt("mesos.leader_available", url=url, member=url, timeout=0))


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({"timeout": -1}, "timeout: -1 is not a number of seconds"),
        ({"timeout": "soon"}, "timeout: 'soon' is not a number of seconds"),
        ({"timeout": True}, "timeout: True is not a number of seconds"),
        (
            {"url": "ftp://10.0.0.1"},
            "url: ftp://10.0.0.1 is not an http:// or https:// URL of a server",
        ),
        ({"url": {"a": 1}}, "url: should be a URL or a list of URLs, not "),
        (
            {"url": "http://127.0.0.1:9", "member": "ftp://lxcc01"},
            "url: ftp://lxcc01 is not an http:// or https:// URL",
        ),
        ({"url": "http://127.0.0.1:9", "member": ""}, "member: should be the URL of one master"),
        (
            {"url": "http://127.0.0.1:9", "member": ["http://127.0.0.1:9"]},
            "member: should be the URL of one master",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("test", [True, False])
def test_invalid_arguments_of_leader_available_fail_at_once(salt, test, arguments, error):
    comment = fails(salt("mesos.leader_available", test, **{"timeout": 3600, **arguments}))
    assert comment.startswith(error) and "\n" not in comment


# --- mesos.agents_registered ---


def test_agents_registered_succeeds_by_host_name_and_by_count(salt, cluster):
    url = cluster.master().url
    cluster.agent("lxb001.devops.test"), cluster.agent("lxb002.devops.test")
    names = ["lxb001.devops.test", "LXB002.devops.test"]
    assert (
        passes(salt("mesos.agents_registered", agents=names, url=url, timeout=10))
        == "Active agents: 2, including lxb001.devops.test, LXB002.devops.test"
    )
    assert passes(salt("mesos.agents_registered", True, count=2, url=url)) == "Active agents: 2"
    passes(
        salt("mesos.agents_registered", agents="lxb001.devops.test", count=1, url=url, timeout=10)
    )
    passes(salt("mesos.agents_registered", agents=[], url=url, timeout=10))


def test_agents_registered_lists_missing_agents(salt, cluster):
    master = cluster.master()
    cluster.agent("lxb001")
    until(lambda: master.agents)
    names = ["lxb001", "lxb002", "lxb003"]
    assert fails(
        salt("mesos.agents_registered", agents=names, count=3, url=master.url, timeout=1)
    ).splitlines() == [
        "Waited 1 second for the agents lxb001, lxb002, lxb003 and 3 agents:",
        "  lxb002: not registered",
        "  lxb003: not registered",
        "  active agents: 1 of at least 3",
    ]
    assert salt("mesos.agents_registered", True, agents=names, url=master.url)["result"] is None


def test_an_agent_that_an_operator_has_deactivated_only_has_to_be_registered(salt, cluster):
    url = cluster.master().url
    cluster.agent("lxb001"), cluster.agent("lxb002")
    names = ["lxb001", "lxb002"]
    passes(salt("mesos.agents_registered", agents=names, url=url, timeout=10))
    salt.call("mesos.deactivate_agent", "lxb002", url=url)
    assert (
        passes(salt("mesos.agents_registered", agents=names, url=url, timeout=0))
        == "Active agents: 1, including lxb001. Out of service: lxb002"
    )
    comment = fails(salt("mesos.agents_registered", count=2, url=url, timeout=0))
    assert "active agents: 1 of at least 2" in comment


def test_agents_registered_describes_inactive_agents(salt, raw):
    killed, recovered = (
        raw(recording(LEADER)),
        raw(recording({**LEADER, b"GET /slaves": "recovered-get-slaves"})),
    )
    comment = fails(
        salt(
            "mesos.agents_registered", agents=["127.0.0.4", "127.0.0.5"], url=killed.url, timeout=0
        )
    )
    assert comment.splitlines()[1:] == ["  127.0.0.5: registered, but disconnected from the leader"]
    comment = fails(
        salt("mesos.agents_registered", agents=["127.0.0.4"], url=recovered.url, timeout=0)
    )
    assert comment.splitlines()[1:] == [
        "  127.0.0.4: in the registry, but has not reregistered since the leader changed"
    ]


def test_agents_registered_fails_without_a_leader(salt, raw, nobody):
    comment = fails(
        salt(
            "mesos.agents_registered",
            count=0,
            url=[nobody, raw(recording(NOT_RECOVERED)).url],
            timeout=0,
        )
    )
    assert "503 Master has not finished recovery" in comment


@pytest.mark.parametrize(
    "arguments, error",
    [
        ({}, "agents, count: one of them is required"),
        ({"agents": {"a": 1}}, "agents: should be a list of host names"),
        ({"agents": [1]}, "agents: should be a list of host names"),
        ({"count": -1}, "count: -1 should be a number of agents"),
        ({"count": "4"}, "count: '4' should be a number of agents"),
        ({"count": 1, "timeout": -5}, "timeout: -5 is not a number of seconds"),
        (
            {"count": 1, "url": "ftp://nowhere"},
            "url: ftp://nowhere is not an http:// or https:// URL",
        ),
    ],
    ids=str,
)
def test_invalid_arguments_of_agents_registered_fail_at_once(salt, arguments, error):
    comment = fails(salt("mesos.agents_registered", **{"timeout": 3600, **arguments}))
    assert comment.startswith(error) and "\n" not in comment
