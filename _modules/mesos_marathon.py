"""
Read and change the apps, groups and pods of Marathon. Loaded as ``marathon``. It supports Marathon
1.1 to 1.10 and reads the version from the server where they differ.

Every function takes ``profile`` and connection settings such as ``url`` and ``timeout``: see
``marathon.connection``. Any server can be queried: servers that do not lead forward every request
to the leader.

Functions that change something return ``version``, ``deploymentId`` (None if Marathon started no
deployment, or if the response was lost and the change was read back) and ``created``. The
deployment is still running then: ``marathon.wait_deployment`` waits for its result. ``force`` is
always sent, because Marathon's own default is True for some requests; True cancels a running
deployment.

Fields of a definition that Marathon does not have are neither sent nor compared. Functions that
create or update return ``warnings`` about them, a list of messages, if there are any. A field that
looks misspelt is an error.
"""

import contextlib
import importlib
import importlib.util
import math
import re
import time
from collections.abc import Mapping

import _arguments
import _http_client
import _http_settings
import _marathon_app
import _text
import salt.utils.platform
from salt.exceptions import SaltInvocationError

# saltutil.sync_* does not replace a helper that sys.modules already has.
importlib.reload(_text)
importlib.reload(_arguments)
importlib.reload(_http_settings)
importlib.reload(_http_client)
importlib.reload(_marathon_app)

DEFAULT_URL = "http://127.0.0.1:8080"
APP_EMBEDS = (
    "tasks",
    "counts",
    "deployments",
    "readiness",
    "lastTaskFailure",
    "failures",
    "taskStats",
)
GROUP_EMBEDS = [
    f"group.{name}" for name in ("apps", "pods", "groups", "apps.deployments", "apps.counts")
]
GROUP_MEMBERS = ("apps", "groups", "pods")
STATUSES = (None, "running", "staging")
MODES = ("merge", "replace")
DEPLOYMENTS_CONSISTENT_SINCE = (
    1,
    8,
)  # before, a new deployment may not be listed yet
FULL_UPDATE_SINCE = PODS_SINCE = (1, 4)
MAX_SINGLE_READS = 3  # read all apps in one request if there are more
CHECKS = {
    "app": _marathon_app.check,
    "pod": _marathon_app.check_pod,
    "group": _marathon_app.check_group,
}

__func_alias__ = {"import_": "import"}
__virtualname__ = "marathon"


def __virtual__():
    """
    Do not load on a proxy minion for Marathon, where Salt up to 3007 has a module of that name.
    """
    proxied = (__opts__.get("proxy") or {}).get("proxytype")
    if (
        salt.utils.platform.is_proxy()
        and proxied == "marathon"
        and importlib.util.find_spec("salt.proxy.marathon")
    ):
        return (
            False,
            "This is a proxy minion for Marathon: Salt's own module keeps this name",
        )
    return __virtualname__


def _client(profile, connection):
    return _http_client.Client("marathon", DEFAULT_URL, __salt__, __context__, profile, connection)


def connection(profile=None, **connection):
    return _client(profile, connection).public_settings()


connection.__doc__ = _http_settings.CONNECTION_DOC.format(
    service="marathon", default=DEFAULT_URL, port=8080, extra_settings=""
)


# --- the servers ---


def ping(profile=None, **connection):
    """
    Return whether Marathon responds.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns True. Raises CommandExecutionError, with a line for each server, if none responds. Uses
    ``GET /ping``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.ping
    """
    answer = _client(profile, connection).get("/ping")
    if answer.body and answer.text().strip(' \n"') != "pong":
        raise _unexpected_response(answer)
    return True


def leader(profile=None, **connection):
    """
    Return the leading Marathon. A known leader also responds, since the other servers query it.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``url``, ``host`` and ``port`` that the leader advertises. Raises CommandExecutionError
    with the error of each server if none of them knows a leader; without a leader a server takes
    2.5 seconds to respond.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.leader
        salt-call marathon.leader url=http://10.0.0.1:8080,http://10.0.0.2:8080
    """
    client = _client(profile, connection)
    return _http_client.first_success(
        client.urls,
        lambda url: _http_client.leader_address(
            client.for_server(url, trusted=True).get("/v2/leader")
        ),
    )


def info(profile=None, **connection):
    """
    Show the version and configuration of Marathon.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``version``, ``leader``, ``elected``, ``frameworkId``, ``marathon_config`` (its options,
    times in milliseconds), ``http_config`` ... Passwords in URLs, which Marathon up to 1.6 returns,
    are redacted. Uses ``GET /v2/info``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.info
    """
    return _redacted(_info(_client(profile, connection)))


def _info(client):
    answer = client.get("/v2/info")
    content = answer.json()
    try:
        _marathon_app.release(content["version"])
    except (KeyError, TypeError, ValueError):
        raise _unexpected_response(answer) from None
    return content


def _unexpected_response(answer):
    """Return the error for a response that is not from Marathon."""
    return answer.error(
        _http_client.HttpError, f"unexpected response from Marathon: {answer.summary()}"
    )


def _read_json(response, name=None, kind=list, required=()):
    """
    Return a JSON response, or one field of it, after validating its type and keys. In a list every
    member must have the keys.
    """
    content = response.json().get(name) if name else response.json(kind)
    mappings = (content if kind is list else [content]) if required else ()
    if not isinstance(content, kind) or not all(
        isinstance(mapping, dict) and mapping.keys() >= {*required} for mapping in mappings
    ):
        raise _unexpected_response(response)
    return content


def _release(client):
    """
    Return the server's version. It is not cached, as servers may be in the middle of an upgrade.
    """
    return _marathon_app.release(_info(client)["version"])


