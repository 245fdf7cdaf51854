"""
HTTP client of the modules mesos, marathon, chronos and zk. A helper, not a module itself: Salt's
loader skips names that begin with ``_``.

It uses the standard library only, since nothing else is certain to exist on a minion or on a host
managed with salt-ssh. Proxies and netrc are ignored: the environment of the minion must not change
how the daemons of a cluster are reached.

A ``Client`` sends a request to the servers of a service in turn until one responds, and follows the
redirect of a Mesos master to the leader. It retries reads, but never a write whose response was
lost. Credentials are only sent to servers that the configuration names.

Helpers are flat files, since salt-ssh does not send ``_utils``. Salt keeps an old helper in
``sys.modules`` after a sync, so every file reloads the helpers that it imports. A reload creates
new classes. Therefore always write ``_http_client.NotFound``; ``from _http_client import
NotFound``, or a class stored in a constant, would not match an exception raised after a later
reload.
"""

import concurrent.futures
import hashlib
import html
import http.client
import importlib
import json
import re
import socket
import ssl
import time
import urllib.parse
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import _http_settings
import _text
import _zookeeper_client
from salt.exceptions import CommandExecutionError, SaltInvocationError

importlib.reload(_text)
importlib.reload(_http_settings)
importlib.reload(_zookeeper_client)

# The version of this tree, as in pyproject.toml.
VERSION = "0.1.0"
# Enough for thousands of agents in one response, the largest that these daemons send.
MAX_BYTES = 64 * 1024 * 1024
CHUNK_SIZE = 64 * 1024
MAX_REDIRECTS = 3
MAX_CONCURRENT_CALLS = 16
DEFAULT_PORTS = {"http": 80, "https": 443}
# Added to the window size, this makes zlib read the gzip format.
GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS

# The nodes of the candidates for leadership in ZooKeeper: path below that of the URL, and a pattern
# for their names. The candidate with the lowest number leads.
ELECTION_NODES = {
    "mesos": (("", r"json\.info_(\d{10})"),),
    "marathon": (("/leader-curator", r".*latch-(\d{10})"), ("/leader", r"member_(\d{10})")),
    "chronos": (("/candidate", r".*latch-(\d{10})"),),
}

NO_LEADER_MESSAGES = (
    "No leader elected",
    "Master has not finished recovery",
    "Could not determine the current leader",
)
# With these messages a server has not started to process a request, so that it can be sent again.
NOT_PROCESSED_MESSAGES = (
    *NO_LEADER_MESSAGES,
    "Agent has not finished recovery",
    "Connection to leader refused",
    "Detected proxying loop",
    "Too many concurrent requests",
)
# Marathon's message about a missing field. It ends with the whole object that was sent.
MISSING_FIELD = re.compile("('[^']*' is) undefined on object: .*", re.DOTALL)
GATEWAY_STATUSES = (502, 503, 504)
CHRONOS_PROXY_ERROR = "Error proxying request to leader"
OUTCOME_UNKNOWN = "It is not known whether the change was made"


# --- errors ---


class HttpError(CommandExecutionError):
    """
    A request that failed. The message is one line.

    ``info`` is a mapping with ``method``, ``url``, ``status`` (None without a response),
    ``message`` (from the server), ``details`` and ``deployments`` (both from Marathon).
    """

    def __init__(self, text, **info):
        super().__init__(text)
        self.info = dict.fromkeys(("method", "url", "status", "message", "details", "deployments"))
        self.info.update(info)


class Unreachable(HttpError):
    """No server responded. ``sent`` says whether the request was sent."""

    sent = False


class NoLeader(HttpError):
    """There is no leader, or it has not recovered yet."""


class NotFound(HttpError):
    """Status 404."""


class Conflict(HttpError):
    """Status 409."""


class Locked(Conflict):
    """Marathon's 409 for an app with a running deployment, see ``info["deployments"]``."""


class InvalidRequest(HttpError):
    """Status 400 or 422."""


class AccessDenied(HttpError):
    """Status 401 or 403."""


