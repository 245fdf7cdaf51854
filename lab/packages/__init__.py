"""The lab's RPMs and their yum repositories.

Most public repositories of these packages are gone, so the lab builds its own. Names, paths,
configuration files, units, scriptlets and launchers are those of the real packages. The contents:

- real, from Debian: ZooKeeper, the Java runtime, Docker (dockerd, containerd, runc), chrony, git;
- fake daemons (``lab.fakes``): Mesos, Marathon, Chronos.

``table`` lists the packages, ``<name>/root`` has their files, ``<name>/*.sh`` their scriptlets;
``build`` makes RPMs of them. There is no docker-storage-setup.
"""

from .build import BuildError, build_repository, unpack
from .table import DEBIAN_PACKAGES, VAULTS

__all__ = ["DEBIAN_PACKAGES", "VAULTS", "BuildError", "build_repository", "unpack"]
