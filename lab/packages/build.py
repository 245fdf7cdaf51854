"""Makes signed RPMs of the table, and yum repositories of the RPMs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator

from ..fakes.wire import formula_data
from . import table
from .table import PACKAGES, Package

DIRECTORY = pathlib.Path(__file__).parent
FAKES = DIRECTORY.parent / "fakes"
FORMULAS = DIRECTORY.parents[1] / "formulas"
SIGNER = "Lab packages <lab@localhost>"

# Directories that belong to the system; all others that a package brings are its own.
SYSTEM = """
    / /etc /etc/default /etc/sysconfig /opt /usr /usr/bin /usr/lib /usr/lib/jvm /usr/lib/systemd
    /usr/lib/systemd/system /usr/lib64 /usr/libexec /usr/local /usr/local/lib /usr/sbin /usr/share
    /usr/share/java /var /var/lib /var/log /var/run
""".split()  # noqa: SIM905 - a list of paths reads better as words


class BuildError(Exception):
    """A program that building needs has failed; the text says which, and what it said."""


def build_repository(cache: pathlib.Path, report: Callable[[str], None]) -> pathlib.Path:
    """
    Build what is not built yet, and return the directory that is to be served over HTTP.

    cache
        A directory that is kept. It has RPMs by a hash of their sources, so that a change of one
        package rebuilds only that one; repositories by a hash of their RPMs; Debian's packages; and
        the signing key.

    report
        Called with a line for each step that takes time.

    Returns ``<cache>/packages-<hash>`` with the repositories of ``table.py``
    (``el/7/{x86_64,noarch}``, ``centos/7.9.2009/{os,updates,extras}/x86_64``...), each with
    metadata, and the public key ``RPM-GPG-KEY-lab``.
    Raises BuildError.
    """
    cache = cache.resolve()
    recipes = {package: _recipe(package) for package in PACKAGES}
    repository = cache / f"packages-{_digest(*sorted(recipes.values()))}"
    if repository.exists():
        return repository
    (cache / "rpm").mkdir(parents=True, exist_ok=True)
    rpms = {
        package: cache / "rpm" / f"{_file(package)}-{recipe}" for package, recipe in recipes.items()
    }
    missing = [package for package in PACKAGES if not rpms[package].exists()]
    with _signing_key(cache / "signing") as (home, key):
        _download(
            cache / "debs", {deb for package in missing for deb, _, _ in package.debs}, report
        )
        # The largest first: the two big ones take as long as all the others.
        missing.sort(key=lambda package: len(package.debs), reverse=True)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for package in pool.map(
                lambda package: _build(package, rpms[package], cache / "debs", home), missing
            ):
                report(f"built {package.name} {package.version}-{package.release}")
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            new = pathlib.Path(scratch, "repository")
            _assemble(new, rpms)
            (new / "RPM-GPG-KEY-lab").write_text(key)
            new.rename(repository)
    report(f"the repository is {repository}")
    return repository


def _run(*command: str | pathlib.Path, cwd: pathlib.Path | None = None, **environment: str) -> str:
    """Run a program and return its output; BuildError if it fails."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _recipe(package: Package) -> str:
    """Hash all that a package is made from, and how."""
    files = [DIRECTORY / "build.py"]
    if package.tree:
        files += sorted(path for path in (DIRECTORY / package.tree).rglob("*") if path.is_file())
    if package.name == "lab-fakes":
        files += sorted(FAKES.rglob("*.py"))
        files += [FORMULAS / name for name in formula_data.FILES]
    content = (
        f"{file.relative_to(DIRECTORY.parents[1])} {os.access(file, os.X_OK)} {file.read_text()}"
        for file in files
    )
    return _digest(repr(package), *content)


def _file(package: Package) -> str:
    return f"{package.name}-{package.version}-{package.release}.{package.arch}.rpm"


