"""
HTTP, and what goes with it, for the modules mesos, marathon, chronos and zk. No module itself: Salt's loader skips
names that begin with ``_``.

The standard library alone, as that is what a minion and a host under salt-ssh surely have. No proxy and no netrc: who
manages a cluster asks its daemons themselves, whatever the environment of the minion says.

Redirects are not followed. A master names the leader in one; the module ``mesos`` then asks that one, once, at the host
and port that the master named, in the same scheme. No credentials are sent, so none can be sent to a wrong host.
"""

import concurrent.futures
import http.client
import json
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


class Answer(NamedTuple):
    """What a daemon answered, whatever the status. The names of ``headers`` are in lower case."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self):
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self):
        """The body, if it is a JSON object. Raises CommandExecutionError if it is anything else."""
        found = _loaded(self.body)
        if not isinstance(found, dict):
            said = self.first_line() if self.body else "nothing at all"
            raise CommandExecutionError(f"{self.method} {self.url}: not the JSON that was expected: {said}")
        return found

    def good(self):
        """This answer again, if its status says success. Raises CommandExecutionError, with what it says, if not."""
        if not 200 <= self.status < 300:
            onward = f", see {without_user(self.headers['location'])}" if "location" in self.headers else ""
            raise CommandExecutionError(f"{self.method} {self.url}: {self.status} {self.first_line()}{onward}")
        return self

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


def _loaded(text):
    """What JSON says, None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def first_line(text):
    """Return the first line of a text that says anything, fit for a message: printable, and not endless."""
    printable = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text[:MAX_LOOKED_AT])
    lines = [" ".join(line.split()) for line in printable.splitlines() if line.strip()]
    line = lines[0] if lines else ""
    return line if len(line) <= SHOWN_LENGTH else f"{line[:SHOWN_LENGTH]}..."


def without_user(url):
    """Return a URL to be shown: what stands before an @ may be a password."""
    return re.sub("//.*@", "//***@", url)


def candidates(given, configured, default):
    """
    Return the base URLs to ask, one after another, in the order in which they were given.

    given, configured
        Text, with commas between several, or a list: what the call said and what the configuration says. The first
        that says anything counts.

    default
        The URL if neither does.

    Raises SaltInvocationError, without passwords in it, for anything that is no http:// or https:// URL.
    """
    chosen = given if given not in (None, "", []) else configured
    if chosen in (None, "", []):
        chosen = default
    urls = [part.strip() for part in chosen.split(",")] if isinstance(chosen, str) else chosen
    if not isinstance(urls, list | tuple):
        raise SaltInvocationError(f"url: should be a URL or a list of URLs, not {type(urls).__name__}")
    return list(dict.fromkeys(base(url) for url in urls))


def base(url):
    """Return a URL without the slash at its end. Raises SaltInvocationError if it is none that could be asked."""
    looks = "It looks like http://10.0.0.1:5050"
    if not isinstance(url, str):
        raise SaltInvocationError(f"url: should be text, not {type(url).__name__}. {looks}")
    shown = without_user(url)
    try:
        parts = urllib.parse.urlsplit(url)
        fits = re.fullmatch("[!-~]+", url) and re.fullmatch(r"[\w.:%-]+", parts.hostname or "") and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise SaltInvocationError(f"url: {shown} is no http:// or https:// URL of a server. {looks}")
    if "@" in parts.netloc:
        raise SaltInvocationError(f"url: {shown} holds a user: these modules send no credentials. {looks}")
    return url.rstrip("/")


