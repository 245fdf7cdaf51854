"""
Send the requests that were recorded from a real Marathon to a fake one, and compare the responses.

Ids, times and host ports are new in each run. The responses tell which value stands for which
recorded one, and later requests contain the new values.

Other clients used the real servers at the same time. Their apps, pods and deployments were removed
from the recorded lists, and so were the metrics.
"""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from mesos_world import until

from lab.fakes.marathon.agents import Agents, agent
from lab.fakes.marathon.server import Marathon
from lab.fakes.wire.election import MemoryRoom

OPTIONS = [
    *("--http_address", "127.0.0.1", "--http_port", "0", "--hostname", "127.0.0.1"),
    *("--disable_ha", "--mesos_user", "root", "--master", "127.0.0.9:5050"),
    *("--zk", "zk://127.0.0.61:12181/marathon9"),
]
TIMEOUT = 5  # seconds
LISTED_PORT = re.compile(r"(?<=[\t:])[123]\d{4}\b")  # in the text form of tasks
RECORDED_ADDRESS = re.compile(r"127\.0\.0\.(9|13):8080")
COMPARED_HEADERS = ("Content-Type", "Location", "Allow", "Marathon-Deployment-Id")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:\d{6})?Z"
VARIABLE = re.compile(rf"{TIME}|{UUID}(?:-[SO]\d+|-\d{{4}}|\.(?:_app|c\d)\.\d+)?|@[0-9a-f]+;")
AGENT_ID = "c7a6ed2d-0ba1-4d0c-8ff5-4ba9ab7b45c2-S0"
# The host that generated the ids of instances in the recordings, other than those made up.
RECORDED_HOST = "02fc00000001"
# Members whose value differs from run to run: only the type is compared.
LOOSE_MEMBERS = {
    "buildref",
    "frameworkId",
    "slaveId",
    "agentId",
    "timeLeftSeconds",
    "processedOffersCount",
    "unusedOffersCount",
    "processed",
    "declined",
    "averageSeconds",
    "medianSeconds",
    "mesos_leader_ui_url",
    "hostname",
    "http_port",
    "ranges",
    "scalar",
}
PORT_MEMBERS = {"port", "servicePort", "ports", "servicePorts", "hostPort", "allocatedHostPort"}
ASSIGNED_PORTS = range(10000, 20000)
HOST_PORTS = range(31000, 32001)


