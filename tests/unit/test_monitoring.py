"""docs/monitoring: alert rules and a dashboard use metrics that cluster.metrics returns."""

import itertools
import json
import re
import subprocess

import pytest
import test_prometheus
import yaml
from mesos_world import HOSTS, MesosCluster

from lab import ROOT
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

pytestmark = pytest.mark.lines("3008")

DIRECTORY = ROOT / "docs/monitoring"
ALERTS = yaml.safe_load((DIRECTORY / "alerts.yaml").read_text())["groups"]
DASHBOARD = json.loads((DIRECTORY / "dashboard.json").read_text())
# Of node_exporter.
FOREIGN_METRICS = {"node_textfile_mtime_seconds"}
FUNCTIONS = {"absent", "count", "increase", "max", "max_over_time", "rate", "sum", "time"}
OPERATORS = {"by", "or", "unless"}
LABELS = {"cluster"}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR = re.compile(r"\{([^{}]*)\}")
MATCHER = re.compile(r'\s*(\w+)\s*(?:=~|!~|!=|=)\s*"')
DURATION = re.compile(r"\[(\d+[smhd])\]")
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def rules(group: str | None = None) -> list[dict]:
    groups = [entry for entry in ALERTS if group in (None, entry["name"])]
    return list(itertools.chain.from_iterable(entry["rules"] for entry in groups))


def panels() -> list[dict]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """Return all expressions, by the name of the alert or the panel."""
    texts = {rule["alert"]: rule["expr"] for rule in rules()}
    for panel in panels():
        for target in panel["targets"]:
            texts[f"{panel['title']} {target['refId']}"] = target["expr"]
    return texts


def metric_names(expression: str) -> set[str]:
    """Return the metrics of an expression of Prometheus. Words that are not known fail."""
    text = SELECTOR.sub("", STRING.sub("", expression))
    text = DURATION.sub("", text)
    text = re.sub(r"\bby \((\w+)\)", lambda match: "" if match[1] in LABELS else match[0], text)
    names = set()
    for match in WORD.finditer(text):
        is_call = text[match.end() :].startswith("(") or match[0] in FUNCTIONS
        if is_call:
            assert match[0] in FUNCTIONS, match[0]
        elif match[0] not in OPERATORS:
            names.add(match[0])
    return names


@pytest.fixture
def produced(salt, running, tmp_path) -> dict[str, str]:
    """Return the types of the metrics that cluster.metrics returns: of fakes, and recorded ones."""
    mesos = MesosCluster(salt, running, tmp_path, hosts=HOSTS[:1])
    marathon = running(
        Marathon(test_prometheus.LOCAL, None, room=MemoryRoom(), servers=MemoryRoom())
    )
    roles = ["zookeeper", "mesos-master", "mesos-slave", "marathon"]
    pillar = {
        **test_prometheus.NODE,
        "mesos": {"url": mesos.url},
        "marathon": {"url": marathon.url},
        "zookeeper": {"client_port": test_prometheus.free_port()},
    }
    text = salt.call("cluster.metrics", roles=roles, pillar=pillar)
    answers = [test_prometheus.parse(text), *test_prometheus.recorded()]
    return {name: entry["type"] for metrics in answers for name, entry in metrics.items()}


def test_alerts_and_dashboard_use_metrics_that_exist(produced):
    for title, expression in expressions().items():
        names = metric_names(expression)
        assert names, title
        assert names - FOREIGN_METRICS <= set(produced), title


def test_rates_are_of_counters_and_nothing_else_is(produced):
    for title, expression in expressions().items():
        for name in metric_names(expression) - FOREIGN_METRICS:
            pattern = rf"\b(rate|increase)\({name}(\{{[^}}]*\}})?\["
            assert bool(re.search(pattern, expression)) == (produced[name] == "counter"), title


def test_expressions_are_balanced():
    for title, expression in expressions().items():
        expected = []
        for character in STRING.sub("", expression):
            if character in BRACKETS:
                expected.append(BRACKETS[character])
            elif character in BRACKETS.values():
                assert expected and expected.pop() == character, title
        assert expected == [], title
        assert expression.count('"') % 2 == 0, title


def test_label_matchers_are_complete():
    for title, expression in expressions().items():
        for content in SELECTOR.findall(expression):
            matchers = [part for part in re.split(r",(?=\s*\w+\s*[=!])", content) if part.strip()]
            assert matchers and all(MATCHER.match(part) for part in matchers), title


# --- alerts ---


def test_the_ten_conditions_of_the_documentation_of_mesos_have_alerts():
    metrics = [metric_names(rule["expr"]) for rule in rules("mesos-documentation")]
    assert len(metrics) == 10
    expected = {
        "mesos_master_uptime_seconds",
        "mesos_master_tasks_lost_total",
        "mesos_master_slaves_active",
        "mesos_master_cpus_ratio",
        "mesos_master_mem_ratio",
        "mesos_master_elected",
        "mesos_master_system_load_15min",
        "mesos_master_frameworks_active",
        "mesos_master_dropped_messages_total",
    }
    assert expected <= set().union(*metrics)
    assert metrics.count({"mesos_master_uptime_seconds"}) == 2


def test_each_alert_has_a_severity_and_says_what_to_do():
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+m", rule.get("for", "0m"))


