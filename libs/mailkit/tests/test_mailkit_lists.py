"""Lists between two services: an item that cannot be sent, or that the other side refuses, fails alone."""

from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from mailkit.errors import BadRequest, InternalError, PostriderError, Unavailable, Unproven
from mailkit.process.lifecycle import Lifecycle
from mailkit.rpc.app import add_endpoint, create_app
from mailkit.rpc.authority import Tokens
from mailkit.rpc.batch import send_apart
from mailkit.rpc.client import ServiceClient, encoder
from mailkit.rpc.http_server import HttpSide
from mailkit.rpc.refusals import OUTCOMES
from mailkit.rpc.wire import Wire


class Item(Wire):
    text: str
    number: int = 0


class Items(Wire):
    items: list[Item]
    version: int = 1


class Answers(Wire):
    items: list[str]


class Service:
    """A list endpoint, and its client."""

    def __init__(self, client: ServiceClient, seen: list[list[str]]) -> None:
        self.client = client
        self.seen = seen

    async def ask(self, items: list[Item]) -> list[str]:
        return (await self.client.call("/v1/things", Items(list(items)), Answers)).items

    async def answers(self, *texts: str) -> list[str | type[Exception]]:
        found = await send_apart(self.ask, [Item(text) for text in texts])
        return [type(each) if isinstance(each, Exception) else each for each in found]

    async def post(self, raw: bytes) -> tuple[int, dict[str, object]]:
        headers = {"authorization": "Bearer t"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.client.url}/v1/things", data=raw) as reply,
        ):
            return reply.status, await reply.json(content_type=None)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    seen: list[list[str]] = []

    async def answer(question: Items) -> Answers:
        seen.append([item.text for item in question.items])
        if wrong := [n for n, item in enumerate(question.items) if item.text == "wrong"]:
            raise BadRequest("wrong", items=wrong)
        if any(item.text == "unproven" for item in question.items):
            raise Unproven("no proof")
        if any(item.text == "away" for item in question.items):
            raise Unavailable("away")
        if any("\x00" in item.text for item in question.items):
            raise ValueError("what a database says to this")
        return Answers([item.text.upper() for item in question.items])

    app = create_app("test", Lifecycle(), tokens=Tokens({"x": SecretStr("t")}))
    add_endpoint(app, "/v1/things", Items, answer, "x")
    http = HttpSide(app, "127.0.0.1", 0)
    await http.start()
    client = ServiceClient(f"http://127.0.0.1:{http.port}", "t")
    yield Service(client, seen)
    await client.aclose()
    await http.stop()


async def test_what_cannot_be_encoded_is_set_aside_before_a_list_is_sent(service: Service) -> None:
    assert await service.answers("a", "caf\udce9", "b", "\ud800") == ["A", BadRequest, "B", BadRequest]
    assert service.seen == [["a", "b"]]


async def test_a_refusal_names_its_items(service: Service) -> None:
    assert await service.answers("a", "wrong", "b", "wrong") == ["A", BadRequest, "B", BadRequest]
    assert service.seen[1:] == [["a", "b"]]


async def test_a_defect_of_the_other_service_is_told_to_whom_it_concerns(service: Service) -> None:
    assert await service.answers("a", "nul\x00", "b", "c") == ["A", InternalError, "B", "C"]


async def test_a_defect_is_not_a_service_that_is_away(service: Service) -> None:
    with pytest.raises(InternalError) as told:
        await service.ask([Item("\x00")])
    assert not isinstance(told.value, Unavailable)


async def test_an_item_of_another_shape_is_named(service: Service) -> None:
    good, bad = ["a"], ["b", "no number - at `$[0][0]`"]
    status, said = await service.post(encoder.encode([[good, bad, good]]))
    assert (status, said["items"]) == (400, [1])
    status, said = await service.post(encoder.encode([[], "no version"]))
    assert (status, "items" in said) == (400, False)


@pytest.mark.parametrize("raw", [b"\x91\x91\x91\xa1\xe9", b"", b"\x91" * 100_000, b"\xc1", b"\xde\xff\xff"])
async def test_octets_that_are_no_list_are_a_bad_request(service: Service, raw: bytes) -> None:
    assert (await service.post(raw))[0] == 400


async def test_only_whole_numbers_within_reason_name_items(service: Service) -> None:
    refusal = service.client._refusal
    assert refusal(400, b'{"detail": "x", "items": ["1"]}', "/").items == ()
    assert refusal(400, b'{"detail": "x", "items": [3, 4]}', "/").items == (3, 4)
    many = refusal(422, b'{"items": [%s]}' % b",".join(b"%d" % n for n in range(5000)), "/")
    assert len(many.items) == 1000
    assert isinstance(refusal(400, b"\xff", "/"), PostriderError)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("a", "ok"), ("wrong", "refused"), ("unproven", "unproven"), ("nul\x00", "failed"), ("away", "away")],
)
async def test_each_way_in_which_a_call_ends_is_counted_as_its_own(service: Service, text: str, outcome: str) -> None:
    """A proof of login that had run out was counted as a service that is away, and raised its alert."""
    service.client.upstream = f"counted-{outcome}"
    with suppress(PostriderError):
        await service.ask([Item(text)])
    ended = {each: _calls(service.client.upstream, each) for each in OUTCOMES}
    assert ended == dict.fromkeys(OUTCOMES, 0) | {outcome: 1}


def _calls(upstream: str, outcome: str) -> float | None:
    labels = {"upstream": upstream, "endpoint": "/v1/things", "outcome": outcome}
    return REGISTRY.get_sample_value("postrider_upstream_seconds_count", labels)
