"""The lab's RPMs and the yum repositories that they lie in.

Most public repositories of these packages are gone, so the lab builds its own, under the same names and with the same
file contract: paths, configuration files, units, scriptlets and launchers are those of the real ones. What is inside:

- real, from Debian: ZooKeeper, the Java runtime, Docker (dockerd, containerd, runc), chrony, git;
- fake daemons (``lab.fakes``): Mesos, Marathon, Chronos.

``table`` says which packages there are, ``<name>/root`` what they lay down, ``<name>/*.sh`` their scriptlets; ``build``
makes RPMs of them. There is no docker-storage-setup.
"""

from .build import build_repository
from .table import DEBIAN_PACKAGES, VAULTS

__all__ = ["DEBIAN_PACKAGES", "VAULTS", "build_repository"]
