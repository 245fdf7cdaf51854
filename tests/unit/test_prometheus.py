"""cluster.metrics: what the daemons measure, in the text format of Prometheus."""

import importlib.util
import json
import re
import socket
import socketserver
import threading

import pytest
from mesos_world import HOSTS, MesosCluster

from lab import ROOT
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

pytestmark = pytest.mark.lines("3008")

DATA = ROOT / "tests/unit/data"
RECORDED = DATA / "prometheus"
NAME = "[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)")
LABEL = re.compile(rf'({NAME})="((?:[^"\\]|\\.)*)"(?:,|$)')
# Singular or abbreviated units that the conventions replace by base units.
FOREIGN_UNITS = re.compile(r"_(ms|secs?|millis|percent|mb|mib)(_|$)")


def load():
    path = ROOT / "_modules" / "_prometheus.py"
    spec = importlib.util.spec_from_file_location("_prometheus", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


prometheus = load()


def parse(text: str) -> dict[str, dict]:
    """
    Parse the text format strictly: HELP, TYPE, then the samples of a metric.

    Returns each metric with its type, and its samples: name and labels as written, to the value.
    """
    assert text.endswith("\n") or not text
    metrics = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, description = line[7:].partition(" ")
            assert name not in metrics and description
            metrics[name] = {"help": description, "type": None, "samples": {}}
        elif line.startswith("# TYPE "):
            type_name, _, metric_type = line[7:].partition(" ")
            assert type_name == name and metrics[name]["type"] is None
            assert metric_type in ("counter", "gauge", "summary", "untyped")
            metrics[name]["type"] = metric_type
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            suffixes = ("", "_count", "_sum") if metrics[name]["type"] == "summary" else ("",)
            assert match[1] in [name + suffix for suffix in suffixes], line
            assert LABEL.sub("", match[2] or "") == "", line
            sample = line.rpartition(" ")[0]
            assert sample not in metrics[name]["samples"], line
            metrics[name]["samples"][sample] = float(match[3])
    return metrics


def value(metrics: dict[str, dict], sample: str) -> float:
    name = re.sub("_(count|sum)$", "", sample.partition("{")[0])
    entry = metrics.get(sample.partition("{")[0]) or metrics[name]
    return entry["samples"][sample]


def snapshots() -> list[tuple[str, dict]]:
    """Return the recorded snapshots of Mesos 1.11.0: master or agent, and the metrics."""
    entries = []
    for name in ("cluster", "agent", "nonleader", "noquorum", "nozk", "standalone"):
        for line in (DATA / f"mesos-1.11.0/{name}.jsonl").read_text().splitlines():
            exchange = json.loads(line)
            content = exchange.get("json")
            path = exchange.get("path", "")
            if path.startswith("/metrics/snapshot") and isinstance(content, dict):
                daemon = "agent" if "slave/uptime_secs" in content else "master"
                entries.append((daemon, content))
    return entries


def mesos_metrics(daemon: str, snapshot: dict) -> dict[str, dict]:
    families = prometheus.Families()
    prometheus.add_mesos(families, daemon, snapshot)
    return parse(families.text())


def marathon_metrics() -> dict[str, dict]:
    families = prometheus.Families()
    content = json.loads((RECORDED / "marathon-1.8.244.json").read_text())
    prometheus.add_marathon(families, content)
    return parse(families.text())


def mntr(version: str) -> str:
    return (RECORDED / f"mntr-{version}.txt").read_text()


def zookeeper_metrics(version: str) -> dict[str, dict]:
    values = {}
    for line in mntr(version).splitlines():
        name, _, text = line[len("zk_") :].partition("\t")
        values[name] = float(text) if re.fullmatch("-?[0-9.]+", text) else text
    families = prometheus.Families()
    prometheus.add_zookeeper(families, values)
    return parse(families.text())


def recorded() -> list[dict[str, dict]]:
    """Return the metrics of all recorded answers."""
    return [
        *(mesos_metrics(*entry) for entry in snapshots()),
        marathon_metrics(),
        *(zookeeper_metrics(version) for version in ("3.4.14", "3.8.0")),
    ]


# --- names, types and units ---


def test_all_daemons_and_situations_are_recorded():
    daemons = [daemon for daemon, _ in snapshots()]
    assert daemons.count("master") >= 5 and "agent" in daemons


def test_names_follow_the_conventions_of_prometheus():
    for metrics in recorded():
        for name, entry in metrics.items():
            assert re.match("(mesos_(master|agent)|marathon|zookeeper)_[a-z0-9]", name)
            assert name.endswith("_total") == (entry["type"] == "counter"), name
            assert not FOREIGN_UNITS.search(name), name
            assert "__" not in name


def test_no_two_metrics_of_mesos_get_the_same_name_and_labels():
    for daemon, snapshot in snapshots():
        samples = [len(entry["samples"]) for entry in mesos_metrics(daemon, snapshot).values()]
        keys = [key for key in snapshot if prometheus._mesos_key(key)[0] is not None]
        assert sum(samples) == len(keys)


def test_help_names_the_metric_of_the_daemon():
    metrics = mesos_metrics("master", {"master/mem_used": 1.0})
    assert metrics["mesos_master_mem_used_bytes"]["help"] == (
        "Metric master/mem_used of the Mesos master, in bytes."
    )


def test_types_of_mesos_are_those_of_its_documentation():
    types = json.loads((RECORDED / "mesos-types.json").read_text())
    assert len(types) > 200
    for key, documented_type in types.items():
        # Placeholders such as <role> become names.
        raw_key = re.sub("<([a-zA-Z_]+)>", r"\1", key)
        for daemon in ("master", "agent"):
            for name, entry in mesos_metrics(daemon, {raw_key: 1.0}).items():
                assert entry["type"] == documented_type, (key, name)


@pytest.mark.parametrize(
    "key, raw_value, sample, expected",
    [
        ("master/mem_total", 2.0, "mesos_master_mem_bytes", 2 * 1024**2),
        ("master/disk_revocable_used", 1.0, "mesos_master_disk_revocable_used_bytes", 1024**2),
        ("master/cpus_percent", 0.25, "mesos_master_cpus_ratio", 0.25),
        ("master/cpus_total", 8.0, "mesos_master_cpus", 8),
        ("master/uptime_secs", 6.5, "mesos_master_uptime_seconds", 6.5),
        ("master/tasks_lost", 3.0, "mesos_master_tasks_lost_total", 3),
        ("master/tasks_running", 3.0, "mesos_master_tasks_running", 3),
        ("system/mem_total_bytes", 7.0, "mesos_master_system_mem_bytes", 7),
        (
            "registrar/state_store_ms/p9999",
            250.0,
            'mesos_master_registrar_state_store_seconds{quantile="0.9999"}',
            0.25,
        ),
        (
            "registrar/state_store_ms/max",
            1.0,
            'mesos_master_registrar_state_store_seconds{quantile="1"}',
            0.001,
        ),
        (
            "registrar/state_fetch_ms",
            1.0,
            "mesos_master_registrar_state_fetch_last_seconds",
            0.001,
        ),
        (
            "allocator/mesos/quota/roles/dev/ci/resources/mem/consumed",
            1.0,
            'mesos_master_allocator_mesos_quota_mem_consumed_bytes{role="dev/ci"}',
            1024**2,
        ),
        (
            "allocator/mesos/roles/*/shares/dominant",
            0.5,
            'mesos_master_allocator_mesos_dominant_share_ratio{role="*"}',
            0.5,
        ),
        (
            "master/task_lost/source_slave/reason_executor_terminated",
            1.0,
            'mesos_master_task_states_total{reason="executor_terminated",source="slave",'
            'state="lost"}',
            1,
        ),
        (
            "master/frameworks/mesos-execute%20instance/x-0001/tasks/terminal/task_failed",
            2.0,
            'mesos_master_framework_tasks_terminated_total{framework="mesos-execute instance",'
            'framework_id="x-0001",state="task_failed"}',
            2,
        ),
        (
            "master/frameworks/a%22b%5Cc/x-0001/calls/revive",
            2.0,
            'mesos_master_framework_calls_total{framework="a\\"b\\\\c",framework_id="x-0001",'
            'type="revive"}',
            2,
        ),
    ],
)
def test_a_metric_of_a_master_has_this_name_and_unit(key, raw_value, sample, expected):
    assert value(mesos_metrics("master", {key: raw_value}), sample) == pytest.approx(expected)


def test_sums_over_labels_are_left_out():
    keys = ("master/operations/finished", "master/operations/total", "x/run_ms/count")
    keys += ("master/frameworks/a/b/calls", "master/operations/reserve/total")
    families = prometheus.Families()
    prometheus.add_mesos(families, "master", dict.fromkeys(keys, 1.0))
    assert families.text() == ""


def test_metrics_of_an_agent_do_not_collide_with_those_of_a_master_on_its_node():
    families = prometheus.Families()
    prometheus.add_mesos(families, "master", {"system/load_1min": 1.0})
    prometheus.add_mesos(families, "agent", {"system/load_1min": 2.0, "slave/registered": 1.0})
    metrics = parse(families.text())
    assert value(metrics, "mesos_master_system_load_1min") == 1
    assert value(metrics, "mesos_agent_system_load_1min") == 2
    assert value(metrics, "mesos_agent_registered") == 1


def test_marathon_has_gauges_counters_meters_and_timers():
    metrics = marathon_metrics()
    assert value(metrics, "marathon_apps_active") == 8
    assert value(metrics, "marathon_uptime_seconds") == 313.853
    assert value(metrics, "marathon_deployments_total") == 709
    assert value(metrics, "marathon_http_responses_4xx_total") == 591
    assert value(metrics, "marathon_http_requests_duration_seconds_count") == 5593
    sample = 'marathon_http_requests_duration_seconds{quantile="0.99"}'
    assert value(metrics, sample) == pytest.approx(0.045)


def test_marathon_before_17_has_milliseconds_and_names_without_prefix():
    families = prometheus.Families()
    content = {
        "gauges": {"jvm.threads.deadlocks": {"value": []}, "service.app.count": {"value": 2}},
        "timers": {"org.x.get": {"p50": 5, "count": 3, "duration_units": "milliseconds"}},
    }
    prometheus.add_marathon(families, content)
    metrics = parse(families.text())
    assert sorted(metrics) == ["marathon_org_x_get_seconds", "marathon_service_app_count"]
    assert value(metrics, 'marathon_org_x_get_seconds{quantile="0.5"}') == 0.005


@pytest.mark.parametrize("version", ["3.4.14", "3.8.0"])
def test_zookeeper_has_version_state_and_figures(version):
    metrics = zookeeper_metrics(version)
    [sample] = metrics["zookeeper_info"]["samples"]
    assert f'version="{version}-' in sample
    assert value(metrics, 'zookeeper_server_state{state="standalone"}') == 1
    assert value(metrics, 'zookeeper_server_state{state="leader"}') == 0
    assert metrics["zookeeper_packets_received_total"]["type"] == "counter"
    assert value(metrics, "zookeeper_avg_latency_seconds") == 0
    assert value(metrics, "zookeeper_approximate_data_size_bytes") > 0


def test_zookeeper_36_and_later_have_summaries():
    metrics = zookeeper_metrics("3.8.0")
    assert value(metrics, "zookeeper_uptime_seconds") == 5.245
    entry = metrics["zookeeper_readlatency_seconds"]
    assert entry["type"] == "summary"
    assert 'zookeeper_readlatency_seconds{quantile="0.999"}' in entry["samples"]
    assert value(metrics, "zookeeper_readlatency_seconds_count") == 0
    assert value(metrics, "zookeeper_readlatency_seconds_sum") == 0


# --- cluster.metrics ---


class FourLetterServer(socketserver.ThreadingTCPServer):
    """A ZooKeeper server that answers ``mntr`` alone."""

    allow_reuse_address = True
    daemon_threads = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            answer = self.server.answer if self.request.recv(4) == b"mntr" else "no mntr"
            self.request.sendall(answer.encode())

    def __init__(self, answer: str):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.answer = answer
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def pillar(self) -> dict:
        servers = {1: "10.0.0.1", 2: "127.0.0.1"}
        return {"zookeeper": {"servers": servers, "client_port": self.port, "myid": 2}}

    @property
    def port(self) -> int:
        return self.server_address[1]


@pytest.fixture
def start_zookeeper():
    servers = []

    def start(answer: str) -> FourLetterServer:
        servers.append(FourLetterServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


LOCAL = ["--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"]
NODE = {"topology": {"address": "127.0.0.1", "name": "127.0.0.1"}}


def test_a_node_with_all_roles_has_the_metrics_of_its_daemons(
    salt, running, tmp_path, start_zookeeper
):
    mesos = MesosCluster(salt, running, tmp_path, hosts=HOSTS[:1])
    [agent] = salt.call("mesos.agents", url=mesos.url)
    marathon = running(Marathon(LOCAL, None, room=MemoryRoom(), servers=MemoryRoom()))
    pillar = {
        **NODE,
        **start_zookeeper(mntr("3.8.0")).pillar,
        "mesos": {
            "url": ["http://10.0.0.1:5050", mesos.url],
            "slave": {"flags": {"ip": "127.0.0.1", "port": agent["port"]}},
        },
        "marathon": {"url": [marathon.url]},
    }
    roles = ["docker", "zookeeper", "mesos-master", "mesos-slave", "marathon"]
    metrics = parse(salt.call("cluster.metrics", roles=roles, pillar=pillar))
    for name in ("zookeeper", "mesos_master", "mesos_agent", "marathon"):
        assert value(metrics, f"{name}_up") == 1
    assert value(metrics, "mesos_master_elected") == 1
    assert value(metrics, "mesos_master_slaves_active") == 1
    assert value(metrics, "mesos_agent_registered") == 1
    assert value(metrics, "marathon_leader") == 1
    assert value(metrics, "zookeeper_znode_count") == 5


def test_only_daemons_of_the_roles_are_queried(salt, start_zookeeper):
    pillar = start_zookeeper(mntr("3.4.14")).pillar
    metrics = parse(salt.call("cluster.metrics", roles=["zookeeper"], pillar=pillar))
    assert {name.partition("_")[0] for name in metrics} == {"zookeeper"}
    assert salt.call("cluster.metrics", roles=["docker"]) == ""


def test_a_daemon_that_does_not_respond_is_not_up(salt):
    port = free_port()
    pillar = {
        **NODE,
        "zookeeper": {"client_port": port},
        "mesos": {
            "url": f"http://127.0.0.1:{port}",
            "slave": {"flags": {"ip": "127.0.0.1", "port": port}},
        },
        "marathon": {"url": f"http://127.0.0.1:{port}"},
    }
    roles = ["zookeeper", "mesos-master", "mesos-slave", "marathon"]
    metrics = parse(salt.call("cluster.metrics", roles=roles, pillar=pillar))
    samples = {name: entry["samples"][name] for name, entry in metrics.items()}
    names = ("marathon_up", "mesos_agent_up", "mesos_master_up", "zookeeper_up")
    assert samples == dict.fromkeys(names, 0)


def test_a_zookeeper_url_without_leader_does_not_hide_an_agent(salt, running, tmp_path):
    mesos = MesosCluster(salt, running, tmp_path, hosts=HOSTS[:1])
    [agent] = salt.call("mesos.agents", url=mesos.url)
    flags = {"ip": "127.0.0.1", "port": agent["port"]}
    url = f"zk://127.0.0.1:{free_port()}/mesos"
    settings = {"url": url, "slave": {"flags": flags}, "retries": 1, "retry_delay": 0.1}
    pillar = {**NODE, "mesos": settings}
    metrics = parse(salt.call("cluster.metrics", roles=["mesos-slave"], pillar=pillar))
    assert value(metrics, "mesos_agent_up") == value(metrics, "mesos_agent_registered") == 1


def test_a_marathon_that_does_not_lead_has_no_metrics_of_the_leader(salt, running):
    election, servers = MemoryRoom(), MemoryRoom()
    running(Marathon(LOCAL, None, room=election, servers=servers))
    standby = running(Marathon(LOCAL, None, room=election, servers=servers))
    pillar = {**NODE, "marathon": {"url": standby.url}}
    metrics = parse(salt.call("cluster.metrics", roles=["marathon"], pillar=pillar))
    samples = {name: entry["samples"][name] for name, entry in metrics.items()}
    assert samples == {"marathon_leader": 0, "marathon_up": 1}


@pytest.mark.parametrize(
    "answer, message",
    [
        ("mntr is not executed because it is not in the whitelist.\n", "not in the whitelist"),
        ("This ZooKeeper instance is not currently serving requests\n", "not currently serving"),
        ("", "closed the connection without a response"),
    ],
)
def test_zk_metrics_says_why_a_server_does_not_answer(salt, start_zookeeper, answer, message):
    server = start_zookeeper(answer)
    with pytest.raises(salt.Error, match=message):
        salt.call("zk.metrics", "127.0.0.1", port=server.port)
    metrics = parse(salt.call("cluster.metrics", roles=["zookeeper"], pillar=server.pillar))
    assert list(metrics) == ["zookeeper_up"]


def test_zk_metrics_returns_numbers_and_text(salt, start_zookeeper):
    values = salt.call("zk.metrics", pillar=start_zookeeper(mntr("3.8.0")).pillar)
    assert (values["server_state"], values["uptime"]) == ("standalone", 5245)
    assert values["connection_drop_probability"] == 0.0


# --- the textfile collector ---


def test_a_file_is_replaced_at_once(salt, start_zookeeper, tmp_path):
    pillar = start_zookeeper(mntr("3.8.0")).pillar
    path = tmp_path / "mesos.prom"
    path.write_text("old\n")
    with path.open() as old:
        arguments = {"roles": ["zookeeper"], "pillar": pillar}
        assert salt.call("cluster.metrics", path=str(path), **arguments) == str(path)
        assert old.read() == "old\n"
    assert value(parse(path.read_text()), "zookeeper_up") == 1
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["mesos.prom"]


@pytest.mark.parametrize("path", ["mesos.prom", "/tmp/mesos.txt", "", 5])
def test_a_path_that_node_exporter_would_not_read_is_refused(salt, path):
    with pytest.raises(salt.Error, match=r"SaltInvocationError: path: .* ends with \.prom"):
        salt.call("cluster.metrics", path=path, roles=[])


def test_a_missing_directory_is_named(salt, tmp_path):
    path = f"{tmp_path}/missing/mesos.prom"
    with pytest.raises(salt.Error, match=f"CommandExecutionError: {path}: No such file"):
        salt.call("cluster.metrics", path=path, roles=[])
