"""Logins of both protocols: one question to auth, with the client's address, for whom the grant is (S2, I2)."""

import asyncio

from auth_client.wire import Login, LoginAnswer
from mailkit.batch import Batcher
from mailkit.errors import Unanswered, Unavailable
from mailkit.ids import new_id
from mailkit.listener import Peer

#: A client hears within 10 s that auth is away, the repetition included.
LOGIN_SECONDS = 9.0


class Logins:
    """Collects logins into list calls. A question that was not answered is repeated once under the same id."""

    def __init__(self, ask: Batcher[Login, LoginAnswer]) -> None:
        self._ask = ask

    async def __call__(self, protocol: str, login: str, password: str, peer: Peer) -> LoginAnswer:
        """Auth's answer. Raises Unavailable."""
        question = Login(new_id(), protocol, login, password, peer.address)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                try:
                    return await self._ask.ask(question)
                except Unanswered:
                    return await self._ask.ask(question)
        except TimeoutError:
            raise Unavailable("auth does not answer") from None