def place(url):
    """Return ``{"url": ..., "host": ..., "port": ...}`` of a URL; the port is a number."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return {"url": url, "host": parts.hostname, "port": port}


def send(method, url, body=None, timeout=CONNECT_TIMEOUT):
    """
    Ask one server once. Redirects are answers like any other: nothing is followed here.

    method, url
        Such as GET and http://10.0.0.1:5050/health.

    body
        What is sent as JSON. None: no body.

    timeout
        Seconds for the whole exchange, of which the connection may take 5. Looking up a name is not counted.

    Returns an Answer, whatever its status. Raises CommandExecutionError, with method and URL, where none came.
    """
    parts = urllib.parse.urlsplit(url)
    headers = {"Accept": "application/json, */*;q=0.1", "Accept-Encoding": "gzip", "Connection": "close"}
    data = None
    if body is not None:
        data = json.dumps(body)
        headers["Content-Type"] = "application/json"  # and not a word more, Mesos compares the whole
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    deadline = time.monotonic() + timeout
    connection = _connection(parts, min(timeout, CONNECT_TIMEOUT))
    try:
        connection.connect()
        connection.sock.settimeout(left(deadline))
        connection.request(method, target, data, headers)
        return _read(method, url, connection, deadline)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise CommandExecutionError(f"{method} {url}: {reason(error, timeout)}") from error
    finally:
        connection.close()


def _connection(parts, timeout):
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=ssl.create_default_context())
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
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed the connection without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "hung up in the middle of its answer"
    if isinstance(error, http.client.HTTPException):
        return f"what answers there speaks no HTTP ({type(error).__name__})"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "the name of the host is not known"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _read(method, url, connection, deadline):
    """Read what comes. Raises CommandExecutionError for more than MAX_BYTES, and what the connection raises."""
    sock = connection.sock
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    # 16 + MAX_WBITS: gzip, with its header
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if headers.get("content-encoding") == "gzip" else None
    body = bytearray()
    try:
        while not response.isclosed():  # it is as soon as all has come that was announced; the socket is then gone, too
            sock.settimeout(left(deadline))
            chunk = response.read(CHUNK)
            body += unpack.decompress(chunk, MAX_BYTES + 1 - len(body)) if unpack else chunk
            if len(body) > MAX_BYTES:
                raise CommandExecutionError(f"{method} {url}: more than {MAX_BYTES} bytes, which is no answer")
        length = headers.get("content-length", "")
        if method != "HEAD" and not unpack and length.isdigit() and len(body) < int(length):
            raise http.client.IncompleteRead(bytes(body))
    except zlib.error:
        raise CommandExecutionError(f"{method} {url}: the answer is said to be gzip and is not") from None
    except (OSError, http.client.HTTPException):
        # A Chronos that passes an error on announces a body, and then has none to send. The status is the answer.
        if response.status < 400:
            raise
    return Answer(method, url, response.status, headers, bytes(body))


def target(answer):
    """
    Return the URL that a redirect leads to, None if the answer is no redirect. Whether to ask there is the caller's choice.

    A master that does not lead answers ``Location: //host:port/path``, that is, in the scheme of the request.
    Raises CommandExecutionError for anything but that: no host, another scheme, a user in it.
    """
    if not 300 <= answer.status < 400:
        return None
    location = answer.headers.get("location", "")
    found = urllib.parse.urljoin(answer.url, location)
    try:
        if not urllib.parse.urlsplit(location).netloc or found.partition(":")[0] != answer.url.partition(":")[0]:
            raise ValueError
        base(found.partition("?")[0])
    except (ValueError, SaltInvocationError):
        raise CommandExecutionError(f"{answer.method} {answer.url}: redirects to where nobody should follow") from None
    return found


def named(answer):
    """
    Return url, host and port of the leader that ``{"leader": "host:port"}`` names, in the scheme of the request.

    Raises CommandExecutionError if it names none.
    """
    leader = answer.json().get("leader")
    if not leader:
        raise CommandExecutionError(f"{answer.method} {answer.url}: there is no leader")
    try:
        return place(base(f"{urllib.parse.urlsplit(answer.url).scheme}://{leader}"))
    except SaltInvocationError:
        raise CommandExecutionError(f"{answer.method} {answer.url}: the leader is said to be {leader}") from None


def first(urls, question):
    """
    Put a question to one URL after another and return the first answer.

    question
        Called with a URL; raises CommandExecutionError where that one has no answer.

    Raises CommandExecutionError with a line for each of them if nobody has one.
    """
    failures = []
    for url in urls:
        try:
            return question(url)
        except CommandExecutionError as error:
            failures.append(str(error))
    raise CommandExecutionError("\n".join(failures))


def together(function, things):
    """Return, by key, what ``function`` says of each value. All are asked at the same time, so those that hang cost one timeout."""
    with concurrent.futures.ThreadPoolExecutor(max(1, min(16, len(things)))) as pool:
        return dict(zip(things, pool.map(function, things.values()), strict=True))


def seconds(timeout):
    """Return a timeout. Raises SaltInvocationError if it is no number of seconds."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 3600:
        raise SaltInvocationError(f"timeout: {timeout!r} is no number of seconds between 0 and 3600")
    return timeout
