"""Make the TaskInfo for Mesos from an app or pod: command, container, ports and health check."""

from __future__ import annotations

from typing import Any

from .normal import MARATHON_CHECKS, App, is_host, mappings


def task_info(
    spec: App,
    agent: dict[str, Any],
    id: str,
    container: str | None,
    ports: list[int],
    resources: list[Any],
    user: str | None,
) -> dict[str, Any]:
    """
    Return the TaskInfo of a task.

    container
        Name of the container, for a task of a pod.

    ports, resources
        What the agent provides.

    user
        User if neither app nor container has one.
    """
    pod_container = next(
        (
            container_spec
            for container_spec in spec.get("containers", [])
            if container_spec["name"] == container
        ),
        None,
    )
    command = _pod_command(pod_container) if pod_container else _app_command(spec)
    environment = (
        {**spec.get("environment", {}), **pod_container.get("environment", {})}
        if pod_container
        else spec["env"]
    )
    variables = {
        "MARATHON_APP_ID": spec["id"], "MARATHON_APP_VERSION": spec["version"],
        "MESOS_TASK_ID": id, "HOST": agent["hostname"],
        **_port_variables(spec, ports), **{name: text for name,
        text in environment.items() if isinstance(text, str)},
    }  # fmt: skip
    command["environment"] = {
        "variables": [{"name": name, "value": text} for name, text in variables.items()]
    }
    command["uris"] = [
        {
            "value": entry["uri"],
            "extract": entry["extract"],
            "executable": entry["executable"],
            "cache": entry["cache"],
        }
        for entry in (
            pod_container.get("artifacts", []) if pod_container else spec.get("fetch", [])
        )
    ]
    user = (pod_container or {}).get("user") or spec.get("user") or user
    if user:
        command["user"] = user
    labels = {**spec.get("labels", {}), **(pod_container or {}).get("labels", {})}
    name = ".".join(reversed(spec["id"].strip("/").split("/")))
    container_info = _pod_container(pod_container) if pod_container else _app_container(spec, ports)
    check = _pod_check(pod_container, ports) if pod_container else _app_check(spec, ports)
    grace = spec.get("taskKillGracePeriodSeconds")
    return {
        "task_id": {"value": id},
        "name": name if container is None else f"{name}.{container}",
        "agent_id": {"value": agent["id"]},
        "resources": resources,
        "command": command,
        "labels": {"labels": [{"key": key, "value": text} for key, text in labels.items()]},
        "discovery": {
            "visibility": "FRAMEWORK",
            "name": name,
            "ports": {"ports": [{"number": port, "protocol": "tcp"} for port in ports]},
        },
        **({"container": container_info} if container_info else {}),
        **({"health_check": check} if check else {}),
        **({"kill_policy": {"grace_period": {"nanoseconds": int(grace * 1e9)}}} if grace else {}),
    }


# --- commands ---


def _app_command(app: App) -> dict[str, Any]:
    image = ((app.get("container") or {}).get("docker") or {}).get("image")
    return _command(app.get("cmd"), app.get("args") or [], bool(image))


def _pod_command(container: dict[str, Any]) -> dict[str, Any]:
    run = (container.get("exec") or {}).get("command", {})
    return _command(run.get("shell"), run.get("argv", []), False)


def _command(shell: str | None, arguments: list[str], image: bool) -> dict[str, Any]:
    """
    Return a CommandInfo. Without a shell, the arguments may belong to the entrypoint of an image.
    """
    if shell is not None:
        return {"shell": True, "value": shell}
    program = {"value": arguments[0]} if arguments and not image else {}
    return {"shell": False, **program, **({"arguments": arguments} if arguments else {})}


# --- ports ---


def host_ports(app: App, ports: list[int]) -> list[int | None]:
    """
    Return the host port of each port definition or mapping of an app; None if it has no host port.
    """
    if is_host(app):
        return list(ports)
    remaining = iter(ports)
    return [next(remaining, None) if "hostPort" in entry else None for entry in mappings(app)]


def _port_variables(spec: App, ports: list[int]) -> dict[str, str]:
    if not ports:
        return {}
    variables = {"PORT": str(ports[0]), "PORTS": ",".join(map(str, ports))}
    variables |= {f"PORT{index}": str(port) for index, port in enumerate(ports)}
    if "containers" in spec:
        return variables
    entries = (spec.get("portDefinitions") or []) if is_host(spec) else mappings(spec)
    for entry, port in zip(entries, host_ports(spec, ports), strict=False):
        number = entry.get("containerPort") or entry.get("port")
        if port and number:
            variables[f"PORT_{number}"] = str(port)
        if port and entry.get("name"):
            variables[f"PORT_{entry['name'].upper().replace('-', '_')}"] = str(port)
    return variables


