"""Stands for Salt's own module of that name, where the pillar of a test says what is in ZooKeeper."""


def __virtual__():
    return "znodes" in __pillar__


def exists(path, **connection):
    return path in __pillar__["znodes"]


def get_children(path, **connection):
    return list(__pillar__["znodes"][path])


def get(path, **connection):
    directory, _, name = path.rpartition("/")
    wanted = __pillar__.get("znodes_login")
    assert wanted is None or wanted == connection, "these are other credentials than expected"
    return __pillar__["znodes"][directory][name]
