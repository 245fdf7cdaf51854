#!py
"""
What only Marathon can know to be wrong with its settings. See common/faults.py, which runs this with ``settings``.
"""

import json
import re

OWN = ("master", "zk", "http_port", "https_port", "hostname", "mesos_user", "http_credentials", "ssl_keystore_password",
       "mesos_authentication_secret")

VARIABLES = {
    "JAVA_OPTS": "java_opts",
    "LIBPROCESS_IP": "libprocess_ip",
    "LIBPROCESS_PORT": "libprocess_port",
    "MESOSPHERE_HTTP_CREDENTIALS": "http_credentials",
    "MESOSPHERE_KEYSTORE_PASS": "ssl_keystore_password",
}

ZK = re.compile(r"zk://([^\s@/]+:[^\s@]+@)?[\w.\[\]:-]+:\d+(,[\w.\[\]:-]+:\d+)*/[^\s/]\S*")


def run():
    """Return a list of sentences, one for each fault."""
    version = settings["version"]
    if not isinstance(version, str) or not isinstance(settings["options"], dict) or not isinstance(settings["environment"], dict):
        return []
    if version != "installed" and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return [_fault("version", version, "not a version. A version looks like 1.8.244; what comes after it goes into release.")]
    plan = __salt__["slsutil.renderer"]("salt://marathon/plan.py", default_renderer="py", settings=settings)
    if plan["version"] is None:
        return [_fault("version", version, "Marathon is not installed. Give a version, such as 1.8.244.")]
    return [*_urls(), *_options(plan), *_variables(), *_text(plan)]


def _fault(key, value, wrong):
    shown = re.sub("//[^/]*@", "//***@", value if isinstance(value, str) else json.dumps(value, default=str))
    if re.search("secret|password|credential", key):
        shown = "(hidden)"
    return f"marathon:{key} = {shown[:80]} on {__grains__['id']}: {wrong}"


def _urls():
    if isinstance(settings["zk"], str) and not ZK.fullmatch(settings["zk"]):
        yield _fault("zk", settings["zk"], "not a ZooKeeper URL. It looks like zk://10.0.0.1:2181,10.0.0.2:2181/marathon.")
    if isinstance(settings["master"], str) and not re.fullmatch(r"\S+", settings["master"]):
        yield _fault("master", settings["master"], "not the URL of the masters, such as zk://10.0.0.1:2181/mesos.")


def _options(plan):
    """Options that Marathon would not start with."""
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
            yield _fault(path, value, f"has a setting of its own: marathon:{name}.")
        elif value is None:
            continue
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
    secret = settings["mesos_authentication_secret"]
    if secret is not None and plan["version"] < (1, 3, 7):
        wrong = f"Marathon {settings['version']} would show it in the list of processes. Upgrade, to 1.3.7 at least."
        yield _fault("mesos_authentication_secret", secret, wrong)


def _variables():
    """Variables that are options or settings."""
    for name, value in settings["environment"].items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name):
            yield _fault(f"environment:{name}", value, "not the name of a variable.")
        elif isinstance(value, dict | list):
            yield _fault(f"environment:{name}", value, "should be text or a number.")
        elif name in VARIABLES:
            yield _fault(f"environment:{name}", value, f"has a setting of its own: marathon:{VARIABLES[name]}.")
        elif name.startswith("MARATHON_"):
            option = name.removeprefix("MARATHON_").lower()
            yield _fault(f"environment:{name}", value, f"is an option: marathon:{'' if option in OWN else 'options:'}{option}.")


def _text(plan):
    """Values that do not survive the environment file, or the launcher."""
    places = {name: settings[name] for name in (*OWN, "java_opts", "libprocess_ip")}
    places |= {f"{section}:{name}": value for section in ("options", "environment") for name, value in settings[section].items()}
    for path, value in places.items():
        if isinstance(value, str) and re.search(r"[\n\0]", value):
            yield _fault(path, value, "should be one line.")
    # The launcher of era 1 does so with what it finds in variables, and of options only the secret ones are there.
    words = {**plan["variables"], **plan["secrets"]} if plan["splits"] else plan["secrets"] if plan["era"] == 1 else {}
    for name, value in words.items():
        if name.startswith("MARATHON_") and re.search(r"[\s*?\[]", str(value)):
            option = name.removeprefix("MARATHON_").lower()
            wrong = f"the launcher of Marathon {settings['version']} splits values at spaces and expands * ? [. "
            yield _fault(option if option in OWN else f"options:{option}", value, wrong + "From 1.5.10 and 1.6.535 on it does not.")
