#!py
"""
What only Chronos can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import json
import re

OWN = ("master", "zk_hosts", "http_port", "hostname", "http_credentials", "ssl_keystore_password")

VARIABLES = {
    "JAVA_OPTS": "java_opts",
    "LIBPROCESS_IP": "libprocess_ip",
    "LIBPROCESS_PORT": "libprocess_port",
    "MESOSPHERE_HTTP_CREDENTIALS": "http_credentials",
    "MESOSPHERE_KEYSTORE_PASS": "ssl_keystore_password",
}

# Options with a secret for which Chronos knows no file and no variable.
TRACED = ("cassandra_password", "http_notification_credentials", "mail_password", "zk_auth")


def run():
    """Return a list of sentences, one for each fault."""
    if not isinstance(settings["options"], dict) or not isinstance(settings["environment"], dict):
        return []
    plan = __salt__["slsutil.renderer"]("salt://chronos/plan.py", default_renderer="py", settings=settings)
    return [*_versions(), *_places(plan), *_options(plan), *_variables(), *_lines()]


def _fault(key, value, wrong):
    shown = re.sub("//[^/]*@", "//***@", value if isinstance(value, str) else json.dumps(value, default=str))
    if re.search("secret|password|credential|zk_auth", key):
        shown = "(hidden)"
    return f"chronos:{key} = {shown[:80]} on {__grains__['id']}: {wrong}"


def _versions():
    if isinstance(settings["version"], str) and not re.fullmatch(r"\d+\.\d+\.\d+", settings["version"]):
        wrong = "not a version. A version looks like 2.5.0; what comes after it goes into release."
        yield _fault("version", settings["version"], wrong)
    if isinstance(settings["launcher"], str) and settings["launcher"] not in ("auto", "old", "new"):
        yield _fault("launcher", settings["launcher"], "no such launcher. Known: auto, old, new.")


def _places(plan):
    """Where ZooKeeper and the masters are."""
    master, hosts = settings["master"], settings["zk_hosts"]
    if not isinstance(master, str) or not isinstance(hosts, str):
        return
    if "@" in master:
        wrong = "the launcher writes it to the journal, password and all. Give file:///etc/mesos/zk, if mesos:zk is the same."
        yield _fault("master", master, wrong)
    if not re.fullmatch(r"[\w.\[\]:-]+:\d+(,[\w.\[\]:-]+:\d+)*", hosts):
        yield _fault("zk_hosts", hosts, "not a list of servers. It looks like 10.0.0.1:2181,10.0.0.2:2181.")
    elif plan["launcher"] == "old":
        zk = (__pillar__.get("mesos") or {}).get("zk", "zk://localhost:2181/mesos")
        if master != zk or hosts != zk.removeprefix("zk://").partition("/")[0]:
            wrong = f"the old launcher takes both from mesos:zk, {zk}, and no other value is possible. Make them the same."
            yield _fault("master, zk_hosts", f"{master}, {hosts}", wrong)


def _options(plan):
    """Options that Chronos would not start with, or that would be told to everyone."""
    found = {}
    for name, value in settings["options"].items():
        path = f"options:{name}"
        if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_]*", name):
            yield _fault(path, value, "not the name of an option.")
            continue
        plain = name.removeprefix("disable_")
        if value is not None:
            found.setdefault(plain, []).append(name)
        if name in OWN:
            yield _fault(path, value, f"has a setting of its own: chronos:{name}.")
        elif value is None:
            continue
        elif name in TRACED:
            yield _fault(path, value, "the launcher writes options to the journal, and there is no other way to give this one.")
        elif name == "mesos_authentication_secret_file" and settings["mesos_authentication_secret"] is not None:
            yield _fault(path, value, "names another file than chronos:mesos_authentication_secret is laid in. Keep one of them.")
        elif isinstance(value, dict | list) or value == "":
            yield _fault(path, value, "should be text, a number, true or false.")
        elif plain in plan["toggles"] or name in plan["switches"]:
            if not isinstance(value, bool):
                yield _fault(path, value, "an option without a value: true or false, without quotes.")
            elif value is False and plain != name and name not in plan["switches"]:
                yield _fault(path, value, f"says no twice. Give {plain}: true.")
        elif value is False:
            yield _fault(path, value, f"not known as an option without a value. Leave it out, or give disable_{name}: true.")
    for plain, names in found.items():
        if len(names) > 1:
            wrong = f"the same option as {', '.join(names[1:])}. Keep one of them."
            yield _fault(f"options:{names[0]}", settings["options"][names[0]], wrong)


def _variables():
    """Variables that are options or settings."""
    for name, value in settings["environment"].items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name):
            yield _fault(f"environment:{name}", value, "not the name of a variable.")
        elif isinstance(value, dict | list):
            yield _fault(f"environment:{name}", value, "should be text or a number.")
        elif name in VARIABLES:
            yield _fault(f"environment:{name}", value, f"has a setting of its own: chronos:{VARIABLES[name]}.")
        elif name.startswith("CHRONOS_"):
            option = name.removeprefix("CHRONOS_").lower()
            yield _fault(f"environment:{name}", value, f"is an option: chronos:{'' if option in OWN else 'options:'}{option}.")


def _lines():
    """Text that a file cannot hold."""
    places = {name: settings[name] for name in (*OWN, "mesos_authentication_secret", "java_opts", "libprocess_ip")}
    places |= {f"{section}:{name}": value for section in ("options", "environment") for name, value in settings[section].items()}
    for path, value in places.items():
        if isinstance(value, str) and re.search(r"[\n\0]", value):
            yield _fault(path, value, "should be one line.")
