"""Debian's sending programs against a running service: what arrives is what they sent."""

import os
import subprocess
from pathlib import Path

from mailkit.testing.speed import patient
from tests.support.clients import inbox
from tests.support.mail import message
from tests.support.run import Account, Run, wait_for
from tests.support.world import World


def sh(*words: str, text: bytes = b"", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    path = {"PATH": os.environ["PATH"] + ":/usr/sbin"}
    done = subprocess.run(
        words, input=text, capture_output=True, timeout=patient(120), env=os.environ | path | (env or {})
    )
    assert done.returncode == 0, f"{words[0]}: {done.stdout.decode()[-2000:]} {done.stderr.decode()[-2000:]}"
    return done


def test_swaks_with_starttls_and_auth(run: Run, user: Account, world: World, tmp_path: Path) -> None:
    far = world.remote()
    sent = message(user.address, "x", subject="by swaks")
    (tmp_path / "mail").write_bytes(sent[:-2])  # it adds a line end of its own
    for target, port, tls in (
        (user.address, "SUBMISSION", "--tls"),
        (f"a@{far.domain}", "SMTPS", "--tlsc"),
        (user.address, "SMTP", "--tls"),
    ):
        sh(
            "swaks",
            "--server",
            f"localhost:{run.port(port)}",
            tls,
            "--tls-verify",
            "--tls-ca-path",
            run.ca_file,
            "--auth",
            "LOGIN",
            "--auth-user",
            user.login,
            "--auth-password",
            user.password,
            "--from",
            user.address,
            "--to",
            target,
            "--data",
            f"@{tmp_path / 'mail'}",
        )
    both = wait_for(lambda: len(found := inbox(run, user)) == 2 and found)
    for one in both:
        assert one[-len(sent) :] == sent
    wait_for(far.messages)
    assert far.messages()[0].data.endswith(sent)


def test_curl_sends_and_reads(run: Run, user: Account, tmp_path: Path) -> None:
    sent = message(user.address, user.address, subject="by curl")
    (tmp_path / "mail").write_bytes(sent)
    login = f"{user.address}:{user.password}"
    sh(
        "curl",
        "-sS",
        "--cacert",
        run.ca_file,
        "--user",
        login,
        "--mail-from",
        user.address,
        "--mail-rcpt",
        user.address,
        "-T",
        str(tmp_path / "mail"),
        f"smtps://localhost:{run.port('SMTPS')}/client.test",
    )
    wait_for(lambda: inbox(run, user))
    for url in (f"imaps://localhost:{run.port('IMAPS')}/INBOX;MAILINDEX=1", f"pop3s://localhost:{run.port('POP3S')}/1"):
        got = sh("curl", "-sS", "--cacert", run.ca_file, "--user", login, url).stdout
        assert got.endswith(sent)
    for url in (f"imap://localhost:{run.port('IMAP')}/", f"pop3://localhost:{run.port('POP3')}/"):
        assert sh("curl", "-sS", "--ssl-reqd", "--cacert", run.ca_file, "--user", login, url).stdout


def test_msmtp(run: Run, user: Account, tmp_path: Path) -> None:
    config = tmp_path / "msmtprc"
    config.write_text(
        f"account default\nhost localhost\nport {run.port('SUBMISSION')}\ntls on\ntls_starttls on\ntls_trust_file {run.ca_file}\n"
        f"auth plain\nuser {user.address}\npassword {user.password}\nfrom {user.address}\n"
    )
    config.chmod(0o600)
    sent = message(user.address, user.address, subject="by msmtp")
    sh("msmtp", f"--file={config}", user.address, text=sent.replace(b"\r\n", b"\n"))
    assert wait_for(lambda: inbox(run, user))[0].endswith(sent)


def test_smtp_source_in_parallel(run: Run, user: Account) -> None:
    sh(
        "smtp-source",
        "-s",
        "10",
        "-m",
        "200",
        "-l",
        "4096",
        "-f",
        "",
        "-t",
        user.address,
        f"127.0.0.1:{run.port('SMTP')}",
    )
    wait_for(lambda: len(inbox(run, user)) == 200, 60)
