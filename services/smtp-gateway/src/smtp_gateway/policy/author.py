"""The check of From at the final dot, for clients with a right to relay: may they use it, and who signs (docs/decisions/0089)."""

from dataclasses import dataclass

from auth_api.wire import MOST_AUTHORS, AuthorAnswer, AuthorQuestion, DkimSigner, LoginAnswer
from mailauth.dmarc.author import authors
from mailkit.rpc.batch import Batcher
from smtp_gateway.policy.answer_cache import AnswerCache


@dataclass(frozen=True, slots=True)
class Author:
    """What was found. `address`: the one in From whose domain the keys of `signers` sign for, "" without signers.

    `addresses`: those in From, as far as it was read. `readable` False: it is no list that everybody reads alike.
    """

    allowed: bool
    address: str = ""
    signers: tuple[DkimSigner, ...] = ()
    addresses: tuple[str, ...] = ()
    readable: bool = True


class AuthorCheck:
    """Checks From against auth (asked in lists); a domain without a rule costs no question."""

    def __init__(self, ask: Batcher[AuthorQuestion, AuthorAnswer]) -> None:
        self._ask = AnswerCache(
            ask,
            key=lambda question: (
                tuple(question.addresses), question.client_address, question.login_mailbox, question.readable,
                bool(question.proof),
            ),
        )  # fmt: skip

    async def check(
        self, header: bytes, mail_from: str, from_rule: str, client_address: str | None, login: LoginAnswer | None
    ) -> Author:
        """Return whether the client may use the From of `header`. `from_rule`: auth's answer at MAIL. Raises Unavailable."""
        if not from_rule:  # an auth of the release before
            return Author(True)
        addresses, readable = authors(header)
        domain = mail_from.rpartition("@")[2].lower()
        if from_rule == "none" and readable and all(each.rpartition("@")[2] == domain for each in addresses):
            return Author(True, addresses=tuple(addresses))
        if len(addresses) > MOST_AUTHORS:
            addresses, readable = addresses[:MOST_AUTHORS], False
        box, proof = (login.mailbox_id, login.proof) if login else (None, b"")
        answer = await self._ask.ask(AuthorQuestion(addresses, client_address, box, readable, proof=proof))
        if not answer.signers:
            return Author(answer.allowed, addresses=tuple(addresses), readable=readable)
        signing = answer.signers[0].domain
        address = next((each for each in addresses if each.rpartition("@")[2] == signing), "")
        return Author(answer.allowed, address, tuple(answer.signers), tuple(addresses), readable)
