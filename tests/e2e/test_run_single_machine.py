"""`make run`: what it promises about starting, stopping, being killed, and being started wrongly."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import psutil
import pytest

from mailkit.testing.speed import patient
from tests.support.clients import inbox, smtp
from tests.support.mail import message
from tests.support.run import Run, program, wait_for

#: Octets of memory of a run that has just started, all its processes: 300 MB were measured.
MOST_MEMORY = 340e6


def memory(run: Run) -> float:
    """What all processes of a run take, in octets."""
    assert run.process is not None
    launcher = psutil.Process(run.process.pid)
    return sum(process.memory_full_info().pss for process in (launcher, *run.processes()))


@pytest.fixture
def own(world) -> Run:  # type: ignore[no-untyped-def]
    run = Run(**world.settings())
    run.template = None
    return run


def launch(run: Run, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postrider.launcher"],
        env=run.environment() | more,
        capture_output=True,
        text=True,
        timeout=patient(60),
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=patient(2)) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def another_process_has_the_number(run: Run) -> Iterator[None]:
    """A machine that was switched off and on again: the lock files name a living process that is no Postgres."""
    folder = run.state / "postgres"
    wait_for(lambda: not (folder / "postmaster.pid").exists(), why="the old server is gone")
    owner = folder.stat()
    other = subprocess.Popen(
        ["tail", "-f", str(folder / "PG_VERSION")], user=owner.st_uid, group=owner.st_gid, stdout=subprocess.DEVNULL
    )
    try:
        lines = {
            "postmaster.pid": [str(folder), "1", "5432", str(folder), ""],
            ".s.PGSQL.5432.lock": [str(folder), "1", "5432", str(folder)],
        }
        for name, rest in lines.items():
            (folder / name).write_text("\n".join([str(other.pid), *rest, ""]))
            os.chown(folder / name, owner.st_uid, owner.st_gid)
        yield
        assert other.poll() is None, "it is nobody's to end"
    finally:
        other.kill()
        other.wait()


def test_a_life_with_a_violent_end(own: Run) -> None:
    try:
        own.start()
        for name in ("AUTH", "QUEUE", "MAILSTORE", "GATEWAY", "FRONTEND"):
            for page in ("healthz", "readyz", "metrics", "docs"):
                with urllib.request.urlopen(f"{own.env[f'POSTRIDER_{name}_URL']}/{page}", timeout=patient(5)) as reply:
                    assert reply.status == 200
        assert (own.state / "postrider.env").stat().st_mode & 0o777 == 0o600
        own.service("parent of the services")
        # what only the start needed is given back within 10 s
        wait_for(lambda: memory(own) < MOST_MEMORY, 20)
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
        with another_process_has_the_number(own):
            own.start()
            assert len(inbox(own, user)) == 1
            own.stop()
        assert not (own.state / "postrider.env").exists()
    finally:
        own.close()


def test_the_end_of_the_parent_of_the_services_is_a_new_start(own: Run) -> None:
    try:
        own.start()
        assert own.process is not None
        user = own.mailbox(own.domain())
        with smtp(own) as client:
            client.sendmail("", [user.address], message("a@far.example", user.address))
        before = own.processes()
        own.service("parent of the services").kill()
        wait_for(lambda: "starting everything again" in own.output(), 20)
        _, alive = psutil.wait_procs(before, patient(20))
        assert not alive, f"left behind: {alive}"
        wait_for((own.state / "postrider.env").exists, 60, "everything answers again")
        assert own.process.poll() is None, "it is the same launcher"
        wait_for(lambda: inbox(own, user))
    finally:
        own.close()


def _making_the_database(run: Run) -> bool:
    return (run.state / "postgres.part").exists()


def _migrating(run: Run) -> bool:
    return any("migrate" in line for _, line in run.command_lines())


def _starting_services(run: Run) -> bool:
    return any(program(line) == "smtp-gateway" for _, line in run.command_lines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", [_making_the_database, _migrating, _starting_services])
def test_a_stop_during_the_first_start_is_a_stop(own: Run, moment: Callable[[Run], bool], number: int) -> None:
    """As Ctrl-C at a terminal: every process of the foreground group gets it."""
    launcher = own.launch()
    try:
        wait_for(lambda: moment(own), 60)
        children = own.processes()
        os.killpg(launcher.pid, number)
        assert launcher.wait(patient(20)) == 0, own.output()
        assert "Traceback" not in own.output() and "postrider:" not in own.output()
        _, alive = psutil.wait_procs(children, patient(5))
        assert not alive, f"left behind: {alive}"
        own.process = None
        if number == signal.SIGINT:
            own.start()
            own.stop()
    finally:
        own.close()


STARTER = """
import sys
from pathlib import Path
from tests.support.run import Run
print(Run(Path(sys.argv[1])).launch().pid, flush=True)
sys.stdin.read()
"""


def test_a_run_ends_with_the_tests_that_started_it(own: Run) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(own.state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert starter.stdout is not None
        launcher = psutil.Process(int(starter.stdout.readline()))
        processes = wait_for(lambda: _with_postgres(launcher), 60, "the database is being made or served")
    finally:
        starter.kill()
        starter.communicate()
    _, alive = psutil.wait_procs(processes, patient(20))
    assert not alive, f"left behind: {alive}"


def _with_postgres(launcher: psutil.Process) -> list[psutil.Process]:
    """The launcher and what it started, once that is something."""
    children = launcher.children(recursive=True)
    return [launcher, *children] if children else []


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
