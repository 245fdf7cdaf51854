#!py
"""
The oldest Mesos that each version of Marathon and Chronos works with, as data. Validation and the
fake Marathon of the lab read it, and the tables in INSTALL.md and docs/operate.md are compared with
it.

Both load libmesos.so of the package `mesos` on their node. Marathon looks at the version of the
library when it starts, and at that of the master when it registers, and exits if one of them is too
old. Neither refuses a newer Mesos.

Source: LibMesos.scala of mesosphere/marathon at its release tags 1.1.0 to 1.10.26, and
docs/getting-started.md of mesos/chronos 2.5.0. Chronos does not check it.
"""

# Framework, its first version, and the oldest Mesos that this version and later ones work with.
FRAMEWORKS = """
marathon  0.0.0  0.0.0
marathon  1.4.0  1.1.0
marathon  1.7.0  1.5.0
chronos   0.0.0  0.20.0
"""

framework = ""
version = ""


def run():
    """
    Return the requirements of each framework: a list of ``since`` and ``mesos``, the oldest first.

    With the keywords ``framework`` and ``version``: the oldest Mesos for that version.
    """
    return oldest_mesos(framework, version) if framework else _requirements()


def oldest_mesos(framework, version):
    """Return the oldest Mesos that a version of a framework works with."""
    requirements = _requirements()[framework]
    return [
        requirement["mesos"]
        for requirement in requirements
        if _numbers(requirement["since"]) <= _numbers(version)
    ][-1]


def _numbers(text):
    """Return ``1.8.244`` as [1, 8, 244], to compare it."""
    return [int(part) for part in text.split(".")]


def _requirements():
    requirements = {}
    for line in FRAMEWORKS.strip().splitlines():
        name, since, mesos = line.split()
        requirements.setdefault(name, []).append({"since": since, "mesos": mesos})
    return requirements
