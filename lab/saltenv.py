"""
Salt in environments of its own, one for each line, all from ``requirements/salt-<line>.txt``.

For the hosts, the image's own Python makes it at ``/opt/saltstack/salt``, the path of the vendor's
packages. For this machine (rendering tests, ``make plan``) it is a virtual environment below
``build/venv``.
"""

import fcntl
import shutil
import sys
import sysconfig
from pathlib import Path

from . import BUILD
from .steps import Report, cached, run

REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENT_PATH = "/opt/saltstack/salt"

# $1 image, $2 environment, $3 wheels, $4 its path in the image. The mounts end with the namespace.
INSTALL = """
mount --bind "$2" "$1$4" && mount --bind "$3" "$1/mnt" && exec chroot "$1" sh -c '
    python3 -m venv "$1" &&
    "$1/bin/pip" install --no-index --no-deps --no-cache-dir /mnt/*.whl' sh "$4"
"""


def requirements(line: str) -> Path:
    """Return the file with the exact versions of a Salt line."""
    return REQUIREMENTS / f"salt-{line}.txt"


def wheels(line: str, python: str, tag: str) -> Path:
    """Return a directory with the wheels of a Salt line for a Python, from the machine's pip."""
    pinned = requirements(line)

    def build(target: Path) -> None:
        pip = target / ".pip"
        run([python, "-m", "venv", pip], f"salt-{line}")
        # By default Debian's pip builds source packages with `wheel`, which it does not bring.
        run(
            [
                pip / "bin/pip",
                "wheel",
                "--quiet",
                "--no-deps",
                "--use-pep517",
                "--wheel-dir",
                target,
                "--requirement",
                pinned,
            ],
            f"salt-{line}",
        )
        shutil.rmtree(pip)

    return cached(f"wheels-{line}-{tag}", pinned.read_bytes(), build)


def host_wheels(line: str) -> Path:
    """Return the wheels for the hosts: machine and image both have Debian 12's Python."""
    return wheels(line, "/usr/bin/python3", "cp311")


def host_env(line: str, image: Path, report: Report) -> Path:
    """Return the directory that is bound to /opt/saltstack/salt of hosts with this image."""
    report("wheels")
    source = host_wheels(line)

    def build(target: Path) -> None:
        report("virtual environment")
        run(
            [
                "unshare",
                "--mount",
                "sh",
                "-c",
                INSTALL,
                "sh",
                image,
                target,
                source,
                ENVIRONMENT_PATH,
            ],
            f"salt-{line}",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )

    return cached(f"salt-{line}", f"{source.name} {image.name}".encode(), build)


def machine_env(line: str) -> Path:
    """Return the Python of a Salt environment on this machine, built if missing. Needs no root."""
    home = BUILD / "venv" / f"salt-{line}"
    home.parent.mkdir(parents=True, exist_ok=True)
    python, stamp = home / "bin/python3", home / ".complete"
    recipe = requirements(line).read_text() + sys.version
    with (home.parent / f".salt-{line}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != recipe:
            source = wheels(
                line, sys.executable, f"cp{sysconfig.get_config_var('py_version_nodot')}"
            )
            run([sys.executable, "-m", "venv", "--clear", "--without-pip", home], f"salt-{line}")
            run(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "--python",
                    python,
                    "install",
                    "--quiet",
                    "--no-index",
                    "--no-deps",
                    *sorted(source.glob("*.whl")),
                ],
                f"salt-{line}",
            )
            stamp.write_text(recipe)
    return python
