"""The HTTP client of the modules as functions, to test it."""

import importlib
import os
import sys
from unittest import mock

import _http_client

DEFAULT_URL = "http://127.0.0.1:9"


def _client(service, connection, profile=None):
    return _http_client.Client(service, DEFAULT_URL, __salt__, __context__, profile, connection)


def request(
    service, method, path, server=None, trusted=False, connection=None, json=False, **options
):
    """
    Send a request. Returns the status, text and URL of the response, or the error.

    server
        Send it to this server alone.

    json
        Require a JSON mapping as the response.
    """
    try:
        client = _client(service, connection or {})
        if server:
            client = client.for_server(server, trusted)
        response = client.request(method, path, **options)
        if json:
            response.json()
        return {"status": response.status, "text": response.text(), "url": response.url}
    except _http_client.HttpError as error:
        return {"error": type(error).__name__, "text": str(error), **error.info}


def write(service, method, path, visible, connection=None, **options):
    """Send a write. Reading its change back returns ``visible``. Returns the WriteResult."""
    client = _client(service, connection or {})
    response, read_back = client.write(method, path, lambda: visible, **options)
    return {"status": response.status if response else None, "read_back": read_back}


def settings(service, profile=None, **connection):
    """Return the public settings of a connection."""
    return _client(service, connection, profile).public_settings()


def error_after_reloads(url, helpers):
    """
    Send a request with a client that is older than the reloaded helpers, as after the loading of
    another module. Returns the class that the error was caught as.
    """
    client = _client("mesos", {"url": url, "retries": 0, "timeout": 2})
    old_class = _http_client.Unreachable
    # Salt has this directory in sys.path only while it loads a module.
    with mock.patch.object(sys, "path", [os.path.dirname(_http_client.__file__), *sys.path]):
        for helper in helpers:
            importlib.reload(sys.modules[helper])
    try:
        client.request("GET", "/state")
    except _http_client.Unreachable as error:
        same = "the old class" if isinstance(error, old_class) else "a new class"
        return f"Unreachable, {same}"
