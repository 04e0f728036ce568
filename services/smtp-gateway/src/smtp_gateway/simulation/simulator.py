"""POST /v1/simulate: each simulation with questions of its own to auth and mailstore, by the decisions of live traffic.

No connection, message, recipient or login is counted, nothing is handed over, logged or kept.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from msgspec import structs

from auth_api.client import AuthClient
from auth_api.wire import (
    AuthorAnswer,
    AuthorQuestion,
    RecipientAnswer,
    RecipientQuestion,
    SenderAnswer,
    SenderQuestion,
)
from mailkit.errors import BadRequest
from mailkit.mail.address import BadAddress, peer_address
from mailkit.net.connections import Connections
from mailkit.net.dns import Resolver
from mailkit.net.listener import Peer
from mailkit.rpc.app import OPERATORS
from mailkit.rpc.batch import Batcher
from mailstore_api.wire import RoomQuestion
from smtp_gateway.policy.author import AuthorCheck
from smtp_gateway.policy.recipient import RecipientCheck
from smtp_gateway.policy.sender import SenderCheck
from smtp_gateway.simulation.dialogue import Dialogue, SimulatedClient
from smtp_gateway.simulation.forms import Case, Simulated
from smtp_gateway.smtp.context import SmtpContext

#: Simulations that run at the same time; others wait: each may hold a message of the largest size.
MOST_AT_ONCE = 2


class Questions:
    """The questions to auth of one simulation: recipients are not charged; `grant` supposes a grant of that mailbox."""

    def __init__(self, auth_client: AuthClient, *, grants: bool, grant: UUID | None) -> None:
        self._auth = auth_client
        self._grants = grants
        self._grant = grant if grants else None

    def _asked(self, question: Any) -> Any:
        if self._grant is not None and question.login_mailbox is None:
            question = structs.replace(question, client_address=None, login_mailbox=self._grant)
        return question if self._grants else structs.replace(question, client_address=None)

    async def senders(self, questions: Sequence[SenderQuestion]) -> Sequence[SenderAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        asked = [structs.replace(self._asked(each), simulated=True) for each in questions]
        answers = await self._auth.senders(asked)
        return [
            structs.replace(answer, relay=structs.replace(answer.relay, how="grant", granted_at=time.time()))
            if self._grant is not None and question.login_mailbox is None and answer.relay is not None
            else answer
            for question, answer in zip(questions, answers, strict=True)
        ]

    async def authors(self, questions: Sequence[AuthorQuestion]) -> Sequence[AuthorAnswer]:
        """Return auth's answers, one per question. Raises Unavailable."""
        return await self._auth.authors([structs.replace(self._asked(each), simulated=True) for each in questions])

    async def recipients(self, questions: Sequence[RecipientQuestion]) -> Sequence[RecipientAnswer]:
        """Return auth's answers, one per question, without a charge. Raises Unavailable."""
        return await self._auth.uncharged_recipients([self._asked(each) for each in questions])


class Simulator:
    """Runs simulations. `shared`: the context of live sessions; `patience`: seconds, as live sessions wait for auth."""

    def __init__(
        self,
        shared: SmtpContext,
        auth_client: AuthClient,
        room: Callable[[Sequence[RoomQuestion]], Awaitable[Sequence[str]]],
        resolver: Resolver,
        connections: Connections,
        *,
        patience: float,
    ) -> None:
        self._shared = shared
        self._auth = auth_client
        self._room = room
        self._resolver = resolver
        self._connections = connections
        self._patience = patience
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self, case: Case) -> Simulated:
        """Return what the client of `case` would be answered. Raises BadRequest."""
        try:
            address = peer_address(case.client)
        except BadAddress as error:
            raise BadRequest(f"client: {error}") from error
        if case.auth is not None and case.grant is not None:
            raise BadRequest("auth and grant exclude each other: the grant is not looked at after a login")
        implicit = case.listener == "smtps"
        client = SimulatedClient(
            Peer(address, 0, case.listener, implicit, case.direct),
            self._context(case),
            implicit or (case.tls and self._shared.tls is not None),
        )
        async with self._turns:
            return await Dialogue(client, case, self._connections).run()

    def _context(self, case: Case) -> SmtpContext:
        questions = Questions(self._auth, grants=self._shared.settings.open_smtp and not case.direct, grant=case.grant)
        return replace(
            self._shared,
            authors=AuthorCheck(Batcher(questions.authors, patience=self._patience)),
            senders=SenderCheck(Batcher(questions.senders, patience=self._patience), self._resolver),
            recipients=RecipientCheck(
                Batcher(questions.recipients, patience=self._patience), Batcher(self._room, patience=self._patience)
            ),
        )


def router(simulator: Simulator) -> APIRouter:
    """Return the route POST /v1/simulate."""
    routes = APIRouter(dependencies=OPERATORS)

    @routes.post("/v1/simulate", operation_id="simulate")
    async def simulate(case: Case) -> Simulated:
        """Say what a client would be answered, and why; nothing is counted, handed over or kept."""
        return await simulator.run(case)

    return routes
