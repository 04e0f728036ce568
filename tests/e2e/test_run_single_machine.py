"""`make run`: what it promises about starting, stopping, being killed, and being started wrongly."""

import subprocess
import sys
import urllib.request

import pytest

from tests.support.clients import inbox, smtp
from tests.support.mail import message
from tests.support.run import Run, wait_for


@pytest.fixture
def own(world) -> Run:  # type: ignore[no-untyped-def]
    return Run(**world.settings())


def launch(run: Run, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postrider.launcher"],
        env=run.environment() | more,
        capture_output=True,
        text=True,
        timeout=60,
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def test_a_life_with_a_violent_end(own: Run) -> None:
    try:
        own.start()
        for name in ("AUTH", "QUEUE", "MAILSTORE", "GATEWAY", "FRONTEND"):
            for page in ("healthz", "readyz", "metrics", "docs"):
                with urllib.request.urlopen(f"{own.env[f'POSTRIDER_{name}_URL']}/{page}", timeout=5) as reply:
                    assert reply.status == 200
        assert (own.state / "postrider.env").stat().st_mode & 0o777 == 0o600
        user = own.mailbox(own.domain())
        with smtp(own) as client:
            client.sendmail("", [user.address], message("a@far.example", user.address))
        wait_for(lambda: inbox(own, user))
        second = launch(own)
        assert second.returncode == 78
        assert second.stderr.strip().endswith("for a second one")
        assert len(second.stderr.strip().splitlines()) == 1
        assert (own.state / "postrider.env").exists(), "the second run left the first one's file alone"
        own.service("mailstore").kill()
        wait_for(lambda: "mailstore ended (killed by SIGKILL)" in own.output(), 10)
        wait_for(lambda: answers(own.env["POSTRIDER_MAILSTORE_URL"]), 20)
        own.kill()
        own.start()
        assert len(inbox(own, user)) == 1
        own.stop()
        assert not (own.state / "postrider.env").exists()
    finally:
        own.close()


def test_a_port_in_use_is_one_sentence(own: Run, shared_run: Run) -> None:
    own.offset = shared_run.offset
    done = launch(own)
    assert done.returncode == 78
    assert "cannot be used" in done.stderr
    assert "POSTRIDER_PORT_OFFSET" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("POSTRIDER_STATE", "/proc/nowhere", "cannot write to the state folder"),
        ("POSTRIDER_SMPT_PORT", "25", "did you mean POSTRIDER_SMTP_PORT?"),
        ("POSTRIDER_PORT_OFFSET", "many", "has to be a whole number"),
        ("POSTRIDER_QUEUE_LIFETIME_SECONDS", "a day", "POSTRIDER_QUEUE_LIFETIME_SECONDS"),
    ],
)
def test_wrong_settings_are_one_sentence(own: Run, name: str, value: str, sentence: str) -> None:
    done = launch(own, **{name: value})
    assert done.returncode == 78
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
