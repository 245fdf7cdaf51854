#!py
"""The errors in the settings of Chronos.

common/validation.py renders this: see common/checks.py.
"""

OWN_OPTIONS = (
    "master",
    "zk_hosts",
    "http_port",
    "hostname",
    "http_credentials",
    "ssl_keystore_password",
)

roles = ()


def run():
    """Return the errors: setting, value, message."""
    plan = tree.run("chronos/plan.py", settings=settings)
    common_errors = tree.run(
        "common/framework_errors.py",
        formula="chronos",
        settings=settings,
        checks=checks,
        own_options=OWN_OPTIONS,
        known_options=plan["known_options"],
        version=settings["version"],
    )
    return [
        *checks.version("version", settings["version"], "2.5.0"),
        *_addresses(plan["launcher"]),
        *_secrets(),
        *_authentication(plan),
        *_jobs(),
        *_deployment(settings["deployment"]),
        *common_errors,
    ]


def _addresses(launcher):
    """Yield errors in the addresses of ZooKeeper and the masters."""
    master, hosts = settings["master"], settings["zk_hosts"]
    if not isinstance(master, str) or not isinstance(hosts, str):
        return
    if "@" in master:
        message = (
            "the launcher logs this to the journal, password included. "
            "Use file:///etc/mesos/zk if that has the same URL."
        )
        yield "master", "(hidden)", message
    if not checks.ZOOKEEPER_SERVERS.fullmatch(hosts):
        value = "(hidden)" if "@" in hosts else hosts
        message = "not a list of servers. Example: 10.0.0.1:2181,10.0.0.2:2181."
        yield "zk_hosts", value, message
    elif launcher == "old":
        yield from _old_launcher(master, hosts)


def _old_launcher(master, hosts):
    pillar = __pillar__.get("mesos", {})
    mesos = tree.run("common/settings.py", formula="mesos", overrides=pillar)
    url = str(mesos["zk"])
    servers = url.partition("://")[2].partition("/")[0]
    if (master, hosts) != (url, servers):
        message = "the old launcher takes both from mesos:zk. Set them to the same servers."
        yield "master, zk_hosts", f"{master}, {hosts}", message


def _secrets():
    """Yield options that the launcher would log, and a secret that is set twice."""
    for name, value in settings["options"].items():
        if value is not None and name not in OWN_OPTIONS and checks.is_secret(str(name)):
            message = (
                "the launcher logs options to the journal. Chronos has no other way to set it."
            )
            yield f"options:{name}", "(hidden)", message
    path = settings["options"].get("mesos_authentication_secret_file")
    if path is not None and settings["mesos_authentication_secret"] is not None:
        message = "chronos:mesos_authentication_secret names a file as well. Keep one of them."
        yield "options:mesos_authentication_secret_file", path, message


def _authentication(plan):
    """Yield a version that masters refuse if they demand that frameworks authenticate."""
    mesos = tree.run(
        "common/settings.py", formula="mesos", overrides=checks.as_mapping(__pillar__.get("mesos"))
    )
    is_demanded = mesos["master"]["flags"].get("authenticate_frameworks") is True
    if "chronos" in roles and is_demanded and not plan["authenticates"]:
        message = (
            "the masters demand that frameworks authenticate, and Chronos 2.5.0 to 3.0.1 cannot. "
            "Set 3.0.2, 2.4.0, or mesos:master:flags:authenticate_frameworks: false, with which "
            "every framework is accepted."
        )
        yield "version", settings["version"], message


def _jobs():
    for name in settings["jobs"]:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            message = "should be the name of a job, on one line. A number needs quotes."
            yield f"jobs:{name}", name, message


def _deployment(deployment):
    owner = deployment.get("owner_name")
    if owner is not None and not owner.strip():
        yield "deployment:owner_name", owner, "should be text, or null."
    if deployment.get("purge") is True and owner is None:
        message = (
            "needs owner_name: jobs of that owner are deleted when they are no longer declared."
        )
        yield "deployment:purge", True, message