@contextlib.contextmanager
def _signing_key(directory: pathlib.Path) -> Iterator[tuple[str, str]]:
    """
    Yield a GNUPGHOME with the lab's key, which is made on first use, and the public key as text.

    The home is a short link, as the paths of gpg-agent's sockets are limited. The agent is stopped
    afterwards.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lab-") as short:
        home = str(pathlib.Path(short, "gnupg"))
        os.symlink(directory, home)
        try:
            if SIGNER not in _run("gpg", "--list-secret-keys", GNUPGHOME=home):
                unprotected = ("--batch", "--pinentry-mode", "loopback", "--passphrase", "")
                _run(
                    "gpg",
                    *unprotected,
                    "--quick-generate-key",
                    SIGNER,
                    "rsa2048",
                    "sign",
                    "never",
                    GNUPGHOME=home,
                )
            yield home, _run("gpg", "--armor", "--export", SIGNER, GNUPGHOME=home)
        finally:
            subprocess.run(
                ["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": home}, check=False
            )


# --- Debian's packages ---


def _download(directory: pathlib.Path, names: set[str], report: Callable[[str], None]) -> None:
    """Fetch those of Debian's packages that are not in the directory yet."""
    directory.mkdir(parents=True, exist_ok=True)
    pending = sorted(name for name in names if not list(directory.glob(f"{name}_*.deb")))
    if not pending:
        return
    report(f"downloading {', '.join(pending)}")
    command = ("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *pending)
    try:
        _run(*command, cwd=directory)
    except BuildError:  # lists that are too old name files that are gone
        _run("apt-get", "-q", "update")
        _run(*command, cwd=directory)


def _unpacked(deb: str, debs: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    target = scratch / deb
    if not target.exists():
        _run("dpkg", "-x", next(debs.glob(f"{deb}_*.deb")), target)
    return target


def _take(root: pathlib.Path, source: pathlib.Path, target: pathlib.Path) -> None:
    """Move a file or tree out of an unpacked package. Links become files; skip broken ones."""
    if source.is_symlink():
        link = os.readlink(source)
        source = root / link.lstrip("/") if link.startswith("/") else source.parent / link
        if source.exists() or source.is_symlink():
            _take(root, source, target)
    elif source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for child in source.iterdir():
            _take(root, child, target / child.name)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)


# --- RPMs ---


def _build(package: Package, rpm: pathlib.Path, debs: pathlib.Path, home: str) -> Package:
    """Stage, build and sign one RPM."""
    with tempfile.TemporaryDirectory(dir=rpm.parent) as scratch_name:
        scratch = pathlib.Path(scratch_name)
        root = scratch / "root"
        root.mkdir()
        _stage(package, root, debs, scratch)
        spec = scratch / "package.spec"
        spec.write_text(_spec(package, root))
        definitions = {
            "_topdir": str(scratch),
            "_rpmdir": str(scratch / "out"),
            "_tmppath": str(scratch),
            "_dbpath": str(scratch / "db"),
            "_build_name_fmt": "%{NAME}.rpm",
            "_binary_payload": "w1.zstdio",
            "_build_id_links": "none",
            "__os_install_post": "%{nil}",
            "debug_package": "%{nil}",
            "__gpg": shutil.which("gpg") or "gpg",
            "_gpg_name": SIGNER,
            "_gpg_digest_algo": "sha256",
        }
        defines = [
            word for name, value in definitions.items() for word in ("--define", f"{name} {value}")
        ]
        _run("rpmbuild", "-bb", "--target", package.arch, *defines, spec)
        built = scratch / "out" / f"{package.name}.rpm"
        _run("rpmsign", "--addsign", *defines, built, GNUPGHOME=home)
        built.rename(rpm)
    return package


def _stage(package: Package, root: pathlib.Path, debs: pathlib.Path, scratch: pathlib.Path) -> None:
    """Lay down in ``root`` what the package is to lay down."""
    tree = DIRECTORY / package.tree / "root"
    for source in sorted(path for path in tree.rglob("*") if package.tree and path.is_file()):
        path = _parent(root, _worded(package, str(source.relative_to(tree))))
        path.write_text(_worded(package, source.read_text().replace("@VERSION@", package.version)))
        path.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    if package.name == "lab-fakes":
        shutil.copytree(
            FAKES,
            root / "usr/lib/lab-fakes/fakes",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name in formula_data.FILES:
            shutil.copy(FORMULAS / name, _parent(root, f"/usr/lib/lab-fakes/formulas/{name}"))
    for deb, source, target in package.debs:
        unpacked = _unpacked(deb, debs, scratch)
        _take(unpacked, unpacked / source, root / target.lstrip("/"))
    for path, content in package.files:
        _parent(root, path).write_text(content)
    for path, target in package.links:
        _parent(root, path).symlink_to(target)
    for path, _owner in package.directories:
        _parent(root, path).mkdir(parents=True)


def unpack(
    names: Iterable[str], cache: pathlib.Path, target: pathlib.Path, report: Callable[[str], None]
) -> None:
    """Lay down the files of some packages below a directory, without RPMs. Raises BuildError."""
    packages = [package for package in PACKAGES if package.name in names]
    _download(cache / "debs", {deb for package in packages for deb, _, _ in package.debs}, report)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        for package in packages:
            _stage(package, target, cache / "debs", pathlib.Path(scratch))


def _worded(package: Package, text: str) -> str:
    """Replace the package's words in a text or a path."""
    for old, new in package.words:
        text = text.replace(old, new)
    return text


def _parent(root: pathlib.Path, path: str) -> pathlib.Path:
    """Return a path below the root, whose parent then exists."""
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _spec(package: Package, root: pathlib.Path) -> str:
    """Write the spec of a package whose files are staged."""
    lines = [
        f"Name: {package.name}",
        f"Version: {package.version}",
        f"Release: {package.release}",
        f"Epoch: {package.epoch}" if package.epoch else "",
        f"Summary: {package.summary}",
        "License: ASL 2.0",
        "AutoReqProv: no",
        *(f"Requires: {name}" for name in package.requires),
        *(f"Provides: {name}" for name in package.provides),
        *(f"Conflicts: {name}" for name in package.conflicts),
        "%description",
        package.summary,
        "%install",
        "mkdir -p %{buildroot}",
        f"cp -a --link {root}/. %{{buildroot}}/",
    ]
    for section in ("pre", "post", "preun", "postun"):
        script = DIRECTORY / package.tree / f"{section}.sh"
        if package.tree and script.exists():
            lines += [f"%{section}", _worded(package, script.read_text()).replace("%", "%%")]
    lines += ["%files", "%defattr(-,root,root,-)", *_file_list(package, root)]
    return "\n".join(lines) + "\n"


def _file_list(package: Package, root: pathlib.Path) -> Iterator[str]:
    owners = dict(package.directories)
    for path in sorted(root.rglob("*")):
        name = "/" + str(path.relative_to(root))
        if path.is_dir() and not path.is_symlink():
            if name not in SYSTEM:
                owner = owners.get(name, "root")
                yield f'%dir %attr(0755,{owner},{owner}) "{name}"'
        elif name.startswith("/etc/") or name in package.config:
            yield f'%config(noreplace) "{name}"'
        else:
            yield f'"{name}"'


def _assemble(repository: pathlib.Path, rpms: dict[Package, pathlib.Path]) -> None:
    """Lay the RPMs into their repositories, by hard links, and index these."""
    for package, rpm in rpms.items():
        for name in package.repositories:
            (repository / name).mkdir(parents=True, exist_ok=True)
            os.link(rpm, repository / name / _file(package))
    for name in table.REPOSITORIES:
        (repository / name).mkdir(parents=True, exist_ok=True)  # some have nothing to offer
        _run("createrepo_c", "--quiet", "--no-database", repository / name)
