"""
Salt in environments of its own, one for each line, all from ``requirements/salt-<line>.txt``.

For the hosts it is made by the image's own Python at ``/opt/saltstack/salt``, where the vendor's packages have it. For
this machine (rendering tests, ``make plan``) it is an ordinary virtual environment below ``build/venv``.
"""

import fcntl
import shutil
import sys
import sysconfig
from pathlib import Path

from . import BUILD
from .steps import Report, cached, run

REQUIREMENTS = Path(__file__).parent / "requirements"
PLACE = "/opt/saltstack/salt"

# $1 image, $2 environment, $3 wheels, $4 its place in the image. The mounts go with the program's namespace.
INSTALL = """
mount --bind "$2" "$1$4" && mount --bind "$3" "$1/mnt" && exec chroot "$1" sh -c '
    python3 -m venv "$1" && "$1/bin/pip" install --no-index --no-deps --no-cache-dir /mnt/*.whl' sh "$4"
"""


def requirements(line: str) -> Path:
    """Return the file with the exact versions of a Salt line."""
    return REQUIREMENTS / f"salt-{line}.txt"


def wheels(line: str, python: str, tag: str) -> Path:
    """Return a directory with all that a line consists of, for a Python. The machine's pip gets it, as configured."""
    pinned = requirements(line)

    def build(target: Path) -> None:
        pip = target / ".pip"
        run([python, "-m", "venv", pip], f"salt-{line}")
        # Debian's pip builds what PyPI has only as source the old way, which needs a package that it does not bring.
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
    """Return the wheels for the hosts: Debian 12's Python, which is the machine's as well as the image's."""
    return wheels(line, "/usr/bin/python3", "cp311")


def host_env(line: str, image: Path, report: Report) -> Path:
    """Return the directory to be bound to /opt/saltstack/salt of a host that runs the given image."""
    report("wheels")
    source = host_wheels(line)

    def build(target: Path) -> None:
        report("virtual environment")
        run(
            ["unshare", "--mount", "sh", "-c", INSTALL, "sh", image, target, source, PLACE],
            f"salt-{line}",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )

    return cached(f"salt-{line}", f"{source.name} {image.name}".encode(), build)


def machine_env(line: str) -> Path:
    """Return the Python of an environment with Salt on this machine; made first, if need be. Anyone may call it."""
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