class TooManyDeployments(HttpError):
    """Marathon's 403 for too many concurrent deployments; not a permission error."""


class ServerError(HttpError):
    """Status 500 and above."""


class OutcomeUnknown(HttpError):
    """A write was sent, but no response says whether the change was made."""


ERROR_CLASSES = {
    400: InvalidRequest,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    422: InvalidRequest,
}


def combined_error(errors):
    """
    Return one error for several servers that failed, with a line for each of them.

    Its class is the most specific one among the errors.
    """
    lines = "\n".join(dict.fromkeys(str(error) for error in errors))
    for error_class in (NoLeader, AccessDenied, ServerError, Unreachable):
        for error in errors:
            if isinstance(error, error_class):
                return error_class(lines, **error.info)
    return Unreachable(lines or "the timeout ended before a request could be sent")


# --- responses ---


class Response(NamedTuple):
    """The response of a server, with any status. The names in ``headers`` are lower case."""

    method: str
    url: str
    status: int
    headers: "Mapping[str, str]"
    body: bytes

    def text(self):
        """Return the body as text. Bytes that are not UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self, expected_type=dict):
        """Return the parsed body. Raises HttpError unless it is JSON of the type."""
        content = _parse_json(self.body)
        if not isinstance(content, expected_type):
            summary = self.summary() if self.body else "an empty body"
            raise self.error(HttpError, f"the response is not the expected JSON: {summary}")
        return content

    def json_or_text(self):
        """Return the parsed body; its text if it is not JSON; None if it is empty."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.text()

    def raise_for_status(self):
        """Return this response. Raises the matching HttpError if its status is not a success."""
        if 200 <= self.status < 300:
            return self
        text = f"{self.status} {self.error_message()}"
        if "location" in self.headers:
            text += f", see {_text.redact_user(self.headers['location'])}"
        raise self.error(self.error_class(), text)

    def error(self, error_class, text):
        """Return an error of a class about this response."""
        content = self._error_content()
        return error_class(
            f"{self.method} {self.url}: {text}",
            method=self.method,
            url=self.url,
            status=self.status,
            message=self.summary(),
            details=content.get("details"),
            deployments=_deployment_ids(content.get("deployments")),
        )

    def error_class(self):
        """Return the class of the error that the status and the body stand for."""
        if self.status == 409 and self._error_content().get("deployments"):
            return Locked
        if self.status == 403 and self.mentions(["running deployments"]):
            return TooManyDeployments
        if self.status >= 500:
            return NoLeader if self.mentions(NO_LEADER_MESSAGES) else ServerError
        return ERROR_CLASSES.get(self.status, HttpError)

    def mentions(self, messages):
        """Return whether the body contains one of the messages."""
        summary = self.summary()
        return any(message in summary for message in messages)

    def error_message(self):
        """Return the error in one line, with the invalid fields that Marathon lists."""
        summary = self.summary()
        if self.status == 401 and not self.body:
            return f"{summary}: {self.headers.get('www-authenticate', 'credentials are needed')}"
        content = self._error_content()
        details = content.get("details")
        if isinstance(details, list):
            details = "; ".join(_describe_detail(detail) for detail in details)
        deployments = ", ".join(_deployment_ids(content.get("deployments")) or [])
        explanation = "; ".join(
            part for part in (details, deployments) if isinstance(part, str) and part
        )
        return f"{summary} ({_text.shorten(explanation)})" if explanation else summary

    def summary(self):
        """
        Return the body in one line.

        That is the title or the reason in an HTML page, the message of a JSON error, or the first
        line.
        """
        text = self.text()
        if text.lstrip().startswith("<"):
            text = _html_summary(text)
        elif "message" in self._error_content():
            text = str(self._error_content()["message"])
        reason_phrase = http.client.responses.get(self.status, "no explanation")
        return _text.first_line(text) or reason_phrase

    def _error_content(self):
        """Return the parsed body if it is a mapping, otherwise an empty one."""
        content = _parse_json(self.body)
        return content if isinstance(content, dict) else {}


