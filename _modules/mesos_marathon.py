"""
The apps, groups and pods of Marathon: what they are, how they do, and everything that can be done with them. Loaded as
``marathon``. For Marathon 1.1 to 1.10; what differs between them is found out from what the server says of itself.

Every function takes ``profile`` and settings of the connection, such as ``url`` and ``timeout``: see ``marathon.connection``.
Any server will do, as those that do not lead pass every request on to the leader.

What changes something returns ``version``, ``deploymentId`` (None where Marathon began no deployment, or the answer was lost and
read back) and ``created``. Marathon has only begun then: ``marathon.wait_deployment`` says what came of it. ``force`` is always
said to Marathon, whose own default is True in places; with True a deployment under way is given up.
"""

import importlib
import importlib.util
import re
import time
from collections.abc import Mapping

import _http_client
import _http_settings
import _marathon_app
import _text
import salt.utils.platform
from salt.exceptions import SaltInvocationError

# After a sync Salt still has the old helpers in sys.modules.
importlib.reload(_text)
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
WHOLE_GROUP = [
    f"group.{name}" for name in ("apps", "pods", "groups", "apps.deployments", "apps.counts")
]
STRUCTURE = ("apps", "groups", "pods")
STATUSES = (None, "running", "staging")
MODES = ("merge", "replace")
ACKNOWLEDGED_LATE = (1, 8)  # before, a deployment that was acknowledged may not be listed yet
PARTIAL_SINCE = PODS_SINCE = (1, 4)
FEW_APPS = 3  # from more on all apps are read at once, instead of one after another

__func_alias__ = {"import_": "import"}
__virtualname__ = "marathon"


