"""
HTTP, and what goes with it, for the modules mesos, marathon, chronos and zk. No module itself: Salt's loader skips
names that begin with ``_``.

The standard library alone, as that is what a minion and a host under salt-ssh surely have. No proxy and no netrc: who
manages a cluster asks its daemons themselves, whatever the environment of the minion says.

A ``Client`` knows where the servers of one service are and how to ask them. It asks one after another until one answers,
follows a master's redirect to the leader, repeats what only reads, and never repeats a write whose answer was lost.
Credentials go to servers that the configuration names, and nowhere else.

Each module that is loaded loads this file anew, for all of them. Its classes, such as ``NotFound``, are therefore named
where they are caught: what another module keeps of them in a constant would be of before.
"""

import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.parse
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from salt.exceptions import CommandExecutionError, SaltInvocationError

CONNECT_TIMEOUT = 5
# The agents of a cluster of thousands in one answer, and more than anything that these daemons say besides.
MAX_BYTES = 64 * 1024 * 1024
CHUNK = 64 * 1024
SHOWN_LENGTH = 200
MAX_LOOKED_AT = 10000
MAX_HOPS = 3

DEFAULTS = {
    "url": None,
    "username": None,
    "password": None,
    "token": None,
    "auth_scheme": "Bearer",
    "verify_ssl": True,
    "ca_bundle": None,
    "cert": None,
    "key": None,
    "timeout": 15,
    "connect_timeout": CONNECT_TIMEOUT,
    "total_timeout": 60,
    "retries": 2,
    "retry_delay": 1.0,
    "redirect_hosts": [],
    "headers": {},
    "api_version": None,
}

# Where in ZooKeeper the candidates of a service are, below the path of the URL, and how their nodes are called. Other
# children are no candidates. The lowest number leads.
CANDIDATES = {
    "mesos": (("", r"json\.info_(\d{10})"),),
    "marathon": (("/leader-curator", r".*latch-(\d{10})"), ("/leader", r"member_(\d{10})")),
    "chronos": (("/candidate", r".*latch-(\d{10})"),),
}

# What servers say that did not even begin with what they were asked for. All of it may be asked again, of another one.
NO_LEADER = (
    "No leader elected",
    "Master has not finished recovery",
    "Could not determine the current leader",
)
NOT_BEGUN = (
    *NO_LEADER,
    "Agent has not finished recovery",
    "Connection to leader refused",
    "Detected proxying loop",
    "Too many concurrent requests",
)
NO_ANSWER_YET = (502, 503, 504)
CHRONOS_CANNOT_PROXY = "Error proxying request to leader"

CONNECTION_DOC = """
    Say where and how the functions of this module would ask, without asking anyone.

    profile
        Name of a set of settings, default ``api``, or the set itself as a mapping.

    connection
        Settings for this call alone. Each one is taken from the call, else from ``{service}:PROFILE:SETTING``, else from
        ``{service}:SETTING``, of the minion's configuration or pillar (in this order), else it is the default:

        * ``url``: one URL, several with commas, or a list of them, each ``http://`` (which may be left out) or ``https://``,
          with or without a path; or ``zk://host1:2181,host2:2181/path``, where the leader is looked up if Salt's module
          ``zookeeper`` is loaded. Default ``{default}``. They are asked in this order, after the last that led.
        * ``username``, ``password``: for Basic authentication. They may stand in the URL instead.
        * ``token``, ``auth_scheme``: sent as ``Authorization: Bearer TOKEN``, or as ``Authorization: token=TOKEN`` if the
          scheme is ``token=`` (DC/OS). Default scheme ``Bearer``.
        * ``verify_ssl``: whether certificates are checked, default True. ``ca_bundle``: file or directory with the
          authorities to trust, default those of the system. ``cert``, ``key``: files of a client's certificate.
        * ``timeout``: seconds for each request, default 15. ``connect_timeout``: seconds for its connection, default 5.
          ``total_timeout``: seconds for all requests of one kind together, repetitions included, default 60.
        * ``retries``: how often all servers are asked again where none had an answer, default 2, with ``retry_delay`` seconds
          in between, default 1. What changes something is only repeated where no server can have begun with it.
        * ``redirect_hosts``: hosts (``host`` or ``host:port``) besides those of ``url`` that may be sent credentials if a
          server redirects to them; ``any``: all. Without credentials redirects are followed.
        * ``headers``: further headers of each request, a mapping.{more}

        Secrets may be ``sdb://`` URIs, as everywhere in Salt's configuration.

    Returns a mapping: ``urls``, ``authentication`` (``none``, ``basic`` or the scheme of the token, never the secret) and the
    settings. Raises SaltInvocationError for settings that make no sense and for a profile that is not there.

    CLI Example:

    .. code-block:: bash

        salt-call {service}.connection
        salt-call {service}.connection url=http://10.0.0.1:{port},http://10.0.0.2:{port} timeout=5
    """


