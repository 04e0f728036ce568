"""Only octets read as a line announce a literal (RFC 3501 4.3, RFC 7888), whatever a literal's own octets look like."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.net.stream import Stream
from mailkit.testing.speed import patient
from pop_imap_frontend.imap.grammar import Cursor
from pop_imap_frontend.imap.reader import RawCommand, read_command

from .conftest import Imap

FORMS = ["{%d}", "{%d+}", "~{%d}", "~{%d+}"]
TAILS = st.builds(lambda form, size: (form % size).encode(), st.sampled_from(FORMS), st.integers(0, 99))
VALUES = st.builds(lambda head, tail: head + tail, st.binary(max_size=12), TAILS | st.just(b"")) | TAILS
LITERALS = st.lists(st.tuples(VALUES, st.sampled_from(FORMS)), min_size=1, max_size=4)


class _Transport:
    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, data: bytes) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...


async def _taken(_size: int) -> None:
    """Every literal fits."""


async def _read(data: bytes, count: int) -> list[RawCommand]:
    found: list[RawCommand] = []

    async def talk(stream: Stream) -> None:
        while len(found) < count:
            found.append(await read_command(stream, append_limit=1000, take_literal=_taken))

    stream = Stream(talk)
    stream.connection_made(cast(Any, _Transport()))
    stream.data_received(data)
    stream.eof_received()
    assert stream.task is not None
    await asyncio.wait_for(stream.task, patient(30))
    stream.connection_lost(None)
    return found


@given(literals=LITERALS, verb=st.sampled_from([b"LOGIN", b"SEARCH", b"CREATE", b"RENAME"]))
def test_hypothesis_a_literal_announces_nothing(literals: list[tuple[bytes, str]], verb: bytes) -> None:
    command = b"a " + verb
    for value, form in literals:
        command += b" " + (form % len(value)).encode() + b"\r\n" + value
    first, second = asyncio.run(_read(command + b"\r\nb NOOP\r\n", 2))
    assert (first.tag, first.refusal, second.tag, second.name) == (b"a", None, b"b", "NOOP")
    cursor = Cursor(first.data, first.start)
    for value, _ in literals:
        cursor.space()
        assert cursor.string() == value
    cursor.end()


@pytest.mark.parametrize("form", FORMS)
async def test_an_append_that_ends_like_a_literal(imap: Imap, form: str) -> None:
    client = await imap.select()
    message = b"Subject: x\r\n\r\nsee " + (form % 12).encode()
    for announce in ("{%d+}", "~{%d+}"):
        await client.ok(b"APPEND INBOX " + (announce % len(message)).encode() + b"\r\n" + message)
    rows = await client.ok("FETCH 1:* BODY.PEEK[TEXT]")
    assert [row.count(b"see " + (form % 12).encode()) for row in rows] == [1, 1]
    assert await client.last(b"LOGIN {4+}\r\n{12}") == "BAD not allowed in this state"
    name = (form % 12).encode()
    await client.ok(b"CREATE {%d+}\r\n%b" % (len(name), name))
    assert name in b"".join(await client.ok('LIST "" "*"'))