class Answer:
    """A response: status, headers and text."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()


class RunningAgents(Agents):
    """Agents with the address of the recorded one, where each task runs before it ends."""

    def _run(self, id: str) -> None:
        if self.tasks[id]["state"] == "TASK_STAGING":
            self._set(id, "TASK_RUNNING")

    def _set(self, id: str, state: str, message: str = "") -> None:
        super()._set(id, state, message)
        if state != "TASK_STAGING":
            addresses = [{"ip_address": "127.0.0.10", "protocol": "IPv4"}]
            network = {"network_infos": [{"ip_addresses": addresses}]}
            self.tasks[id]["container_status"] = network

    def end_failing(self) -> None:
        """End the tasks whose command is ``false``."""
        for id, info in list(self._infos.items()):
            if info["command"].get("value") == "false":
                self.fail(id)


class Session:
    """A fake Marathon with one agent, and the values that stand for the recorded ones."""

    def __init__(self, running: Any) -> None:
        attributes = {"rack": "r1", "ssd": 1}
        self.agents = RunningAgents({**agent("127.0.0.10", attributes), "id": AGENT_ID})
        self.server: Marathon = running(
            Marathon(OPTIONS, None, "1.8.244", servers=MemoryRoom(), agents=self.agents)
        )
        until(lambda: self.server.agents)
        self.values: dict[str, str] = {}
        # What happened before a recorded request, by the name of the recording.
        self.before: dict[str, Callable[[], Any]] = {}

    def request(self, method: str, path: str, content: Any = None) -> Answer:
        """Send a request that was not recorded."""
        recorded = {"method": method, "path": path, "headers": {"Content-Type": "application/json"}}
        if content is not None:
            recorded["body"] = json.dumps(content)
        answer = self.send(recorded)
        self.settle()
        return answer

    def remove(self, recorded: dict) -> None:
        """Remove the app or pod that a recorded request creates, as the recording did."""
        path = recorded["path"].partition("?")[0]
        specs = {"/v2/apps": self.server.tree.apps, "/v2/pods": self.server.tree.pods}.get(path, {})
        created = re.match(r'\{"id": ?"/?([^"]*?)/*"', recorded.get("body", ""))
        if created and f"/{created[1]}" in specs:
            self.request("DELETE", f"{path}/{created[1]}?force=true")

    def hold(self) -> None:
        """Let launched tasks stay staged."""
        self.agents.hold = True

    def release(self) -> None:
        """Let staged tasks run, and those that fail end."""
        self.agents.hold = False
        self.settle()
        self.agents.end_failing()
        self.settle()

    def staged(self, path: str) -> bool:
        """Return whether a task of an app is staged."""
        with self.server.lock:
            instances = self.server.instances_of(path)
            states = [task.state for entry in instances for task in entry.tasks.values()]
        return "TASK_STAGING" in states

    def settle(self) -> None:
        """Wait until Mesos has carried out all launches and kills."""
        until(self._is_idle)

    def _is_idle(self) -> bool:
        server = self.server
        with server.lock:
            tasks = [task for entry in server.instances.values() for task in entry.tasks.values()]
            reported = self.agents.hold or all(task.state != "TASK_STAGING" for task in tasks)
            return reported and not server._launches and not server._kills

    def translated(self, text: str) -> str:
        """Return a recorded request with the values of this run."""
        return VARIABLE.sub(self._value, text)

    def _value(self, match: re.Match) -> str:
        """Return the value that stands for a recorded one: for an instance one that is alive."""
        value = self.values.get(match[0], match[0])
        prefix = re.search(r"[\w-]+\.instance-$", match.string[: match.start()])
        if not prefix or RECORDED_HOST not in match[0]:
            return value
        instances = [entry for entry in self.server.instances.values() if not entry.killed]
        ids = [entry.id for entry in instances]
        if "." in match[0]:
            ids = [id for entry in instances for id in entry.tasks]
        alive = [id.removeprefix(prefix[0]) for id in ids if id.startswith(prefix[0])]
        return value if value in alive or not alive else alive[0]

    def send(self, recorded: dict) -> Answer:
        """Send a recorded request with the recorded headers only."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT)
        try:
            path = self.translated(recorded["path"])
            connection.putrequest(recorded["method"], path, skip_accept_encoding=True)
            body = self.translated(recorded.get("body", "")).encode()
            for name, value in recorded.get("headers", {}).items():
                connection.putheader(name, value)
            if body or recorded["method"] in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def replay(self, exchange: dict) -> list[str]:
        """Send a recorded request. Returns the differences in the response."""
        self.before.get(exchange["name"], lambda: None)()
        self.settle()
        if exchange["status"] != 409 and exchange["request"]["method"] == "POST":
            self.remove(exchange["request"])
        try:
            answer = self.send(exchange["request"])
        except (OSError, http.client.HTTPException) as error:
            return [] if exchange["status"] is None else [f"no response: {error}"]
        return list(self.response_differences(exchange, answer))

    def response_differences(self, exchange: dict, answer: Answer) -> Iterator[str]:
        if answer.status != exchange["status"]:
            text = answer.text[:300]
            yield f"status: {exchange['status']} was recorded, here it is {answer.status} {text}"
            return
        for name in COMPARED_HEADERS:
            recorded = self.plain(exchange["headers"].get(name))
            actual = self.plain(answer.headers.get(name))
            if recorded != actual:
                yield f"header {name}: {recorded} was recorded, here it is {actual}"
        self.learn(str(exchange["headers"]), str(dict(answer.headers)))
        if exchange["request"]["method"] == "HEAD":
            return
        if "json" in exchange:
            yield from self.differences(exchange["json"], json.loads(answer.text or "null"))
        else:
            yield from self.differences(exchange.get("text", ""), answer.text)

    def plain(self, text: str | None) -> str | None:
        """Return a text without the values that are new in each run."""
        if text is None:
            return None
        text = text.replace(self.server.address, "ADDRESS")
        text = LISTED_PORT.sub("PORT", RECORDED_ADDRESS.sub("ADDRESS", text))
        return VARIABLE.sub("*", text)

    def learn(self, recorded: str, actual: str) -> None:
        """Remember which values stand for those of a recorded text."""
        pairs = zip(VARIABLE.finditer(recorded), VARIABLE.finditer(actual), strict=False)
        for recorded_value, actual_value in pairs:
            self.values[recorded_value[0]] = actual_value[0]

    def differences(self, recorded: Any, actual: Any, path: str = "") -> Iterator[str]:
        """Yield a line with path for each difference."""
        name = re.sub(r"\[\d+\]", "", path).rpartition("/")[2]
        if kind(recorded) != kind(actual):
            yield f"{path}: {short(recorded)} was recorded, here it is {short(actual)}"
        elif name in LOOSE_MEMBERS or (name in PORT_MEMBERS and is_assigned(recorded, actual)):
            return
        elif isinstance(recorded, dict):
            yield from self.member_differences(recorded, actual, path)
        elif isinstance(recorded, list):
            yield from self.list_differences(recorded, actual, path)
        elif isinstance(recorded, str):
            if self.plain(recorded) != self.plain(actual):
                yield f"{path}: {short(recorded)} was recorded, here it is {short(actual)}"
            self.learn(recorded, actual)
        elif recorded != actual:
            yield f"{path}: {recorded} was recorded, here it is {actual}"

    def member_differences(self, recorded: dict, actual: dict, path: str) -> Iterator[str]:
        yield from (f"{path}/{key}: is missing" for key in recorded if key not in actual)
        for key in actual:
            if key not in recorded:
                yield f"{path}/{key}: was not recorded ({short(actual[key])})"
        for key in recorded:
            if key in actual:
                yield from self.differences(recorded[key], actual[key], f"{path}/{key}")

    def list_differences(self, recorded: list, actual: list, path: str) -> Iterator[str]:
        if recorded and all(re.fullmatch(TIME, str(entry)) for entry in recorded):
            yield from self.version_differences(recorded, actual, path)
            return
        if len(recorded) != len(actual):
            yield f"{path}: {short(recorded)} was recorded, here it is {short(actual)}"
            return
        # Marathon returns most lists in the order of a hash.
        pairs = zip(sorted(recorded, key=self.key), sorted(actual, key=self.key), strict=True)
        for number, pair in enumerate(pairs):
            yield from self.differences(*pair, f"{path}[{number}]")

    def version_differences(self, recorded: list, actual: list, path: str) -> Iterator[str]:
        """Yield the versions that are missing. The recorded lists also have earlier ones."""
        for version in recorded:
            value = self.values.get(version, version)
            if value != version and value not in actual:
                yield f"{path}: {version}, here {value}, is missing in {actual}"
        for version in actual:
            if not re.fullmatch(TIME, str(version)):
                yield f"{path}: {version!r} is not a version"

    def key(self, entry: Any) -> str:
        """Return a key that sorts recorded and actual entries alike."""
        if isinstance(entry, dict):
            nested = [entry.get(name) for name in ("app", "pod")]
            inner = next((value for value in nested if isinstance(value, dict)), entry)
            names = [inner.get(name) for name in ("id", "name", "path", "reason")]
            entry = names if any(names) else entry
        return self.plain(json.dumps(entry, sort_keys=True)) or ""


def kind(value: Any) -> str:
    """Return the type of a value. JSON has one type for 1 and 1.0."""
    return "float" if type(value) is int else type(value).__name__


def is_assigned(recorded: Any, actual: Any) -> bool:
    """Return whether both ports were assigned by Marathon, or both by Mesos."""
    return any(recorded in ports and actual in ports for ports in (ASSIGNED_PORTS, HOST_PORTS))


def short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:200]}..."
