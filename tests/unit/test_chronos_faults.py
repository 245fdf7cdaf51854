"""The module chronos where a real Chronos 3.0.2 gives empty, late or misleading answers."""

import json
import re
import threading

import pytest
from mesos_world import until

from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.wire.election import MemoryRoom
from lab.fakes.wire.http import answer

pytestmark = pytest.mark.lines("3008")

SCHEDULE = "R/2030-01-01T00:00:00Z/PT24H"
PAST = {"command": "true", "schedule": "R/2020-01-01T00:00:00Z/PT24H", "ownerName": "ops"}
DAILY = {"command": "true", "schedule": SCHEDULE}
VERSIONS = ("2.5.0", "3.0.2")


class ChronosCluster:
    """Chronos servers with one agent, called by Salt."""

    def __init__(self, salt, running, version):
        self.salt, self.running, self.version = salt, running, version
        self.room, self.agents = MemoryRoom(), Agents(agent("lxb001.devops.test"))
        self.server = self.start()

    def start(self, loop=0.05):
        local = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
        server = Chronos(local, None, self.version, servers=self.room, agents=self.agents)
        server.loop = loop
        return self.running(server)

    def call(self, function, *positional, **options):
        options = {"url": self.server.url, **options}
        return self.salt.call(f"chronos.{function}", *positional, **options)

    def fails(self, function, *positional, **options):
        with pytest.raises(self.salt.Error) as error:
            self.call(function, *positional, **options)
        assert "\n" not in str(error.value), error.value
        return str(error.value)

    def writes(self):
        requests = self.server.requests
        return [request for request in requests if request.method not in ("GET", "HEAD")]

    def last_sent(self):
        return json.loads(self.writes()[-1].body)


@pytest.fixture
def cluster(salt, running):
    return ChronosCluster(salt, running, "3.0.2")


@pytest.fixture(params=VERSIONS)
def each_cluster(request, salt, running):
    return ChronosCluster(salt, running, request.param)


# --- after an election ---


def new_leader(cluster):
    """Let a server lead that loads the jobs of the former leader a second later."""
    cluster.call("create_job", "hello", PAST)
    until(lambda: cluster.call("job", "hello")["successCount"] == 1)
    old_leader, cluster.server = cluster.server, cluster.start(loop=3600)
    old_leader.stop()
    until(lambda: cluster.server.leading)
    assert cluster.call("jobs") == {}
    threading.Timer(0.05, cluster.server.turn).start()
    return cluster.server


@pytest.mark.parametrize(
    ("function", "arguments", "options"),
    [
        ("put_job", ("hello", PAST), {}),
        ("put_job", ("hello", {"schedule": PAST["schedule"]}), {}),
        ("put_jobs", ({"hello": PAST},), {"owner_name": "ops", "purge": True}),
    ],
)
def test_a_job_that_a_new_leader_has_not_loaded_is_not_created_again(
    cluster, function, arguments, options
):
    server = new_leader(cluster)
    assert not cluster.call(function, *arguments, **options)["changes"]
    assert not cluster.writes() and server.jobs["hello"]["successCount"] == 1


def test_a_job_that_a_new_leader_has_not_loaded_exists(cluster):
    new_leader(cluster)
    assert cluster.call("job_exists", "hello") is True


def test_a_job_that_a_new_leader_has_not_loaded_is_deleted(cluster):
    server = new_leader(cluster)
    assert cluster.call("delete_job", "hello")["deleted"]["successCount"] == 1
    assert not server.jobs


def test_a_job_that_a_new_leader_has_not_loaded_is_purged(cluster):
    server = new_leader(cluster)
    assert list(cluster.call("put_jobs", {}, owner_name="ops", purge=True)["deleted"]) == ["hello"]
    assert not server.jobs


def test_a_list_that_is_shorter_than_before_is_read_again(cluster):
    for name in ("hello", "late"):
        cluster.call("create_job", name, DAILY)
    cluster.call("put_jobs", {"hello": DAILY})  # The module remembers both.
    late = cluster.server.jobs.pop("late")
    original_get_jobs = Chronos.get_jobs

    def get_jobs(request, **captured):
        response = original_get_jobs(cluster.server, request, **captured)
        cluster.server.jobs["late"] = late
        return response

    get_jobs.marks = original_get_jobs.marks
    cluster.server.get_jobs = get_jobs
    before = len(cluster.writes())
    assert not cluster.call("put_jobs", {"late": DAILY})["changes"]
    assert len(cluster.writes()) == before


