"""
Settings of the connection to a service: which ones apply, whether they are valid, and the
authentication and TLS that follow from them. A helper of the execution modules, not a module
itself: Salt's loader skips names that begin with ``_``.

See ``_http_client`` for why helpers are reloaded and refer to each other by module name.
"""

import base64
import importlib
import os
import re
import ssl
import urllib.parse
from collections.abc import Mapping

import _text
import _zookeeper_client
from salt.exceptions import SaltInvocationError

importlib.reload(_text)
importlib.reload(_zookeeper_client)

CONNECT_TIMEOUT = 5
MAX_TIMEOUT = 3600

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
# Settings whose values may be secrets, or may contain them.
SECRET_SETTINGS = ("password", "token", "headers")
URL_EXAMPLE = "Example: http://10.0.0.1:5050"
ZOOKEEPER_URL_EXAMPLE = "Example: zk://10.0.0.1:2181,10.0.0.2:2181/path"

CONNECTION_DOC = """
    Show which settings the functions of this module use. Sends no request.

    profile
        Name of a set of settings, or the set itself as a mapping. Default ``api``.

    connection
        Settings for this call. Each one is looked up in the call, then in
        ``{service}:PROFILE:SETTING``, then in ``{service}:SETTING`` of the minion configuration or
        pillar (in this order); otherwise its default applies:

        * ``url``: one URL, several separated by commas, or a list. Each is ``http://`` (may be
          omitted) or ``https://``, with or without a path; or
          ``zk://[user:password@]host1:2181,host2:2181/path``, where the leader is looked up in
          ZooKeeper. Default ``{default}``. The server that led last is tried first, the others in
          this order.
        * ``username``, ``password``: for Basic authentication. They may be part of the URL instead.
        * ``token``, ``auth_scheme``: sent as ``Authorization: Bearer TOKEN``, or as
          ``Authorization: token=TOKEN`` if the scheme is ``token=`` (DC/OS). Default scheme
          ``Bearer``.
        * ``verify_ssl``: whether to check certificates, default True. ``ca_bundle``: file or
          directory with the trusted authorities, default those of the system. ``cert``, ``key``:
          files with the client certificate and its key.
        * ``timeout``: seconds for each request, default 15. ``connect_timeout``: seconds for
          connecting, default 5. ``total_timeout``: seconds for a request including all its
          retries, default 60.
        * ``retries``: how many more rounds to make over all servers if none responds, default 2,
          with ``retry_delay`` seconds between rounds, default 1. A request that changes something
          is only retried if no server can have started to process it.
        * ``redirect_hosts``: hosts (``host`` or ``host:port``), besides those of ``url``, that may
          receive credentials after a redirect; ``any``: all hosts. Without credentials every
          redirect is followed.
        * ``headers``: additional request headers, a mapping.{extra_settings}

        Secrets may be ``sdb://`` URIs, as elsewhere in Salt's configuration.

    Returns a mapping: ``urls``, ``authentication`` (``none``, ``basic`` or the scheme of the token,
    never the secret) and the settings. Raises SaltInvocationError for invalid settings and unknown
    profiles.

    CLI Example:

    .. code-block:: bash

        salt-call {service}.connection
        salt-call {service}.connection url=http://10.0.0.1:{port},http://10.0.0.2:{port} timeout=5
    """


# --- which settings apply ---


def load(service, salt, profile, connection):
    """
    Return all settings of a connection.

    service
        ``mesos``, ``marathon`` or ``chronos``: the section of the configuration.

    salt
        ``__salt__`` of the module.

    profile, connection
        The arguments of the function that was called, see CONNECTION_DOC.

    Raises SaltInvocationError for unknown and invalid settings. The message contains no secret.
    """
    arguments = _without_published(connection)
    for name in arguments:
        if name not in DEFAULTS:
            raise SaltInvocationError(
                f"{name}: no such argument. The connection settings are {', '.join(DEFAULTS)}"
            )
    settings = dict(DEFAULTS)
    settings.update(_configured(service, salt, profile))
    settings.update({name: value for name, value in arguments.items() if value is not None})
    _validate(settings)
    if isinstance(settings["redirect_hosts"], str):
        settings["redirect_hosts"] = _split_commas(settings["redirect_hosts"])
    return settings


def _without_published(connection):
    """Leave out the arguments that Salt adds to a published call."""
    return {name: value for name, value in connection.items() if not name.startswith("__pub_")}


def _split_commas(text):
    return [part.strip() for part in text.split(",")]


