"""The MIME scanner against Dovecot: the same messages in a Maildir, the same bytes in every FETCH.

Debian's `imap` program is run for one user on its standard input, as itself the server (PREAUTH): no daemon, no port.
"""

import grp
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailkit.testing.speed import patient
from mailstore.mime import header_fields, render, section
from tests.support.mime_samples import OUR_ADDRESSES, OUR_STRUCTURES, OUR_TYPES, corpus, generate, ours_differ

IMAP = Path("/usr/lib/dovecot/imap")
pytestmark = [pytest.mark.interop]

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
_ITEM = re.compile(rb"BODY\[[^\]]*\]|[A-Z0-9.]+").match
_ATOM = re.compile(rb'[^ ()"{\r\n]+').match


class Dovecot:
    """One session over a Maildir of the given messages."""

    def __init__(self, home: Path, messages: list[bytes]) -> None:
        # Dovecot refuses to serve root; an ordinary user runs it as himself.
        account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        group = grp.getgrgid(account.pw_gid).gr_name
        self.home = home
        for folder in ("cur", "new", "tmp"):
            (home / "Maildir" / folder).mkdir(parents=True)
        for number, message in enumerate(messages):
            (home / "Maildir" / "cur" / f"{1000000 + number}.M{number}.host:2,").write_bytes(message)
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
        assert self.process.stdout
        assert self.process.stdout.readline().startswith(b"* PREAUTH")
        self.command(b"SELECT INBOX")

    def command(self, text: bytes) -> bytes:
        """Everything answered to one command, its tagged line excluded."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(b"t " + text + b"\r\n")
        self.process.stdin.flush()
        answer = bytearray()
        while True:
            line = self.process.stdout.readline()
            assert line, (self.home / "log").read_text()
            if line.startswith(b"t "):
                assert line.startswith(b"t OK"), line
                return bytes(answer)
            answer += line
            while literal := re.search(rb"\{(\d+)\}\r\n\Z", line):
                answer += self.process.stdout.read(int(literal[1]))
                line = self.process.stdout.readline()
                answer += line

    def fetch(self, number: int, items: bytes) -> dict[bytes, bytes]:
        """The items of one message, raw values by name."""
        answer = self.command(b"FETCH %d (%b)" % (number, items))
        start = re.compile(rb"\* %d FETCH \(" % number).search(answer)
        assert start, answer[:200]
        pos = start.end()
        found: dict[bytes, bytes] = {}
        while answer[pos : pos + 1] != b")":
            pos += answer[pos : pos + 1] == b" "
            name = _ITEM(answer, pos)
            assert name, answer[pos : pos + 80]
            end = _value_end(answer, name.end() + 1)
            found[name[0]] = answer[name.end() + 1 : end]
            pos = end
        return found

    def close(self) -> None:
        """End the session."""
        self.process.communicate(timeout=patient(10))


def _value_end(data: bytes, pos: int) -> int:
    """Offset behind the IMAP value that begins at `pos`."""
    kind = data[pos : pos + 1]
    if kind == b"(":
        pos += 1
        while data[pos : pos + 1] != b")":
            pos = pos + 1 if data[pos : pos + 1] == b" " else _value_end(data, pos)
        return pos + 1
    if kind == b'"':
        pos += 1
        while data[pos : pos + 1] != b'"':
            pos += 2 if data[pos : pos + 1] == b"\\" else 1
        return pos + 1
    if kind == b"{":
        brace = data.index(b"}", pos)
        return brace + 3 + int(data[pos + 1 : brace])
    atom = _ATOM(data, pos)
    assert atom, data[pos : pos + 80]
    return atom.end()


def _content(value: bytes) -> bytes | None:
    """Octets of a string value; None for NIL."""
    if value.startswith(b"{"):
        return value[value.index(b"\n") + 1 :]
    if value.startswith(b'"'):
        return re.sub(rb"\\(.)", rb"\1", value[1:-1])
    return None


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    return corpus() + [generate(seed) for seed in range(400)] + ours_differ()


@pytest.fixture(scope="module")
def dovecot(messages: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    if not IMAP.exists():
        pytest.fail("Debian's dovecot-imapd is not installed; make interop installs it")
    # Not below the base of pytest's folders: that one is closed to other users.
    home = Path(tempfile.mkdtemp(prefix="postrider-dovecot-"))
    session = Dovecot(home, messages)
    yield session
    session.close()
    shutil.rmtree(home, ignore_errors=True)


def test_envelope_and_structure_are_equal(dovecot: Dovecot, messages: list[bytes]) -> None:
    for number, message in enumerate(messages[: -len(ours_differ())], 1):
        theirs = dovecot.fetch(number, b"ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE")
        ours = render(message)
        assert ours.envelope == theirs[b"ENVELOPE"], message
        assert ours.body == theirs[b"BODY"], message
        assert ours.bodystructure == theirs[b"BODYSTRUCTURE"], message
        assert len(message) == int(theirs[b"RFC822.SIZE"]), message


def test_the_list_of_differences_is_true(dovecot: Dovecot, messages: list[bytes]) -> None:
    """What is read otherwise is listed with its reason in `mime_samples`; here it must really differ."""
    chosen = ours_differ()
    assert len(chosen) == len(OUR_ADDRESSES) + len(OUR_TYPES) + len(OUR_STRUCTURES)
    for number, message in enumerate(chosen, len(messages) - len(chosen) + 1):
        theirs = dovecot.fetch(number, b"ENVELOPE BODY")
        ours = render(message)
        assert (ours.envelope, ours.body) != (theirs[b"ENVELOPE"], theirs[b"BODY"]), message


def test_header_fields_are_equal(dovecot: Dovecot, messages: list[bytes]) -> None:
    for number, message in enumerate(messages, 1):
        header = message[: render(message).header_len]
        theirs = dovecot.fetch(
            number,
            b"BODY.PEEK[HEADER.FIELDS (subject To MIME-Version)] BODY.PEEK[HEADER.FIELDS.NOT (from CONTENT-TYPE)]",
        )
        assert header_fields(header, ["subject", "To", "MIME-Version"]) == _content(
            theirs[b"BODY[HEADER.FIELDS (SUBJECT TO MIME-VERSION)]"]
        ), message
        rest = _content(theirs[b"BODY[HEADER.FIELDS.NOT (FROM CONTENT-TYPE)]"])
        if rest and not rest.endswith(b"\r\n"):
            # A message cut in its header: our lines always end.
            rest += b"\r\n"
        assert header_fields(header, ["from", "CONTENT-TYPE"], not_=True) == rest, message


def _sections(parts: bytes) -> list[bytes]:
    """Section names of a message: those of each part, and some that are not there."""
    names = [b"", b"HEADER", b"TEXT", b"1", b"1.MIME", b"1.1", b"7"]
    names += [
        b"%b%b" % (b"%d.%d" % (first, second), what)
        for first in (1, 2, 3)
        for second in (1, 2)
        for what in (b"", b".MIME", b".HEADER", b".TEXT")
    ]
    names += [b"%d%b" % (first, what) for first in (1, 2, 3) for what in (b".HEADER", b".TEXT", b".MIME")]
    names += [b"2", b"3", b"1.1.1", b"2.1.1", b"2.1.2", b"2.1.1.1", b"2.2.1"]
    return list(dict.fromkeys(names))


def test_sections_are_equal(dovecot: Dovecot, messages: list[bytes]) -> None:
    compared = 0
    for number, message in enumerate(messages[: -len(ours_differ())], 1):
        parts = render(message).parts
        names = _sections(parts)
        theirs = dovecot.fetch(number, b" ".join(b"BODY.PEEK[%b]" % name for name in names))
        for name in names:
            found = section(parts, name)
            ours = None if found is None else b"".join(message[at : at + size] for at, size in found.ranges)
            read = _content(theirs[b"BODY[%b]" % name])
            if name.endswith((b"MIME", b"HEADER")) and ours != read and ours and read is not None:
                # The blank line of an empty part is the line end before the delimiter too; they give it to that.
                ours = ours.removesuffix(b"\r\n")
            assert (ours or None) == (read or None), (name, message)
            compared += ours is not None
    assert compared > 5 * len(messages)
