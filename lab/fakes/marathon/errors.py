"""What Marathon says where it refuses, and how a route of its API is declared."""

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
    "Max number ({}) of running deployments is achieved. Wait for existing deployments to complete or cancel one"
    "using force=true parameter. You can increase max deployment number by using --max_running_deployments parameter "
    "but be advised that this can have negative effects on the performance."
)

Errors = list[tuple[str, str]]  # (path, what is wrong there)
Line = tuple[int, ...]  # such as (1, 4)


class Refused(Refusal):
    """A request that is answered with an error: ``message`` and what else its JSON says."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(status, {"message": message, **more})


def details(errors: Errors) -> list[dict[str, Any]]:
    """Group errors by their path."""
    grouped: dict[str, list[str]] = {}
    for path, text in errors:
        grouped.setdefault(path, []).append(text)
    return [{"path": path, "errors": texts} for path, texts in grouped.items()]


def invalid(errors: Errors) -> None:
    """Refuse an object that breaks rules, if there are errors."""
    if errors:
        raise Refused(422, "Object is not valid", details=details(errors))


def misshapen(errors: Errors, line: Line) -> None:
    """Refuse JSON of the wrong shape or types, if there are errors."""
    if errors:
        raise Refused(422 if line >= (1, 5) else 400, "Invalid JSON", details=details(errors))


def missing(kind: str, name: str, version: str | None = None) -> Refused:
    """There is no such app, pod, group, task ..."""
    return Refused(
        404, f"{kind} '{name}' does not exist" + (f" in version {version}" if version else "")
    )


def page(text: str, status: int) -> Response:
    """An error as Jetty shows it, in HTML."""
    html = f"<html><head><title>Error {status} {text}</title></head><body><h2>HTTP ERROR {status}</h2></body></html>\n"
    return Response(html, status, content_type="text/html;charset=iso-8859-1")


def api(path: str, *methods: str, since: Line = (0,)) -> Callable:
    """
    Mark a method as ``http.route`` does, as one of Marathon's API.

    It runs with the daemon's lock, and only versions from ``since`` on know it.
    """

    def mark(function: Callable) -> Callable:
        @functools.wraps(function)
        def answered(self: Any, request: Request, *given: str, **captured: str) -> Any:
            if self.line < since:
                raise MethodNotAllowed if methods == ("PATCH",) else NotFound
            with self.lock:
                return function(self, request, *given, **captured)

        return route(path, *methods)(answered)

    return mark


def flag(request: Request, name: str, default: bool = False) -> bool:
    """Read a boolean of the query as Java does: anything but ``true`` is false."""
    return request.args.get(name, str(default)).lower() == "true"


def body(request: Request) -> Any:
    """Read the JSON of a request."""
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
    """Whether none is there twice; those that are None do not count."""
    given = [name for name in names if name is not None]
    return len(given) == len(set(given))