class HttpError(CommandExecutionError):
    """
    A request that failed; one line says which and why. ``info`` is for those who want to know more: ``method``, ``url``,
    ``status`` (None where no answer came), ``message`` (what the server said), ``details`` and ``deployments`` (Marathon's).
    """

    def __init__(self, text, **info):
        super().__init__(text)
        empty = dict.fromkeys(("method", "url", "status", "message", "details", "deployments"))
        self.info = {**empty, **info}


class Unreachable(HttpError):
    """No server answered. ``sent`` says whether anything was sent."""

    sent = False


class NoLeader(HttpError):
    """Nobody leads, or the leader has not recovered yet."""


class NotFound(HttpError):
    """404."""


class Conflict(HttpError):
    """409."""


class Locked(Conflict):
    """409 of Marathon: a deployment is under way, see ``info["deployments"]``."""


class Invalid(HttpError):
    """400 or 422."""


class Denied(HttpError):
    """401 or 403."""


class TooManyDeployments(HttpError):
    """403 of Marathon which is about no right: as many deployments run as may."""


class ServerError(HttpError):
    """500 and above."""


class OutcomeUnknown(HttpError):
    """A write was sent and no answer came that tells whether it was done."""


class Answer(NamedTuple):
    """What a daemon answered, whatever the status. The names of ``headers`` are in lower case."""

    method: str
    url: str
    status: int
    headers: "Mapping[str, str]"
    body: bytes

    def text(self):
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self, kind=dict):
        """The body, if it is JSON of that kind (dict, list, str ...). Raises HttpError if it is anything else."""
        found = _loaded(self.body)
        if not isinstance(found, kind):
            said = self.first_line() if self.body else "nothing at all"
            raise self.error(HttpError, f"not the JSON that was expected: {said}")
        return found

    def anything(self):
        """The body, whatever it is: JSON, else text; None if it is empty."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            return self.text()

    def good(self):
        """This answer again, if its status says success. Raises the HttpError that fits, with what it says, if not."""
        if not 200 <= self.status < 300:
            onward = (
                f", see {without_user(self.headers['location'])}"
                if "location" in self.headers
                else ""
            )
            raise self.error(self._kind(), f"{self.status} {self.said()}{onward}")
        return self

    def error(self, kind, text):
        """An error of a kind about this answer."""
        said = _loaded(self.body)
        said = said if isinstance(said, dict) else {}
        return kind(
            f"{self.method} {self.url}: {text}",
            method=self.method,
            url=self.url,
            status=self.status,
            message=self.first_line(),
            details=said.get("details"),
            deployments=_ids(said.get("deployments")),
        )

    def _kind(self):
        """The class of the error that this answer is."""
        said = _loaded(self.body)
        if self.status == 409 and isinstance(said, dict) and said.get("deployments"):
            return Locked
        if self.status == 403 and "running deployments" in self.first_line():
            return TooManyDeployments
        if self.status >= 500 and self.says(NO_LEADER):
            return NoLeader
        kinds = {400: Invalid, 401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 422: Invalid}
        return kinds.get(self.status, ServerError if self.status >= 500 else HttpError)

    def says(self, texts):
        """Whether the body says one of these."""
        line = self.first_line()
        return any(text in line for text in texts)

    def said(self):
        """What an error says in one line: its message, and what Marathon finds wrong with which field."""
        said = _loaded(self.body)
        line = self.first_line()
        if self.status == 401 and not self.body:
            return f"{line}: {self.headers.get('www-authenticate', 'credentials are needed')}"
        if not isinstance(said, dict):
            return line
        details = said.get("details")
        if isinstance(details, list):
            details = "; ".join(_detail(each) for each in details)
        found = "; ".join(
            part
            for part in (details, ", ".join(_ids(said.get("deployments")) or []))
            if isinstance(part, str) and part
        )
        return f"{line} ({shortened(found)})" if found else line

    def first_line(self):
        """What the body says in a line: the title of a page, the message of an error in JSON, the top of a stack trace."""
        text = self.text()
        if text.lstrip().startswith("<"):
            title = re.search("<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
            text = " ".join(re.sub("<[^>]*>", " ", title[1] if title else text).split())
        else:
            said = _loaded(text)
            text = str(said["message"]) if isinstance(said, dict) and "message" in said else text
        return first_line(text) or http.client.responses.get(self.status, "without a word")


def _detail(found):
    """A line of what Marathon found wrong with one field."""
    if not isinstance(found, dict):
        return str(found)
    errors = found.get("errors")
    errors = ", ".join(str(each) for each in errors) if isinstance(errors, list) else str(errors)
    return f"{found.get('path')}: {errors}"


def _ids(deployments):
    """The ids of the deployments that Marathon names; None if it names none."""
    if not isinstance(deployments, list):
        return None
    return [str(each.get("id") if isinstance(each, dict) else each) for each in deployments]


def _loaded(text):
    """What JSON says, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def first_line(text):
    """Return the first line of a text that says anything, fit for a message: printable, and not endless."""
    printable = "".join(
        letter if letter.isprintable() or letter == "\n" else " " for letter in text[:MAX_LOOKED_AT]
    )
    lines = [" ".join(line.split()) for line in printable.splitlines() if line.strip()]
    return shortened(lines[0]) if lines else ""


