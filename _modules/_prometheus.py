"""
Metrics of Mesos, Marathon and ZooKeeper in the text format of Prometheus. A helper of the module
``cluster``: Salt's loader skips names that begin with ``_``.

The daemons' own names stay recognizable, and each is in the line ``# HELP``. They follow the
conventions of Prometheus: base units (seconds, bytes, ratios), ``_total`` for counters alone, and
labels for what varies, such as roles and frameworks.
"""

import math
import re
import urllib.parse
from typing import NamedTuple

GAUGE = "gauge"
COUNTER = "counter"
SUMMARY = "summary"
UNTYPED = "untyped"
MEBIBYTE = 1024 * 1024
MILLISECOND = 0.001

# --- Mesos ---

# Keys that contain names: pattern, and the key without them. Groups are labels, except those that
# begin with _, which are part of the key. None: a sum of other metrics, or a number without use.
FRAMEWORK = r"master/frameworks/(?P<framework>[^/]+)/(?P<framework_id>[^/]+)/"
MESOS_KEYS = (
    (
        FRAMEWORK + r"(?P<_metric>calls|events|operations)/(?P<type>\w+)",
        r"master/framework_{_metric}",
    ),
    (FRAMEWORK + r"(?:calls|events|operations)", None),
    (FRAMEWORK + r"offers/(?P<type>\w+)", "master/framework_offers"),
    (FRAMEWORK + r"tasks/active/(?P<state>\w+)", "master/framework_tasks"),
    (FRAMEWORK + r"tasks/terminal/(?P<state>\w+)", "master/framework_tasks_terminated"),
    (FRAMEWORK + r"roles/(?P<role>.+)/suppressed", "master/framework_suppressed"),
    (FRAMEWORK + r"(?P<_metric>.+)", "master/framework_{_metric}"),
    (
        r"master/task_(?P<state>\w+)/source_(?P<source>\w+)/reason_(?P<reason>\w+)",
        "master/task_states",
    ),
    (r"master/slave_removals/reason_(?P<reason>\w+)", "master/slave_removals_by_reason"),
    (r"master/operations/(?:\w+/)?total", None),
    (
        r"master/operations/(?P<type>\w+)/(?P<state>pending|recovering|unreachable)",
        "master/operations",
    ),
    (r"master/operations/(?P<type>\w+)/(?P<state>\w+)", "master/operations_terminated"),
    (r"master/operations/\w+", None),
    (
        r"allocator/mesos/roles/(?P<role>.+)/shares/dominant",
        "allocator/mesos/dominant_share_percent",
    ),
    (
        r"allocator/mesos/offer_filters/roles/(?P<role>.+)/active",
        "allocator/mesos/offer_filters_active",
    ),
    (
        r"allocator/mesos/quota/roles/(?P<role>.*)/resources/(?P<_resource>[^/]+)/(?P<_metric>\w+)",
        "allocator/mesos/quota_{_resource}_{_metric}",
    ),
    (
        r"allocator/mesos/resources/(?P<_resource>[^/]+)/(?P<_metric>\w+)",
        "allocator/mesos/resources_{_resource}_{_metric}",
    ),
    (
        r"resource_providers/(?P<provider>[^/]+)/operations/(?P<type>\w+)/pending",
        "resource_provider_operations",
    ),
    (
        r"resource_providers/(?P<provider>[^/]+)/operations/(?P<type>\w+)/(?P<state>\w+)",
        "resource_provider_operations_terminated",
    ),
    (r"resource_providers/(?P<provider>[^/]+)/(?P<_metric>.+)", "resource_provider_{_metric}"),
    # Of the values in the last hour. Their number is not a counter.
    (r".+_ms/count", None),
    (r"(?P<_metric>.+)_ms/(?P<quantile>\w+)", "{_metric}_ms"),
    (r"(?P<_metric>.+)_ms", "{_metric}_last_ms"),
)
MESOS_KEYS = tuple((re.compile(pattern), template) for pattern, template in MESOS_KEYS)
# /metrics/snapshot has no types. These are those of the documentation of Mesos, page "Monitoring".
MESOS_COUNTERS = re.compile(
    "|".join(
        (
            r"master/slave_((re)?registrations|removals(_by_reason)?)",
            r"master/(recovery_slave_removals|slave_(shutdowns|unreachable)_\w+)",
            r"master/framework_(calls|events|operations|offers|tasks_terminated)",
            r"(master|slave)/tasks_(dropped|error|failed|finished|gone(_by_operator)?|killed|lost)",
            r"master/(operations_terminated|task_states|dropped_messages|messages_\w+)",
            r"master/http_cache_hits",
            r"(master|slave)/(in)?valid_\w+",
            r"allocator/mesos/allocation_runs",
            r"gc/path_removals_(failed|succeeded)",
            r"containerizer/.*(_errors|task_fetches_\w+)",
            r"slave/(container_launch_errors|executors_(preempted|terminated))",
            r"resource_provider_manager/events/\w+",
            r"resource_provider_(operations_terminated|csi_plugin/container_terminations)",
            r"resource_provider_csi_plugin/rpcs_(finished|failed|cancelled)",
        )
    )
)
# Resources that Mesos counts in MiB.
MESOS_MEBIBYTES = re.compile(r"(master/|slave/|.*quota_|.*resources_)(mem|disk)_\w+")

