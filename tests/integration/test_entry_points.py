"""Other setups of INSTALL.md: no Salt master, and a master that reads the tree from git."""

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

PORT = 8889  # 8888 is that of the package server
SERVED = f"http://{cluster.MIRROR_HOST_NAME}:{PORT}/"
INSTALL = (ROOT / "INSTALL.md").read_text().replace("https://git.example.org/", SERVED)
ROLES = ["zookeeper", "mesos-master", "mesos-slave", "marathon", "chronos", "docker"]
MASTER, MASTERLESS = "lxgit01", "lxlone01"  # of tests/topologies/entry_points.yaml
EXTENSIONS = ("_beacons", "_modules", "_runners", "_states")
TREE = (*EXTENSIONS, "conf", "formulas", "pillar", "salt")
CALL = "salt-call --out=json --no-color"


def code_block(start: str) -> str:
    """Return the code block of INSTALL.md that begins with ``start``."""
    return next(
        text
        for text in re.findall(r"^```\w+\n(.*?)^```$", INSTALL, re.DOTALL | re.MULTILINE)
        if text.startswith(start)
    )


class GitHandler(BaseHTTPRequestHandler):
    """Serves git over HTTP with git-http-backend, which is a CGI program."""

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
        """Do not log requests."""


class Repository:
    """A git repository with the tree, which is served to the hosts at SERVED, and a clone of it."""

    def __init__(self, directory: Path):
        self.clone = directory / "clone"
        self.git(
            "init",
            "--quiet",
            "--bare",
            "--initial-branch=main",
            str(directory / "served/salt-mesos.git"),
            cwd=directory,
        )
        self.git(
            "clone",
            "--quiet",
            str(directory / "served/salt-mesos.git"),
            str(self.clone),
            cwd=directory,
        )
        for name in TREE:
            shutil.copytree(
                ROOT / name,
                self.clone / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        entry = {"address": "172.31.250.21", "roles": ROLES, "zookeeper_id": 1}
        self.push(
            {
                "pillar/topology.yaml": yaml.safe_dump({"nodes": {MASTER: entry}}),
                "pillar/settings.sls": yaml.safe_dump(cluster.repository_pillar("", "el7")),
            }
        )
        self.server = ThreadingHTTPServer(
            (network.MACHINE, PORT), partial(GitHandler, root=directory / "served")
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def git(self, *words: str, cwd: Path | None = None) -> None:
        """Run git in the clone, or in another directory."""
        identity = ["-c", "user.name=Tests", "-c", "user.email=tests@localhost"]
        subprocess.run(
            ["git", *identity, *words], cwd=cwd or self.clone, check=True, capture_output=True
        )

    def push(self, files: dict[str, str]) -> None:
        """Write files, path -> contents, and commit and push all changes."""
        for path, contents in files.items():
            (self.clone / path).write_text(contents)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Files of the tests")
        self.git("push", "--quiet", "origin", "HEAD:main")


@pytest.fixture(scope="module")
def repository(entry_points, tmp_path_factory):
    """Serve the repository. The hosts get the repositories of their system, to install git."""
    repository = Repository(tmp_path_factory.mktemp("git"))
    for host, path, directory in (
        (MASTER, "CentOS-Base.repo", "centos/7.9.2009/os/x86_64"),
        (MASTERLESS, "almalinux.repo", "almalinux/8.10/AppStream/x86_64/os"),
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
def masterless(entry_points, repository) -> Lab:
    """A host without a master, set up as INSTALL.md says."""
    host = entry_points.at(MASTERLESS)
    host.run(f"yum -y -q install git\nset -e\n{code_block('# A machine without a master')}")
    return host


@pytest.fixture(scope="module")
def master(entry_points, repository) -> Lab:
    """A Salt master that is set up only as INSTALL.md says for git, and is its own minion."""
    host = entry_points.at(MASTER)
    configuration = code_block("# /etc/salt/master.d/mesos.conf")
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


def test_a_host_without_a_master_converges_as_documented(masterless):
    assert masterless.run("systemctl is-active salt-minion salt-master; true").split() == [
        "inactive",
        "inactive",
    ]
    assert masterless.converge() == {}  # INSTALL.md has applied them
    assert json.loads(masterless.run(f"{CALL} mesos.agents active=True"))["local"]


def test_a_node_without_a_master_passes_the_tests_of_its_roles(masterless):
    masterless.verify()


def test_a_master_serves_the_same_files_from_git_as_from_a_directory(master):
    served_files = yaml.safe_load(master.run("salt-run fileserver.file_list --out=yaml"))
    expected = {
        str(path.relative_to(ROOT / root))
        for root in ("salt", "formulas")
        for path in (ROOT / root).rglob("*")
        if path.is_file()
    }
    expected |= {
        str(path.relative_to(ROOT)) for root in EXTENSIONS for path in (ROOT / root).glob("*.py")
    }
    # gitfs lists only the names of the links.
    assert set(served_files) - set(EXTENSIONS) == {
        path for path in expected if "__pycache__" not in path
    }


def test_a_node_converges_with_modules_and_states_from_git(master):
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


def test_pushed_changes_are_applied(master, repository):
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
