"""Spans of OpenTelemetry around the steps of a message, if POSTRIDER_OTLP_ENDPOINT is set (docs/decisions/0102).

A message has one trace: its context, a W3C `traceparent`, goes with its item in the lists between services and is kept in the
queue. Without the setting nothing is imported, and every span is the same object, which does nothing.
"""

from importlib import import_module
from types import TracebackType
from typing import Protocol, Self

from prometheus_client import Counter

from mailkit.errors import ConfigError

DROPPED = Counter(
    "postrider_process_spans_dropped_total",
    "Spans that were not exported, since the collector did not take them or too many waited",
)

Value = str | int | bool


class Span:
    """A span that is not recorded. `traceparent`: the context for the steps that follow; empty, they are not recorded either."""

    traceparent = ""

    def note(self, **attributes: Value) -> None:
        """Add attributes. No addresses and no content: a collector may be anybody's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End the span."""


class Tracing(Protocol):
    """What records and exports spans (`mailkit.process.span_export`)."""

    def opened(self, name: str) -> Span: ...

    def record(self, name: str, traceparent: str, began: int, attributes: dict[str, Value]) -> None: ...

    async def export(self) -> None: ...


_UNRECORDED = Span()
_tracing: Tracing | None = None


def begin(service: str, endpoint: str) -> Tracing:
    """Record spans from now on, and return what has to export them. Raises ConfigError."""
    global _tracing
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError("POSTRIDER_OTLP_ENDPOINT: a URL is expected, http://collector:4318 for example")
    try:
        module = import_module("mailkit.process.span_export")
    except ImportError as error:
        raise ConfigError(f"POSTRIDER_OTLP_ENDPOINT needs the packages of mailkit[tracing]: {error}") from None
    tracing: Tracing = module.Export(service, endpoint)
    _tracing = tracing
    return tracing


def end() -> None:
    """Record no more spans."""
    global _tracing
    _tracing = None


def opened(name: str) -> Span:
    """Return a new span, the first one of a trace, which ends with its `with` block."""
    return _tracing.opened(name) if _tracing else _UNRECORDED


def record(name: str, traceparent: str, began: int, **attributes: Value) -> None:
    """Record a span that ends now; `began`: nanoseconds since the epoch. Do nothing without a `traceparent`."""
    if _tracing and traceparent:
        _tracing.record(name, traceparent, began, attributes)
