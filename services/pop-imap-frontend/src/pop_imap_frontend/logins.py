"""Logins of both protocols: one question to auth, with the client's address, for whom the grant is (S2, I2)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from auth_client.wire import Login, LoginAnswer
from mailkit.batch import Batcher
from mailkit.errors import PostriderError, Unanswered, Unavailable
from mailkit.ids import new_id
from mailkit.listener import Peer
from mailkit.stream import Stream
from mailkit.tarpit import Tarpit
from pop_imap_frontend import metrics

#: A client hears within 10 s what became of his login: auth's answer, its repetition and POP3's maildrop together.
LOGIN_SECONDS = 9.0
#: Of the second that is left, this much is for taking a check back.
UNDO_SECONDS = 0.5


def login_ends() -> float:
    """When a login that begins now has to be answered, by the loop's clock."""
    return asyncio.get_running_loop().time() + LOGIN_SECONDS


class Logins:
    """Collects logins into list calls. A question that was not answered is repeated once under the same id."""

    def __init__(
        self, ask: Batcher[Login, LoginAnswer], undo_checks: Callable[[Sequence[UUID]], Awaitable[list[bool]]],
        tarpit: Tarpit,
    ) -> None:  # fmt: skip
        self._ask = ask
        self._undo_checks = undo_checks
        self._tarpit = tarpit

    async def __call__(
        self, protocol: str, login: str, password: str, peer: Peer, *, ends: float | None = None,
        operation: UUID | None = None,
    ) -> LoginAnswer:  # fmt: skip
        """Auth's answer, before `ends`. A direct client's address is not told: no grant (decision 9). Raises Unavailable."""
        holder = None if peer.direct else peer.address
        question = Login(operation or new_id(), protocol, login, password, holder)  # type: ignore[arg-type]
        outcome = "away"
        try:
            async with asyncio.timeout_at(login_ends() if ends is None else ends):
                try:
                    answer = await self._ask.ask(question)
                except Unanswered:
                    answer = await self._ask.ask(question)
            outcome = answer.outcome
            return answer
        except TimeoutError:
            raise Unavailable("auth does not answer") from None
        finally:
            metrics.LOGINS.labels(protocol, outcome).inc()

    async def when_due(self, answer: LoginAnswer, peer: Peer, stream: Stream) -> LoginAnswer:
        """`answer` after its delay, or a refusal for now when one more may not wait (docs/decisions/0049).

        The task is cancelled when the client leaves. Raises ConnectionResetError when it has left before.
        """
        if not answer.delay:
            return answer
        with stream.while_connected():
            if await self._tarpit.delay(peer.address, answer.delay):
                return answer
        return LoginAnswer("throttled")  # right or wrong: the difference would give the password away

    async def undo_check(self, operation: UUID) -> None:
        """This POP3 login got no maildrop, so it begins no 60 seconds (P4). Where auth cannot be told, it does."""
        with suppress(PostriderError, TimeoutError):
            async with asyncio.timeout(UNDO_SECONDS):
                await self._undo_checks([operation])
