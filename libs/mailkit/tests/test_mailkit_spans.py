"""Spans: nothing while they are off, a bounded buffer, and drops that are counted."""

import socket
import time

import msgspec
import pytest

from mailkit.errors import ConfigError
from mailkit.process import span_export, spans
from mailkit.rpc.wire import Traceparent

PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.fixture
def tracing():
    """Spans are recorded, and no collector listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield spans.begin("test", f"http://127.0.0.1:{taken.getsockname()[1]}")
        spans.end()


def dropped():
    return spans.DROPPED._value.get()


def test_a_span_that_is_off_is_one_object_without_a_context():
    with spans.opened("accept") as span:
        span.note(size=1)
    assert span is spans.opened("other") and span.traceparent == ""
    spans.record("attempt", PARENT, time.time_ns(), n=1)


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317"])
def test_what_is_no_url_of_http_is_refused(endpoint):
    with pytest.raises(ConfigError, match="POSTRIDER_OTLP_ENDPOINT"):
        spans.begin("test", endpoint)


def test_steps_belong_to_the_span_that_they_came_from(tracing):
    with spans.opened("accept") as first:
        first.note(size=3)
    spans.record("attempt", first.traceparent, 1_000, outcome="delivered")
    spans.record("attempt", "", 1_000, outcome="not traced")
    accept, attempt = tracing._buffer.spans
    assert first.traceparent == f"00-{accept.context.trace_id:032x}-{accept.context.span_id:016x}-01"
    assert (attempt.context.trace_id, attempt.parent.span_id) == (accept.context.trace_id, accept.context.span_id)
    assert (attempt.start_time, dict(attempt.attributes)) == (1_000, {"postrider.outcome": "delivered"})


def test_what_is_not_sampled_has_no_context(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    tracing = spans.begin("test", "http://127.0.0.1:9")
    with spans.opened("accept") as span:
        assert span.traceparent == ""
    assert not tracing._buffer.spans
    spans.end()


async def test_what_does_not_fit_and_what_is_not_taken_is_dropped_and_counted(tracing, monkeypatch):
    monkeypatch.setattr(span_export, "MOST", 10)
    before = dropped()
    for _ in range(15):
        spans.record("attempt", PARENT, 1_000)
    assert (len(tracing._buffer.spans), dropped() - before) == (10, 5)
    monkeypatch.setattr(span_export, "BATCH", 7)
    tracing._exporter._client._timeout = 0.2
    await tracing.export()
    assert (len(tracing._buffer.spans), dropped() - before) == (3, 12)


@pytest.mark.parametrize("given", ["x", PARENT + "\n", PARENT.replace("-01", "-00"), PARENT.upper(), "\0"])
def test_a_context_that_is_none_is_refused_on_the_wire(given):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(given, Traceparent)
    assert msgspec.convert(PARENT, Traceparent) == PARENT and msgspec.convert("", Traceparent) == ""
