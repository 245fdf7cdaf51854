"""Salt on the hosts: its configuration and keys, the roles, ``state.apply``."""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from . import (
    ROOT,
    LabError,
    cgroups,
    hosts,
    instance,
    network,
    packages,
    platforms,
    registry,
    rootfs,
    saltenv,
    ssh,
)
from .steps import Report
from .topology import Host, Topology, host_pillar, merge, write_empty_topology
from .topology import load as read_topology

# A control group beside those of the hosts. No host can have this name.
PACKAGE_SERVER_CGROUP = "package_server"
PUBLISH_PORT = 4505  # port of the Salt master that minions listen to
READY_TIMEOUT = 300  # seconds for minions to appear, and for services to answer
MIRROR_HOST_NAME = "mirror.devops.test"  # the name of this machine on the hosts

# Seconds before `salt` asks whether a job is still running. While all hosts are busy, one may not
# answer that question in time, and would count as down although it is on.
SALT_TIMEOUT = 300

MINION_OPTIONS = {
    "enable_fqdns_grains": False,
    "enable_gpu_grains": False,  # no DNS, no lspci
    # A master that lost its power does not close its connections. With keepalive the minions
    # notice that within seconds, not minutes.
    "tcp_keepalive_idle": 20,
    "tcp_keepalive_intvl": 5,
    "tcp_keepalive_cnt": 3,
}

# The master asks every 10 s whether a job still runs, and gives a host 40 s to answer, as for
# SALT_TIMEOUT.
MASTER_OPTIONS = {
    "worker_threads": 3,
    "timeout": 10,
    "gather_job_timeout": 40,
    # When `salt-run` ends, Salt 3008 warns about its own objects: see docs/troubleshoot.md.
    "log_granular_levels": {
        "salt.minion": "error",
        "salt.runner": "error",
        "salt.utils.event": "error",
        "salt.loader.lazy": "critical",
    },
}

# Where the pillar comes from, with either transport.
PILLAR_SOURCES = {
    # Runners ask for the pillar of ID_master, for which there is no file.
    "ext_pillar": [{"cmd_yaml": "cat '/srv/lab/pillar/%s.yaml' 2>/dev/null || echo {}"}],
    # A topology in build/labs/NAME/topology comes before the repository's: Salt joins the lists of
    # all files in their order, and mesos.conf is next.
    "pillar_roots": {"base": ["/srv/lab/topology"]},
}


# CentOS opens only ssh. A Salt master also needs its ports open, as after
# `firewall-cmd --add-service salt-master`.
MASTER_ZONE = """<?xml version="1.0" encoding="utf-8"?>
<zone><short>Public</short>
<service name="ssh"/><service name="dhcpv6-client"/><service name="salt-master"/>
</zone>
"""


def pillar_directory() -> Path:
    """Return the directory with a pillar for each host, which the Salt master reads."""
    return instance.run / "pillar"


def topology_directory() -> Path:
    """Return the pillar root that takes precedence over the repository's."""
    return instance.run / "topology"


def state_file() -> Path:
    """Return the file that says how the lab was started."""
    return instance.run / "state.json"


