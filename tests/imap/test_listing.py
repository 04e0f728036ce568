"""LIST and LSUB: one request to mailstore, and bounded patterns; what they answer is in `dialogues`."""

from typing import Any

import pytest

from .conftest import Imap


async def test_one_question_whatever_the_folders(imap: Imap, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await imap.log_in()
    asked: list[str] = []
    real = imap.store.front.send

    async def send(method: str, path: str, *arguments: Any, **more: Any) -> bytes:
        asked.append(path)
        return await real(method, path, *arguments, **more)

    monkeypatch.setattr(imap.store.front, "send", send)
    await client.ok('LIST "" "*" RETURN (STATUS (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN))')
    assert asked == ["/v1/folders/list"]


async def test_patterns_and_their_number_are_bounded(imap: Imap) -> None:
    client = await imap.log_in()
    await client.ok(b"CREATE " + b"e" * 200)
    await client.ok(b"SUBSCRIBE " + b"e" * 200)
    assert await client.ok('LSUB "" "*e*e*e*e*e*x"') == []
    assert (await client.last(f'LIST "" "{"*e" * 51}"')).startswith("NO [LIMIT]")
    assert (await client.last(f'LIST "" ({" ".join(["a"] * 21)})')).startswith("NO [LIMIT]")
