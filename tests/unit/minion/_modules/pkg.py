"""Packages of a minion on which none is installed, whatever the machine of the tests has."""


def version(name):
    """Return the version of an installed package: ``''``, as there is none."""
    return ""