def __virtual__():
    """Leave the name to Salt's own module where that one works: on a proxy minion for Marathon, up to Salt 3007."""
    proxied = (__opts__.get("proxy") or {}).get("proxytype")
    if (
        salt.utils.platform.is_proxy()
        and proxied == "marathon"
        and importlib.util.find_spec("salt.proxy.marathon")
    ):
        return (
            False,
            "This is a proxy minion for Marathon: the module of Salt itself keeps the name",
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
    Say whether Marathon answers.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns True. Raises CommandExecutionError, with a line for each server, if none does. Rests on ``GET /ping``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.ping
    """
    answer = _client(profile, connection).get("/ping")
    if answer.body and answer.text().strip(' \n"') != "pong":
        raise _strange(answer)
    return True


def leader(profile=None, **connection):
    """
    Say which Marathon leads. That it is known means that it answers, too: the others ask it.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``url``, ``host`` and ``port`` of the leader as it makes itself known. Raises CommandExecutionError with what each
    server said if none of them knows a leader; without one a server thinks for 2.5 seconds before it says so.

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
    Show what Marathon says of itself.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``leader``, ``elected``, ``frameworkId``, ``marathon_config`` (its options, times in milliseconds),
    ``http_config`` ... Passwords in URLs, which Marathon up to 1.6 shows, are hidden. Rests on ``GET /v2/info``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.info
    """
    return _hidden(_info(_client(profile, connection)))


def _info(client):
    answer = client.get("/v2/info")
    said = answer.json()
    try:
        _marathon_app.release(said["version"])
    except (KeyError, TypeError, ValueError):
        raise _strange(answer) from None
    return said


def _strange(answer):
    """The error for an answer that is no answer of Marathon."""
    return answer.error(_http_client.HttpError, f"not how Marathon answers: {answer.summary()}")


def _said(answer, name=None, kind=list, needs=()):
    """What an answer says, or has under a name: of this kind, and with what is needed in it; in a list in each of its members."""
    found = answer.json().get(name) if name else answer.json(kind)
    members = (found if kind is list else [found]) if needs else ()
    if not isinstance(found, kind) or not all(
        isinstance(each, dict) and each.keys() >= {*needs} for each in members
    ):
        raise _strange(answer)
    return found


def _release(client):
    """The version that answers, asked anew each time: servers may be in the middle of an update."""
    return _marathon_app.release(_info(client)["version"])


def _hidden(value):
    """Anything without the users and passwords in its URLs."""
    if isinstance(value, Mapping):
        return {name: _hidden(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    return _text.redact_user(value) if isinstance(value, str) else value


def version(profile=None, **connection):
    """
    Say which Marathon answers.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

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
        Where and how to ask: see ``marathon.connection``.

    Returns them as Marathon has them: ``gauges``, ``counters``, ``histograms`` ... Their names changed with 1.7. Rests on ``GET
    /metrics``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.metrics
    """
    return _client(profile, connection).get("/metrics").json()


def plugins(profile=None, **connection):
    """
    List the plugins of Marathon.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list, each with ``id``, ``implementation``, ``info`` and ``plugin``. Rests on ``GET /v2/plugins``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.plugins
    """
    return _said(_client(profile, connection).get("/v2/plugins"), "plugins")


def abdicate(confirm=False, profile=None, **connection):
    """
    Make the leader resign, so that another Marathon leads.

    confirm
        Has to be True: the process of the leader ends, and has to be started again by its service.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns True. Raises SaltInvocationError without ``confirm``. Rests on ``DELETE /v2/leader``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.abdicate confirm=True
    """
    _expect(confirm is True, "confirm", confirm, "True: the process of the leader ends")
    _client(profile, connection).request("DELETE", "/v2/leader").json()
    return True


def summary(profile=None, **connection):
    """
    Show Marathon on one screen.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``leader``, ``version``, ``framework`` (its id), ``apps`` and ``instances`` (how many in which state), ``pods`` (by
    status), ``deployments`` (what each does now), ``waiting`` (app to why its instances are not started) and ``unhealthy``
    (names); of the last three at most ten, and how many more there are.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.summary
    """
    client = _client(profile, connection)
    info = _info(client)
    known = _said(client.get("/v2/apps"), "apps", needs=("id", "instances"))
    waiting = _queue(client)
    running = _deployments(client)
    total = {
        kind: sum(each.get(f"tasks{kind.title()}", 0) for each in known)
        for kind in ("running", "staged", "healthy", "unhealthy")
    }
    deploying = {name for each in running for name in each["affectedApps"]}
    pods = {}
    if _marathon_app.release(info["version"]) >= PODS_SINCE:
        for each in _said(client.get("/v2/pods::status"), needs=("status",)):
            pods[each["status"].lower()] = pods.get(each["status"].lower(), 0) + 1
    return {
        "leader": info.get("leader"),
        "version": info["version"],
        "framework": info.get("frameworkId"),
        "apps": {
            "total": len(known),
            "suspended": sum(each["instances"] == 0 for each in known),
            "deploying": sum(each["id"] in deploying for each in known),
        },
        "instances": {"wanted": sum(each["instances"] for each in known), **total},
        "pods": pods,
        "deployments": _text.shorten_list([_deployment_line(each) for each in running]),
        "waiting": _text.shorten_list({_queued_id(each): _queued_why(each) for each in waiting}),
        "unhealthy": _text.shorten_list(
            sorted(each["id"] for each in known if each.get("tasksUnhealthy"))
        ),
    }


# --- reading apps ---


def apps(cmd=None, id=None, label=None, embed=None, group=None, profile=None, **connection):
    """
    Show all apps, or some.

    cmd, id
        Only apps whose command, or id, has this in it; upper and lower case are the same.

    label
        Only apps with these labels, in Marathon's words: ``team==a``, ``team!=a``, ``team in (a,b)``, several with commas.

    embed
        What else to show of each, a list: any of ``tasks``, ``counts``, ``deployments``, ``readiness``, ``lastTaskFailure``,
        ``failures``, ``taskStats``. Default none; Marathon always shows counts and deployments.

    group
        Only apps of this group and of those below. Cannot be combined with ``cmd``, ``id`` or ``label``.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list sorted by id, each as Marathon shows it: ``id``, ``cmd``, ``cpus``, ``mem`` and ``disk`` (MiB),
    ``instances``, ``tasksRunning`` ... Rests on ``GET /v2/apps``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.apps
        salt-call marathon.apps label='team==a' embed='[lastTaskFailure]'
        salt-call marathon.apps group=/shop
    """
    found = _apps(
        _client(profile, connection), group, cmd=cmd, id=id, label=label, embed=_embeds(embed)
    )
    return sorted(found, key=lambda each: each["id"])


def _apps(client, group=None, **params):
    if group is None:
        return _said(client.get("/v2/apps", params=params), "apps", needs=("id",))
    for name in ("cmd", "id", "label"):
        _expect(params[name] is None, name, params[name], "left out where there is a group")
    return _said(
        client.get(f"/v2/apps{_path(group)}/*", params={"embed": params["embed"]}),
        "*",
        needs=("id",),
    )


def _embeds(embed):
    wanted = [embed] if isinstance(embed, str) else embed or []
    _expect(isinstance(wanted, list), "embed", embed, f"a list of {', '.join(APP_EMBEDS)}")
    for each in wanted:
        _expect(each in APP_EMBEDS, "embed", each, f"one of {', '.join(APP_EMBEDS)}")
    return [f"apps.{each}" for each in wanted]


def app(id, embed=None, profile=None, **connection):
    """
    Show an app.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    embed
        What else to show, a list: see ``marathon.apps``.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns it as Marathon shows it, with ``tasks``. Raises CommandExecutionError if there is no such app. Rests on ``GET
    /v2/apps/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app /web
        salt-call marathon.app /shop/cart embed='[lastTaskFailure]'
    """
    client, name, embed = _client(profile, connection), _named(id), _embeds(embed)
    return _app(client, name, [*embed, "apps.tasks"] if embed else None)


def _app(client, name, embed=None):
    params = {"embed": [part.replace("apps.", "app.", 1) for part in embed]} if embed else None
    answer = _one(client, f"/v2/apps{_path(name)}", f"There is no app called {name}", params)
    return _said(answer, "app", dict, ("id", "version", "instances"))


def _one(client, path, missing, params=None):
    """What is at a path. Raises NotFound, with these words, if there is nothing."""
    try:
        return client.get(path, params=params)
    except _http_client.NotFound as error:
        raise _http_client.NotFound(missing, **error.info) from None


def _found(read, *arguments):
    """What a read returns; None if it is not there."""
    try:
        return read(*arguments)
    except _http_client.NotFound:
        return None


def app_exists(id, profile=None, **connection):
    """
    Say whether there is an app.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns True or False. False is an app that is not there; whatever else is wrong raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app_exists /web
    """
    return _found(_app, _client(profile, connection), _named(id)) is not None


def app_versions(id, profile=None, **connection):
    """
    List the versions that an app had.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list of times, the newest first. Rests on ``GET /v2/apps/ID/versions``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app_versions /web
    """
    name = _named(id)
    answer = _one(
        _client(profile, connection),
        f"/v2/apps{_path(name)}/versions",
        f"There is no app called {name}",
    )
    return _said(answer, "versions")


def app_version(id, version, profile=None, **connection):
    """
    Show an app as it was in an earlier version.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    version
        One of those that ``marathon.app_versions`` lists, such as ``2030-01-01T00:00:00.000Z``.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns it as Marathon shows it. Raises CommandExecutionError if there is no such version.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.app_version /web 2030-01-01T00:00:00.000Z
    """
    name, version = _named(id), _time(version)
    path = f"/v2/apps{_path(name)}/versions/{_http_client.quote(version)}"
    return _one(_client(profile, connection), path, f"{name} has no version {version}").json()


def canonical_app(config, version=None, profile=None, **connection):
    """
    Show what an app amounts to, in a form that is the same for what is declared and for what Marathon returns.

    config
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too.

    version
        Version of Marathon whose defaults count, such as ``1.8.244``. Default: that of the server.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns all fields with defaults filled in. Raises SaltInvocationError for what is no app. With a ``version`` nobody is
    asked.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.canonical_app '{id: /web, cmd: sleep 100}' version=1.8.244
    """
    version = _version(version, profile, connection)
    _checked(_marathon_app.check, config, version)
    return _marathon_app.canonical(config, version)


def fields(kind="app", version=None, profile=None, **connection):
    """
    List the fields that an app, or a pod, may be declared with.

    kind
        ``app`` (default) or ``pod``.

    version
        Version of Marathon whose fields count, such as ``1.8.244``. Default: that of the server.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a sorted list of names, the older ones included, without what Marathon alone decides. With a ``version`` nobody is
    asked.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.fields
        salt-call marathon.fields pod version=1.8.244
    """
    _expect(kind in ("app", "pod"), "kind", kind, "app or pod")
    return _marathon_app.fields(kind, _version(version, profile, connection))


def diff_app(id, config, mode="merge", unset=(), profile=None, **connection):
    """
    Say what a declaration would change in an app.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    config
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too.

    mode
        ``merge`` (default): only the fields that are given count. ``replace``: all of them, except ``instances`` and ``role``
        if they are not given.

    unset
        Names of fields to be removed, a list. Default none.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns path to ``old`` and ``new``, such as ``{/labels/team: {old: a, new: b}}``; nothing if the app is already so. If
    there is no such app: the path ``/``, old None. Defaults, and what Marathon fills in, are no difference.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.diff_app /web '{labels: {team: b}}'
    """
    client, name = _client(profile, connection), _named(id)
    release, wanted = _prepared(client, name, config, mode, unset)
    return _differs(_found(_app, client, name), wanted, release, mode, unset)


def _differs(current, wanted, release, mode, unset=(), where="config"):
    """What a declaration changes in an app, which may not be there. Raises SaltInvocationError for what cannot be."""
    try:
        if current is None:
            _marathon_app.check_runs(wanted)
            return {"/": {"old": None, "new": _marathon_app.canonical(wanted, release)}}
        found = _marathon_app.diff(current, wanted, release, mode, unset)
        if found:
            _marathon_app.check_runs(_marathon_app.merged(current, wanted, release, unset, mode))
    except ValueError as error:
        raise SaltInvocationError(f"{where}: {error}") from None
    if found and release < PARTIAL_SINCE and (mode != "merge" or unset):
        raise SaltInvocationError(
            f"{where}: nothing can be replaced or unset; Marathon before 1.4 keeps what is not given"
        )
    return found


def diff_apps(apps, mode="merge", current=None, version=None, profile=None, **connection):
    """
    Say what declarations would change, of many apps at once.

    apps
        Ids of apps to their fields, mappings as in Marathon's JSON.

    mode
        ``merge`` (default): only the fields that are given count. ``replace``: all of them, except ``instances`` and ``role``
        if they are not given.

    current
        What ``marathon.apps`` returned, if it was asked already. Default: it is asked.

    version
        Version of the server, if that was asked already. Default: it is asked.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ids of apps to what ``marathon.diff_app`` says of each, only of those that differ. Raises SaltInvocationError, with
    the app, for what is wrong.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.diff_apps '{/web: {labels: {team: b}}, /new: {cmd: sleep 3600}}'
    """
    client = _client(profile, connection)
    return _diff_apps(*_many(client, apps, mode, current, version), mode)


def _many(client, apps, mode, current, version):
    """The apps that are wanted and those that there are, by id, and the version of the server."""
    _expect(mode in MODES, "mode", mode, "merge or replace")
    _expect(isinstance(apps, Mapping), "apps", apps, "a mapping of ids to fields")
    release = _release(client) if version is None else _marathon_app.release(version)
    there = _by_id(
        _said(client.get("/v2/apps"), "apps", needs=("id",)) if current is None else current
    )
    wanted = {}
    for id, config in apps.items():
        name = id if id in there else _named(id, "apps")
        if name in wanted:
            raise SaltInvocationError(f"apps: {name} stands there twice")
        wanted[name] = _with_id(name, config, f"apps: {name}")
    return wanted, there, release


def _by_id(found):
    return {each["id"]: each for each in found}


def _diff_apps(wanted, there, release, mode):
    found = {}
    for name, config in wanted.items():
        current = there.get(name)
        if (
            current is not None
            and mode == "merge"
            and _marathon_app.stands(current, config, release)
        ):
            continue
        where = f"apps: {name}"
        _checked(_marathon_app.check, config, release, where)
        changes = _differs(current, config, release, mode, where=where)
        if changes:
            found[name] = changes
    return found


def _prepared(client, name, config, mode="merge", unset=()):
    """The version of the server, and a declaration with its id. Raises SaltInvocationError for what is wrong with it."""
    _expect(mode in MODES, "mode", mode, "merge or replace")
    _expect(
        isinstance(unset, (list, tuple)) and all(isinstance(each, str) for each in unset),
        "unset",
        unset,
        "a list of fields",
    )
    wanted = _with_id(name, config)
    release = _release(client)
    _checked(_marathon_app.check, wanted, release)
    return release, wanted


def _with_id(name, config, where="config"):
    _expect(isinstance(config, Mapping), where, config, "a mapping of fields")
    said = config.get("id")
    same = said is None or (isinstance(said, str) and "/" + said.strip("/") == name)
    _expect(same, f"{where}: id", said, f"{name}, as was said first")
    return {**config, "id": name}


def _checked(check, config, release, where="config"):
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
    Make an app that is not there yet.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    config
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is one of that id. Rests on
    ``POST /v2/apps``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.create_app /new '{cmd: sleep 3600, cpus: 0.1, mem: 32}'
    """
    client, name = _client(profile, connection), _named(id)
    release, wanted = _prepared(client, name, config)

    def done():
        found = _found(_app, client, name)
        return (
            found
            and not _marathon_app.diff(found, wanted, release)
            and _result(found, created=True)
        )

    return _begun(
        client,
        "POST",
        "/v2/apps",
        done,
        force,
        _marathon_app.prepared(wanted, release),
        created=True,
    )


def _begun(client, method, path, done, force=False, body=None, created=False, **params):
    """Ask for a change and return what became of it."""
    _expect(isinstance(force, bool), "force", force, "True or False")
    answer, read_back = client.write(
        method, path, done, params={**params, "force": force}, body=body
    )
    if answer is None:
        return read_back
    said = answer.json() if answer.body else {}
    return _result(said, answer.headers.get("marathon-deployment-id"), created)


def _result(said, deployment=None, created=False):
    under_way = [each["id"] for each in said.get("deployments") or () if isinstance(each, Mapping)]
    deployment = deployment or said.get("deploymentId") or (under_way[-1] if under_way else None)
    return {"version": said.get("version"), "deploymentId": deployment, "created": created}


def update_app(id, config, partial=True, unset=(), force=False, profile=None, **connection):
    """
    Change an app, which restarts its tasks if anything else than ``instances`` differs.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    config
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too.

    partial
        True (default): fields that are not given stay as they are. False: they get their defaults, except ``instances`` and
        ``role``; needs Marathon 1.4.

    unset
        Names of fields to be removed, a list. Default none.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. If nothing differs nothing is sent, and ``deploymentId`` is None.
    Raises CommandExecutionError if there is no such app. Rests on ``PUT /v2/apps/ID``, to which all fields are sent, as
    Marathon loses some if it is told a part.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_app /web '{labels: {team: b}}'
        salt-call marathon.update_app /web '{cmd: sleep 1000}' force=True
    """
    _expect(isinstance(partial, bool), "partial", partial, "True or False")
    client, name = _client(profile, connection), _named(id)
    return _updated(client, name, config, "merge" if partial else "replace", unset, force)


def _updated(client, name, config, mode, unset, force):
    release, wanted = _prepared(client, name, config, mode, unset)
    current = _app(client, name)
    if not _differs(current, wanted, release, mode, unset):
        return {"version": current["version"], "deploymentId": None, "created": False}
    if release >= PARTIAL_SINCE:
        params, body = (
            {"partialUpdate": False},
            _marathon_app.merged(current, wanted, release, unset, mode),
        )
    else:
        params, body = {}, _marathon_app.prepared(wanted, release)

    def done():
        found = _found(_app, client, name)
        return (
            found and not _marathon_app.diff(found, wanted, release, mode, unset) and _result(found)
        )

    return _begun(client, "PUT", f"/v2/apps{_path(name)}", done, force, body, **params)


def update_apps(
    apps, mode="merge", current=None, version=None, force=False, profile=None, **connection
):
    """
    Make and change many apps in one deployment. Those that are not mentioned are left alone.

    apps
        Ids of apps to their fields, mappings as in Marathon's JSON.

    mode
        ``merge`` (default): fields that are not given stay as they are. ``replace``: they get their defaults, except
        ``instances`` and ``role``; needs Marathon 1.4 for apps that are there.

    current
        What ``marathon.apps`` returned, if it was asked already. Default: it is asked.

    version
        Version of the server, if that was asked already. Default: it is asked.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId``, ``created`` and ``updated`` (lists of ids). If nothing differs nothing is sent, and
    ``deploymentId`` is None. Raises SaltInvocationError, with the app, for what is wrong. Rests on ``PUT /v2/apps``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_apps '{/web: {labels: {team: b}}, /new: {cmd: sleep 3600}}'
    """
    client = _client(profile, connection)
    wanted, there, release = _many(client, apps, mode, current, version)
    differing = _diff_apps(wanted, there, release, mode)
    changed = {
        "created": sorted(differing.keys() - there.keys()),
        "updated": sorted(differing.keys() & there.keys()),
    }
    if not differing:
        return {"version": None, "deploymentId": None, **changed}
    whole = release >= PARTIAL_SINCE
    bodies = [
        _marathon_app.merged(there[name], wanted[name], release, (), mode)
        if whole and name in there
        else _marathon_app.prepared(wanted[name], release)
        for name in differing
    ]

    def done():
        found = _by_id(_said(client.get("/v2/apps"), "apps", needs=("id",)))
        return not _diff_apps(
            {name: wanted[name] for name in differing}, found, release, mode
        ) and _result({})

    return {
        **_put_apps(client, release, [wanted[name] for name in differing], bodies, done, force),
        **changed,
    }


def _put_apps(client, release, declared, bodies, done, force):
    """Send many apps as one deployment. ``declared`` is what made the bodies, in the same order."""
    whole = {"partialUpdate": False} if release >= PARTIAL_SINCE else {}
    try:
        return _begun(client, "PUT", "/v2/apps", done, force, bodies, **whole)
    except _http_client.InvalidRequest as error:
        raise type(error)(
            f"{_suspects(declared, error.info.get('details'))}: {error}", **error.info
        ) from None


def _suspects(declared, details):
    """Which apps a complaint of Marathon may be about: it names places in an app, and only sometimes which one."""
    paths = (
        [str(each.get("path")) for each in details if isinstance(each, Mapping)]
        if isinstance(details, list)
        else []
    )
    numbers = [int(number) for path in paths for number in re.findall(r"^/?\((\d+)\)", path)]
    fields = {field for path in paths for field in re.findall(r"^/(\w+)", path)}
    found = [declared[number] for number in numbers if number < len(declared)]
    found = found or [each for each in declared if fields and fields <= each.keys()] or declared
    names = _text.shorten_list([each["id"] for each in found])
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def replace_app(id, config, force=False, profile=None, **connection):
    """
    Make an app exactly what is given, whether it is there or not.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    config
        The fields of the app, a mapping as in Marathon's JSON; the older forms are understood, too.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Fields that are not given get their defaults, except ``instances``
    and ``role`` of an app that is there. If nothing differs nothing is sent. Needs Marathon 1.4 for an app that is there.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.replace_app /web '{cmd: sleep 100, cpus: 0.1, mem: 32}'
    """
    client, name = _client(profile, connection), _named(id)
    if _found(_app, client, name) is None:
        return create_app(name, config, force, profile, **connection)
    return _updated(client, name, config, "replace", (), force)


def delete_app(id, force=False, profile=None, **connection):
    """
    Delete an app and its tasks.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is no such app. Rests on
    ``DELETE /v2/apps/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.delete_app /web
    """
    client, name = _client(profile, connection), _named(id)
    _app(client, name)
    return _begun(
        client,
        "DELETE",
        f"/v2/apps{_path(name)}",
        lambda: _found(_app, client, name) is None and _result({}),
        force,
    )


def scale_app(id, instances, force=False, profile=None, **connection):
    """
    Set how many instances of an app there should be. None of those that stay restarts.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    instances
        A whole number, 0 or more. 0 suspends the app.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. If there are as many already nothing is sent.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.scale_app /web 5
    """
    whole = isinstance(instances, int) and not isinstance(instances, bool)
    _expect(whole and instances >= 0, "instances", instances, "a whole number, 0 or more")
    client, name = _client(profile, connection), _named(id)
    return _updated(client, name, {"instances": instances}, "merge", (), force)


def restart_app(id, force=False, profile=None, **connection):
    """
    Replace all tasks of an app by new ones, as its upgradeStrategy says.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. If the answer is lost the versions of the app tell whether it was
    done.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.restart_app /web
    """
    client, name = _client(profile, connection), _named(id)
    before = _app(client, name)["version"]

    def done():
        found = _app(client, name)
        return found["version"] != before and _result(found)

    return _begun(client, "POST", f"/v2/apps{_path(name)}/restart", done, force)


def rollback_app(id, version, force=False, profile=None, **connection):
    """
    Make an app what it was in an earlier version.

    id
        Id of the app, such as ``/shop/cart``; the slash at its beginning may be left out.

    version
        One of those that ``marathon.app_versions`` lists, such as ``2030-01-01T00:00:00.000Z``.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.rollback_app /web 2030-01-01T00:00:00.000Z
    """
    client, name, version = _client(profile, connection), _named(id), _time(version)
    before = _app(client, name)["version"]

    def done():
        found = _app(client, name)
        return found["version"] != before and _result(found)

    return _begun(client, "PUT", f"/v2/apps{_path(name)}", done, force, {"version": version})


# --- tasks ---


def tasks(app=None, status=None, profile=None, **connection):
    """
    List the tasks of Marathon.

    app
        Only those of this app. Default all.

    status
        ``running`` or ``staging``. Default both.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list sorted by app and id, each with ``id``, ``appId``, ``host``, ``ports``, ``state``, ``startedAt``,
    ``version``, ``healthCheckResults`` ... Rests on ``GET /v2/tasks``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.tasks
        salt-call marathon.tasks app=/web
    """
    _expect(status in STATUSES, "status", status, "running or staging")
    client = _client(profile, connection)
    if app is None:
        found = _said(
            client.get("/v2/tasks", params={"status": status}), "tasks", needs=("id", "appId")
        )
    else:
        found = _tasks(client, _named(app, "app"), status)
    return sorted(found, key=lambda each: (each["appId"], each["id"]))


def _tasks(client, name, status=None):
    answer = _one(client, f"/v2/apps{_path(name)}/tasks", f"There is no app called {name}")
    found = _said(answer, "tasks", needs=("id", "appId"))
    # Marathon up to 1.3 tells no state, and null until the task was started.
    return [
        each
        for each in found
        if status in (None, "running" if each.get("startedAt") else "staging")
    ]


def kill_task(app, task, scale=False, wipe=False, force=False, profile=None, **connection):
    """
    Kill one task of an app.

    app
        Id of the app.

    task
        Id of the task.

    scale
        True: as many instances fewer are wanted from now on. Default False: others are started in their place.

    wipe
        True: what a resident app has reserved, and its volumes, are given up, too. Cannot be combined with ``scale``. Default
        False.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns the tasks, a list; with ``scale`` ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if the
    app has no such task.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_task /web web.5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
    """
    client, name = _client(profile, connection), _named(app, "app")
    _expect(isinstance(task, str) and task, "task", task, "the id of a task")
    return _killed(
        client,
        "DELETE",
        f"/v2/apps{_path(name)}/tasks/{_http_client.quote(task)}",
        [task],
        scale,
        wipe,
        force,
    )


def kill_tasks(app, host=None, scale=False, wipe=False, force=False, profile=None, **connection):
    """
    Kill all tasks of an app, or those on one host.

    app
        Id of the app.

    host
        Only those on this host, named as Marathon does. Default all.

    scale
        True: as many instances fewer are wanted from now on. Default False: others are started in their place.

    wipe
        True: what a resident app has reserved, and its volumes, are given up, too. Cannot be combined with ``scale``. Default
        False.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns the tasks, a list; with ``scale`` ``version``, ``deploymentId`` and ``created``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_tasks /web host=lxb001.devops.test
    """
    client, name = _client(profile, connection), _named(app, "app")
    ids = [each["id"] for each in _tasks(client, name) if host in (None, each.get("host"))]
    return _killed(
        client, "DELETE", f"/v2/apps{_path(name)}/tasks", ids, scale, wipe, force, host=host
    )


def kill_task_ids(ids, scale=False, wipe=False, force=False, profile=None, **connection):
    """
    Kill tasks of any apps.

    ids
        Ids of the tasks, a list.

    scale
        True: as many instances fewer are wanted from now on. Default False: others are started in their place.

    wipe
        True: what a resident app has reserved, and its volumes, are given up, too. Cannot be combined with ``scale``. Default
        False.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns the tasks, a list; with ``scale`` ``version``, ``deploymentId`` and ``created``. Rests on ``POST /v2/tasks/delete``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_task_ids '[web.5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43]'
    """
    _expect(
        isinstance(ids, list) and ids and all(isinstance(each, str) for each in ids),
        "ids",
        ids,
        "a list of ids of tasks",
    )
    return _killed(
        _client(profile, connection),
        "POST",
        "/v2/tasks/delete",
        ids,
        scale,
        wipe,
        force,
        {"ids": ids},
    )


def _killed(client, method, path, ids, scale, wipe, force, body=None, **params):
    for name, value in (("scale", scale), ("wipe", wipe), ("force", force)):
        _expect(isinstance(value, bool), name, value, "True or False")
    _expect(not (scale and wipe), "wipe", wipe, "left out where there is scale")

    def done():
        left = {
            each["id"] for each in _said(client.get("/v2/tasks"), "tasks", needs=("id",))
        } & set(ids)
        return not left and {"version": None, "deploymentId": None, "created": False, "killed": ids}

    params = {**params, "scale": scale, "wipe": wipe, "force": force}
    answer, read_back = client.write(method, path, done, params=params, body=body)
    if answer is None:
        return read_back
    said = answer.json() if answer.body else {}
    if scale:
        return _result(said)
    return said["tasks"] if "tasks" in said else [said["task"]] if said.get("task") else []


# --- groups ---


def groups(id="/", profile=None, **connection):
    """
    List the groups below one.

    id
        Id of the group, default ``/``: all.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list of ids, sorted, without that of the group itself.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.groups
        salt-call marathon.groups /shop
    """
    found = _group(_client(profile, connection), _named(id, root=True))
    return sorted(each["id"] for each in _below(found) if each is not found)


def _group(client, name, embed=WHOLE_GROUP):
    path = "/v2/groups" if name == "/" else f"/v2/groups{_path(name)}"
    return _said(
        _one(client, path, f"There is no group called {name}", {"embed": embed}),
        kind=dict,
        needs=("id", "version"),
    )


def _below(group):
    """A group and all groups in it."""
    yield group
    for each in group.get("groups") or ():
        yield from _below(each)


def group(id="/", embed=None, profile=None, **connection):
    """
    Show a group with what is in it.

    id
        Id of the group, such as ``/shop``; the slash at its beginning may be left out.

    embed
        What to show, a list of Marathon's words such as ``group.apps`` and ``group.apps.tasks``. Default: its apps, pods and
        groups.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``id``, ``apps``, ``pods``, ``groups``, ``dependencies`` and ``version``. Raises CommandExecutionError if there is
    no such group. Rests on ``GET /v2/groups/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.group /shop
    """
    _expect(
        embed is None
        or (isinstance(embed, list) and all(str(each).startswith("group.") for each in embed)),
        "embed",
        embed,
        "a list such as [group.apps]",
    )
    return _group(
        _client(profile, connection), _named(id, root=True), WHOLE_GROUP if embed is None else embed
    )


def group_exists(id, profile=None, **connection):
    """
    Say whether there is a group.

    id
        Id of the group, such as ``/shop``; the slash at its beginning may be left out.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns True or False. False is a group that is not there; whatever else is wrong raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.group_exists /shop
    """
    return (
        _found(_group, _client(profile, connection), _named(id, root=True), ["group.groups"])
        is not None
    )


def create_group(id, config=None, force=False, profile=None, **connection):
    """
    Make a group that is not there yet.

    id
        Id of the group, such as ``/shop``; the slash at its beginning may be left out.

    config
        ``apps``, ``groups`` and ``dependencies``, a mapping as in Marathon's JSON. Default: an empty group.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is one of that id. Rests on
    ``POST /v2/groups``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.create_group /new-group '{apps: [{id: a, cmd: sleep 3600}]}'
    """
    client, name = _client(profile, connection), _named(id)
    body = _with_id(name, config or {})

    def done():
        found = _found(_group, client, name)
        return found and _result(found, created=True)

    return _begun(client, "POST", "/v2/groups", done, force, body, created=True)


def update_group(id, config, purge=False, dry_run=False, force=False, profile=None, **connection):
    """
    Change a group. Marathon makes it what it is told: apps and groups that are not listed where others are listed vanish.

    id
        Id of the group, such as ``/shop``; the slash at its beginning may be left out.

    config
        ``apps``, ``groups`` and ``dependencies``, a mapping as in Marathon's JSON. What is left out as a whole is kept.

    purge
        True: what is there and not listed is deleted. Default False: that is refused, with what it would be.

    dry_run
        True: only say which steps Marathon would take. Default False.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. With ``dry_run`` a list of steps, each a list of ``action`` and
    ``app`` or ``pod``. Raises CommandExecutionError if something would vanish. Rests on ``PUT /v2/groups/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_group /shop '{dependencies: [/web]}'
        salt-call marathon.update_group /shop '{dependencies: [/web]}' dry_run=True
    """
    client, name = _client(profile, connection), _named(id, root=True)
    body = _with_id(name, config)
    special = sorted({"scaleBy", "version"} & set(body))
    _expect(
        not special,
        "config",
        special,
        "left out: see marathon.scale_group and marathon.rollback_group",
    )
    current = _group(client, name)
    lost = _lost(current, body, name)
    if lost and purge is not True:
        raise SaltInvocationError(
            f"config: {', '.join(lost)} would be deleted, as it is not listed. If that is meant: purge=True"
        )
    path = "/v2/groups" if name == "/" else f"/v2/groups{_path(name)}"
    if dry_run:
        answer = client.request(
            "PUT", path, params={"dryRun": True, "force": force}, body=body, idempotent=True
        )
        return [each["actions"] for each in _said(answer, "steps", needs=("actions",))]

    def done():
        found = _group(client, name)
        return found["version"] != current["version"] and _result(found)

    return _begun(client, "PUT", path, done, force, body)


def _lost(current, wanted, name):
    """Ids of the apps, pods and groups that a PUT of this group would delete."""

    def full(part):
        text = str(part.get("id", ""))
        return text if text.startswith("/") else f"{name.rstrip('/')}/{text}"

    lost = []
    for kind in ("apps", "groups"):
        if kind not in wanted:
            continue
        _expect(
            isinstance(wanted[kind], list)
            and all(isinstance(each, Mapping) for each in wanted[kind]),
            f"config: {kind}",
            wanted[kind],
            "a list of mappings",
        )
        listed = {full(each): each for each in wanted[kind]}
        for each in current.get(kind) or ():
            if each["id"] not in listed:
                lost += [each["id"]] if kind == "apps" else _all_in(each)
            elif kind == "groups":
                lost += _lost(each, listed[each["id"]], each["id"])
    return lost


def _all_in(group):
    """The id of a group, and of all apps and pods in it."""
    found = [group["id"]]
    for each in _below(group):
        found += [part["id"] for kind in ("apps", "pods") for part in each.get(kind) or ()]
    return found


def delete_group(id, force=False, profile=None, **connection):
    """
    Delete a group with all apps, pods and groups in it.

    id
        Id of the group. ``/`` is refused: that is everything.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is no such group.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.delete_group /shop
    """
    client, name = _client(profile, connection), _named(id)
    _group(client, name, ["group.groups"])
    return _begun(
        client,
        "DELETE",
        f"/v2/groups{_path(name)}",
        lambda: _found(_group, client, name) is None and _result({}),
        force,
    )


def scale_group(id, factor, force=False, profile=None, **connection):
    """
    Multiply the instances of all apps of a group.

    id
        Id of the group, such as ``/shop``; the slash at its beginning may be left out.

    factor
        A number above 0: 2 doubles them, 0.5 halves them.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.scale_group /shop 2
    """
    _expect(
        isinstance(factor, (int, float)) and not isinstance(factor, bool) and factor > 0,
        "factor",
        factor,
        "a number above 0",
    )
    return _group_changed(id, {"scaleBy": factor}, force, profile, connection)


def rollback_group(id, version, force=False, profile=None, **connection):
    """
    Make a group what it was in an earlier version: apps that came since vanish.

    id
        Id of the group, such as ``/shop``; the slash at its beginning may be left out.

    version
        One of those that ``marathon.group_versions`` lists.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.rollback_group /shop 2030-01-01T00:00:00.000Z
    """
    return _group_changed(id, {"version": _time(version)}, force, profile, connection)


def _group_changed(id, body, force, profile, connection):
    client, name = _client(profile, connection), _named(id)
    before = _group(client, name, ["group.groups"])["version"]

    def done():
        found = _group(client, name, ["group.groups"])
        return found["version"] != before and _result(found)

    return _begun(client, "PUT", f"/v2/groups{_path(name)}", done, force, body)


def group_versions(id="/", profile=None, **connection):
    """
    List the versions that a group had.

    id
        Id of the group, default ``/``: all.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list of times, as Marathon orders them.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.group_versions /shop
    """
    name = _named(id, root=True)
    path = "/v2/groups/versions" if name == "/" else f"/v2/groups{_path(name)}/versions"
    return _one(_client(profile, connection), path, f"There is no group called {name}").json(list)


# --- pods ---


def pods(profile=None, **connection):
    """
    Show all pods.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list sorted by id, each as Marathon shows it. Needs Marathon 1.4. Rests on ``GET /v2/pods``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pods
    """
    return sorted(
        _said(_client(profile, connection).get("/v2/pods"), needs=("id",)),
        key=lambda each: each["id"],
    )


def pod(id, profile=None, **connection):
    """
    Show a pod.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns it as Marathon shows it. Raises CommandExecutionError if there is no such pod. Rests on ``GET /v2/pods/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod /pod
    """
    return _pod(_client(profile, connection), _named(id))


def _pod(client, name):
    return _said(
        _one(client, f"/v2/pods{_path(name)}", f"There is no pod called {name}"),
        kind=dict,
        needs=("id",),
    )


def pod_exists(id, profile=None, **connection):
    """
    Say whether there is a pod.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns True or False. False is a pod that is not there; whatever else is wrong raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod_exists /pod
    """
    return _found(_pod, _client(profile, connection), _named(id)) is not None


def canonical_pod(config, version=None, profile=None, **connection):
    """
    Show what a pod amounts to, in a form that is the same for what is declared and for what Marathon returns.

    config
        The fields of the pod, a mapping as in Marathon's JSON.

    version
        Version of Marathon whose defaults count, such as ``1.8.244``. Default: that of the server.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns all fields with defaults filled in. With a ``version`` nobody is asked.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.canonical_pod '{id: /p, containers: [{name: a, resources: {cpus: 0.1, mem: 32}}]}' version=1.8.244
    """
    version = _version(version, profile, connection)
    _checked(_marathon_app.check_pod, config, version)
    return _marathon_app.canonical_pod(config, version)


def diff_pod(id, config, mode="merge", unset=(), profile=None, **connection):
    """
    Say what a declaration would change in a pod.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    config
        The fields of the pod, a mapping as in Marathon's JSON.

    mode
        ``merge`` (default): only the fields that are given count. ``replace``: all of them, except ``instances`` and ``role``
        if they are not given.

    unset
        Names of fields to be removed, a list. Default none.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns path to ``old`` and ``new``, as ``marathon.diff_app`` does.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.diff_pod /pod '{labels: {team: b}}'
    """
    client, name = _client(profile, connection), _named(id)
    release, wanted = _prepared_pod(client, name, config, mode)
    current = _found(_pod, client, name)
    if current is None:
        return {"/": {"old": None, "new": _marathon_app.canonical_pod(wanted, release)}}
    return _marathon_app.diff_pod(current, wanted, release, mode, unset)


def _prepared_pod(client, name, config, mode="merge"):
    _expect(mode in MODES, "mode", mode, "merge or replace")
    wanted = _with_id(name, config)
    release = _release(client)
    if release < PODS_SINCE:
        raise SaltInvocationError(
            f"{name}: pods need Marathon 1.4, and this is {'.'.join(map(str, release))}"
        )
    _checked(_marathon_app.check_pod, wanted, release)
    return release, wanted


def create_pod(id, config, force=False, profile=None, **connection):
    """
    Make a pod that is not there yet.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    config
        The fields of the pod, a mapping as in Marathon's JSON.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is one of that id. Rests on
    ``POST /v2/pods``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.create_pod /new '{containers: [{name: a, exec: {command: {shell: sleep 99}}, resources: {cpus: 0.1, mem: 32}}]}'
    """
    client, name = _client(profile, connection), _named(id)
    release, wanted = _prepared_pod(client, name, config)

    def done():
        found = _found(_pod, client, name)
        return (
            found
            and not _marathon_app.diff_pod(found, wanted, release)
            and _result(found, created=True)
        )

    return _begun(
        client,
        "POST",
        "/v2/pods",
        done,
        force,
        _marathon_app.prepared_pod(wanted, release),
        created=True,
    )


def update_pod(id, config, mode="merge", unset=(), force=False, profile=None, **connection):
    """
    Change a pod, which restarts its instances if anything else than their number differs.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    config
        The fields of the pod, a mapping as in Marathon's JSON.

    mode
        ``merge`` (default): only the fields that are given count. ``replace``: all of them, except ``instances`` and ``role``
        if they are not given.

    unset
        Names of fields to be removed, a list. Default none.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. If nothing differs nothing is sent. Raises CommandExecutionError if
    there is no such pod. Rests on ``PUT /v2/pods/ID``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.update_pod /pod '{labels: {team: b}}'
    """
    client, name = _client(profile, connection), _named(id)
    release, wanted = _prepared_pod(client, name, config, mode)
    current = _pod(client, name)
    if not _marathon_app.diff_pod(current, wanted, release, mode, unset):
        return {"version": current.get("version"), "deploymentId": None, "created": False}

    def done():
        found = _found(_pod, client, name)
        return (
            found
            and not _marathon_app.diff_pod(found, wanted, release, mode, unset)
            and _result(found)
        )

    return _begun(
        client,
        "PUT",
        f"/v2/pods{_path(name)}",
        done,
        force,
        _marathon_app.merged_pod(current, wanted, release, unset, mode),
    )


def delete_pod(id, force=False, profile=None, **connection):
    """
    Delete a pod and its instances.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` and ``created``. Raises CommandExecutionError if there is no such pod.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.delete_pod /pod
    """
    client, name = _client(profile, connection), _named(id)
    _pod(client, name)
    return _begun(
        client,
        "DELETE",
        f"/v2/pods{_path(name)}",
        lambda: _found(_pod, client, name) is None and _result({}),
        force,
    )


def pod_status(id=None, profile=None, **connection):
    """
    Show how pods do.

    id
        Id of a pod. Default: all pods.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a mapping, or a list of them for all pods: ``id``, ``spec``, ``status`` (``STABLE``, ``DEGRADED``, ``TERMINAL``),
    ``instances`` ... Rests on ``GET /v2/pods/ID::status``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod_status /pod
        salt-call marathon.pod_status
    """
    client = _client(profile, connection)
    if id is None:
        return sorted(
            _said(client.get("/v2/pods::status"), needs=("id",)), key=lambda each: each["id"]
        )
    return _pod_status(client, _named(id))


def _pod_status(client, name):
    answer = _one(client, f"/v2/pods{_path(name)}::status", f"There is no pod called {name}")
    return _said(answer, kind=dict, needs=("id", "spec", "status"))


def pod_versions(id, profile=None, **connection):
    """
    List the versions that a pod had.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list of times. Rests on ``GET /v2/pods/ID::versions``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.pod_versions /pod
    """
    name = _named(id)
    return _one(
        _client(profile, connection),
        f"/v2/pods{_path(name)}::versions",
        f"There is no pod called {name}",
    ).json(list)


def kill_pod_instances(id, instances, wipe=False, profile=None, **connection):
    """
    Kill instances of a pod; others are started in their place.

    id
        Id of the pod, such as ``/pod``; the slash at its beginning may be left out.

    instances
        Their ids, as ``marathon.pod_status`` tells them, a list.

    wipe
        True: what they have reserved, and their volumes, are given up, too. Default False.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns what Marathon says of those that it kills, a list.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.kill_pod_instances /pod '[pod.instance-5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43]'
    """
    _expect(
        isinstance(instances, list)
        and instances
        and all(isinstance(each, str) for each in instances),
        "instances",
        instances,
        "a list of ids of instances",
    )
    client, name = _client(profile, connection), _named(id)

    def done():
        left = {each["id"] for each in _pod_status(client, name).get("instances", ())} & set(
            instances
        )
        return not left

    answer, _ = client.write(
        "DELETE", f"/v2/pods{_path(name)}::instances", done, params={"wipe": wipe}, body=instances
    )
    return instances if answer is None else answer.json(list)


# --- deployments ---


def deployments(app=None, profile=None, **connection):
    """
    List the deployments that are under way.

    app
        Only those that change this app or pod. Default all.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns a list, the oldest first, each with ``id``, ``version``, ``affectedApps``, ``affectedPods``, ``currentActions``,
    ``currentStep``, ``totalSteps`` and ``steps``. Rests on ``GET /v2/deployments``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.deployments
        salt-call marathon.deployments /web
    """
    name = None if app is None else _named(app, "app")
    found = _deployments(_client(profile, connection))
    return [
        each
        for each in found
        if name is None or name in [*each["affectedApps"], *each["affectedPods"]]
    ]


def _deployments(client):
    answer = client.get("/v2/deployments")
    found = [
        {"affectedApps": [], "affectedPods": [], **each} for each in _said(answer, needs=("id",))
    ]
    return sorted(found, key=lambda each: each.get("version", ""))


def _deployment(client, id):
    return next((each for each in _deployments(client) if each["id"] == id), None)


def _deployment_line(deployment):
    actions = ", ".join(
        f"{each['action']} {each.get('app') or each.get('pod')}"
        for each in deployment.get("currentActions", ())
    )
    return f"{deployment['id']}: step {deployment.get('currentStep')} of {deployment.get('totalSteps')}: {actions or 'nothing yet'}"


def deployment(id, profile=None, **connection):
    """
    Show a deployment that is under way.

    id
        Id of the deployment.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns it, see ``marathon.deployments``. Raises CommandExecutionError if there is none: it is over, or never was.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
    """
    found = _deployment(_client(profile, connection), _deployment_id(id))
    if found is None:
        raise _http_client.NotFound(f"There is no deployment {id} under way")
    return found


def cancel_deployment(id, force=False, profile=None, **connection):
    """
    Give up a deployment.

    id
        Id of the deployment.

    force
        False (default): a new deployment undoes what it has done. True: everything stays as it is now, half done.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version``, ``deploymentId`` (that of the one that undoes it, None with ``force``) and ``created``. Raises
    CommandExecutionError if there is no such deployment.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.cancel_deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
    """
    client, id = _client(profile, connection), _deployment_id(id)
    path = f"/v2/deployments/{_http_client.quote(id)}"
    return _begun(
        client, "DELETE", path, lambda: _deployment(client, id) is None and _result({}), force
    )


def wait_deployment(id, timeout=300, interval=2, profile=None, **connection):
    """
    Wait until a deployment is over, and say what came of it. While Marathon is without a leader it goes on waiting: the next one
    goes on with the deployment.

    id
        Id of the deployment.

    timeout
        Seconds, default 300.

    interval
        Seconds between two looks, default 2.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``result``, ``reason`` (text) and ``apps`` (each app or pod that it changes, to what is wrong with it, None if
    nothing is). The result is ``done``; ``cancelled`` (an app is not what the deployment made of it); ``failed`` (it is over,
    and fewer instances run than there should); ``timeout`` (it goes on, and why); or ``unknown``, if it was not there at the
    first look: it is over, or never was.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.wait_deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43
        salt-call marathon.wait_deployment 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43 timeout=60 interval=1
    """
    id, timeout, interval = (
        _deployment_id(id),
        _http_settings.check_timeout(timeout),
        _http_settings.check_timeout(interval),
    )
    client, deadline = _client(profile, connection), time.monotonic() + timeout
    deployment = _deployment(client, id)
    if deployment is None and _release(client) < ACKNOWLEDGED_LATE:
        time.sleep(1)
        deployment = _deployment(client, id)
    if deployment is None:
        return {
            "result": "unknown",
            "reason": "It is not under way: it is over, or never was",
            "apps": {},
        }
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(interval, left))
        try:
            current = _deployment(client, id)
            if current is None:
                return _outcome(client, deployment)
        except (_http_client.Unreachable, _http_client.NoLeader, _http_client.ServerError):
            continue  # the next leader goes on with it
        deployment = current
    return _outcome(client, deployment, over=False)


