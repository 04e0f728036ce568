"""A collector of OpenTelemetry spans on loopback: it decodes what a service sends (OTLP over HTTP)."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """The spans that came, each a dictionary: service, name, trace, id, parent, seconds, and its attributes."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    def trace(self, queue_id: str) -> list[dict[str, Any]]:
        """Return the spans of the trace that has a span about the message `queue_id`."""
        traces = {span["trace"] for span in self.spans if span.get("queue_id") == queue_id}
        return [span for span in self.spans if span["trace"] in traces]

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = _attributes(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = {
                        name.removeprefix("postrider."): value for name, value in _attributes(span.attributes).items()
                    }
                    found |= {
                        "service": service,
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                    }
                    found |= {"parent": span.parent_span_id.hex()}
                    found["seconds"] = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
                    self.spans.append(found)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the port of the time before."""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.take(body)
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _attributes(given: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in given}
