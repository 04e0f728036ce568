"""The hook for a scanner: what it is told, what its actions mean, and that mail is taken when it does not answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from mailkit.errors import ConfigError
from mailkit.net.listener import Peer
from queue_worker_api.wire import Submission
from smtp_gateway.incoming.scanner import ContentScanner
from tests.support.gateway import PEER, Services, context, send

BODY = b"From: Ann <ann@bank.test>\r\nSubject: hello\r\n\r\nHello.\r\n"


class FakeRspamd:
    """An HTTP server that answers as rspamd does. `answer`: its JSON, or octets that are none; `hangs`: it says nothing."""

    def __init__(self) -> None:
        self.answer: Any = {"action": "no action", "score": 1.5, "required_score": 15.0, "symbols": {}}
        self.status = 200
        self.hangs = False
        self.over = asyncio.Event()
        self.asked: list[tuple[Any, bytes]] = []
        self.url = ""

    async def check(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers, await request.read()))
        if self.hangs:
            await self.over.wait()
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def rspamd() -> AsyncIterator[FakeRspamd]:
    fake = FakeRspamd()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/checkv2", fake.check)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    fake.over.set()
    await runner.cleanup()


async def receive(url: str, peer: Peer = PEER, relay: bool = False, **settings: Any) -> tuple[bytes, list[Submission]]:
    services = Services()
    services.relay = relay
    shared = context(services, scanner_url=url, **settings)
    answer = await send(
        BODY + b".\r\n", shared, sender=b"<x@far.test>", recipients=[b"u@here.test", b"v@here.test"], peer=peer
    )
    assert shared.scanner is not None
    await shared.scanner.aclose()
    return answer, services.taken


def count(result: str) -> float:
    return REGISTRY.get_sample_value("postrider_gateway_scanned_total", {"result": result}) or 0.0


async def test_the_scanner_is_told_the_envelope_and_given_the_message(rspamd: FakeRspamd) -> None:
    answer, (taken,) = await receive(rspamd.url)
    assert answer.startswith(b"250 ")
    ((headers, body),) = rspamd.asked
    assert body == BODY
    assert [headers[name] for name in ("From", "Helo", "IP", "MTA-Name")] == [
        "x@far.test",
        "client.test",
        "192.0.2.1",
        "here.test",
    ]
    assert headers.getall("Rcpt") == ["u@here.test", "v@here.test"]
    (verdict,) = taken.stamp.verdicts
    assert (verdict.method, verdict.result, verdict.reason) == ("rspamd", "no action", "score 1.5 of 15")
    assert not taken.stamp.folder


@pytest.mark.parametrize("action", ["add header", "rewrite subject"])
async def test_spam_goes_to_the_junk_folder(rspamd: FakeRspamd, action: str) -> None:
    rspamd.answer = {
        "action": action, "score": 9, "required_score": 15,
        "symbols": {"A": {"score": 1.0}, "B": {"score": -8.0}, "C": {"score": 0}, "D": None},
    }  # fmt: skip
    answer, (taken,) = await receive(rspamd.url)
    assert answer.startswith(b"250 ")
    assert (taken.stamp.folder, taken.stamp.flags) == ("\\Junk", ["$Junk"])
    assert taken.stamp.verdicts[-1].reason == "score 9 of 15: B, A"


async def test_what_it_rejects_is_refused(rspamd: FakeRspamd) -> None:
    rspamd.answer = {"action": "reject", "score": 20}
    before = count("reject")
    answer, taken = await receive(rspamd.url)
    assert (answer, taken, count("reject")) == (b"550 5.7.1 This message is taken for spam\r\n", [], before + 1)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 200),
        (b"{", 200),
        (b"[]", 200),
        (b"{}", 500),
        (b"{}", 302),
        (b'{"action": "' + b"x" * 300_000 + b'"}', 200),
    ],
)
async def test_an_answer_that_is_none_lets_the_message_pass(rspamd: FakeRspamd, answer: bytes, status: int) -> None:
    rspamd.answer, rspamd.status = answer, status
    before = count("failed")
    reply, (taken,) = await receive(rspamd.url)
    assert reply.startswith(b"250 ") and taken.stamp.verdicts[-1].result == "failed" and count("failed") == before + 1


async def test_one_that_hangs_or_is_away_lets_the_message_pass_in_time(rspamd: FakeRspamd) -> None:
    rspamd.hangs = True
    for url in (rspamd.url, "http://127.0.0.1:1"):
        reply, (taken,) = await receive(url, scanner_seconds=0.1)
        assert reply.startswith(b"250 ") and taken.stamp.verdicts[-1].result == "failed"


async def test_other_actions_and_odd_values_let_the_message_pass(rspamd: FakeRspamd) -> None:
    for answer in ({"action": "greylist"}, {"action": None, "score": "x", "symbols": [1]}, {}):
        rspamd.answer = answer
        reply, (taken,) = await receive(rspamd.url)
        assert reply.startswith(b"250 ") and not taken.stamp.folder


async def test_mail_of_a_client_with_a_right_to_relay_is_not_scanned(rspamd: FakeRspamd) -> None:
    await receive(rspamd.url, relay=True)
    assert rspamd.asked == []


def test_a_url_of_another_kind_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError):
        ContentScanner("rspamd:11333", 5)