def _outcome(client, deployment, over=True):
    """What came of a deployment, or what it waits for."""
    queue = {_queued_id(each): each for each in _queue(client)}
    actions = [each for step in deployment.get("steps", ()) for each in step.get("actions", ())]
    stopped = {each.get("app") or each.get("pod") for each in actions if "Stop" in each["action"]}
    kinds, wrong = set(), {}
    known = None
    if len(deployment["affectedApps"]) > FEW_APPS:
        embed = ["apps.counts", "apps.lastTaskFailure"]
        known = _by_id(
            _said(
                client.get("/v2/apps", params={"embed": embed}), "apps", needs=("id", "instances")
            )
        )
    for name in [*deployment["affectedApps"], *deployment["affectedPods"]]:
        is_pod = name in deployment["affectedPods"]
        kind, why = _fate(
            client, name, is_pod, name in stopped, deployment.get("version", ""), known
        )
        if (
            kind == "done" and not over and name in queue
        ):  # the instances that run are of the version before
            kind, why = "failed", "not all new instances run"
        if kind != "done" and name in queue:
            why = f"{why}; {_queued_why(queue[name])}"
        kinds.add(kind)
        wrong[name] = None if kind == "done" else why
    result = (
        next((each for each in ("cancelled", "failed") if each in kinds), "done")
        if over
        else "timeout"
    )
    reasons = "; ".join(
        _text.shorten_list([f"{name}: {why}" for name, why in wrong.items() if why])
    )
    reason = (
        ". ".join(filter(None, (_deployment_line(deployment), reasons)))
        if not over
        else reasons or "All is as it should be"
    )
    return {"result": result, "reason": reason, "apps": wrong}


