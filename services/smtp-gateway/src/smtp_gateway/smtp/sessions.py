"""The open sessions of the process, and what is done to all of them: relief, re-check of logins, drain, abort."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import structs

from auth_api.client import AuthClient
from auth_api.wire import LoginAnswer, SessionQuestion
from smtp_gateway import metrics

#: Seconds between checks for silent clients while most connections are in use.
RELIEF_SECONDS = 2.0
#: Seconds between checks of the logins of open sessions (decision 15).
RECHECK_SECONDS = 5.0


class OpenSession(Protocol):
    """What is asked of an open session."""

    login: LoginAnswer | None

    def drain(self) -> None:
        """Send 421 and close, unless a transaction is under way."""

    def revoke(self) -> None:
        """End the session because its login is no longer valid."""

    def end_silence(self, before: float) -> None:
        """End the session if its client has been silent since `before` (event loop time)."""

    def abort(self) -> None:
        """Close the connection at once."""


class Sessions:
    """The open sessions. `crowded`: True while most of the allowed connections are open."""

    def __init__(self, crowded: Callable[[], bool] = lambda: False) -> None:
        self._crowded = crowded
        self.open: set[OpenSession] = set()
        self.draining = False

    async def relieve(self, seconds: float) -> None:
        """While most connections are in use, end those whose client has been silent for `seconds`.

        This is Postfix's stress-adaptive behaviour.
        """
        crowded = self._crowded()
        metrics.CROWDED.set(crowded)
        if crowded:
            before = asyncio.get_running_loop().time() - seconds
            for session in list(self.open):
                session.end_silence(before)

    async def recheck(self, auth: AuthClient) -> None:
        """End the sessions whose account was disabled or whose password changed, and renew the proofs of the others.

        One list call. Raises Unavailable.
        """
        logins = [(session, login) for session in self.open if (login := session.login) and login.mailbox_id]
        if not logins:
            return
        questions = [
            SessionQuestion(login.mailbox_id, login.credential_version, login.proof, "smtp")
            for _, login in logins
            if login.mailbox_id
        ]
        answers = await auth.recheck(questions)
        proofs = answers.proofs or [b""] * len(logins)  # none: an auth that has no proofs
        for (session, login), valid, proof in zip(logins, answers.items, proofs, strict=True):
            if not valid:
                session.revoke()
            elif proof and session.login is login:
                session.login = structs.replace(login, proof=proof)

    def drain(self) -> None:
        """Send 421 between transactions from now on (decision 13), at once to sessions that wait for a command."""
        self.draining = True
        for session in list(self.open):
            session.drain()

    def abort(self) -> None:
        """Close the connections that are still open."""
        for session in list(self.open):
            session.abort()
