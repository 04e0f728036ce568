"""Two IMAP sessions with the same messages, one with this service and one with Debian's Dovecot, asked the same commands.

Dovecot's `imap` program is run for one user on its standard input, as itself the server (PREAUTH): no daemon, no port.
"""

import grp
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from mailkit.testing.speed import patient
from tests.support.clients import dial, tls_context
from tests.support.run import Account, Run

IMAP = Path("/usr/lib/dovecot/imap")
_CONFIG = """\
protocols = imap
base_dir = {home}/run
mail_location = maildir:{home}/Maildir
log_path = {home}/log
ssl = no
stats_writer_socket_path =
first_valid_uid = 1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
"""
_FETCHED = re.compile(rb"\* (\d+) FETCH \(").match
_ITEM = re.compile(rb"[A-Z0-9.]+(?:\[[^\]]*\])?").match
_ATOM = re.compile(rb'[^ ()"{\r\n]+').match
_TOKEN = re.compile(rb'[()]|"(?:[^"\\]|\\.)*"|\{(\d+)\}\r\n|[^ ()"{\r\n]+| ', re.S).match
_LITERAL_END = re.compile(rb"\{(\d+)\}\r\n\Z").search


class Session:
    """An IMAP session whose INBOX is selected; commands are sent on `writer`, answers read from `reader`."""

    reader: IO[bytes]
    writer: IO[bytes]

    def command(self, text: bytes) -> bytes:
        """Return the untagged answers to one command, which has to succeed."""
        self.writer.write(b"t " + text + b"\r\n")
        self.writer.flush()
        answer, success, tagged = self._answer().rpartition(b"t OK")
        assert success, (text, tagged)
        return answer

    def fetch(self, number: int, items: bytes) -> dict[bytes, bytes]:
        """Return the raw values of the items of one message by name in capitals."""
        return _values(self.command(b"FETCH %d (%b)" % (number, items)))

    def _answer(self) -> bytes:
        answer: list[bytes] = []
        while True:
            line = self.reader.readline()
            assert line, "the session ended"
            answer.append(line)
            if line.startswith(b"t "):
                return b"".join(answer)
            while literal := _LITERAL_END(line):
                answer.append(self.reader.read(int(literal[1])))
                line = self.reader.readline()
                answer.append(line)


class Postrider(Session):
    """A session with the running service over TLS, whose INBOX gets the messages by APPEND."""

    def __init__(self, run: Run, user: Account, messages: Sequence[bytes]) -> None:
        raw = dial(run, "IMAPS", seconds=60)
        self.socket = tls_context(run).wrap_socket(raw, server_hostname=run.name)
        self.reader = self.socket.makefile("rb")
        self.writer = self.socket.makefile("wb")
        assert self.reader.readline().startswith(b"* OK")
        self.command(b"LOGIN %b %b" % (user.address.encode(), user.password.encode()))
        for message in messages:
            self.command(b"APPEND INBOX {%d+}\r\n%b" % (len(message), message))
        self.command(b"SELECT INBOX")

    def close(self) -> None:
        self.socket.close()


class Dovecot(Session):
    """A session with Dovecot over a Maildir of the messages."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        if not IMAP.exists():
            pytest.fail("Debian's dovecot-imapd is not installed; make interop installs it")
        # Dovecot refuses to serve root; an ordinary user runs it as himself. The folder is not below the base of
        # pytest's folders, which is closed to other users.
        account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.home = home = Path(tempfile.mkdtemp(prefix="postrider-dovecot-"))
        for folder in ("cur", "new", "tmp"):
            (home / "Maildir" / folder).mkdir(parents=True)
        for number, message in enumerate(messages):
            (home / "Maildir" / "cur" / f"{1000000 + number}.M{number}.host:2,").write_bytes(message)
        group = grp.getgrgid(account.pw_gid).gr_name
        (home / "dovecot.conf").write_text(_CONFIG.format(home=home, user=account.pw_name, group=group))
        as_other = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        if as_other:
            for path in [home, *home.rglob("*")]:
                os.chown(path, account.pw_uid, account.pw_gid)
        self.process = subprocess.Popen(
            [IMAP, "-c", home / "dovecot.conf"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"USER": "reader", "HOME": str(home), "PATH": os.environ["PATH"]},
            cwd=home,
            **as_other,  # type: ignore[call-overload]
        )
        assert self.process.stdout and self.process.stdin
        self.reader, self.writer = self.process.stdout, self.process.stdin
        assert self.reader.readline().startswith(b"* PREAUTH")
        self.command(b"SELECT INBOX")

    def close(self) -> None:
        """End the session and remove its folder."""
        self.process.communicate(timeout=patient(10))
        shutil.rmtree(self.home, ignore_errors=True)


def content(value: bytes) -> bytes | None:
    """Return the octets of a string value; None for NIL."""
    if value.startswith(b"{"):
        return value[value.index(b"\n") + 1 :]
    if value.startswith(b'"'):
        return re.sub(rb"\\(.)", rb"\1", value[1:-1], flags=re.S)
    assert value == b"NIL", value
    return None


def _values(answer: bytes) -> dict[bytes, bytes]:
    """The items of one FETCH response, raw values by name in capitals (Dovecot repeats names of fields so)."""
    start = _FETCHED(answer)
    assert start, answer[:200]
    pos = start.end()
    found: dict[bytes, bytes] = {}
    while answer[pos : pos + 1] != b")":
        pos += answer[pos : pos + 1] == b" "
        name = _ITEM(answer, pos)
        assert name, answer[pos : pos + 80]
        end = _value_end(answer, name.end() + 1)
        found[name[0].upper()] = answer[name.end() + 1 : end]
        pos = end
    return found


def _value_end(data: bytes, pos: int) -> int:
    """Offset behind the IMAP value that begins at `pos`."""
    depth = 0
    while True:
        token = _TOKEN(data, pos)
        assert token, data[pos : pos + 80]
        pos = token.end() + int(token[1] or 0)
        depth += {b"(": 1, b")": -1}.get(token[0], 0)
        if depth == 0:
            return pos
