"""The jobs of Chronos as each version reads, refuses and returns them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from ..wire.http import Response, answer
from ..wire.versions import release
from .pages import error_page

Job = dict[str, Any]

NULL_POINTER = "java.lang.NullPointerException"
JSON_ERROR = "javax.servlet.ServletException: com.fasterxml.jackson.core.JsonParseException"
NETWORKS = ("BRIDGE", "HOST", "USER")
TYPES = ("DOCKER", "MESOS")
MODES = ("RO", "RW")
PROTOCOLS = ("IPv4", "IPv6")

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
NAMES = (("3.0", r"([\w\.-]+)"), ("2.5", r"[\w\s\.#_-]+"), ("0", r"[\w\s#_-]+"))


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

    def response(self, version: str, path: str = "") -> Response:
        """Return the response of a version to a request for a path."""
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


class Unreadable(Failure):
    """A body that cannot be deserialized. Chronos 3 answers with a page that has the reason."""

    def __init__(self, reason: str = NULL_POINTER) -> None:
        super().__init__(500, reason, mute=True)

    def response(self, version: str, path: str = "") -> Response:
        """Return the response of a version to a request for a path."""
        if release(version) < release("3.0"):
            return super().response(version, path)
        return error_page(path, 500, self.text)


def parse_body(text: str) -> Any:
    """Parse JSON as Jackson does: text after it is ignored. An empty body is None."""
    if not text.strip():
        return None

    def refuse_constant(name: str) -> Any:
        raise ValueError(f"Non-standard token '{name}'")

    try:
        decoder = json.JSONDecoder(parse_constant=refuse_constant)
        return decoder.raw_decode(text.lstrip())[0]
    except ValueError as error:
        raise Unreadable(f"{JSON_ERROR}: {error}") from error


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
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _objects(node: Any) -> list[dict[str, Any]]:
    for item in _items(node):
        if not isinstance(item, dict):
            java_class = "com.fasterxml.jackson.databind.node.TextNode"
            raise Unreadable(f"scala.MatchError: {json.dumps(item)} (of class {java_class})")
    return _items(node)


def _required(node: dict[str, Any], name: str) -> Any:
    if name not in node:
        raise Unreadable
    return node[name]


def _choice(node: Any, words: tuple[str, ...]) -> str:
    if _text(node) not in words:
        raise Unreadable(f"java.util.NoSuchElementException: No value found for '{_text(node)}'")
    return _text(node)


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
        "fetch": Field(lambda node: _fetch(node, version), [], "2.5"),
        "uris": Field(_texts, []),
        "environmentVariables": Field(lambda node: _environment(node, version), []),
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
    if body is None or (old and "command" not in body):
        raise Null
    if not isinstance(body, dict) or "name" not in body:
        raise Unreadable
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
        job["schedule"] = _text(body["schedule"]) if "schedule" in body else None
        job["scheduleTimeZone"] = _text(body.get("scheduleTimeZone", ""))
    return job


def _fetch(node: Any, version: str) -> list[dict[str, Any]]:
    entries = _objects(node) if release(version) >= release("3.0") else _items(node)
    return [fetched(entry, version) for entry in entries]


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
    if release(version) >= release("3.0"):
        return _container_3(node, version)
    content: dict[str, Any] = {
        "type": "docker",
        "image": _text(node["image"]),
        "network": _text(node.get("network", "HOST")).upper(),
        "volumes": [
            {
                **{
                    key: _text(volume[key])
                    for key in ("hostPath", "containerPath")
                    if key in volume
                },
                "mode": _text(volume.get("mode", "RO")).upper(),
            }
            for volume in _items(node.get("volumes"))
        ],
    }
    if release(version) >= release("2.5"):
        content["parameters"] = [
            {key: _text(parameter.get(key, "")) for key in ("key", "value")}
            for parameter in _items(node.get("parameters"))
        ]
    content["forcePullImage"] = _flag(node.get("forcePullImage", False))
    return content


def _container_3(node: dict[str, Any], version: str) -> dict[str, Any]:
    # The type is upper-cased before it is looked up, the network is not.
    content: dict[str, Any] = {
        "type": _choice(_text(node.get("type", "DOCKER")).upper(), TYPES),
        "image": _text(node["image"]),
        "network": _choice(node.get("network", "HOST"), NETWORKS),
    }
    if release(version) >= release("3.0.1"):
        if "networkName" in node:
            content["networkName"] = _text(node["networkName"])
        content["networkInfos"] = [_network(info) for info in _objects(node.get("networkInfos"))]
    content["volumes"] = [_volume(volume) for volume in _objects(node.get("volumes"))]
    content["forcePullImage"] = _flag(node.get("forcePullImage", False))
    content["parameters"] = _parameters(node.get("parameters"))
    return content


def _parameters(node: Any) -> list[dict[str, str]]:
    return [
        {key: _text(_required(entry, key)) for key in ("key", "value")} for entry in _objects(node)
    ]


def _volume(node: dict[str, Any]) -> dict[str, Any]:
    volume: dict[str, Any] = {}
    if "hostPath" in node:
        volume["hostPath"] = _text(node["hostPath"])
    volume["containerPath"] = _text(_required(node, "containerPath"))
    if "mode" in node:
        volume["mode"] = _choice(_text(node["mode"]).upper(), MODES)
    if "external" in node:
        external = node["external"]
        volume["external"] = {
            "name": _text(_required(external, "name")),
            "provider": _text(_required(external, "provider")),
            "options": _parameters(external.get("options")),
        }
    return volume


def _network(node: dict[str, Any]) -> dict[str, Any]:
    network: dict[str, Any] = {"name": _text(_required(node, "name"))}
    if "protocol" in node:
        network["protocol"] = _choice(node["protocol"], PROTOCOLS)
    network["labels"] = _parameters(node.get("labels"))
    network["portMappings"] = [
        {
            **{key: str(_integer(_required(entry, key))) for key in ("hostPort", "containerPort")},
            **({"protocol": _text(entry["protocol"])} if "protocol" in entry else {}),
        }
        for entry in _objects(node.get("portMappings"))
    ]
    return network


def _environment(node: Any, version: str) -> list[dict[str, str]]:
    if release(version) >= release("3.0"):
        return [
            {key: _text(_required(variable, key)) for key in ("name", "value")}
            for variable in _objects(node)
        ]
    return [
        {"name": _text(variable["name"]), "value": _text(variable.get("value", ""))}
        for variable in _items(node)
    ]


def _constraints(node: Any, version: str) -> list[list[str]]:
    operators = {name for name, since in OPERATORS if release(version) >= release(since)}
    constraints = []
    for constraint in _items(node):
        parts = _texts(constraint)
        if release(version) >= release("3.0"):
            if len(parts) < 3:
                raise Unreadable
            parts = parts[:3]
        if len(parts) == 3 and parts[1] in operators:
            _check_pattern(parts)
            constraints.append(parts)
    return constraints


def _check_pattern(constraint: list[str]) -> None:
    if constraint[1] == "EQUALS":
        return
    try:
        re.compile(constraint[2])
    except re.error as error:
        position = len(constraint[2])
        raise Unreadable(
            f"java.util.regex.PatternSyntaxException: Unclosed group near index {position}"
        ) from error


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