def test_templates_use_labels_that_the_expression_keeps():
    for rule in rules():
        is_aggregated = " by (cluster)" in rule["expr"]
        uses_instance = "$labels.instance" in json.dumps(rule["annotations"])
        assert not (is_aggregated and uses_instance), rule["alert"]


def test_the_documented_file_is_the_one_whose_age_is_watched():
    [rule] = [rule for rule in rules() if rule["alert"] == "ClusterMetricsOld"]
    path = re.search(r"kwargs: \{path: (\S+)\}", (ROOT / "docs/operate.md").read_text())[1]
    pattern = re.search(r'file=~"([^"]*)"', rule["expr"])[1]
    assert re.fullmatch(pattern, path)


# What a healthy cluster of one control node and two agents measures. `x60`: for an hour, each
# minute; the clock of promtool begins at 0.
CONTROL_NODE = 'instance="lxcc01"'
HEALTHY = {
    f"zookeeper_up{{{CONTROL_NODE}}}": "1x60",
    f'zookeeper_server_state{{{CONTROL_NODE},state="leader"}}': "1x60",
    f'zookeeper_server_state{{{CONTROL_NODE},state="follower"}}': "0x60",
    f"mesos_master_up{{{CONTROL_NODE}}}": "1x60",
    f"mesos_master_elected{{{CONTROL_NODE}}}": "1x60",
    f"mesos_master_slaves_active{{{CONTROL_NODE}}}": "2x60",
    f"mesos_master_slaves_disconnected{{{CONTROL_NODE}}}": "0x60",
    f"mesos_master_frameworks_active{{{CONTROL_NODE}}}": "1x60",
    f"marathon_up{{{CONTROL_NODE}}}": "1x60",
    f"marathon_leader{{{CONTROL_NODE}}}": "1x60",
    **{f'mesos_agent_up{{instance="{name}"}}': "1x60" for name in ("lxb001", "lxb002")},
    **{
        f'node_textfile_mtime_seconds{{instance="{name}",file="/srv/mesos.prom"}}': "0+60x60"
        for name in ("lxcc01", "lxb001", "lxb002")
    },
}
# Prometheus ends the series of a host that does not answer.
OFF = "1x30 stale"
SERVICE_ALERTS = {"ZooKeeperNoQuorum", "MesosNoLeader", "MarathonNoLeader"}


def of_host(name: str, values: str) -> dict[str, str]:
    """Return the same values for all metrics of a host."""
    return {series: values for series in HEALTHY if f'instance="{name}"' in series}


@pytest.mark.parametrize(
    "changed_series, expected",
    [
        ({}, set()),
        (
            of_host("lxb002", OFF) | {f"mesos_master_slaves_active{{{CONTROL_NODE}}}": "2x30 1x30"},
            {"HostMetricsMissing", "MesosAgentsInactive"},
        ),
        (
            {f"mesos_master_slaves_disconnected{{{CONTROL_NODE}}}": "0x30 1x30"},
            {"MesosAgentsDisconnected"},
        ),
        (
            of_host("lxcc01", OFF),
            SERVICE_ALERTS | {"HostMetricsMissing", "ClusterMetricsMissing"},
        ),
        (
            {
                f"zookeeper_up{{{CONTROL_NODE}}}": "1x30 0x30",
                f'zookeeper_server_state{{{CONTROL_NODE},state="leader"}}': OFF,
                f'zookeeper_server_state{{{CONTROL_NODE},state="follower"}}': OFF,
            },
            {"ZooKeeperNoQuorum", "ZooKeeperDown"},
        ),
        ({f"mesos_master_elected{{{CONTROL_NODE}}}": "1x30 0x30"}, {"MesosNoLeader"}),
        ({f"marathon_leader{{{CONTROL_NODE}}}": "1x30 0x30"}, {"MarathonNoLeader"}),
    ],
    ids=[
        "all is well",
        "an agent is off",
        "an agent is disconnected",
        "the control node is off",
        "no quorum",
        "no leader of Mesos",
        "no leader of Marathon",
    ],
)
def test_alerts_fire_for_what_has_failed(promtool, tmp_path, changed_series, expected):
    series = HEALTHY | changed_series
    expectation = {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": "60m",
        "exp_samples": [
            {"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)
        ],
    }
    scenario = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [expectation],
    }
    path = tmp_path / "scenario.yaml"
    path.write_text(
        yaml.safe_dump({"rule_files": [str(DIRECTORY / "alerts.yaml")], "tests": [scenario]})
    )
    result = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


# --- dashboard ---


def test_panels_have_a_place_of_their_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    cells = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        assert columns.stop <= 24
        area = set(itertools.product(columns, rows))
        assert not cells & area, panel["title"]
        cells |= area


def test_panels_use_the_variables_of_the_dashboard():
    variables = {entry["name"] for entry in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "cluster"}
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert 'cluster=~"$cluster"' in target["expr"], panel["title"]


def test_panels_of_seconds_bytes_and_ratios_have_that_unit():
    units = {"_seconds": "s", "_bytes": "bytes", "_ratio": "percentunit"}
    for panel in panels():
        for target in panel["targets"]:
            [name] = metric_names(target["expr"])
            unit = units.get(re.sub(".*(?=_)", "", name), panel["fieldConfig"]["defaults"]["unit"])
            assert panel["fieldConfig"]["defaults"]["unit"] == unit, panel["title"]