def shortened(text):
    """Return a text, if need be only its beginning."""
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def few(found, most=10):
    """Return the first entries of a list or mapping for a screen, and how many more there are."""
    more = len(found) - most
    if more <= 0:
        return found
    if isinstance(found, Mapping):
        return {**dict(list(found.items())[:most]), "...": f"{more} more"}
    return [*found[:most], f"... {more} more"]


def without_user(url):
    """Return a URL to be shown: what stands before an @ may be a password."""
    return re.sub("//.*@", "//***@", url)


def candidates(given):
    """
    Return the base URLs to ask, one after another, and the credentials that stand in them: ``(urls, username, password)``.

    given
        Text, with commas between several, or a list.

    Raises SaltInvocationError, without passwords in it, for anything that is no http:// or https:// URL.
    """
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else given
    if not isinstance(parts, (list, tuple)):
        raise SaltInvocationError(
            f"url: should be a URL or a list of URLs, not {type(given).__name__}"
        )
    urls, users = [], set()
    for part in parts:
        url, user = _split(part)
        urls.append(url)
        users |= {user} - {None}
    if len(users) > 1:
        raise SaltInvocationError(
            "url: several users in one list of URLs. Give them once, as username and password"
        )
    username, password = users.pop() if users else (None, None)
    return list(dict.fromkeys(urls)), username, password


def base(url):
    """Return a URL without the slash at its end. Raises SaltInvocationError if it is none that could be asked, or holds a user."""
    found, user = _split(url)
    if user:
        raise SaltInvocationError(f"url: {without_user(url)} holds a user")
    return found


def _split(url):
    """Return the base URL and None, or ``(username, password)`` if it holds these. Raises SaltInvocationError if it is no URL."""
    looks = "It looks like http://10.0.0.1:5050"
    if not isinstance(url, str):
        raise SaltInvocationError(f"url: should be text, not {type(url).__name__}. {looks}")
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urllib.parse.urlsplit(full)
        fits = (
            re.fullmatch("[!-~]+", full)
            and re.fullmatch(r"[\w.:%-]+", parts.hostname or "")
            and parts.port != 0
        )
    except ValueError:
        fits = False
    if (
        not fits
        or parts.scheme not in ("http", "https")
        or parts.query
        or parts.fragment
        or "@" in parts.path
    ):
        raise SaltInvocationError(
            f"url: {without_user(url)} is no http:// or https:// URL of a server. {looks}"
        )
    login, at, host = parts.netloc.rpartition("@")
    found = urllib.parse.urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    username, _, password = login.partition(":")
    return found, (urllib.parse.unquote(username), urllib.parse.unquote(password)) if at else None


def quoted(text, safe=""):
    """Return text as a part of a path or query; ``safe`` are characters to be left as they are, such as ``/``."""
    return urllib.parse.quote(str(text), safe=safe)