# --- ZooKeeper ---

ZOOKEEPER_GAUGES = frozenset(
    (
        "approximate_data_size",
        "auth_failed_count",
        "avg_latency",
        "connection_drop_probability",
        "ephemerals_count",
        "followers",
        "global_sessions",
        "last_client_response_size",
        "last_proposal_size",
        "learners",
        "local_sessions",
        "max_client_response_size",
        "max_file_descriptor_count",
        "max_latency",
        "max_proposal_size",
        "min_client_response_size",
        "min_latency",
        "min_proposal_size",
        "non_mtls_local_conn_count",
        "non_mtls_remote_conn_count",
        "num_alive_connections",
        "observers",
        "open_file_descriptor_count",
        "outstanding_requests",
        "outstanding_tls_handshake",
        "peer_state",
        "pending_syncs",
        "quorum_size",
        "synced_followers",
        "synced_non_voting_followers",
        "synced_observers",
        "uptime",
        "watch_count",
        "znode_count",
    )
)
ZOOKEEPER_COUNTERS = re.compile(
    "packets_(received|sent)|fsync_threshold_exceed_count|op_count_(?!total).*|"
    "(connection|commit|diff|snap|looking|proposal|unrecoverable_error|digest_mismatches|"
    "revalidate|learner_(proposal|commit)_received|request_throttle_wait)_count|"
    "connection_(rejected|drop_count|request_count|revalidate_count)|"
    "(stale|sessionless)_(sessions|connections)_expired|stale_(requests|replies|requests_dropped)|"
    "response_packet_.*_(hits|misses)|ensemble_auth_.*|throttled_ops|large_requests_rejected"
)
ZOOKEEPER_STATISTIC = re.compile(r"(avg|min|max|cnt|sum|p\d+)_(.+)")
# The unit of ZooKeeper's times. Not all names tell it.
ZOOKEEPER_MILLISECONDS = re.compile(r"(.*?(?:time|latency))(?:_ms)?|(.+)_ms")

# --- Marathon ---

# What the names of Marathon 1.7 and later say about the type.
DROPWIZARD_TYPES = ("gauge", "counter", "histogram", "timer", "meter")
DURATION_UNITS = {
    "seconds": 1,
    "milliseconds": MILLISECOND,
    "microseconds": 1e-6,
    "nanoseconds": 1e-9,
}


class Family(NamedTuple):
    """A metric with all its samples: pairs of labels, with a suffix of the name, and values."""

    type: str
    help: str
    samples: dict


