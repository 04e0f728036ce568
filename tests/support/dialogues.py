"""Conversations as files, line by line, played over a connection.

A file begins with comments (`#`) and an empty line. `C:` is a line of the client and `S:` one of the server; `␣` is a space at
the end or the beginning of a line, `(empty)` an empty line, `(end)` the end of the connection.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mailkit.testing.speed import patient


def names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.iterdir())


def read(file: Path) -> tuple[str, list[str]]:
    """The comments and the lines of a file."""
    head, _, lines = file.read_text().partition("\n\n")
    assert all(line.startswith("# ") for line in head.splitlines()), head
    return head, lines.splitlines()


async def play(
    lines: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mask: Callable[[str], str] = str
) -> None:
    """Send the client's lines and compare the server's, all of them; `mask` replaces what is another at each run."""
    for line in lines:
        side, text = line[:3], line[3:].replace("␣", " ").replace("(empty)", "")
        if side == "C: ":
            writer.write(text.encode() + b"\r\n")
            continue
        assert side == "S: ", line
        got = mask((await asyncio.wait_for(reader.readline(), patient(12))).decode())
        assert got == ("" if text == "(end)" else text + "\r\n"), line
    if lines[-1] != "S: (end)":
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), patient(12)) == b""