def place(url):
    """Return ``{"url": ..., "host": ..., "port": ...}`` of a URL; the port is a number."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return {"url": url, "host": parts.hostname, "port": port}


def send(
    method,
    url,
    data=None,
    headers=(),
    timeout=CONNECT_TIMEOUT,
    connect_timeout=CONNECT_TIMEOUT,
    tls=None,
):
    """
    Ask one server once. Redirects are answers like any other: nothing is followed here.

    method, url
        Such as GET and http://10.0.0.1:5050/health.

    data, headers
        What is sent, as bytes (None: no body), and headers besides those that every request has.

    timeout, connect_timeout
        Seconds for the whole exchange, and for the connection. Looking up a name is not counted.

    tls
        An SSL context; None: that of the system.

    Returns an Answer, whatever its status. Raises Unreachable, with method and URL, where none came.
    """
    parts = urllib.parse.urlsplit(url)
    headers = {
        "Accept": "application/json, */*;q=0.1",
        "Accept-Encoding": "gzip",
        "Connection": "close",
        **dict(headers),
    }
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    deadline = time.monotonic() + timeout
    connection = _connection(parts, min(timeout, connect_timeout), tls)
    sent = False
    try:
        connection.connect()
        connection.sock.settimeout(left(deadline))
        sent = True
        connection.request(method, target, data, headers)
        return _read(method, url, connection, deadline)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        seconds_given = timeout if sent else min(timeout, connect_timeout)
        failure = Unreachable(
            f"{method} {url}: {reason(error, seconds_given)}", method=method, url=url
        )
        failure.sent = sent
        raise failure from error
    finally:
        connection.close()


def _connection(parts, timeout, tls):
    if parts.scheme == "https":
        context = tls or ssl.create_default_context()
        return http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout, context=context
        )
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def left(deadline):
    """Seconds until then. Raises TimeoutError if there are none."""
    seconds_left = deadline - time.monotonic()
    if seconds_left <= 0:
        raise TimeoutError
    return seconds_left


def reason(error, timeout):
    """Say in a few words why there was no answer."""
    if isinstance(error, TimeoutError):
        return f"no answer within {round(timeout, 1):g} seconds"
    if isinstance(
        error, getattr(ssl, "SSLCertVerificationError", ())
    ):  # Python 3.6 has but one class for all that is wrong with TLS
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed the connection without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "hung up in the middle of its answer"
    if isinstance(error, http.client.HTTPException):
        return f"what answers there speaks no HTTP ({type(error).__name__})"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "the name of the host is not known"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _read(method, url, connection, deadline):
    """Read what comes. Raises HttpError for more than MAX_BYTES, and what the connection raises."""
    sock = connection.sock
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    # 16 + MAX_WBITS: gzip, with its header
    unpack = (
        zlib.decompressobj(16 + zlib.MAX_WBITS)
        if headers.get("content-encoding") == "gzip"
        else None
    )
    body = bytearray()
    try:
        while (
            not response.isclosed()
        ):  # it is as soon as all has come that was announced; the socket is then gone, too
            sock.settimeout(left(deadline))
            chunk = response.read(CHUNK)
            body += unpack.decompress(chunk, MAX_BYTES + 1 - len(body)) if unpack else chunk
            if len(body) > MAX_BYTES:
                raise HttpError(
                    f"{method} {url}: more than {MAX_BYTES} bytes, which is no answer",
                    method=method,
                    url=url,
                )
        length = headers.get("content-length", "")
        if method != "HEAD" and not unpack and length.isdigit() and len(body) < int(length):
            raise http.client.IncompleteRead(bytes(body))
    except zlib.error:
        raise HttpError(
            f"{method} {url}: the answer is said to be gzip and is not", method=method, url=url
        ) from None
    except (OSError, http.client.HTTPException):
        # A Chronos that passes an error on announces a body, and then has none to send. The status is the answer.
        if response.status < 400:
            raise
    return Answer(method, url, response.status, headers, bytes(body))


def target(answer):
    """
    Return the URL that a redirect leads to, None if the answer is no redirect. Whether to ask there is the caller's choice.

    A master that does not lead answers ``Location: //host:port/path``, that is, in the scheme of the request.
    Raises HttpError for anything but that: no host, another scheme, a user in it.
    """
    if not 300 <= answer.status < 400:
        return None
    location = answer.headers.get("location", "")
    found = urllib.parse.urljoin(answer.url, location)
    try:
        if (
            not urllib.parse.urlsplit(location).netloc
            or found.partition(":")[0] != answer.url.partition(":")[0]
        ):
            raise ValueError
        base(found.partition("?")[0])
    except (ValueError, SaltInvocationError):
        raise answer.error(HttpError, "redirects to where nobody should follow") from None
    return found


def named(answer):
    """
    Return url, host and port of the leader that ``{"leader": "host:port"}`` names, in the scheme of the request.

    Raises NoLeader if it names none.
    """
    leader = answer.json().get("leader")
    if not leader:
        raise answer.error(NoLeader, "there is no leader")
    try:
        return place(base(f"{urllib.parse.urlsplit(answer.url).scheme}://{leader}"))
    except SaltInvocationError:
        raise answer.error(NoLeader, f"the leader is said to be {leader}") from None


def first(urls, question):
    """
    Put a question to one URL after another and return the first answer.

    question
        Called with a URL; raises CommandExecutionError where that one has no answer.

    Raises the error that tells most, with a line for each of them, if nobody has one.
    """
    failures = []
    for url in urls:
        try:
            return question(url)
        except CommandExecutionError as error:
            failures.append(error)
    raise all_failed(failures)


def together(function, things):
    """Return, by key, what ``function`` says of each value. All are asked at the same time, so those that hang cost one timeout."""
    with concurrent.futures.ThreadPoolExecutor(max(1, min(16, len(things)))) as pool:
        return dict(zip(things, pool.map(function, things.values())))


class Client:
    """
    Asks the servers of one service.

    service
        ``mesos``, ``marathon`` or ``chronos``: where the settings stand.

    default
        The URL if none is configured.

    salt, context
        ``__salt__`` and ``__context__`` of the module.

    profile, connection
        What the caller of a function gave, see CONNECTION_DOC.

    Raises SaltInvocationError for settings that make no sense.
    """

    def __init__(self, service, default, salt, context, profile=None, connection=()):
        self.service, self._salt, self._context = service, salt, context
        self._settings = _settings(service, salt, profile, dict(connection))
        url = self._settings["url"] if self._settings["url"] not in (None, "", []) else default
        if isinstance(url, str) and url.startswith("zk://"):
            self.urls = [self._from_zookeeper(url)]
        else:
            self.urls, username, password = candidates(url)
            if username is not None and self._settings["username"] is None:
                self._settings.update(username=username, password=password)
        self._trusted = {urllib.parse.urlsplit(each).netloc.lower() for each in self.urls}
        self._trusts_given, self._alone = True, False
        self._authorization = _authorization(self._settings)
        self._tls = _tls(self._settings) if _wants_tls(self._settings, self.urls) else None

    def setting(self, name):
        """What a setting is."""
        return self._settings[name]

    def settings(self):
        """All that may be shown of where and how requests go."""
        kind = (
            "none"
            if not self._authorization
            else self._authorization.partition(" ")[0].partition("=")[0].lower()
        )
        hidden = ("url", "username", "password", "token", "auth_scheme", "headers", "key")
        shown = {name: value for name, value in self._settings.items() if name not in hidden}
        return {
            "urls": self.urls,
            "authentication": kind,
            **shown,
            "headers": sorted(self._settings["headers"]),
        }

    def at(self, url, trusted=False):
        """
        A client for exactly this server, and no other, which is asked once: an agent, or one master of several.

        trusted
            Whether the caller of the function named it, and so may credentials be sent there. Those of ``url`` and of
            ``redirect_hosts`` are trusted anyway.
        """
        other = object.__new__(Client)
        other.__dict__.update(
            self.__dict__, urls=[base(url)], _alone=True, _settings={**self._settings, "retries": 0}
        )
        other._trusts_given = trusted or self._may_know(url)
        return other

    def get(self, path, **options):
        """GET a path; see ``ask``."""
        return self.ask("GET", path, **options)

    def ask(
        self, method, path, params=None, body=None, form=None, read=None, allow=(), timeout=None
    ):
        """
        Ask until one server answers, and return its Answer.

        method, path
            Such as GET and ``/v2/apps``; what is no part of the path's form is ``quoted`` by the caller.

        params
            The query, a mapping. A list repeats its key, None is left out, booleans are ``true`` and ``false``.

        body, form
            What is sent: anything as JSON, or a mapping as a form.

        read
            Whether this may be asked twice, as it changes nothing. By default GET and HEAD are so.

        allow
            Statuses that are answers besides those of success.

        timeout
            Seconds for each request, instead of the setting.

        Raises the HttpError that fits: for all of them if nobody answered, with a line for each server.
        """
        read = method in ("GET", "HEAD") if read is None else read
        timeout = self._settings["timeout"] if timeout is None else seconds(timeout)
        request = _Request(method, path + _query(params), *_data(body, form), read, timeout)
        deadline = time.monotonic() + max(self._settings["total_timeout"], timeout)
        failures = {}
        for turn in range(self._settings["retries"] + 1):
            if turn and not _pause(self._settings["retry_delay"], deadline):
                break
            for url in self._order():
                if time.monotonic() >= deadline:
                    break
                try:
                    answer = self._ask_one(url, request, deadline)
                except _Elsewhere as elsewhere:
                    failures[url] = elsewhere.error
                    self._forget(url)
                else:
                    return answer if answer.status in allow else answer.good()
        raise all_failed(list(failures.values()))

    def write(self, method, path, done, **options):
        """
        Ask for a change, once; see ``ask``. Returns the Answer.

        done
            Called without arguments where no answer tells whether the change was made. What it returns is returned instead,
            if it is true: the change is seen to be there. Otherwise OutcomeUnknown is raised.
        """
        try:
            return self.ask(method, path, **options)
        except OutcomeUnknown as error:
            try:
                found = done()
            except CommandExecutionError as second:
                raise OutcomeUnknown(
                    f"{error}, and reading it back fails: {first_line(str(second))}", **error.info
                ) from error
            if found:
                return found
            raise OutcomeUnknown(
                f"{error}; read back, it is not there (yet)", **error.info
            ) from error

    # --- one server ---

    def _ask_one(self, url, request, deadline):
        """Ask one server, and the leader that it names. Raises _Elsewhere if another server is to be asked."""
        target_url, trusted, hops = url + request.path, self._trusts_given, 0
        while True:
            answer = self._send(target_url, request, trusted, deadline)
            onward = None if self._alone else target(answer)
            if onward is None:
                break
            hops += 1
            if hops > MAX_HOPS:
                raise _Elsewhere(answer.error(NoLeader, "redirects in a circle"))
            trusted = self._may_know(onward)
            if self._authorization and not trusted:
                host = urllib.parse.urlsplit(onward).netloc
                text = f"redirects to {host}, which is neither in url nor in redirect_hosts: no credentials are sent there"
                raise _Elsewhere(answer.error(Denied, text))
            target_url = onward
        self._judge(answer, request)
        if not self._alone:
            self._remember(
                url
                if not hops
                else "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(target_url))
            )
        return answer

    def _send(self, url, request, trusted, deadline):
        headers = dict(self._settings["headers"])
        if request.kind:
            headers["Content-Type"] = request.kind
        if self._authorization and trusted:
            headers["Authorization"] = self._authorization
        wait = min(request.timeout, max(0.1, deadline - time.monotonic()))
        try:
            return send(
                request.method,
                url,
                request.data,
                headers,
                wait,
                self._settings["connect_timeout"],
                self._tls,
            )
        except Unreachable as error:
            if error.sent and not request.read:
                raise OutcomeUnknown(
                    f"{error}. Whether it was done is not known", **error.info
                ) from error
            raise _Elsewhere(error) from error

    def _judge(self, answer, request):
        """Raise _Elsewhere for an answer that is none, OutcomeUnknown for one that tells nothing of a write."""
        proxied = answer.status == 500 and answer.says([CHRONOS_CANNOT_PROXY])
        if answer.status not in NO_ANSWER_YET and not proxied:
            return
        failure = answer.error(answer._kind(), f"{answer.status} {answer.first_line()}")
        if request.read or answer.says(NOT_BEGUN):
            raise _Elsewhere(failure, answer)
        raise OutcomeUnknown(f"{failure}. Whether it was done is not known", **failure.info)

    # --- which servers ---

    def _may_know(self, url):
        """Whether credentials may be sent to a URL."""
        parts = urllib.parse.urlsplit(url)
        hosts = [each.lower() for each in self._settings["redirect_hosts"]]
        return bool(
            self._trusted & {parts.netloc.lower()}
            or {"any", parts.netloc.lower(), parts.hostname} & set(hosts)
        )

    @property
    def _memory(self):
        """The key under which the last leader is kept, different for each set of servers and each user."""
        key = json.dumps([self.service, self.urls, self._authorization])
        return f"_mesos_http:{hashlib.sha256(key.encode()).hexdigest()}"

    def _order(self):
        """The servers, the last that led first."""
        last = None if self._alone else self._context.get(self._memory)
        return list(dict.fromkeys([last, *self.urls])) if last else list(self.urls)

    def _remember(self, url):
        self._context[self._memory] = url

    def _forget(self, url):
        # One that is asked alone is remembered by nobody; and in a thread Salt's __context__ is not there at all.
        if not self._alone and self._context.get(self._memory) == url:
            del self._context[self._memory]

    def _from_zookeeper(self, url):
        """The leader's URL as it stands in ZooKeeper. Raises SaltInvocationError, NoLeader."""
        shown = without_user(url)
        if "zookeeper.get_children" not in self._salt:
            raise SaltInvocationError(
                f"url: {shown} needs Salt's module zookeeper, which is not loaded here. Give http:// URLs"
            )
        servers, _, path = url[len("zk://") :].partition("/")
        login, _, hosts = servers.rpartition("@")
        username, _, password = (urllib.parse.unquote(part) for part in login.partition(":"))
        options = {
            "hosts": hosts,
            **({"scheme": "digest", "username": username, "password": password} if login else {}),
        }
        try:
            for below, form in CANDIDATES[self.service]:
                place_of = f"/{path.strip('/')}{below}"
                found = [
                    (match[1], match[0])
                    for match in (
                        re.fullmatch(form, name)
                        for name in _children(self._salt, place_of, options)
                    )
                    if match
                ]
                if found:
                    return self._candidate(
                        self._salt["zookeeper.get"](f"{place_of}/{min(found)[1]}", **options), shown
                    )
        except CommandExecutionError:
            raise
        except Exception as error:  # of the module zookeeper, which lets those of kazoo through
            raise Unreachable(
                f"{shown}: {type(error).__name__} {first_line(without_user(str(error)))}".rstrip()
            ) from None
        raise NoLeader(f"{shown}: nobody is a candidate there")

    def _candidate(self, data, shown):
        """The URL of a candidate from what it says of itself in ZooKeeper."""
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
        info = _loaded(text)
        if isinstance(info, dict):
            address = info.get("address") if isinstance(info.get("address"), dict) else info
            host = (
                address.get("ip") or address.get("hostname")
                if address is not info
                else info.get("hostname")
            )
            text = f"{host}:{address.get('port')}"
        scheme = "https" if self._settings["ca_bundle"] or self._settings["cert"] else "http"
        try:
            return base(f"{scheme}://{text}")
        except SaltInvocationError:
            raise NoLeader(
                f"{shown}: the leader is said to be {shortened(first_line(text))}"
            ) from None


