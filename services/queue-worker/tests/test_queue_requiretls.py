"""What a sender asks about TLS (RFC 8689) reaches the courier, and its bounce asks the same."""

from typing import Any

import pytest

from queue_worker.models import Outcome


@pytest.mark.parametrize("tls", ["", "required", "optional"])
async def test_it_is_kept_with_the_message_and_its_bounce(
    world: Any, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    seen: list[tuple[str, str]] = []
    deliver = world.sink.deliver

    async def noted(domain: str, messages: Any, *rest: Any) -> None:
        seen.extend((domain, message.tls) for message in messages)
        await deliver(domain, messages, *rest)

    monkeypatch.setattr(world.sink, "deliver", noted)
    world.sink.says = lambda address: (Outcome.failed, "5.1.1", "550 no") if address == "b@far.test" else None
    await world.submit(world.message("b@far.test", sender="a@sender.test", tls=tls))
    await world.work()
    await world.work()
    assert seen == [("far.test", tls), ("sender.test", "preferred" if tls == "required" else "")]
    assert await world.rows("asked") == []


async def test_messages_of_both_kinds_are_sent_apart(world: Any) -> None:
    await world.submit(world.message("b@far.test", tls="required"), world.message("c@far.test"))
    await world.work()
    assert sorted(world.sink.groups) == [("far.test", 1), ("far.test", 1)]
