"""
Hosts without Salt: they have sshd, which accepts one key.

Salt comes from the host ADMIN, which has ``salt-ssh`` and the keys of all hosts, as this machine
does: ``ssh -F build/labs/default/ssh/config lxdev01``. The hosts have the Python that a bare CentOS
7 may have. For Salt 3006 that is a 3.6. For Salt 3008 there is none: 3008 does not run on 3.6 and
brings its own.
"""

import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import yaml

from . import ROOT, LabError, instance, saltenv
from .steps import cached, run
from .topology import Host, Topology

ADMIN = Host("admin.devops.test", "172.31.250.2", [], salt_master=True)
KEY_DIRECTORY = "/srv/lab/ssh"
KEY = "id_ed25519"
ENVIRONMENT_3006 = "ssh-3006"  # lab/requirements/salt-ssh-3006.txt
RELENV = "/var/cache/salt/master/relenv/linux/x86_64/salt-relenv.tar.xz"

# The lab's part of the configuration of salt-ssh: keys, and timeouts for hosts that are all busy.
OPTIONS = {
    "ssh_priv": f"{KEY_DIRECTORY}/{KEY}",
    "known_hosts_file": f"{KEY_DIRECTORY}/known_hosts",
    "ssh_timeout": 60,
    "ssh_max_procs": 16,
}

# dnf and firewalld use Debian's Python in /usr/bin; those of EL7 use Python 2.
NO_PYTHON = "#!/bin/sh\necho 'python3: command not found' >&2\nexit 127\n"

# Starts Salt in the tarball, as the vendor's script does.
SALT_CALL = """#!/bin/sh
code='import sys; from salt.scripts import salt_call; sys.exit(salt_call())'
exec "${0%/*}/bin/python3" -sE -c "$code" "$@"
"""


def home() -> Path:
    """Return the directory with the keys; on ADMIN it is KEY_DIRECTORY."""
    return instance.run / "ssh"


def enter(topology: Topology) -> Topology:
    """Return a topology managed by SSH: ADMIN comes first, and there is no Salt master."""
    return replace(
        topology, hosts=[ADMIN, *(replace(host, salt_master=False) for host in topology.hosts)]
    )


def write_keys(topology: Topology) -> None:
    """Make the key that all hosts accept, missing host keys, and the configuration of ``ssh``."""
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in [home() / KEY, *map(host_key, topology.hosts)]:
        if not path.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], "ssh")
    host_keys = [
        f"{host.address},{host.id},{host.name} {public(host_key(host))}" for host in topology.hosts
    ]
    (home() / "known_hosts").write_text("".join(host_keys))
    (home() / "config").write_text(
        f"Host *\n  User root\n  IdentityFile {home() / KEY}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {home()}/known_hosts\n"
        "  StrictHostKeyChecking yes\n"
        + "".join(
            f"Host {host.name} {host.id}\n  HostName {host.address}\n" for host in topology.hosts
        )
    )


def host_key(host: Host) -> Path:
    """Return the file with the private key of a host."""
    return home() / f"{host.name}_key"


def public(private: Path) -> str:
    """Return the public half of a key, as a line."""
    return private.with_name(f"{private.name}.pub").read_text()


def files(host: Host, line: str, python: str) -> dict[str, str]:
    """Return the first files on the disk of a host: path -> contents."""
    private = host_key(host)
    contents = {
        "etc/ssh/ssh_host_ed25519_key": private.read_text(),
        "etc/ssh/ssh_host_ed25519_key.pub": public(private),
        "root/.ssh/authorized_keys": public(home() / KEY),
    }
    if host == ADMIN:
        contents["usr/local/bin/salt-ssh"] = (
            f'#!/bin/sh\nexec {saltenv.ENVIRONMENT_PATH}/bin/salt-ssh "$@"\n'
        )
        return contents | {
            f"etc/salt/{name}": (ROOT / "conf" / name).read_text()
            for name in ("roster", "master.d/ssh.conf")
        }
    if python:
        contents["usr/local/bin/python3"] = f'#!/bin/sh\nexec {python} "$@"\n'
    elif line != "3006":
        contents["usr/local/bin/python3"] = NO_PYTHON
    return contents


