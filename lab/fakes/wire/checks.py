"""
Health checks as Marathon and the Mesos executors run them.

Each function returns an error message, or an empty string if the check passes.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request

# Checks connect to the task directly, without a proxy, and do not verify its certificate.
OPENER = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
)


def http_fault(url: str, timeout: float) -> str:
    """Check that a URL responds with a status from 200 to 399. ``timeout`` is in seconds."""
    try:
        with OPENER.open(url, timeout=timeout):
            return ""
    except urllib.error.HTTPError as error:
        return f"Unexpected HTTP response code: {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return _message(error)


def tcp_fault(host: str, port: int, timeout: float) -> str:
    """Check that a port accepts a connection. ``timeout`` is in seconds."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError as error:
        return _message(error)
    return ""


def _message(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