def _inner_ports(app: App, ports: list[int]) -> list[int | None]:
    """
    Return the port that the task listens on, for each port. A Docker container has its own ports.
    """
    outer = host_ports(app, ports)
    if is_host(app) or (app.get("container") or {}).get("type") != "DOCKER":
        return outer
    return [
        entry.get("containerPort") or port for entry, port in zip(mappings(app), outer, strict=True)
    ]


# --- containers ---


def _app_container(app: App, ports: list[int]) -> dict[str, Any] | None:
    container = app.get("container")
    if not container:
        return None
    docker = container.get("docker") or {}
    volumes = [
        {"host_path": volume["hostPath"], "container_path": volume["containerPath"],
        "mode": volume["mode"]}
        for volume in container.get("volumes", []) if "hostPath" in volume
    ]  # fmt: skip
    if container["type"] != "DOCKER":
        return {"type": container["type"], "volumes": volumes, **_image(docker.get("image"))}
    published = [
        {"host_port": port, "container_port": inner, "protocol": protocol}
        for entry, port, inner in zip(
            mappings(app), host_ports(app, ports), _inner_ports(app, ports), strict=True
        ) if port
        for protocol in (entry.get("protocol") or "tcp").split(",")
    ] if not is_host(app) else []  # fmt: skip
    network_name = next(
        (entry["name"] for entry in app.get("networks") or [] if entry.get("name")), None
    )
    bridged = docker.get("network") == "BRIDGE" or any(
        entry["mode"] == "container/bridge" for entry in app.get("networks") or []
    )
    return {
        "type": "DOCKER",
        "volumes": volumes,
        "docker": {
            "image": docker["image"],
            "network": "HOST" if is_host(app) else "BRIDGE" if bridged else "USER",
            "port_mappings": published,
            "privileged": docker.get("privileged", False),
            "parameters": docker.get("parameters", []),
            "force_pull_image": docker.get("forcePullImage", False),
        },
        **({"network_infos": [{"name": network_name}]} if network_name else {}),
    }


def _pod_container(container: dict[str, Any]) -> dict[str, Any] | None:
    image = (container.get("image") or {}).get("id")
    return {"type": "MESOS", **_image(image)} if image else None


def _image(name: str | None) -> dict[str, Any]:
    return {"mesos": {"image": {"type": "DOCKER", "docker": {"name": name}}}} if name else {}


# --- health checks that Mesos runs ---


def _app_check(app: App, ports: list[int]) -> dict[str, Any] | None:
    check = next(
        (entry for entry in app["healthChecks"] if entry["protocol"] not in MARATHON_CHECKS), None
    )
    if check is None:
        return None
    kind = check["protocol"].removeprefix("MESOS_")
    if kind == "COMMAND":
        return {"type": kind, "command": {"value": check["command"]["value"]}, **_times(check)}
    port = check.get("port") or _inner_ports(app, ports)[check.get("portIndex", 0)]
    if kind == "TCP":
        return {"type": kind, "tcp": {"port": port}, **_times(check)}
    return {
        "type": "HTTP",
        "http": {"scheme": kind.lower(), "port": port, "path": check.get("path", "/")},
        **_times(check),
    }


def _endpoint_port(container: dict[str, Any], name: str, ports: list[int]) -> int:
    """Return the host port of an endpoint. Without one, the container port is checked."""
    remaining = iter(ports)
    for endpoint in container.get("endpoints", []):
        host_port = next(remaining) if "hostPort" in endpoint else None
        if endpoint["name"] == name:
            return host_port or endpoint.get("containerPort", 0)
    return 0


def _pod_check(container: dict[str, Any], ports: list[int]) -> dict[str, Any] | None:
    check = container.get("healthCheck")
    if not check:
        return None
    if "exec" in check:
        run = check["exec"]["command"]
        return {
            "type": "COMMAND",
            "command": {"value": run.get("shell") or " ".join(run["argv"])},
            **_times(check),
        }
    kind = "http" if "http" in check else "tcp"
    port = _endpoint_port(container, check[kind]["endpoint"], ports)
    if kind == "tcp":
        return {"type": "TCP", "tcp": {"port": port}, **_times(check)}
    scheme, path = check["http"].get("scheme", "HTTP").lower(), check["http"].get("path", "/")
    return {"type": "HTTP", "http": {"scheme": scheme, "port": port, "path": path}, **_times(check)}


def _times(check: dict[str, Any]) -> dict[str, Any]:
    return {
        "delay_seconds": check.get("delaySeconds", 15),
        "interval_seconds": check.get("intervalSeconds", 60),
        "timeout_seconds": check.get("timeoutSeconds", 20),
        "grace_period_seconds": check.get("gracePeriodSeconds", 300),
        "consecutive_failures": check.get("maxConsecutiveFailures", 3),
    }  # fmt: skip