def _redacted(value):
    """Return a value with users and passwords in URLs redacted."""
    if isinstance(value, Mapping):
        return {name: _redacted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return _text.redact_user(value) if isinstance(value, str) else value


def version(profile=None, **connection):
    """
    Return the version of Marathon.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list of three numbers: major, minor and patch.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.version
    """
    return list(_release(_client(profile, connection)))


def metrics(profile=None, **connection):
    """
    Show the metrics of the leader.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns Marathon's ``gauges``, ``counters``, ``histograms`` ... The names changed in Marathon
    1.7. Uses ``GET /metrics``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.metrics
    """
    return _client(profile, connection).get("/metrics").json()


def plugins(profile=None, **connection):
    """
    List the plugins of Marathon.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list, each with ``id``, ``implementation``, ``info`` and ``plugin``. Uses ``GET
    /v2/plugins``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.plugins
    """
    return _read_json(_client(profile, connection).get("/v2/plugins"), "plugins")


def abdicate(confirm=False, profile=None, **connection):
    """
    Make the leader resign, so that another Marathon is elected.

    confirm
        Must be True: the leader's process exits, and its service manager has to start it again.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns True. Raises SaltInvocationError without ``confirm``. Uses ``DELETE /v2/leader``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.abdicate confirm=True
    """
    _arguments.require(confirm is True, "confirm", confirm, "True: the process of the leader ends")
    _client(profile, connection).request("DELETE", "/v2/leader").json()
    return True


def summary(profile=None, **connection):
    """
    Show Marathon on one screen.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``leader``, ``version``, ``framework`` (its id), ``apps`` and ``instances`` (numbers by
    state), ``pods`` (by status), ``deployments`` (the current step of entry), ``waiting`` (app to
    the reason why its instances do not start) and ``unhealthy`` (names); at most ten entries of
    entry of the last three, and the number of omitted ones.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.summary
    """
    client = _client(profile, connection)
    info = _info(client)
    apps = _read_json(client.get("/v2/apps"), "apps", required=("id", "instances"))
    queue = _queue(client)
    running = _deployments(client)
    total = {
        kind: sum(entry.get(f"tasks{kind.title()}", 0) for entry in apps)
        for kind in ("running", "staged", "healthy", "unhealthy")
    }
    deploying = {name for entry in running for name in entry["affectedApps"]}
    pods = {}
    if _marathon_app.release(info["version"]) >= PODS_SINCE:
        for entry in _read_json(client.get("/v2/pods/::status"), required=("status",)):
            pods[entry["status"].lower()] = pods.get(entry["status"].lower(), 0) + 1
    return {
        "leader": info.get("leader"),
        "version": info["version"],
        "framework": info.get("frameworkId"),
        "apps": {
            "total": len(apps),
            "suspended": sum(entry["instances"] == 0 for entry in apps),
            "deploying": sum(entry["id"] in deploying for entry in apps),
        },
        "instances": {"wanted": sum(entry["instances"] for entry in apps), **total},
        "pods": pods,
        "deployments": _text.shorten_list([_deployment_line(entry) for entry in running]),
        "waiting": _text.shorten_list(
            {_queued_id(entry): _waiting_reason(entry) for entry in queue}
        ),
        "unhealthy": _text.shorten_list(
            sorted(entry["id"] for entry in apps if entry.get("tasksUnhealthy"))
        ),
    }


# --- reading apps ---


def apps(cmd=None, id=None, label=None, embed=None, group=None, profile=None, **connection):
    """
    List all apps, or those that match.

    cmd, id
        Only apps whose command, or id, contains this text, regardless of case. Default: all.

    label
        Only apps that match this label selector of Marathon: ``team==a``, ``team!=a``, ``team in
        (a,b)``, or several, separated by commas. Default: all.

    embed
        List of additional data of each app: any of ``tasks``, ``counts``, ``deployments``,
        ``readiness``, ``lastTaskFailure``, ``failures``, ``taskStats``. Default: none; Marathon
        always returns counts and deployments.

    group
        Only apps of this group and its subgroups. Default: all. Cannot be combined with ``cmd``,
        ``id`` or ``label``.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list sorted by id, each as in Marathon's response: ``id``, ``cmd``, ``cpus``, ``mem``
    and ``disk`` (MiB), ``instances``, ``tasksRunning`` ... Uses ``GET /v2/apps``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.apps
        salt-call marathon.apps label='team==a' embed='[lastTaskFailure]'
        salt-call marathon.apps group=/shop
    """
    apps = _apps(
        _client(profile, connection), group, cmd=cmd, id=id, label=label, embed=_embeds(embed)
    )
    return sorted(apps, key=lambda app: app["id"])


def _apps(client, group=None, **params):
    if group is None:
        return _read_json(client.get("/v2/apps", params=params), "apps", required=("id",))
    for name in ("cmd", "id", "label"):
        _arguments.require(params[name] is None, name, params[name], "omitted with group")
    return _read_json(
        client.get(f"/v2/apps{_path(group)}/*", params={"embed": params["embed"]}),
        "*",
        required=("id",),
    )


def _embeds(embed):
    names = [embed] if isinstance(embed, str) else embed or []
    _arguments.require(
        isinstance(names, list), "embed", embed, f"a list of {', '.join(APP_EMBEDS)}"
    )
    for name in names:
        _arguments.require(name in APP_EMBEDS, "embed", name, f"one of {', '.join(APP_EMBEDS)}")
    return [f"apps.{name}" for name in names]


def app(id, embed=None, profile=None, **connection):
    """
    Show an app.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    embed
        List of additional data, see ``marathon.apps``. Default: none.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns Marathon's response, with ``tasks``. Raises CommandExecutionError if there is no such
    app. Uses ``GET /v2/apps/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app /web
        salt-call marathon.app /shop/cart embed='[lastTaskFailure]'
    """
    client, name, embed = _client(profile, connection), _absolute_id(id), _embeds(embed)
    return _app(client, name, [*embed, "apps.tasks"] if embed else None)


def _app(client, name, embed=None):
    params = {"embed": [part.replace("apps.", "app.", 1) for part in embed]} if embed else None
    answer = _get(client, f"/v2/apps{_path(name)}", f"There is no app called {name}", params)
    return _read_json(answer, "app", dict, ("id", "version", "instances"))


def _get(client, path, missing, params=None):
    """Send a GET request. Raises NotFound with the message ``missing`` on status 404."""
    try:
        return client.get(path, params=params)
    except _http_client.NotFound as error:
        raise _http_client.NotFound(missing, **error.info) from None


def _or_none(read, *arguments):
    """Call a function and return its result, None on NotFound."""
    try:
        return read(*arguments)
    except _http_client.NotFound:
        return None


def app_exists(id, profile=None, **connection):
    """
    Return whether an app exists.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns True or False. False: the app does not exist; any other failure raises
    CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app_exists /web
    """
    return _or_none(_app, _client(profile, connection), _absolute_id(id)) is not None


def app_versions(id, profile=None, **connection):
    """
    List the versions of an app.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list of timestamps, the newest first. Marathon also lists the versions of a deleted
    app with the same id, and for some time versions that do not exist but were queried. Uses ``GET
    /v2/apps/ID/versions``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app_versions /web
    """
    name = _absolute_id(id)
    answer = _get(
        _client(profile, connection),
        f"/v2/apps{_path(name)}/versions",
        f"There is no app called {name}",
    )
    return _sorted_versions(_read_json(answer, "versions"))


def _sorted_versions(versions):
    """Return unique timestamps, the newest first. Marathon returns them in any order."""
    return sorted(set(map(str, versions)), reverse=True)


def app_version(id, version, profile=None, **connection):
    """
    Show an earlier version of an app.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    version
        A timestamp from ``marathon.app_versions``, such as ``2030-01-01T00:00:00.000Z``.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns Marathon's response. Raises CommandExecutionError if there is no such version. Only a
    version that ``GET /v2/apps/ID/versions`` lists is read, since Marathon would add a version that
    does not exist to that list.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app_version /web 2030-01-01T00:00:00.000Z
    """
    client, name, version = _client(profile, connection), _absolute_id(id), _time(version)
    path, missing = f"/v2/apps{_path(name)}/versions", f"{name} has no version {version}"
    versions = _read_json(_get(client, path, f"There is no app called {name}"), "versions")
    if version not in versions:
        raise _http_client.NotFound(missing)
    return _get(client, f"{path}/{_http_client.quote(version)}", missing).json()


def canonical_app(config, version=None, profile=None, **connection):
    """
    Return an app in canonical form, which is the same for a declared app and for Marathon's
    response.

    config
        Fields of the app, a mapping as in Marathon's JSON. Deprecated forms are accepted.

    version
        Version of Marathon whose defaults apply, such as ``1.8.244``. Default: that of the server.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns all fields with defaults filled in. Raises SaltInvocationError for an invalid app. With
    ``version`` no server is queried.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.canonical_app '{id: /web, cmd: sleep 100}' version=1.8.244
    """
    version = _version(version, profile, connection)
    _validate(_marathon_app.check, config, version)
    definition, _ = _marathon_app.without_unknown(config, "app")
    return _marathon_app.canonical(definition, version)


def fields(kind="app", version=None, profile=None, **connection):
    """
    List the fields of an app or pod.

    kind
        ``app`` (default) or ``pod``.

    version
        Version of Marathon whose fields to list, such as ``1.8.244``. Default: that of the server.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a sorted list of names, including deprecated ones, without the fields that only Marathon
    sets. With ``version`` no server is queried.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.fields
        salt-call marathon.fields pod version=1.8.244
    """
    _arguments.require(kind in ("app", "pod"), "kind", kind, "app or pod")
    return _marathon_app.fields(kind, _version(version, profile, connection))


def ignored_fields(config, kind="app", current=None, profile=None, **connection):
    """
    List the fields of a definition that Marathon ignores: those that it does not have, those that
    only it sets, such as ``version``, and ports that the network of an app does not have, such as
    ``portMappings`` on the host network.

    config
        Fields of an app, pod or group, a mapping as in Marathon's JSON. With kind ``apps`` a
        mapping of ids to the fields of each app.

    kind
        ``app`` (default), ``pod``, ``group`` or ``apps``.

    current
        The result of ``marathon.app``, if the definition is merged into an existing app: its
        network counts if the definition has none. Default: the app is new. With kind ``apps`` a
        mapping of ids to the apps that exist.

    profile, connection
        Connection settings: see ``marathon.connection``. They are validated, but not used.

    Returns a list of messages, such as ``maintainer: ignored, since Marathon does not have this
    field``, with kind ``apps`` after the id of the app. Raises SaltInvocationError for a name that
    looks like a misspelt field, and for a value of the wrong type. Sends no request.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.ignored_fields '{cmd: sleep 100, maintainer: ops}'
    """
    _client(profile, connection)
    if kind == "apps":
        _arguments.require(isinstance(config, Mapping), "config", config, "a mapping of ids")
        apps, current_apps = config, current or {}
        return [
            f"{id}: {message}"
            for id, fields in apps.items()
            for message in _ignored_fields(fields, "app", current_apps.get(id), f"{id}: ")
        ]
    _arguments.require(kind in CHECKS, "kind", kind, "app, pod, group or apps")
    return _ignored_fields(config, kind, current)


def _ignored_fields(config, kind, current, prefix=""):
    """Return the messages of ``ignored_fields`` for one object. ``prefix`` precedes its errors."""
    try:
        return _marathon_app.ignored(config, kind, current, is_checked=False)
    except ValueError as error:
        raise SaltInvocationError(f"{prefix}{error}") from None


def diff_app(id, config, mode="merge", unset=(), profile=None, **connection):
    """
    Return what a definition would change in an app.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    config
        Fields of the app, a mapping as in Marathon's JSON. Deprecated forms are accepted.

    mode
        ``merge`` (default): compare and change only the fields in the definition. ``replace``:
        reset all missing fields to their defaults, except ``instances`` and ``role``.

    unset
        List of fields to remove. Default: none.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a mapping of paths to ``old`` and ``new``, such as ``{/labels/team: {old: a, new: b}}``;
    empty if the app matches. If the app does not exist, the path is ``/`` and ``old`` is None.
    Defaults and values that Marathon fills in are not differences. Raises SaltInvocationError for
    an invalid definition.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.diff_app /web '{labels: {team: b}}'
    """
    client, name = _client(profile, connection), _absolute_id(id)
    release, definition = _prepared(client, name, config, mode, unset)
    return _differences(_or_none(_app, client, name), definition, release, mode, unset)


def _differences(current, definition, release, mode, unset=(), where="config"):
    """
    Return what a definition changes in an app, None if missing. Raises SaltInvocationError if
    Marathon cannot do it.
    """
    try:
        if current is None:
            _marathon_app.check_runs(definition)
            return {"/": {"old": None, "new": _marathon_app.canonical(definition, release)}}
        changes = _marathon_app.diff(current, definition, release, mode, unset)
        if changes:
            _marathon_app.check_runs(
                _marathon_app.merged(current, definition, release, unset, mode)
            )
    except ValueError as error:
        raise SaltInvocationError(f"{where}: {error}") from None
    if changes and release < FULL_UPDATE_SINCE and (mode != "merge" or unset):
        raise SaltInvocationError(
            f"{where}: cannot replace or unset fields; Marathon before 1.4 "
            "keeps the fields that are not sent"
        )
    return changes


def diff_apps(apps, mode="merge", current=None, version=None, profile=None, **connection):
    """
    Return what definitions would change in several apps.

    apps
        Mapping of ids to the fields of each app, as in Marathon's JSON.

    mode
        ``merge`` (default): compare and change only the fields in the definition. ``replace``:
        reset all missing fields to their defaults, except ``instances`` and ``role``.

    current
        The result of ``marathon.apps``, to save a request. Default: query the server.

    version
        Version of the server, to save a request. Default: query the server.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a mapping of ids to the differences as in ``marathon.diff_app``, only for apps that
    differ. Raises SaltInvocationError, which names the app, for an invalid definition.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.diff_apps '{/web: {labels: {team: b}}, /new: {cmd: sleep 3600}}'
    """
    client = _client(profile, connection)
    return _diff_apps(*_declared_and_current(client, apps, mode, current, version), mode)


def _declared_and_current(client, apps, mode, current, version):
    """Return declared apps and current apps, both by id, and the version of the server."""
    _arguments.require(mode in MODES, "mode", mode, "merge or replace")
    _arguments.require(isinstance(apps, Mapping), "apps", apps, "a mapping of ids to fields")
    release = _release(client) if version is None else _marathon_app.release(version)
    current_apps = _by_id(
        _read_json(client.get("/v2/apps"), "apps", required=("id",)) if current is None else current
    )
    declared = {}
    for id, config in apps.items():
        name = id if id in current_apps else _absolute_id(id, "apps")
        if name in declared:
            raise SaltInvocationError(f"apps: {name} is declared twice")
        declared[name] = _with_id(name, config, f"apps: {name}")
    return declared, current_apps, release


def _by_id(items):
    return {item["id"]: item for item in items}


def _diff_apps(declared, current_apps, release, mode):
    """
    Return the differences by id. Apps in ``declared`` that may differ lose their unknown fields.
    """
    differences = {}
    for name, config in list(declared.items()):
        current = current_apps.get(name)
        if (
            current is not None
            and mode == "merge"
            and _marathon_app.stands(current, config, release)
        ):
            continue
        where = f"apps: {name}"
        _validate(_marathon_app.check, config, release, where)
        declared[name], _ = _marathon_app.without_unknown(config, "app")
        changes = _differences(current, declared[name], release, mode, where=where)
        if changes:
            differences[name] = changes
    return differences


def _prepared(client, name, config, mode="merge", unset=()):
    """
    Return the server's version and the definition with its id. Raises SaltInvocationError if it is
    invalid.
    """
    _arguments.require(mode in MODES, "mode", mode, "merge or replace")
    _arguments.require(
        isinstance(unset, (list, tuple)) and all(isinstance(field, str) for field in unset),
        "unset",
        unset,
        "a list of fields",
    )
    definition = _with_id(name, config)
    return _supported(client, definition, "app")


def _supported(client, definition, kind):
    """
    Return the server's version, and the definition without the fields that Marathon does not have.
    Raises SaltInvocationError if the definition is invalid.
    """
    release = _release(client)
    _validate(CHECKS[kind], definition, release)
    definition, _ = _marathon_app.without_unknown(definition, kind)
    return release, definition


def _with_warnings(result, config, kind, current=None):
    """
    Add the warnings about ignored fields to a result, if there are any. ``current`` is the app that
    the definition is merged into.
    """
    warnings = _marathon_app.ignored(config, kind, current)
    return {**result, "warnings": warnings} if warnings else result


def _warnings_by_id(apps, current_apps):
    """
    Return the warnings about ignored fields of several apps, each with its id. ``current_apps`` are
    those that the definitions are merged into, by id.
    """
    return [
        f"{id}: {warning}"
        for id, config in apps.items()
        for warning in _marathon_app.ignored(config, "app", current_apps.get(_absolute_id(id)))
    ]


def _with_id(name, config, where="config"):
    _arguments.require(isinstance(config, Mapping), where, config, "a mapping of fields")
    declared_id = config.get("id")
    is_same = declared_id is None or (
        isinstance(declared_id, str) and "/" + declared_id.strip("/") == name
    )
    _arguments.require(is_same, f"{where}: id", declared_id, f"{name}, the same as the id argument")
    return {**config, "id": name}


def _validate(check, config, release, where="config"):
    try:
        check(config, release, where)
    except ValueError as error:
        raise SaltInvocationError(str(error)) from None


def _version(version, profile, connection):
    if version is None:
        return _release(_client(profile, connection))
    try:
        return _marathon_app.release(str(version))
    except ValueError as error:
        raise SaltInvocationError(f"version: {error}") from None


# --- changing apps ---


def create_app(id, config, force=False, profile=None, **connection):
    """
    Create an app.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    config
        Fields of the app, a mapping as in Marathon's JSON. Deprecated forms are accepted.

    force
        True: cancel a running deployment that affects the same apps, pods or groups. Default False:
        fail with the ids of the running deployments.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if the id is
    in use. Uses ``POST /v2/apps``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.create_app /new '{cmd: sleep 3600, cpus: 0.1, mem: 32}'
    """
    client, name = _client(profile, connection), _absolute_id(id)
    release, definition = _prepared(client, name, config)

    def read_back():
        app = _or_none(_app, client, name)
        return (
            app and not _marathon_app.diff(app, definition, release) and _result(app, created=True)
        )

    body = _marathon_app.prepared(definition, release)
    result = _change(client, "POST", "/v2/apps", read_back, force, body, created=True)
    return _with_warnings(result, config, "app")


def _change(client, method, path, done, force=False, body=None, created=False, **params):
    """Send a change and return its result."""
    _arguments.require(isinstance(force, bool), "force", force, "True or False")
    answer, read_back = client.write(
        method, path, done, params={**params, "force": force}, body=body
    )
    if answer is None:
        return read_back
    content = answer.json() if answer.body else {}
    return _result(content, answer.headers.get("marathon-deployment-id"), created)


def _result(content, deployment=None, created=False):
    deployment_ids = [
        item["id"] for item in content.get("deployments") or () if isinstance(item, Mapping)
    ]
    deployment = (
        deployment
        or content.get("deploymentId")
        or (deployment_ids[-1] if deployment_ids else None)
    )
    return {"version": content.get("version"), "deploymentId": deployment, "created": created}


def update_app(id, config, partial=True, unset=(), force=False, profile=None, **connection):
    """
    Change an app. A difference in any field except ``instances`` restarts its tasks.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    config
        Fields of the app, a mapping as in Marathon's JSON. Deprecated forms are accepted.

    partial
        True (default): keep fields that are not in ``config``. False: reset them to their defaults,
        except ``instances`` and ``role``; requires Marathon 1.4.

    unset
        List of fields to remove. Default: none.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. If nothing differs, no request is sent
    and ``deploymentId`` is None. Raises CommandExecutionError if there is no such app. Uses ``PUT
    /v2/apps/ID``, with all fields, because Marathon loses some of them in a partial update.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_app /web '{labels: {team: b}}'
        salt-call marathon.update_app /web '{cmd: sleep 1000}' force=True
    """
    _arguments.require(isinstance(partial, bool), "partial", partial, "True or False")
    client, name = _client(profile, connection), _absolute_id(id)
    return _update(client, name, config, "merge" if partial else "replace", unset, force)


def _update(client, name, config, mode, unset, force):
    release, definition = _prepared(client, name, config, mode, unset)
    current = _app(client, name)
    base = current if mode == "merge" else None
    if not _differences(current, definition, release, mode, unset):
        unchanged = {"version": current["version"], "deploymentId": None, "created": False}
        return _with_warnings(unchanged, config, "app", base)
    if release >= FULL_UPDATE_SINCE:
        params, body = (
            {"partialUpdate": False},
            _marathon_app.merged(current, definition, release, unset, mode),
        )
    else:
        params, body = {}, _marathon_app.prepared(definition, release)

    def read_back():
        app = _or_none(_app, client, name)
        return (
            app and not _marathon_app.diff(app, definition, release, mode, unset) and _result(app)
        )

    result = _change(client, "PUT", f"/v2/apps{_path(name)}", read_back, force, body, **params)
    return _with_warnings(result, config, "app", base)


def update_apps(
    apps, mode="merge", current=None, version=None, force=False, profile=None, **connection
):
    """
    Create and update several apps in one deployment. Apps that are not listed are not changed.

    apps
        Mapping of ids to the fields of each app, as in Marathon's JSON.

    mode
        ``merge`` (default): keep fields that are not in the definition. ``replace``: reset them to
        their defaults, except ``instances`` and ``role``; requires Marathon 1.4 for existing apps.

    current
        The result of ``marathon.apps``, to save a request. Default: query the server.

    version
        Version of the server, to save a request. Default: query the server.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId``, ``created`` and ``updated`` (lists of ids). If nothing
    differs, no request is sent and ``deploymentId`` is None. Raises SaltInvocationError, which
    names the app, for an invalid definition. Uses ``PUT /v2/apps``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_apps '{/web: {labels: {team: b}}, /new: {cmd: sleep 3600}}'
    """
    client = _client(profile, connection)
    declared, current_apps, release = _declared_and_current(client, apps, mode, current, version)
    differing = _diff_apps(declared, current_apps, release, mode)
    changed = {
        "created": sorted(differing.keys() - current_apps.keys()),
        "updated": sorted(differing.keys() & current_apps.keys()),
    }
    warnings = _warnings_by_id(apps, current_apps if mode == "merge" else {})
    if warnings:
        changed["warnings"] = warnings
    if not differing:
        return {"version": None, "deploymentId": None, **changed}
    is_full_update = release >= FULL_UPDATE_SINCE
    bodies = [
        _marathon_app.merged(current_apps[name], declared[name], release, (), mode)
        if is_full_update and name in current_apps
        else _marathon_app.prepared(declared[name], release)
        for name in differing
    ]

    def read_back():
        apps_by_id = _by_id(_read_json(client.get("/v2/apps"), "apps", required=("id",)))
        return not _diff_apps(
            {name: declared[name] for name in differing}, apps_by_id, release, mode
        ) and _result({})

    return {
        **_put_apps(
            client, release, [declared[name] for name in differing], bodies, read_back, force
        ),
        **changed,
    }


def _put_apps(client, release, declared, bodies, done, force):
    """
    Send several apps as one deployment. ``declared`` has the definitions of the bodies, in order.
    """
    params = {"partialUpdate": False} if release >= FULL_UPDATE_SINCE else {}
    try:
        return _change(client, "PUT", "/v2/apps", done, force, bodies, **params)
    except _http_client.InvalidRequest as error:
        raise type(error)(
            f"{_possible_app_ids(declared, error.info.get('details'))}: {error}", **error.info
        ) from None


def _possible_app_ids(declared, details):
    """
    Return the apps that an error of Marathon may refer to: it names fields, but rarely the app.
    """
    paths = (
        [str(entry.get("path")) for entry in details if isinstance(entry, Mapping)]
        if isinstance(details, list)
        else []
    )
    numbers = [int(number) for path in paths for number in re.findall(r"^/?\((\d+)\)", path)]
    fields = {field for path in paths for field in re.findall(r"^/(\w+)", path)}
    suspects = [declared[number] for number in numbers if number < len(declared)]
    suspects = (
        suspects or [entry for entry in declared if fields and fields <= entry.keys()] or declared
    )
    names = _text.shorten_list([entry["id"] for entry in suspects])
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def replace_app(id, config, force=False, profile=None, **connection):
    """
    Create an app, or replace its whole definition.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    config
        Fields of the app, a mapping as in Marathon's JSON. Deprecated forms are accepted.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Missing fields are reset to their
    defaults, except ``instances`` and ``role`` of an existing app. If nothing differs, no request
    is sent. Requires Marathon 1.4 for an existing app.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.replace_app /web '{cmd: sleep 100, cpus: 0.1, mem: 32}'
    """
    client, name = _client(profile, connection), _absolute_id(id)
    if _or_none(_app, client, name) is None:
        return create_app(name, config, force, profile, **connection)
    return _update(client, name, config, "replace", (), force)


def delete_app(id, force=False, profile=None, **connection):
    """
    Delete an app and its tasks.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is
    no such app. Uses ``DELETE /v2/apps/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.delete_app /web
    """
    client, name = _client(profile, connection), _absolute_id(id)
    _app(client, name)
    return _change(
        client,
        "DELETE",
        f"/v2/apps{_path(name)}",
        lambda: _or_none(_app, client, name) is None and _result({}),
        force,
    )


def scale_app(id, instances, force=False, profile=None, **connection):
    """
    Set the number of instances of an app. The remaining instances are not restarted.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    instances
        A whole number, 0 or more. 0 suspends the app.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. If the app already has that number, no
    request is sent.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.scale_app /web 5
    """
    is_integer = isinstance(instances, int) and not isinstance(instances, bool)
    _arguments.require(
        is_integer and instances >= 0, "instances", instances, "a whole number, 0 or more"
    )
    client, name = _client(profile, connection), _absolute_id(id)
    return _update(client, name, {"instances": instances}, "merge", (), force)


def restart_app(id, force=False, profile=None, **connection):
    """
    Replace all tasks of an app with new ones, according to its upgradeStrategy.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. If the response is lost, a deployment
    that restarts the app, or that none of its old tasks is left, proves that it was restarted.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.restart_app /web
    """
    client, name = _client(profile, connection), _absolute_id(id)
    before = _app(client, name)

    def read_back():
        app = _app(client, name)
        # A new version alone is no evidence: scaling makes one, too.
        has_new_version = app["version"] != before["version"]
        is_restarted = has_new_version and (
            _is_restarting(client, name) or not _task_ids(app) & _task_ids(before)
        )
        return is_restarted and _result(app)

    return _change(client, "POST", f"/v2/apps{_path(name)}/restart", read_back, force)


def _is_restarting(client, name):
    """Return whether a running deployment restarts an app."""
    return any(
        action["action"] == "RestartApplication" and action.get("app") == name
        for deployment in _deployments(client)
        for action in _actions(deployment)
    )


def _task_ids(app):
    return {task["id"] for task in app.get("tasks") or ()}


def rollback_app(id, version, force=False, profile=None, **connection):
    """
    Return an app to an earlier version.

    id
        Id of the app, such as ``/shop/cart``. The leading slash is optional.

    version
        A timestamp from ``marathon.app_versions``, such as ``2030-01-01T00:00:00.000Z``.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if the app
    has no such version.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.rollback_app /web 2030-01-01T00:00:00.000Z
    """
    client, name, version = _client(profile, connection), _absolute_id(id), _time(version)
    path = f"/v2/apps{_path(name)}"
    _app(client, name)

    def read_back():
        # Another client may have changed the app instead, so its version is no evidence.
        release, app = _release(client), _app(client, name)
        target = client.get(f"{path}/versions/{_http_client.quote(version)}").json()
        is_same = not _marathon_app.diff(app, target, release, "replace")
        return is_same and _result(app)

    try:
        return _change(client, "PUT", path, read_back, force, {"version": version})
    except _http_client.NotFound as error:
        _app(client, name)
        # Marathon's own message says that the app does not exist.
        raise _http_client.NotFound(f"{name} has no version {version}", **error.info) from None


# --- tasks ---


def tasks(app=None, status=None, profile=None, **connection):
    """
    List the tasks of Marathon.

    app
        Only the tasks of this app. Default: all.

    status
        ``running`` or ``staging``. Default: both.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list sorted by app and id, each with ``id``, ``appId``, ``host``, ``ports``,
    ``state``, ``startedAt``, ``version``, ``healthCheckResults`` ... Uses ``GET /v2/tasks``, with
    ``app`` ``GET /v2/apps/ID/tasks``, in which Marathon leaves ``servicePorts`` empty.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.tasks
        salt-call marathon.tasks app=/web
    """
    _arguments.require(status in STATUSES, "status", status, "running or staging")
    client = _client(profile, connection)
    if app is None:
        tasks = _read_json(
            client.get("/v2/tasks", params={"status": status}), "tasks", required=("id", "appId")
        )
    else:
        tasks = _tasks(client, _absolute_id(app, "app"), status)
    return sorted(tasks, key=lambda task: (task["appId"], task["id"]))


def _tasks(client, name, status=None):
    response = _get(client, f"/v2/apps{_path(name)}/tasks", f"There is no app called {name}")
    tasks = _read_json(response, "tasks", required=("id", "appId"))
    # Marathon up to 1.3 returns no state, and startedAt is null until the task has started.
    return [
        task
        for task in tasks
        if status in (None, "running" if task.get("startedAt") else "staging")
    ]


def kill_task(app, task, scale=False, wipe=False, force=False, profile=None, **connection):
    """
    Kill one task of an app.

    app
        Id of the app.

    task
        Id of the task.

    scale
        True: reduce the number of instances accordingly. Default False: Marathon starts
        replacements.

    wipe
        True: also release the reserved resources and volumes of a resident app. Cannot be combined
        with ``scale``. Default False.

    force, profile, connection
        See ``marathon.create_app``.

    Returns the list of killed tasks; with ``scale`` ``version``, ``deploymentId`` and ``created``.
    Raises CommandExecutionError if the app has no such task.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_task /web web.5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
    """
    client, name = _client(profile, connection), _absolute_id(app, "app")
    _arguments.require(isinstance(task, str) and task, "task", task, "the id of a task")
    path = f"/v2/apps{_path(name)}/tasks/{_http_client.quote(task)}"

    def current_ids():
        return {entry["id"] for entry in _tasks(client, name)}

    with _missing_as_not_found([task], current_ids, f"{name} has no task"):
        return _kill(client, "DELETE", path, [task], scale, wipe, force)


def kill_tasks(app, host=None, scale=False, wipe=False, force=False, profile=None, **connection):
    """
    Kill all tasks of an app, or those on one host.

    app
        Id of the app.

    host
        Only the tasks on this host, as Marathon names it. Default: all.

    scale
        True: reduce the number of instances accordingly. Default False: Marathon starts
        replacements.

    wipe
        True: also release the reserved resources and volumes of a resident app. Cannot be combined
        with ``scale``. Default False.

    force, profile, connection
        See ``marathon.create_app``.

    Returns the list of killed tasks; with ``scale`` ``version``, ``deploymentId`` and ``created``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_tasks /web host=lxb001.devops.test
    """
    client, name = _client(profile, connection), _absolute_id(app, "app")
    ids = [task["id"] for task in _tasks(client, name) if host in (None, task.get("host"))]
    return _kill(
        client, "DELETE", f"/v2/apps{_path(name)}/tasks", ids, scale, wipe, force, host=host
    )


def kill_task_ids(ids, scale=False, wipe=False, force=False, profile=None, **connection):
    """
    Kill tasks of any apps.

    ids
        Ids of the tasks, a list.

    scale
        True: reduce the number of instances accordingly. Default False: Marathon starts
        replacements.

    wipe
        True: also release the reserved resources and volumes of a resident app. Cannot be combined
        with ``scale``. Default False.

    force, profile, connection
        See ``marathon.create_app``.

    Returns the list of killed tasks; with ``scale`` ``version``, ``deploymentId`` and ``created``.
    Marathon ignores the id of a task that does not exist, but kills none if an id is malformed:
    then CommandExecutionError is raised. Uses ``POST /v2/tasks/delete``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_task_ids '[web.5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43]'
    """
    _arguments.require(
        isinstance(ids, list) and ids and all(isinstance(id, str) for id in ids),
        "ids",
        ids,
        "a list of ids of tasks",
    )
    client = _client(profile, connection)
    with _missing_as_not_found(ids, lambda: _all_task_ids(client), "There is no task"):
        return _kill(client, "POST", "/v2/tasks/delete", ids, scale, wipe, force, {"ids": ids})


@contextlib.contextmanager
def _missing_as_not_found(ids, read_current_ids, problem):
    """
    Raise NotFound, with the missing ids, instead of the error with which Marathon refuses to kill
    them. For an id that it cannot parse its response is 400, 422 or 500.

    read_current_ids
        Function that returns the ids that exist. Only called after an error.

    problem
        Text before the ids, such as ``There is no task``.
    """
    try:
        yield
    except (_http_client.NotFound, _http_client.InvalidRequest, _http_client.ServerError) as error:
        current_ids = read_current_ids()
        missing_ids = [id for id in ids if id not in current_ids]
        if not missing_ids:
            raise
        message = f"{problem} {', '.join(missing_ids)}"
        raise _http_client.NotFound(message, **error.info) from None


def _all_task_ids(client):
    """Return the ids of the tasks of all apps."""
    tasks = _read_json(client.get("/v2/tasks"), "tasks", required=("id",))
    return {task["id"] for task in tasks}


def _kill(client, method, path, ids, scale, wipe, force, body=None, **params):
    for name, value in (("scale", scale), ("wipe", wipe), ("force", force)):
        _arguments.require(isinstance(value, bool), name, value, "True or False")
    _arguments.require(not (scale and wipe), "wipe", wipe, "omitted with scale")

    def is_killed():
        remaining_ids = _all_task_ids(client) & set(ids)
        return not remaining_ids and {
            "version": None,
            "deploymentId": None,
            "created": False,
            "killed": ids,
        }

    params = {**params, "scale": scale, "wipe": wipe, "force": force}
    answer, read_back = client.write(method, path, is_killed, params=params, body=body)
    if answer is None:
        return read_back
    content = answer.json() if answer.body else {}
    if scale:
        return _result(content)
    return (
        content["tasks"] if "tasks" in content else [content["task"]] if content.get("task") else []
    )


# --- groups ---


def groups(id="/", profile=None, **connection):
    """
    List the subgroups of a group.

    id
        Id of the group. Default: ``/``, all groups.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a sorted list of ids, without the id of the group itself.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.groups
        salt-call marathon.groups /shop
    """
    root = _group(_client(profile, connection), _absolute_id(id, root=True))
    return sorted(subgroup["id"] for subgroup in _group_and_subgroups(root) if subgroup is not root)


def _group(client, name, embed=GROUP_EMBEDS):
    path = "/v2/groups" if name == "/" else f"/v2/groups{_path(name)}"
    return _read_json(
        _get(client, path, f"There is no group called {name}", {"embed": embed}),
        kind=dict,
        required=("id", "version"),
    )


def _group_and_subgroups(group):
    """Yield a group and all its subgroups."""
    yield group
    for subgroup in group.get("groups") or ():
        yield from _group_and_subgroups(subgroup)


def _definition_of(pod):
    """Return the definition of a pod in a group, which shows the status of pods since 1.8."""
    return pod.get("spec") or pod


def group(id="/", embed=None, profile=None, **connection):
    """
    Show a group and its contents.

    id
        Id of the group, such as ``/shop``. The leading slash is optional.

    embed
        List of the parts to return, such as ``group.apps`` and ``group.apps.tasks``. Default: its
        apps, pods and groups.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``id``, ``apps``, ``pods``, ``groups``, ``dependencies`` and ``version``. Raises
    CommandExecutionError if there is no such group. Uses ``GET /v2/groups/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.group /shop
    """
    _arguments.require(
        embed is None
        or (isinstance(embed, list) and all(str(part).startswith("group.") for part in embed)),
        "embed",
        embed,
        "a list such as [group.apps]",
    )
    return _group(
        _client(profile, connection),
        _absolute_id(id, root=True),
        GROUP_EMBEDS if embed is None else embed,
    )


def group_exists(id, profile=None, **connection):
    """
    Return whether a group exists.

    id
        Id of the group, such as ``/shop``. The leading slash is optional.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns True or False. False: the group does not exist; any other failure raises
    CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.group_exists /shop
    """
    return (
        _or_none(
            _group, _client(profile, connection), _absolute_id(id, root=True), ["group.groups"]
        )
        is not None
    )


def create_group(id, config=None, force=False, profile=None, **connection):
    """
    Create a group.

    id
        Id of the group, such as ``/shop``. The leading slash is optional.

    config
        ``apps``, ``groups``, ``dependencies`` and, from Marathon 1.9 on, ``enforceRole``, a mapping
        as in Marathon's JSON. Default: an
        empty group.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if the id is
    in use. Uses ``POST /v2/groups``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.create_group /new-group '{apps: [{id: a, cmd: sleep 3600}]}'
    """
    client, name, config = _client(profile, connection), _absolute_id(id), config or {}
    _, body = _supported(client, _with_id(name, config), "group")

    def read_back():
        group = _or_none(_group, client, name)
        return group and _result(group, created=True)

    result = _change(client, "POST", "/v2/groups", read_back, force, body, created=True)
    return _with_warnings(result, config, "group")


def update_group(id, config, purge=False, dry_run=False, force=False, profile=None, **connection):
    """
    Change a group. A list of apps or groups is complete: Marathon deletes those that are not
    listed.

    id
        Id of the group, such as ``/shop``. The leading slash is optional.

    config
        ``apps``, ``groups``, ``dependencies`` and, from Marathon 1.9 on, ``enforceRole``, a mapping
        as in Marathon's JSON. A key that is
        missing is not changed.

    purge
        True: allow the deletion of apps and groups that are not listed. Default False: fail with
        their ids.

    dry_run
        True: only return the steps that Marathon would take. Default False.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. With ``dry_run`` a list of steps, each a
    list of ``action`` and ``app`` or ``pod``. Raises SaltInvocationError if something would be
    deleted without ``purge``. Uses ``PUT /v2/groups/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_group /shop '{dependencies: [/web]}'
        salt-call marathon.update_group /shop '{dependencies: [/web]}' dry_run=True
    """
    client, name = _client(profile, connection), _absolute_id(id, root=True)
    definition = _with_id(name, config)
    special = sorted({"scaleBy", "version"} & set(definition))
    _arguments.require(
        not special,
        "config",
        special,
        "omitted: see marathon.scale_group and marathon.rollback_group",
    )
    release, body = _supported(client, definition, "group")
    current = _group(client, name)
    deleted_ids = _deleted_ids(current, body, name)
    if deleted_ids and purge is not True:
        raise SaltInvocationError(
            f"config: {', '.join(deleted_ids)} would be deleted, as it is not "
            "listed. Use purge=True to delete it"
        )
    path = "/v2/groups" if name == "/" else f"/v2/groups{_path(name)}"
    if dry_run:
        answer = client.request(
            "PUT", path, params={"dryRun": True, "force": force}, body=body, idempotent=True
        )
        return [step["actions"] for step in _read_json(answer, "steps", required=("actions",))]

    def read_back():
        group = _group(client, name)
        return _is_group_as_declared(group, body, release) and _result(group)

    return _with_warnings(_change(client, "PUT", path, read_back, force, body), config, "group")


def _is_group_as_declared(group, body, release):
    """
    Return whether a group is what a PUT of this body makes of it.

    Its version says nothing: every group has the version of the whole tree, which changes with
    anybody's change.
    """
    name = group["id"]
    if "dependencies" in body:
        dependencies = {_member_id(id, name) for id in body["dependencies"] or ()}
        if dependencies != set(group.get("dependencies") or ()):
            return False
    if "enforceRole" in body and body["enforceRole"] != group.get("enforceRole"):
        return False
    for kind, is_same in (("apps", _is_app_as_declared), ("groups", _is_group_as_declared)):
        if kind not in body:
            continue
        current = _by_id(group.get(kind) or ())
        declared = {_member_id(member.get("id", ""), name): member for member in body[kind]}
        if current.keys() != declared.keys():
            return False
        if not all(is_same(current[id], declared[id], release) for id in declared):
            return False
    return True


def _is_app_as_declared(app, definition, release):
    definition = {**definition, "id": app["id"]}
    return not _marathon_app.diff(app, definition, release, "replace")


def _member_id(id, group_id):
    """Return the absolute form of an id in a group."""
    id = str(id)
    return id if id.startswith("/") else f"{group_id.rstrip('/')}/{id}"


def _deleted_ids(current, config, name):
    """Return the ids of the apps, pods and groups that a PUT of this group would delete."""
    deleted_ids = []
    for kind in ("apps", "groups"):
        if kind not in config:
            continue
        _arguments.require(
            isinstance(config[kind], list)
            and all(isinstance(member, Mapping) for member in config[kind]),
            f"config: {kind}",
            config[kind],
            "a list of mappings",
        )
        listed_by_id = {_member_id(member.get("id", ""), name): member for member in config[kind]}
        for member in current.get(kind) or ():
            if member["id"] not in listed_by_id:
                deleted_ids += [member["id"]] if kind == "apps" else _ids_in(member)
            elif kind == "groups":
                deleted_ids += _deleted_ids(member, listed_by_id[member["id"]], member["id"])
    return deleted_ids


def _ids_in(group):
    """Return the id of a group and of all apps and pods in it."""
    ids = [group["id"]]
    for subgroup in _group_and_subgroups(group):
        ids += [part["id"] for kind in ("apps", "pods") for part in subgroup.get(kind) or ()]
    return ids


def delete_group(id, force=False, profile=None, **connection):
    """
    Delete a group with all apps, pods and groups in it.

    id
        Id of the group. ``/`` is not allowed, as it contains everything.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is
    no such group.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.delete_group /shop
    """
    client, name = _client(profile, connection), _absolute_id(id)
    _group(client, name, ["group.groups"])
    return _change(
        client,
        "DELETE",
        f"/v2/groups{_path(name)}",
        lambda: _or_none(_group, client, name) is None and _result({}),
        force,
    )


def scale_group(id, factor, force=False, profile=None, **connection):
    """
    Multiply the instances of all apps of a group.

    id
        Id of the group, such as ``/shop``. The leading slash is optional.

    factor
        A number above 0: 2 doubles them, 0.5 halves them.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.scale_group /shop 2
    """
    _arguments.require(
        isinstance(factor, (int, float)) and not isinstance(factor, bool) and factor > 0,
        "factor",
        factor,
        "a number above 0",
    )
    client, name = _client(profile, connection), _absolute_id(id)
    instances = {
        app_id: math.ceil(count * factor)
        for app_id, count in _instances_in(_group(client, name)).items()
    }

    def read_back():
        group = _group(client, name)
        return _instances_in(group) == instances and _result(group)

    return _change(client, "PUT", f"/v2/groups{_path(name)}", read_back, force, {"scaleBy": factor})


def _instances_in(group):
    """Return the number of instances of each app in a group and its subgroups."""
    return {
        app["id"]: app["instances"]
        for subgroup in _group_and_subgroups(group)
        for app in subgroup.get("apps") or ()
    }


def rollback_group(id, version, force=False, profile=None, **connection):
    """
    Return a group to an earlier version. Apps that were added since then are deleted.

    id
        Id of the group, such as ``/shop``. The leading slash is optional.

    version
        A timestamp from ``marathon.group_versions``.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if the group
    has no such version.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.rollback_group /shop 2030-01-01T00:00:00.000Z
    """
    client, name, version = _client(profile, connection), _absolute_id(id), _time(version)
    path = f"/v2/groups{_path(name)}"
    _group(client, name, ["group.groups"])

    def read_back():
        target = client.get(f"{path}/versions/{_http_client.quote(version)}").json()
        group = _group(client, name)
        return _is_same_group(group, target, _release(client)) and _result(group)

    try:
        return _change(client, "PUT", path, read_back, force, {"version": version})
    except (_http_client.NotFound, _http_client.InvalidRequest) as error:
        message = str(error.info.get("message"))
        if "not available in version" not in message and "does not exist in" not in message:
            raise
        raise _http_client.NotFound(f"{name} has no version {version}", **error.info) from None


def _is_same_group(group, target, release):
    """Return whether two groups from Marathon contain the same, apart from their versions."""
    return _group_contents(group, release) == _group_contents(target, release)


def _group_contents(group, release):
    contents = {}
    for subgroup in _group_and_subgroups(group):
        contents[subgroup["id"]] = sorted(subgroup.get("dependencies") or ())
        for app in subgroup.get("apps") or ():
            contents[app["id"]] = _marathon_app.canonical(app, release)
        for pod in subgroup.get("pods") or ():
            contents[pod["id"]] = _marathon_app.canonical_pod(_definition_of(pod), release)
    return contents


def group_versions(id="/", profile=None, **connection):
    """
    List the versions of a group.

    id
        Id of the group. Default: ``/``, all groups.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list of timestamps, the newest first. The version of a group changes with any change
    in Marathon, so there may be many.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.group_versions /shop
    """
    name = _absolute_id(id, root=True)
    path = "/v2/groups/versions" if name == "/" else f"/v2/groups{_path(name)}/versions"
    answer = _get(_client(profile, connection), path, f"There is no group called {name}")
    return _sorted_versions(answer.json(list))


# --- pods ---


def pods(profile=None, **connection):
    """
    Show all pods.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list sorted by id, each as in Marathon's response. Requires Marathon 1.4. Uses ``GET
    /v2/pods``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pods
    """
    return sorted(
        _read_json(_client(profile, connection).get("/v2/pods"), required=("id",)),
        key=lambda pod: pod["id"],
    )


def pod(id, profile=None, **connection):
    """
    Show a pod.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns Marathon's response. Raises CommandExecutionError if there is no such pod. Uses ``GET
    /v2/pods/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod /pod
    """
    return _pod(_client(profile, connection), _absolute_id(id))


def _pod(client, name):
    return _read_json(
        _get(client, f"/v2/pods{_path(name)}", f"There is no pod called {name}"),
        kind=dict,
        required=("id",),
    )


def pod_exists(id, profile=None, **connection):
    """
    Return whether a pod exists.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns True or False. False: the pod does not exist; any other failure raises
    CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod_exists /pod
    """
    return _or_none(_pod, _client(profile, connection), _absolute_id(id)) is not None


def canonical_pod(config, version=None, profile=None, **connection):
    """
    Return a pod in canonical form, which is the same for a declared pod and for Marathon's
    response.

    config
        Fields of the pod, a mapping as in Marathon's JSON.

    version
        Version of Marathon whose defaults apply, such as ``1.8.244``. Default: that of the server.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns all fields with defaults filled in. With ``version`` no server is queried.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.canonical_pod '{id: /p, containers: [{name: a}]}' version=1.8.244
    """
    version = _version(version, profile, connection)
    _validate(_marathon_app.check_pod, config, version)
    definition, _ = _marathon_app.without_unknown(config, "pod")
    return _marathon_app.canonical_pod(definition, version)


def diff_pod(id, config, mode="merge", unset=(), profile=None, **connection):
    """
    Return what a definition would change in a pod.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    config
        Fields of the pod, a mapping as in Marathon's JSON.

    mode, unset
        See ``marathon.diff_app``.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns differences as ``marathon.diff_app`` does.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.diff_pod /pod '{labels: {team: b}}'
    """
    client, name = _client(profile, connection), _absolute_id(id)
    release, definition = _prepared_pod(client, name, config, mode)
    current = _or_none(_pod, client, name)
    if current is None:
        return {"/": {"old": None, "new": _marathon_app.canonical_pod(definition, release)}}
    return _marathon_app.diff_pod(current, definition, release, mode, unset)


def _prepared_pod(client, name, config, mode="merge"):
    _arguments.require(mode in MODES, "mode", mode, "merge or replace")
    definition = _with_id(name, config)
    release = _release(client)
    if release < PODS_SINCE:
        raise SaltInvocationError(
            f"{name}: pods need Marathon 1.4, and this is {'.'.join(map(str, release))}"
        )
    _validate(_marathon_app.check_pod, definition, release)
    definition, _ = _marathon_app.without_unknown(definition, "pod")
    return release, definition


def create_pod(id, config, force=False, profile=None, **connection):
    """
    Create a pod.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    config
        Fields of the pod, a mapping as in Marathon's JSON.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if the id is
    in use. Uses ``POST /v2/pods``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.create_pod /new '{containers: [{name: a, resources: {cpus: 1, mem: 9}}]}'
    """
    client, name = _client(profile, connection), _absolute_id(id)
    release, definition = _prepared_pod(client, name, config)

    def read_back():
        pod = _or_none(_pod, client, name)
        return (
            pod
            and not _marathon_app.diff_pod(pod, definition, release)
            and _result(pod, created=True)
        )

    body = _marathon_app.prepared_pod(definition, release)
    result = _change(client, "POST", "/v2/pods", read_back, force, body, created=True)
    return _with_warnings(result, config, "pod")


def update_pod(id, config, mode="merge", unset=(), force=False, profile=None, **connection):
    """
    Change a pod. Any difference except the number of instances restarts its instances.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    config
        Fields of the pod, a mapping as in Marathon's JSON.

    mode, unset
        See ``marathon.diff_app``.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. If nothing differs, no request is sent.
    Raises CommandExecutionError if there is no such pod. Uses ``PUT /v2/pods/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_pod /pod '{labels: {team: b}}'
    """
    client, name = _client(profile, connection), _absolute_id(id)
    release, definition = _prepared_pod(client, name, config, mode)
    current = _pod(client, name)
    if not _marathon_app.diff_pod(current, definition, release, mode, unset):
        unchanged = {"version": current.get("version"), "deploymentId": None, "created": False}
        return _with_warnings(unchanged, config, "pod")

    def read_back():
        pod = _or_none(_pod, client, name)
        return (
            pod
            and not _marathon_app.diff_pod(pod, definition, release, mode, unset)
            and _result(pod)
        )

    body = _marathon_app.merged_pod(current, definition, release, unset, mode)
    result = _change(client, "PUT", f"/v2/pods{_path(name)}", read_back, force, body)
    return _with_warnings(result, config, "pod")


def delete_pod(id, force=False, profile=None, **connection):
    """
    Delete a pod and its instances.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is
    no such pod.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.delete_pod /pod
    """
    client, name = _client(profile, connection), _absolute_id(id)
    _pod(client, name)
    return _change(
        client,
        "DELETE",
        f"/v2/pods{_path(name)}",
        lambda: _or_none(_pod, client, name) is None and _result({}),
        force,
    )


def pod_status(id=None, profile=None, **connection):
    """
    Show the status of pods.

    id
        Id of a pod. Default: all pods.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a mapping, or a list of them for all pods: ``id``, ``spec``, ``status`` (``STABLE``,
    ``DEGRADED``, ``TERMINAL``), ``instances`` ... Uses ``GET /v2/pods/ID::status``, and for all
    pods ``GET /v2/pods/::status``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod_status /pod
        salt-call marathon.pod_status
    """
    client = _client(profile, connection)
    if id is None:
        return sorted(
            _read_json(client.get("/v2/pods/::status"), required=("id",)),
            key=lambda status: status["id"],
        )
    return _pod_status(client, _absolute_id(id))


def _pod_status(client, name):
    answer = _get(client, f"/v2/pods{_path(name)}::status", f"There is no pod called {name}")
    return _read_json(answer, kind=dict, required=("id", "spec", "status"))


def pod_versions(id, profile=None, **connection):
    """
    List the versions of a pod.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list of timestamps, the newest first; see ``marathon.app_versions``. Uses ``GET
    /v2/pods/ID::versions``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod_versions /pod
    """
    name = _absolute_id(id)
    answer = _get(
        _client(profile, connection),
        f"/v2/pods{_path(name)}::versions",
        f"There is no pod called {name}",
    )
    return _sorted_versions(answer.json(list))


def kill_pod_instances(id, instances, wipe=False, profile=None, **connection):
    """
    Kill instances of a pod. Marathon starts replacements.

    id
        Id of the pod, such as ``/pod``. The leading slash is optional.

    instances
        List of instance ids from ``marathon.pod_status``.

    wipe
        True: also release their reserved resources and volumes. Default False.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list with Marathon's status of the killed instances. Marathon ignores the id of an
    instance that does not exist, but kills none if an id is malformed: then CommandExecutionError
    is raised.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_pod_instances /pod \\
            '[pod.instance-5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43]'
    """
    _arguments.require(
        isinstance(instances, list)
        and instances
        and all(isinstance(instance, str) for instance in instances),
        "instances",
        instances,
        "a list of ids of instances",
    )
    client, name = _client(profile, connection), _absolute_id(id)

    def current_ids():
        return _pod_instance_ids(client, name)

    def is_killed():
        return not current_ids() & set(instances)

    path, params = f"/v2/pods{_path(name)}::instances", {"wipe": wipe}
    with _missing_as_not_found(instances, current_ids, f"{name} has no instance"):
        answer, _ = client.write("DELETE", path, is_killed, params=params, body=instances)
    return instances if answer is None else answer.json(list)


def _pod_instance_ids(client, name):
    """Return the ids of the instances of a pod."""
    return {instance["id"] for instance in _pod_status(client, name).get("instances", ())}


# --- deployments ---


def deployments(app=None, profile=None, **connection):
    """
    List the running deployments.

    app
        Only deployments that affect this app or pod. Default: all.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a list, the oldest first, each with ``id``, ``version``, ``affectedApps``,
    ``affectedPods``, ``currentActions``, ``currentStep``, ``totalSteps`` and ``steps``. Uses ``GET
    /v2/deployments``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.deployments
        salt-call marathon.deployments /web
    """
    name = None if app is None else _absolute_id(app, "app")
    deployments = _deployments(_client(profile, connection))
    return [
        deployment
        for deployment in deployments
        if name is None or name in [*deployment["affectedApps"], *deployment["affectedPods"]]
    ]


def _deployments(client):
    answer = client.get("/v2/deployments")
    deployments = [
        {"affectedApps": [], "affectedPods": [], **deployment}
        for deployment in _read_json(answer, required=("id",))
    ]
    return sorted(deployments, key=lambda deployment: deployment.get("version", ""))


def _deployment(client, id):
    return next((deployment for deployment in _deployments(client) if deployment["id"] == id), None)


def _actions(deployment):
    """Return the actions of all steps of a deployment."""
    return [action for step in deployment.get("steps", ()) for action in step.get("actions", ())]


def _deployment_line(deployment):
    actions = ", ".join(
        f"{action['action']} {action.get('app') or action.get('pod')}"
        for action in deployment.get("currentActions", ())
    )
    step = f"{deployment.get('currentStep')} of {deployment.get('totalSteps')}"
    return f"{deployment['id']}: step {step}: {actions or 'nothing yet'}"


def deployment(id, profile=None, **connection):
    """
    Show a running deployment.

    id
        Id of the deployment.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns a mapping as in ``marathon.deployments``. Raises CommandExecutionError if no such
    deployment is running.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
    """
    deployment = _deployment(_client(profile, connection), _deployment_id(id))
    if deployment is None:
        raise _http_client.NotFound(f"There is no running deployment {id}")
    return deployment


def cancel_deployment(id, force=False, profile=None, **connection):
    """
    Cancel a deployment.

    id
        Id of the deployment.

    force
        False (default): a new deployment reverts it. True: stop without reverting what is already
        done.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` (of the deployment that reverts it, None with ``force``)
    and ``created``. Raises CommandExecutionError if there is no such deployment.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.cancel_deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
    """
    client, id = _client(profile, connection), _deployment_id(id)
    path = f"/v2/deployments/{_http_client.quote(id)}"
    return _change(
        client, "DELETE", path, lambda: _deployment(client, id) is None and _result({}), force
    )


def wait_deployment(id, timeout=300, interval=2, profile=None, **connection):
    """
    Wait until a deployment ends and return its result. Keeps waiting while there is no leader,
    since the next leader continues the deployment.

    id
        Id of the deployment.

    timeout
        Seconds, default 300.

    interval
        Seconds between two requests, default 2.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``result``, ``reason`` (text) and ``apps`` (each affected app or pod, mapped to its
    problem, or None). The result is ``done``; ``cancelled`` (an app does not have the deployed
    version); ``failed`` (the deployment ended with too few instances); ``timeout`` (it is still
    running); or ``unknown`` (it was not running at the first request: it ended before, or never
    existed).

    CLI Example:

    .. code-block:: bash

        salt-call marathon.wait_deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
        salt-call marathon.wait_deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43 timeout=60
    """
    id, timeout, interval = (
        _deployment_id(id),
        _http_settings.check_timeout(timeout),
        _http_settings.check_timeout(interval),
    )
    client, deadline = _client(profile, connection), time.monotonic() + timeout
    deployment = _deployment(client, id)
    if deployment is None and _release(client) < DEPLOYMENTS_CONSISTENT_SINCE:
        time.sleep(1)
        deployment = _deployment(client, id)
    if deployment is None:
        return {
            "result": "unknown",
            "reason": "It is not running: it has ended, or never existed",
            "apps": {},
        }
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            break
        time.sleep(min(interval, remaining))
        try:
            current = _deployment(client, id)
            if current is None:
                return _outcome(client, deployment)
        except (_http_client.Unreachable, _http_client.NoLeader, _http_client.ServerError):
            continue  # the next leader continues the deployment
        deployment = current
    return _outcome(client, deployment, over=False)


def _outcome(client, deployment, over=True):
    """Return the result of a deployment, or why it is still running."""
    queue = {_queued_id(entry): entry for entry in _queue(client)}
    stopped = {
        action.get("app") or action.get("pod")
        for action in _actions(deployment)
        if "Stop" in action["action"]
    }
    results, problems = set(), {}
    apps_by_id = None
    if len(deployment["affectedApps"]) > MAX_SINGLE_READS:
        embed = ["apps.counts", "apps.lastTaskFailure"]
        apps_by_id = _by_id(
            _read_json(
                client.get("/v2/apps", params={"embed": embed}),
                "apps",
                required=("id", "instances"),
            )
        )
    for name in [*deployment["affectedApps"], *deployment["affectedPods"]]:
        is_pod = name in deployment["affectedPods"]
        app_result, problem = _app_result(
            client, name, is_pod, name in stopped, deployment.get("version", ""), apps_by_id
        )
        if app_result == "done" and not over and name in queue:
            # The running instances still have the old version.
            app_result, problem = "failed", "not all new instances run"
        if app_result != "done" and name in queue:
            problem = f"{problem}; {_waiting_reason(queue[name])}"
        results.add(app_result)
        problems[name] = None if app_result == "done" else problem
    reasons = "; ".join(
        _text.shorten_list([f"{name}: {problem}" for name, problem in problems.items() if problem])
    )
    if over:
        result = next((entry for entry in ("cancelled", "failed") if entry in results), "done")
        reason = reasons or "Everything is as declared"
    else:
        result = "timeout"
        reason = ". ".join(filter(None, (_deployment_line(deployment), reasons)))
    return {"result": result, "reason": reason, "apps": problems}


def _app_result(client, name, is_pod, is_stopped, version, apps_by_id):
    """
    Return the result of a deployment for one app or pod, and the reason if it is not done.
    ``apps_by_id`` has all apps; None: query the app.
    """
    if apps_by_id is not None and not is_pod:
        current = apps_by_id.get(name)
    else:
        current = (
            _or_none(_pod_status, client, name)
            if is_pod
            else _or_none(_app, client, name, ["apps.counts", "apps.lastTaskFailure"])
        )
    if is_stopped:
        return ("done", None) if current is None else ("cancelled", "it still exists")
    if current is None:
        return "cancelled", "it does not exist"
    definition = current["spec"] if is_pod else current
    if version and definition.get("version", version) != version:
        return "cancelled", f"its version is {definition['version']}, not {version}"
    if is_pod:
        stable = current["status"] == "STABLE"
        return (
            ("done", None)
            if stable
            else ("failed", f"{current['status']}: {current.get('message') or 'no reason given'}")
        )
    running, instances, failure = (
        current.get("tasksRunning", 0),
        current["instances"],
        current.get("lastTaskFailure"),
    )
    unhealthy = current.get("tasksUnhealthy", 0)
    healthy = not current.get("healthChecks") or current.get("tasksHealthy", 0) >= instances
    if running >= instances and not unhealthy and healthy:
        return "done", None
    problem = f"{running} of {instances} instances run"
    if unhealthy:
        problem += f", {unhealthy} unhealthy"
    elif not healthy:
        problem += ", not all healthy yet"
    if failure:
        message = failure.get("message") or "no reason given"
        problem += f"; last failure: {failure.get('state')} on {failure.get('host')}: "
        problem += message
    return "failed", problem


# --- the queue ---


def queue(embed_offers=False, profile=None, **connection):
    """
    Show the instances that Marathon cannot start yet.

    embed_offers
        True: include the last unused offers. Default False.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns app or pod to ``count`` (instances), ``delay`` (seconds until the next attempt after
    failures), ``why`` (a line), ``since``, ``rejected`` (reason to the number of recent offers
    declined for it; Marathon 1.4) and, with ``embed_offers``, ``offers``. Uses ``GET /v2/queue``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.queue
        salt-call marathon.queue embed_offers=True
    """
    _arguments.require(
        isinstance(embed_offers, bool), "embed_offers", embed_offers, "True or False"
    )
    params = {"embed": "lastUnusedOffers"} if embed_offers else None
    entries = _queue(_client(profile, connection), params)
    summaries = {}
    for entry in sorted(entries, key=_queued_id):
        summary = {
            "count": entry["count"],
            "delay": entry["delay"]["timeLeftSeconds"],
            "why": _waiting_reason(entry),
            "since": entry.get("since"),
            "rejected": _declined_offers(entry),
        }
        if embed_offers:
            summary["offers"] = entry.get("lastUnusedOffers", [])
        summaries[_queued_id(entry)] = summary
    return summaries


def _queue(client, params=None):
    return _read_json(client.get("/v2/queue", params=params), "queue", required=("count", "delay"))


def _queued_id(entry):
    return (entry.get("app") or entry.get("pod"))["id"]


def _declined_offers(entry):
    summary = entry.get("processedOffersSummary", {}).get("rejectSummaryLastOffers", ())
    return {part["reason"]: part["declined"] for part in summary if part["declined"]}


def _waiting_reason(entry):
    """Return why instances are waiting, in one line."""
    delay = entry["delay"]["timeLeftSeconds"]
    text = f"{entry['count']} waiting for offers"
    if delay:
        text = f"{entry['count']} delayed by {delay} seconds after failures"
    rejected = _declined_offers(entry)
    if rejected:
        text += ", declined: " + ", ".join(f"{name} {count}" for name, count in rejected.items())
    elif "processedOffersSummary" in entry and not entry["processedOffersSummary"].get(
        "processedOffersCount"
    ):
        text += ", none received"
    return text


def reset_delay(app, profile=None, **connection):
    """
    Start an app again at once that Marathon delays after failures.

    app
        Id of the app or pod.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns True. Raises CommandExecutionError if no instance is waiting. Uses ``DELETE
    /v2/queue/ID/delay``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.reset_delay /sick
    """
    client, name = _client(profile, connection), _absolute_id(app, "app")
    try:
        answer = client.write("DELETE", f"/v2/queue{_path(name)}/delay", lambda: False).response
    except _http_client.NotFound as error:
        raise _http_client.NotFound(
            f"No instance of {name} is waiting to be started", **error.info
        ) from None
    if answer.body:
        raise _unexpected_response(answer)
    return True


# --- everything ---


def export(profile=None, **connection):
    """
    Export all apps, pods and groups in the format that ``marathon.import`` reads.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns ``version`` (of Marathon), ``apps``, ``pods`` (lists, without the fields that Marathon
    adds) and ``groups`` (id to ``dependencies`` and ``enforceRole``, for groups that have either
    field or are empty). The ``env`` of apps may contain secrets.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.export
        salt-call marathon.export --out=json
    """
    client = _client(profile, connection)
    return _exported(client)


def _exported(client):
    release, root = _release(client), _group(client, "/")
    export = {"version": ".".join(map(str, release)), "apps": [], "pods": [], "groups": {}}
    for group in _group_and_subgroups(root):
        export["apps"] += [
            _marathon_app.writable(entry, release) for entry in group.get("apps") or ()
        ]
        export["pods"] += [
            _without_version(_definition_of(entry)) for entry in group.get("pods") or ()
        ]
        fields = {name: group[name] for name in ("dependencies", "enforceRole") if group.get(name)}
        empty = not any(group.get(kind) for kind in GROUP_MEMBERS)
        if group["id"] != "/" and (fields or empty):
            export["groups"][group["id"]] = fields
    for kind in ("apps", "pods"):
        export[kind].sort(key=lambda entry: entry["id"])
    return export


def _without_version(pod):
    return {name: value for name, value in pod.items() if name != "version"}


def import_(config, dry_run=False, timeout=300, force=False, profile=None, **connection):
    """
    Create and update apps, pods and groups from ``marathon.export``. Nothing is deleted, and
    unchanged ones are not deployed.

    config
        The result of ``marathon.export``: ``apps``, ``pods`` and ``groups``.

    dry_run
        True: only return what would change. Default False.

    timeout
        Seconds to wait for the deployment of the apps before pods and groups follow, default 300.

    force, profile, connection
        See ``marathon.create_app``.

    Returns ``apps``, ``pods`` and ``groups`` (lists of changed ids), ``deployments`` (ids) and, if
    there are fields that Marathon ignores, ``warnings``. All apps are updated in one deployment.
    Raises SaltInvocationError, before anything is sent, for an invalid app, pod or group.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.import '{apps: [{id: /imported, cmd: sleep 3600}]}' dry_run=True
        salt-call marathon.import '{apps: [{id: /imported, cmd: sleep 3600}]}'
    """
    is_valid = isinstance(config, Mapping) and any(config.get(kind) for kind in GROUP_MEMBERS)
    _arguments.require(is_valid, "config", config, "a mapping with apps, pods or groups")
    client, timeout = _client(profile, connection), _http_settings.check_timeout(timeout)
    declared = _validated_import(config)
    release, root = _release(client), _group(client, "/")
    current_by_kind = {
        kind: {
            entry["id"]: _definition_of(entry)
            for group in _group_and_subgroups(root)
            for entry in group.get(kind) or ()
        }
        for kind in ("apps", "pods")
    }
    groups = {entry["id"]: entry for entry in _group_and_subgroups(root)}
    warnings = _remove_unknown(declared, release)

    def is_different(compare, kind, definition):
        current = current_by_kind[kind].get(definition["id"])
        return current is None or bool(compare(current, definition, release, "replace"))

    apps = [entry for entry in declared["apps"] if is_different(_marathon_app.diff, "apps", entry)]
    pods = [
        entry for entry in declared["pods"] if is_different(_marathon_app.diff_pod, "pods", entry)
    ]
    group_fields = {
        name: entry
        for name, entry in declared["groups"].items()
        if name not in groups or not _has_group_fields(groups[name], entry)
    }
    changed = {
        "apps": [entry["id"] for entry in apps],
        "pods": [entry["id"] for entry in pods],
        "groups": sorted(group_fields),
        "deployments": [],
    }
    if warnings:
        changed["warnings"] = warnings
    if dry_run:
        return changed
    deployment_ids = changed["deployments"]
    if apps:
        bodies = [_marathon_app.prepared(entry, release) for entry in apps]
        deployment_ids.append(
            _put_apps(client, release, apps, bodies, lambda: False, force)["deploymentId"]
        )
    for entry in pods:
        create_or_update = update_pod if entry["id"] in current_by_kind["pods"] else create_pod
        options = {"mode": "replace"} if create_or_update is update_pod else {}
        deployment_ids.append(
            create_or_update(
                entry["id"], entry, force=force, profile=profile, **options, **connection
            )["deploymentId"]
        )
    if group_fields and apps:
        wait_deployment(deployment_ids[0], timeout, profile=profile, **connection)
    for name, fields in sorted(group_fields.items()):
        dependencies = (
            {"dependencies": fields["dependencies"]} if fields.get("dependencies") else {}
        )
        act = update_group if _or_none(_group, client, name, ["group.groups"]) else create_group
        deployment_ids.append(
            act(name, dependencies, force=force, profile=profile, **connection)["deploymentId"]
        )
        if "enforceRole" in fields:
            client.write(
                "PATCH",
                f"/v2/groups{_path(name)}",
                lambda: False,
                body={"enforceRole": fields["enforceRole"]},
            )
    return changed


def _validated_import(config):
    """Return the definitions to import, with absolute ids."""
    definitions = {"apps": [], "pods": [], "groups": {}}
    for kind in ("apps", "pods"):
        members = config.get(kind) or []
        _arguments.require(isinstance(members, list), f"config: {kind}", members, "a list")
        for definition in members:
            _arguments.require(
                isinstance(definition, Mapping),
                f"config: {kind}",
                definition,
                "a mapping of fields",
            )
            definitions[kind].append(
                {**definition, "id": _absolute_id(definition.get("id"), f"config: {kind}: id")}
            )
    members = config.get("groups") or {}
    _arguments.require(isinstance(members, Mapping), "config: groups", members, "a mapping of ids")
    for name, definition in members.items():
        _arguments.require(
            isinstance(definition or {}, Mapping),
            f"config: groups: {name}",
            definition,
            "a mapping",
        )
        contents = sorted({"apps", "groups"} & (definition or {}).keys())
        _arguments.require(
            not contents,
            f"config: groups: {name}",
            contents,
            "omitted: list them in config: apps and config: groups",
        )
        definitions["groups"][_absolute_id(name, "config: groups")] = definition or {}
    return definitions


def _remove_unknown(declared, release):
    """
    Validate the definitions to import, remove the fields that Marathon does not have, and return
    warnings about these, each with the id.
    """
    warnings = []

    def supported(kind, id, definition):
        _validate(CHECKS[kind], definition, release, f"config: {id}")
        warnings.extend(f"{id}: {text}" for text in _marathon_app.ignored(definition, kind))
        return _marathon_app.without_unknown(definition, kind)[0]

    for kind in ("app", "pod"):
        members = declared[f"{kind}s"]
        members[:] = [supported(kind, member["id"], member) for member in members]
    for id, group in declared["groups"].items():
        declared["groups"][id] = supported("group", id, group)
    return warnings


def _has_group_fields(group, fields):
    return all((group.get(name) or None) == (value or None) for name, value in fields.items())


def api_call(method, path, params=None, body=None, confirm=False, profile=None, **connection):
    """
    Send any request, for endpoints without a function of their own.

    method, path
        Such as ``GET`` and ``/v2/info``.

    params
        Query parameters, a mapping. Default: none.

    body
        Data to send as JSON. Default: none.

    confirm
        Must be True for DELETE, and to change ``/v2/groups``, which contains everything.

    profile, connection
        Connection settings: see ``marathon.connection``.

    Returns the parsed JSON of the response, its text if it is not JSON, or None if it is empty.
    Only GET is retried without a response.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.api_call GET /v2/info
    """
    _arguments.require(
        method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        "method",
        method,
        "GET, HEAD, POST, PUT, PATCH or DELETE",
    )
    _arguments.require(
        isinstance(path, str) and re.fullmatch(r"/[!-~]*", path) and "?" not in path,
        "path",
        path,
        "a path such as /v2/info",
    )
    _arguments.require(params is None or isinstance(params, Mapping), "params", params, "a mapping")
    everything = method != "GET" and path.rstrip("/") == "/v2/groups"
    _arguments.require(
        confirm is True or not (method == "DELETE" or everything),
        "confirm",
        confirm,
        f"True: {method} {path} cannot be undone",
    )
    return (
        _client(profile, connection).request(method, path, params=params, body=body).json_or_text()
    )


# --- checks ---


def _absolute_id(id, argument="id", root=False):
    """Return the absolute form of an id. The root group is only valid with ``root``."""
    _arguments.require(
        isinstance(id, str) and id.strip(), argument, id, "text such as /web. A number needs quotes"
    )
    if id.strip("/") == "":
        _arguments.require(root, argument, id, "an app, pod or group below the root /")
        return "/"
    is_valid = all(_marathon_app.SEGMENT.fullmatch(part) for part in id.strip("/").split("/"))
    _arguments.require(
        is_valid,
        argument,
        id,
        "lower-case letters, digits, - and . between slashes, such as /shop/cart",
    )
    return "/" + id.strip("/")


def _path(name):
    return _http_client.quote(_absolute_id(name), safe="/")


def _time(version):
    """Validate the timestamp of a version."""
    is_valid = isinstance(version, str) and re.fullmatch(r"[\dT:.Z+-]+", version)
    _arguments.require(is_valid, "version", version, "a time such as 2030-01-01T00:00:00.000Z")
    return version


def _deployment_id(id):
    _arguments.require(
        isinstance(id, str) and re.fullmatch(r"[\w-]+", id),
        "id",
        id,
        "the id of a deployment: letters, digits and -",
    )
    return id
