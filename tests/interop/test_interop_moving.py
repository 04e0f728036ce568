"""Clients that read a mailbox at Debian's Dovecot go on with Postrider after its import, and download nothing again.

mbsync with its state (UIDs and UIDVALIDITY), and mpop with its UIDLs; POSTRIDER_TEST_MOVED=5000 for a large mailbox.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.run import Account, Run, free_offset, wait_for
from vpopmail.testing import BuiltMaildir

from .test_interop_readers import sh

COUNT = int(os.environ.get("POSTRIDER_TEST_MOVED", "300"))
CONFIG = """base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{home}/Maildir
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password=old
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


class OldHost:
    """Dovecot with one Maildir of COUNT messages and a folder; any name logs in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        offset = free_offset()
        self.imap, self.pop3 = 2143 + offset, 2110 + offset
        self.built = BuiltMaildir(home / "Maildir")
        for n in range(COUNT):
            self.add(n)
        self.built.message("1300000000.M1P2.old", b"Subject: in a folder\n\nText.\n", "S", directory=".Work.2009")
        (home / "dovecot.conf").write_text(
            CONFIG.format(home=home, uid=owner.pw_uid, gid=owner.pw_gid, imap=self.imap, pop3=self.pop3)
        )
        for name in ("run", "state"):
            (home / name).mkdir()
        for path in [home, *home.rglob("*")]:
            if path.name not in ("run", "state"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        home.chmod(0o755)  # Dovecot's users of its own pass through it
        self.owner = owner
        self.process = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", str(home / "dovecot.conf")], stdout=subprocess.DEVNULL
        )

    def add(self, n: int) -> Path:
        text = b"From: a@far.test\nMessage-ID: <%d@far.test>\nSubject: n%d\n\nMessage %d.\n" % (n, n, n)
        return self.built.message(f"{1_300_000_000 + n}.M{n}P1.old,S={len(text)}", text, "S" if n % 3 else None)

    def answers(self) -> bool:
        return (
            subprocess.run(["curl", "-s", f"pop3://any:old@127.0.0.1:{self.pop3}/"], capture_output=True).returncode
            == 0
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def old() -> Iterator[OldHost]:
    if not Path("/usr/sbin/dovecot").exists():
        pytest.fail("Debian's dovecot-imapd is not installed; make interop installs it")
    home = Path(tempfile.mkdtemp(prefix="postrider-old-"))  # not below pytest's folders, which are closed to others
    host = OldHost(home)
    try:
        wait_for(host.answers, why="Dovecot answers")
        yield host
    finally:
        host.stop()
        shutil.rmtree(home, ignore_errors=True)


def mbsync(home: Path, user: Account, where: str) -> str:
    """Synchronise; return what mbsync says it did. `where`: the lines of its store that differ."""
    config = home / "mbsyncrc"
    config.write_text(
        f"IMAPStore remote\nHost localhost\nUser {user.address}\n{where}\n\n"
        f"MaildirStore local\nPath {home}/mail/\nInbox {home}/mail/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :remote:\nNear :local:\nPatterns INBOX Work*\nCreate Near\nSyncState *\nSync Pull\n"
    )
    (home / "mail").mkdir(exist_ok=True)
    done = sh("mbsync", "-V", "-c", str(config), "all", home=home)
    return (done.stdout + done.stderr).decode()


def mpop(home: Path, user: Account, where: str) -> int:
    """Fetch what is new; return how many messages there are now."""
    config = home / "mpoprc"
    config.write_text(
        f"account old\nhost localhost\nuser {user.address}\n{where}\nkeep on\nonly_new on\nuidls_file {home}/uidls\n"
        f"delivery maildir {home}/pop\nreceived_header off\n"
    )
    config.chmod(0o600)
    for part in ("cur", "new", "tmp"):
        (home / "pop" / part).mkdir(parents=True, exist_ok=True)
    sh("mpop", "-C", str(config), "old", home=home)
    return len(list((home / "pop" / "new").iterdir()))


def files(home: Path) -> set[str]:
    """The messages that mbsync has, without their flags."""
    return {path.name.partition(":")[0] for path in (home / "mail").rglob("*") if path.parent.name in ("cur", "new")}


def test_clients_download_nothing_again(run: Run, user: Account, old: OldHost, tmp_path: Path) -> None:
    there = f"Port {old.imap}\nPass old\nSSLType None\nAuthMechs LOGIN"
    here = f"Port {run.port('IMAPS')}\nPass {user.password}\nSSLType IMAPS\nCertificateFile {run.ca_file}"
    pop_there = f"port {old.pop3}\nauth user\npassword old\ntls off"
    pop_here = (
        f"port {run.port('POP3S')}\npassword {user.password}\ntls on\ntls_starttls off\ntls_trust_file {run.ca_file}"
    )
    mbsync(tmp_path, user, there)
    before = files(tmp_path)
    assert len(before) == COUNT + 1
    assert mpop(tmp_path, user, pop_there) == COUNT

    done = run.cli("import", "maildir", str(old.home / "Maildir"), user.address)
    assert done["messages"] == {"imported": COUNT + 1, "known": 0, "renumbered": 0}
    said = mbsync(tmp_path, user, here)
    assert files(tmp_path) == before, said
    assert mpop(tmp_path, user, pop_here) == COUNT

    new = old.add(COUNT)  # it comes to the old host, where both clients read it, before the next run
    if os.getuid() == 0:
        os.chown(new, old.owner.pw_uid, old.owner.pw_gid)
    mbsync(tmp_path, user, there)
    assert mpop(tmp_path, user, pop_there) == COUNT + 1
    before = files(tmp_path)
    assert len(before) == COUNT + 2
    assert run.cli("import", "maildir", str(old.home / "Maildir"), user.address)["messages"]["imported"] == 1
    assert files(tmp_path) == before, mbsync(tmp_path, user, here)
    assert mpop(tmp_path, user, pop_here) == COUNT + 1
