"""
The package server of the lab: ``python -m lab.server ADDRESS PORT DIRECTORY IMAGES [URL]``.

It serves the files of a directory, images for Docker below ``/v2/``, and another repository below
``/relay/``. Hosts cannot leave their network, so the server relays a repository of the user, with
the proxy and the certificates of this machine.
"""

import shutil
import sys
import urllib.error
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from . import network
from .registry import MANIFEST

RELAY, IMAGES = "/relay/", "/v2/"


class Handler(SimpleHTTPRequestHandler):
    """Serves files, also those of a registry of images; passes requests below /relay/ on."""

    protocol_version = "HTTP/1.1"  # yum keeps one connection for all its files

    def __init__(self, *args, images: str, upstream: str = "", **options):
        self.images, self.upstream = images, upstream.rstrip("/")
        super().__init__(*args, **options)

    def translate_path(self, path: str) -> str:
        """Return the file that a path stands for."""
        file = super().translate_path(path)
        return file.replace(self.directory, self.images, 1) if path.startswith(IMAGES) else file

    def guess_type(self, path: str) -> str:
        """Return the type of a file; Docker insists on that of a manifest."""
        return MANIFEST if "/manifests/" in path else super().guess_type(path)

    def do_GET(self) -> None:
        """Answer a request."""
        if not (self.upstream and self.path.startswith(RELAY)):
            return super().do_GET()
        try:
            with urllib.request.urlopen(
                f"{self.upstream}/{self.path.removeprefix(RELAY)}", timeout=60
            ) as reply:
                self.send_response(reply.status)
                # Closing ends the body: not every repository sends Content-Length.
                self.send_header("Connection", "close")
                self.end_headers()
                shutil.copyfileobj(reply, self.wfile)
        except urllib.error.HTTPError as error:
            self.send_error(error.code)
        except OSError as error:
            self.send_error(502, explain=str(error))


def main() -> None:
    """Serve until killed."""
    address, port, directory, images, *upstream = sys.argv[1:]
    handler = partial(Handler, directory=directory, images=images, upstream="".join(upstream))
    # Only the listening socket is on the lab's network; the relay connects from the machine's.
    with network.joined():
        server = ThreadingHTTPServer((address, int(port)), handler)
    server.serve_forever()


if __name__ == "__main__":
    main()
