"""Debian's reading programs against a running service: fetch, flags, folders, delete; byte for byte."""

import asyncio
import mailbox
import os
import subprocess
from pathlib import Path

import aioimaplib
import pytest

from mailkit.testing.speed import patient
from tests.support.clients import imap, inbox, smtp, tls_context
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for

from .tap import Tap


def sh(*words: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, timeout=patient(120), env=os.environ | {"HOME": str(home)}
    )
    assert done.returncode == 0, f"{words[0]}: {done.stdout.decode()[-2000:]} {done.stderr.decode()[-2000:]}"
    return done


@pytest.fixture
def sent(run: Run, user: Account) -> list[bytes]:
    """Three messages that wait in the user's INBOX."""
    made = [message("a@far.example", user.address, subject=f"m{n}") for n in range(3)]
    with smtp(run) as client:
        for one in made:
            client.sendmail("", [user.address], one)
    wait_for(lambda: len(inbox(run, user)) == 3)
    return made


def test_mbsync_both_ways(run: Run, user: Account, tap: Tap, sent: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPStore remote\nHost localhost\nPort {tap.port('IMAPS')}\nUser {user.address}\nPass {user.password}\nSSLType IMAPS\n"
        f"CertificateFile {run.ca_file}\n\nMaildirStore local\nPath {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\n"
        "SubFolders Verbatim\n\nChannel all\nFar :remote:\nNear :local:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n"
    )
    sh("mbsync", "-c", str(config), "all", home=tmp_path)
    box = mailbox.Maildir(tmp_path / "mail" / "INBOX", create=False)
    bodies = [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118 - Maildir iterates over messages
    assert len(bodies) == 3
    for one in sent:  # mbsync puts a line of its own into the header
        text = one.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
        assert any(body.replace(b"\r\n", b"\n").endswith(text) for body in bodies)
    assert (tmp_path / "mail" / "Trash").is_dir()
    first = next(iter(box.keys()))
    copy = box.get_message(first)
    copy.set_subdir("cur")
    copy.set_flags("FS")
    box[first] = copy
    box.remove(list(box.keys())[1])
    sh("mbsync", "-c", str(config), "all", home=tmp_path)
    client = imap(run, user)
    assert [int(n) for n in client.search(None, "FLAGGED", "SEEN")[1][0].split()] != []
    client.logout()
    tap.check("mbsync")


def test_fetchmail_takes_and_deletes(run: Run, user: Account, tap: Tap, sent: list[bytes], tmp_path: Path) -> None:
    config = tmp_path / "fetchmailrc"
    config.write_text(
        f"poll localhost port {tap.port('POP3S')} protocol pop3 username '{user.address}' password '{user.password}' ssl "
        f"sslcertck sslcertfile '{run.ca_file}' mda 'cat >> {tmp_path}/got' no rewrite fetchall\n"
    )
    config.chmod(0o600)
    sh("fetchmail", "-f", str(config), "--nodetach", "--nosyslog", home=tmp_path)
    got = (tmp_path / "got").read_bytes().replace(b"\r\n", b"\n")
    for one in sent:
        assert one.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n") in got
    assert inbox(run, user) == []
    tap.check("fetchmail")


async def test_aioimaplib(run: Run, user: Account, tap: Tap, sent: list[bytes]) -> None:
    client = aioimaplib.IMAP4_SSL("localhost", tap.port("IMAPS"), ssl_context=tls_context(run))
    await asyncio.wait_for(client.wait_hello_from_server(), patient(10))
    assert (await asyncio.wait_for(client.login(user.address, user.password), patient(10))).result == "OK"
    assert (await asyncio.wait_for(client.select("INBOX"), patient(10))).result == "OK"
    answer = await asyncio.wait_for(client.fetch("1", "(BODY.PEEK[])"), patient(10))
    assert any(bytes(line).endswith(sent[0]) for line in answer.lines if isinstance(line, bytes | bytearray))
    assert (await asyncio.wait_for(client.store("1", "+FLAGS", "(\\Deleted)"), patient(10))).result == "OK"
    assert (await asyncio.wait_for(client.expunge(), patient(10))).result == "OK"
    await asyncio.wait_for(client.logout(), patient(10))
    assert len(inbox(run, user)) == 2
    await asyncio.to_thread(tap.check, "aioimaplib")  # the client closes its connection in this loop
