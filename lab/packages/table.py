"""The packages: names, versions, dependencies, and files from Debian's packages."""

from __future__ import annotations

import dataclasses

# What the machine needs in order to build.
DEBIAN_PACKAGES = ["apt", "createrepo-c", "dpkg", "gnupg", "rpm"]

# Where the system's own repositories lie, by the platform of a host.
VAULTS = {"el7": "centos/7.9.2009", "el8": "almalinux/8.10", "el9": "almalinux/9.6"}

# Where in the repository tree a package lies.
MESOSPHERE, NOARCH = "el/7/x86_64", "el/7/noarch"
OS, UPDATES, EXTRAS = (f"{VAULTS['el7']}/{part}/x86_64" for part in ("os", "updates", "extras"))

# The same of EL 8 and 9, where a package lies in both, and the repositories of Docker itself.
EL8_EL9, OWN_NOARCH = (
    tuple(f"el/{major}/{arch}" for major in (8, 9)) for arch in ("x86_64", "noarch")
)
BASE, APPSTREAM, EXTRAS_8_9 = (
    tuple(f"{VAULTS[platform]}/{part}/x86_64/os" for platform in ("el8", "el9"))
    for part in ("BaseOS", "AppStream", "extras")
)
SALT = "salt"
DOCKER_CE = tuple(f"docker-ce/{major}/x86_64/stable" for major in (7, 8, 9))
REPOSITORIES = (
    MESOSPHERE,
    NOARCH,
    OS,
    UPDATES,
    EXTRAS,
    *EL8_EL9,
    *OWN_NOARCH,
    *BASE,
    *APPSTREAM,
    *EXTRAS_8_9,
    *DOCKER_CE,
    SALT,
)


