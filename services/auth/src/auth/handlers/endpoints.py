"""The list endpoints (MessagePack) of the services that ask auth."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from auth.directory.authors import Authors, BounceSigner, HashSigner
from auth.directory.recipients import Recipients
from auth.directory.senders import Senders
from auth.login.logins import LoginService
from auth.login.scram import Scram
from auth.login.sessions import SessionChecks
from auth_api import wire
from mailkit.errors import Forbidden
from mailkit.rpc.app import App, add_endpoint

#: Protocols by which a caller's clients log in: the gateway's token yields no grant and no proof (docs/decisions/0040).
PROTOCOLS = {"gateway": ("smtp",), "frontend": ("pop3", "imap")}


def add_endpoints(
    app: App,
    senders: Senders,
    recipients: Recipients,
    logins: LoginService,
    scram: Scram,
    sessions: SessionChecks,
    authors: Authors,
    signatures: HashSigner,
    bounces: BounceSigner,
) -> None:
    """Mount the endpoints, each for its callers."""

    def endpoint(
        path: str,
        question: type[Any],
        answer: type[Any],
        work: Callable[[Sequence[Any]], Awaitable[Any]],
        *callers: str,
    ) -> None:
        async def listed(asked: Any, caller: str) -> Any:
            if question in (wire.LoginList, wire.ScramLoginList, wire.TokenLoginList):
                _require_protocols(asked.items, caller)
            answers = await work(asked.items) if asked.items else []
            return answers if isinstance(answers, answer) else answer(list(answers))

        add_endpoint(app, path, question, listed, *callers, names_caller=True)

    endpoint("/v1/senders", wire.SenderList, wire.SenderAnswers, senders.answer, "gateway")
    endpoint("/v1/recipients", wire.RecipientList, wire.RecipientAnswers, recipients.answer, "gateway")
    uncharged = partial(recipients.answer, charge=False)
    endpoint("/v1/uncharged-recipients", wire.RecipientList, wire.RecipientAnswers, uncharged, "gateway", "queue")
    endpoint("/v1/authors", wire.AuthorList, wire.AuthorAnswers, authors.answer, "gateway")
    endpoint("/v1/signatures", wire.SignatureList, wire.SignatureAnswers, signatures.answer, "gateway")
    endpoint("/v1/bounce-signatures", wire.BounceSignatureList, wire.BounceSignatureAnswers, bounces.answer, "queue")
    endpoint("/v1/logins", wire.LoginList, wire.LoginAnswers, logins.answer, "gateway", "frontend")
    at_old_hosts = partial(logins.answer, old_host=True)
    endpoint("/v1/old-host-logins", wire.LoginList, wire.LoginAnswers, at_old_hosts, "gateway", "frontend")
    endpoint("/v1/scram-offers", wire.ScramQuestionList, wire.ScramOffers, scram.offers, "gateway", "frontend")
    endpoint("/v1/scram-logins", wire.ScramLoginList, wire.LoginAnswers, logins.answer, "gateway", "frontend")
    endpoint("/v1/token-logins", wire.TokenLoginList, wire.LoginAnswers, logins.answer, "gateway", "frontend")
    endpoint("/v1/undo-checks", wire.UndoCheckList, wire.UndoCheckAnswers, logins.undo_checks, "frontend")
    # all open sessions of a front end in one question
    endpoint("/v1/sessions", wire.SessionList, wire.SessionAnswers, sessions.answer, "gateway", "frontend")


def _require_protocols(items: Sequence[wire.AnyLogin], caller: str) -> None:
    for n, item in enumerate(items):
        if item.protocol not in PROTOCOLS[caller]:
            raise Forbidden(f"item {n}: {caller} may not ask for logins by {item.protocol}")
