#!/usr/bin/env python3
"""
The secrets with which the daemons of a cluster authenticate, see SECURITY.md.

The runner ``cluster.make_secrets`` and a plain script, which needs no Salt::

    python3 /srv/mesos/_runners/mesos_secrets.py /srv/mesos/pillar [CLUSTER]

Its file is not called ``cluster.py``, see ``mesos_cluster.py``.
"""

import contextlib
import os
import secrets
import sys

__virtualname__ = "cluster"

TOPOLOGY_FILE, TOPOLOGIES = "topology.yaml", "topologies"
DIRECTORY = "secrets"
FRAMEWORKS = ("marathon", "chronos")

HEADER = """\
# Made by cluster.make_secrets for nodes with the role {role}, and for no other node.
common:
  security:
    has_secrets: true
"""

MASTERS = """\
mesos:
  # The user of the web page and the API of the masters, and that of the agents.
  api: {{username: operator, password: '{operator}'}}
  agent_api: {{username: operator, password: '{agent_operator}'}}
  master:
    secrets:
      # Who may register, and use the API.
      credentials:
        credentials:
          - {{principal: operator, secret: '{operator}'}}
          - {{principal: agent, secret: '{agent}'}}
          - {{principal: marathon, secret: '{marathon}'}}
          - {{principal: chronos, secret: '{chronos}'}}
"""

AGENTS = """\
mesos:
  api: {{username: agent, password: '{agent}'}}
  agent_api: {{username: operator, password: '{agent_operator}'}}
  slave:
    secrets:
      # Sent to the masters.
      credential: {{principal: agent, secret: '{agent}'}}
      # Who may use the API of the agents.
      http_credentials:
        credentials:
          - {{principal: operator, secret: '{agent_operator}'}}
      # The key of the tokens that an agent gives to its executors.
      jwt_secret_key: '{executors}'
"""

FRAMEWORK = """\
mesos:
  api: {{username: {name}, password: '{secret}'}}
{name}:
  # user:password of the web page and the API.
  http_credentials: 'operator:{operator}'
  # Sent to the masters.
  mesos_authentication_secret: '{secret}'
"""


def __virtual__():
    return __virtualname__


def make_secrets(directory=None, cluster=None):
    """
    Make random secrets for the level of security ``accepting`` or ``authenticated``.

    directory
        The directory of ``topology.yaml``, as text. Default: the first one of ``pillar_roots`` that
        has the file.

    cluster
        The name of one of several clusters, whose file is ``topologies/CLUSTER.yaml``. Default: the
        only cluster.

    Writes ``agents.sls``, ``chronos.sls``, ``marathon.sls`` and ``masters.sls`` to the directory
    ``secrets`` in it, or ``secrets/CLUSTER``, mode 0600. Never changes a file that is there: if all
    four are, nothing is done.

    Returns a mapping without secrets: ``directory``; ``created`` and ``kept``, lists of file names;
    and ``retcode``, 0, or 1 with an ``error``, a sentence. It is an error if only some of the files
    are there, since they belong together; if there is no topology.yaml; and if the directory cannot
    be written.

    CLI Example:

    .. code-block:: bash

        salt-run cluster.make_secrets
    """
    try:
        report = {**_write_secrets(directory or _pillar_directory(cluster), cluster), "retcode": 0}
    except (OSError, ValueError) as error:
        report = {"error": _explanation(error), "retcode": 1}
    __context__["retcode"] = report["retcode"]
    return report


def _topology_path(cluster):
    """Return the path of the topology of a cluster, below the directory of the pillar."""
    if cluster is None:
        return TOPOLOGY_FILE
    if os.sep in str(cluster) or str(cluster).startswith("."):
        raise ValueError(f"cluster = {cluster}: not the name of a cluster.")
    return os.path.join(TOPOLOGIES, f"{cluster}.yaml")


def _pillar_directory(cluster):
    roots = (__opts__.get("pillar_roots") or {}).get("base") or []
    for root in roots:
        if os.path.isfile(os.path.join(root, _topology_path(cluster))):
            return root
    raise ValueError(
        f"none of the pillar_roots has {_topology_path(cluster)}: "
        f"{', '.join(map(str, roots)) or 'no root'}. Name its directory: "
        "directory=/srv/mesos/pillar"
    )


def _explanation(error):
    """Return one sentence about an error."""
    if not isinstance(error, OSError):
        return str(error)
    return (
        f"{error.filename} cannot be written: {error.strerror}. Give the user of salt-master the "
        f"directory first: install -d -o salt -m 0700 .../pillar/{DIRECTORY}"
    )


def _write_secrets(pillar_directory, cluster=None):
    """
    Write the files, unless they are there.

    pillar_directory, cluster
        The directory of ``topology.yaml``, and the name of one of several clusters.

    Returns what ``make_secrets`` returns. Raises ValueError and OSError.
    """
    pillar_directory = str(pillar_directory)
    topology_path = _topology_path(cluster)
    if not os.path.isfile(os.path.join(pillar_directory, topology_path)):
        raise ValueError(
            f"directory = {pillar_directory}: has no {topology_path}. Name the directory with it."
        )
    parts = [DIRECTORY] if cluster is None else [DIRECTORY, cluster]
    directory = os.path.join(pillar_directory, *parts)
    contents = _file_contents()
    existing = [name for name in contents if os.path.lexists(os.path.join(directory, name))]
    missing = [name for name in contents if name not in existing]
    if existing and missing:
        raise ValueError(
            f"{directory} has {', '.join(existing)} and lacks {', '.join(missing)}. They belong "
            "together: restore the missing ones, or move the others away to generate all again."
        )
    if missing:
        for count in range(1, len(parts) + 1):
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.join(pillar_directory, *parts[:count]), 0o700)
        _write_files(directory, contents)
    return {"directory": directory, "created": missing, "kept": existing}


def _write_files(directory, contents):
    """Write all files, or none."""
    paths = []
    try:
        for name, text in contents.items():
            path = os.path.join(directory, name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(path, flags, 0o600), "w", encoding="ascii") as file:
                paths.append(path)
                file.write(text)
    except OSError:
        for path in paths:
            os.unlink(path)
        raise


def _file_contents():
    """Return new secrets: name of the file -> its text."""
    names = ("operator", "agent", "agent_operator", "executors", *FRAMEWORKS)
    values = {name: secrets.token_hex(32) for name in names}
    files = {
        "agents.sls": HEADER.format(role="mesos-slave") + AGENTS.format(**values),
        "masters.sls": HEADER.format(role="mesos-master") + MASTERS.format(**values),
    }
    for name in FRAMEWORKS:
        text = FRAMEWORK.format(name=name, secret=values[name], operator=secrets.token_hex(32))
        files[f"{name}.sls"] = HEADER.format(role=name) + text
    return dict(sorted(files.items()))


def _main(arguments):
    """Write the files of the directory that the command line names. Returns the exit code."""
    if len(arguments) not in (1, 2):
        print(
            f"usage: mesos_secrets.py DIRECTORY [CLUSTER], the directory with {TOPOLOGY_FILE}",
            file=sys.stderr,
        )
        return 2
    try:
        report = _write_secrets(*arguments)
    except (OSError, ValueError) as error:
        print(_explanation(error), file=sys.stderr)
        return 1
    for key in ("created", "kept"):
        if report[key]:
            print(f"{key} in {report['directory']}: {', '.join(report[key])}")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