def _fate(client, name, is_pod, is_stopped, version, known):
    """Whether an app or pod became what a deployment was to make of it, and why not. ``known`` has all apps, unless it is None."""
    if known is not None and not is_pod:
        current = known.get(name)
    else:
        current = (
            _found(_pod_status, client, name)
            if is_pod
            else _found(_app, client, name, ["apps.counts", "apps.lastTaskFailure"])
        )
    if is_stopped:
        return ("done", None) if current is None else ("cancelled", "it is still there")
    if current is None:
        return "cancelled", "it is not there"
    found = current["spec"] if is_pod else current
    if version and found.get("version", version) != version:
        return "cancelled", f"its version is {found['version']}, not {version}"
    if is_pod:
        stable = current["status"] == "STABLE"
        return (
            ("done", None)
            if stable
            else ("failed", f"{current['status']}: {current.get('message') or 'no reason given'}")
        )
    running, wanted, failure = (
        current.get("tasksRunning", 0),
        current["instances"],
        current.get("lastTaskFailure"),
    )
    sick = current.get("tasksUnhealthy", 0)
    healthy = not current.get("healthChecks") or current.get("tasksHealthy", 0) >= wanted
    if running >= wanted and not sick and healthy:
        return "done", None
    why = f"{running} of {wanted} instances run" + (
        f", {sick} unhealthy" if sick else "" if healthy else ", not all healthy yet"
    )
    if failure:
        why += f"; the last that failed: {failure.get('state')} on {failure.get('host')}: {failure.get('message') or 'no reason given'}"
    return "failed", why


