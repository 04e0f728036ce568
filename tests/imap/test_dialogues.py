"""Every command, line by line: each file of `dialogues` is one connection to an INBOX of two messages."""

import re
from pathlib import Path

import pytest

from pop_imap_frontend.imap.registry import VERBS
from tests.support.dialogues import names, play, read

from .conftest import Imap

DIALOGUES = Path(__file__).parent / "dialogues"
TWO = (
    b"From: Anna <a@far.example>\r\nSubject: one\r\n\r\nfirst\r\n",
    b"Subject: two\r\n\r\nsecond\r\n",
)


def mask(line: str) -> str:
    """Numbers that differ at each run, and lists in a code: of capabilities, which `capability.txt` has in full, and of charsets."""
    line = re.sub(r"\[CAPABILITY [^\]]*\]", "[CAPABILITY ...]", line)
    line = re.sub(r"\[BADCHARSET \([^)]*\)\]", "[BADCHARSET (...)]", line)
    return re.sub(r"(UIDVALIDITY|APPENDUID|COPYUID) \d+", r"\1 N", line)


@pytest.mark.parametrize("name", names(DIALOGUES))
async def test_dialogue(imap: Imap, name: str) -> None:
    head, lines = read(DIALOGUES / f"{name}.txt")
    for message in TWO:
        await imap.store.append(imap.mailbox_id, message)
    begin = {"connected": imap.connect, "logged in": imap.log_in, "in INBOX": imap.select}
    client = await begin[head.rpartition("# Begins ")[2].rstrip(".")]()
    await play(lines, client.reader, client.writer, mask)


def test_every_command_is_in_a_dialogue() -> None:
    sent = {
        re.sub(r"^C: \S+ ((?:UID )?\S+).*", r"\1", line)
        for name in names(DIALOGUES)
        for line in read(DIALOGUES / f"{name}.txt")[1]
        if line.startswith("C: ")
    }
    assert VERBS.keys() - sent == set()
