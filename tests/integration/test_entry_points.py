"""Other ways to the tree, from INSTALL.md: no Salt master, and a master that reads it from git."""

import json
import os
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from cluster_lab import Lab, eventually

from lab import ROOT, cluster, network

PORT = 8889  # beside the package server
SERVED = f"http://{cluster.MIRROR}:{PORT}/"
INSTALL = (ROOT / "INSTALL.md").read_text().replace("https://git.example.org/", SERVED)
ROLES = ["zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker"]
MASTER, ALONE = "lxgit01", "lxlone01"  # of tests/topologies/entry_points.yaml
TREE = ("_modules", "_states", "conf", "formulas", "pillar", "salt")
CALL = "salt-call --out=json --no-color"


def fence(begin: str) -> str:
    """The block of INSTALL.md that begins so."""
    return next(
        text
        for text in re.findall(r"^```\w+\n(.*?)^```$", INSTALL, re.DOTALL | re.MULTILINE)
        if text.startswith(begin)
    )


class Handler(BaseHTTPRequestHandler):
    """Git's own HTTP server, which wants to be called by one."""

    def __init__(self, *args, root: Path):
        self.root = root
        super().__init__(*args)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        request = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env={**os.environ, **request}
        ).stdout
        headers, _, contents = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in headers.decode().splitlines())
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(contents)

    do_POST = do_GET

    def log_message(self, *_) -> None:
        """Say nothing."""


class Repository:
    """A git repository with the tree in it, which the hosts reach at SERVED, and a clone of it."""

    def __init__(self, place: Path):
        self.clone = place / "clone"
        self.git(
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            str(place / "served/salt-mesos.git"),
            cwd=place,
        )
        self.git(
            "clone", "--quiet", str(place / "served/salt-mesos.git"), str(self.clone), cwd=place
        )
        for name in TREE:
            shutil.copytree(
                ROOT / name,
                self.clone / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        row = {"address": "172.31.250.21", "roles": ROLES, "zookeeper_id": 1}
        self.push(
            {
                "pillar/topology.yaml": yaml.safe_dump({"nodes": {MASTER: row}}),
                "pillar/settings.sls": yaml.safe_dump(cluster.repository_pillar("", "el7")),
            }
        )
        self.server = ThreadingHTTPServer(
            (network.MACHINE, PORT), partial(Handler, root=place / "served")
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def git(self, *words: str, cwd: Path | None = None) -> None:
        """Run git in the clone, or in another directory."""
        who = ["-c", "user.name=Tests", "-c", "user.email=tests@localhost"]
        subprocess.run(
            ["git", *who, *words], cwd=cwd or self.clone, check=True, capture_output=True
        )

    def push(self, files: dict[str, str]) -> None:
        """Write files, path -> contents, and commit and push all that there is."""
        for path, contents in files.items():
            (self.clone / path).write_text(contents)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "As the tests want it")
        self.git("push", "--quiet", "origin", "HEAD:main")


@pytest.fixture(scope="module")
def repository(entry_points, tmp_path_factory):
    """Serve the repository during the tests; hosts have their system's repositories for git."""
    repository = Repository(tmp_path_factory.mktemp("git"))
    for host, path, directory in (
        (MASTER, "CentOS-Base.repo", "centos/7.9.2009/os/x86_64"),
        (ALONE, "almalinux.repo", "almalinux/8.10/AppStream/x86_64/os"),
    ):
        section = (
            f"[lab]\nname=lab\nbaseurl={network.REPOSITORY_URL}/{directory}\n"
            f"gpgkey={network.REPOSITORY_URL}/RPM-GPG-KEY-lab\n"
        )
        entry_points.at(host).run(f"cat > /etc/yum.repos.d/{path} <<'END'\n{section}END")
    yield repository
    repository.server.shutdown()
    repository.server.server_close()


@pytest.fixture(scope="module")
def alone(entry_points, repository) -> Lab:
    """A host without a master, after what INSTALL.md says of it."""
    host = entry_points.at(ALONE)
    host.run(f"yum -y -q install git\nset -e\n{fence('# A machine without a master')}")
    return host


@pytest.fixture(scope="module")
def master(entry_points, repository) -> Lab:
    """A Salt master that has nothing but what INSTALL.md says of git, and is its own minion."""
    host = entry_points.at(MASTER)
    configuration = fence("# /etc/salt/master.d/mesos.conf")
    host.run(
        "yum -y -q install git && rm -rf /etc/salt/master.d/* /var/cache/salt/minion/extmods\n"
        f"cat > /etc/salt/master.d/mesos.conf <<'END'\n{configuration}END\n"
        "systemctl restart salt-master"
    )
    eventually(
        lambda: MASTER
        in host.call("run", MASTER, "timeout", "20", "salt", "*", "test.ping", "--out=txt").stdout
    )
    return host


def test_a_host_without_a_master_becomes_a_node(alone):
    assert alone.run("systemctl is-active salt-minion salt-master; true").split() == [
        "inactive",
        "inactive",
    ]
    assert alone.converge() == {}  # INSTALL.md has applied them
    assert json.loads(alone.run(f"{CALL} mesos.agents active=True"))["local"]


def test_a_node_without_a_master_is_what_its_roles_promise(alone):
    alone.verify()


def test_a_master_serves_from_git_what_it_serves_from_a_directory(master):
    served = yaml.safe_load(master.run("salt-run fileserver.file_list --out=yaml"))
    expected = {
        str(path.relative_to(ROOT / root))
        for root in ("salt", "formulas")
        for path in (ROOT / root).rglob("*")
        if path.is_file()
    }
    expected |= {
        str(path.relative_to(ROOT))
        for root in ("_modules", "_states")
        for path in (ROOT / root).glob("*.py")
    }
    links = {"_modules", "_states"}  # of which gitfs knows the name alone
    assert set(served) - links == {path for path in expected if "__pycache__" not in path}


def test_a_node_converges_from_git_modules_and_states_included(master):
    assert master.run("salt-run state.orchestrate orchestration.roles")
    changes = master.converge()
    assert {
        "zookeeper-service",
        "mesos-master-flags",
        "marathon-service",
        "chronos-service",
        "docker-service",
    } <= set(changes)
    assert master.converge() == {}
    eventually(lambda: json.loads(master.run(f"{CALL} mesos.agents active=True"))["local"])


def test_what_is_pushed_arrives(master, repository):
    settings = yaml.safe_load((repository.clone / "pillar/settings.sls").read_text())
    template = repository.clone / "formulas/common/files/sysctl.conf"
    repository.push(
        {
            "pillar/settings.sls": yaml.safe_dump(
                settings | {"mesos": {"master": {"flags": {"cluster": "blue"}}}}
            ),
            "formulas/common/files/sysctl.conf": f"{template.read_text()}\n# Pushed\n",
            "_modules/pushed.py": 'def hello():\n    return "hello"\n',
        }
    )
    for runner in ("fileserver.update", "fileserver.clear_file_list_cache", "git_pillar.update"):
        master.run(f"salt-run {runner}")
    assert set(master.converge()) == {
        "sysctl-config",
        "sysctl-apply",
        "mesos-master-flags",
        "mesos-master-service",
    }
    assert json.loads(master.run(f"{CALL} pushed.hello"))["local"] == "hello"
