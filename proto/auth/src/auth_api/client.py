"""The client of auth's list endpoints, one method per operation (`AuthAdmin` is that of the operators' JSON API)."""

from collections.abc import Sequence
from uuid import UUID

from auth_api import wire
from mailkit.rpc.client import ServiceClient


class AuthClient(ServiceClient):
    """The client of smtp-gateway, pop-imap-frontend and queue-worker. Raises the errors of `mailkit.rpc.client.ServiceClient.call`."""

    upstream = "auth"

    async def senders(self, items: Sequence[wire.SenderQuestion]) -> list[wire.SenderAnswer]:
        """Return one answer per MAIL command, in order."""
        return (await self.call("/v1/senders", wire.SenderList(list(items)), wire.SenderAnswers)).items

    async def recipients(self, items: Sequence[wire.RecipientQuestion]) -> list[wire.RecipientAnswer]:
        """Return one answer per RCPT command, in order."""
        return (await self.call("/v1/recipients", wire.RecipientList(list(items)), wire.RecipientAnswers)).items

    async def uncharged_recipients(self, items: Sequence[wire.RecipientQuestion]) -> list[wire.RecipientAnswer]:
        """Return the answers of `recipients` without charging them to an account: for simulations."""
        asked = wire.RecipientList(list(items))
        return (await self.call("/v1/uncharged-recipients", asked, wire.RecipientAnswers)).items

    async def authors(self, items: Sequence[wire.AuthorQuestion]) -> list[wire.AuthorAnswer]:
        """Return one answer per From of a message, in order."""
        return (await self.call("/v1/authors", wire.AuthorList(list(items)), wire.AuthorAnswers)).items

    async def signatures(self, items: Sequence[wire.SignatureQuestion]) -> list[wire.SignatureAnswer]:
        """Return one answer per message to sign, in order."""
        return (await self.call("/v1/signatures", wire.SignatureList(list(items)), wire.SignatureAnswers)).items

    async def bounce_signatures(
        self, items: Sequence[wire.BounceSignatureQuestion], *, timeout: float | None = None
    ) -> list[wire.BounceSignatureAnswer]:
        """Return one answer per bounce to sign, in order."""
        asked = wire.BounceSignatureList(list(items))
        return (await self.call("/v1/bounce-signatures", asked, wire.BounceSignatureAnswers, timeout=timeout)).items

    async def logins(self, items: Sequence[wire.Login]) -> list[wire.LoginAnswer]:
        """Return one answer per login, in order; a repeated `operation_id` gets its first answer again."""
        return (await self.call("/v1/logins", wire.LoginList(list(items)), wire.LoginAnswers)).items

    async def old_host_logins(self, items: Sequence[wire.Login]) -> list[wire.LoginAnswer]:
        """Return the answers of `logins`, asking old hosts about those that were answered `elsewhere`."""
        return (await self.call("/v1/old-host-logins", wire.LoginList(list(items)), wire.LoginAnswers)).items

    async def scram_offers(self, items: Sequence[wire.ScramQuestion]) -> list[wire.ScramOffer]:
        """Return one offer per beginning of a SCRAM exchange, in order."""
        return (await self.call("/v1/scram-offers", wire.ScramQuestionList(list(items)), wire.ScramOffers)).items

    async def scram_logins(self, items: Sequence[wire.ScramLogin]) -> list[wire.LoginAnswer]:
        """Return one answer per SCRAM login, in order; a repeated `operation_id` gets its first answer again."""
        return (await self.call("/v1/scram-logins", wire.ScramLoginList(list(items)), wire.LoginAnswers)).items

    async def token_logins(self, items: Sequence[wire.TokenLogin]) -> list[wire.LoginAnswer]:
        """Return one answer per login by an access token, in order; a repeated `operation_id` gets its first answer again."""
        return (await self.call("/v1/token-logins", wire.TokenLoginList(list(items)), wire.LoginAnswers)).items

    async def undo_checks(self, operations: Sequence[UUID]) -> list[bool]:
        """Take back the 60 seconds (P4) of POP3 logins, by operation, that got no maildrop; return which had begun them."""
        return (await self.call("/v1/undo-checks", wire.UndoCheckList(list(operations)), wire.UndoCheckAnswers)).items

    async def sessions(self, items: Sequence[wire.SessionQuestion]) -> list[bool]:
        """Return for each open session, in order, whether it may go on."""
        return (await self.recheck(items)).items

    async def recheck(self, items: Sequence[wire.SessionQuestion]) -> wire.SessionAnswers:
        """Return the answers of `sessions` and renewed proofs, one per item (none from an auth that has no proofs)."""
        return await self.call("/v1/sessions", wire.SessionList(list(items)), wire.SessionAnswers)