class _Request(NamedTuple):
    method: str
    path: str
    data: "bytes | None"
    kind: "str | None"
    read: bool
    timeout: float


class _Elsewhere(Exception):
    """This server had no answer; another one is to be asked."""

    def __init__(self, error, answer=None):
        super().__init__(str(error))
        self.error, self.answer = error, answer


def _children(salt, path, options):
    """The names of the nodes below a path of ZooKeeper, none if it is not there."""
    if "zookeeper.exists" in salt and not salt["zookeeper.exists"](path, **options):
        return []
    return salt["zookeeper.get_children"](path, **options)


def _pause(delay, deadline):
    """Wait before everyone is asked again; whether there is time for that."""
    if time.monotonic() + delay >= deadline:
        return False
    time.sleep(delay)
    return True


def all_failed(errors):
    """The error to raise where nobody answered: what each server said, a line each, in the class that tells most."""
    lines = "\n".join(dict.fromkeys(str(error) for error in errors))
    for kind in (NoLeader, Denied, ServerError, Unreachable):
        for error in errors:
            if isinstance(error, kind):
                return kind(lines, **error.info)
    return Unreachable(lines or "no time was left to ask anyone")


def _query(params):
    """A mapping as the query of a URL, with its question mark."""
    pairs = []
    for name, value in (params or {}).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [
            (name, str(each).lower() if isinstance(each, bool) else str(each))
            for each in values
            if each is not None
        ]
    return "?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote) if pairs else ""