@dataclass(frozen=True)
class LabState:
    """
    The options that the lab was started with, saved in build/labs/NAME/state.json for later
    commands.

    ``layers`` are the lower directories of the disks, by platform. ``transport`` is how Salt
    reaches the hosts: by a minion on each, or by ssh. In the latter case ``python`` is the
    ``python3`` of the hosts (a path on this machine, or empty), ``relenv`` the tarball with Salt
    and its Python.
    ``added`` are hosts that joined it later: id -> address.
    """

    topology: str
    salt: str
    repository: str
    image: str
    env: str
    packages: str
    layers: dict[str, str]
    transport: str = "minion"
    python: str = ""
    relenv: str = ""
    added: dict[str, str] = field(default_factory=dict)

    def save(self) -> None:
        """Save how the lab was started."""
        instance.run.mkdir(parents=True, exist_ok=True)
        state_file().write_text(json.dumps(vars(self)))

    @property
    def salt_command(self) -> str:
        """The command that runs Salt functions on the hosts: salt or salt-ssh."""
        return "salt" if self.transport == "minion" else "salt-ssh"

    def load_topology(self) -> Topology:
        """Return its topology, with the hosts that joined."""
        return load(self.topology, self.transport, self.added)

    def connect(self) -> None:
        """
        Set up what is outside the hosts, the network and the package server, unless it exists.

        From then on this process is on the lab's network.
        """
        network.create()
        if not cgroups.members(PACKAGE_SERVER_CGROUP):
            arguments = [
                network.MACHINE,
                str(network.REPOSITORY_PORT),
                self.packages,
                str(registry.build(Path(self.image))),
            ]
            relayed = [self.repository] if self.repository else []
            command = [sys.executable, "-m", "lab.server", *arguments, *relayed]
            hosts.spawn(PACKAGE_SERVER_CGROUP, command, log="server")
        network.join()

    def boot(self, targets: list[Host], report: Report = lambda _text: None) -> None:
        """Boot hosts in parallel. Running hosts are skipped."""
        started = {}
        for host in targets:
            binds = (
                {saltenv.ENVIRONMENT_PATH: Path(self.env)}
                if self.transport == "minion" or host.salt_master
                else {}
            )
            if host.salt_master:
                binds |= {
                    "/srv/mesos": ROOT,
                    "/srv/lab/pillar": pillar_directory(),
                    "/srv/lab/topology": topology_directory(),
                }
            if self.transport == "ssh" and host.salt_master:
                binds |= {ssh.KEY_DIRECTORY: ssh.home()} | (
                    {ssh.RELENV: Path(self.relenv)} if self.relenv else {}
                )
            elif self.python:
                binds[str(ssh.prefix(self.python))] = ssh.prefix(self.python)
            started[host.name] = hosts.start(host.name, self.layers[host.platform], binds)
        hosts.await_boot(started, report)


def load(name: str, transport: str, added: dict[str, str] | None = None) -> Topology:
    """Read a topology. With the ssh transport, add the host that runs salt-ssh."""
    topology = read_topology(name, added)
    return ssh.enter(topology) if transport == "ssh" else topology


def running() -> LabState | None:
    """Return how the lab was started, None if it does not run."""
    return LabState(**json.loads(state_file().read_text())) if state_file().exists() else None


def repository_pillar(repository: str, platform: str) -> dict:
    """
    Return the pillar that makes hosts fetch packages and images from the lab.

    With a repository of the user's the lab relays the packages from there.
    """
    url = network.REPOSITORY_URL
    key = f"{url}/RPM-GPG-KEY-lab"
    major = platform.removeprefix("el")
    settings = {
        "baseurl": f"{url}/el/{major}",
        "gpgkey": key,
        "vault": f"{url}/{packages.VAULTS[platform]}",
        "vault_gpgkey": key,
    }
    if platform != platforms.DEFAULT:  # there is no docker in the system's own repositories
        settings["extra"] = {
            "docker-ce": {"baseurl": f"{url}/docker-ce/{major}/$basearch/stable", "gpgkey": key}
        }
    if repository:
        settings |= {"baseurl": f"{url}/relay", "gpgkey": f"{url}/relay/RPM-GPG-KEY-mesosphere"}
    return {
        "common": {"repositories": settings},
        "docker": {"options": {"registry-mirrors": [url]}},
    }


def write_master_data(topology: Topology) -> None:
    """
    Make the directories of pillar and topology that the Salt master reads in addition to the
    repository's.
    """
    pillar_directory().mkdir(parents=True)
    if topology.nodes:
        topology_directory().mkdir()
    else:
        write_empty_topology(topology_directory(), Path("/srv/mesos"))