# --- the queue ---


def queue(embed_offers=False, profile=None, **connection):
    """
    Show which instances Marathon wants to start and cannot yet.

    embed_offers
        True: with the last offers that were of no use. Default False.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns app or pod to ``count`` (instances), ``delay`` (seconds until the next try, after failures), ``why`` (a line),
    ``since``, ``rejected`` (reason to how many of the last offers were refused for it; Marathon 1.4) and, if asked for,
    ``offers``. Rests on ``GET /v2/queue``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.queue
        salt-call marathon.queue embed_offers=True
    """
    _expect(isinstance(embed_offers, bool), "embed_offers", embed_offers, "True or False")
    params = {"embed": "lastUnusedOffers"} if embed_offers else None
    found = _queue(_client(profile, connection), params)
    shown = {}
    for each in sorted(found, key=_queued_id):
        shown[_queued_id(each)] = {
            "count": each["count"], "delay": each["delay"]["timeLeftSeconds"], "why": _queued_why(each), "since": each.get("since"),
            "rejected": _rejected(each), **({"offers": each.get("lastUnusedOffers", [])} if embed_offers else {}),
        }  # fmt: skip
    return shown


def _queue(client, params=None):
    return _said(client.get("/v2/queue", params=params), "queue", needs=("count", "delay"))