def roster_hosts(topology: Topology) -> str:
    """Return hosts.yaml of the roster: the hosts that are not nodes of Salt's topology."""
    unnamed = [host for host in topology.hosts if host.id not in topology.nodes and host != ADMIN]
    return yaml.safe_dump(
        {
            host.id: host.address
            if topology.nodes
            else {"host": host.address, "grains": {"roles": host.roles}}
            for host in unnamed
        }
    )


def python36() -> str:
    """
    Return a Python 3.6 of this machine, to be the hosts' ``python3``.

    It is $LAB_PYTHON36, or one of pyenv's; empty if there is none.

    LabError if it does not run, or has no directory of its own that can be bound into hosts.
    """
    configured = os.environ.get("LAB_PYTHON36")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    pythons = (
        [configured] if configured else sorted(map(str, pyenv.glob("versions/3.6.*/bin/python3.6")))
    )
    if not pythons:
        return ""
    question = [pythons[-1], "-c", "import sys; print(sys.prefix, *sys.version_info[:2])"]
    try:
        done = subprocess.run(question, capture_output=True, text=True, check=False)
    except OSError as error:
        raise LabError(f"LAB_PYTHON36 = {pythons[-1]}: {error.strerror}") from error
    prefix, *version = done.stdout.split() or ["", ""]
    if version != ["3", "6"] or prefix in ("/usr", "/usr/local"):
        raise LabError(
            f"LAB_PYTHON36 = {pythons[-1]}: "
            "should be a Python 3.6 in a directory of its own, as pyenv makes them"
        )
    return pythons[-1]


def python_description(line: str, python: str) -> str:
    """Describe the Python of the hosts."""
    if line != "3006":
        return "The hosts have no python3; Salt brings its own (--relenv)."
    debian = "that of Debian underneath, as there is no 3.6 here (LAB_PYTHON36 names one)"
    return f"python3 of the hosts: {python or debian}"


def forget(host: Host) -> None:
    """Delete the key of a host, so that it gets a new one."""
    for path in home().glob(f"{host_key(host).name}*"):
        path.unlink()


def prefix(python: str) -> Path:
    """Return the directory that a Python needs."""
    return Path(python).parents[1]


def for_python36(env: Path) -> Path:
    """Return an environment with Salt whose code runs on Python 3.6, too."""
    script = ROOT / "conf/python36.sh"

    def build(target: Path) -> None:
        shutil.copytree(env, target, symlinks=True, dirs_exist_ok=True)
        run([script, target], "python36")

    return cached("python36", env.name.encode() + script.read_bytes(), build)


def relenv(image: Path, env: Path) -> Path:
    """Return the tarball that ``salt-ssh --relenv`` sends: the image's Python, and Salt for it."""

    def build(target: Path) -> None:
        home, library = target / "salt", "lib/python3.11"
        unused = shutil.ignore_patterns(
            "test", "ensurepip", "idlelib", "lib2to3", "pip", "libcloud", "virtualenv"
        )
        shutil.copytree(image / "usr" / library, home / library, ignore=unused)
        shutil.copytree(
            env / library / "site-packages", home / library / "dist-packages", ignore=unused
        )
        (home / "bin").mkdir()
        shutil.copy(image / "usr/bin/python3.11", home / "bin/python3")
        (home / "salt-call").write_text(SALT_CALL)
        (home / "salt-call").chmod(0o755)
        # gzip despite the name: the image has no xz, and tar detects the compression.
        with tarfile.open(target / Path(RELENV).name, "w:gz", compresslevel=1) as tarball:
            tarball.add(home, home.name)
        shutil.rmtree(home)

    return (
        cached("relenv", f"{Path(__file__).read_text()} {image.name} {env.name}".encode(), build)
        / Path(RELENV).name
    )