# --- one job with times that Chronos cannot parse ---


@pytest.fixture
def broken(cluster):
    """A Chronos whose summary and graph fail."""
    cluster.call("create_job", "hello", DAILY)
    cluster.call("create_job", "report", {"command": "true", "parents": ["hello"]})
    cluster.call("create_job", "bad", {**DAILY, "lastSuccess": "null", "lastError": "null"})
    for path in ("jobs/summary", "graph/csv"):
        message = cluster.fails("api_call", "GET", f"/v1/scheduler/{path}", retries=0)
        assert "400" in message or "500" in message
    return cluster


def test_a_job_with_unreadable_times_breaks_no_query(broken):
    assert broken.call("api_version") == 3
    assert broken.call("jobs_summary")["bad"] == {
        "status": "unknown",
        "state": "unknown",
        "schedule": SCHEDULE,
        "parents": [],
        "disabled": False,
    }
    assert broken.call("children", "hello") == ["report"]
    assert broken.call("parents", "report") == ["hello"]
    assert broken.call("summary")["jobs"]["total"] == 3


def test_a_job_with_unreadable_times_can_be_run_and_deleted(broken):
    assert broken.call("run_job", "hello") is True
    assert broken.call("kill_tasks", "bad") is True
    assert broken.call("delete_job", "bad")["deleted"]["lastError"] == "null"
    assert broken.call("jobs_summary")["hello"]["state"] != "unknown"


# --- servers that do not lead, and reasons of errors ---


def test_a_job_that_a_standby_creates_with_an_empty_400_is_created(cluster):
    cluster.call("create_job", "hello", DAILY)
    standby = cluster.start()
    forward = standby.forestall

    def lose_answer(request):
        response = forward(request)
        return answer(None, 400) if request.method == "POST" else response

    standby.forestall = lose_answer
    assert cluster.call("create_job", "new", DAILY, url=standby.url)["created"] is True
    assert len([write for write in cluster.writes() if "new" in write.body]) == 1


def test_an_empty_400_of_a_standby_for_a_job_that_is_not_created_is_an_error(cluster):
    cluster.call("create_job", "hello", DAILY)
    standby = cluster.start()
    standby.forestall = lambda request: (
        answer(None, 400) if request.method == "POST" else Chronos.forestall(standby, request)
    )
    message = cluster.fails("create_job", "new", DAILY, wait=0.2, url=standby.url)
    assert "Only the leader returns the reason of an error" in message


def test_the_reason_of_a_page_is_in_the_error(cluster):
    body = {"name": "new", **DAILY, "container": {"image": "busybox", "network": "bridge"}}
    message = cluster.fails("api_call", "POST", "/v1/scheduler/iso8601", body=body)
    assert "500 java.util.NoSuchElementException: No value found for 'bridge'" in message


# --- runs and searches ---


def test_a_disabled_job_is_not_run(each_cluster):
    each_cluster.call("create_job", "off", {**DAILY, "disabled": True})
    before = len(each_cluster.writes())
    assert "The job 'off' is disabled" in each_cluster.fails("run_job", "off")
    assert len(each_cluster.writes()) == before


def test_a_second_run_is_rejected_while_the_first_one_waits(cluster):
    cluster.call("create_job", "big", {**DAILY, "cpus": 900})
    assert cluster.call("run_job", "big") is True
    assert "A run of 'big' is already waiting for resources" in cluster.fails("run_job", "big")


def test_the_state_job_run_fails_for_a_disabled_job(cluster):
    cluster.call("create_job", "off", {**DAILY, "disabled": True})
    outcome = cluster.salt("chronos.mod_watch", name="off", sfun="job_run", url=cluster.server.url)
    assert outcome["result"] is False and "disabled" in outcome["comment"]


def test_an_argument_named_any_restricts_a_search(each_cluster):
    for name in ("hello", "other"):
        each_cluster.call("create_job", name, {**DAILY, "command": f"echo {name[::-1]}"})
    assert list(each_cluster.call("search", any="HELLO")) == ["hello"]
    assert list(each_cluster.call("search", any="rehto")) == ["other"]
    assert list(each_cluster.call("search", any="e", limit=1, offset=1)) == ["other"]
    assert each_cluster.call("search", name="other", any="hello") == {}


# --- jobs that would end Chronos ---


