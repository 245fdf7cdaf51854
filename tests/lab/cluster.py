"""Salt on the hosts: its configuration and keys, ``state.apply``, and whether the services then answer."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import LOGS, ROOT, RUN, LabError, cgroups, hosts, network, rootfs, saltenv
from .steps import Report
from .topology import Host, Topology, merge, pillar_of

PILLAR = RUN / "pillar"
STATE = RUN / "state.json"
SERVER = "package_server"  # a control group beside those of the hosts; no host can be called so
PUBLISHER = 4505  # port of the Salt master that minions listen to
PATIENCE = 120  # seconds for minions to appear, and for services to answer


@dataclass(frozen=True)
class Service:
    """How to ask whether a role does its work: over HTTP from this machine, or by a command on the host."""

    name: str
    port: int = 0
    path: str = ""
    command: str = ""
    answer: str = ""

    def place(self, host: Host) -> str:
        """Return where people find it."""
        if self.path:
            return f"http://{host.address}:{self.port}"
        return f"{host.name}:{self.port}" if self.port else host.name

    def works(self, host: Host) -> bool:
        """Ask it."""
        if self.command:
            done = hosts.execute(host.name, ["sh", "-c", self.command], capture_output=True, text=True)
            return done.returncode == 0 and self.answer in done.stdout
        try:
            with urllib.request.urlopen(f"http://{host.address}:{self.port}{self.path}", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False


SERVICES = {
    # For members of the cluster alone, so this machine cannot ask.
    "zookeeper": Service("ZooKeeper", 2181, command="echo srvr | nc -w 2 localhost 2181", answer="Mode:"),
    "mesos-master": Service("Mesos master", 5050, "/health"),
    "mesos-slave": Service("Mesos slave", 5051, "/health"),
    "marathon": Service("Marathon", 8080, "/ping"),
    "chronos": Service("Chronos", 4400, "/ping"),
    "docker": Service("Docker", command="docker version"),
}


@dataclass(frozen=True)
class Running:
    """What the lab that runs was started as, from build/lab/state.json, so that any later command knows."""

    topology: str
    salt: str
    repository: str
    image: str
    env: str
    packages: str

    def save(self) -> None:
        """Write it down."""
        STATE.parent.mkdir(parents=True, exist_ok=True)
        STATE.write_text(json.dumps(vars(self)))

    def connect(self) -> None:
        """Set up what is outside the hosts: the network and the package server, unless they are there."""
        network.create()
        if not cgroups.members(SERVER):
            where = [network.MACHINE, str(network.REPOSITORY_PORT), self.packages]
            relayed = [self.repository] if self.repository else []
            hosts.spawn(SERVER, [sys.executable, "-m", "lab.server", *where, *relayed], log="server")

    def boot(self, host: Host) -> None:
        """Boot one of its hosts."""
        binds = {saltenv.PLACE: Path(self.env)}
        if host.salt_master:
            binds |= {"/srv/mesos": ROOT, "/srv/lab/pillar": PILLAR}
        hosts.boot(host.name, Path(self.image), binds)


def running() -> Running | None:
    """Return what runs, None if nothing does."""
    return Running(**json.loads(STATE.read_text())) if STATE.exists() else None


def repository_pillar(repository: str) -> dict:
    """Return the settings that make packages come from the lab, or from a repository of the user's through the lab."""
    here = network.REPOSITORY_URL
    settings = {"baseurl": f"{here}/el/7", "gpgkey": f"{here}/RPM-GPG-KEY-lab",
                "vault": f"{here}/centos/7.9.2009", "vault_gpgkey": f"{here}/RPM-GPG-KEY-lab"}
    if repository:
        settings |= {"baseurl": f"{here}/relay", "gpgkey": f"{here}/relay/RPM-GPG-KEY-mesosphere"}
    return {"common": {"repositories": settings}}


def write_pillar(topology: Topology, repository: str) -> None:
    """Write the pillar of each host where the master's ext_pillar reads it."""
    PILLAR.mkdir(parents=True, exist_ok=True)
    for host in topology.hosts:
        pillar = merge(repository_pillar(repository), pillar_of(topology, host))
        (PILLAR / f"{host.name}.yaml").write_text(yaml.safe_dump(pillar))


