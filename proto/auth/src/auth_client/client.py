"""The verbs of auth's list endpoints, one method per operation (the operators' JSON API has `AuthAdmin`)."""

from collections.abc import Sequence
from uuid import UUID

from auth_client import wire
from mailkit.http import ServiceClient


class AuthClient(ServiceClient):
    """What smtp-gateway and pop-imap-frontend ask. Errors as `mailkit.http.ServiceClient.call` says."""

    upstream = "auth"

    async def senders(self, items: Sequence[wire.SenderQuestion]) -> list[wire.SenderAnswer]:
        """One answer per MAIL command, in order."""
        return (await self.call("/v1/senders", wire.SenderList(list(items)), wire.SenderAnswers)).items

    async def recipients(self, items: Sequence[wire.RecipientQuestion]) -> list[wire.RecipientAnswer]:
        """One answer per RCPT command, in order."""
        return (await self.call("/v1/recipients", wire.RecipientList(list(items)), wire.RecipientAnswers)).items

    async def logins(self, items: Sequence[wire.Login]) -> list[wire.LoginAnswer]:
        """One answer per login, in order; a repeated `operation_id` gets its first answer again."""
        return (await self.call("/v1/logins", wire.LoginList(list(items)), wire.LoginAnswers)).items

    async def undo_checks(self, operations: Sequence[UUID]) -> list[bool]:
        """POP3 logins, by operation, that got no maildrop: they begin no 60 seconds (P4). Which ones had."""
        return (await self.call("/v1/undo-checks", wire.UndoCheckList(list(operations)), wire.UndoCheckAnswers)).items

    async def sessions(self, items: Sequence[wire.SessionQuestion]) -> list[bool]:
        """Which open sessions may go on."""
        return (await self.recheck(items)).items

    async def recheck(self, items: Sequence[wire.SessionQuestion]) -> wire.SessionAnswers:
        """The same with renewed proofs, one per item; an auth that knows of none gives an empty list."""
        return await self.call("/v1/sessions", wire.SessionList(list(items)), wire.SessionAnswers)
