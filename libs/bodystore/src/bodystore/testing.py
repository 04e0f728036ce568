"""An object store of the tests' own on loopback: the requests that `bodystore.objects` makes, and failures on demand.

`make objectstore` runs the same tests against a real one.
"""

import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bodystore.objects import Objects, ObjectSettings


class ObjectServer:
    """The server, its objects by path, and its behaviour, which a test may change while it runs."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        #: Status of every answer instead of the right one.
        self.status = 0
        #: Requests wait for this event before they are answered.
        self.stall: threading.Event | None = None
        #: Octets that are missing at the end of each object when it is stored.
        self.cut = 0
        self.requests: list[str] = []
        server = self

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # a client that did not wait for the answer
                    self.close_connection = True

            def do_PUT(self) -> None:
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                if self._goes_on("PUT"):
                    server.objects[self.path] = octets[: len(octets) - server.cut]
                    self._answer(200, b"", ETag='"1"')

            def do_GET(self) -> None:
                if not self._goes_on("GET"):
                    return
                if "?" in self.path:
                    return self._list()
                octets = server.objects.get(self.path)
                if octets is None:
                    return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                wanted = self.headers.get("Range")
                if not wanted:
                    return self._answer(200, octets, ETag='"1"')
                first, last = map(int, wanted.removeprefix("bytes=").split("-"))
                part = octets[first : last + 1]
                self._answer(
                    206, part, ETag='"1"', **{"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(octets)}"}
                )

            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers["Content-Length"]))
                if self._goes_on("POST"):
                    bucket = self.path.removesuffix("?delete")
                    root = ElementTree.fromstring(asked)  # noqa: S314 - our own client
                    keys = [each.text for each in root.iter() if each.tag.endswith("Key")]
                    for key in keys:
                        server.objects.pop(f"{bucket}/{key}", None)
                    deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
                    self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

            def _list(self) -> None:
                bucket = self.path.partition("?")[0] + "/"
                listed = "".join(
                    f"<Contents><Key>{path.removeprefix(bucket)}</Key><Size>{len(octets)}</Size>"
                    "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
                    for path, octets in server.objects.items()
                )
                self._answer(200, f"<ListBucketResult>{listed}</ListBucketResult>".encode())

            def _goes_on(self, verb: str) -> bool:
                server.requests.append(f"{verb} {self.path}")
                if server.stall is not None:
                    server.stall.wait(60)
                status = server.status  # the test may change it once it has the answer
                if status:
                    self._answer(status, b"<Error><Code>Broken</Code></Error>")
                return not status

            def _answer(self, status: int, octets: bytes, **fields: str) -> None:
                self.send_response(status)
                for name, value in {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", **fields}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["ObjectServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            if self.stall is not None:
                self.stall.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def settings(url: str) -> dict[str, str]:
    """Return the variables of a service that uses the store at `url`."""
    return {
        "POSTRIDER_OBJECTS_URL": url,
        "POSTRIDER_OBJECTS_BUCKET": "bodies",
        "POSTRIDER_OBJECTS_KEY_ID": "key",
        "POSTRIDER_OBJECTS_SECRET": "secret",
    }


def client(url: str) -> Objects:
    """Return a client of the store at `url`."""
    found = ObjectSettings.load(settings(url)).objects()
    assert found is not None
    return found
