"""Marathon's error responses, and the decorator of its API routes."""

from __future__ import annotations

import functools
import json
import re
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

JSON = "application/json"
NO_CONTENT = "No content to map due to end-of-input"
COMMENT = (
    "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not "
    "enabled for parser)"
)

Errors = list[tuple[str, str]]  # pairs of path and message
Line = tuple[int, ...]  # such as (1, 4)


class Refused(Refusal):
    """An error response: ``message`` and further members of its JSON."""

    def __init__(self, status: int, message: str, **members: Any) -> None:
        super().__init__(status, {"message": message, **members})

    def as_text(self) -> Refused:
        """Return this error with its JSON labelled as text."""
        self.headers = {"Content_Type": "text/plain"}
        return self


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


def page(text: str, status: int, path: str = "/") -> Response:
    """Make an error page as Jetty does, in HTML."""
    html = (
        '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>\n'
        f"<title>Error {status} {text}</title>\n</head>\n<body><h2>HTTP ERROR {status}</h2>\n"
        f"<p>Problem accessing {path}. Reason:\n<pre>    {text}</pre></p>\n</body>\n</html>\n"
    )
    return Response(html, status, content_type="text/html;charset=iso-8859-1")


def api(path: str, *methods: str, since: Line = (0,), types: tuple[str, ...] = (JSON,)) -> Callable:
    """
    Mark a method as a route of Marathon's API, as ``http.route`` does.

    The method runs while the lock of the daemon is held. Versions before ``since`` do not have the
    route. ``types`` are the media types of the response.
    """

    def mark(function: Callable) -> Callable:
        @functools.wraps(function)
        def answered(self: Any, request: Request, *arguments: str, **captured: str) -> Any:
            if self.line < since:
                raise MethodNotAllowed if methods == ("PATCH",) else NotFound
            with self.lock:
                return function(self, request, *arguments, **captured)

        return route(path, *methods, types=types)(answered)

    return mark


def flag(request: Request, name: str, default: bool = False) -> bool:
    """Read a boolean of the query as Java does: everything but ``true`` is false."""
    return request.args.get(name, str(default)).lower() == "true"


def body(request: Request) -> Any:
    """Parse the JSON of a request. Raises Refused with the text of Marathon's parser, Jackson."""
    text = request.get_data(as_text=True)
    if not text.strip():
        position = " at [Source: [B@0; line: 1, column: 0]"
        raise Refused(
            400, "Please specify data in JSON format", details=f"{NO_CONTENT}\n{position}"
        )
    try:
        return json.loads(text, parse_constant=_non_standard)
    except json.JSONDecodeError as error:
        raise Refused(400, "Invalid JSON", details=_jackson(error)) from error


def _non_standard(token: str) -> None:
    text = f"Non-standard token '{token}': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS"
    raise Refused(400, "Invalid JSON", details=f"{text} to allow")


def _jackson(error: json.JSONDecodeError) -> str:
    """Return Jackson's message for a syntax error."""
    position = error.pos
    while error.doc[position : position + 1].isspace():
        position += 1
    character = error.doc[position : position + 1]
    if not character:
        return "Unexpected end-of-input within/between Object entries"
    if character.isalpha():
        token = re.match(r"\w+", error.doc[position:])[0]
        return f"Unrecognized token '{token}': was expecting ('true', 'false' or 'null')"
    # Python complains about a comma at the end, Jackson about the bracket that follows it.
    if character == "," and error.msg.startswith("Illegal trailing comma"):
        position = re.compile(r"\s*").match(error.doc, position + 1).end()
        character = error.doc[position]
    reason = "was expecting double-quote to start field name"
    if character == "/":
        reason = COMMENT
    elif not error.msg.startswith(("Expecting property name", "Illegal trailing comma")):
        reason = "was expecting comma to separate Object entries"
    return f"Unexpected character ('{character}' (code {ord(character)})): {reason}"


def unique(names: Iterable[Any]) -> bool:
    """Return whether no name is repeated. None does not count."""
    present = [name for name in names if name is not None]
    return len(present) == len(set(present))
