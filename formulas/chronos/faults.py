#!py
"""
What only Chronos can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import re

OWN = ("master", "zk_hosts", "http_port", "hostname", "http_credentials", "ssl_keystore_password")

# Options with a secret for which Chronos knows no file and no variable.
TRACED = ("cassandra_password", "http_notification_credentials", "mail_password", "zk_auth")

HOSTS = re.compile(r"[\w.\[\]:-]+:\d+(,[\w.\[\]:-]+:\d+)*")


def run():
    """Return a list of faults: setting, value, and what is wrong with it."""
    if not isinstance(settings["options"], dict) or not isinstance(settings["environment"], dict):
        return []
    plan = __salt__["slsutil.renderer"](
        "salt://chronos/plan.py", default_renderer="py", settings=settings
    )
    shared = __salt__["slsutil.renderer"](
        "salt://mesos/framework.py",
        default_renderer="py",
        formula="chronos",
        settings=settings,
        own=OWN,
        toggles=plan["toggles"],
        switches=plan["switches"],
    )
    return [
        *_versions(),
        *_places(plan["launcher"]),
        *_secrets(),
        *_jobs(),
        *_deployment(),
        *shared,
    ]


def _fault(key, value, wrong):
    """A fault; common/faults.py makes a sentence of it, without secrets."""
    return key, value, wrong


def _versions():
    version, launcher = settings["version"], settings["launcher"]
    if isinstance(version, str) and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield _fault(
            "version",
            version,
            "not a version. It looks like 2.5.0, what comes after goes into release.",
        )
    if isinstance(launcher, str) and launcher not in ("auto", "old", "new"):
        yield _fault("launcher", launcher, "no such launcher. Known: auto, old, new.")


def _places(launcher):
    """Where ZooKeeper and the masters are."""
    master, hosts = settings["master"], settings["zk_hosts"]
    if not isinstance(master, str) or not isinstance(hosts, str):
        return
    if "@" in master:
        wrong = "the launcher writes it to the journal, password and all. Give file:///etc/mesos/zk, if that is it."
        yield _fault("master", "(hidden)", wrong)
    if not HOSTS.fullmatch(hosts):
        yield _fault(
            "zk_hosts",
            "(hidden)" if "@" in hosts else hosts,
            "not a list of servers. It looks like 10.0.0.1:2181,10.0.0.2:2181.",
        )
    elif launcher == "old":
        mesos = __pillar__.get("mesos")
        zk = str((mesos if isinstance(mesos, dict) else {}).get("zk", "zk://localhost:2181/mesos"))
        if master != zk or hosts != zk.removeprefix("zk://").partition("/")[0]:
            wrong = "the old launcher takes both from mesos:zk, and no other value is possible. Make them the same."
            yield _fault("master, zk_hosts", f"{master}, {hosts}", wrong)


def _secrets():
    """Options that would be told to everyone, and a secret in two places."""
    for name in TRACED:
        if settings["options"].get(name) is not None:
            wrong = "the launcher writes options to the journal, and there is no other way to give this one."
            yield _fault(f"options:{name}", "(hidden)", wrong)
    path = settings["options"].get("mesos_authentication_secret_file")
    if path is not None and settings["mesos_authentication_secret"] is not None:
        wrong = (
            "another file than the one of chronos:mesos_authentication_secret. Keep one of them."
        )
        yield _fault("options:mesos_authentication_secret_file", path, wrong)


def _jobs():
    """Jobs that cannot be called so."""
    for name in settings["jobs"] if isinstance(settings["jobs"], dict) else ():
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            yield _fault(
                f"jobs:{name}",
                name,
                "should be the name of a job, on one line. A number needs quotes.",
            )


def _deployment():
    """What jobs cannot be kept by."""
    deployment = settings["deployment"] if isinstance(settings["deployment"], dict) else {}
    for key, known in (("mode", ("merge", "replace")), ("match", ("equivalent", "period"))):
        value = deployment.get(key)
        if isinstance(value, str) and value not in known:
            yield _fault(f"deployment:{key}", value, f"no such {key}. Known: {', '.join(known)}.")
    owner = deployment.get("owner_name")
    if owner is not None and not (isinstance(owner, str) and owner.strip()):
        yield _fault("deployment:owner_name", owner, "should be text, or null.")
    if deployment.get("purge") is True and owner is None:
        yield _fault(
            "deployment:purge",
            True,
            "needs owner_name: jobs of this owner are deleted when they are not declared any more.",
        )
