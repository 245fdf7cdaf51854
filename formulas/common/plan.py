#!py
"""The ports that the firewall of this node opens: those of its roles, with their settings."""


def run():
    """Return the rules of each role of this node, in the form of common:firewall:extra."""
    roles = __salt__["slsutil.renderer"]("salt://common/roles.yaml", default_renderer="yaml")
    releases = __salt__["slsutil.renderer"]("salt://common/releases.yaml", default_renderer="yaml")
    node = __salt__["slsutil.renderer"]("salt://common/settings.py", releases=releases)
    rules, settings = {}, {}
    for role in node["roles"]:
        row = roles.get(role, {})
        rules[role] = []
        for port in row.get("ports", []):
            formula = row["formula"]
            if formula not in settings:
                settings[formula] = __salt__["slsutil.renderer"](
                    "salt://common/settings.py", formula=formula, releases=releases
                )
            number = _number(port, settings[formula])
            if number:
                rules[role].append({"port": number, "from": port["from"]})
    return rules


def _number(port, settings):
    """Return a port of roles.yaml as the settings have it; None where none of them opens it."""
    if "port" in port:
        return port["port"]
    value = settings
    for key in port["setting"].split(":"):
        value = value.get(key) if isinstance(value, dict) else None
    return value or port.get("if_null")