def _data(body, form):
    """What is sent, and its Content-Type. Raises SaltInvocationError if it cannot be JSON."""
    if form is not None:
        return urllib.parse.urlencode(
            form, quote_via=urllib.parse.quote
        ).encode(), "application/x-www-form-urlencoded"
    if body is None:
        return None, None
    try:
        return json.dumps(
            body, allow_nan=False
        ).encode(), "application/json"  # and not a word more, Mesos compares the whole
    except (TypeError, ValueError) as error:
        raise SaltInvocationError(
            f"What is to be sent is no JSON: {error}. A date needs quotes"
        ) from None


# --- settings ---


def _settings(service, salt, profile, given):
    """Return all settings. Raises SaltInvocationError for unknown and impossible ones, without showing a secret."""
    given = {name: value for name, value in given.items() if not name.startswith("__pub_")}
    for name in given:
        if name not in DEFAULTS:
            raise SaltInvocationError(
                f"{name}: no such argument. A connection has {', '.join(DEFAULTS)}"
            )
    found = {
        **DEFAULTS,
        **_configured(service, salt, profile),
        **{name: value for name, value in given.items() if value is not None},
    }
    for name, (fits, should) in _FORMS.items():
        if found[name] is not None and not fits(found[name]):
            shown = "its value" if name in ("password", "token", "headers") else repr(found[name])
            raise SaltInvocationError(f"{name}: {shown} is not {should}")
    if found["username"] is not None and found["token"] is not None:
        raise SaltInvocationError("token: there is a username, too. Give one of them")
    if found["key"] is not None and found["cert"] is None:
        raise SaltInvocationError("key: there is no cert that it would belong to")
    if isinstance(found["redirect_hosts"], str):
        found["redirect_hosts"] = [each.strip() for each in found["redirect_hosts"].split(",")]
    return found


