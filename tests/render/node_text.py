"""A node as text: its states in the order in which Salt runs them, and its files."""

import json

# Arguments that the contents of the files show.
IN_FILES = {"source", "template", "context", "defaults", "reads", "contents", "flags", "aliases"}


def one_line(value) -> str:
    """Return a value on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def references(requisites: list) -> str:
    """Return ``[{"file": "a"}, {"sls": "b"}]`` as ``file a, sls b``."""
    return ", ".join(f"{kind} {name}" for item in requisites for kind, name in item.items())


def states(answer: dict, formula: str = "") -> list[str]:
    """Return the lines of all states, or of those of one formula, below the name of their SLS."""
    lines, sls = [], None
    for state in answer["states"]:
        if not f"{state['sls']}.".startswith(f"{formula}." if formula else ""):
            continue
        if state["sls"] != sls:
            sls = state["sls"]
            lines.append(f"[{sls}]")
        lines.append(f"{state['id']:<28} {state['function']:<22} {state['name']}".rstrip())
        arguments = {key: value for key, value in state["arguments"].items() if key not in IN_FILES}
        if arguments:
            lines.append(
                "    " + ", ".join(f"{key}: {one_line(value)}" for key, value in arguments.items())
            )
        lines += [f"    {kind}: {references(items)}" for kind, items in state["requisites"].items()]
    return lines


def files(answer: dict, formula: str = "") -> list[str]:
    """Return the lines of the files, each below a heading with its path and mode."""
    owners = {
        state["name"] for state in answer["states"] if f"{state['sls']}.".startswith(f"{formula}.")
    }
    lines = []
    for path, entry in answer["files"].items():
        if formula and path not in owners and path.rpartition("/")[0] not in owners:
            continue
        lines += ["", f"=== {path}{'' if 'contents' in entry else '/'} {entry['mode']}"]
        lines += entry.get("contents", "").splitlines()
    return lines


def node_text(answer: dict, formula: str = "") -> str:
    """Return the text of a node, or of one formula alone."""
    return "\n".join(states(answer, formula) + files(answer, formula)) + "\n"
