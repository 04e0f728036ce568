"""docs/operate/backup.md, line by line: dump, wipe, restore, and the same mail is there."""

import os
import re
import subprocess

from tests.chart.bundled import BINARIES, Bundled
from tests.chart.chart import ROOT
from tests.support.clients import imap, smtp
from tests.support.mail import message
from tests.support.run import Account, Run, running, wait_for


def line(program: str) -> str:
    """The page's own command of a program."""
    text = (ROOT / "docs" / "operate" / "backup.md").read_text()
    (found,) = re.findall(rf"^({program} .*)$", text, re.M)
    return str(found)


def send(run: Run, account: Account, subject: str) -> None:
    with smtp(run, port="SUBMISSION", login=account) as client:
        client.sendmail(account.address, [account.address], message(account.address, account.address, subject=subject))


def seen(run: Run, account: Account) -> dict[str, tuple[object, object, list[bytes]]]:
    """All that an IMAP client knows of its folders: UIDVALIDITY, flags with UIDs, and the messages' bytes."""
    session = imap(run, account)
    found = {}
    for folder in ("INBOX", "Kept"):
        if session.select(folder, readonly=True)[0] == "OK":
            rows = session.fetch("1:*", "(UID FLAGS BODY.PEEK[])")[1]
            texts = [row[1] for row in rows if isinstance(row, tuple)]
            found[folder] = (
                session.response("UIDVALIDITY")[1],
                [row[0] for row in rows if isinstance(row, tuple)],
                texts,
            )
    session.logout()
    return found


def test_dump_wipe_restore_same_mail(bundled: Bundled) -> None:
    bundled.start()
    env = {
        "PATH": f"{BINARIES}:{os.environ['PATH']}",
        "SERVER_URL": bundled.url(),
        "DATABASE_URL": bundled.url("mail"),
    }

    def shell(command: str) -> None:
        done = subprocess.run(["sh", "-c", command], cwd=bundled.folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    shell(line("createdb"))
    with running(DATABASE_URL=bundled.url("mail")) as run:
        account = run.mailbox(run.domain())
        send(run, account, "before")
        session = imap(run, account)
        wait_for(lambda: session.select("INBOX")[1] == [b"1"], why="the first message")
        session.store("1", "+FLAGS", r"(\Flagged)")
        session.create("Kept")
        session.copy("1", "Kept")
        session.logout()
        before = seen(run, account)
        shell(line("pg_dump"))
        run.stop()
        shell(f'dropdb --maintenance-db="{bundled.url()}" mail')
        shell(line("createdb"))
        shell(line("pg_restore"))
        run.start()
        assert seen(run, account) == before
        send(run, account, "after")
        wait_for(lambda: len(seen(run, account)["INBOX"][2]) == 2, why="mail after the restore")
