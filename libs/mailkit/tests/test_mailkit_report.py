"""Four events for four kinds of errors, each logged once (docs/flow.md)."""

import asyncio
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from mailkit import errors
from mailkit.errors import PostriderError
from mailkit.postgres.pool import translate
from mailkit.process.lifecycle import Lifecycle
from mailkit.process.report import report, translators
from mailkit.testing.speed import patient

KINDS: list[tuple[BaseException, str]] = [
    (errors.Unavailable("away"), "service_away"),
    (errors.Unanswered("no answer"), "service_away"),
    (asyncpg.CannotConnectNowError("starting"), "service_away"),
    (asyncpg.DeadlockDetectedError("deadlock"), "service_away"),
    (ConnectionResetError("reset"), "service_away"),
    (errors.BadRequest("no"), "request_refused"),
    (errors.Unauthorised("token"), "request_refused"),
    (errors.Forbidden("token"), "request_refused"),
    (errors.NotFound("gone"), "request_refused"),
    (errors.TooLarge("large"), "request_refused"),
    (errors.OverLimit("much"), "request_refused"),
    (errors.Unproven("proof"), "request_refused"),
    (errors.NoSpace("full"), "work_failed"),
    (errors.InternalError("500"), "work_failed"),
    (asyncpg.DiskFullError("full"), "work_failed"),
    (PermissionError("certificate"), "work_failed"),
    (FileNotFoundError("file"), "work_failed"),
    (asyncpg.UndefinedColumnError("column"), "bug"),
    (KeyError("name"), "bug"),
    (AssertionError(), "bug"),
]


@pytest.mark.parametrize(("error", "event"), KINDS, ids=lambda value: type(value).__name__)
def test_an_error_is_logged_once_as_what_it_is(error: BaseException, event: str) -> None:
    with capture_logs() as lines:
        assert report(error, "a test", queue_id="q") == event
    (line,) = lines
    assert (line["event"], line["work"], line["queue_id"]) == (event, "a test", "q")
    assert ("exc_info" in line) == (event == "bug")
    assert line["log_level"] == ("warning" if event == "service_away" else "error")


def test_every_error_of_ours_has_a_kind() -> None:
    """A new class is decided on here, and not by whoever logs it."""
    classes = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PostriderError)}
    assert classes - {type(error) for error, _ in KINDS} == {PostriderError, errors.Conflict, errors.ConfigError}


def test_without_a_database_a_broken_connection_is_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkit.process.report.translators", [each for each in translators if each is not translate])
    assert report(ConnectionResetError("reset"), "a test") == "work_failed"


@pytest.mark.parametrize(("error", "event"), [(each, event) for each, event in KINDS if isinstance(each, Exception)])
async def test_periodic_work_says_what_ended_its_turn_and_goes_on(error: Exception, event: str) -> None:
    life, turns = Lifecycle(), asyncio.Semaphore(0)

    async def look() -> None:
        turns.release()
        raise error

    with capture_logs() as lines:
        life.every(0.001, look)
        async with asyncio.timeout(patient(10)):
            for _ in range(3):
                await turns.acquire()
        await life.cancel()
    said: list[Any] = [line["event"] for line in lines]
    assert set(said) == {event} and all("look" in line["work"] for line in lines)
