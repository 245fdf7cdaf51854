"""Apps, jobs and policies in pillar, applied by the SLS of the formulas with the real Salt."""

import json

import pytest
import yaml
from mesos_world import HOSTS, MesosCluster

from lab import ROOT
from lab.fakes.chronos.server import Chronos
from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

EXAMPLES = (ROOT / "pillar" / "apps.sls").read_text()
LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
SLS = ("mesos.policy", "marathon.apps", "chronos.jobs")
SECRET = "open-sesame-4711"


class Cluster:
    """A master with an agent, a Marathon and a Chronos. Calling it applies the SLS."""

    def __init__(self, salt, running, directory):
        agents = Agents(*(agent(host, {"rack": "r1"}) for host in HOSTS[:2]))
        self.salt, self.mesos = salt, MesosCluster(salt, running, directory, hosts=HOSTS[:1])
        self.marathon = running(
            Marathon(LOCAL, None, "1.8.244", servers=MemoryRoom(), agents=agents)
        )
        self.chronos = running(Chronos(LOCAL, None, "2.5.0", servers=MemoryRoom(), agents=agents))
        self.services = {"mesos": self.mesos, "marathon": self.marathon, "chronos": self.chronos}

    def __call__(self, *pillar, test=False, sls=SLS):
        urls = yaml.safe_dump(
            {name: {"url": service.url} for name, service in self.services.items()}
        )
        return self.salt.apply(*sls, pillar=[urls, *pillar], test=test)

    def changes(self, *pillar):
        """
        Apply pillar, which must succeed as the test run predicts, and be idempotent.

        Returns the changes by state.
        """
        predicted, applied, repeated = self(*pillar, test=True), self(*pillar), self(*pillar)
        for results in (predicted, applied, repeated):
            assert all(state["result"] is not False for state in results.values()), results
        changes = changed(applied)
        assert changed(predicted) == changes
        assert changed(repeated) == {}
        return changes

    def write_count(self):
        """Return how many writes the services have received."""
        requests = self.marathon.requests + self.chronos.requests
        writes = [request for request in requests if request.method not in ("GET", "HEAD")]
        return len(writes) + len(self.mesos.leader.heard)

    def app(self, name):
        return self.salt.call("marathon.app", name, url=self.marathon.url)


def changed(results):
    return {name: state["changes"] for name, state in results.items() if state["changes"]}


@pytest.fixture
def cluster(salt, running, tmp_path):
    return Cluster(salt, running, tmp_path)


def test_the_examples_are_applied_as_documented(cluster):
    changes = cluster.changes(EXAMPLES)
    assert set(changes) == {"mesos-weights", "mesos-quotas", "marathon-apps", "chronos-jobs"}
    assert set(changes["marathon-apps"]) == {"/hello", "/http-server"} and set(
        changes["chronos-jobs"]
    ) == {"hello", "hello-again"}
    hello, served = cluster.app("/hello"), cluster.app("/http-server")
    assert (hello["instances"], hello["env"], hello["labels"]) == (
        2,
        {"GREETING": "hello"},
        {"MANAGED_BY": "salt"},
    )
    assert (
        served["container"]["docker"]["image"] == "busybox"
        and served["container"]["portMappings"][0]["containerPort"] == 80
    )
    roles = cluster.mesos.call("roles")
    assert (roles["web"]["weight"], roles["web"]["limits"], roles["batch"]["weight"]) == (
        2.0,
        {"cpus": 2.0, "mem": 2048.0},
        0.5,
    )
    assert cluster.salt.call("chronos.children", "hello", url=cluster.chronos.url) == [
        "hello-again"
    ]


def test_pillar_can_override_the_instances_of_an_app_defined_in_a_mapping_or_a_file(cluster):
    cluster.changes(EXAMPLES)
    changes = cluster.changes(
        EXAMPLES, "marathon: {apps: {/hello: {instances: 3}, /http-server: {instances: 2}}}"
    )
    assert changes == {
        "marathon-apps": {
            "/hello": {"/instances": {"old": 2, "new": 3}},
            "/http-server": {"/instances": {"old": 1, "new": 2}},
        }
    }


def test_undeclared_entries_stay_and_null_removes_them(cluster):
    cluster.changes(EXAMPLES)
    assert changed(cluster("{}")) == {}
    withdrawn = """
        marathon: {apps: {/hello: null}}
        chronos: {jobs: {hello: null, hello-again: null}}
        mesos: {quotas: {web: null}, weights: {web: 1, batch: 1}}"""
    assert set(changed(cluster(withdrawn))) == {
        "marathon-apps-withdrawn",
        "chronos-jobs",
        "mesos-quotas-withdrawn",
        "mesos-weights",
    }
    assert changed(cluster(withdrawn)) == {}
    assert cluster.app("/http-server") and cluster.mesos.call("quotas") == {}


