"""Spans of OpenTelemetry: one trace for each message, no SDK imported while they are off, and mail that does not wait for a collector."""

import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support import release
from tests.support.clients import smtp
from tests.support.collector import Collector
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import Remote, World

pytestmark = pytest.mark.skipif(bool(release.given()), reason="the collector is on this machine")

#: Written by each process at its end: what it had imported.
LOOK = """
import atexit, os, sys
name = lambda: os.path.basename(sys.argv[0])  # of a forked service: its module
atexit.register(lambda: open(os.path.join({folder!r}, f"{{name()}}.{{os.getpid()}}"), "w").write("\\n".join(sys.modules)))
"""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    collector.start()
    yield collector
    collector.stop()


@pytest.fixture(scope="module")
def far(world: World) -> Remote:
    return world.remote()


@dataclass
class Traced:
    """A run that records spans; what its services had imported after a message while they recorded none."""

    run: Run
    user: Account
    imported: dict[str, list[str]]


@pytest.fixture(scope="module")
def traced(
    world: World, far: Remote, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    looked = tmp_path_factory.mktemp("modules")
    (looked / "sitecustomize.py").write_text(LOOK.format(folder=str(looked)))
    run = Run(**world.settings())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(looked))
            user = run.start().mailbox(run.domain())
        send(run, user, user.address, f"off@{far.domain}")
        wait_for(far.messages)
        run.restart(OTLP_ENDPOINT=collector.url)
        yield Traced(run, user, {file.stem: file.read_text().split() for file in looked.glob("*.*")})
    finally:
        run.close()


def send(run: Run, user: Account, *recipients: str) -> str:
    """Submit a message; its queue id."""
    with smtp(run, "127.0.0.1", "SUBMISSION", login=user) as client:
        client.mail(user.address)
        for recipient in recipients:
            assert client.rcpt(recipient)[0] == 250
        code, text = client.data(message(user.address, recipients[0]))
        assert code == 250
        return text.decode().split()[-1]


def dropped(run: Run, service: str) -> float:
    with urllib.request.urlopen(run.env[f"POSTRIDER_{service}_URL"] + "/metrics") as reply:
        found = re.search(r"^postrider_process_spans_dropped_total (\S+)", reply.read().decode(), re.M)
    assert found
    return float(found[1])


def test_no_sdk_is_imported_while_it_is_off(traced: Traced) -> None:
    """The API alone is there: FastAPI imports it."""
    for service in ("smtp_gateway", "queue_worker", "mailstore"):
        modules = traced.imported[service]
        assert "mailkit.process.spans" in modules
        unwanted = r"opentelemetry\.(sdk|exporter|proto)|requests|urllib3|google|mailkit\.process\.span_export"
        assert [name for name in modules if re.match(unwanted, name)] == []


def test_a_message_is_one_trace_from_its_client_to_its_recipients(
    traced: Traced, far: Remote, collector: Collector
) -> None:
    queue_id = send(traced.run, traced.user, traced.user.address, f"on@{far.domain}")
    spans = wait_for(lambda: found if len(found := collector.trace(queue_id)) == 5 else None)
    (accept,) = [span for span in spans if not span["parent"]]
    assert (accept["service"], accept["name"], accept["code"], accept["recipients"]) == (
        "smtp-gateway",
        "accept",
        250,
        2,
    )
    rest = {(span["service"], span["name"], span.get("kind")): span for span in spans if span is not accept}
    assert rest.keys() == {
        ("queue-worker", "hand-over", None),
        ("queue-worker", "attempt", "local"),
        ("queue-worker", "attempt", "remote"),
        ("mailstore", "file", None),
    }
    assert {(span["trace"], span["parent"]) for span in rest.values()} == {(accept["trace"], accept["id"])}
    assert {span["outcome"] for span in rest.values() if span["name"] == "attempt"} == {"delivered"}
    assert rest["mailstore", "file", None]["status"] == "filed"
    assert all(0 <= span["seconds"] < 60 for span in spans)
    assert "@" not in repr(collector.spans), "no addresses"


def test_mail_goes_on_while_the_collector_is_away(traced: Traced, far: Remote, collector: Collector) -> None:
    run = traced.run
    collector.stop()
    queue_id = send(run, traced.user, f"away@{far.domain}")
    wait_for(lambda: [got for got in far.messages() if f"away@{far.domain}" in got.recipients])
    for service in ("GATEWAY", "QUEUE"):
        wait_for(lambda service=service: dropped(run, service))
    collector.start()
    assert not collector.trace(queue_id)
    queue_id = send(run, traced.user, f"back@{far.domain}")
    wait_for(lambda: len(collector.trace(queue_id)) == 3)
    away = [line for line in run.logs().splitlines() if '"spans"' in line]
    assert len([line for line in away if "service_away" in line]) == 2, "once for each service that had spans"
    wait_for(
        lambda: len([line for line in run.logs().splitlines() if '"spans"' in line and "service_back" in line]) == 2
    )
