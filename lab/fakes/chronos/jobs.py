"""The jobs of Chronos as each version reads, refuses and returns them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ..wire.http import Response, answer
from ..wire.versions import release

Job = dict[str, Any]

COUNTERS = {
    "successCount": 0,
    "errorCount": 0,
    "errorsSinceLastSuccess": 0,
    "lastSuccess": "",
    "lastError": "",
}
# The fields that a job keeps when the job with a schedule that it depended on is deleted.
FIELDS_WITHOUT_PARENT = """
    name command executor executorFlags taskInfoData retries owner lastError lastSuccess cpus disk
    mem disabled softError uris fetch highPriority successCount errorCount errorsSinceLastSuccess
    epsilon async
"""
OPERATORS = (("EQUALS", "0"), ("LIKE", "2.4"), ("UNLIKE", "2.5"))
NAMES = (("3.0", r"[\w\.-]+"), ("2.5", r"[\w\s\.#_-]+"), ("0", r"[\w\s#_-]+"))


class Failure(Exception):
    """
    A request that fails. Chronos 3 answers with exception and stack trace, Chronos 2 with the text.

    For a ``mute`` failure Chronos 2 sends only the status.
    """

    def __init__(
        self,
        status: int,
        text: str,
        kind: str = "java.lang.IllegalArgumentException",
        mute: bool = False,
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.kind, self.mute = status, text, kind, mute

    def response(self, version: str) -> Response:
        """Return the response of a version."""
        if release(version) < release("3.0"):
            return answer(None if self.mute else self.text, self.status)
        message = self.text
        if self.kind:
            message = f"{self.kind}{': ' if message else ''}{message}" + "".join(
                f"\n\tat {frame}"
                for frame in (
                    "scala.Predef$.require(Predef.scala:224)",
                    "java.lang.Thread.run(Thread.java:748)",
                )
            )
        status = {400: "Bad Request", 500: "Internal Server Error"}[self.status]
        return answer({"message": message, "status": status}, self.status)


def required(condition: Any, text: str, mute: bool = False) -> None:
    """Fail as Scala's ``require`` does."""
    if not condition:
        raise Failure(400, f"requirement failed: {text}", mute=mute)


class Null(Failure):
    """A required member is missing."""

    def __init__(self) -> None:
        super().__init__(500, "", "java.lang.NullPointerException", mute=True)


# How Jackson converts values. A null is not a missing value.


def _text(node: Any) -> str:
    if isinstance(node, bool) or node is None:
        return {True: "true", False: "false", None: "null"}[node]
    return "" if isinstance(node, dict | list) else str(node)


def _real(node: Any) -> float:
    try:
        return 0.0 if isinstance(node, dict | list) or node is None else float(node)
    except ValueError:
        return 0.0


def _integer(node: Any) -> int:
    return int(_real(node))


def _flag(node: Any) -> bool:
    return (
        node == "true"
        if isinstance(node, str)
        else bool(node) and not isinstance(node, dict | list)
    )


