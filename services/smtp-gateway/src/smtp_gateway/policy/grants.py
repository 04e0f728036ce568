"""Questions to auth for which no grant of OPEN-SMTP counts (S2): they leave out the client address."""

from collections.abc import Sequence

from msgspec import structs

from auth_api.client import AuthClient
from auth_api.wire import (
    AuthorAnswer,
    AuthorQuestion,
    RecipientAnswer,
    RecipientQuestion,
    SenderAnswer,
    SenderQuestion,
    SignatureAnswer,
    SignatureQuestion,
)


class WithoutGrants:
    """Asks auth about senders, recipients and From; only a login gives a right to relay."""

    def __init__(self, auth: AuthClient) -> None:
        self._auth = auth

    async def senders(self, questions: Sequence[SenderQuestion]) -> Sequence[SenderAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        return await self._auth.senders([structs.replace(each, client_address=None) for each in questions])

    async def recipients(self, questions: Sequence[RecipientQuestion]) -> Sequence[RecipientAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        return await self._auth.recipients([structs.replace(each, client_address=None) for each in questions])

    async def authors(self, questions: Sequence[AuthorQuestion]) -> Sequence[AuthorAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        return await self._auth.authors([structs.replace(each, client_address=None) for each in questions])

    async def signatures(self, questions: Sequence[SignatureQuestion]) -> Sequence[SignatureAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        return await self._auth.signatures([structs.replace(each, client_address=None) for each in questions])
