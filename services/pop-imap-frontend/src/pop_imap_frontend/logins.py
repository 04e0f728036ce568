"""Logins of both protocols: one question to auth, with the client's address, for whom the grant is (S2, I2)."""

from auth_client.wire import Login, LoginAnswer
from mailkit.batch import Batcher
from mailkit.errors import Unanswered
from mailkit.ids import new_id
from mailkit.listener import Peer


class Logins:
    """Collects logins into list calls. A question that was not answered is repeated once under the same id."""

    def __init__(self, ask: Batcher[Login, LoginAnswer]) -> None:
        self._ask = ask

    async def __call__(self, protocol: str, login: str, password: str, peer: Peer) -> LoginAnswer:
        """Auth's answer. Raises Unavailable."""
        question = Login(new_id(), protocol, login, password, peer.address)  # type: ignore[arg-type]
        try:
            return await self._ask.ask(question)
        except Unanswered:
            return await self._ask.ask(question)
