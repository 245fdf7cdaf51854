"""Health checks as Marathon and the executors of Mesos make them: each function returns what is wrong, nothing if all is well."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request

# A task is asked at its own address, and its certificate may be anyone's.
OPENER = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
)


def http_fault(url: str, timeout: float) -> str:
    """Whether a URL answers with a status from 200 to 399."""
    try:
        with OPENER.open(url, timeout=timeout):
            return ""
    except urllib.error.HTTPError as error:
        return f"Unexpected HTTP response code: {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return _words(error)


def tcp_fault(host: str, port: int, timeout: float) -> str:
    """Whether a port takes a connection."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError as error:
        return _words(error)
    return ""


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