def _items(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _texts(node: Any) -> list[str]:
    return [_text(item) for item in _items(node)]


class Field(NamedTuple):
    """How to read a field, its default, the first version with it, and the first without."""

    read: Callable[[Any], Any]
    default: Any
    since: str = "0"
    until: str = "99"


def fields(version: str, options: dict[str, Any]) -> dict[str, Field]:
    """Return the fields of a version, except schedule and parents."""
    all_fields = {
        "command": Field(_text, ""),
        "shell": Field(_flag, True),
        "epsilon": Field(_text, f"PT{options.get('task_epsilon', 60)}S", until="3.0"),
        "executor": Field(_text, ""),
        "executorFlags": Field(_text, ""),
        "taskInfoData": Field(_text, "", "2.5"),
        "retries": Field(_integer, 2),
        "owner": Field(_text, ""),
        "ownerName": Field(_text, ""),
        "description": Field(_text, ""),
        "async": Field(_flag, False, until="3.0"),
        **{
            name: Field(_real, float(str(options[f"mesos_task_{option}"])))
            for name, option in (("cpus", "cpu"), ("disk", "disk"), ("mem", "mem"))
        },
        "disabled": Field(_flag, False),
        "softError": Field(_flag, False),
        "dataProcessingJobType": Field(_flag, False),
        "fetch": Field(lambda node: [fetched(entry, version) for entry in _items(node)], [], "2.5"),
        "uris": Field(_texts, []),
        "environmentVariables": Field(_environment, []),
        "arguments": Field(_texts, []),
        "highPriority": Field(_flag, False),
        "runAsUser": Field(_text, str(options["user"])),
        "concurrent": Field(_flag, False, "3.0"),
        "container": Field(lambda node: container(node, version), None),
        "constraints": Field(lambda node: _constraints(node, version), []),
        **{
            name: Field(_text if default == "" else _integer, default)
            for name, default in COUNTERS.items()
        },
    }
    return {
        name: field
        for name, field in all_fields.items()
        if release(field.since) <= release(version) < release(field.until)
    }


def read(body: Any, version: str, options: dict[str, Any]) -> Job:
    """Return the job in a request body. Raises Failure if it is invalid."""
    old = release(version) < release("3.0")
    if not isinstance(body, dict) or "name" not in body or (old and "command" not in body):
        raise Null
    job: Job = {"name": _text(body["name"])}
    for name, field in fields(version, options).items():
        job[name] = field.read(body[name]) if name in body else field.default
        if name in ("cpus", "mem", "disk") and not job[name]:
            job[name] = field.default
    if job["container"] is None:
        del job["container"]
    if "parents" in body:
        job["parents"] = sorted(set(_texts(body["parents"])))
    else:
        job["schedule"] = _text(body["schedule"]) if "schedule" in body else ""
        job["scheduleTimeZone"] = _text(body.get("scheduleTimeZone", ""))
    return job


def fetched(node: Any, version: str) -> dict[str, Any]:
    """Read an entry of ``fetch``, which may be just a URI."""
    node = node if isinstance(node, dict) else {"uri": node}
    names = release(version) >= release("3.0.1")
    entry = {
        "uri": _text(node.get("uri", "")),
        "executable": _flag(node.get("executable", False)),
        "cache": _flag(node.get("cache", False)),
        "extract": _flag(node.get("extract", names)),
    }
    if names and node.get("output_file"):
        entry["output_file"] = _text(node["output_file"])
    return entry


def container(node: Any, version: str) -> dict[str, Any] | None:
    """Read a container. Without an image Chronos 2 fails, and Chronos 3 ignores it."""
    node = node if isinstance(node, dict) else {}
    if "image" not in node:
        if release(version) < release("3.0"):
            raise Null
        return None
    new = release(version) >= release("3.0")
    content: dict[str, Any] = {
        "type": _text(node.get("type", "DOCKER")).upper() if new else "docker",
        "image": _text(node["image"]),
        "network": _text(node.get("network", "HOST")).upper(),
    }
    if release(version) >= release("3.0.1"):
        if "networkName" in node:
            content["networkName"] = _text(node["networkName"])
        content["networkInfos"] = [_network(info) for info in _items(node.get("networkInfos"))]
    content["volumes"] = [
        {
            **{key: _text(volume[key]) for key in ("hostPath", "containerPath") if key in volume},
            "mode": _text(volume.get("mode", "RO")).upper(),
        }
        for volume in _items(node.get("volumes"))
    ]
    if release(version) >= release("2.5"):
        content["parameters"] = [
            {key: _text(parameter.get(key, "")) for key in ("key", "value")}
            for parameter in _items(node.get("parameters"))
        ]
    content["forcePullImage"] = _flag(node.get("forcePullImage", False))
    return content


def _network(node: dict[str, Any]) -> dict[str, Any]:
    network = {"name": _text(node.get("name", "")), "labels": _items(node.get("labels"))}
    ports = [
        {key: _text(value) for key, value in mapping.items()}
        for mapping in _items(node.get("portMappings"))
    ]
    return {**network, "portMappings": ports}


def _environment(node: Any) -> list[dict[str, str]]:
    return [
        {"name": _text(variable["name"]), "value": _text(variable.get("value", ""))}
        for variable in _items(node)
    ]


def _constraints(node: Any, version: str) -> list[list[str]]:
    operators = {name for name, since in OPERATORS if release(version) >= release(since)}
    constraints = [_texts(constraint) for constraint in _items(node)]
    return [parts for parts in constraints if len(parts) == 3 and parts[1] in operators]


def listed(job: Job) -> Job:
    """Return a job as in the list of all jobs: with its files in both ``uris`` and ``fetch``."""
    if "fetch" not in job:
        return job
    uris = [entry["uri"] for entry in job["fetch"]] or job["uris"]
    fetch = job["fetch"] or [
        {"uri": uri, "executable": False, "cache": False, "extract": True} for uri in job["uris"]
    ]
    return {**job, "uris": uris, "fetch": fetch}


def valid_name(name: str, version: str) -> str | None:
    """Return the pattern that a name must match, None if it does."""
    pattern = next(pattern for since, pattern in NAMES if release(version) >= release(since))
    return None if re.fullmatch(pattern, name, re.ASCII) else pattern
