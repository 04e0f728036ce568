"""The check at MAIL: badmailfrom (S12), the sender's identity, and the existence of its domain (S16)."""

from uuid import UUID

from auth_api.wire import SenderAnswer, SenderQuestion
from mailkit.mail.address import BadAddress, parse_address
from mailkit.mail.reply import Reply
from mailkit.net.dns import Existence, Resolver
from mailkit.rpc.batch import Batcher
from smtp_gateway import replies
from smtp_gateway.policy.answer_cache import AnswerCache
from smtp_gateway.policy.consulted import Note, unrecorded


class SenderCheck:
    """Checks senders against auth (asked in lists) and DNS."""

    def __init__(self, ask: Batcher[SenderQuestion, SenderAnswer], resolver: Resolver) -> None:
        # a cached right to relay may just have ended: RCPT asks again and notices it
        self._ask = AnswerCache(
            ask, key=lambda question: (question.mail_from, question.client_address, question.login_mailbox)
        )
        self._resolver = resolver

    async def answer(self, address: str, client_address: str | None, login: UUID | None) -> SenderAnswer:
        """Return auth's answer about a sender. Raises Unavailable."""
        return await self._ask.ask(SenderQuestion(normalised(address), client_address, login))

    async def refusal(self, written: str, answer: SenderAnswer, consulted: Note = unrecorded) -> Reply | None:
        """Return the reply that refuses this sender; None if it is accepted."""
        consulted("S12", answer.badmailfrom, sender=written)
        if answer.badmailfrom:
            return replies.BADMAILFROM
        consulted("sender_identity", not answer.identity_allowed, sender=written)
        if not answer.identity_allowed:
            return replies.NOT_YOUR_SENDER
        refusal = await self._domain_refusal(written, answer)
        consulted("S16", refusal is not None, sender=written, local=answer.domain_local)
        return refusal

    async def _domain_refusal(self, written: str, answer: SenderAnswer) -> Reply | None:
        if not written or answer.domain_local:
            return None
        if written != written.strip():  # a trailing space is the usual cause of S16
            return replies.unknown_sender_domain(written)
        try:
            domain = parse_address(written).domain
        except BadAddress:
            return replies.unknown_sender_domain(written) if " " in written else replies.BAD_SENDER
        if domain.startswith("["):
            return None
        found = await self._resolver.sender_domain_exists(domain)
        if found is Existence.temporary:
            return replies.DNS_TROUBLE
        return None if found is Existence.yes else replies.unknown_sender_domain(written)


def normalised(address: str) -> str:
    """Return the address with its domain normalised; a malformed address is only stripped."""
    try:
        return str(parse_address(address.strip())) if address else ""
    except BadAddress:
        return address.strip()
