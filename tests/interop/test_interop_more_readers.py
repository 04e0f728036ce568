"""offlineimap, getmail and mutt against a running service: fetch, flags, delete."""

import mailbox
import urllib.request
from pathlib import Path

from mailkit.testing.speed import patient
from tests.support.clients import imap, inbox, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for

from .tap import Tap
from .terminal import in_terminal
from .test_interop_readers import sh


def three(run: Run, user: Account) -> list[bytes]:
    made = [message("a@far.example", user.address, subject=f"m{n}") for n in range(3)]
    with smtp(run) as client:
        for one in made:
            client.sendmail("", [user.address], one)
    wait_for(lambda: len(inbox(run, user)) == 3)
    return made


def flagged(run: Run, user: Account, key: str) -> list[int]:
    client = imap(run, user)
    try:
        return [int(number) for number in client.search(None, key)[1][0].split()]
    finally:
        client.logout()


def compressed(run: Run) -> float:
    """How many sessions have begun to compress."""
    url = run.env["POSTRIDER_FRONTEND_URL"] + "/metrics"
    name = 'postrider_frontend_imap_commands_total{answer="OK",command="COMPRESS"}'
    with urllib.request.urlopen(url, timeout=patient(10)) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_offlineimap_fetches_flags_and_deletes(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    sent = three(run, user)
    before = compressed(run)
    config = tmp_path / "offlineimaprc"
    config.write_text(
        f"[general]\naccounts = one\nmetadata = {tmp_path}/state\nui = basic\n[Account one]\nlocalrepository = here\n"
        f"remoterepository = there\n[Repository here]\ntype = Maildir\nlocalfolders = {tmp_path}/mail\n[Repository there]\n"
        f"type = IMAP\nremotehost = localhost\nremoteport = {tap.port('IMAPS')}\nremoteuser = {user.address}\n"
        f"remotepass = {user.password}\nssl = yes\nsslcacertfile = {run.ca_file}\nauth_mechanisms = PLAIN\nusecompression = yes\n"
    )
    sh("offlineimap", "-c", str(config), "-o", home=tmp_path)
    box = mailbox.Maildir(tmp_path / "mail" / "INBOX", create=False)
    bodies = [box.get_bytes(key).replace(b"\r\n", b"\n") for key in box.keys()]  # noqa: SIM118 - iterates over messages
    assert len(bodies) == 3
    for one in sent:
        assert any(body.endswith(one.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")) for body in bodies)
    first, second = list(box.keys())[:2]
    copy = box.get_message(first)
    copy.set_subdir("cur")
    copy.set_flags("FS")
    box[first] = copy
    box.remove(second)
    sh("offlineimap", "-c", str(config), "-o", home=tmp_path)
    assert len(inbox(run, user)) == 2
    assert len(flagged(run, user, "FLAGGED")) == 1
    assert compressed(run) >= before + 2
    tap.check("offlineimap")


def test_getmail_takes_and_deletes(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    sent = three(run, user)
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = {tap.port('POP3S')}\n"
        f"username = {user.address}\npassword = {user.password}\nca_certs = {run.ca_file}\n[destination]\n"
        f"type = MDA_external\npath = /bin/sh\narguments = ('-c', 'cat >> {tmp_path}/got')\nallow_root_commands = true\n[options]\ndelete = true\nread_all = true\ndelivered_to = false\nreceived = false\n"
    )
    sh("getmail", "--getmaildir", str(tmp_path), "--rcfile", "getmailrc", home=tmp_path)
    got = (tmp_path / "got").read_bytes().replace(b"\r\n", b"\n")
    assert got.count(b"Subject: m") == 3
    for one in sent:
        assert one.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n") in got
    assert inbox(run, user) == []
    tap.check("getmail")


def test_mutt_saves_flags_and_deletes(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    sent = three(run, user)
    before = compressed(run)
    rc = tmp_path / "muttrc"
    rc.write_text(
        f'set folder="imaps://localhost:{tap.port("IMAPS")}/"\nset imap_user="{user.address}"\n'
        f'set imap_pass="{user.password}"\nset ssl_starttls=yes\nset imap_deflate=yes\n'
        f'set certificate_file="{run.ca_file}"\nset ssl_verify_host=no\nset header_cache=""\nset spoolfile="+INBOX"\n'
        f"set delete=yes\nset quit=yes\nset confirmappend=no\nset confirmcreate=no\nset wait_key=no\nset sort=mailbox-order\n"
        f'set mbox_type=mbox\npush "<first-entry><flag-message><next-entry><copy-message>{tmp_path}/saved<enter>'
        f'<last-entry><delete-message><sync-mailbox><quit>"\n'
    )
    in_terminal("mutt", "-n", "-F", str(rc), "-f", "=INBOX", home=tmp_path)
    assert len(inbox(run, user)) == 2
    assert flagged(run, user, "FLAGGED") == [1]
    assert compressed(run) == before + 1
    saved = (tmp_path / "saved").read_bytes()
    assert sent[1].partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n").rstrip() in saved
    tap.check("mutt")
