"""
The disk image of a bare host: Debian that looks like CentOS 7.

The files of ``lab/el7`` are copied over it. It has nothing that packages install: no Java, docker,
ZooKeeper or chrony.
"""

import shutil
import subprocess
from pathlib import Path

from . import ROOT, instance
from .steps import Report, cached, run

OVERLAY = Path(__file__).parent / "el7"
SUITE = "bookworm"
MIRRORS = [
    f"deb http://deb.debian.org/debian {suite} main" for suite in (SUITE, f"{SUITE}-updates")
]

PACKAGES = [
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "kmod",
    "procps",
    "psmisc",
    "less",
    "netbase",
    "iproute2",
    "iputils-ping",
    "nftables",
    "iptables",
    "rpm",
    "dnf",
    "firewalld",
    "openssh-server",
    "locales",
    "bsdutils",
    "netcat-openbsd",
    "curl",
    "ca-certificates",
    "logrotate",
    "openssl",
    "gpg",
    "python3",
    "python3-venv",
    "python3-kazoo",
    "python3-werkzeug",
    "busybox-static",
    "libdevmapper1.02.1",
    "libedit2",
]

# Debian's own housekeeping, and what has no meaning in a container.
MASKED = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-pstore.service",
    "getty.target",
    "console-getty.service",
    "systemd-firstboot.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "modprobe@.service",
    "systemd-modules-load.service",
    "kmod-static-nodes.service",
]

# Packages that yum considers installed: empty packages, their version and further provides.
PRETENDED = {
    "bash": ("4.2.46", "/bin/sh /bin/bash /usr/bin/sh /usr/bin/bash"),
    "centos-release": ("7", "system-release = 7, system-release(releasever) = 7"),
    "coreutils": ("8.22", "/usr/bin/env"),
    "cyrus-sasl-md5": ("2.1.26", ""),
    "firewalld": ("0.6.3", ""),
    "glibc-common": ("2.17", ""),
    "iptables": ("1.4.21", ""),
    "libcurl": ("7.29.0", ""),
    "libevent-devel": ("2.0.21", ""),
    "procps-ng": ("3.3.10", ""),
    "python3": ("3.6.8", "python /usr/bin/python /usr/bin/python3"),
    "redhat-lsb-core": ("4.1", ""),
    "shadow-utils": ("4.6", "/usr/sbin/useradd /usr/sbin/groupadd"),
    "subversion": ("1.7.14", ""),
    "systemd": ("219", ""),
    "unzip": ("6.0", ""),
    "util-linux": ("2.23.2", "/usr/bin/logger"),
}

SPEC = """
Name: {name}
Version: {version}
Release: 1.el7
Summary: Pretended by the lab, as Debian has it
License: Apache-2.0
BuildArch: noarch
{provides}
%description
%{{summary}}.
%files
"""


def build(report: Report) -> Path:
    """Return the directory of the image, built if its recipe has changed. Do not write to it."""
    recipe = [Path(__file__)] + sorted(path for path in OVERLAY.rglob("*") if path.is_file())
    return cached(
        "rootfs",
        b"".join(str(path.relative_to(ROOT)).encode() + path.read_bytes() for path in recipe),
        lambda target: _build(target, report),
    )


def _build(target: Path, report: Report) -> None:
    report("Debian packages")
    instance.logs.mkdir(parents=True, exist_ok=True)
    run(
        [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            *(f"--aptopt={option}" for option in machine_apt_options()),
            "--dpkgopt=force-unsafe-io",
            *(
                f"--dpkgopt=path-exclude=/usr/share/{unread}/*"
                for unread in ("doc", "man", "locale")
            ),
            SUITE,
            target,
            *machine_mirrors(),
        ],
        "rootfs",
    )
    report("CentOS 7 to Salt and yum")
    shutil.copytree(OVERLAY, target, symlinks=True, dirs_exist_ok=True)
    for path in ("etc/debian_version", "etc/hostname", "etc/machine-id", "var/lib/dbus/machine-id"):
        (target / path).unlink(missing_ok=True)
    (target / "usr/bin/yum").symlink_to("dnf-3")
    for name in (
        "salt",
        "salt-call",
        "salt-cp",
        "salt-key",
        "salt-master",
        "salt-minion",
        "salt-run",
    ):
        (target / "usr/bin" / name).symlink_to(f"/opt/saltstack/salt/bin/{name}")
    for path in (
        "etc/salt/master.d",
        "etc/salt/minion.d",
        "etc/sysconfig/network-scripts",
        "etc/yum.repos.d",
        "opt/saltstack/salt",
        "srv/mesos",
        "srv/lab/pillar",
        "var/lib/docker",
    ):
        (target / path).mkdir(parents=True, exist_ok=True)
    inside(target, "localedef", "--inputfile=en_US", "--charmap=UTF-8", "en_US.UTF-8")
    inside(target, "systemctl", "mask", *MASKED)
    inside(target, "systemctl", "enable", "lab-network.service", "lab-cgroups.service")
    report("what yum takes for installed")
    for name, (version, provides) in PRETENDED.items():
        spec = SPEC.format(
            name=name, version=version, provides=f"Provides: {provides}" if provides else ""
        )
        (target / "tmp" / f"{name}.spec").write_text(spec)
    specs = [f"/tmp/{name}.spec" for name in PRETENDED]
    inside(target, "rpmbuild", "-bb", "--quiet", "--define=_topdir /tmp/rpm", *specs)
    rpms = [f"/{path.relative_to(target)}" for path in (target / "tmp/rpm/RPMS").rglob("*.rpm")]
    inside(target, "rpm", "--install", "--nodeps", "--nosignature", *rpms)
    shutil.rmtree(target / "tmp/rpm")
    for path in specs:
        Path(f"{target}{path}").unlink()


def inside(root: Path, *command: str) -> None:
    """Run a program in the image while it is being made."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    run(["/usr/sbin/chroot", root, *command], "rootfs", env=environment)


def machine_mirrors() -> list[str]:
    """Return the Debian mirrors of this machine, which work from here; else Debian's own."""
    query = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME)",
        "Created-By: Packages",
        "Origin: Debian",
    ]
    output = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    suites = {tuple(line.split()) for line in output.splitlines()}
    mirrors = [
        f"deb {uri} {suite} main" for uri, suite in sorted(suites) if suite.startswith(SUITE)
    ]
    return mirrors if any(suite == SUITE for _, suite in suites) else MIRRORS


def machine_apt_options() -> list[str]:
    """Return the settings of the machine's apt: proxies, certificates, validity of indexes."""
    query = ["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"]
    output = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return [
        line
        for line in output.splitlines()
        if line.startswith(("Acquire::http", "Acquire::Check")) and not line.endswith('"";')
    ]
