"""How ``lab status`` reads the responses of services, with small real servers."""

import http.server
import json
import threading

import pytest

from lab import services
from lab.topology import Host

HOST = Host("one.example.org", "127.0.0.1", [])


@pytest.fixture
def serve():
    """Return a function that starts a server with responses by path and returns its port."""
    servers = []

    def serve(answers: dict[str, object]) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                content = answers.get(self.path)
                body = (content if isinstance(content, str) else json.dumps(content)).encode()
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].server_address[1]

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "question, answers, expected",
    [
        (services.mesos_master, {}, (False, "")),
        (
            services.mesos_master,
            {"/health": "", "/metrics/snapshot": {"master/elected": 1.0}},
            (True, "leader"),
        ),
        (
            services.mesos_master,
            {"/health": "", "/metrics/snapshot": {"master/elected": 0.0}, "/state-summary": {}},
            (True, "standby"),
        ),
        (
            services.mesos_master,
            {"/health": "", "/metrics/snapshot": {"master/elected": 0.0}},
            (True, "no leader"),
        ),
        (
            services.mesos_slave,
            {"/health": "", "/metrics/snapshot": {"slave/registered": 1.0}},
            (True, "registered"),
        ),
        (services.mesos_slave, {"/health": ""}, (True, "not registered")),
        (
            services.marathon,
            {"/ping": "pong", "/v2/leader": {"leader": "127.0.0.1:8080"}},
            (True, "leader"),
        ),
        (
            services.marathon,
            {"/ping": "pong", "/v2/leader": {"leader": "one.example.org:8080"}},
            (True, "leader"),
        ),
        (
            services.marathon,
            {"/ping": "pong", "/v2/leader": {"leader": "127.0.0.2:8080"}},
            (True, "standby"),
        ),
        (services.marathon, {"/ping": "pong"}, (True, "no leader")),
        (
            services.chronos,
            {"/ping": "pong", "/v1/scheduler/leader": {"leader": "one:4400"}},
            (True, "leader"),
        ),
        (
            services.chronos,
            {"/ping": "pong", "/scheduler/leader": {"leader": "two:4400"}},
            (True, "standby"),
        ),
        (services.chronos, {"/ping": "pong", "/scheduler/leader": "<html>"}, (True, "no leader")),
    ],
)
def test_the_mode_of_a_service_is_read_from_its_responses(serve, question, answers, expected):
    assert question(HOST, serve(answers)) == expected


def test_a_404_and_a_closed_port_are_not_a_response(serve):
    port = serve({})
    assert services.get(HOST, port, "/") is None  # 404
    assert services.get(HOST, 1, "/") is None


def answer(name: str, role: str, works: bool, mode: str) -> services.Answer:
    return services.Answer(Host(name, "127.0.0.1", [role]), role, "", works, mode)


def test_a_cluster_is_healthy_if_all_work_and_each_service_has_one_leader():
    healthy = [
        answer("one", "zookeeper", True, "leader"),
        answer("two", "zookeeper", True, "follower"),
        answer("one", "mesos-slave", True, "registered"),
        answer("one", "docker", True, ""),
    ]
    assert services.leaders(healthy) == {"zookeeper": ["one"]}
    assert services.problems(healthy) == []


@pytest.mark.parametrize(
    "answers, expected",
    [
        (
            [("one", "zookeeper", True, "leader"), ("two", "zookeeper", True, "leader")],
            ["zookeeper: several leaders: one, two"],
        ),
        ([("one", "marathon", True, "standby")], ["marathon: no leader"]),
        ([("one", "mesos-slave", True, "not registered")], ["mesos-slave on one: not registered"]),
        ([("one", "docker", False, "")], ["docker on one: no answer"]),
    ],
)
def test_each_problem_is_named(answers, expected):
    assert services.problems([answer(*arguments) for arguments in answers]) == expected