@dataclasses.dataclass(frozen=True)
class Package:
    """
    One RPM. Every file below /etc is ``%config(noreplace)``, and so is what ``config`` names.

    repositories
        Where it lies: one package may be of several releases.

    tree
        The directory with ``root/`` (``@VERSION@`` in its text files is replaced) and the
        scriptlets ``pre.sh``, ``post.sh``, ``preun.sh``, ``postun.sh``.

    words
        (old, new): what else is replaced in the texts of the tree, and in the paths of ``root/``.

    debs
        (Debian package, path in it, target): files to copy. A target that ends in ``/`` is a
        directory.

    links, files, directories
        Symbolic links by path; small files by path; empty directories by path, with their owner.
    """

    name: str
    version: str
    release: str
    repositories: tuple[str, ...]
    summary: str
    arch: str = "x86_64"
    epoch: int = 0
    tree: str = ""
    words: tuple[tuple[str, str], ...] = ()
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    debs: tuple[tuple[str, str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    directories: tuple[tuple[str, str], ...] = ()


def mesos(version: str) -> Package:
    """Mesos as Mesosphere built it: both daemons, one wrapper, no user."""
    return mesos_of(
        version,
        "2.0.1.el7",
        (MESOSPHERE,),
        "/usr/lib",
        requires=("libevent-devel",),
        links=(
            ("/usr/sbin/mesos-agent", "mesos-slave"),
            ("/usr/local/lib/libmesos.so", "../../lib/libmesos.so"),
            (f"/usr/local/lib/libmesos-{version}.so", f"../../lib/libmesos-{version}.so"),
        ),
    )


def mesos_agent(version: str) -> Package:
    """Mesos as AVENTER builds it for EL 8: the agent is called agent everywhere."""
    return mesos_of(
        version,
        "1.el8",
        EL8_EL9,
        "/usr/lib64",
        words=(("slave", "agent"), ("Slave", "Agent")),
        links=(("/usr/sbin/mesos-slave", "mesos-agent"),),
    )


def mesos_of(
    version: str, release: str, repositories: tuple[str, ...], libraries: str, **fields: tuple
) -> Package:
    """What all builds of Mesos have in common."""
    return Package(
        "mesos",
        version,
        release,
        repositories,
        "Cluster manager (a fake for tests)",
        tree="mesos",
        requires=(
            "lab-fakes",
            "libcurl",
            "subversion",
            "cyrus-sasl-md5",
            *fields.pop("requires", ()),
        ),
        links=((f"{libraries}/libmesos.so", f"libmesos-{version}.so"), *fields.pop("links")),
        files=(
            (f"{libraries}/libmesos-{version}.so", ""),
            (f"/usr/share/java/mesos-{version}.jar", ""),
        ),
        directories=(
            ("/var/log/mesos", "root"),
            ("/var/lib/mesos", "root"),
            ("/usr/libexec/mesos", "root"),
            ("/usr/share/mesos/webui", "root"),
        ),
        **fields,
    )


def marathon(version: str, release: str, tree: str, **fields: object) -> Package:
    """Marathon in one of its three eras."""
    noarch = {} if tree == "marathon-1.4" else {"arch": "noarch"}
    requires = ("lab-fakes", "coreutils", "unzip", "java >= 1:1.8.0", *fields.pop("requires", ()))
    return Package(
        "marathon",
        version,
        release,
        fields.pop("repositories", (NOARCH if noarch else MESOSPHERE,)),
        "Scheduler for long-running services (a fake for tests)",
        tree=tree,
        requires=requires,
        config=("/usr/lib/systemd/system/marathon.service",),
        **noarch,
        **fields,
    )


def chronos(version: str, release: str, tree: str) -> Package:
    """Chronos, with the launcher of before or after 2016."""
    return Package(
        "chronos",
        version,
        release,
        (MESOSPHERE, *EL8_EL9) if version == "2.5.0" else (MESOSPHERE,),
        "Scheduler for periodic jobs (a fake for tests)",
        tree=tree,
        requires=("lab-fakes", "coreutils", "java >= 1.6"),
    )


JVM = "/usr/lib/jvm/java-1.8.0-openjdk-1.8.0.412.b08-1.el7_9.x86_64"
DOCKER = "/usr/libexec/docker"
MESOSPHERE_ZOOKEEPER, AVENTER_ZOOKEEPER = "/opt/mesosphere/zookeeper", "/opt/zookeeper"

# Debian's packages of the jars, and the jars that a ZooKeeper server and its AdminServer load.
JARS = {
    "libzookeeper-java": ["zookeeper-jute"],
    "libslf4j-java": ["slf4j-api", "slf4j-log4j12"],
    "liblog4j1.2-java": ["log4j-1.2"],
    "libnetty-java": [
        *("netty-buffer", "netty-codec", "netty-common", "netty-handler", "netty-resolver"),
        *("netty-transport", "netty-transport-native-epoll", "netty-transport-native-unix-common"),
    ],
    "libdropwizard-metrics-java": ["metrics-core"],
    "libsnappy-java": ["snappy-java"],
    "libcommons-cli-java": ["commons-cli"],
    "libcommons-io-java": ["commons-io"],
    "libjackson2-annotations-java": ["jackson-annotations"],
    "libjackson2-core-java": ["jackson-core"],
    "libjackson2-databind-java": ["jackson-databind"],
    "libjetty9-java": [
        f"jetty9-{part}"
        for part in ("http", "io", "security", "server", "servlet", "util", "util-ajax")
    ],
    "libservlet-api-java": ["servlet-api"],
}


def zookeeper(name: str, home: str, **fields: tuple) -> Package:
    """ZooKeeper below some directory."""
    return Package(
        name,
        "3.8.0",
        summary="Coordination service for distributed programs",
        tree="zookeeper",
        requires=("java >= 1.6",),
        debs=(
            ("libzookeeper-java", "usr/share/java/zookeeper.jar", f"{home}/zookeeper-3.8.0.jar"),
            *(
                (deb, f"usr/share/java/{jar}.jar", f"{home}/lib/{jar}.jar")
                for deb, jars in JARS.items()
                for jar in jars
            ),
        ),
        **fields,
    )


def dockerd(name: str, version: str, release: str, **fields: tuple) -> Package:
    """One of the packages that Debian's Docker comes in, as 1.13 or as that of Docker itself."""
    return Package(name, version, release, summary="Container runtime (of version 20.10)", **fields)


PACKAGES = [
    zookeeper(
        "mesosphere-zookeeper",
        MESOSPHERE_ZOOKEEPER,
        release="0.1.el7",
        repositories=(MESOSPHERE,),
        conflicts=("zookeeper", "zookeeper-server"),
    ),
    zookeeper(
        "aventer-zookeeper",
        AVENTER_ZOOKEEPER,
        release="1.el8",
        repositories=EL8_EL9,
        words=((MESOSPHERE_ZOOKEEPER.lstrip("/"), AVENTER_ZOOKEEPER.lstrip("/")),),
        conflicts=("zookeeper", "zookeeper-server", "mesosphere-zookeeper"),
    ),
    mesos("1.4.3"),
    mesos("1.9.0"),
    mesos_agent("1.11.0"),
    marathon("1.4.13", "1.0.678.el7", "marathon-1.4"),
    *(
        marathon(
            version,
            "1.el7",
            "marathon-1.5",
            links=(("/usr/bin/marathon", "/usr/share/marathon/bin/marathon"),),
            directories=(
                ("/usr/share/marathon/lib", "root"),
                ("/var/log/marathon", "marathon"),
                ("/var/run/marathon", "marathon"),
            ),
        )
        for version in ("1.5.15", "1.6.567")
    ),
    marathon(
        "1.8.244",
        "1.el7",
        "marathon-1.8",
        repositories=(NOARCH, OWN_NOARCH[0]),
        requires=("redhat-lsb-core",),
        directories=(("/usr/share/marathon/lib", "root"),),
    ),
    # EL 9 has no redhat-lsb-core: a package of Marathon for it must not require that.
    marathon(
        "1.8.244",
        "1.el9",
        "marathon-1.8",
        repositories=(OWN_NOARCH[1],),
        directories=(("/usr/share/marathon/lib", "root"),),
    ),
    chronos("2.4.0", "0.1.20151007110204.el7", "chronos-2.4"),
    chronos("2.5.0", "0.1.20170628182950.el7", "chronos-2.5"),
    Package(
        "lab-fakes",
        "1.0",
        "1.el7",
        (NOARCH, *OWN_NOARCH),
        "The daemons inside the lab's Mesos, Marathon and Chronos packages",
        "noarch",
        tree="lab-fakes",
    ),
    Package(
        "java-1.8.0-openjdk",
        "1.8.0.412.b08",
        "1.el7_9",
        (UPDATES, *APPSTREAM),
        "Java runtime (OpenJDK 17 in the place of 8)",
        epoch=1,
        provides=(
            "java = 1:1.8.0",
            "jre = 1:1.8.0",
            "java-headless = 1:1.8.0",
            "java-1.8.0-openjdk-headless = 1:1.8.0.412.b08",
        ),
        debs=(
            ("openjdk-17-jre-headless", "usr/lib/jvm/java-17-openjdk-amd64/bin", f"{JVM}/jre/bin"),
            ("openjdk-17-jre-headless", "usr/lib/jvm/java-17-openjdk-amd64/lib", f"{JVM}/jre/lib"),
            (
                "openjdk-17-jre-headless",
                "usr/lib/jvm/java-17-openjdk-amd64/conf",
                f"{JVM}/jre/conf",
            ),
            (
                "openjdk-17-jre-headless",
                "usr/lib/jvm/java-17-openjdk-amd64/release",
                f"{JVM}/jre/release",
            ),
        ),
        links=(
            ("/usr/lib/jvm/jre", f"{JVM}/jre"),
            ("/usr/lib/jvm/jre-1.8.0", f"{JVM}/jre"),
            ("/usr/lib/jvm/jre-1.8.0-openjdk", f"{JVM}/jre"),
            ("/usr/bin/java", "/usr/lib/jvm/jre/bin/java"),
        ),
    ),
    dockerd(
        "docker",
        "1.13.1",
        "210.git7d71120.el7.centos",
        repositories=(EXTRAS,),
        epoch=2,
        tree="docker",
        requires=("container-selinux",),
        debs=(
            ("docker.io", "usr/sbin/dockerd", f"{DOCKER}/dockerd"),
            ("docker.io", "usr/bin/docker", "/usr/bin/docker-current"),
            ("docker.io", "usr/sbin/docker-proxy", f"{DOCKER}/docker-proxy-current"),
            ("containerd", "usr/bin/containerd", f"{DOCKER}/containerd"),
            ("containerd", "usr/bin/containerd-shim-runc-v2", f"{DOCKER}/containerd-shim-runc-v2"),
            ("runc", "usr/sbin/runc", f"{DOCKER}/docker-runc-current"),
            ("tini", "usr/bin/tini-static", f"{DOCKER}/docker-init-current"),
        ),
        links=((f"{DOCKER}/runc", "docker-runc-current"),),
        directories=(("/var/lib/docker", "root"),),
    ),
    Package(
        "chrony",
        "3.4",
        "1.el7",
        (OS, *BASE),
        "NTP client and server",
        tree="chrony",
        debs=(
            ("chrony", "usr/sbin/chronyd", "/usr/libexec/chronyd"),
            ("chrony", "usr/bin/chronyc", "/usr/bin/chronyc"),
        ),
        directories=(("/var/lib/chrony", "chrony"), ("/var/log/chrony", "chrony")),
    ),
    dockerd(
        "docker-ce",
        "26.1.3",
        "1.el8",
        repositories=DOCKER_CE,
        epoch=3,
        tree="docker-ce",
        conflicts=("docker",),
        requires=("container-selinux", "containerd.io", "docker-ce-cli", "iptables"),
        debs=(
            ("docker.io", "usr/sbin/dockerd", "/usr/bin/dockerd"),
            ("docker.io", "usr/sbin/docker-proxy", "/usr/bin/docker-proxy"),
            ("tini", "usr/bin/tini-static", "/usr/libexec/docker/docker-init"),
        ),
    ),
    dockerd(
        "docker-ce-cli",
        "26.1.3",
        "1.el8",
        repositories=DOCKER_CE,
        epoch=1,
        debs=(("docker.io", "usr/bin/docker", "/usr/bin/docker"),),
    ),
    dockerd(
        "containerd.io",
        "1.6.32",
        "3.1.el8",
        repositories=DOCKER_CE,
        tree="containerd.io",
        conflicts=("containerd", "runc"),
        debs=(
            ("containerd", "usr/bin/containerd", "/usr/bin/containerd"),
            ("containerd", "usr/bin/containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2"),
            ("runc", "usr/sbin/runc", "/usr/bin/runc"),
        ),
    ),
    Package(
        "git",
        "2.39.5",
        "1.el7",
        (OS, *APPSTREAM),
        "Version control, as far as a Salt master fetches from a repository",
        debs=(
            ("git", "usr/bin/git", "/usr/bin/git"),
            ("git", "usr/lib/git-core/git-remote-http", "/usr/lib/git-core/git-remote-http"),
            (
                "libcurl3-gnutls",
                "usr/lib/x86_64-linux-gnu/libcurl-gnutls.so.4",
                "/usr/lib/libcurl-gnutls.so.4",
            ),
        ),
    ),
    Package(
        "container-selinux",
        "2.119.2",
        "1.el7",
        (EXTRAS, *APPSTREAM),
        "A name that docker requires, and nothing else",
        "noarch",
    ),
    *(
        Package(
            name,
            version,
            "0",
            (SALT,),
            "The commands of Salt, which itself every host of the lab has",
            "noarch",
            links=tuple(
                (f"/usr/bin/{command}", f"/opt/saltstack/salt/bin/{command}")
                for command in commands
            ),
        )
        for version in ("3006.16", "3008.5")
        for name, commands in (
            ("salt-minion", ("salt-minion", "salt-call")),
            ("salt-master", ("salt-master", "salt-run", "salt-key", "salt")),
        )
    ),
]
