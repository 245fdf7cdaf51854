"""Routes and a small threaded HTTP server: what every fake is made of."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


def route(*given: str, **marks: Any) -> Callable:
    """
    Mark a method as the answer to paths, in Werkzeug's syntax (``/v2/apps/<path:id>``), by some methods; none: by any.

    ``marks`` are kept for the daemon to read in ``intercept`` (such as ``local=True``).
    """
    methods = tuple(each for each in given if not each.startswith("/"))

    def mark(function: Callable) -> Callable:
        for path in given:
            if path not in methods:
                function.__dict__.setdefault("routes", []).append((path, methods or None))
        function.__dict__.setdefault("marks", {}).update(marks)
        return function

    return mark


def answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """Make a response: JSON of anything, text/plain of a string; of None an empty body without a Content-Type."""
    if body is None:
        response = Response(b"", status)
        del response.headers["Content-Type"]
    elif isinstance(body, str):
        response = Response(body, status, mimetype="text/plain")
    else:
        response = Response(
            json.dumps(body, separators=(",", ":")), status, content_type="application/json"
        )
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


class Refusal(Exception):
    """A request is refused: raised by what works on it, and answered with this status and text."""

    def __init__(self, status: int, text: str | None = None, **headers: str) -> None:
        super().__init__(text or "")
        self.status, self.text, self.headers = status, text, headers


class _Handler(WSGIRequestHandler):
    """Werkzeug's handler without its log on stderr: daemons write their own."""

    def log(self, *_args: Any, **_named: Any) -> None:
        pass


class HttpDaemon:
    """
    A daemon that answers HTTP. Subclasses mark methods with ``route``; these take the Werkzeug request and what the
    path captured, and return a Response or anything that ``answer`` takes.

    ``start()`` binds (port 0: any free one) and serves in threads, ``stop()`` ends that; ``url`` is where it answers.
    """

    routes: ClassVar[Map]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        rules = [
            Rule(path, endpoint=name, methods=methods)
            for name in dir(cls)
            for path, methods in getattr(getattr(cls, name), "routes", [])
            if callable(getattr(cls, name))
        ]
        cls.routes = Map(rules, strict_slashes=False, merge_slashes=False)

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.lock = threading.RLock()
        self._server: Any = None
        self._thread = threading.Thread()

    @property
    def url(self) -> str:
        """Where the daemon answers, such as ``http://127.0.0.1:5050``."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Bind and serve; OSError if the address is taken."""
        try:
            self._server = make_server(
                self.host, self.port, self._serve, threaded=True, request_handler=_Handler
            )
        except SystemExit as error:  # Werkzeug ends the process where the port is taken
            raise OSError(
                f"Failed to bind on {self.host}:{self.port}: Address already in use"
            ) from error
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        if self._server:
            self._server.shutdown()
            self._thread.join()  # it closes the socket; until then the port is taken
            self._server = None

    def rewrite(self, path: str) -> str:
        """Return the path that is to be looked up instead, such as ``/state`` for ``/master/state``."""
        return path

    def forestall(self, request: Request) -> Response | None:
        """Answer whatever the path is; None lets the request pass to its route."""
        return None

    def intercept(self, request: Request, marks: dict[str, Any]) -> Any:
        """Answer in the place of the route whose marks these are; None lets it pass."""
        return None

    def finish(self, response: Response) -> None:
        """Add what belongs to every response."""

    def error(self, request: Request, error: HTTPException) -> Response:
        """Answer a request that no route takes."""
        return answer(f"{error.code} {error.name}.", error.code or 500)

    def _serve(self, environ: dict, start_response: Callable) -> Any:
        request = Request(environ)
        forestalled = self.forestall(request)
        if forestalled is not None:
            return forestalled(environ, start_response)
        try:
            adapter = self.routes.bind("", path_info=self.rewrite(request.path))
            name, captured = adapter.match(method=request.method)
            method = getattr(self, name)
            response = self.intercept(request, method.marks)
            if response is None:
                response = method(request, **captured)
        except Refusal as refusal:
            response = answer(refusal.text, refusal.status, **refusal.headers)
        except HTTPException as error:
            response = self.error(request, error)
        if not isinstance(response, Response):
            response = answer(response)
        self.finish(response)
        return response(environ, start_response)


__all__ = ["HttpDaemon", "Refusal", "Request", "Response", "answer", "route"]