def prepare_disks(current: LabState, topology: Topology, targets: list[Host]) -> None:
    """
    Give hosts fresh disks and pillar, and all hosts their names.

    Keys are distributed beforehand: those of minions to the Salt master, those of hosts to ssh.
    """
    if current.transport == "ssh":
        ssh.write_keys(topology)
        disks = [ssh.files(host, current.salt, current.python) for host in targets]
    else:
        with ThreadPoolExecutor() as pool:
            keys = list(pool.map(lambda _host: key_pair(Path(current.image)), targets))
        disks = [
            minion_files(topology, host, *pair) for host, pair in zip(targets, keys, strict=True)
        ]
    for host, files in zip(targets, disks, strict=True):
        units = (
            ["salt-minion", *["salt-master"] * host.salt_master]
            if current.transport == "minion"
            else []
        )
        if host.salt_master:
            options = (
                MASTER_OPTIONS
                if current.transport == "minion"
                else ssh.OPTIONS | {"relenv": bool(current.relenv)}
            )
            files["etc/salt/master.d/lab.conf"] = yaml.safe_dump(PILLAR_SOURCES | options)
            files["etc/salt/master.d/mesos.conf"] = (ROOT / "conf/master.d/mesos.conf").read_text()
        hosts.make_disk(host, files, units)
        pillar = merge(
            repository_pillar(current.repository, host.platform), host_pillar(topology, host)
        )
        (pillar_directory() / f"{host.id}.yaml").write_text(yaml.safe_dump(pillar))
    if current.transport == "ssh":
        hosts.write(topology.master.name, "etc/salt/hosts.yaml", ssh.roster_hosts(topology))
    else:
        for host, (_, public) in zip(targets, keys, strict=True):
            hosts.write(topology.master.name, f"etc/salt/pki/master/minions/{host.id}", public)
    names = f"127.0.0.1 localhost localhost.localdomain\n{network.MACHINE} {MIRROR_HOST_NAME}\n"
    names += "".join(
        f"{host.address} {' '.join(dict.fromkeys([host.id, host.name]))}\n"
        for host in topology.hosts
    )
    for host in topology.hosts:
        if hosts.has_disk(host.name):
            hosts.write(host.name, "etc/hosts", names)


def minion_files(topology: Topology, host: Host, private: str, public: str) -> dict[str, str]:
    """Return the files of a host with a minion, and maybe the Salt master: path -> contents."""
    files = {
        "etc/salt/minion.d/lab.conf": yaml.safe_dump(
            {"id": host.id, "master": topology.master.address, **MINION_OPTIONS}
        ),
        "etc/salt/pki/minion/minion.pem": private,
        "etc/salt/pki/minion/minion.pub": public,
    }
    if not topology.nodes:
        files["etc/salt/grains"] = yaml.safe_dump({"roles": host.roles})
    if host.salt_master:
        files["etc/firewalld/zones/public.xml"] = MASTER_ZONE
    return files


def key_pair(image: Path) -> tuple[str, str]:
    """
    Return a fresh private and public key as PEM.

    Salt 3008 validates its key about twenty times in a run, which takes twice as long with 2048
    bits.
    Salt's messages need at least 1280.
    """
    openssl = ["/usr/sbin/chroot", image, "openssl"]
    private = subprocess.run([*openssl, "genrsa", "1280"], capture_output=True, check=True).stdout
    public = subprocess.run(
        [*openssl, "rsa", "-pubout"], input=private, capture_output=True, check=True
    ).stdout
    return private.decode(), public.decode()