@pytest.mark.parametrize(
    "jobs",
    [
        {"a": {"command": "true", "parents": ["a"]}},
        {
            "a": {"command": "true", "parents": ["b"]},
            "b": {"command": "true", "parents": ["a"]},
        },
    ],
    ids=["itself", "pair"],
)
def test_new_jobs_that_are_their_own_ancestors_are_rejected(each_cluster, jobs):
    assert "would run after itself" in each_cluster.fails("put_jobs", jobs)
    assert each_cluster.fails("put_job", "a", jobs["a"])
    assert not each_cluster.writes()


def test_new_jobs_that_are_their_own_ancestors_end_the_fake(cluster):
    body = {"name": "a", "command": "true", "parents": ["a"]}
    cluster.call("api_call", "POST", "/v1/scheduler/dependency", body=body)
    until(lambda: not cluster.server.leading)
    # A connection that was waiting to be accepted is reset.
    assert re.search("refused|reset", cluster.fails("jobs", retries=0))


# --- definitions ---


def in_container(**members):
    return {"container": {"image": "busybox", **members}}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (in_container(volumes=[{"containerPath": "/a", "mode": 1}]), "one of RO, RW"),
        (in_container(volumes=[{"containerPath": "/a", "mode": "RWX"}]), "'RWX' should be one of"),
        (in_container(volumes=[{"hostPath": "/a"}]), "container.volumes[0]: its value should be"),
        (in_container(volumes=["/a:/b"]), "container.volumes[0]"),
        (in_container(network="NONE"), "container.network: 'NONE' should be one of BRIDGE"),
        (in_container(network=1), "container.network"),
        (in_container(type="RKT"), "container.type: 'RKT' should be one of DOCKER, MESOS"),
        (in_container(forcePullImage="yes"), "container.forcePullImage"),
        (in_container(parameters=[{"key": "a"}]), "a mapping with key and value"),
        (in_container(parameters=[{"key": "a", "value": 1.1}]), "container.parameters[0].value"),
        (in_container(parameters=[{"key": "a", "value": True}]), "container.parameters[0].value"),
        (in_container(networkInfos=[{}]), "a mapping with name"),
        (in_container(networkInfos=[{"name": "n", "protocol": "tcp"}]), "one of IPv4, IPv6"),
        (
            in_container(networkInfos=[{"name": "n", "portMappings": [{"hostPort": 1}]}]),
            "hostPort and containerPort",
        ),
        (in_container(volumes=[{"containerPath": "/a", "external": {"name": "v"}}]), "provider"),
        (in_container(imge="x"), "container.imge: there is no such field. Did you mean image?"),
        (in_container(forcepullimage=True), "Did you mean forcePullImage?"),
        ({"container": {"type": "DOCKER"}}, "container: its value should be a mapping with image"),
        ({"environmentVariables": {"G": 1.1}}, "environmentVariables.G.value: its value should"),
        ({"environmentVariables": {"F": True}}, "environmentVariables.F.value: its value should"),
        ({"environmentVariables": {"F": None}}, "environmentVariables.F: its value should"),
        ({"environmentVariables": [{"value": "x"}]}, "a mapping with name"),
        ({"constraints": [["rack", "EQUALS", 1.1]]}, "constraints[0][2]"),
        ({"constraints": [["rack", "EQUALS"]]}, "constraints[0]"),
        ({"constraints": [["rack", "equals", "r1"]]}, "constraints[0][1]: 'equals' should be"),
        ({"fetch": ["http://a.test/a"]}, "fetch[0]: its value should be a mapping"),
        ({"fetch": [{"uri": "http://a.test/a", "extract": "no"}]}, "fetch[0].extract"),
        ({"cpus": "many"}, "cpus: 'many' should be a number"),
        ({"retries": "1.5"}, "retries"),
        ({"comand": "true"}, "comand: there is no such field. Did you mean command?"),
        ({"env": {"A": "1"}}, "Did you mean environmentVariables?"),
        ({"schedule_time_zone": "UTC"}, "Did you mean scheduleTimeZone?"),
    ],
    ids=repr,
)
def test_a_value_that_chronos_would_reject_drop_or_alter_is_rejected(salt, fields, error):
    with pytest.raises(salt.Error) as raised:
        salt.call("chronos.canonical_job", {**DAILY, **fields})
    message = str(raised.value)
    assert message.startswith("SaltInvocationError: ") and error in message and "\n" not in message


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"cpus": "0.5", "retries": "3"}, {"cpus": 0.5, "retries": 3}),
        (in_container(network="bridge"), in_container(network="BRIDGE")),
        (in_container(network=None, volumes=None, type=None), in_container()),
        (
            in_container(parameters=[{"key": "memory-swap", "value": 1024}]),
            in_container(parameters=[{"key": "memory-swap", "value": "1024"}]),
        ),
        (
            in_container(volumes=[{"containerPath": "/a", "mode": "rw", "hostPath": None}]),
            in_container(volumes=[{"containerPath": "/a", "mode": "RW"}]),
        ),
        (
            {"environmentVariables": {"A": 1, "B": ""}},
            {
                "environmentVariables": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "value": ""},
                ]
            },
        ),
        ({"constraints": [["rack", "EQUALS", 1]]}, {"constraints": [["rack", "EQUALS", "1"]]}),
        ({"owner": None, "runAsUser": None}, {}),
    ],
    ids=repr,
)
def test_a_value_that_chronos_accepts_is_sent_once_and_does_not_differ_later(
    each_cluster, fields, sent
):
    each_cluster.call("create_job", "new", {**DAILY, **fields})
    assert each_cluster.last_sent() == {"name": "new", **DAILY, **sent}
    again = each_cluster.call("put_job", "new", {**DAILY, **fields})
    assert (again["changes"], again["warnings"]) == ({}, [])


