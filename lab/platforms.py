"""
Platforms other than CentOS 7: a thin layer between the image of a host and its disk.

A layer has the files of ``lab/<platform>``, and other packages that yum considers installed. Below
that, a host of any platform is the same Debian: the same systemd, firewalld and kernel.
"""

import shutil
from pathlib import Path

from . import ROOT
from .rootfs import SPEC
from .steps import Report, cached, run

LAYERS = Path(__file__).parent
DEFAULT = "el7"

# Packages that yum considers installed, in addition to rootfs.PRETENDED or instead of its versions.
# None: not installed.
PRETENDED = {
    DEFAULT: {},
    "el8": {
        "almalinux-release": ("8.10", "system-release = 8.10, system-release(releasever) = 8"),
        "centos-release": None,
        "firewalld": ("0.9.11", ""),
        "procps-ng": ("3.3.15", ""),
        "systemd": ("239", ""),
    },
    "el9": {
        "almalinux-release": ("9.6", "system-release = 9.6, system-release(releasever) = 9"),
        "centos-release": None,
        "firewalld": ("1.3.4", ""),
        "procps-ng": ("3.3.17", ""),
        "redhat-lsb-core": None,
        "systemd": ("252", ""),
    },
}

# $1 image, $2 directory with the layer, then packages to erase. The mounts end with the namespace.
BUILD = """
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/layer,workdir=$2/work" "$2/root" &&
cd "$2/root" && shift 2 && exec chroot . sh -ec '
    rm -f /etc/centos-release
    rpm --erase --nodeps "$@"
    rpmbuild -bb --quiet "--define=_topdir /tmp/rpm" /tmp/*.spec
    rpm --upgrade --nodeps --nosignature /tmp/rpm/RPMS/noarch/*.rpm
    rm -rf /tmp/rpm /tmp/*.spec
' sh "$@"
"""


def layers(platform: str, image: Path, report: Report) -> str:
    """
    Return the lower directories of a host's disk for overlayfs: ``layer:image``, or just the image.

    The layer is built if it is missing.
    """
    if platform == DEFAULT:
        return str(image)
    sources = [
        Path(__file__),
        *sorted(path for path in (LAYERS / platform).rglob("*") if path.is_file()),
    ]
    recipe = image.name.encode() + b"".join(
        str(path.relative_to(ROOT)).encode() + path.read_bytes() for path in sources
    )
    directory = cached(platform, recipe, lambda target: _build(platform, image, target, report))
    return f"{directory}/layer:{image}"


def _build(platform: str, image: Path, target: Path, report: Report) -> None:
    report(f"{platform} to Salt and yum")
    shutil.copytree(LAYERS / platform, target / "layer", symlinks=True)
    for directory in ("layer/tmp", "work", "root"):
        (target / directory).mkdir()
    (target / "layer/tmp").chmod(0o1777)
    erased = [name for name, pretended in PRETENDED[platform].items() if pretended is None]
    for name, pretended in PRETENDED[platform].items():
        if pretended:
            version, provides = pretended
            spec = SPEC.format(
                name=name, version=version, provides=f"Provides: {provides}" if provides else ""
            )
            (target / "layer/tmp" / f"{name}.spec").write_text(
                spec.replace(f".{DEFAULT}", f".{platform}")
            )
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    run(
        ["unshare", "--mount", "sh", "-c", BUILD, "sh", image, target, *erased],
        platform,
        env=environment,
    )