def delete_key(current: LabState, topology: Topology, host: Host) -> None:
    """Delete the key of a host: that of its minion on the Salt master, or that of its sshd."""
    if current.transport == "ssh":
        return ssh.forget(host)
    done = hosts.execute(
        topology.master.name,
        ["salt-key", "--yes", f"--delete={host.id}"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LabError(
            f"salt-key --delete={host.id} on {topology.master.name}: "
            f"{done.stderr.strip() or done.stdout.strip()}"
        )


def on_master(topology: Topology, command: list[str], log: str) -> dict:
    """Run a Salt command on the master and return its JSON output, empty if there is none."""
    command = [*command, "--out=json", "--no-color"]
    done = hosts.execute(topology.master.name, command, capture_output=True, text=True)
    (instance.logs / f"{log}.log").write_text(
        f"$ {' '.join(command)}\n{done.stdout}\n{done.stderr}"
    )
    with contextlib.suppress(ValueError):
        if isinstance(output := json.loads(done.stdout), dict):
            return output
    return {}


def salt(topology: Topology, targets: list[Host], *words: str, log: str) -> dict:
    """
    Run ``salt`` on the master for some hosts, and return the answer of each minion.

    Raises LabError if there is no answer at all.
    """
    target = (
        ["*"] if targets == topology.hosts else ["--list", ",".join(host.id for host in targets)]
    )
    # Sometimes salt looks for its job too early, and fails at once: "No return received".
    for _ in range(2):
        if answers := on_master(
            topology, ["salt", f"--timeout={SALT_TIMEOUT}", *target, *words, "--static"], log
        ):
            return answers
    raise LabError(
        f"salt '{target[-1]}' {' '.join(words)}: no answer", instance.logs / f"{log}.log"
    )


def await_minions(topology: Topology, targets: list[Host], report: Report) -> None:
    """Wait until minions answer their master."""
    deadline = time.monotonic() + READY_TIMEOUT
    while missing := [host.name for host in targets if not subscribed(topology.master, host)]:
        report(f"waiting for {', '.join(missing)}")
        if time.monotonic() > deadline:
            raise LabError(
                f"not connected to the master within {READY_TIMEOUT} s: {', '.join(missing)}; "
                f"see `lab run {missing[0]} journalctl -u salt-minion`"
            )
        time.sleep(0.2)
    report("test.ping")
    answers = salt(topology, targets, "test.ping", log="ping")
    if silent := [host.name for host in targets if answers.get(host.id) is not True]:
        raise LabError(
            f"connected, but not responding: {', '.join(silent)}", instance.logs / "ping.log"
        )


def subscribed(master: Host, minion: Host) -> bool:
    """
    Whether a minion is connected to the master's publisher.

    Both kernels must know the connection: if one end lost its power, the other still considers it
    established. And ``salt`` itself would wait half a minute for a minion that is not up yet.
    """
    port = f":{PUBLISH_PORT:04X}"
    connections = {
        (remote, local) for local, remote in hosts.established(minion.name) if remote.endswith(port)
    }
    return bool(connections & hosts.established(master.name))


def assign_roles(topology: Topology) -> str:
    """
    Have the Salt master assign each minion its roles from the topology, as a user does.

    Return a summary. Raises LabError if it fails.
    """
    command = ["salt-run", "state.orchestrate", "orchestration.roles"]
    output = on_master(topology, command, "roles")
    output = output.get("data", output)
    states = next(iter(output.values()), None) if isinstance(output, dict) else None
    if not isinstance(states, dict):
        raise LabError(
            f"{' '.join(command)}: " + ("\n  ".join(map(str, states)) if states else "no answer"),
            instance.logs / "roles.log",
        )
    errors = [
        f"{state['__id__']}: {state['comment']}"
        for state in states.values()
        if state["result"] is not True
    ]
    if errors:
        raise LabError(
            f"{' '.join(command)} failed:\n  " + "\n  ".join(errors), instance.logs / "roles.log"
        )
    counts = Counter(" ".join(host.roles) or "no role" for host in topology.hosts)
    return ", ".join(f"{count} x {roles}" for roles, count in counts.items())


def apply(current: LabState, topology: Topology) -> str:
    """Run ``state.apply`` on all hosts and return a summary. LabError names each failed state."""
    if current.transport == "ssh":
        targets = [host for host in topology.hosts if host != ssh.ADMIN]
        answers = on_master(
            topology, [current.salt_command, "*", "state.apply", "--static"], "apply"
        )
    else:
        targets = topology.hosts
        # Queued: if `salt` has to be called a second time, the first job may still run.
        answers = salt(topology, targets, "state.apply", "queue=True", log="apply")
    errors, changed, total = [], 0, 0
    for host in targets:
        states = answers.get(host.id, "no answer")
        # salt-ssh returns this where it could not run Salt.
        if isinstance(states, dict) and "stderr" in states:
            states = states["stderr"].strip() or states["stdout"].strip()
        if not isinstance(states, dict):
            errors += [
                f"{host.name}: {error}"
                for error in (states if isinstance(states, list) else [states])
            ]
            continue
        total += len(states)
        changed += sum(bool(state["changes"]) for state in states.values())
        errors += [
            f"{host.name}: {key.split('_|-')[1]}: {state['comment']}"
            for key, state in states.items()
            if state["result"] is not True
        ]
    if errors:
        raise LabError("state.apply failed:\n  " + "\n  ".join(errors), instance.logs / "apply.log")
    hosts_text = "1 host" if len(targets) == 1 else f"{len(targets)} hosts"
    return f"{hosts_text}, {total} states, {changed} changed"


def environment_name(line: str, transport: str) -> str:
    """Return the name of the hosts' Salt environment; salt-ssh 3006 has one of its own."""
    return ssh.ENVIRONMENT_3006 if (line, transport) == ("3006", "ssh") else line


def build_image(
    environment: str, targets: list[Host], report: Report
) -> tuple[Path, Path, dict[str, str]]:
    """Build the image, Salt for it, and the lower directories of the disks by platform."""
    image = rootfs.build(report)
    layers = {
        platform: platforms.layers(platform, image, report)
        for platform in {host.platform for host in targets}
    }
    env = saltenv.host_env(environment, image, report)
    return image, ssh.for_python36(env) if environment == ssh.ENVIRONMENT_3006 else env, layers
