"""
A registry of images instead of the Docker Hub, which hosts cannot reach: the files of Docker's
registry API v2.

There is one image, ``busybox``, made from that of Debian in the hosts' own image.
"""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

from .steps import cached

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REPOSITORY = "v2/library/busybox"


def build(image: Path) -> Path:
    """Return the directory to serve; ``image`` is that of the hosts."""
    busybox = image / "usr/bin/busybox"
    return cached(
        "images",
        Path(__file__).read_bytes() + busybox.read_bytes(),
        lambda target: _build(target, busybox),
    )


def _build(target: Path, busybox: Path) -> None:
    layer = _layer(busybox)
    packed = gzip.compress(layer, mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sh"], "Env": [f"PATH={PATH}"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": _digest(config)},
            "layers": [{"mediaType": LAYER, "size": len(packed), "digest": _digest(packed)}],
        }
    ).encode()
    for blob in (config, packed):
        _write(target / REPOSITORY / "blobs" / _digest(blob), blob)
    for name in ("latest", _digest(manifest)):
        _write(target / REPOSITORY / "manifests" / name, manifest)


def _layer(busybox: Path) -> bytes:
    """Return a root file system as a tar: busybox under each of its names, and basic files."""
    names = subprocess.run(
        [busybox, "--list-full"], capture_output=True, text=True, check=True
    ).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in (
            "bin",
            "sbin",
            "usr",
            "usr/bin",
            "usr/sbin",
            "etc",
            "root",
            "tmp",
            "var",
            "var/run",
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name, content, mode in (
            ("bin/busybox", busybox.read_bytes(), 0o755),
            (
                "etc/passwd",
                b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
                0o644,
            ),
            ("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
        for name in names:
            if name not in ("bin/busybox", "linuxrc"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, "/bin/busybox"
                tar.addfile(entry)
    return out.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