def _configured(service, salt, profile):
    """Return the settings of a profile, or of the configuration."""
    if isinstance(profile, Mapping):
        return _profile_mapping(profile)
    if profile is not None and not _is_profile_name(profile):
        raise SaltInvocationError(
            f"profile: {profile!r} is neither the name of a profile nor a mapping"
        )

    def configured(key):
        return salt["config.get"](f"{service}:{key}", default=None, omit_grains=True)

    if profile is not None and not isinstance(configured(profile), Mapping):
        raise SaltInvocationError(
            f"profile: there is no {service}:{profile} in the minion configuration or pillar"
        )
    section = profile or "api"
    configured_names = _configured_names(service, salt, section)
    settings = {}
    for name in DEFAULTS:
        if name not in configured_names:
            continue
        value = configured(f"{section}:{name}")
        if value is None:
            value = configured(name)
        if value is not None:
            settings[name] = value
    # The formulas of Marathon and Chronos configure the server with this setting.
    if profile is None and "http_credentials" in configured_names:
        credentials = configured("http_credentials")
        if isinstance(credentials, str) and not {"username", "token"} & set(settings):
            settings["username"], _, settings["password"] = credentials.partition(":")
    return settings


def _profile_mapping(profile):
    unknown = [str(name) for name in profile if name not in DEFAULTS]
    if unknown:
        raise SaltInvocationError(
            f"profile: {', '.join(unknown)}: no such setting. "
            f"The settings are {', '.join(DEFAULTS)}"
        )
    return {name: value for name, value in profile.items() if value is not None}


def _is_profile_name(profile):
    return isinstance(profile, str) and re.fullmatch(r"[\w.-]+", profile)


def _configured_names(service, salt, profile):
    """
    Return the names of the settings that are configured in any source.

    Looking up every setting by itself takes longer than the request to the server.
    """
    names = set()
    sources = ("opts", "pillar", "master")
    for source in sources:
        omitted = {f"omit_{name}": True for name in ("grains", *sources) if name != source}
        section = salt["config.get"](service, default=None, **omitted)
        if not isinstance(section, Mapping):
            continue
        names |= set(section)
        if isinstance(section.get(profile), Mapping):
            names |= set(section[profile])
    return names


# --- validation ---


def check_timeout(timeout):
    """Return a timeout in seconds. Raises SaltInvocationError if it is not valid."""
    if not _is_seconds(timeout):
        raise SaltInvocationError(
            f"timeout: {timeout!r} is not a number of seconds between 0 and {MAX_TIMEOUT}"
        )
    return timeout


def _validate(settings):
    for name, (is_valid, expected) in _VALIDATORS.items():
        value = settings[name]
        if value is None or is_valid(value):
            continue
        displayed = "its value" if name in SECRET_SETTINGS else repr(value)
        raise SaltInvocationError(f"{name}: {displayed} is not {expected}")
    if settings["username"] is not None and settings["token"] is not None:
        raise SaltInvocationError("token: cannot be combined with username")
    if settings["key"] is not None and settings["cert"] is None:
        raise SaltInvocationError("key: needs cert, the certificate that it belongs to")


def _is_text(value):
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_username(value):
    return _is_text(value) and ":" not in value


def _is_password(value):
    return value == "" or _is_text(value)


def _is_auth_scheme(value):
    return isinstance(value, str) and re.fullmatch("[A-Za-z]+=?", value)


def _is_boolean(value):
    return isinstance(value, bool)


def _is_seconds(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0 < value <= MAX_TIMEOUT


def _is_delay(value):
    return value == 0 or _is_seconds(value)


def _is_retry_count(value):
    return not isinstance(value, bool) and isinstance(value, int) and 0 <= value <= 100


def _is_host_list(value):
    return isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value)))


def _is_headers(value):
    if not isinstance(value, Mapping):
        return False
    return all(_is_text(name) and _is_text(content) for name, content in value.items())


_TEXT = (_is_text, "text. Put a number in quotes")
_SECONDS = (_is_seconds, f"a number of seconds between 0 and {MAX_TIMEOUT}")
_VALIDATORS = {
    "username": (_is_username, "text without a colon. Put a number in quotes"),
    "password": (_is_password, _TEXT[1]),
    "token": _TEXT,
    "auth_scheme": (_is_auth_scheme, "an authentication scheme such as Bearer or token="),
    "verify_ssl": (_is_boolean, "true or false"),
    "ca_bundle": _TEXT,
    "cert": _TEXT,
    "key": _TEXT,
    "timeout": _SECONDS,
    "connect_timeout": _SECONDS,
    "total_timeout": _SECONDS,
    "retries": (_is_retry_count, "a number from 0 to 100"),
    "retry_delay": (_is_delay, _SECONDS[1]),
    "redirect_hosts": (_is_host_list, "a list of hosts"),
    "headers": (_is_headers, "a mapping of text to text"),
}


# --- URLs ---