def _configured(service, salt, profile):
    """Return what a profile, or the configuration, says."""
    if isinstance(profile, Mapping):
        unknown = [str(name) for name in profile if name not in DEFAULTS]
        if unknown:
            raise SaltInvocationError(
                f"profile: {', '.join(unknown)}: no such setting. There are {', '.join(DEFAULTS)}"
            )
        return {name: value for name, value in profile.items() if value is not None}
    if profile is not None and not (isinstance(profile, str) and re.fullmatch(r"[\w.-]+", profile)):
        raise SaltInvocationError(
            f"profile: {profile!r} is neither the name of a profile nor a mapping"
        )

    def configured(key):
        return salt["config.get"](f"{service}:{key}", default=None, omit_grains=True)

    if profile is not None and not isinstance(configured(profile), Mapping):
        raise SaltInvocationError(
            f"profile: there is no {service}:{profile} in the configuration of the minion or its pillar"
        )
    found, named = {}, _names(service, salt, profile or "api")
    for name in (name for name in DEFAULTS if name in named):
        value = configured(f"{profile or 'api'}:{name}")
        value = configured(name) if value is None else value
        if value is not None:
            found[name] = value
    # What the formulas of Marathon and Chronos have the server ask for.
    login = configured("http_credentials") if "http_credentials" in named else None
    if profile is None and isinstance(login, str) and not {"username", "token"} & set(found):
        found["username"], _, found["password"] = login.partition(":")
    return found