def _queued_id(each):
    return (each.get("app") or each.get("pod"))["id"]


def _rejected(each):
    summary = each.get("processedOffersSummary", {}).get("rejectSummaryLastOffers", ())
    return {part["reason"]: part["declined"] for part in summary if part["declined"]}


def _queued_why(each):
    """Why instances wait, in a line."""
    delay = each["delay"]["timeLeftSeconds"]
    text = f"{each['count']} wait for offers"
    if delay:
        text = f"{each['count']} wait {delay} seconds after failures"
    rejected = _rejected(each)
    if rejected:
        text += ", refused: " + ", ".join(f"{name} {count}" for name, count in rejected.items())
    elif "processedOffersSummary" in each and not each["processedOffersSummary"].get(
        "processedOffersCount"
    ):
        text += ", none came"
    return text


def reset_delay(app, profile=None, **connection):
    """
    Try to start an app again at once, which Marathon delays after failures.

    app
        Id of the app or pod.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns True. Raises CommandExecutionError if none of its instances waits. Rests on ``DELETE /v2/queue/ID/delay``.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.reset_delay /sick
    """
    client, name = _client(profile, connection), _named(app, "app")
    try:
        answer = client.write("DELETE", f"/v2/queue{_path(name)}/delay", lambda: False).response
    except _http_client.NotFound as error:
        raise _http_client.NotFound(
            f"No instance of {name} waits to be started", **error.info
        ) from None
    if answer.body:
        raise _strange(answer)
    return True