def parse_urls(url):
    """
    Return the base URLs of a setting and the credentials in them: ``(urls, username, password)``.

    url
        Text, with commas between several URLs, or a list.

    Raises SaltInvocationError for anything but http:// and https:// URLs. The message contains no
    password.
    """
    texts = _split_commas(url) if isinstance(url, str) else url
    if not isinstance(texts, (list, tuple)):
        raise SaltInvocationError(
            f"url: should be a URL or a list of URLs, not {type(url).__name__}"
        )
    urls = []
    logins = set()
    for text in texts:
        base, login = _split_login(text)
        urls.append(base)
        if login is not None:
            logins.add(login)
    if len(logins) > 1:
        raise SaltInvocationError(
            "url: the URLs contain different users. Set username and password instead"
        )
    username, password = logins.pop() if logins else (None, None)
    return list(dict.fromkeys(urls)), username, password


def base_url(url):
    """Return a URL without a trailing slash. Raises SaltInvocationError for an invalid one."""
    base, login = _split_login(url)
    if login is not None:
        raise SaltInvocationError(f"url: {_text.redact_user(url)} contains a user")
    return base


def _split_login(url):
    """
    Return the base URL and ``(username, password)``, or None instead if it contains no user.

    Raises SaltInvocationError for an invalid URL.
    """
    if not isinstance(url, str):
        raise SaltInvocationError(f"url: should be text, not {type(url).__name__}. {URL_EXAMPLE}")
    full = url if "://" in url else f"http://{url}"
    if not _is_server_url(full):
        raise SaltInvocationError(
            f"url: {_text.redact_user(url)} is not an http:// or https:// URL of a server. "
            f"{URL_EXAMPLE}"
        )
    parts = urllib.parse.urlsplit(full)
    login, at_sign, host = parts.netloc.rpartition("@")
    base = urllib.parse.urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    if not at_sign:
        return base, None
    username, _, password = login.partition(":")
    return base, (urllib.parse.unquote(username), urllib.parse.unquote(password))


def _is_server_url(url):
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not re.fullmatch("[!-~]+", url) or not re.fullmatch(r"[\w.:%-]+", parts.hostname or ""):
        return False
    if parts.scheme not in ("http", "https") or port == 0:
        return False
    return not parts.query and not parts.fragment and "@" not in parts.path


def parse_zookeeper_url(url):
    """
    Return the parts of a zk:// URL: ``(hosts, path, login)``.

    The hosts are text as in the URL. The path begins with a slash and does not end with one; that
    of the root is empty. The login is ``(username, password)``, or None without a user.

    Raises SaltInvocationError for an invalid URL. The message contains no password.
    """
    servers, _, path = url[len("zk://") :].partition("/")
    user, at_sign, hosts = servers.rpartition("@")
    username, colon, password = user.partition(":")
    path = path.strip("/")
    try:
        _zookeeper_client.parse_hosts(hosts)
    except ValueError:
        is_valid = False
    else:
        has_login = bool(username and colon)
        is_valid = "//" not in path and path.isprintable() and has_login == bool(at_sign)
    if not is_valid:
        raise SaltInvocationError(
            f"url: {_text.redact_user(url)} is not a zk:// URL. {ZOOKEEPER_URL_EXAMPLE}"
        )
    login = (urllib.parse.unquote(username), urllib.parse.unquote(password)) if at_sign else None
    return hosts, f"/{path}" if path else "", login


# --- authentication and TLS ---


def authorization_header(settings):
    """Return the value of the header ``Authorization``; None without credentials."""
    if settings["token"] is not None:
        scheme = settings["auth_scheme"]
        separator = "" if scheme.endswith("=") else " "
        return f"{scheme}{separator}{settings['token']}"
    if settings["username"] is None:
        return None
    login = f"{settings['username']}:{settings['password'] or ''}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def ssl_context(settings, urls):
    """
    Return the SSL context of the settings; None if neither they nor a URL ask for TLS.

    Raises SaltInvocationError for certificate files that are missing or invalid.
    """
    uses_https = any(url.startswith("https:") for url in urls)
    if not (uses_https or settings["ca_bundle"] or settings["cert"]):
        return None
    context = _load_authorities(settings["ca_bundle"])
    if settings["cert"]:
        try:
            # An empty password instead of a prompt for one.
            context.load_cert_chain(settings["cert"], settings["key"], lambda: "")
        except (OSError, ssl.SSLError, ValueError) as error:
            raise _certificate_error("cert", settings["cert"], error) from None
    if not settings["verify_ssl"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_authorities(bundle):
    try:
        if bundle and os.path.isdir(bundle):
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise _certificate_error("ca_bundle", bundle, error) from None


def _certificate_error(setting, path, error):
    reason = getattr(error, "strerror", None) or error
    return SaltInvocationError(f"{setting}: {path}: {reason}")
