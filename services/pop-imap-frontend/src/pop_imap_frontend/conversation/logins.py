"""Logins of both protocols: one request to auth, with the client's address, to which the relay grant is given (S2, I2)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal
from uuid import UUID

from auth_api.logins import Given, LoginClient, Mechanism
from auth_api.wire import LoginAnswer
from mailkit.errors import PostriderError, Unanswered, Unavailable
from mailkit.ids import new_id
from mailkit.net.listener import Peer
from mailkit.net.stream import Stream
from mailkit.net.tarpit import Tarpit
from pop_imap_frontend import metrics

#: A login is answered within 10 s; this covers the request to auth, its retry and the opening of POP3's maildrop.
LOGIN_SECONDS = 9.0
#: Part of the remaining second, for undoing a login check.
UNDO_SECONDS = 0.5


def login_ends() -> float:
    """Return the deadline of a login that begins now, by the clock of the event loop."""
    return asyncio.get_running_loop().time() + LOGIN_SECONDS


class Logins:
    """Client of auth for logins. A request without an answer is retried once under the same id."""

    def __init__(
        self,
        client: LoginClient,
        undo_checks: Callable[[Sequence[UUID]], Awaitable[list[bool]]],
        tarpit: Tarpit,
    ) -> None:
        self._client = client
        self._undo_checks = undo_checks
        self._tarpit = tarpit

    @property
    def mechanisms(self) -> Mapping[str, Mechanism]:
        """The SASL mechanisms by name, in the order in which they are announced."""
        return self._client.mechanisms

    async def check(
        self,
        protocol: Literal["pop3", "imap"],
        given: Given,
        peer: Peer,
        *,
        ends: float | None = None,
        operation: UUID | None = None,
    ) -> LoginAnswer:
        """Return the answer of auth, before the deadline `ends`; raises Unavailable.

        The address of a direct client is not passed on, so it gets no relay grant (decision 9).
        """
        holder = None if peer.direct else peer.address
        operation = operation or new_id()
        outcome = "away"
        try:
            async with asyncio.timeout_at(login_ends() if ends is None else ends):
                try:
                    answer = await self._client.ask(operation, protocol, given, holder)
                except Unanswered:
                    answer = await self._client.ask(operation, protocol, given, holder)
            outcome = answer.outcome
            return answer
        except TimeoutError:
            raise Unavailable("auth does not answer") from None
        finally:
            metrics.LOGINS.labels(protocol, outcome).inc()

    async def when_due(self, answer: LoginAnswer, peer: Peer, stream: Stream) -> LoginAnswer:
        """Return `answer` after its delay, or `throttled` if the limit of delayed answers is reached (docs/decisions/0049).

        The task is cancelled if the client disconnects. Raises ConnectionResetError if it already has.
        """
        if not answer.delay:
            return answer
        with stream.while_connected():
            if await self._tarpit.delay(peer.address, answer.delay):
                return answer
        return LoginAnswer("throttled")  # for right passwords too: a difference would reveal the password

    async def undo_check(self, operation: UUID) -> None:
        """Undo the check of a POP3 login that got no maildrop, so that its 60 seconds (P4) do not begin.

        If auth does not answer within UNDO_SECONDS, they do begin.
        """
        with suppress(PostriderError, TimeoutError):
            async with asyncio.timeout(UNDO_SECONDS):
                await self._undo_checks([operation])