def test_purge_deletes_only_what_was_declared_before(cluster):
    cluster.salt.call(
        "marathon.create_app", "/other", {"cmd": "sleep 100"}, url=cluster.marathon.url
    )
    cluster.changes(EXAMPLES)
    changes = cluster.changes(
        "marathon: {apps: {/http-server: 'salt://apps/http-server.json'}, "
        "deployment: {purge: true}}"
    )
    assert (
        set(changes["marathon-apps"]) == {"/hello"}
        and changes["marathon-apps"]["/hello"]["/"]["new"] is None
    )
    assert cluster.app("/other")


def test_groups_are_created_before_apps_and_deleted_after_them(cluster):
    changes = cluster.changes("""
        marathon:
          groups: {/shop: {apps: {db: {cmd: sleep 100}}}}
          apps: {/front: {cmd: sleep 100, dependencies: [/shop/db]}}""")
    assert list(changes) == ["marathon-groups", "marathon-apps"]
    results = cluster("marathon: {groups: {/shop: null}, apps: {/front: null}}")
    assert list(changed(results)) == ["marathon-apps-withdrawn", "marathon-groups-withdrawn"]


def test_secrets_from_another_pillar_file_are_in_no_result(cluster):
    secrets = f"marathon: {{apps: {{/hello: {{env: {{TOKEN: {SECRET}}}}}}}}}"
    for test in (True, False):
        results = cluster(EXAMPLES, secrets, test=test)
        assert results["marathon-apps"]["changes"]["/hello"]["/"]["new"]["env"] == {
            "GREETING": "hello",
            "TOKEN": "***",
        }
        assert SECRET not in json.dumps(results)
    assert cluster.app("/hello")["env"]["TOKEN"] == SECRET


# --- types of YAML values ---


def test_text_that_looks_like_another_type_is_sent_unchanged(cluster):
    cluster.changes("""
        marathon:
          apps:
            /web:
              cmd: sleep 100
              env: {NUMBER: 8000, DATE: 2026-01-01, STAR: '*', 'YES': 'yes', OCTAL: '0644',
                    TIME: '22:22', VERSION: '1.10', EMPTY: ''}
              labels: {port: 80, url: http}
              constraints: [[rack, MAX_PER, 2]]""")
    assert cluster.app("/web")["env"] == {
        "NUMBER": "8000",
        "DATE": "2026-01-01",
        "STAR": "*",
        "YES": "yes",
        "OCTAL": "0644",
        "TIME": "22:22",
        "VERSION": "1.10",
        "EMPTY": "",
    }
    assert (
        cluster.app("/web")["constraints"] == [["rack", "MAX_PER", "2"]]
        and cluster.app("/web")["labels"]["port"] == "80"
    )


@pytest.mark.parametrize(
    "definition, words",
    [
        ("{cmd: x1, env: {DEBUG: yes}}", ["/web", "env.DEBUG", "put it in quotes"]),
        (
            "{cmd: x1, labels: {version: 1.10}}",
            ["/web", "labels.version", "1.1", "put it in quotes"],
        ),
        ("{cmd: x1, env: {NOTHING: }}", ["/web", "env.NOTHING", "put it in quotes"]),
        ("{cmd: x1, instances: '2'}", ["/web", "instances", "a whole number"]),
        ("{cmd: x1, instanses: 2}", ["/web", "instanses", "Did you mean instances?"]),
        (
            "salt://apps/nosuch.json",
            ["/web", "salt://apps/nosuch.json is not on Salt's file server"],
        ),
    ],
)
def test_a_value_that_yaml_may_have_changed_is_rejected_before_anything_is_sent(
    cluster, definition, words
):
    before = cluster.write_count()
    for test in (True, False):
        results = cluster(
            f"marathon: {{apps: {{/web: {definition}, /right: {{cmd: sleep 1}}}}}}",
            test=test,
            sls=["marathon.apps"],
        )
        state = results["marathon-apps"]
        assert state["result"] is False and state["changes"] == {} and "\n" not in state["comment"]
        for word in words:
            assert word in state["comment"]
    assert cluster.write_count() == before


def test_nothing_is_applied_if_a_setting_is_invalid(cluster):
    before = cluster.write_count()
    errors = cluster(
        EXAMPLES,
        "mesos: {weights: {web: -1}}\nmarathon: {apps: {/Web: {}, /hello: {env: {YES: please}}}}",
    )
    assert isinstance(errors, list) and len(errors) == 1 and "Traceback" not in errors[0]
    for words in (
        "mesos:weights:web = -1 on unit: ",
        "marathon:apps:/Web = /Web on unit: ",
        "marathon:apps:/hello:env:True = (not shown) on unit: "
        "YAML reads this name as true. Put it in quotes.",
    ):
        assert words in errors[0]
    assert cluster.write_count() == before