def _names(service, salt, profile):
    """What is configured at all, wherever: a question for each setting would take longer than the servers do."""
    found, sources = set(), ("opts", "pillar", "master")
    for source in sources:
        others = {f"omit_{each}": True for each in ("grains", *sources) if each != source}
        section = salt["config.get"](service, default=None, **others)
        if isinstance(section, Mapping):
            own = section.get(profile)
            found |= {*section, *(own if isinstance(own, Mapping) else ())}
    return found


def _is_text(value):
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_number(low, high):
    return (
        lambda value: not isinstance(value, bool)
        and isinstance(value, (int, float))
        and low < value <= high
    )


def _is_headers(value):
    return isinstance(value, Mapping) and all(
        _is_text(part) for item in value.items() for part in item
    )


_SECONDS = (_is_number(0, 3600), "a number of seconds between 0 and 3600")
_TEXT = (_is_text, "text. A number needs quotes")
_FORMS = {
    "username": (
        lambda value: _is_text(value) and ":" not in value,
        "a name: text without a colon. A number needs quotes",
    ),
    "password": (lambda value: value == "" or _is_text(value), _TEXT[1]),
    "token": _TEXT,
    "auth_scheme": (
        lambda value: isinstance(value, str) and re.fullmatch("[A-Za-z]+=?", value),
        "Bearer, token= or the like",
    ),
    "verify_ssl": (lambda value: isinstance(value, bool), "true or false"),
    "ca_bundle": _TEXT,
    "cert": _TEXT,
    "key": _TEXT,
    "timeout": _SECONDS,
    "connect_timeout": _SECONDS,
    "total_timeout": _SECONDS,
    "retries": (
        lambda value: not isinstance(value, bool) and isinstance(value, int) and 0 <= value <= 100,
        "a number from 0 to 100",
    ),
    "retry_delay": (lambda value: value == 0 or _SECONDS[0](value), _SECONDS[1]),
    "redirect_hosts": (
        lambda value: isinstance(value, str)
        or (isinstance(value, list) and all(map(_is_text, value))),
        "a list of hosts",
    ),
    "headers": (_is_headers, "a mapping of text to text"),
}


def _authorization(settings):
    """The header that says who asks; None if nobody does."""
    if settings["token"] is not None:
        scheme = settings["auth_scheme"]
        return (
            f"{scheme}{settings['token']}"
            if scheme.endswith("=")
            else f"{scheme} {settings['token']}"
        )
    if settings["username"] is None:
        return None
    login = f"{settings['username']}:{settings['password'] or ''}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _wants_tls(settings, urls):
    return any(settings[name] for name in ("ca_bundle", "cert")) or any(
        url.startswith("https:") for url in urls
    )


def _tls(settings):
    """The SSL context that the settings ask for. Raises SaltInvocationError for files that are not there or hold something else."""
    bundle = settings["ca_bundle"]
    name, value = "ca_bundle", bundle
    try:
        if bundle and os.path.isdir(bundle):
            context = ssl.create_default_context(capath=bundle)
        else:
            context = ssl.create_default_context(cafile=bundle)
        name, value = "cert", settings["cert"]
        if value:
            context.load_cert_chain(
                value, settings["key"], lambda: ""
            )  # never ask for a passphrase
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SaltInvocationError(
            f"{name}: {value}: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not settings["verify_ssl"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def seconds(timeout):
    """Return a timeout. Raises SaltInvocationError if it is no number of seconds."""
    if (
        isinstance(timeout, bool)
        or not isinstance(timeout, (int, float))
        or not 0 < timeout <= 3600
    ):
        raise SaltInvocationError(
            f"timeout: {timeout!r} is no number of seconds between 0 and 3600"
        )
    return timeout