class Families:
    """The metrics of a node, by name."""

    def __init__(self):
        self._families = {}

    def add(self, name, value, metric_type, description, labels=(), suffix=""):
        """Add a sample, unless it is not a number. The first sample of equal labels stays."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return
        family = self._families.setdefault(name, Family(metric_type, description, {}))
        family.samples.setdefault((suffix, tuple(sorted(dict(labels).items()))), value)

    def text(self):
        """Return all metrics in the text format, sorted by name."""
        lines = []
        for name in sorted(self._families):
            family = self._families[name]
            lines.append(f"# HELP {name} {_escape(family.help)}")
            lines.append(f"# TYPE {name} {family.type}")
            for (suffix, labels), value in family.samples.items():
                lines.append(f"{name}{suffix}{_label_text(labels)} {_number(value)}")
        return "".join(f"{line}\n" for line in lines)


def _escape(text):
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _label_text(labels):
    pairs = []
    for name, value in labels:
        escaped = _escape(value).replace('"', r"\"")
        pairs.append(f'{name}="{escaped}"')
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _number(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)


def _metric_name(*parts):
    """Return the parts as the name of a metric."""
    return re.sub("[^a-zA-Z0-9]+", "_", "_".join(parts)).strip("_")


def _quantile(statistic):
    """Return the quantile that min, max or p99 stand for, None for another statistic."""
    if statistic in ("min", "max"):
        return str(int(statistic == "max"))
    digits = re.fullmatch(r"p(\d+)", statistic)
    return f"0.{digits[1]}".rstrip("0") if digits else None


# --- Mesos ---


def add_mesos(families, daemon, snapshot):
    """
    Add the metrics of a Mesos daemon.

    daemon
        ``master`` or ``agent``: the name of each metric begins with ``mesos_DAEMON``.

    snapshot
        The content of ``/metrics/snapshot``: key to number.
    """
    for raw_key, value in snapshot.items():
        key, labels, description = _mesos_key(raw_key)
        if key is None or not isinstance(value, (int, float)):
            continue
        metric_type = COUNTER if MESOS_COUNTERS.fullmatch(key) else GAUGE
        key, factor = _mesos_unit(key, metric_type)
        name = _metric_name("mesos", daemon, re.sub("^(master|slave)/", "", key))
        text = f"Metric {description} of the Mesos {daemon}{_unit_text(name)}."
        families.add(name, value * factor, metric_type, text, labels)


def _mesos_key(raw_key):
    """Return the key without names, the names as labels, and the key with placeholders."""
    for pattern, template in MESOS_KEYS:
        match = pattern.fullmatch(raw_key)
        if not match:
            continue
        if template is None:
            return None, {}, ""
        groups = match.groupdict()
        labels = {name: text for name, text in groups.items() if not name.startswith("_")}
        if "framework" in labels:
            labels["framework"] = urllib.parse.unquote(labels["framework"])
        if "quantile" in labels:
            labels["quantile"] = _quantile(labels["quantile"])
        return template.format(**groups), labels, _placeholders(match, labels)
    return raw_key, {}, raw_key


def _placeholders(match, labels):
    """Return the key with ``<name>`` where a label was."""
    key = match.string
    for name in sorted(labels, key=match.start, reverse=True):
        key = f"{key[: match.start(name)]}<{name}>{key[match.end(name) :]}"
    return key


def _mesos_unit(key, metric_type):
    """Return the key with its base unit at the end, and the factor to get there."""
    if metric_type == COUNTER:
        return f"{key}_total", 1
    if key.endswith("_percent"):
        return key[: -len("percent")] + "ratio", 1
    if key.endswith("_secs"):
        return key[: -len("secs")] + "seconds", 1
    if key.endswith("_ms"):
        return key[: -len("ms")] + "seconds", MILLISECOND
    factor = 1
    if MESOS_MEBIBYTES.fullmatch(key):
        key, factor = f"{key}_bytes", MEBIBYTE
    # _total would make it a counter.
    return re.sub("_total(_bytes)?$", r"\1", key), factor


def _unit_text(name):
    for unit in ("bytes", "seconds"):
        if re.search(f"_{unit}(_total)?$", name):
            return f", in {unit}"
    return ""


# --- Marathon ---


def add_marathon(families, content):
    """
    Add the metrics of Marathon.

    content
        The content of ``/metrics``: ``gauges``, ``counters``, ``meters``, ``histograms`` and
        ``timers``, each name to a mapping. Marathon before 1.7 has other names.
    """
    for kind in ("gauges", "counters", "meters", "histograms", "timers"):
        for raw_name, entry in (content.get(kind) or {}).items():
            name = _marathon_name(raw_name)
            text = f"Metric {raw_name} of Marathon{_unit_text(name)}."
            if kind == "gauges":
                families.add(name, entry.get("value"), GAUGE, text)
            elif kind in ("counters", "meters"):
                families.add(f"{name}_total", entry.get("count"), COUNTER, text)
            else:
                _add_dropwizard_summary(families, name, entry, text)


def _marathon_name(raw_name):
    name = re.sub(r"\.rate\.meter$", "", raw_name)
    parts = [part for part in name.split(".") if part not in DROPWIZARD_TYPES]
    if parts[0] != "marathon":
        parts.insert(0, "marathon")
    return _metric_name(*parts)


def _add_dropwizard_summary(families, name, entry, text):
    """Add quantiles of the last values, and how many values there were. Their sum is not known."""
    factor = 1
    if "duration_units" in entry:
        factor = DURATION_UNITS.get(entry["duration_units"], 1)
        name = name if name.endswith("_seconds") else f"{name}_seconds"
    for statistic, value in entry.items():
        quantile = _quantile(statistic)
        if quantile is not None and isinstance(value, (int, float)):
            families.add(name, value * factor, SUMMARY, text, {"quantile": quantile})
    families.add(name, entry.get("count"), SUMMARY, text, suffix="_count")


# --- ZooKeeper ---


def add_zookeeper(families, values):
    """
    Add the metrics of a ZooKeeper server.

    values
        The answer to ``mntr``: name without ``zk_`` to number or text.
    """
    version = str(values.get("version", "")).partition(",")[0]
    families.add(
        "zookeeper_info", 1, GAUGE, "The version of the ZooKeeper server.", {"version": version}
    )
    for state in ("leader", "follower", "observer", "standalone"):
        text = "Whether the ZooKeeper server is in this state (mntr: zk_server_state)."
        labels = {"state": state}
        is_current = int(values.get("server_state") == state)
        families.add("zookeeper_server_state", is_current, GAUGE, text, labels)
    summaries = {name[len("cnt_") :] for name in values if name.startswith("cnt_")}
    for raw_name, value in values.items():
        match = ZOOKEEPER_STATISTIC.fullmatch(raw_name)
        if match and match[2] in summaries:
            _add_zookeeper_statistic(families, match[1], match[2], value)
        elif isinstance(value, (int, float)):
            _add_zookeeper_value(families, raw_name, value)


def _zookeeper_unit(raw_name):
    match = ZOOKEEPER_MILLISECONDS.fullmatch(raw_name)
    if match:
        return f"{match[1] or match[2]}_seconds", MILLISECOND
    if raw_name == "approximate_data_size":
        return f"{raw_name}_bytes", 1
    return raw_name, 1


def _add_zookeeper_value(families, raw_name, value):
    metric_type = UNTYPED
    if raw_name in ZOOKEEPER_GAUGES:
        metric_type = GAUGE
    elif ZOOKEEPER_COUNTERS.fullmatch(raw_name):
        metric_type = COUNTER
    key, factor = _zookeeper_unit(raw_name)
    if metric_type == COUNTER:
        key += "_total"
    name = _metric_name("zookeeper", key)
    text = f"Metric zk_{raw_name} of the ZooKeeper server{_unit_text(name)}."
    families.add(name, value * factor, metric_type, text)


def _add_zookeeper_statistic(families, statistic, raw_name, value):
    if not isinstance(value, (int, float)):
        return
    key, factor = _zookeeper_unit(raw_name)
    name = _metric_name("zookeeper", key)
    text = f"Metric zk_<statistic>_{raw_name} of the ZooKeeper server{_unit_text(name)}."
    if statistic == "cnt":
        families.add(name, value, SUMMARY, text, suffix="_count")
    elif statistic == "sum":
        families.add(name, value * factor, SUMMARY, text, suffix="_sum")
    elif statistic.startswith("p"):
        labels = {"quantile": _quantile(statistic)}
        families.add(name, value * factor, SUMMARY, text, labels)
