"""
The layouts of docs/site-data.md: site data in front of this tree, in plain directories and in git.
Nothing is applied: Salt shows what a node would receive.
"""

import json
import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
import yaml

from lab import ROOT, SALT_LINES, saltenv

PAGE = (ROOT / "docs/site-data.md").read_text()
TREE = ("_modules", "_states", "conf", "formulas", "pillar", "salt")
NODE = "lxcc01.devops.test"
ROLES = ["zookeeper", "mesos-master", "marathon", "chronos"]
QUORUM = 1  # of the site's topology, which has one control node; the repository's has three


def example(path: str) -> str:
    """Return a file from the page, without its first line, which is the path of the file."""
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if block.lstrip().startswith(f"# {path}\n")]
    return textwrap.dedent(block)


def example_command(start: str) -> str:
    """Return the shell command of the page that begins with ``start``."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if block.startswith(start)]
    return block


class Site:
    """A site directory, and a minion that is its own master."""

    def __init__(self, home: Path, line: str):
        self.home, self.line = home, line
        self.site = home / "site"
        self.conf = home / "conf"
        (self.conf / "minion.d").mkdir(parents=True)
        minion = {
            "id": NODE,
            "root_dir": str(home / "root"),
            "file_client": "local",
            "grains": {"roles": ROLES},
            "enable_fqdns_grains": False,
        }
        (self.conf / "minion").write_text(yaml.safe_dump(minion))
        self.write_site_data()

    def write(self, path: str, text: str) -> None:
        """Write a file of the site directory."""
        target = self.site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def write_site_data(self) -> None:
        """Write the files of a site. Each layout adds topology.sls."""
        topology = yaml.safe_load((ROOT / "pillar/topology.yaml").read_text())
        for node in ("lxcc02", "lxcc03"):
            del topology["nodes"][f"{node}.devops.test"]
        self.write("pillar/topology.yaml", yaml.safe_dump(topology))
        self.write("pillar/settings.sls", "zookeeper: {heap: 777}\n")
        self.write("pillar/apps.sls", "marathon: {apps: {/shop: 'salt://apps/shop.json'}}\n")
        self.write("pillar/top.sls", example("/srv/site/pillar/top.sls"))
        self.write("salt/top.sls", example("/srv/site/salt/top.sls"))
        self.write("salt/motd.sls", "hello: {test.nop: []}\n")
        self.write("salt/apps/shop.json", '{"cmd": "sleep 100"}\n')
        self.write("salt/common/files/chrony.conf", "# Of the site\n")

    def call(self, *command: str) -> object:
        """Run salt-call, and return its result."""
        environment = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        result = subprocess.run(
            [
                saltenv.machine_env(self.line).with_name("salt-call"),
                f"--config-dir={self.conf}",
                "--log-level=quiet",
                "--out=json",
                *command,
            ],
            env=environment | {"PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(result.stdout)["local"]


def in_directories(site: Site) -> None:
    """Configure the minion as the page describes it for plain directories."""
    (site.site / "pillar/topology.sls").symlink_to(ROOT / "pillar/topology.sls")
    tree_configuration = (
        (ROOT / "conf/minion.d/mesos.conf").read_text().replace("/srv/mesos", str(ROOT))
    )
    site_configuration = example("/etc/salt/master.d/00-site.conf").replace(
        "/srv/site", str(site.site)
    )
    (site.conf / "minion.d/mesos.conf").write_text(tree_configuration)
    (site.conf / "minion.d/00-site.conf").write_text(site_configuration)


def in_git(site: Site) -> None:
    """Configure the minion as the page describes it for git repositories."""
    copy = example_command("cp --parents").replace("/srv/site", str(site.site))
    subprocess.run(["bash", "-c", copy], cwd=ROOT, check=True)
    tree = site.home / "salt-mesos"
    tree.mkdir()
    for name in TREE:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignore)
    for repository in (site.site, tree):
        commit(repository)
    text = example("/etc/salt/master.d/mesos.conf")
    for name in ("site", "salt-mesos"):
        text = text.replace(f"https://git.example.org/{name}.git", f"file://{site.home}/{name}")
    (site.conf / "minion.d/mesos.conf").write_text(text)


def commit(repository: Path) -> None:
    """Turn a directory into a git repository."""
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=Test"],
    ):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *command], cwd=repository, check=True)


LAYOUTS = {"directories": in_directories, "git": in_git}


@pytest.fixture(
    scope="module",
    params=[(layout, line) for layout in LAYOUTS for line in SALT_LINES],
    ids=lambda parameter: ", Salt ".join(parameter),
)
def site(request, tmp_path_factory) -> Site:
    """A site in each layout, with each Salt line."""
    layout, line = request.param
    site = Site(tmp_path_factory.mktemp("site"), line)
    LAYOUTS[layout](site)
    return site


def test_pillar_comes_from_the_topology_and_the_settings_of_the_site(site):
    pillar = site.call("pillar.items", "unmask=True")
    assert "_errors" not in pillar
    assert pillar["topology"]["roles"] == ROLES
    assert pillar["mesos"]["master"]["flags"]["quorum"] == QUORUM
    assert pillar["zookeeper"]["heap"] == 777
    assert list(pillar["marathon"]["apps"]) == ["/shop"]


def test_orchestrations_see_the_topology_of_the_site(site):
    pillar = site.call("--id=lxcm01.devops.test_master", "pillar.items", "unmask=True")
    assert NODE in pillar["topology"]["nodes"]
    assert "lxcc02.devops.test" not in pillar["topology"]["nodes"]
    assert "zookeeper" not in pillar


@pytest.mark.parametrize("line", SALT_LINES)
def test_each_cluster_of_a_site_has_its_own_topology_and_settings(tmp_path, line):
    site = Site(tmp_path, line)
    in_directories(site)
    (site.site / "pillar/topology.yaml").unlink()
    for number, name in enumerate(("ulm", "bonn"), 1):
        node = {"address": f"10.0.{number}.1", "roles": ["zookeeper"], "zookeeper_id": number}
        topology = yaml.safe_dump({"nodes": {f"{name}-cc1": node}})
        site.write(f"pillar/topologies/{name}.yaml", topology)
        site.write(f"pillar/apps-{name}.sls", f"marathon: {{apps: {{/{name}: {{}}}}}}\n")
    site.write("pillar/settings-bonn.sls", "zookeeper: {heap: 888}\n")
    site.write("pillar/top.sls", example("/srv/site/pillar/top.sls, with two clusters"))
    for name, number, heap in (("ulm", "1", 777), ("bonn", "2", 888)):
        pillar = site.call(f"--id={name}-cc1", "pillar.items", "unmask=True")
        assert "_errors" not in pillar
        assert pillar["zookeeper"]["servers"] == {number: f"10.0.{number}.1"}
        assert pillar["zookeeper"]["heap"] == heap
        assert list(pillar["marathon"]["apps"]) == [f"/{name}"]
    pillar = site.call("--id=web1", "pillar.items", "unmask=True")
    assert pillar == {}
    pillar = site.call("--id=x_master", "pillar.items", "unmask=True")
    assert set(pillar["topology"]["clusters"]) == {"ulm", "bonn"}


def test_states_are_targeted_by_the_top_file_of_the_site(site):
    common = ["motd", "common.validate", "common.withdrawn"]
    expected = [*common, "zookeeper", "mesos.master", "marathon", "chronos"]
    assert site.call("state.show_top")["base"] == expected


def test_files_of_both_trees_are_served(site):
    site_files = {"motd.sls", "apps/shop.json"}
    tree_files = {"orchestration/deploy.sls", "mesos/init.sls", "apps/http-server.json"}
    modules = {"_modules/mesos.py", "_states/zk.py"}
    assert site_files | tree_files | modules <= set(site.call("cp.list_master"))


def test_a_file_of_the_site_replaces_the_one_of_this_tree(site):
    assert site.call("cp.get_file_str", "salt://common/files/chrony.conf") == "# Of the site\n"
