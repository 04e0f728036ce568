"""imapfilter, mpop and aerc against a running service."""

import mailbox
import urllib.parse
from pathlib import Path

from tests.support.run import Account, Run

from .tap import Tap
from .terminal import in_terminal
from .test_interop_more_readers import flagged, three
from .test_interop_readers import sh


def test_imapfilter_moves_flags_and_deletes(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    three(run, user)
    config = tmp_path / "config.lua"
    config.write_text(
        f"account = IMAP {{ server = 'localhost', port = {tap.port('IMAPS')}, username = '{user.address}',\n"
        f"  password = '{user.password}', ssl = 'auto' }}\n"
        "account:create_mailbox('Filtered')\n"
        "account.INBOX:contain_subject('m0'):move_messages(account['Filtered'])\n"
        "account.INBOX:contain_subject('m1'):mark_flagged()\n"
        "account.INBOX:contain_subject('m2'):delete_messages()\n"
        "exist, unread, recent = account.Filtered:check_status()\nprint('filtered ' .. exist)\n"
    )
    done = sh("imapfilter", "-c", str(config), "-t", run.ca_file, home=tmp_path)
    assert b"filtered 1" in done.stdout
    assert flagged(run, user, "ALL") == flagged(run, user, "FLAGGED") == [1]
    tap.check("imapfilter")


def test_mpop_takes_and_deletes(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    sent = three(run, user)
    for name in ("", "/cur", "/new", "/tmp"):
        (tmp_path / f"mail{name}").mkdir()
    config = tmp_path / "mpoprc"
    config.write_text(
        f"account default\nhost localhost\nport {tap.port('POP3S')}\nuser {user.address}\npassword {user.password}\n"
        f"tls on\ntls_starttls off\ntls_trust_file {run.ca_file}\nuidls_file {tmp_path}/uidls\nkeep off\n"
        f"delivery maildir {tmp_path}/mail\nreceived_header off\n"
    )
    config.chmod(0o600)
    sh("mpop", "-C", str(config), home=tmp_path)
    box = mailbox.Maildir(tmp_path / "mail", create=False)
    bodies = [box.get_bytes(key).replace(b"\r\n", b"\n") for key in box.keys()]  # noqa: SIM118 - iterates over messages
    assert len(bodies) == 3
    for one in sent:
        assert any(body.endswith(one.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")) for body in bodies)
    assert flagged(run, user, "ALL") == []
    tap.check("mpop")


def test_aerc_lists_moves_and_deletes(run: Run, user: Account, tap: Tap, tmp_path: Path) -> None:
    three(run, user)
    home = tmp_path / ".config" / "aerc"
    home.mkdir(parents=True)
    accounts = home / "accounts.conf"
    name, password = (urllib.parse.quote(text, safe="") for text in (user.address, user.password))
    accounts.write_text(
        f"[here]\nsource = imaps://{name}:{password}@localhost:{tap.port('IMAPS')}\n"
        f"from = <{user.address}>\ndefault = INBOX\ncache-headers = false\n"
    )
    accounts.chmod(0o600)
    for command, shown in ((":move Archive\r", "moved to"), (":delete\r", "Messages dele")):
        keys = [("a@far.example", command), (shown, ":quit -f\r")]
        in_terminal("aerc", home=tmp_path, env={"SSL_CERT_FILE": run.ca_file}, keys=keys)
    assert len(flagged(run, user, "ALL")) == 1
    tap.check("aerc")
