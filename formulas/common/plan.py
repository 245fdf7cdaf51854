#!py
"""The ports that the firewall of this node opens: those of its roles, with their settings."""


def run():
    """Return the rules of each role of this node, in the form of common:firewall:extra."""
    roles, rules = tree.data("common/roles.yaml"), {}
    for name in tree.node["roles"]:
        role = roles.get(name, {})
        rules[name] = []
        for port in role.get("ports", []):
            number = _number(port, tree.settings(role["formula"]))
            if number:
                rules[name].append({"port": number, "from": port["from"]})
    return rules


def _number(port, settings):
    """Return a port of roles.yaml as the settings have it; None where none of them opens it."""
    if "port" in port:
        return port["port"]
    value = settings
    for key in port["setting"].split(":"):
        value = value.get(key) if isinstance(value, dict) else None
    return value or port.get("if_null")
