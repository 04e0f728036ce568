"""The export of spans by OTLP over HTTP, from a bounded buffer; imported by `mailkit.process.spans` if it is wanted."""

import asyncio
import logging
from collections import deque
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace import Span as SdkSpan

import mailkit
from mailkit.errors import Unavailable
from mailkit.process import spans
from mailkit.process.logs import get_logger
from mailkit.process.report import report

log = get_logger()

#: Spans that wait for their export at most, some 2 KB each; those that follow are dropped and counted.
MOST = 2048
#: Spans of one request.
BATCH = 512
#: How long a request may take, with its repetitions.
EXPORT_SECONDS = 3.0

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Live(spans.Span):
    """A span that is recorded."""

    def __init__(self, span: SdkSpan) -> None:
        self._span = span
        context = span.get_span_context()
        if context.trace_flags.sampled:
            self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def note(self, **attributes: spans.Value) -> None:
        self._span.set_attributes({f"postrider.{name}": value for name, value in attributes.items()})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is not None:
            self.note(error=kind.__name__)
        self._span.end()


class Buffer(SpanProcessor):
    """Ended spans until their export."""

    def __init__(self) -> None:
        self.spans: deque[ReadableSpan] = deque()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, unless too many wait."""
        if len(self.spans) >= MOST:
            spans.DROPPED.inc()
        elif span.context is not None and span.context.trace_flags.sampled:
            self.spans.append(span)


class Export:
    """Records spans and exports them. The library's own variables (OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS …) apply."""

    def __init__(self, service: str, endpoint: str) -> None:
        logging.getLogger("opentelemetry").setLevel(
            logging.CRITICAL
        )  # it would log each failure; `export` reports the first
        self._buffer = Buffer()
        self._exporter = OTLPSpanExporter(endpoint.rstrip("/") + "/v1/traces", timeout=EXPORT_SECONDS)
        self._away = False
        self._one = asyncio.Lock()
        facts = {"service.name": service, "service.namespace": "postrider", "service.version": mailkit.__version__}
        provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
        provider.add_span_processor(self._buffer)
        self._tracer = provider.get_tracer("postrider")

    def opened(self, name: str) -> Live:
        """Begin a trace."""
        return Live(self._tracer.start_span(name, Context()))

    def record(self, name: str, traceparent: str, began: int, attributes: dict[str, spans.Value]) -> None:
        """Record a span that ends now."""
        _, trace, parent, _ = traceparent.split("-")
        context = SpanContext(int(trace, 16), int(parent, 16), is_remote=True, trace_flags=_SAMPLED)
        named = {f"postrider.{key}": value for key, value in attributes.items()}
        span = self._tracer.start_span(
            name, set_span_in_context(NonRecordingSpan(context), Context()), attributes=named, start_time=began
        )
        span.end()

    async def export(self) -> None:
        """Export what waits, in a thread, since the exporter blocks; what the collector does not take is dropped."""
        waiting = self._buffer.spans
        async with self._one:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
                if await asyncio.to_thread(self._exporter.export, batch) is not SpanExportResult.SUCCESS:
                    spans.DROPPED.inc(len(batch))
                    return self._went()
                self._came()

    def _went(self) -> None:
        if not self._away:
            report(Unavailable("the collector of POSTRIDER_OTLP_ENDPOINT does not take spans"), "spans")
        self._away = True

    def _came(self) -> None:
        if self._away:
            log.info("service_back", work="spans")
        self._away = False