def make_disks(topology: Topology, image: Path) -> None:
    """Make the disks of all hosts. The master knows its minions' keys beforehand, so that none is accepted unseen."""
    keys = {host.name: key_pair(image) for host in topology.hosts}
    for host in topology.hosts:
        private, public = keys[host.name]
        minion = {
            "id": host.name, "master": topology.master.address,
            "enable_fqdns_grains": False, "enable_gpu_grains": False,  # no DNS, no lspci
        }
        files = {
            "etc/salt/grains": yaml.safe_dump({"roles": host.roles}),
            "etc/salt/minion.d/lab.conf": yaml.safe_dump(minion),
            "etc/salt/pki/minion/minion.pem": private,
            "etc/salt/pki/minion/minion.pub": public,
        }
        if host.salt_master:
            master = {
                "ext_pillar": [{"cmd_yaml": "cat /srv/lab/pillar/%s.yaml"}],
                "worker_threads": 3, "timeout": 30, "gather_job_timeout": 30,
            }
            files |= {
                "etc/salt/master.d/lab.conf": yaml.safe_dump(master),
                "etc/salt/master.d/mesos.conf": (ROOT / "conf/master.d/mesos.conf").read_text(),
                **{f"etc/salt/pki/master/minions/{name}": public for name, (_, public) in keys.items()},
            }
        units = ["salt-minion", "salt-master"] if host.salt_master else ["salt-minion"]
        hosts.make_disk(host, topology.hosts, files, units)


def key_pair(image: Path) -> tuple[str, str]:
    """Return a fresh private and public key as PEM."""
    openssl = ["/usr/sbin/chroot", image, "openssl"]
    private = subprocess.run([*openssl, "genrsa", "2048"], capture_output=True, check=True).stdout
    public = subprocess.run([*openssl, "rsa", "-pubout"], input=private, capture_output=True, check=True).stdout
    return private.decode(), public.decode()


def salt(topology: Topology, *words: str, log: str) -> dict:
    """Run ``salt '*' ...`` on the master; return what each minion answered. LabError where the answer is none."""
    command = ["salt", "*", *words, "--out=json", "--static", "--no-color"]
    path = LOGS / f"{log}.log"
    for _ in range(2):  # now and then salt has not seen its own job yet, and says so at once: "No return received"
        done = hosts.execute(topology.master.name, command, capture_output=True, text=True)
        path.write_text(f"$ {' '.join(command)}\n{done.stdout}\n{done.stderr}")
        with contextlib.suppress(ValueError):
            if answers := json.loads(done.stdout):
                return answers
    raise LabError(f"salt '*' {' '.join(words)}: no answer", path)


def await_minions(topology: Topology, report: Report) -> None:
    """Wait until all minions answer their master."""
    deadline = time.monotonic() + PATIENCE
    while missing := [host.name for host in topology.hosts if host.address not in subscribers(topology.master)]:
        report(f"waiting for {', '.join(missing)}")
        if time.monotonic() > deadline:
            raise LabError(f"not connected to the master within {PATIENCE} s: {', '.join(missing)}; "
                           f"see `lab run {topology.master.name} journalctl -u salt-master -u salt-minion`")
        time.sleep(0.2)
    answers = salt(topology, "test.ping", log="ping")
    if silent := [host.name for host in topology.hosts if answers.get(host.name) is not True]:
        raise LabError(f"connected, but silent: {', '.join(silent)}", LOGS / "ping.log")


def subscribers(master: Host) -> set[str]:
    """
    Return the addresses that are connected to the master's publisher.

    From the kernel's table, since ``salt`` itself waits half a minute for a minion that is not there yet.
    """
    table = Path(f"/proc/{hosts.leader(master.name)}/net/tcp").read_text().splitlines()[1:]
    found = set()
    for _, local, remote, state, *_ in (line.split() for line in table):
        if int(local.split(":")[1], 16) == PUBLISHER and state == "01":  # established
            found.add(socket.inet_ntoa(bytes.fromhex(remote.split(":")[0])[::-1]))
    return found


def apply(topology: Topology) -> str:
    """Run ``salt '*' state.apply``. Return a summary; LabError, naming each failed state, if not all went well."""
    answers = salt(topology, "state.apply", log="apply")
    faults, changed, total = [], 0, 0
    for host in topology.hosts:
        states = answers.get(host.name, "no answer")
        if not isinstance(states, dict):
            faults += [f"{host.name}: {fault}" for fault in (states if isinstance(states, list) else [states])]
            continue
        total += len(states)
        changed += sum(bool(state["changes"]) for state in states.values())
        faults += [f"{host.name}: {state['__id__']}: {state['comment']}"
                   for state in states.values() if state["result"] is False]
    if faults:
        raise LabError("state.apply failed:\n  " + "\n  ".join(faults), LOGS / "apply.log")
    return f"{total} states, {changed} changed"


def services(topology: Topology, patience: float = 0) -> list[tuple[Host, Service, bool]]:
    """Ask each service of each host whether it works, again for some seconds where it does not yet."""
    deadline = time.monotonic() + patience
    found = []
    for host in topology.hosts:
        for service in (SERVICES[role] for role in host.roles):
            on = hosts.running(host.name)
            while not (works := on and service.works(host)) and time.monotonic() < deadline:
                time.sleep(1)
            found.append((host, service, works))
    return found


def image_and_env(line: str, report: Report) -> tuple[Path, Path]:
    """Build what hosts boot from: the image, and Salt for it."""
    image = rootfs.build(report)
    return image, saltenv.host_env(line, image, report)