def test_volumes_of_providers_and_networks_are_stored(cluster):
    container = {
        "image": "busybox",
        "network": "USER",
        "volumes": [
            {
                "containerPath": "/a",
                "mode": "RW",
                "external": {
                    "name": "v",
                    "provider": "dvdi",
                    "options": [{"key": "k", "value": "v"}],
                },
            }
        ],
        "networkInfos": [
            {
                "name": "n",
                "protocol": "ipv4",
                "portMappings": [{"hostPort": 0, "containerPort": 80, "protocol": "tcp"}],
            }
        ],
    }
    created = cluster.call("create_job", "new", {**DAILY, "container": container})
    assert created["warnings"] == []
    assert cluster.call("put_job", "new", {"container": container})["changes"] == {}


def test_a_field_that_chronos_does_not_have_is_ignored_with_a_warning(cluster):
    config = {**DAILY, "nosuch": 1, **in_container(nosuch=1)}
    created = cluster.call("create_job", "new", config)
    assert created["warnings"] == [
        "nosuch: ignored, since Chronos does not have this field",
        "container.nosuch: ignored, since Chronos does not have this field",
    ]
    outcome = cluster.salt("chronos.job_present", name="new", config=config, url=cluster.server.url)
    assert outcome["result"] is True and "nosuch: ignored" in outcome["comment"]


def test_counters_of_an_existing_job_and_the_zone_of_a_dependent_one_are_ignored_with_a_warning(
    cluster,
):
    cluster.call("create_job", "hello", DAILY)
    changed = cluster.call("put_job", "hello", {"successCount": 7})
    assert changed["changes"] == {} and changed["warnings"][0].startswith("successCount: ignored")
    child = {"command": "true", "parents": ["hello"], "scheduleTimeZone": "UTC"}
    created = cluster.call("create_job", "child", child)
    assert created["warnings"] == [
        "scheduleTimeZone: ignored, since a job with parents has no schedule"
    ]


def test_fields_that_the_definition_omits_are_kept_also_in_the_container(each_cluster):
    volumes = [{"hostPath": "/a", "containerPath": "/a", "mode": "RO"}]
    each_cluster.call(
        "create_job", "new", {**DAILY, **in_container(volumes=volumes, network="BRIDGE")}
    )
    assert each_cluster.call("put_job", "new", in_container())["changes"] == {}
    each_cluster.server.jobs["new"]["maxCompletionTime"] = 5
    changed = each_cluster.call("put_job", "new", {"container": {"image": "busybox:1.37"}})
    assert list(changed["changes"]) == ["container"]
    sent = each_cluster.last_sent()
    assert sent["container"]["volumes"] == volumes and sent["container"]["network"] == "BRIDGE"
    assert sent["maxCompletionTime"] == 5
    assert each_cluster.call("put_job", "new", in_container(image="busybox:1.37"))["changes"] == {}


def test_replace_resets_fields_that_the_container_omits(each_cluster):
    volumes = [{"hostPath": "/a", "containerPath": "/a", "mode": "RO"}]
    each_cluster.call("create_job", "new", {**DAILY, **in_container(volumes=volumes)})
    config = {**DAILY, **in_container()}
    assert list(each_cluster.call("put_job", "new", config, replace=True)["changes"]) == [
        "container"
    ]
    assert each_cluster.call("job", "new")["container"]["volumes"] == []
    assert each_cluster.call("put_job", "new", config, replace=True)["changes"] == {}