# --- everything ---


def export(profile=None, **connection):
    """
    Show all that Marathon was told, in a form that ``marathon.import`` takes.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``version`` (of Marathon), ``apps``, ``pods`` (lists, without what Marathon adds) and ``groups`` (id to
    ``dependencies`` and ``enforceRole``, of groups with any of these or with nothing in them). The env of apps may hold
    secrets.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.export
        salt-call marathon.export --out=json
    """
    client = _client(profile, connection)
    return _exported(client)


def _exported(client):
    release, root = _release(client), _group(client, "/")
    found = {"version": ".".join(map(str, release)), "apps": [], "pods": [], "groups": {}}
    for group in _below(root):
        found["apps"] += [_marathon_app.writable(each, release) for each in group.get("apps") or ()]
        found["pods"] += [_without_version(each) for each in group.get("pods") or ()]
        marks = {name: group[name] for name in ("dependencies", "enforceRole") if group.get(name)}
        empty = not any(group.get(kind) for kind in STRUCTURE)
        if group["id"] != "/" and (marks or empty):
            found["groups"][group["id"]] = marks
    for kind in ("apps", "pods"):
        found[kind].sort(key=lambda each: each["id"])
    return found


def _without_version(pod):
    return {name: value for name, value in pod.items() if name != "version"}


