"""INPROGRESS (RFC 9585): long commands say that they are being carried out, until they are."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mailkit.testing.speed import patient

from .conftest import Imap


def held(work: Callable[..., Any], release: asyncio.Event) -> Callable[..., Any]:
    """`work` that waits for `release` first."""

    async def hold(question: Any) -> Any:
        await asyncio.wait_for(release.wait(), patient(20))
        return await work(question)

    return hold


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("SEARCH TEXT first", "search"),
        ("UID SORT (SUBJECT) UTF-8 ALL", "sort"),
        ("THREAD REFERENCES UTF-8 ALL", "thread"),
        ("COPY 1 Sent", "copy"),
    ],
)
async def test_a_long_command_reports_until_it_is_answered(
    imap: Imap, monkeypatch: pytest.MonkeyPatch, command: str, call: str
) -> None:
    await imap.store.append(imap.mailbox_id, b"Subject: one\r\n\r\nfirst\r\n")
    imap.shared["progress_seconds"] = 0.01
    client = await imap.select()
    release = asyncio.Event()
    monkeypatch.setattr(imap.store.front, call, held(getattr(imap.store.front, call), release))
    client.send(f"long {command}\r\n".encode())
    for _ in range(3):
        assert await client.response() == b'* OK [INPROGRESS ("long" NIL NIL)] still working\r\n'
    release.set()
    answer = await client.until("long")
    assert answer[-1].startswith(b"long OK")
    assert [line async for line in _lines(client)] == [b"after OK NOOP completed\r\n"]


async def _lines(client: Any) -> Any:
    """The responses until that of a NOOP: none is left of the command before."""
    client.send(b"after NOOP\r\n")
    while True:
        line = await client.response()
        yield line
        if line.startswith(b"after "):
            return