def _html_summary(page):
    title = re.search("<title>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    text = title[1] if title else page
    # Jetty's title may be just "Error 500": then the reason is the first line of <pre>.
    if re.fullmatch(r"\s*Error \d+\s*", text):
        reason = re.search(r"<pre>\s*([^<\n]+)", page, re.IGNORECASE)
        text = reason[1] if reason else text
    without_tags = re.sub("<[^>]*>", " ", text)
    return html.unescape(" ".join(without_tags.split()))


def _describe_detail(detail):
    """Return one line about a field that Marathon considers invalid."""
    if not isinstance(detail, dict):
        return str(detail)
    errors = detail.get("errors")
    if isinstance(errors, list):
        errors = ", ".join(MISSING_FIELD.sub(r"\1 missing", str(error)) for error in errors)
    return f"{detail.get('path')}: {errors}"


def _deployment_ids(deployments):
    """Return the ids in a list of Marathon's deployments; None if there is no list."""
    if not isinstance(deployments, list):
        return None
    return [
        str(deployment.get("id") if isinstance(deployment, dict) else deployment)
        for deployment in deployments
    ]


def _parse_json(text):
    """Return the content of a JSON text, None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def redirect_target(response):
    """
    Return the URL that a redirect leads to, None for other responses. Does not follow it.

    A Mesos master that does not lead sends ``Location: //host:port/path``, which keeps the scheme
    of the request. Raises HttpError for other forms: without host, with another scheme, or with a
    user.
    """
    if not 300 <= response.status < 400:
        return None
    location = response.headers.get("location", "")
    target = urllib.parse.urljoin(response.url, location)
    try:
        has_host = bool(urllib.parse.urlsplit(location).netloc)
        same_scheme = target.partition(":")[0] == response.url.partition(":")[0]
        if not has_host or not same_scheme:
            raise ValueError
        _http_settings.base_url(target.partition("?")[0])
    except (ValueError, SaltInvocationError):
        raise response.error(HttpError, "redirects to an invalid address") from None
    return target


def leader_address(response):
    """
    Return ``url``, ``host`` and ``port`` of the leader in ``{"leader": "host:port"}``.

    The URL has the scheme of the request. Raises NoLeader if the response names no leader.
    """
    leader = response.json().get("leader")
    if not leader:
        raise response.error(NoLeader, "there is no leader")
    scheme = urllib.parse.urlsplit(response.url).scheme
    try:
        return server_address(_http_settings.base_url(f"{scheme}://{leader}"))
    except SaltInvocationError:
        raise response.error(NoLeader, f"the leader has an invalid address: {leader}") from None


def server_address(url):
    """Return ``url``, ``host`` and ``port`` of a server. The port is a number."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return {"url": url, "host": parts.hostname, "port": port}


# --- transport ---


def send(
    method,
    url,
    data=None,
    headers=(),
    timeout=_http_settings.CONNECT_TIMEOUT,
    connect_timeout=_http_settings.CONNECT_TIMEOUT,
    tls=None,
):
    """
    Send one request to one server. Redirects are returned, not followed.

    method, url
        For example GET and http://10.0.0.1:5050/health.

    data, headers
        The body as bytes, None for no body; and headers besides those of every request.

    timeout, connect_timeout
        Seconds for the whole exchange, and for connecting. Name resolution is not included.

    tls
        An SSL context; None for the default one of the system.

    Returns a Response with any status. Raises Unreachable if there is none.
    """
    parts = urllib.parse.urlsplit(url)
    all_headers = {
        "Accept": "application/json, */*;q=0.1",
        "Accept-Encoding": "gzip",
        "Connection": "close",
        "User-Agent": f"salt-mesos/{VERSION}",
        **dict(headers),
    }
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    connect_timeout = min(timeout, connect_timeout)
    deadline = time.monotonic() + timeout
    connection = _connection(parts, connect_timeout, tls)
    sent = False
    try:
        connection.connect()
        connection.sock.settimeout(time_left(deadline))
        sent = True
        connection.request(method, target, data, all_headers)
        return _receive(method, url, connection, deadline)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        reason = failure_reason(error, timeout if sent else connect_timeout)
        failure = Unreachable(f"{method} {url}: {reason}", method=method, url=url)
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


def _receive(method, url, connection, deadline):
    """Read the response. Raises HttpError if it is too long, and the errors of the connection."""
    sock = connection.sock
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    is_gzip = headers.get("content-encoding") == "gzip"
    decompressor = zlib.decompressobj(GZIP_WINDOW_BITS) if is_gzip else None
    body = bytearray()
    try:
        # http.client closes the response, and the socket, as soon as the announced body is
        # complete.
        while not response.isclosed():
            sock.settimeout(time_left(deadline))
            chunk = response.read(CHUNK_SIZE)
            if decompressor:
                chunk = decompressor.decompress(chunk, MAX_BYTES + 1 - len(body))
            body += chunk
            if len(body) > MAX_BYTES:
                text = f"{method} {url}: the response has more than {MAX_BYTES} bytes"
                raise HttpError(text, method=method, url=url)
        length = headers.get("content-length", "")
        if method != "HEAD" and not is_gzip and length.isdigit() and len(body) < int(length):
            raise http.client.IncompleteRead(bytes(body))
    except zlib.error:
        text = f"{method} {url}: the response is not valid gzip"
        raise HttpError(text, method=method, url=url) from None
    except (OSError, http.client.HTTPException):
        # A Chronos that forwards an error announces a body and does not send it. The status is
        # valid.
        if response.status < 400:
            raise
    return Response(method, url, response.status, headers, bytes(body))


def time_left(deadline):
    """Return the seconds until a deadline. Raises TimeoutError if it is over."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def failure_reason(error, timeout):
    """Return in a few words why a server did not respond."""
    if isinstance(error, TimeoutError):
        return f"no response within {_text.plural(round(timeout, 1), 'second')}"
    # Python 3.6 has one class for all TLS errors.
    if isinstance(error, getattr(ssl, "SSLCertVerificationError", ())):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed the connection without a response"
    if isinstance(error, http.client.IncompleteRead):
        return "closed the connection in the middle of its response"
    if isinstance(error, http.client.HTTPException):
        return f"the server does not speak HTTP ({type(error).__name__})"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "host name not found"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def quote(text, safe=""):
    """Quote text for a path or query. Characters in ``safe``, such as ``/``, are not quoted."""
    return urllib.parse.quote(str(text), safe=safe)


def _query_string(params):
    """Return a mapping as the query of a URL, with its question mark."""
    pairs = []
    for name, value in (params or {}).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, _query_value(item)) for item in values if item is not None]
    if not pairs:
        return ""
    return "?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


def _query_value(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _encode_body(body, form):
    """Return the encoded body and its Content-Type. Raises SaltInvocationError for invalid JSON."""
    if form is not None:
        encoded = urllib.parse.urlencode(form, quote_via=urllib.parse.quote)
        return encoded.encode(), "application/x-www-form-urlencoded"
    if body is None:
        return None, None
    try:
        # Without a charset: Mesos accepts exactly this Content-Type.
        return json.dumps(body, allow_nan=False).encode(), "application/json"
    except (TypeError, ValueError) as error:
        raise SaltInvocationError(
            f"The request body is not valid JSON: {error}. Put dates in quotes"
        ) from None


# --- several servers ---


def first_success(urls, function):
    """
    Call a function with one URL after another and return the first result.

    function
        Raises CommandExecutionError if the server at the URL has no result.

    Raises a combined error if all of them fail.
    """
    failures = []
    for url in urls:
        try:
            return function(url)
        except CommandExecutionError as error:
            failures.append(error)
    raise combined_error(failures)


def map_concurrently(function, arguments):
    """
    Call a function with each value of a mapping; return the results by key.

    The calls run concurrently, so that all servers that hang cost one timeout together.
    """
    workers = max(1, min(MAX_CONCURRENT_CALLS, len(arguments)))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return dict(zip(arguments, pool.map(function, arguments.values())))


class WriteResult(NamedTuple):
    """
    The result of a write.

    ``response`` is None if the response was lost; ``read_back`` is then what shows the change.
    """

    response: "Response | None"
    read_back: object = None


class Client:
    """
    Client for the servers of one service.

    service
        ``mesos``, ``marathon`` or ``chronos``: the section of the configuration.

    default_url
        The URL if none is configured.

    salt, context
        ``__salt__`` and ``__context__`` of the module.

    profile, connection
        The arguments of the function that was called, see ``_http_settings.CONNECTION_DOC``.

    Raises SaltInvocationError for invalid settings.
    """

    def __init__(self, service, default_url, salt, context, profile=None, connection=()):
        self.service = service
        self._context = context
        self._settings = _http_settings.load(service, salt, profile, dict(connection))
        url = self._settings["url"]
        if url in (None, "", []):
            url = default_url
        if isinstance(url, str) and url.startswith("zk://"):
            self.urls = [_leader_in_zookeeper(service, url, self._settings)]
        else:
            self.urls, username, password = _http_settings.parse_urls(url)
            if username is not None and self._settings["username"] is None:
                self._settings.update(username=username, password=password)
        self._trusted_hosts = {urllib.parse.urlsplit(url).netloc.lower() for url in self.urls}
        self._sends_credentials = True
        self._single_server = False
        self._authorization = _http_settings.authorization_header(self._settings)
        self._tls = _http_settings.ssl_context(self._settings, self.urls)

    def setting(self, name):
        """Return a setting."""
        return self._settings[name]

    def public_settings(self):
        """Return the settings of the connection without secrets."""
        settings = dict(self._settings)
        for name in ("url", "username", "password", "token", "auth_scheme", "headers", "key"):
            del settings[name]
        return {
            "urls": self.urls,
            "authentication": self._authentication_kind(),
            **settings,
            "headers": sorted(self._settings["headers"]),
        }

    def _authentication_kind(self):
        if not self._authorization:
            return "none"
        return self._authorization.partition(" ")[0].partition("=")[0].lower()

    def for_server(self, url, trusted=False):
        """
        Return a client for one server, such as an agent or one of several masters. It never
        retries.

        trusted
            Whether the caller of the function named the server, so that it may receive credentials.
            The servers of ``url`` and ``redirect_hosts`` may receive them in any case.
        """
        client = Client.__new__(Client)
        client.__dict__.update(self.__dict__)
        client.urls = [_http_settings.base_url(url)]
        client._single_server = True
        client._settings = {**self._settings, "retries": 0}
        client._sends_credentials = trusted or self._is_trusted(url)
        return client

    def get(self, path, **options):
        """GET a path, see ``request``."""
        return self.request("GET", path, **options)

    def request(
        self,
        method,
        path,
        params=None,
        body=None,
        form=None,
        idempotent=None,
        allow=(),
        timeout=None,
    ):
        """
        Send a request to one server after another until one responds. Returns the Response.

        method, path
            For example GET and ``/v2/apps``. Use ``quote`` for variable parts of the path.

        params
            The query, a mapping. The key of a list is repeated, None is omitted, and booleans
            become ``true`` and ``false``.

        body, form
            Content to send as JSON, or a mapping to send as a form.

        idempotent
            Whether the request changes nothing and can be repeated. Default: True for GET and HEAD.

        allow
            Statuses besides those of success that are not errors.

        timeout
            Seconds for each request, instead of the setting.

        Raises the matching HttpError; if no server responds, one with a line for each server.
        """
        if idempotent is None:
            idempotent = method in ("GET", "HEAD")
        if timeout is None:
            timeout = self._settings["timeout"]
        timeout = _http_settings.check_timeout(timeout)
        data, content_type = _encode_body(body, form)
        full_path = path + _query_string(params)
        request = _Request(method, full_path, data, content_type, idempotent, timeout)
        deadline = time.monotonic() + max(self._settings["total_timeout"], timeout)
        response = self._try_servers(request, deadline)
        return response if response.status in allow else response.raise_for_status()

    def _try_servers(self, request, deadline):
        failures = {}
        for attempt in range(self._settings["retries"] + 1):
            if attempt and not _pause(self._settings["retry_delay"], deadline):
                break
            for url in self._ordered_urls():
                if time.monotonic() >= deadline:
                    break
                try:
                    return self._request_to_server(url, request, deadline)
                except _TryNextServer as failure:
                    failures[url] = failure.error
                    self._forget_leader(url)
        raise combined_error(list(failures.values()))

    def write(self, method, path, read_back, **options):
        """
        Send a request that changes something, once. Options are those of ``request``.

        read_back
            Called without arguments if the response was lost. Returns a true value if the change is
            visible.

        Returns a WriteResult. Raises OutcomeUnknown if the response was lost and the change is not
        visible.
        """
        try:
            return WriteResult(self.request(method, path, **options))
        except OutcomeUnknown as error:
            try:
                evidence = read_back()
            except CommandExecutionError as second_error:
                reason = _text.first_line(str(second_error))
                raise OutcomeUnknown(
                    f"{error}, and reading it back failed: {reason}", **error.info
                ) from error
            if evidence:
                return WriteResult(None, evidence)
            raise OutcomeUnknown(
                f"{error}; reading it back does not show the change (yet)", **error.info
            ) from error

    # --- one server ---

    def _request_to_server(self, url, request, deadline):
        """
        Send a request to one server, and follow its redirects to the leader.

        Raises _TryNextServer if another server may be able to respond.
        """
        target = url + request.path
        sends_credentials = self._sends_credentials
        redirects = 0
        while True:
            response = self._send(target, request, sends_credentials, deadline)
            redirect = None if self._single_server else redirect_target(response)
            if redirect is None:
                break
            redirects += 1
            if redirects > MAX_REDIRECTS:
                raise _TryNextServer(response.error(NoLeader, "redirects in a circle"))
            sends_credentials = self._is_trusted(redirect)
            if self._authorization and not sends_credentials:
                host = urllib.parse.urlsplit(redirect).netloc
                text = (
                    f"redirects to {host}, which is neither in url nor in redirect_hosts and "
                    "therefore receives no credentials"
                )
                raise _TryNextServer(response.error(AccessDenied, text))
            target = redirect
        self._check_processed(response, request)
        if not self._single_server:
            self._remember_leader(_origin(target) if redirects else url)
        return response

    def _send(self, url, request, sends_credentials, deadline):
        headers = dict(self._settings["headers"])
        if request.content_type:
            headers["Content-Type"] = request.content_type
        if self._authorization and sends_credentials:
            headers["Authorization"] = self._authorization
        timeout = min(request.timeout, max(0.1, deadline - time.monotonic()))
        connect_timeout = self._settings["connect_timeout"]
        try:
            return send(
                request.method, url, request.data, headers, timeout, connect_timeout, self._tls
            )
        except Unreachable as error:
            if error.sent and not request.idempotent:
                raise OutcomeUnknown(f"{error}. {OUTCOME_UNKNOWN}", **error.info) from error
            raise _TryNextServer(error) from error

    def _check_processed(self, response, request):
        """
        Raise an error for a response that is not one of the leader itself.

        That is _TryNextServer if the request can be repeated, otherwise OutcomeUnknown.
        """
        is_proxy_error = response.status == 500 and response.mentions([CHRONOS_PROXY_ERROR])
        if response.status not in GATEWAY_STATUSES and not is_proxy_error:
            return
        text = f"{response.status} {response.summary()}"
        failure = response.error(response.error_class(), text)
        if request.idempotent or response.mentions(NOT_PROCESSED_MESSAGES):
            raise _TryNextServer(failure)
        raise OutcomeUnknown(f"{failure}. {OUTCOME_UNKNOWN}", **failure.info)

    # --- which servers ---

    def _is_trusted(self, url):
        """Return whether the server of a URL may receive credentials."""
        parts = urllib.parse.urlsplit(url)
        netloc = parts.netloc.lower()
        if netloc in self._trusted_hosts:
            return True
        allowed_hosts = {host.lower() for host in self._settings["redirect_hosts"]}
        return bool({"any", netloc, parts.hostname} & allowed_hosts)

    @property
    def _leader_key(self):
        """The key of the last leader in ``__context__``; it differs by servers and by user."""
        key = json.dumps([self.service, self.urls, self._authorization])
        return f"_http_client:{hashlib.sha256(key.encode()).hexdigest()}"

    def _ordered_urls(self):
        """Return the URLs of the servers, the last leader first."""
        leader = None if self._single_server else self._context.get(self._leader_key)
        if not leader:
            return list(self.urls)
        return list(dict.fromkeys([leader, *self.urls]))

    def _remember_leader(self, url):
        self._context[self._leader_key] = url

    def _forget_leader(self, url):
        # Clients for a single server run in threads, where Salt's __context__ does not exist.
        if not self._single_server and self._context.get(self._leader_key) == url:
            del self._context[self._leader_key]


class _Request(NamedTuple):
    method: str
    path: str
    data: "bytes | None"
    content_type: "str | None"
    idempotent: bool
    timeout: float


class _TryNextServer(Exception):
    """The server did not process the request. ``error`` says why."""

    def __init__(self, error):
        super().__init__(str(error))
        self.error = error


def _origin(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _pause(delay, deadline):
    """Sleep before the next round over all servers. Returns False if there is no time for one."""
    if time.monotonic() + delay >= deadline:
        return False
    time.sleep(delay)
    return True


# --- the leader in ZooKeeper ---


def _leader_in_zookeeper(service, url, settings):
    """Return the URL of the leader that is registered below a zk:// URL."""
    displayed_url = _text.redact_user(url)
    hosts, path, login = _http_settings.parse_zookeeper_url(url)
    try:
        client = _zookeeper_client.Client(
            hosts,
            timeout=settings["retries"] * settings["retry_delay"],
            session_timeout=settings["timeout"],
            connect_timeout=settings["connect_timeout"],
            login=login,
        )
        with client:
            candidate = _first_candidate(service, path, client)
    except _zookeeper_client.ZooKeeperError as error:
        is_denied = isinstance(error, _zookeeper_client.NoAuth)
        error_class = AccessDenied if is_denied else Unreachable
        raise error_class(f"{displayed_url}: {_text.first_line(str(error))}") from None
    if candidate is None:
        raise NoLeader(f"{displayed_url}: there is no candidate for leadership")
    address = _candidate_address(candidate)
    uses_tls = settings["ca_bundle"] or settings["cert"]
    scheme = "https" if uses_tls else "http"
    try:
        return _http_settings.base_url(f"{scheme}://{address}")
    except SaltInvocationError:
        displayed_address = _text.first_line(address)
        raise NoLeader(
            f"{displayed_url}: the leader has an invalid address: {displayed_address}"
        ) from None


def _first_candidate(service, path, client):
    """Return the data of the candidate with the lowest number, None if there is no candidate."""
    for subpath, pattern in ELECTION_NODES[service]:
        directory = path + subpath
        matches = [re.fullmatch(pattern, name) for name in _children(client, directory or "/")]
        candidates = sorted((match[1], match[0]) for match in matches if match)
        for _, name in candidates:
            try:
                return client.get(f"{directory}/{name}")[0]
            except _zookeeper_client.NoNode:
                pass  # This candidate has just resigned.
    return None


def _children(client, path):
    """Return the names of the znodes below a path, none if the path does not exist."""
    try:
        return client.children(path)
    except _zookeeper_client.NoNode:
        return []


def _candidate_address(data):
    """Return ``host:port`` from the data of a candidate, which Mesos writes as JSON."""
    text = data.decode("utf-8", "replace")
    info = _parse_json(text)
    if not isinstance(info, dict):
        return text
    address = info.get("address")
    if isinstance(address, dict):
        return f"{address.get('ip') or address.get('hostname')}:{address.get('port')}"
    return f"{info.get('hostname')}:{info.get('port')}"