def import_(config, dry_run=False, timeout=300, force=False, profile=None, **connection):
    """
    Make all apps, pods and groups what ``marathon.export`` once showed. Nothing is deleted, and what is so already is left
    alone.

    config
        What ``marathon.export`` returned: ``apps``, ``pods`` and ``groups``.

    dry_run
        True: only say what would be changed. Default False.

    timeout
        Seconds to wait for the deployment of the apps before pods and groups follow, default 300.

    force
        True: a deployment that is under way for the same is given up for this. Default False: it is refused then, with the ids
        of those.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns ``apps``, ``pods`` and ``groups`` (lists of the ids that were changed) and ``deployments`` (ids). All apps are one
    deployment. Raises SaltInvocationError, before anything is sent, for what is no app or pod.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.import '{apps: [{id: /imported, cmd: sleep 3600}]}' dry_run=True
        salt-call marathon.import '{apps: [{id: /imported, cmd: sleep 3600}]}'
    """
    told = isinstance(config, Mapping) and any(config.get(kind) for kind in STRUCTURE)
    _expect(told, "config", config, "a mapping with apps, pods or groups")
    client, timeout = _client(profile, connection), _http_settings.check_timeout(timeout)
    wanted = _importable(config)
    release, root = _release(client), _group(client, "/")
    there = {
        kind: {each["id"]: each for group in _below(root) for each in group.get(kind) or ()}
        for kind in ("apps", "pods")
    }
    groups = {each["id"]: each for each in _below(root)}
    for each in wanted["apps"]:
        _checked(_marathon_app.check, each, release)
    for each in wanted["pods"]:
        _checked(_marathon_app.check_pod, each, release)

    def differs(compare, kind, each):
        current = there[kind].get(each["id"])
        return current is None or bool(compare(current, each, release, "replace"))

    apps = [each for each in wanted["apps"] if differs(_marathon_app.diff, "apps", each)]
    pods = [each for each in wanted["pods"] if differs(_marathon_app.diff_pod, "pods", each)]
    marks = {
        name: each
        for name, each in wanted["groups"].items()
        if name not in groups or not _has(groups[name], each)
    }
    changed = {
        "apps": [each["id"] for each in apps],
        "pods": [each["id"] for each in pods],
        "groups": sorted(marks),
        "deployments": [],
    }
    if dry_run:
        return changed
    begun = changed["deployments"]
    if apps:
        bodies = [_marathon_app.prepared(each, release) for each in apps]
        begun.append(_put_apps(client, release, apps, bodies, lambda: False, force)["deploymentId"])
    for each in pods:
        create_or_update = update_pod if each["id"] in there["pods"] else create_pod
        options = {"mode": "replace"} if create_or_update is update_pod else {}
        begun.append(
            create_or_update(
                each["id"], each, force=force, profile=profile, **options, **connection
            )["deploymentId"]
        )
    if marks and apps:
        wait_deployment(begun[0], timeout, profile=profile, **connection)
    for name, each in sorted(marks.items()):
        dependencies = {"dependencies": each["dependencies"]} if each.get("dependencies") else {}
        act = update_group if _found(_group, client, name, ["group.groups"]) else create_group
        begun.append(
            act(name, dependencies, force=force, profile=profile, **connection)["deploymentId"]
        )
        if "enforceRole" in each:
            client.write(
                "PATCH",
                f"/v2/groups{_path(name)}",
                lambda: False,
                body={"enforceRole": each["enforceRole"]},
            )
    return changed


def _importable(config):
    """What is to be imported, with each id in its full form."""
    wanted = {"apps": [], "pods": [], "groups": {}}
    for kind in ("apps", "pods"):
        given = config.get(kind) or []
        _expect(isinstance(given, list), f"config: {kind}", given, "a list")
        for each in given:
            _expect(isinstance(each, Mapping), f"config: {kind}", each, "a mapping of fields")
            wanted[kind].append({**each, "id": _named(each.get("id"), f"config: {kind}: id")})
    given = config.get("groups") or {}
    _expect(isinstance(given, Mapping), "config: groups", given, "a mapping of ids")
    for name, each in given.items():
        _expect(isinstance(each or {}, Mapping), f"config: groups: {name}", each, "a mapping")
        wanted["groups"][_named(name, "config: groups")] = each or {}
    return wanted


def _has(group, marks):
    return all((group.get(name) or None) == (value or None) for name, value in marks.items())


def api_call(method, path, params=None, body=None, confirm=False, profile=None, **connection):
    """
    Make any request: the way out for what has no function here.

    method, path
        Such as ``GET`` and ``/v2/info``.

    params
        The query, a mapping. Default none.

    body
        What is sent as JSON. Default nothing.

    confirm
        Has to be True for a DELETE, and for anything but a read of ``/v2/groups``: that is everything.

    profile, connection
        Where and how to ask: see ``marathon.connection``.

    Returns the answer: what its JSON says, text if it is none, None if it is empty. Only GET is repeated if there is no answer.

    CLI Example:

    .. code-block:: bash

        salt-call marathon.api_call GET /v2/info
    """
    _expect(
        method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        "method",
        method,
        "GET, HEAD, POST, PUT, PATCH or DELETE",
    )
    _expect(
        isinstance(path, str) and re.fullmatch(r"/[!-~]*", path) and "?" not in path,
        "path",
        path,
        "a path such as /v2/info",
    )
    _expect(params is None or isinstance(params, Mapping), "params", params, "a mapping")
    everything = method != "GET" and path.rstrip("/") == "/v2/groups"
    _expect(
        confirm is True or not (method == "DELETE" or everything),
        "confirm",
        confirm,
        f"True: {method} {path} cannot be taken back",
    )
    return (
        _client(profile, connection).request(method, path, params=params, body=body).json_or_text()
    )


# --- checks ---


def _expect(fits, argument, value, should):
    """Refuse an argument, in one line."""
    if not fits:
        raise SaltInvocationError(f"{argument}: {_text.shorten(repr(value))} should be {should}")


def _named(id, argument="id", root=False):
    """An id in its full form. The root is refused where it is not asked for: it is everything."""
    _expect(
        isinstance(id, str) and id.strip(), argument, id, "text such as /web. A number needs quotes"
    )
    if id.strip("/") == "":
        _expect(root, argument, id, "an app, pod or group below the root: / is everything")
        return "/"
    fits = all(_marathon_app.SEGMENT.fullmatch(part) for part in id.strip("/").split("/"))
    _expect(
        fits, argument, id, "small letters, digits, - and . between slashes, such as /shop/cart"
    )
    return "/" + id.strip("/")


def _path(name):
    return _http_client.quote(_named(name), safe="/")


def _time(version):
    """A version as text; salt makes a time of what looks like one."""
    fits = isinstance(version, str) and re.fullmatch(r"[\dT:.Z+-]+", version)
    _expect(fits, "version", version, "a time such as 2030-01-01T00:00:00.000Z")
    return version


def _deployment_id(id):
    _expect(
        isinstance(id, str) and re.fullmatch(r"[\w-]+", id),
        "id",
        id,
        "the id of a deployment: letters, digits and -",
    )
    return id
