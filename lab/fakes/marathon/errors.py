"""Marathon's error responses, and the decorator of its API routes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, NotFound

from ..wire.http import Refusal, Request, Response, route

LOCKED = (
    "App is locked by one or more deployments. Override with the option '?force=true'. "
    "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
)
CROWDED = (
    "Max number ({}) of running deployments is achieved. Wait for existing deployments to complete "
    "or cancel one"
    "using force=true parameter. You can increase max deployment number by using "
    "--max_running_deployments parameter "
    "but be advised that this can have negative effects on the performance."
)

Errors = list[tuple[str, str]]  # pairs of path and message
Line = tuple[int, ...]  # such as (1, 4)


class Refused(Refusal):
    """An error response: ``message`` and further members of its JSON."""

    def __init__(self, status: int, message: str, **members: Any) -> None:
        super().__init__(status, {"message": message, **members})


def details(errors: Errors) -> list[dict[str, Any]]:
    """Group errors by path."""
    grouped: dict[str, list[str]] = {}
    for path, text in errors:
        grouped.setdefault(path, []).append(text)
    return [{"path": path, "errors": texts} for path, texts in grouped.items()]


def invalid(errors: Errors) -> None:
    """Raise Refused for an object that breaks rules, if there are errors."""
    if errors:
        raise Refused(422, "Object is not valid", details=details(errors))


def misshapen(errors: Errors, line: Line) -> None:
    """Raise Refused for JSON of a wrong shape or type, if there are errors."""
    if errors:
        raise Refused(422 if line >= (1, 5) else 400, "Invalid JSON", details=details(errors))


def missing(kind: str, name: str, version: str | None = None) -> Refused:
    """Make the error for an app, pod, group or task that does not exist."""
    return Refused(
        404, f"{kind} '{name}' does not exist" + (f" in version {version}" if version else "")
    )


def page(text: str, status: int) -> Response:
    """Make an error page as Jetty does, in HTML."""
    html = (
        f"<html><head><title>Error {status} {text}</title></head>"
        f"<body><h2>HTTP ERROR {status}</h2></body></html>\n"
    )
    return Response(html, status, content_type="text/html;charset=iso-8859-1")


def api(path: str, *methods: str, since: Line = (0,)) -> Callable:
    """
    Mark a method as a route of Marathon's API, as ``http.route`` does.

    The method runs while the lock of the daemon is held. Versions before ``since`` do not have the
    route.
    """

    def mark(function: Callable) -> Callable:
        @functools.wraps(function)
        def answered(self: Any, request: Request, *arguments: str, **captured: str) -> Any:
            if self.line < since:
                raise MethodNotAllowed if methods == ("PATCH",) else NotFound
            with self.lock:
                return function(self, request, *arguments, **captured)

        return route(path, *methods)(answered)

    return mark


def flag(request: Request, name: str, default: bool = False) -> bool:
    """Read a boolean of the query as Java does: everything but ``true`` is false."""
    return request.args.get(name, str(default)).lower() == "true"


def body(request: Request) -> Any:
    """Parse the JSON of a request."""
    text = request.get_data()
    if not text.strip():
        raise Refused(
            400,
            "Please specify data in JSON format",
            details="No content to map due to end-of-input",
        )
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refused(400, "Invalid JSON", details=f"Unexpected character: {error}") from error


def unique(names: Iterable[Any]) -> bool:
    """Return whether no name is repeated. None does not count."""
    present = [name for name in names if name is not None]
    return len(present) == len(set(present))
