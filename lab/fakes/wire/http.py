"""Routes and a small threaded HTTP server, the base of every fake daemon."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


def route(*paths_and_methods: str, **marks: Any) -> Callable:
    """
    Route requests to a method.

    Paths are in Werkzeug's syntax (``/v2/apps/<path:id>``). Without HTTP methods, any is accepted.
    The daemon receives ``marks`` in ``intercept`` (such as ``local=True``).
    """
    methods = tuple(text for text in paths_and_methods if not text.startswith("/"))

    def mark(function: Callable) -> Callable:
        for path in paths_and_methods:
            if path not in methods:
                function.__dict__.setdefault("routes", []).append((path, methods or None))
        function.__dict__.setdefault("marks", {}).update(marks)
        return function

    return mark


def answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """
    Return a response: text/plain for a string, JSON for other values.

    None is an empty body without a Content-Type.
    """
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
    """An error response with this status and text; request handlers raise it."""

    def __init__(self, status: int, text: str | None = None, **headers: str) -> None:
        super().__init__(text or "")
        self.status, self.text, self.headers = status, text, headers


class _Handler(WSGIRequestHandler):
    """Werkzeug's handler without its log on stderr, as the daemons have their own logs."""

    def log(self, *_args: Any, **_kwargs: Any) -> None:
        pass


class HttpDaemon:
    """
    An HTTP server. Subclasses mark their request handlers with ``route``.

    A handler takes the Werkzeug request and the values captured from the path. It returns a
    Response or a body for ``answer``. ``start()`` binds (port 0: a free port) and serves in
    threads.
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
        """The URL of the daemon, such as ``http://127.0.0.1:5050``."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Bind and serve. Raises OSError if the address is in use."""
        try:
            self._server = make_server(
                self.host, self.port, self._serve, threaded=True, request_handler=_Handler
            )
        except SystemExit as error:  # raised by Werkzeug if the port is in use
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
            self._thread.join()  # this thread closes the socket
            self._server = None

    def rewrite(self, path: str) -> str:
        """Return the path to route, such as ``/state`` for ``/master/state``."""
        return path

    def forestall(self, request: Request) -> Response | None:
        """Respond before the request is routed. None continues with its route."""
        return None

    def intercept(self, request: Request, marks: dict[str, Any]) -> Any:
        """Respond instead of the handler with these marks. None continues with the handler."""
        return None

    def finish(self, response: Response) -> None:
        """Add the headers that every response has."""

    def error(self, request: Request, error: HTTPException) -> Response:
        """Respond to a request without a matching route."""
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
